"""What governing adds to a call of a tool: governed minus ungoverned, in one process with the embedded runtime.

Run it with `python benchmarks/govern.py`, and with the interpreter of an environment that `tests/integrations/run.py`
made for the adapters: `.venv-integrations/langchain-newest/bin/python benchmarks/govern.py`. Bare and governed calls
take turns; the figure is the median of the differences, the best tenth what a busy machine distorts least. The CPU
time is that of the whole process, the linking of the evidence in the background included. The floor is two bare SQLite
transactions that write as many pages.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dashclaw import DashClaw, govern

GOAL_MS = 1.0
ROUNDS = 40
CALLS = 25
WARM_UP = 3
# Pages of 4 KiB that the two transactions of a governed call add to SQLite's log.
PAGES = (37, 20)
FOLDER = Path(__file__).parent
Work = Callable[[], object]


class Took(NamedTuple):
    """Milliseconds of one call."""

    wall: float
    cpu: float


def took(work: Work, calls: int) -> Took:
    """The time of `work`, which makes so many calls."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Took((time.perf_counter() - wall) * 1000 / calls, (time.process_time() - cpu) * 1000 / calls)


def report(name: str, added: list[Took], goal: float | None = GOAL_MS) -> None:
    """Print one line: medians."""
    wall, cpu = (statistics.median(one[place] for one in added) for place in (0, 1))
    best = statistics.quantiles((one.cpu for one in added), n=10)[0]
    verdict = "" if goal is None else f"   goal <= {goal:g} {'ok' if wall <= goal else 'MISSED'}"
    print(f"{name:<44} {wall:8.3f} ms   CPU {cpu:8.3f} ms, best tenth {best:8.3f} ms{verdict}", flush=True)


def compare(name: str, bare: Work, governed: Work, calls: int = CALLS, rounds: int = ROUNDS) -> None:
    """Print what `governed` takes more than `bare`, for each of the calls that both make."""
    added = []
    for number in range(rounds + WARM_UP):
        without, with_it = took(bare, calls), took(governed, calls)
        if number >= WARM_UP:
            added.append(Took(with_it.wall - without.wall, with_it.cpu - without.cpu))
    report(name, added)


def calibrate() -> None:
    """Print what this machine is like at the moment."""
    text = json.dumps({"action_type": "research", "risk_score": 20, "declared_goal": "Compare three vendors"})

    def decode() -> None:
        for _ in range(1000):
            json.loads(text)

    report("calibration: 1,000 times json.loads", [took(decode, 1) for _ in range(ROUNDS)], None)


def floor(folder: Path) -> None:
    """Print what two transactions of the size of a governed call's take."""
    database = sqlite3.connect(folder / "floor.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    database.execute("PRAGMA wal_autocheckpoint=4000")
    database.execute("CREATE TABLE written (data BLOB)")

    def write() -> None:
        for pages in PAGES:
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO written VALUES (?)", (bytes((pages - 2) * 4000),))
            database.execute("COMMIT")

    report("floor: two transactions of bare SQLite", [took(write, 1) for _ in range(ROUNDS * 5)], None)
    database.close()


def repeat(call: Work) -> Work:
    """Work that makes a call so many times."""

    def work() -> None:
        for _ in range(CALLS):
            call()

    return work


def plain(claw: DashClaw) -> None:
    """Measure what needs no framework."""

    def read_mail(to: str, most: int = 10) -> str:
        """Read the newest mail."""
        return f"{most} from {to}"

    async def aread_mail(to: str, most: int = 10) -> str:
        """Read the newest mail."""
        return f"{most} from {to}"

    def tracked() -> None:
        with claw.track("read_mail", "read_mail: Read the newest mail.", risk_score=10):
            read_mail("ann")

    async def all_of(function: Callable[..., object]) -> None:
        for _ in range(CALLS):
            await function("ann")  # type: ignore[misc]

    governed, agoverned = govern(read_mail, claw), govern(aread_mail, claw)
    compare("govern(callable)", repeat(lambda: read_mail("ann")), repeat(lambda: governed("ann")))
    compare("track()", repeat(lambda: read_mail("ann")), repeat(tracked))
    loop = asyncio.new_event_loop()
    finish = loop.run_until_complete
    compare("govern(async callable)", lambda: finish(all_of(aread_mail)), lambda: finish(all_of(agoverned)))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def main() -> None:
    """Print the figures."""
    sys.path[0] = str(FOLDER.parent)
    from benchmarks.frameworks import ADAPTERS

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        calibrate()
        floor(folder)
        with DashClaw.local(folder / "governed.db", "bench", starter_policies=False) as claw:
            plain(claw)
            for adapter, measure in ADAPTERS.items():
                try:
                    measure(claw, compare)
                except ImportError as missing:
                    print(f"{adapter:<44} not measured: {missing}")


if __name__ == "__main__":
    main()
