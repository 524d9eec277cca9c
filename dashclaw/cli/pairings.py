"""`dashclaw pairings`: see which agents ask to be trusted, and decide."""

from __future__ import annotations

import argparse
from urllib.parse import quote

from .arguments import Commands, connection
from .connection import connect
from .output import Output, age, one_line, table

_PAGE = 200
_LISTING = "dashclaw pairings list"


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("pairings", "decide which agents' keys are trusted")
    found = group.command(
        "list",
        list_pairings,
        "show which agents ask",
        options=connection(),
        example="dashclaw pairings list --db dashclaw.db",
    )
    found.add_argument(
        "--status",
        choices=("pending", "approved", "denied", "expired", "all"),
        default="pending",
        help="which ones (pending)",
    )
    for verb in ("approve", "deny"):
        found = group.command(
            verb,
            decide,
            f"{verb} a request that waits",
            options=connection(),
            example=f'dashclaw pairings {verb} pair_123 --reason "Spoke to the owner" --db dashclaw.db',
            verb=verb,
            listing=_LISTING,
        )
        found.add_argument("pairing_id", metavar="PAIRING_ID", help="its id")
        found.add_argument("--reason", metavar="TEXT", help="kept with the decision")
        if verb == "approve":
            found.add_argument("--code", metavar="CODE", help="what the agent shows; another code is refused")
            found.add_argument("--replace", action="store_true", help="give up the key that the agent has now")
            found.add_argument("--old-valid-until", metavar="TIME", help="until when that key still signs (ISO-8601)")


def list_pairings(options: argparse.Namespace, output: Output) -> None:
    """Print requests, newest first."""
    query = {"limit": _PAGE, "status": None if options.status == "all" else options.status}
    with connect(options) as client:
        found = client.request("GET", "/api/pairings", query=query)
    rows = [
        (row["id"], row["agent_id"], row["agent_name"], row["code"], row["status"], age(row["created_at"]))
        for row in found["pairings"]
    ]
    more = found["total"] - len(rows)
    shown = table(("pairing id", "agent", "name", "code", "status", "age"), rows, "No agent asks.")
    output.result(found, shown + (f"\nand {more} more" if more > 0 else ""))


def decide(options: argparse.Namespace, output: Output) -> None:
    """Approve or deny."""
    body = {"reason": options.reason}
    if options.verb == "approve":
        body.update(code=options.code, replace=options.replace or None, old_valid_until=options.old_valid_until)
    with connect(options) as client:
        found = client.request("POST", f"/api/pairings/{quote(options.pairing_id, safe='')}/{options.verb}", body=body)
    row = found["pairing"]
    verb = "Approved" if options.verb == "approve" else "Denied"
    output.result(found, f"{verb} {row['id']}: {one_line(row['agent_id'])}, key {row['fingerprint'][:16]}…")
