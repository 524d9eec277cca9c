"""Schedules that are due: each says so once and submits its task."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..clock import moment, stamp
from ..cron import CronError, last_until, next_after, zone_of
from ..identity import Caller
from ..store import schedules as rows
from .tasks import MAX_RETRIES, TIMEOUT_SECONDS, submit

if TYPE_CHECKING:
    from ..store.engine import Tx

# A run that comes later than this after its time was missed.
GRACE = timedelta(seconds=60)

TASK_FIELDS: Mapping[str, Any] = {
    "required_skills": [],
    "urgency": "normal",
    "timeout_seconds": TIMEOUT_SECONDS,
    "max_retries": MAX_RETRIES,
    "callback_url": None,
}


def schedule_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A schedule on the wire, with the values of its tasks; `id` equals `schedule_id`."""
    shown = {name: value for name, value in row.items() if name != "task"}
    return {**shown, "schedule_id": row["id"], "metadata": row["metadata"] or {}, **TASK_FIELDS, **row["task"]}


def run_due(tx: Tx, caller: Caller) -> list[dict[str, Any]]:
    """Run every schedule of the organisation whose time has come, and set its next time; returns the runs.

    Times that passed while nobody looked are made up by one run, or skipped, as the schedule says.
    """
    runs = (_run(tx, caller, row) for row in rows.due(tx, caller.org_id))
    return [found for found in runs if found is not None]


def _run(tx: Tx, caller: Caller, row: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        zone = zone_of(row["timezone"])
        due = max(last_until(row["cron_expression"], zone, tx.now), moment(row["next_run"]))
        following = next_after(row["cron_expression"], zone, tx.now)
    except CronError as error:
        _stop(tx, caller, row, str(error))
        return None
    missed = tx.now - due > GRACE
    changes: dict[str, Any] = {"next_run": stamp(following), "updated_at": tx.stamp}
    if missed and row["missed"] == "skip":
        _change(tx, caller, "schedule.missed", row, changes, {"due_at": stamp(due)})
        return None
    given = {"title": row["name"], "description": row["description"] or "", **row["task"]}
    task, _ = submit(tx, caller, {**given, "wanted_agent": row["agent_id"], "schedule_id": row["id"]})
    changes |= {"last_run": tx.stamp, "last_task_id": task["id"], "run_count": row["run_count"] + 1}
    told = {"due_at": stamp(due), "made_up": missed, "task_id": task["id"]}
    _change(tx, caller, "schedule.due", row, changes, told)
    return {"schedule_id": row["id"], "name": row["name"], "agent_id": row["agent_id"], **told}


def _stop(tx: Tx, caller: Caller, row: Mapping[str, Any], reason: str) -> None:
    """Switch off a schedule that this machine cannot understand, so that the others still run."""
    changes = {"enabled": False, "next_run": None, "updated_at": tx.stamp}
    _change(tx, caller, "schedule.updated", row, changes, {"reason": reason})


def _change(
    tx: Tx, caller: Caller, event: str, row: Mapping[str, Any], changes: Mapping[str, Any], told: Mapping[str, Any]
) -> None:
    rows.SCHEDULES.change(tx, row["org_id"], row["id"], changes)
    data = {"schedule": schedule_row({**row, **changes}), **told}
    tx.emit(caller, event, "schedule", row["id"], data, row["agent_id"])
