"""What the run hooks record: the run, the calls of models with their tokens, hand-offs, errors."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from agents import Agent, Runner, function_tool

from dashclaw import DashClaw
from dashclaw import _governor as governing
from dashclaw.integrations.openai_agents import DashClawRunHooks, govern_agent

from ..conftest import actions
from .scripted import TOKENS_IN, TOKENS_OUT, WAYS, call, model, run, run_sync, text

every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def clerk(*steps: Any, **fields: Any) -> Any:
    @function_tool
    def read_mail(to: str) -> str:
        """Read."""
        return "mail"

    return Agent(name="clerk", model=model(*steps), tools=[read_mail], **fields)


@every_way
def test_models_tools_and_hand_offs_are_parts_of_the_run(claw: DashClaw, way: Any) -> None:
    far = clerk(call("read_mail", to="ann"), text("ready"))
    first = Agent(name="first", model=model(call("transfer_to_clerk", "hand_1")), handoffs=[far])
    with DashClawRunHooks(claw) as hooks:
        assert way(govern_agent(first, claw), hooks=hooks).final_output == "ready"
    rows = actions(claw)
    whole = rows[0]
    assert (whole["action_type"], whole["status"]) == ("agent.run", "completed")
    parts = [row["action_type"] for row in rows[1:]]
    assert sorted(parts) == ["agent.handoff", "llm.call", "llm.call", "llm.call", "read_mail"]
    assert {row["parent_action_id"] for row in rows[1:]} == {whole["action_id"]}
    assert {row["status"] for row in rows} == {"completed"}
    tokens = [(row["tokens_in"], row["tokens_out"]) for row in rows if row["action_type"] == "llm.call"]
    assert tokens == [(TOKENS_IN, TOKENS_OUT)] * 3


@every_way
def test_an_error_of_a_model_is_recorded_and_passed_on(claw: DashClaw, way: Any) -> None:
    agent = clerk(LookupError("no such model"))
    with pytest.raises(LookupError, match="no such model") as caught, DashClawRunHooks(claw) as hooks:
        way(agent, hooks=hooks)
    assert caught.value.__traceback__ is not None
    rows = {row["action_type"]: row for row in actions(claw)}
    assert {row["status"] for row in rows.values()} == {"failed"}
    assert rows["llm.call"]["error_message"] == "LookupError: no such model"


def test_concurrent_runs_have_records_of_their_own(claw: DashClaw) -> None:
    async def one(place: int) -> None:
        async with DashClawRunHooks(claw, fields={"reasoning": str(place)}) as hooks:
            await Runner.run(govern_agent(clerk(call("read_mail", to=str(place)), text("x")), claw), "go", hooks=hooks)

    async def together() -> None:
        await asyncio.gather(*map(one, range(8)))

    asyncio.run(together())
    rows = actions(claw)
    wholes = {row["action_id"]: row["reasoning"] for row in rows if row["action_type"] == "agent.run"}
    assert sorted(wholes.values()) == [str(place) for place in range(8)]
    for row in rows:
        if row["action_type"] == "llm.call":
            assert wholes[row["parent_action_id"]] == row["reasoning"]
        if row["action_type"] == "read_mail":
            assert f'"to": "{wholes[row["parent_action_id"]]}"' in row["input_summary"]


@pytest.mark.parametrize("step", ["Run", "Gate", "observe", "Governor.note", "Governor.anote", "Governor.afinish"])
def test_a_mistake_of_ours_does_not_break_the_run(claw: DashClaw, step: str, monkeypatch: Any) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a mistake of ours")

    holder, _, name = step.rpartition(".")
    monkeypatch.setattr(getattr(governing, holder) if holder else governing, name, fail)
    with DashClawRunHooks(claw) as hooks:
        assert run_sync(clerk(text("ready")), hooks=hooks).final_output == "ready"
    assert run(clerk(text("ready")), hooks=DashClawRunHooks(claw)).final_output == "ready"
