"""Long work that a page starts and watches: one of a kind per organisation, one at a time in all."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dashclaw.runtime.problems import Problem, conflict

log = logging.getLogger("dashclaw")

# Results of so many organisations and kinds are kept.
_MOST_KEPT = 200
DEADLINE_SECONDS = 900.0


class CancelledError(Exception):
    """The job was cancelled, its time was over, or the server stops."""


class Job:
    """One piece of work. `done` of `total` parts are through; `result` is there once it `ended` well, else `error`.

    `about` says what was asked for.
    """

    def __init__(self, deadline: float, about: Any = None) -> None:
        self.about = about
        self.done = 0
        self.total = 0
        self.ended = False
        self.result: Any = None
        self.error: str | None = None
        self._deadline = deadline
        self._cancelled = threading.Event()

    def progress(self, done: int, total: int) -> None:
        """Take how far the work is; raises `CancelledError` when it must not go on."""
        self.done, self.total = done, total
        if self._cancelled.is_set():
            raise CancelledError("It was cancelled.")
        if time.monotonic() > self._deadline:
            raise CancelledError("It took too long here; the command line has no such limit.")

    def cancel(self) -> None:
        """End the work at its next step."""
        self._cancelled.set()

    def run(self, work: Callable[[Job], Any]) -> None:
        """Do the work and keep what came of it."""
        try:
            self.progress(0, 0)
            self.result = work(self)
        except CancelledError as error:
            self.error = str(error)
        except Problem as problem:
            self.error = " ".join([problem.message, *problem.details])
        except Exception as error:  # whatever happens belongs on the page and in the log
            log.exception("a job of the dashboard failed")
            self.error = f"It failed: {type(error).__name__}. The log of the server says more."
        finally:
            self.ended = True


class Jobs:
    """The jobs of a server."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, "dashclaw-job")
        self._jobs: OrderedDict[tuple[str, str], Job] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, org_id: str, kind: str, work: Callable[[Job], Any], about: Any = None) -> Job:
        """Begin a job; raises `Problem` 409 while one of this kind runs for the organisation."""
        with self._lock:
            known = self._jobs.get((org_id, kind))
            if known is not None and not known.ended:
                raise conflict("This is under way already; wait for it or cancel it")
            job = self._jobs[(org_id, kind)] = Job(time.monotonic() + DEADLINE_SECONDS, about)
            self._jobs.move_to_end((org_id, kind))
            ended = [key for key, found in self._jobs.items() if found.ended]
            for key in ended[: max(0, len(self._jobs) - _MOST_KEPT)]:
                del self._jobs[key]
            self._executor.submit(job.run, work)
        return job

    def find(self, org_id: str, kind: str) -> Job | None:
        """The newest job of this kind, whether it runs or ended."""
        return self._jobs.get((org_id, kind))

    def close(self) -> None:
        """Cancel all of them, and wait for what runs: it ends at its next step, before the database is closed."""
        with self._lock:
            for job in self._jobs.values():
                job.cancel()
        self._executor.shutdown()
