"""What a fleet tells beside its actions: costs, messages, what it learnt, who may do what."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import httpx

from dashclaw.runtime.bootstrap import DEFAULT_ORG
from dashclaw.runtime.clock import stamp
from dashclaw.runtime.store import webhooks

from ..integration.serving import Served
from ..keys import ed25519_pem

Post = Callable[..., dict[str, Any]]
Wait = Callable[[float], None]
DAY = 86_400.0
MODELS = ("gpt-5-mini", "claude-sonnet-4-6", "gpt-5")
BUDGET = {
    "name": "Fifteen dollars a week",
    "policy_type": "cost_budget",
    "rules": {"max_usd": 15, "window_minutes": 7 * 1440, "action": "warn"},
}
LIMIT: dict[str, Any] = {
    "name": "Mind the night",
    "policy_type": "rate_limit",
    "rules": {"max_actions": 40, "window_minutes": 60, "action": "require_approval"},
    "active": False,
}
ROUTINE = (
    ("researcher", "research", "Sum up what customers say about the search"),
    ("support-triage", "email", "Answer a question about an invoice"),
)
ASSUMPTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("Customers in the EU see prices with tax", "The shop says so on each page", {}),
    (
        "The nightly export is complete by five",
        "It was for the last 30 days",
        {"validated": False, "invalidated_reason": "Yesterday it took until six"},
    ),
    ("Order numbers are never used twice", "The table has a unique index", {"validated": True}),
)
NOTES = (
    ("/api/learning", {"decision": "Take the smaller index", "reasoning": "Twice as fast for half the price"}),
    (
        "/api/learning",
        {"decision": "Ask before each refund", "reasoning": "Two of ten were wrong", "outcome": "None since"},
    ),
    ("/api/goals", {"title": "Answer within an hour", "description": "Nine of ten mails", "progress": 72}),
    ("/api/goals", {"title": "No manual deployments", "progress": 40}),
)
PEOPLE = (
    {"email": "ada@example.com", "name": "Ada", "role": "admin", "approver_roles": ["release"]},
    {"email": "grace@example.com", "name": "Grace", "role": "member", "approver_roles": ["finance"]},
    {"email": "audit@example.com", "name": "Internal audit", "role": "readonly"},
)
KEYS = (
    {"label": "continuous integration", "role": "member"},
    {"label": "finance desk", "role": "member", "operator": "grace@example.com", "approver_roles": ["finance"]},
    {"label": "audit export", "role": "readonly"},
)
MESSAGES = (
    (
        "researcher",
        "deployer",
        "question",
        "normal",
        "Which index do we take?",
        "The smaller one is faster and cheaper.",
    ),
    ("deployer", "researcher", "info", "normal", "Rollout of 4.2.1", "Half of the pods are new; no error so far."),
    ("invoice-clerk", "support-triage", "action", "high", "Order 20931", "The refund waits for a second signature."),
    ("data-steward", "deployer", "status", "low", "Nightly check", "Two duplicates found, none removed."),
)
CHANNEL = {
    "name": "Releases",
    "platform": "slack",
    "target": "C024BE91L",
    "token": "xoxb-of-the-story",
    "secret": "of-the-story-" + "0123456789abcdef" * 2,
    "approvers": [
        {"user": "U02ADA4K7", "person": "ada@example.com"},
        {"user": "U02GRC9Q1", "person": "grace@example.com"},
    ],
}
SECRET_TEXT = "Send the report to ada@example.com; the token is ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def tell_past(server: Served, wait: Wait) -> None:
    """Days of model calls, and work that was done often enough to learn from it."""
    with _client(server, server.admin_key) as admin, _client(server, server.agent_key) as agent:
        _poster(admin)("/api/policies", BUDGET)
        for day in range(8):
            wait(DAY)
            _spend(_poster(agent), day)
        _learn(admin, agent, wait)


def tell_present(server: Served) -> None:
    """Messages, access, keys, findings, schedules, webhooks: all that goes on at this moment."""
    with _client(server, server.admin_key) as admin, _client(server, server.agent_key) as agent:
        _spend(_poster(agent), 8)
        _talk(_poster(agent))
        _note(agent)
        _access(admin)
        _trust(server, _poster(admin), _poster(agent))
        _set_up(server, _poster(admin), _poster(agent))
        _poster(admin)("/api/evidence/checkpoint", {})


def _client(server: Served, key: str) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers={"x-api-key": key}, timeout=30)


def _poster(client: httpx.Client) -> Post:
    def post(path: str, body: Mapping[str, Any], verb: str = "POST") -> dict[str, Any]:
        answer = client.request(verb, path, json=dict(body))
        assert answer.is_success, f"{path}: {answer.text}"
        found: dict[str, Any] = answer.json()
        return found

    return post


def _spend(agent: Post, day: int) -> None:
    for place, name in enumerate(("researcher", "deployer", "support-triage", "invoice-clerk")):
        used = 90_000 + 37_000 * ((day * 5 + place * 3) % 7)
        report = {"agent_id": name, "model": MODELS[(day + place) % 3], "tokens_in": used, "tokens_out": used // 6}
        agent("/api/tokens", {**report, "cached_tokens": used // 3, "session_id": f"{name}-{day + 1}"})


def _talk(agent: Post) -> None:
    made = agent(
        "/api/messages/threads",
        {
            "name": "Release 4.2.1",
            "participants": ["deployer", "release-notes", "researcher"],
            "created_by": "deployer",
        },
    )
    for sender, to, kind, urgency, subject, body in MESSAGES:
        message = {"from_agent_id": sender, "to_agent_id": to, "message_type": kind, "urgency": urgency}
        thread = {"thread_id": made["thread_id"]} if "deployer" in (sender, to) else {}
        agent("/api/messages", {**message, "subject": subject, "body": body, **thread})
    agent(
        "/api/messages",
        {
            "from_agent_id": "release-notes",
            "to_agent_id": "deployer",
            "subject": "Draft of the notes",
            "body": "Please have a look before noon.",
            "thread_id": made["thread_id"],
            "attachments": [{"filename": "notes.md", "mime_type": "text/markdown", "data": "IyA0LjIuMQo="}],
        },
    )
    agent(
        "/api/handoffs",
        {
            "agent_id": "deployer",
            "session_id": "deployer-8",
            "summary": "4.2.1 is on half of the pods; the error rate is flat.",
            "open_tasks": ["Finish the rollout", "Close the ticket"],
            "decisions": ["Kept the old price list until midnight"],
        },
    )


def _learn(admin: httpx.Client, agent: httpx.Client, wait: Wait) -> None:
    for number in range(12):
        for name, kind, goal in ROUTINE:
            _run(agent, {"agent_id": name, "action_type": kind, "declared_goal": goal}, number)
        wait(300)
    admin.post("/api/learning/recommendations", json={}).raise_for_status()


def _note(agent: httpx.Client) -> None:
    """Assumptions, decisions and goals of an agent."""
    last = _run(agent, {"agent_id": "researcher", "action_type": "research", "declared_goal": "Check the prices"}, 1)
    for text, basis, verdict in ASSUMPTIONS:
        body = {"action_id": last, "assumption": text, "basis": basis}
        kept = agent.post("/api/actions/assumptions", json=body).raise_for_status().json()["assumption_id"]
        if verdict:
            agent.patch(f"/api/actions/assumptions/{kept}", json=verdict).raise_for_status()
    for path, note in NOTES:
        agent.post(path, json={"agent_id": "researcher", **note}).raise_for_status()


def _run(agent: httpx.Client, action: Mapping[str, Any], number: int) -> str:
    body = {**action, "risk_score": 10 + number, "session_id": f"{action['agent_id']}-8", "systems_touched": ["crm"]}
    made: str = agent.post("/api/actions", json=body).raise_for_status().json()["action_id"]
    ended = (
        {"status": "failed", "error_message": "No answer from the archive"}
        if number % 5 == 4
        else {"status": "completed"}
    )
    more = {"duration_ms": 2400 + 700 * (number % 4), "tokens_in": 900, "tokens_out": 250, "cost_estimate": 0.0041}
    agent.patch(f"/api/actions/{made}", json={**ended, **more}).raise_for_status()
    return made


def _access(admin: httpx.Client) -> None:
    post, keys = _poster(admin), f"/api/orgs/{DEFAULT_ORG}/keys"
    for person in PEOPLE:
        post("/api/people", person)
    made = [post(keys, key)["api_key"] for key in KEYS]
    admin.delete(f"{keys}/{made[-1]['id']}").raise_for_status()
    policy = post("/api/policies", LIMIT)["policy"]
    post(f"/api/policies/{policy['id']}", {"rules": {**LIMIT["rules"], "max_actions": 30}}, "PATCH")


def _trust(server: Served, admin: Post, agent: Post) -> None:
    identities: tuple[tuple[str, dict[str, Any]], ...] = (
        ("deployer", {}),
        ("deployer", {"replace": True, "old_valid_until": stamp(server.runtime.clock() + timedelta(days=2))}),
        ("invoice-clerk", {"not_after": stamp(server.runtime.clock() + timedelta(days=90))}),
        ("old-crawler", {}),
    )
    for number, (name, more) in enumerate(identities):
        key = {"agent_id": name, "public_key": ed25519_pem(200 + number), "algorithm": "Ed25519"}
        made = admin("/api/identities", {**key, **more})["identity"]
    admin(f"/api/identities/{made['id']}/revoke", {"reason": "The machine was given away"})
    asked = [
        agent("/api/pairings", {"agent_id": name, "public_key": ed25519_pem(210 + number), "algorithm": "Ed25519"})[
            "pairing"
        ]
        for number, name in enumerate(("unknown-host", "data-steward", "researcher"))
    ]
    admin(f"/api/pairings/{asked[0]['id']}/deny", {"reason": "Nobody knows this machine"})
    admin(f"/api/pairings/{asked[1]['id']}/approve", {"code": asked[1]["code"], "reason": "Compared on the phone"})
    for name, destination in (("support-triage", "slack"), ("release-notes", "public website")):
        scan = {"text": SECRET_TEXT, "agent_id": name, "destination": destination, "store": True}
        agent("/api/security/scan", scan)


def _set_up(server: Served, admin: Post, agent: Post) -> None:
    for name, title, cron in (
        ("researcher", "Read the news of the market", "0 6 * * 1-5"),
        ("data-steward", "Look for duplicates", "30 2 * * *"),
    ):
        agent("/api/agent-schedules", {"agent_id": name, "name": title, "cron_expression": cron})
    hook = admin("/api/webhooks", {"url": "https://hooks.example.com/fleet", "events": ["webhook.tested"]})["webhook"]
    _deliveries(server, hook["id"])
    admin("/api/chat/channels", CHANNEL)


def _deliveries(server: Served, webhook_id: str) -> None:
    """A history as it would be after some events; nothing is sent to the address, which does not exist."""
    now = server.runtime.clock()
    with server.runtime.store.write(DEFAULT_ORG) as tx:
        for minutes, event, status, answer in (
            (3, "action.created", "success", 200),
            (9, "approval.decided", "success", 200),
            (14, "action.created", "failed", 503),
            (45, "signal.detected", "success", 202),
        ):
            at = stamp(now - timedelta(minutes=minutes))
            row: dict[str, Any] = {
                "id": f"wd_{uuid.uuid4()}",
                "org_id": DEFAULT_ORG,
                "webhook_id": webhook_id,
                "event_type": event,
                "payload": json.dumps({"event": event}),
                "created_at": at,
                "give_up_at": at,
                "attempts": 1 if answer < 500 else 8,
                "status": status,
                "response_status": answer,
                "response_body": "",
                "error": None if answer < 500 else "the service answered 503",
                "attempted_at": at,
                "duration_ms": 84,
            }
            webhooks.deliveries.add(tx, row)
