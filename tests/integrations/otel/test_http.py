"""The trace goes with the requests to a real server, which keeps it with the decision and the action."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind

from dashclaw import AsyncDashClaw, DashClaw, PooledTransport, govern
from dashclaw._transport import Request, Response
from dashclaw.integrations.opentelemetry import DashClawTelemetry

from ...integration.serving import Served, served
from ..conftest import actions
from .conftest import Spans


class Sent(list[Request]):
    """The requests that were sent."""

    def traces(self) -> dict[str, str]:
        """Return the trace context of each request by its verb and path, as far as the flags."""
        return {f"{found.method} {found.target}": found.headers.get("traceparent", "")[:53] for found in self}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What the real transport sends."""
    found, send = Sent(), PooledTransport.send

    def noting(self: PooledTransport, request: Request, timeout: float) -> Response:
        found.append(request)
        return send(self, request, timeout)

    monkeypatch.setattr(PooledTransport, "send", noting)
    return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """A server on a new database."""
    with served(str(tmp_path / "server.db")) as found:
        yield found


def traceparent(span: Any) -> str:
    """Return what stands for a span, as far as the flags: newer SDKs set a second one."""
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-"[:53]


def check(server: Served, spans: Spans, traces: dict[str, str]) -> None:
    """Check one governed call of `read_table`, before which the guard was asked."""
    with DashClaw(server.url, server.admin_key) as operator:
        (row,) = actions(operator)
        (decision,) = operator.get_guard_decisions()["decisions"]
    call, guard = spans.named("execute_tool read_table"), spans.named("dashclaw.guard read_table")
    assert traces == {
        "POST /api/guard": traceparent(guard),
        "POST /api/actions": traceparent(guard),
        f"PATCH /api/actions/{row['action_id']}": traceparent(call),
    }
    assert guard.kind is SpanKind.CLIENT and guard.attributes["server.address"] == "127.0.0.1"
    kept = {"trace_id": f"{call.context.trace_id:032x}", "span_id": f"{guard.context.span_id:016x}"}
    assert {name: row["metadata"][name] for name in kept} == kept
    assert {name: decision["context"][name] for name in kept} == kept


def test_a_governed_call(server: Served, provider: TracerProvider, spans: Spans, sent: Sent) -> None:
    claw = DashClaw(server.url, server.agent_key, agent_id="agent", guard_mode="enforce")
    with claw, DashClawTelemetry(claw, provider):
        govern(lambda: None, claw, name="read_table")()
    check(server, spans, sent.traces())


@pytest.mark.parametrize("kind", [AsyncDashClaw, DashClaw])
def test_a_governed_call_in_a_task(
    server: Served, provider: TracerProvider, spans: Spans, sent: Sent, kind: Any
) -> None:
    async def main() -> None:
        claw = kind(server.url, server.agent_key, agent_id="agent", guard_mode="enforce")
        with DashClawTelemetry(claw, provider):

            async def body() -> None:
                await asyncio.sleep(0)

            await govern(body, claw, name="read_table")()
        await claw.aclose() if kind is AsyncDashClaw else claw.close()

    asyncio.run(main())
    check(server, spans, sent.traces())


def test_other_calls_belong_to_the_span_of_the_program(
    server: Served, provider: TracerProvider, spans: Spans, sent: Sent
) -> None:
    tracer = provider.get_tracer("test")
    with DashClaw(server.url, server.agent_key, agent_id="agent") as claw:
        telemetry = DashClawTelemetry(claw, provider)
        claw.get_actions()
        with tracer.start_as_current_span("mine"):
            claw.heartbeat()
            telemetry.close()
            claw.get_actions(limit=1)
    assert sent.traces() == {
        "GET /api/actions": "",
        "POST /api/agents/heartbeat": traceparent(spans.named("mine")),
        "GET /api/actions?limit=1": "",
    }
