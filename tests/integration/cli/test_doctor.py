"""`dashclaw doctor`: each thing that may be wrong is found, said with a remedy, and mended where that is safe."""

from __future__ import annotations

import re
import shutil
import socket
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from dashclaw import DashClaw
from dashclaw.cli.doctor.database import CHECK_SECONDS, _integrity
from dashclaw.cli.doctor.environment import known
from dashclaw.runtime.settings import variable

from ..databases import database
from .conftest import Place, Run
from .terminals import program

DOCS = Path(__file__).parents[3] / "docs"


def findings(place: Place, *words: str, code: int | None = None) -> dict[str, dict[str, Any]]:
    """What is found that is not well, by the check; the last one of each."""
    shown = place.run("doctor", "--json", *words)
    rows = shown.document
    assert all(row["what"] for row in rows)
    wrong = {row["check"]: row for row in rows if row["level"] != "ok"}
    assert [row for row in wrong.values() if row["level"] in ("warning", "error") and not row["todo"]] == []
    levels = {row["level"] for row in rows}
    expected = 2 if "error" in levels else 1 if "warning" in levels else 0
    assert shown.code == expected if code is None else code == shown.code
    return wrong


def execute(place: Place, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(place.words[1])) as connection, connection:
        connection.execute(statement, values)


def test_a_healthy_place_has_nothing_wrong(place: Place) -> None:
    assert findings(place, code=0) == {}
    shown = place.run("doctor")
    assert shown.code == 0
    assert "0 errors, 0 warnings, 0 notes" in shown.out
    assert shown.err == ""


def test_without_a_place_the_installation_is_examined(run: Run) -> None:
    shown = run("doctor")
    assert shown.code == 0
    assert re.search(r"^ok +python ", shown.out)
    assert "not checked: say --db or --url" in shown.out


def test_a_database_that_is_not_there(run: Run, tmp_path: Path) -> None:
    shown = run("doctor", "--db", str(tmp_path / "missing.db"))
    assert shown.code == 2
    assert "There is no database" in shown.out
    assert not (tmp_path / "missing.db").exists()


def test_a_file_that_is_none_and_one_that_is_empty(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, but long enough to look at" * 10)
    assert "file is not a database" in run("doctor", "--db", str(tmp_path / "text.db")).out
    (tmp_path / "empty.db").touch(0o600)
    shown = run("doctor", "--db", str(tmp_path / "empty.db"))
    assert (shown.code, "holds no DashClaw tables" in shown.out) == (2, True)
    assert (tmp_path / "empty.db").stat().st_size == 0


def test_a_damaged_file(embedded: Place, run: Run, tmp_path: Path) -> None:
    for number in range(30):
        embedded.done(f"Goal {number}")
    assert embedded.run("db", "backup", str(tmp_path / "copy.db")).code == 0
    data = bytearray((tmp_path / "copy.db").read_bytes())
    pages = len(data) // 4096
    for page in range(pages - 6, pages):
        data[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    (tmp_path / "copy.db").write_bytes(data)
    shown = run("doctor", "--db", str(tmp_path / "copy.db"))
    assert (shown.code, "the file is damaged" in shown.out) == (2, True)


def test_the_check_of_a_large_file_is_bounded(embedded: Place) -> None:
    for number in range(20):
        embedded.done(f"Goal {number}")
    assert CHECK_SECONDS <= 10
    with closing(sqlite3.connect(embedded.words[1])) as reader:
        [found] = _integrity(reader, 0.0)
        assert (found.level, "not finished" in found.what) == ("note", True)
        [found] = _integrity(reader)
        assert found.level == "ok"


def test_a_database_that_cannot_be_written(embedded: Place) -> None:
    with closing(sqlite3.connect(embedded.words[1], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        found = findings(embedded)
    assert "another process holds it" in found["database"]["what"]


def test_modes_are_found_and_mended_when_a_person_agrees(embedded: Place) -> None:
    path = Path(embedded.words[1])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600  # as it was made
    path.chmod(0o644)
    assert findings(embedded)["file modes"]["level"] == "warning"
    path.chmod(0o666)
    assert findings(embedded)["file modes"]["level"] == "error"
    shown = embedded.run("doctor", "--fix")
    assert (shown.code, "--yes does it without asking" in shown.err) == (2, True)
    with program("doctor", "--fix", *embedded.words, rows=60) as screen:
        screen.until("to 0600? [y/N]")
        screen.type("n\n")
        assert screen.ended() == 2
    with program("doctor", "--fix", *embedded.words, rows=60) as screen:
        screen.until("to 0600? [y/N]")
        screen.type("y\n")
        assert screen.ended() == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A database as an older release left it."""
    from alembic import command
    from alembic.config import Config

    import dashclaw.runtime.store.migrate as migrate
    from dashclaw.runtime.clock import utc_now
    from dashclaw.runtime.store.connect import database_url
    from dashclaw.runtime.store.engine import Store

    path = tmp_path / "old.db"
    store = Store(database_url(str(path)), utc_now, "normal")
    with store.engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.commit()
    store.close()
    return path


def test_a_schema_that_is_behind_is_not_touched_until_asked(old: Path, run: Run) -> None:
    shown = run("doctor", "--db", str(old))
    assert (shown.code, "has 0001" in shown.out, "records" in shown.out) == (1, True, True)
    mended = run("doctor", "--fix", "--yes", "--db", str(old))
    assert (mended.code, "the copy is" in mended.err) == (0, True)
    copy = old.with_name("old.db.schema-0001")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as reader:
        assert reader.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)


def test_a_schema_of_a_newer_release(embedded: Place) -> None:
    execute(embedded, "UPDATE alembic_version SET version_num = '9999'")
    found = findings(embedded)
    assert (found["schema"]["level"], "this release knows" in found["schema"]["what"]) == ("error", True)


def test_keys(embedded: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    member = embedded.run("keys", "create", "--role", "member", "--json").document["api_key"]
    assert "no operator's key" in findings(embedded)["keys"]["what"]
    embedded.run("keys", "create", "--role", "admin")
    assert findings(embedded, code=0) == {}
    execute(embedded, "UPDATE api_keys SET created_at = '2020-01-01T00:00:00.000000Z' WHERE id = ?", member["id"])
    assert "was not used for" in findings(embedded)["keys"]["what"]
    embedded.run("keys", "revoke", member["id"])
    monkeypatch.setenv("DASHCLAW_API_KEY", member["key"])
    assert "which was revoked" in findings(embedded)["keys"]["what"]


def test_policies_that_do_nothing_or_stop_everything(place: Place) -> None:
    words = place.words
    url = {"--db": lambda: DashClaw.local(words[1], operator=True), "--url": lambda: DashClaw(words[1], words[3])}
    place.done()
    with url[words[0]]() as operator:

        def add(name: str, kind: str, agents: list[str] | None = None, **rules: Any) -> None:
            body = {"name": name, "policy_type": kind, "rules": rules, "agent_ids": agents or []}
            operator.request("POST", "/api/policies", body=body)

        add("Stop", "block_action_type", action_types=["deploy*"])
        add("Late", "warn_action_type", action_types=["deploy.prod"])
        add("Nobody", "rate_limit", ["no-such-agent"])
        add("All", "agent_allowlist", allowed_action_types=["*"])
        add("Silent", "risk_threshold", threshold=10, action="allow")
    shown = place.run("doctor")
    assert shown.code == 1
    for text in (
        "Late changes nothing",
        "Whenever it fires, Stop fires as well and decides block",
        "Nobody is for agents that were never seen: no-such-agent",
        "All can never fire",
        "Silent changes nothing",
        "Late names deploy.prod, of which no action was recorded yet",
    ):
        assert text in shown.out, text


def test_a_policy_that_cannot_be_read_and_a_check_that_cannot_be_asked(embedded: Place) -> None:
    with DashClaw.local(embedded.words[1], operator=True) as operator:
        rules = {"instruction": "No weekends"}
        operator.request(
            "POST", "/api/policies", body={"name": "Model", "policy_type": "semantic_check", "rules": rules}
        )
    assert "no endpoint is configured" in findings(embedded)["policies"]["what"]
    embedded.agent.guard({"action_type": "research"})
    assert "makeshifts: Model" in findings(embedded)["decisions"]["what"]
    execute(embedded, "UPDATE policies SET rules = '{\"threshold\": \"high\"}' WHERE policy_type = 'risk_threshold'")
    shown = embedded.run("doctor")
    assert (shown.code, "High risk needs approval cannot be read" in shown.out) == (2, True)


def test_agents_that_are_lost_and_webhooks_that_fail(embedded: Place) -> None:
    embedded.agent.heartbeat()
    long_ago = (datetime.now(timezone.utc) - timedelta(days=40)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    execute(embedded, "UPDATE agents SET last_heartbeat_at = ?", long_ago)
    assert "agent-1 was not seen for 40 days" in findings(embedded, code=0)["agents"]["what"]
    hook = embedded.agent.create_webhook("https://hooks.example.com/x")["webhook"]
    execute(embedded, "UPDATE webhooks SET failure_count = 3")
    assert "fails, 3 times in a row" in findings(embedded)["webhooks"]["what"]
    execute(embedded, "UPDATE webhooks SET disabled_at = ?, disabled_reason = 'too often'", long_ago)
    assert findings(embedded)["webhooks"]["what"] == f"{hook['id']} was switched off: too often"


def test_events_that_nobody_linked_are_linked_when_asked_to(embedded: Place) -> None:
    embedded.done()
    embedded.agent.close()
    execute(embedded, "DELETE FROM evidence_entries")
    execute(embedded, "DELETE FROM evidence_heads")
    found = findings(embedded)["evidence"]
    assert ("not in the chain" in found["what"], found["mendable"]) == (True, True)
    assert embedded.run("doctor", "--fix", "--yes").code == 0


def test_a_lost_evidence_key(embedded: Place) -> None:
    assert embedded.run("evidence", "checkpoint").code == 0
    key = Path(f"{embedded.words[1]}.evidence-key.pem")
    assert findings(embedded, code=0) == {}
    key.chmod(0o640)
    assert str(key) in findings(embedded)["file modes"]["what"]
    key.unlink()
    assert "is missing, although checkpoints were signed" in findings(embedded)["evidence key"]["what"]


def test_the_kill_switch(embedded: Place) -> None:
    with DashClaw.local(embedded.words[1], operator=True) as operator:
        operator.request("PATCH", "/api/orgs/org_default", body={"kill_switch": True})
    assert findings(embedded)["kill switch"]["level"] == "warning"


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        (
            {"DASHCLAW_DB": "a.db", "DASHCLAW_DATABASE_URL": "b.db"},
            "DASHCLAW_DATABASE_URL and DASHCLAW_DB name different",
        ),
        ({"DASHCLAW_GUARD_MOD": "enforce"}, "DASHCLAW_GUARD_MOD is unknown"),
        ({"DASHCLAW_GUARD_MODE": "strict"}, "guard_mode is one of"),
        ({"DASHCLAW_APPROVAL_SECONDS": "soon"}, "DASHCLAW_APPROVAL_SECONDS"),
        ({"DASHCLAW_PORT": "many"}, "DASHCLAW_PORT must be a whole number"),
        ({"DASHCLAW_HOST": "0.0.0.0"}, "DASHCLAW_ADMIN_KEY is not set"),
    ],
)
def test_variables(embedded: Place, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], text: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    shown = embedded.run("doctor")
    assert shown.code > 0
    assert text in shown.out
    assert "why: " in shown.out


def test_every_documented_variable_is_known() -> None:
    documented = set(re.findall(r"`(DASHCLAW_[A-Z_]*[A-Z])`", (DOCS / "configuration.md").read_text()))
    assert documented - known() == set()
    assert variable("decision_days") in known()


def test_a_server_that_is_away_or_does_not_know_the_key(remote: Place, run: Run) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = run("doctor", "--url", f"http://127.0.0.1:{nobody.getsockname()[1]}", "--api-key", "k" * 20)
    assert (away.code, "Start it: dashclaw serve" in away.out) == (2, True)
    refused = run("doctor", *remote.words[:2], "--api-key", "a-key-of-somebody-else")
    assert (refused.code, "does not know the key" in refused.out) == (2, True)
    member = run(
        "doctor", *remote.words[:2], "--api-key", str(remote.run("keys", "create", "--json").document["api_key"]["key"])
    )
    assert (member.code, "that takes an operator's key" in member.out) == (0, True)


@pytest.fixture
def odd_server() -> Iterator[str]:
    """A server of another release whose clock is wrong."""

    class Odd(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"status": "ok", "version": "9.1.0", "database": "sqlite", "time": "2020-01-01T00:00:00Z"}'
            self.send_response(200 if self.path == "/api/health" else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Odd) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_another_release_and_another_time(odd_server: str, run: Run) -> None:
    shown = run("doctor", "--url", odd_server, "--api-key", "k" * 20)
    assert shown.code == 2
    assert re.search(r"WARNING +version +server 9.1.0, this client 0\.", shown.out)
    assert re.search(r"WARNING +clock +\d+ s apart from the server", shown.out)


def test_postgresql_is_examined_as_well(tmp_path: Path, run: Run) -> None:
    with database("postgresql", tmp_path) as url:
        empty = run("doctor", "--db", url)
        assert (empty.code, "holds no DashClaw tables" in empty.out) == (2, True)
        with DashClaw.local(url, agent_id="agent-1") as agent:
            place = Place(agent, run, ("--db", url))
            assert findings(place, code=0) == {}


def test_little_room(embedded: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    for free, level in ((100, "error"), (800, "warning")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage._replace(free=free * 2**20))
        assert findings(embedded)["disk"]["level"] == level
