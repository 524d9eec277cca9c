"""Task routing: a pool of agents, and tasks that go to the one that suits best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence, Union

from .._call import Call, Caller, endpoint, path

if TYPE_CHECKING:
    from ..types import (
        DeletedRoutingAgent,
        RoutedTask,
        RoutingAgentAnswer,
        RoutingAgentDetail,
        RoutingAgentList,
        RoutingHealth,
        RoutingStats,
        RoutingTaskPage,
    )


class RoutingMethods(Caller):
    """Methods of the category "Task Routing"."""

    @endpoint
    def list_routing_agents(self, status: Optional[str] = None) -> Call[RoutingAgentList]:
        """Return the pool by name; `status` keeps "available", "busy" or "offline" agents."""
        return Call("GET", "/api/routing/agents", query={"status": status})

    @endpoint
    def register_routing_agent(
        self,
        name: str,
        capabilities: Optional[Sequence[Union[str, Mapping[str, Any]]]] = None,
        max_concurrent: int = 1,
        endpoint: Optional[str] = None,
    ) -> Call[RoutingAgentAnswer]:
        """Add an agent to the pool; it is available and gets what waits for it.

        `capabilities` are skills, or objects `{"skill", "priority"}` with a priority of 0 to 10 (5); `max_concurrent`
        is how many tasks it has at a time, 1 to 100. Each task that it gets is posted to `endpoint`, a public https
        address. The id for later calls is `["agent"]["id"]`.
        """
        body = {"name": name, "capabilities": capabilities, "maxConcurrent": max_concurrent, "endpoint": endpoint}
        return Call("POST", "/api/routing/agents", body=body)

    @endpoint
    def get_routing_agent(self, agent_id: str) -> Call[RoutingAgentDetail]:
        """Return an agent of the pool, with how many tasks it completed and failed in `metrics`, also by skill."""
        return Call("GET", path("routing", "agents", agent_id))

    @endpoint
    def update_routing_agent_status(self, agent_id: str, status: str) -> Call[RoutingAgentAnswer]:
        """Say that an agent is "available", "busy" or "offline": only an available one gets tasks."""
        return Call("PATCH", path("routing", "agents", agent_id), body={"status": status})

    @endpoint
    def delete_routing_agent(self, agent_id: str) -> Call[DeletedRoutingAgent]:
        """Remove an agent from the pool; others get the tasks that it had."""
        return Call("DELETE", path("routing", "agents", agent_id))

    @endpoint
    def list_routing_tasks(
        self,
        status: Optional[str] = None,
        agent_id: Optional[str] = None,
        limit: int = 50,
        offset: int = 0,
    ) -> Call[RoutingTaskPage]:
        """Return tasks, newest first: at most `limit` (up to 200).

        `status` is pending, assigned, completed or escalated; `agent_id` the id of an agent of the pool.
        """
        query = {"status": status, "assigned_to": agent_id, "limit": limit, "offset": offset}
        return Call("GET", "/api/routing/tasks", query=query)

    @endpoint
    def submit_routing_task(
        self,
        title: str,
        description: Optional[str] = None,
        required_skills: Optional[Sequence[str]] = None,
        urgency: str = "medium",
        timeout_seconds: Optional[int] = None,
        max_retries: Optional[int] = None,
        callback_url: Optional[str] = None,
    ) -> Call[RoutedTask]:
        """Submit a task: the agent that suits best gets it at once, else it waits for one.

        `urgency` is critical, high, medium (also called normal) or low. An agent has `timeout_seconds` (3,600) from
        its assignment; what takes longer or fails is tried again `max_retries` times (2) and then escalated. The end is
        posted to `callback_url`, a public https address. The id for later calls is `["task_id"]`; the key
        `assigned_agent` is absent while the task waits.
        """
        body = {
            "title": title,
            "description": description,
            "requiredSkills": required_skills,
            "urgency": urgency,
            "timeoutSeconds": timeout_seconds,
            "maxRetries": max_retries,
            "callbackUrl": callback_url,
        }
        return Call("POST", "/api/routing/tasks", body=body, read=_routed)

    @endpoint
    def complete_routing_task(
        self, task_id: str, result: Any = None, *, success: Optional[bool] = None, error: Optional[str] = None
    ) -> Call[RoutedTask]:
        """End the work on a task: `result` is any JSON value.

        `success=False` with an `error` ends this attempt only: it is tried again, or escalated after the last retry.
        Raises `ConflictError` for a task that no agent has.
        """
        body = {"result": result, "success": success, "error": error}
        return Call("POST", path("routing", "tasks", task_id, "complete"), body=body, read=_routed)

    @endpoint
    def get_routing_stats(self) -> Call[RoutingStats]:
        """Return how many agents and tasks there are by status, and how often a task was routed."""
        return Call("GET", "/api/routing/stats")

    @endpoint
    def get_routing_health(self) -> Call[RoutingHealth]:
        """Return whether tasks get done: `status` is "ok", or "degraded" for the `reasons` given."""
        return Call("GET", "/api/routing/health")


def _routed(answer: Any) -> Any:
    """Read the answer of older servers, which name the task and its agent further down only."""
    found = dict(answer)
    routing = found.get("routing") or {}
    found.setdefault("task_id", (found.get("task") or {}).get("id"))
    if routing.get("status") == "assigned" and "assigned_agent" not in found:
        found["assigned_agent"] = {"id": routing.get("agent_id"), "name": routing.get("agent_name")}
    return found
