"""The command line as a program: signals, pipes, terminals, and a server of its own."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from dashclaw import DashClaw

from ..serving import served

COMMAND = [sys.executable, "-m", "dashclaw"]
SECONDS = 30


@contextmanager
def started(*words: str, **more: object) -> Iterator[subprocess.Popen[str]]:
    """A command that runs until the block ends."""
    process = subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        **more,  # type: ignore[call-overload]
    )
    with process:
        deadline = threading.Timer(SECONDS, process.kill)
        deadline.start()
        try:
            yield process
        finally:
            deadline.cancel()
            deadline.join()
            process.kill()


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=SECONDS,
        check=False,
    )


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line on stdout; fails when none comes."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr and process.stderr.read()
    return line


def stopped(process: subprocess.Popen[str], signum: int) -> tuple[int, str]:
    """The exit code and the rest of stderr after a signal."""
    process.send_signal(signum)
    code = process.wait(timeout=SECONDS)
    assert process.stderr is not None
    return code, process.stderr.read()


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A database with one action that waits."""
    path = str(tmp_path / "dashclaw.db")
    with DashClaw.local(path, agent_id="agent-1") as agent:
        agent.create_action("deploy", "Ship it", status="pending")
    return path


def test_serve_prints_its_keys_once_and_both_work(tmp_path: Path) -> None:
    path = str(tmp_path / "served.db")
    with started("serve", "--port", "0", "--json", "--db", path) as process:
        first = json.loads(line_of(process))
        with DashClaw(first["url"], first["agent_key"], agent_id="agent-1") as agent:
            action_id = agent.create_action("deploy", "Ship", status="pending")["action_id"]
        decided = run("approvals", "approve", action_id, "--url", first["url"], DASHCLAW_API_KEY=first["admin_key"])
        assert decided.stdout == f"Approved {action_id}: Ship\n"
        assert stopped(process, signal.SIGINT) == (0, "")
    with started("serve", "--port", "0", "--json", "--db", path) as process:
        second = json.loads(line_of(process))
        assert (second["admin_key"], second["agent_key"]) == (None, None)
        with DashClaw(second["url"], first["agent_key"], agent_id="agent-1") as agent:
            assert agent.get_action(action_id)["action"]["approval"]["status"] == "approved"
        assert stopped(process, signal.SIGTERM) == (0, "")


def test_a_taken_port_is_told_and_costs_no_keys(tmp_path: Path) -> None:
    path = str(tmp_path / "served.db")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run("serve", "--port", str(port), "--db", path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"error: Cannot listen on 127.0.0.1:{port}: Address already in use; choose another with --host or --port\n"
    )
    with started("serve", "--port", "0", "--db", path) as process:
        lines = [line_of(process) for _ in range(4)]
        assert lines[0].startswith("DashClaw listens on http://127.0.0.1:")
        assert lines[1].startswith("The new database starts with the policies: High risk needs approval")
        assert lines[2].startswith("operator key (admin), shown only now: oc_live_")
        assert lines[3].startswith("agent key (member), shown only now:   oc_live_")


@pytest.mark.parametrize("way", ["embedded", "server"])
def test_watch_shows_what_comes_and_ends_with_130_when_it_is_interrupted(database: str, way: str) -> None:
    with ExitStack() as stack:
        words = ["--db", database]
        if way == "server":
            server = stack.enter_context(served(database))
            words = ["--url", server.url, "--api-key", server.admin_key]
        process = stack.enter_context(started("approvals", "watch", "--json", *words))
        assert json.loads(line_of(process))["status"] == "pending_approval"
        with DashClaw.local(database, agent_id="agent-2") as agent:
            action_id = agent.create_action("deploy", "Another", status="pending")["action_id"]
        assert json.loads(line_of(process))["action_id"] == action_id
        code, said = stopped(process, signal.SIGINT)
    assert code == 130
    assert said == "Watching for actions that wait for a person; Ctrl-C ends it.\n"


def test_a_reader_that_leaves_early_is_no_traceback(database: str) -> None:
    with started("actions", "list", "--json", "--db", database) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=SECONDS) == 1
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_full_disk_is_one_line(database: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "actions", "list", "--db", database],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "error: [Errno 28] No space left on device\n"


def test_a_terminal_gets_no_colour_from_results(database: str) -> None:
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [*COMMAND, "actions", "list", "--db", database],
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "NO_COLOR": "1", "TERM": "xterm-256color"},
            timeout=SECONDS,
            check=False,
        )
        shown = os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0
    assert b"ACTION ID" in shown
    assert b"\x1b" not in shown


def test_a_terminal_without_unicode_still_shows_everything(database: str) -> None:
    with DashClaw.local(database, agent_id="agent-1") as agent:
        agent.create_action("research", "Prüfe die Börse 東京")
    shown = run("actions", "list", "--db", database, PYTHONIOENCODING="ascii")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Pr\\xfcfe die B\\xf6rse \\u6771\\u4eac" in shown.stdout


def test_the_commands_need_no_server_framework(database: str) -> None:
    done = run("approvals", "list", "--db", database, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    assert "sqlalchemy" in done.stderr
    assert "fastapi" not in done.stderr
    assert "uvicorn" not in done.stderr
