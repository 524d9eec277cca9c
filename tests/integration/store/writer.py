"""A program that writes to a database until it is stopped, and says on its output what it was told is recorded."""

from __future__ import annotations

import sys

from dashclaw import DashClaw


def main(database: str, agent_id: str, rounds: int) -> None:
    with DashClaw.local(database, agent_id=agent_id, starter_policies=False) as claw:
        for number in range(rounds):
            decision = claw.guard({"action_type": "research", "declared_goal": f"Look {number}"})
            _say("decision", decision["decision_id"])
            created = claw.create_action("research", f"Read {number}")
            _say("action", created["action_id"])
            claw.update_outcome(created["action_id"], status="completed", output_summary=f"Read {number}")
            _say("outcome", created["action_id"])


def _say(kind: str, key: str) -> None:
    print(kind, key, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
