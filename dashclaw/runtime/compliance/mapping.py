"""Which controls the policies in force cover."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..guard import Policy
from .frameworks import FULL, PARTIAL, Control, Demand, Framework
from .reach import Reach, reach_of

_STATUS = {FULL: "covered", PARTIAL: "partial", "": "gap"}
_RANK = {"": 0, PARTIAL: 1, FULL: 2}


class Coverage(NamedTuple):
    """What a set of policies holds back together."""

    reaches: tuple[Reach, ...]

    def joined(self, name: str) -> frozenset[str]:
        """Everything that some policy has under a field of `Reach`."""
        return frozenset().union(*(getattr(reach, name) for reach in self.reaches))

    def meets(self, demand: Demand) -> str:
        """How far the policies together meet a demand: full, partial or not (an empty text)."""
        if demand.any_tool:
            if demand.pattern in self.joined("kinds"):
                return demand.coverage
            return PARTIAL if demand.pattern in self.joined("partial_kinds") else ""
        whole, part = self._tools(demand.pattern)
        if whole.issuperset(demand.tools):
            return demand.coverage
        return PARTIAL if not (whole | part).isdisjoint(demand.tools) else ""

    def missing(self, demand: Demand) -> tuple[str, ...]:
        """The tools of a demand that are not wholly held back."""
        if demand.any_tool:
            return () if self.meets(demand) == FULL else demand.tools
        whole, _ = self._tools(demand.pattern)
        return tuple(tool for tool in demand.tools if tool not in whole)

    def _tools(self, pattern: str) -> tuple[frozenset[str], frozenset[str]]:
        if pattern == "allowlist":
            return self.joined("allowlisted"), frozenset()
        blocked = self.joined("blocked")
        if pattern == "block":
            return blocked, self.joined("partly_blocked")
        stopped, granted = self.joined("stopped"), self.joined("granted") - blocked
        return stopped - granted, self.joined("partly_stopped") | (stopped & granted)

    def status(self, control: Control) -> str:
        """Full, partial or not, by the demand that is met best."""
        return max((self.meets(demand) for demand in control.demands), key=_RANK.__getitem__, default="")

    def points(self, framework: Framework) -> int:
        """Two for each covered control, one for each that is covered in part."""
        return sum(_RANK[self.status(control)] for control in framework.controls)

    def merged(self) -> Coverage:
        """The same coverage as if one policy held back everything; quicker to ask again and again."""
        fields = [name for name in Reach._fields if name not in ("policy_id", "name")]
        return Coverage((Reach("", "", **{name: self.joined(name) for name in fields}),))

    def with_policy(self, reach: Reach) -> Coverage:
        """The coverage with one policy more."""
        return Coverage((*self.reaches, reach))


def coverage_of(policies: Iterable[Policy], framework: Framework) -> Coverage:
    """What policies hold back of what a framework names."""
    tools = tuple(sorted(framework.tools()))
    reaches = (reach_of(policy, tools) for policy in policies)
    return Coverage(tuple(reach for reach in reaches if reach.kinds or reach.partial_kinds or reach.granted))


def percent(points: int, framework: Framework) -> int:
    """Points as a percentage of all that can be had."""
    return int(50 * points / len(framework.controls) + 0.5)


def risk_level(coverage: int) -> str:
    """LOW from 80 %, MEDIUM from 60 %, HIGH from 40 %, else CRITICAL."""
    return "LOW" if coverage >= 80 else "MEDIUM" if coverage >= 60 else "HIGH" if coverage >= 40 else "CRITICAL"


def map_controls(framework: Framework, coverage: Coverage) -> list[dict[str, Any]]:
    """Every control with its status and the policies that count towards it."""
    found = []
    for control in framework.controls:
        status = _STATUS[coverage.status(control)]
        found.append(
            {
                "control_id": control.control_id,
                "id": control.control_id,
                "title": control.title,
                "name": control.title,
                "category": control.category,
                "description": control.description,
                "agent_relevance": control.agent_relevance,
                "status": status,
                "covered": status == "covered",
                "matched_policies": list(_matched(control, coverage)),
                "evidence": control.evidence,
                "gap_recommendations": [] if status == "covered" else list(control.recommendations),
            }
        )
    return found


def summary_of(framework: Framework, controls: Iterable[Mapping[str, Any]], points: int) -> dict[str, Any]:
    """How many controls have each status."""
    statuses = [control["status"] for control in controls]
    return {
        "total_controls": len(statuses),
        "covered": statuses.count("covered"),
        "partial": statuses.count("partial"),
        "gaps": statuses.count("gap"),
        "coverage_percentage": percent(points, framework),
    }


def _matched(control: Control, coverage: Coverage) -> Iterable[dict[str, str]]:
    for reach in coverage.reaches:
        alone = Coverage((reach,))
        met = [(demand, alone.meets(demand)) for demand in control.demands]
        demand, level = max(met, key=lambda pair: _RANK[pair[1]])
        if level:
            yield {
                "policy_id": reach.policy_id,
                "policy_description": reach.name,
                "mapping_coverage": level,
                "rationale": _rationale(demand, alone),
            }


_BY_KIND = {
    "block": "blocks actions",
    "require_approval": "asks a person before actions",
    "allowlist": "lets pass what is listed only",
    "rate_limit": "stops or pauses agents beyond a limit",
    "risk_threshold": "stops or pauses actions of high risk",
    "escalation": "hands risky or frequent actions to a person",
    "dry_run": "pauses what cannot be undone",
    "any_active_policy": "stops or pauses some actions",
}


def _rationale(demand: Demand, alone: Coverage) -> str:
    text = _BY_KIND[demand.pattern]
    missing = alone.missing(demand)
    if demand.any_tool:
        return text + (", under a condition or for some agents" if missing and demand.coverage == FULL else "")
    held = [tool for tool in demand.tools if tool not in missing]
    parts = ([f"{text}: {', '.join(held)}"] if held else []) + (
        [f"not wholly: {', '.join(missing)}"] if missing else []
    )
    return "; ".join(parts)
