"""Where chat platforms send what was pressed: outside sessions and keys, since each request proves who sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dashclaw.runtime.chat import pressing
from dashclaw.runtime.store.engine import StoreError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from dashclaw.runtime.chat.platform import Reply
    from dashclaw.runtime.runtime import Runtime

PREFIX = "/chat/"
MOST_BYTES = 256 * 1024


def add_chat(app: FastAPI, runtime: Runtime) -> None:
    """Answer `POST /chat/{channel_id}`."""

    async def endpoint(request: Request) -> Response:
        body = await _bounded(request)
        if body is None:
            return Response(status_code=413, headers={"Connection": "close"})
        channel_id = str(request.path_params["channel_id"])
        try:
            reply = await run_in_threadpool(pressing.answer, runtime, channel_id, dict(request.headers), body)
        except StoreError:
            return Response(status_code=503)
        after = BackgroundTask(pressing.send_later, runtime, channel_id, reply) if reply.later is not None else None
        return _response(reply, after)

    app.add_api_route(PREFIX + "{channel_id}", endpoint, methods=["POST"], include_in_schema=False, response_model=None)


def _response(reply: Reply, after: BackgroundTask | None) -> Response:
    if reply.body is None:
        return Response(status_code=reply.status, background=after)
    return JSONResponse(dict(reply.body), reply.status, background=after)


async def _bounded(request: Request) -> bytes | None:
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > MOST_BYTES:
            return None
    return bytes(found)
