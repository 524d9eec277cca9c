"""What the server does by itself, now and then."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any

from dashclaw.runtime.chat.messenger import Messenger
from dashclaw.runtime.delivery import Deliverer
from dashclaw.runtime.evidence.keeping import Notary, link_tails
from dashclaw.runtime.routing.due import keep_all_up
from dashclaw.runtime.signal_watch import detect
from dashclaw.runtime.store.retention import sweep

from .web.sessions import forget

if TYPE_CHECKING:
    from dashclaw.runtime.runtime import Runtime

log = logging.getLogger("dashclaw")

SWEEP_SECONDS = 3600.0
DELIVERY_SECONDS = 0.5
CHAT_SECONDS = 0.5
SIGNAL_SECONDS = 60.0
ROUTING_SECONDS = 1.0
LINK_SECONDS = 60.0
CHECKPOINT_SECONDS = 300.0
_LONGEST_PAUSE = 10.0


class Upkeep:
    """Repeats a job in a thread, the first time at once; `wake` makes the next time come now.

    A failing job is logged and tried again, later each time, after 10 seconds at the latest or when its time has come.
    `stopping` is called when it is to end, so that a job under way can cut itself short.
    """

    def __init__(
        self,
        name: str,
        job: Callable[[], Any],
        seconds: float,
        *,
        wake: threading.Event | None = None,
        stopping: Callable[[], Any] = lambda: None,
    ) -> None:
        self._name = name
        self._job = job
        self._seconds = seconds
        self._wake = wake or threading.Event()
        self._stopping = stopping
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=f"dashclaw-{name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; a job under way is waited for, a minute at most."""
        self._stopped = True
        self._wake.set()
        self._stopping()
        self._thread.join(60)

    def _run(self) -> None:
        failures = 0
        while True:
            try:
                self._job()
                failures = 0
            except Exception:
                failures += 1
                log.exception("Upkeep failed: %s", self._name)
            longest = max(self._seconds, _LONGEST_PAUSE)
            self._wake.wait(min(self._seconds * 2 ** min(failures, 16), longest))
            self._wake.clear()
            if self._stopped:
                return


@contextmanager
def working(runtime: Runtime) -> Iterator[None]:
    """Do all of it until the block ends."""
    with ExitStack() as stack:
        for begin in JOBS:
            stack.enter_context(closing(begin(runtime)))
        yield


def retention(runtime: Runtime) -> Upkeep:
    """Forget hourly what the settings no longer keep."""

    def job() -> None:
        gone = {name: count for name, count in sweep(runtime.store, runtime.settings).items() if count}
        if gone:
            log.info("Retention removed %s", ", ".join(f"{count} {name}" for name, count in gone.items()))

    return Upkeep("retention", job, SWEEP_SECONDS)


def sessions(runtime: Runtime) -> Upkeep:
    """Forget hourly the sessions of the dashboard that have ended."""

    def job() -> None:
        with runtime.store.write() as tx:
            forget(tx)

    return Upkeep("sessions", job, SWEEP_SECONDS)


def webhooks(runtime: Runtime) -> Upkeep:
    """Send events to webhooks."""
    wake = threading.Event()
    deliverer = Deliverer(runtime, finished=wake.set)
    return Upkeep("webhooks", deliverer.round, DELIVERY_SECONDS, wake=wake, stopping=deliverer.close)


def chats(runtime: Runtime) -> Upkeep:
    """Keep the messages in chats as the actions are."""
    wake = threading.Event()
    messenger = Messenger(runtime, finished=wake.set)
    return Upkeep("chats", messenger.round, CHAT_SECONDS, wake=wake, stopping=messenger.close)


def signals(runtime: Runtime) -> Upkeep:
    """Notice every minute which signals began."""
    stop = threading.Event()
    return Upkeep("signals", lambda: detect(runtime, stop), SIGNAL_SECONDS, stopping=stop.set)


def routing(runtime: Runtime) -> Upkeep:
    """Take back tasks that took too long, run schedules, and send messages about tasks again."""
    return Upkeep("routing", lambda: keep_all_up(runtime), ROUTING_SECONDS)


def links(runtime: Runtime) -> Upkeep:
    """Link every minute the events that a process left unlinked when it died."""
    return Upkeep("links", lambda: link_tails(runtime), LINK_SECONDS)


def checkpoints(runtime: Runtime) -> Upkeep:
    """Sign every five minutes the chains that grew."""
    return Upkeep("checkpoints", Notary(runtime).round, CHECKPOINT_SECONDS)


JOBS = (retention, sessions, webhooks, chats, signals, routing, links, checkpoints)
