"""How well each agent of a pool suits a task. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

USUAL_PRIORITY = 5
HIGHEST_PRIORITY = 10

_SKILLS = 40
_CAPACITY = 20
_SUCCESS = 25
_PRIORITY = 15
_IDLE = 10


class Worker(NamedTuple):
    """An agent of the pool.

    `skills` are priorities (0 to 10) by skill; `history` is how many tasks of a skill it completed and failed.
    """

    id: str
    name: str
    status: str
    load: int
    max_load: int
    skills: Mapping[str, float]
    history: Mapping[str, tuple[int, int]]

    @property
    def free(self) -> bool:
        """Whether it may get another task."""
        return self.status == "available" and self.load < self.max_load


class Ranked(NamedTuple):
    """An agent with its score and the reasons; `eligible` says whether it may get the task."""

    worker: Worker
    score: float
    eligible: bool
    reasons: tuple[str, ...]

    def record(self) -> dict[str, object]:
        """What the record keeps of a candidate."""
        return {
            "agent_id": self.worker.id,
            "agent_name": self.worker.name,
            "score": self.score,
            "eligible": self.eligible,
            "reasons": list(self.reasons),
        }


def skill_key(skill: str) -> str:
    """A skill as it is compared: the case and the space around it do not count."""
    return skill.strip().casefold()


def rank(workers: Iterable[Worker], required: Collection[str], *, critical: bool) -> list[Ranked]:
    """All agents, those that may get the task first and the best first.

    Without required skills the least loaded comes first and every score is 1. Otherwise the score is the sum of: 40 x
    the share of required skills that the agent has; 20 x its share of free capacity; 25 x its success rate over the
    required skills (12.5 without history); 15 x the priorities of these skills / (10 x their number); and 10 when the
    task is critical and the agent idle. An agent with none of the skills scores 0 and gets nothing.
    """
    wanted = sorted({skill_key(skill) for skill in required})
    found = [_ranked(worker, wanted, critical) for worker in workers]
    return sorted(found, key=lambda one: (not one.eligible, -one.score, *_load(one.worker), one.worker.id))


def _load(worker: Worker) -> tuple[int, float, str]:
    return worker.load, worker.load / worker.max_load, worker.name


def _ranked(worker: Worker, wanted: list[str], critical: bool) -> Ranked:
    score, reasons = _score(worker, wanted, critical) if wanted else (1.0, ["no skills are required"])
    reasons.append(f"{max(0, worker.max_load - worker.load)} of {worker.max_load} places free")
    if worker.status != "available":
        reasons.append(f"it is {worker.status}")
    return Ranked(worker, score, score > 0 and worker.free, tuple(reasons))


def _score(worker: Worker, wanted: list[str], critical: bool) -> tuple[float, list[str]]:
    covered = [skill for skill in wanted if skill in worker.skills]
    reasons = [f"has {len(covered)} of {len(wanted)} required skills"]
    if not covered:
        return 0.0, reasons
    score = _SKILLS * len(covered) / len(wanted)
    score += _CAPACITY * max(0, worker.max_load - worker.load) / worker.max_load
    rate = success_rate(worker.history.get(skill, (0, 0)) for skill in wanted)
    score += _SUCCESS * (0.5 if rate is None else rate)
    reasons.append("no history with these skills" if rate is None else f"success rate {rate:.0%} with these skills")
    score += _PRIORITY * sum(worker.skills[skill] for skill in covered) / (HIGHEST_PRIORITY * len(wanted))
    if critical and worker.load == 0:
        score += _IDLE
        reasons.append("idle, and the task is critical")
    return round(score, 2), reasons


def success_rate(outcomes: Iterable[tuple[int, int]]) -> float | None:
    """The share of completed among completed and failed; None when there are none."""
    completed = failed = 0
    for good, bad in outcomes:
        completed += good
        failed += bad
    return completed / (completed + failed) if completed + failed else None
