"""The shapes that chat services show, and which of them a URL takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashclaw.runtime.payloads import format_for, is_wanted, plain_payload, shaped

HOSTILE = "<!channel> [pay](https://evil.example) `x` <https://evil.example|login> @everyone & *now*"


def event(**fields: Any) -> dict[str, Any]:
    found = {
        "id": 7,
        "event": "action.created",
        "org_id": "org_1",
        "actor_type": "api_key",
        "actor_id": "key_1",
        "agent_id": "agent-1",
        "resource_type": "action",
        "resource_id": "act_1",
        "data": {"action_id": "act_1", "declared_goal": "Ship it", "risk_score": 90, "status": "running"},
        "created_at": "2026-03-01T12:00:00.000000Z",
    }
    return {**found, **fields}


def signal(**fields: Any) -> dict[str, Any]:
    data = {"type": "stale_loop", "severity": "red", "label": "Loop left open", "detail": "Who?", "agent_id": "a"}
    return event(event="signal.detected", resource_type="signal", data={**data, **fields})


def sent(found: dict[str, Any], shape: str) -> Any:
    return json.loads(shaped(plain_payload(found), shape))


@pytest.mark.parametrize(
    ("url", "shape"),
    [
        ("https://hooks.slack.com/services/T/B/x", "slack"),
        ("https://HOOKS.SLACK.COM./services", "slack"),
        ("https://discord.com/api/webhooks/1/x", "discord"),
        ("https://ptb.discord.com/api/webhooks/1/x", "discord"),
        ("https://discordapp.com/api/webhooks/1/x", "discord"),
        ("https://acme.webhook.office.com/webhookb2/x", "teams"),
        ("https://prod-7.westeurope.logic.azure.com:443/workflows/x", "teams"),
        ("https://x.environment.api.powerplatform.com/powerautomate", "teams"),
        ("https://hooks.example.com/discord.com", "plain"),
        ("https://notdiscord.com/", "plain"),
        ("https://hooks.slack.com.example.com/", "plain"),
    ],
)
def test_the_host_of_a_url_chooses_the_shape(url: str, shape: str) -> None:
    assert format_for(url) == shape


def test_the_plain_payload_is_the_event() -> None:
    found = sent(event(), "plain")
    assert found.pop("timestamp") == "2026-03-01T12:00:00.000000Z"
    assert found == {name: value for name, value in event().items() if name != "created_at"}
    assert sent(signal(), "plain")["signals"] == [signal()["data"]]


def test_slack_gets_text() -> None:
    text = sent(event(), "slack")["text"]
    assert text.splitlines() == [
        "*DashClaw: action.created*",
        "declared goal: Ship it",
        "status: running",
        "risk score: 90",
        "action id: act_1",
    ]


def test_discord_gets_an_embed_that_pings_nobody() -> None:
    found = sent(signal(), "discord")
    (embed,) = found["embeds"]
    assert embed["title"] == "DashClaw: signal.detected"
    assert "label: Loop left open" in embed["description"]
    assert embed["color"] != sent(signal(severity="amber"), "discord")["embeds"][0]["color"]
    assert embed["timestamp"] == "2026-03-01T12:00:00.000000Z"
    assert found["allowed_mentions"] == {"parse": []}


def test_teams_gets_an_adaptive_card() -> None:
    found = sent(event(), "teams")
    (attachment,) = found["attachments"]
    assert (found["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    title, facts = attachment["content"]["body"]
    assert title["text"] == "DashClaw: action.created"
    assert {"title": "declared goal", "value": "Ship it"} in facts["facts"]


def test_what_an_agent_wrote_is_shown_as_text() -> None:
    hostile = event(data={"declared_goal": HOSTILE})
    slack = sent(hostile, "slack")["text"]
    assert "<" not in slack
    assert ">" not in slack
    assert "&lt;!channel&gt;" in slack
    for shape in ("discord", "teams"):
        text = json.dumps(sent(hostile, shape)).replace("\\\\", "\\")
        assert "](https://evil" not in text.replace("\\]\\(", "")
        assert "\\[pay\\]\\(" in text
        assert "\\<https" in text


def test_long_values_are_cut_and_odd_data_is_left_out() -> None:
    long = event(data={"declared_goal": "x\n" * 5000, "status": None, "severity": {"x": 1}, "name": True})
    for shape, limit in (("slack", 1000), ("discord", 4096), ("teams", 2000)):
        assert len(json.dumps(sent(long, shape))) < limit
    for shape in ("plain", "slack", "discord", "teams"):
        assert sent(event(data={}), shape)


def test_what_is_named_one_level_below_is_told_too() -> None:
    found = event(event="policy.updated", data={"change": "created", "policy": {"name": "No drops", "active": True}})
    assert "name: No drops" in sent(found, "slack")["text"]


def test_only_signals_go_by_their_type() -> None:
    assert is_wanted(["stale_loop"], signal())
    assert is_wanted(["signal.detected"], signal())
    assert not is_wanted(["agent_silent"], signal())
    assert not is_wanted(["stale_loop"], event(data={"type": "stale_loop"}))
    assert is_wanted(["all"], event())
    assert not is_wanted([], event())
