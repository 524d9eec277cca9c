"""Large bodies in both directions, a piece at a time."""

from __future__ import annotations

import mmap
import tempfile
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from typing import TYPE_CHECKING

from starlette.responses import StreamingResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from dashclaw.runtime.binary import Download, Raw

# What is larger goes into a temporary file while it arrives.
_IN_MEMORY = 128 * 1024


async def received(request: Request) -> AbstractContextManager[Raw]:
    """The body of a request: as bytes, or as a mapped file that is gone when the context ends."""
    parts: list[bytes] = []
    size = 0
    with ExitStack() as stack:
        file = None
        async for part in request.stream():
            size += len(part)
            parts.append(part)
            if file is None and size > _IN_MEMORY:
                file = stack.enter_context(tempfile.TemporaryFile())
            if file is not None:
                file.writelines(parts)
                parts.clear()
        if file is None:
            return nullcontext(b"".join(parts))
        file.flush()
        return closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def download(found: Download) -> Response:
    """A file as an answer."""
    return StreamingResponse(found.pieces(), headers=found.headers())
