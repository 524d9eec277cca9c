"""`dashclaw schedules`: list, add, pause, resume, remove, run."""

from __future__ import annotations

import argparse
from urllib.parse import quote

from dashclaw import DashClaw
from dashclaw.errors import NotFoundError

from .arguments import Commands, connection
from .connection import connect
from .output import Output, one_line, table

_PATH = "/api/agent-schedules"


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("schedules", "tasks of agents that come again")
    found = group.command(
        "list",
        list_schedules,
        "show every schedule with its next run",
        options=connection(),
        example="dashclaw schedules list --db dashclaw.db",
    )
    found.add_argument("--agent", metavar="ID", help="only this agent's")
    found = group.command(
        "add",
        add_schedule,
        "add a schedule",
        options=connection(),
        example='dashclaw schedules add forge "Weekly report" "0 9 * * MON" --zone Europe/Berlin --db dashclaw.db',
    )
    found.add_argument("agent", metavar="AGENT", help="who gets the tasks: the id or name of an agent of the pool")
    found.add_argument("name", metavar="NAME", help="the title of its tasks")
    found.add_argument("cron", metavar="CRON", help="minute, hour, day, month and weekday, in quotes")
    found.add_argument("--zone", metavar="ZONE", help="the time zone of these (UTC)")
    found.add_argument("--missed", choices=("once", "skip"), help="make up for missed times by one run (once), or not")
    found.add_argument("--description", metavar="TEXT", help="the description of its tasks")
    for verb, run, text, defaults in (
        ("pause", switch, "submit no more tasks of a schedule", {"enabled": False}),
        ("resume", switch, "submit tasks of a schedule again", {"enabled": True}),
        ("remove", remove, "remove a schedule; its tasks stay", {}),
    ):
        found = group.command(
            verb,
            run,
            text,
            options=connection(),
            example=f'dashclaw schedules {verb} "Nightly build" --db dashclaw.db',
            **defaults,
        )
        found.add_argument("schedule", metavar="SCHEDULE", help="its id or name")
    group.command(
        "run",
        run_due,
        "run what is due now; a server does so by itself",
        options=connection(),
        example="dashclaw schedules run --db dashclaw.db",
    )


def list_schedules(options: argparse.Namespace, output: Output) -> None:
    """Print every schedule."""
    with connect(options) as client:
        found = client.list_agent_schedules(options.agent)
    rows = [
        (row["id"], row["agent_id"], row["name"], row["cron_expression"], row["timezone"], row["next_run"])
        for row in found["schedules"]
    ]
    output.result(found, table(("id", "agent", "name", "cron", "zone", "next run"), rows, "No schedules."))


def add_schedule(options: argparse.Namespace, output: Output) -> None:
    """Add a schedule."""
    more = {"timezone": options.zone, "missed": options.missed, "description": options.description}
    with connect(options) as client:
        found = client.create_agent_schedule(options.agent, options.name, options.cron, **more)
    row = found["schedule"]
    output.result(found, f"Added {row['id']}: {one_line(row['name'])}, next run {row['next_run']}")


def switch(options: argparse.Namespace, output: Output) -> None:
    """Pause or resume a schedule."""
    with connect(options) as client:
        found = client.request("PATCH", _path(client, options.schedule), body={"enabled": options.enabled})
    row = found["schedule"]
    name = one_line(row["name"])
    output.result(found, f"Resumed {name}, next run {row['next_run']}" if options.enabled else f"Paused {name}")


def remove(options: argparse.Namespace, output: Output) -> None:
    """Remove a schedule."""
    with connect(options) as client:
        found = client.request("DELETE", _path(client, options.schedule))
    output.result(found, f"Removed {one_line(found['schedule']['name'])}")


def run_due(options: argparse.Namespace, output: Output) -> None:
    """Run what is due."""
    with connect(options) as client:
        found = client.request("POST", f"{_PATH}/run")
    rows = [(row["task_id"], row["agent_id"], row["name"], row["due_at"]) for row in found["runs"]]
    output.result(found, table(("task", "agent", "name", "due"), rows, "Nothing is due."))


def _path(client: DashClaw, named: str) -> str:
    """The path of a schedule by its id or name; raises `NotFoundError`, also for a name that several have."""
    offset = 0
    found: list[str] = []
    while True:
        page = client.request("GET", _PATH, query={"offset": offset})
        for row in page["schedules"]:
            if named == row["id"]:
                return f"{_PATH}/{quote(named, safe='')}"
            if named == row["name"]:
                found.append(row["id"])
        offset += len(page["schedules"])
        if not page["has_more"]:
            break
    if len(found) != 1:
        told = "is no schedule" if not found else f"are {len(found)} schedules"
        raise NotFoundError(f"There {told} {named!r}; see dashclaw schedules list", status=404)
    return f"{_PATH}/{quote(found[0], safe='')}"
