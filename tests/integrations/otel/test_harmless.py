"""Telemetry that fails changes nothing: what is allowed runs once, what is forbidden does not, errors stay theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from dashclaw import AsyncDashClaw, DashClaw, GuardBlockedError, govern
from dashclaw.integrations import _otel_attributes, opentelemetry
from dashclaw.integrations.opentelemetry import DashClawTelemetry

from ..conftest import Person, ToolLog, actions

PLACES = [
    (DashClawTelemetry, "run"),
    (DashClawTelemetry, "guard"),
    (DashClawTelemetry, "headers"),
    (opentelemetry._Propagator, "inject"),
    (opentelemetry._context, "attach"),
    (opentelemetry._context, "detach"),
    (opentelemetry._RunSpan, "begun"),
    (_otel_attributes, "of_start"),
    (_otel_attributes, "of_decision"),
    (_otel_attributes, "of_outcome"),
    (_otel_attributes, "of_error"),
    (SpanProcessor, "on_start"),
    (SpanProcessor, "on_end"),
    (Span, "set_attributes"),
    (Span, "set_status"),
    (Span, "end"),
]


@pytest.fixture(params=PLACES, ids=lambda place: f"{place[0].__name__.rpartition('.')[2]}.{place[1]}")
def broken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> TracerProvider:
    """A provider, with a mistake somewhere between the core and its end."""

    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a mistake of somebody's")

    class Processor(SpanProcessor):
        pass

    monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)
    made = TracerProvider()
    made.add_span_processor(Processor())
    monkeypatch.setattr(*request.param, fail)
    return made


def send(log: ToolLog, what: str) -> str:
    if what == "nonsense":
        raise LookupError(what)
    log.append(what)
    return "sent"


def test_whatever_breaks(claw: DashClaw, log: ToolLog, broken: TracerProvider) -> None:
    DashClawTelemetry(claw, broken)
    with claw.track("deploy", "Ship it"):
        log.append("shipped")
    sending = govern(lambda what: send(log, what), claw, name="send_text")
    assert sending("hello") == "sent"
    with pytest.raises(LookupError, match="nonsense"):
        sending("nonsense")
    with pytest.raises(GuardBlockedError):
        govern(lambda: log.append("dropped"), claw, name="drop_table")()
    assert claw.guard({"action_type": "drop_table"})["decision"] == "block"
    log.once("shipped", "hello")
    assert [row["status"] for row in actions(claw)] == ["completed", "completed", "failed", "blocked"]


def test_whatever_breaks_in_tasks(database: Path, log: ToolLog, broken: TracerProvider) -> None:
    async def main() -> None:
        async with AsyncDashClaw.local(database, agent_id="agent", hitl_mode="off") as claw:
            DashClawTelemetry(claw, broken)

            async def asend(what: str) -> str:
                return send(log, what)

            sending = govern(asend, claw, name="send_text")
            assert await asyncio.gather(*map(sending, "ab")) == ["sent", "sent"]
            with pytest.raises(LookupError, match="nonsense"):
                await sending("nonsense")
            with pytest.raises(GuardBlockedError):
                async with claw.track("drop_table", "Drop it"):
                    log.append("dropped")

    asyncio.run(main())
    assert sorted(log) == ["a", "b"]


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_a_wait_that_is_not_drawn(
    waiting: DashClaw,
    provider: TracerProvider,
    answering: Callable[..., Person],
    log: ToolLog,
    decision: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []

    def fail(self: Any, client: Any, action_id: str) -> Any:
        told.append(action_id)
        raise ZeroDivisionError("a mistake of somebody's")

    monkeypatch.setattr("dashclaw._spans.logger", lambda: type("Log", (), {"warning": lambda *_, **__: None}))
    monkeypatch.setattr(DashClawTelemetry, "approval", fail)
    DashClawTelemetry(waiting, provider)
    answering(decision)
    govern(log.append, waiting, name="send_mail", on_block="return")("ann")
    log.once(*(["ann"] if decision == "allow" else []))
    assert told


def test_a_failing_exporter(claw: DashClaw, log: ToolLog, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    class Exporter(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            tried.append(len(spans))
            raise ConnectionError("no collector")

    monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Exporter()))
    with DashClawTelemetry(claw, provider):
        govern(log.append, claw, name="read_table")("orders")
        with pytest.raises(GuardBlockedError):
            govern(log.append, claw, name="drop_table")("orders")
    log.once("orders")
    assert len(tried) == 4


def test_without_an_sdk_nothing_is_drawn_and_all_is_governed(claw: DashClaw, log: ToolLog) -> None:
    from opentelemetry.trace import NoOpTracerProvider

    with DashClawTelemetry(claw, NoOpTracerProvider()):
        govern(log.append, claw, name="read_table")("orders")
        with pytest.raises(GuardBlockedError):
            govern(log.append, claw, name="drop_table")("orders")
    log.once("orders")
    assert all("trace_id" not in row["metadata"] for row in actions(claw))


def test_a_span_that_is_not_sampled_is_passed_on(claw: DashClaw, monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)
    ended: list[ReadableSpan] = []

    class Processor(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            ended.append(span)

    provider = TracerProvider(sampler=ALWAYS_OFF)
    provider.add_span_processor(Processor())
    with DashClawTelemetry(claw, provider), claw.track("deploy", "Ship it"):
        pass
    assert ended == []
    assert len(actions(claw)[0]["metadata"]["trace_id"]) == 32
