"""`dashclaw webhooks`: where events are sent, and what became of them."""

from __future__ import annotations

import argparse
from urllib.parse import quote

from .arguments import Commands, connection, whole
from .connection import connect
from .output import Output, fields, table

_FAILED = 1
_LISTING = "dashclaw webhooks list"


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("webhooks", "where events are sent")
    group.command(
        "list", list_webhooks, "show every webhook", options=connection(), example=f"{_LISTING} --db dashclaw.db"
    )
    _add_add(group)
    for verb, run, text, defaults in (
        ("remove", remove, "remove a webhook", {}),
        ("test", test, "send a test now; exits with 1 when it does not arrive", {}),
        ("enable", switch, "switch a webhook on again, where it stopped", {"active": True}),
        ("disable", switch, "switch a webhook off", {"active": False}),
        ("deliveries", deliveries, "show what was sent, newest first", {}),
        ("resend", resend, "send what was given up again", {}),
    ):
        found = group.command(
            verb,
            run,
            text,
            options=connection(),
            example=f"dashclaw webhooks {verb} wh_123 --db dashclaw.db",
            listing=_LISTING,
            **defaults,
        )
        found.add_argument("webhook", metavar="WEBHOOK", help="its id")
        if verb == "enable":
            found.add_argument("--skip-missed", action="store_true", help="leave out what happened meanwhile")
        elif verb == "deliveries":
            found.add_argument("--limit", type=whole(1, 200), default=20, metavar="N", help="how many (20)")
            found.add_argument("--status", metavar="STATUS", help="only pending, retrying, success or failed")
        elif verb == "resend":
            found.add_argument("delivery", nargs="?", metavar="DELIVERY", help="only this one (else all)")


def _add_add(group: Commands) -> None:
    found = group.command(
        "add",
        add_webhook,
        "have events sent to a URL; prints the secret that signs them, once",
        options=connection(),
        example="dashclaw webhooks add https://hooks.example.com/x --event stale_loop --db dashclaw.db",
    )
    found.add_argument("target", metavar="TARGET", help="the URL to send to")
    found.add_argument("--event", metavar="NAME", action="append", help="an event or signal; may be repeated (all)")
    found.add_argument("--format", metavar="FORMAT", help="plain, slack, discord or teams (else by the URL's host)")


def list_webhooks(options: argparse.Namespace, output: Output) -> None:
    """Print every webhook."""
    with connect(options) as client:
        found = client.get_webhooks(limit=200)
    rows = [
        (row["id"], row["url"], row["format"], ", ".join(row["events"]), row["active"], row["failure_count"])
        for row in found["webhooks"]
    ]
    columns = ("id", "url", "format", "events", "active", "failures")
    output.result(found, table(columns, rows, "No webhooks: events are sent nowhere."))


def add_webhook(options: argparse.Namespace, output: Output) -> None:
    """Add a webhook."""
    with connect(options) as client:
        found = client.create_webhook(options.target, options.event, format=options.format)
    hook = found["webhook"]
    output.result(found, f"Added {hook['id']}. Its secret, shown only now: {hook['secret']}")


def remove(options: argparse.Namespace, output: Output) -> None:
    """Remove a webhook."""
    with connect(options) as client:
        found = client.delete_webhook(options.webhook)
    output.result(found, f"Removed {found['deleted']}")


def test(options: argparse.Namespace, output: Output) -> int:
    """Send a test."""
    with connect(options) as client:
        found = client.test_webhook(options.webhook)
    if found["success"]:
        output.result(found, f"It arrived: status {found['response_status']} after {found['duration_ms']} ms")
        return 0
    output.result(found, f"It did not arrive: {found['error']}")
    return _FAILED


def switch(options: argparse.Namespace, output: Output) -> None:
    """Enable or disable a webhook."""
    body = {"active": options.active, "skip_missed": getattr(options, "skip_missed", None) or None}
    with connect(options) as client:
        found = client.request("PATCH", _path(options), body=body)
    output.result(found, fields(found["webhook"], ("id", "url", "active")))


def deliveries(options: argparse.Namespace, output: Output) -> None:
    """Print what was sent."""
    with connect(options) as client:
        found = client.get_webhook_deliveries(options.webhook, status=options.status, limit=options.limit)
    rows = [
        (row["id"], row["event_type"], row["status"], row["attempts"], row["attempted_at"], row["error"])
        for row in found["deliveries"]
    ]
    output.result(found, table(("id", "event", "status", "attempts", "attempted at", "error"), rows, "No deliveries."))


def resend(options: argparse.Namespace, output: Output) -> None:
    """Queue what was given up once more."""
    below = f"/deliveries/{quote(options.delivery, safe='')}" if options.delivery else ""
    with connect(options) as client:
        found = client.request("POST", f"{_path(options)}{below}/resend")
    output.result(found, f"Queued {found['queued']} for delivery")


def _path(options: argparse.Namespace) -> str:
    return f"/api/webhooks/{quote(options.webhook, safe='')}"
