"""What is missing, and which policies would close it, in order of effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..guard import Policy
from .frameworks import FULL, Control, Demand, Framework
from .mapping import Coverage, map_controls, percent, risk_level, summary_of
from .reach import Reach, reach_of

_RELEVANCE = ("critical", "high", "medium", "low")
_EFFORT = {1: (1, 2), 2: (2, 4), 3: (4, 8)}
_MOST_EFFORT = (8, 16)
_WEIGHTY = ("deploy.*", "payment.*", "data.export")
_HARMLESS = ("research", "review", "test")
_MOST_ALLOWED = 50


class Option(NamedTuple):
    """A policy that would meet a demand, and what it would hold back."""

    control_id: str
    policy: dict[str, Any]
    parts: int
    reach: Reach


def analyse(framework: Framework, coverage: Coverage, used: Sequence[str]) -> dict[str, Any]:
    """The gaps with a plan. `used` are the action types that agents record, for lists of what may pass."""
    controls = map_controls(framework, coverage)
    coverage = coverage.merged()
    points = coverage.points(framework)
    open_controls = [control for control in framework.controls if coverage.status(control) != FULL]
    options = {control.control_id: list(_options(framework, control, coverage, used)) for control in open_controls}
    plan = _plan(framework, coverage, open_controls, options)
    summary = summary_of(framework, controls, points)
    gaps = [control["agent_relevance"] for control in controls if control["status"] == "gap"]
    low, high = (sum(item["hours"][place] for item in plan) for place in (0, 1))
    return {
        "summary": {
            **summary,
            "critical_gaps": gaps.count("critical"),
            "high_gaps": gaps.count("high"),
            "total_remediation_items": len(plan),
            "estimated_total_effort": f"{low}-{high} hours",
        },
        "remediation_plan": [_shown(item) for item in plan],
        "quick_wins": [_shown(item) for item in plan if item["hours"][1] <= 2],
        "steps": _steps(framework, coverage, [option for found in options.values() for option in found]),
        "risk_assessment": _risk(summary, plan),
        "controls": controls,
    }


def _shown(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "hours"}


def _plan(
    framework: Framework, coverage: Coverage, controls: Sequence[Control], options: Mapping[str, list[Option]]
) -> list[dict[str, Any]]:
    points = coverage.points(framework)
    found = []
    for place, control in enumerate(controls):
        gains = [
            (coverage.with_policy(option.reach).points(framework) - points, -option.parts, option)
            for option in options[control.control_id]
        ]
        gain, _, best = max(gains, key=lambda known: known[:2])
        low, high = _EFFORT.get(best.parts, _MOST_EFFORT)
        item = {
            "priority": 0,
            "control_id": control.control_id,
            "title": control.title,
            "status": "partial" if coverage.status(control) else "gap",
            "agent_relevance": control.agent_relevance,
            "recommendations": list(control.recommendations),
            "estimated_effort": f"{low}-{high} hours",
            "coverage_gain": round(50 * gain / len(framework.controls), 1),
            "suggested_policies": [best.policy],
            "hours": (low, high),
        }
        found.append(((-gain, _RELEVANCE.index(control.agent_relevance), place), item))
    found.sort(key=lambda pair: pair[0])
    return [{**item, "priority": place + 1} for place, (_, item) in enumerate(found)]


def _steps(framework: Framework, coverage: Coverage, options: Sequence[Option]) -> list[dict[str, Any]]:
    """Policies one after the other, each time the one that gains most of what is still open."""
    found: list[dict[str, Any]] = []
    left = list(options)
    points = coverage.points(framework)
    while left:
        after, option = max(
            ((coverage.with_policy(option.reach).points(framework), option) for option in left),
            key=lambda pair: (pair[0], -pair[1].parts),
        )
        if after == points:
            break
        extended = coverage.with_policy(option.reach)
        closed = [
            control.control_id
            for control in framework.controls
            if extended.status(control) == FULL != coverage.status(control)
        ]
        found.append(
            {
                "step": len(found) + 1,
                "policy": option.policy,
                "closes": closed,
                "coverage_gain": round(50 * (after - points) / len(framework.controls), 1),
                "coverage_after": percent(after, framework),
            }
        )
        coverage, points = extended, after
        left.remove(option)
    return found


def _options(framework: Framework, control: Control, coverage: Coverage, used: Sequence[str]) -> Iterator[Option]:
    """A policy for each demand whose meeting would cover the control."""
    tools = tuple(sorted(framework.tools()))
    for demand in control.demands:
        if demand.coverage != FULL:
            continue
        policy_type, rules = _policy_for(demand, coverage, used)
        name = f"{framework.name} {control.control_id}: {control.title}"
        reach = reach_of(Policy("suggested", name, policy_type, rules), tools)
        parts = len(rules.get("action_types") or rules.get("allowed_action_types") or ()) or 1
        yield Option(control.control_id, {"name": name, "policy_type": policy_type, "rules": rules}, parts, reach)


def _policy_for(demand: Demand, coverage: Coverage, used: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The type and rules of a policy that meets a demand."""
    pattern, missing = demand.pattern, list(coverage.missing(demand))
    if pattern == "rate_limit":
        return "rate_limit", {"max_actions": 100, "window_minutes": 60, "action": "require_approval"}
    if pattern in ("risk_threshold", "escalation"):
        return "risk_threshold", {"threshold": 80, "action": "require_approval"}
    if pattern == "dry_run":
        return "require_approval", {"action_types": ["*"], "when": {"reversible": False}}
    if pattern == "allowlist":
        if demand.any_tool:
            listed = list(used[:_MOST_ALLOWED]) or list(_HARMLESS)
            return "agent_allowlist", {"allowed_action_types": listed, "action": "require_approval"}
        spared = [tool.replace("*", "help") for tool in missing]
        return "block_action_type", {"action_types": missing, "unless": {"action_types": spared}}
    names = list(_WEIGHTY) if demand.any_tool else missing
    return ("block_action_type" if pattern == "block" else "require_approval"), {"action_types": names}


def _risk(summary: Mapping[str, Any], plan: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    covered, total = summary["covered"], summary["total_controls"]
    level = risk_level(summary["coverage_percentage"])
    narrative = (
        f"{covered} of {total} controls are covered, {summary['partial']} in part, {summary['gaps']} not at all."
    )
    critical = [item for item in plan if item["agent_relevance"] == "critical"]
    if critical:
        names = ", ".join(item["control_id"] for item in critical)
        narrative += f" Critical and open: {names}."
    first = critical or plan
    actions = [f"{item['control_id']}: {item['recommendations'][0]}" for item in first[:5]]
    return {"overall_risk": level, "narrative": narrative, "immediate_actions": actions}
