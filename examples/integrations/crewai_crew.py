"""A crew whose tools are decided about: one reads, one is forbidden, one waits for a person.

    pip install "dashclaw[local,crewai]"
    CREWAI_DISABLE_TELEMETRY=true python examples/integrations/crewai_crew.py

The model follows a script. EXAMPLE_MODEL="openai/gpt-5-mini" asks a real one instead, with its key in the environment.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

from crewai import LLM, Agent, BaseLLM, Crew, Task
from crewai.events.types.llm_events import LLMCallType
from crewai.llms.base_llm import llm_call_context
from crewai.tools import tool
from pydantic import PrivateAttr

from dashclaw import DashClaw
from dashclaw.integrations.crewai import DashClawCrewIntegration

TASK = "Read table 'customers', then drop it, then mail the number of rows to ann@example.com."
STEPS = [
    ("read_table", {"table": "customers"}),
    ("drop_table", {"table": "customers"}),
    ("send_mail", {"to": "ann@example.com", "text": "3 rows"}),
]
USAGE = {"prompt_tokens": 120, "completion_tokens": 20, "total_tokens": 140}


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


class ScriptedModel(BaseLLM):
    """A model that calls the tools of the script, one after another."""

    _steps: Any = PrivateAttr(default_factory=lambda: iter(STEPS))

    def supports_function_calling(self) -> bool:
        """Let CrewAI take calls of tools from the answer."""
        return True

    def call(
        self,
        messages: Any,
        tools: Any = None,  # noqa: ARG002
        callbacks: Any = None,  # noqa: ARG002
        available_functions: Any = None,  # noqa: ARG002
        from_task: Any = None,
        from_agent: Any = None,
        response_model: Any = None,  # noqa: ARG002
    ) -> Any:
        """Return the next call, and after the last one an answer."""
        last = messages[-1]
        if last.get("role") == "tool" and "NOT run" in last["content"]:
            print(f"The model was told: {last['content']}")
        step = next(self._steps, None)
        answer: Any = "The mail is out; dropping is forbidden."
        if step is not None:
            called = {"name": step[0], "arguments": json.dumps(step[1])}
            answer = [{"id": f"call_{step[0]}", "type": "function", "function": called}]
        with llm_call_context():
            self._emit_call_started_event(messages=messages, from_task=from_task, from_agent=from_agent)
            self._emit_call_completed_event(
                answer, LLMCallType.LLM_CALL, from_task=from_task, from_agent=from_agent, usage=USAGE
            )
        return answer


def person(database: Path, over: threading.Event) -> None:
    """Approve what waits, as somebody at another computer would."""
    with DashClaw.local(database, agent_id="person") as claw:
        while not over.wait(0.05):
            for row in claw.get_pending_approvals()["actions"]:
                print(f"  {row['action_type']} {row['input_summary']} waits; a person approves it")
                claw.approve_action(row["action_id"], "allow", reasoning="It is only a count")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "dashclaw.db"
        over = threading.Event()
        with DashClaw.local(database, agent_id="mail-crew", hitl_mode="wait", starter_policies=False) as claw:
            for name, kind, tools in (
                ("Nothing is dropped", "block_action_type", ["drop_*"]),
                ("A person reads mail first", "require_approval", ["send_*"]),
            ):
                body = {"name": name, "policy_type": kind, "rules": {"action_types": tools}}
                claw.request("POST", "/api/policies", body=body)
            approver = threading.Thread(target=person, args=(database, over))
            approver.start()
            try:
                run(claw)
            finally:
                over.set()
                approver.join()


def run(claw: DashClaw) -> None:
    wanted = os.environ.get("EXAMPLE_MODEL")
    clerk = Agent(
        role="clerk",
        goal="Do what the task says",
        backstory="You answer for the customers' table.",
        llm=LLM(wanted) if wanted else ScriptedModel(model="scripted"),
        tools=[read_table, drop_table, send_mail],
    )
    task = Task(description=TASK, expected_output="What was done", agent=clerk)
    with DashClawCrewIntegration(claw) as dashclaw:
        crew = dashclaw.instrument_crew(Crew(agents=[clerk], tasks=[task]))
        print(f"It says: {crew.kickoff().raw}")
    print("Recorded:")
    for row in reversed(claw.get_actions()["actions"]):
        tokens = f", {row['tokens_in']} + {row['tokens_out']} tokens" if row["tokens_in"] else ""
        print(f"  {row['action_type']:12} {row['status']}{tokens}")


if __name__ == "__main__":
    main()
