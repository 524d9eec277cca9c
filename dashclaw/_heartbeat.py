"""Heartbeats from a daemon thread."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Optional

from ._log import logger
from .errors import ConfigurationError, DashClawError

if TYPE_CHECKING:
    from .client import DashClaw


class Pulse:
    """Remembers whether the last heartbeat arrived, so that an outage is logged once."""

    def __init__(self, interval: float) -> None:
        if not 0 < interval < float("inf"):
            raise ConfigurationError(f"interval is a positive number of seconds, not {interval!r}")
        self.interval = interval
        self._failing = False

    def note(self, error: Optional[BaseException]) -> None:
        """Take down how a heartbeat went."""
        if error is not None and not self._failing:
            logger().warning("Heartbeats do not arrive: %s", error)
        elif error is None and self._failing:
            logger().warning("Heartbeats arrive again")
        self._failing = error is not None


class Heartbeat:
    """A running heartbeat; it ends with its client."""

    def __init__(self, client: DashClaw, interval: float) -> None:
        self._pulse = Pulse(interval)
        self._client = weakref.ref(client)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dashclaw-heartbeat", daemon=True)
        self._thread.start()

    def alive(self) -> bool:
        """Whether heartbeats are being sent by this process."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Send no more heartbeats."""
        self._stop.set()

    def _run(self) -> None:
        while self._beat() and not self._stop.wait(self._pulse.interval):
            pass

    def _beat(self) -> bool:
        client = self._client()
        if client is None or self._stop.is_set():
            return False
        try:
            client.heartbeat()
        except DashClawError as error:
            self._pulse.note(error)
        except Exception as error:  # noqa: BLE001 - the thread's edge: a heartbeat must not end for a fault of ours
            logger().exception("A heartbeat failed")
            self._pulse.note(error)
        else:
            self._pulse.note(None)
        return True
