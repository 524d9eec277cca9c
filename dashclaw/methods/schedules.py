"""Agent schedules: tasks that come again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from .._call import Call, Caller, endpoint

if TYPE_CHECKING:
    from ..types import ScheduleAnswer, SchedulePage


class ScheduleMethods(Caller):
    """Methods of the category "Agent Schedules"."""

    @endpoint
    def list_agent_schedules(self, agent_id: Optional[str] = None) -> Call[SchedulePage]:
        """Return the schedules by agent, newest first, or those of one agent; each with `next_run` and `last_run`."""
        return Call("GET", "/api/agent-schedules", query={"agent_id": agent_id})

    @endpoint
    def create_agent_schedule(
        self, agent_id: str, name: str, cron_expression: str, **fields: Any
    ) -> Call[ScheduleAnswer]:
        """Create a schedule: whenever it is due, a task with its name is submitted for the agent.

        `cron_expression` has five fields: minute, hour, day, month, weekday. `fields` may be `description`; `enabled`
        (True); `timezone`, such as "Europe/Berlin" ("UTC"); `missed`, what happens after a stop: "once" makes up for
        all missed times by one run, "skip" waits for the next; `next_run`, a first time of its own; and of the tasks
        `required_skills`, `urgency`, `timeout_seconds`, `max_retries`, `callback_url`. The agent is the one of the
        routing pool with that id or name. The time is watched by `dashclaw serve`; an embedded runtime looks at each
        call about tasks and schedules, or at `dashclaw schedules run`.
        """
        body = {"agent_id": agent_id, "name": name, "cron_expression": cron_expression}
        return Call("POST", "/api/agent-schedules", body=dict(fields, **body))
