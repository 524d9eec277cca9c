"""`dashclaw hook` and `dashclaw install`: what a coding agent sees, and what is left of its settings."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dashclaw import DashClaw
from dashclaw._tool_calls import ToolCall
from dashclaw.cli.hook import _parsed, _spelt_out
from dashclaw.integrations.coding_agents.contracts import CONTRACTS
from dashclaw.integrations.coding_agents.risks import risk_of

from ..serving import Served
from .conftest import Run, Shown

Answer = Callable[..., Shown]
NOBODY = ("--url", "http://127.0.0.1:9", "--api-key", "k")


def before(tool: str = "Read", use: str | None = "toolu_1", **arguments: Any) -> dict[str, Any]:
    """What Claude Code 2.1 sends before a call."""
    found = {
        "session_id": "5f3c",
        "transcript_path": "/home/me/.claude/projects/p/5f3c.jsonl",
        "cwd": "/home/me/p",
        "permission_mode": "default",
        "hook_event_name": "PreToolUse",
        "tool_name": tool,
        "tool_input": arguments or {"file_path": "/home/me/p/README.md"},
    }
    return found if use is None else dict(found, tool_use_id=use)


def after(event: dict[str, Any], **more: Any) -> dict[str, Any]:
    return dict(event, **dict({"hook_event_name": "PostToolUse", "tool_response": {"stdout": "ok"}}, **more))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    place = tmp_path / "dashclaw.db"
    with DashClaw.local(place, agent_id="claude-code", starter_policies=False) as claw:
        for name, kind, rules in (
            ("No fetching", "block_action_type", {"action_types": ["WebFetch"]}),
            ("High risk is asked", "risk_threshold", {"threshold": 80, "action": "require_approval"}),
        ):
            claw.request("POST", "/api/policies", body={"name": name, "policy_type": kind, "rules": rules})
    return place


@pytest.fixture
def claw(database: Path) -> Any:
    with DashClaw.local(database, agent_id="person", operator=True) as found:
        yield found


@pytest.fixture
def hook(run: Run, monkeypatch: pytest.MonkeyPatch, database: Path) -> Answer:
    """Answer an event, in this process."""

    def answer(event: Any, *words: str, agent: str = "claude-code", place: tuple[str, ...] = ()) -> Shown:
        content = event if isinstance(event, bytes) else json.dumps(event).encode()
        stdin = type("Stdin", (), {"buffer": io.BytesIO(content)})()
        monkeypatch.setattr("sys.stdin", stdin)
        return run("hook", agent, *(place or ("--db", str(database))), *words)

    return answer


def denied(shown: Shown) -> str:
    """The reason that the model is told, in the form that Claude Code and Codex understand."""
    assert (shown.code, shown.err) == (0, "")
    said = shown.document["hookSpecificOutput"]
    assert (said["hookEventName"], said["permissionDecision"]) == ("PreToolUse", "deny")
    return str(said["permissionDecisionReason"])


SILENT = Shown(0, "", "")


def test_an_allowed_call_is_answered_by_silence_and_recorded_with_its_end(hook: Answer, claw: DashClaw) -> None:
    event = before("Bash", command="pytest -q", description="Run the tests")
    assert hook(event) == SILENT
    (row,) = claw.get_actions()["actions"]
    assert (row["agent_id"], row["action_type"], row["status"]) == ("claude-code", "Bash", "running")
    assert (row["declared_goal"], row["session_id"]) == ("Bash: pytest -q", "5f3c")
    assert row["metadata"]["cwd"] == "/home/me/p"
    assert hook(after(event, duration_ms=62)) == SILENT
    (row,) = claw.get_actions()["actions"]
    assert (row["status"], row["duration_ms"], row["output_summary"]) == ("completed", 62, '{"stdout": "ok"}')


def test_a_blocked_call_is_denied_with_the_reason(hook: Answer, claw: DashClaw) -> None:
    assert "No fetching" in denied(hook(before("WebFetch", url="https://example.com")))
    assert [row["status"] for row in claw.get_actions()["actions"]] == ["blocked"]


def test_a_call_that_needs_a_person_tells_how_to_approve_and_runs_when_it_is_made_again(
    hook: Answer, claw: DashClaw
) -> None:
    first = denied(hook(before("Bash", use="toolu_1", command="rm -rf build", description="Clean")))
    (waits,) = (row["action_id"] for row in claw.get_pending_approvals()["actions"])
    assert f"dashclaw approvals approve {waits}" in first
    claw.approve_action(waits, "allow")
    assert "NOT run" in denied(hook(before("Bash", use="toolu_2", command="rm -rf /", description="Clean")))
    # The model finds other words for the same command.
    assert hook(before("Bash", use="toolu_3", command="rm -rf build", description="Remove the build")) == SILENT
    assert "NOT run" in denied(hook(before("Bash", use="toolu_4", command="rm -rf build", description="Clean")))


@pytest.mark.parametrize(("decision", "ends"), [("allow", "runs"), ("deny", "denied")])
def test_a_call_waits_for_a_person(hook: Answer, claw: DashClaw, decision: str, ends: str) -> None:
    def decide() -> None:
        while not (found := claw.get_pending_approvals()["actions"]):
            time.sleep(0.01)
        claw.approve_action(found[0]["action_id"], decision, "as the test says")

    person = threading.Thread(target=decide)
    person.start()
    shown = hook(before("Bash", command="rm -rf build"), "--wait", "30")
    person.join()
    if ends == "runs":
        assert shown == SILENT
        assert [row["status"] for row in claw.get_actions()["actions"]] == ["running"]
    else:
        assert "as the test says" in denied(shown)


def test_a_wait_that_ends_leaves_the_approval_open(hook: Answer, claw: DashClaw) -> None:
    assert "dashclaw approvals approve" in denied(hook(before("Bash", command="rm -rf build"), "--wait", "0.2"))
    (row,) = claw.get_pending_approvals()["actions"]
    claw.approve_action(row["action_id"], "allow")
    assert hook(before("Bash", use="toolu_2", command="rm -rf build")) == SILENT


def test_a_hook_that_is_installed_twice_decides_the_same_twice(hook: Answer) -> None:
    assert hook(before()) == SILENT
    assert hook(before()) == SILENT


@pytest.mark.parametrize(
    "event",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"hook_event_name": "PreToolUse"}',
        b'{"hook_event_name": "PreToolUse", "tool_name": ""}',
        b'{"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": "rm"}',
        b'{"tool_name": "Read"}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_read_stops_the_call_and_never_one_that_is_only_observed(hook: Answer, event: bytes) -> None:
    shown = hook(event)
    assert (shown.code, shown.out) == (2, "")
    assert "NOT run" in shown.err
    shown = hook(event, "--mode", "observe")
    assert (shown.code, shown.out) == (0, "")


def test_a_server_that_is_away_stops_the_call_and_never_one_that_is_only_observed(hook: Answer) -> None:
    assert "No connection" in denied(hook(before(), place=NOBODY))
    assert hook(before(), "--mode", "observe", place=NOBODY)[:2] == (0, "")
    shown = hook(after(before()), place=NOBODY)
    assert (shown.code, shown.out) == (0, "")
    assert "recorded nothing" in shown.err


def test_a_server_that_is_away_lets_the_call_run_where_the_user_chose_so(
    hook: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASHCLAW_GUARD_FAILURE", "open")
    assert hook(before(), place=NOBODY).out == ""


@pytest.mark.parametrize(
    "step", ["hook.call_in", "hook.Governor", "hook.ToolCall", "hook._reason", "hook.Hook._decide", "hook.risk_of"]
)
def test_a_mistake_of_ours_stops_the_call_and_never_one_that_is_only_observed(
    hook: Answer, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(f"dashclaw.integrations.coding_agents.{step}", fail)
    shown = hook(before("WebFetch", url="https://example.com"))
    assert shown.code == 2 or "NOT run" in denied(shown)
    assert hook(before(), "--mode", "observe")[:2] == (0, "")


def test_wrong_options_and_no_place_stop_the_call(hook: Answer, run: Run) -> None:
    assert hook(before(), "--mode", "perhaps").code == 2
    assert hook(before(), place=("--db", "/nonexistent/folder/d.db")).code == 2
    assert run("hook").code == 2


def test_other_events_are_none_of_its_business(hook: Answer, claw: DashClaw) -> None:
    for name in ("SessionStart", "Stop", "UserPromptSubmit", "Notification"):
        assert hook({"hook_event_name": name, "session_id": "5f3c"}) == SILENT
    assert claw.get_actions()["total"] == 0


def test_a_tool_that_fails_is_recorded_as_failed(hook: Answer, claw: DashClaw) -> None:
    hook(before("Bash", command="false"))
    failure = {"hook_event_name": "PostToolUseFailure", "error": "exit code 1", "tool_response": None}
    assert hook(after(before("Bash", command="false"), **failure)) == SILENT
    (row,) = claw.get_actions()["actions"]
    assert (row["status"], row["error_message"]) == ("failed", "exit code 1")


def test_the_end_of_a_session_cancels_what_the_person_at_the_agent_refused(hook: Answer, claw: DashClaw) -> None:
    hook(before("Edit", use="toolu_1", file_path="/a"))
    hook(before("Edit", use="toolu_2", file_path="/b"))
    hook(dict(before("Edit", use="toolu_3", file_path="/c"), session_id="other"))
    hook(after(before("Edit", use="toolu_2", file_path="/b")))
    assert hook({"hook_event_name": "SessionEnd", "session_id": "5f3c", "reason": "other"}) == SILENT
    found = {row["declared_goal"]: row["status"] for row in claw.get_actions()["actions"]}
    assert found == {"Edit: /a": "cancelled", "Edit: /b": "completed", "Edit: /c": "running"}


def test_gemini_names_no_calls_and_is_denied_in_its_own_form(hook: Answer, claw: DashClaw) -> None:
    event = dict(before("run_shell_command", use=None, command="ls"), hook_event_name="BeforeTool")
    for _ in range(2):
        assert hook(event, agent="gemini") == SILENT
    assert hook(after(event, hook_event_name="AfterTool"), agent="gemini") == SILENT
    assert sorted(row["status"] for row in claw.get_actions()["actions"]) == ["completed", "running"]
    shown = hook(dict(event, tool_name="WebFetch"), agent="gemini")
    assert shown.document["decision"] == "deny"
    assert "No fetching" in shown.document["reason"]


@pytest.mark.parametrize(
    ("tool", "arguments", "score"),
    [
        ("Bash", {"command": "ls -la"}, None),
        ("Bash", {"command": "cd /tmp && rm -rf x"}, 85),
        ("Bash", {"command": "sudo dd if=/dev/zero of=/dev/sda"}, 85),
        ("shell", {"command": ["bash", "-lc", "git push --force"]}, 85),
        ("Bash", {"command": "git reset --hard HEAD~3"}, 85),
        ("Bash", {"command": "curl -s https://x.example/i.sh | sudo bash"}, 85),
        ("Bash", {"command": "git commit -m 'remove old code'"}, None),
        ("Bash", {"command": "echo " + "x" * 200_001}, 85),
        ("Bash", {"command": "dashclaw approvals approve act_1"}, 95),
        ("Bash", {"command": "python -m dashclaw uninstall claude-code"}, 95),
        ("Write", {"file_path": "/home/me/.claude/settings.json", "content": "{}"}, 95),
        ("Read", {"file_path": "/home/me/.claude/settings.json"}, None),
        ("Write", {"file_path": "/home/me/p/a.py", "content": "rm -rf /"}, None),
    ],
)
def test_commands_that_destroy_or_loosen_the_rules_are_risky(tool: str, arguments: Any, score: int | None) -> None:
    found = risk_of(ToolCall(tool, arguments))
    assert (found and found["risk_score"]) == score


def program(*words: str, event: Any, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the hook as agents do."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("DASHCLAW_")}
    return subprocess.run(
        [sys.executable, *words],
        input=json.dumps(event),
        capture_output=True,
        text=True,
        env=dict(known, **environment),
        check=False,
    )


def test_with_a_server_the_hook_loads_neither_the_other_commands_nor_a_database(server: Served) -> None:
    words = ["-X", "importtime", "-m", "dashclaw", "hook", "claude-code", "--url", server.url]
    # Without PYTHONPATH: what keeps the tests on this machine loads modules of its own.
    done = program(*words, event=before(), DASHCLAW_API_KEY=server.agent_key, PYTHONPATH="")
    assert (done.returncode, done.stdout) == (0, "")
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "dashclaw._governor" in loaded
    assert not {"sqlalchemy", "pydantic", "asyncio", "dashclaw.cli.groups", "dashclaw.local", "cryptography"} & loaded
    assert not {"argparse", "importlib.metadata", "email.message", "http.client", "ssl", "uuid", "pathlib"} & loaded


def test_an_embedded_hook_loads_only_the_operations_of_a_governed_call(database: Path, hook: Answer) -> None:
    assert hook(before()) == SILENT  # brings the schema up to date
    words = ["-X", "importtime", "-m", "dashclaw", "hook", "claude-code", "--db", str(database)]
    done = program(*words, event=before(use="toolu_2"))
    assert (done.returncode, done.stdout) == (0, "")
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "dashclaw.runtime.services.governed" in loaded
    assert not {"dashclaw.runtime.services.table", "dashclaw.runtime.routing.courier", "http.client"} & loaded
    assert not {"alembic", "jsonschema", "yaml", "jinja2", "cryptography", "fastapi"} & loaded


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--db a.db",
        "--mode observe --wait 30 --agent me --url http://127.0.0.1:1 --api-key k",
        "--mode enforce --db sqlite:///a.db",
    ],
)
def test_options_as_an_installation_writes_them_read_as_argparse_reads_them(words: str) -> None:
    asked = ["claude-code", *words.split()]
    quick = vars(_spelt_out(asked) or pytest.fail("argparse would be loaded"))
    slow = vars(_parsed(asked))
    assert {name: slow[name] for name in quick} == quick


@pytest.mark.parametrize(
    "words",
    [
        "--mode=observe",
        "--mode loud",
        "--wait 1.5",
        "--wait soon",
        "--db a.db --url http://127.0.0.1:1",
        "--db a.db --db b.db",
        "--db",
        "--agent --db",
        "--json --db a.db",
        "--age me",
    ],
)
def test_options_in_any_other_spelling_are_left_to_argparse(words: str) -> None:
    assert _spelt_out(["claude-code", *words.split()]) is None


def test_a_server_decides_as_an_embedded_database_does(server: Served, hook: Answer) -> None:
    place = ("--url", server.url, "--api-key", server.agent_key)
    assert hook(before(), place=place) == SILENT
    assert hook(after(before()), place=place) == SILENT
    assert "dashclaw approvals approve" in denied(hook(before("Bash", use="toolu_2", command="rm -rf x"), place=place))


@pytest.mark.skipif(sys.platform == "win32", reason="a stopped process is a matter of POSIX")
def test_a_hook_that_hangs_ends_by_itself_with_a_denial(tmp_path: Path, database: Path) -> None:
    code = (
        "import sys, time\n"
        "from dashclaw.integrations.coding_agents import hook\n"
        "hook.LAST_SECONDS = 0.3\n"
        "hook.Governor.start = lambda *_: time.sleep(60)\n"
        "from dashclaw.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    done = program("-c", code, "hook", "claude-code", "--db", str(database), event=before())
    assert (done.returncode, done.stdout) == (2, "")
    assert "no answer within 0.3 seconds" in done.stderr


# What stands in the user's settings before: order, other hooks, letters beyond ASCII, a form that we would not write.
THEIRS = """{"model": "opus", "env": {"NAME": "Zoë"},
    "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "say done"}]}],
              "PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "check"}]}], "Empty": []},
    "permissions": {"allow": ["Bash(ls:*)"]}}"""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    return tmp_path / "home" / "settings.json"


@pytest.fixture
def install(run: Run, database: Path, settings: Path) -> Callable[..., Shown]:
    def call(*words: str, agent: str = "claude-code") -> Shown:
        return run("install", agent, "--settings", str(settings), "--db", str(database), *words)

    return call


def ours(settings: Path, event: str = "PreToolUse") -> list[dict[str, Any]]:
    entries = json.loads(settings.read_text())["hooks"][event]
    return [hook for entry in entries for hook in entry["hooks"] if "-m dashclaw hook" in hook["command"]]


def test_hooks_are_added_beside_what_is_there_and_taken_out_without_a_trace(
    install: Callable[..., Shown], run: Run, settings: Path
) -> None:
    settings.parent.mkdir()
    settings.write_text(THEIRS)
    settings.chmod(0o640)
    assert install().code == 0
    added, before_it = json.loads(settings.read_text()), json.loads(THEIRS)
    assert list(added) == list(before_it)
    assert added["hooks"]["PreToolUse"][0] == before_it["hooks"]["PreToolUse"][0]
    assert added["hooks"]["Stop"] == before_it["hooks"]["Stop"]
    assert "Zoë" in settings.read_text()
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    written = settings.read_bytes()
    assert "Nothing to change" in install().out
    assert settings.read_bytes() == written
    assert install("--wait", "60").code == 0
    (only,) = ours(settings)
    assert "--wait 60" in only["command"]
    assert only["timeout"] == 90
    assert run("uninstall", "claude-code", "--settings", str(settings)).code == 0
    assert settings.read_text() == THEIRS
    assert [path.name for path in settings.parent.iterdir()] == ["settings.json"]
    assert "no hooks" in run("uninstall", "claude-code", "--settings", str(settings)).out


def test_what_the_user_changed_meanwhile_stays(install: Callable[..., Shown], run: Run, settings: Path) -> None:
    settings.parent.mkdir()
    settings.write_text(THEIRS)
    install()
    changed = json.loads(settings.read_text())
    changed["model"] = "sonnet"
    settings.write_text(json.dumps(changed))
    run("uninstall", "claude-code", "--settings", str(settings))
    assert json.loads(settings.read_text()) == dict(json.loads(THEIRS), model="sonnet")


def test_a_file_that_was_not_there_is_gone_again(install: Callable[..., Shown], run: Run, settings: Path) -> None:
    assert install().code == 0
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    run("uninstall", "claude-code", "--settings", str(settings))
    assert list(settings.parent.iterdir()) == []


def test_a_link_stays_a_link(install: Callable[..., Shown], settings: Path, tmp_path: Path) -> None:
    settings.parent.mkdir()
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    settings.symlink_to(real)
    assert install().code == 0
    assert settings.is_symlink()
    assert ours(real)


@pytest.mark.parametrize(
    "content",
    [
        '{"a": 1,}',
        "// mine\n{}",
        "[]",
        '{"a": 1, "a": 2}',
        '{"hooks": []}',
        '{"hooks": {"Stop": {}}}',
        '{"a": NaN}',
        "\ufeff{}",
    ],
)
def test_a_file_that_cannot_be_read_for_certain_is_left_alone(
    install: Callable[..., Shown], run: Run, settings: Path, content: str
) -> None:
    settings.parent.mkdir()
    settings.write_text(content)
    shown = install()
    assert shown.code == 1
    assert "left as it is" in shown.err
    assert settings.read_text() == content
    assert [path.name for path in settings.parent.iterdir()] == ["settings.json"]


def test_the_installed_command_stops_the_call_however_it_dies(
    install: Callable[..., Shown], settings: Path, tmp_path: Path
) -> None:
    install()
    line, recording = (ours(settings, event)[0]["command"] for event in ("PreToolUse", "PostToolUse"))
    shell = ["/bin/sh", "-c"]
    event = json.dumps(before("WebFetch", url="https://example.com"))
    done = subprocess.run([*shell, line], input=event, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "No fetching" in denied(Shown(done.returncode, done.stdout, done.stderr))
    for broken in (
        line.replace(shlex.quote(sys.executable), "/nonexistent/python"),
        line.replace("-m dashclaw", "-m dashclow"),
        line.replace(f"{shlex.quote(sys.executable)} -I -m dashclaw", f"sh -c 'kill -{signal.SIGKILL} $$' x"),
    ):
        assert broken != line
        done = subprocess.run([*shell, broken], input=event, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 2
        assert "NOT run" in done.stderr
    assert "exit 2" not in recording


def test_the_agent_cannot_put_a_module_in_the_place_of_ours(
    install: Callable[..., Shown], settings: Path, tmp_path: Path
) -> None:
    install()
    (tmp_path / "json.py").write_text("raise SystemExit(0)")
    (tmp_path / "dashclaw.py").write_text("raise SystemExit(0)")
    (hook,) = ours(settings)
    event = json.dumps(before("WebFetch", url="https://example.com"))
    done = subprocess.run(
        ["/bin/sh", "-c", hook["command"]], input=event, capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert "No fetching" in denied(Shown(done.returncode, done.stdout, done.stderr))


def test_observing_has_no_way_to_stop_a_call(install: Callable[..., Shown], settings: Path) -> None:
    install("--mode", "observe")
    assert "exit 2" not in ours(settings)[0]["command"]


@pytest.mark.parametrize("agent", list(CONTRACTS))
def test_every_agent_has_a_command_for_each_of_its_events(
    install: Callable[..., Shown], settings: Path, agent: str
) -> None:
    assert install(agent=agent).code == 0
    contract = CONTRACTS[agent]
    for event in filter(None, (contract.before, contract.after, contract.failed, contract.ended)):
        (hook,) = ours(settings, event)
        assert hook["timeout"] == 30 * contract.moment


def test_a_hook_is_not_installed_where_it_could_not_decide(run: Run, settings: Path, tmp_path: Path) -> None:
    shown = run("install", "claude-code", "--settings", str(settings))
    assert "Say where" in shown.err
    shown = run("install", "claude-code", "--settings", str(settings), "--url", "http://127.0.0.1:1", "--api-key", "k")
    assert "DASHCLAW_API_KEY" in shown.err
    assert not settings.exists()
