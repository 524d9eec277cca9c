"""What the pictures in the guide show: every page of the dashboard, in the state that says most about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from playwright.sync_api import Page

FOLDER = Path(__file__).parents[2] / "docs" / "pictures" / "dashboard"
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "dashboard-tour.md"
THEMES = ("light", "dark")

Ask = Callable[..., Any]


def _open(_page: Page) -> None:
    """Nothing is done on the page."""


class Picture(NamedTuple):
    """One page: where it is declared, the address that is opened, what is done on it before it is taken.

    `{name}` in the address is one of `Known`; a page for `strangers` is opened by somebody who is not signed in.
    """

    page: str
    address: str
    act: Callable[[Page], None] = _open
    stranger: bool = False

    @property
    def name(self) -> str:
        """The name of its files, without theme and ending."""
        return self.page.strip("/").replace("/", "-").replace("{", "").replace("}", "") or "mission"


# Files, and answers to scripts and to providers: nothing that one looks at.
NO_PICTURE = frozenset(
    {
        "/actions/{action_id}/replay",
        "/compliance/{framework}/report",
        "/decisions/{decision_id}/json",
        "/evidence/proof",
        "/manifest.webmanifest",
        "/messages/attachments/{attachment_id}",
        "/session",
        "/sign-in/provider",
        "/sign-in/provider/back",
        "/sw.js",
        "/waiting",
    }
)


DRAFT = """policies:
  - name: Look twice at money
    policy_type: risk_threshold
    rules: {threshold: 60, action: block}
"""


def _simulate(page: Page) -> None:
    page.get_by_label("Or policies as YAML").fill(DRAFT)
    page.get_by_label("Decisions of the").select_option("30d")
    page.get_by_role("button", name="Simulate").click()
    page.get_by_text("Decided again").wait_for()
    page.locator("#simulated").scroll_into_view_if_needed()


def _try(page: Page) -> None:
    page.get_by_label("Action type").fill("deploy")
    page.get_by_label("Declared risk").fill("88")
    page.get_by_role("button", name="Try it").click()
    page.locator("#outcome .card").first.scroll_into_view_if_needed()


def _verify(page: Page) -> None:
    page.get_by_role("button", name="Verify now").click()
    page.get_by_text("Nothing was altered").wait_for()


PICTURES = (
    Picture("/", "/"),
    Picture("/approvals", "/approvals"),
    Picture("/approvals/{action_id}", "/approvals/{waiting}"),
    Picture("/approvals/several/review", "/approvals/several/review?agent_id=deployer"),
    Picture("/decisions", "/decisions"),
    Picture("/decisions/{decision_id}", "/decisions/{decision}"),
    Picture("/actions", "/actions"),
    Picture("/actions/{action_id}", "/actions/{action}"),
    Picture("/policies", "/policies"),
    Picture("/policies/{policy_id}", "/policies/{policy}"),
    Picture("/policies/{policy_id}/edit", "/policies/{policy}/edit"),
    Picture("/policies/new", "/policies/new?type=risk_threshold"),
    Picture("/policies/test", "/policies/test", _try),
    Picture("/policies/simulate", "/policies/simulate", _simulate),
    Picture("/policies/packs", "/policies/packs"),
    Picture("/policies/history", "/policies/history"),
    Picture("/agents", "/agents"),
    Picture("/agents/{agent_id}", "/agents/deployer"),
    Picture("/sessions", "/sessions"),
    Picture("/sessions/{session_id}", "/sessions/researcher-8"),
    Picture("/messages", "/messages"),
    Picture("/messages/threads/{thread_id}", "/messages/threads/{thread}"),
    Picture("/messages/new", "/messages/new?to=deployer"),
    Picture("/learning", "/learning"),
    Picture("/identities", "/identities?keys=all"),
    Picture("/identities/{identity_id}", "/identities/{identity}"),
    Picture("/pair/{pairing_id}", "/pair/{pairing}"),
    Picture("/compliance", "/compliance"),
    Picture("/compliance/{framework}", "/compliance/soc2"),
    Picture("/spend", "/spend"),
    Picture("/evidence", "/evidence", _verify),
    Picture("/findings", "/findings"),
    Picture("/findings/{finding_id}", "/findings/{finding}"),
    Picture("/webhooks", "/webhooks"),
    Picture("/webhooks/{webhook_id}", "/webhooks/{webhook}"),
    Picture("/schedules", "/schedules"),
    Picture("/settings", "/settings"),
    Picture("/settings/people", "/settings/people"),
    Picture("/settings/people/{person_id}", "/settings/people/{person}"),
    Picture("/settings/keys", "/settings/keys"),
    Picture("/settings/chat", "/settings/chat"),
    Picture("/settings/chat/{channel_id}", "/settings/chat/{channel}"),
    Picture("/settings/retention", "/settings/retention"),
    Picture("/account", "/account"),
    Picture("/sign-in", "/sign-in", stranger=True),
    Picture("/invitation", "/invitation", stranger=True),
    Picture("/decide/{token}", "{link}", stranger=True),
    Picture("/offline", "/offline", stranger=True),
)


def known(client: httpx.Client) -> Mapping[str, str]:
    """Ids of what a seeded server has, by the names that addresses use; a link to decide is made for it."""

    def first(path: str, plural: str, key: str = "id", **query: str) -> str:
        found: str = client.get(path, params=query).raise_for_status().json()[plural][0][key]
        return found

    waiting = client.get("/api/approvals").raise_for_status().json()["approvals"][0]["action"]["action_id"]
    body = {"person": "ada@example.com"}
    made = client.post(f"/api/actions/{waiting}/links", json=body).raise_for_status().json()["link"]
    return {
        "waiting": waiting,
        "link": made["path"],
        "channel": first("/api/chat/channels", "channels"),
        "action": first("/api/actions", "actions", "action_id", action_type="payment", status="completed"),
        "decision": first("/api/guard", "decisions", decision="block"),
        "policy": first("/api/policies", "policies", policy_type="risk_threshold"),
        "thread": first("/api/messages/threads", "threads"),
        "webhook": first("/api/webhooks", "webhooks"),
        "identity": first("/api/identities", "identities", agent_id="deployer"),
        "pairing": first("/api/pairings", "pairings", status="pending"),
        "finding": first("/api/security/findings", "findings"),
        "person": first("/api/people", "people", email="grace@example.com"),
    }
