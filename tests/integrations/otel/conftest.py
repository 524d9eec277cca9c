"""The real SDK, which keeps what it is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dashclaw import DashClaw
from dashclaw.integrations.opentelemetry import DashClawTelemetry


class Spans(InMemorySpanExporter):
    """The spans that have ended."""

    def named(self, name: str) -> Any:
        """Return the only span of a name."""
        (found,) = self.all(name)
        return found

    def all(self, name: str) -> list[Any]:
        return [span for span in self.get_finished_spans() if span.name == name]

    def parents(self) -> dict[str, str | None]:
        """Return the name of each span's parent."""
        names = {span.context.span_id: span.name for span in self.get_finished_spans()}
        return {
            span.name: None if span.parent is None else names.get(span.parent.span_id)
            for span in self.get_finished_spans()
        }

    def text(self) -> str:
        """Return all that would leave the program."""
        return "\n".join(span.to_json() for span in self.get_finished_spans())


@pytest.fixture(autouse=True)
def outside_of_spans() -> Iterator[None]:
    """Let no test be in a span that another one was kept from leaving."""
    token = attach(Context())
    yield
    detach(token)


@pytest.fixture(autouse=True)
def nothing_fails(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Telling a tracer must not fail, except where a test breaks it: the product only logs that."""
    yield
    failed = [record for record in caplog.get_records("call") if record.getMessage().startswith("Telemetry failed")]
    assert bool(failed) is ("broken" in request.fixturenames), failed


@pytest.fixture
def spans() -> Spans:
    """What is exported."""
    return Spans()


@pytest.fixture
def provider(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> TracerProvider:
    """A provider of the real SDK, whatever the environment says of it."""
    monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(spans))
    return made


@pytest.fixture
def telemetry(claw: DashClaw, provider: TracerProvider) -> Iterator[DashClawTelemetry]:
    """Spans of the embedded client that does not wait."""
    with DashClawTelemetry(claw, provider) as found:
        yield found
