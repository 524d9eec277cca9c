"""What happened to one action, rebuilt from the log of events and then compared with what the tables hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dashclaw._json import compact

from ..action_rows import action_row
from ..clock import moment
from ..store import actions as action_rows
from ..store import decisions as decision_rows
from ..store import history
from ..store import loops as loop_rows
from ..store.tables import assumptions, loops
from .steps import (
    Event,
    Step,
    assumption_step,
    data_of,
    decision_steps,
    first_step,
    intent_step,
    later_steps,
    loop_step,
    other_step,
    relative_step,
)

if TYPE_CHECKING:
    from sqlalchemy import Table

    from ..store.engine import Tx

MOST_RECORDS = 100
_FINAL = frozenset({"completed", "failed", "cancelled", "blocked"})
_SHOWN = ("action_id", "declared_goal", "agent_id", "agent_name", "action_type", "status", "resolution", "risk_score")
# Told of the action that a loop hangs on, which goes on changing.
_OF_PARENT = frozenset({"agent_id", "agent_name", "declared_goal", "action_type", "action_status"})


def replay(tx: Tx, org_id: str, action_id: str) -> dict[str, Any] | None:
    """The chain of one action in steps, how far the evidence reaches, and where the tables say something else.

    None for an action of which neither the log nor the table knows.
    """
    found = _Replay(tx, org_id, action_id)
    return found.document() if found.row is not None or found.logged else None


class _Replay:
    """One action being replayed; `missing` are sentences, `differences` what the tables say differently."""

    def __init__(self, tx: Tx, org_id: str, action_id: str) -> None:
        self.tx = tx
        self.org_id = org_id
        self.action_id = action_id
        self.row = action_rows.find(tx, org_id, action_id)
        self.logged = history.of_record(tx, org_id, "action", action_id)
        self.missing: list[str] = []
        self.differences: list[dict[str, Any]] = []

    def document(self) -> dict[str, Any]:
        """The whole answer."""
        steps = list(self._steps()) if self.logged else []
        if not self.logged:
            self.missing.append(
                "The log holds no event of this action: it was made before the log, or retention has forgotten it"
            )
        wire = self._wire(steps)
        state = self._state()
        return {
            "action_id": self.action_id,
            "action": {name: state.get(name) for name in _SHOWN},
            "generated_at": self.tx.stamp,
            "steps": wire,
            "evidence": _reach(wire),
            "duration_ms": _milliseconds(steps[0].event, steps[-1].event) if steps else None,
            "missing": self.missing,
            "differences": self.differences,
        }

    def _state(self) -> Mapping[str, Any]:
        told = [data_of(event) for event in self.logged if data_of(event)]
        if told:
            return told[-1]
        return {**(action_row(self.row) if self.row else {}), "action_id": self.action_id}

    def _steps(self) -> Iterator[Step]:
        """Cause before effect: the parent, the intent, the decision; then all else in the order of the log."""
        first = self.logged[0]
        if first["event"] != "action.created":
            self.missing.append("The event of its creation is gone; the intent is read from the oldest event left")
        if len(self.logged) == history.MOST_EVENTS:
            self.missing.append(f"Only its first {history.MOST_EVENTS:,} events are shown")
        self._compare("action", self.action_id, self.logged, action_row(self.row) if self.row else None)
        yield from self._parent(first)
        yield intent_step(first)
        yield from self._decision(first)
        yield from first_step(first) if first["event"] == "action.created" else ()
        later = [*self._own(), *self._loops(), *self._assumptions(), *self._sub_actions()]
        yield from sorted(later, key=lambda step: int(step.event["id"]))

    def _own(self) -> Iterator[Step]:
        before = data_of(self.logged[0])
        for event in self.logged[1:]:
            if event["event"] != "action.updated":
                yield other_step(event)
                continue
            yield from later_steps(event, before)
            before = data_of(event) or before

    def _parent(self, first: Event) -> Iterator[Step]:
        parent = data_of(first).get("parent_action_id")
        if not isinstance(parent, str):
            return
        found = history.of_record(self.tx, self.org_id, "action", parent)
        if found:
            yield relative_step("parent", found[0], began=True)
        else:
            self.missing.append(f"The log holds no event of the parent action {parent}")

    def _decision(self, first: Event) -> Iterator[Step]:
        decision_id = data_of(first).get("decision_id")
        if not isinstance(decision_id, str):
            self.missing.append("The action names no decision of the guard")
            return
        row = decision_rows.find(self.tx, self.org_id, decision_id)
        made = row["created_at"] if row else None
        event = history.of_decision(self.tx, self.org_id, decision_id, first["id"], made)
        if event is None:
            self.missing.append(f"The log holds no event of the decision {decision_id}")
            return
        if row is None:
            self.missing.append(f"The decision {decision_id} is no longer stored; its event has no reasons")
        said = data_of(event)
        kept = {name: said[name] for name in said if name != "action_id" or said[name] is not None}
        self._compare(
            "decision", decision_id, [{**event, "data": kept}], {**row, "decision_id": row["id"]} if row else None
        )
        yield from decision_steps(event, row or said, self._policy_names(row, event))
        yield from self._carried_approval(event)

    def _policy_names(self, row: Mapping[str, Any] | None, event: Event) -> dict[str, str]:
        """The names that the matched policies had when the decision was made, from the log of their changes."""
        found = {}
        for policy_id in (row or {}).get("matched_policies") or ():
            change = history.newest_before(self.tx, self.org_id, "policy", policy_id, event["id"])
            policy = data_of(change).get("policy") if change else None
            if isinstance(policy, Mapping):
                found[policy_id] = str(policy.get("name"))
        return found

    def _carried_approval(self, decision: Event) -> Iterator[Step]:
        """How the approval was given that an identical action passed on to this one."""
        for event in history.same_change(self.tx, dict(decision), "action.updated"):
            approval = data_of(event).get("approval") or {}
            same = event["agent_id"] == decision["agent_id"] and event["resource_id"] != self.action_id
            if not same or approval.get("used_at") != decision["created_at"]:
                continue
            logged = history.of_record(self.tx, self.org_id, "action", event["resource_id"])
            for before, after in pairwise(logged):
                yield from (step for step in later_steps(after, data_of(before)) if step.kind == "approval")

    def _loops(self) -> Iterator[Step]:
        for event in self._records("loop", loops):
            yield loop_step(event)

    def _assumptions(self) -> Iterator[Step]:
        for event in self._records("assumption", assumptions):
            yield assumption_step(event)

    def _records(self, kind: str, table: Table) -> Iterator[Event]:
        """The events of every loop or assumption of the action, the ones included that were removed."""
        id_column = f"{kind}_id"
        stored = {row[id_column]: row for row in loop_rows.of_action(self.tx, table, self.org_id, self.action_id)}
        since = self.logged[0]["created_at"]
        named = history.naming(self.tx, self.org_id, kind, since, "action_id", self.action_id)
        for record_id in self._bounded(kind, [*stored, *(name for name in named if name not in stored)]):
            logged = history.of_record(self.tx, self.org_id, kind, record_id)
            if not logged:
                self.missing.append(f"The log holds no event of the {kind} {record_id}")
                continue
            own = [{**event, "data": _without(data_of(event), _OF_PARENT)} for event in logged]
            self._compare(kind, record_id, own, stored.get(record_id))
            yield from logged

    def _sub_actions(self) -> Iterator[Step]:
        action = {"org_id": self.org_id, "action_id": self.action_id}
        stored = [row["action_id"] for row in action_rows.children(self.tx, action, MOST_RECORDS)]
        since = self.logged[0]["created_at"]
        named = history.naming(self.tx, self.org_id, "action", since, "parent_action_id", self.action_id)
        for child in self._bounded("sub-action", [*stored, *(name for name in named if name not in stored)]):
            logged = history.of_record(self.tx, self.org_id, "action", child)
            if not logged:
                self.missing.append(f"The log holds no event of the sub-action {child}")
                continue
            yield relative_step("sub_action", logged[0], began=True)
            ended = next((event for event in logged if data_of(event).get("status") in _FINAL), None)
            if ended is not None:
                yield relative_step("sub_action", ended, began=False)

    def _bounded(self, kind: str, ids: Sequence[str]) -> Sequence[str]:
        if len(ids) > MOST_RECORDS:
            self.missing.append(f"Only {MOST_RECORDS} {kind}s are shown")
        return ids[:MOST_RECORDS]

    def _compare(self, kind: str, record_id: str, logged: Sequence[Event], stored: Mapping[str, Any] | None) -> None:
        """Note where a stored row is not what its last event says."""
        told = data_of(logged[-1])
        if stored is None:
            self.differences.append({"record": {"type": kind, "id": record_id}, "problem": "missing", "fields": []})
            return
        fields = _differing(told, json.loads(compact(dict(stored))))
        if fields:
            self.differences.append({"record": {"type": kind, "id": record_id}, "problem": "differs", "fields": fields})

    def _wire(self, steps: Sequence[Step]) -> list[dict[str, Any]]:
        entries = history.entries(self.tx, self.org_id, (step.event["id"] for step in steps))
        befores: list[Step | None] = [None, *steps]
        return [
            _step(number, before, step, entries.get(step.event["id"]))
            for number, (before, step) in enumerate(zip(befores, steps, strict=False), 1)
        ]


def _step(number: int, before: Step | None, step: Step, entry: Mapping[str, Any] | None) -> dict[str, Any]:
    event = step.event
    return {
        "number": number,
        "kind": step.kind,
        "title": step.title,
        "tone": step.tone,
        "at": event["created_at"],
        "since_previous_ms": None if before is None else _milliseconds(before.event, event),
        "actor": {"type": event["actor_type"], "id": event["actor_id"]},
        "record": {"type": event["resource_type"], "id": event["resource_id"]},
        "event": {"id": event["id"], "name": event["event"]},
        "entry": entry,
        "details": {name: value for name, value in step.details.items() if value not in (None, "", [], {})},
        "changes": list(step.changes),
    }


def _reach(steps: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many of the events behind the steps the chain holds."""
    entries = {step["event"]["id"]: step["entry"] for step in steps}
    linked = [entry for entry in entries.values() if entry is not None]
    erased = sum(bool(entry["erased"]) for entry in linked)
    return {"events": len(entries), "linked": len(linked), "unlinked": len(entries) - len(linked), "erased": erased}


def _milliseconds(before: Event, after: Event) -> float:
    """From one event to another; negative when the effect was recorded first."""
    passed = moment(after["created_at"]) - moment(before["created_at"])
    return round(passed.total_seconds() * 1000, 3)


def _without(data: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


def _differing(told: Mapping[str, Any], stored: Mapping[str, Any], prefix: str = "") -> list[dict[str, Any]]:
    """The fields that both know and that differ; parts of an object are named `object.part`."""
    found: list[dict[str, Any]] = []
    for name, value in told.items():
        if name not in stored or stored[name] == value:
            continue
        if isinstance(value, dict) and isinstance(stored[name], dict) and name == "approval":
            found += _differing(value, stored[name], f"{name}.")
        else:
            found.append({"name": prefix + name, "log": value, "stored": stored[name]})
    return found
