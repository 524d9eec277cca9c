"""A server that speaks the wires of two model providers, as far as their packages ask in the tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHAT_USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 30,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 20},
}
MESSAGE_USAGE = {
    "input_tokens": 70,
    "output_tokens": 40,
    "cache_read_input_tokens": 20,
    "cache_creation_input_tokens": 10,
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-4.1-2025-04-14",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "status": "completed",
    "usage": {
        "input_tokens": 11,
        "output_tokens": 5,
        "total_tokens": 16,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    },
}


def chat(body: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [choice],
        "usage": CHAT_USAGE,
    }


def chat_parts(body: dict[str, Any]) -> Iterator[str]:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    for text in ("Hel", "lo"):
        yield _data({**base, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})
    yield _data({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if (body.get("stream_options") or {}).get("include_usage"):
        yield _data({**base, "choices": [], "usage": CHAT_USAGE})
    yield "data: [DONE]\n\n"


def message(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": MESSAGE_USAGE,
    }


def message_parts(body: dict[str, Any]) -> Iterator[str]:
    begun = {**message(body), "content": [], "stop_reason": None, "usage": {**MESSAGE_USAGE, "output_tokens": 1}}
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    for event in (
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 40}},
        {"type": "message_stop"},
    ):
        yield f"event: {event['type']}\n" + _data(event)


def response_parts(_: dict[str, Any]) -> Iterator[str]:
    begun = {**RESPONSE, "status": "in_progress", "usage": None}
    yield _data({"type": "response.created", "sequence_number": 0, "response": begun})
    yield _data({"type": "response.completed", "sequence_number": 1, "response": RESPONSE})


def embedding(body: dict[str, Any]) -> dict[str, Any]:
    data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
    return {"object": "list", "data": data, "model": body["model"], "usage": {"prompt_tokens": 8, "total_tokens": 8}}


def _data(event: dict[str, Any]) -> str:
    return f"data: {json.dumps(event)}\n\n"


WHOLE: dict[str, Any] = {
    "/v1/chat/completions": chat,
    "/v1/messages": message,
    "/v1/responses": lambda _: RESPONSE,
    "/v1/embeddings": embedding,
}
PARTS: dict[str, Any] = {
    "/v1/chat/completions": chat_parts,
    "/v1/messages": message_parts,
    "/v1/responses": response_parts,
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        path = self.path.partition("?")[0]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((path, body))  # type: ignore[attr-defined]
        if body["model"] == "refused":
            self._send(400, "application/json", [json.dumps({"error": {"message": "no such model"}})])
        elif body.get("stream"):
            self._send(200, "text/event-stream", PARTS[path](body))
        else:
            self._send(200, "application/json", [json.dumps(WHOLE[path](body))])

    def do_GET(self) -> None:
        self._send(200, "application/json", [json.dumps(RESPONSE)])

    def _send(self, status: int, kind: str, texts: Any) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for text in (*texts, ""):
            data = text.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def log_message(self, *_: object) -> None:
        pass


class Models:
    """Where the server listens, and what it was asked."""

    def __init__(self, url: str, asked: list[tuple[str, dict[str, Any]]]) -> None:
        self.url = url
        self.asked = asked


@contextmanager
def serving_models() -> Iterator[Models]:
    """Serve until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield Models(f"http://127.0.0.1:{server.server_port}", server.asked)  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()
