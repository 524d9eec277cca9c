"""Mission control in a real browser: it notices the first action, draws its curves, and stays true."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from ..integration.serving import Served, served
from .chromium import watched


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """A server on which nothing has happened yet."""
    with served(str(tmp_path / "dashclaw.db")) as found:
        yield found


def act(server: Served, goal: str = "Roll out") -> None:
    body = {"agent_id": "deployer", "action_type": "deploy", "declared_goal": goal, "risk_score": 10}
    headers = {"x-api-key": server.agent_key}
    httpx.post(f"{server.url}/api/actions", json=body, headers=headers).raise_for_status()


def test_the_first_action_is_noticed_and_the_next_ones_counted(page: Page, server: Served) -> None:
    complaints = watched(page)
    page.goto(f"{server.url}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your first governed action")
    page.wait_for_selector("#connection[data-state=live]")
    act(server)
    expect(page.get_by_text("The first governed action has arrived")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mission control")
    expect(page.locator("#rate canvas")).to_be_visible()
    page.wait_for_selector("#connection[data-state=live]")
    act(server, "Roll out again")
    expect(page.locator("a.stat", has_text="Running")).to_contain_text("2")
    expect(page.locator("#rate canvas")).to_be_visible()
    assert complaints == []
