"""A compliance report as a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..markdown import code, inline, table

_SIGNS = {"covered": "covered", "partial": "in part", "gap": "open"}


def report_page(document: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    summary = document["summary"]
    lines = [
        f"# {inline(document['framework'])} compliance report",
        "",
        f"Project {code(document['project'])}, {document['generated_at']}, framework version "
        f"{inline(document['framework_version'])}.",
        "",
        f"**Coverage {summary['coverage_percentage']} %**, risk {document['risk_assessment']['overall_risk']}. "
        + document["risk_assessment"]["narrative"],
        "",
        "Only policies that stop or pause an action count.",
        "",
        "## Controls",
        "",
    ]
    lines += table(
        ("Control", "Title", "Relevance", "Status", "Policies"),
        [
            (
                code(control["control_id"]),
                inline(control["title"]),
                control["agent_relevance"],
                _SIGNS[control["status"]],
                ", ".join(inline(found["policy_description"]) for found in control["matched_policies"]) or "none",
            )
            for control in document["controls"]
        ],
    )
    return "\n".join([*lines, *_plan(document), *_evidence(document), *_trend(document)]) + "\n"


def _plan(document: Mapping[str, Any]) -> list[str]:
    lines = ["", "## What to do", ""]
    if not document["remediation_plan"]:
        return [*lines, "Every control is covered."]
    for item in document["remediation_plan"]:
        gain = f"gains {item['coverage_gain']} points, {item['estimated_effort']}"
        lines.append(f"{item['priority']}. {code(item['control_id'])} {inline(item['title'])} ({gain})")
        lines += [f"   - {inline(sentence)}" for sentence in item["recommendations"]]
    return lines


def _evidence(document: Mapping[str, Any]) -> list[str]:
    found = document["evidence"]
    answers = found["approvals"]
    return [
        "",
        f"## Evidence of the last {document['window_days']} days",
        "",
        f"- Decisions: {found['guard_decisions_total']}, blocked {found['guard_decisions_blocked']}, "
        f"warned {found['guard_decisions_warned']}, asked a person {found['approval_requests']}",
        f"- Answers: approved {answers['approved']}, denied {answers['denied']}, expired {answers['expired']}, "
        f"waiting {answers['pending']}",
        f"- Recorded actions: {found['action_records_total']}",
    ]


def _trend(document: Mapping[str, Any]) -> list[str]:
    if not document["trend"]:
        return []
    cells = [
        (
            point["created_at"],
            f"{point['coverage_percentage']} %",
            str(point["covered"]),
            str(point["partial"]),
            str(point["gaps"]),
        )
        for point in document["trend"]
    ]
    return ["", "## Trend", "", *table(("Moment", "Coverage", "Covered", "In part", "Open"), cells)]
