"""Token usage: what model calls used and cost, per call, agent, model and day."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ..clock import stamp
from ..inputs import Amount, Input, Page, Short, no_bool
from ..operations import Invocation, Operation
from ..prices import Cost, dollars, nano_dollars
from ..problems import invalid
from ..store import tokens as rows

if TYPE_CHECKING:
    from ..store.engine import Tx

# Bounded so that totals of many such calls still fit 64 bits.
Tokens = Annotated[int, Field(ge=0, le=1_000_000_000), BeforeValidator(no_bool)]
Dollars = Annotated[float, Field(ge=0, le=10_000), BeforeValidator(no_bool)]
Few = Annotated[int, Field(ge=0, le=2**31 - 1), BeforeValidator(no_bool)]


class TokenInput(Input):
    """What one model call, or several, used; `cached_tokens` and `cache_write_tokens` are part of `tokens_in`.

    `session_id` and `session_key` are the same; `cost_usd` goes before our own estimate.
    """

    tokens_in: Tokens | None = None
    tokens_out: Tokens | None = None
    agent_id: Short | None = None
    model: Short | None = None
    session_id: Short | None = None
    session_key: Short | None = None
    cached_tokens: Tokens = 0
    cache_write_tokens: Tokens = 0
    cost_usd: Dollars | None = None
    context_used: Tokens = 0
    context_max: Tokens = 200_000
    hourly_pct_left: Amount = 100
    weekly_pct_left: Amount = 100
    compactions: Few = 0


class TokenPage(Page):
    """Filters of the list of reports."""

    agent_id: Short | None = None
    model: Short | None = None
    session_id: Short | None = None


class SummaryQuery(Input):
    """Totals of the last `days`, today included, by day, agent or model."""

    by: Literal["day", "agent", "model"] = "day"
    days: Annotated[int, Field(ge=1, le=366)] = 7
    agent_id: Short | None = None
    model: Short | None = None


def report(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Record usage with its cost, and answer with the agent's totals of today."""
    body: TokenInput = call.body
    if body.tokens_in is None and body.tokens_out is None:
        raise invalid("tokens_in", "or tokens_out is required: how many tokens were used")
    agent_id = body.agent_id or call.caller.agent_id or ""
    cost = _cost(call, body)
    row: dict[str, Any] = {
        "id": "tok_" + os.urandom(12).hex(),
        "org_id": call.caller.org_id,
        "agent_id": agent_id,
        "model": body.model or "unknown",
        "session_key": body.session_id or body.session_key or agent_id or "sdk",
        "session_id": body.session_id or body.session_key,
        "tokens_in": body.tokens_in or 0,
        "tokens_out": body.tokens_out or 0,
        "cached_tokens": body.cached_tokens,
        "cache_write_tokens": body.cache_write_tokens,
        "cost": cost.nano,
        "cost_source": cost.source,
        "context_used": body.context_used,
        "context_max": body.context_max,
        "hourly_pct_left": body.hourly_pct_left,
        "weekly_pct_left": body.weekly_pct_left,
        "compactions": body.compactions,
        "metadata": body.unknown or None,
        "created_at": tx.stamp,
    }
    rows.record(tx, row)
    wire = report_row(row)
    tx.emit(call.caller, "token.usage", "token_report", row["id"], wire, agent_id or None)
    warnings = body.warnings()
    if cost.source == "default":
        warnings.append(f"the model {row['model']!r} has no price; its cost is an estimate on the high side")
    today = rows.on_day(tx, call.caller.org_id, agent_id, tx.stamp[:10])
    answer = {"snapshot": wire, "today": _amounts(today)}
    return {**answer, "warnings": warnings} if warnings else answer


def _cost(call: Invocation, body: TokenInput) -> Cost:
    if body.cost_usd is not None:
        return Cost(nano_dollars(body.cost_usd), "reported")
    return call.runtime.prices.cost(
        body.model or "unknown",
        body.tokens_in or 0,
        body.tokens_out or 0,
        cached_tokens=body.cached_tokens,
        cache_write_tokens=body.cache_write_tokens,
    )


def report_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A report on the wire; costs are US dollars."""
    found = {name: value for name, value in row.items() if name not in ("cost", "created_at")}
    most = row["context_max"]
    return {
        **found,
        "agent_id": row["agent_id"] or None,
        "metadata": row["metadata"] or {},
        "cost_usd": dollars(row["cost"]),
        "context_pct": round(100 * row["context_used"] / most, 1) if most else 0.0,
        "timestamp": row["created_at"],
    }


def _amounts(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "reports": row["n"],
        "tokens_in": row["tokens_in"],
        "tokens_out": row["tokens_out"],
        "cost_usd": dollars(row["cost"]),
    }


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Reports, newest first."""
    query: TokenPage = call.query
    asked = {"agent_id": query.agent_id, "model": query.model, "session_key": query.session_id}
    filters = {name: value for name, value in asked.items() if value is not None}
    found, total = rows.page(tx, call.caller.org_id, filters, query.size, query.offset)
    return {
        "reports": [report_row(row) for row in found],
        "total": total,
        "limit": query.size,
        "offset": query.offset,
        "has_more": query.offset + len(found) < total,
    }


def summary(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Totals by day, agent or model, and of all together."""
    query: SummaryQuery = call.query
    asked = {"agent_id": query.agent_id, "model": query.model}
    filters = {name: value for name, value in asked.items() if value is not None}
    since, until = stamp(tx.now - timedelta(days=query.days - 1))[:10], tx.stamp[:10]
    found = rows.totals(tx, call.caller.org_id, query.by, since, until, filters)
    together = {name: sum(row[name] for row in found) for name in ("n", "tokens_in", "tokens_out", "cost")}
    return {
        "by": query.by,
        "since": since,
        "until": until,
        "usage": [{query.by: row["key"] or None, **_amounts(row)} for row in found],
        "total": _amounts(together),
    }


def prices(_: Tx, call: Invocation) -> dict[str, Any]:
    """The prices in force, in US dollars per million tokens."""
    known = call.runtime.prices
    return {
        "unit": "USD per million tokens",
        "models": {name: price._asdict() for name, price in known.models.items()},
        "default": known.default._asdict(),
    }


OPERATIONS = (
    Operation(
        "report_token_usage",
        "POST",
        "/api/tokens",
        report,
        "Report what model calls used",
        "tokens",
        body=TokenInput,
        status=201,
    ),
    Operation(
        "get_token_usage",
        "GET",
        "/api/tokens",
        listing,
        "List reports of token usage",
        "tokens",
        query=TokenPage,
        role="readonly",
    ),
    Operation(
        "get_token_summary",
        "GET",
        "/api/tokens/summary",
        summary,
        "Total token usage by day, agent or model",
        "tokens",
        query=SummaryQuery,
        role="readonly",
        slow=True,
    ),
    Operation(
        "get_model_prices",
        "GET",
        "/api/tokens/prices",
        prices,
        "Show the prices that costs are estimated with",
        "tokens",
        role="readonly",
    ),
)
