"""Policies in a real browser: what is typed is checked at once, and what is saved decides the next call."""

from __future__ import annotations

import httpx
from playwright.sync_api import Page, expect

from ..integration.serving import Served
from .chromium import watched


def decided(server: Served, action_type: str) -> str:
    headers = {"x-api-key": server.agent_key}
    answer = httpx.post(f"{server.url}/api/guard", json={"action_type": action_type}, headers=headers)
    found: str = answer.json()["decision"]
    return found


def test_an_edit_decides_the_next_call_of_an_agent(page: Page, server: Served) -> None:
    complaints = watched(page)
    assert decided(server, "launch_it") == "allow"
    page.goto(f"{server.url}/policies/new?type=block_action_type")
    page.get_by_label("Name").fill("No launches")
    rules = page.get_by_label("Rules")
    rules.fill("action_types: [launch*]\nunles: {}")
    expect(page.locator("#verdict")).to_contain_text("line 2: rules.unles is unknown")
    rules.fill("action_types: [launch*]")
    expect(page.locator("#verdict")).to_contain_text("Blocks launch*.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="No launches", level=1)).to_be_visible()
    assert decided(server, "launch_it") == "block"
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Type", exact=True).select_option("warn_action_type")
    expect(page.locator("#verdict")).to_contain_text("+ policy_type: warn_action_type")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Warns about launch*.")).to_be_visible()
    assert decided(server, "launch_it") == "warn"
    assert complaints == []


def test_the_bench_answers_in_place(page: Page, server: Served) -> None:
    complaints = watched(page)
    body = {"name": "Careful", "policy_type": "require_approval", "rules": {"action_types": ["erase"]}}
    httpx.post(f"{server.url}/api/policies", json=body, headers={"x-api-key": server.admin_key}).raise_for_status()
    body |= {"name": "Other", "rules": {"action_types": ["paint"]}}
    httpx.post(f"{server.url}/api/policies", json=body, headers={"x-api-key": server.admin_key}).raise_for_status()
    page.goto(f"{server.url}/policies/test")
    page.get_by_label("Action type").fill("erase")
    page.get_by_label("Can be undone").select_option("No")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#outcome")).to_contain_text("asks for approval of erase")
    expect(page.locator("#outcome")).to_contain_text("erase is not one of paint")
    assert complaints == []
