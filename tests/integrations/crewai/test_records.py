"""What is recorded of crews, whom an integration governs, and what it leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from crewai import Crew, Process, Task
from crewai.events.event_bus import crewai_event_bus
from crewai.events.types.llm_events import LLMCallCompletedEvent
from crewai.hooks.dispatch import InterceptionPoint, get_hooks

from dashclaw import ConfigurationError, DashClaw
from dashclaw.integrations.crewai import DashClawCrewIntegration

from ..conftest import ToolLog, actions
from .scripted import KINDS, PATHS, USAGE, WAYS, Call, agent_of, crew_of, function_tool, model

every_path = pytest.mark.parametrize("native", PATHS.values(), ids=PATHS)
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
DELEGATE = "delegate_work_to_coworker"


def keep(log: ToolLog) -> Callable[[Any], str]:
    def append(to: Any) -> str:
        log.append(to)
        return f"done for {to}"

    return append


def endless() -> list[Any]:
    """Return answers for many runs; copies of a model go on where it is."""
    return [Call("drop_mail", to="ann"), "all done"] * 10


def of(claw: DashClaw, *types: str) -> list[dict[str, Any]]:
    crewai_event_bus.flush()
    return [row for row in actions(claw) if row["action_type"] in types]


@every_way
@every_path
def test_crews_tasks_and_models_are_recorded_under_each_other(
    claw: DashClaw, log: ToolLog, native: bool, way: Callable[..., Any]
) -> None:
    llm = model(native, Call("read_mail", to="ann"), "all done")
    with DashClawCrewIntegration(claw) as integration:
        output = way(integration.instrument_crew(crew_of(agent_of(llm, function_tool("read_mail", keep(log))))))
    (run,), (task,), (tool,) = of(claw, "crew.run"), of(claw, "crew.task"), of(claw, "read_mail")
    models = of(claw, "llm.call")
    assert (task["declared_goal"], task["output_summary"], task["agent_name"]) == ("do the thing", "all done", "worker")
    assert task["parent_action_id"] == run["action_id"]
    assert [row["parent_action_id"] for row in (tool, *models)] == [task["action_id"]] * 3
    assert {row["status"] for row in (run, task, tool, *models)} == {"completed"}
    assert [row["model"] for row in models] == ["fake-1", "fake-1"]
    assert {(row["tokens_in"], row["tokens_out"]) for row in models} == {
        (USAGE["prompt_tokens"], USAGE["completion_tokens"])
    }
    assert sum(row["tokens_in"] + row["tokens_out"] for row in models) == output.token_usage.total_tokens
    assert run["output_summary"] == "all done"


@every_path
def test_what_a_model_raises_reaches_the_host_and_is_recorded(claw: DashClaw, native: bool) -> None:
    error = LookupError("the model is not there")
    with DashClawCrewIntegration(claw) as integration:
        crew = integration.instrument_crew(crew_of(agent_of(model(native, error), max_retry_limit=0)))
        with pytest.raises(LookupError) as caught:
            crew.kickoff()
    assert caught.value is error
    assert caught.traceback[-1].name == "_answered"
    for kind in ("crew.run", "crew.task", "llm.call"):
        rows = of(claw, kind)
        assert rows
        assert {row["status"] for row in rows} == {"failed"}
        assert "the model is not there" in rows[0]["error_message"]


@every_way
@every_path
def test_a_coworker_is_governed_under_the_delegation(
    claw: DashClaw, log: ToolLog, native: bool, way: Callable[..., Any]
) -> None:
    """Only the agent that delegates is instrumented: what it starts is governed all the same."""
    asked = {"task": "drop it", "context": "all of it", "coworker": "helper"}
    boss = agent_of(model(native, Call(DELEGATE, **asked), "all done"), role="boss", allow_delegation=True)
    helper_model = model(native, Call("drop_mail", to="ann"), "could not")
    helper = agent_of(
        helper_model,
        function_tool("drop_mail", keep(log)),
        function_tool("read_mail", keep(log)),
        role="helper",
    )
    with DashClawCrewIntegration(claw) as integration:
        integration.instrument_agent(boss)
        assert way(crew_of(boss, helper)).raw == "all done"
    log.once()
    assert "No drops" in helper_model.told
    (delegation,), (blocked,) = of(claw, DELEGATE), of(claw, "drop_mail")
    assert (delegation["status"], delegation["agent_name"]) == ("completed", "boss")
    assert (blocked["status"], blocked["agent_name"]) == ("blocked", "helper")
    assert blocked["parent_action_id"] == delegation["action_id"]
    by_parent = [row["parent_action_id"] for row in of(claw, "llm.call")]
    assert by_parent.count(delegation["action_id"]) == 2
    (task,) = of(claw, "crew.task")
    assert by_parent.count(task["action_id"]) == 2
    assert delegation["parent_action_id"] == task["action_id"]


@every_path
def test_a_hierarchical_crew_is_governed_with_its_manager(claw: DashClaw, log: ToolLog, native: bool) -> None:
    asked = {"task": "drop it", "context": "all of it", "coworker": "worker"}
    manager = model(native, Call(DELEGATE, **asked), "all done")
    worker = agent_of(model(native, Call("drop_mail", to="ann"), "no"), function_tool("drop_mail", keep(log)))
    task = Task(description="do the thing", expected_output="text")
    crew = Crew(agents=[worker], tasks=[task], process=Process.hierarchical, manager_llm=manager)
    with DashClawCrewIntegration(claw) as integration:
        assert integration.instrument_crew(crew).kickoff().raw == "all done"
    log.once()
    (delegation,), (blocked,) = of(claw, DELEGATE), of(claw, "drop_mail")
    assert blocked["parent_action_id"] == delegation["action_id"]
    assert len(of(claw, "llm.call")) == 4


@every_path
def test_copies_that_crewai_makes_are_governed(claw: DashClaw, log: ToolLog, native: bool) -> None:
    crew = crew_of(agent_of(model(native, *endless()), function_tool("drop_mail", keep(log))))
    with DashClawCrewIntegration(claw) as integration:
        integration.instrument_crew(crew).kickoff()
        crew.kickoff_for_each([{"a": "1"}, {"a": "2"}])
        asyncio.run(crew.akickoff_for_each([{"a": "3"}]))
    log.once()
    assert len(of(claw, "drop_mail")) == 4


@every_path
def test_an_instrumented_agent_is_governed_in_copies_of_a_crew(claw: DashClaw, log: ToolLog, native: bool) -> None:
    agent = agent_of(model(native, *endless()), function_tool("drop_mail", keep(log)))
    crew = crew_of(agent)
    with DashClawCrewIntegration(claw) as integration:
        integration.instrument_agent(agent)
        crew.kickoff()
        crew.kickoff_for_each([{"a": "1"}, {"a": "2"}])
    log.once()
    assert len(of(claw, "drop_mail")) == 3


@every_path
def test_an_agent_alone_is_governed(claw: DashClaw, log: ToolLog, native: bool) -> None:
    llm = model(native, Call("drop_mail", to="ann"), "all done")
    agent = agent_of(llm, function_tool("drop_mail", keep(log)))
    with DashClawCrewIntegration(claw) as integration:
        integration.instrument_agent(agent).kickoff("do the thing")
    log.once()
    assert "No drops" in llm.told
    assert len(of(claw, "llm.call")) == 2


@every_path
def test_two_crews_in_one_process_are_kept_apart(claw: DashClaw, database: Any, native: bool) -> None:
    """One crew is governed, another by an integration of its own, a third not at all; they run at the same time."""
    logs = [ToolLog() for _ in range(3)]
    crews = [
        crew_of(
            agent_of(
                model(native, *[Call("drop_mail", to=f"crew{place}"), "all done"] * 3),
                function_tool("drop_mail", keep(logs[place])),
                role=f"worker{place}",
            )
        )
        for place in range(3)
    ]
    with (
        DashClaw.local(database, agent_id="other", hitl_mode="off") as other,
        DashClawCrewIntegration(claw) as first,
        DashClawCrewIntegration(other, mode="observe") as second,
    ):
        first.instrument_crew(crews[0])
        second.instrument_crew(crews[1])
        with ThreadPoolExecutor(3) as pool:
            outputs = list(pool.map(lambda crew: crew.kickoff().raw, crews))
        crewai_event_bus.flush()
    assert outputs == ["all done"] * 3
    assert [list(log) for log in logs] == [[], ["crew1"], ["crew2"]]
    rows = [row for row in actions(claw) if row["action_type"] != "crew.run"]
    assert {(row["agent_id"], row["agent_name"]) for row in rows} == {("agent", "worker0"), ("other", "worker1")}
    assert sorted(row["agent_id"] for row in rows) == ["agent"] * 4 + ["other"] * 4


def registered() -> int:
    return sum(len(get_hooks(point)) for point in InterceptionPoint)


@every_path
def test_hooks_are_registered_once_and_removed_on_close(claw: DashClaw, log: ToolLog, native: bool) -> None:
    before = registered()
    tool = function_tool("drop_mail", keep(log))
    llm = model(native, *[Call("drop_mail", to="ann"), "all done"] * 3)
    crew = crew_of(agent_of(llm, tool, function_tool("read_mail", keep(log))))
    integration = DashClawCrewIntegration(claw)
    assert registered() == before
    for _ in range(3):
        integration.instrument_crew(crew)
        integration.instrument_agent(crew.agents[0])
    once = registered() - before
    crew.kickoff()
    assert registered() - before == once == len(integration._hooks)
    log.once()
    integration.close()
    integration.close()
    assert registered() == before
    assert not any(
        getattr(handler, "__self__", None) is integration
        for handler in crewai_event_bus._sync_handlers.get(LLMCallCompletedEvent, ())
    )
    crew.kickoff()
    log.once("ann")
    assert not any("dashclaw" in name for name in crew.security_config.fingerprint.metadata)


@every_path
def test_an_integration_can_be_used_again_after_close(claw: DashClaw, log: ToolLog, native: bool) -> None:
    llm = model(native, Call("drop_mail", to="ann"), "all done")
    crew = crew_of(agent_of(llm, function_tool("drop_mail", keep(log))))
    integration = DashClawCrewIntegration(claw)
    integration.instrument_crew(crew)
    integration.close()
    with integration:
        integration.instrument_crew(crew).kickoff()
    log.once()


def test_what_is_no_crew_cannot_be_instrumented(claw: DashClaw) -> None:
    integration = DashClawCrewIntegration(claw)
    for instrument in (integration.instrument_crew, integration.instrument_agent):
        with pytest.raises(ConfigurationError, match="no crew or agent of CrewAI: str"):
            instrument("a crew")


def test_tasks_that_run_at_the_same_time_do_not_mix(claw: DashClaw, log: ToolLog) -> None:
    """Tasks run in threads; each call belongs to its own task."""
    agents = [
        agent_of(
            model(True, Call("read_mail", to=f"person{place}"), f"done {place}"),
            function_tool("read_mail", keep(log)),
            role=f"worker{place}",
        )
        for place in range(4)
    ]
    tasks = [
        Task(description=f"task {agent.role}", expected_output="text", agent=agent, async_execution=True)
        for agent in agents
    ]
    last = Task(description="the last", expected_output="text", agent=agent_of(model(True, "all done"), role="last"))
    with DashClawCrewIntegration(claw) as integration:
        crew = Crew(agents=[*agents, last.agent], tasks=[*tasks, last])
        assert integration.instrument_crew(crew).kickoff().raw == "all done"
    assert sorted(log) == [f"person{place}" for place in range(4)]
    roles = {row["action_id"]: row["agent_name"] for row in of(claw, "crew.task")}
    assert len(roles) == 5
    for row in of(claw, "read_mail", "llm.call"):
        assert roles[row["parent_action_id"]] == row["agent_name"]


def test_a_crew_is_not_kept_alive(claw: DashClaw) -> None:
    import gc

    with DashClawCrewIntegration(claw) as integration:
        crew = integration.instrument_crew(crew_of(agent_of(model(False, "all done"))))
        assert len(integration._known) == 1
        del crew
        gc.collect()
        assert len(integration._known) == 0


def test_the_task_callback_records_a_task_once(claw: DashClaw) -> None:
    with DashClawCrewIntegration(claw) as integration:
        crew = crew_of(agent_of(model(False, "all done")), task_callback=integration.task_callback)
        crew.kickoff()
        (alone,) = of(claw, "crew.task")
        assert (alone["output_summary"], alone["agent_name"]) == ("all done", "worker")
        integration.instrument_crew(crew).kickoff()
    assert len(of(claw, "crew.task")) == 2


def test_a_mistake_of_ours_in_recording_does_not_break_the_crew(
    claw: DashClaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a mistake of ours")

    with DashClawCrewIntegration(claw) as integration:
        crew = crew_of(agent_of(model(False, "all done")), task_callback=integration.task_callback)
        for name in dir(integration._records):
            if not name.startswith("_") and name not in ("close", "parent_of"):
                monkeypatch.setattr(integration._records, name, fail)
        assert integration.instrument_crew(crew).kickoff().raw == "all done"
    assert actions(claw) == []


@every_path
def test_an_answer_from_the_cache_is_not_recorded_as_a_run(claw: DashClaw, log: ToolLog, native: bool) -> None:
    twice = [Call("read_mail", to="ann"), Call("read_mail", to="bob"), Call("read_mail", to="ann")]
    llm = model(native, *twice, "all done")
    agent = agent_of(llm, function_tool("read_mail", keep(log)), cache=True)
    with DashClawCrewIntegration(claw) as integration:
        integration.instrument_crew(crew_of(agent, cache=True)).kickoff()
    statuses = [row["status"] for row in of(claw, "read_mail")]
    assert statuses == ["completed"] * len(log) + ["cancelled"] * (3 - len(log))


@every_path
@every_way
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_tools_are_the_users_own_again_after_each_call(
    claw: DashClaw, log: ToolLog, native: bool, way: Callable[..., Any], kind: Callable[..., Any]
) -> None:
    """Also with two integrations around the same call."""
    tool = kind("read_mail", keep(log))
    before = dict(vars(tool))
    crew = crew_of(agent_of(model(native, *[Call("read_mail", to="ann"), "all done"] * 5), tool))
    with DashClawCrewIntegration(claw) as first:
        way(first.instrument_crew(crew))
        assert {name: vars(tool).get(name) for name in before} | {"current_usage_count": 0} == before
        assert set(vars(tool)) == set(before)
        with DashClawCrewIntegration(claw) as second:
            second.instrument_crew(crew)
            for _ in range(3):
                way(crew)
            assert len(second._runs._wrapped) + len(first._runs._wrapped) <= 8
    log.once(*["ann"] * 4)
    assert len(of(claw, "read_mail")) == 7
    assert {row["status"] for row in of(claw, "read_mail")} == {"completed"}
