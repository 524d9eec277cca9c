"""The types of answers about routing and schedules name what the runtime answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dashclaw import DashClaw

from .test_types import promised, unlike

SOMETIMES = {
    f"{name} is missing"
    for name in (
        "RoutedTask.assigned_agent",
        "Routing.agent_id",
        "Routing.agent_name",
        "Routing.reason",
        "Routing.reasons",
        "Routing.score",
        "RoutingAgentAnswer.agent_id",
    )
}


def test_answers_about_routing_have_the_keys_and_types_that_are_declared(tmp_path: Path) -> None:
    found: set[str] = set()
    with DashClaw.local(tmp_path / "dashclaw.db", agent_id="me", starter_policies=False) as claw:

        def ask(method: str, *args: Any, **fields: Any) -> Any:
            answer = getattr(claw, method)(*args, **fields)
            found.update(unlike(promised(method), answer, method))
            return answer

        task = ask("submit_routing_task", "Report", required_skills=["sql"])["task_id"]
        agent = ask("register_routing_agent", "analyst", ["sql", {"skill": "python", "priority": 3}])["agent"]["id"]
        ask("complete_routing_task", task, success=False, error="No data")
        ask("complete_routing_task", task, {"rows": 5})
        ask("submit_routing_task", "Report")
        for method in ("list_routing_agents", "list_routing_tasks", "get_routing_stats", "get_routing_health"):
            ask(method)
        ask("update_routing_agent_status", agent, "busy")
        ask("get_routing_agent", agent)
        ask("delete_routing_agent", agent)
        ask("create_agent_schedule", "forge", "Build", "0 3 * * *")
        ask("create_agent_schedule", "forge", "Build", "0 3 * * *", enabled=False, description="Off", urgency="low")
        ask("list_agent_schedules", "forge")
    assert found - SOMETIMES == set()
