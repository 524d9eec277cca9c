"""What becomes of a task: it waits, an agent gets it, it is done, tried again or escalated.

Everything happens in the caller's transaction. Writers of an organisation follow each other, so that the places of an
agent are counted exactly.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..clock import moment, stamp
from ..identity import Caller
from ..store import routing as rows
from .score import USUAL_PRIORITY, Ranked, Worker, rank, skill_key

if TYPE_CHECKING:
    from ..store.engine import Tx

URGENCIES: Mapping[str, int] = {"critical": 0, "high": 1, "medium": 2, "normal": 2, "low": 3}
TIMEOUT_SECONDS = 3600
MAX_RETRIES = 2

_INTERNAL = ("urgency_rank",)


def system(org_id: str) -> Caller:
    """Who acts when time has passed."""
    return Caller(org_id, "routing", "admin", "system")


def new_id(kind: str) -> str:
    """A fresh id."""
    return f"{kind}_{os.urandom(12).hex()}"


def task_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A task on the wire; `id` equals `task_id`."""
    shown = {name: value for name, value in row.items() if name not in _INTERNAL}
    return {**shown, "task_id": row["id"], "metadata": row["metadata"] or {}}


def submit(tx: Tx, caller: Caller, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Store a task and route it at once; returns its row and how it was routed."""
    urgency = given.get("urgency", "normal")
    row = {
        "org_id": caller.org_id,
        "id": new_id("rt"),
        "title": given["title"],
        "description": given.get("description", ""),
        "required_skills": given.get("required_skills", []),
        "urgency": urgency,
        "urgency_rank": URGENCIES[urgency],
        "status": "pending",
        "assigned_to": None,
        "assigned_at": None,
        "due_at": None,
        "wanted_agent": given.get("wanted_agent"),
        "schedule_id": given.get("schedule_id"),
        "result": None,
        "error": None,
        "timeout_seconds": given.get("timeout_seconds", TIMEOUT_SECONDS),
        "max_retries": given.get("max_retries", MAX_RETRIES),
        "retry_count": 0,
        "callback_url": given.get("callback_url"),
        "metadata": given.get("metadata"),
        "created_at": tx.stamp,
        "updated_at": tx.stamp,
        "completed_at": None,
    }
    rows.TASKS.add(tx, row)
    tx.emit(caller, "task.created", "task", row["id"], task_row(row))
    return _route(tx, caller, row, workers(tx, caller.org_id))


def workers(tx: Tx, org_id: str) -> list[Worker]:
    """The pool as the scoring sees it."""
    known = rows.history(tx, org_id)
    return [
        Worker(
            row["id"],
            row["name"],
            row["status"],
            row["current_load"],
            row["max_concurrent"],
            _skills(row["capabilities"]),
            known.get(row["id"], {}),
        )
        for row in rows.pool(tx, org_id)
    ]


def _skills(capabilities: Iterable[str | Mapping[str, Any]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in capabilities:
        skill, priority = (one, USUAL_PRIORITY) if isinstance(one, str) else (one["skill"], one["priority"])
        found[skill_key(skill)] = max(priority, found.get(skill_key(skill), 0))
    return found


def serve_queue(tx: Tx, caller: Caller) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Give waiting tasks to free agents, the most urgent first; returns what was assigned, by the task's id."""
    pool = workers(tx, caller.org_id)
    found: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    free = [worker for worker in pool if worker.free]
    if not free:
        return found
    # Places only get fewer here, so that what nobody could take stays so.
    hopeless: set[tuple[str | None, str]] = set()
    for waiting in rows.queue(tx, caller.org_id):
        need = (waiting["wanted_agent"], waiting["required_skills"])
        if need in hopeless:
            continue
        if not _anybody(free, *need):
            hopeless.add(need)
            continue
        task = rows.TASKS.find(tx, caller.org_id, waiting["id"])
        assert task is not None
        found[waiting["id"]] = _route(tx, caller, task, pool)
        free = [worker for worker in pool if worker.free]
        if not free:
            break
    return found


def _anybody(free: Sequence[Worker], wanted: str | None, skills: str) -> bool:
    needed = set(map(skill_key, json.loads(skills)))
    return any(
        wanted in (None, worker.id, worker.name) and (not needed or not needed.isdisjoint(worker.skills))
        for worker in free
    )


def _route(
    tx: Tx, caller: Caller, task: Mapping[str, Any], pool: list[Worker]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Assign a waiting task if somebody may get it; the decision is recorded with all candidates."""
    asked = [worker for worker in pool if task["wanted_agent"] in (None, worker.id, worker.name)]
    ranked = rank(asked, task["required_skills"], critical=task["urgency"] == "critical")
    best = ranked[0] if ranked and ranked[0].eligible else None
    if best is None or not rows.take_place(tx, task["org_id"], best.worker.id):
        routing: dict[str, Any] = {"status": "pending", "reason": _why_not(ranked, task)}
        _record(tx, task, routing, ranked)
        return dict(task), routing
    place = pool.index(best.worker)
    pool[place] = best.worker._replace(load=best.worker.load + 1)
    routing = {
        "status": "assigned",
        "agent_id": best.worker.id,
        "agent_name": best.worker.name,
        "score": best.score,
        "reasons": list(best.reasons),
    }
    _record(tx, task, routing, ranked)
    due = stamp(tx.now + timedelta(seconds=task["timeout_seconds"]))
    changes = {"status": "assigned", "assigned_to": best.worker.id, "assigned_at": tx.stamp, "due_at": due}
    row = rows.change_task(tx, task, changes)
    told = {**task_row(row), "routing": routing}
    tx.emit(caller, "task.assigned", "task", row["id"], told)
    agent = rows.AGENTS.find(tx, row["org_id"], best.worker.id)
    if agent is not None and agent["endpoint"]:
        tell(tx, row, "task.assigned", agent["endpoint"], routing)
    return row, routing


def _why_not(ranked: Sequence[Ranked], task: Mapping[str, Any]) -> str:
    if not ranked:
        wanted = task["wanted_agent"]
        return "The pool is empty" if wanted is None else f"The pool has no agent {wanted!r}"
    if not any(one.score for one in ranked):
        return "No agent has any of the required skills"
    return "Every agent that could do it is busy, offline or full"


def _record(tx: Tx, task: Mapping[str, Any], routing: Mapping[str, Any], ranked: Sequence[Ranked]) -> None:
    row = {
        "org_id": task["org_id"],
        "id": new_id("rd"),
        "task_id": task["id"],
        "attempt": task["retry_count"] + 1,
        "status": routing["status"],
        "agent_id": routing.get("agent_id"),
        "score": routing.get("score"),
        "reason": routing.get("reason") or "; ".join(routing["reasons"]),
        "candidates": [one.record() for one in ranked],
        "created_at": tx.stamp,
    }
    rows.DECISIONS.add(tx, row)


def tell(tx: Tx, task: Mapping[str, Any], event: str, url: str, routing: Mapping[str, Any]) -> None:
    """Leave a message for an address; it is delivered once this transaction has happened."""
    body = {"event": event, "timestamp": tx.stamp, "task": task_row(task), "routing": dict(routing)}
    row = {"org_id": task["org_id"], "id": new_id("rm"), "task_id": task["id"], "event": event, "url": url}
    state = {"status": "pending", "attempts": 0, "next_at": tx.stamp, "error": None, "created_at": tx.stamp}
    rows.MESSAGES.add(tx, {**row, "body": body, **state})


def complete(tx: Tx, caller: Caller, task: Mapping[str, Any], result: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Finish a task that an agent has, or that was escalated; its agent gets the next one of the queue."""
    if task["status"] == "assigned":
        _release(tx, task, completed=True)
    changes = {"status": "completed", "result": result, "error": None, "due_at": None, "completed_at": tx.stamp}
    row = rows.change_task(tx, task, changes)
    routing = {"status": "completed", "agent_id": task["assigned_to"]}
    _end(tx, caller, row, "task.completed", routing)
    serve_queue(tx, caller)
    return row, routing


def fail(
    tx: Tx, caller: Caller, failed: Sequence[tuple[Mapping[str, Any], str]]
) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """End an attempt of each task, for a reason; each is routed again, or escalated after its last retry."""
    found = {}
    for task, reason in failed:
        _release(tx, task, completed=False)
        if task["retry_count"] < task["max_retries"]:
            row = _wait_again(tx, caller, task, reason, task["retry_count"] + 1)
            found[row["id"]] = (row, {"status": "pending"})
        else:
            changes = {"status": "escalated", "error": reason, "assigned_to": None, "due_at": None}
            row = rows.change_task(tx, task, changes)
            routing = {"status": "escalated", "reason": reason}
            _end(tx, caller, row, "task.escalated", routing)
            found[row["id"]] = (row, routing)
    return _route_again(tx, caller, found)


def take_back(tx: Tx, caller: Caller, tasks: Sequence[Mapping[str, Any]], reason: str) -> None:
    """Give tasks of an agent that is gone to others; it is no attempt that failed."""
    waiting = [_wait_again(tx, caller, task, reason, task["retry_count"]) for task in tasks]
    _route_again(tx, caller, {row["id"]: (row, {"status": "pending"}) for row in waiting})


def expire(tx: Tx, org_id: str) -> int:
    """End the attempts whose time ran out since their assignment; returns how many."""
    late = rows.late(tx, org_id)
    if late:
        fail(tx, system(org_id), [(task, f"Not done within {task['timeout_seconds']} s") for task in late])
    return len(late)


def _wait_again(tx: Tx, caller: Caller, task: Mapping[str, Any], reason: str, retries: int) -> dict[str, Any]:
    waiting = {"status": "pending", "assigned_to": None, "assigned_at": None, "due_at": None}
    row = rows.change_task(tx, task, {**waiting, "error": reason, "retry_count": retries})
    tx.emit(caller, "task.requeued", "task", row["id"], {**task_row(row), "reason": reason})
    return row


def _route_again(
    tx: Tx, caller: Caller, found: dict[str, tuple[dict[str, Any], dict[str, Any]]]
) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Serve the queue; for what still waits, record why."""
    found = {**found, **serve_queue(tx, caller)}
    pool = workers(tx, caller.org_id)
    for key, (row, routing) in found.items():
        if routing["status"] == "pending":
            found[key] = _route(tx, caller, row, pool)
    return found


def _release(tx: Tx, task: Mapping[str, Any], *, completed: bool) -> None:
    org_id, agent_id = task["org_id"], task["assigned_to"]
    rows.leave_place(tx, org_id, agent_id)
    seconds = max(0.0, (tx.now - moment(task["assigned_at"])).total_seconds())
    for skill in {"", *map(skill_key, task["required_skills"])}:
        rows.count_outcome(tx, org_id, agent_id, skill, completed=completed, seconds=seconds)


def _end(tx: Tx, caller: Caller, row: Mapping[str, Any], event: str, routing: Mapping[str, Any]) -> None:
    tx.emit(caller, event, "task", row["id"], {**task_row(row), "routing": dict(routing)})
    if row["callback_url"]:
        tell(tx, row, event, row["callback_url"], routing)
