"""An agent of AG2 1.x whose tools are decided about: one reads, one is forbidden.

    pip install "dashclaw[local,ag2]"
    python examples/integrations/ag2_agent.py

The model follows a script. EXAMPLE_MODEL="gpt-5-mini" asks one of OpenAI instead (pip install "ag2[openai]").
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ag2 import Agent, tool
from ag2.events import ModelMessage, ModelResponse, ToolCallEvent, ToolCallsEvent
from ag2.events.types import Usage
from ag2.testing import TestConfig

from dashclaw import DashClaw
from dashclaw.integrations.autogen import DashClawAutoGenIntegration

TASK = "Read table 'customers', then drop it."


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


def model() -> Any:
    wanted = os.environ.get("EXAMPLE_MODEL")
    if wanted:
        from ag2.config import OpenAIConfig

        return OpenAIConfig(model=wanted)
    used = Usage(prompt_tokens=120, completion_tokens=20)
    calls = [
        ToolCallEvent(id=f"call_{name}", name=name, arguments=json.dumps({"table": "customers"}))
        for name in ("read_table", "drop_table")
    ]
    return TestConfig(
        ModelResponse(tool_calls=ToolCallsEvent(calls), usage=used, model="scripted"),
        ModelResponse(ModelMessage("It has 3 rows; dropping is forbidden."), usage=used, model="scripted"),
    )


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        DashClaw.local(Path(folder) / "dashclaw.db", agent_id="table-agent", starter_policies=False) as claw,
    ):
        body = {
            "name": "Nothing is dropped",
            "policy_type": "block_action_type",
            "rules": {"action_types": ["drop_*"]},
        }
        claw.request("POST", "/api/policies", body=body)
        agent = Agent("clerk", config=model(), tools=[read_table, drop_table])
        with DashClawAutoGenIntegration(claw) as dashclaw:
            dashclaw.instrument_agent(agent)
            reply = asyncio.run(agent.ask(TASK))
        print(f"It says: {reply.body}")
        print("Recorded:")
        for row in reversed(claw.get_actions()["actions"]):
            tokens = f", {row['tokens_in']} + {row['tokens_out']} tokens" if row["tokens_in"] else ""
            print(f"  {row['action_type']:12} {row['status']}{tokens}")


if __name__ == "__main__":
    main()
