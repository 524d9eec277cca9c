"""Lists far from their beginning are read by way of an index: they have to hold what they would have held anyway."""

from __future__ import annotations

import pytest

from dashclaw.runtime.store import far_pages

from .conftest import World

AT = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")


@pytest.mark.parametrize("filters", [{}, {"status": "completed"}, {"agent_id": "worker"}, {"risk_min": "1"}])
def test_pages_of_actions_follow_each_other(
    world: World, monkeypatch: pytest.MonkeyPatch, filters: dict[str, str]
) -> None:
    for number in range(12):
        body = {
            "agent_id": "worker" if number % 3 else "other",
            "action_type": "research",
            "declared_goal": "Look",
            "timestamp_start": AT[number % 4],
            "status": "completed" if number % 2 else "running",
        }
        assert world.ask("POST", "/api/actions", body)[0] == 201

    def page(offset: int, limit: int) -> list[str]:
        asked = {**filters, "offset": str(offset), "limit": str(limit)}
        return [row["action_id"] for row in world.ask("GET", "/api/actions", query=asked)[1]["actions"]]

    every = page(0, 50)
    assert len(every) == (12 if filters in ({}, {"risk_min": "1"}) else 8 if "agent_id" in filters else 6)
    monkeypatch.setattr(far_pages, "FAR", 1)
    assert [page(offset, 2) for offset in range(14)] == [every[offset : offset + 2] for offset in range(14)]


def test_pages_of_decisions_follow_each_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(7):
        assert world.ask("POST", "/api/guard", {"action_type": "research"})[0] == 200

    def page(offset: int, limit: int) -> list[str]:
        asked = {"offset": str(offset), "limit": str(limit)}
        return [row["id"] for row in world.ask("GET", "/api/guard", query=asked)[1]["decisions"]]

    every = page(0, 50)
    assert len(every) == 7
    monkeypatch.setattr(far_pages, "FAR", 1)
    assert [page(offset, 2) for offset in range(9)] == [every[offset : offset + 2] for offset in range(9)]
