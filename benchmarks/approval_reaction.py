"""How soon `wait_for_approval` returns after a person has decided: over HTTP, and on one file between two processes.

Run it with `python benchmarks/approval_reaction.py`. The deciding process notes the time right before it sends the
decision, so that sending and storing it are part of the figure.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dashclaw import DashClaw

ROUNDS = 25
GOAL_MS = 50.0
KEY = "benchmark-operator-key"
DECIDER = """
import sys, time
from dashclaw import DashClaw
where, key = sys.argv[1], sys.argv[2]
claw = DashClaw(where, key, agent_id="operator") if key else DashClaw.local(where, agent_id="operator", operator=True)
print("ready", flush=True)
for line in sys.stdin:
    begun = time.time()
    claw.approve_action(line.strip(), "allow")
    print(begun, flush=True)
claw.close()
"""


@contextmanager
def deciding(where: str, key: str) -> Iterator[Callable[[str], float]]:
    """A second process that approves an action and says when it began to."""
    command = [sys.executable, "-c", DECIDER, where, key]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "ready\n"

        def decide(action_id: str) -> float:
            print(action_id, file=process.stdin)
            return float(process.stdout.readline())  # type: ignore[union-attr]

        yield decide
        process.stdin.close()


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, str]]:
    """A real server on a free port; gives its address and the agent's key."""
    environment = {**os.environ, "DASHCLAW_ADMIN_KEY": KEY}
    command = [sys.executable, "-m", "dashclaw", "serve", "--db", str(folder / "served.db"), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            started = json.loads(process.stdout.readline())
            yield started["url"], started["agent_key"]
        finally:
            process.terminate()


def reaction_ms(claw: DashClaw, decide: Callable[[str], float]) -> list[float]:
    """Milliseconds from each decision to the return of the wait for it."""
    found = []
    for _ in range(ROUNDS):
        action_id = claw.create_action("deploy", "Ship it", status="pending")["action_id"]
        returned: list[float] = []

        def wait(action_id: str = action_id, returned: list[float] = returned) -> None:
            claw.wait_for_approval(action_id, timeout=60)
            returned.append(time.time())

        waiter = threading.Thread(target=wait)
        waiter.start()
        time.sleep(0.3)  # the waiter has asked once and listens
        begun = decide(action_id)
        waiter.join()
        found.append((returned[0] - begun) * 1000)
    return found


def report(name: str, figures: list[float]) -> None:
    """Print one line."""
    median = statistics.median(figures)
    state = "ok" if median <= GOAL_MS else "MISSED"
    print(f"{name:<42} median {median:7.1f} ms  worst {max(figures):7.1f} ms  goal {GOAL_MS:.0f}  {state}")


def main() -> None:
    """Measure both ways."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            serving(folder) as (url, key),
            DashClaw(url, key, agent_id="bench") as claw,
            deciding(url, KEY) as decide,
        ):
            report("over HTTP", reaction_ms(claw, decide))
        path = str(folder / "embedded.db")
        with DashClaw.local(path, agent_id="bench") as claw, deciding(path, "") as decide:
            report("one embedded file, two processes", reaction_ms(claw, decide))


if __name__ == "__main__":
    main()
