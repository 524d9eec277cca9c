"""The middleware in real agents of LangChain, alone and together with the callback handler."""

from __future__ import annotations

import asyncio
import inspect
import logging
import traceback
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain.tools import InjectedState
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool, StructuredTool, tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from dashclaw import (
    ApprovalPendingError,
    ConfigurationError,
    DashClaw,
    GuardBlockedError,
    GuardUnavailableError,
    govern,
)
from dashclaw.integrations.langchain import DashClawCallbackHandler, DashClawMiddleware

from ..conftest import ToolLog, actions, broken_steps
from .scripted import WAYS, Scripted, calls, says
from .test_handler import OwnError, config, make

every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
GO = {"messages": [("user", "go")]}


class Seen(list[Any]):
    """What the model was shown of its tool calls."""

    def __call__(self, messages: list[Any]) -> AIMessage:
        self.extend((message.content, message.status) for message in messages if message.type == "tool")
        return says("done", 20, 4)


def agent(claw: DashClaw, tools: list[BaseTool], script: list[Any], **options: Any) -> Any:
    return create_agent(Scripted(script=script), tools, middleware=[DashClawMiddleware(claw, **options)])


@every_way
def test_an_allowed_call_runs_once_and_is_recorded(claw: DashClaw, log: ToolLog, way: Callable[..., Any]) -> None:
    seen = Seen()
    way(agent(claw, [make("read_mail", log, "both")], [calls("read_mail", to="ann"), seen]), GO, None)
    log.once("ann")
    assert seen == [("done for ann", "success")]
    (row,) = actions(claw)
    assert (row["action_type"], row["status"], row["output_summary"]) == ("read_mail", "completed", "done for ann")


@every_way
def test_a_blocked_call_never_runs_and_the_model_sees_why(
    claw: DashClaw, log: ToolLog, way: Callable[..., Any]
) -> None:
    seen = Seen()
    way(agent(claw, [make("drop_mail", log, "both")], [calls("drop_mail", to="ann"), seen]), GO, None)
    log.once()
    ((told, status),) = seen
    assert "NOT run" in told
    assert "No drops" in told
    assert status == "error"
    assert [row["status"] for row in actions(claw)] == ["blocked"]


@every_way
def test_raising_ends_the_run(claw: DashClaw, log: ToolLog, way: Callable[..., Any]) -> None:
    with pytest.raises(GuardBlockedError, match="No drops"):
        way(agent(claw, [make("drop_mail", log)], [calls("drop_mail", to="ann")], on_block="raise"), GO, None)
    log.once()


@every_way
def test_an_approval_is_waited_for_and_then_the_call_runs_once(
    waiting: DashClaw, answering: Callable[..., Any], log: ToolLog, way: Callable[..., Any]
) -> None:
    before: list[int] = []
    answering("allow", seen=lambda: before.append(len(log)))
    seen = Seen()
    way(agent(waiting, [make("send_mail", log)], [calls("send_mail", to="ann"), seen]), GO, None)
    assert before == [0]
    log.once("ann")
    assert seen == [("done for ann", "success")]


@every_way
def test_a_denied_call_never_runs(
    waiting: DashClaw, answering: Callable[..., Any], log: ToolLog, way: Callable[..., Any]
) -> None:
    answering("deny")
    seen = Seen()
    way(agent(waiting, [make("send_mail", log)], [calls("send_mail", to="ann"), seen]), GO, None)
    log.once()
    assert "A person denied it" in seen[0][0]


def test_without_waiting_the_model_learns_what_waits(claw: DashClaw, log: ToolLog) -> None:
    seen = Seen()
    agent(claw, [make("send_mail", log)], [calls("send_mail", to="ann"), seen]).invoke(GO)
    log.once()
    (row,) = actions(claw)
    assert row["action_id"] in seen[0][0]
    with pytest.raises(ApprovalPendingError):
        agent(claw, [make("send_mail", log)], [calls("send_mail", to="bob")], on_block="raise").invoke(GO)
    log.once()


@every_way
def test_without_a_server_nothing_runs_unless_the_user_chose_so(
    unreachable: Callable[[str], DashClaw], log: ToolLog, way: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()
    script = [calls("read_mail", to="ann"), seen]
    way(agent(unreachable("closed"), [make("read_mail", log)], script), GO, None)
    log.once()
    assert "No decision could be had" in seen[0][0]
    with caplog.at_level(logging.WARNING, "dashclaw"):
        way(agent(unreachable("open"), [make("read_mail", log)], script), GO, None)
    log.once("ann")
    assert 'guard_failure is "open"' in caplog.text


OURS = ["_call"]


def damaged(
    claw: DashClaw, step: str, breaking: Callable[[str], None], patch: pytest.MonkeyPatch, **options: Any
) -> Any:
    def fail(*_: Any, **__: Any) -> Any:
        raise NotImplementedError("a mistake of ours")

    found = DashClawMiddleware(claw, **options)
    if step in OURS:
        patch.setattr(found, step, fail)
    else:
        breaking(step)
    return found


@pytest.mark.parametrize("step", [*broken_steps("enforce"), *OURS])
@pytest.mark.parametrize("name", ["invoke", "ainvoke"])
def test_a_mistake_of_ours_never_lets_a_call_run(
    claw: DashClaw,
    log: ToolLog,
    breaking: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    name: str,
) -> None:
    if step == {"invoke": "Governor.astart", "ainvoke": "Governor.start"}[name]:
        # The other way of running does not come past this step.
        name = {"invoke": "ainvoke", "ainvoke": "invoke"}[name]
    seen = Seen()
    middleware = damaged(claw, step, breaking, monkeypatch)
    model = Scripted(script=[calls("read_mail", to="ann"), seen, calls("read_mail", to="ann")])
    WAYS[name](create_agent(model, [make("read_mail", log)], middleware=[middleware]), GO, None)
    assert "a mistake of ours" in seen[0][0]
    raising = damaged(claw, step, breaking, monkeypatch, on_block="raise")
    with pytest.raises(GuardUnavailableError, match="a mistake of ours"):
        WAYS[name](create_agent(model, [make("read_mail", log)], middleware=[raising]), GO, None)
    log.once()


OBSERVED = [*broken_steps("observe"), "Governor.start", "Governor.astart", "Governor.finish", "Governor.afinish", *OURS]


@pytest.mark.parametrize("step", OBSERVED)
@pytest.mark.parametrize("name", ["invoke", "ainvoke", "stream"])
def test_a_mistake_of_ours_never_breaks_what_is_only_observed(
    claw: DashClaw,
    log: ToolLog,
    breaking: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    name: str,
) -> None:
    seen = Seen()
    middleware = damaged(claw, step, breaking, monkeypatch, mode="observe")
    model = Scripted(script=[calls("drop_mail", to="ann"), seen])
    WAYS[name](create_agent(model, [make("drop_mail", log)], middleware=[middleware]), GO, None)
    log.once("ann")
    assert seen == [("done for ann", "success")]


@pytest.mark.parametrize("name", ["batch", "abatch"])
def test_runs_at_the_same_time_do_not_mix(claw: DashClaw, log: ToolLog, name: str) -> None:
    handler = DashClawCallbackHandler(claw)

    @tool
    def read_mail(to: str) -> Any:
        """Ask a model inside a tool."""
        log.append(to)
        return Scripted(script=[says(f"about {to}", read=int(to), written=1)]).invoke(to).content

    class Answering(Scripted):
        def _next(self, messages: list[Any]) -> Any:
            last = messages[-1]
            return says(last.content, 5000) if last.type == "tool" else calls("read_mail", read=5000, to=last.content)

    found = create_agent(Answering(script=[]), [read_mail], middleware=[DashClawMiddleware(claw)])
    given = [{"messages": [("user", str(place))]} for place in range(12)]
    if name == "batch":
        answers = found.batch(given, config(handler))
    else:
        answers = asyncio.run(found.abatch(given, config(handler)))
    assert [answer["messages"][-1].content for answer in answers] == [f"about {place}" for place in range(12)]
    assert sorted(log, key=int) == [str(place) for place in range(12)]
    rows = actions(claw)
    tools = {row["action_id"]: row for row in rows if row["action_type"] == "read_mail"}
    inner = [row for row in rows if row["action_type"] == "llm.call" and row["tokens_in"] < 5000]
    assert (len(tools), len(inner), len(rows)) == (12, 12, 48)
    for row in inner:
        assert tools[row["parent_action_id"]]["input_summary"] == f'{{"to": "{row["tokens_in"]}"}}'
    assert len(handler._open) == 0


@pytest.mark.parametrize("name", ["invoke", "ainvoke"])
def test_with_the_handler_too_a_call_is_decided_about_once(claw: DashClaw, log: ToolLog, name: str) -> None:
    handler = DashClawCallbackHandler(claw)

    @tool
    def read_mail(to: str, state: Annotated[Any, InjectedState]) -> Any:
        """Call a governed function, and a model."""
        log.append(to)
        govern(lambda: None, claw, name="look_inside")()
        return Scripted(script=[says("x", 1, 1)]).invoke(to).content

    script = [calls("read_mail", to="ann"), says("done")]
    WAYS[name](agent(claw, [read_mail], script), GO, config(handler))
    log.once("ann")
    rows = actions(claw)
    assert [row["action_type"] for row in rows] == ["llm.call", "read_mail", "look_inside", "llm.call", "llm.call"]
    assert [row["parent_action_id"] for row in rows] == [None, None, rows[1]["action_id"], rows[1]["action_id"], None]
    assert {row["status"] for row in rows} == {"completed"}
    assert len(handler._open) == 0


def test_an_approved_call_with_the_handler_too_is_approved_once(
    waiting: DashClaw, answering: Callable[..., Any], log: ToolLog
) -> None:
    person = answering("allow", times=2)
    script = [calls("send_mail", to="ann"), says("done")]
    agent(waiting, [make("send_mail", log)], script).invoke(GO, config(DashClawCallbackHandler(waiting)))
    log.once("ann")
    assert len(person.answered) == 1


def test_a_handler_that_enforces_is_not_loosened_by_middleware_that_observes(claw: DashClaw, log: ToolLog) -> None:
    observing = agent(claw, [make("drop_mail", log)], [calls("drop_mail", to="ann")], mode="observe")
    with pytest.raises(GuardBlockedError):
        observing.invoke(GO, config(DashClawCallbackHandler(claw)))
    log.once()


def test_arguments_that_change_after_the_decision_are_decided_about_again(claw: DashClaw, log: ToolLog) -> None:
    from langchain.agents.middleware import wrap_tool_call

    @wrap_tool_call
    def changing(request: Any, handler: Any) -> Any:
        return handler(request.override(tool_call={**request.tool_call, "args": {"to": "eve"}}))

    model = Scripted(script=[calls("read_mail", to="ann"), says("done")])
    middleware = [DashClawMiddleware(claw), changing]
    found = create_agent(model, [make("read_mail", log)], middleware=middleware)
    found.invoke(GO, config(DashClawCallbackHandler(claw)))
    log.once("eve")
    shown = [row["input_summary"] for row in actions(claw) if row["action_type"] == "read_mail"]
    assert shown == ['{"to": "ann"}', '{"to": "eve"}']


@every_way
def test_errors_of_tools_and_models_keep_their_type_and_traceback(claw: DashClaw, way: Callable[..., Any]) -> None:
    def deep_inside(to: str) -> str:
        """Fail."""
        raise OwnError(f"no {to}")

    failing = StructuredTool.from_function(deep_inside, name="read_mail")
    with pytest.raises(OwnError, match="no ann") as caught:
        way(agent(claw, [failing], [calls("read_mail", to="ann")]), GO, None)
    assert "deep_inside" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    (row,) = actions(claw)
    assert (row["status"], row["error_message"]) == ("failed", "OwnError: no ann")
    with pytest.raises(OwnError, match="no model"):
        way(agent(claw, [failing], [OwnError("no model")]), GO, None)


def test_several_calls_of_one_answer_are_decided_about_one_by_one(claw: DashClaw, log: ToolLog) -> None:
    seen = Seen()
    both = calls("read_mail", to="ann", call_id="a")
    both.tool_calls.append({"name": "drop_mail", "args": {"to": "bob"}, "id": "b", "type": "tool_call"})
    agent(claw, [make("read_mail", log), make("drop_mail", log)], [both, seen]).invoke(GO)
    log.once("ann")
    assert [status for _, status in seen] == ["success", "error"]


@pytest.mark.skipif(
    "wrap_tool_call" not in inspect.signature(ToolNode).parameters, reason="this LangGraph has no such nodes yet"
)
def test_a_node_of_tools_takes_it_without_an_agent(claw: DashClaw, log: ToolLog) -> None:
    middleware = DashClawMiddleware(claw)
    tools = ToolNode([make("drop_mail", log)], wrap_tool_call=middleware.wrap_tool_call)
    graph = StateGraph(MessagesState)
    graph.add_node("tools", tools)
    graph.add_edge(START, "tools")
    found = graph.compile().invoke({"messages": [calls("drop_mail", to="ann")]})
    log.once()
    assert "No drops" in found["messages"][-1].content


def test_options_are_checked(claw: DashClaw, waiting: DashClaw) -> None:
    with pytest.raises(ConfigurationError, match="interrupt"):
        DashClawMiddleware(claw, approvals="ask")
    with pytest.raises(ConfigurationError, match="does not wait"):
        DashClawMiddleware(waiting, approvals="interrupt")
    with pytest.raises(ConfigurationError, match="observe"):
        DashClawMiddleware(claw, mode="watch")
