"""The stream: every event of the organisation, once, in order, however often it breaks."""

from __future__ import annotations

import gc
import json
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from dashclaw.runtime.bootstrap import DEFAULT_ORG, SYSTEM
from dashclaw.runtime.runtime import Runtime
from dashclaw.server.stream import _BATCH

from ..databases import POSTGRES, database
from ..serving import Served, served
from .support import BODIES, Http, clients, eventually, make_things, refused, unique

ACTION = BODIES["create_action"]


class Frame(NamedTuple):
    """What came between two empty lines; a comment has only that."""

    id: int | None
    event: str | None
    data: Any
    comment: str | None


class Reading:
    """One open stream."""

    def __init__(self, answer: HTTPResponse) -> None:
        self._answer = answer
        self.headers = {name.lower(): value for name, value in answer.getheaders()}

    def frame(self) -> Frame | None:
        """The next frame, None at the end of the stream."""
        fields: dict[str, str] = {}
        while line := self._answer.readline():
            text = line.decode().rstrip("\n")
            if not text:
                data = json.loads(fields["data"]) if "data" in fields else None
                number = int(fields["id"]) if "id" in fields else None
                return Frame(number, fields.get("event"), data, fields.get(""))
            name, _, value = text.partition(": ")
            assert name not in fields, "a field came twice"
            fields[name.rstrip(":") if value else name] = value
        return None

    def events(self, most: int) -> list[Frame]:
        """The next events, without what greets and keeps alive."""
        found: list[Frame] = []
        while len(found) < most and (frame := self.frame()) is not None:
            if frame.id is not None:
                found.append(frame)
        return found

    def greeting(self) -> Any:
        """What is said once everything missed was sent."""
        while (frame := self.frame()) is not None:
            if frame.event == "connected":
                return frame.data
        raise AssertionError("the stream ended before its greeting")


@contextmanager
def reading(http: Http, after: int | None = None, path: str = "/api/stream") -> Iterator[Reading]:
    """Read the stream until the block ends."""
    connection = http.connect()
    headers = {"x-api-key": http.key or ""} | ({} if after is None else {"Last-Event-ID": str(after)})
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    try:
        assert answer.status == 200, answer.read()
        yield Reading(answer)
    finally:
        answer.close()
        connection.close()


def acted(http: Http, many: int) -> list[str]:
    return [http.made("POST", "/api/actions", ACTION)["action_id"] for _ in range(many)]


def emit(url: str, many: int, data: dict[str, Any] | None = None, name: str = "test.event") -> None:
    """Commit events by another process's way: a runtime of its own."""
    runtime = Runtime.open(url)
    try:
        for start in range(0, many, 50):
            with runtime.store.write(DEFAULT_ORG) as tx:
                for number in range(start, min(start + 50, many)):
                    tx.emit(SYSTEM, name, "test", str(number), {"number": number, **(data or {})})
    finally:
        runtime.close()


def open_streams(server: Served) -> int:
    return len(server.app.state.broadcast._waiting)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with database(request.param, tmp_path) as found:
        yield found


def test_events_come_in_order_and_as_they_are_listed(url: str) -> None:
    with served(url) as found:
        _, agent = clients(found)
        with reading(agent) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert stream.headers["cache-control"] == "no-store"
            greeting = stream.greeting()
            assert (greeting["orgId"], greeting["replayed"]) == (DEFAULT_ORG, 0)
            made = acted(agent, 5)
            frames = stream.events(10)
        assert [frame.data["action_id"] for frame in frames if frame.event == "action.created"] == made
        listed = agent.made("GET", f"/api/events?after={greeting['lastEventId']}")["events"]
    assert [frame.id for frame in frames] == sorted({frame.id for frame in frames if frame.id})
    assert [(event["id"], event["event"], event["data"]) for event in listed] == [frame[:3] for frame in frames]


def test_events_of_many_writers_at_once_come_once_and_in_order(url: str) -> None:
    with served(url) as here, served(url) as there:
        _, agent = clients(here)
        with reading(Http(there.url, here.agent_key)) as stream:
            stream.greeting()
            writers = [threading.Thread(target=emit, args=(url, 40)) for _ in range(3)]
            writers.append(threading.Thread(target=acted, args=(agent, 15)))
            for writer in writers:
                writer.start()
            frames = stream.events(150)
            for writer in writers:
                writer.join(30)
        listed = agent.made("GET", "/api/events?limit=200")["events"]
    ids = [frame.id for frame in frames]
    assert ids == [event["id"] for event in listed][-150:]


def test_a_stream_resumes_across_a_restart_without_loss_or_duplicates(url: str) -> None:
    seen: list[int | None] = []
    after = 0
    for _ in range(3):
        with served(url) as found:
            agent = Http(found.url, found.agent_key)
            with reading(agent, after) as stream:
                acted(agent, 3)
                frames = stream.events(4)
                seen += [frame.id for frame in frames]
                after = frames[-1].id or 0
        emit(url, 5)
    with served(url) as found:
        agent = Http(found.url, found.agent_key)
        everything = [event["id"] for event in agent.made("GET", "/api/events?limit=200")["events"]]
        with reading(agent, after) as stream:
            seen += [frame.id for frame in stream.events(len(everything) - len(seen))]
            emit(url, 1, name="the.last")
            last = stream.events(1)[0]
    assert seen == everything
    assert last.event == "the.last"


def test_more_than_a_batch_that_was_missed_is_replayed_before_the_greeting(url: str) -> None:
    many = 2 * _BATCH + 7
    with served(url) as found:
        agent = Http(found.url, found.agent_key)
        newest = agent.made("GET", "/api/events")["events"][-1]["id"]
        emit(url, many)
        for path, header in (("/api/stream", newest), (f"/api/stream?lastEventId={newest}", None)):
            with reading(agent, header, path) as stream:
                frames = stream.events(many)
                greeting = stream.greeting()
            assert [frame.data["number"] for frame in frames] == list(range(many))
            assert (greeting["replayed"], greeting["lastEventId"]) == (many, frames[-1].id)


def test_a_quiet_stream_says_that_it_is_alive(tmp_path: Path) -> None:
    with served(str(tmp_path / "dashclaw.db"), heartbeat_seconds=0.05) as found:
        agent = Http(found.url, found.agent_key)
        with reading(agent) as stream:
            stream.greeting()
            frames = [stream.frame() for _ in range(3)]
            assert frames == [Frame(None, None, None, "alive")] * 3
            acted(agent, 1)
            assert [frame.event for frame in stream.events(2)] == ["guard.decision.created", "action.created"]


def test_another_organisations_events_never_appear(url: str) -> None:
    with served(url) as found:
        admin, agent = clients(found)
        made = admin.made("POST", "/api/orgs", unique(BODIES["create_org"]))
        other, other_org = admin.with_key(made["api_key"]["key"]), made["organization"]["id"]
        with reading(other, 0) as theirs, reading(agent) as ours:
            ours.greeting()
            assert theirs.greeting()["orgId"] == other_org
            for _ in range(3):
                make_things(admin, agent, DEFAULT_ORG)
                mine = acted(other, 1)[0]
                frames = theirs.events(2)
                assert [frame.event for frame in frames] == ["guard.decision.created", "action.created"]
                assert {frame.data["action_id"] for frame in frames} == {mine}
            last = acted(agent, 1)[0]
            seen = ours.events(1)
            while seen[-1].data.get("action_id") != last:
                seen += ours.events(1)
            assert not [frame for frame in seen if other_org in json.dumps(frame.data)]
        newest = other.made("GET", "/api/events")["last_event_id"]
        with reading(agent, newest) as stream:
            assert {frame.data["action_id"] for frame in stream.events(2)} == {last}


def test_a_stream_needs_a_key_and_a_cursor_that_is_one(small: Served) -> None:
    _, agent = clients(small)
    refused(agent.with_key(None).ask("GET", "/api/stream"), 401)
    refused(agent.with_key("oc_live_unknown").ask("GET", "/api/stream"), 401)
    for cursor in ("-1", "abc", "1.5", "9" * 40, "\u00b2".encode().decode("latin-1")):
        answer = refused(agent.ask("GET", "/api/stream", headers={"Last-Event-ID": cursor}), 400)
        assert [field["field"] for field in answer["fields"]] == ["Last-Event-ID"]
        refused(agent.ask("GET", "/api/stream", query={"lastEventId": cursor}), 400)


def test_a_readonly_key_may_read_the_stream(small: Served) -> None:
    admin, _ = clients(small)
    made = admin.made("POST", f"/api/orgs/{DEFAULT_ORG}/keys", {"role": "readonly"})
    with reading(admin.with_key(made["api_key"]["key"])) as stream:
        assert stream.greeting()["orgId"] == DEFAULT_ORG


def test_the_stream_of_a_revoked_key_ends_before_the_next_event(url: str) -> None:
    with served(url) as found:
        admin, agent = clients(found)
        made = admin.made("POST", f"/api/orgs/{DEFAULT_ORG}/keys", {"role": "member"})
        with reading(admin.with_key(made["api_key"]["key"])) as stream:
            stream.greeting()
            admin.made("DELETE", f"/api/orgs/{DEFAULT_ORG}/keys/{made['key']['id']}")
            acted(agent, 1)
            assert [frame.event for frame in stream.events(3) if frame.event != "key.revoked"] == []


def test_a_closed_reader_frees_its_place(small: Served) -> None:
    _, agent = clients(small)
    eventually(lambda: open_streams(small) == 0)
    with reading(agent) as first:
        first.greeting()
        with reading(agent) as second:
            second.greeting()
            assert open_streams(small) == 2
        eventually(lambda: open_streams(small) == 1)
        acted(agent, 1)
        assert len(first.events(2)) == 2
    eventually(lambda: open_streams(small) == 0)


def test_a_stream_ends_in_time(tmp_path: Path) -> None:
    path = str(tmp_path / "dashclaw.db")
    with served(path, stream_minutes=0) as found, reading(Http(found.url, found.agent_key)) as stream:
        stream.greeting()
        assert stream.frame() is None


def test_a_stream_ends_when_the_server_stops(tmp_path: Path) -> None:
    path = str(tmp_path / "dashclaw.db")
    with served(path) as found, reading(Http(found.url, found.agent_key)) as stream:
        stream.greeting()
        found.app.state.broadcast.close()
        assert stream.frame() is None
        eventually(lambda: open_streams(found) == 0)


def test_a_reader_that_does_not_read_costs_no_memory_and_misses_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "dashclaw.db")
    many, size = 1000, 50_000
    with served(path) as found:
        agent = Http(found.url, found.agent_key)
        with reading(agent) as slow, reading(agent) as quick:
            slow.greeting()
            quick.greeting()
            emit(path, many, {"filler": "x" * size})
            assert len(quick.events(many)) == many
            before = resident()
            for _ in range(2):
                emit(path, many, {"filler": "x" * size})
                assert len(quick.events(many)) == many
            # What the allocator keeps of the quick frames is noise; a copy for the slow reader would be all of it.
            assert resident() - before < 2 * many * size * 0.8
            acted(agent, 1)
            frames = slow.events(3 * many)
    assert [frame.data["number"] for frame in frames] == [*range(many)] * 3


def resident() -> int:
    """Bytes of memory that this process holds."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_the_stream_goes_on_when_postgresql_ends_its_connection(tmp_path: Path) -> None:
    name = f"stream_{uuid.uuid4().hex}"
    listening = f"FROM pg_stat_activity WHERE query = 'LISTEN dashclaw' AND application_name = '{name}'"
    with (
        database("postgresql", tmp_path) as url,
        served(f"{url}&application_name={name}", heartbeat_seconds=0.1) as found,
        psycopg.connect(POSTGRES, autocommit=True) as operator,
    ):
        agent = Http(found.url, found.agent_key)
        with reading(agent) as stream:
            stream.greeting()
            ended = eventually(
                lambda: operator.execute(f"SELECT pg_terminate_backend(pid), pid {listening}").fetchall()
            )
            assert len(ended) == 1
            acted(agent, 1)
            assert len(stream.events(2)) == 2
            again = eventually(
                lambda: operator.execute(f"SELECT true, pid {listening} AND pid <> {ended[0][1]}").fetchall()
            )
            assert len(again) == 1
            acted(agent, 1)
            assert len(stream.events(2)) == 2
