"""The types of webhooks name what the runtime answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashclaw import DashClaw

from .test_types import promised, unlike


@pytest.mark.refused("hooks.example.com")
def test_answers_about_webhooks_have_the_keys_and_types_that_are_declared(tmp_path: Path) -> None:
    found: list[str] = []
    with DashClaw.local(tmp_path / "dashclaw.db", agent_id="me") as claw:
        made = claw.create_webhook("https://hooks.example.com/x", "all")
        hook = made["webhook"]["id"]
        answers = {
            "create_webhook": made,
            "test_webhook": claw.test_webhook(hook),
            "get_webhooks": claw.get_webhooks(),
            "get_webhook_deliveries": claw.get_webhook_deliveries(hook),
            "delete_webhook": claw.delete_webhook(hook),
        }
    for name, answer in answers.items():
        found.extend(unlike(promised(name), answer, name))
    assert found == []
    assert answers["get_webhook_deliveries"]["deliveries"]


def test_the_url_of_a_chat_service_is_stored_whole_although_it_is_a_secret(tmp_path: Path) -> None:
    url = "https://hooks.slack.com/services/T01ABCDEF/B01ABCDEF/" + "abcdefghijklmnopqrstuvwx"
    with DashClaw.local(tmp_path / "dashclaw.db", agent_id="me") as claw:
        made = claw.create_webhook(url)["webhook"]
    assert (made["url"], made["format"]) == (url, "slack")
