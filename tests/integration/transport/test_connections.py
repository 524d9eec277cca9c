"""One pool of connections: reused, replaced when stale, shared by threads, not shared with a child process."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from dashclaw import DashClaw, RetryPolicy, errors
from dashclaw._transport import PooledTransport, Request

from ...unit.client.support import eventually, patient
from .conftest import Behind
from .faulty import Wire, after_commit, answered, complete, echoed, faulty, head, hung_up, passed_on, raw, silence

KEY = "oc_live_" + "0" * 32
ONCE = RetryPolicy(attempts=1)
GET = Request("GET", "/x", {})
POST = Request("POST", "/x", {}, b"{}")


def test_calls_one_after_another_share_a_connection() -> None:
    with faulty(echoed) as server, DashClaw(server.url, KEY, "me") as claw:
        for n in range(100):
            assert claw.guard({"action_type": "research", "n": n})["body"]["n"] == n
        assert server.connections == 1


def test_connections_are_shared_and_replaced_where_there_is_no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "poll")
    with faulty(echoed) as server, closing(PooledTransport(server.url)) as transport:
        for _ in range(3):
            transport.send(GET, 20)
        server.drop_connections()
        eventually(lambda: server.open_connections == 0)
        transport.send(POST, 20)
        assert [request.connection for request in server.seen] == [1, 1, 1, 2]


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """A process that has so many files open that new ones get numbers over 1,023."""
    resource = pytest.importorskip("resource")
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < 2048:
        pytest.skip("this system allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before, 2048), most))
    held = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while held[-1] < 1100:
            held.append(os.dup(held[0]))
        yield
    finally:
        for number in held:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


def test_calls_and_events_work_in_a_process_with_many_open_files(many_descriptors: None) -> None:
    def play(wire: Wire) -> bool:
        if wire.request.verb == "POST":
            return echoed(wire)
        wire.send(head(200, "Content-Type: text/event-stream"))
        wire.send(b'id: 1\ndata: {"n": 1}\n\n')
        return silence(wire)

    with faulty(play) as server, DashClaw(server.url, KEY, "me") as claw:
        for _ in range(3):
            claw.guard({"action_type": "research"})
        assert server.connections == 1
        events = claw.events(timeout=20)
        assert next(events)["data"] == {"n": 1}
        events.close()


def test_a_connection_that_the_server_closed_while_idle_is_replaced_unseen() -> None:
    with faulty(echoed) as server, DashClaw(server.url, KEY, "me", retry=ONCE) as claw:
        for _ in range(3):
            claw.guard({"action_type": "research"})
            server.drop_connections()
            eventually(lambda: server.open_connections == 0)
        assert server.connections == 3
        assert len(server.seen) == 3


@pytest.mark.parametrize("surplus", [b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", b"x"])
def test_bytes_nobody_asked_for_do_not_become_the_next_answer(surplus: bytes) -> None:
    with (
        faulty(raw(complete(200, {"n": 1}) + surplus, keep=True), echoed) as server,
        closing(PooledTransport(server.url)) as transport,
    ):
        assert transport.send(GET, 20).body == b'{"n": 1}'
        assert b"target" in transport.send(GET, 20).body
        assert server.connections == 2


def test_a_late_surplus_is_seen_before_the_connection_is_used_again() -> None:
    late = threading.Event()

    def surplus_later(wire: Wire) -> bool:
        wire.send(complete(200, {"n": 1}))
        assert late.wait(20)
        wire.send(complete(200, {"n": "stolen"}))
        sent.set()
        return True

    sent = threading.Event()
    with faulty(surplus_later, echoed) as server, closing(PooledTransport(server.url)) as transport:
        transport.send(GET, 20)
        late.set()
        assert sent.wait(20)
        assert b"stolen" not in transport.send(GET, 20).body


def test_a_read_on_a_reused_connection_that_dies_is_repeated_at_once() -> None:
    with faulty(echoed, hung_up, echoed) as server, closing(PooledTransport(server.url)) as transport:
        transport.send(GET, 20)
        assert transport.send(GET, 20).status == 200
        assert [request.connection for request in server.seen] == [1, 1, 2]


def test_a_write_on_a_reused_connection_that_dies_is_left_to_the_retry_policy() -> None:
    with faulty(echoed, hung_up, echoed) as server, closing(PooledTransport(server.url)) as transport:
        transport.send(POST, 20)
        with pytest.raises(errors.UnknownOutcomeError):
            transport.send(POST, 20)
        assert len(server.seen) == 2


def test_a_read_whose_answer_broke_off_is_not_repeated_below_the_retry_policy() -> None:
    with (
        faulty(echoed, raw(head(200, "Content-Length: 10") + b"{"), echoed) as server,
        closing(PooledTransport(server.url)) as transport,
    ):
        transport.send(GET, 20)
        with pytest.raises(errors.UnknownOutcomeError):
            transport.send(GET, 20)
        assert len(server.seen) == 2


@pytest.mark.parametrize("last", ["close", "Close", "keep-alive, close"])
def test_a_connection_that_the_server_ends_is_not_kept(last: str) -> None:
    with (
        faulty(answered(200, {}, Connection=last), echoed) as server,
        closing(PooledTransport(server.url)) as transport,
    ):
        transport.send(GET, 20)
        transport.send(POST, 20)
        assert [request.connection for request in server.seen] == [1, 2]


def test_a_restarted_server_is_found_again(behind: Behind, agent: str) -> None:
    with faulty(passed_on, upstream=behind.url) as server, DashClaw(server.url, behind.key, agent) as claw:
        claw.create_action("research", "Before")
        server.stop()
        with DashClaw(server.url, behind.key, agent, retry=patient()) as hasty, pytest.raises(errors.NotSentError):
            hasty.create_action("research", "Meanwhile")
        back = threading.Timer(0.3, server.start)
        back.start()
        claw_patient = DashClaw(server.url, behind.key, agent, retry=RetryPolicy(attempts=200, base=0.05, cap=0.05))
        with claw_patient:
            claw_patient.create_action("research", "After")
        back.join()
        claw.create_action("research", "Later")
    goals = sorted(row["declared_goal"] for row in behind.recorded(agent))
    assert goals == ["After", "Before", "Later"]


def test_eight_threads_share_a_client_and_each_gets_its_own_answers() -> None:
    with faulty(echoed) as server, DashClaw(server.url, KEY, "me") as claw:
        start = threading.Barrier(8)

        def work(thread: int) -> bool:
            start.wait(20)
            said = [claw.guard({"action_type": f"t{thread}.{n}"})["body"]["action_type"] for n in range(60)]
            return said == [f"t{thread}.{n}" for n in range(60)]

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(8)))
        assert server.connections <= 8


def test_eight_threads_get_their_own_answers_while_connections_break() -> None:
    plays = [
        (echoed, hung_up, echoed, raw(complete(200, {"decision": "allow"})[:-4]), echoed)[n % 5] for n in range(300)
    ]
    policy = RetryPolicy(attempts=50, base=0.0, cap=0.0)
    with faulty(*plays, echoed) as server, DashClaw(server.url, KEY, "me", retry=policy) as claw:

        def work(thread: int) -> bool:
            return all(
                claw.guard({"action_type": f"t{thread}.{n}"})["body"]["action_type"] == f"t{thread}.{n}"
                for n in range(40)
            )

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(8)))


def test_eight_threads_record_each_action_once_while_answers_get_lost(behind: Behind, agent: str) -> None:
    plays = [(passed_on, after_commit(hung_up), hung_up)[n % 3] for n in range(60)]
    policy = RetryPolicy(attempts=60, base=0.0, cap=0.0)
    with (
        faulty(*plays, passed_on, upstream=behind.url) as server,
        DashClaw(server.url, behind.key, agent, retry=policy) as claw,
        ThreadPoolExecutor(8) as pool,
    ):

        def work(n: int) -> tuple[str, str]:
            return f"Goal {n}", claw.create_action("research", f"Goal {n}")["action_id"]

        created = sorted(pool.map(work, range(24)))
    rows = sorted((row["declared_goal"], row["action_id"]) for row in behind.recorded(agent))
    assert rows == created


def test_no_more_idle_connections_are_kept_than_asked_for() -> None:
    together = threading.Barrier(5)

    def at_once(wire: Wire) -> bool:
        together.wait(20)
        return echoed(wire)

    with faulty(at_once) as server, closing(PooledTransport(server.url, idle=2)) as transport:
        with ThreadPoolExecutor(5) as pool:
            assert [answer.status for answer in pool.map(lambda _: transport.send(GET, 20), range(5))] == [200] * 5
        eventually(lambda: server.open_connections == 2)
        transport.close()
        eventually(lambda: server.open_connections == 0)


def test_a_closed_client_sends_nothing_and_leaves_no_connection() -> None:
    with faulty(echoed) as server:
        claw = DashClaw(server.url, KEY, "me")
        claw.guard({"action_type": "research"})
        claw.close()
        claw.close()
        eventually(lambda: server.open_connections == 0)
        with pytest.raises(errors.NotSentError, match="closed"):
            claw.guard({"action_type": "research"})
        assert len(server.seen) == 1


def test_a_call_under_way_ends_although_the_client_is_closed_and_its_connection_goes_too() -> None:
    arrived, go = threading.Event(), threading.Event()

    def when_told(wire: Wire) -> bool:
        arrived.set()
        return go.wait(20) and echoed(wire)

    with faulty(when_told) as server, ThreadPoolExecutor(1) as pool:
        claw = DashClaw(server.url, KEY, "me")
        running = pool.submit(claw.guard, {"action_type": "research"})
        assert arrived.wait(20)
        claw.close()
        go.set()
        assert running.result(20)["decision"] == "allow"
        eventually(lambda: server.open_connections == 0)


def test_an_interrupted_call_does_not_give_its_connection_to_the_next() -> None:
    class Interrupted(BaseException):
        pass

    def interrupting(*_: object) -> bytes:
        eventually(lambda: len(server.seen) == 2)
        raise Interrupted

    with faulty(echoed, silence, echoed) as server, closing(PooledTransport(server.url)) as transport:
        transport.send(GET, 20)
        connection = transport._idle[0]
        connection._receive = interrupting  # type: ignore[method-assign,assignment]
        with pytest.raises(Interrupted):
            transport.send(POST, 20)
        assert transport._idle == []
        assert transport.send(POST, 20).status == 200


FORKING = """
import os, sys
from dashclaw import DashClaw
claw = DashClaw(sys.argv[1], "oc_live_" + "0" * 32, "me")
claw.guard({"action_type": "before"})
child = os.fork()
for n in range(20):
    said = claw.guard({"action_type": f"{child == 0}.{n}"})["body"]["action_type"]
    assert said == f"{child == 0}.{n}", said
claw.close()
if child == 0:
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print("well")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_opens_connections_of_its_own() -> None:
    with faulty(echoed) as server:
        command = [sys.executable, "-W", "error", "-c", FORKING, server.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.stdout, done.stderr) == ("well\n", "")
        users: dict[int, set[str]] = {}
        for request in server.seen[1:]:
            users.setdefault(request.connection, set()).add(request.json["action_type"].partition(".")[0])
        assert sorted(users.items()) == [(1, {"False"}), (2, {"True"})]
