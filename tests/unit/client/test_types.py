"""The types name what the runtime answers: every key, with a value of its type."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dashclaw import DashClaw, types

from .steps import STEPS, embedded_results

# What only some servers or some answers have.
SOMETIMES = {
    "Action.verified",
    "ActivityEntry.ip_address",
    "Assumption.action_status",
    "Assumption.drift_score",
    "AssumptionAnswer.assumption_id",
    "AssumptionAnswer.security",
    "ConnectionsAnswer.errors",
    "CreatedAction.warnings",
    "CreatedOrganization.warnings",
    "GuardDecision.approvals",
    "GuardDecision.digest",
    "GuardDecision.signals",
    "Loop.action_status",
    "MessageThreadAnswer.security",
    "Organization.active_keys",
    "OrganizationAnswer.warnings",
    "SentMessage.warnings",
    "SharedDocAnswer.security",
    "SharedDocAnswer.versions",
    "TokenAnswer.warnings",
    "UpdatedAction.warnings",
}


def promised(method: str) -> Any:
    """The type of a method's result, from its definition."""
    text = getattr(DashClaw, method).plan.__annotations__["return"]
    matched = re.fullmatch(r"(?:Call|Flow)\[(\w+)\]", text)
    assert matched is not None, text
    return getattr(types, matched[1])


def unlike(kind: Any, value: Any, where: str) -> Iterator[str]:
    """How a value differs from its type."""
    if typing.get_origin(kind) is typing.Union:
        if value is None:
            return
        (kind,) = (option for option in typing.get_args(kind) if option is not type(None))
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if typing.is_typeddict(kind):
        yield from unlike_object(kind, value)
    elif origin is list and isinstance(value, list):
        for item in value:
            yield from unlike(inner[0], item, where)
    elif origin is typing.Literal:
        if value not in inner:
            yield f"{where}: {value!r} is none of {inner}"
    elif kind is not Any:
        plain = (int, float) if kind is float else origin or kind
        if not isinstance(value, plain) or (isinstance(value, bool) and kind is not bool):
            yield f"{where}: {value!r} is no {kind}"


def unlike_object(kind: Any, value: dict[str, Any]) -> Iterator[str]:
    """How an object differs from its type."""
    fields = typing.get_type_hints(kind)
    for name in sorted({*fields, *value}):
        where = f"{kind.__name__}.{name}"
        if name not in value:
            yield f"{where} is missing"
        elif name not in fields:
            yield f"{where} is not declared"
        else:
            yield from unlike(fields[name], value[name], where)


def test_answers_have_the_keys_and_types_that_are_declared(tmp_path: Path) -> None:
    found: set[str] = set()
    checked = set()
    for (name, _, _), result in zip(STEPS, embedded_results(tmp_path), strict=True):
        if isinstance(result, dict):
            checked.add(name)
            found.update(unlike(promised(name), result, name))
    assert found - {f"{key} is missing" for key in SOMETIMES} == set()
    assert len(checked) > 20
