"""Chat channels: who configures them, what stays secret, and what the edges of each platform need."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dashclaw.runtime.chat.card import Card
from dashclaw.runtime.chat.discord import Discord
from dashclaw.runtime.chat.platform import Press
from dashclaw.runtime.chat.slack import Slack
from dashclaw.runtime.feed import events_after
from dashclaw.server.chat import MOST_BYTES
from dashclaw.server.upkeep import chats

from ...unit.client.support import eventually
from ..serving import served
from .platforms import FakeDiscord, FakeSlack, FakeTelegram
from .world import ANA, World, world


@pytest.fixture
def slack(tmp_path: Path) -> Iterator[World]:
    with world(FakeSlack(), "sqlite", tmp_path) as found:
        yield found


@pytest.fixture
def discord(tmp_path: Path) -> Iterator[World]:
    with world(FakeDiscord(), "sqlite", tmp_path) as found:
        yield found


@pytest.fixture
def telegram(tmp_path: Path) -> Iterator[World]:
    with world(FakeTelegram(), "sqlite", tmp_path) as found:
        yield found


def test_only_administrators_see_and_change_channels(slack: World) -> None:
    at = "/api/chat/channels"
    assert slack.agent.get(at).status_code == 403
    assert slack.agent.post(at, json={"name": "x"}).status_code == 403
    assert slack.agent.delete(f"{at}/{slack.channel['id']}").status_code == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"token": "xoxb-with space"}, "token"),
        ({"token": "hunter2"}, "token"),
        ({"token": "https://evil.example/services/x"}, "token"),
        ({"target": None}, "target"),
        ({"secret": "short"}, "secret"),
        ({"secret": None}, "secret"),
        ({"platform": "irc"}, "platform"),
        ({"approvers": [{"user": "U1", "person": "nobody@example.com"}]}, "approvers"),
        ({"approvers": [{"user": "U1", "person": "ana@example.com"}] * 2}, "approvers"),
    ],
)
def test_what_cannot_work_is_said_at_once_without_the_secrets(slack: World, change: dict[str, Any], field: str) -> None:
    fake = slack.fake
    body = {"name": "n", "platform": "slack", "target": "C1", "token": fake.token, "secret": fake.secret, **change}
    answer = slack.admin.post("/api/chat/channels", json=body)
    assert answer.status_code == 400, answer.text
    assert field in str(answer.json()["fields"])
    assert str(body["token"]) not in answer.text


def test_secrets_are_nowhere_but_in_the_calls(telegram: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    telegram.ask()
    telegram.fake.down = 500
    telegram.work()
    telegram.server.runtime.settings = telegram.server.runtime.settings._replace(telegram_url="http://127.0.0.1:9")
    telegram.later(10)
    telegram.work()
    with telegram.server.runtime.store.read() as tx:
        events = str(events_after(tx, "org_default", 0, 1000))
    assert "chat.channel.created" in events
    shown = [caplog.text, str(telegram.state()), events]
    assert "could not be reached" in str(telegram.state()["error"])
    for secret in (telegram.fake.token, telegram.fake.secret):
        assert [text for text in shown if secret in text] == []


def test_telegram_gets_a_secret_that_is_shown_once(telegram: World) -> None:
    body = {"name": "n", "platform": "telegram", "target": "-1", "token": telegram.fake.token}
    made = telegram.admin.post("/api/chat/channels", json=body).json()["channel"]
    assert len(made["secret"]) > 30
    assert made["secret"] not in telegram.admin.get("/api/chat/channels").text


def test_discord_checks_the_address_with_a_ping_and_with_a_bad_signature(discord: World) -> None:
    url = f"{discord.server.url}{discord.channel['path']}"
    fake = discord.fake
    assert isinstance(fake, FakeDiscord)
    body, headers = fake.signed(discord.moment[0], {"type": 1})
    answer = httpx.post(url, content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"type": 1})
    assert httpx.post(url, content=body + b" ", headers=headers).status_code == 401
    assert httpx.post(url, content=body, headers={**headers, "X-Signature-Ed25519": "zz"}).status_code == 401
    assert httpx.post(url, content=body).status_code == 401
    for wrong in ({"type": 3}, {"type": 3, "data": [1]}, [1], {"type": 3, "data": {"custom_id": 7}}):
        body, headers = fake.signed(discord.moment[0], wrong)
        assert httpx.post(url, content=body, headers=headers).status_code == 400


def test_a_large_body_is_not_read(slack: World) -> None:
    url = f"{slack.server.url}{slack.channel['path']}"
    assert httpx.post(url, content=b"x" * (MOST_BYTES + 1)).status_code == 413
    assert httpx.get(url).status_code == 405
    assert httpx.post(f"{slack.server.url}/chat/none", content=b"").status_code == 404


def test_what_is_no_press_is_answered(telegram: World) -> None:
    url = f"{telegram.server.url}{telegram.channel['path']}"
    secret = {"X-Telegram-Bot-Api-Secret-Token": telegram.fake.secret}
    assert httpx.post(url, json={"update_id": 1, "message": {"text": "hi"}}, headers=secret).status_code == 200
    assert httpx.post(url, content=b"[" * 100_000, headers=secret).status_code == 400


def test_an_incoming_webhook_tells_the_outcome_with_another_message(tmp_path: Path) -> None:
    fake = FakeSlack()
    with world(fake, "sqlite", tmp_path) as claw:
        at = f"/api/chat/channels/{claw.channel['id']}"
        assert claw.admin.delete(at).status_code == 200
        claw.channel = claw.add_channel(token=f"{fake.url}/services/T0/B0/hook", target=None)
        action = claw.ask()
        claw.work()
        assert claw.press("Approve").status == 200
        assert claw.now(action)["status"] == "running"
        eventually(lambda: any(body.get("replace_original") is True for body in fake.whispers.values()))
        [replaced] = fake.whispers.values()
        assert fake.buttons(replaced) == {}
        claw.work()
        assert fake.sent == 2
        last = list(fake.messages.values())[-1]
        assert fake.buttons(last) == {}
        assert "Approved by ana@example.com" in fake.text(last)


@pytest.mark.parametrize(
    "url", ["https://evil.example/x", "http://127.0.0.1:9/", "https://hooks.slack.com.evil.example/"]
)
def test_slack_is_answered_nowhere_else(url: str) -> None:
    reply = Slack("https://slack.com").refused(Press("t", "U1", "n", url), "No")
    assert reply.later is None
    ours = Press("t", "U1", "n", "https://hooks.slack.com/actions/T/1/x")
    assert Slack("https://slack.com").refused(ours, "<No>").later is not None


def test_a_long_text_fits() -> None:
    card = Card("t" * 140, "*" * 800, tuple((f"n{number}", "_" * 200) for number in range(6)), "s" * 600, None)
    channel = {"target": "1" * 18, "credential": "t"}
    FakeDiscord.check(dict(Discord("https://discord.com").post(channel, "cm_1", card, None).body))


def test_a_test_says_whether_it_arrived(slack: World) -> None:
    at = f"/api/chat/channels/{slack.channel['id']}/test"
    assert slack.admin.post(at).json() == {"success": True, "error": None}
    assert slack.fake.buttons(slack.fake.only()) == {}
    slack.fake.down = 503
    answer = slack.admin.post(at).json()
    assert (answer["success"], "503" in answer["error"]) == (False, True)


def test_the_buttons_outlive_a_restart_and_the_server_works_by_itself(slack: World) -> None:
    action = slack.ask()
    slack.work()
    token = slack.fake.buttons(slack.fake.only())["Approve"]
    with served(slack.url, clock=slack.server.runtime.clock) as again:
        upkeep = chats(again.runtime)
        try:
            seen = slack.fake.press(f"{again.url}{slack.channel['path']}", slack.moment[0], token, ANA)
            assert seen.status == 200
            assert slack.now(action)["status"] == "running"
            eventually(lambda: slack.fake.buttons(slack.fake.only()) == {})
        finally:
            upkeep.close()
    assert (slack.fake.sent, slack.fake.faults) == (1, [])


def test_a_platform_that_hangs_holds_up_no_decision(slack: World) -> None:
    asked: list[int] = []

    def meanwhile() -> None:
        asked.append(slack.agent.post("/api/guard", json={"action_type": "look"}).status_code)

    slack.fake.during = meanwhile
    slack.ask()
    slack.work()
    assert asked == [200], "the database is free while the platform answers"
