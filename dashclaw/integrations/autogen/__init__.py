"""AutoGen in its three lines: tools and code are decided about before they run, all else is recorded."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dashclaw._governor import Governor
from dashclaw.errors import ConfigurationError, MissingExtraError

from ._calls import Calls

if TYPE_CHECKING:
    from types import TracebackType

    from dashclaw._governor import Client

__all__ = ["DashClawAutoGenIntegration"]

T = TypeVar("T")
_DISTRIBUTIONS = ("autogen-agentchat", "ag2", "pyautogen", "autogen")
# The classes that agents and teams descend from, by the package they come from, and the line they belong to.
_LINES = {
    ("autogen", "ConversableAgent"): "classic",
    ("autogen_agentchat", "BaseChatAgent"): "agentchat",
    ("autogen_agentchat", "BaseGroupChat"): "agentchat",
    ("ag2", "Agent"): "ag2",
}


class _Line(Protocol):
    def instrument(self, agent: Any) -> None: ...

    def close(self) -> None: ...


class DashClawAutoGenIntegration:
    """Governs agents of AutoGen: classic `autogen`, `autogen_agentchat` and `ag2` 1.x.

    `options` are those of `Governor`. With `on_block="raise"` the chat or run ends with the `Verdict`, otherwise the
    model is told why a call did not run. `close` restores every agent; it is a context manager, too.

    Raises `MissingExtraError` when none of the frameworks is installed.
    """

    def __init__(self, claw: Client, **options: Any) -> None:
        self._calls = Calls(Governor(claw, **dict({"framework": "autogen"}, **options)))
        self._lines: dict[str, _Line] = {}
        if not any(map(_installed, _DISTRIBUTIONS)):
            raise MissingExtraError(
                "This integration needs autogen-agentchat 0.4.9 or newer: pip install "
                '"dashclaw[autogen]", or ag2 1.0 or newer: pip install "dashclaw[ag2]" (found: neither)'
            )

    def instrument_agent(self, agent: T) -> T:
        """Govern an agent that may have been built already, with its tools and code; return it.

        Of a team, a group chat manager and an agent that has others as its tools, those are governed as well. A second
        time changes nothing. Raises `ConfigurationError` for what is no agent, and for one that has no place where its
        tools could be stopped.
        """
        if self._calls.closed:
            raise ConfigurationError("The integration is closed")
        name = _line_of(agent)
        if name not in self._lines:
            self._lines[name] = _made(name, self._calls)
        self._lines[name].instrument(agent)
        return agent

    def close(self) -> None:
        """Restore all agents; calls that are under way are recorded to their end."""
        self._calls.closed = True
        while self._lines:
            self._lines.popitem()[1].close()

    def __enter__(self) -> DashClawAutoGenIntegration:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _line_of(agent: Any) -> str:
    for kind in type(agent).__mro__:
        line = _LINES.get((kind.__module__.partition(".")[0], kind.__name__))
        if line is not None:
            return line
    known = ", ".join(f"{package}'s {name}" for package, name in _LINES)
    raise ConfigurationError(f"{type(agent).__module__}.{type(agent).__qualname__} is none of: {known}")


def _made(line: str, calls: Calls) -> _Line:
    if line == "classic":
        from ._classic import Classic

        return Classic(calls)
    if line == "agentchat":
        from ._agentchat import AgentChat

        return AgentChat(calls)
    from ._ag2 import Ag2

    return Ag2(calls)
