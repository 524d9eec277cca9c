"""Agent schedules: tasks that come again, at the times of a cron expression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from ..clock import moment, stamp
from ..cron import CronError, next_after, zone_of
from ..identity import Role
from ..inputs import Flag, Goal, Input, Page, Short
from ..operations import Invocation, Operation
from ..problems import invalid, not_found
from ..routing.due import keep_up, telling
from ..routing.runs import TASK_FIELDS, run_due, schedule_row
from ..routing.tasks import new_id
from ..store.schedules import SCHEDULES
from ..store.tables import agent_schedules
from .loops import answer_with_warnings, paging
from .routing import Retries, Seconds, Skills, Urgency, Url, Words, check_target, not_blank

if TYPE_CHECKING:
    from ..store.engine import Tx

Missed = Literal["once", "skip"]


def _time(text: str) -> str:
    try:
        return stamp(moment(text))
    except (ValueError, OverflowError) as error:
        raise ValueError("must be a time such as 2026-03-01T12:00:00Z") from error


Title = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(not_blank)]
Cron = Annotated[str, Field(min_length=1, max_length=200)]
Zone = Annotated[str, Field(min_length=1, max_length=64)]
Time = Annotated[str, Field(max_length=64), AfterValidator(_time)]


class ScheduleInput(Input):
    """A new schedule; the last five are values of its tasks."""

    agent_id: Words
    name: Title
    cron_expression: Cron
    description: Goal | None = None
    enabled: Flag = True
    timezone: Zone = "UTC"
    missed: Missed = "once"
    next_run: Time | None = None
    required_skills: Skills | None = None
    urgency: Urgency | None = None
    timeout_seconds: Seconds | None = None
    max_retries: Retries | None = None
    callback_url: Url | None = None


class ScheduleChange(Input):
    """What of a schedule can change."""

    agent_id: Words | None = None
    name: Title | None = None
    cron_expression: Cron | None = None
    description: Goal | None = None
    enabled: Flag | None = None
    timezone: Zone | None = None
    missed: Missed | None = None
    next_run: Time | None = None
    required_skills: Skills | None = None
    urgency: Urgency | None = None
    timeout_seconds: Seconds | None = None
    max_retries: Retries | None = None
    callback_url: Url | None = None


class SchedulePage(Page):
    """Filters of the list of schedules."""

    cap: ClassVar[int] = 1000
    default: ClassVar[int] = 1000

    agent_id: Short | None = None


def create_schedule(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Store a schedule; its next time is shown."""
    body: ScheduleInput = call.body
    given = body.given()
    task = _task(call, given)
    row = {
        "org_id": call.caller.org_id,
        "id": new_id("sch"),
        "agent_id": body.agent_id,
        "name": body.name,
        "description": body.description,
        "cron_expression": body.cron_expression,
        "timezone": body.timezone,
        "enabled": body.enabled,
        "missed": body.missed,
        "task": task,
        "next_run": _next_run(tx, body.model_dump()),
        "last_run": None,
        "last_task_id": None,
        "run_count": 0,
        "metadata": body.unknown or None,
        "created_by": call.caller.actor_id,
        "created_at": tx.stamp,
        "updated_at": tx.stamp,
    }
    SCHEDULES.add(tx, row)
    return answer_with_warnings(_announced(tx, call, "created", row), body)


def _task(call: Invocation, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the tasks that were given."""
    found = {name: value for name, value in given.items() if name in TASK_FIELDS and value is not None}
    check_target(call.runtime.settings, "callback_url", found.get("callback_url"))
    return found


def _next_run(tx: Tx, row: Mapping[str, Any]) -> str | None:
    """When a schedule comes next: as given, else by its expression; raises `Problem` 400 for what cannot be used."""
    try:
        zone = zone_of(row["timezone"])
    except CronError as error:
        raise invalid("timezone", str(error)) from error
    try:
        following = next_after(row["cron_expression"], zone, tx.now)
    except CronError as error:
        raise invalid("cron_expression", str(error)) from error
    if not row["enabled"]:
        return None
    return row["next_run"] or stamp(following)


def _announced(tx: Tx, call: Invocation, change: str, row: Mapping[str, Any]) -> dict[str, Any]:
    wire = schedule_row(row)
    tx.emit(call.caller, f"schedule.{change}", "schedule", row["id"], wire, row["agent_id"])
    return {"schedule": wire, "schedule_id": row["id"]}


def list_schedules(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Schedules by agent, newest first."""
    query: SchedulePage = call.query
    columns = agent_schedules.c
    where = [] if query.agent_id is None else [columns.agent_id == query.agent_id]
    order = (columns.agent_id, columns.created_at.desc(), columns.id)
    found, total = SCHEDULES.page(tx, call.caller.org_id, where, size=query.size, offset=query.offset, order=order)
    return {"schedules": [schedule_row(row) for row in found], **paging(tx, query, len(found), total)}


def change_schedule(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Change, pause or resume a schedule; its next time counts from now."""
    body: ScheduleChange = call.body
    row = _schedule(tx, call)
    given = body.given()
    changes = {name: value for name, value in given.items() if name not in TASK_FIELDS}
    changes["task"] = {**row["task"], **_task(call, given)}
    kept = None if {"cron_expression", "timezone", "enabled"} & set(given) else row["next_run"]
    changes["next_run"] = _next_run(tx, {**row, "next_run": kept, **changes})
    changes["updated_at"] = tx.stamp
    SCHEDULES.change(tx, row["org_id"], row["id"], changes)
    return answer_with_warnings(_announced(tx, call, "updated", {**row, **changes}), body)


def remove_schedule(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Remove a schedule; tasks that it submitted stay."""
    row = _schedule(tx, call)
    SCHEDULES.delete(tx, row["org_id"], row["id"])
    return {"deleted": True, **_announced(tx, call, "deleted", row)}


def run_schedules(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Run what is due now; the server does so by itself."""
    runs = run_due(tx, call.caller)
    return {"runs": runs, "total": len(runs)}


def _schedule(tx: Tx, call: Invocation) -> dict[str, Any]:
    row = SCHEDULES.find(tx, call.caller.org_id, call.params["schedule_id"])
    if row is None:
        raise not_found("schedule", call.params["schedule_id"])
    return row


def _operation(name: str, verb: str, path: str, run: Any, summary: str, **more: Any) -> Operation:
    role: Role = "readonly" if verb == "GET" else "member"
    return Operation(name, verb, f"/api/agent-schedules{path}", run, summary, "schedules", role=role, **more)


OPERATIONS = (
    _operation(
        "list_agent_schedules", "GET", "", list_schedules, "List schedules", query=SchedulePage, prepare=keep_up
    ),
    _operation("create_agent_schedule", "POST", "", create_schedule, "Add a schedule", body=ScheduleInput, status=201),
    _operation("run_due_schedules", "POST", "/run", telling(run_schedules), "Run the schedules that are due"),
    _operation(
        "update_agent_schedule", "PATCH", "/{schedule_id}", change_schedule, "Change a schedule", body=ScheduleChange
    ),
    _operation("delete_agent_schedule", "DELETE", "/{schedule_id}", remove_schedule, "Remove a schedule"),
)
