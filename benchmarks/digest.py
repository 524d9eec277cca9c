"""How long the digest of a day takes on a database with 200,000 rows, SQLite.

Run it with `python benchmarks/digest.py`. Half of the rows are actions, the others are spread over all sources; once
they lie on 90 days, once all on one.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import Integer, insert

from dashclaw import DashClaw
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.store.digest import ACTIONS, SOURCES, Source

ROWS = 200_000
AGENTS = 200
LAST = datetime(2026, 3, 1, tzinfo=timezone.utc)
GOAL_MS = 100


def moments(count: int, days: int) -> Iterator[str]:
    """Times spread evenly over the days up to the last one."""
    step = timedelta(days=days) / count
    begun = LAST - timedelta(days=days - 1)
    for n in range(count):
        yield (begun + step * n).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def rows(source: Source, count: int, days: int) -> Iterator[dict[str, Any]]:
    """Rows of a source, with a value in every column that must have one."""
    fixed = {
        column.name: 1 if isinstance(column.type, Integer) else "x" * 60
        for column in source.table.columns
        if not column.nullable and column.server_default is None
    }
    key = list(source.table.primary_key)[-1].name
    for n, at in enumerate(moments(count, days)):
        row = {**fixed, "org_id": "org_default", "created_at": at, source.at: at, key: f"{source.name}-{n}"}
        if "digest" in fixed:
            row["digest"] = f"{n:064x}"
        if source.agent is not None:
            row[source.agent] = f"agent-{n % AGENTS}"
        if source is ACTIONS:
            row |= {"status": ("completed", "failed", "running")[n % 3], "risk_score": n % 100}
        yield row


def fill(path: Path, days: int) -> None:
    """Write the rows."""
    runtime = Runtime.open(str(path))
    others = [source for source in SOURCES if source is not ACTIONS and source.only is None]
    with runtime.store.engine.begin() as connection:
        for source in (ACTIONS, *others):
            count = ROWS // 2 if source is ACTIONS else ROWS // 2 // len(others)
            connection.execute(insert(source.table), list(rows(source, count, days)))
    runtime.close()


def measure(days: int) -> None:
    """Fill a database and ask for digests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dashclaw.db"
        with DashClaw.local(path, agent_id="agent-7", starter_policies=False) as claw:
            fill(path, days)
            date = LAST.strftime("%Y-%m-%d")
            for name, query in (("everyone", {"date": date}), ("one agent", {"date": date, "agent_id": "agent-7"})):
                taken = []
                for _ in range(20):
                    begun = time.perf_counter()
                    found = claw.request("GET", "/api/digest", query=query)
                    taken.append((time.perf_counter() - begun) * 1000)
                median, slowest = statistics.median(taken), max(taken)
                label = f"{name}, {found['summary']['total_activities']:,} of {ROWS:,} rows on the day"
                verdict = "ok" if median <= GOAL_MS else "MISSED"
                print(f"{label:<56} {median:6.1f} ms, slowest {slowest:6.1f}  goal {GOAL_MS} ms  {verdict}")


if __name__ == "__main__":
    for span in (90, 1):
        measure(span)
