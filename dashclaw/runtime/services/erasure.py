"""Erasure: take out of the record what was written about an action, on request."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, StringConstraints, field_validator

from ..evidence import erasure
from ..evidence.scrub import FIELDS, FieldName
from ..evidence.sequencer import link_all
from ..inputs import Input, Short, no_bool
from ..lifecycle import expire_due
from ..operations import Invocation, Operation
from ..problems import invalid
from ..redaction import redact_fields
from ..store import actions
from ..store.erasure import empty_log

if TYPE_CHECKING:
    from ..runtime import Runtime
    from ..store.engine import Tx

log = logging.getLogger("dashclaw")

Reason = Annotated[str, StringConstraints(min_length=3, max_length=500, strip_whitespace=True)]
EventId = Annotated[int, Field(ge=1, le=2**62)]


class ErasureInput(Input):
    """What to erase: one action, one decision without an action, or the data of single events; and why."""

    action_id: Short | None = None
    decision_id: Short | None = None
    event_ids: Annotated[list[EventId], Field(min_length=1, max_length=1000)] | None = None
    reason: Reason
    fields: Annotated[list[FieldName], Field(min_length=1, max_length=len(FIELDS))] | None = None

    @field_validator("event_ids", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        return [no_bool(item) for item in value] if isinstance(value, list) else value


def prepare(runtime: Runtime, call: Invocation) -> erasure.Found | None:
    """Link what is there and look through the log, before the transaction that keeps other writers waiting."""
    body: ErasureInput = call.body
    expire_due(runtime, call.caller.org_id)
    link_all(runtime.store, call.caller.org_id)
    if body.action_id is None:
        return None
    with runtime.store.read() as tx:
        if actions.find(tx, call.caller.org_id, body.action_id) is None:
            return None
        return erasure.search(tx, call.caller.org_id, body.action_id)


def _check(body: ErasureInput) -> None:
    """Raise `Problem` 400 for a request that names no target or several, or something unknown."""
    given = [name for name in ("action_id", "decision_id", "event_ids") if getattr(body, name) is not None]
    if len(given) != 1:
        raise invalid("action_id", "or decision_id or event_ids is required: give exactly one of them")
    if body.fields is not None and body.action_id is None:
        raise invalid("fields", "can only be chosen for an action_id")
    if body.unknown:
        # A misspelt field would erase more than was meant.
        raise invalid(min(body.unknown), "is not a field of an erasure")


def erase(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Erase, and say what was erased now and what had been before."""
    body: ErasureInput = call.body
    _check(body)
    reason, _ = redact_fields({"reason": body.reason}, ("reason",))
    work = erasure.Erasure(tx, call.caller, reason["reason"], FIELDS if body.fields is None else body.fields)
    if body.action_id is not None:
        return work.action(body.action_id, call.prepared)
    if body.decision_id is not None:
        return work.decision(body.decision_id)
    return work.events(body.event_ids or [])


def finish(runtime: Runtime) -> None:
    """Leave no copy in SQLite's log either; when somebody is reading, it goes with a later one."""
    if not empty_log(runtime.store):
        log.info("The write-ahead log is in use; what was erased goes out of it later")


OPERATIONS = (
    Operation(
        "erase_evidence",
        "POST",
        "/api/evidence/erase",
        erase,
        "Erase what was written about an action; the chain still verifies",
        "evidence",
        body=ErasureInput,
        role="admin",
        prepare=prepare,
        slow=True,
        finish=finish,
    ),
)
