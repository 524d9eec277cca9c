"""CrewAI: calls of tools are decided about before they run; crews, tasks and calls of models are recorded."""

from __future__ import annotations

import threading
import uuid
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

from dashclaw._governor import Gate, Governor
from dashclaw._log import logger
from dashclaw._tool_calls import ToolCall, arguments_of, text_of
from dashclaw.errors import ConfigurationError, MissingExtraError

from ._crewai_records import CrewError, CrewRecords
from ._crewai_tools import Held, ToolRuns, tools_of, unseen
from ._framework import framework
from ._shielded import conclude, decide, failed, harmless

if TYPE_CHECKING:
    from typing_extensions import Self

    from dashclaw._governor import Client

__all__ = ["DashClawCrewIntegration"]

# Earlier versions do not show the model of an agent that calls tools in its text why a tool did not run.
_FLOOR = "1.15.3"
# Earlier versions take it for an error of the agent, and let the agent try again.
_ABORTS_SINCE = "1.15.30"
(_dispatch, _bus, _models, _tasks, _crews) = framework(
    "crewai",
    "crewai",
    _FLOOR,
    "crewai.hooks.dispatch",
    "crewai.events.event_bus:crewai_event_bus",
    "crewai.events.types.llm_events",
    "crewai.events.types.task_events",
    "crewai.events.types.crew_events",
)
_Aborted: Any = _dispatch.HookAborted

T = TypeVar("T")


class DashClawCrewIntegration:
    """Governs the crews and agents that it is told to instrument, and what their tools start; nothing else.

    `options` are those of `Governor`. With `on_block="raise"` a call that must not run ends the crew with CrewAI's
    `HookAborted`. Close it, or use it as a context manager: CrewAI keeps its hooks for all crews of the process.

    Raises `ConfigurationError` for options that `Governor` refuses, and for `on_block="raise"` where CrewAI is too old.
    """

    def __init__(self, claw: Client, **options: Any) -> None:
        if options.get("on_block") == "raise":
            _can_abort()
        self._governor = Governor(claw, **dict({"framework": "crewai"}, **options))
        self._runs = ToolRuns(self._governor)
        self._records = CrewRecords(self._governor)
        self._known: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        # Copies that CrewAI makes of a crew or an agent keep the metadata of its fingerprint.
        self._mark = f"dashclaw_{uuid.uuid4().hex}"
        self._lock = threading.Lock()
        self._registered = False
        points, models = _dispatch.InterceptionPoint, _models
        self._hooks = (
            (points.PRE_TOOL_CALL, self._before_tool),
            (points.POST_TOOL_CALL, self._after_tool),
            (points.EXECUTION_START, self._crew_begins),
            (points.EXECUTION_END, self._crew_ends),
            (points.PRE_STEP, self._step_begins),
            (points.POST_STEP, self._step_ends),
            (points.PRE_MODEL_CALL, self._model_asked),
        )
        self._handlers = (
            (models.LLMCallStartedEvent, self._model_begins),
            (models.LLMCallCompletedEvent, self._model_ends),
            (models.LLMCallFailedEvent, self._model_failed),
            (_tasks.TaskFailedEvent, self._task_failed),
            (_crews.CrewKickoffFailedEvent, self._crew_failed),
        )

    def instrument_crew(self, crew: T) -> T:
        """Govern a crew: its agents, its manager, whom they delegate to, and its copies; return it.

        Raises `ConfigurationError` for anything else.
        """
        return self._instrument(crew)

    def instrument_agent(self, agent: T) -> T:
        """Govern an agent in every crew and alone, its copies, and whom it delegates to; return it.

        Raises `ConfigurationError` for anything else.
        """
        return self._instrument(agent)

    def task_callback(self, output: Any) -> None:
        """Record a finished task: `Task(callback=...)` or `Crew(task_callback=...)`, instrumented or not."""
        harmless(self._records.task_output)(output)

    def close(self) -> None:
        """Remove every hook; what CrewAI still reports is recorded first. Crews then run ungoverned."""
        with self._lock:
            if not self._registered:
                return
            self._registered = False
        _bus.flush()
        for point, hook in self._hooks:
            _dispatch.unregister(point, hook)
        for event, handler in self._handlers:
            _bus.off(event, handler)
        for thing in list(self._known.values()):
            thing.security_config.fingerprint.metadata.pop(self._mark, None)
        self._known.clear()
        self._runs.close()
        self._records.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _instrument(self, thing: T) -> T:
        known: Any = thing
        if getattr(known, "security_config", None) is None:
            raise ConfigurationError(f"This is no crew or agent of CrewAI: {type(thing).__name__}")
        known.security_config.fingerprint.metadata[self._mark] = True
        with self._lock:
            self._known[id(known)] = known
            if not self._registered:
                for point, hook in self._hooks:
                    _dispatch.register(point, hook)
                for event, handler in self._handlers:
                    _bus.register_handler(event, handler)
                self._registered = True
        return thing

    def _governs(self, agent: Any, crew: Any) -> bool:
        crew = crew if crew is not None else getattr(agent, "crew", None)
        return self._is_ours(crew) or self._is_ours(agent) or self._runs.inside

    def _is_ours(self, thing: Any) -> bool:
        config = getattr(thing, "security_config", None)
        if config is None:
            return False
        ours = self._known.get(id(thing)) is thing
        metadata = config.fingerprint.metadata
        if ours:
            # CrewAI gives an agent another fingerprint for each call of a tool.
            metadata[self._mark] = True
        elif self._mark in metadata:
            self._known[id(thing)] = thing
            ours = True
        return ours

    def _before_tool(self, ctx: Any) -> None:
        name = text_of(getattr(ctx, "tool_name", "tool"))
        gate: Gate
        # CrewAI runs the tool after every exception but its own.
        try:
            if not self._governs(ctx.agent, ctx.crew):
                return
            gate = self._opened(name, ctx)
        except Exception as error:  # noqa: BLE001 - turned into a refusal, or logged where nothing may be stopped
            gate = failed(self._governor, name, error)
            self._refused(gate, name, ctx)
        if not gate.runs:
            raise _Aborted(gate.message, "dashclaw")

    def _opened(self, name: str, ctx: Any) -> Gate:
        call = ToolCall(
            name,
            arguments_of(ctx.tool_input),
            getattr(ctx.tool, "description", None),
            agent_name=text_of(getattr(ctx.agent, "role", None) or "agent"),
            parent_action_id=self._records.parent_of(ctx.task),
        )
        gate = decide(self._governor, name, lambda: call)
        held = Held(gate, call, ctx.tool_input, tools_of(ctx.tool))
        if gate.runs:
            self._runs.open(held)
        else:
            self._runs.remember(held)
        return gate

    def _refused(self, gate: Gate, name: str, ctx: Any) -> None:
        try:
            self._runs.remember(Held(gate, ToolCall(name, {}), ctx.tool_input, ()))
        except Exception:  # noqa: BLE001 - the model then learns only that the tool did not run
            logger().warning("The model is not told why %s did not run", name, exc_info=True)

    def _after_tool(self, ctx: Any) -> str | None:
        held = self._runs.ended(ctx.tool_input)
        if held is None:
            return None
        if not held.gate.runs:
            if self._governor.on_block == "raise":
                raise _Aborted(held.gate.message, "dashclaw") from held.gate.error
            return held.gate.message
        if held.begun == 0:
            error = unseen(held, ctx.tool_result)
            conclude(self._governor, held.gate, None if error else ctx.tool_result, error)
        return None

    @harmless
    def _crew_begins(self, ctx: Any) -> None:
        if ctx.crew is not None and self._governs(None, ctx.crew):
            self._records.crew_begins(ctx.crew)
        for agent in getattr(ctx.crew, "agents", ()):
            self._is_ours(agent)

    @harmless
    def _crew_ends(self, ctx: Any) -> None:
        self._records.crew_ends(ctx.crew, ctx.output, getattr(ctx, "error", None))

    @harmless
    def _step_begins(self, ctx: Any) -> None:
        if ctx.kind == "task" and self._governs(ctx.agent, ctx.crew):
            self._records.task_begins(ctx.task, ctx.agent, getattr(ctx.agent, "crew", None))

    @harmless
    def _step_ends(self, ctx: Any) -> None:
        self._records.task_ends(ctx.task, ctx.payload)

    @harmless
    def _model_asked(self, ctx: Any) -> None:
        if self._governs(ctx.agent, ctx.crew):
            self._records.asks(ctx.agent, ctx.task)

    @harmless
    def _model_begins(self, _: Any, event: Any) -> None:
        self._records.model_begins(event)

    @harmless
    def _model_ends(self, _: Any, event: Any) -> None:
        self._records.model_ends(event)

    @harmless
    def _model_failed(self, _: Any, event: Any) -> None:
        self._records.model_ends(event, CrewError(event.error))

    @harmless
    def _task_failed(self, source: Any, event: Any) -> None:
        self._records.task_ends(source, error=CrewError(event.error))

    @harmless
    def _crew_failed(self, source: Any, event: Any) -> None:
        self._records.crew_ends(source, error=CrewError(event.error))


def _can_abort() -> None:
    try:
        framework("crewai", "crewai", _ABORTS_SINCE)
    except MissingExtraError as error:
        raise ConfigurationError(f'on_block="raise" needs crewai {_ABORTS_SINCE} or newer') from error
