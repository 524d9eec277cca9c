"""Stands between an MCP client and a server that is a program: both talk over stdin and stdout, a line a message."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import IO

from dashclaw._log import logger
from dashclaw.errors import ConfigurationError

from ._mcp_unanswered import Request, Unanswered
from ._mcp_wire import CALL
from ._shielded import harmless
from .mcp_gatekeeper import NO_ANSWER, PARSE_ERROR, Gatekeeper, Message, Passed, error, read, written

_AT_ONCE = 256
_ENDS_WITHIN = 5.0
_LOOKS_EVERY = 1.0


class StdioProxy:
    """Runs the server's program and passes messages on, calls only once they may run.

    A request that the program has not answered within `seconds` is answered with an error. Raises
    `ConfigurationError` for a program that cannot be started.
    """

    def __init__(
        self, gatekeeper: Gatekeeper, command: Sequence[str], environment: Mapping[str, str], seconds: float
    ) -> None:
        self._gatekeeper = gatekeeper
        self._seconds = seconds
        self._unanswered = Unanswered(seconds, time.monotonic)
        try:
            # A group of its own, so that what the program started ends with it.
            self._server = subprocess.Popen(  # noqa: S603 - the program that the user named
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=dict(environment),
                start_new_session=True,
            )
        except OSError as failed:
            raise ConfigurationError(f"The MCP server {command[0]} cannot be started: {failed}") from failed
        self._to_client = threading.Lock()
        self._to_server = threading.Lock()
        self._deciding: list[threading.Thread] = []
        self._heard_all = threading.Event()
        self._stop_by: float | None = None
        self._over = False
        self._strange = 0

    def run(self, stdin: IO[bytes], stdout: IO[bytes]) -> int:
        """Pass messages on until the client or the server ends; returns the program's exit code."""
        for work in (self._from_client, self._from_server):
            threading.Thread(target=work, args=(stdin, stdout), daemon=True).start()
        while not self._heard_all.wait(min(_LOOKS_EVERY, self._seconds / 4)):
            self._give_up(stdout)
            if self._stop_by is not None and time.monotonic() > self._stop_by:
                self._signal(signal.SIGKILL)
            if self._server.poll() is not None:
                # Something that it started may hold its stdout open for ever.
                self._heard_all.wait(_ENDS_WITHIN)
                break
        self._over = True
        code = self._ended()
        # What it started and left behind.
        self._signal(signal.SIGTERM)
        self._gatekeeper.closed("The server ended without an answer")
        self._give_all_up(stdout, f"The MCP server ended (exit code {code}) before it answered")
        return code

    def stop(self) -> None:
        """End the program, by force where it does not end by itself; harmless when it has ended."""
        if self._server.poll() is None and self._stop_by is None:
            self._stop_by = time.monotonic() + _ENDS_WITHIN
            self._signal(signal.SIGTERM)

    def _from_client(self, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        for line in stdin:
            if line.strip():
                self._asked(line, stdout)
        for thread in self._deciding:
            thread.join()
        self._close_server()

    def _asked(self, line: bytes, stdout: IO[bytes]) -> None:
        try:
            messages = read(line)
        except Exception as wrong:  # noqa: BLE001 - an answer that is an error, or logged where nothing may be stopped
            # What could not even be read counts as a call.
            passed = self._gatekeeper.mistaken({"method": CALL}, wrong)
            self._go_on(passed, line if passed.answer is None else encoded(passed.answer), stdout)
            return
        if messages is None:
            self._answer(stdout, error(None, PARSE_ERROR, "This is no message"))
        for message in messages or []:
            self._came(message)
            plain = line if messages == [message] else encoded(message)
            if message.get("method") != CALL:
                self._decide(message, plain, stdout)
            elif not self._started(partial(self._decide, message, plain, stdout)):
                why = f"The tool was NOT run: {_AT_ONCE} calls wait for a decision"
                self._answer(stdout, error(message.get("id"), NO_ANSWER, why))

    @harmless
    def _came(self, message: Message) -> None:
        self._unanswered.came(message)

    def _started(self, work: Callable[[], None]) -> bool:
        """Decide beside the reading of further messages, unless too many do."""
        self._deciding = [thread for thread in self._deciding if thread.is_alive()]
        if len(self._deciding) >= _AT_ONCE:
            return False
        # Whoever waits for a person must not keep a program alive whose client or server has left.
        self._deciding.append(threading.Thread(target=work, daemon=True))
        self._deciding[-1].start()
        return True

    def _decide(self, message: Message, plain: bytes, stdout: IO[bytes]) -> None:
        try:
            passed = self._gatekeeper.asked(message)
            line = self._line(message, passed)
        except Exception as wrong:  # noqa: BLE001 - an answer that is an error, or logged where nothing may be stopped
            passed = self._gatekeeper.mistaken(message, wrong)
            line = plain if passed.answer is None else encoded(passed.answer)
        if passed.on is not None and self._over:
            self._gatekeeper.lost(message, "The server had ended")
            return
        self._go_on(passed, line, stdout)
        self._taken(message)

    def _line(self, message: Message, passed: Passed) -> bytes | None:
        """Return what is written of a message to the server, or to the client unless it has an answer by now."""
        if message.get("method") == "notifications/cancelled":
            self._unanswered.cancelled(message)
        if passed.on is not None:
            self._unanswered.passed_on(message)
            return written(passed.on) + b"\n"
        wanted = self._unanswered.settled(message)
        return encoded(passed.answer) if wanted and passed.answer is not None else None

    def _go_on(self, passed: Passed, line: bytes | None, stdout: IO[bytes]) -> None:
        if line is not None and passed.on is None:
            self._write(stdout, self._to_client, line)
        elif line is not None:
            self._write(self._server.stdin, self._to_server, line)

    @harmless
    def _taken(self, message: Message) -> None:
        self._unanswered.taken(message)

    def _from_server(self, _: IO[bytes], stdout: IO[bytes]) -> None:
        assert self._server.stdout is not None
        for line in self._server.stdout:
            self._said(line, stdout)
        self._heard_all.set()

    def _said(self, line: bytes, stdout: IO[bytes]) -> None:
        """Pass a line of the server on, unless it is no message or comes too late, and record what it answers."""
        try:
            messages = read(line)
            late = [self._unanswered.late(message) for message in messages or []]
        except Exception:  # noqa: BLE001 - what cannot be recorded is passed on all the same
            logger().warning("A line of the MCP server was not understood", exc_info=True)
            messages, late = [], []
        if messages is None:
            if line.strip():
                self._strange += 1
                logger().warning("The MCP server wrote %d bytes to stdout that are no message", len(line))
            return
        if not (late and all(late)):
            self._write(stdout, self._to_client, line)
        for message in messages:
            self._record(message)

    @harmless
    def _record(self, message: Message) -> None:
        self._gatekeeper.answered(message)

    @harmless
    def _give_up(self, stdout: IO[bytes]) -> None:
        for request in self._unanswered.overdue():
            if not request.taken:
                # Nothing that follows would be read either.
                self.stop()
            why = f"The MCP server did not answer within {self._seconds:g} seconds"
            if self._strange:
                why += f"; it wrote {self._strange} lines to stdout that are no messages"
            self._gatekeeper.lost(request.message, why)
            self._refuse(request, stdout, why)

    @harmless
    def _give_all_up(self, stdout: IO[bytes], why: str) -> None:
        for request in self._unanswered.rest():
            self._refuse(request, stdout, why)

    def _refuse(self, request: Request, stdout: IO[bytes], why: str) -> None:
        if request.wanted:
            logger().warning("%s", why)
            self._answer(stdout, error(request.message.get("id"), NO_ANSWER, why))

    def _answer(self, stdout: IO[bytes], message: Message) -> None:
        self._write(stdout, self._to_client, encoded(message))

    def _write(self, stream: IO[bytes] | None, lock: threading.Lock, line: bytes) -> None:
        # Who has gone away reads nothing; that ends the program by itself.
        with lock, contextlib.suppress(BrokenPipeError, ValueError):
            assert stream is not None
            stream.write(line)
            stream.flush()

    def _close_server(self) -> None:
        """Tell the program that nothing follows, and end it where it does not end by itself."""
        with self._to_server, contextlib.suppress(OSError, ValueError):
            assert self._server.stdin is not None
            self._server.stdin.close()
        self._ended()

    def _ended(self) -> int:
        for ask in (signal.SIGTERM, signal.SIGKILL):
            try:
                return self._server.wait(_ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                self._signal(ask)
        return self._server.wait()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._server.pid, number)


def encoded(message: Message) -> bytes:
    """Return a message as a line."""
    return json.dumps(message).encode() + b"\n"
