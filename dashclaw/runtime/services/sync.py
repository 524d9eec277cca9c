"""Bulk sync: a whole state of an agent in one transaction, section by section, through the services of the sections."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field

from ..claims import with_subject
from ..decisions import body_digest
from ..inputs import Input, NoInput, Short, from_text, read_input
from ..operations import Answer, Invocation, Operation
from ..problems import Problem, invalid
from ..redaction import redact_fields
from ..store import actions as action_rows
from ..store import sync as rows
from ..store.tables import capabilities
from . import actions, context, dashboard, handoffs, outcomes, preferences, reports, snippets
from .kinds import AgentPage, Kind

if TYPE_CHECKING:
    from ..store.engine import Tx

MOST_ERRORS = 100
Few = Annotated[list[Any], Field(max_length=1000), BeforeValidator(from_text)]
Many = Annotated[list[Any], Field(max_length=2000), BeforeValidator(from_text)]
Most = Annotated[list[Any], Field(max_length=5000), BeforeValidator(from_text)]
Parts = Annotated[dict[str, Any], BeforeValidator(from_text)]

CAPABILITIES = Kind("capability", "cap", capabilities, plural="capabilities", key=("agent_id", "name"))


class SyncInput(Input):
    """The state of an agent: any of the sections, each a list of what the section's own route takes."""

    agent_id: Short | None = None
    actions: Many | None = None
    decisions: Many | None = None
    learning: Many | None = None
    goals: Many | None = None
    content: Many | None = None
    inspiration: Many | None = None
    context_points: Most | None = None
    context_threads: Few | None = None
    handoffs: Few | None = None
    snippets: Few | None = None
    relationships: Few | None = None
    connections: Few | None = None
    capabilities: Few | None = None
    preferences: Parts | None = None
    memory: Parts | None = None


Store = Callable[["Tx", Invocation, dict[str, Any]], str]
"""Stores one entry and says what became of it: synced, unchanged, blocked or pending."""


class Section(NamedTuple):
    """One section: how an entry is stored, and the field that a plain text stands for.

    `again` says that an entry may be stored again, because it then changes the record there is; entries of other
    sections are stored once however often they are pushed.
    """

    name: str
    store: Store
    text: str
    again: bool = False


class Outcome:
    """What became of the entries of one section."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {"synced": 0}
        self.errors: list[str] = []

    def wire(self) -> dict[str, Any]:
        """The result of the section; errors beyond the first hundred are only counted."""
        found: dict[str, Any] = dict(self.counts)
        if self.errors:
            found["errors"] = self.errors[:MOST_ERRORS]
        return found


def _by_kind(kind: Kind) -> Store:
    def store(tx: Tx, call: Invocation, entry: dict[str, Any]) -> str:
        kind.store(tx, call.caller, read_input(kind.body, entry))
        return "synced"

    return store


def _by_preference(type_: str) -> Store:
    def store(tx: Tx, call: Invocation, entry: dict[str, Any]) -> str:
        preferences.record(tx, _asking(preferences.OPERATIONS[0], call, {**entry, "type": type_}))
        return "synced"

    return store


def _connection(tx: Tx, call: Invocation, entry: dict[str, Any]) -> str:
    reports.save_connection(tx, call.caller, entry.get("agent_id") or "", entry)
    return "synced"


def _memory(tx: Tx, call: Invocation, entry: dict[str, Any]) -> str:
    reports.report_memory(tx, _named(reports.OPERATIONS, "report_memory_health", call, entry))
    return "synced"


def _interaction(tx: Tx, call: Invocation, entry: dict[str, Any]) -> str:
    # Some clients push the people they know: a name without a summary.
    if "summary" not in entry and "name" in entry:
        entry = {"contact_name": entry["name"], "summary": entry.get("description") or entry["name"], **entry}
    return _by_kind(dashboard.INTERACTIONS)(tx, call, entry)


def _action(tx: Tx, call: Invocation, entry: dict[str, Any]) -> str:
    """Record an action as any other, guard included; one that is there already gets its outcome."""
    known = None
    if isinstance(entry.get("action_id"), str):
        known = action_rows.find(tx, call.caller.org_id, entry["action_id"])
    if known is None:
        asking = _named(actions.OPERATIONS, "create_action", call, entry)
        # Nobody outside is asked within the transaction: a remote check counts as one that did not answer.
        answer = actions.create(tx, asking._replace(prepared={}))
        return {403: "blocked", 202: "pending"}.get(answer.status or 0, "synced")
    if entry.get("status") in (None, known["status"]):
        return "unchanged"
    fields = {name: value for name, value in entry.items() if name in outcomes.OutcomeInput.model_fields}
    asking = _named(outcomes.OPERATIONS, "update_outcome", call, fields)
    outcomes.record_outcome(tx, asking._replace(params={"action_id": entry["action_id"]}))
    return "synced"


SECTIONS = (
    Section("actions", _action, "declared_goal", again=True),
    Section("decisions", _by_kind(dashboard.DECISIONS), "decision"),
    Section("learning", _by_kind(dashboard.DECISIONS), "decision"),
    Section("goals", _by_kind(dashboard.GOALS), "title"),
    Section("content", _by_kind(dashboard.CONTENT), "title"),
    Section("inspiration", _by_kind(reports.IDEAS), "title"),
    Section("context_points", _by_kind(context.POINTS), "content"),
    Section("context_threads", _by_kind(context.THREADS), "name", again=True),
    Section("handoffs", _by_kind(handoffs.HANDOFFS), "summary"),
    Section("snippets", _by_kind(snippets.SNIPPETS), "name", again=True),
    Section("relationships", _interaction, "summary"),
    Section("connections", _connection, "provider", again=True),
    Section("capabilities", _by_kind(CAPABILITIES), "name", again=True),
    Section("memory", _memory, "health", again=True),
)
PREFERENCES = (
    Section("observations", _by_preference("observation"), "observation"),
    Section("preferences", _by_preference("preference"), "preference"),
    Section("moods", _by_preference("mood"), "mood"),
    Section("approaches", _by_preference("approach"), "approach"),
)


def sync_state(tx: Tx, call: Invocation) -> Answer:
    """Store a state; wrong entries are named and the others kept, with status 207, or 400 when none is right."""
    body: SyncInput = call.body
    begun = time.perf_counter()
    agent_id = body.agent_id or call.caller.agent_id or ""
    found = {name: _stored(tx, call, agent_id, parts) for name, parts in _pushed(body)}
    results = {name: outcome.wire() for name, outcome in found.items()}
    synced = sum(n for outcome in found.values() for name, n in outcome.counts.items() if name != "unchanged")
    errors = [error for outcome in found.values() for error in outcome.errors]
    if errors and not any(sum(outcome.counts.values()) for outcome in found.values()):
        raise Problem(400, "VALIDATION_FAILED", "Validation failed", details=errors[:MOST_ERRORS])
    sync_id = _record(tx, call, agent_id, results, synced, len(errors))
    answer = {
        "sync_id": sync_id,
        "results": results,
        "total_synced": synced,
        "total_errors": len(errors),
        "duration_ms": round((time.perf_counter() - begun) * 1000),
    }
    if body.unknown:
        answer["warnings"] = body.warnings()
    return Answer(answer, 207 if errors else 200)


def _pushed(body: SyncInput) -> Iterator[tuple[str, list[tuple[Section, list[Any]]]]]:
    """The sections that were sent, with their entries."""
    for section in SECTIONS:
        entries = getattr(body, section.name)
        if entries is not None:
            yield section.name, [(section, entries if isinstance(entries, list) else [entries])]
    if body.preferences is not None:
        parts = []
        for section in PREFERENCES:
            entries = body.preferences.get(section.name, [])
            if not isinstance(entries, list) or len(entries) > 1000:
                raise invalid(f"preferences.{section.name}", "must be a list of at most 1000")
            parts.append((section, entries))
        unknown = sorted(body.preferences.keys() - {section.name for section in PREFERENCES})
        if unknown:
            raise invalid(f"preferences.{unknown[0]}", "is none of observations, preferences, moods, approaches")
        yield "preferences", parts


def _stored(tx: Tx, call: Invocation, agent_id: str, parts: list[tuple[Section, list[Any]]]) -> Outcome:
    outcome = Outcome()
    for section, entries in parts:
        for place, entry in enumerate(entries):
            try:
                with tx.savepoint():
                    became = _store(tx, call, agent_id, section, entry)
            except Problem as problem:
                outcome.errors.append(f"{section.name}[{place}]: {'; '.join(problem.details) or problem.message}")
            else:
                outcome.counts[became] = outcome.counts.get(became, 0) + 1
    return outcome


def _store(tx: Tx, call: Invocation, agent_id: str, section: Section, entry: Any) -> str:
    if isinstance(entry, str) and entry:
        entry = {section.text: entry}
    if not isinstance(entry, dict):
        raise invalid(section.name, f"must hold objects, or texts that stand for the {section.text}")
    given = {"agent_id": agent_id or None, **{name: value for name, value in entry.items() if value is not None}}
    if call.caller.agent_verified:
        given = with_subject(call.caller, given)
    if section.again:
        return section.store(tx, call, given)
    digest = body_digest(given)
    if rows.is_known(tx, call.caller.org_id, agent_id, section.name, digest):
        return "unchanged"
    became = section.store(tx, call, given)
    rows.remember(tx, call.caller.org_id, agent_id, section.name, digest)
    return became


def _named(operations: tuple[Operation, ...], name: str, call: Invocation, entry: Mapping[str, Any]) -> Invocation:
    operation = next(operation for operation in operations if operation.name == name)
    return _asking(operation, call, entry)


def _asking(operation: Operation, call: Invocation, entry: Mapping[str, Any]) -> Invocation:
    """What a section's own operation would be asked with for an entry; raises `Problem` 400."""
    assert operation.body is not None
    given = {name: value for name, value in entry.items() if value is not None}
    body = read_input(operation.body, given)
    return call._replace(params={}, query=NoInput(), body=body, raw=given)


def _record(tx: Tx, call: Invocation, agent_id: str, results: dict[str, Any], synced: int, errors: int) -> str:
    kept, _ = redact_fields({"metadata": call.body.unknown or None}, ("metadata",))
    sync_id = "sync_" + os.urandom(12).hex()
    row = {
        "org_id": call.caller.org_id,
        "id": sync_id,
        "agent_id": agent_id or None,
        "results": results,
        "total_synced": synced,
        "total_errors": errors,
        "created_at": tx.stamp,
        **kept,
    }
    rows.runs.add(tx, row)
    told = {name: value for name, value in row.items() if name not in ("org_id", "metadata")}
    tx.emit(call.caller, "state.synced", "sync", sync_id, told, agent_id or None)
    return sync_id


SYNCS = Kind("sync", "sync", rows.runs.table)

OPERATIONS = (
    Operation(
        "sync_state",
        "POST",
        "/api/sync",
        sync_state,
        "Push the state of an agent",
        "sync",
        body=SyncInput,
        slow=True,
        signing="required",
        speaker="agent_id",
    ),
    SYNCS.listing("get_syncs", "/api/sync", "List pushed states", "sync"),
    CAPABILITIES.listing("get_capabilities", "/api/agents/capabilities", "List capabilities", "sync", AgentPage),
)
