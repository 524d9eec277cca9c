"""`dashclaw people`: who signs in to the dashboard. No command takes a password: people choose their own."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dashclaw.errors import ConfigurationError

from .arguments import Commands, connection
from .connection import connect, place
from .output import Output, age, one_line, table

if TYPE_CHECKING:
    from dashclaw import DashClaw

_PAGE = 1000
_LISTING = "dashclaw people list"


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("people", "people who sign in to the dashboard")
    found = group.command(
        "add",
        add_person,
        "add a person and print the code for a password, this once",
        options=connection(),
        example='dashclaw people add ana@example.com --name "Finance Desk" --role admin --db dashclaw.db',
    )
    found.add_argument("email", metavar="EMAIL", help="the address by which the person is known")
    found.add_argument("--name", metavar="TEXT", help="how the person is called")
    found.add_argument(
        "--role",
        choices=("admin", "member", "readonly"),
        default="member",
        help="admin decides and configures, member works with agents (the default), readonly looks",
    )
    found.add_argument(
        "--approver-role",
        metavar="ROLE",
        action="append",
        help="a role in which the person approves, such as security, for policies that ask for it; may come again",
    )
    found = group.command(
        "list", list_people, "show who may sign in", options=connection(), example=f"{_LISTING} --all --db dashclaw.db"
    )
    found.add_argument("--all", action="store_true", help="also those who are disabled")
    for verb, run, text in (
        ("disable", disable, "let a person in no more and end the sessions"),
        ("enable", enable, "let a disabled person in again"),
        ("reset-password", reset_password, "print a code with which a person chooses another password, this once"),
    ):
        found = group.command(
            verb,
            run,
            text,
            options=connection(),
            example=f"dashclaw people {verb} ben@example.com --db dashclaw.db",
            listing=_LISTING,
        )
        found.add_argument("person", metavar="PERSON", help="the e-mail address, or the id")


def _path(client: DashClaw, person: str) -> str:
    """The path of a person; raises `ConfigurationError` when nobody has this e-mail address."""
    if "@" in person:
        found = client.request("GET", "/api/people", query={"email": person})["people"]
        if not found:
            raise ConfigurationError(f"Nobody here has the e-mail address {person}; see {_LISTING}")
        person = found[0]["id"]
    return f"/api/people/{quote(person, safe='')}"


def add_person(options: argparse.Namespace, output: Output) -> None:
    """Add a person and show the code, once."""
    body = {
        "email": options.email,
        "name": options.name,
        "role": options.role,
        "approver_roles": options.approver_role,
    }
    with connect(options) as client:
        found = client.request("POST", "/api/people", body=body)
    output.result(found, f"Added {one_line(found['person']['email'])}.\n{_invitation(options, found)}")


def reset_password(options: argparse.Namespace, output: Output) -> None:
    """Show a code for another password, once."""
    with connect(options) as client:
        found = client.request("POST", f"{_path(client, options.person)}/invitation")
    output.result(found, _invitation(options, found))


def _invitation(options: argparse.Namespace, found: Any) -> str:
    """What the person needs; the code stands behind #, which browsers do not send and servers do not log."""
    invitation = found["invitation"]
    url, _ = place(options)
    where = f"{(url or 'https://YOUR-SERVER').rstrip('/')}{invitation['path']}#{invitation['code']}"
    return (
        f"{where}\nGive this link to {one_line(found['person']['email'])} now: it is not shown again, works once"
        f" and until {invitation['expires_at']}."
    )


def list_people(options: argparse.Namespace, output: Output) -> None:
    """Print everybody."""
    with connect(options) as client:
        query = {"limit": _PAGE, "disabled": None if options.all else False}
        found = client.request("GET", "/api/people", query=query)
    rows = [
        (
            row["email"],
            row["name"],
            ", ".join([row["role"], *row["approver_roles"]]),
            row["status"],
            age(row["last_seen_at"]),
            row["id"],
        )
        for row in found["people"]
    ]
    more = found["total"] - len(rows)
    shown = table(("email", "name", "role", "status", "seen", "id"), rows, "Nobody signs in yet: dashclaw people add")
    output.result(found, shown + (f"\nand {more} more" if more > 0 else ""))


def disable(options: argparse.Namespace, output: Output) -> None:
    """Disable a person and name the keys that go on."""
    with connect(options) as client:
        found = client.request("POST", f"{_path(client, options.person)}/disable")
    text = f"Disabled {one_line(found['person']['email'])}"
    if found["active_keys"]:
        text += f"\nThese API keys name the person and still work: {', '.join(found['active_keys'])}"
        text += "\nRevoke them with dashclaw keys revoke"
    output.result(found, text)


def enable(options: argparse.Namespace, output: Output) -> None:
    """Enable a person."""
    with connect(options) as client:
        found = client.request("POST", f"{_path(client, options.person)}/enable")
    output.result(found, f"Enabled {one_line(found['person']['email'])}")
