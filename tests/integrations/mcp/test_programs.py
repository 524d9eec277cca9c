"""The proxy and our own server as programs, spoken with by the real client over stdio and HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dashclaw import DashClaw

from ..conftest import actions, eventually
from .speaking import Said, Speaker, run, visit

DEMO = str(Path(__file__).with_name("demo_server.py"))


@pytest.fixture
def ran(tmp_path: Path) -> Callable[[], list[str]]:
    """What the tools of the governed server did."""
    log = tmp_path / "ran.txt"
    return lambda: log.read_text().splitlines() if log.exists() else []


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as found:
        return found.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(port: int, *words: str) -> Iterator[None]:
    program = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: listens(port))
        yield
    finally:
        program.terminate()
        program.wait(20)


@pytest.fixture(params=["stdio", "http"])
def proxied(request: pytest.FixtureRequest, tmp_path: Path, database: Path) -> Iterator[Callable[..., Any]]:
    """Return how to reach the demo server through the proxy, with further options of the proxy."""
    log = str(tmp_path / "ran.txt")
    left: list[Any] = []

    def reach(*options: str, place: tuple[str, ...] = ("--db", str(database))) -> Any:
        words = ["-m", "dashclaw", "mcp", "proxy", *place, *options]
        if request.param == "stdio":
            return run(*words, "--", sys.executable, DEMO, log, env={"DASHCLAW_API_KEY": "secret"})
        upstream, port = free_port(), free_port()
        for context in (
            running(upstream, DEMO, log, str(upstream)),
            running(port, *words, "--to", f"http://127.0.0.1:{upstream}/mcp", "--listen", str(port)),
        ):
            context.__enter__()
            left.append(context)
        return visit(f"http://127.0.0.1:{port}/mcp")

    yield reach
    for context in reversed(left):
        context.__exit__(None, None, None)


def calls(reached: Any, *asked: tuple[str, dict[str, Any]]) -> list[Said]:
    async def ask() -> list[Said]:
        async with reached as client:
            return [await client.call(tool, **arguments) for tool, arguments in asked]

    return asyncio.run(ask())


def test_the_proxy_lets_allowed_calls_through_once_and_stops_the_others(
    proxied: Callable[..., Any], claw: DashClaw, ran: Callable[[], list[str]]
) -> None:
    allowed, blocked, failed = calls(
        proxied(), ("read_table", {"table": "a"}), ("drop_table", {"table": "a"}), ("fail", {"why": "no such"})
    )
    # The governed server has no key to the one that decides.
    assert allowed == Said(False, "keys: ")
    assert blocked.failed
    assert "No drops" in blocked.text
    assert failed.failed
    assert ran() == ["read a", "fail no such"]
    eventually(lambda: [row["status"] for row in actions(claw)] == ["completed", "blocked", "failed"])
    assert actions(claw)[0]["output_summary"] == "keys: "


def test_the_proxy_passes_everything_else_on(proxied: Callable[..., Any]) -> None:
    async def ask() -> list[str]:
        async with proxied() as client:
            found: list[str] = await client.tools()
            return found

    assert asyncio.run(ask()) == ["drop_table", "read_table", "send_mail", "fail", "die", "hang"]


def test_a_call_waits_at_the_proxy_for_a_person(
    proxied: Callable[..., Any], ran: Callable[[], list[str]], answering: Callable[..., Any]
) -> None:
    answering("allow", seen=lambda: ran() == [] or pytest.fail("it ran before it was approved"))
    (told,) = calls(proxied("--wait", "30"), ("send_mail", {"to": "a"}))
    assert told == Said(False, "sent to a")
    assert ran() == ["mail a"]


def test_without_a_wait_the_model_is_told_how_to_go_on_and_an_approval_counts_for_the_same_call(
    proxied: Callable[..., Any], claw: DashClaw, ran: Callable[[], list[str]]
) -> None:
    async def ask() -> None:
        async with proxied() as client:
            first = await client.call("send_mail", to="a")
            assert first.failed
            (waits,) = (row["action_id"] for row in claw.get_pending_approvals()["actions"])
            assert waits in first.text
            claw.approve_action(waits, "allow")
            assert (await client.call("send_mail", to="b")).failed
            assert await client.call("send_mail", to="a") == Said(False, "sent to a")

    asyncio.run(ask())
    assert ran() == ["mail a"]


def test_calls_through_the_proxy_at_the_same_time_do_not_mix(
    proxied: Callable[..., Any], ran: Callable[[], list[str]]
) -> None:
    async def ask() -> list[Said]:
        async with proxied() as client:
            speaker: Speaker = client
            return await asyncio.gather(
                *(speaker.call("drop_table" if turn % 2 else "send_mail", **_arguments(turn)) for turn in range(8))
            )

    def _arguments(turn: int) -> dict[str, str]:
        return {"table": str(turn)} if turn % 2 else {"to": str(turn)}

    told = asyncio.run(ask())
    assert all(answer.failed for answer in told)
    assert all(("No drops" in answer.text) == bool(turn % 2) for turn, answer in enumerate(told))
    assert ran() == []


def test_nothing_runs_where_nothing_can_be_decided_and_everything_where_it_is_only_observed(
    proxied: Callable[..., Any], ran: Callable[[], list[str]]
) -> None:
    away = ("--url", "http://127.0.0.1:9", "--api-key", "k")
    (told,) = calls(proxied(place=away), ("read_table", {"table": "a"}))
    assert told.failed
    assert "NOT run" in told.text
    (told,) = calls(proxied("--mode", "observe", place=away), ("drop_table", {"table": "a"}))
    assert told == Said(False, "gone")
    (told,) = calls(proxied("--mode", "observe"), ("drop_table", {"table": "b"}))
    assert told == Said(False, "gone")
    assert ran() == ["drop a", "drop b"]


@pytest.mark.parametrize("tool", ["die", "hang"])
def test_a_server_that_dies_or_hangs_is_an_error_for_the_client(proxied: Callable[..., Any], tool: str) -> None:
    # A busy machine takes seconds to start the server, which counts as well.
    async def ask() -> None:
        async with proxied("--timeout", "15") as client:
            with pytest.raises(Exception, match=r"The MCP server (ended|did not answer|gave no answer)"):
                await asyncio.wait_for(client.call(tool), 60)

    asyncio.run(ask())


def test_the_proxy_says_on_stderr_what_nobody_decided_about(database: Path, tmp_path: Path) -> None:
    words = ["-m", "dashclaw", "mcp", "proxy", "--url", "http://127.0.0.1:9", "--api-key", "k"]
    odd = [sys.executable, str(Path(__file__).with_name("odd_server.py")), str(tmp_path / "ran.txt")]
    done = subprocess.run(
        [sys.executable, *words, "--", *odd],
        input=b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_table"}}\n',
        env={**os.environ, "DASHCLAW_GUARD_FAILURE": "open"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert json.loads(done.stdout)["result"]["isError"] is False
    assert b'guard_failure is "open"' in done.stderr


def lines(words: list[str], *messages: Any) -> list[Any]:
    """What a proxy over stdio writes when a client says these lines and leaves."""
    said = b"".join(
        (message if isinstance(message, bytes) else json.dumps(message).encode()) + b"\n" for message in messages
    )
    done = subprocess.run([sys.executable, *words], input=said, capture_output=True, timeout=60, check=False)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_messages_that_could_be_read_in_two_ways_are_not_passed_on(database: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen.txt"
    echo = f"import sys; open({str(seen)!r}, 'wb').write(sys.stdin.buffer.read())"
    words = ["-m", "dashclaw", "mcp", "proxy", "--db", str(database), "--", sys.executable, "-c", echo]
    drop = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "drop_table", "arguments": {}}}
    answers = lines(
        words,
        b"not json",
        drop,
        [dict(drop, id=1), {"jsonrpc": "2.0", "id": 2, "method": "ping"}],
        b'{"jsonrpc":"2.0","id":3,"method":"ping","method":"tools/call","params":{"name":"drop_table"}}',
        dict(drop, id=4, params={"arguments": {}}),
        dict(drop, id=5, params={"name": "read_table", "arguments": "x"}),
    )
    assert [json.loads(line) for line in seen.read_text().splitlines()] == [
        {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    ]
    told = {str(answer["id"]): answer for answer in answers if answer["id"] is not None}
    assert sorted(told) == ["1", "2", "3", "4", "5"]
    assert told.pop("2")["error"]["message"] == "The MCP server ended (exit code 0) before it answered"
    assert all(answer["result"]["isError"] for answer in told.values())
    assert sorted(answer["error"]["code"] for answer in answers if answer["id"] is None) == [-32700, -32600]


def test_the_proxy_over_http_serves_no_page_of_another_site(database: Path) -> None:
    port = free_port()
    words = ["-m", "dashclaw", "mcp", "proxy", "--db", str(database)]
    with running(port, *words, "--to", "http://127.0.0.1:9/mcp", "--listen", str(port)):
        for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
            asked = urllib.request.Request(f"http://127.0.0.1:{port}/mcp", b"{}", headers)
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(asked)
            assert caught.value.code == 403
            caught.value.close()
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/mcp", b'{"method":"notifications/initialized"}')
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(asked)
        assert caught.value.code == 502
        caught.value.close()


@pytest.fixture(params=["stdio", "http"])
def own(request: pytest.FixtureRequest, database: Path) -> Iterator[Callable[..., Any]]:
    """Return how to reach our own server."""
    left: list[Any] = []

    def reach(*options: str) -> Any:
        words = ["-m", "dashclaw", "mcp", "serve", "--db", str(database), "--agent", "agent", *options]
        if request.param == "stdio":
            return run(*words)
        port = free_port()
        context = running(port, *words, "--listen", str(port))
        context.__enter__()
        left.append(context)
        return visit(f"http://127.0.0.1:{port}/mcp")

    yield reach
    for context in left:
        context.__exit__(None, None, None)


def test_an_agent_asks_records_waits_and_shows_evidence(own: Callable[..., Any], claw: DashClaw) -> None:
    async def ask() -> None:
        async with own() as client:
            assert "decide_approval" not in await client.tools()

            async def tell(tool: str, **arguments: Any) -> Any:
                return json.loads((await client.call(tool, **arguments)).text)

            assert (await tell("guard", action_type="drop_table"))["decision"] == "block"
            assert (await tell("guard", action_type="read"))["decision"] == "allow"
            blocked = await tell("record_action", action_type="drop_table", declared_goal="Drop it")
            assert blocked["decision"]["decision"] == "block"
            asked = await tell("record_action", action_type="send_mail", declared_goal="Write")
            waits = asked["action_id"]
            assert asked["decision"]["decision"] == "require_approval"
            assert (await tell("wait_for_approval", action_id=waits, seconds=0))["status"] == "pending"
            assert [row["action_id"] for row in (await tell("list_approvals"))["actions"]] == [waits]
            claw.approve_action(waits, "allow")
            assert (await tell("wait_for_approval", action_id=waits))["action"]["status"] in ("running", "approved")
            await tell("update_outcome", action_id=waits, status="completed", output_summary="sent")
            assert (await tell("get_evidence", action_id=waits))["action"]["output_summary"] == "sent"
            assert {row["name"] for row in (await tell("list_policies"))["policies"]} == {"No drops", "Mail is asked"}
            assert (await tell("get_evidence", action_id="act_none"))["status"] == 404
            assert len((await tell("list_actions", limit=1))["actions"]) == 1

    asyncio.run(ask())


def test_approving_has_to_be_asked_for(own: Callable[..., Any], claw: DashClaw) -> None:
    async def ask() -> None:
        async with own("--approving") as client:
            assert "decide_approval" in await client.tools()

    asyncio.run(ask())
