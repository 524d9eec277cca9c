"""What the adapters for LangChain know of a run: the call, its place, how it ended and what a model used."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple
from uuid import UUID

from dashclaw._governor import Gate, Governor

# Runs whose end was never told are forgotten, oldest first, when so many are open.
_MOST_RUNS = 10_000
_LONGEST_SESSION = 128


class Passed:
    """A call that the middleware has let run: the handler does not decide about it a second time."""

    def __init__(self, governor: Governor, gate: Gate, tool: str, arguments: Any) -> None:
        self.governor, self.gate, self.tool, self.arguments = governor, gate, tool, arguments
        self._taken = False

    def take(self, governor: Governor, tool: str, arguments: Any) -> bool:
        """Whether this is that call, seen for the first time and decided about as strictly as `governor` would."""
        known = self.governor
        strict = known.mode == "enforce" or governor.mode == "observe"
        same = known.claw is governor.claw and tool == self.tool and arguments == self.arguments
        if self._taken or not strict or not same:
            return False
        self._taken = True
        return True


passed: ContextVar[Passed | None] = ContextVar("dashclaw_langchain_passed", default=None)


class Interrupted(BaseException):
    """What is recorded of a tool in which the graph was interrupted; the graph calls it again later."""


class ToolFailed(Exception):
    """What is recorded of a tool whose output is an error that it has handled by itself."""


def ended_by(error: BaseException) -> BaseException:
    """Return what to record of an error that a tool raised."""
    errors = sys.modules.get("langgraph.errors")
    interrupted = errors is not None and isinstance(error, errors.GraphBubbleUp)
    return Interrupted("the graph was interrupted inside the tool") if interrupted else error


def told_by(output: Any) -> tuple[Any, BaseException | None]:
    """Return what a tool's output holds, and the error it stands for where the tool handled one by itself."""
    content = getattr(output, "content", output)
    return content, ToolFailed(str(content)) if getattr(output, "status", None) == "error" else None


class Open(NamedTuple):
    """A run that has not ended: the action that its parts belong to, and its own gate where it has one."""

    action_id: str | None
    gate: Gate | None = None
    model: str | None = None


class OpenRuns:
    """The runs that have not ended, by their ids; of any thread."""

    def __init__(self) -> None:
        self._runs: OrderedDict[UUID, Open] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._runs)

    def find(self, run_id: UUID | None) -> Open | None:
        """Return a run that is open."""
        with self._lock:
            return None if run_id is None else self._runs.get(run_id)

    def action_of(self, run_id: UUID | None) -> str | None:
        """Return the action that the parts of a run belong to."""
        run = self.find(run_id)
        return None if run is None else run.action_id

    def begun(self, run_id: UUID, run: Open) -> None:
        """Take a run down."""
        with self._lock:
            self._runs[run_id] = run
            if len(self._runs) > _MOST_RUNS:
                self._runs.popitem(last=False)

    def ended(self, run_id: UUID) -> Open | None:
        """Return a run and forget it."""
        with self._lock:
            return self._runs.pop(run_id, None)


def session_of(metadata: Mapping[str, Any] | None) -> str | None:
    """Return the session that a run belongs to: the thread of a graph."""
    thread = (metadata or {}).get("thread_id")
    return None if thread is None else str(thread)[:_LONGEST_SESSION] or None


def usage_in(response: Any, model: str | None) -> dict[str, Any]:
    """Return `tokens_in`, `tokens_out` and `model` as far as a model's answer tells them."""
    generations = [one for many in response.generations for one in many]
    messages = [message for one in generations if (message := getattr(one, "message", None)) is not None]
    told = next((usage for message in messages if (usage := getattr(message, "usage_metadata", None))), None)
    general = response.llm_output or {}
    told = told or general.get("token_usage") or general.get("usage") or {}
    about = next((message.response_metadata for message in messages if message.response_metadata), general)
    return {
        "tokens_in": told.get("input_tokens", told.get("prompt_tokens")),
        "tokens_out": told.get("output_tokens", told.get("completion_tokens")),
        "model": about.get("model_name") or about.get("model") or model,
    }
