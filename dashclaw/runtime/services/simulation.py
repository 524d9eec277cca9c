"""Policies against history: what a new set would have decided about what was recorded, a part at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field

from ..clock import ago
from ..guard import Policy
from ..inputs import Flag, Input, Name, Short, no_bool, normal_time
from ..operations import Invocation, Operation
from ..policy_sets import policy_set_text
from ..policy_tests import policy_of
from ..problems import conflict, invalid
from ..recorded_facts import Settings
from ..simulation import Simulation
from ..store import decision_history as history
from ..store import policies as policy_rows
from .policy_testing import read_import

if TYPE_CHECKING:
    from ..policy_documents import PolicyDraft
    from ..runtime import Runtime
    from ..store.engine import Tx

_UNITS = {"d": "days", "h": "hours", "m": "minutes"}
_LONGEST = 10_000
_AT_ONCE = 1000
_STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
_CURSOR = re.compile(rf"({_STAMP})\|([\w-]{{0,64}})\|({_STAMP})\|({_STAMP})\|([0-9a-f]{{64}})", re.ASCII)


class SimulationInput(Input):
    """A pack or a YAML text, alone or with the active policies, and which decisions it is put to.

    `newest` takes the last so many decisions only; `limit` is how many one request looks at; `cursor` comes from the
    answer before.
    """

    pack: Name | None = None
    yaml: str | None = None
    with_current: Flag = False
    since: Annotated[str, Field(max_length=64)] = "30d"
    agent_id: Short | None = None
    newest: Annotated[int, Field(ge=1, le=2**53), BeforeValidator(no_bool)] | None = None
    limit: Annotated[int, Field(ge=1, le=_LONGEST), BeforeValidator(no_bool)] = 5000
    cursor: Annotated[str, Field(max_length=300)] | None = None


class _Part(NamedTuple):
    """Where a request begins in the order of time, and the moments of the whole window."""

    after: tuple[str, str]
    since: str
    until: str


def simulate(runtime: Runtime, call: Invocation) -> dict[str, Any]:
    """Evaluate the next decisions of the window; everything is read in one snapshot, before any writer has to wait."""
    body: SimulationInput = call.body
    drafts, _ = read_import(runtime, call)
    own = drawn(drafts)
    with runtime.store.read() as tx:
        active = policy_rows.active(tx, call.caller.org_id) if body.with_current else []
        policies, replaced = together(active, own)
        governance = runtime.policies.get(tx, call.caller.org_id)
        settings = Settings(governance.facts.on_failure, governance.facts.kill_switch)
        name = policy_set_text(policies, **settings._asdict()).hash
        part = _begin(tx, call, name)
        simulation = Simulation(tx, call.caller.org_id, policies, settings)
        after, left = _run(tx, call, simulation, part)
        matching = None
        if body.cursor is None:
            matching = history.count_between(tx, call.caller.org_id, part.after, part.until, body.agent_id)
    return {
        "policy_set": name,
        "policies": len(policies),
        "replaced": replaced,
        "since": part.since,
        "until": part.until,
        **simulation.outcome(),
        "matching": matching,
        "cursor": "|".join((*after, part.since, part.until, name)) if left else None,
        "warnings": body.warnings(),
    }


def drawn(drafts: Iterable[PolicyDraft]) -> list[Policy]:
    """The policies of a document that are not switched off there."""
    return [
        Policy(f"draft_{place}", draft.name, draft.policy_type, draft.rules, tuple(draft.agent_ids))
        for place, draft in enumerate(drafts)
        if draft.active
    ]


def together(rows: Iterable[Mapping[str, Any]], own: Sequence[Policy]) -> tuple[list[Policy], list[str]]:
    """New policies with stored ones, and the names of those in whose place a new one stands."""
    names = {policy.name for policy in own}
    active = [policy_of(row) for row in rows]
    kept = [policy for policy in active if policy.name not in names]
    return [*own, *kept], [policy.name for policy in active if policy.name in names]


def _begin(tx: Tx, call: Invocation, name: str) -> _Part:
    body: SimulationInput = call.body
    if body.cursor is None:
        since = _since(tx, body.since)
        part = _Part((since, ""), since, tx.stamp)
        if body.newest is not None:
            org_id, agent_id = call.caller.org_id, body.agent_id
            before = history.place_of_newest(tx, org_id, part.until, agent_id, body.newest)
            part = part._replace(after=max(part.after, before or part.after))
        return part
    matched = _CURSOR.fullmatch(body.cursor)
    if matched is None:
        raise invalid("cursor", "is none that this operation gave")
    at, decision_id, since, until, expected = matched.groups()
    if expected != name:
        raise conflict("The policies are no longer those that the simulation began with; begin again")
    return _Part((at, decision_id), since, until)


def _since(tx: Tx, text: str) -> str:
    if matched := re.fullmatch(r"(\d{1,5})([dhm])", text, re.ASCII):
        return ago(tx.now, **{_UNITS[matched[2]]: int(matched[1])})
    if re.match(r"\d{4}-\d\d-\d\d", text, re.ASCII) is None:
        raise invalid("since", "is a time such as 30d, 12h, 90m, 2026-03-01 or 2026-03-01T12:00:00Z")
    return normal_time("since", text) or tx.stamp


def _run(tx: Tx, call: Invocation, simulation: Simulation, part: _Part) -> tuple[tuple[str, str], bool]:
    """Evaluate one request's share; returns the place reached, and whether decisions are left."""
    body: SimulationInput = call.body
    after, share = part.after, body.limit
    while share:
        size = min(share, _AT_ONCE)
        rows = history.in_order(tx, call.caller.org_id, after, part.until, body.agent_id, size)
        for row in rows:
            simulation.add(row)
        if len(rows) < size:
            return after, False
        after = (rows[-1]["created_at"], rows[-1]["id"])
        share -= size
    return after, True


def answer(_tx: Tx, call: Invocation) -> Any:
    """What was found out before."""
    return call.prepared


OPERATIONS = (
    Operation(
        "simulate_policies",
        "POST",
        "/api/policies/simulate",
        answer,
        "Show what other policies would have decided about recorded actions; changes nothing",
        "policy testing",
        body=SimulationInput,
        role="admin",
        prepare=simulate,
        slow=True,
    ),
)
