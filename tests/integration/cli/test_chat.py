"""`dashclaw chat`: channels without their secrets on the screen, and links that decide once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ..chat.platforms import FakeSlack, running
from .conftest import Place

SLACK = FakeSlack()


@pytest.fixture(autouse=True)
def slack(monkeypatch: pytest.MonkeyPatch, place: Place) -> Any:
    """Slack is on this machine."""
    monkeypatch.setenv("DASHCLAW_ALLOW_PRIVATE_WEBHOOKS", "true")
    fake = FakeSlack()
    with running(fake):
        monkeypatch.setenv("DASHCLAW_SLACK_URL", fake.url)
        yield fake


def files(folder: Path) -> tuple[str, ...]:
    (folder / "token").write_text(SLACK.token + "\n")
    (folder / "secret").write_text(SLACK.secret + "\n")
    return ("--token-file", str(folder / "token"), "--secret-file", str(folder / "secret"))


def test_a_channel_is_added_listed_and_removed_without_its_secrets(place: Place, tmp_path: Path) -> None:
    assert place.run("chat", "list").out == "No channels: approvals are asked for in no chat.\n"
    assert place.run("people", "add", "ana@example.com").code == 0
    words = ("chat", "add", "slack", "--name", "Operators", "--target", "C0123456789", *files(tmp_path))
    shown = place.run(*words, "--approver", "U1=ana@example.com", "--json")
    assert shown.code == 0, shown.err
    channel = shown.document["channel"]
    listed = place.run("chat", "list")
    assert channel["id"] in listed.out
    assert "Operators" in listed.out
    for text in (shown.out, shown.err, listed.out):
        assert SLACK.token not in text
        assert SLACK.secret not in text
    assert place.run("chat", "remove", channel["id"]).out == f"Removed {channel['id']}\n"
    again = place.run("chat", "remove", channel["id"])
    assert (again.code, "dashclaw chat list" in again.err) == (1, True)


def test_mistakes_are_said_in_a_line(place: Place, tmp_path: Path) -> None:
    words = ("chat", "add", "slack", "--name", "n", "--target", "C1")
    assert "cannot be read" in place.run(*words, "--token-file", str(tmp_path / "none")).err
    assert "USER=PERSON" in place.run(*words, *files(tmp_path), "--approver", "U1").err
    wrong = place.run(*words, *files(tmp_path), "--approver", "U1=nobody@example.com")
    assert (wrong.code, "nobody@example.com" in wrong.err) == (1, True)
    assert place.run("chat", "link", "act_1", "--for", "x@example.com", "--expires", "soon").code == 2


def test_a_link_is_printed_for_a_person_who_may_decide(place: Place) -> None:
    assert place.run("people", "add", "ada@example.com", "--role", "admin").code == 0
    place.agent.create_action("deploy", "Ship it", action_id="act_1", status="pending")
    shown = place.run("chat", "link", "act_1", "--for", "ada@example.com", "--expires", "30m")
    assert shown.code == 0, shown.err
    assert "/decide/" in shown.out
    assert "it decides once" in shown.out
