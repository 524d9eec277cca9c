"""What spans say: the names of OpenTelemetry's conventions for generative AI where they have one, else `dashclaw.*`.

Those conventions are in development, none is stable: their names stand here and nowhere else. Arguments, results,
goals, reasons and the texts of errors are content, which a span has only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dashclaw._govern import error_text
from dashclaw._redact import redact_text
from dashclaw._tool_calls import text_of
from dashclaw.errors import (
    ApprovalDeniedError,
    ApprovalExpiredError,
    ApprovalPendingError,
    ApprovalTimeoutError,
    GuardBlockedError,
)

if TYPE_CHECKING:
    from dashclaw._call import Caller
    from dashclaw._govern import Run

TOOL, MODEL = "execute_tool", "chat"
# The kinds of action that adapters record, and what the conventions call them.
OPERATIONS = {"llm.call": MODEL, "agent.run": "invoke_agent", "crew.run": "invoke_workflow"}
APPROVALS = {
    ApprovalPendingError: "pending",
    ApprovalDeniedError: "denied",
    ApprovalExpiredError: "expired",
    ApprovalTimeoutError: "timeout",
}


def operation_of(run: Run) -> str | None:
    """Return what the conventions call a run: the call of a tool or a model, an agent at work; None for others."""
    return TOOL if run.fields.get("tool_name") else OPERATIONS.get(run.action_type)


def name_of(run: Run) -> str:
    """Return the name of the span of a run; few differ."""
    operation, fields = operation_of(run), run.fields
    if operation is None:
        return f"dashclaw.action {run.action_type}"
    about = {TOOL: "tool_name", MODEL: "model", "invoke_agent": "agent_name"}.get(operation)
    shown = fields.get(about) if about else None
    return f"{operation} {shown}" if shown else operation


def of_start(client: Caller, run: Run, content: bool) -> dict[str, Any]:
    """Return what is known of a run before it is decided about."""
    fields = run.fields
    found = {
        "gen_ai.operation.name": operation_of(run),
        "gen_ai.tool.name": fields.get("tool_name"),
        "gen_ai.tool.call.id": run.call_id,
        "gen_ai.agent.id": fields.get("agent_id") or client.agent_id,
        "gen_ai.agent.name": fields.get("agent_name") or client.agent_name,
        "gen_ai.conversation.id": fields.get("session_id"),
        "gen_ai.request.model": fields.get("model"),
        "dashclaw.action.type": run.action_type,
        "dashclaw.action.parent_id": fields.get("parent_action_id"),
        "dashclaw.framework": (fields.get("metadata") or {}).get("framework"),
    }
    if content:
        found["dashclaw.action.goal"] = _masked(run.declared_goal)
        found["gen_ai.tool.call.arguments"] = _masked(fields.get("input_summary"))
    return known(found)


def of_decision(decision: Mapping[str, Any], content: bool) -> dict[str, Any]:
    """Return what a decision says."""
    found = {
        "dashclaw.guard.decision": decision.get("decision"),
        "dashclaw.guard.decision_id": decision.get("decision_id"),
        "dashclaw.guard.risk_score": decision.get("risk_score"),
        "dashclaw.guard.matched_policies": decision.get("matched_policies"),
        "dashclaw.guard.degraded": decision.get("degraded"),
        "dashclaw.approval.status": "approved" if decision.get("approval") else None,
    }
    if content:
        found["dashclaw.guard.reasons"] = [_masked(reason) for reason in decision.get("reasons") or ()]
    return known(found)


def of_outcome(run: Run, content: bool) -> dict[str, Any]:
    """Return what a run noted about its outcome."""
    outcome = run.outcome
    found = {
        "gen_ai.usage.input_tokens": outcome.get("tokens_in"),
        "gen_ai.usage.output_tokens": outcome.get("tokens_out"),
        "gen_ai.response.model": outcome.get("model"),
        "dashclaw.cost_estimate": outcome.get("cost_estimate"),
    }
    if content:
        said = "gen_ai.tool.call.result" if operation_of(run) == TOOL else "dashclaw.action.output"
        found[said] = _masked(outcome.get("output_summary"))
    return known(found)


def of_error(error: BaseException) -> dict[str, Any]:
    """Return what stands for an error."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return {"error.type": name}


def of_refusal(error: BaseException, content: bool) -> dict[str, Any]:
    """Return what kept work from running: the decision, or what became of its approval."""
    status = next((status for kind, status in APPROVALS.items() if isinstance(error, kind)), None)
    found = known({"dashclaw.action.id": getattr(error, "action_id", None), "dashclaw.approval.status": status})
    return {**found, **of_decision(error.decision, content)} if isinstance(error, GuardBlockedError) else found


def of_server(client: Caller) -> dict[str, Any]:
    """Return which server decides; nothing for the embedded runtime."""
    if client.base_url is None:
        return {}
    found = urlsplit(client.base_url)
    port = found.port or (443 if found.scheme == "https" else 80)
    return known({"server.address": found.hostname, "server.port": port})


def description_of(error: BaseException, content: bool) -> str:
    """Return what the status of a span says of an error: its type, and its text where content is wanted."""
    return redact_text(error_text(error)) if content else type(error).__name__


def known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that have a value, as spans can carry them."""
    return {name: _plain(value) for name, value in attributes.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [text_of(item) for item in value]
    return value if isinstance(value, (str, bool, int, float)) else text_of(value)


def _masked(text: Any) -> str | None:
    return None if text is None else redact_text(text if isinstance(text, str) else text_of(text))
