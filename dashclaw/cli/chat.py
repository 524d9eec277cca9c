"""`dashclaw chat`: where approvals are asked for in chats, and links that decide once."""

from __future__ import annotations

import argparse
import getpass
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dashclaw.errors import ConfigurationError

from .arguments import Commands, connection
from .connection import connect, place
from .output import Output, age, one_line, table

_FAILED = 1
_LISTING = "dashclaw chat list"
_ALL = "/api/chat/channels"
_SPAN = re.compile(r"([0-9]{1,4})([mhd])")
_SECONDS = {"m": 60, "h": 3600, "d": 86400}


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("chat", "approvals in Slack, Discord and Telegram, and links that decide once")
    _add_add(group)
    group.command(
        "list", list_channels, "show every channel", options=connection(), example=f"{_LISTING} --db dashclaw.db"
    )
    for verb, run, text in (
        ("test", test, "send a message without buttons; exits with 1 when it does not arrive"),
        ("remove", remove, "remove a channel; the buttons of its messages decide nothing any more"),
    ):
        found = group.command(
            verb,
            run,
            text,
            options=connection(),
            example=f"dashclaw chat {verb} chat_123 --db dashclaw.db",
            listing=_LISTING,
        )
        found.add_argument("channel", metavar="CHANNEL", help="its id")
    _add_link(group)


def _add_add(group: Commands) -> None:
    found = group.command(
        "add",
        add_channel,
        "ask for approvals in a channel; token and secret come from files, or are asked for",
        options=connection(),
        example=(
            "dashclaw chat add slack --name Operators --target C0123456789 --token-file bot.token"
            " --secret-file signing.secret --approver U0123456789=ben@example.com --db dashclaw.db"
        ),
    )
    found.add_argument("platform", choices=("slack", "discord", "telegram"), help="which platform")
    found.add_argument("--name", metavar="TEXT", required=True, help="what the channel is called here")
    found.add_argument("--target", metavar="ID", help="the id of the channel or chat (none for an incoming webhook)")
    found.add_argument("--token-file", metavar="FILE", help="holds the bot's token, or the URL of an incoming webhook")
    found.add_argument(
        "--secret-file",
        metavar="FILE",
        help="holds Slack's signing secret, Discord's public key or the secret of Telegram's setWebhook",
    )
    found.add_argument(
        "--approver",
        metavar="USER=PERSON",
        action="append",
        default=[],
        help="a user id of the platform and the e-mail address of the person here; may come again",
    )


def _add_link(group: Commands) -> None:
    found = group.command(
        "link",
        link,
        "print a link with which one person decides about one waiting action, once",
        options=connection(),
        example="dashclaw chat link act_123 --for ada@example.com --expires 1h --db dashclaw.db",
        listing="dashclaw approvals list",
    )
    found.add_argument("action", metavar="ACTION", help="its id")
    found.add_argument("--for", dest="person", metavar="PERSON", required=True, help="the e-mail address, or the id")
    found.add_argument("--expires", type=span, default=3600, metavar="TIME", help="how long it works: 30m, 8h, 2d (1h)")


def span(text: str) -> int:
    """Seconds of a time such as 30m, 8h or 2d."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 30m, 8h or 2d")
    return int(found[1]) * _SECONDS[found[2]]


def add_channel(options: argparse.Namespace, output: Output) -> None:
    """Add a channel and say where the platform has to send what is pressed."""
    body = {
        "name": options.name,
        "platform": options.platform,
        "target": options.target,
        "token": _secret(options.token_file, "Token"),
        "secret": _secret(options.secret_file, "Secret", optional=options.platform == "telegram"),
        "approvers": [_approver(text) for text in options.approver],
    }
    with connect(options) as client:
        found = client.request("POST", _ALL, body=body)
    channel = found["channel"]
    url, _ = place(options)
    text = f"Added {channel['id']}. Let the platform send what is pressed to\n{_address(url)}{channel['path']}"
    if "secret" in channel:
        text += f"\nThe secret_token for setWebhook, shown only now: {channel['secret']}"
    output.result(found, text)


def _secret(path: str | None, label: str, *, optional: bool = False) -> str | None:
    """A secret from a file, else typed unseen; never an argument, which other users of the machine can see."""
    if path is None:
        return None if optional else getpass.getpass(f"{label}: ").strip()
    try:
        return Path(path).expanduser().read_text("utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error


def _approver(text: str) -> dict[str, str]:
    user, _, person = text.partition("=")
    if not user or not person:
        raise ConfigurationError(f"--approver is USER=PERSON, such as U0123456789=ben@example.com, not {text!r}")
    return {"user": user, "person": person}


def _address(url: str | None) -> str:
    return (url or "https://YOUR-SERVER").rstrip("/")


def list_channels(options: argparse.Namespace, output: Output) -> None:
    """Print every channel."""
    with connect(options) as client:
        found = client.request("GET", _ALL)
    rows = [
        (
            row["id"],
            one_line(row["name"]),
            row["platform"],
            row["target"],
            len(row["approvers"]),
            row["active"],
            age(row["sent_at"]),
            row["error"],
        )
        for row in found["channels"]
    ]
    columns = ("id", "name", "platform", "target", "approvers", "active", "sent", "error")
    output.result(found, table(columns, rows, "No channels: approvals are asked for in no chat."))


def test(options: argparse.Namespace, output: Output) -> int:
    """Send a test."""
    with connect(options) as client:
        found = client.request("POST", f"{_path(options)}/test")
    output.result(found, "It arrived" if found["success"] else f"It did not arrive: {found['error']}")
    return 0 if found["success"] else _FAILED


def remove(options: argparse.Namespace, output: Output) -> None:
    """Remove a channel."""
    with connect(options) as client:
        found = client.request("DELETE", _path(options))
    output.result(found, f"Removed {found['deleted']}")


def link(options: argparse.Namespace, output: Output) -> None:
    """Print a link, once."""
    body: dict[str, Any] = {"person": options.person, "expires_seconds": options.expires}
    with connect(options) as client:
        found = client.request("POST", f"/api/actions/{quote(options.action, safe='')}/links", body=body)
    made = found["link"]
    url, _ = place(options)
    text = (
        f"{_address(url)}{made['path']}\nGive this link to {one_line(made['person'])}: it decides once,"
        f" until {made['expires_at']}, for whoever has it."
    )
    output.result(found, text)


def _path(options: argparse.Namespace) -> str:
    return f"{_ALL}/{quote(options.channel, safe='')}"
