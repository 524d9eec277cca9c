"""A team of AutoGen AgentChat whose tools are decided about: one reads, one is forbidden, one waits for a person.

    pip install "dashclaw[local,autogen]" autogen-ext
    python examples/integrations/autogen_team.py

The model follows a script. EXAMPLE_MODEL="gpt-5-mini" asks one of OpenAI instead (pip install "autogen-ext[openai]").
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.messages import ToolCallExecutionEvent
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import FunctionCall
from autogen_core.models import CreateResult, RequestUsage
from autogen_ext.models.replay import ReplayChatCompletionClient

from dashclaw import DashClaw
from dashclaw.integrations.autogen import DashClawAutoGenIntegration

TASK = "Read table 'customers', then drop it, then mail the number of rows to ann@example.com."


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


def model() -> Any:
    wanted = os.environ.get("EXAMPLE_MODEL")
    if wanted:
        from autogen_ext.models.openai import OpenAIChatCompletionClient

        return OpenAIChatCompletionClient(model=wanted)
    steps = [
        ("read_table", {"table": "customers"}),
        ("drop_table", {"table": "customers"}),
        ("send_mail", {"to": "ann@example.com", "text": "3 rows"}),
    ]
    calls = [FunctionCall(id=f"call_{name}", name=name, arguments=json.dumps(args)) for name, args in steps]
    used = RequestUsage(prompt_tokens=120, completion_tokens=20)
    script = [
        CreateResult(finish_reason="function_calls", content=calls, usage=used, cached=False),
        CreateResult(finish_reason="stop", content="The mail is out; dropping is forbidden.", usage=used, cached=False),
    ]
    about = {"vision": False, "function_calling": True, "json_output": False, "family": "unknown"}
    return ReplayChatCompletionClient(script, model_info={**about, "structured_output": False})


class Person(threading.Thread):
    """Approves what waits, in a program of their own as far as DashClaw knows."""

    def __init__(self, database: Path) -> None:
        super().__init__(daemon=True)
        self.database = database
        self.over = threading.Event()

    def run(self) -> None:
        with DashClaw.local(self.database, agent_id="ops") as claw:
            while not self.over.wait(0.05):
                for row in claw.get_pending_approvals()["actions"]:
                    print(f"  {row['action_type']} waits; a person approves it")
                    claw.approve_action(row["action_id"], "allow", reasoning="It is only a count")


async def chat(claw: DashClaw) -> None:
    agent = AssistantAgent(
        "clerk", model_client=model(), tools=[read_table, drop_table, send_mail], reflect_on_tool_use=True
    )
    team = RoundRobinGroupChat([agent], termination_condition=MaxMessageTermination(2))
    with DashClawAutoGenIntegration(claw) as dashclaw:
        dashclaw.instrument_agent(team)
        result = await team.run(task=TASK)
    for message in result.messages:
        if isinstance(message, ToolCallExecutionEvent):
            for called in message.content:
                print(f"The model was told: {called.content}")
    print(f"It says: {result.messages[-1].content}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "dashclaw.db"
        with DashClaw.local(database, agent_id="mail-agent", starter_policies=False, hitl_mode="wait") as claw:
            for name, kind, tools in (
                ("Nothing is dropped", "block_action_type", ["drop_*"]),
                ("A person reads mail first", "require_approval", ["send_*"]),
            ):
                body = {"name": name, "policy_type": kind, "rules": {"action_types": tools}}
                claw.request("POST", "/api/policies", body=body)
            person = Person(database)
            person.start()
            try:
                asyncio.run(chat(claw))
            finally:
                person.over.set()
                person.join()
            print("Recorded:")
            for row in reversed(claw.get_actions()["actions"]):
                tokens = f", {row['tokens_in']} + {row['tokens_out']} tokens" if row["tokens_in"] else ""
                print(f"  {row['action_type']:12} {row['status']}{tokens}")


if __name__ == "__main__":
    main()
