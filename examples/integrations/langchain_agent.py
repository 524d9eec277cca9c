"""An agent of LangChain whose tools are decided about: one reads, one is forbidden, one waits for a person.

    pip install "dashclaw[local,langchain-agents]"
    python examples/integrations/langchain_agent.py

The model follows a script. EXAMPLE_MODEL="openai:gpt-5-mini" asks a real one instead (pip install langchain-openai).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain.chat_models import init_chat_model
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from dashclaw import DashClaw
from dashclaw.integrations.langchain import DashClawCallbackHandler, DashClawMiddleware

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


class ScriptedModel(GenericFakeChatModel):
    """A model that says what it was given."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        return self


def model() -> Any:
    wanted = os.environ.get("EXAMPLE_MODEL")
    if wanted:
        return init_chat_model(wanted)
    steps = [
        ("read_table", {"table": "customers"}),
        ("drop_table", {"table": "customers"}),
        ("send_mail", {"to": "ann@example.com", "text": "3 rows"}),
    ]
    used = {"input_tokens": 120, "output_tokens": 20, "total_tokens": 140}
    script = [
        AIMessage("", tool_calls=[{"name": name, "args": args, "id": f"call_{name}"}], usage_metadata=used)
        for name, args in steps
    ]
    return ScriptedModel(messages=iter([*script, AIMessage("The mail is out; dropping is forbidden.")]))


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

        agent = create_agent(
            model(),
            [read_table, drop_table, send_mail],
            middleware=[DashClawMiddleware(claw, approvals="interrupt")],
            checkpointer=InMemorySaver(),
        )
        config = {"configurable": {"thread_id": "1"}, "callbacks": [DashClawCallbackHandler(claw)]}
        found = agent.invoke({"messages": [("user", TASK)]}, config)
        while found.get("__interrupt__"):
            question = found["__interrupt__"][0].value
            print(f"  {question['tool']} {question['arguments']} waits; a person approves it")
            claw.approve_action(question["action_id"], "allow", reasoning="It is only a count")
            found = agent.invoke(Command(resume=True), config)
        for message in found["messages"]:
            if message.type == "tool" and message.status == "error":
                print(f"The model was told: {message.content}")
        print(f"It says: {found['messages'][-1].content}")
        print("Recorded:")
        for row in reversed(claw.get_actions()["actions"]):
            tokens = f", {row['tokens_in']} + {row['tokens_out']} tokens" if row["tokens_in"] else ""
            print(f"  {row['action_type']:12} {row['status']}{tokens}")


if __name__ == "__main__":
    main()
