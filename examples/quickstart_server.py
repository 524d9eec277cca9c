"""The same deploy agent against a server, which this script starts on a free port."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from deploy_agent import DeployAgent, govern, prepare

from dashclaw import DashClaw


def main() -> None:
    """Start a server, let the agent work against it, stop the server."""
    workspace = Path(tempfile.mkdtemp(prefix="dashclaw-demo-"))
    prepare(workspace)
    command = [sys.executable, "-m", "dashclaw", "serve", "--port", "0", "--db", str(workspace / "server.db"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            work(read_start(server), workspace)
        finally:
            server.terminate()
            server.wait(timeout=20)


def read_start(server: subprocess.Popen[str]) -> dict[str, str]:
    """What the server says of itself: its URL and, on the first start, its two keys."""
    assert server.stdout is not None
    started: dict[str, str] = json.loads(server.stdout.readline())
    return started


def work(started: dict[str, str], workspace: Path) -> None:
    """Let the agent work with its own key; the operator decides with another."""
    url = started["url"]
    with DashClaw(url, started["admin_key"], agent_id="operator") as operator:
        govern(operator)
        with DashClaw(url, started["agent_key"], agent_id="deploy-agent", hitl_mode="wait") as claw:
            agent = DeployAgent(claw, workspace)
            print("look at the files:   ", " ".join(agent.count_files().split()))
            print("delete customer data:", agent.delete_data())
            person = threading.Thread(target=approve, args=(operator,))
            person.start()
            print("publish the release: ", agent.release())
            person.join()
            print("check the shop:      ", agent.check_health())
        for action in operator.get_actions()["actions"]:
            print(
                f"  {action['resolution'] or action['status']:10} {action['action_type']:16} {action['declared_goal']}"
            )


def approve(operator: DashClaw) -> None:
    """Approve the first action that comes to wait."""
    for event in operator.events(types=["action.created"], after="0", timeout=30):
        if event["data"]["status"] == "pending_approval":
            operator.approve_action(event["data"]["action_id"], "allow", "change window is open")
            return


if __name__ == "__main__":
    main()
