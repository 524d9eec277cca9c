"""A server with tools that write down that they ran, or misbehave: python demo_server.py LOG [PORT]."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.integrations.mcp.speaking import NEW, named

LOG = Path(sys.argv[1])


def did(what: str) -> None:
    with LOG.open("a") as file:
        file.write(what + "\n")


def drop_table(table: str) -> str:
    """Drop a table."""
    did(f"drop {table}")
    return "gone"


def read_table(table: str) -> str:
    """Read a table."""
    did(f"read {table}")
    return "keys: " + ",".join(name for name in os.environ if name.startswith("DASHCLAW_"))


def send_mail(to: str) -> str:
    """Send a mail."""
    did(f"mail {to}")
    return f"sent to {to}"


def fail(why: str) -> str:
    """Fail."""
    did(f"fail {why}")
    raise ValueError(why)


def die() -> None:
    """End without an answer."""
    os._exit(3)


async def hang() -> None:
    """Never answer."""
    await asyncio.Event().wait()


if __name__ == "__main__":
    port = int(sys.argv[2]) if len(sys.argv) > 2 else None
    where = {} if port is None else {"host": "127.0.0.1", "port": port}
    server = named("demo", **({} if NEW else where))
    for tool in (drop_table, read_table, send_mail, fail, die, hang):
        server.tool()(tool)
    if port is None:
        server.run("stdio")
    else:
        server.run("streamable-http", **(where if NEW else {}))
