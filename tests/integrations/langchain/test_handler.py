"""The callback handler on the real LangChain core."""

from __future__ import annotations

from dashclaw import DashClaw


def test_a_client(claw: DashClaw) -> None:
    assert claw.get_actions()["total"] == 0
