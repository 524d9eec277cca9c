"""docs/cli.md is what the parser says, and its examples work."""

from __future__ import annotations

import io
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_page import PAGE, arguments, commands, example, examples, page

from dashclaw import DashClaw
from dashclaw.cli import main, parser
from dashclaw.cli.guard import EXIT_CODES

NOBODY = "https://127.0.0.1:9/x"
COMMANDS = list(commands(parser()))
PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
-----END PUBLIC KEY-----"""


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "make docs brings it up to date"


def test_every_command_and_all_it_takes_is_explained() -> None:
    assert len(COMMANDS) >= 24
    for command in COMMANDS:
        assert command.description
        assert example(command).startswith(f"{command.prog} ") or example(command) == command.prog
        assert [action.dest for action in arguments(command) if not action.help] == []


def test_every_exit_code_of_the_guard_is_listed() -> None:
    listed = PAGE.read_text()
    assert [code for code in (0, 1, 2, 130, *EXIT_CODES.values()) if f"\n| {code} | " not in listed] == []


@pytest.fixture(scope="module", autouse=True)
def reachable() -> Iterator[None]:
    """Let a webhook be on this machine, and Slack nowhere else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DASHCLAW_SLACK_URL", "http://127.0.0.1:9")
        patch.setenv("DASHCLAW_ALLOW_PRIVATE_WEBHOOKS", "true")
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, reachable: None) -> Path:
    """A folder as the page takes it for granted: a database, an action that waits and one that ended, a key, a text."""
    found = tmp_path_factory.mktemp("page")
    (found / "notes.txt").write_text("The meeting is at ten")
    (found / "bot.token").write_text("xoxb-0123456789\n")
    (found / "signing.secret").write_text("0123456789abcdef0123456789abcdef\n")
    (found / "builder.key").write_text(PUBLIC_KEY)
    (found / "builder.pub").write_text(PUBLIC_KEY.replace("AAEC", "BAEC"))
    with DashClaw.local(found / "dashclaw.db", agent_id="agent-1") as agent:
        agent.create_action("deploy", "Ship it", action_id="act_123", status="pending")
        agent.create_action("research", "Compare", action_id="act_122", status="completed")
        decision = agent.guard({"action_type": "deploy"})
        agent.create_agent_schedule("forge", "Nightly build", "30 2 * * *")
        message = agent.broadcast("The tests are green")
        agent.request("POST", "/api/orgs/org_default/keys", body={"label": "operator", "role": "admin"})
        made = agent.request("POST", "/api/orgs/org_default/keys", body={"label": "laptop"})["api_key"]
        agent.request("POST", "/api/people", body={"email": "ben@example.com"})
        agent.request("POST", "/api/people", body={"email": "ada@example.com", "role": "admin"})
        channel = {"name": "Operators", "platform": "slack", "target": "C0123456789"}
        secrets = {"token": "xoxb-0123456789", "secret": "0123456789abcdef0123456789abcdef"}
        chat = agent.request("POST", "/api/chat/channels", body={**channel, **secrets})["channel"]
        pairing = agent.create_pairing(PUBLIC_KEY, "Ed25519")["pairing"]
        identity = agent.register_identity("forge", PUBLIC_KEY, "Ed25519")["identity"]
        hook = agent.create_webhook(NOBODY)["webhook"]
    (found / "message_id").write_text(message["message_id"])
    (found / "key_id").write_text(made["id"])
    (found / "webhook_id").write_text(hook["id"])
    (found / "chat_id").write_text(chat["id"])
    (found / "identity_id").write_text(identity["id"])
    (found / "pairing_id").write_text(pairing["id"])
    (found / "decision_id").write_text(decision["decision_id"])
    return found


@pytest.mark.parametrize("line", examples())
def test_every_example_works(line: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DASHCLAW_DB", "DASHCLAW_DATABASE_URL", "DASHCLAW_BASE_URL", "DASHCLAW_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    place = shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.chdir(place)
    for name, kept in (
        ("key_123", "key_id"),
        ("pair_123", "pairing_id"),
        ("idn_123", "identity_id"),
        ("gd_123", "decision_id"),
        ("wh_123", "webhook_id"),
        ("chat_123", "chat_id"),
        ("msg_123", "message_id"),
    ):
        line = line.replace(name, (place / kept).read_text())
    words = shlex.split(line)[1:]
    if words[0] == "mcp":
        # It would talk until its client leaves; tests with the package mcp start it for real.
        parser().parse_args(words)
        return
    if words[0] == "hook":
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"hook_event_name": "SessionStart"}')))
    if "serve" in words:
        # It would serve until interrupted; tests of the program start it for real.
        assert parser().parse_args(words).port == 3000
        return
    if "restore" in words:
        shutil.copy("dashclaw.db", "copy.db")
    if words[0] == "pair":
        words += ["--timeout", "0.01"]
    if words[:2] == ["keys", "generate"]:
        (place / "builder.key").unlink()
    # Somebody has to approve, and nobody listens at the webhook or is Slack.
    unheard = words[:2] in (["webhooks", "test"], ["chat", "test"])
    assert main(words) == (3 if words[0] in ("guard", "pair") else 1 if unheard else 0)
