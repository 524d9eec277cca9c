"""A small deploy agent: it runs real commands, each one governed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dashclaw import DashClaw
from dashclaw.errors import Verdict

POLICIES = [
    {
        "name": "Deleting is forbidden",
        "policy_type": "block_action_type",
        "rules": {"action_types": ["file.delete"]},
    },
    {
        "name": "Releases need a person",
        "policy_type": "require_approval",
        "rules": {"action_types": ["release.*"]},
    },
]


def govern(claw: DashClaw) -> None:
    """Add the agent's policies, unless they are there already."""
    known = {policy["name"] for policy in claw.request("GET", "/api/policies")["policies"]}
    for policy in POLICIES:
        if policy["name"] not in known:
            claw.request("POST", "/api/policies", body=policy)


class DeployAgent:
    """Runs commands in a workspace; what the guard refuses does not run."""

    def __init__(self, claw: DashClaw, workspace: Path) -> None:
        self.claw = claw
        self.workspace = workspace

    def run(self, action_type: str, goal: str, command: list[str], **fields: object) -> str:
        """Run one command if it may run; returns what happened in a few words."""
        try:
            with self.claw.track(action_type, goal, **fields) as action:
                done = subprocess.run(command, cwd=self.workspace, capture_output=True, text=True, check=False)
                if done.returncode:
                    raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()}")
                action.set(output_summary=done.stdout.strip())
        except Verdict as verdict:
            return f"did not run: {verdict.message}"
        except RuntimeError as error:
            return f"failed: {error}"
        return f"ran: {done.stdout.strip() or 'no output'}"

    def count_files(self) -> str:
        """Harmless: look at the workspace."""
        return self.run("file.read", "Count the files to release", ["ls"], risk_score=5)

    def delete_data(self) -> str:
        """Destructive: remove the customers' data."""
        return self.run("file.delete", "Clean up old data", ["rm", "customers.csv"], risk_score=60, reversible=False)

    def release(self) -> str:
        """Risky: publish a release."""
        return self.run(
            "release.publish", "Publish version 2.0", ["cp", "build.txt", "released.txt"], risk_score=70,
            systems_touched=["shop"],
        )  # fmt: skip

    def check_health(self) -> str:
        """Failing: the check finds a fault."""
        fault = "import sys; sys.exit('the shop does not answer')"
        return self.run("health.check", "Check the shop after the release", [sys.executable, "-c", fault], risk_score=5)


def prepare(workspace: Path) -> None:
    """Fill the workspace with the files that the agent works on."""
    (workspace / "customers.csv").write_text("name\nsomebody\n")
    (workspace / "build.txt").write_text("version 2.0\n")
