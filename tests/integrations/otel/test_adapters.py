"""An adapter has spans without knowing of them, here LangChain's, whose callbacks only name what they are parts of."""

from __future__ import annotations

from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

from dashclaw import DashClaw
from dashclaw.integrations.langchain import DashClawCallbackHandler
from dashclaw.integrations.opentelemetry import DashClawTelemetry

from ..conftest import ToolLog
from .conftest import Spans


def test_langchain(claw: DashClaw, telemetry: DashClawTelemetry, spans: Spans, log: ToolLog) -> None:
    model = FakeListChatModel(responses=["three"])

    @tool
    def count_rows(table: str) -> str:
        """Count rows."""
        log.append(table)
        return str(RunnableLambda(lambda text: model.invoke(text).content).invoke(table))

    handler = DashClawCallbackHandler(claw)
    assert count_rows.invoke({"table": "orders"}, config={"callbacks": [handler]}) == "three"
    log.once("orders")
    (chat,) = (span for span in spans.get_finished_spans() if span.name.startswith("chat"))
    call = spans.named("execute_tool count_rows")
    assert chat.parent.span_id == call.context.span_id
    assert chat.attributes["gen_ai.operation.name"] == "chat"
    assert call.attributes["dashclaw.framework"] == "langchain"
