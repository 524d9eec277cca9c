"""`dashclaw mcp`: a proxy that governs any MCP server, and DashClaw as an MCP server."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from dashclaw.errors import ConfigurationError

from .arguments import Commands, connection, seconds, whole
from .connection import acting
from .hook import deciding
from .output import Output

if TYPE_CHECKING:
    from dashclaw.integrations.mcp_gatekeeper import Gatekeeper

_USUAL_AGENT = "mcp-client"
_LONGEST_ANSWER = 3600.0


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("mcp", "govern MCP servers, or be one")
    found = group.command(
        "proxy",
        proxy,
        "stand between an MCP client and a server, and decide about each call of a tool",
        options=deciding(),
        example="dashclaw mcp proxy --db dashclaw.db -- python server.py",
    )
    found.add_argument("--to", metavar="URL", help="the server, where it is reached over HTTP; needs --listen")
    found.add_argument(
        "--listen",
        type=whole(0, 65535),
        metavar="PORT",
        help="where HTTP clients connect on 127.0.0.1 (0: a free one)",
    )
    found.add_argument(
        "--timeout",
        type=seconds,
        default=_LONGEST_ANSWER,
        metavar="SECONDS",
        help="how long the server may take to answer before the client is told that it did not (3600)",
    )
    found.add_argument("program", nargs="*", metavar="PROGRAM", help="the server, where it is a program; after --")
    found = group.command(
        "serve",
        serve,
        "be an MCP server whose tools are guard, actions, approvals, policies and evidence",
        options=connection(),
        example="dashclaw mcp serve --db dashclaw.db",
    )
    found.add_argument("--agent", metavar="ID", help=f"who acts (else DASHCLAW_AGENT_ID, else {_USUAL_AGENT})")
    found.add_argument(
        "--listen", type=whole(1, 65535), metavar="PORT", help="serve HTTP on 127.0.0.1 at /mcp (else stdin and stdout)"
    )
    found.add_argument("--approving", action="store_true", help="add the tool that approves, as far as the key may")


def proxy(options: argparse.Namespace, output: Output) -> int:
    """Pass messages on until either side ends."""
    import logging

    from dashclaw._governor import Governor
    from dashclaw.integrations.mcp_gatekeeper import Gatekeeper

    if bool(options.program) == (options.to is not None) or (options.to is None) != (options.listen is None):
        raise ConfigurationError("Name the server: -- PROGRAM ARGUMENTS, or --to URL with --listen PORT")
    # Over stdio the client shows what a server writes to stderr.
    logging.basicConfig(format="dashclaw: %(message)s", level=logging.WARNING)
    with acting(options, options.agent, _USUAL_AGENT) as claw:
        governor = Governor(claw, mode=options.mode, wait=options.wait, framework="mcp")
        gatekeeper = Gatekeeper(governor)
        return _over_stdio(options, gatekeeper) if options.program else _over_http(options, gatekeeper, output)


def _over_stdio(options: argparse.Namespace, gatekeeper: Gatekeeper) -> int:
    from dashclaw.integrations.mcp_stdio_proxy import StdioProxy

    # The server is what is governed: it gets no key to the one that decides.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DASHCLAW_")}
    running = StdioProxy(gatekeeper, options.program, environment, options.timeout)
    signal.signal(signal.SIGTERM, lambda *_: running.stop())
    # The thread that waits for the client outlives this command: Python would wait for it to leave sys.stdin.
    stdin = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    try:
        return running.run(stdin, sys.stdout.buffer)
    finally:
        running.stop()


def _over_http(options: argparse.Namespace, gatekeeper: Gatekeeper, output: Output) -> int:
    from dashclaw.integrations.mcp_http_proxy import HttpProxy

    with HttpProxy(gatekeeper, options.to, options.listen, options.timeout) as running:
        output.line({"url": running.url, "to": options.to}, f"Clients reach {options.to} through {running.url}")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        running.serve_forever()
    return 0


def serve(options: argparse.Namespace, *_: Any) -> None:
    """Serve until the client leaves."""
    from dashclaw.integrations.mcp_server import serve as run

    with acting(options, options.agent, _USUAL_AGENT) as claw:
        transport = "stdio" if options.listen is None else "streamable-http"
        run(claw, transport, port=options.listen or 0, approving=options.approving)
