"""Attachments over HTTP: up to 3 of 5 MiB, in both directions a piece at a time."""

from __future__ import annotations

import asyncio
import base64
import gc
import http.client
import json
import os
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from dashclaw import AsyncDashClaw, DashClaw, NotFoundError, PayloadTooLargeError
from dashclaw.requests_transport import RequestsTransport
from dashclaw.runtime.services.attachments import ATTACHED, LARGEST

from ..serving import Served
from .support import ATTACHMENT, Http, clients, eventually, refused

PATH = "/api/messages/attachments"
MEBIBYTE = 1024 * 1024
MAX_BODY = 2 * MEBIBYTE
HEAD = b'{"from_agent_id": "a", "body": "Logs", "attachments": ['
FILE = b'{"filename": "log.txt", "mime_type": "text/plain", "data": "'


def agent_of(server: Served, agent_id: str = "a") -> DashClaw:
    return DashClaw(server.url, server.agent_key, agent_id=agent_id, timeout=100)


def file(name: str, data: bytes, mime_type: str = "text/plain") -> dict[str, Any]:
    return {"filename": name, "mime_type": mime_type, "data": data}


def test_three_files_of_the_largest_size_come_back_byte_by_byte(server: Served) -> None:
    given = [os.urandom(LARGEST) for _ in range(3)]
    with agent_of(server) as sender, agent_of(server, "b") as reader:
        sender.send_message("Logs", to="b", attachments=[file(f"{n}.pdf", data) for n, data in enumerate(given)])
        [message] = reader.get_inbox(unread=True)["messages"]
        found = [reader.get_attachment(attached["id"]) for attached in message["attachments"]]
        reader.mark_read([message["id"]])
    assert [(one["data"] == data, one["filename"]) for one, data in zip(found, given, strict=True)] == [
        (True, "0.pdf"),
        (True, "1.pdf"),
        (True, "2.pdf"),
    ]


def test_every_client_and_transport_gets_the_same_file(small: Served) -> None:
    with agent_of(small) as claw:
        sent = claw.broadcast("x")
        assert sent["message"]["attachments"] == []
        sent = claw.send_message("x", attachments=[file("Bericht für 東京.csv", b"a,b\n\x00\xff", "text/csv")])
        key = sent["message"]["attachments"][0]["id"]
        found = [claw.get_attachment(key)]
        url = claw.get_attachment_url(key)

    async def ask() -> Any:
        async with AsyncDashClaw(small.url, small.agent_key) as other:
            assert await other.get_attachment_url(key) == url
            return await other.get_attachment(key)

    found.append(asyncio.run(ask()))
    with closing(RequestsTransport(small.url)) as transport:
        found.append(DashClaw(api_key=small.agent_key, transport=transport).get_attachment(key))
    expected = {"data": b"a,b\n\x00\xff", "filename": "Bericht für 東京.csv", "mime_type": "text/csv"}
    assert found == [expected] * 3
    answer = requests.get(url, headers={"x-api-key": small.agent_key}, timeout=20)
    assert (answer.content, answer.headers["content-type"]) == (expected["data"], "text/csv")
    assert requests.get(url, timeout=20).status_code == 401


def test_a_download_is_kept_as_a_file_and_never_shown_as_a_page(small: Served) -> None:
    _, agent = clients(small)
    body = {"from_agent_id": "a", "body": "x", "attachments": [{**ATTACHMENT, "filename": 'a"b\r\nX-Evil: 1.txt'}]}
    key = agent.made("POST", "/api/messages", body)["message"]["attachments"][0]["id"]
    reply = agent.ask("GET", PATH, query={"id": key})
    assert (reply.status, reply.raw, reply.headers["content-length"]) == (200, b"note", "4")
    assert reply.headers["content-disposition"] == 'attachment; filename="a_b__X-Evil_ 1.txt"'
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert reply.headers["cache-control"] == "no-store"
    assert "x-evil" not in reply.headers


def test_what_is_not_there_or_too_large_is_an_error_of_its_own(small: Served) -> None:
    with agent_of(small) as claw:
        with pytest.raises(NotFoundError):
            claw.get_attachment("att_unknown")
        with pytest.raises(PayloadTooLargeError, match=r"attachments.0 .'big.txt'. has 5242881 bytes"):
            claw.send_message("x", attachments=[file("big.txt", b"x" * (LARGEST + 1))])
        with pytest.raises(PayloadTooLargeError):
            claw.send_message("x", attachments=[file("huge.txt", b"x" * (ATTACHED + MAX_BODY))])
        assert [found["body"] for found in claw.get_inbox()["messages"]] == []


def parts(count: int, size: int = LARGEST, tail: bytes = b"") -> Iterator[bytes]:
    """A body with `count` files, made up while it is sent."""
    piece = base64.b64encode(bytes(96 * 1024))
    yield HEAD
    for number in range(count):
        yield b"," * (number > 0) + FILE
        left = (size + 2) // 3 * 4
        for _ in range(left // len(piece)):
            yield piece
        yield base64.b64encode(bytes(size % (96 * 1024)))
        yield b'"}'
    yield b"]" + tail + b"}"


def upload(server: Served, body: Iterator[bytes], length: int | None = None) -> tuple[int, Any]:
    """Send a body as it comes: with its length, or in chunks."""
    connection = Http(server.url).connect(100)
    headers = {"x-api-key": server.agent_key, "Content-Type": "application/json"}
    if length is not None:
        headers["Content-Length"] = str(length)
    try:
        connection.request("POST", "/api/messages", body, headers, encode_chunked=length is None)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@contextmanager
def traced(most: float) -> Iterator[None]:
    """Fail when Python holds more than `most` MiB more at any time within."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (peak - before) / MEBIBYTE < most


@pytest.mark.parametrize("chunked", [False, True])
def test_neither_an_upload_nor_a_download_holds_the_files_in_memory(server: Served, chunked: bool) -> None:
    length = None if chunked else sum(map(len, parts(3)))
    upload(server, parts(1, 3))
    with traced(5):
        status, answer = upload(server, parts(3), length)
    assert status == 201, answer
    rows = answer["message"]["attachments"]
    assert [row["size_bytes"] for row in rows] == [LARGEST] * 3
    with traced(5), closing(Http(server.url).connect(100)) as connection:
        connection.request("GET", f"{PATH}?id={rows[2]['id']}", headers={"x-api-key": server.agent_key})
        found = connection.getresponse()
        size = 0
        while part := found.read(64 * 1024):
            assert not part.strip(b"\x00")
            size += len(part)
    assert size == LARGEST


def test_the_limit_of_a_body_holds_for_what_is_no_attachment(small: Served) -> None:
    long = b', "note": "' + b"x" * MAX_BODY + b'"'
    status, answer = upload(small, parts(1, 100_000, long), sum(map(len, parts(1, 100_000, long))))
    assert (status, answer["code"], answer["maxBytes"]) == (413, "PAYLOAD_TOO_LARGE", MAX_BODY)
    status, answer = upload(small, parts(1, 100_000, b', "note": "' + b"x" * (MAX_BODY - 100_000) + b'"'))
    assert status == 201, answer


@pytest.mark.parametrize("path", ["/api/actions", "/api/messages/docs", "/api/messages/threads"])
def test_only_messages_may_be_larger_than_other_bodies(small: Served, path: str) -> None:
    _, agent = clients(small)
    assert refused(agent.ask("POST", path, raw=b" " * (MAX_BODY + 1)), 413)["maxBytes"] == MAX_BODY
    assert refused(agent.ask("PATCH", "/api/messages", raw=b" " * (MAX_BODY + 1)), 413)["maxBytes"] == MAX_BODY


@pytest.mark.parametrize("key", ["known", "unknown"])
def test_what_cannot_be_taken_is_refused_before_it_is_sent(small: Served, key: str) -> None:
    connection = Http(small.url).connect()
    try:
        connection.putrequest("POST", "/api/messages")
        connection.putheader("x-api-key", small.agent_key if key == "known" else "unknown")
        connection.putheader("Content-Length", str(MAX_BODY + ATTACHED + (1 if key == "known" else 0)))
        connection.endheaders()
        answer = connection.getresponse()
        found = json.loads(answer.read())
    finally:
        connection.close()
    expected = (413, "PAYLOAD_TOO_LARGE") if key == "known" else (401, "INVALID_API_KEY")
    assert (answer.status, found["code"]) == expected


def test_a_repeated_upload_is_known_by_the_bytes_of_its_files(server: Served) -> None:
    _, agent = clients(server)

    def ask(data: bytes) -> Any:
        text = base64.b64encode(data).decode()
        body = {"from_agent_id": "a", "body": "x", "attachments": [{**ATTACHMENT, "data": text}]}
        return agent.ask("POST", "/api/messages", body, headers={"Idempotency-Key": "the-same-upload"})

    first, again, other = ask(b"x" * 200_000), ask(b"x" * 200_000), ask(b"y" * 200_000)
    assert (first.status, again.status, again.headers["idempotent-replay"]) == (201, 201, "true")
    assert again.body == first.body
    assert refused(other, 409)["code"] == "IDEMPOTENCY_CONFLICT"


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_an_upload_that_breaks_off_leaves_nothing_behind(small: Served) -> None:
    _, agent = clients(small)
    total = agent.made("GET", "/api/messages")["total"]
    agent.made("POST", "/api/messages", {"from_agent_id": "a", "body": "warm"})
    gc.collect()
    before = open_files()
    for _ in range(5):
        connection = Http(small.url).connect()
        connection.putrequest("POST", "/api/messages")
        connection.putheader("x-api-key", small.agent_key)
        connection.putheader("Content-Length", "9000000")
        connection.endheaders(HEAD + FILE + b"A" * MEBIBYTE)
        connection.close()
    eventually(lambda: open_files() <= before)
    assert agent.made("GET", "/api/messages")["total"] == total + 1


def test_a_slow_reader_holds_up_nobody(server: Served) -> None:
    _, agent = clients(server)
    _, answer = upload(server, parts(1))
    key = answer["message"]["attachments"][0]["id"]
    connection = Http(server.url).connect()
    try:
        connection.request("GET", f"{PATH}?id={key}", headers={"x-api-key": server.agent_key})
        found: http.client.HTTPResponse = connection.getresponse()
        assert len(found.read(1000)) == 1000
        for number in range(20):
            agent.made("POST", "/api/messages", {"from_agent_id": "a", "body": f"{number}"})
        assert len(found.read()) == LARGEST - 1000
    finally:
        connection.close()
