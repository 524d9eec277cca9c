"""Writes that arrive together are committed together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from dashclaw.runtime.runtime import Runtime

T = TypeVar("T")
MOST = 64


class Together:
    """Runs what the requests of one turn of the event loop write in one transaction.

    Each piece of work is undone alone when it fails; nobody gets an answer before the commit.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._jobs: list[_Job[Any]] = []

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns or raise what it raises, once it is committed."""
        loop = asyncio.get_running_loop()
        job: _Job[T] = _Job(work, loop.create_future())
        self._jobs.append(job)
        if len(self._jobs) == 1:
            # Comes after the requests that are ready in this turn.
            loop.call_soon(self._flush)
        return await job.answered

    def _flush(self) -> None:
        jobs, self._jobs = self._jobs, []
        for start in range(0, len(jobs), MOST):
            self._commit(jobs[start : start + MOST])
        for job in jobs:
            job.answer()

    def _commit(self, jobs: list[_Job[Any]]) -> None:
        if len(jobs) == 1:
            jobs[0].work()
            return
        try:
            with self._runtime.store.batch():
                for job in jobs:
                    job.work()
        except Exception as error:  # noqa: BLE001 - raised to every caller: nothing was written
            self._runtime.policies.forget()
            for job in jobs:
                job.fail(error)


class _Job(Generic[T]):
    """A piece of work, what became of it, and who waits for it."""

    def __init__(self, work: Callable[[], T], answered: asyncio.Future[T]) -> None:
        self._work = work
        self._result: T | None = None
        self._error: Exception | None = None
        self.answered = answered

    def work(self) -> None:
        try:
            self._result = self._work()
        except Exception as error:  # noqa: BLE001 - raised to the caller
            self._error = error

    def fail(self, error: Exception) -> None:
        self._error = error

    def answer(self) -> None:
        if self.answered.done():
            return  # the request was cancelled
        if self._error is not None:
            self.answered.set_exception(self._error)
        else:
            self.answered.set_result(self._result)  # type: ignore[arg-type]
