"""An agent of the OpenAI Agents SDK whose tools are decided about: one reads, one is forbidden, one waits for a person.

    pip install "dashclaw[local,openai-agents]"
    python examples/integrations/openai_agents_agent.py

The model follows a script. EXAMPLE_MODEL="gpt-5-mini", with OPENAI_API_KEY, asks a real one instead.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from agents import Agent, Model, ModelResponse, Runner, RunState, Usage, function_tool, set_tracing_disabled
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

from dashclaw import DashClaw
from dashclaw.integrations.openai_agents import DashClawRunHooks, govern_agent, settle_approvals

TASK = "Read table 'customers', then drop it, then mail the number of rows to ann@example.com."


@function_tool
def read_table(table: str) -> str:
    """Count the rows of a table."""
    print(f"  read_table runs on {table}")
    return "3 rows"


@function_tool
def drop_table(table: str) -> str:
    """Drop a table."""
    print(f"  drop_table runs on {table}")
    return "gone"


@function_tool
def send_mail(to: str, text: str) -> str:
    """Send a mail."""
    print(f"  send_mail runs: to {to}: {text}")
    return "sent"


class ScriptedModel(Model):
    """A model that says what it was given."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)

    async def get_response(self, *_: Any, **__: Any) -> ModelResponse:
        used = Usage(requests=1, input_tokens=120, output_tokens=20, total_tokens=140)
        return ModelResponse(output=[self.steps.pop(0)], usage=used, response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


def call(name: str, **arguments: str) -> Any:
    return ResponseFunctionToolCall(
        call_id=f"call_{name}", type="function_call", name=name, arguments=json.dumps(arguments)
    )


def model() -> Any:
    wanted = os.environ.get("EXAMPLE_MODEL")
    if wanted:
        return wanted
    set_tracing_disabled(True)
    said = ResponseOutputText(text="The mail is out; dropping is forbidden.", type="output_text", annotations=[])
    return ScriptedModel(
        call("read_table", table="customers"),
        call("drop_table", table="customers"),
        call("send_mail", to="ann@example.com", text="3 rows"),
        ResponseOutputMessage(id="msg_1", type="message", role="assistant", status="completed", content=[said]),
    )


async def work(claw: DashClaw) -> None:
    agent = Agent(name="Mail agent", model=model(), tools=[read_table, drop_table, send_mail])
    govern_agent(agent, claw, approvals="interrupt")
    async with DashClawRunHooks(claw) as hooks:
        result = await Runner.run(agent, TASK, hooks=hooks)
    while result.interruptions:
        kept = result.to_state().to_string()
        for waiting in claw.get_pending_approvals()["actions"]:
            print(f"  {waiting['declared_goal']} {waiting['input_summary']} waits; a person approves it")
            claw.approve_action(waiting["action_id"], "allow", reasoning="It is only a count")
        # This can be another process, days later.
        state = await RunState.from_string(agent, kept)
        await settle_approvals(state, claw)
        async with DashClawRunHooks(claw) as hooks:
            result = await Runner.run(agent, state, hooks=hooks)
    for item in result.new_items:
        if item.type == "tool_call_output_item" and "NOT run" in str(item.output):
            print(f"The model was told: {item.output}")
    print(f"It says: {result.final_output}")


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
