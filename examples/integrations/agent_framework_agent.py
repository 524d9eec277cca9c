"""An agent of the Microsoft Agent Framework: one function reads, one is forbidden, one waits for a person.

    pip install "dashclaw[local,agent-framework]"
    python examples/integrations/agent_framework_agent.py

The model follows a script. EXAMPLE_MODEL="gpt-5-mini", with OPENAI_API_KEY, asks a real one instead
(pip install agent-framework-openai).
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

from agent_framework import (
    Agent,
    BaseChatClient,
    ChatMiddlewareLayer,
    ChatResponse,
    Content,
    FunctionInvocationLayer,
    Message,
    tool,
)

from dashclaw import DashClaw
from dashclaw.integrations.agent_framework import dashclaw_middleware

TASK = "Read table 'customers', then drop it, then mail the number of rows to ann@example.com."


@tool
def read_table(table: str) -> str:
    """Count the rows of a table."""
    print(f"  read_table runs on {table}")
    return "3 rows"


@tool
def drop_table(table: str) -> str:
    """Drop a table."""
    print(f"  drop_table runs on {table}")
    return "gone"


@tool
def send_mail(to: str, text: str) -> str:
    """Send a mail."""
    print(f"  send_mail runs: to {to}: {text}")
    return "sent"


class ScriptedClient(FunctionInvocationLayer, ChatMiddlewareLayer, BaseChatClient):
    """A client of a model that says what it was given, and prints what it was told."""

    def __init__(self, *steps: Content) -> None:
        super().__init__()
        self.steps = list(steps)

    def _inner_get_response(self, *, messages: Any, **_: Any) -> Any:
        async def answer() -> ChatResponse:
            for part in messages[-1].contents:
                if part.type == "function_result" and "NOT run" in str(part.result):
                    print(f"The model is told: {part.result}")
            used: Any = {"input_token_count": 120, "output_token_count": 20, "total_token_count": 140}
            return ChatResponse(messages=[Message("assistant", [self.steps.pop(0)])], usage_details=used)

        return answer()


def client() -> Any:
    wanted = os.environ.get("EXAMPLE_MODEL")
    if wanted:
        from agent_framework.openai import OpenAIChatClient

        return OpenAIChatClient(model=wanted)
    return ScriptedClient(
        Content.from_function_call(call_id="call_1", name="read_table", arguments={"table": "customers"}),
        Content.from_function_call(call_id="call_2", name="drop_table", arguments={"table": "customers"}),
        Content.from_function_call(
            call_id="call_3", name="send_mail", arguments={"to": "ann@example.com", "text": "3 rows"}
        ),
        Content.from_text("The mail is out; dropping is forbidden."),
    )


async def work(claw: DashClaw) -> None:
    agent = Agent(
        client(),
        tools=[read_table, drop_table, send_mail],
        middleware=dashclaw_middleware(claw, approvals="interrupt"),
    )
    session = agent.create_session()
    result = await agent.run(TASK, session=session)
    while result.user_input_requests:
        answers = []
        for request in result.user_input_requests:
            print(f"  {request.function_call.name} waits; a person approves it")
            claw.approve_action(request.additional_properties["dashclaw_action_id"], "allow", reasoning="Only a count")
            answers.append(request.to_function_approval_response(True))
        result = await agent.run(Message("user", answers), session=session)
    print(f"It says: {result.text}")


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        DashClaw.local(Path(folder) / "dashclaw.db", agent_id="mail-agent", starter_policies=False) as claw,
    ):
        for name, kind, tools in (
            ("Nothing is dropped", "block_action_type", ["drop_*"]),
            ("A person reads mail first", "require_approval", ["send_*"]),
        ):
            body = {"name": name, "policy_type": kind, "rules": {"action_types": tools}}
            claw.request("POST", "/api/policies", body=body)
        asyncio.run(work(claw))
        print("Recorded:")
        for row in reversed(claw.get_actions()["actions"]):
            tokens = f", {row['tokens_in']} + {row['tokens_out']} tokens" if row["tokens_in"] else ""
            print(f"  {row['action_type']:12} {row['status']}{tokens}")


if __name__ == "__main__":
    main()
