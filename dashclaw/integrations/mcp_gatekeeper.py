"""Decides about the messages that pass between an MCP client and a server, whatever carries them."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from dashclaw._governor import Gate, Governor
from dashclaw._log import logger

from ._mcp_unanswered import is_id, key_of
from ._mcp_wire import CALL, REFUSED, call_in, ended, name_in, refusal
from ._shielded import conclude, decide, harmless

Message = Mapping[str, Any]

PARSE_ERROR, INVALID_REQUEST, INTERNAL_ERROR, NO_ANSWER = -32700, -32600, -32603, -32000
# Calls that nobody answers are forgotten, oldest first, when so many are open.
_MOST_OPEN = 10_000


class CancelledByClientError(Exception):
    """What is recorded of a call that the client took back before it was passed on."""


class Passed(NamedTuple):
    """What becomes of a message: it goes `on`, or there is an `answer`, or neither."""

    on: Message | None = None
    answer: Message | None = None


class Gatekeeper:
    """Lets messages through and stops the calls of tools that must not run. Threads may share one.

    The `channel` of its methods keeps the ids of several clients apart.
    """

    def __init__(self, governor: Governor) -> None:
        self._governor = governor
        self._lock = threading.Lock()
        self._deciding: dict[str, bool] = {}
        self._open: dict[str, Gate] = {}

    @property
    def observes(self) -> bool:
        """Whether calls are only recorded: then every message passes, whatever goes wrong here."""
        return self._governor.mode == "observe"

    def asked(self, message: Message, channel: str = "") -> Passed:
        """Decide about a message of the client; a call may wait for a person here. Raises nothing."""
        try:
            return self._decided(message, channel)
        except Exception as wrong:  # noqa: BLE001 - an answer that is an error, or logged where nothing may be stopped
            return self.mistaken(message, wrong, channel)

    def mistaken(self, message: Message, wrong: Exception, channel: str = "") -> Passed:
        """Return what becomes of a message about which a mistake of ours was made: no call of a tool runs then."""
        self.lost(message, f"{type(wrong).__name__} at the proxy", channel)
        if self.observes or message.get("method") != CALL:
            logger().warning("A message was not understood by the proxy, and is passed on", exc_info=wrong)
            return Passed(on=message)
        logger().error("A call does not run: deciding about it failed", exc_info=wrong)
        said = f"The tool was NOT run: the proxy made a mistake ({type(wrong).__name__})"
        return Passed(answer=error(message.get("id"), INTERNAL_ERROR, said))

    def _decided(self, message: Message, channel: str) -> Passed:
        if message.get("method") == "notifications/cancelled":
            self._cancelled(message, channel)
        if message.get("method") != CALL:
            return Passed(on=message)
        if not is_id(message.get("id")):
            # As a notification it could run without anybody being told.
            return Passed(answer=error(None, INVALID_REQUEST, "A call of a tool needs an id"))
        key = key_of(message["id"], channel)
        with self._lock:
            if key in self._deciding or key in self._open:
                return Passed(answer=error(message["id"], INVALID_REQUEST, "This id stands for another call"))
            self._deciding[key] = False
        params = message.get("params")
        gate = decide(self._governor, name_in(params), lambda: call_in(params))
        with self._lock:
            taken_back = self._deciding.pop(key, False)
            if gate.runs and not taken_back:
                self._open[key] = gate
                if len(self._open) > _MOST_OPEN:
                    self._open.pop(next(iter(self._open)))
        if taken_back:
            conclude(self._governor, gate, error=CancelledByClientError("The client cancelled the call before it ran"))
            return Passed()
        return Passed(on=message) if gate.runs else Passed(answer=self._refusal(message["id"], gate))

    @harmless
    def answered(self, message: Message, channel: str = "") -> None:
        """Record how a call ended that a message of the server answers."""
        if "method" in message or not is_id(message.get("id")):
            return
        with self._lock:
            gate = self._open.pop(key_of(message["id"], channel), None)
        if gate is None:
            return
        if "error" in message:
            failure = message["error"]
            said = failure.get("message") if isinstance(failure, Mapping) else failure
            conclude(self._governor, gate, error=ServerError(str(said)))
            return
        output, wrong = ended(message.get("result"))
        conclude(self._governor, gate, output, wrong)

    @harmless
    def lost(self, message: Message, why: str, channel: str = "") -> None:
        """Record that no answer to a call came, where none did."""
        if message.get("method") == CALL and is_id(message.get("id")):
            with self._lock:
                self._deciding.pop(key_of(message["id"], channel), None)
                gate = self._open.pop(key_of(message["id"], channel), None)
            if gate is not None:
                conclude(self._governor, gate, error=ServerError(why))

    @harmless
    def closed(self, why: str) -> None:
        """Record of every open call that no answer came."""
        with self._lock:
            left, self._open = list(self._open.values()), {}
        for gate in left:
            conclude(self._governor, gate, error=ServerError(why))

    def _cancelled(self, message: Message, channel: str) -> None:
        params = message.get("params")
        asked = params.get("requestId") if isinstance(params, Mapping) else None
        with self._lock:
            if is_id(asked) and key_of(asked, channel) in self._deciding:
                self._deciding[key_of(asked, channel)] = True

    def _refusal(self, message_id: Any, gate: Gate) -> Message:
        if self._governor.on_block == "raise":
            return error(message_id, REFUSED, gate.message)
        return {"jsonrpc": "2.0", "id": message_id, "result": refusal(gate)}


class ServerError(Exception):
    """What is recorded of a call that the server answered with a protocol error, or not at all."""


def read(content: bytes) -> list[Message] | None:
    """Return the messages that a line or a body holds, an array's one by one; None for anything else."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    messages = found if isinstance(found, list) else [found]
    return messages if messages and all(isinstance(message, dict) for message in messages) else None


def written(message: Message) -> bytes:
    """Return a message as one line. What is passed on is written anew, so that nothing reads it in another way."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def error(message_id: Any, code: int, text: str) -> Message:
    """Return an answer that is a protocol error."""
    return {"jsonrpc": "2.0", "id": message_id, "error": {"code": code, "message": text}}
