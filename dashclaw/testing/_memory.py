"""A small server in memory: the documented behaviour of the spine, without policies or a database."""

from __future__ import annotations

import re
import uuid
from typing import Any, Callable, Collection, Mapping, NamedTuple, Union

from ._rows import RefusedError, count, filtered, find, now, of, page, require, valid_last

Decide = Callable[[Mapping[str, Any]], Union[str, Mapping[str, Any]]]

_FINAL = frozenset({"completed", "failed", "cancelled", "blocked"})
_OUTCOME = frozenset(
    {
        "output_summary",
        "side_effects",
        "artifacts_created",
        "error_message",
        "timestamp_end",
        "duration_ms",
        "cost_estimate",
        "tokens_in",
        "tokens_out",
        "model",
        "metadata",
    }
)
_ONLY_KEPT = frozenset({"action_type", "agent_id"})
_ONLY_ANSWERED = frozenset({"decision_id", "recorded", "evaluated_at"})
_EMPTY_ACTION: dict[str, Any] = {
    **dict.fromkeys(
        ("agent_name", "swarm_id", "parent_action_id", "reasoning", "authorization_scope", "trigger", "input_summary")
    ),
    **dict.fromkeys(("output_summary", "error_message", "timestamp_end", "duration_ms", "resolution", "approval")),
    **dict.fromkeys(("approved_by", "cost_estimate", "tokens_in", "tokens_out", "model")),
    "reversible": True,
    "risk_score": 0,
    "confidence": 50,
}


class Asked(NamedTuple):
    """One request: the variable parts of its path, its query and its body."""

    parts: tuple[str, ...]
    query: Mapping[str, str]
    body: dict[str, Any]


class Memory:
    """The state; every method named after an operation takes an `Asked` and returns a body."""

    def __init__(self, decide: Decide, announce: Callable[[str, Mapping[str, Any]], None], approve: str | None) -> None:
        self.actions: dict[str, dict[str, Any]] = {}
        self.loops: dict[str, dict[str, Any]] = {}
        self.assumptions: dict[str, dict[str, Any]] = {}
        self.decisions: list[dict[str, Any]] = []
        self.heartbeats: list[dict[str, Any]] = []
        self.org: dict[str, Any] = {"id": "org_test", "name": "Test", "slug": "test", "plan": "free"}
        self._decide = decide
        self._announce = announce
        self._approve = approve

    def answer(self, verb: str, path: str, query: Mapping[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        """Return status and body for one request; raises `RefusedError`."""
        offered = False
        for route_verb, pattern, status, operation in _ROUTES:
            matched = pattern.fullmatch(path)
            if matched is not None:
                offered = True
                if route_verb == verb:
                    found = getattr(self, operation)(Asked(matched.groups(), query, body))
                    return found if isinstance(found, tuple) else (status, found)
        if offered:
            raise RefusedError(405, "METHOD_NOT_ALLOWED", f"{path} does not take {verb}")
        raise RefusedError(404, "NOT_OFFERED", f"This server does not offer {path}")

    def guard(self, asked: Asked) -> Any:
        """Decide, and keep the decision."""
        return _without(self._decision(asked.body), _ONLY_KEPT)

    def _decision(self, context: Mapping[str, Any]) -> dict[str, Any]:
        require(context, "action_type")
        earlier = context.get("decision_id")
        for kept in self.decisions:
            if kept["decision_id"] == earlier and kept["action_type"] == context["action_type"]:
                return kept
        given = self._decide(context)
        verdict = {"decision": given} if isinstance(given, str) else dict(given)
        found = {
            "decision_id": f"gd_{uuid.uuid4().hex[:24]}",
            "reasons": [] if verdict["decision"] in ("allow", "warn") else ["Scripted: the test says so"],
            "warnings": ["Scripted: the test says so"] if verdict["decision"] == "warn" else [],
            "matched_policies": [],
            "risk_score": context.get("risk_score") or 0,
            "degraded": False,
            "recorded": True,
            "evaluated_at": now(),
            "action_type": context["action_type"],
            "agent_id": context.get("agent_id"),
            **verdict,
        }
        self.decisions.append(found)
        return found

    def decision_history(self, asked: Asked) -> Any:
        """List decisions, newest first."""
        rows = [
            {"id": row["decision_id"], "created_at": row["evaluated_at"], **_without(row, _ONLY_ANSWERED)}
            for row in reversed(self.decisions)
        ]
        verdicts = {"blocks_24h": "block", "warns_24h": "warn", "approvals_24h": "require_approval"}
        stats = {"total_24h": len(rows), **{name: count(rows, decision=value) for name, value in verdicts.items()}}
        found = page("decisions", filtered(rows, asked.query, "decision", "agent_id"), asked.query, 20)
        return {**_without(found, {"lastUpdated"}), "stats": stats}

    def create_action(self, asked: Asked) -> Any:
        """Decide, and record the attempt."""
        body = asked.body
        require(body, "action_type", "declared_goal")
        action_id = body.get("action_id") or f"act_{uuid.uuid4()}"
        if action_id in self.actions:
            raise RefusedError(409, "CONFLICT", f"The action_id {action_id!r} is taken")
        decision = self._decision(body)
        row: dict[str, Any] = {
            **_EMPTY_ACTION,
            "systems_touched": [],
            "side_effects": [],
            "artifacts_created": [],
            "metadata": {},
            **body,
            "id": action_id,
            "action_id": action_id,
            "timestamp_start": now(),
            "created_at": now(),
        }
        asks = decision["decision"] == "require_approval" or body.get("status") in ("pending", "pending_approval")
        row["status"] = body.get("status") or "running"
        if asks:
            row.update(status="pending_approval", approval={"status": "pending", "by": None, "reason": None})
        if decision["decision"] == "block":
            row.update(status="blocked", resolution="blocked")
        self.actions[action_id] = row
        self._announce("action.created", row)
        shown = _without(decision, _ONLY_KEPT)
        answer = {"action": dict(row), "action_id": action_id, "decision": shown, "security": {"clean": True}}
        if row["status"] == "blocked":
            raise RefusedError(403, "GUARD_BLOCKED", "Blocked: " + "; ".join(decision["reasons"]), **answer)
        if row["status"] == "pending_approval" and self._approve is not None:
            self._settle(row, self._approve, None)
        return (202 if asks else 201), answer

    def list_actions(self, asked: Asked) -> Any:
        """List actions, newest first."""
        rows = list(reversed(list(self.actions.values())))
        found = filtered(rows, asked.query, "status", "agent_id", "swarm_id", "action_type", "resolution")
        if "risk_min" in asked.query:
            found = [row for row in found if row["risk_score"] >= int(asked.query["risk_min"])]
        stats = {name: sum(row["status"] == name for row in found) for name in ("completed", "failed", "running")}
        return {**page("actions", found, asked.query, 50), "stats": {"total": len(found), **stats}}

    def show_action(self, asked: Asked) -> Any:
        """One action with its loops and assumptions."""
        row = find(self.actions, asked.parts[0], "action")
        return {
            "action": dict(row),
            "action_id": row["action_id"],
            "open_loops": of(self.loops, row["action_id"]),
            "assumptions": of(self.assumptions, row["action_id"]),
        }

    def trace_action(self, asked: Asked) -> Any:
        """One action with what it hangs together with."""
        row = find(self.actions, asked.parts[0], "action")
        loops, assumptions = of(self.loops, row["action_id"]), of(self.assumptions, row["action_id"])
        children = [other for other in self.actions.values() if other["parent_action_id"] == row["action_id"]]
        parent = self.actions.get(row["parent_action_id"])
        trace = {
            "loops": {"total": len(loops), "items": loops},
            "assumptions": {"total": len(assumptions), "items": assumptions},
            "parent_chain": [parent] if parent else [],
            "sub_actions": children,
            "related_actions": [],
            "root_cause_indicators": [],
        }
        return {"action": dict(row), "trace": trace}

    def record_outcome(self, asked: Asked) -> Any:
        """Change fields and, where the lifecycle allows, the status."""
        row = find(self.actions, asked.parts[0], "action")
        status = asked.body.get("status")
        if status is not None and status != row["status"]:
            if row["status"] == "pending_approval" and status != "cancelled":
                raise RefusedError(409, "APPROVAL_PENDING", "The action waits for a person")
            if row["status"] in _FINAL:
                raise RefusedError(409, "FINAL_STATE", f"The action is {row['status']} already")
            row["status"] = status
        row.update((name, value) for name, value in asked.body.items() if name in _OUTCOME)
        self._announce("action.updated", row)
        return {"action": dict(row), "action_id": row["action_id"], "security": {"clean": True}}

    def approve(self, asked: Asked) -> Any:
        """Decide as a person."""
        row = find(self.actions, asked.parts[0], "action")
        if row["status"] != "pending_approval":
            raise RefusedError(409, "NOT_PENDING", f"The action does not wait: it is {row['status']}")
        self._settle(row, asked.body.get("decision"), asked.body.get("reasoning"))
        return {"success": True, "action": dict(row), "action_id": row["action_id"]}

    def _settle(self, row: dict[str, Any], decision: Any, reason: str | None) -> None:
        if decision == "allow":
            approval = {"status": "approved", "by": "test", "reason": reason}
            row.update(status="running", approval=approval, approved_by="test")
        else:
            approval = {"status": "denied", "by": "test", "reason": reason}
            row.update(status="failed", resolution="denied", approval=approval)
            row["error_message"] = reason or "A person denied the action"
        self._announce("action.updated", row)

    def signals(self, _: Asked) -> Any:
        """No signals arise in a test."""
        return {"signals": [], "counts": {"red": 0, "amber": 0, "total": 0}, "lastUpdated": now()}

    def create_loop(self, asked: Asked) -> Any:
        """Register an open loop."""
        require(asked.body, "action_id", "loop_type", "description")
        find(self.actions, asked.body["action_id"], "action")
        loop_id = asked.body.get("loop_id") or f"loop_{uuid.uuid4()}"
        row = {"priority": "medium", "owner": None, "resolution": None, **asked.body, "created_at": now()}
        row.update(id=loop_id, loop_id=loop_id, status="open", resolved_at=None)
        self.loops[loop_id] = row
        return {"loop": dict(row), "loop_id": loop_id}

    def list_loops(self, asked: Asked) -> Any:
        """List loops."""
        found = filtered(list(self.loops.values()), asked.query, "status", "loop_type", "priority")
        if "agent_id" in asked.query:
            found = [row for row in found if self.actions[row["action_id"]]["agent_id"] == asked.query["agent_id"]]
        return {**page("loops", found, asked.query, 50), "stats": {"open_count": count(found, status="open")}}

    def close_loop(self, asked: Asked) -> Any:
        """Close a loop."""
        row = find(self.loops, asked.parts[0], "loop")
        if row["status"] != "open":
            raise RefusedError(409, "CONFLICT", "The loop is closed already")
        if asked.body.get("status") == "resolved" and not asked.body.get("resolution"):
            raise RefusedError(400, "VALIDATION_FAILED", "A resolved loop needs a resolution")
        row.update(status=asked.body["status"], resolution=asked.body.get("resolution"), resolved_at=now())
        return {"loop": dict(row), "loop_id": row["loop_id"]}

    def create_assumption(self, asked: Asked) -> Any:
        """Register an assumption."""
        require(asked.body, "action_id", "assumption")
        find(self.actions, asked.body["action_id"], "action")
        key = asked.body.get("assumption_id") or f"asm_{uuid.uuid4()}"
        row = {"basis": None, "validated": False, "invalidated": False, "invalidated_reason": None, **asked.body}
        row.update(id=key, assumption_id=key, created_at=now())
        self.assumptions[key] = row
        return {"assumption": dict(row), "assumption_id": key}

    def show_assumption(self, asked: Asked) -> Any:
        """One assumption."""
        return {"assumption": dict(find(self.assumptions, asked.parts[0], "assumption"))}

    def settle_assumption(self, asked: Asked) -> Any:
        """Confirm or refute an assumption."""
        row = find(self.assumptions, asked.parts[0], "assumption")
        if row["invalidated"]:
            raise RefusedError(409, "CONFLICT", "The assumption is refuted already")
        if asked.body["validated"]:
            row.update(validated=True, validated_at=now())
        elif not asked.body.get("invalidated_reason"):
            raise RefusedError(400, "VALIDATION_FAILED", "Refuting needs an invalidated_reason")
        else:
            row.update(invalidated=True, invalidated_reason=asked.body["invalidated_reason"], invalidated_at=now())
        return {"assumption": dict(row)}

    def drift(self, asked: Asked) -> Any:
        """All assumptions, the invalidated first."""
        found = sorted(filtered(list(self.assumptions.values()), asked.query, "action_id"), key=valid_last)
        if "agent_id" in asked.query:
            found = [row for row in found if self.actions[row["action_id"]]["agent_id"] == asked.query["agent_id"]]
        summary = {name: sum(row[name] for row in found) for name in ("validated", "invalidated")}
        return {**page("assumptions", found, asked.query, 50), "drift_summary": {"total": len(found), **summary}}

    def heartbeat(self, asked: Asked) -> Any:
        """Note that an agent is alive."""
        self.heartbeats.append(asked.body)
        return {"status": "ok", "timestamp": now()}

    def list_orgs(self, _: Asked) -> Any:
        """The one organisation."""
        return {"organizations": [{**self.org, "active_keys": 1}]}

    def create_org(self, asked: Asked) -> Any:
        """Make up an organisation."""
        require(asked.body, "name", "slug")
        key = {"id": "key_test", "key": "oc_live_" + "0" * 32, "prefix": "oc_live_", "role": "admin"}
        return {"organization": {**self.org, "id": f"org_{asked.body['slug']}", **asked.body}, "api_key": key}

    def show_org(self, asked: Asked) -> Any:
        """The one organisation, by any id."""
        return {"organization": {**self.org, "id": asked.parts[0]}, "active_keys": 1}

    def change_org(self, asked: Asked) -> Any:
        """Rename the organisation."""
        self.org.update(asked.body)
        return {"organization": {**self.org, "id": asked.parts[0]}}

    def list_keys(self, _: Asked) -> Any:
        """No keys are kept."""
        return {"keys": []}

    def activity(self, asked: Asked) -> Any:
        """No log is kept."""
        pagination = _without(page("logs", [], asked.query, 50), {"logs", "lastUpdated"})
        return {"logs": [], "stats": {"total": 0, "today": 0, "unique_actors": 0}, "pagination": pagination}


def _route(verb: str, path: str, operation: str, status: int = 200) -> tuple[str, re.Pattern[str], int, str]:
    return verb, re.compile(path.replace("{}", "([^/]+)")), status, operation


_ROUTES = (
    _route("POST", "/api/guard", "guard"),
    _route("GET", "/api/guard", "decision_history"),
    _route("POST", "/api/actions", "create_action", 201),
    _route("GET", "/api/actions", "list_actions"),
    _route("GET", "/api/(?:actions/)?signals", "signals"),
    _route("POST", "/api/actions/loops", "create_loop", 201),
    _route("GET", "/api/actions/loops", "list_loops"),
    _route("PATCH", "/api/actions/loops/{}", "close_loop"),
    _route("POST", "/api/(?:actions/)?assumptions", "create_assumption", 201),
    _route("GET", "/api/(?:actions/)?assumptions", "drift"),
    _route("GET", "/api/(?:actions/)?assumptions/{}", "show_assumption"),
    _route("PATCH", "/api/(?:actions/)?assumptions/{}", "settle_assumption"),
    _route("GET", "/api/actions/{}", "show_action"),
    _route("PATCH", "/api/actions/{}", "record_outcome"),
    _route("GET", "/api/actions/{}/trace", "trace_action"),
    _route("POST", "/api/actions/{}/approve", "approve"),
    _route("POST", "/api/agents/heartbeat", "heartbeat"),
    _route("GET", "/api/orgs", "list_orgs"),
    _route("POST", "/api/orgs", "create_org", 201),
    _route("GET", "/api/orgs/{}", "show_org"),
    _route("PATCH", "/api/orgs/{}", "change_org"),
    _route("GET", "/api/orgs/{}/keys", "list_keys"),
    _route("GET", "/api/activity", "activity"),
)


def _without(found: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in names}
