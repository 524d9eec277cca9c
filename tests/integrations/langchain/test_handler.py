"""The callback handler on the real LangChain core, and in graphs of LangGraph."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import BaseTool, StructuredTool, ToolException, tool
from langgraph.checkpoint.memory import MemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt

from dashclaw import (
    ApprovalDeniedError,
    ApprovalPendingError,
    AsyncDashClaw,
    ConfigurationError,
    DashClaw,
    GuardBlockedError,
    GuardUnavailableError,
)
from dashclaw.integrations.langchain import DashClawCallbackHandler
from dashclaw.local import LocalTransport

from ..conftest import ToolLog, actions, broken_steps
from .scripted import WAYS, Completing, Scripted, calls, says

every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def make(name: str, log: ToolLog, kind: str = "sync") -> BaseTool:
    """Return a tool with a synchronous body, an asynchronous one, or both."""

    def body(to: str) -> str:
        """Do it."""
        log.append(to)
        return f"done for {to}"

    async def abody(to: str) -> str:
        """Do it."""
        log.append(to)
        return f"done for {to}"

    if kind == "sync":
        return StructuredTool.from_function(body, name=name)
    return StructuredTool.from_function(body if kind == "both" else None, abody, name=name)


def config(handler: DashClawCallbackHandler) -> dict[str, Any]:
    return {"callbacks": [handler]}


def kinds_for(way: str) -> list[str]:
    return ["sync", "both", "async"] if way.startswith("a") else ["sync", "both"]


WAYS_AND_KINDS = pytest.mark.parametrize(
    ("way", "kind"),
    [pytest.param(call, kind, id=f"{way}-{kind}") for way, call in WAYS.items() for kind in kinds_for(way)],
)


@WAYS_AND_KINDS
def test_an_allowed_call_runs_once_and_is_recorded(
    claw: DashClaw, log: ToolLog, way: Callable[..., Any], kind: str
) -> None:
    handler = DashClawCallbackHandler(claw)
    found = way(make("read_mail", log, kind), {"to": "ann"}, config(handler))
    assert found in ("done for ann", ["done for ann"])
    log.once("ann")
    (row,) = actions(claw)
    assert (row["action_type"], row["status"], row["declared_goal"]) == ("read_mail", "completed", "read_mail: Do it.")
    assert (row["input_summary"], row["output_summary"]) == ('{"to": "ann"}', "done for ann")
    assert row["metadata"]["framework"] == "langchain"
    assert len(handler._open) == 0


@WAYS_AND_KINDS
def test_a_blocked_call_never_runs(claw: DashClaw, log: ToolLog, way: Callable[..., Any], kind: str) -> None:
    handler = DashClawCallbackHandler(claw)
    with pytest.raises(GuardBlockedError, match="No drops"):
        way(make("drop_mail", log, kind), {"to": "ann"}, config(handler))
    log.once()
    assert [row["status"] for row in actions(claw)] == ["blocked"]
    assert len(handler._open) == 0


@every_way
def test_an_approval_is_waited_for_and_then_the_call_runs_once(
    waiting: DashClaw, answering: Callable[..., Any], log: ToolLog, way: Callable[..., Any]
) -> None:
    seen: list[int] = []
    answering("allow", seen=lambda: seen.append(len(log)))
    way(make("send_mail", log), {"to": "ann"}, config(DashClawCallbackHandler(waiting)))
    assert seen == [0]
    log.once("ann")
    (row,) = actions(waiting)
    assert (row["status"], row["approval"]["status"]) == ("completed", "approved")


@every_way
def test_a_denied_call_never_runs(
    waiting: DashClaw, answering: Callable[..., Any], log: ToolLog, way: Callable[..., Any]
) -> None:
    answering("deny")
    with pytest.raises(ApprovalDeniedError, match="as the test says"):
        way(make("send_mail", log), {"to": "ann"}, config(DashClawCallbackHandler(waiting)))
    log.once()


def test_without_waiting_the_error_names_what_waits(claw: DashClaw, log: ToolLog) -> None:
    with pytest.raises(ApprovalPendingError) as caught:
        make("send_mail", log).invoke({"to": "ann"}, config(DashClawCallbackHandler(claw)))
    log.once()
    assert caught.value.action_id is not None
    claw.approve_action(caught.value.action_id, "allow")
    make("send_mail", log).invoke({"to": "ann"}, config(DashClawCallbackHandler(claw)))
    log.once("ann")


@WAYS_AND_KINDS
def test_without_a_server_nothing_runs_unless_the_user_chose_so(
    unreachable: Callable[[str], DashClaw],
    log: ToolLog,
    way: Callable[..., Any],
    kind: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(GuardUnavailableError):
        way(make("read_mail", log, kind), {"to": "ann"}, config(DashClawCallbackHandler(unreachable("closed"))))
    log.once()
    with caplog.at_level(logging.WARNING, "dashclaw"):
        way(make("read_mail", log, kind), {"to": "ann"}, config(DashClawCallbackHandler(unreachable("open"))))
    log.once("ann")
    assert 'guard_failure is "open"' in caplog.text


OURS = ["_decided", "_open.begun", "_open.action_of"]
# A callback asks in a thread.
ENFORCED = [step for step in broken_steps("enforce") if step != "Governor.astart"]
OBSERVED = [*broken_steps("observe"), "Governor.start", "Governor.finish", "Governor.note"]


def damage(handler: DashClawCallbackHandler, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise NotImplementedError("a mistake of ours")

    holder, _, name = step.rpartition(".")
    monkeypatch.setattr(getattr(handler, holder) if holder else handler, name, fail)


@pytest.mark.parametrize("step", [*ENFORCED, *OURS])
@pytest.mark.parametrize("name", ["invoke", "ainvoke"])
def test_a_mistake_of_ours_never_lets_a_call_run(
    claw: DashClaw,
    log: ToolLog,
    breaking: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    name: str,
) -> None:
    handler = DashClawCallbackHandler(claw)
    if step in OURS:
        damage(handler, step, monkeypatch)
    else:
        breaking(step)
    with pytest.raises(GuardUnavailableError, match="a mistake of ours"):
        WAYS[name](make("read_mail", log), {"to": "ann"}, config(handler))
    log.once()


@pytest.mark.parametrize("step", [*OBSERVED, *OURS])
@pytest.mark.parametrize("name", ["invoke", "ainvoke", "stream"])
def test_a_mistake_of_ours_never_breaks_what_is_only_observed(
    claw: DashClaw,
    log: ToolLog,
    breaking: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    name: str,
) -> None:
    handler = DashClawCallbackHandler(claw, mode="observe")
    if step in OURS:
        damage(handler, step, monkeypatch)
    else:
        breaking(step)
    WAYS[name](make("drop_mail", log), {"to": "ann"}, config(handler))
    WAYS[name](make("send_mail", log), {"to": "bob"}, config(handler))
    log.once("ann", "bob")
    WAYS[name](RunnableLambda(lambda _: "x") | Scripted(script=[says("hi")]), "hello", config(handler))


def test_observing_stops_nothing(claw: DashClaw, log: ToolLog) -> None:
    handler = DashClawCallbackHandler(claw, mode="observe")
    for name in ("drop_mail", "send_mail", "read_mail"):
        make(name, log).invoke({"to": name}, config(handler))
    log.once("drop_mail", "send_mail", "read_mail")
    assert sorted(row["status"] for row in actions(claw)) == ["blocked", "cancelled", "completed"]


@pytest.mark.parametrize("name", ["batch", "abatch"])
def test_calls_at_the_same_time_do_not_mix(claw: DashClaw, log: ToolLog, name: str) -> None:
    handler = DashClawCallbackHandler(claw)

    @tool
    def read_mail(to: str) -> Any:
        """Ask a model inside a tool."""
        log.append(to)
        return Scripted(script=[says(f"about {to}", read=int(to), written=1)]).invoke(to).content

    wanted = [{"to": str(place)} for place in range(20)]
    if name == "batch":
        found = read_mail.batch(wanted, config(handler))
    else:
        found = asyncio.run(read_mail.abatch(wanted, config(handler)))
    assert found == [f"about {place}" for place in range(20)]
    assert sorted(log, key=int) == [str(place) for place in range(20)]
    rows = actions(claw)
    tools = {row["action_id"]: row for row in rows if row["action_type"] == "read_mail"}
    models = [row for row in rows if row["action_type"] == "llm.call"]
    assert (len(tools), len(models)) == (20, 20)
    for row in models:
        around = tools[row["parent_action_id"]]
        assert around["input_summary"] == f'{{"to": "{row["tokens_in"]}"}}'
        assert around["output_summary"] == f"about {row['tokens_in']}"
    assert len(handler._open) == 0


class OwnError(Exception):
    """An error of the host."""


@every_way
def test_errors_of_tools_keep_their_type_and_traceback(claw: DashClaw, way: Callable[..., Any]) -> None:
    def deep_inside(to: str) -> str:
        """Fail."""
        raise OwnError(f"no {to}")

    failing = StructuredTool.from_function(deep_inside, name="read_mail")
    with pytest.raises(OwnError, match="no ann") as caught:
        way(failing, {"to": "ann"}, config(DashClawCallbackHandler(claw)))
    assert "deep_inside" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    (row,) = actions(claw)
    assert (row["status"], row["error_message"]) == ("failed", "OwnError: no ann")


@every_way
def test_errors_of_models_keep_their_type(claw: DashClaw, way: Callable[..., Any]) -> None:
    handler = DashClawCallbackHandler(claw)
    with pytest.raises(OwnError, match="no model"):
        way(Scripted(script=[OwnError("no model")]), "hello", config(handler))
    (row,) = actions(claw)
    assert (row["action_type"], row["status"], row["error_message"]) == ("llm.call", "failed", "OwnError: no model")
    assert len(handler._open) == 0


def test_an_error_that_the_tool_handles_is_a_failure(claw: DashClaw) -> None:
    def body(to: str) -> str:
        """Fail."""
        raise ToolException(f"no {to}")

    handled = StructuredTool.from_function(body, name="read_mail", handle_tool_error=True)
    call = {"type": "tool_call", "id": "call_1", "name": "read_mail", "args": {"to": "ann"}}
    found = handled.invoke(call, config(DashClawCallbackHandler(claw)))
    assert found.status == "error"
    (row,) = actions(claw)
    assert (row["status"], row["error_message"]) == ("failed", "ToolFailed: no ann")


@every_way
def test_tokens_are_those_that_the_model_told(claw: DashClaw, way: Callable[..., Any]) -> None:
    way(Scripted(script=[says("hello there", 31, 17)]), "hello", config(DashClawCallbackHandler(claw)))
    (row,) = actions(claw)
    assert (row["action_type"], row["status"]) == ("llm.call", "completed")
    assert (row["tokens_in"], row["tokens_out"], row["model"]) == (31, 17, "scripted-1")
    assert "hello" not in (row["input_summary"] or "") + (row["output_summary"] or "")


@pytest.mark.parametrize("name", ["invoke", "ainvoke"])
def test_models_of_the_older_kind_tell_theirs_too(claw: DashClaw, name: str) -> None:
    WAYS[name](Completing(), "hello", config(DashClawCallbackHandler(claw)))
    (row,) = actions(claw)
    assert (row["tokens_in"], row["tokens_out"], row["model"]) == (21, 5, "completing-1")


def test_a_model_that_tells_nothing_is_recorded_without(claw: DashClaw) -> None:
    Scripted(script=[AIMessage("hi")]).invoke("hello", config(DashClawCallbackHandler(claw)))
    (row,) = actions(claw)
    assert (row["status"], row["tokens_in"], row["model"]) == ("completed", None, None)


def test_every_attempt_of_a_retry_is_recorded(claw: DashClaw) -> None:
    model = Scripted(script=[OwnError("busy"), OwnError("busy"), says("hi", 5, 1)])
    again = model.with_retry(retry_if_exception_type=(OwnError,), wait_exponential_jitter=False, stop_after_attempt=3)
    again.invoke("hello", config(DashClawCallbackHandler(claw)))
    rows = actions(claw)
    assert [row["status"] for row in rows] == ["failed", "failed", "completed"]
    assert [row["metadata"].get("attempt") for row in rows] == [None, 2, 3]


def test_a_model_that_retries_by_itself_says_so(claw: DashClaw) -> None:
    class Retrying(Scripted):
        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            from types import SimpleNamespace

            for attempt in (1, 2):
                run_manager.on_retry(SimpleNamespace(attempt_number=attempt, outcome=None))
            return super()._generate(messages, stop, run_manager, **kwargs)

    Retrying(script=[says("hi")]).invoke("hello", config(DashClawCallbackHandler(claw)))
    (row,) = actions(claw)
    assert row["metadata"]["retries"] == 2


def test_blocked_calls_stay_blocked_when_they_are_tried_again(claw: DashClaw, log: ToolLog) -> None:
    again = make("drop_mail", log).with_retry(wait_exponential_jitter=False, stop_after_attempt=3)
    with pytest.raises(GuardBlockedError):
        again.invoke({"to": "ann"}, config(DashClawCallbackHandler(claw)))
    log.once()


def test_nested_runs_keep_their_parents(claw: DashClaw, log: ToolLog) -> None:
    handler = DashClawCallbackHandler(claw)
    inner = make("read_mail", log)

    @tool
    def list_mail(to: str) -> Any:
        """Call a chain that calls a model and another tool."""
        model = RunnableLambda(lambda given: Scripted(script=[says("x")]).invoke(given))
        return (model | (lambda _: {"to": to}) | inner).invoke("hello")

    (RunnableLambda(lambda given: given) | list_mail).invoke({"to": "ann"}, config(handler))
    rows = {row["action_type"]: row for row in actions(claw)}
    around = rows["list_mail"]
    assert around["parent_action_id"] is None
    assert rows["llm.call"]["parent_action_id"] == around["action_id"]
    assert rows["read_mail"]["parent_action_id"] == around["action_id"]
    assert len(handler._open) == 0


def test_runs_whose_end_is_never_told_are_forgotten(claw: DashClaw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashclaw.integrations._langchain_runs._MOST_RUNS", 5)
    handler = DashClawCallbackHandler(claw)
    monkeypatch.setattr(handler, "on_tool_end", lambda *_, **__: None)
    for place in range(9):
        make("read_mail", ToolLog()).invoke({"to": str(place)}, config(handler))
    assert len(handler._open) == 5


def agent(tools: list[BaseTool], script: list[Any], **options: Any) -> Any:
    """Return a graph that goes from a model to tools and back."""
    model = Scripted(script=script)
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode(tools, handle_tool_errors=options.pop("handle_tool_errors", True)))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", lambda state: "tools" if state["messages"][-1].tool_calls else "__end__")
    graph.add_edge("tools", "model")
    return graph.compile(**options)


GO = {"messages": [("user", "go")]}


@every_way
def test_in_a_graph_the_model_sees_why(claw: DashClaw, log: ToolLog, way: Callable[..., Any]) -> None:
    seen: list[str] = []

    def answer(messages: list[Any]) -> AIMessage:
        seen.append(messages[-1].content)
        return says("I cannot.", 20, 4)

    graph = agent([make("drop_mail", log), make("read_mail", log)], [calls("drop_mail", to="ann"), answer])
    way(graph, GO, config(DashClawCallbackHandler(claw)))
    log.once()
    assert "No drops" in seen[0]
    rows = actions(claw)
    assert [(row["action_type"], row["status"], row["tokens_in"], row["tokens_out"]) for row in rows] == [
        ("llm.call", "completed", 11, 3),
        ("drop_mail", "blocked", None, None),
        ("llm.call", "completed", 20, 4),
    ]


def test_a_graph_s_thread_is_the_session(claw: DashClaw, log: ToolLog) -> None:
    graph = agent([make("read_mail", log)], [calls("read_mail", to="ann"), says("done")], checkpointer=MemorySaver())
    graph.invoke(GO, {**config(DashClawCallbackHandler(claw)), "configurable": {"thread_id": "thread-7"}})
    log.once("ann")
    assert {row["session_id"] for row in actions(claw)} == {"thread-7"}


def test_a_graph_that_is_interrupted_inside_a_tool_is_no_failure(claw: DashClaw, log: ToolLog) -> None:
    @tool
    def read_mail(to: str) -> str:
        """Ask somebody."""
        log.append(interrupt("who?"))
        return "done"

    graph = agent([read_mail], [calls("read_mail", to="ann"), says("done")], checkpointer=MemorySaver())
    from langgraph.types import Command

    setting = {**config(DashClawCallbackHandler(claw)), "configurable": {"thread_id": "1"}}
    graph.invoke(GO, setting)
    graph.invoke(Command(resume="ann"), setting)
    log.once("ann")
    rows = [row for row in actions(claw) if row["action_type"] == "read_mail"]
    assert [row["status"] for row in rows] == ["cancelled", "completed"]


def test_an_asynchronous_client_serves_too(database: Path, claw: DashClaw, log: ToolLog) -> None:
    async def run() -> None:
        client = AsyncDashClaw(agent_id="agent", transport=LocalTransport.open(database))
        try:
            handler = DashClawCallbackHandler(client)
            assert await make("read_mail", log, "async").ainvoke({"to": "ann"}, config(handler)) == "done for ann"
            with pytest.raises(GuardBlockedError):
                await make("drop_mail", log, "async").ainvoke({"to": "ann"}, config(handler))
            await Scripted(script=[says("hi")]).ainvoke("hello", config(handler))
        finally:
            client.close()

    asyncio.run(run())
    log.once("ann")
    assert [row["status"] for row in actions(claw)] == ["completed", "blocked", "completed"]


def test_a_callback_cannot_return_for_a_tool(claw: DashClaw) -> None:
    with pytest.raises(ConfigurationError, match="DashClawMiddleware"):
        DashClawCallbackHandler(claw, on_block="return")


def test_mappings_and_fields_reach_the_core(claw: DashClaw, log: ToolLog) -> None:
    handler = DashClawCallbackHandler(
        claw, action_type={"read_*": "drop_things"}, risk={"read_*": 90}, fields={"systems_touched": ["mail"]}
    )
    with pytest.raises(GuardBlockedError):
        make("read_mail", log).invoke({"to": "ann"}, config(handler))
    (row,) = actions(claw)
    assert (row["action_type"], row["systems_touched"]) == ("drop_things", ["mail"])


def test_a_model_is_never_stopped(claw: DashClaw) -> None:
    claw.request(
        "POST",
        "/api/policies",
        body={"name": "No models", "policy_type": "block_action_type", "rules": {"action_types": ["llm.*"]}},
    )
    model: BaseChatModel = Scripted(script=[says("hi")])
    assert model.invoke("hello", config(DashClawCallbackHandler(claw))).content == "hi"
