"""Calls of tools on the real CrewAI: in text and by the model's interface, synchronous and asynchronous."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import pytest
from crewai.hooks import HookAborted
from crewai.tools import BaseTool
from pydantic import PrivateAttr

from dashclaw import ConfigurationError, DashClaw
from dashclaw.integrations.crewai import DashClawCrewIntegration

from ..conftest import ToolLog, actions, broken_steps
from .scripted import KINDS, PATHS, WAYS, Call, Scripted, agent_of, crew_of, function_tool, model

TOO_OLD_TO_ABORT = version("crewai") == "1.15.3"
every_path = pytest.mark.parametrize("native", PATHS.values(), ids=PATHS)
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def body(log: ToolLog) -> Callable[[Any], str]:
    def append(to: Any) -> str:
        log.append(to)
        return f"done for {to}"

    return append


@pytest.fixture
def governed() -> Iterator[Callable[..., DashClawCrewIntegration]]:
    made: list[DashClawCrewIntegration] = []

    def integration(claw: Any, **options: Any) -> DashClawCrewIntegration:
        made.append(DashClawCrewIntegration(claw, **options))
        return made[-1]

    yield integration
    for found in made:
        found.close()


Governed = Callable[..., DashClawCrewIntegration]


def go(
    integration: DashClawCrewIntegration, native: bool, way: Callable[..., Any], tool: BaseTool, **arguments: Any
) -> tuple[Any, Scripted]:
    llm = model(native, Call(tool.name, **(arguments or {"to": "ann"})), "all done")
    crew = integration.instrument_crew(crew_of(agent_of(llm, tool)))
    return way(crew), llm


def tool_rows(claw: DashClaw) -> list[dict[str, Any]]:
    return [row for row in actions(claw) if row["action_type"] not in ("crew.run", "crew.task", "llm.call")]


@every_kind
@every_way
@every_path
def test_an_allowed_call_runs_once_and_is_recorded(
    claw: DashClaw, log: ToolLog, governed: Governed, native: bool, way: Callable[..., Any], kind: Callable[..., Any]
) -> None:
    output, llm = go(governed(claw), native, way, kind("read_mail", body(log)))
    assert output.raw == "all done"
    log.once("ann")
    assert "done for ann" in llm.told
    (row,) = tool_rows(claw)
    assert (row["action_type"], row["status"], row["output_summary"]) == ("read_mail", "completed", "done for ann")
    assert (row["input_summary"], row["agent_name"]) == ('{"to": "ann"}', "worker")
    assert row["metadata"]["framework"] == "crewai"


@every_kind
@every_way
@every_path
def test_a_blocked_call_never_runs_and_the_model_sees_why(
    claw: DashClaw, log: ToolLog, governed: Governed, native: bool, way: Callable[..., Any], kind: Callable[..., Any]
) -> None:
    output, llm = go(governed(claw), native, way, kind("drop_mail", body(log)))
    assert output.raw == "all done"
    log.once()
    assert "NOT run" in llm.told
    assert "No drops" in llm.told
    assert [row["status"] for row in tool_rows(claw)] == ["blocked"]


@every_way
@every_path
def test_an_approval_is_waited_for_and_then_the_call_runs_once(
    waiting: DashClaw,
    answering: Callable[..., Any],
    log: ToolLog,
    governed: Governed,
    native: bool,
    way: Callable[..., Any],
) -> None:
    seen: list[int] = []
    answering("allow", seen=lambda: seen.append(len(log)))
    go(governed(waiting), native, way, function_tool("send_mail", body(log)))
    assert seen == [0]
    log.once("ann")
    (row,) = tool_rows(waiting)
    assert (row["status"], row["approval"]["status"]) == ("completed", "approved")


@every_way
@every_path
def test_a_denied_call_never_runs(
    waiting: DashClaw,
    answering: Callable[..., Any],
    log: ToolLog,
    governed: Governed,
    native: bool,
    way: Callable[..., Any],
) -> None:
    answering("deny")
    _, llm = go(governed(waiting), native, way, function_tool("send_mail", body(log)))
    log.once()
    assert "as the test says" in llm.told


@every_way
@every_path
def test_without_a_server_nothing_runs_unless_the_user_chose_so(
    unreachable: Callable[[str], DashClaw],
    log: ToolLog,
    governed: Governed,
    native: bool,
    way: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    closed = governed(unreachable("closed"))
    _, llm = go(closed, native, way, function_tool("read_mail", body(log)))
    closed.close()
    log.once()
    assert "NOT run" in llm.told
    with caplog.at_level(logging.WARNING, "dashclaw"):
        go(governed(unreachable("open")), native, way, function_tool("read_mail", body(log)))
    log.once("ann")
    assert 'guard_failure is "open"' in caplog.text


@every_path
@pytest.mark.parametrize("step", broken_steps("enforce"))
def test_a_mistake_of_ours_never_lets_a_call_run(
    claw: DashClaw, log: ToolLog, governed: Governed, breaking: Callable[[str], None], native: bool, step: str
) -> None:
    integration = governed(claw)
    breaking(step)
    output, llm = go(integration, native, WAYS["kickoff"], function_tool("read_mail", body(log)))
    assert output.raw == "all done"
    # What is only awaited in other frameworks is not on the way of this one.
    log.once(*(["ann"] if step == "Governor.astart" else []))
    if step != "Governor.astart":
        assert "NOT run" in llm.told


@every_path
@pytest.mark.parametrize("step", broken_steps("observe"))
def test_a_mistake_of_ours_never_breaks_the_host_in_observe_mode(
    claw: DashClaw, log: ToolLog, governed: Governed, breaking: Callable[[str], None], native: bool, step: str
) -> None:
    integration = governed(claw, mode="observe")
    breaking(step)
    output, _ = go(integration, native, WAYS["kickoff"], function_tool("drop_mail", body(log)))
    assert output.raw == "all done"
    log.once("ann")


OURS = [
    "DashClawCrewIntegration._governs",
    "DashClawCrewIntegration._opened",
    "ToolRuns.open",
    "ToolRuns.remember",
    "ToolRuns._admit",
    "Held.__init__",
    "tools_of",
]


@every_path
@pytest.mark.parametrize("mode", ["enforce", "observe"])
@pytest.mark.parametrize("step", OURS)
def test_a_mistake_of_the_adapter_has_the_same_effect(
    claw: DashClaw,
    log: ToolLog,
    governed: Governed,
    monkeypatch: pytest.MonkeyPatch,
    native: bool,
    mode: str,
    step: str,
) -> None:
    from dashclaw.integrations import crewai as adapter

    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a mistake of ours")

    integration = governed(claw, mode=mode)
    holder, _, name = step.rpartition(".")
    monkeypatch.setattr(getattr(adapter, holder) if holder else adapter, name, fail)
    output, _ = go(integration, native, WAYS["kickoff"], function_tool("read_mail", body(log)))
    assert output.raw == "all done"
    log.once(*(["ann"] if mode == "observe" else []))


@every_path
def test_observing_stops_nothing(
    claw: DashClaw, log: ToolLog, governed: Governed, native: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "dashclaw"):
        go(governed(claw, mode="observe"), native, WAYS["kickoff"], function_tool("drop_mail", body(log)))
    log.once("ann")
    assert "only observed" in caplog.text


@every_way
@every_path
def test_raising_ends_the_crew(
    claw: DashClaw, log: ToolLog, governed: Governed, native: bool, way: Callable[..., Any]
) -> None:
    if TOO_OLD_TO_ABORT:
        with pytest.raises(ConfigurationError, match=r"crewai 1\.15\.30 or newer"):
            governed(claw, on_block="raise")
        return
    with pytest.raises(HookAborted, match="No drops"):
        go(governed(claw, on_block="raise"), native, way, function_tool("drop_mail", body(log)))
    log.once()


@every_way
@every_path
def test_a_failing_tool_is_decided_about_for_each_run_that_crewai_makes_of_it(
    claw: DashClaw, log: ToolLog, governed: Governed, native: bool, way: Callable[..., Any]
) -> None:
    def fails(to: str) -> str:
        log.append(to)
        raise LookupError(f"nobody is called {to}")

    output, llm = go(governed(claw), native, way, function_tool("read_mail", fails))
    assert output.raw == "all done"
    assert "nobody is called ann" in llm.told
    rows = tool_rows(claw)
    assert len(rows) == len(log) >= 1
    assert {(row["status"], row["error_message"]) for row in rows} == {("failed", "LookupError: nobody is called ann")}


@every_way
@every_path
def test_an_approved_call_that_fails_does_not_run_again(
    waiting: DashClaw,
    answering: Callable[..., Any],
    log: ToolLog,
    governed: Governed,
    native: bool,
    way: Callable[..., Any],
) -> None:
    def fails(to: str) -> str:
        log.append(to)
        raise LookupError(f"nobody is called {to}")

    answering("allow")
    _, llm = go(governed(waiting), native, way, function_tool("send_mail", fails))
    log.once("ann")
    assert "nobody is called ann" in llm.told
    assert [row["status"] for row in tool_rows(waiting)] == ["failed"]


@every_path
def test_arguments_that_a_later_hook_changes_are_decided_about(
    claw: DashClaw, log: ToolLog, governed: Governed, native: bool
) -> None:
    from crewai.hooks import register_before_tool_call_hook
    from crewai.hooks.tool_hooks import unregister_before_tool_call_hook

    def change(ctx: Any) -> None:
        ctx.tool_input["to"] = "bob"

    asked: list[Any] = []
    integration = governed(claw, action_type=lambda call: asked.append(dict(call.arguments)) or "read_mail")
    llm = model(native, Call("read_mail", to="ann"), "all done")
    crew = integration.instrument_crew(crew_of(agent_of(llm, function_tool("read_mail", body(log)))))
    register_before_tool_call_hook(change)
    try:
        crew.kickoff()
    finally:
        unregister_before_tool_call_hook(change)
    log.once("bob")
    assert asked == [{"to": "ann"}, {"to": "bob"}]
    assert [row["status"] for row in tool_rows(claw)] == ["cancelled", "completed"]


@every_path
def test_what_another_hook_stops_is_not_recorded_as_done(
    claw: DashClaw, log: ToolLog, governed: Governed, native: bool
) -> None:
    from crewai.hooks import register_before_tool_call_hook
    from crewai.hooks.tool_hooks import unregister_before_tool_call_hook

    def stop(ctx: Any) -> bool:
        return False

    llm = model(native, Call("read_mail", to="ann"), "all done")
    crew = governed(claw).instrument_crew(crew_of(agent_of(llm, function_tool("read_mail", body(log)))))
    register_before_tool_call_hook(stop)
    try:
        crew.kickoff()
    finally:
        unregister_before_tool_call_hook(stop)
    log.once()
    assert [row["status"] for row in tool_rows(claw)] == ["cancelled"]


@every_way
def test_an_asynchronous_tool_runs_once(
    claw: DashClaw, log: ToolLog, governed: Governed, way: Callable[..., Any]
) -> None:
    go(governed(claw), False, way, function_tool("read_mail", body(log), asynchronous=True))
    log.once("ann")
    assert [(row["status"], row["output_summary"]) for row in tool_rows(claw)] == [("completed", "done for ann")]


def test_parallel_calls_do_not_mix(claw: DashClaw, log: ToolLog, governed: Governed) -> None:
    names = [f"person{number}" for number in range(6)]
    answer = [Call("drop_mail" if number % 2 else "read_mail", to=name) for number, name in enumerate(names)]
    llm = model(True, answer, "all done")
    tools = (function_tool("read_mail", body(log)), function_tool("drop_mail", body(log)))
    governed(claw).instrument_crew(crew_of(agent_of(llm, *tools))).kickoff()
    assert sorted(log) == names[::2]
    rows = tool_rows(claw)
    done = {(row["input_summary"], row["output_summary"]) for row in rows if row["status"] == "completed"}
    assert done == {(f'{{"to": "{name}"}}', f"done for {name}") for name in names[::2]}
    assert sum(row["status"] == "blocked" for row in rows) == 3


@every_path
def test_a_crew_that_streams_is_governed(claw: DashClaw, log: ToolLog, governed: Governed, native: bool) -> None:
    llm = model(native, Call("read_mail", to="ann"), Call("drop_mail", to="ann"), "all done")
    tools = (function_tool("read_mail", body(log)), function_tool("drop_mail", body(log)))
    crew = governed(claw).instrument_crew(crew_of(agent_of(llm, *tools), stream=True))
    streaming = crew.kickoff()
    list(streaming)
    assert streaming.result.raw == "all done"
    log.once("ann")
    assert [row["status"] for row in tool_rows(claw)] == ["completed", "blocked"]


def test_crewai_runs_a_failing_tool_of_a_text_again_by_itself(log: ToolLog) -> None:
    """Why an approval must not cover more than one run: nobody asked for the others."""

    def fails(to: str) -> str:
        log.append(to)
        raise LookupError("no")

    crew_of(
        agent_of(model(False, Call("read_mail", to="ann"), "all done"), function_tool("read_mail", fails))
    ).kickoff()
    log.once(*["ann"] * 6)


class OwnRun(BaseTool):
    """A tool whose `run` is the user's: CrewAI calls it without any body that the integration knows."""

    name: str = "read_mail"
    description: str = "Do it."
    _body: Any = PrivateAttr(default=None)

    def run(self, to: str) -> str:
        return str(self._body(to))

    def _run(self, to: str) -> str:
        return self.run(to)


@every_path
def test_a_tool_with_a_run_of_its_own_is_governed(
    claw: DashClaw, log: ToolLog, governed: Governed, native: bool
) -> None:
    def once(to: str) -> str:
        log.append(to)
        if to == "bob":
            raise LookupError(f"nobody is called {to}")
        return f"done for {to}"

    tools = [OwnRun(), OwnRun(name="drop_mail")]
    for tool in tools:
        tool._body = once
    steps = [Call(name, to=to) for name, to in (("read_mail", "ann"), ("drop_mail", "ann"), ("read_mail", "bob"))]
    governed(claw).instrument_crew(crew_of(agent_of(model(native, *steps, "all done"), *tools))).kickoff()
    rows = tool_rows(claw)
    assert list(log) == ["ann", *["bob"] * (len(rows) - 2)]
    assert [row["status"] for row in rows] == ["completed", "blocked", *["failed"] * (len(rows) - 2)]
    assert rows[0]["output_summary"] == "done for ann"
    assert "nobody is called bob" in rows[-1]["error_message"]


def test_a_tool_that_is_not_there_is_not_recorded_as_done(claw: DashClaw, log: ToolLog, governed: Governed) -> None:
    llm = model(True, Call("make_mail", to="ann"), "all done")
    governed(claw).instrument_crew(crew_of(agent_of(llm, function_tool("read_mail", body(log))))).kickoff()
    assert [(row["action_type"], row["status"]) for row in tool_rows(claw)] == [("make_mail", "cancelled")]
