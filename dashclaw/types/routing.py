"""Answers of the category "Task Routing"."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import Literal, TypedDict

RoutingAgentStatus = Literal["available", "busy", "offline"]
RoutingTaskStatus = Literal["pending", "assigned", "in_progress", "completed", "failed", "escalated"]
RoutingUrgency = Literal["critical", "high", "medium", "normal", "low"]
RoutingCondition = Literal["ok", "degraded"]


class RoutingAgent(TypedDict):
    """An agent of the pool; capabilities are skills, or objects with a skill and its priority."""

    id: str
    org_id: str
    name: str
    capabilities: List[Any]
    max_concurrent: int
    current_load: int
    status: RoutingAgentStatus
    endpoint: Optional[str]
    metadata: Dict[str, Any]
    created_at: str
    updated_at: str


class RoutingAgentList(TypedDict):
    """The pool by name."""

    agents: List[RoutingAgent]
    total: int
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str


class RoutingAgentAnswer(TypedDict):
    """One agent of the pool."""

    agent: RoutingAgent
    agent_id: str


class SkillMetrics(TypedDict):
    """What became of the tasks of an agent that needed one skill."""

    skill: str
    completed: int
    failed: int
    success_rate: Optional[float]
    average_seconds: Optional[float]


class RoutingMetrics(TypedDict):
    """What became of all tasks of an agent: the rate is from 0 to 1, None without any."""

    completed: int
    failed: int
    success_rate: Optional[float]
    average_seconds: Optional[float]
    by_skill: List[SkillMetrics]


class RoutingAgentDetail(TypedDict):
    """One agent of the pool with what is counted of it."""

    agent: RoutingAgent
    metrics: RoutingMetrics


class DeletedRoutingAgent(TypedDict):
    """The agent that was removed."""

    deleted: bool
    agent: RoutingAgent


class RoutingTask(TypedDict):
    """A task; `id` and `task_id` are the same. `wanted_agent` names the only agent that may get it."""

    id: str
    task_id: str
    org_id: str
    title: str
    description: str
    required_skills: List[str]
    urgency: RoutingUrgency
    status: RoutingTaskStatus
    assigned_to: Optional[str]
    assigned_at: Optional[str]
    due_at: Optional[str]
    wanted_agent: Optional[str]
    schedule_id: Optional[str]
    result: Any
    error: Optional[str]
    timeout_seconds: int
    max_retries: int
    retry_count: int
    callback_url: Optional[str]
    metadata: Dict[str, Any]
    created_at: str
    updated_at: str
    completed_at: Optional[str]


class RoutingTaskPage(TypedDict):
    """A page of tasks, newest first."""

    tasks: List[RoutingTask]
    total: int
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str


class AssignedAgent(TypedDict):
    """Who has a task."""

    id: str
    name: str


class Routing(TypedDict):
    """How a task was routed: the agent with its score and the reasons, or the reason why it waits."""

    status: RoutingTaskStatus
    agent_id: Optional[str]
    agent_name: str
    score: float
    reasons: List[str]
    reason: str


class RoutedTask(TypedDict):
    """A task and how it was routed; `assigned_agent` is absent unless an agent has just got it."""

    task_id: str
    assigned_agent: AssignedAgent
    task: RoutingTask
    routing: Routing


class PoolCounts(TypedDict):
    """How many agents there are."""

    total: int
    available: int
    busy: int
    offline: int


class TaskCounts(TypedDict):
    """How many tasks there are."""

    total: int
    pending: int
    assigned: int
    in_progress: int
    completed: int
    failed: int
    escalated: int


class DecisionTotal(TypedDict):
    """How often a task was routed."""

    total_decisions: int


class PoolLoad(TypedDict):
    """How many tasks the pool may have at a time, and has."""

    places: int
    taken: int


class RoutingStats(TypedDict):
    """Counts over the whole organisation."""

    agents: PoolCounts
    tasks: TaskCounts
    routing: DecisionTotal
    load: PoolLoad


class RoutingHealth(TypedDict):
    """Whether tasks get done."""

    status: RoutingCondition
    service: str
    timestamp: str
    reasons: List[str]
    available_agents: int
    free_places: int
    waiting_tasks: int
    longest_wait_seconds: float
    escalated_tasks: int
