"""DashClaw as an MCP server: an agent asks before it acts, records what it did, and waits for people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dashclaw.errors import ApprovalTimeoutError, DashClawError, GuardBlockedError, Verdict

from ._framework import framework

if TYPE_CHECKING:
    from dashclaw import DashClaw

_FLOOR = "1.23.0"
# Shorter than the minute after which many clients give up a call.
_LONGEST_WAIT = 50.0
_INSTRUCTIONS = (
    "Ask `guard` before a risky act, or record it with `record_action`, and act only when the answer allows it. Where "
    "a person has to approve, call `wait_for_approval` until there is a decision. Tell how an act ended with "
    "`update_outcome`."
)
_PAGE = 50


def serve(claw: DashClaw, transport: str = "stdio", *, port: int = 8000, approving: bool = False) -> None:
    """Serve until the client leaves (stdio) or the process is interrupted ("streamable-http", on 127.0.0.1 at /mcp)."""
    try:
        (kind,) = framework("mcp", "mcp", "2", "mcp.server.mcpserver:MCPServer")
        server, options = kind("dashclaw", instructions=_INSTRUCTIONS), {"host": "127.0.0.1", "port": port}
    except ImportError:
        (kind,) = framework("mcp", "mcp", _FLOOR, "mcp.server.fastmcp:FastMCP")
        server, options = kind("dashclaw", instructions=_INSTRUCTIONS, host="127.0.0.1", port=port), {}
    for name, tool in tools(claw, approving).items():
        server.tool(name=name)(tool)
    server.run(transport, **({} if transport == "stdio" else options))


def tools(claw: DashClaw, approving: bool = False) -> dict[str, Callable[..., Any]]:
    """Return the tools by name; `approving` adds the one that decides about what waits, as far as the key may."""
    found: list[Callable[..., Any]] = [*_before(claw), *_afterwards(claw), *_looking(claw)]
    if approving:
        found.append(_deciding(claw))
    return {tool.__name__: tool for tool in found}


async def _call(function: Callable[..., Any], *args: Any, **fields: Any) -> dict[str, Any]:
    """Call the client off the event loop; a refusal is an answer that the model can act on."""
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        answer: dict[str, Any] = await asyncio.to_thread(function, *args, **given)
    except GuardBlockedError as blocked:
        return {"decision": dict(blocked.decision) or {"decision": "block"}, "action_id": blocked.action_id}
    except ApprovalTimeoutError as late:
        return {"status": "pending", "action_id": late.action_id, "message": str(late)}
    except Verdict as verdict:
        return {"status": "refused", "action_id": verdict.action_id, "message": str(verdict)}
    except DashClawError as error:
        return {"error": str(error), "code": error.code, "status": error.status}
    return answer


def _before(claw: DashClaw) -> list[Callable[..., Any]]:
    async def guard(
        action_type: str,
        declared_goal: str | None = None,
        risk_score: int | None = None,
        reversible: bool | None = None,
        systems_touched: list[str] | None = None,
    ) -> dict[str, Any]:
        """Ask whether an action would be allowed, without recording one: allow, warn, require_approval or block.

        risk_score goes from 0 to 100.
        """
        asked = {
            "action_type": action_type,
            "declared_goal": declared_goal,
            "risk_score": risk_score,
            "reversible": reversible,
            "systems_touched": systems_touched,
        }
        return await _call(claw.guard, {name: value for name, value in asked.items() if value is not None})

    async def record_action(
        action_type: str,
        declared_goal: str,
        risk_score: int | None = None,
        reversible: bool | None = None,
        reasoning: str | None = None,
        systems_touched: list[str] | None = None,
        parent_action_id: str | None = None,
    ) -> dict[str, Any]:
        """Record what you are about to do and have it decided; act only when decision is allow or warn.

        With require_approval, call wait_for_approval with the action_id first. With block, do not act.
        """
        return await _call(
            claw.create_action,
            action_type,
            declared_goal,
            risk_score=risk_score,
            reversible=reversible,
            reasoning=reasoning,
            systems_touched=systems_touched,
            parent_action_id=parent_action_id,
        )

    return [guard, record_action]


def _afterwards(claw: DashClaw) -> list[Callable[..., Any]]:
    async def update_outcome(
        action_id: str,
        status: str,
        output_summary: str | None = None,
        error_message: str | None = None,
        tokens_in: int | None = None,
        tokens_out: int | None = None,
        model: str | None = None,
    ) -> dict[str, Any]:
        """Record how an action ended: completed, failed or cancelled."""
        return await _call(
            claw.update_outcome,
            action_id,
            status,
            output_summary=output_summary,
            error_message=error_message,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            model=model,
        )

    async def wait_for_approval(action_id: str, seconds: float = 45) -> dict[str, Any]:
        """Wait until a person has decided about an action; when the answer is pending, call this again.

        Waits at most 50 seconds. Act only when the action is approved.
        """
        return await _call(claw.wait_for_approval, action_id, timeout=max(0.0, min(seconds, _LONGEST_WAIT)))

    return [wait_for_approval, update_outcome]


def _looking(claw: DashClaw) -> list[Callable[..., Any]]:
    async def list_approvals(limit: int = 20) -> dict[str, Any]:
        """List the actions that wait for a person."""
        return await _call(claw.get_pending_approvals, limit=limit)

    async def list_policies() -> dict[str, Any]:
        """List the policies that decide about actions."""
        return await _call(claw.request, "GET", "/api/policies")

    async def get_evidence(action_id: str) -> dict[str, Any]:
        """Show one action as it was recorded: the decision with its reasons, the approval, the outcome."""
        return await _call(claw.get_action, action_id)

    async def list_actions(
        status: str | None = None, action_type: str | None = None, limit: int = 20
    ) -> dict[str, Any]:
        """List what was recorded, newest first."""
        return await _call(claw.get_actions, status=status, action_type=action_type, limit=max(1, min(limit, _PAGE)))

    return [list_approvals, list_policies, get_evidence, list_actions]


def _deciding(claw: DashClaw) -> Callable[..., Any]:
    async def decide_approval(action_id: str, decision: str, reasoning: str | None = None) -> dict[str, Any]:
        """Decide about an action that waits, only when a person told you to: decision is allow or deny."""
        return await _call(claw.approve_action, action_id, decision, reasoning=reasoning)

    return decide_approval
