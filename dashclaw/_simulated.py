"""A simulation of policies as a whole: what its parts found, added up."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List, Mapping, Optional, Tuple

_DECISIONS = ("allow", "warn", "require_approval", "block")
_SAMPLES = 20
_ALIKE = 3


class Simulated:
    """The parts of a simulation added up: each is the answer of one request, and `cursor` of it leads to the next."""

    def __init__(self) -> None:
        self._first: Mapping[str, Any] = {}
        self._counts: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._matrix: Dict[str, Counter[str]] = {was: Counter() for was in _DECISIONS}
        self._policies: Dict[str, Dict[str, Any]] = {}
        self._agents: Dict[Optional[str], Counter[str]] = {}
        self._samples: List[Mapping[str, Any]] = []
        self._alike: Counter[Tuple[str, ...]] = Counter()

    def add(self, part: Mapping[str, Any]) -> None:
        """Add what the next decisions gave."""
        self._first = self._first or part
        for name in ("evaluated", "changed", "stricter", "milder", "masked", "recounted"):
            self._counts[name] += part[name]
        self._skipped.update(part["skipped"])
        for was, row in part["matrix"].items():
            self._matrix.setdefault(was, Counter()).update(row)
        for policy in part["by_policy"]:
            known = self._policies.setdefault(policy["policy_id"], {**policy, "matched": 0, "changed": 0})
            known["matched"] += policy["matched"]
            known["changed"] += policy["changed"]
        for agent in part["by_agent"]:
            amounts = {"evaluated": agent["evaluated"], "changed": agent["changed"]}
            self._agents.setdefault(agent["agent_id"], Counter()).update(amounts)
        for sample in part["samples"]:
            kind = (sample["action_type"], sample["was"], sample["would_be"])
            self._alike[kind] += 1
            if len(self._samples) < _SAMPLES and self._alike[kind] <= _ALIKE:
                self._samples.append(sample)

    @property
    def done(self) -> int:
        """How many decisions were looked at."""
        return self._counts["evaluated"] + sum(self._skipped.values())

    @property
    def matching(self) -> int:
        """How many decisions there are; the first part says so."""
        return int(self._first["matching"])

    def document(self) -> Dict[str, Any]:
        """Everything, as one answer would have said it."""
        names = ("policy_set", "policies", "replaced", "since", "until", "matching", "warnings")
        agents = sorted(self._agents.items(), key=lambda known: (-known[1]["changed"], str(known[0])))
        return {
            **{name: self._first[name] for name in names},
            **{name: self._counts[name] for name in ("evaluated", "changed", "stricter", "milder")},
            "skipped": dict(self._skipped),
            **{name: self._counts[name] for name in ("masked", "recounted")},
            "matrix": {was: dict(row) for was, row in self._matrix.items()},
            "by_policy": sorted(self._policies.values(), key=lambda row: (-row["changed"], row["name"])),
            "by_agent": [{"agent_id": agent, **counts} for agent, counts in agents],
            "samples": self._samples,
        }
