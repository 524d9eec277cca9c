"""What goes wrong is said in a line that tells what to do, on stderr, without a traceback."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from dashclaw import DashClaw
from dashclaw.runtime.store.connect import without_password

from ..serving import Served
from .conftest import Place, Run

UNKNOWN = (
    (("approvals", "show", "act_no"), "There is no action 'act_no'", "see dashclaw approvals list"),
    (("approvals", "approve", "act_no"), "There is no action 'act_no'", "see dashclaw approvals list"),
    (("approvals", "deny", "act_no"), "There is no action 'act_no'", "see dashclaw approvals list"),
    (("actions", "show", "act_no"), "There is no action 'act_no'", "see dashclaw actions list"),
    (("actions", "trace", "act_no"), "There is no action 'act_no'", "see dashclaw actions list"),
    (("policies", "remove", "no"), "There is no policy 'no'", "see dashclaw policies list"),
    (("policies", "enable", "no"), "There is no policy 'no'", "see dashclaw policies list"),
    (("keys", "revoke", "key_no"), "There is no key 'key_no'", "see dashclaw keys list"),
)


@pytest.mark.parametrize(("words", "what", "hint"), UNKNOWN, ids=lambda part: " ".join(part[:2]))
def test_an_unknown_id_is_one_line_that_says_where_to_look(
    embedded: Place, words: tuple[str, ...], what: str, hint: str
) -> None:
    shown = embedded.run(*words)
    assert (shown.code, shown.out) == (1, "")
    [line] = shown.err.splitlines()
    assert line.startswith(f"error: {what}")
    assert line.endswith(hint)


def test_a_server_says_the_same_about_unknown_ids(remote: Place) -> None:
    for words, what, hint in UNKNOWN:
        shown = remote.run(*words)
        assert (shown.code, shown.out) == (1, "")
        assert shown.err.startswith(f"error: {what}")
        assert shown.err.endswith(f"{hint}\n")


def test_an_error_for_programs_is_json_on_stderr(place: Place) -> None:
    shown = place.run("actions", "show", "act_no", "--json")
    assert (shown.code, shown.out) == (1, "")
    found = json.loads(shown.err)
    assert (found["status"], found["code"]) == (404, "NOT_FOUND")
    assert found["error"].startswith("There is no action 'act_no'")


def test_a_command_that_does_not_know_where_says_so(run: Run) -> None:
    for words in (("approvals", "list"), ("guard", "deploy"), ("keys", "list"), ("policies", "list")):
        shown = run(*words)
        assert shown.code == 1
        assert shown.err.startswith("error: Say where: --db FILE")
    assert run("db", "info").err == "error: Say which database: --db FILE or URL\n"


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
@pytest.mark.parametrize("words", [("approvals", "list"), ("keys", "create"), ("db", "info")])
def test_looking_at_a_database_that_is_not_there_does_not_make_one(
    run: Run, tmp_path: Path, words: tuple[str, ...], form: str
) -> None:
    path = tmp_path / "missing.db"
    shown = run(*words, "--db", form.format(path))
    assert shown.code == 1
    assert shown.err.startswith(f"error: There is no database {path}")
    assert not path.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("approvals", "list"),
        ("db", "info"),
        ("db", "upgrade"),
        ("db", "backup", "copy.db"),
        ("db", "restore", "README"),
        ("serve", "--port", "0"),
    ],
    ids=" ".join,
)
def test_a_file_that_is_no_database_is_left_alone(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "README"
    path.write_text("This is a text, and long enough to be read as the head of a file.\n" * 40)
    before = path.read_bytes()
    shown = run(*words, "--db", str(path))
    assert (shown.code, shown.out) == (1, "")
    assert len(shown.err.splitlines()) == 1
    assert shown.err.startswith("error: ")
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_one_line(embedded: Place, tmp_path: Path, run: Run) -> None:
    target = str(tmp_path / "no" / "copy.db")
    for shown in (embedded.run("db", "backup", target), run("db", "upgrade", "--db", target)):
        assert shown.code == 1
        assert len(shown.err.splitlines()) == 1
        assert shown.err.startswith("error: ")


def test_a_server_that_is_not_there_is_one_line(run: Run) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        shown = run("approvals", "list", "--url", url, "--api-key", "oc_live_secret_of_mine")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err.startswith(f"error: No connection to {url}")
    assert shown.err.endswith("is the server running? (dashclaw serve)\n")
    assert "secret_of_mine" not in shown.err


def test_watching_a_server_that_is_not_there_does_not_wait_for_ever(run: Run) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        shown = run("approvals", "watch", "--url", f"http://127.0.0.1:{sock.getsockname()[1]}", "--api-key", "k" * 20)
    assert shown.code == 1
    assert "error: No connection" in shown.err


def test_a_wrong_key_is_told_and_not_shown(run: Run, server: Served) -> None:
    shown = run("approvals", "list", "--url", server.url, "--api-key", "oc_live_wrong_wrong_wrong")
    assert (shown.code, shown.out) == (1, "")
    assert "give a key of this server with --api-key" in shown.err
    assert "wrong_wrong" not in shown.err


def test_an_agent_s_key_may_not_do_what_an_operator_does(run: Run, server: Served) -> None:
    with DashClaw(server.url, server.agent_key, agent_id="agent-1") as agent:
        action_id = agent.create_action("deploy", "Ship", status="pending")["action_id"]
    for words in (
        ("keys", "list"),
        ("policies", "remove", "High risk needs approval"),
        ("approvals", "approve", action_id),
    ):
        shown = run(*words, "--url", server.url, "--api-key", server.agent_key)
        assert (shown.code, shown.out) == (1, "")
        assert len(shown.err.splitlines()) == 1


def test_an_unreachable_database_is_one_line_without_its_password(run: Run) -> None:
    url = "postgresql://me:hunter2@127.0.0.1:1/x"
    for words in (("approvals", "list"), ("db", "info"), ("serve", "--port", "0")):
        shown = run(*words, "--db", url)
        assert (shown.code, shown.out) == (1, "")
        assert len(shown.err.splitlines()) == 1
        assert "127.0.0.1" in shown.err
        assert "hunter2" not in shown.err


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:pass@word@host/x", "postgresql://me:***@host/x"),
        ("postgresql://host/x?password=secret&a=1", "postgresql://host/x?password=***&a=1"),
        ("postgresql://me@host/x", "postgresql://me@host/x"),
        ("/home/me/dashclaw.db", "/home/me/dashclaw.db"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("approvals",),
        ("nonsense",),
        ("approvals", "approve"),
        ("actions", "list", "--limit", "0"),
        ("actions", "list", "--limit", "many"),
        ("guard", "deploy", "--risk", "101"),
        ("guard", "deploy", "--risk", "-1"),
        ("approvals", "watch", "--timeout", "0"),
        ("approvals", "watch", "--timeout", "nan"),
        ("approvals", "list", "--db", "a.db", "--url", "http://127.0.0.1:1"),
        ("keys", "create", "--role", "king"),
        ("serve", "--port", "65536"),
    ],
    ids=" ".join,
)
def test_a_wrong_call_exits_with_2_and_shows_the_usage(run: Run, words: tuple[str, ...]) -> None:
    shown = run(*words)
    assert (shown.code, shown.out) == (2, "")
    assert shown.err.startswith("usage: dashclaw")


def test_a_group_without_a_command_lists_its_commands(run: Run) -> None:
    shown = run("approvals")
    for name in ("list", "show", "watch", "approve", "deny"):
        assert f"\n    {name} " in shown.err


@pytest.mark.parametrize(
    ("rules", "what"),
    [
        ("{", "error: RULES is not JSON"),
        ("[]", "rules"),
        ("{}", "rules.action_types is required"),
        ('{"action_types": "db.drop"}', "rules.action_types"),
    ],
)
def test_rules_that_cannot_be_are_explained(place: Place, rules: str, what: str) -> None:
    shown = place.run("policies", "add", "Odd", "block_action_type", rules)
    assert (shown.code, shown.out) == (1, "")
    assert what in shown.err
    assert "Odd" not in place.run("policies", "list").out


def test_an_unknown_policy_type_names_the_known_ones(place: Place) -> None:
    shown = place.run("policies", "add", "Odd", "nonsense", "{}")
    assert shown.code == 1
    assert "block_action_type" in shown.err
    assert "risk_threshold" in shown.err


def test_a_backup_does_not_replace_a_file(embedded: Place, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    shown = embedded.run("db", "backup", str(target))
    assert shown.code == 1
    assert shown.err == f"error: {target} exists already; choose another file\n"
    assert target.read_text() == "mine"


def test_serving_the_world_without_a_key_is_refused(run: Run, tmp_path: Path) -> None:
    shown = run("serve", "--host", "0.0.0.0", "--port", "0", "--db", str(tmp_path / "x.db"))
    assert shown.code == 1
    assert "DASHCLAW_ADMIN_KEY" in shown.err
    assert not (tmp_path / "x.db").exists()
