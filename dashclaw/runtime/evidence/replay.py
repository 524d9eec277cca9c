"""What happened to one action, rebuilt from the log of events and then compared with what the tables hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dashclaw._json import compact

from ..action_rows import action_row
from ..clock import moment
from ..policy_sets import BadPolicySetError, checked, read_policy
from ..store import action_digests, history, policy_sets
from ..store import actions as action_rows
from ..store import loops as loop_rows
from ..store.decisions import row_digest
from ..store.engine import decode
from ..store.tables import DECISION_MADE, assumptions, guard_decisions, loops
from .steps import (
    Event,
    Step,
    assumption_step,
    data_of,
    decision_steps,
    erasure_step,
    first_step,
    intent_step,
    later_steps,
    loop_step,
    other_step,
    relative_step,
    restated_step,
    signature_step,
)

if TYPE_CHECKING:
    from sqlalchemy import Table

    from ..store.engine import Tx

MOST_RECORDS = 100
_FINAL = frozenset({"completed", "failed", "cancelled", "blocked"})
_SHOWN = ("action_id", "declared_goal", "agent_id", "agent_name", "action_type", "status", "resolution", "risk_score")
# What a table keeps as NULL and the wire may show as empty.
_NOTHING: tuple[Any, ...] = (None, {}, [])
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
        self.erasures = history.of_record(tx, org_id, "evidence", action_id)
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
        stored = {**action_row(self.row), "row": self._digest()} if self.row else None
        self._compare("action", self.action_id, data_of(self.logged[-1]), stored)
        said = self._said(first)
        yield from self._parent(said)
        yield intent_step(first, said)
        yield from self._signature(first)
        yield from self._decision(first, said)
        yield from first_step(first) if first["event"] == "action.created" else ()
        later = [
            *self._own(),
            *self._loops(),
            *self._assumptions(),
            *self._sub_actions(),
            *map(erasure_step, self.erasures),
        ]
        yield from sorted(later, key=lambda step: int(step.event["id"]))

    def _digest(self) -> str:
        return action_digests.digest(self.tx, self.org_id, self.action_id)

    def _said(self, first: Event) -> Mapping[str, Any]:
        """What the first event says or, where its text was erased, the next one that says anything."""
        return data_of(first) or next((data_of(event) for event in self.logged if data_of(event)), {})

    def _own(self) -> Iterator[Step]:
        before = data_of(self.logged[0])
        erased_at = {event["created_at"] for event in self.erasures}
        for event in self.logged[1:]:
            if event["event"] != "action.updated":
                yield other_step(event)
            elif event["created_at"] in erased_at and data_of(event):
                yield restated_step(event)
            else:
                yield from later_steps(event, before, self._moved_to(event))
                yield from self._signature(event)
            before = data_of(event) or before

    def _signature(self, event: Event) -> Iterator[Step]:
        """The signature of the request that an event came from, if it had one."""
        found = history.followed_by(self.tx, event, "signature.verified")
        if found is not None and data_of(found).get("action_id", self.action_id) == self.action_id:
            yield signature_step(found)

    def _moved_to(self, event: Event) -> dict[str, Any] | None:
        """Who took over the approval with an event, if it was not the action itself that began."""
        said = data_of(event)
        used_at = (said.get("approval") or {}).get("used_at")
        if used_at != event["created_at"] or said.get("status") != "cancelled":
            return None
        decision = history.followed_by(self.tx, event, DECISION_MADE)
        if decision is None or decision["agent_id"] != event["agent_id"]:
            return None
        return {"used_by": data_of(decision).get("action_id"), "used_by_decision": decision["resource_id"]}

    def _parent(self, said: Mapping[str, Any]) -> Iterator[Step]:
        parent = said.get("parent_action_id")
        if not isinstance(parent, str):
            return
        found = history.of_record(self.tx, self.org_id, "action", parent)
        if found:
            yield relative_step("parent", found[0], began=True)
        else:
            self.missing.append(f"The log holds no event of the parent action {parent}")

    def _decision(self, first: Event, said: Mapping[str, Any]) -> Iterator[Step]:
        decision_id = said.get("decision_id")
        if not isinstance(decision_id, str):
            self.missing.append("The action names no decision of the guard")
            return
        stored = history.stored_decision(self.tx, self.org_id, decision_id)
        made = stored["created_at"] if stored else None
        event = history.of_decision(self.tx, self.org_id, decision_id, first["id"], made)
        if event is None:
            self.missing.append(f"The log holds no event of the decision {decision_id}")
            return
        row = decode(guard_decisions, stored) if stored else {}
        if stored is None:
            self.missing.append(f"The decision {decision_id} is no longer stored; its event has no reasons")
        self._compare_decision(event, stored, row)
        yield from decision_steps(event, row or data_of(event), self._policies(row, event))
        yield from self._carried_approval(row)

    def _compare_decision(self, event: Event, stored: Mapping[str, Any] | None, row: Mapping[str, Any]) -> None:
        # An erasure tells the row anew.
        later = history.of_record(self.tx, self.org_id, "decision", event["resource_id"])
        said = data_of(later[-1] if later else event)
        # The action is linked to a decision of an earlier pre-check, so that its event does not know it.
        told = {name: value for name, value in said.items() if name != "action_id" or value is not None}
        digest = row_digest(stored) if stored else None
        known = {**row, "decision_id": row.get("id"), "row": digest} if stored else None
        self._compare("decision", event["resource_id"], told, known)

    def _policies(self, row: Mapping[str, Any], event: Event) -> list[dict[str, Any]]:
        """The matched policies as they were when the decision was made: `{id, name, hash}`."""
        known = self._policy_versions(row.get("policy_set"))
        found = []
        for policy_id in row.get("matched_policies") or ():
            version = known.get(policy_id) or {"name": self._logged_name(policy_id, event), "hash": None}
            found.append({"id": policy_id, **version})
        return found

    def _policy_versions(self, name: Any) -> dict[str, dict[str, Any]]:
        """The policies of a set by id; a text that is not the one its hash names is told and not used."""
        if not isinstance(name, str):
            return {}
        try:
            members = json.loads(checked(policy_sets.find(self.tx, self.org_id, name), name))["policies"]
            texts = policy_sets.versions(self.tx, self.org_id, members)
            read = {member: read_policy(checked(texts.get(member), member)) for member in members}
        except BadPolicySetError as error:
            self.missing.append(f"The policies of the decision cannot be shown as they were: {error}")
            return {}
        return {policy.id: {"name": policy.name, "hash": member} for member, policy in read.items()}

    def _logged_name(self, policy_id: str, event: Event) -> str | None:
        change = history.newest_before(self.tx, self.org_id, "policy", policy_id, event["id"])
        policy = data_of(change).get("policy") if change else None
        return str(policy.get("name")) if isinstance(policy, Mapping) else None

    def _carried_approval(self, row: Mapping[str, Any]) -> Iterator[Step]:
        """How the approval was given that an identical action passed on to this one."""
        giver = ((row.get("facts") or {}).get("approval") or {}).get("action_id")
        if not isinstance(giver, str):
            return
        logged = history.of_record(self.tx, self.org_id, "action", giver)
        if not logged:
            self.missing.append(f"The log holds no event of the action {giver}, whose approval was used")
        for before, after in pairwise(logged):
            steps = later_steps(after, data_of(before), self._moved_to(after))
            yield from (
                step._replace(details={**step.details, "given_to": giver}) for step in steps if step.kind == "approval"
            )

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
            told = {name: value for name, value in data_of(logged[-1]).items() if name not in _OF_PARENT}
            self._compare(kind, record_id, told, stored.get(record_id))
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

    def _compare(self, kind: str, record_id: str, told: Mapping[str, Any], stored: Mapping[str, Any] | None) -> None:
        """Note where a stored row is not what its last event says."""
        found: dict[str, Any] = {"record": {"type": kind, "id": record_id}, "problem": "missing", "fields": []}
        if stored is not None:
            fields = _differing(told, json.loads(compact(dict(stored))))
            # The digest of the row differs whenever a field of it does.
            named = [field for field in fields if field["name"] != "row"]
            found |= {"problem": "differs", "fields": named or fields}
        if stored is None or found["fields"]:
            self.differences.append(found)

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


def _differing(told: Mapping[str, Any], stored: Mapping[str, Any], prefix: str = "") -> list[dict[str, Any]]:
    """The fields that both know and that differ; parts of an object are named `object.part`."""
    found: list[dict[str, Any]] = []
    for name, value in told.items():
        if name not in stored or stored[name] == value or (value in _NOTHING and stored[name] in _NOTHING):
            continue
        if isinstance(value, dict) and isinstance(stored[name], dict) and name == "approval":
            found += _differing(value, stored[name], f"{name}.")
        else:
            found.append({"name": prefix + name, "log": value, "stored": stored[name]})
    return found
