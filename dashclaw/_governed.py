"""Any callable as a governed tool."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from ._governor import Gate, Governor
from ._guarded import is_async
from ._tool_calls import ToolCall

if TYPE_CHECKING:
    from ._governor import Client

F = TypeVar("F", bound=Callable[..., Any])


def govern(function: F, claw: Client, *, name: str = "", **options: Any) -> F:
    """Return a function that asks before each call of `function`, and records how it ended.

    The call's arguments are part of what is decided about and approved. `name` stands for the tool instead of the
    function's own; `options` are those of `Governor`, with `on_block="raise"`: a call that must not run raises a
    `Verdict`. With `on_block="return"` it returns a text that says why, for a model. An async function stays one.

    Raises `ConfigurationError` for a generator function, whose body runs after the call.
    """
    governor = Governor(claw, **dict({"on_block": "raise"}, **options))
    tool = name or getattr(function, "__name__", type(function).__name__)

    description = inspect.getdoc(function)
    signature = _signature(function)

    def call_of(args: Any, kwargs: Any) -> ToolCall:
        return ToolCall(tool, _named(signature, args, kwargs), description)

    if is_async(function):

        @functools.wraps(function)
        async def agoverned(*args: Any, **kwargs: Any) -> Any:
            gate = await governor.astart(call_of(args, kwargs))
            if not gate.runs:
                return _stopped(governor, gate)
            try:
                with gate.inside():
                    result = await function(*args, **kwargs)
            except BaseException as error:
                await governor.afinish(gate, error=error)
                raise
            await governor.afinish(gate, result)
            return result

        return agoverned  # type: ignore[return-value]

    @functools.wraps(function)
    def governed(*args: Any, **kwargs: Any) -> Any:
        gate = governor.start(call_of(args, kwargs))
        if not gate.runs:
            return _stopped(governor, gate)
        try:
            with gate.inside():
                result = function(*args, **kwargs)
        except BaseException as error:
            governor.finish(gate, error=error)
            raise
        governor.finish(gate, result)
        return result

    return governed  # type: ignore[return-value]


def _stopped(governor: Governor, gate: Gate) -> str:
    if governor.on_block == "raise" and gate.error is not None:
        raise gate.error
    return gate.message


def _signature(function: Callable[..., Any]) -> Optional[inspect.Signature]:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def _named(signature: Optional[inspect.Signature], args: Any, kwargs: Any) -> Any:
    """Return the arguments of a call by their names; those without one stand under their place."""
    try:
        if signature is not None:
            bound = signature.bind(*args, **kwargs).arguments
            return {name: value for name, value in bound.items() if name not in ("self", "cls")}
    except TypeError:
        pass
    return dict({str(place): value for place, value in enumerate(args)}, **kwargs)
