"""`dashclaw keys`: create, list, revoke."""

from __future__ import annotations

import argparse
from urllib.parse import quote

from dashclaw import DashClaw

from .arguments import Commands, connection
from .connection import connect
from .output import Output, age, table


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("keys", "API keys of the organisation")
    found = group.command(
        "create",
        create,
        "make a key and print it, this once",
        options=connection(),
        example="dashclaw keys create --label laptop --role member --db dashclaw.db",
    )
    found.add_argument("--label", metavar="TEXT", help="what the key is for")
    found.add_argument(
        "--role",
        choices=("admin", "member", "readonly"),
        default="member",
        help="admin decides and configures, member is for agents (the default), readonly looks",
    )
    group.command(
        "list", list_keys, "show every key", options=connection(), example="dashclaw keys list --db dashclaw.db"
    )
    found = group.command(
        "revoke",
        revoke,
        "revoke a key for good",
        options=connection(),
        example="dashclaw keys revoke key_123 --db dashclaw.db",
        listing="dashclaw keys list",
    )
    found.add_argument("key_id", metavar="KEY_ID", help="its id, not the key")


def _path(client: DashClaw) -> str:
    org_id = client.get_org()["organizations"][0]["id"]
    return f"/api/orgs/{quote(org_id, safe='')}/keys"


def create(options: argparse.Namespace, output: Output) -> None:
    """Make a key and show it, once."""
    with connect(options) as client:
        found = client.request("POST", _path(client), body={"label": options.label, "role": options.role})
    key = found["api_key"]
    output.result(found, f"{key['key']}\nStore it now: it is not shown again. Its id is {key['id']}.")


def list_keys(options: argparse.Namespace, output: Output) -> None:
    """Print every key."""
    with connect(options) as client:
        found = client.request("GET", _path(client))
    rows = [
        (row["id"], row["key_prefix"] + "…", row["role"], row["label"], age(row["created_at"]), age(row["revoked_at"]))
        for row in found["keys"]
    ]
    more = found["total"] - len(rows)
    shown = table(("id", "key", "role", "label", "age", "revoked"), rows, "No keys.")
    output.result(found, shown + (f"\nand {more} more" if more > 0 else ""))


def revoke(options: argparse.Namespace, output: Output) -> None:
    """Revoke a key."""
    with connect(options) as client:
        found = client.request("DELETE", f"{_path(client)}/{quote(options.key_id, safe='')}")
    output.result(found, f"Revoked {options.key_id}")
