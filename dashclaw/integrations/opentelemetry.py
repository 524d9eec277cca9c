"""OpenTelemetry: spans of what a client governs, and W3C trace context with its requests.

A span for each tool call, call of a model, agent run, `track` block and guarded function, from the question whether it
may run to its outcome; in it one for the decision and one for the wait for a person. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from dashclaw._govern import status_after
from dashclaw._version import version
from dashclaw.errors import (
    ApprovalDeniedError,
    ApprovalExpiredError,
    ApprovalPendingError,
    ApprovalTimeoutError,
    ConfigurationError,
    GuardBlockedError,
)

from . import _otel_attributes as attributes
from ._framework import framework

if TYPE_CHECKING:
    from types import TracebackType

    from opentelemetry import context as _context
    from opentelemetry import trace as _trace
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TracerProvider
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator as _Propagator

    from dashclaw._call import Caller
    from dashclaw._govern import Run
    from dashclaw._governor import Client
else:
    _trace, _context, _Propagator = framework(
        "otel",
        "opentelemetry-api",
        "1.20.0",
        "opentelemetry.trace",
        "opentelemetry.context",
        "opentelemetry.trace.propagation.tracecontext:TraceContextTextMapPropagator",
    )

_RUN = _context.create_key("dashclaw-run")
# What a person or a policy says is the answer to the question, not an error in asking it.
_ANSWERS = (GuardBlockedError, ApprovalDeniedError, ApprovalExpiredError, ApprovalTimeoutError, ApprovalPendingError)


class DashClawTelemetry:
    """Draws spans of what a client governs, until it is closed.

    `tracer_provider` is the program's global one by default. `content=True` adds goals, arguments, results, reasons
    and the texts of errors, secrets masked; without it spans have none of these. Raises `ConfigurationError` for a
    client that has its spans already.
    """

    def __init__(self, claw: Client, tracer_provider: TracerProvider | None = None, *, content: bool = False) -> None:
        if claw._tracer is not None:
            raise ConfigurationError("This client has its spans already; close what draws them first")
        self.claw = claw
        self._content = content
        self._tracer = _trace.get_tracer("dashclaw", version(), tracer_provider)
        self._propagator = _Propagator()
        self._server = attributes.of_server(claw)
        self._outward = _trace.SpanKind.CLIENT if self._server else _trace.SpanKind.INTERNAL
        # Kept by the runs themselves: what is never finished is forgotten.
        self._open: WeakValueDictionary[str, _RunSpan] = WeakValueDictionary()
        claw._tracer = self

    def close(self) -> None:
        """Draw no further spans; those that have begun still end. Closing twice is harmless."""
        if self.claw._tracer is self:
            self.claw._tracer = None

    def __enter__(self) -> DashClawTelemetry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, client: Caller, run: Run) -> _RunSpan:
        """Begin the span of a piece of work, in that of the action it is a part of."""
        found = attributes.of_start(client, run, self._content)
        kind = _trace.SpanKind.CLIENT if attributes.operation_of(run) == attributes.MODEL else _trace.SpanKind.INTERNAL
        parent = self._parent_of(run)
        return _RunSpan(self, self._tracer.start_span(attributes.name_of(run), parent, kind, found), parent, run)

    def guard(self, client: Caller, asked: Mapping[str, Any]) -> _Span:
        """Begin the span of a decision."""
        found = {**self._server, "dashclaw.action.type": str(asked.get("action_type"))}
        return self._begun(f"dashclaw.guard {asked.get('action_type')}", found)

    def approval(self, client: Caller, action_id: str) -> _Span:
        """Begin the span of a wait for a person."""
        return self._begun("dashclaw.approval", {**self._server, "dashclaw.action.id": action_id})

    def headers(self) -> Mapping[str, str]:
        """Return the trace context of this moment, as requests carry it."""
        return self.carried(_context.get_current())

    def carried(self, context: Context) -> dict[str, str]:
        """Return a trace context as requests carry it; nothing where there is none."""
        found: dict[str, str] = {}
        self._propagator.inject(found, context)
        return found

    def follow(self, span: _RunSpan, action_id: str) -> None:
        """Let what names an action as its parent be a part of its span."""
        self._open[action_id] = span

    def _begun(self, name: str, found: Mapping[str, Any]) -> _Span:
        parent = _context.get_current()
        return _Span(self, self._tracer.start_span(name, parent, self._outward, found), parent)

    def _parent_of(self, run: Run) -> Context:
        """Return the context of a run: this one, unless it is outside of the action that the run is a part of."""
        here = _context.get_current()
        wanted = run.fields.get("parent_action_id")
        around: Any = _context.get_value(_RUN, here)  # the `Run` whose span is entered
        if wanted is None or (around is not None and around.action_id == wanted):
            return here
        parent = self._open.get(wanted)
        return here if parent is None else parent.context


class _Span:
    """A decision, or a wait for a person."""

    def __init__(self, telemetry: DashClawTelemetry, span: Span, parent: Context) -> None:
        self._span = span
        self._content = telemetry._content
        self._around: Any = _context.get_value(_RUN, parent)
        self.context = _trace.set_span_in_context(span, parent)
        self.headers: Mapping[str, str] = telemetry.carried(self.context)

    def enter(self) -> Callable[[], None]:
        """Make this the current span."""
        return partial(_context.detach, _context.attach(self.context))

    def end(self, result: Any, error: BaseException | None) -> None:
        """Note what was decided, or that no answer could be had."""
        try:
            found = self._answer(result) if error is None else self._refusal(error)
            self._span.set_attributes(found)
            if "dashclaw.approval.status" in found and self._around is not None and self._around.span is not None:
                self._around.span.approval(found["dashclaw.approval.status"])
        finally:
            self._span.end()

    def _answer(self, result: Any) -> dict[str, Any]:
        decision = result.get("decision")
        if isinstance(decision, str):
            return attributes.of_decision(result, self._content)
        found = attributes.known({"dashclaw.action.id": result.get("action_id")})
        if decision is None:
            return {**found, "dashclaw.approval.status": "approved"}
        return {**found, **attributes.of_decision(decision, self._content)}

    def _refusal(self, error: BaseException) -> dict[str, Any]:
        if not isinstance(error, _ANSWERS):
            return attributes.of_error(error) if _marked(self._span, error, self._content) else {}
        return attributes.of_refusal(error, self._content)


class _RunSpan:
    """A piece of work, with the decision about it and its outcome."""

    def __init__(self, telemetry: DashClawTelemetry, span: Span, parent: Context, run: Run) -> None:
        self._telemetry = telemetry
        self._span = span
        self._content = telemetry._content
        self._run = run
        self._begun = False
        self.context = _context.set_value(_RUN, run, _trace.set_span_in_context(span, parent))
        self.headers: Mapping[str, str] = telemetry.carried(self.context)

    def approval(self, status: str) -> None:
        """Note what became of the approval that the work waits for."""
        if not self._begun:
            self._span.set_attribute("dashclaw.approval.status", status)

    def enter(self) -> Callable[[], None]:
        """Make this the current span."""
        return partial(_context.detach, _context.attach(self.context))

    def begun(self) -> None:
        """Note the decision with which the work begins."""
        self._begun = True
        action_id = self._run.action_id
        if action_id is not None:
            self._telemetry.follow(self, action_id)
            self._span.set_attribute("dashclaw.action.id", action_id)
        self._span.set_attributes(attributes.of_decision(self._run.decision, self._content))

    def end(self, result: Any, error: BaseException | None) -> None:
        """Note how it ended: an error of the work, or one that kept it from running."""
        try:
            found: dict[str, Any] = {"dashclaw.action.ran": self._begun}
            if self._begun:
                found["dashclaw.action.status"] = status_after(error)
                found |= attributes.of_outcome(self._run, self._content)
            elif error is not None:
                found |= attributes.of_decision(self._run.decision, self._content)
                found |= attributes.of_refusal(error, self._content)
            if error is not None and _marked(self._span, error, self._content):
                found |= attributes.of_error(error)
            self._span.set_attributes(found)
        finally:
            self._span.end()


def _marked(span: Span, error: BaseException, content: bool) -> bool:
    """Set the status of a span for an error, unless it is none: a wait for a person, or being told to stop."""
    if isinstance(error, ApprovalPendingError) or status_after(error) == "cancelled":
        return False
    span.set_status(_trace.StatusCode.ERROR, attributes.description_of(error, content))
    return True
