"""`dashclaw compliance`: map, gaps, report."""

from __future__ import annotations

import argparse

from .arguments import Commands, connection
from .connection import connect
from .output import Output, one_line, table

_FRAMEWORKS = "soc2, iso27001, gdpr, nist-ai-rmf or imda-agentic"


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("compliance", "policies against the controls of a framework")
    for name, run, text in (
        ("map", show_map, "show which controls the policies cover"),
        ("gaps", show_gaps, "show what is missing, in order of effect"),
        ("report", report, "print a report and keep a snapshot"),
    ):
        example = f"dashclaw compliance {name} soc2 --db dashclaw.db"
        found = group.command(name, run, text, options=connection(), example=example)
        found.add_argument("framework", metavar="FRAMEWORK", help=_FRAMEWORKS)


def show_map(options: argparse.Namespace, output: Output) -> None:
    """Print the controls with their status."""
    with connect(options) as client:
        found = client.map_compliance(options.framework)
    cells = [
        (
            control["id"],
            control["name"],
            control["agent_relevance"],
            control["status"],
            ", ".join(one_line(policy["policy_description"]) for policy in control["matched_policies"]),
        )
        for control in found["controls"]
    ]
    lines = table(("control", "name", "relevance", "status", "policies"), cells, "No controls.")
    output.result(found, f"{found['framework']}: coverage {found['coverage_pct']} %\n\n{lines}")


def show_gaps(options: argparse.Namespace, output: Output) -> None:
    """Print the open controls and the policies that would close them."""
    with connect(options) as client:
        found = client.analyze_gaps(options.framework)
    cells = [
        (
            item["priority"],
            item["control_id"],
            item["agent_relevance"],
            item["coverage_gain"],
            item["recommendations"][0],
        )
        for item in found["remediation_plan"]
    ]
    text = f"{found['framework']}: coverage {found['coverage_pct']} %. {found['risk_assessment']['narrative']}\n\n"
    output.result(
        found, text + table(("no", "control", "relevance", "gain", "first"), cells, "Every control is covered.")
    )


def report(options: argparse.Namespace, output: Output) -> None:
    """Print a report as Markdown."""
    with connect(options) as client:
        found = client.get_compliance_report(options.framework, format="md")
    output.result(found, found["report"].rstrip("\n"))
