"""Decisions found by what no index leads to; a search looks through a bounded number of the newest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Text, cast, or_, select

from .engine import decode
from .tables import guard_decisions

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from .engine import Tx

_D = guard_decisions.c
# Reading so many takes less than 0.1 s where none of them fits.
MOST_READ = 25_000
# Farther on nobody counts.
MOST_COUNTED = 10_000
_EQUAL = ("agent_id", "decision", "action_type")


class Found(NamedTuple):
    """A page of decisions, newest first; `total` counts up to `MOST_COUNTED`.

    `since` is the moment from which on was searched, where older decisions were left out.
    """

    rows: list[dict[str, Any]]
    total: int
    since: str | None


def search(tx: Tx, org_id: str, filters: Mapping[str, Any], size: int, offset: int) -> Found:
    """Decisions that fit every filter: agent_id, decision, action_type, policy_id, system, risk_min, risk_max,
    since, until, degraded, search (in reasons, warnings and context).
    """
    where = [_D.org_id == org_id, *_fitting(filters)]
    bound = _bound(tx, [_D.org_id == org_id, *_ranges(filters)])
    if bound is not None:
        where.append(_D.created_at >= bound)
    newest = (_D.created_at.desc(), _D.id.desc())
    # Read once, for the count and for the page.
    most = max(MOST_COUNTED, offset + size)
    fits = [row["id"] for row in tx.all(select(_D.id).where(*where).order_by(*newest).limit(most))]
    here = fits[offset : offset + size]
    rows = tx.all(select(guard_decisions).where(_D.id.in_(here)).order_by(*newest)) if here else []
    return Found([decode(guard_decisions, row) for row in rows], min(len(fits), MOST_COUNTED), bound)


def _bound(tx: Tx, indexed: list[ColumnElement[bool]]) -> str | None:
    """The moment of the oldest decision that is read, where there are more than `MOST_READ`."""
    query = select(_D.created_at).where(*indexed).order_by(_D.created_at.desc()).limit(1).offset(MOST_READ)
    found: str | None = tx.scalar(query)
    return found


def _ranges(filters: Mapping[str, Any]) -> Iterator[ColumnElement[bool]]:
    """What an index leads to: one agent's or one kind of decision, between two moments."""
    if "since" in filters:
        yield _D.created_at >= filters["since"]
    if "until" in filters:
        yield _D.created_at < filters["until"]
    if "agent_id" in filters:
        yield _D.agent_id == filters["agent_id"]
    elif "decision" in filters:
        yield _D.decision == filters["decision"]


def _fitting(filters: Mapping[str, Any]) -> Iterator[ColumnElement[bool]]:
    yield from _ranges({name: filters[name] for name in ("since", "until") if name in filters})
    for name in _EQUAL:
        if name in filters:
            yield _D[name] == filters[name]
    if "risk_min" in filters:
        yield _D.risk_score >= filters["risk_min"]
    if "risk_max" in filters:
        yield _D.risk_score <= filters["risk_max"]
    if "degraded" in filters:
        yield _D.degraded == int(filters["degraded"])
    if "policy_id" in filters:
        yield cast(_D.matched_policies, Text).contains(f'"{filters["policy_id"]}"', autoescape=True)
    if "system" in filters:
        yield cast(_D.context, Text).icontains(filters["system"], autoescape=True)
    if "search" in filters:
        texts = (cast(column, Text) for column in (_D.reasons, _D.warnings, _D.context))
        yield or_(*(text.icontains(filters["search"], autoescape=True) for text in texts))
