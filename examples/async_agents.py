"""Fifty agents at once on the embedded runtime, with asyncio."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from dashclaw import AsyncDashClaw
from dashclaw.errors import GuardBlockedError

AGENTS = 50


async def main() -> None:
    """Let fifty agents research, and one in five try something forbidden."""
    database = Path(tempfile.mkdtemp(prefix="dashclaw-async-")) / "dashclaw.db"
    async with AsyncDashClaw.local(str(database), agent_id="swarm") as claw:
        await claw.request(
            "POST",
            "/api/policies",
            body={"name": "No drops", "policy_type": "block_action_type", "rules": {"action_types": ["db.drop"]}},
        )
        results = await asyncio.gather(*(agent(claw, number) for number in range(AGENTS)))
        stats = (await claw.get_actions(limit=1))["stats"]
    print(f"{results.count('done')} finished, {results.count('blocked')} were blocked")
    print(f"recorded: {stats['total']} actions, {stats['completed']} completed")
    print(f"database: {database}")


async def agent(claw: AsyncDashClaw, number: int) -> str:
    """One agent's work."""
    action_type = "db.drop" if number % 5 == 0 else "research"
    try:
        async with claw.track(action_type, f"Job {number}", agent_id=f"agent-{number}") as action:
            await asyncio.sleep(0)
            action.set(output_summary=f"job {number} is done")
    except GuardBlockedError:
        return "blocked"
    return "done"


if __name__ == "__main__":
    asyncio.run(main())
