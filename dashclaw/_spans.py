"""Spans: what a client governs, told to a tracer as it begins and as it ends.

A client has no tracer until an integration gives it one. A tracer only listens: what goes wrong in it is logged, and
changes neither a decision nor what runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional, Type, Union

from ._call import Call, Caller, Flow, T
from ._compat import Protocol
from ._log import logger

if TYPE_CHECKING:
    from types import TracebackType

    from ._govern import Run


class Span(Protocol):
    """One thing that is governed, as long as it lasts; `headers` go with the requests that are made for it."""

    headers: Mapping[str, str]

    def enter(self) -> Callable[[], None]:
        """Make what begins in this context a part of it, until the returned function is called."""

    def end(self, result: Any, error: Optional[BaseException]) -> None:
        """Note how it ended; in whatever thread that is."""


class RunSpan(Span, Protocol):
    """The span of a `Run`: from the question whether it may begin to its outcome."""

    def begun(self) -> None:
        """Note the decision: the run knows it now, and its work begins."""


class Tracer(Protocol):
    """What draws spans. Each begins where it is asked for, as a part of what is entered there."""

    def run(self, client: Caller, run: Run) -> RunSpan:
        """Begin the span of a piece of work."""

    def guard(self, client: Caller, asked: Mapping[str, Any]) -> Span:
        """Begin the span of a decision; its result is a decision, or an action with one."""

    def approval(self, client: Caller, action_id: str) -> Span:
        """Begin the span of a wait for a person."""

    def headers(self) -> Mapping[str, str]:
        """Return what requests carry that belong to none of these."""


def deciding(client: Caller, asked: Mapping[str, Any], flow: Flow[T]) -> Flow[T]:
    """Return a flow that asks for a decision, with its span where the client has a tracer."""
    return flow if client._tracer is None else _spanned(client._tracer.guard, client, asked, flow)


def waiting(client: Caller, action_id: str, flow: Flow[T]) -> Flow[T]:
    """Return a flow that waits for a person, with its span where the client has a tracer."""
    return flow if client._tracer is None else _spanned(client._tracer.approval, client, action_id, flow)


def beginning(client: Caller, run: Run, flow: Flow[T], runs_anyway: bool = False) -> Flow[T]:
    """Return a flow at whose end the work of a run may begin, with the run's span where the client has a tracer.

    `runs_anyway`: the work begins also where the flow fails.
    """
    return flow if client._tracer is None else _begun(client, run, flow, runs_anyway)


def ending(run: Run, error: Optional[BaseException], flow: Flow[T]) -> Flow[T]:
    """Return a flow that records how a run ended, which ends its span."""
    return flow if run.span is None else _ended(run, error, flow)


def attached(client: Caller, plan: Union[Call[T], Flow[T]]) -> Union[Call[T], Flow[T]]:
    """Return a plan whose requests name the span that is entered here, unless they have one of their own.

    A question to the guard is a decision with a span of its own.
    """
    if client._tracer is None:
        return plan
    if isinstance(plan, Call) and plan.decides:
        return deciding(client, plan.body or {}, _alone(plan))
    return _carried(_safely(client._tracer.headers) or {}, _nowhere, _alone(plan) if isinstance(plan, Call) else plan)


class Inside:
    """Makes what happens in a block a part of a run."""

    __slots__ = ("_leave", "_run")

    def __init__(self, run: Optional[Run]) -> None:
        self._run = run
        self._leave: Any = None

    def __enter__(self) -> None:
        if self._run is not None and self._run.span is not None:
            self._leave = _safely(self._run.span.enter)

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if self._leave is not None:
            _safely(self._leave)


def _alone(call: Call[T]) -> Flow[T]:
    result: T
    result = yield call
    return result


def _spanned(start: Callable[[Caller, Any], Span], client: Caller, about: Any, flow: Flow[T]) -> Flow[T]:
    span: Optional[Span] = _safely(start, client, about)
    if span is None:
        return (yield from flow)
    try:
        result = yield from _carried(span.headers, span.enter, flow)
    except BaseException as error:
        _safely(span.end, None, error)
        raise
    _safely(span.end, result, None)
    return result


def _begun(client: Caller, run: Run, flow: Flow[T], runs_anyway: bool) -> Flow[T]:
    assert client._tracer is not None
    span: Optional[RunSpan] = _safely(client._tracer.run, client, run)
    if span is None:
        return (yield from flow)
    run.span = span
    try:
        result = yield from _carried(span.headers, span.enter, flow)
    except BaseException as error:
        if runs_anyway and isinstance(error, Exception):
            _safely(span.begun)
        else:
            run.span = None
            _safely(span.end, None, error)
        raise
    _safely(span.begun)
    return result


def _ended(run: Run, error: Optional[BaseException], flow: Flow[T]) -> Flow[T]:
    span, run.span = run.span, None
    assert span is not None
    try:
        return (yield from _carried(span.headers, span.enter, flow))
    finally:
        _safely(span.end, None, error)


def _carried(headers: Mapping[str, str], enter: Callable[[], Callable[[], None]], flow: Flow[T]) -> Flow[T]:
    """Pass a flow's steps on, its requests with headers; the span is entered only while the flow itself computes."""
    answer: Any = None
    error: Optional[BaseException] = None
    while True:
        leave = _safely(enter)
        try:
            step = flow.send(answer) if error is None else flow.throw(error)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            if leave is not None:
                _safely(leave)
        answer = error = None
        if isinstance(step, Call) and step.headers is None:
            step.headers = headers
        try:
            answer = yield step
        except GeneratorExit:
            flow.close()
            raise
        except BaseException as raised:  # noqa: BLE001 - handed to the flow, which raises it or cleans up
            error = raised


def _nowhere() -> Callable[[], None]:
    return _nothing


def _nothing() -> None:
    return None


def _safely(tell: Callable[..., Any], *about: Any) -> Any:
    """Return what a tracer answers, None where it fails."""
    try:
        return tell(*about)
    except Exception:  # noqa: BLE001 - what is only drawn must not change what is governed
        logger().warning("Telemetry failed; nothing else is changed by that", exc_info=True)
        return None
