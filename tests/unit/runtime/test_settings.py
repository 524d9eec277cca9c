from __future__ import annotations

from pathlib import Path

import pytest

from dashclaw import ConfigurationError
from dashclaw.runtime.settings import Settings, variable

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_nothing_in_the_environment_means_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()
    assert Settings.from_environment({"DASHCLAW_DECISION_DAYS": ""}) == Settings()


def test_every_setting_is_read_from_the_environment() -> None:
    given = {
        "DASHCLAW_DURABILITY": "full",
        "DASHCLAW_EVALUATION_DEADLINE": "1.5",
        "DASHCLAW_GUARD_DEGRADATION": "block",
        "DASHCLAW_APPROVAL_SECONDS": "60",
        "DASHCLAW_CONSUME_MINUTES": "5",
        "DASHCLAW_SEMANTIC_URL": "http://127.0.0.1:8000/v1",
        "DASHCLAW_SEMANTIC_KEY": "sk-1",
        "DASHCLAW_SEMANTIC_MODEL": "small",
        "DASHCLAW_WEBHOOK_SECRET": "hush",
        "DASHCLAW_ALLOW_PRIVATE_WEBHOOKS": "true",
        "DASHCLAW_DECISION_DAYS": "90",
        "DASHCLAW_EVENT_DAYS": "30",
        "DASHCLAW_MODEL_PRICES": "prices.json",
        "DASHCLAW_WEBHOOK_DOMAINS": "example.com",
        "DASHCLAW_DELIVERY_DAYS": "7",
        "DASHCLAW_EVIDENCE_KEY": "evidence.pem",
        "DASHCLAW_PUBLIC_URL": "https://claw.example.com",
        "DASHCLAW_SLACK_URL": "http://127.0.0.1:8001",
        "DASHCLAW_DISCORD_URL": "http://127.0.0.1:8002",
        "DASHCLAW_TELEGRAM_URL": "http://127.0.0.1:8003",
    }
    assert {variable(name) for name in Settings._fields} == set(given)
    asked = ("http://127.0.0.1:8000/v1", "sk-1", "small", "hush", True)
    chats = ("https://claw.example.com", "http://127.0.0.1:8001", "http://127.0.0.1:8002", "http://127.0.0.1:8003")
    assert Settings.from_environment(given) == Settings(
        "full", 1.5, "block", 60, 5, *asked, 90, 30, "prices.json", "example.com", 7, "evidence.pem", *chats
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DASHCLAW_DURABILITY", "some"),
        ("DASHCLAW_EVALUATION_DEADLINE", "0"),
        ("DASHCLAW_EVALUATION_DEADLINE", "nan"),
        ("DASHCLAW_APPROVAL_SECONDS", "soon"),
        ("DASHCLAW_DECISION_DAYS", "0"),
        ("DASHCLAW_EVENT_DAYS", "-1"),
        ("DASHCLAW_ALLOW_PRIVATE_WEBHOOKS", "perhaps"),
    ],
)
def test_a_wrong_value_names_its_variable(name: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environment({name: text})


def test_secrets_are_not_shown() -> None:
    shown = repr(Settings(semantic_key="sk-1", webhook_secret="hush"))
    assert "sk-1" not in shown
    assert "hush" not in shown


def test_the_documentation_names_every_variable() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in Settings._fields if f"`{variable(name)}`" not in text] == []
