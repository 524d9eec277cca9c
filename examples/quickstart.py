"""The main job on real input, without a server: `make demo`.

A deploy agent runs commands in a temporary directory. One is allowed, one is blocked, one waits for a person who
answers from a second process, and one fails. `--interactive` leaves the answer to you.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from deploy_agent import DeployAgent, govern, prepare

from dashclaw import DashClaw


def main() -> None:
    """Run the agent, then show what was recorded."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--interactive", action="store_true", help="approve the release yourself, in another terminal")
    interactive = options.parse_args().interactive
    workspace = Path(tempfile.mkdtemp(prefix="dashclaw-demo-"))
    prepare(workspace)
    database = workspace / "dashclaw.db"
    with DashClaw.local(str(database), agent_id="deploy-agent", hitl_mode="wait") as claw:
        govern(claw)
        work(claw, workspace, database, interactive)
    print("\nThe decisions:")
    cli(database, "actions", "list")
    print("\nThe trace of the failed check:")
    cli(database, "actions", "trace", failed_action(database))
    print(f"\nEverything is in {database}; look around with: dashclaw actions list --db {database}")


def work(claw: DashClaw, workspace: Path, database: Path, interactive: bool) -> None:
    """Let the agent do its four jobs."""
    agent = DeployAgent(claw, workspace)
    print(f"1. look at the files      {' '.join(agent.count_files().split())}")
    print(f"2. delete customer data   {agent.delete_data()}")
    kept = (workspace / "customers.csv").exists()
    print(f"                          customers.csv is {'still there' if kept else 'GONE'}")
    print("3. publish the release    waits for a person …")
    person = threading.Thread(target=approve, args=(claw, database, interactive))
    person.start()
    print(f"                          {agent.release()}")
    person.join()
    print(f"4. check the shop         {agent.check_health()}")


def approve(claw: DashClaw, database: Path, interactive: bool) -> None:
    """The person's side: another process finds what waits and approves it."""
    waiting = first_waiting(claw)
    command = ["approvals", "approve", waiting, "--reason", "change window is open", "--db", str(database)]
    if interactive:
        print(f"                          in another terminal: dashclaw {' '.join(command[:3])} --db {database}")
    else:
        subprocess.run([sys.executable, "-m", "dashclaw", *command], check=True)


def first_waiting(claw: DashClaw) -> str:
    """The id of the first action that comes to wait."""
    for event in claw.events(types=["action.created"], after="0", timeout=30):
        if event["data"]["status"] == "pending_approval":
            return str(event["data"]["action_id"])
    raise RuntimeError("nothing came to wait within 30 seconds")


def failed_action(database: Path) -> str:
    """The id of the action that failed."""
    with DashClaw.local(str(database)) as claw:
        return str(claw.get_actions(status="failed", limit=1)["actions"][0]["action_id"])


def cli(database: Path, *arguments: str) -> None:
    """Run a command of the command line, as a person would."""
    sys.stdout.flush()
    subprocess.run([sys.executable, "-m", "dashclaw", *arguments, "--db", str(database)], check=True)


if __name__ == "__main__":
    main()
