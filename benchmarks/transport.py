"""Measure what a call over HTTP costs beside a bare `http.client` loop with ready-made bytes.

Run it with `python benchmarks/transport.py`; it takes about half a minute. A stub server in a process of its own
answers every request with the same bytes. For the first figure client and stub share one CPU, so that the time of a
call is the work of both; the loops take turns, and the figure is the median of the ratios of neighbouring rounds.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from dashclaw import DashClaw
from dashclaw._transport import PooledTransport, Request

ROUNDS = 61
CALLS = 100
THREADS = 8
THREAD_ROUNDS = 15
THREAD_CALLS = 150
KEY = "oc_live_" + "0" * 32
CONTEXT = {
    "action_type": "deploy",
    "risk_score": 40,
    "systems_touched": ["production_db"],
    "reversible": False,
    "declared_goal": "Publish the weekly report for the team",
}
DECISION = {
    "decision": "allow",
    "reasons": [],
    "warnings": [],
    "matched_policies": [],
    "risk_score": 40,
    "decision_id": "gd_" + "0" * 24,
    "evaluated_at": "2026-03-01T12:00:00.000000Z",
    "agent_id": "me",
}
HEADERS = {
    "x-api-key": KEY,
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Idempotency-Key": "0" * 32,
}


class Figure(NamedTuple):
    """One measured value and its goal; `most` says on which side of the goal it belongs."""

    name: str
    value: float
    goal: float
    most: bool = True

    def __str__(self) -> str:
        met = self.value <= self.goal if self.most else self.value >= self.goal
        sign = "<=" if self.most else ">="
        return f"{self.name:<58}{self.value:>8.3f}   goal {sign} {self.goal:<6g}{'ok' if met else 'missed'}"


def answer() -> bytes:
    """The bytes that the stub always sends, as a server spells them."""
    body = json.dumps(DECISION).encode()
    head = (
        "HTTP/1.1 200 OK\r\ndate: Sun, 01 Mar 2026 12:00:00 GMT\r\nserver: uvicorn\r\n"
        f"content-length: {len(body)}\r\ncontent-type: application/json\r\nx-request-id: 0123456789abcdef\r\n\r\n"
    )
    return head.encode() + body


def serve() -> None:
    """Answer forever, a thread per connection; `GET /connections` tells how many there were."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)
    count = 0
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        count += 1
        threading.Thread(target=_serve_one, args=(sock, count), daemon=True).start()


def _serve_one(sock: socket.socket, count: int) -> None:
    ready = answer()
    with sock:
        data = b""
        while part := sock.recv(65536):
            data += part
            while (size := _size_of(data)) is not None:
                counted = data.startswith(b"GET /connections ")
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n%06d" % count if counted else ready)
                data = data[size:]


def _size_of(data: bytes) -> int | None:
    """The size of the request at the start, or None while it is incomplete."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    at = data.lower().find(b"content-length: ", 0, end)
    size = end + 4 + (int(data[at + 16 : data.find(b"\r\n", at)]) if at >= 0 else 0)
    return size if len(data) >= size else None


@contextmanager
def stub() -> Iterator[str]:
    """Run the stub server in a process of its own; its address."""
    command = [sys.executable, __file__, "--serve"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


@contextmanager
def one_cpu() -> Iterator[None]:
    """Keep this process, and the children it starts meanwhile, on one CPU where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def bare(url: str) -> Callable[[], object]:
    """The loop to compare with: one connection, bytes made beforehand, the answer read and not decoded."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    body = json.dumps(dict(CONTEXT, agent_id="me")).encode()

    def call() -> object:
        connection.request("POST", "/api/guard", body, HEADERS)
        return connection.getresponse().read()

    return call


def median_call(call: Callable[[], object], calls: int = CALLS) -> float:
    """The median seconds of a call."""
    taken = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def single() -> tuple[float, float]:
    """The p50 of `guard` over that of the bare loop, and the p50 in microseconds."""
    with one_cpu(), stub() as url, DashClaw(url, KEY, "me") as claw:
        base = bare(url)

        def guard() -> object:
            return claw.guard(CONTEXT)

        for call in (base, guard):
            median_call(call)
        pairs = [(median_call(guard), median_call(base)) for _ in range(ROUNDS)]
    return statistics.median(ours / theirs for ours, theirs in pairs), statistics.median(ours for ours, _ in pairs)


def rate(calls: list[Callable[[], object]]) -> float:
    """Calls per second with a thread for each."""
    start = threading.Barrier(len(calls) + 1)

    def work(call: Callable[[], object]) -> None:
        start.wait()
        for _ in range(THREAD_CALLS):
            call()

    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    start.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    return len(calls) * THREAD_CALLS / (time.perf_counter() - begun)


def shared() -> tuple[float, float]:
    """Calls/s of threads that share a client over those with a bare connection each, and the calls/s."""
    with stub() as url, DashClaw(url, KEY, "me") as claw:
        ours: list[Callable[[], object]] = [lambda: claw.guard(CONTEXT)] * THREADS
        theirs = [bare(url) for _ in range(THREADS)]
        rate(ours), rate(theirs)
        pairs = [(rate(ours), rate(theirs)) for _ in range(THREAD_ROUNDS)]
    return statistics.median(a / b for a, b in pairs), statistics.median(a for a, _ in pairs)


def connections() -> int:
    """How many connections 1,000 calls one after another need."""
    with stub() as url, DashClaw(url, KEY, "me") as claw:
        for _ in range(1000):
            claw.guard(CONTEXT)
        counter = PooledTransport(url)
        found = int(counter.send(Request("GET", "/connections", {}), 10).body) - 1
        counter.close()
    return found


def figures() -> Iterator[Figure]:
    """Yield the figures one after another."""
    ratio, seconds = single()
    yield Figure(f"guard p50 / bare http.client ({seconds * 1e6:.0f} us)", ratio, 0.8)
    ratio, per_second = shared()
    yield Figure(f"8 threads, calls/s / bare http.client ({per_second:,.0f}/s)", ratio, 0.9, most=False)
    yield Figure("connections per 1,000 calls", connections(), 1)


def main() -> None:
    """Print one line per figure."""
    for figure in figures():
        print(figure, flush=True)


if __name__ == "__main__":
    serve() if "--serve" in sys.argv else main()
