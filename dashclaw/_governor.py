"""Governs tool calls for every framework: one way from a call to a decision, and from its end to an outcome.

An adapter asks `start` (or `astart`) before the tool runs, looks at `Gate.runs`, and tells `finish` how the call ended.
Whatever goes wrong in here never lets a tool run in mode "enforce" and never stops one in mode "observe".
"""

from __future__ import annotations

import contextlib
import contextvars
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Mapping, Optional, Union

from ._failure import after_body
from ._govern import Run, begin, finish, observe, resume
from ._guarded import conclude, enter
from ._log import logger
from ._spans import Inside
from ._tool_calls import ToolCall, arguments_of, fingerprint, summary, text_of
from ._tool_rules import action_type_of, paths_in, rate, target_in
from .errors import (
    ApprovalDeniedError,
    ApprovalExpiredError,
    ApprovalPendingError,
    ApprovalTimeoutError,
    ConfigurationError,
    ConflictError,
    DashClawError,
    GuardBlockedError,
    GuardUnavailableError,
    Verdict,
)

if TYPE_CHECKING:
    from typing import Literal  # novm

    from ._call import Caller, Flow
    from .aio import AsyncDashClaw
    from .client import DashClaw

    Client = Union[DashClaw, AsyncDashClaw]
    Mode = Literal["enforce", "observe"]
    OnBlock = Literal["return", "raise"]
    ByTool = Union[Mapping[str, Any], Callable[[ToolCall], Any], None]

_LONGEST_GOAL = 2000
_current: contextvars.ContextVar[Optional[str]] = contextvars.ContextVar("dashclaw_action", default=None)


class Gate:
    """What became of one call before it ran: `runs`, or else `error` and a `message` that the model can react to."""

    def __init__(self, run: Optional[Run], error: Optional[DashClawError] = None, message: str = "") -> None:
        self.run = run
        self.error = error
        self.message = message

    @property
    def runs(self) -> bool:
        """Whether the tool may run."""
        return self.error is None

    @property
    def action_id(self) -> Optional[str]:
        """The action that stands for the call, where one was recorded."""
        if self.run is not None and self.run.action_id is not None:
            return self.run.action_id
        return getattr(self.error, "action_id", None)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Let calls that the tool makes, in this context, name this one as their parent."""
        token = _current.set(self.action_id)
        try:
            with Inside(self.run):
                yield
        finally:
            _current.reset(token)


class Governor:
    """Decides about the calls of tools and records them.

    `mode` "observe" decides and records and stops nothing. `on_block` says what an adapter does with a call that must
    not run: "return" a message that the model can react to, or "raise". `action_type` and `risk` say what calls are,
    by tool name (exact or a glob such as "db_*") or by a function of the `ToolCall`; a risk is a score from 0 to 100 or
    a mapping with `risk_score`, `reversible` and other fields of `create_action`. What they leave open follows from the
    tool's name and arguments. `fields` go with every action. `record_output` keeps a summary of results. `wait` is for
    how many seconds a call waits for a person, whatever the client's `hitl_mode`; what still waits then can be
    approved.

    Raises `ConfigurationError` for an unknown mode.
    """

    def __init__(
        self,
        claw: Client,
        *,
        mode: Mode = "enforce",
        on_block: OnBlock = "return",
        action_type: ByTool = None,
        risk: ByTool = None,
        framework: Optional[str] = None,
        record_output: bool = True,
        fields: Optional[Mapping[str, Any]] = None,
        wait: Optional[float] = None,
    ) -> None:
        if mode not in ("enforce", "observe"):
            raise ConfigurationError(f'mode is "enforce" or "observe", not {mode!r}')
        if on_block not in ("return", "raise"):
            raise ConfigurationError(f'on_block is "return" or "raise", not {on_block!r}')
        self.claw = claw
        self.mode = mode
        self.on_block = on_block
        self.framework = framework
        self.record_output = record_output
        self._action_type = action_type
        self._risk = risk
        self._fields = dict(fields or {})
        self._wait = wait

    def start(self, call: ToolCall) -> Gate:
        """Decide about a call, waiting for a person where the client does; raises nothing of ours."""
        run: Optional[Run] = None
        try:
            run = self._run(call)
            self.claw._block(self.claw._steps(self._entry(self.claw, run)))
        except Exception as error:  # noqa: BLE001 - turned into a refusal, or logged where nothing may be stopped
            return self._refused(call, run, error)
        return Gate(run)

    async def astart(self, call: ToolCall) -> Gate:
        """Decide as `start` does, off the event loop."""
        run: Optional[Run] = None
        try:
            run = self._run(call)
            await enter(self.claw, run, self._entry)
        except Exception as error:  # noqa: BLE001 - turned into a refusal, or logged where nothing may be stopped
            return self._refused(call, run, error)
        return Gate(run)

    def finish(self, gate: Gate, output: Any = None, error: Optional[BaseException] = None, **outcome: Any) -> None:
        """Record how a call ended that was let run; `outcome` as in `Run.set`. Raises nothing of ours."""
        run = self._ended(gate, output, outcome)
        if run is None:
            return
        try:
            self.claw._block(self.claw._steps(finish(self.claw, run, error)))
        except Exception as failed:  # noqa: BLE001 - the call has happened, only its record is incomplete
            _unrecorded(run, failed)

    async def afinish(
        self, gate: Gate, output: Any = None, error: Optional[BaseException] = None, **outcome: Any
    ) -> None:
        """Record as `finish` does, off the event loop."""
        run = self._ended(gate, output, outcome)
        if run is None:
            return
        try:
            await conclude(self.claw, run, error)
        except Exception as failed:  # noqa: BLE001 - the call has happened, only its record is incomplete
            _unrecorded(run, failed)

    def note(self, action_type: str, declared_goal: str, **fields: Any) -> Gate:
        """Record something that is not a tool call, such as a call of a model; it is never stopped. See `finish`."""
        run = self._noted(action_type, declared_goal, fields)
        try:
            self.claw._block(self.claw._steps(observe(self.claw, run)))
        except Exception as failed:  # noqa: BLE001 - recording must not break the host
            logger().warning("%s was not recorded: %s", action_type, text_of(failed))
        return Gate(run)

    async def anote(self, action_type: str, declared_goal: str, **fields: Any) -> Gate:
        """Record as `note` does, off the event loop."""
        run = self._noted(action_type, declared_goal, fields)
        try:
            await enter(self.claw, run, observe)
        except Exception as failed:  # noqa: BLE001 - recording must not break the host
            logger().warning("%s was not recorded: %s", action_type, text_of(failed))
        return Gate(run)

    def _noted(self, action_type: str, declared_goal: str, fields: Mapping[str, Any]) -> Run:
        known = {"parent_action_id": _current.get(), "metadata": {"framework": self.framework}}
        return Run(action_type, declared_goal[:_LONGEST_GOAL], _merged(known, self._fields, fields))

    def _entry(self, client: Caller, run: Run) -> Flow[Run]:
        if self.mode != "enforce":
            return observe(client, run)
        return resume(client, run) if "action_id" in run.fields else begin(client, run)

    def _run(self, call: ToolCall) -> Run:
        arguments = arguments_of(call.arguments)
        rating = rate(call.tool, arguments)
        known: Dict[str, Any] = {"risk_score": rating.risk_score, "reversible": rating.reversible}
        said = _by_tool(self._risk, call)
        if isinstance(said, Mapping):
            known.update(said)
        elif said is not None:
            known.update(risk_score=said, reversible=True if said < rating.risk_score else rating.reversible)
        known.update(
            input_summary=summary(arguments),
            tool_name=call.tool,
            target=target_in(arguments),
            paths=paths_in(arguments) or None,
            agent_id=call.agent_id,
            agent_name=call.agent_name,
            session_id=call.session_id,
            parent_action_id=call.parent_action_id or _current.get(),
            # Nothing that differs when the same call is made again: an approval is bound to all of it.
            metadata={"framework": self.framework, "arguments_sha256": fingerprint(arguments)},
        )
        if call.action_id is not None and self.mode == "enforce":
            # As metadata it keeps the approval from covering an identical call that somebody else makes.
            known["action_id"] = call.action_id
            known["metadata"]["call"] = call.action_id
        fields = _merged(known, self._fields, call.fields)
        action_type = _by_tool(self._action_type, call) or action_type_of(call.tool)
        run = Run(str(action_type), _goal(call), fields)
        run.wait = self._wait
        run.call_id = call.call_id
        return run

    def _refused(self, call: ToolCall, run: Optional[Run], error: Exception) -> Gate:
        if self.mode == "observe":
            logger().warning("%s was not decided about, and runs: mode is observe", call.tool, exc_info=error)
            return Gate(run)
        if not isinstance(error, DashClawError):
            # A mistake of ours or of a mapping that the user gave: without a decision nothing runs.
            logger().error("%s does not run: deciding about it failed", call.tool, exc_info=error)
            cause, error = error, GuardUnavailableError(f"No decision could be had about {call.tool}: {text_of(error)}")
            error.__cause__ = cause
        return Gate(run, error, message_for(call.tool, error))

    def _ended(self, gate: Gate, output: Any, outcome: Mapping[str, Any]) -> Optional[Run]:
        run = gate.run
        if run is None or not gate.runs or (run.action_id is None and run.span is None):
            return None
        try:
            if output is not None and self.record_output:
                run.set(output_summary=summary(output))
            run.set(**outcome)
        except Exception as failed:  # noqa: BLE001 - how the call ended is recorded without it
            _unrecorded(run, failed)
        return run


def message_for(tool: str, error: DashClawError) -> str:
    """Return what the model is told about a call that was not run: why, and what to do instead."""
    done = f"The tool {tool} was NOT run. "
    if isinstance(error, GuardBlockedError):
        why = "; ".join(error.reasons) or "a policy forbids it"
        return f"{done}A policy forbids it: {why}. Do not try the same in another way; tell the user."
    if isinstance(error, ApprovalPendingError):
        return f"{done}A person has to approve it first ({error.action_id}). Go on with other work or tell the user."
    if isinstance(error, ApprovalDeniedError):
        return f"{done}A person denied it: {error}. Do not try it again."
    if isinstance(error, (ApprovalTimeoutError, ApprovalExpiredError)):
        return f"{done}Nobody approved it in time: {error}"
    if isinstance(error, Verdict):
        return f"{done}{error}"
    if isinstance(error, ConflictError):
        return f"{done}It was started before, and what was approved runs once: {error}. Tell the user."
    return f"{done}It could not be decided about: {error}"


def _unrecorded(run: Run, failed: BaseException) -> None:
    if not after_body(failed):
        raise failed
    logger().warning("The outcome of %s was not recorded: %s", run.action_id, text_of(failed))


def _by_tool(given: ByTool, call: ToolCall) -> Any:
    """Return what the user says about a tool: by a function, by its name, or by the first pattern that fits."""
    if given is None:
        return None
    if callable(given):
        return given(call)
    if call.tool in given:
        return given[call.tool]
    from fnmatch import fnmatchcase

    return next((value for pattern, value in given.items() if fnmatchcase(call.tool, pattern)), None)


def _merged(known: Dict[str, Any], *more: Mapping[str, Any]) -> Dict[str, Any]:
    found = dict(known)
    for fields in more:
        metadata = dict(found.get("metadata") or {}, **(fields.get("metadata") or {}))
        found.update(fields, metadata=metadata)
    found["metadata"] = {name: value for name, value in found["metadata"].items() if value is not None}
    return {name: value for name, value in found.items() if value is not None}


def _goal(call: ToolCall) -> str:
    lines = (call.description or "").strip().splitlines()
    return (f"{call.tool}: {lines[0].strip()}" if lines else f"Call the tool {call.tool}")[:_LONGEST_GOAL]
