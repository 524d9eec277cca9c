"""Stands between an MCP client and a server that is a program: both talk over stdin and stdout, a line a message."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from .mcp_gatekeeper import PARSE_ERROR, Gatekeeper, Message, error, read, written

_AT_ONCE = 32
_ENDS_WITHIN = 5.0


class StdioProxy:
    """Runs the server's program and passes messages on, calls only once they may run."""

    def __init__(self, gatekeeper: Gatekeeper, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._gatekeeper = gatekeeper
        self._server = subprocess.Popen(  # noqa: S603 - the program that the user named
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(environment)
        )
        self._to_client = threading.Lock()
        self._to_server = threading.Lock()

    def run(self, stdin: IO[bytes], stdout: IO[bytes]) -> int:
        """Pass messages on until the client or the server ends; returns the program's exit code."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="dashclaw-mcp") as calls:
            reader = threading.Thread(target=self._from_client, args=(stdin, stdout, calls), daemon=True)
            reader.start()
            assert self._server.stdout is not None
            for line in self._server.stdout:
                self._write(stdout, self._to_client, line)
                for message in read(line) or []:
                    self._gatekeeper.answered(message)
            code = self._ended()
            self._gatekeeper.closed("The server ended without an answer")
            calls.shutdown(wait=False, cancel_futures=True)
        return code

    def stop(self) -> None:
        """End the program; harmless when it has ended."""
        if self._server.poll() is None:
            self._server.terminate()

    def _from_client(self, stdin: IO[bytes], stdout: IO[bytes], calls: ThreadPoolExecutor) -> None:
        for line in stdin:
            if not line.strip():
                continue
            messages = read(line)
            if messages is None:
                self._answer(stdout, error(None, PARSE_ERROR, "This is no message"))
            for message in messages or []:
                if self._gatekeeper.is_call(message):
                    calls.submit(self._decide, message, stdout)
                else:
                    self._decide(message, stdout)
        calls.shutdown(wait=True)
        self._close_server()

    def _decide(self, message: Message, stdout: IO[bytes]) -> None:
        passed = self._gatekeeper.asked(message)
        if passed.on is not None:
            assert self._server.stdin is not None
            self._write(self._server.stdin, self._to_server, written(passed.on) + b"\n")
        if passed.answer is not None:
            self._answer(stdout, passed.answer)

    def _answer(self, stdout: IO[bytes], message: Message) -> None:
        self._write(stdout, self._to_client, written(message) + b"\n")

    def _write(self, stream: IO[bytes], lock: threading.Lock, line: bytes) -> None:
        # Who has gone away reads nothing; that ends the program by itself.
        with lock, contextlib.suppress(BrokenPipeError, ValueError):
            stream.write(line)
            stream.flush()

    def _close_server(self) -> None:
        """Tell the program that nothing follows, and end it where it does not end by itself."""
        with self._to_server, contextlib.suppress(OSError, ValueError):
            assert self._server.stdin is not None
            self._server.stdin.close()
        self._ended()

    def _ended(self) -> int:
        for ask in (self._server.terminate, self._server.kill):
            try:
                return self._server.wait(_ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                ask()
        return self._server.wait()
