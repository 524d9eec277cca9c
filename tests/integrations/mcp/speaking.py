"""Servers and clients of whichever mcp is installed, spoken with in one way."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

NEW = int(importlib.metadata.version("mcp").split(".")[0]) >= 2


class Said(NamedTuple):
    """What a call came to."""

    failed: bool
    text: str


class Speaker:
    """A client that is connected."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def call(self, tool: str, **arguments: Any) -> Said:
        found = await self._client.call_tool(tool, arguments)
        failed = found.is_error if NEW else found.isError
        return Said(bool(failed), "\n".join(part.text for part in found.content))

    async def tools(self) -> list[str]:
        return [tool.name for tool in (await self._client.list_tools()).tools]


def named(name: str, **options: Any) -> Any:
    """Return a new server."""
    if NEW:
        from mcp.server.mcpserver import MCPServer

        return MCPServer(name, **options)
    from mcp.server.fastmcp import FastMCP

    return FastMCP(name, **options)


@asynccontextmanager
async def talk(server: Any) -> AsyncIterator[Speaker]:
    """Connect to a server in this process."""
    if NEW:
        from mcp import Client

        async with Client(server) as client:
            yield Speaker(client)
        return
    from mcp.shared.memory import create_connected_server_and_client_session as connected

    async with connected(getattr(server, "_mcp_server", server)) as client:
        yield Speaker(client)


@asynccontextmanager
async def run(*words: str, env: dict[str, str] | None = None) -> AsyncIterator[Speaker]:
    """Connect to a server that is a program, a command of this interpreter."""
    from mcp import StdioServerParameters

    asked = StdioServerParameters(command=sys.executable, args=list(words), env=env)
    if NEW:
        from mcp import Client

        async with Client(asked) as client:
            yield Speaker(client)
        return
    from mcp import ClientSession
    from mcp.client.stdio import stdio_client

    async with stdio_client(asked) as streams, ClientSession(*streams) as session:
        await session.initialize()
        yield Speaker(session)


@asynccontextmanager
async def visit(url: str) -> AsyncIterator[Speaker]:
    """Connect to a server over HTTP."""
    if NEW:
        from mcp import Client

        async with Client(url) as client:
            yield Speaker(client)
        return
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async with streamablehttp_client(url) as streams, ClientSession(*streams[:2]) as session:
        await session.initialize()
        yield Speaker(session)
