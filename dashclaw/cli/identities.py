"""`dashclaw identities`: see which keys agents sign with, replace them, revoke them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dashclaw.errors import ConfigurationError

from .arguments import Commands, connection
from .connection import connect
from .output import Output, age, one_line, table

_PAGE = 1000
_LISTING = "dashclaw identities list"
# Every Ed25519 public key in PEM begins with this: its length and its algorithm.
_ED25519 = "MCowBQYDK2Vw"


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("identities", "the keys that agents sign with")
    found = group.command(
        "list",
        list_identities,
        "show the keys that agents sign with",
        options=connection(),
        example="dashclaw identities list --all --db dashclaw.db",
    )
    found.add_argument("--agent", metavar="AGENT", help="only the keys of this agent")
    found.add_argument("--all", action="store_true", help="also the keys that were replaced or revoked")
    found = group.command(
        "show",
        show,
        "show one key",
        options=connection(),
        example="dashclaw identities show idn_123 --db dashclaw.db",
        listing=_LISTING,
    )
    found.add_argument("identity_id", metavar="IDENTITY_ID", help="its id")
    _add_changes(group)


def _add_changes(group: Commands) -> None:
    found = group.command(
        "rotate",
        rotate,
        "give an agent another key; the old one ends at once unless a time is given",
        options=connection(),
        example="dashclaw identities rotate builder --key builder.pub"
        " --old-valid-until 2030-01-31T12:00:00Z --db dashclaw.db",
    )
    found.add_argument("agent_id", metavar="AGENT", help="the agent")
    found.add_argument("--key", metavar="FILE", required=True, help="the new public key, PEM")
    found.add_argument("--old-valid-until", metavar="TIME", help="until when the old key still signs (ISO-8601)")
    found.add_argument("--not-before", metavar="TIME", help="from when the new key signs (now)")
    found.add_argument("--not-after", metavar="TIME", help="until when the new key signs (for ever)")
    found = group.command(
        "revoke",
        revoke,
        "let a key sign nothing any more, for good",
        options=connection(),
        example='dashclaw identities revoke idn_123 --reason "The laptop was lost" --db dashclaw.db',
        listing=_LISTING,
    )
    found.add_argument("identity_id", metavar="IDENTITY_ID", help="its id")
    found.add_argument("--reason", metavar="TEXT", help="kept with the key")


def _path(options: argparse.Namespace) -> str:
    return f"/api/identities/{quote(options.identity_id, safe='')}"


def list_identities(options: argparse.Namespace, output: Output) -> None:
    """Print keys by agent, the newest first."""
    with connect(options) as client:
        found = client.get_identities(agent_id=options.agent, include_replaced=options.all or None, limit=_PAGE)
    rows = [
        (row["id"], row["agent_id"], row["algorithm"], row["fingerprint"][:16] + "…", row["status"], _until(row))
        for row in found["identities"]
    ]
    more = found["total"] - len(rows)
    shown = table(("id", "agent", "algorithm", "fingerprint", "status", "until"), rows, "No agent has a key.")
    output.result(found, shown + (f"\nand {more} more" if more > 0 else ""))


def _until(row: Any) -> str:
    return row["revoked_at"] or row["not_after"] or row["replaced_at"] or ""


def show(options: argparse.Namespace, output: Output) -> None:
    """Print one key with its history."""
    with connect(options) as client:
        found = client.request("GET", _path(options))
    row = found["identity"]
    lines = [f"{row['id']}: {one_line(row['agent_id'])}, {row['algorithm']}, {row['status']}"]
    lines += [f"fingerprint {row['fingerprint']}", f"registered {age(row['created_at'])} ago by {row['created_by']}"]
    lines += [f"{name.replace('_', ' ')} {row[name]}" for name in ("not_before", "not_after") if row[name]]
    if row["replaced_at"]:
        lines.append(f"replaced {age(row['replaced_at'])} ago by {row['replaced_by']}")
    if row["revoked_at"]:
        why = f": {one_line(row['revoke_reason'])}" if row["revoke_reason"] else ""
        lines.append(f"revoked {age(row['revoked_at'])} ago by {row['revoked_by']}{why}")
    output.result(found, "\n".join([*lines, "", row["public_key"].strip()]))


def rotate(options: argparse.Namespace, output: Output) -> None:
    """Register another key and end the old one."""
    try:
        text = Path(options.key).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The key {options.key} cannot be read: {error}") from error
    body = {
        "agent_id": options.agent_id,
        "public_key": text,
        "algorithm": "Ed25519" if _ED25519 in text else "RSASSA-PKCS1-v1_5",
        "replace": True,
        "old_valid_until": options.old_valid_until,
        "not_before": options.not_before,
        "not_after": options.not_after,
    }
    with connect(options) as client:
        found = client.request("POST", "/api/identities", body=body)
    row = found["identity"]
    output.result(found, f"{one_line(row['agent_id'])} has the key {row['id']}, {row['fingerprint'][:16]}…")


def revoke(options: argparse.Namespace, output: Output) -> None:
    """Revoke a key."""
    with connect(options) as client:
        found = client.request("POST", f"{_path(options)}/revoke", body={"reason": options.reason})
    row = found["identity"]
    output.result(found, f"Revoked {row['id']}: {one_line(row['agent_id'])}, key {row['fingerprint'][:16]}…")
