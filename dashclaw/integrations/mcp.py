"""MCP: the calls of a server's tools are decided about before they run, whichever client makes them.

`govern_server(server, claw)` takes an `MCPServer` of mcp 2, and a `FastMCP` or a low-level `Server` of mcp 1. A server
that is not yours is governed from outside: `dashclaw mcp proxy` stands between any client and any server.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from dashclaw._governor import Governor
from dashclaw.errors import ConfigurationError

from ._framework import framework
from ._mcp_wire import CALL, REFUSED, call_in, ended, name_in, refusal
from ._shielded import aconclude, adecide

if TYPE_CHECKING:
    from dashclaw._governor import Client

__all__ = ["govern_server"]

Server = TypeVar("Server")
_FLOOR = "1.23.0"
_MARK = "_dashclaw_governed"


def govern_server(server: Server, claw: Client, **options: Any) -> Server:
    """Have every `tools/call` of a server decided about, and return the server; `options` are those of `Governor`.

    A call that must not run is answered with a result that is an error and says why, or with a protocol error where
    `on_block` is "raise". On mcp 2 add middleware of your own before this, so that what is decided about is what runs.
    Raises `ConfigurationError` for anything else and for a server that is governed already.
    """
    framework("mcp", "mcp", _FLOOR, "mcp.types:CallToolResult")
    governor = Governor(claw, **dict({"framework": "mcp"}, **options))
    inner: Any = getattr(server, "_mcp_server", None) or getattr(server, "_lowlevel_server", None) or server
    if getattr(inner, _MARK, False):
        raise ConfigurationError("This server is governed already")
    if isinstance(getattr(inner, "middleware", None), list):
        inner.middleware.append(_middleware(governor))
    elif isinstance(getattr(inner, "request_handlers", None), dict):
        inner.request_handlers = _Handlers(governor, inner.request_handlers)
    else:
        raise ConfigurationError(f"{type(server).__name__} is no server of the package mcp")
    setattr(inner, _MARK, True)
    return server


async def _run(governor: Governor, params: Any, run: Callable[[], Awaitable[Any]]) -> tuple[bool, Any]:
    """Return whether the call ran, and its result or else what is answered in its place."""
    gate = await adecide(governor, name_in(params), lambda: call_in(params))
    if not gate.runs:
        return False, refusal(gate)
    try:
        with gate.inside():
            result = await run()
    except BaseException as error:
        await aconclude(governor, gate, error=error)
        raise
    output, failure = _told(result)
    await aconclude(governor, gate, output, failure)
    return True, result


def _told(result: Any) -> tuple[Any, Exception | None]:
    try:
        return ended(result)
    except Exception:  # noqa: BLE001 - the tool has run; its result goes back as it is
        return None, None


def _middleware(governor: Governor) -> Callable[..., Awaitable[Any]]:
    """Return middleware of mcp 2."""
    result_type, error_type = framework("mcp", "mcp", "2", "mcp.types:CallToolResult", "mcp:MCPError")

    async def govern(context: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        if context.method != CALL:
            return await call_next(context)
        ran, result = await _run(governor, context.params, lambda: call_next(context))
        if ran:
            return result
        if governor.on_block == "raise":
            raise error_type(code=REFUSED, message=_text(result))
        return result_type.model_validate(result)

    return govern


class _Handlers(dict[Any, Any]):
    """The request handlers of a server of mcp 1, in which that of `tools/call` is governed whenever it is set."""

    def __init__(self, governor: Governor, known: dict[Any, Any]) -> None:
        super().__init__()
        self._governor = governor
        self._types, self._error = framework("mcp", "mcp", _FLOOR, "mcp.types", "mcp.shared.exceptions:McpError")
        for request, handler in known.items():
            self[request] = handler

    def __setitem__(self, request: Any, handler: Any) -> None:
        super().__setitem__(request, self._governed(handler) if request is self._types.CallToolRequest else handler)

    def _governed(self, handler: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
        async def govern(request: Any) -> Any:
            params = request.params.model_dump(by_alias=True)
            ran, result = await _run(self._governor, params, lambda: handler(request))
            if ran:
                return result
            if self._governor.on_block == "raise":
                raise self._error(self._types.ErrorData(code=REFUSED, message=_text(result)))
            return self._types.ServerResult(self._types.CallToolResult.model_validate(result))

        return govern


def _text(result: Any) -> str:
    return str(result["content"][0]["text"])
