"""`GET /live`: what changed in the organisation, for the pages that are open.

Pages need to know that something changed, not what it says: they ask again for the region that shows it. So all pages
of an organisation share one reader, which counts the new events by name a few times in a second, and one frame.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from dashclaw._json import compact
from dashclaw.runtime.feed import last_event
from dashclaw.runtime.store.ticks import happened

if TYPE_CHECKING:
    from starlette.requests import Request

    from ..settings import ServerSettings
    from ..stream import Broadcast
    from .sessions import Session, Sessions

PAUSE_SECONDS = 0.4
# Farther behind than this, a page had better load everything again.
MOST_BEHIND = 10_000
EVERYTHING = "*"
_SLOW = 50
_ABOUT_SESSIONS = ("key.", "operator.", "person.")


class Tick(NamedTuple):
    """News for the pages: a frame of the stream, and whether sessions may have ended by it."""

    frame: bytes
    about_sessions: bool


_ENDED = Tick(b": ended\n\n", about_sessions=False)


class Live:
    """The open pages, by organisation."""

    def __init__(self, broadcast: Broadcast, sessions: Sessions, settings: ServerSettings) -> None:
        self._broadcast = broadcast
        self._sessions = sessions
        self._settings = settings
        self._rooms: dict[str, _Room] = {}

    async def stream(self, request: Request, session: Session | None) -> Response:
        """Answer with the stream; `after`, or `Last-Event-ID`, is the cursor that the page was made at."""
        if session is None:
            return Response("Sign in first", 401, None, "text/plain; charset=utf-8")
        asked = request.headers.get("last-event-id") or request.query_params.get("after") or ""
        after = int(asked) if asked.isdecimal() and len(asked) < 19 else None
        return StreamingResponse(self._frames(session, after), 200, {"X-Accel-Buffering": "no"}, "text/event-stream")

    async def _frames(self, session: Session, after: int | None) -> AsyncIterator[bytes]:
        room = self._room(session.caller.org_id)
        ticks = room.enter()
        until = time.monotonic() + self._settings.stream_minutes * 60
        try:
            await room.begun.wait()
            yield b"retry: 1000\nevent: hello\ndata: {}\n\n"
            if missed := await run_in_threadpool(room.missed, after):
                yield missed.frame
            while time.monotonic() < until and not self._broadcast.closed:
                tick = await _next(ticks, self._settings.heartbeat_seconds)
                if (tick is None or tick.about_sessions) and not await run_in_threadpool(self._sessions.lives, session):
                    yield b"event: bye\ndata: {}\n\n"
                    return
                if tick is not None and ticks.qsize() > _SLOW:
                    return
                yield b": alive\n\n" if tick is None else tick.frame
                if tick is _ENDED:
                    return
        finally:
            room.leave(ticks)

    def _room(self, org_id: str) -> _Room:
        if org_id not in self._rooms:
            self._rooms[org_id] = _Room(self._broadcast, org_id)
        return self._rooms[org_id]


class _Room:
    """The open pages of one organisation, and the one reader for all of them."""

    def __init__(self, broadcast: Broadcast, org_id: str) -> None:
        self._broadcast = broadcast
        self._org_id = org_id
        self._listening: set[asyncio.Queue[Tick]] = set()
        self._task: asyncio.Task[None] | None = None
        self._cursor = 0
        # Set once the reader has its cursor: what came before is missed, what comes after is told.
        self.begun = asyncio.Event()

    def enter(self) -> asyncio.Queue[Tick]:
        """A queue that gets every tick from now on."""
        queue: asyncio.Queue[Tick] = asyncio.Queue()
        self._listening.add(queue)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._read_on())
        return queue

    def leave(self, queue: asyncio.Queue[Tick]) -> None:
        """Stop getting ticks."""
        self._listening.discard(queue)

    def missed(self, after: int | None) -> Tick | None:
        """What happened after a cursor, up to now."""
        if after is None:
            return None
        with self._broadcast.runtime.store.read() as tx:
            newest = last_event(tx, self._org_id)
            if newest - after > MOST_BEHIND:
                return _tick({EVERYTHING: newest - after}, newest)
            found, last = happened(tx, self._org_id, after)
        return _tick(found, last) if found else None

    async def _read_on(self) -> None:
        changed = self._broadcast.join()
        try:
            self._cursor = await run_in_threadpool(self._newest)
            self.begun.set()
            while self._listening and not self._broadcast.closed:
                await self._wait(changed)
                changed.clear()
                # Read after clearing: a commit in between sets it again.
                if tick := await run_in_threadpool(self._news):
                    for queue in self._listening:
                        queue.put_nowait(tick)
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self._broadcast.leave(changed)
            self._task = None
            self.begun = asyncio.Event()
            for queue in self._listening:
                queue.put_nowait(_ENDED)

    async def _wait(self, changed: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(changed.wait(), 1)
        except asyncio.TimeoutError:
            self._broadcast.keep_polling()

    def _newest(self) -> int:
        with self._broadcast.runtime.store.read() as tx:
            return last_event(tx, self._org_id)

    def _news(self) -> Tick | None:
        with self._broadcast.runtime.store.read() as tx:
            found, self._cursor = happened(tx, self._org_id, self._cursor)
        return _tick(found, self._cursor) if found else None


async def _next(ticks: asyncio.Queue[Tick], seconds: float) -> Tick | None:
    try:
        return await asyncio.wait_for(ticks.get(), seconds)
    except asyncio.TimeoutError:
        return None


def _tick(found: dict[str, int], cursor: int) -> Tick:
    frame = f"id: {cursor}\nevent: tick\ndata: {compact(found)}\n\n".encode()
    return Tick(frame, any(name.startswith(_ABOUT_SESSIONS) for name in found))
