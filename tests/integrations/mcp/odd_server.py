"""A server without the package mcp, which also misbehaves when a tool's name asks for it.

As a program it speaks over stdin and stdout: python odd_server.py LOG. `serve` speaks over HTTP in this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

GARBAGE = b"<html>this is no message</html>\n"


def answer(message: dict[str, Any], log: Path) -> bytes:
    """Do what a message asks for, which the log tells, and return the line that answers it."""
    if "id" not in message:
        return b""
    result: dict[str, Any] = {"tools": []}
    if message["method"] == "initialize":
        server = {"name": "odd", "version": "1"}
        result = {"protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}}}
        result["serverInfo"] = server
    elif message["method"] == "tools/call":
        tool, arguments = message["params"]["name"], message["params"].get("arguments") or {}
        with log.open("a") as file:
            file.write(f"{tool} {arguments.get('of', '')}".strip() + "\n")
        result = {"content": [{"type": "text", "text": f"did {tool} of {arguments.get('of')}"}], "isError": False}
    return json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode() + b"\n"


def asked_for(message: dict[str, Any]) -> str:
    return str(message["params"]["name"]) if message.get("method") == "tools/call" else ""


def program(log: Path) -> None:
    for line in sys.stdin.buffer:
        message = json.loads(line)
        said, tool = answer(message, log), asked_for(message)
        if tool == "leave_child":
            # It holds this program's stdout open after its end.
            child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
            log.with_name("child.txt").write_text(str(child.pid))
        if tool in ("die", "leave_child"):
            os._exit(3)
        if tool == "get_deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            threading.Event().wait()
        if tool in ("say_garbage", "say_garbage_first"):
            sys.stdout.buffer.write(GARBAGE)
        if tool not in ("hang", "say_garbage"):
            sys.stdout.buffer.write(said)
        sys.stdout.buffer.flush()


class Web(BaseHTTPRequestHandler):
    """Answers with one body; where a tool's name begins with `stream`, with events."""

    protocol_version = "HTTP/1.1"
    server: Served

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said, tool = answer(message, self.server.log), asked_for(message)
        self.close_connection = True
        if tool in ("hang", "stream_hang"):
            self._headers(tool)
            while not self.server.over.wait(0.2):
                self.wfile.write(b": still there\n\n" if "stream" in tool else b"")
        elif tool == "say_garbage":
            self._body(GARBAGE, "text/html")
        elif tool == "fail":
            self._body(b"it failed", "text/plain", 500)
        elif tool == "die_in_the_middle":
            self.send_response(200)
            self.send_header("content-length", "1000")
            self.end_headers()
            self.wfile.write(b"{")
        elif "stream" in tool:
            self._headers(tool)
            events = {
                "stream_end": b": nothing\n\n",
                "stream_garbage": b"data: x\n\n",
                "stream_later": b"id: 7\ndata:\n\n",
            }
            self.wfile.write(events.get(tool, b"data: %b\n" % said))
        elif tool != "die":
            self._body(said, "application/json", 200 if said else 202)

    def _headers(self, tool: str) -> None:
        if "stream" in tool:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()

    def _body(self, body: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Served(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, log: Path) -> None:
        super().__init__(("127.0.0.1", 0), Web)
        self.log = log
        self.over = threading.Event()


@contextlib.contextmanager
def serve(log: Path) -> Iterator[str]:
    """Serve over HTTP in a thread; yields the address."""
    with Served(log) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/mcp"
        finally:
            server.over.set()
            server.shutdown()


if __name__ == "__main__":
    program(Path(sys.argv[1]))
