"""`dashclaw messages`: what agents tell each other, and what an operator tells them."""

from __future__ import annotations

import argparse
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dashclaw import DashClaw
from dashclaw.errors import ConfigurationError

from .arguments import Commands, connection, whole
from .connection import connect
from .output import Output, age, fields, one_line, table

OPERATOR = "operator"
_TYPES = ("action", "info", "lesson", "question", "status")
_SHOWN = (
    "id",
    "from_agent_id",
    "to",
    "message_type",
    "urgency",
    "subject",
    "thread_id",
    "created_at",
    "read_by",
    "files",
    "body",
)


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("messages", "what agents tell each other")
    found = group.command(
        "list",
        list_messages,
        "show the latest messages, or the inbox of an agent",
        options=connection(),
        example="dashclaw messages list --agent ops-agent --unread --db dashclaw.db",
    )
    found.add_argument("--agent", metavar="ID", help="only the inbox of this agent")
    found.add_argument("--unread", action="store_true", help="only what that agent has not read")
    found.add_argument("--limit", type=whole(1, 1000), default=20, metavar="N", help="at most so many (20)")
    found = group.command(
        "send",
        send,
        f"send a message as {OPERATOR}, to an agent or to all",
        options=connection(),
        example='dashclaw messages send "Maintenance at noon" --to ops-agent --attach notes.txt --db dashclaw.db',
    )
    found.add_argument("text", metavar="TEXT", help="what to say")
    found.add_argument("--to", metavar="ID", help="the agent; without it the message is to all")
    found.add_argument("--type", dest="message_type", choices=_TYPES, default="info", help="what kind it is (info)")
    found.add_argument("--subject", metavar="TEXT", help="what it is about")
    found.add_argument("--thread", metavar="ID", help="the message thread it belongs to")
    found.add_argument("--urgent", action="store_true", help="mark it as urgent")
    found.add_argument(
        "--attach", metavar="FILE", action="append", default=[], help="send a file along; may be repeated"
    )
    found = group.command(
        "read",
        read,
        "show a message in full and mark it as read",
        options=connection(),
        example="dashclaw messages read msg_123 --db dashclaw.db",
        listing="dashclaw messages list",
    )
    found.add_argument("message_id", metavar="MESSAGE_ID", help="its id")
    found.add_argument("--agent", metavar="ID", default=OPERATOR, help=f"as whom ({OPERATOR})")
    found.add_argument("--save", metavar="FOLDER", help="keep its attachments here; no file is overwritten")


def list_messages(options: argparse.Namespace, output: Output) -> None:
    """Print messages, newest first."""
    if options.unread and options.agent is None:
        raise ConfigurationError("--unread needs --agent: each agent has read other messages")
    query = {"agent_id": options.agent, "unread": options.unread or None, "limit": options.limit}
    with connect(options) as client:
        found = client.request("GET", "/api/messages", query=query)
    columns = ("id", "from", "to", "type", "status", "age", "files", "text")
    empty = "No messages." if options.agent is None else "Nothing in this inbox."
    output.result(found, table(columns, [_line(row) for row in found["messages"]], empty) + _total(found))


def _line(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        row["id"],
        row["from_agent_id"],
        row["to_agent_id"] or "(all)",
        row["message_type"] + ("!" if row.get("urgent") else ""),
        row["status"],
        age(row["created_at"]),
        len(row.get("attachments") or ()) or None,
        ": ".join(part for part in (row.get("subject"), row["body"]) if part),
    )


def _total(found: Mapping[str, Any]) -> str:
    return f"\n{found['total']} in total" if found["messages"] else ""


def send(options: argparse.Namespace, output: Output) -> None:
    """Send a message."""
    files = [_file(name) for name in options.attach]
    with connect(options) as client:
        found = client.send_message(
            options.text,
            to=options.to,
            message_type=options.message_type,
            subject=options.subject,
            thread_id=options.thread,
            urgent=options.urgent or None,
            attachments=files or None,
        )
    output.result(found, f"Sent {found['message_id']} to {one_line(options.to or 'all')}")


def _file(name: str) -> dict[str, Any]:
    path = Path(name).expanduser()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{name} cannot be read: {error.strerror}") from error
    return {"filename": path.name, "mime_type": mimetypes.guess_type(path.name)[0] or "text/plain", "data": data}


def read(options: argparse.Namespace, output: Output) -> None:
    """Print a message; where it came to the agent, it counts as read from then on."""
    path = f"/api/messages/{quote(options.message_id, safe='')}"
    with connect(options) as client:
        found = client.request("GET", path, query={"agent_id": options.agent})
        row = found["message"]
        kept = _save(client, row, options.save) if options.save else []
        body = {"message_ids": [row["id"]], "action": "read", "agent_id": options.agent}
        client.request("PATCH", "/api/messages", body=body)
    files = [f"{one_line(file['filename'])} ({file['size_bytes']} bytes)" for file in row["attachments"]]
    text = fields({**row, "to": row["to_agent_id"] or "all", "files": files}, _SHOWN)
    output.result(found, "\n".join([text, *(f"Saved {path}" for path in kept)]))


def _save(client: DashClaw, row: Mapping[str, Any], folder: str) -> list[Path]:
    """Keep the attachments of a message under their names."""
    kept = []
    for attached in row["attachments"]:
        file = client.get_attachment(attached["id"])
        path = Path(folder).expanduser() / file["filename"]
        try:
            with path.open("xb") as target:
                target.write(file["data"])
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
        kept.append(path)
    return kept
