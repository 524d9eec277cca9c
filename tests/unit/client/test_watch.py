from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest

from dashclaw import ApprovalTimeoutError, DashClaw, _watch
from dashclaw.errors import NotSentError
from dashclaw.testing import FakeTransport

from .support import eventually, patient


class Counting(FakeTransport):
    """Counts its streams and can be told to have none."""

    def __init__(self, **settings: Any) -> None:
        super().__init__({"deploy": "require_approval"}, **settings)
        self.streams: list[Any] = []
        self.deaf = False

    def stream(self, request: Any, timeout: float) -> Any:
        if self.deaf:
            raise NotSentError("no stream today")
        self.streams.append(super().stream(request, timeout))
        return self.streams[-1]

    def looks(self) -> int:
        return sum(call.verb == "GET" for call in self.calls)


def waiting(fake: Counting, **settings: Any) -> DashClaw:
    return DashClaw(agent_id="me", transport=fake, retry=patient(), **settings)


def in_thread(call: Any, *args: Any, **kwargs: Any) -> tuple[threading.Thread, list[Any]]:
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(call(*args, **kwargs))
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def streams_open() -> int:
    return sum(thread.name == "dashclaw-events" for thread in threading.enumerate())


def seated(claw: DashClaw) -> int:
    watcher = claw._watching
    return len(watcher._seats) if watcher is not None and watcher.connected else 0


def test_an_event_ends_the_wait_at_once_and_not_the_interval() -> None:
    fake = Counting()
    claw = waiting(fake)
    action_id = claw.create_action("deploy", "ship")["action_id"]
    thread, found = in_thread(claw.wait_for_approval, action_id, timeout=60, interval=30)
    eventually(lambda: fake.looks() >= 2)
    begun = time.monotonic()
    claw.approve_action(action_id, "allow")
    thread.join(10)
    assert time.monotonic() - begun < 5
    assert found[0]["action"]["status"] == "running"
    claw.close()


def test_one_stream_serves_all_waiters_and_ends_with_the_client() -> None:
    fake = Counting()
    claw = waiting(fake)
    ids = [claw.create_action("deploy", "ship")["action_id"] for _ in range(5)]
    waits = [in_thread(claw.wait_for_approval, action_id, timeout=60, interval=30) for action_id in ids]
    eventually(lambda: seated(claw) == 5)
    assert len(fake.streams) == 1
    for action_id in ids:
        claw.approve_action(action_id, "allow")
    for thread, found in waits:
        thread.join(10)
        assert found[0]["action"]["status"] == "running"
    claw.close()
    eventually(lambda: streams_open() == 0)


def test_news_of_one_action_wakes_nobody_else() -> None:
    fake = Counting()
    claw = waiting(fake)
    first, second = (claw.create_action("deploy", "ship")["action_id"] for _ in range(2))
    waits = [in_thread(claw.wait_for_approval, first, timeout=60, interval=30)]
    eventually(lambda: fake.looks() == 2)  # at once, and again when the stream stands
    waits.append(in_thread(claw.wait_for_approval, second, timeout=60, interval=30))
    eventually(lambda: fake.looks() == 3)
    looks = fake.looks()
    claw.approve_action(first, "allow")
    waits[0][0].join(10)
    assert fake.looks() == looks + 1
    claw.approve_action(second, "deny")
    waits[1][0].join(10)
    assert fake.looks() == looks + 2
    claw.close()


def test_without_a_stream_the_wait_asks() -> None:
    fake = Counting()
    fake.deaf = True
    claw = waiting(fake)
    action_id = claw.create_action("deploy", "ship")["action_id"]
    thread, found = in_thread(claw.wait_for_approval, action_id, timeout=60, interval=0.05)
    eventually(lambda: fake.looks() >= 3)
    claw.approve_action(action_id, "allow")
    thread.join(10)
    assert found[0]["action"]["status"] == "running"
    claw.close()


def test_a_transport_that_knows_no_streams_is_enough() -> None:
    fake = FakeTransport({"deploy": "require_approval"})

    class Plain:
        send = fake.send
        close = fake.close

    claw = DashClaw(agent_id="me", transport=Plain())  # type: ignore[arg-type]
    action_id = claw.create_action("deploy", "ship")["action_id"]
    with pytest.raises(ApprovalTimeoutError):
        claw.wait_for_approval(action_id, timeout=0.2, interval=0.05)
    assert streams_open() == 0


def test_a_broken_stream_is_resumed_where_it_broke() -> None:
    fake = Counting()
    claw = waiting(fake)
    action_id = claw.create_action("deploy", "ship")["action_id"]
    thread, found = in_thread(claw.wait_for_approval, action_id, timeout=60, interval=30)
    eventually(lambda: fake.looks() >= 2)
    fake.streams[0].close()
    eventually(lambda: len(fake.streams) == 2)
    looks = fake.looks()
    eventually(lambda: fake.looks() > looks or looks >= 4)
    claw.approve_action(action_id, "allow")
    thread.join(10)
    assert found[0]["action"]["status"] == "running"
    claw.close()


def test_the_stream_ends_after_the_last_waiter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_watch, "LINGER_SECONDS", 0.05)
    fake = Counting(approve="allow")
    claw = waiting(fake, hitl_mode="wait")
    claw.create_action("deploy", "ship")
    eventually(lambda: streams_open() == 0)
    claw.create_action("deploy", "again")
    assert claw._watching is not None
    eventually(lambda: streams_open() == 0)
    assert claw._watching._seats == {}


def test_closing_the_client_lets_a_wait_go_on_by_asking() -> None:
    fake = Counting()
    claw = waiting(fake)
    action_id = claw.create_action("deploy", "ship")["action_id"]
    thread, found = in_thread(claw.wait_for_approval, action_id, timeout=0.5, interval=0.05)
    eventually(lambda: fake.looks() >= 2)
    claw.close()
    thread.join(10)
    assert isinstance(found[0], ApprovalTimeoutError)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_watches_for_itself() -> None:
    fake = Counting(approve="allow")
    claw = waiting(fake, hitl_mode="wait")
    claw.create_action("deploy", "ship")
    assert claw._watching is not None
    claw._watching._pid -= 1  # what a child sees
    before = claw._watching
    claw.create_action("deploy", "ship")
    assert claw._watching is not before
    claw.close()
