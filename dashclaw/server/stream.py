"""`GET /api/stream`: the organisation's events as they are committed, resumable by the id of the last one seen."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from dashclaw.runtime.feed import POLL_SECONDS, events_after, frame, last_event
from dashclaw.runtime.problems import invalid

if TYPE_CHECKING:
    from dashclaw.runtime.identity import Caller
    from dashclaw.runtime.runtime import Runtime

    from .settings import ServerSettings

log = logging.getLogger("dashclaw")

_BATCH = 200


class Broadcast:
    """Wakes every stream when anybody committed; one poll of the database serves them all."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._waiting: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None
        self.closed = False

    async def _poll(self) -> None:
        watch = await run_in_threadpool(self.runtime.feed.watch)
        try:
            while self._waiting and not self.closed:
                if watch.moved():
                    self._wake()
                await asyncio.sleep(POLL_SECONDS)
        finally:
            watch.close()

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()

    def join(self) -> asyncio.Event:
        """An event that is set after each commit; give it back with `leave`."""
        event = asyncio.Event()
        self._waiting.add(event)
        self.keep_polling()
        return event

    def keep_polling(self) -> None:
        """Poll, again if the database ended the last poll."""
        if self._task is not None and not self._task.done():
            return
        if self._task is not None and (error := self._task.exception()) is not None:
            log.warning("the poll for events ended; it begins again", exc_info=error)
        self._task = asyncio.get_running_loop().create_task(self._poll())

    def leave(self, event: asyncio.Event) -> None:
        """Stop being woken."""
        self._waiting.discard(event)

    def close(self) -> None:
        """End every stream, so that a stop does not wait for them."""
        self.closed = True
        self._wake()


async def stream(
    request: Request, caller: Caller, allowed: Callable[[], bool], broadcast: Broadcast, settings: ServerSettings
) -> Response:
    """Answer with the stream; `Last-Event-ID` or `lastEventId` names the last event seen.

    It ends once the caller is no longer `allowed`.
    """
    asked = request.headers.get("last-event-id") or request.query_params.get("lastEventId")
    if asked and not (asked.isdecimal() and len(asked) < 19):
        raise invalid("Last-Event-ID", "must be the id of an event of this stream")
    newest = await run_in_threadpool(_newest, broadcast.runtime, caller.org_id)
    events = _events(caller.org_id, allowed, int(asked) if asked else newest, newest, broadcast, settings)
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(events, 200, headers, "text/event-stream")


async def _events(
    org_id: str,
    allowed: Callable[[], bool],
    cursor: int,
    newest: int,
    broadcast: Broadcast,
    settings: ServerSettings,
) -> AsyncIterator[bytes]:
    runtime = broadcast.runtime
    changed = broadcast.join()
    until = time.monotonic() + settings.stream_minutes * 60
    try:
        replayed = 0
        while cursor < newest:
            if not (found := await run_in_threadpool(_read, runtime, org_id, cursor)):
                break
            replayed += len(found)
            cursor = found[-1]["id"]
            yield b"".join(map(frame, found))
        yield _hello(org_id, runtime.store.dialect, replayed, cursor)
        while time.monotonic() < until and not broadcast.closed and allowed():
            changed.clear()
            # Read after clearing: a commit in between sets it again.
            if found := await run_in_threadpool(_read, runtime, org_id, cursor):
                cursor = found[-1]["id"]
                yield b"".join(map(frame, found))
                continue
            try:
                await asyncio.wait_for(changed.wait(), settings.heartbeat_seconds)
            except asyncio.TimeoutError:
                broadcast.keep_polling()
                yield b": alive\n\n"
    finally:
        broadcast.leave(changed)


def _hello(org_id: str, backend: str, replayed: int, cursor: int) -> bytes:
    said: dict[str, Any] = {
        "status": "connected",
        "orgId": org_id,
        "backend": backend,
        "realtimeStatus": "ok",
        "replayed": replayed,
        "lastEventId": cursor,
        "replayError": None,
    }
    return f"event: connected\ndata: {json.dumps(said)}\n\n".encode()


def _newest(runtime: Runtime, org_id: str) -> int:
    with runtime.store.read() as tx:
        return last_event(tx, org_id)


def _read(runtime: Runtime, org_id: str, cursor: int) -> list[dict[str, Any]]:
    with runtime.store.read() as tx:
        return events_after(tx, org_id, cursor, _BATCH)
