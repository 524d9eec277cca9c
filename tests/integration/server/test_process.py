"""`dashclaw serve` as a process: its first start, its keys, how it stops."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dashclaw.server.run import Started, serve
from dashclaw.server.settings import ServerSettings

from .support import BODIES, Http, eventually, refused

ACTION = BODIES["create_action"]
ADMIN_KEY = "a-configured-key-of-an-operator"


class Process:
    """A server that runs; `said` is what it told at its start."""

    def __init__(self, database: Path | str, environment: dict[str, str]) -> None:
        self._child = subprocess.Popen(
            command("--db", str(database), "--port", "0", "--json"),
            env=bare(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        assert line, self.ended()
        self.said: dict[str, Any] = json.loads(line)
        self.http = Http(self.said["url"], self.said["agent_key"])

    def stop(self, how: int = signal.SIGTERM) -> None:
        """Send a signal; who wants to know the end asks `ended`."""
        self._child.send_signal(how)

    def refuses_connections(self) -> bool:
        with closing(self.http.connect()) as connection:
            try:
                connection.connect()
            except OSError:
                return True
            return False

    def ended(self) -> tuple[int, str, str]:
        """The exit code and what was said since the start."""
        out, err = self._child.communicate(timeout=30)
        return self._child.returncode, out, err

    def end(self) -> None:
        if self._child.poll() is None:
            self._child.kill()
        self._child.communicate(timeout=30)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dashclaw", "serve", *arguments]


def bare(environment: dict[str, str]) -> dict[str, str]:
    """The environment of this process without what would configure the server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DASHCLAW_")}
    return {**kept, **environment}


@contextmanager
def serving(database: Path | str, **environment: str) -> Iterator[Process]:
    found = Process(database, environment)
    try:
        yield found
    finally:
        found.end()


def begun(http: Http, verb: str, path: str, body: dict[str, Any]) -> tuple[http.client.HTTPConnection, bytes]:
    """A request of which the last half is not sent yet."""
    raw = json.dumps(body).encode()
    connection = http.connect()
    connection.putrequest(verb, path)
    connection.putheader("x-api-key", http.key or "")
    connection.putheader("Content-Length", str(len(raw)))
    connection.endheaders(raw[: len(raw) // 2])
    return connection, raw[len(raw) // 2 :]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_first_start_shows_two_keys_once_and_a_stop_is_clean(tmp_path: Path, how: int) -> None:
    database = tmp_path / "dashclaw.db"
    with serving(database) as first:
        admin, agent = first.http.with_key(first.said["admin_key"]), first.http
        assert admin.made("GET", "/api/orgs")["organizations"]
        refused(agent.ask("GET", "/api/orgs"), 403)
        assert first.said["policies"]
        made = agent.made("POST", "/api/actions", ACTION)["action_id"]
        first.stop(how)
        assert first.ended() == (0, "", "")
    with serving(database) as second:
        assert (second.said["admin_key"], second.said["agent_key"], second.said["policies"]) == (None, None, [])
        found = second.http.with_key(agent.key).made("GET", f"/api/actions/{made}")
        assert found["action"]["status"] == "running"


def test_with_a_configured_key_only_the_agents_key_is_shown(tmp_path: Path) -> None:
    with serving(tmp_path / "dashclaw.db", DASHCLAW_API_KEY=ADMIN_KEY) as found:
        assert found.said["admin_key"] is None
        assert ADMIN_KEY not in json.dumps(found.said)
        assert found.http.with_key(ADMIN_KEY).ask("GET", "/api/orgs").status == 200
        refused(found.http.ask("GET", "/api/orgs"), 403)


def test_without_a_configured_key_only_a_loopback_address_is_served(tmp_path: Path) -> None:
    asked = command("--db", str(tmp_path / "dashclaw.db"), "--port", "0", "--host", "0.0.0.0")
    found = subprocess.run(asked, env=bare({}), capture_output=True, text=True, timeout=60)
    assert found.returncode != 0
    assert "DASHCLAW_ADMIN_KEY" in found.stderr
    assert "Traceback" not in found.stderr
    assert not (tmp_path / "dashclaw.db").exists()


def test_a_stop_finishes_the_request_under_way(tmp_path: Path) -> None:
    database = tmp_path / "dashclaw.db"
    with serving(database) as found:
        connection, rest = begun(found.http, "POST", "/api/actions", ACTION)
        with closing(connection):
            # The server has read the head once it answers a later request.
            found.http.made("GET", "/api/health")
            found.stop()
            eventually(found.refuses_connections)
            connection.sock.sendall(rest)
            answer = connection.response_class(connection.sock, method="POST")
            answer.begin()
            body = json.loads(answer.read())
            answer.close()
        assert (answer.status, body["action"]["status"]) == (201, "running")
        assert found.ended() == (0, "", "")
    with closing(sqlite3.connect(database)) as stored:
        assert stored.execute("SELECT action_id FROM actions").fetchall() == [(body["action_id"],)]


def test_a_stop_waits_for_a_change_that_waits_for_the_database(tmp_path: Path) -> None:
    database = tmp_path / "dashclaw.db"
    with serving(database) as found:
        raw = json.dumps(ACTION).encode()
        connection = found.http.connect()
        with closing(connection), closing(sqlite3.connect(database, isolation_level=None)) as other:
            found.http.made("GET", "/api/actions")
            connection.request("GET", "/api/health")
            connection.getresponse().read()
            other.execute("BEGIN IMMEDIATE")
            connection.request("POST", "/api/actions", raw, {"x-api-key": found.http.key or ""})
            found.stop()
            other.execute("ROLLBACK")
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["action"]["status"]) == (201, "running")
        assert found.ended() == (0, "", "")


def test_a_stop_ends_open_streams_at_once(tmp_path: Path) -> None:
    with serving(tmp_path / "dashclaw.db") as found:
        connection = found.http.connect()
        with closing(connection):
            connection.request("GET", "/api/stream", headers={"x-api-key": found.http.key or ""})
            answer = connection.getresponse()
            assert answer.readline() == b"event: connected\n"
            found.stop()
            answer.read()
            answer.close()
        assert found.ended() == (0, "", "")


def test_what_was_answered_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    database = tmp_path / "dashclaw.db"
    with serving(database) as found:
        agent = found.http
        made = [agent.made("POST", "/api/actions", ACTION)["action_id"] for _ in range(20)]
        found.stop(signal.SIGKILL)
        found.ended()
    with serving(database) as again:
        listed = again.http.with_key(agent.key).made("GET", "/api/actions?limit=100")["actions"]
    assert {action["action_id"] for action in listed} == set(made)


def test_a_client_that_leaves_halfway_writes_nothing_and_is_no_fault(tmp_path: Path) -> None:
    with serving(tmp_path / "dashclaw.db") as found:
        for _ in range(3):
            connection, _ = begun(found.http, "POST", "/api/actions", ACTION)
            found.http.made("GET", "/api/health")
            connection.close()
        assert found.http.made("GET", "/api/actions")["total"] == 0
        found.stop()
        assert found.ended() == (0, "", "")


def test_a_signal_that_came_before_the_server_listens_to_signals_ends_it_at_once(tmp_path: Path) -> None:
    settings = ServerSettings.from_environment(port=0, database=str(tmp_path / "dashclaw.db"))
    told: list[Started] = []
    serve(settings, told.append, lambda: True)
    assert [started.agent_key is not None for started in told] == [True]
