"""How the agents are shown, in columns that both the screen and the plain table have."""

from __future__ import annotations

from collections.abc import Sequence

from .fleet import Agent, Fleet
from .output import age, table

COLUMNS = (
    "agent",
    "presence",
    "heard",
    "running",
    "waiting",
    "per min",
    "allow",
    "warn",
    "ask",
    "block",
    "cost",
    "signals",
)
_DECISIONS = ("allow", "warn", "require_approval", "block")


def cells(agent: Agent, minutes: float) -> list[str]:
    """One agent, a text per column."""
    signals = [f"{count} {name}" for count, name in ((agent.red, "red"), (agent.amber, "amber")) if count]
    return [
        agent.agent_id,
        agent.presence,
        age(agent.heard_at),
        str(agent.running),
        str(agent.waiting),
        f"{agent.decided / minutes:.1f}",
        *(str(agent.decisions.get(decision, 0)) for decision in _DECISIONS),
        f"${agent.cost:.2f}",
        ", ".join(signals) or "-",
    ]


def summary(fleet: Fleet) -> str:
    """The sums of all agents in one line."""
    decided = sum(agent.decided for agent in fleet.agents)
    red = sum(signal["severity"] == "red" for signal in fleet.signals)
    return (
        f"{len(fleet.agents)} agents, {sum(agent.running for agent in fleet.agents)} running,"
        f" {sum(agent.waiting for agent in fleet.agents)} waiting, {decided / fleet.minutes:.1f} decisions/min"
        f" over {fleet.minutes:g} min, ${sum(agent.cost for agent in fleet.agents):.2f} today,"
        f" {red} red and {len(fleet.signals) - red} amber signals, answers in {fleet.answer_ms:.0f} ms"
        + (" (more than is counted)" if fleet.more else "")
    )


def plain(fleet: Fleet, agents: Sequence[Agent]) -> str:
    """The whole as text."""
    rows = [cells(agent, fleet.minutes) for agent in agents]
    return f"{summary(fleet)}\n{table(COLUMNS, rows, 'No agent was seen yet.')}"
