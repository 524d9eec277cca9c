"""How long a coding agent waits for `dashclaw hook`: whole processes, beside what an empty Python program takes.

Run it with `python benchmarks/hook.py`. Commands take turns; the time is the median from the start of a process to its
end, the CPU time that of the process alone. `--imports` lists what the slowest imports of each command cost.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from dashclaw import DashClaw

RUNS = 9
EMPTY = ("-c", "pass")
AGENTS = ("claude-code", "codex", "gemini")
SERVED_GOAL_MS = 100
EMBEDDED_GOAL_MS = 600
EVENTS = {
    "claude-code": ("PreToolUse", "Read", {"file_path": "src/readme.md"}),
    "codex": ("PreToolUse", "Bash", {"command": "ls"}),
    "gemini": ("BeforeTool", "read_file", {"file_path": "src/readme.md"}),
}
_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( *)(\S+)")
_SHOWN = 8


class Took(NamedTuple):
    """What one process took, in milliseconds."""

    wall: float
    cpu: float


def event(agent: str, number: int) -> bytes:
    """What the agent says on stdin before it calls a tool."""
    name, tool, arguments = EVENTS[agent]
    known = {"session_id": "bench", "cwd": "/tmp", "hook_event_name": name, "tool_use_id": f"bench-{agent}-{number}"}
    return json.dumps({**known, "tool_name": tool, "tool_input": arguments}).encode()


def run(words: tuple[str, ...], stdin: bytes) -> Took:
    """Run Python with these words; raises `SystemExit` when it fails or stops the call."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(stdin)
        given.seek(0)
        begun = time.perf_counter()
        process = subprocess.Popen([sys.executable, *words], stdin=given, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        answer = said.read()
    if process.returncode or answer:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}: {answer.decode()}")
    return Took(took * 1000, (used.ru_utime + used.ru_stime) * 1000)


@contextmanager
def places(folder: Path) -> Iterator[dict[str, tuple[str, ...]]]:
    """The options that name a running server and a database file, both with their starter policies."""
    command = [sys.executable, "-m", "dashclaw", "serve", "--db", str(folder / "served.db"), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            started = json.loads(process.stdout.readline())
            DashClaw.local(folder / "embedded.db", "bench").close()
            yield {
                "served": ("--url", started["url"], "--api-key", started["agent_key"]),
                "embedded": ("--db", str(folder / "embedded.db")),
            }
        finally:
            process.terminate()


def report(name: str, runs: list[Took], empty: list[Took], goal: float | None) -> None:
    """Print one line."""
    wall, cpu = (statistics.median(took[place] for took in runs) for place in (0, 1))
    floor = statistics.median(took.cpu for took in empty)
    line = f"{name:<24} wall {wall:7.1f} ms   CPU {cpu:7.1f} ms   {cpu / floor:5.1f} x an empty program's CPU"
    if goal is not None:
        line += f"   goal <= {goal} ms {'ok' if wall <= goal else 'MISSED'}"
    print(line)


def imports(words: tuple[str, ...], stdin: bytes) -> None:
    """Print how many modules a command imports, and those that take the longest by themselves."""
    command = [sys.executable, "-X", "importtime", *words]
    said = subprocess.run(command, input=stdin, capture_output=True, check=False).stderr.decode()
    found = sorted(((int(own), name) for own, _, _, name in _LINE.findall(said)), reverse=True)
    slowest = ", ".join(f"{name} {own / 1000:.1f}" for own, name in found[:_SHOWN])
    print(f"  {len(found)} modules, {sum(own for own, _ in found) / 1000:.0f} ms; by themselves: {slowest}")


def main() -> None:
    """Measure every agent's hook against a server and a file."""
    with tempfile.TemporaryDirectory() as name, places(Path(name)) as where:
        commands = {
            f"{agent} {place}": (agent, ("-m", "dashclaw", "hook", agent, *options))
            for place, options in where.items()
            for agent in AGENTS
        }
        runs: dict[str, list[Took]] = {command: [] for command in commands}
        empty: list[Took] = []
        for number in range(RUNS + 1):
            empty.append(run(EMPTY, b""))
            for command, (agent, words) in commands.items():
                runs[command].append(run(words, event(agent, number)))
        report("python -c pass", empty[1:], empty[1:], None)
        for command, (agent, words) in commands.items():
            goal = SERVED_GOAL_MS if command.endswith("served") else EMBEDDED_GOAL_MS
            report(command, runs[command][1:], empty[1:], goal)
            if "--imports" in sys.argv:
                imports(words, event(agent, RUNS + 1))


if __name__ == "__main__":
    main()
