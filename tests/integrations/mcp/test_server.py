"""Servers of the package mcp whose tools are governed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from dashclaw import AsyncDashClaw, ConfigurationError, DashClaw
from dashclaw.integrations.mcp import govern_server
from dashclaw.local import LocalTransport

from ..conftest import ToolLog, actions, broken_steps
from .speaking import NEW, Said, named, talk


def demo(log: ToolLog) -> Any:
    server = named("demo")

    @server.tool()
    def drop_table(table: str) -> str:
        log.append(f"drop {table}")
        return "gone"

    @server.tool()
    async def read_table(table: str) -> str:
        log.append(f"read {table}")
        await asyncio.sleep(0)
        return f"rows of {table}"

    @server.tool()
    def send_mail(to: str) -> str:
        log.append(f"mail {to}")
        return f"sent to {to}"

    @server.tool()
    def fail(why: str) -> str:
        log.append(f"fail {why}")
        raise ValueError(why)

    return server


def said(server: Any, tool: str, **arguments: Any) -> Said:
    async def ask() -> Said:
        async with talk(server) as client:
            return await client.call(tool, **arguments)

    return asyncio.run(ask())


def test_an_allowed_call_runs_once_and_is_recorded(claw: DashClaw, log: ToolLog) -> None:
    assert said(govern_server(demo(log), claw), "read_table", table="a") == Said(False, "rows of a")
    log.once("read a")
    (row,) = actions(claw)
    assert (row["action_type"], row["status"], row["output_summary"]) == ("read_table", "completed", "rows of a")
    assert row["input_summary"] == '{"table": "a"}'


def test_a_blocked_call_never_runs_and_the_model_sees_why(claw: DashClaw, log: ToolLog) -> None:
    told = said(govern_server(demo(log), claw), "drop_table", table="a")
    assert told.failed
    assert "NOT run" in told.text
    assert "No drops" in told.text
    log.once()
    assert [row["status"] for row in actions(claw)] == ["blocked"]


def test_a_blocked_call_can_be_a_protocol_error(claw: DashClaw, log: ToolLog) -> None:
    async def ask() -> Any:
        async with talk(govern_server(demo(log), claw, on_block="raise")) as client:
            with pytest.raises(Exception, match="No drops") as caught:
                await client.call("drop_table", table="a")
            return caught.value

    error = asyncio.run(ask())
    assert (error.code if NEW else error.error.code) == -32001
    log.once()


def test_a_call_waits_for_a_person_and_then_runs_once(
    waiting: DashClaw, log: ToolLog, answering: Callable[..., Any]
) -> None:
    answering("allow", seen=log.once)
    assert said(govern_server(demo(log), waiting), "send_mail", to="a") == Said(False, "sent to a")
    log.once("mail a")
    assert [row["status"] for row in actions(waiting)] == ["completed"]


def test_a_denied_call_never_runs(waiting: DashClaw, log: ToolLog, answering: Callable[..., Any]) -> None:
    answering("deny")
    told = said(govern_server(demo(log), waiting), "send_mail", to="a")
    assert told.failed
    assert "denied" in told.text
    log.once()


def test_a_server_of_ours_that_is_away_stops_calls_unless_it_may_not(
    unreachable: Callable[[str], DashClaw], log: ToolLog, caplog: pytest.LogCaptureFixture
) -> None:
    assert "NOT run" in said(govern_server(demo(log), unreachable("closed")), "read_table", table="a").text
    log.once()
    with caplog.at_level(logging.WARNING, "dashclaw"):
        assert not said(govern_server(demo(log), unreachable("open")), "read_table", table="a").failed
    log.once("read a")
    assert 'guard_failure is "open"' in caplog.text


# Servers ask off the event loop.
@pytest.mark.parametrize("step", [step for step in broken_steps("enforce") if step != "Governor.start"])
def test_a_mistake_of_ours_never_lets_a_call_run(
    claw: DashClaw, log: ToolLog, step: str, breaking: Callable[[str], None]
) -> None:
    server = govern_server(demo(log), claw)
    breaking(step)
    assert said(server, "read_table", table="a").failed
    log.once()


@pytest.mark.parametrize("step", [*broken_steps("observe"), "Governor.astart", "Governor.afinish"])
def test_a_mistake_of_ours_never_stops_what_is_only_observed(
    claw: DashClaw, log: ToolLog, step: str, breaking: Callable[[str], None]
) -> None:
    server = govern_server(demo(log), claw, mode="observe")
    breaking(step)
    assert said(server, "drop_table", table="a") == Said(False, "gone")
    log.once("drop a")


def test_observing_stops_nothing_and_records(claw: DashClaw, log: ToolLog) -> None:
    assert not said(govern_server(demo(log), claw, mode="observe"), "drop_table", table="a").failed
    log.once("drop a")
    assert [row["status"] for row in actions(claw)] == ["blocked"]


def test_a_tool_that_fails_is_recorded_as_failed_and_says_what_it_said(claw: DashClaw, log: ToolLog) -> None:
    plain = said(demo(log), "fail", why="no such table")
    assert said(govern_server(demo(log), claw), "fail", why="no such table") == plain
    assert [row["status"] for row in actions(claw)] == ["failed"]


def test_calls_at_the_same_time_do_not_mix(claw: DashClaw, log: ToolLog) -> None:
    server = govern_server(demo(log), claw)

    async def ask() -> list[Said]:
        async with talk(server) as client:
            tools = ["read_table" if turn % 3 else "drop_table" for turn in range(12)]
            return await asyncio.gather(*(client.call(tool, table=str(turn)) for turn, tool in enumerate(tools)))

    for turn, told in enumerate(asyncio.run(ask())):
        assert ("No drops" in told.text) if turn % 3 == 0 else (told.text == f"rows of {turn}")
    assert sorted(log) == sorted(f"read {turn}" for turn in range(12) if turn % 3)
    assert all(
        row["output_summary"] == f"rows of {row['input_summary'][11:-2]}"
        for row in actions(claw)
        if row["status"] == "completed"
    )


def test_an_asynchronous_client_governs_as_well(database: Any, log: ToolLog) -> None:
    async def ask() -> tuple[Said, Said]:
        transport = LocalTransport.open(database, agent_id="agent")
        claw = AsyncDashClaw(agent_id="agent", transport=transport)
        async with claw, talk(govern_server(demo(log), claw)) as client:
            return await client.call("drop_table", table="a"), await client.call("read_table", table="a")

    blocked, allowed = asyncio.run(ask())
    assert (blocked.failed, allowed) == (True, Said(False, "rows of a"))
    log.once("read a")


@pytest.mark.skipif(NEW, reason="middleware does not depend on what is registered when")
def test_a_low_level_server_is_governed_also_where_its_tools_come_later(claw: DashClaw, log: ToolLog) -> None:
    from mcp.server.lowlevel import Server
    from mcp.types import TextContent, Tool

    server: Any = govern_server(Server("low"), claw)

    @server.list_tools()
    async def tools() -> list[Tool]:
        return [Tool(name="drop_table", inputSchema={"type": "object"})]

    @server.call_tool()
    async def call(name: str, arguments: dict[str, Any]) -> list[TextContent]:
        log.append(name)
        return [TextContent(type="text", text="gone")]

    assert "No drops" in said(server, "drop_table").text
    log.once()


def test_what_is_no_server_and_a_second_time_are_refused(claw: DashClaw, log: ToolLog) -> None:
    with pytest.raises(ConfigurationError, match="no server"):
        govern_server(object(), claw)
    server = govern_server(demo(log), claw)
    with pytest.raises(ConfigurationError, match="already"):
        govern_server(server, claw)
