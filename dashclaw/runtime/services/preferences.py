"""User preferences: what was observed, preferred, felt and tried, on one path by `type`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import create_model

from ..inputs import Input, read_input
from ..operations import Invocation, Operation
from ..store.tables import approaches, moods, observations, preferences
from .kinds import AgentPage, Kind, fields_of
from .loops import filters_of

if TYPE_CHECKING:
    from ..store.engine import Tx


def _counts(_: Tx, given: Mapping[str, Any], known: Mapping[str, Any] | None) -> dict[str, Any]:
    before = known or {"success_count": 0, "fail_count": 0}
    succeeded = given.get("succeeded")
    return {
        "success_count": before["success_count"] + (succeeded is True),
        "fail_count": before["fail_count"] + (succeeded is False),
    }


OBSERVATIONS = Kind("observation", "uo", observations)
PREFERENCES = Kind("preference", "up", preferences, first=("confidence",))
MOODS = Kind("mood", "um", moods)
APPROACHES = Kind(
    "approach",
    "ua",
    approaches,
    plural="approaches",
    key=("agent_id", "approach"),
    first=("success_count",),
    fill=_counts,
)
_KINDS = (OBSERVATIONS, PREFERENCES, MOODS, APPROACHES)
_BY_NAME = {kind.name: kind for kind in _KINDS}
_BY_PLURAL = {kind.plural: kind for kind in _KINDS}


def _any_of(kinds: tuple[Kind, ...]) -> type[Input]:
    """The model of all kinds together; what one of them requires its own model asks for."""
    fields: dict[str, Any] = {}
    for kind in kinds:
        for name, (form, default) in fields_of(kind.table).items():
            fields[name] = (form | None, None) if default is ... else (form, default)
    fields["type"] = (Literal["observation", "preference", "mood", "approach"], ...)
    return create_model("PreferenceInput", __base__=Input, __doc__="Something about the user.", **fields)


class PreferencePage(AgentPage):
    """Which of the four to list, or a summary of them."""

    type: Literal["summary", "observations", "preferences", "moods", "approaches"] = "summary"


def record(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Record what `type` says; an approach that is known gets its counts moved."""
    kind = _BY_NAME[call.body.type]
    body = read_input(kind.body, {name: value for name, value in call.raw.items() if name != "type"})
    return kind.store(tx, call.caller, body)


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """The records of one type, or the summary."""
    query: PreferencePage = call.query
    filters = filters_of(query, ("agent_id",))
    if query.type == "summary":
        return {"summary": _summary(tx, call.caller.org_id, filters)}
    return _BY_PLURAL[query.type].page(tx, call.caller, query, filters)


def _summary(tx: Tx, org_id: str, filters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "observations_count": OBSERVATIONS.top(tx, org_id, filters, 0)[1],
        "preferences": PREFERENCES.top(tx, org_id, filters, 20)[0],
        "recent_moods": MOODS.top(tx, org_id, filters, 5)[0],
        "top_approaches": APPROACHES.top(tx, org_id, filters, 10)[0],
    }


OPERATIONS = (
    Operation(
        "record_preference",
        "POST",
        "/api/preferences",
        record,
        "Record an observation, preference, mood or approach",
        "preferences",
        body=_any_of(_KINDS),
        status=201,
    ),
    Operation(
        "get_preferences",
        "GET",
        "/api/preferences",
        listing,
        "List or sum up preferences",
        "preferences",
        query=PreferencePage,
        role="readonly",
    ),
)
