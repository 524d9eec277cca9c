"""What a webhook is sent: the plain payload, and the shapes that chat services show."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from dashclaw._json import compact

Format = Literal["plain", "slack", "discord", "teams"]

_HOSTS: tuple[tuple[str, Format], ...] = (
    ("hooks.slack.com", "slack"),
    ("hooks.slack-gov.com", "slack"),
    ("discord.com", "discord"),
    ("discordapp.com", "discord"),
    ("webhook.office.com", "teams"),
    ("logic.azure.com", "teams"),
    ("api.powerplatform.com", "teams"),
)
_TOLD = (
    "label",
    "title",
    "name",
    "declared_goal",
    "description",
    "detail",
    "help",
    "action_type",
    "type",
    "status",
    "decision",
    "severity",
    "risk_score",
    "agent_id",
    "reason",
    "error",
    "action_id",
)
_LONGEST = 300
_MARKDOWN = re.compile(r"([\\`*\[\]()<>|~])")
_RED, _AMBER, _GREY = 0xC0392B, 0xE0A800, 0x607D8B


def format_for(url: str) -> Format:
    """The shape that the host of a URL understands."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return next((shape for known, shape in _HOSTS if host == known or host.endswith("." + known)), "plain")


def is_wanted(names: Collection[str], event: Mapping[str, Any]) -> bool:
    """Whether a webhook that asked for these names gets an event; a signal also goes by its type."""
    if "all" in names or event["event"] in names:
        return True
    data = event["data"]
    return event["resource_type"] == "signal" and isinstance(data, dict) and data.get("type") in names


def plain_payload(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event as a webhook gets it; one about a signal also has it in the list `signals`."""
    names = ("id", "event", "org_id", "actor_type", "actor_id", "agent_id", "resource_type", "resource_id", "data")
    found = {**{name: event[name] for name in names}, "timestamp": event["created_at"]}
    if event["resource_type"] == "signal":
        found["signals"] = [event["data"]]
    return found


def shaped(payload: Mapping[str, Any], shape: str) -> bytes:
    """The body to send: the payload as it is, or a message that a chat service shows."""
    body = {"slack": _slack, "discord": _discord, "teams": _teams}.get(shape, dict)(payload)
    return compact(body).encode()


def _facts(payload: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a person wants to know of an event: names and short values."""
    data = payload["data"]
    found = data if isinstance(data, dict) else {}
    for inner in [value for value in found.values() if isinstance(value, dict) and "name" in value]:
        found = {**inner, **found}
    for name in _TOLD:
        value = found.get(name)
        if isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != "":
            yield name.replace("_", " "), _short(" ".join(str(value).split()))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _title(payload: Mapping[str, Any]) -> str:
    return f"DashClaw: {payload['event']}"


def _colour(payload: Mapping[str, Any]) -> int:
    data = payload["data"] if isinstance(payload["data"], dict) else {}
    return {"red": _RED, "amber": _AMBER}.get(str(data.get("severity")), _GREY)


def _slack(payload: Mapping[str, Any]) -> dict[str, Any]:
    lines = [f"*{_entities(_title(payload))}*", *(f"{name}: {_entities(value)}" for name, value in _facts(payload))]
    return {"text": "\n".join(lines), "unfurl_links": False, "unfurl_media": False}


def _entities(text: str) -> str:
    # Slack shows these three as they are; with them goes every mention and every disguised link.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _discord(payload: Mapping[str, Any]) -> dict[str, Any]:
    lines = "\n".join(f"{name}: {_unmarked(value)}" for name, value in _facts(payload))
    embed = {
        "title": _title(payload),
        "description": lines[:4096],
        "color": _colour(payload),
        "timestamp": payload["timestamp"],
    }
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _teams(payload: Mapping[str, Any]) -> dict[str, Any]:
    facts = [{"title": name, "value": _unmarked(value)} for name, value in _facts(payload)]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": _title(payload), "weight": "Bolder", "size": "Medium", "wrap": True},
            {"type": "FactSet", "facts": facts},
        ],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _unmarked(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)
