"""A fleet with a history: what 50 agents leave behind in 90 days, on either database.

The runtime makes one row of each kind; the others are its copies with ids, agents and moments of their own, and the
totals are added up from what was written. Run `python benchmarks/fleet.py URL` to fill a new database and keep it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from local_guard import POLICIES
from sqlalchemy import ColumnElement, Table, select, text

from dashclaw import DashClaw
from dashclaw._json import compact
from dashclaw.errors import DashClawError
from dashclaw.runtime.evidence.sequencer import link_events
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.store import tables as t
from dashclaw.runtime.store.action_digests import row_digest as action_digest
from dashclaw.runtime.store.decisions import row_digest as decision_digest
from dashclaw.runtime.store.engine import Tx

ORG = "org_default"
AGENTS = 50
DAYS = 90
ACTIONS = 200_000
SESSIONS = 2_000
WAITING = 300
BATCH = 5_000
OTHERS = {
    t.loops: 4_000,
    t.assumptions: 4_000,
    t.messages: 5_000,
    t.message_threads: 200,
    t.token_reports: 20_000,
    t.security_findings: 3_000,
    t.handoffs: 500,
    t.goals: 200,
    t.learning_decisions: 500,
    t.recommendations: 200,
    t.recommendation_events: 5_000,
    t.agent_schedules: 60,
    t.connections: 150,
    t.people: 60,
    t.policies: 20,
    t.webhooks: 5,
    t.webhook_deliveries: 5_000,
}
Row = dict[str, Any]
T = TypeVar("T")
# How a decision came out and how its action ended, in proportions of life, and what asks for it.
KINDS = ("fine",) * 13 + ("warned",) * 4 + ("failed", "blocked", "asked")
KINDS_OF = len(KINDS)
ASKED: dict[str, Row] = {
    "fine": {"action_type": "email.read", "risk_score": 10, "systems_touched": ["mail", "crm"]},
    "warned": {"action_type": "research", "risk_score": 30, "systems_touched": ["web"]},
    "failed": {"action_type": "email.send", "risk_score": 45, "systems_touched": ["mail"]},
    "blocked": {"action_type": "db.drop", "risk_score": 80, "systems_touched": ["postgres"]},
    "asked": {"action_type": "deploy", "risk_score": 85, "systems_touched": ["kubernetes", "checkout"]},
    "waits": {"action_type": "deploy", "risk_score": 88, "systems_touched": ["kubernetes", "shop"]},
}
TOLD: Row = {
    "declared_goal": "Roll out version 4.2.1 of the checkout and tell the customers whose orders wait for it",
    "reasoning": "The ticket asks for it, the checks are green, and the window for changes ends at midnight.",
    "input_summary": json.dumps({"order": 20931, "note": "agreed with the team on Monday", "lines": "x" * 200}),
    "metadata": {"tool": "shop.release", "environment": "production"},
    "model": "gpt-5-mini",
    "tokens_in": 1200,
    "tokens_out": 300,
}
TOTALS = (
    "INSERT INTO decision_counts (org_id, agent_id, decision, n)"
    " SELECT org_id, agent_id, decision, count(*) FROM guard_decisions GROUP BY org_id, agent_id, decision",
    "INSERT INTO decision_hours (org_id, hour, decision, n) SELECT org_id, substr(created_at, 1, 13), decision,"
    " count(*) FROM guard_decisions GROUP BY org_id, substr(created_at, 1, 13), decision",
    "INSERT INTO action_counts (org_id, agent_id, swarm_id, action_type, status, resolution, risk_score, n, cost)"
    " SELECT org_id, agent_id, '', action_type, status, coalesce(resolution, ''), risk_score, count(*),"
    " coalesce(sum(cost_estimate), 0) FROM actions"
    " GROUP BY org_id, agent_id, action_type, status, coalesce(resolution, ''), risk_score",
    "INSERT INTO token_days (org_id, day, agent_id, model, n, tokens_in, tokens_out, cost)"
    " SELECT org_id, substr(created_at, 1, 10), agent_id, model, count(*), sum(tokens_in), sum(tokens_out), sum(cost)"
    " FROM token_reports GROUP BY org_id, substr(created_at, 1, 10), agent_id, model",
    "INSERT INTO token_hours (org_id, agent_id, hour, n, tokens_in, tokens_out, cost)"
    " SELECT org_id, agent_id, substr(created_at, 1, 13), count(*), sum(tokens_in), sum(tokens_out), sum(cost)"
    " FROM token_reports GROUP BY org_id, agent_id, substr(created_at, 1, 13)",
)
COUNTED = ("decision_counts", "decision_hours", "action_counts", "token_days", "token_hours")


def fill(url: str) -> None:
    """Fill a new database at a path or a URL, and link what is in it into the chain of evidence."""
    seed(url)
    runtime = Runtime.open(url)
    with runtime.store.write(ORG) as tx:
        known = {name: Kind.read(tx, name) for name in ASKED}
        for table, rows in others(tx):
            add(tx, table, rows)
        for part in parts(recorded(known)):
            for table in part[0]:
                tx.insert_many(table, [row for one in part for row in one[table]])
        for name, statement in zip(COUNTED, TOTALS, strict=True):
            tx.execute(text(f"DELETE FROM {name}"))
            tx.execute(text(statement))
        tx.execute(text("UPDATE webhooks SET cursor = (SELECT max(id) FROM events)"))
    while link_events(runtime.store, ORG, 10_000):
        pass
    with runtime.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE" if runtime.store.dialect == "postgresql" else "PRAGMA wal_checkpoint"))
    runtime.close()


def seed(url: str) -> None:
    """Let the runtime make one of each kind."""
    with DashClaw.local(url, agent_id="agent-0", starter_policies=False) as claw:
        for number, (kind, rules) in enumerate(POLICIES):
            claw.request("POST", "/api/policies", body={"name": f"Rule {number}", "policy_type": kind, "rules": rules})
        made = {name: acted(claw, name, {**TOLD, **asked}) for name, asked in ASKED.items()}
        # Nothing is learnt from one alone.
        made["twin"] = acted(claw, "twin", {**TOLD, **ASKED["fine"]})
        claw.approve_action(made["asked"], "allow", reasoning="Checked with the team")
        for name in ("fine", "twin", "warned", "failed", "asked"):
            status = "failed" if name == "failed" else "completed"
            claw.update_outcome(made[name], status=status, output_summary="Done as asked", duration_ms=1200)
        learnt = claw.rebuild_recommendations(min_samples=2)["recommendations"][0]["id"]
        claw.record_recommendation_events([{"event_type": "applied", "recommendation_id": learnt}])
        claw.request("POST", "/api/agents/heartbeat", body={"agent_id": "agent-0", "agent_name": "Agent 0"})
        claw.register_open_loop(made["fine"], "followup", "Tell the customer when the parcel has left")
        claw.register_assumption(made["fine"], "The price list of this morning holds", basis="The mail of the shop")
        thread = claw.create_message_thread("Release of the checkout", ["agent-0", "agent-1"])["thread"]["id"]
        file = {"filename": "plan.txt", "mime_type": "text/plain", "data": "UGxhbg=="}
        claw.send_message("The plan for tonight", to="agent-1", thread_id=thread, attachments=[file])
        claw.report_token_usage(1200, 300, model="gpt-5-mini")
        claw.report_security_finding("Write to ada@example.org, key AKIAIOSFODNN7EXAMPLE", "mail")
        claw.create_handoff("Two orders are left; the rest is done")
        claw.create_goal("Answer every customer within a day")
        claw.record_decision("Ask before refunds over 100")
        claw.report_connections([{"provider": "github", "auth_type": "oauth", "status": "active"}])
        claw.request("POST", "/api/people", body={"email": "ada@example.org", "name": "Ada Lovelace"})
        schedule = {"agent_id": "agent-0", "name": "Nightly report", "cron_expression": "0 3 * * *"}
        claw.request("POST", "/api/agent-schedules", body=schedule)
        claw.request("POST", "/api/webhooks", body={"url": "https://example.org/hook", "events": ["all"]})


def acted(claw: DashClaw, name: str, asked: Row) -> str:
    """The id of an action that was asked for; a refused one is recorded too."""
    action_id = f"act_{name}"
    try:
        claw.request("POST", "/api/actions", body={"agent_id": "agent-0", "action_id": action_id, **asked})
    except DashClawError:
        assert name == "blocked"
    return action_id


def add(tx: Tx, table: Table, rows: Iterable[Row]) -> None:
    """Insert rows as they are stored, by parts."""
    for part in parts(rows):
        tx.insert_many(table, part)


def parts(rows: Iterable[T]) -> Iterator[list[T]]:
    """So many at a time as an insert takes well."""
    left = iter(rows)
    while part := list(islice(left, BATCH)):
        yield part


def moments(count: int, days: float = DAYS) -> Iterator[str]:
    """Times spread evenly over the last days, oldest first."""
    end = datetime.now(timezone.utc)
    step = timedelta(days=days) / count
    for n in range(count):
        yield (end - step * (count - n)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def agent(n: int) -> str:
    """Whose the row is."""
    return f"agent-{n % AGENTS}"


# What agents decided and did


class Kind(NamedTuple):
    """What the runtime recorded of one action: rows as they are stored, and its events in their order."""

    decision: Row
    action: Row
    vote: Row | None
    episode: Row | None
    events: list[Row]

    @classmethod
    def read(cls, tx: Tx, name: str) -> Kind:
        """All of one action."""
        action_id = f"act_{name}"
        action = only(tx, t.actions, t.actions.c.action_id == action_id)
        assert action is not None, name
        decision = only(tx, t.guard_decisions, t.guard_decisions.c.id == action["decision_id"])
        assert decision is not None, name
        of_both = t.events.c.resource_id.in_((action_id, decision["id"]))
        return cls(
            decision,
            action,
            only(tx, t.approval_votes, t.approval_votes.c.action_id == action_id),
            only(tx, t.episodes, t.episodes.c.action_id == action_id),
            tx.all(select(t.events).where(of_both).order_by(t.events.c.id)),
        )

    def again(self, n: int, at: str) -> dict[Table, list[Row]]:
        """The same once more: another agent, another moment."""
        action_id, decision_id = f"act_{n:08}", f"gd_{n:08}"
        moment = {"created_at": at, "updated_at": at}
        decision = self.decision | {"id": decision_id, "agent_id": agent(n), "action_id": action_id, "created_at": at}
        action = self.action | moment | {"action_id": action_id, "decision_id": decision_id, "agent_id": agent(n)}
        action |= {"timestamp_start": at, "digest": f"{n:064x}", "parent_action_id": parent(n)}
        action["session_id"] = f"session-{n % AGENTS}-{n // (ACTIONS * AGENTS // SESSIONS)}"
        action["approval_at"] = self.action["approval_at"] and at
        action["timestamp_end"] = self.action["timestamp_end"] and at
        action["risk_score"] = decision["risk_score"] = max(0, self.action["risk_score"] - n // KINDS_OF % 9)
        own = {"action_id": action_id, "created_at": at}
        return {
            t.guard_decisions: [decision],
            t.actions: [action],
            t.approval_votes: [] if self.vote is None else [self.vote | own],
            t.episodes: [] if self.episode is None else [self.episode | own | {"id": f"ep_{n:08}", **moment}],
            t.events: [self._told(event, decision, action, at) for event in self.events],
        }

    def _told(self, event: Row, decision: Row, action: Row, at: str) -> Row:
        about = event["resource_type"] == "decision"
        key = decision["id"] if about else action["action_id"]
        data = json.loads(event["data"]) | {"agent_id": action["agent_id"], "created_at": at}
        if "row" in data:
            data["row"] = decision_digest(decision) if about else action_digest(action)
        for name, value in (("decision_id", decision["id"]), ("action_id", action["action_id"])):
            if name in data:
                data[name] = value
        told = {name: value for name, value in event.items() if name != "id"}
        return told | {"resource_id": key, "agent_id": action["agent_id"], "data": compact(data), "created_at": at}


def only(tx: Tx, table: Table, condition: ColumnElement[bool]) -> Row | None:
    """The row that fits, as it is stored."""
    return tx.one(select(table).where(condition))


def recorded(known: Mapping[str, Kind]) -> Iterator[dict[Table, list[Row]]]:
    """Every action in the order of time; the newest ones of a day wait for people."""
    every = ACTIONS // WAITING
    for n, at in enumerate(moments(ACTIONS)):
        name = "waits" if n % every == every - 1 else KINDS[n % KINDS_OF]
        yield known[name].again(n, at)


def parent(n: int) -> str | None:
    """Each fifth action was led to by an earlier one of its agent."""
    return f"act_{n - AGENTS:08}" if n % 5 == 0 and n >= AGENTS else None


def agents(row: Row) -> Iterator[Row]:
    """All but the one that is there."""
    now = row["last_heartbeat_at"]
    for n in range(1, AGENTS):
        yield row | {"agent_id": agent(n), "agent_name": f"Agent {n}", "last_heartbeat_at": now}


# What else they left


def others(tx: Tx) -> Iterator[tuple[Table, Iterable[Row]]]:
    """Rows of each table of `OTHERS`, and of those that belong to them."""
    first = {table: tx.all(select(table))[0] for table in OTHERS if table is not t.webhook_deliveries}
    first[t.webhook_deliveries] = delivery(first[t.webhooks])
    yield t.agents, agents(tx.all(select(t.agents))[0])
    for table, count in OTHERS.items():
        yield table, copies(table, first[table], count)
    file, piece = (tx.all(select(table))[0] for table in (t.attachments, t.attachment_pieces))
    yield t.attachments, [file | {"id": f"att_{n}", "message_id": f"messages-{n}"} for n in range(50)]
    yield t.attachment_pieces, [piece | {"attachment_id": f"att_{n}"} for n in range(50)]
    threads = range(OTHERS[t.message_threads])
    taking = {"org_id": ORG}
    yield t.thread_agents, [taking | {"thread_id": f"message_threads-{n}", "agent_id": agent(n)} for n in threads]


def copies(table: Table, first: Row, count: int) -> Iterator[Row]:
    """Copies with keys, agents, and moments of their own, spread over the days."""
    key = list(table.primary_key)[-1].name
    for n, at in enumerate(moments(count)):
        row = first | {key: f"{table.name}-{n}", "created_at": at}
        row |= {name: at for name in ("updated_at", "last_message_at") if row.get(name)}
        row |= {name: agent(n) for name in ("agent_id", "from_agent_id") if row.get(name)}
        yield row | (OWN[table](n) if table in OWN else {})


def of_action(n: int) -> Row:
    """Belongs to an action that is long over; one of ten is open."""
    return {"action_id": f"act_{n * 40:08}"}


OWN: dict[Table, Callable[[int], Row]] = {
    t.loops: lambda n: of_action(n) | {"status": "open" if n % 10 == 0 else "resolved"},
    t.assumptions: lambda n: of_action(n) | {"validated": int(n % 10 != 0)},
    t.messages: lambda n: {"to_agent_id": agent(n + 1) if n % 10 else "", "thread_id": f"message_threads-{n % 200}"},
    t.message_threads: lambda n: {"status": "open" if n % 4 == 0 else "resolved", "message_count": 25},
    t.token_reports: lambda n: {"model": ("gpt-5-mini", "gpt-5", "claude-sonnet-4-5")[n % 3], "id": f"tok_{n}"},
    t.recommendations: lambda n: {"agent_id": agent(n // 4), "action_type": f"kind-{n % 4}"},
    t.recommendation_events: lambda n: {"recommendation_id": f"recommendations-{n % 200}", "event_key": f"key-{n}"},
    t.connections: lambda n: {"digest": f"{n:064x}", "provider": ("github", "aws", "slack")[n % 3]},
    t.people: lambda n: {
        "email": f"person{n}@example.org",
        "email_folded": f"person{n}@example.org",
        "invitation_hash": f"{n:064x}",
        "name": f"Person {n}",
    },
    t.policies: lambda n: {"name": f"More rules {n}"},
    t.webhooks: lambda n: {"url": f"https://example.org/hook/{n}"},
    t.webhook_deliveries: lambda n: {"webhook_id": f"webhooks-{n % 5}", "event_id": n + 1},
}


def delivery(webhook: Row) -> Row:
    """A delivery that arrived."""
    return {
        "id": "",
        "org_id": ORG,
        "webhook_id": webhook["id"],
        "event_id": 0,
        "event_type": "action.created",
        "payload": json.dumps({"event": "action.created", "data": {"declared_goal": TOLD["declared_goal"]}}),
        "status": "success",
        "attempts": 1,
        "give_up_at": "2100-01-01T00:00:00.000000Z",
        "response_status": 200,
        "response_body": "ok",
        "duration_ms": 120,
        "created_at": "",
    }


if __name__ == "__main__" and len(sys.argv) == 2:
    fill(sys.argv[1])
