"""Erases what was written about an action, so that its chain still verifies and says who erased it and why.

An entry commits to SHA-256(salt ‖ data). The salt is the entry's own content key: once it and the data are destroyed,
no guess at the data can be tested against the commitment, and nothing that was linked has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from ..clock import moment, stamp
from ..feed import last_event
from ..identity import Caller
from ..lifecycle import FINAL, publish
from ..problems import conflict, invalid, not_found
from ..store import actions as action_rows
from ..store import decisions as decision_rows
from ..store import erasure as rows
from ..store import history
from ..store import learning as learning_rows
from ..store import loops as loop_rows
from ..store.messages import MESSAGES
from ..store.tables import DECISION_ERASED, assumptions, loops
from .scrub import (
    ACTION_TEXTS,
    ASSUMPTION_TEXTS,
    FIELDS,
    LOOP_TEXTS,
    MESSAGE_TEXTS,
    changes,
    decision_changes,
    holds_text,
    widened,
)
from .sequencer import link_within
from .spans import Spans

if TYPE_CHECKING:
    from ..store.engine import Tx

ERASED_EVENT = "evidence.erased"
# Asked for before the action was created, or after, a decision about the same body is about the same text.
_AROUND = timedelta(hours=24)
MOST_NAMED = 100
# Copies of an action's text, or hashes by which a guess at it could be tested.
_COPIES = frozenset({"signal", "signature", "recommendation"})
# What these say is in force, or is about an action or a decision and goes with it.
_KEPT = frozenset({"action", "api_key", "evidence", "evidence_key", "identity", "organization", "policy"})


class Found(NamedTuple):
    """What a search of the log found: changes that name the action, and the last event that was looked at."""

    events: Sequence[Mapping[str, Any]]
    until: int


def search(tx: Tx, org_id: str, action_id: str, before: Found | None = None) -> Found:
    """Look through the log for changes that name an action, going on after an earlier search.

    Reads every change since the action was created: to be done outside the transaction that erases.
    """
    if before is None:
        logged = history.of_record(tx, org_id, "action", action_id)
        before = Found((), logged[0]["id"] - 1 if logged else 0)
    until = last_event(tx, org_id)
    return Found([*before.events, *rows.naming(tx, org_id, action_id, before.until)], until)


def _is_kept(event: Mapping[str, Any]) -> bool:
    return event["resource_type"] in _KEPT or event["event"].startswith("guard.")


class Erasure:
    """One erasure in one transaction: what is to go is collected, destroyed at once, and told."""

    def __init__(self, tx: Tx, caller: Caller, reason: str, fields: Iterable[str] = FIELDS) -> None:
        self._tx = tx
        self._caller = caller
        self._org_id = caller.org_id
        self._reason = reason
        self._fields = widened(fields)
        self._events: dict[int, None] = {}
        self._records: dict[str, int] = {}
        self._named: list[dict[str, Any]] = []
        self._same: list[str] = []

    def action(self, action_id: str, found: Found | None) -> dict[str, Any]:
        """Erase the text about one action; raises `Problem` 404, or 409 while it runs or waits."""
        row = action_rows.lock(self._tx, self._org_id, action_id)
        if row is None:
            raise not_found("action", action_id)
        if row["status"] not in FINAL:
            raise conflict(
                f"The action is {row['status']}: its text is still needed; erase it once it has ended", "ACTION_OPEN"
            )
        self._same = action_rows.same_body(self._tx, row)
        decisions = self._decisions_about(row)
        with rows.overwriting(self._tx):
            self._live(row)
            self._hanging(row)
            self._collect(row, search(self._tx, self._org_id, action_id, found))
            return self._end({"action_id": action_id}, "action", action_id, decisions, row)

    def decision(self, decision_id: str) -> dict[str, Any]:
        """Erase the text of a decision without an action; raises `Problem` 404, or 409 when it has one."""
        row = decision_rows.find(self._tx, self._org_id, decision_id)
        if row is None:
            raise not_found("decision", decision_id)
        if row["action_id"] and action_rows.find(self._tx, self._org_id, row["action_id"]) is not None:
            raise conflict(f"The decision belongs to the action {row['action_id']}: erase that")
        with rows.overwriting(self._tx):
            return self._end({"decision_id": decision_id}, "decision", decision_id, [row])

    def events(self, event_ids: Sequence[int]) -> dict[str, Any]:
        """Erase the data of single events; raises `Problem` 404, or 400 for those of what is in force."""
        found = {event["id"]: event for event in rows.by_ids(self._tx, self._org_id, event_ids)}
        for event_id in event_ids:
            if event_id not in found:
                raise not_found("event", str(event_id))
            if _is_kept(found[event_id]):
                name = found[event_id]["event"]
                raise invalid("event_ids", f"{event_id} is {name}: give the action_id or decision_id that it is about")
        self._events.update(dict.fromkeys(event_ids))
        with rows.overwriting(self._tx):
            return self._end({"event_ids": sorted(set(event_ids))}, "event", str(min(event_ids)), [])

    def _decisions_about(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        made = moment(row["created_at"])
        return rows.decisions_about(self._tx, row, stamp(made - _AROUND), stamp(made + _AROUND))

    def _live(self, row: Mapping[str, Any]) -> None:
        clean = changes(row, [name for name in ACTION_TEXTS if name in self._fields])
        if "approvals" in self._fields:
            clean |= changes(row, ["approval_reason"])
            self._count("approvals", rows.votes(self._tx, self._org_id, row["action_id"]))
        # Both are hashes of the whole body, by which a guess at any of its texts could be tested.
        clean |= {name: None for name in ("digest", "signature") if row[name] is not None}
        if clean:
            action_rows.change(self._tx, row, {**clean, "updated_at": self._tx.stamp})
            self._count("actions", 1)

    def _hanging(self, row: Mapping[str, Any]) -> None:
        """Erase the rows of what hangs on the action."""
        org_id, action_id = self._org_id, row["action_id"]
        for name, table, texts in (("loops", loops, LOOP_TEXTS), ("assumptions", assumptions, ASSUMPTION_TEXTS)):
            for found in loop_rows.of_action(self._tx, table, org_id, action_id):
                if name in self._fields and (clean := changes(found, texts)):
                    loop_rows.change(self._tx, table, org_id, found[f"{name[:-1]}_id"], clean)
                    self._count(name, 1)
        for found in rows.recommendation_events_about(self._tx, org_id, action_id):
            if "metadata" in self._fields and (clean := changes(found, ("metadata", "details"))):
                learning_rows.EVENTS.change(self._tx, org_id, found["id"], clean)
                self._count("recommendation_events", 1)
        if "messages" in self._fields:
            self._messages(action_id, row["created_at"])

    def _messages(self, action_id: str, since: str) -> None:
        about = rows.messages_about(self._tx, self._org_id, action_id, since)
        for found in about:
            if clean := changes(found, MESSAGE_TEXTS):
                MESSAGES.change(self._tx, self._org_id, found["id"], clean)
                self._count("messages", 1)
        ids = [found["id"] for found in about]
        self._count("attachments", rows.drop_attachments(self._tx, self._org_id, ids))
        self._events.update((event["id"], None) for event in rows.of_records(self._tx, self._org_id, "message", ids))

    def _collect(self, row: Mapping[str, Any], found: Found) -> None:
        """Find the events whose data goes, and those that name the action and stay."""
        action_id = row["action_id"]
        about = rows.of_records(self._tx, self._org_id, "action", [action_id])
        for kind, table in (("loop", loops), ("assumption", assumptions)):
            kept = [item[f"{kind}_id"] for item in loop_rows.of_action(self._tx, table, self._org_id, action_id)]
            about += rows.of_records(self._tx, self._org_id, kind, kept)
        for event in found.events:
            kind, data = event["resource_type"], event["data"]
            hangs = kind in ("loop", "assumption") and isinstance(data, dict) and data.get("action_id") == action_id
            if hangs or kind in _COPIES:
                about.append(dict(event))
            elif not _is_kept(event) and event["id"] not in self._events:
                named = {name: event[name] for name in ("id", "event", "resource_type", "resource_id")}
                self._named.append(named)
        for event in about:
            if holds_text(event["resource_type"], event["data"], self._fields):
                self._events[event["id"]] = None

    def _end(
        self,
        target: Mapping[str, Any],
        kind: str,
        target_id: str,
        decisions: Sequence[Mapping[str, Any]],
        action: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Destroy what was collected, link it all, and tell; nothing is told when nothing was left to erase."""
        tx, org_id = self._tx, self._org_id
        earlier = self._earlier(target_id)
        changed = [found for row in decisions if (found := self._decision(row)) is not None]
        link_within(tx, org_id)
        places = rows.entries(tx, org_id, self._events)
        # An event that somebody took out of the chain loses its text as well.
        fresh = sorted(event_id for event_id in self._events if not places.get(event_id, (0, False))[1])
        rows.shred(tx, org_id, fresh)
        self._copies(fresh, [target_id, *(str(row["id"]) for row in decisions)] if kind != "event" else [])
        spans = Spans((places[event_id][0], places[event_id][0]) for event_id in fresh if event_id in places)
        said = {
            **target,
            "entries": [list(span) for span in spans],
            "records": {name: count for name, count in self._records.items() if count},
            "reason": self._reason,
            "fields": [name for name in FIELDS if name in self._fields] if kind == "action" else [],
            "by": {"type": self._caller.actor_type, "id": self._caller.actor_id, "name": self._caller.operator},
            "at": tx.stamp,
        }
        # Kept answers go anyway within a day; an earlier erasure may be among them.
        told = bool(fresh or said["records"].keys() - {"answers"})
        if told:
            self._tell(said, target_id, changed, action)
            link_within(tx, org_id)
        for _, (seq, erased) in sorted(places.items()):
            if erased:
                earlier.add(seq)
        return {
            **said,
            "erased": told,
            "events": len(fresh),
            "already_erased": [list(span) for span in earlier],
            "also_named_in": self._named[:MOST_NAMED],
            "same_body": self._same,
        }

    def _earlier(self, target_id: str) -> Spans:
        """The entries that earlier erasures of the same target name."""
        found = Spans()
        for event in rows.of_records(self._tx, self._org_id, "evidence", [target_id]):
            if event["event"] == ERASED_EVENT:
                for first, last in event["data"]["entries"]:
                    found.add(first, last)
        return found

    def _decision(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """Erase one decision and collect its event; returns what is to be told of it, None for nothing new."""
        tx = self._tx
        event = history.of_decision(tx, self._org_id, row["id"], last_event(tx, self._org_id), row["created_at"])
        if event is not None:
            # It holds a hash over the row.
            self._events[event["id"]] = None
        clean = decision_changes(row)
        if not clean:
            return None
        self._count("decisions", 1)
        names = ("decision", "action_type", "action_id", "agent_id", "risk_score", "policy_set", "created_at")
        digest = decision_rows.erase(tx, self._org_id, row["id"], clean)
        return {"decision_id": row["id"], **{name: row[name] for name in names}, "row": digest}

    def _copies(self, event_ids: Sequence[int], names: Sequence[str]) -> None:
        """Erase what was kept for others: deliveries to webhooks, and answers for requests that are repeated."""
        self._count("deliveries", rows.empty_deliveries(self._tx, self._org_id, event_ids))
        if names:
            self._count("answers", rows.forget_answers(self._tx, self._org_id, names))

    def _tell(
        self,
        said: Mapping[str, Any],
        target_id: str,
        decisions: Iterable[Mapping[str, Any]],
        action: Mapping[str, Any] | None,
    ) -> None:
        """Say what was erased, and how the rows stand now, so that they can be compared with the log again."""
        tx = self._tx
        agent_id = action["agent_id"] if action else None
        tx.emit(self._caller, ERASED_EVENT, "evidence", target_id, said, agent_id)
        for found in decisions:
            tx.emit(self._caller, DECISION_ERASED, "decision", found["decision_id"], found, found["agent_id"])
        now = action_rows.find(tx, self._org_id, target_id) if action else None
        if now is not None:
            publish(tx, self._caller, "action.updated", now)

    def _count(self, name: str, by: int) -> None:
        self._records[name] = self._records.get(name, 0) + by
