"""The chain of evidence: what it costs per decision and under load, how fast it verifies, when events are linked.

Run it with `python benchmarks/evidence.py [cost] [writers] [verification]`; the last part fills 1,000,000 entries,
which takes about two minutes and 2 GB. PostgreSQL is measured when it is at 127.0.0.1:5432.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from local_guard import CONTEXT, POLICIES

from dashclaw import DashClaw
from dashclaw.runtime.evidence.checkpoints import inclusion_proof, make_checkpoint
from dashclaw.runtime.evidence.keys import load_key
from dashclaw.runtime.evidence.sequencer import link_events
from dashclaw.runtime.evidence.verify import verify
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.store import evidence as rows
from dashclaw.runtime.store.action_digests import row_digest as action_digest
from dashclaw.runtime.store.decisions import row_digest

ORG = "org_default"
POSTGRES = "postgresql://postgres@127.0.0.1:5432/test"
CALLS = 1500
COST_ROUNDS = 11
ENTRIES = 1_000_000
# Of ten entries two tell of an action: made, and ended.
OF_ACTIONS = 5
PROCESSES = 4
CLIENTS = 8
WRITES = 400
LOAD_ROUNDS = 3


def report(name: str, value: str, goal: str, reached: bool) -> None:
    """Print one line."""
    print(f"{name:<62} {value:>20}  goal {goal:<11} {'ok' if reached else 'MISSED'}", flush=True)


# Cost per decision


class Spent(NamedTuple):
    """Microseconds of one call: of the process with all its threads, and on the clock."""

    cpu: float
    wall: float


def guarded(folder: Path, chained: bool) -> Spent:
    """What a decision costs on a new database, what its linking takes included."""
    with DashClaw.local(folder / f"{uuid.uuid4().hex}.db", agent_id="bench", starter_policies=False) as claw:
        for number, (kind, rules) in enumerate(POLICIES):
            claw.request("POST", "/api/policies", body={"name": str(number), "policy_type": kind, "rules": rules})
        if not chained:
            claw.transport.runtime.store.on_events = None
        for _ in range(200):
            claw.guard(CONTEXT)
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(CALLS):
            claw.guard(CONTEXT)
        spent = time.perf_counter() - wall
        if chained:
            claw.transport.runtime.sequencer.close()
        return Spent((time.process_time() - cpu) / CALLS * 1e6, spent / CALLS * 1e6)


def measure_cost(folder: Path) -> None:
    """The same build with and without a sequencer, in turn."""
    rounds = []
    for number in range(COST_ROUNDS):
        first = guarded(folder, number % 2 == 0)
        second = guarded(folder, number % 2 == 1)
        rounds.append((first, second) if number % 2 == 0 else (second, first))
    for what in Spent._fields:
        pairs = [(getattr(with_, what), getattr(without, what)) for with_, without in rounds]
        median = [statistics.median(column) for column in zip(*pairs, strict=True)]
        more = statistics.median(a / b for a, b in pairs) - 1
        shown = f"{median[1]:.0f} -> {median[0]:.0f} µs"
        report(f"chain per embedded decision, {what}: {shown}", f"{more:+.1%}", "15 %", more <= 0.15)


# Concurrent writers

WRITER = """
import sys, time
from dashclaw import DashClaw
url, name, chained, count = sys.argv[1:]
claw = DashClaw.local(url, agent_id=name, starter_policies=False)
if chained == "no":
    claw.transport.runtime.store.on_events = None
context = {"action_type": "research", "declared_goal": "Compare three vendors"}
claw.guard(context)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(count)):
    claw.guard(context)
print(time.time(), flush=True)
sys.stdin.readline()
claw.close()
"""
SERVER = """
import sys
from dashclaw.runtime.bootstrap import DEFAULT_ORG, SYSTEM, ensure_default_org
from dashclaw.runtime.keys import new_key
from dashclaw.runtime.runtime import Runtime
from dashclaw.server.app import create_app
from dashclaw.server.settings import ServerSettings
import socket, uvicorn
runtime = Runtime.open(sys.argv[1])
ensure_default_org(runtime.store, starter_policies=False)
with runtime.store.write(DEFAULT_ORG) as tx:
    key, _ = new_key(tx, SYSTEM, "admin", "bench")
app = create_app(runtime, ServerSettings())
if sys.argv[2] == "no":
    runtime.store.on_events = None
sock = socket.socket()
sock.bind(("127.0.0.1", 0))
print(key, sock.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[sock])
"""


class Load(NamedTuple):
    """Decisions per second, and how many seconds after the last one everything was linked (None without a chain)."""

    rate: float
    linked_after: float | None


def processes(url: str, chained: bool) -> Load:
    """Several processes that decide on one file."""
    how = "yes" if chained else "no"
    with ExitStack() as stack:
        Runtime.open(url).close()
        children = []
        for number in range(PROCESSES):
            command = [sys.executable, "-c", WRITER, url, f"agent-{number}", how, str(WRITES * 2)]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            children.append(stack.enter_context(child))
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        begun = time.time()
        tell(children)
        ended = max(float(child.stdout.readline()) for child in children if child.stdout)
        waited = linked_after(url, ended) if chained else None
        tell(children)
        return Load(PROCESSES * WRITES * 2 / (ended - begun), waited)


def tell(children: list[subprocess.Popen[str]]) -> None:
    """Let them go on."""
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go on\n")
        child.stdin.flush()


def servers(url: str, chained: bool) -> Load:
    """Several servers over one database, each with several clients of its own."""
    with ExitStack() as stack:
        claws = []
        for _ in range(PROCESSES):
            command = [sys.executable, "-c", SERVER, url, "yes" if chained else "no"]
            child = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(child.terminate)
            assert child.stdout is not None
            key, port = child.stdout.readline().split()
            claws += [stack.enter_context(client(port, key, len(claws) + n)) for n in range(CLIENTS)]
        for claw in claws:
            claw.guard(CONTEXT)
        each = WRITES // 4
        threads = [threading.Thread(target=decide, args=(claw, each)) for claw in claws]
        begun = time.time()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ended = time.time()
        return Load(len(claws) * each / (ended - begun), linked_after(url, ended) if chained else None)


def client(port: str, key: str, number: int) -> DashClaw:
    """One client of a server on this machine."""
    return DashClaw(f"http://127.0.0.1:{port}", key, agent_id=f"agent-{number}")


def decide(claw: DashClaw, count: int) -> None:
    """Ask so many times."""
    for _ in range(count):
        claw.guard(CONTEXT)


def linked_after(url: str, ended: float) -> float:
    """Seconds from the last write until no event waits any more."""
    runtime = Runtime.open(url)
    try:
        while True:
            with runtime.store.read() as tx:
                head = rows.head(tx, ORG)
                if head is not None and rows.tail(tx, ORG, head.event_id) == 0:
                    return time.time() - ended
            assert time.time() - ended < 30, "events wait for ever"
            time.sleep(0.01)
    finally:
        runtime.close()


@contextmanager
def schema() -> Iterator[str | None]:
    """A new schema of PostgreSQL; None when there is no PostgreSQL."""
    import psycopg

    try:
        connection = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        yield None
        return
    name = f"b_{uuid.uuid4().hex}"
    with connection:
        connection.execute(f"CREATE SCHEMA {name}")
        try:
            yield f"{POSTGRES}?options=-csearch_path%3D{name}"
        finally:
            connection.execute(f"DROP SCHEMA {name} CASCADE")


def measure_writers(folder: Path) -> None:
    """Throughput with the chain over that without it, in turn."""
    loads = []
    for number in range(LOAD_ROUNDS):
        one, two = (str(folder / f"{number}-{name}.db") for name in ("with", "without"))
        loads.append((processes(one, True), processes(two, False)))
    report_load(f"SQLite, {PROCESSES} processes", loads)
    loads = []
    for _ in range(LOAD_ROUNDS):
        with schema() as with_, schema() as without:
            if with_ is None or without is None:
                print("skipped: PostgreSQL is not at 127.0.0.1:5432")
                return
            loads.append((servers(with_, True), servers(without, False)))
    report_load(f"PostgreSQL, {PROCESSES} workers x {CLIENTS} clients", loads)


def report_load(name: str, loads: list[tuple[Load, Load]]) -> None:
    """Print the medians of the rounds."""
    with_, without = (statistics.median(load.rate for load in column) for column in zip(*loads, strict=True))
    ratio = statistics.median(a.rate / b.rate for a, b in loads)
    waited = max(load.linked_after or 0 for load, _ in loads)
    report(f"{name}: {without:.0f} -> {with_:.0f} decisions/s", f"{ratio:.2f}", "0.7", ratio >= 0.7)
    report(f"{name}: all linked after the last write", f"{waited:.2f} s", "1 s", waited <= 1)


# Verification


class Templates(NamedTuple):
    """Rows as the runtime writes them: a decision, an action that ended, and what the log says of each."""

    decision: dict[str, Any]
    action: dict[str, Any]
    events: dict[str, dict[str, Any]]


def templates(path: Path) -> Templates:
    """Let the runtime write one of each."""
    with DashClaw.local(path, agent_id="agent-1", starter_policies=False) as claw:
        for number, (kind, rules) in enumerate(POLICIES):
            claw.request("POST", "/api/policies", body={"name": str(number), "policy_type": kind, "rules": rules})
        made = claw.create_action("research", "Compare three vendors", risk_score=20)
        claw.update_outcome(made["action_id"], status="completed", output_summary="Compared three vendors")
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    found = Templates(
        dict(connection.execute("SELECT * FROM guard_decisions").fetchone()),
        dict(connection.execute("SELECT * FROM actions").fetchone()),
        {row["event"]: dict(row) for row in connection.execute("SELECT * FROM events ORDER BY id")},
    )
    connection.close()
    return found


def fill(path: Path, entries: int) -> None:
    """Write decisions, actions and their events as the runtime would have, and link them."""
    found = templates(path)
    connection = sqlite3.connect(path)
    moment, step = datetime.now(timezone.utc), timedelta(milliseconds=1)
    done = connection.execute("SELECT count(*) FROM events").fetchone()[0]
    while done < entries:
        batch: dict[str, list[dict[str, Any]]] = {"guard_decisions": [], "actions": [], "events": []}
        for _ in range(2000):
            moment += step
            done += one(found, batch, done, f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z")
        with connection:
            for table, many in batch.items():
                insert(connection, table, many)
    connection.close()
    runtime = Runtime.open(str(path))
    while link_events(runtime.store, ORG, 10_000):
        pass
    runtime.close()


def one(found: Templates, batch: dict[str, list[dict[str, Any]]], number: int, at: str) -> int:
    """Add one decision, and the action that it was made for now and then; returns how many events."""
    decision_id, action_id = f"gd_{uuid.uuid4()}", f"act_{uuid.uuid4()}"
    row = found.decision | {"id": decision_id, "created_at": at, "risk_score": number % 100, "action_id": None}
    batch["guard_decisions"].append(row)
    told = json.loads(found.events["guard.decision.created"]["data"])
    told |= {"decision_id": decision_id, "risk_score": number % 100, "row": row_digest(row), "action_id": None}
    said = [("guard.decision.created", decision_id, told)]
    if number % OF_ACTIONS == 0:
        ended = found.action | {"action_id": action_id, "timestamp_start": at, "created_at": at, "updated_at": at}
        batch["actions"].append(ended)
        for name, now in (("action.created", ended | {"status": "running"}), ("action.updated", ended)):
            told = json.loads(found.events[name]["data"])
            told |= {"id": action_id, "action_id": action_id, "created_at": at, "updated_at": at}
            told |= {"timestamp_start": at, "row": action_digest(now)}
            said.append((name, action_id, told))
    for name, resource_id, told in said:
        data = json.dumps(told, separators=(",", ":"))
        event = found.events[name] | {"id": None, "resource_id": resource_id, "data": data, "created_at": at}
        batch["events"].append(event)
    return len(said)


def insert(connection: sqlite3.Connection, table: str, many: list[dict[str, Any]]) -> None:
    """Insert rows that have the same columns."""
    if many:
        names = tuple(many[0])
        marks = ", ".join(f":{name}" for name in names)
        quoted = ", ".join(f'"{name}"' for name in names)
        connection.executemany(f"INSERT INTO {table} ({quoted}) VALUES ({marks})", many)


def hashes_per_second() -> float:
    """The calibration: SHA-256 of 250 bytes, which an entry takes three of and a row one, per CPU second."""
    text, count = bytes(250), 200_000
    begun = time.process_time()
    for _ in range(count):
        sha256(text).digest()
    return count / (time.process_time() - begun)


def verifier(path: str, live: str) -> None:
    """In a process of its own: print entries per CPU second, the most memory in MB, the rows, and the calibration."""
    runtime = Runtime.open(path)
    before = hashes_per_second()
    begun = time.process_time()
    found = verify(runtime.store, ORG, live_rows=live == "yes")
    spent = time.process_time() - begun
    calibration = (before + hashes_per_second()) / 2
    runtime.close()
    assert found.intact, found.findings[:3]
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(found.entries / spent, most, found.rows, calibration)


def measure_verification(folder: Path, entries: int = ENTRIES) -> None:
    """How fast and in how much memory a long chain verifies, and how long a proof takes."""
    path = folder / "long.db"
    begun = time.perf_counter()
    fill(path, entries)
    print(f"filled {entries:,} entries in {time.perf_counter() - begun:.0f} s, {path.stat().st_size / 2**20:.0f} MB")
    for live, what in (("no", "the chain alone"), ("yes", "with live rows")):
        command = [sys.executable, __file__, "--verify", str(path), live]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        rate, memory, compared, calibration = map(float, text.split())
        name = f"verified, {what} ({compared:,.0f})" if compared else f"verified, {what}"
        report(f"{name}, per second of one core", f"{rate:,.0f}", "100,000", rate >= 100_000)
        print(
            f"  calibration: {calibration:,.0f} SHA-256 of 250 bytes/s; an entry takes {calibration / rate:.1f} of them"
        )
        report(f"{name}, most memory", f"{memory:.0f} MB", "150 MB", memory <= 150)
    runtime = Runtime.open(str(path))
    make_checkpoint(runtime.store, ORG, load_key(folder / "key.pem"))
    with runtime.store.read() as tx:
        spent = timed(lambda: inclusion_proof(tx, ORG, entries // 3, entries))
    runtime.close()
    print(f"proof of one entry among {entries:,}: {spent:.2f} s")


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Measure what is asked for, or everything."""
    if sys.argv[1:2] == ["--verify"]:
        verifier(*sys.argv[2:])
        return
    parts = {"cost": measure_cost, "writers": measure_writers, "verification": measure_verification}
    os.environ.pop("DASHCLAW_DURABILITY", None)
    for name in sys.argv[1:] or parts:
        with tempfile.TemporaryDirectory() as folder:
            parts[name](Path(folder))


if __name__ == "__main__":
    main()
