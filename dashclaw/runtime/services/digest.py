"""The daily digest: what happened on one day, from all sources."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from ..clock import stamp
from ..inputs import Input, Short
from ..operations import Invocation, Operation
from ..prices import dollars
from ..problems import invalid
from ..store import digest as rows

if TYPE_CHECKING:
    from ..store.engine import Tx


class DigestQuery(Input):
    """A day (UTC), today unless it is given, and an agent."""

    date: Short | None = None
    agent_id: Short | None = None


def digest(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Counts of a day and the newest of each kind; ideas, the calendar and the guard's figures are not an agent's."""
    query: DigestQuery = call.query
    day = _day(tx, call, query)
    found: dict[str, Any] = {}
    for source in rows.SOURCES:
        total = rows.total(tx, source, day)
        found[source.name] = {"total": total, "items": rows.newest(tx, source, day) if total else []}
    found["actions"] |= rows.action_figures(tx, day)
    guard, tokens = rows.guard_figures(tx, day), rows.token_figures(tx, day)
    found["guard"] = {"total": sum(guard.values()), **guard}
    found["tokens"] = {
        "reports": tokens["n"],
        "tokens_in": tokens["tokens_in"],
        "tokens_out": tokens["tokens_out"],
        "cost_usd": dollars(tokens["cost"]),
    }
    # A lesson is a decision, so it is no activity of its own.
    together = sum(found[source.name]["total"] for source in rows.SOURCES if source.only is None)
    summary = {f"{source.one}_count": found[source.name]["total"] for source in rows.SOURCES}
    return {
        "date": day.since[:10],
        "agent_id": query.agent_id,
        "digest": found,
        "summary": {"total_activities": together, **summary},
        **{f"{source.name}_count": found[source.name]["total"] for source in rows.SOURCES},
    }


def _day(tx: Tx, call: Invocation, query: DigestQuery) -> rows.Day:
    text = tx.stamp[:10] if query.date is None else query.date
    try:
        chosen = dt.date.fromisoformat(text)
        begun = dt.datetime(chosen.year, chosen.month, chosen.day, tzinfo=dt.timezone.utc)
        ends = begun + dt.timedelta(days=1)
    except (ValueError, OverflowError):
        raise invalid("date", "must be a day such as 2026-01-31") from None
    return rows.Day(call.caller.org_id, stamp(begun), stamp(ends), query.agent_id)


OPERATIONS = (
    Operation(
        "get_daily_digest",
        "GET",
        "/api/digest",
        digest,
        "Show what happened on a day",
        "digest",
        query=DigestQuery,
        role="readonly",
        slow=True,
    ),
)
