"""Measure `import dashclaw` against `import json, http.client`, each in a fresh interpreter.

Run it with `python benchmarks/import_time.py`; it takes about ten seconds. The interpreters run with `-I -S` and take
turns; the time is that of the import statement alone, and the figure the ratio of the medians.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

RUNS = 61
GOAL = 1.12
ROOT = Path(__file__).parents[1]
FLOOR = "import json, http.client"
OURS = "import dashclaw"
PROGRAM = """
import sys, time
sys.path.insert(0, {root!r})
start = time.perf_counter()
{statement}
print(time.perf_counter() - start)
"""


def seconds(statement: str) -> float:
    """The time of one import in an interpreter of its own."""
    program = PROGRAM.format(root=str(ROOT), statement=statement)
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    return float(done.stdout)


def measure() -> tuple[float, float]:
    """The median seconds of our import and of the floor."""
    for statement in (FLOOR, OURS):
        seconds(statement)
    pairs = [(seconds(OURS), seconds(FLOOR)) for _ in range(RUNS)]
    return statistics.median(ours for ours, _ in pairs), statistics.median(floor for _, floor in pairs)


def main() -> None:
    """Print one line per figure."""
    ours, floor = measure()
    name = f"import dashclaw ({ours * 1e3:.1f} ms) / json, http.client ({floor * 1e3:.1f} ms)"
    print(f"{name:<58}{ours / floor:>8.3f}   goal <= {GOAL:<6g}{'ok' if ours / floor <= GOAL else 'missed'}")


if __name__ == "__main__":
    main()
