"""A fleet with a history, for looking at pages."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from ..integration.serving import Served
from .story import tell_past, tell_present

AGENTS = ("deployer", "support-triage", "invoice-clerk", "researcher", "data-steward", "release-notes")
POLICIES = (
    {
        "name": "Ask before production",
        "policy_type": "risk_threshold",
        "rules": {"threshold": 80, "action": "require_approval"},
    },
    {
        "name": "Never delete customer data",
        "policy_type": "block_action_type",
        "rules": {"action_types": ["data_delete"], "action": "block"},
    },
    {"name": "Look twice at money", "policy_type": "risk_threshold", "rules": {"threshold": 60, "action": "warn"}},
)
ACTIONS = (
    ("deploy", "Roll out version 4.2.1 of the checkout to production", 88, ["kubernetes", "checkout"]),
    ("research", "Compare the three candidates for the vector index", 12, ["web"]),
    ("email", "Answer the customer whose parcel is late", 35, ["mail", "crm"]),
    ("payment", "Refund order 20931 in full", 64, ["billing"]),
    ("data_delete", "Remove the duplicates from the table of customers", 75, ["warehouse"]),
    ("api_call", "Fetch the exchange rates of today", 8, ["rates"]),
)

FOUR_EYES = {
    "name": "Four eyes on payments",
    "policy_type": "require_approval",
    "rules": {"action_types": ["payment.*"], "approvals_required": 2, "approver_roles": ["admin"]},
}
WAITING: tuple[dict[str, object], ...] = (
    {
        "agent_id": "deployer",
        "action_type": "deploy",
        "declared_goal": "Publish the new price list to the production database",
        "risk_score": 91,
        "reversible": False,
        "systems_touched": ["postgres", "shop"],
        "reasoning": "The list was signed off this morning; the old prices end at midnight.",
        "input_summary": '{"file_path":"prices/eu.yaml","old_string":"basic: 9.90\\nteam: 29.00\\ncurrency: EUR",'
        '"new_string":"basic: 11.90\\nteam: 34.00\\ncurrency: EUR\\nvalid_from: 2026-12-01"}',
        "metadata": {"tool": "edit_file", "environment": "production"},
    },
    {
        "agent_id": "invoice-clerk",
        "action_type": "payment.send",
        "declared_goal": "Pay invoice 4711 of the haulier",
        "risk_score": 55,
        "systems_touched": ["billing"],
        "input_summary": '{"amount":"12,480.00","currency":"EUR","to":"DE02 1203 0000 0000 2020 51"}',
        "approval_wait_seconds": 900,
        "metadata": {"tool": "bank.transfer"},
    },
)
CONNECTIONS = {
    "agent_id": "deployer",
    "connections": [
        {"provider": "github", "auth_type": "oauth", "status": "active"},
        {"provider": "aws", "auth_type": "environment", "status": "error"},
    ],
}


def seed(server: Served, *, rounds: int = 6, wait: Callable[[float], None] = lambda _: None) -> None:
    """Content for every page: agents, actions in every state, decisions of people, and what else a fleet tells.

    `wait` lets so many seconds pass at the server; without it all happened just now.
    """
    with (
        httpx.Client(base_url=server.url, headers={"x-api-key": server.admin_key}, timeout=30) as admin,
        httpx.Client(base_url=server.url, headers={"x-api-key": server.agent_key}, timeout=30) as agent,
    ):
        for policy in POLICIES:
            admin.post("/api/policies", json=policy).raise_for_status()
        _beat(agent)
        tell_past(server, wait)
        for number in range(rounds * len(ACTIONS)):
            wait(900)
            _act(admin, agent, number)
        admin.post("/api/policies", json=FOUR_EYES).raise_for_status()
        tell_present(server)
        _beat(agent)
        for action in WAITING:
            agent.post("/api/actions", json=action).raise_for_status()
        agent.post("/api/agents/connections", json=CONNECTIONS).raise_for_status()


def _beat(agent: httpx.Client) -> None:
    for name in AGENTS:
        agent.post("/api/agents/heartbeat", json={"agent_id": name, "agent_name": name.replace("-", " ").title()})


def _act(admin: httpx.Client, agent: httpx.Client, number: int) -> None:
    kind, goal, risk, systems = ACTIONS[number % len(ACTIONS)]
    body = {
        "agent_id": AGENTS[(number + number // len(ACTIONS)) % len(AGENTS)],
        "action_type": kind,
        "declared_goal": goal,
        "risk_score": min(100, risk + number % 9),
        "systems_touched": systems,
        "input_summary": f"request {number}",
        "reasoning": "The ticket asks for it and the checks are green.",
    }
    made = agent.post("/api/actions", json=body).json()
    turn = number // len(ACTIONS) % 3
    if made["action"]["status"] == "pending_approval" and turn:
        answer = {"decision": "allow" if turn == 1 else "deny", "reasoning": "Checked the plan with the team"}
        admin.post(f"/api/actions/{made['action_id']}/approve", json=answer).raise_for_status()
    elif made["action"]["status"] == "running" and number % 4:
        outcome = (
            {"status": "failed", "error_message": "503 from upstream"} if number % 7 == 0 else {"status": "completed"}
        )
        more = {"duration_ms": 900 + 340 * number, "tokens_in": 1200, "tokens_out": 300, "model": "gpt-5-mini"}
        agent.patch(f"/api/actions/{made['action_id']}", json={**outcome, **more, "cost_estimate": 0.0123})
