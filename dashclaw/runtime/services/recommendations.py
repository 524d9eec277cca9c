"""Recommendations: advice learnt from how actions ended, and what became of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BeforeValidator, Field, StringConstraints

from ..clock import ago
from ..episodes import learn
from ..inputs import Flag, Input, Page, Short, no_bool, read_input
from ..learning import Advice, Episode, Sums, advise, effect, summary, telemetry
from ..operations import Invocation, Operation
from ..problems import Problem, invalid, not_found
from ..redaction import redact_fields
from ..store import actions as action_rows
from ..store import learning as rows
from .loops import answer_with_warnings, paging

if TYPE_CHECKING:
    from ..runtime import Runtime
    from ..store.engine import Tx

MOST_EVENTS = 100
Days = Annotated[int, Field(ge=1, le=365), BeforeValidator(no_bool)]
EventKey = Annotated[str, StringConstraints(max_length=200)]
EventType = Literal["fetched", "applied", "overridden", "outcome"]


class RecommendationQuery(Page):
    """Filters of the list; `track_events` counts this as a use of the recommendation."""

    agent_id: Short | None = None
    action_type: Short | None = None
    include_inactive: Flag = False
    include_metrics: Flag = False
    track_events: Flag = False
    lookback_days: Days = 30


class MetricsQuery(Page):
    """Filters of the metrics."""

    default: ClassVar[int] = 100

    agent_id: Short | None = None
    action_type: Short | None = None
    include_inactive: Flag = False
    lookback_days: Days = 30


class RebuildInput(Input):
    """What to learn from; `action_id` is scored first."""

    agent_id: Short | None = None
    action_type: Short | None = None
    lookback_days: Days = 30
    min_samples: Annotated[int, Field(ge=2, le=100), BeforeValidator(no_bool)] = 5
    episode_limit: Annotated[int, Field(ge=100, le=10_000), BeforeValidator(no_bool)] = 5000
    action_id: Short | None = None


class Learnt(NamedTuple):
    """What a rebuild found before it changes anything; `advice` is by agent and type of action."""

    scored: dict[str, Any] | None
    scanned: int
    advice: dict[tuple[str, str], Advice]


class ActiveInput(Input):
    """Whether a recommendation is given."""

    active: Flag


class EventInput(Input):
    """Something that became of a recommendation."""

    event_type: EventType
    recommendation_id: Short | None = None
    agent_id: Short | None = None
    action_id: Short | None = None
    event_key: EventKey | None = None
    details: dict[str, Any] | None = None


class EventsInput(Input):
    """Several events in `events`, or a single one as the body itself."""

    events: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_EVENTS)] | None = None
    event_type: EventType | None = None
    recommendation_id: Short | None = None
    agent_id: Short | None = None
    action_id: Short | None = None
    event_key: EventKey | None = None
    details: dict[str, Any] | None = None


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Recommendations, the most certain first."""
    query: RecommendationQuery = call.query
    found, total = _page(tx, call)
    answer: dict[str, Any] = {"recommendations": found, "lookback_days": query.lookback_days}
    if query.include_metrics:
        answer["metrics"] = _bundle(tx, call, found)
    return {**answer, **paging(tx, query, len(found), total)}


def note_fetch(runtime: Runtime, call: Invocation) -> None:
    """Record that a recommendation was fetched for use: once per call, and about the one that was found.

    A call that finds several only looks around, so its event is about none of them.
    """
    if not call.query.track_events or not call.caller.may("member"):
        return
    with runtime.store.write(call.caller.org_id) as tx:
        found, _ = _page(tx, call)
        if not found:
            return
        ids = [row["id"] for row in found]
        one = ids[0] if len(ids) == 1 else None
        agent_id = call.query.agent_id or call.caller.agent_id
        event = {"event_type": "fetched", "recommendation_id": one, "agent_id": agent_id}
        _add_event(tx, call, {**event, "details": {"returned": ids}})


def metrics(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Whether recommendations are taken, and whether they help."""
    query: MetricsQuery = call.query
    found, total = _page(tx, call)
    bundle = _bundle(tx, call, found)
    return {**bundle, "lookback_days": query.lookback_days, **paging(tx, query, len(found), total)}


def _page(tx: Tx, call: Invocation) -> tuple[list[dict[str, Any]], int]:
    query = call.query
    inactive = query.include_inactive and call.caller.may("admin")
    return rows.recommendation_page(
        tx, call.caller.org_id, query.agent_id, query.action_type, inactive, query.size, query.offset
    )


def _bundle(tx: Tx, call: Invocation, found: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    query = call.query
    found = list(found)
    since = ago(tx.now, days=query.lookback_days)
    agents, types = ({row[name] for row in found} for name in ("agent_id", "action_type"))
    sums = rows.episode_sums(tx, call.caller.org_id, agents, types, since) if found else {}
    counts = rows.event_counts(tx, call.caller.org_id, [row["id"] for row in found], since)
    measured = []
    for row in found:
        group = (row["agent_id"], row["action_type"])
        applied, baseline = (Sums(**sums.get((*group, which), {})) for which in (True, False))
        measured.append(
            {
                "recommendation_id": row["id"],
                **{name: row[name] for name in ("agent_id", "action_type", "active", "confidence", "sample_size")},
                "telemetry": telemetry(counts.get(row["id"], {})),
                **effect(applied, baseline),
            }
        )
    return {"metrics": measured, "summary": summary(measured)}


def rebuild(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Learn again from the stored episodes; a recommendation that was switched off stays so, and keeps its id."""
    body: RebuildInput = call.body
    learnt: Learnt = call.prepared
    scope = (call.caller.org_id, body.agent_id, body.action_type)
    for (agent_id, action_type), advice in learnt.advice.items():
        rows.keep_recommendation(tx, _row(tx, call, agent_id, action_type, advice))
    # A scan that met its limit says nothing about the agents and types that it did not reach.
    gone = rows.forget_outdated(tx, *scope, tx.stamp) if learnt.scanned < body.episode_limit else 0
    made = rows.computed_at(tx, *scope, tx.stamp)
    told = {"agent_id": body.agent_id, "action_type": body.action_type, "total": len(made), "removed": gone}
    told["episodes_scanned"] = learnt.scanned
    tx.emit(
        call.caller, "recommendations.rebuilt", "recommendation", body.agent_id or "all agents", told, body.agent_id
    )
    answer = {"scored_episode": learnt.scored, "episodes_scanned": learnt.scanned, "rebuilt_at": tx.stamp}
    return answer_with_warnings({**answer, "recommendations": made, "total": len(made)}, body)


def study(runtime: Runtime, call: Invocation) -> Learnt:
    """Score the action that is named, then learn from the newest episodes, while nobody has to wait for it."""
    body: RebuildInput = call.body
    org_id, scored = call.caller.org_id, None
    if body.action_id is not None:
        with runtime.store.write(org_id) as tx:
            scored = _score(tx, call, body.action_id)
    with runtime.store.read() as tx:
        since = ago(tx.now, days=body.lookback_days)
        found = rows.recent_episodes(tx, org_id, body.agent_id, body.action_type, since, body.episode_limit)
    groups: dict[tuple[str, str], list[Episode]] = {}
    for row in found:
        groups.setdefault((row.pop("agent_id"), row.pop("action_type")), []).append(Episode(**row))
    known = {group: advise(episodes) for group, episodes in groups.items() if len(episodes) >= body.min_samples}
    return Learnt(scored, len(found), {group: advice for group, advice in known.items() if advice is not None})


def _score(tx: Tx, call: Invocation, action_id: str) -> dict[str, Any] | None:
    action = action_rows.find(tx, call.caller.org_id, action_id)
    if action is None:
        raise not_found("action", action_id)
    learn(tx, action)
    return rows.episode(tx, call.caller.org_id, action_id)


def _row(tx: Tx, call: Invocation, agent_id: str, action_type: str, advice: Advice) -> dict[str, Any]:
    group = "\0".join((call.caller.org_id, agent_id, action_type))
    return {
        **advice._asdict(),
        "org_id": call.caller.org_id,
        # The same agent and type always have the same id, so that events and a switch outlive a rebuild.
        "id": "lrec_" + hashlib.sha256(group.encode()).hexdigest()[:24],
        "agent_id": agent_id,
        "action_type": action_type,
        "active": True,
        "computed_at": tx.stamp,
        "created_at": tx.stamp,
        "updated_at": tx.stamp,
    }


def switch(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Give a recommendation or stop giving it."""
    body: ActiveInput = call.body
    row = rows.RECOMMENDATIONS.find(tx, call.caller.org_id, call.params["recommendation_id"])
    if row is None:
        raise not_found("recommendation", call.params["recommendation_id"])
    if row["active"] != body.active:
        changes = {"active": body.active, "updated_at": tx.stamp}
        rows.RECOMMENDATIONS.change(tx, call.caller.org_id, row["id"], changes)
        row |= changes
        tx.emit(call.caller, "recommendation.updated", "recommendation", row["id"], row, row["agent_id"])
    return answer_with_warnings({"recommendation": row}, body)


def record_events(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Record what became of recommendations; an event whose key is known already is left out."""
    body: EventsInput = call.body
    created, warnings = [], body.warnings() if body.events is not None else []
    for event in _events(call):
        _check_ids(tx, call, event)
        warnings += event.warnings()
        if event.event_key is not None and rows.key_taken(tx, call.caller.org_id, event.event_key):
            continue
        given, _ = redact_fields({**event.given(), "metadata": event.unknown or None}, ("details", "metadata"))
        created.append(_add_event(tx, call, given))
    if created:
        told = {"created_count": len(created), "events": created}
        tx.emit(call.caller, "recommendation.events_recorded", "recommendation", created[0]["id"], told)
    answer: dict[str, Any] = {"created": created, "created_count": len(created)}
    return {**answer, "warnings": warnings} if warnings else answer


def _events(call: Invocation) -> list[EventInput]:
    body: EventsInput = call.body
    if body.events is None:
        if body.event_type is None:
            raise invalid("event_type", "is required: fetched, applied, overridden or outcome")
        return [read_input(EventInput, dict(call.raw))]
    return [_event(place, event) for place, event in enumerate(body.events)]


def _event(place: int, values: dict[str, Any]) -> EventInput:
    try:
        found: EventInput = read_input(EventInput, values)
    except Problem as problem:
        fields = [{**field, "field": f"events.{place}.{field['field']}"} for field in problem.fields]
        details = [f"{field['field']}: {field['message']}" for field in fields]
        raise Problem(400, problem.code, problem.message, details=details, fields=fields) from None
    return found


def _check_ids(tx: Tx, call: Invocation, event: EventInput) -> None:
    org_id = call.caller.org_id
    if event.recommendation_id is not None and rows.RECOMMENDATIONS.find(tx, org_id, event.recommendation_id) is None:
        raise not_found("recommendation", event.recommendation_id)
    if event.action_id is not None and action_rows.find(tx, org_id, event.action_id) is None:
        raise not_found("action", event.action_id)


def _add_event(tx: Tx, call: Invocation, given: Mapping[str, Any]) -> dict[str, Any]:
    optional = ("recommendation_id", "agent_id", "action_id", "event_key", "details", "metadata")
    row = {
        **dict.fromkeys(optional),
        **given,
        "org_id": call.caller.org_id,
        "id": "lrev_" + os.urandom(12).hex(),
        "created_at": tx.stamp,
    }
    rows.EVENTS.add(tx, row)
    return {**row, "details": row["details"] or {}, "metadata": row["metadata"] or {}}


_PATH = "/api/learning/recommendations"
OPERATIONS = (
    Operation(
        "get_recommendations",
        "GET",
        _PATH,
        listing,
        "List recommendations",
        "recommendations",
        query=RecommendationQuery,
        role="readonly",
        prepare=note_fetch,
        slow=True,
    ),
    Operation(
        "rebuild_recommendations",
        "POST",
        _PATH,
        rebuild,
        "Learn again from how actions ended",
        "recommendations",
        body=RebuildInput,
        role="admin",
        prepare=study,
        slow=True,
    ),
    Operation(
        "get_recommendation_metrics",
        "GET",
        f"{_PATH}/metrics",
        metrics,
        "Show whether recommendations help",
        "recommendations",
        query=MetricsQuery,
        role="readonly",
        slow=True,
    ),
    Operation(
        "record_recommendation_events",
        "POST",
        f"{_PATH}/events",
        record_events,
        "Record what became of recommendations",
        "recommendations",
        body=EventsInput,
        status=201,
    ),
    Operation(
        "set_recommendation_active",
        "PATCH",
        f"{_PATH}/{{recommendation_id}}",
        switch,
        "Give a recommendation or not",
        "recommendations",
        body=ActiveInput,
        role="admin",
    ),
)
