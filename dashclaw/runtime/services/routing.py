"""Task routing: the pool of agents, and the tasks that it gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from ..clock import moment
from ..identity import Role
from ..inputs import Flag, Goal, Input, Name, Page, Prose, Short, from_text, no_bool
from ..operations import Invocation, Operation
from ..problems import conflict, invalid, not_found
from ..routing import tasks
from ..routing.due import keep_up, telling
from ..routing.score import HIGHEST_PRIORITY, USUAL_PRIORITY, success_rate
from ..sending import why_not_target
from ..store import routing as rows
from ..store.tables import routing_agents, routing_messages, routing_tasks
from .loops import answer_with_warnings, filters_of, paging

if TYPE_CHECKING:
    from ..settings import Settings
    from ..store.engine import Tx

AgentStatus = Literal["available", "busy", "offline"]
TaskStatus = Literal["pending", "assigned", "in_progress", "completed", "failed", "escalated"]
Urgency = Literal["critical", "high", "medium", "normal", "low"]


def not_blank(text: str) -> str:
    """Refuse a text of nothing but space."""
    if not text.strip():
        raise ValueError("must not be blank")
    return text


Words = Annotated[Short, Field(min_length=1), AfterValidator(not_blank)]
Title = Annotated[Goal, Field(min_length=1), AfterValidator(not_blank)]
Url = Annotated[str, Field(min_length=1, max_length=2000)]


class Skill(BaseModel):
    """Something an agent can do, and how much it is meant for it: 10 most, 0 least."""

    model_config = ConfigDict(extra="forbid")

    skill: Words
    priority: Annotated[int, Field(ge=0, le=HIGHEST_PRIORITY), BeforeValidator(no_bool)] = USUAL_PRIORITY


Skills = Annotated[list[Words], Field(max_length=50), BeforeValidator(from_text)]
Capabilities = Annotated[list[Words | Skill], Field(max_length=50), BeforeValidator(from_text)]
Seconds = Annotated[int, Field(ge=1, le=31_536_000), BeforeValidator(no_bool)]
Retries = Annotated[int, Field(ge=0, le=100), BeforeValidator(no_bool)]


class AgentInput(Input):
    """An agent of the pool; with an `id` that is there already, its new values."""

    name: Annotated[Name, Field(min_length=1), AfterValidator(not_blank)]
    capabilities: Capabilities = []
    max_concurrent: Annotated[int, Field(ge=1, le=100), BeforeValidator(no_bool)] = Field(
        default=3, validation_alias=AliasChoices("maxConcurrent", "max_concurrent")
    )
    endpoint: Url | None = None
    id: Words | None = None


class AgentStatusInput(Input):
    """Whether an agent takes tasks."""

    status: AgentStatus


class AgentPage(Page):
    """Filters of the pool."""

    cap: ClassVar[int] = 1000
    default: ClassVar[int] = 1000

    status: AgentStatus | None = None


class TaskInput(Input):
    """A new task."""

    title: Title
    description: Annotated[str, Field(max_length=10_000)] = ""
    required_skills: Skills = Field(default=[], validation_alias=AliasChoices("requiredSkills", "required_skills"))
    urgency: Urgency = "normal"
    timeout_seconds: Seconds = Field(
        default=tasks.TIMEOUT_SECONDS, validation_alias=AliasChoices("timeoutSeconds", "timeout_seconds")
    )
    max_retries: Retries = Field(default=tasks.MAX_RETRIES, validation_alias=AliasChoices("maxRetries", "max_retries"))
    callback_url: Url | None = Field(default=None, validation_alias=AliasChoices("callbackUrl", "callback_url"))


class TaskEnd(Input):
    """How an attempt ended."""

    success: Flag = True
    result: Any = None
    error: Prose | None = None


class TaskPage(Page):
    """Filters of the list of tasks; `agent_id` and `assigned_to` are the same."""

    status: TaskStatus | None = None
    assigned_to: Short | None = None
    agent_id: Short | None = None


def check_target(settings: Settings, field: str, url: str | None) -> None:
    """Refuse an address that may not be called; raises `Problem` 400."""
    if url is not None and (wrong := why_not_target(settings, url)) is not None:
        raise invalid(field, wrong)


def agent_row(row: dict[str, Any]) -> dict[str, Any]:
    """An agent on the wire."""
    return {**row, "metadata": row["metadata"] or {}}


def register_agent(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Add an agent to the pool, or give one new values; it gets what waits for it."""
    body: AgentInput = call.body
    check_target(call.runtime.settings, "endpoint", body.endpoint)
    org_id = call.caller.org_id
    capabilities = [one if isinstance(one, str) else one.model_dump() for one in body.capabilities]
    values = {
        "name": body.name,
        "capabilities": capabilities,
        "max_concurrent": body.max_concurrent,
        "endpoint": body.endpoint,
        "metadata": body.unknown or None,
        "updated_at": tx.stamp,
    }
    agent_id = body.id or tasks.new_id("ra")
    known = rows.AGENTS.find(tx, org_id, agent_id)
    if known is None:
        key = {"org_id": org_id, "id": agent_id, "created_at": tx.stamp}
        rows.AGENTS.add(tx, {**key, **values, "status": "available", "current_load": 0})
    else:
        rows.AGENTS.change(tx, org_id, agent_id, values)
    _announce(tx, call, "created" if known is None else "updated", agent_id)
    return answer_with_warnings({"agent": _served(tx, call, agent_id), "agent_id": agent_id}, body)


def _announce(tx: Tx, call: Invocation, change: str, agent_id: str) -> None:
    tx.emit(call.caller, f"routing.agent.{change}", "routing_agent", agent_id, _agent(tx, call, agent_id))


def _served(tx: Tx, call: Invocation, agent_id: str) -> dict[str, Any]:
    """An agent after it got what waited for it."""
    tasks.serve_queue(tx, call.caller)
    return _agent(tx, call, agent_id)


def _agent(tx: Tx, call: Invocation, agent_id: str) -> dict[str, Any]:
    row = rows.AGENTS.find(tx, call.caller.org_id, agent_id)
    if row is None:
        raise not_found("routing agent", agent_id)
    return agent_row(row)


def list_agents(tx: Tx, call: Invocation) -> dict[str, Any]:
    """The pool by name."""
    query: AgentPage = call.query
    columns = routing_agents.c
    where = [] if query.status is None else [columns.status == query.status]
    found, total = rows.AGENTS.page(
        tx, call.caller.org_id, where, size=query.size, offset=query.offset, order=(columns.name, columns.id)
    )
    return {"agents": [agent_row(row) for row in found], **paging(tx, query, len(found), total)}


def show_agent(tx: Tx, call: Invocation) -> dict[str, Any]:
    """One agent with what is counted of it."""
    agent = _agent(tx, call, call.params["routing_agent_id"])
    return {"agent": agent, "metrics": _metrics(rows.metrics(tx, call.caller.org_id, agent["id"]))}


def _metrics(counted: list[dict[str, Any]]) -> dict[str, Any]:
    shown = {row["skill"]: _outcomes(row) for row in counted}
    total = shown.pop("", _outcomes({"completed": 0, "failed": 0, "seconds": 0.0}))
    return {**total, "by_skill": [{"skill": skill, **found} for skill, found in shown.items()]}


def _outcomes(row: dict[str, Any]) -> dict[str, Any]:
    done = row["completed"] + row["failed"]
    return {
        "completed": row["completed"],
        "failed": row["failed"],
        "success_rate": success_rate([(row["completed"], row["failed"])]),
        "average_seconds": row["seconds"] / done if done else None,
    }


def change_status(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Say whether an agent takes tasks; one that becomes available gets what waits. It keeps the tasks it has."""
    agent_id = _agent(tx, call, call.params["routing_agent_id"])["id"]
    changes = {"status": call.body.status, "updated_at": tx.stamp}
    rows.AGENTS.change(tx, call.caller.org_id, agent_id, changes)
    _announce(tx, call, "updated", agent_id)
    return answer_with_warnings({"agent": _served(tx, call, agent_id)}, call.body)


def remove_agent(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Remove an agent; others get the tasks that it had."""
    agent = _agent(tx, call, call.params["routing_agent_id"])
    org_id = call.caller.org_id
    held = rows.held_by(tx, org_id, agent["id"])
    rows.AGENTS.delete(tx, org_id, agent["id"])
    rows.forget_metrics(tx, org_id, agent["id"])
    tx.emit(call.caller, "routing.agent.deleted", "routing_agent", agent["id"], agent)
    tasks.take_back(tx, call.caller, held, f"Its agent {agent['name']} was removed")
    return {"deleted": True, "agent": agent}


def submit_task(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Store a task and route it at once."""
    body: TaskInput = call.body
    check_target(call.runtime.settings, "callbackUrl", body.callback_url)
    row, routing = tasks.submit(tx, call.caller, {**body.given(), "metadata": body.unknown or None})
    return answer_with_warnings(_routed(row, routing), body)


def _routed(row: dict[str, Any], routing: dict[str, Any]) -> dict[str, Any]:
    answer = {"task_id": row["id"], "task": tasks.task_row(row), "routing": routing}
    if routing["status"] == "assigned":
        answer["assigned_agent"] = {"id": routing["agent_id"], "name": routing["agent_name"]}
    return answer


def list_tasks(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Tasks, newest first."""
    query: TaskPage = call.query
    columns = routing_tasks.c
    given = filters_of(query, ("status", "assigned_to", "agent_id"))
    named = {"agent_id": columns.assigned_to}
    where = [named.get(name, columns.get(name)) == value for name, value in given.items()]
    order = (columns.created_at.desc(), columns.id.desc())
    found, total = rows.TASKS.page(tx, call.caller.org_id, where, size=query.size, offset=query.offset, order=order)
    return {"tasks": [tasks.task_row(row) for row in found], **paging(tx, query, len(found), total)}


def show_task(tx: Tx, call: Invocation) -> dict[str, Any]:
    """One task, how it was routed each time with all candidates, and what was told to whom."""
    row = _task(tx, call)
    of_task = (rows.DECISIONS.table.c.task_id == row["id"],)
    decisions, _ = rows.DECISIONS.page(tx, row["org_id"], of_task, size=200)
    told, _ = rows.MESSAGES.page(tx, row["org_id"], (routing_messages.c.task_id == row["id"],), size=200)
    messages = [{name: value for name, value in one.items() if name != "body"} for one in told]
    return {"task": tasks.task_row(row), "task_id": row["id"], "decisions": decisions, "messages": messages}


def _task(tx: Tx, call: Invocation) -> dict[str, Any]:
    row = rows.TASKS.find(tx, call.caller.org_id, call.params["task_id"])
    if row is None:
        raise not_found("task", call.params["task_id"])
    return row


def complete_task(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Finish a task, or end an attempt that failed: it is tried again while retries remain, else escalated."""
    body: TaskEnd = call.body
    row = _task(tx, call)
    if not (row["status"] == "assigned" or (row["status"] == "escalated" and body.success)):
        raise conflict(f"The task is {row['status']}: no agent has it")
    if body.success:
        row, routing = tasks.complete(tx, call.caller, row, body.result)
    else:
        reason = body.error or "The agent failed"
        row, routing = tasks.fail(tx, call.caller, [(row, reason)])[row["id"]]
    return answer_with_warnings(_routed(row, routing), body)


def show_stats(tx: Tx, call: Invocation) -> dict[str, Any]:
    """How many agents and tasks there are, and how often a task was routed."""
    org_id = call.caller.org_id
    agents, counted = rows.agent_counts(tx, org_id), rows.task_counts(tx, org_id)
    pool = {status: agents.get(status, {}).get("agents", 0) for status in ("available", "busy", "offline")}
    states = ("pending", "assigned", "in_progress", "completed", "failed", "escalated")
    return {
        "agents": {"total": sum(pool.values()), **pool},
        "tasks": {"total": sum(counted.values()), **{status: counted.get(status, 0) for status in states}},
        "routing": {"total_decisions": rows.decision_count(tx, org_id)},
        "load": {
            "places": sum(found["places"] for found in agents.values()),
            "taken": sum(found["taken"] for found in agents.values()),
        },
    }


def show_health(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Whether tasks get done: "degraded", with the reasons, when some wait or none could be taken."""
    org_id = call.caller.org_id
    agents, counted = rows.agent_counts(tx, org_id), rows.task_counts(tx, org_id)
    available = agents.get("available", {"agents": 0, "places": 0, "taken": 0})
    waiting, escalated = counted.get("pending", 0), counted.get("escalated", 0)
    oldest = rows.oldest_waiting(tx, org_id) if waiting else None
    reasons = []
    if waiting:
        reasons.append(f"{waiting} tasks wait for an agent")
    if agents and not available["agents"]:
        reasons.append("No agent is available")
    return {
        "status": "degraded" if reasons else "ok",
        "service": "dashclaw-routing",
        "timestamp": tx.stamp,
        "reasons": reasons,
        "available_agents": available["agents"],
        "free_places": max(0, available["places"] - available["taken"]),
        "waiting_tasks": waiting,
        "longest_wait_seconds": (tx.now - moment(oldest)).total_seconds() if oldest else 0.0,
        "escalated_tasks": escalated,
    }


def _operation(name: str, verb: str, path: str, run: Any, summary: str, **more: Any) -> Operation:
    role: Role = "readonly" if verb == "GET" else "member"
    use_case = run if verb == "GET" else telling(run)
    path = f"/api/routing/{path}"
    return Operation(name, verb, path, use_case, summary, "routing", role=role, prepare=keep_up, **more)


OPERATIONS = (
    _operation("list_routing_agents", "GET", "agents", list_agents, "List the pool", query=AgentPage),
    _operation("register_routing_agent", "POST", "agents", register_agent, "Add an agent", body=AgentInput, status=201),
    _operation("get_routing_agent", "GET", "agents/{routing_agent_id}", show_agent, "Show an agent with its metrics"),
    _operation(
        "update_routing_agent_status",
        "PATCH",
        "agents/{routing_agent_id}",
        change_status,
        "Say whether an agent takes tasks",
        body=AgentStatusInput,
    ),
    _operation("delete_routing_agent", "DELETE", "agents/{routing_agent_id}", remove_agent, "Remove an agent"),
    _operation("list_routing_tasks", "GET", "tasks", list_tasks, "List tasks", query=TaskPage),
    _operation("submit_routing_task", "POST", "tasks", submit_task, "Submit a task", body=TaskInput, status=201),
    _operation("get_routing_task", "GET", "tasks/{task_id}", show_task, "Show a task and how it was routed"),
    _operation(
        "complete_routing_task",
        "POST",
        "tasks/{task_id}/complete",
        complete_task,
        "Finish a task, or an attempt",
        body=TaskEnd,
    ),
    _operation("get_routing_stats", "GET", "stats", show_stats, "Count agents, tasks and decisions"),
    _operation("get_routing_health", "GET", "health", show_health, "Whether tasks get done"),
)
