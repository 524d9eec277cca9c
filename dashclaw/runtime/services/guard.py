"""Guard: ask whether an action may happen, and look at what was answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from ..decisions import decide_and_record
from ..inputs import Flag, Goal, Input, Items50, Line, Page, Score, Short, Systems, normal_time
from ..operations import Invocation, Operation
from ..problems import not_found
from ..reevaluation import reevaluate
from ..store import decisions as rows
from ..store.decision_search import search

if TYPE_CHECKING:
    from ..guard import RemoteAnswer
    from ..runtime import Runtime
    from ..store.engine import Tx

ActionType = Annotated[str, StringConstraints(min_length=1, max_length=128)]
WaitSeconds = Annotated[int, Field(ge=5, le=86400)]


class GuardInput(Input):
    """What is about to happen."""

    action_type: ActionType
    risk_score: Score | None = None
    agent_id: Short | None = None
    systems_touched: Systems | None = None
    reversible: Flag | None = None
    declared_goal: Goal | None = None
    tool_name: Short | None = None
    target: Line | None = None
    paths: Items50 | None = None


class GuardQuery(Input):
    """`include_signals` adds a warning per active signal of the agent."""

    include_signals: Flag = False


class DecisionPage(Page):
    """Filters of the decision history."""

    cap: ClassVar[int] = 1000
    default: ClassVar[int] = 20

    agent_id: Short | None = None
    decision: Short | None = None
    action_type: Short | None = None
    policy_id: Short | None = None
    system: Short | None = None
    risk_min: int | None = Field(default=None, ge=0, le=100)
    risk_max: int | None = Field(default=None, ge=0, le=100)
    since: Short | None = None
    until: Short | None = None
    degraded: Flag | None = None
    search: Line | None = None


_COUNTED = ("agent_id", "decision")


def prepare_decision(runtime: Runtime, call: Invocation) -> dict[str, RemoteAnswer] | None:
    """Fetch the answers of remote checks before the transaction; None when nobody outside is asked."""
    if runtime.policies.is_local(call.caller.org_id):
        return None
    with runtime.store.read() as tx:
        governance = runtime.policies.get(tx, call.caller.org_id)
    if not governance.policies.asks_remotes:
        return None
    from ..remote_checks import fetch_answers

    context = {**call.raw, "agent_id": call.raw.get("agent_id") or call.caller.agent_id}
    return fetch_answers(runtime, call.caller.org_id, governance, context)


def evaluate(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Decide and record; the answer is the decision, whatever it is."""
    body: GuardInput = call.body
    agent_id = body.agent_id or call.caller.agent_id
    decision = decide_and_record(tx, call, {**body.given(), **body.unknown}, agent_id)
    if call.query.include_signals and agent_id is not None:
        from .signals import signals_for

        found = signals_for(tx, call.caller.org_id, agent_id)
        decision["signals"] = found
        decision["warnings"] += [f"Signal {signal['type']}: {signal['detail']}" for signal in found]
    return decision


def history(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Decisions, newest first.

    Filters other than the agent and the decision look through the newest 25,000; `searched_since` tells when that
    leaves older ones out, and `total` then counts up to 10,000.
    """
    query: DecisionPage = call.query
    org_id = call.caller.org_id
    filters = _filters(query)
    since = None
    if filters.keys() <= set(_COUNTED):
        asked = {name: filters.get(name) for name in _COUNTED}
        found = rows.page(tx, org_id, **asked, size=query.size, offset=query.offset)
        total = rows.total(tx, org_id, **asked)
    else:
        found, total, since = search(tx, org_id, filters, query.size, query.offset)
    day = rows.last_day(tx, org_id)
    return {
        "decisions": [{**row, "reason": next(iter(row["reasons"] or row["warnings"] or []), None)} for row in found],
        "total": total,
        "stats": {
            "total_24h": sum(day.values()),
            "blocks_24h": day.get("block", 0),
            "warns_24h": day.get("warn", 0),
            "approvals_24h": day.get("require_approval", 0),
        },
        "limit": query.size,
        "offset": query.offset,
        "has_more": query.offset + len(found) < total,
        **({} if since is None else {"searched_since": since}),
    }


def _filters(query: DecisionPage) -> dict[str, Any]:
    found = {name: value for name, value in query.given().items() if value is not None}
    for name in ("since", "until"):
        if name in found:
            found[name] = normal_time(name, found[name])
    return {name: value for name, value in found.items() if name not in ("limit", "offset")}


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """One decision, and what the same policies and facts decide today."""
    org_id, decision_id = call.caller.org_id, call.params["decision_id"]
    row = rows.find(tx, org_id, decision_id)
    if row is None:
        raise not_found("decision", decision_id)
    return {"decision": row, "reevaluated": reevaluate(tx, org_id, row)}


OPERATIONS = (
    Operation(
        "guard",
        "POST",
        "/api/guard",
        evaluate,
        "Decide about an action before it happens",
        "guard",
        body=GuardInput,
        query=GuardQuery,
        prepare=prepare_decision,
        signing="required",
        speaker="agent_id",
    ),
    Operation(
        "get_guard_decisions",
        "GET",
        "/api/guard",
        history,
        "List guard decisions",
        "guard",
        query=DecisionPage,
        role="readonly",
    ),
    Operation(
        "get_guard_decision",
        "GET",
        "/api/guard/decisions/{decision_id}",
        show,
        "Show a guard decision and decide it again by what was recorded",
        "guard",
        role="readonly",
        slow=True,
    ),
)
