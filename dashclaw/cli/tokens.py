"""`dashclaw tokens`: what model calls used and cost."""

from __future__ import annotations

import argparse

from .arguments import Commands, connection, whole
from .connection import connect
from .output import Output, table


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("tokens", "what model calls used and cost")
    found = group.command(
        "summary",
        summary,
        "total tokens and costs by day, agent or model",
        options=connection(),
        example="dashclaw tokens summary --by agent --days 30 --db dashclaw.db",
    )
    found.add_argument("--by", choices=("day", "agent", "model"), default="day", help="what to add up by (day)")
    found.add_argument("--days", type=whole(1, 366), default=7, metavar="1..366", help="how many days back (7)")
    _filters(found)
    found = group.command(
        "list",
        list_reports,
        "show the newest reports",
        options=connection(),
        example="dashclaw tokens list --agent researcher --db dashclaw.db",
    )
    found.add_argument("--limit", type=whole(1, 200), default=50, metavar="1..200", help="how many to show (50)")
    _filters(found)
    found = group.command(
        "prices",
        prices,
        "show the prices that costs are estimated with",
        options=connection(),
        example="dashclaw tokens prices --db dashclaw.db",
    )
    found.add_argument("--model", metavar="NAME", help="only models whose name contains this")


def _filters(found: argparse.ArgumentParser) -> None:
    found.add_argument("--agent", metavar="ID", help="only this agent")
    found.add_argument("--model", metavar="NAME", help="only this model")


def summary(options: argparse.Namespace, output: Output) -> None:
    """Print totals."""
    asked = {"by": options.by, "days": options.days, "agent_id": options.agent, "model": options.model}
    with connect(options) as client:
        found = client.request("GET", "/api/tokens/summary", query=asked)
    usage = [(row[options.by], *_amounts(row)) for row in found["usage"]]
    if len(usage) > 1:
        usage.append(("total", *_amounts(found["total"])))
    heads = (options.by, "reports", "tokens in", "tokens out", "usd")
    output.result(found, table(heads, usage, f"No tokens were reported since {found['since']}."))


def list_reports(options: argparse.Namespace, output: Output) -> None:
    """Print reports."""
    asked = {"limit": options.limit, "agent_id": options.agent, "model": options.model}
    with connect(options) as client:
        found = client.request("GET", "/api/tokens", query=asked)
    rows = [
        (row["timestamp"][:19], row["agent_id"], row["model"], row["tokens_in"], row["tokens_out"], _usd(row))
        for row in found["reports"]
    ]
    heads = ("time", "agent", "model", "tokens in", "tokens out", "usd")
    output.result(found, table(heads, rows, "No tokens were reported."))


def prices(options: argparse.Namespace, output: Output) -> None:
    """Print prices."""
    with connect(options) as client:
        found = client.request("GET", "/api/tokens/prices")
    known = {name: price for name, price in found["models"].items() if (options.model or "").lower() in name}
    rows = [(name, *_per_million(price)) for name, price in known.items()]
    rows.append(("any other", *_per_million(found["default"])))
    shown = table(("model", "input", "output", "cached", "cache write"), rows, "")
    output.result({**found, "models": known}, f"{shown}\n\n{found['unit']}")


def _amounts(row: dict[str, float]) -> tuple[object, ...]:
    return f"{row['reports']:,}", f"{row['tokens_in']:,}", f"{row['tokens_out']:,}", _usd(row)


def _per_million(price: dict[str, float]) -> tuple[str, ...]:
    return tuple(f"{price[name]:g}" for name in ("input", "output", "cached", "cache_write"))


def _usd(row: dict[str, float]) -> str:
    return f"{row['cost_usd']:.4f}"
