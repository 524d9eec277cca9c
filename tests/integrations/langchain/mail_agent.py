"""An agent that sends one mail, in a process of its own: python -m tests.integrations.langchain.mail_agent FOLDER STEP.

STEP is "ask" for a new run, "resume" for the one that was interrupted, and "crash" for one that ends when the mail is
out, before the graph has kept that. Prints JSON: what it is interrupted for, and what the model was told.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from dashclaw import DashClaw
from dashclaw.integrations.langchain import DashClawCallbackHandler, DashClawMiddleware

from .scripted import Scripted, calls, says


def main(folder: Path, step: str) -> dict[str, Any]:
    @tool
    def send_mail(to: str) -> str:
        """Send a mail."""
        with (folder / "sent.txt").open("a") as file:
            file.write(f"{to}\n")
        if step == "crash":
            file.close()
            os._exit(3)
        return "sent"

    def answer(messages: list[Any]) -> Any:
        return calls("send_mail", to="ann") if messages[-1].type == "human" else says("done")

    with (
        DashClaw.local(folder / "dashclaw.db", agent_id="agent") as claw,
        closing(sqlite3.connect(folder / "checkpoints.db", check_same_thread=False)) as connection,
    ):
        agent = create_agent(
            Scripted(script=[answer] * 9),
            [send_mail],
            middleware=[DashClawMiddleware(claw, approvals="interrupt")],
            checkpointer=SqliteSaver(connection),
        )
        given: Any = {"messages": [("user", "go")]} if step == "ask" else Command(resume="whatever")
        config = {"configurable": {"thread_id": "1"}, "callbacks": [DashClawCallbackHandler(claw)]}
        found = agent.invoke(given, config)
        asked = [item.value for item in found.get("__interrupt__", ())]
        return {"asked": asked, "told": [item.content for item in found["messages"] if item.type == "tool"]}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2])))
