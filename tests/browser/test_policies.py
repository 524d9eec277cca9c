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
    rules = page.locator("#rules")
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


def test_fields_and_text_follow_each_other(page: Page, server: Served) -> None:
    complaints = watched(page)
    page.goto(f"{server.url}/policies/new?type=risk_threshold")
    text, threshold = page.locator("#rules"), page.get_by_label("Risk from", exact=True)
    threshold.fill("65")
    expect(text).to_have_value("threshold: 65\naction: block\n")
    expect(page.locator("#verdict")).to_contain_text("Blocks actions of risk 65 or more.")
    expect(threshold).to_be_focused()
    text.fill("threshold: 30\naction: warn\nwhen: {min_risk: 20}")
    expect(threshold).to_have_value("30")
    expect(page.get_by_label("Only from this risk on")).to_have_value("20")
    expect(page.get_by_label("Then", exact=True)).to_have_value("warn")
    expect(text).to_be_focused()
    text.fill("threshold: [")
    expect(page.locator("#fields")).to_contain_text("The text cannot be read")
    text.fill("threshold: 30")
    page.get_by_label("Then", exact=True).select_option("require_approval")
    expect(text).to_have_value("threshold: 30\naction: require_approval\n")
    page.get_by_label("Type", exact=True).select_option("rate_limit")
    expect(page.get_by_label("Decisions at most")).to_be_visible()
    assert complaints == []


def test_a_type_begins_with_its_example_while_nothing_was_typed(page: Page, server: Served) -> None:
    page.goto(f"{server.url}/policies/new")
    page.get_by_label("Type", exact=True).select_option("cost_budget")
    expect(page.get_by_label("US dollars at most")).to_have_value("5")
    expect(page.locator("#rules")).to_have_value("max_usd: 5\nwindow_minutes: 1440\naction: require_approval\n")


def test_a_draft_is_tried_and_simulated_without_being_stored(page: Page, server: Served) -> None:
    complaints = watched(page)

    def sketch(step: str) -> None:
        page.goto(f"{server.url}/policies/new?type=block_action_type")
        page.get_by_label("Name").fill("Sketch")
        page.get_by_label("Kinds of actions", exact=True).fill("sketch*")
        page.get_by_role("button", name=step).click()

    assert decided(server, "sketch_it") == "allow"
    sketch("Simulate this draft")
    expect(page.locator("#simulated")).to_contain_text("Sketch: blocks sketch_it")
    sketch("Try this draft")
    page.get_by_label("Action type", exact=True).fill("sketch_it")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#outcome")).to_contain_text("blocks sketch_it")
    assert decided(server, "sketch_it") == "allow"
    assert complaints == []
