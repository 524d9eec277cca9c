"""What is governed has spans: their names, attributes, errors and parents, on the embedded runtime."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from dashclaw import (
    ApprovalDeniedError,
    ApprovalPendingError,
    AsyncDashClaw,
    ConfigurationError,
    DashClaw,
    GuardBlockedError,
    govern,
)
from dashclaw._governor import Governor
from dashclaw._tool_calls import ToolCall
from dashclaw.integrations.opentelemetry import DashClawTelemetry

from ..conftest import Person, ToolLog, actions
from .conftest import Spans


def hexed(span: Any) -> dict[str, str]:
    return {"trace_id": f"{span.context.trace_id:032x}", "span_id": f"{span.context.span_id:016x}"}


def test_a_tool_call(claw: DashClaw, telemetry: DashClawTelemetry, spans: Spans, log: ToolLog) -> None:
    claw.agent_name = "Clerk"
    reading = govern(lambda table: log.append(get_current_span()), claw, name="read_table")
    reading(table="orders")
    call, guard = spans.named("execute_tool read_table"), spans.named("dashclaw.guard read_table")
    (action,) = actions(claw)
    assert call.kind is SpanKind.INTERNAL and call.status.status_code is StatusCode.UNSET
    assert call.instrumentation_scope.name == "dashclaw"
    assert dict(call.attributes) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "read_table",
        "gen_ai.agent.id": "agent",
        "gen_ai.agent.name": "Clerk",
        "dashclaw.action.type": "read_table",
        "dashclaw.action.id": action["action_id"],
        "dashclaw.action.ran": True,
        "dashclaw.action.status": "completed",
        "dashclaw.guard.decision": "allow",
        "dashclaw.guard.decision_id": action["decision_id"],
        "dashclaw.guard.risk_score": action["risk_score"],
        "dashclaw.guard.matched_policies": (),
        "dashclaw.guard.degraded": False,
    }
    assert guard.attributes["dashclaw.guard.decision"] == "allow"
    assert guard.attributes["dashclaw.action.id"] == action["action_id"]
    assert spans.parents() == {"execute_tool read_table": None, "dashclaw.guard read_table": "execute_tool read_table"}
    assert call.start_time <= guard.start_time <= guard.end_time <= call.end_time
    assert log[0].get_span_context().span_id == call.context.span_id
    assert get_current_span().get_span_context().span_id == 0


def test_the_record_names_the_span_and_the_span_the_record(
    claw: DashClaw, telemetry: DashClawTelemetry, spans: Spans
) -> None:
    with claw.track("deploy", "Ship it"):
        pass
    (action,) = actions(claw)
    guard = spans.named("dashclaw.guard deploy")
    assert {name: action["metadata"][name] for name in ("trace_id", "span_id")} == hexed(guard)
    (decision,) = claw.get_guard_decisions()["decisions"]
    assert {name: decision["context"][name] for name in ("trace_id", "span_id")} == hexed(guard)
    assert spans.named("dashclaw.action deploy").attributes["dashclaw.guard.decision_id"] == decision["id"]


def test_the_trace_is_no_part_of_what_is_approved(
    claw: DashClaw, telemetry: DashClawTelemetry, spans: Spans, provider: TracerProvider
) -> None:
    tracer = provider.get_tracer("test")
    with (
        tracer.start_as_current_span("first"),
        pytest.raises(ApprovalPendingError) as pending,
        claw.track("send_mail", "Mail ann"),
    ):
        raise AssertionError("it ran")
    claw.approve_action(pending.value.action_id, "allow")
    with tracer.start_as_current_span("second"), claw.track("send_mail", "Mail ann") as run:
        pass
    first, second = spans.all("dashclaw.action send_mail")
    assert first.context.trace_id != second.context.trace_id
    assert first.status.status_code is StatusCode.UNSET
    assert first.attributes["dashclaw.approval.status"] == "pending"
    assert first.attributes["dashclaw.action.id"] == pending.value.action_id
    assert first.attributes["dashclaw.action.ran"] is False
    assert second.attributes["dashclaw.approval.status"] == "approved"
    assert second.attributes["dashclaw.action.id"] == run.action_id


def test_a_blocked_call(claw: DashClaw, telemetry: DashClawTelemetry, spans: Spans, log: ToolLog) -> None:
    dropping = govern(log.append, claw, name="drop_table")
    with pytest.raises(GuardBlockedError):
        dropping("orders")
    log.once()
    call, guard = spans.named("execute_tool drop_table"), spans.named("dashclaw.guard drop_table")
    (action,) = actions(claw)
    assert call.status.status_code is StatusCode.ERROR and call.status.description == "GuardBlockedError"
    assert call.attributes["error.type"] == "dashclaw.errors.GuardBlockedError"
    assert call.attributes["dashclaw.action.ran"] is False
    for span in (call, guard):
        assert span.attributes["dashclaw.guard.decision"] == "block"
        assert span.attributes["dashclaw.guard.decision_id"] == action["decision_id"]
        assert len(span.attributes["dashclaw.guard.matched_policies"]) == 1
        assert span.attributes["dashclaw.action.id"] == action["action_id"]
    assert guard.status.status_code is StatusCode.UNSET and "error.type" not in guard.attributes
    assert action["metadata"]["trace_id"] == hexed(call)["trace_id"]


def test_a_question_to_the_guard(claw: DashClaw, telemetry: DashClawTelemetry, spans: Spans) -> None:
    answer = claw.guard({"action_type": "drop_table"})
    span = spans.named("dashclaw.guard drop_table")
    assert span.attributes["dashclaw.guard.decision"] == answer["decision"] == "block"
    assert span.attributes["dashclaw.guard.decision_id"] == answer["decision_id"]
    (decision,) = claw.get_guard_decisions()["decisions"]
    assert decision["context"]["span_id"] == hexed(span)["span_id"]


@pytest.mark.parametrize(("decision", "status"), [("allow", "approved"), ("deny", "denied")])
def test_an_approval(
    waiting: DashClaw,
    provider: TracerProvider,
    spans: Spans,
    answering: Callable[..., Person],
    log: ToolLog,
    decision: str,
    status: str,
) -> None:
    with DashClawTelemetry(waiting, provider):
        mailing = govern(log.append, waiting, name="send_mail", on_block="return")
        answering(decision)
        mailing("ann")
    log.once(*(["ann"] if decision == "allow" else []))
    call, wait = spans.named("execute_tool send_mail"), spans.named("dashclaw.approval")
    assert spans.parents() == {
        "execute_tool send_mail": None,
        "dashclaw.guard send_mail": "execute_tool send_mail",
        "dashclaw.approval": "execute_tool send_mail",
    }
    for span in (call, wait):
        assert span.attributes["dashclaw.approval.status"] == status
        assert span.attributes["dashclaw.action.id"] == actions(waiting)[0]["action_id"]
    assert wait.status.status_code is StatusCode.UNSET
    assert call.attributes["dashclaw.guard.decision"] == "require_approval"
    assert call.status.status_code is (StatusCode.UNSET if decision == "allow" else StatusCode.ERROR)


def test_an_error_of_the_tool(claw: DashClaw, telemetry: DashClawTelemetry, spans: Spans) -> None:
    class Broken(Exception):
        pass

    def fail() -> None:
        raise Broken("about ann@example.com")

    with pytest.raises(Broken):
        govern(fail, claw)()
    span = spans.named("execute_tool fail")
    assert span.status.status_code is StatusCode.ERROR and span.status.description == "Broken"
    assert span.attributes["error.type"].endswith("Broken")
    assert span.attributes["dashclaw.action.ran"] is True
    assert span.attributes["dashclaw.action.status"] == "failed"
    assert "ann@example.com" not in spans.text() and span.events == ()


def test_being_told_to_stop_is_no_error(claw: DashClaw, telemetry: DashClawTelemetry, spans: Spans) -> None:
    with pytest.raises(KeyboardInterrupt), claw.track("deploy", "Ship it"):
        raise KeyboardInterrupt
    span = spans.named("dashclaw.action deploy")
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes["dashclaw.action.status"] == "cancelled"


SECRET = "AKIAIOSFODNN7EXAMPLE"


@pytest.mark.parametrize("content", [False, True])
def test_content_only_where_it_is_wanted(claw: DashClaw, provider: TracerProvider, spans: Spans, content: bool) -> None:
    def mail_text(to: str, key: str) -> str:
        """Write to a person."""
        return f"written to {to} with {key}"

    def fail(to: str) -> None:
        raise ValueError(f"no such person: {to} {SECRET}")

    with DashClawTelemetry(claw, provider, content=content):
        govern(mail_text, claw)("ann@example.com", SECRET)
        with pytest.raises(ValueError, match="no such person"):
            govern(fail, claw)("bob@example.com")
        with pytest.raises(GuardBlockedError), claw.track("drop_table", "Drop the orders of eve"):
            pass
    text = spans.text()
    assert SECRET not in text
    for said in ("ann@example.com", "bob@example.com", "orders of eve", "Write to a person"):
        assert (said in text) is content
    if content:
        call, failed = spans.named("execute_tool mail_text"), spans.named("execute_tool fail")
        assert "ann@example.com" in call.attributes["gen_ai.tool.call.arguments"]
        assert "[REDACTED" in call.attributes["gen_ai.tool.call.arguments"]
        assert call.attributes["gen_ai.tool.call.result"].startswith("written to ann@example.com")
        assert call.attributes["dashclaw.action.goal"] == "mail_text: Write to a person."
        assert failed.status.description.startswith("ValueError: no such person: bob@example.com [REDACTED")
        assert spans.named("dashclaw.guard drop_table").attributes["dashclaw.guard.reasons"]


def test_a_call_of_a_model(claw: DashClaw, telemetry: DashClawTelemetry, spans: Spans) -> None:
    governor = Governor(claw)
    gate = governor.note("llm.call", "Call the model m-1", model="m-1", session_id="s-1")
    governor.finish(gate, tokens_in=120, tokens_out=20, model="m-1-2026", cost_estimate=0.25)
    span = spans.named("chat m-1")
    assert span.kind is SpanKind.CLIENT
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m-1",
        "gen_ai.response.model": "m-1-2026",
        "gen_ai.conversation.id": "s-1",
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 20,
        "dashclaw.cost_estimate": 0.25,
    }
    assert {name: span.attributes[name] for name in told} == told


def test_parts_are_in_their_whole(claw: DashClaw, telemetry: DashClawTelemetry, spans: Spans) -> None:
    inner = govern(lambda: None, claw, name="inner")

    def outer() -> None:
        # In a thread, as frameworks run tools.
        context = copy_context()
        thread = threading.Thread(target=context.run, args=(inner,))
        thread.start()
        thread.join()

    govern(outer, claw)()
    parents = spans.parents()
    assert parents["execute_tool inner"] == "execute_tool outer"
    by_tool = {row["action_type"]: row for row in actions(claw)}
    assert by_tool["inner"]["parent_action_id"] == by_tool["outer"]["action_id"]
    assert spans.named("execute_tool inner").attributes["dashclaw.action.parent_id"] == by_tool["outer"]["action_id"]


def test_parts_that_only_name_their_whole(claw: DashClaw, telemetry: DashClawTelemetry, spans: Spans) -> None:
    """As callbacks do, which come in any context."""
    governor = Governor(claw)
    agent = governor.note("agent.run", "Run an agent", agent_name="clerk")
    call = governor.start(ToolCall("read_table", {}, parent_action_id=agent.action_id, call_id="call_7"))
    governor.finish(call, "rows")
    governor.finish(agent)
    assert spans.parents()["execute_tool read_table"] == "invoke_agent clerk"
    assert spans.named("execute_tool read_table").attributes["gen_ai.tool.call.id"] == "call_7"
    late = governor.start(ToolCall("read_table", {"again": 1}, parent_action_id=agent.action_id))
    governor.finish(late)
    assert spans.all("execute_tool read_table")[1].parent is None


def test_a_span_of_the_program_in_between(
    claw: DashClaw, telemetry: DashClawTelemetry, spans: Spans, provider: TracerProvider
) -> None:
    inner = govern(lambda: None, claw, name="inner")

    def outer() -> None:
        with provider.get_tracer("test").start_as_current_span("between"):
            inner()

    govern(outer, claw)()
    parents = spans.parents()
    assert parents["execute_tool inner"] == "between" and parents["between"] == "execute_tool outer"


def test_many_threads(claw: DashClaw, telemetry: DashClawTelemetry, spans: Spans, provider: TracerProvider) -> None:
    tracer = provider.get_tracer("test")
    tool = govern(lambda number: None, claw, name="tool")

    def work(number: int) -> None:
        with tracer.start_as_current_span(f"work {number}"):
            tool(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(40)))
    whole = {span.context.trace_id: span for span in spans.get_finished_spans() if span.name.startswith("work")}
    calls = spans.all("execute_tool tool")
    assert len(whole) == len(calls) == 40
    assert all(call.parent.span_id == whole[call.context.trace_id].context.span_id for call in calls)


@pytest.mark.parametrize("asynchronous", [True, False])
def test_many_tasks(database: Path, provider: TracerProvider, spans: Spans, asynchronous: bool) -> None:
    tracer = provider.get_tracer("test")

    async def main() -> None:
        made: Any = (AsyncDashClaw if asynchronous else DashClaw).local(database, agent_id="agent")
        with DashClawTelemetry(made, provider):

            async def inner(number: int) -> None:
                await asyncio.sleep(0)

            async def outer(number: int) -> None:
                await asyncio.gather(*(govern(inner, made, name="inner")(number) for _ in range(2)))

            async def work(number: int) -> None:
                with tracer.start_as_current_span(f"work {number}"):
                    await govern(outer, made, name="outer")(number)

            await asyncio.gather(*map(work, range(10)))
        if asynchronous:
            await made.aclose()
        else:
            made.close()

    asyncio.run(main())
    found = {span.context.span_id: span for span in spans.get_finished_spans()}
    for name, whole, count in (("execute_tool inner", "execute_tool outer", 20), ("execute_tool outer", "work", 10)):
        assert len(spans.all(name)) == count
        for span in spans.all(name):
            parent = found[span.parent.span_id]
            assert parent.name.startswith(whole) and parent.context.trace_id == span.context.trace_id
            assert parent.start_time <= span.start_time and span.end_time <= parent.end_time


def test_a_cancelled_task(database: Path, provider: TracerProvider, spans: Spans) -> None:
    async def main() -> None:
        async with AsyncDashClaw.local(database, agent_id="agent", hitl_mode="wait") as claw:
            with DashClawTelemetry(claw, provider):
                began = asyncio.Event()

                async def block() -> None:
                    async with claw.track("deploy", "Ship it"):
                        began.set()
                        await asyncio.sleep(60)

                async def wait() -> None:
                    async with claw.track("send_mail", "Mail ann"):
                        raise AssertionError("it ran")

                for task in (asyncio.create_task(block()), asyncio.create_task(wait())):
                    await began.wait()
                    while not (await claw.get_pending_approvals())["actions"] and not task.done():
                        await asyncio.sleep(0.01)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task

    asyncio.run(main())
    ran, waited = spans.named("dashclaw.action deploy"), spans.named("dashclaw.action send_mail")
    assert ran.attributes["dashclaw.action.status"] == "cancelled"
    assert waited.attributes["dashclaw.action.ran"] is False
    assert len(spans.all("dashclaw.approval")) == 1
    assert all(span.status.status_code is StatusCode.UNSET for span in spans.get_finished_spans())


def test_track_and_guarded(claw: DashClaw, telemetry: DashClawTelemetry, spans: Spans) -> None:
    inside: list[int] = []

    @claw.guarded("deploy")
    def deploy() -> None:
        inside.append(get_current_span().get_span_context().span_id)

    @claw.guarded("deploy")
    async def adeploy() -> None:
        inside.append(get_current_span().get_span_context().span_id)

    block = claw.track("deploy", "Ship it")
    deploy()
    asyncio.run(adeploy())
    for _ in range(2):
        with block:
            inside.append(get_current_span().get_span_context().span_id)
    assert inside == [span.context.span_id for span in spans.all("dashclaw.action deploy")]


def test_only_observed(claw: DashClaw, telemetry: DashClawTelemetry, spans: Spans, log: ToolLog) -> None:
    govern(log.append, claw, name="drop_table", mode="observe")("orders")
    log.once("orders")
    span = spans.named("execute_tool drop_table")
    assert span.attributes["dashclaw.guard.decision"] == "block"
    assert span.attributes["dashclaw.action.ran"] is True
    assert span.attributes["dashclaw.action.status"] == "completed"


@pytest.mark.parametrize(
    ("failure", "mode", "ran"), [("closed", "enforce", False), ("open", "enforce", True), ("closed", "observe", True)]
)
def test_without_a_server(
    unreachable: Callable[[str], DashClaw],
    provider: TracerProvider,
    spans: Spans,
    log: ToolLog,
    failure: str,
    mode: Any,
    ran: bool,
) -> None:
    claw = unreachable(failure)
    with DashClawTelemetry(claw, provider):
        govern(log.append, claw, name="read_table", mode=mode, on_block="return")("orders")
    log.once(*(["orders"] if ran else []))
    call, guard = spans.named("execute_tool read_table"), spans.named("dashclaw.guard read_table")
    assert guard.kind is SpanKind.CLIENT and guard.status.status_code is StatusCode.ERROR
    assert guard.attributes["server.address"] == "127.0.0.1" and guard.attributes["server.port"] == 9
    assert "dashclaw.guard.decision" not in call.attributes
    assert call.attributes["dashclaw.action.ran"] is ran
    assert call.status.status_code is (StatusCode.UNSET if ran else StatusCode.ERROR)


def test_closing(claw: DashClaw, provider: TracerProvider, spans: Spans) -> None:
    telemetry = DashClawTelemetry(claw, provider)
    with pytest.raises(ConfigurationError, match="spans already"):
        DashClawTelemetry(claw, provider)
    with claw.track("deploy", "Ship it"):
        telemetry.close()
    telemetry.close()
    assert spans.named("dashclaw.action deploy").attributes["dashclaw.action.status"] == "completed"
    with claw.track("deploy", "Ship it again"):
        pass
    assert len(spans.all("dashclaw.action deploy")) == 1
    with DashClawTelemetry(claw, provider), claw.track("deploy", "And again"):
        pass
    assert len(spans.all("dashclaw.action deploy")) == 2


def test_denied_is_an_error_of_the_call(
    waiting: DashClaw, provider: TracerProvider, spans: Spans, answering: Callable[..., Person]
) -> None:
    answering("deny")
    with DashClawTelemetry(waiting, provider), pytest.raises(ApprovalDeniedError):
        waiting.create_action("send_mail", "Mail ann")
    assert spans.named("dashclaw.approval").attributes["dashclaw.approval.status"] == "denied"
    assert spans.named("dashclaw.guard send_mail").attributes["dashclaw.guard.decision"] == "require_approval"


def test_nothing_is_kept_of_what_has_ended(claw: DashClaw, telemetry: DashClawTelemetry) -> None:
    for _ in range(3):
        with claw.track("deploy", "Ship it"):
            assert len(telemetry._open) == 1
    assert len(telemetry._open) == 0
