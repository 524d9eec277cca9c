"""The agents at a glance, as `dashclaw top` shows them: gathered by questions, summed up here."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from .output import utc_stamp

if TYPE_CHECKING:
    from dashclaw import DashClaw

_PAGE = 200
# At the most so many pages per question: a screen is not for more.
_PAGES = 5
_SILENT = timedelta(minutes=10)


class Agent(NamedTuple):
    """One agent. `decisions` counts those of the window, `cost` is US dollars of the day (UTC)."""

    agent_id: str
    presence: str
    heard_at: str | None
    running: int
    waiting: int
    decisions: Mapping[str, int]
    cost: float
    red: int
    amber: int

    @property
    def decided(self) -> int:
        """All decisions of the window."""
        return sum(self.decisions.values())


class Fleet(NamedTuple):
    """All agents. `minutes` is the window of the decisions, `more` says that a question had more than was read.

    `answer_ms` is how long the question for the newest decisions took, from here and back.
    """

    at: str
    minutes: float
    agents: Sequence[Agent]
    signals: Sequence[Mapping[str, Any]]
    more: bool
    answer_ms: float

    @property
    def document(self) -> dict[str, Any]:
        """What a program reads."""
        agents = [{**agent._asdict(), "decisions": dict(agent.decisions)} for agent in self.agents]
        return {**self._asdict(), "agents": agents, "signals": list(self.signals)}


def gather(client: DashClaw, minutes: float, now: datetime | None = None) -> Fleet:
    """Ask for everything; raises `DashClawError`."""
    moment = now or datetime.now(timezone.utc)
    since = utc_stamp(moment - timedelta(minutes=minutes))
    begun = time.perf_counter()
    decisions = _Pages(client, "/api/guard", "decisions", lambda row: row["created_at"] >= since)
    recent = list(decisions)
    answer_ms = (time.perf_counter() - begun) * 1000 / decisions.asked
    agents = _Pages(client, "/api/agents", "agents")
    running = _Pages(client, "/api/actions", "actions", status="running")
    waiting = _Pages(client, "/api/actions", "actions", status="pending_approval")
    found = Counted(
        list(agents),
        Counter(row["agent_id"] for row in running),
        Counter(row["agent_id"] for row in waiting),
        Counter((row["agent_id"] or "-", row["decision"]) for row in recent),
        _costs(client),
        client.request("GET", "/api/signals")["signals"],
    )
    more = any(pages.more for pages in (decisions, agents, running, waiting))
    return Fleet(utc_stamp(moment), minutes, list(rows(found, moment)), found.signals, more, round(answer_ms, 1))


class _Pages:
    """The rows of a list while they are wanted; `more` when there were more of them than are read."""

    def __init__(
        self,
        client: DashClaw,
        path: str,
        name: str,
        wanted: Callable[[Mapping[str, Any]], bool] = lambda _: True,
        **query: str,
    ) -> None:
        self._client = client
        self._path = path
        self._name = name
        self._wanted = wanted
        self._query = query
        self.asked = 0
        self.more = False

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for at in range(_PAGES):
            query = {**self._query, "limit": _PAGE, "offset": at * _PAGE}
            page = self._client.request("GET", self._path, query=query)
            self.asked += 1
            for row in page[self._name]:
                if not self._wanted(row):
                    return
                yield row
            if not page["has_more"]:
                return
        self.more = True


def _costs(client: DashClaw) -> dict[str, float]:
    usage = client.request("GET", "/api/tokens/summary", query={"by": "agent", "days": 1})["usage"]
    return {row["agent"] or "-": row["cost_usd"] for row in usage}


class Counted(NamedTuple):
    """What was asked for, by agent; `decided` is by agent and decision."""

    agents: Sequence[Mapping[str, Any]]
    running: Mapping[str, int]
    waiting: Mapping[str, int]
    decided: Mapping[tuple[str, str], int]
    costs: Mapping[str, float]
    signals: Sequence[Mapping[str, Any]]


def rows(found: Counted, now: datetime) -> Iterator[Agent]:
    """A row per agent that is known or did something."""
    known = {row["agent_id"]: row for row in found.agents}
    names = {*known, *found.running, *found.waiting, *found.costs, *(agent for agent, _ in found.decided)}
    for agent_id in sorted(names):
        severities = Counter(row["severity"] for row in found.signals if row["agent_id"] == agent_id)
        yield Agent(
            agent_id,
            presence(known.get(agent_id), now),
            known[agent_id]["last_heartbeat_at"] if agent_id in known else None,
            found.running.get(agent_id, 0),
            found.waiting.get(agent_id, 0),
            {decision: n for (agent, decision), n in found.decided.items() if agent == agent_id},
            found.costs.get(agent_id, 0.0),
            severities["red"],
            severities["amber"],
        )


def presence(agent: Mapping[str, Any] | None, now: datetime) -> str:
    """What an agent says of itself, `silent` after ten minutes without a word, `-` when it never said anything."""
    if agent is None:
        return "-"
    heard = datetime.fromisoformat(agent["last_heartbeat_at"].replace("Z", "+00:00"))
    status = str(agent["status"])
    return "silent" if status != "offline" and now - heard > _SILENT else status


SORTS: Mapping[str, Callable[[Agent], Any]] = {
    "name": lambda agent: agent.agent_id,
    "running": lambda agent: -agent.running,
    "waiting": lambda agent: -agent.waiting,
    "decisions": lambda agent: -agent.decided,
    "blocked": lambda agent: -agent.decisions.get("block", 0),
    "cost": lambda agent: -agent.cost,
    "signals": lambda agent: (-agent.red, -agent.amber),
    "heard": lambda agent: agent.heard_at or "",
}


def ordered(agents: Sequence[Agent], by: str, backwards: bool = False) -> list[Agent]:
    """The agents in an order of `SORTS`, by name among equals."""
    found = sorted(agents, key=lambda agent: (SORTS[by](agent), agent.agent_id))
    return found[::-1] if backwards else found
