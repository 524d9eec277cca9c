"""What the detector of secrets finds, what it flags in vain, and how long a megabyte takes.

Run it with `python benchmarks/detector.py`. The texts are those of tests/unit/data/detector_cases.txt with bodies from
twenty seeds, and whatever Python source, documentation and lists of hashes is installed here.
"""

from __future__ import annotations

import base64
import random
import statistics
import sys
import sysconfig
import time
import timeit
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/unit"))

from detector_cases import cases

from dashclaw._detect import find_secrets
from dashclaw._personal import find_all
from dashclaw._redact import redact_body

MEGABYTE = 1_000_000
BODY = {
    "agent_id": "agent-1",
    "action_type": "research",
    "declared_goal": "Compare three vendors",
    "reasoning": "The customer asked for a summary of all the offers that we received",
    "metadata": {"attempt": 1},
    "risk_score": 5,
}


def report(name: str, value: str, goal: str, reached: bool) -> None:
    """Print one line."""
    print(f"{name:<58} {value:>18}  goal {goal:<9} {'ok' if reached else 'MISSED'}")


def rates() -> tuple[float, float]:
    """Mean share of secrets found and of plain texts flagged."""
    recall, alarms = [], []
    for seed in range(1, 21):
        made = cases(seed)
        secret, plain = [case for case in made if case.secret], [case for case in made if not case.secret]
        recall.append(sum(bool(find_secrets(case.text)) for case in secret) / len(secret))
        alarms.append(sum(bool(find_secrets(case.text)) for case in plain) / len(plain))
    return statistics.mean(recall), statistics.mean(alarms)


def installed(pattern: str) -> str:
    """A megabyte of installed files."""
    folder = Path(sysconfig.get_paths()["purelib"])
    parts: list[str] = []
    for path in sorted(folder.rglob(pattern)):
        if sum(map(len, parts)) > MEGABYTE:
            break
        parts.append(path.read_text("utf-8", "ignore"))
    return "".join(parts)[:MEGABYTE]


def texts() -> dict[str, str]:
    """A megabyte of each kind of text."""
    chance = random.Random(1)
    log = [f"2026-01-31T12:00:00Z INFO id={chance.randbytes(16).hex()} key=v{n} token ok" for n in range(20_000)]
    prose = "The quick brown fox returns the key to its place, and the password to nobody. " * 13_000
    return {
        "Python source": installed("*.py"),
        "lists of hashes": installed("RECORD"),
        "log": "\n".join(log)[:MEGABYTE],
        "prose": prose[:MEGABYTE],
        "base64": base64.b64encode(chance.randbytes(MEGABYTE * 3 // 4)).decode(),
    }


def per_megabyte(work: Callable[[str], object], text: str) -> float:
    """The least milliseconds of processor time of five runs, for a million characters."""
    taken = []
    for _ in range(5):
        begun = time.process_time()
        work(text)
        taken.append(time.process_time() - begun)
    return min(taken) * 1000 * MEGABYTE / len(text)


def main() -> None:
    """Measure and print."""
    recall, alarms = rates()
    report("secrets found", f"{recall:.1%}", ">= 75 %", recall >= 0.75)
    report("plain texts flagged", f"{alarms:.1%}", "<= 4 %", alarms <= 0.04)
    for name, text in texts().items():
        found = per_megabyte(find_secrets, text)
        report(f"secrets in a megabyte of {name}", f"{found:.0f} ms", "50 ms", found <= 50)
        found = per_megabyte(find_all, text)
        report(f"secrets and personal data in a megabyte of {name}", f"{found:.0f} ms", "50 ms", found <= 50)
    redact_body(BODY)
    taken = min(timeit.repeat(lambda: redact_body(BODY), number=500, repeat=60)) / 500 * 1e6
    report("redact_body of a small body", f"{taken:.1f} us", "10 us", taken <= 10)


if __name__ == "__main__":
    main()
