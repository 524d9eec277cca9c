"""POST /api/guard against a constant route of the same application: one worker on SQLite, 8 connections of wrk.

Run it with `python benchmarks/server_guard.py`; it needs wrk and two CPUs, one for the server and one for the load.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from local_guard import CONTEXT, POLICIES

SECONDS = 5
ROUNDS = 3
GOAL_RATE = 2000
GOAL_RATIO = 0.6
SERVER = """
import sys
from dashclaw.runtime.bootstrap import DEFAULT_ORG, SYSTEM, ensure_default_org
from dashclaw.runtime.keys import new_key
from dashclaw.runtime.runtime import Runtime
from dashclaw.server.app import create_app
from dashclaw.server.settings import ServerSettings
import uvicorn

runtime = Runtime.open(sys.argv[1])
ensure_default_org(runtime.store, starter_policies=False)
with runtime.store.write(DEFAULT_ORG) as tx:
    key, _ = new_key(tx, SYSTEM, "admin", "bench")
app = create_app(runtime, ServerSettings())

@app.post("/constant")
async def constant():
    return {"status": "ok"}

print(key, flush=True)
uvicorn.run(app, port=int(sys.argv[2]), log_level="error", access_log=False, server_header=False)
"""


class Served(NamedTuple):
    """A server: where it answers, its process, and the key of an admin."""

    url: str
    pid: int
    key: str


@contextmanager
def serving(database: str) -> Iterator[Served]:
    """A server process on the first CPU, over the database at a path or a URL."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    command = [sys.executable, "-c", SERVER, database, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            os.sched_setaffinity(process.pid, {0})
            assert process.stdout is not None
            key = process.stdout.readline().strip()
            deadline = time.monotonic() + 20
            while socket.socket().connect_ex(("127.0.0.1", port)):
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.05)
            yield Served(f"http://127.0.0.1:{port}", process.pid, key)
        finally:
            process.terminate()


def add_policies(url: str, key: str) -> None:
    """Install the ten policies of the embedded benchmark."""
    for number, (kind, rules) in enumerate(POLICIES):
        body = json.dumps({"name": f"policy {number}", "policy_type": kind, "rules": rules}).encode()
        headers = {"x-api-key": key, "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(f"{url}/api/policies", body, headers)) as answer:
            assert answer.status == 201


def wrk(url: str, script: Path) -> float:
    """Requests per second with 8 connections, from the second CPU."""
    command = ["taskset", "-c", "1", "wrk", "-t1", "-c8", f"-d{SECONDS}s", "-s", str(script), url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in text, text
    found = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert found is not None, text
    return float(found[1])


def main() -> None:
    """Measure both routes in turn and print the medians of the rounds."""
    if shutil.which("wrk") is None or len(os.sched_getaffinity(0)) < 2:
        print("skipped: needs wrk and two CPUs")
        return
    with tempfile.TemporaryDirectory() as name, serving(f"{name}/bench.db") as (url, _, key):
        add_policies(url, key)
        script = Path(name) / "post.lua"
        script.write_text(
            f"wrk.method = 'POST'\nwrk.body = '{json.dumps(CONTEXT)}'\n"
            f"wrk.headers['x-api-key'] = '{key}'\nwrk.headers['Content-Type'] = 'application/json'\n"
        )
        pairs = [(wrk(f"{url}/constant", script), wrk(f"{url}/api/guard", script)) for _ in range(ROUNDS)]
    rounds = [(constant, guard, guard / constant) for constant, guard in pairs]
    constant, guard, ratio = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"constant route    {constant:8.0f} /s")
    print(f"POST /api/guard   {guard:8.0f} /s  goal {GOAL_RATE}  {'ok' if guard >= GOAL_RATE else 'MISSED'}")
    print(f"guard / constant  {ratio:8.2f}     goal {GOAL_RATIO}   {'ok' if ratio >= GOAL_RATIO else 'MISSED'}")


if __name__ == "__main__":
    main()
