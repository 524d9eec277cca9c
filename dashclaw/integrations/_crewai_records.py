"""What is only recorded of crews: their runs, their tasks and their calls of models, each under its parent."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dashclaw._governor import Gate, Governor
from dashclaw._tool_calls import text_of

from ._shielded import conclude

_MOST_KEPT = 10_000


class CrewError(Exception):
    """Stands for an error that CrewAI only passes on as text."""


class _Kept(OrderedDict[Any, Any]):
    """A mapping that forgets its oldest entries."""

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        while len(self) > _MOST_KEPT:
            self.popitem(last=False)


class CrewRecords:
    """Records what crews do besides calling tools; nothing of it is ever stopped."""

    def __init__(self, governor: Governor) -> None:
        self._governor = governor
        self._crews: dict[str, Gate] = _Kept()
        self._tasks: dict[str, Gate] = _Kept()
        self._parents: dict[str, str | None] = _Kept()
        self._asking: dict[tuple[str, str | None], bool] = _Kept()
        self._begun: dict[str, datetime] = _Kept()
        self._outputs: dict[int, Any] = _Kept()

    def parent_of(self, task: Any) -> str | None:
        """Return the action of a task of a crew; a task that a tool made has the tool's call as its parent."""
        return self._parents.get(_id(task) or "")

    def crew_begins(self, crew: Any) -> None:
        """Record that a crew is started."""
        name = text_of(getattr(crew, "name", None) or "crew")
        self._crews[str(crew.id)] = self._governor.note("crew.run", f"Run {name}", risk_score=0)

    def crew_ends(self, crew: Any, output: Any = None, error: BaseException | None = None) -> None:
        """Record how it ended."""
        gate = self._crews.pop(_id(crew) or "", None)
        if gate is not None:
            conclude(self._governor, gate, getattr(output, "raw", output), error)

    def task_begins(self, task: Any, agent: Any, crew: Any) -> None:
        """Record that an agent starts on a task."""
        self.asks(agent, task)
        run = self._crews.get(_id(crew) or "")
        fields = {"parent_action_id": run.action_id} if run is not None and run.action_id else {}
        goal = text_of(getattr(task, "description", "") or "task")
        gate = self._governor.note("crew.task", goal, agent_name=_role(agent), risk_score=0, **fields)
        self._tasks[str(task.id)] = gate
        self._parents[str(task.id)] = gate.action_id

    def task_ends(self, task: Any, output: Any = None, error: BaseException | None = None) -> None:
        """Record how it ended."""
        gate = self._tasks.pop(_id(task) or "", None)
        if gate is None:
            return
        if output is not None:
            self._outputs[id(output)] = output
        conclude(self._governor, gate, getattr(output, "raw", output), error)

    def task_output(self, output: Any) -> None:
        """Record a finished task of which only the output is known, unless it was recorded as it ran."""
        if self._outputs.pop(id(output), None) is output:
            return
        goal = text_of(getattr(output, "description", "") or "task")
        gate = self._governor.note("crew.task", goal, agent_name=text_of(output.agent), risk_score=0)
        conclude(self._governor, gate, getattr(output, "raw", output))

    def asks(self, agent: Any, task: Any) -> None:
        """Have calls of models recorded that this agent makes for this task."""
        agent_id = _id(agent)
        if agent_id is not None:
            self._asking[(agent_id, _id(task))] = True

    def model_begins(self, event: Any) -> None:
        """Note when a model is called."""
        if (event.agent_id, event.task_id) in self._asking:
            self._begun[event.call_id] = event.timestamp

    def model_ends(self, event: Any, error: BaseException | None = None) -> None:
        """Record a call of a model; what is asked is not kept."""
        if (event.agent_id, event.task_id) not in self._asking:
            return
        model = text_of(event.model) if event.model else None
        parent = self._parents.get(event.task_id or "")
        fields = {"model": model, "agent_name": event.agent_role, "parent_action_id": parent}
        gate = self._governor.note(
            "llm.call",
            f"Call the model {model or 'of an agent'}",
            risk_score=0,
            **{name: value for name, value in fields.items() if value is not None},
        )
        begun = self._begun.pop(event.call_id, None)
        if begun is not None and gate.run is not None:
            gate.run.started -= max(0.0, (event.timestamp - begun).total_seconds())
        conclude(
            self._governor,
            gate,
            getattr(event, "response", None),
            error,
            model=model,
            **tokens(getattr(event, "usage", None)),
        )

    def close(self) -> None:
        """Record what was still open as cancelled."""
        for gate in [*self._tasks.values(), *self._crews.values()]:
            conclude(self._governor, gate, error=asyncio.CancelledError("The integration was closed before it ended"))
        self._tasks.clear()
        self._crews.clear()


def tokens(usage: Any) -> dict[str, int]:
    """Return the tokens that a model reported, by whatever names its provider has for them."""
    if not isinstance(usage, Mapping):
        return {}
    found = {
        "tokens_in": usage.get("prompt_tokens", usage.get("input_tokens")),
        "tokens_out": usage.get("completion_tokens", usage.get("output_tokens")),
    }
    return {name: count for name, count in found.items() if isinstance(count, int)}


def _id(thing: Any) -> str | None:
    found = getattr(thing, "id", None)
    return None if found is None else str(found)


def _role(agent: Any) -> str:
    return text_of(getattr(agent, "role", None) or "agent")
