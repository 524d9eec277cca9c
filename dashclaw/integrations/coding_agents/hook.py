"""Answers one event of a coding agent: decides about a call before it runs, records afterwards how it ended.

An agent runs the tool whenever a hook ends with anything but a denial or the code 2. So in mode "enforce" everything
unexpected ends with 2, and in mode "observe" everything ends with 0.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from dashclaw._governor import Gate, Governor
from dashclaw._log import logger
from dashclaw._tool_calls import ToolCall, fingerprint, summary
from dashclaw.errors import ApprovalPendingError, ApprovalTimeoutError

from .contracts import Call, Contract, Event, action_id_of, call_in, failure_in
from .risks import risk_of

if TYPE_CHECKING:
    from dashclaw import DashClaw
    from dashclaw._governor import Mode

DENIED = 2
# What the decision itself may take beside the wait for a person, in seconds.
CALL_SECONDS = 10.0
LAST_SECONDS = 25.0
_LONGEST_ERROR = 4000
_PAGE = 200


class Hook:
    """One run of the hook: `contract` is the agent's, `connect` opens the client when an event needs one."""

    def __init__(self, contract: Contract, connect: Callable[[], DashClaw], mode: Mode, wait: float) -> None:
        self.contract = contract
        self.connect = connect
        self.mode = mode
        self.wait = wait

    def answer(self, stdin: IO[bytes], stdout: IO[str], stderr: IO[str]) -> int:
        """Answer the event on stdin; returns the exit code. Nothing is written where the tool may run."""
        timer = threading.Timer(self.wait + LAST_SECONDS, self._too_late, [stderr])
        timer.daemon = True
        timer.start()
        deciding = True
        try:
            event = json.loads(stdin.read())
            name = event["hook_event_name"]
            deciding = name == self.contract.before
            reason = self._heard(name, event)
            if reason is not None:
                stdout.write(json.dumps(self.contract.denial(reason)) + "\n")
                stdout.flush()
        except BaseException as error:  # noqa: BLE001 - every other end of this program would run the tool
            return self._failed(stderr, deciding, f"{type(error).__name__}: {error}")
        finally:
            timer.cancel()
        return 0

    def _heard(self, name: str, event: Event) -> str | None:
        """Return why the call of an event must not run; None for everything else."""
        if name == self.contract.before:
            return self._decide(event)
        if name in (self.contract.after, self.contract.failed):
            self._record(event)
        elif name == self.contract.ended:
            self._close(event)
        return None

    def _decide(self, event: Event) -> str | None:
        call = call_in(event)
        with self.connect() as claw:
            governor = Governor(claw, mode=self.mode, risk=risk_of, framework=self.contract.name, wait=self.wait)
            gate = governor.start(self._tool_call(call))
        return None if gate.runs else _reason(gate)

    def _tool_call(self, call: Call) -> ToolCall:
        metadata = {"cwd": call.folder, "subagent": call.subagent}
        fields: dict[str, Any] = {"metadata": metadata}
        action_id = action_id_of(self.contract, call)
        if action_id is not None:
            fields["action_id"] = action_id
        aim = call.arguments.get("command") or call.arguments.get("file_path")
        about = str(aim) if aim else None
        return ToolCall(call.tool, call.arguments, about, session_id=call.session_id, fields=fields)

    def _record(self, event: Event) -> None:
        call = call_in(event)
        outcome: dict[str, Any] = {"status": "completed"}
        failure = failure_in(event)
        if failure is not None:
            outcome.update(status="failed", error_message=failure[:_LONGEST_ERROR])
        elif event.get("tool_response") is not None:
            outcome["output_summary"] = summary(event["tool_response"])
        duration = event.get("duration_ms")
        if isinstance(duration, (int, float)) and not isinstance(duration, bool) and duration >= 0:
            outcome["duration_ms"] = round(duration)
        with self.connect() as claw:
            action_id = action_id_of(self.contract, call) or self._running(claw, call)
            if action_id is not None:
                claw.update_outcome(action_id, **outcome)

    def _running(self, claw: DashClaw, call: Call) -> str | None:
        """Return the oldest action that still runs and stands for such a call."""
        wanted = fingerprint(call.arguments)
        found = [
            row["action_id"]
            for row in self._open(claw, call.session_id, action_type=call.tool)
            if (row.get("metadata") or {}).get("arguments_sha256") == wanted
        ]
        return found[-1] if found else None

    def _close(self, event: Event) -> None:
        """Cancel what was allowed and never ran: the person at the agent said no, or the agent was stopped."""
        session = event.get("session_id")
        if not isinstance(session, str):
            return
        with self.connect() as claw:
            for row in self._open(claw, session):
                claw.update_outcome(row["action_id"], "cancelled", error_message="The session ended before it was run")

    def _open(self, claw: DashClaw, session: str | None, **filters: Any) -> list[Any]:
        found = claw.get_actions(status="running", agent_id=claw.agent_id, limit=_PAGE, **filters)["actions"]
        return [
            row
            for row in found
            if row.get("session_id") == session and (row.get("metadata") or {}).get("framework") == self.contract.name
        ]

    def _failed(self, stderr: IO[str], deciding: bool, why: str) -> int:
        stopped = deciding and self.mode == "enforce"
        said = "The tool was NOT run: DashClaw could not decide about it" if stopped else "DashClaw recorded nothing"
        logger().debug("The hook failed: %s", why)
        try:
            stderr.write(f"{said}: {why[:_LONGEST_ERROR]}\n")
            stderr.flush()
        except Exception:  # noqa: BLE001 - who does not listen is told by the exit code
            return DENIED if stopped else 0
        return DENIED if stopped else 0

    def _too_late(self, stderr: IO[str]) -> None:
        """End the program before the agent loses patience with it, and runs the tool."""
        os._exit(self._failed(stderr, True, f"no answer within {self.wait + LAST_SECONDS:g} seconds"))


def _reason(gate: Gate) -> str:
    waits = isinstance(gate.error, (ApprovalPendingError, ApprovalTimeoutError)) and gate.action_id
    how = f" A person approves it with: dashclaw approvals approve {gate.action_id}" if waits else ""
    then = "; the same call then runs when this session makes it again within five minutes." if waits else ""
    return f"{gate.message}{how}{then}"
