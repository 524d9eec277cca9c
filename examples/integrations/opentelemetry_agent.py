"""An agent whose tools are governed and traced: one reads, one is forbidden, one waits for a person.

    pip install "dashclaw[local,otel]" opentelemetry-sdk
    python examples/integrations/opentelemetry_agent.py

The spans are printed as a tree. OTEL_EXPORTER_OTLP_ENDPOINT="http://localhost:4318", with the package
opentelemetry-exporter-otlp-proto-http, sends them to a collector as well.
"""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dashclaw import DashClaw, govern
from dashclaw.integrations.opentelemetry import DashClawTelemetry

SHOWN = ("dashclaw.guard.decision", "dashclaw.approval.status", "dashclaw.action.status", "error.type")


def read_table(table: str) -> str:
    """Count the rows of a table."""
    print(f"  read_table runs on {table}")
    return "3 rows"


def drop_table(table: str) -> str:
    """Drop a table."""
    print(f"  drop_table runs on {table}")
    return "gone"


def send_mail(to: str, text: str) -> str:
    """Send a mail."""
    print(f"  send_mail runs: to {to}: {text}")
    return "sent"


def provider(spans: InMemorySpanExporter) -> TracerProvider:
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(spans))
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        made.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    return made


def approve(database: Path, over: threading.Event) -> None:
    """Be the person who approves what waits."""
    with DashClaw.local(database, agent_id="person") as claw:
        while not over.wait(0.05):
            for waiting in claw.get_pending_approvals()["actions"]:
                claw.approve_action(waiting["action_id"], "allow", reasoning="It is only a count")


def work(claw: DashClaw, tracer: Any) -> None:
    tools = {tool.__name__: govern(tool, claw, on_block="return") for tool in (read_table, drop_table, send_mail)}
    with tracer.start_as_current_span("answer a customer"):
        rows = tools["read_table"](table="customers")
        print(tools["drop_table"](table="customers"))
        tools["send_mail"](to="ann@example.com", text=rows)


def show(spans: InMemorySpanExporter) -> None:
    found = sorted(spans.get_finished_spans(), key=lambda span: span.start_time or 0)
    depth: dict[int, int] = {}
    for span in found:
        depth[span.context.span_id] = depth[span.parent.span_id] + 1 if span.parent else 0
        told = [str(span.attributes[name]) for name in SHOWN if span.attributes and name in span.attributes]
        print("  " * depth[span.context.span_id] + ", ".join([span.name, *told]))


def main() -> None:
    spans, over = InMemorySpanExporter(), threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "dashclaw.db"
        with DashClaw.local(database, agent_id="mail-agent", starter_policies=False, hitl_mode="wait") as claw:
            for name, kind, tools in (
                ("Nothing is dropped", "block_action_type", ["drop_*"]),
                ("A person reads mail first", "require_approval", ["send_*"]),
            ):
                body = {"name": name, "policy_type": kind, "rules": {"action_types": tools}}
                claw.request("POST", "/api/policies", body=body)
            person = threading.Thread(target=approve, args=(database, over))
            person.start()
            made = provider(spans)
            try:
                with DashClawTelemetry(claw, made):
                    work(claw, made.get_tracer("example"))
            finally:
                over.set()
                person.join()
            mailed = claw.get_actions(action_type="send_mail")["actions"][0]
    show(spans)
    print(f"The record of the mail names the trace {mailed['metadata']['trace_id']}")


if __name__ == "__main__":
    main()
