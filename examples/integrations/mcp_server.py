"""An MCP server whose tools are decided about: one reads, one is forbidden, one waits for a person.

    pip install "dashclaw[local,mcp]"
    python examples/integrations/mcp_server.py

A client in the same process follows a script. With the argument "serve" any MCP client can start this as its server,
so that a real model calls the tools: it then decides by the file dashclaw.db, and people use `dashclaw approvals`.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from dashclaw import DashClaw
from dashclaw.integrations.mcp import govern_server

NEW = int(importlib.metadata.version("mcp").split(".")[0]) >= 2
SCRIPT: list[tuple[str, dict[str, Any]]] = [
    ("read_table", {"table": "customers"}),
    ("drop_table", {"table": "customers"}),
    ("send_mail", {"to": "ann@example.com", "text": "3 rows"}),
]


def make() -> Any:
    """Return a server as you would write it."""
    if NEW:
        from mcp.server.mcpserver import MCPServer

        server: Any = MCPServer("shop")
    else:
        from mcp.server.fastmcp import FastMCP

        server = FastMCP("shop")

    @server.tool()
    def read_table(table: str) -> str:
        """Count the rows of a table."""
        print(f"  read_table runs on {table}", file=sys.stderr)
        return "3 rows"

    @server.tool()
    def drop_table(table: str) -> str:
        """Drop a table."""
        print(f"  drop_table runs on {table}", file=sys.stderr)
        return "gone"

    @server.tool()
    def send_mail(to: str, text: str) -> str:
        """Send a mail."""
        print(f"  send_mail runs: to {to}: {text}", file=sys.stderr)
        return "sent"

    return server


def connected(server: Any) -> Any:
    """Return a client that is connected to a server in this process."""
    if NEW:
        from mcp import Client

        return Client(server)
    from mcp.shared.memory import create_connected_server_and_client_session

    return create_connected_server_and_client_session(server._mcp_server)


def add_policies(claw: DashClaw) -> None:
    for name, kind, types in (
        ("No drops", "block_action_type", ["drop_*"]),
        ("Mail is asked", "require_approval", ["send_mail"]),
    ):
        claw.request(
            "POST", "/api/policies", body={"name": name, "policy_type": kind, "rules": {"action_types": types}}
        )


def approve_one(database: Path) -> None:
    """Be the person who approves the first thing that waits."""
    with DashClaw.local(database, agent_id="ann", operator=True) as person:
        for event in person.events(types=["connected", "action.created"], timeout=30):
            for action in person.get_pending_approvals()["actions"]:
                person.approve_action(action["action_id"], "allow", reasoning="Known recipient")
                return
            del event


async def follow_the_script(server: Any) -> None:
    async with connected(server) as client:
        for tool, arguments in SCRIPT:
            print(f"{tool} is called")
            answer = await client.call_tool(tool, arguments)
            print(f"  the model sees: {answer.content[0].text}", flush=True)


def main() -> None:
    if sys.argv[1:] == ["serve"]:
        with DashClaw.local("dashclaw.db", agent_id="shop") as claw:
            govern_server(make(), claw, wait=50).run("stdio")
        return
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "dashclaw.db"
        with DashClaw.local(database, agent_id="shop", starter_policies=False) as claw:
            add_policies(claw)
            person = threading.Thread(target=approve_one, args=(database,))
            person.start()
            asyncio.run(follow_the_script(govern_server(make(), claw, wait=30)))
            person.join()
            for action in reversed(claw.get_actions()["actions"]):
                print(f"recorded: {action['action_type']} {action['status']}")


if __name__ == "__main__":
    main()
