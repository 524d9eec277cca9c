"""Asks the core about a call so that no mistake, of the core or of an adapter, takes a framework's own default path."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from dashclaw._governor import Gate, Governor
from dashclaw._log import logger
from dashclaw._tool_calls import ToolCall, text_of
from dashclaw.errors import GuardUnavailableError

F = TypeVar("F", bound=Callable[..., None])


def decide(governor: Governor, tool: str, make: Callable[[], ToolCall]) -> Gate:
    """Return the gate of the call that `make` describes; raises nothing.

    What goes wrong refuses the call in mode "enforce", and lets it run unrecorded in mode "observe".
    """
    try:
        return governor.start(make())
    except Exception as error:  # noqa: BLE001 - turned into a refusal, or logged where nothing may be stopped
        return failed(governor, tool, error)


async def adecide(governor: Governor, tool: str, make: Callable[[], ToolCall]) -> Gate:
    """Decide as `decide` does, off the event loop."""
    try:
        return await governor.astart(make())
    except Exception as error:  # noqa: BLE001 - turned into a refusal, or logged where nothing may be stopped
        return failed(governor, tool, error)


def conclude(
    governor: Governor, gate: Gate, output: Any = None, error: BaseException | None = None, **outcome: Any
) -> None:
    """Record how a call ended as `Governor.finish` does; raises nothing, since the call has happened."""
    try:
        governor.finish(gate, output, error, **outcome)
    except Exception as wrong:  # noqa: BLE001 - the host goes on with what the tool did
        _unrecorded(gate, wrong)


async def aconclude(
    governor: Governor, gate: Gate, output: Any = None, error: BaseException | None = None, **outcome: Any
) -> None:
    """Record as `conclude` does, off the event loop."""
    try:
        await governor.afinish(gate, output, error, **outcome)
    except Exception as wrong:  # noqa: BLE001 - the host goes on with what the tool did
        _unrecorded(gate, wrong)


def failed(governor: Governor, tool: str, error: Exception) -> Gate:
    """Return the gate of a call about which nothing could be decided."""
    if governor.mode == "observe":
        logger().warning("%s was not decided about, and runs: mode is observe", tool, exc_info=error)
        return Gate(None)
    logger().error("%s does not run: deciding about it failed", tool, exc_info=error)
    refusal = GuardUnavailableError(f"No decision could be had about {tool}: {text_of(error)}")
    refusal.__cause__ = error
    return Gate(None, refusal, f"The tool {tool} was NOT run. It could not be decided about: {text_of(error)}")


def harmless(event: F) -> F:
    """Keep a mistake of ours in what only records away from the host."""

    @functools.wraps(event)
    def shielded(*args: Any, **kwargs: Any) -> None:
        try:
            event(*args, **kwargs)
        except Exception:  # noqa: BLE001 - what is only recorded must not break the host
            logger().warning("%s was not recorded", event.__name__, exc_info=True)

    return shielded  # type: ignore[return-value]


def _unrecorded(gate: Gate, wrong: Exception) -> None:
    logger().warning("The outcome of %s was not recorded", gate.action_id, exc_info=wrong)
