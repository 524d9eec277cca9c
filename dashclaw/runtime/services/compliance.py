"""Compliance: policies against the controls of frameworks, with evidence from what was decided."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import StringConstraints

from ..clock import ago
from ..compliance import (
    FRAMEWORKS,
    Coverage,
    Framework,
    analyse,
    coverage_of,
    load,
    map_controls,
    report_page,
    risk_level,
)
from ..compliance.mapping import summary_of
from ..inputs import Input, Short
from ..operations import Invocation, Operation
from ..policy_tests import policy_of
from ..problems import Problem, invalid
from ..store import governance, orgs, references
from ..store import policies as rows
from ..store.day_counts import decided as decided_since

if TYPE_CHECKING:
    from ..runtime import Runtime
    from ..store.engine import Tx

_LONGEST_DAYS = 3650
_REPORT_DAYS = 30
_POINTS = 30
_MOST_ROWS = 500
_EXAMPLES = 10
_ANSWERS = ("approved", "denied", "expired", "pending")
_DECISIONS = ("allow", "warn", "require_approval", "block")


class FrameworkQuery(Input):
    """Which framework."""

    framework: Short | None = None


class ReportQuery(FrameworkQuery):
    """Which framework, and the form of the report."""

    format: Literal["json", "md"] = "md"


class EvidenceQuery(FrameworkQuery):
    """The last so many days; with a framework also by control."""

    window: Annotated[str, StringConstraints(max_length=16)] = "30d"


def frameworks(_tx: Tx, _call: Invocation) -> dict[str, Any]:
    """The frameworks that there are."""
    found = [load(name) for name in FRAMEWORKS]
    return {
        "frameworks": [
            {
                "id": framework.id,
                "name": framework.name,
                "version": framework.version,
                "description": framework.description,
                "control_count": len(framework.controls),
            }
            for framework in found
        ],
        "total": len(found),
    }


def show_map(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Every control of a framework with its status."""
    framework = _framework(call)
    coverage = _coverage(tx, call, framework)
    controls = map_controls(framework, coverage)
    summary = summary_of(framework, controls, coverage.points(framework))
    return {
        **_head(tx, call, framework),
        "summary": summary,
        "coverage_pct": summary["coverage_percentage"],
        "risk_level": risk_level(summary["coverage_percentage"]),
        "controls": controls,
    }


def show_gaps(tx: Tx, call: Invocation) -> dict[str, Any]:
    """What is missing, with a plan."""
    framework = _framework(call)
    found = analyse(framework, _coverage(tx, call, framework), _used(tx, call))
    found.pop("controls")
    return {
        **_head(tx, call, framework),
        "analysis_date": tx.stamp,
        "coverage_pct": found["summary"]["coverage_percentage"],
        **found,
    }


def make_report(runtime: Runtime, call: Invocation) -> dict[str, Any]:
    """Report, and keep a snapshot once a day and whenever the policies have changed; a read-only key keeps none."""
    framework = _framework(call)
    # Counting takes longer than writers should wait: it is done before they have to.
    with runtime.store.read() as tx:
        document = _document(tx, call, framework)
    snapshot = None
    if call.caller.may("member"):
        with runtime.store.write(call.caller.org_id) as tx:
            snapshot = _keep(tx, call, framework, document)
    with runtime.store.read() as tx:
        document["trend"] = governance.trend(tx, call.caller.org_id, framework.id, _POINTS)
    wanted = call.query.format
    report = json.dumps(document, indent=2, ensure_ascii=False) if wanted == "json" else report_page(document)
    return {
        "report": report,
        "format": wanted,
        "generated_at": document["generated_at"],
        "document": document,
        "snapshot_id": None if snapshot is None else snapshot["id"],
    }


def show_report(_tx: Tx, call: Invocation) -> Any:
    """The report that was made."""
    return call.prepared


def _document(tx: Tx, call: Invocation, framework: Framework) -> dict[str, Any]:
    since = ago(tx.now, days=_REPORT_DAYS)
    evidence = _evidence(tx, call.caller.org_id, since, decided_since(tx, call.caller.org_id, since))
    used = [row["action_type"] for row in evidence["action_breakdown"]]
    found = analyse(framework, _coverage(tx, call, framework), used)
    return {
        **_head(tx, call, framework),
        "summary": found["summary"],
        "coverage_pct": found["summary"]["coverage_percentage"],
        "risk_assessment": found["risk_assessment"],
        "controls": found["controls"],
        "remediation_plan": found["remediation_plan"],
        "steps": found["steps"],
        "window_days": _REPORT_DAYS,
        "evidence": evidence,
    }


def _keep(tx: Tx, call: Invocation, framework: Framework, document: Mapping[str, Any]) -> dict[str, Any]:
    """The snapshot that stands for this report: the newest while nothing changed on the same day, else a new one."""
    org_id = call.caller.org_id
    revision = int((orgs.find(tx, org_id) or {}).get("policy_revision", 0))
    newest = governance.trend(tx, org_id, framework.id, 1)
    if newest and newest[0]["policy_revision"] == revision and newest[0]["created_at"][:10] == tx.stamp[:10]:
        return newest[0]
    summary = document["summary"]
    row = {
        "id": "cs_" + os.urandom(12).hex(),
        "org_id": org_id,
        "framework": framework.id,
        "format": call.query.format,
        **{name: summary[name] for name in ("total_controls", "covered", "partial", "gaps", "coverage_percentage")},
        "risk_level": document["risk_assessment"]["overall_risk"],
        "policy_revision": revision,
        "report": document,
        "created_by": call.caller.actor_id,
        "created_at": tx.stamp,
    }
    governance.snapshots.add(tx, row)
    shown = {name: value for name, value in row.items() if name not in ("report", "org_id")}
    tx.emit(call.caller, "compliance.snapshot.created", "compliance_snapshot", str(row["id"]), shown)
    return row


def show_evidence(tx: Tx, call: Invocation) -> dict[str, Any]:
    """What the guard decided and agents recorded in a window."""
    days = _days(call.query.window)
    since = ago(tx.now, days=days)
    decided = decided_since(tx, call.caller.org_id, since)
    answer: dict[str, Any] = {"window": call.query.window, "window_days": days, "framework": None, "controls": None}
    if call.query.framework is not None:
        framework = _framework(call)
        answer["framework"] = framework.name
        answer["controls"] = _by_control(decided, map_controls(framework, _coverage(tx, call, framework)))
    return {
        **answer,
        "evidence": _evidence(tx, call.caller.org_id, since, decided),
        "entries": references.of_window(tx, call.caller.org_id, since),
        "generated_at": tx.stamp,
    }


def _days(window: str) -> int:
    matched = re.fullmatch(r"(\d{1,4})d?", window, re.ASCII)
    days = int(matched[1]) if matched else 0
    if not 1 <= days <= _LONGEST_DAYS:
        raise invalid("window", f"is a number of days such as 7d, 30d or 90d, at most {_LONGEST_DAYS}d")
    return days


def _evidence(tx: Tx, org_id: str, since: str, decided: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    started = governance.recorded(tx, org_id, since)
    totals = _summed(decided, "decision")
    return {
        "guard_decisions_total": sum(totals.values()),
        "guard_decisions_allowed": totals.get("allow", 0),
        "guard_decisions_warned": totals.get("warn", 0),
        "guard_decisions_blocked": totals.get("block", 0),
        "approval_requests": totals.get("require_approval", 0),
        "approvals": governance.answered(tx, org_id, since, _ANSWERS),
        "action_records_total": sum(started.values()),
        "breakdown": [
            {"action_type": kind, "decision": decision, "count": count}
            for (kind, decision), count in _busiest(_summed(decided, "action_type", "decision"))
        ],
        "action_breakdown": [{"action_type": kind, "count": count} for kind, count in _busiest(started)],
        "policies": _by_policy(decided, rows.names(tx, org_id)),
        "examples": governance.newest_decisions(tx, org_id, ("block", "require_approval"), since, _EXAMPLES),
    }


def _summed(counted: Sequence[Mapping[str, Any]], *names: str) -> Counter[Any]:
    """The counts by one column, or by several together."""
    found: Counter[Any] = Counter()
    for row in counted:
        found[row[names[0]] if len(names) == 1 else tuple(row[name] for name in names)] += row["count"]
    return found


def _busiest(counts: Mapping[Any, int]) -> list[tuple[Any, int]]:
    return sorted(counts.items(), key=lambda known: (-known[1], known[0]))[:_MOST_ROWS]


def _by_policy(decided: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """How often each policy took part in each decision, the busiest first."""
    counts: dict[str, Counter[str]] = {}
    for row in decided:
        for policy_id in row["matched_policies"] or ():
            counts.setdefault(policy_id, Counter())[row["decision"]] += row["count"]
    busiest = _busiest({policy_id: sum(own.values()) for policy_id, own in counts.items()})
    return [
        {
            "policy_id": policy_id,
            "policy_name": names.get(policy_id),
            **{decision: counts[policy_id][decision] for decision in _DECISIONS},
            "total": total,
        }
        for policy_id, total in busiest
    ]


def _by_control(decided: Sequence[Mapping[str, Any]], controls: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How often the policies of each control took part in each decision; a decision counts once."""
    found = []
    for control in controls:
        own = {match["policy_id"] for match in control["matched_policies"]}
        counts = _summed([row for row in decided if not own.isdisjoint(row["matched_policies"] or ())], "decision")
        shown = {name: control[name] for name in ("control_id", "title", "status", "evidence")}
        found.append({**shown, "decisions": {decision: counts[decision] for decision in _DECISIONS}})
    return found


def _framework(call: Invocation) -> Framework:
    name = call.query.framework
    if not name:
        wrong = invalid("framework", f"is required: one of {', '.join(FRAMEWORKS)}")
        wrong.extra["available"] = list(FRAMEWORKS)
        raise wrong
    if name not in FRAMEWORKS:
        text = f"There is no framework {name!r:.80}; there are {', '.join(FRAMEWORKS)}"
        raise Problem(404, "NOT_FOUND", text, available=list(FRAMEWORKS))
    return load(name)


def _coverage(tx: Tx, call: Invocation, framework: Framework) -> Coverage:
    return coverage_of(map(policy_of, rows.active(tx, call.caller.org_id)), framework)


def _used(tx: Tx, call: Invocation) -> list[str]:
    """The action types that agents recorded lately, the most frequent first."""
    since = ago(tx.now, days=_REPORT_DAYS)
    return [action_type for action_type, _ in _busiest(governance.recorded(tx, call.caller.org_id, since))]


def _head(tx: Tx, call: Invocation, framework: Framework) -> dict[str, Any]:
    return {
        "framework": framework.name,
        "framework_id": framework.id,
        "framework_version": framework.version,
        "project": f"org-{call.caller.org_id}",
        "generated_at": tx.stamp,
    }


OPERATIONS = (
    Operation(
        "list_frameworks",
        "GET",
        "/api/compliance/frameworks",
        frameworks,
        "List the frameworks",
        "compliance",
        role="readonly",
    ),
    Operation(
        "map_compliance",
        "GET",
        "/api/compliance/map",
        show_map,
        "Map the policies to the controls of a framework",
        "compliance",
        query=FrameworkQuery,
        role="readonly",
        slow=True,
    ),
    Operation(
        "analyze_gaps",
        "GET",
        "/api/compliance/gaps",
        show_gaps,
        "Show what is missing, with a plan",
        "compliance",
        query=FrameworkQuery,
        role="readonly",
        slow=True,
    ),
    Operation(
        "get_compliance_report",
        "GET",
        "/api/compliance/report",
        show_report,
        "Report on a framework and keep a snapshot",
        "compliance",
        query=ReportQuery,
        role="readonly",
        slow=True,
        prepare=make_report,
    ),
    Operation(
        "get_compliance_evidence",
        "GET",
        "/api/compliance/evidence",
        show_evidence,
        "Count what was decided and recorded in a window",
        "compliance",
        query=EvidenceQuery,
        role="readonly",
        slow=True,
    ),
)
