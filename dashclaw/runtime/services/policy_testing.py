"""Policy testing: run the tests of policies on the guard itself, prove what is in force, import packs and files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..guard import SEVERITY, compile_policies, decide
from ..inputs import Flag, Input, Name, Short
from ..markdown import code, inline, table
from ..operations import Answer, Invocation, Operation
from ..policy_documents import PACKS, PolicyDraft, pack_policies, read_policies
from ..policy_tests import policy_of, run_tests, steady_facts
from ..problems import Problem, invalid
from ..store import decisions as decision_rows
from ..store import governance, references
from ..store import policies as rows
from .policies import add_policy, complaints

if TYPE_CHECKING:
    from ..runtime import Runtime
    from ..store.engine import Tx

_LOOKED_AT = 200
_SHOWN = 20


class TestRunInput(Input):
    """Who asks for the run."""

    agent_id: Short | None = None


class ProofQuery(Input):
    """The form of the report."""

    format: Literal["json", "md"] = "md"


class ImportInput(Input):
    """A pack by name or a YAML text; `dry_run` shows what would happen and changes nothing."""

    pack: Name | None = None
    yaml: str | None = None
    dry_run: Flag = False


def test_active(runtime: Runtime, call: Invocation) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The active policies and how their tests end: found out before any writer has to wait."""
    with runtime.store.read() as tx:
        active = rows.active(tx, call.caller.org_id)
    return active, run_tests(active)


def run_all(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Keep the outcome of a run of the tests of every active policy."""
    body: TestRunInput = call.body
    active, results = call.prepared
    counts = _counts(active, results)
    run = {
        "id": "gtr_" + os.urandom(12).hex(),
        "org_id": call.caller.org_id,
        "agent_id": body.agent_id or call.caller.agent_id,
        **{name: counts[name] for name in ("total_policies", "total", "passed", "failed", "success")},
        "failures": [_brief(result) for result in results if not result["passed"]][:_SHOWN],
        "metadata": body.unknown or None,
        "created_by": call.caller.actor_id,
        "created_at": tx.stamp,
    }
    governance.test_runs.add(tx, run)
    shown = {name: run[name] for name in ("id", "total_policies", "total", "passed", "failed", "success")}
    tx.emit(call.caller, "policy.tested", "policy_test_run", str(run["id"]), shown, body.agent_id)
    return {
        **counts,
        "results": results,
        "details": _by_policy(active, results),
        "conflicts": sum(result["conflict"] is not None for result in results),
        "run_id": run["id"],
        "warnings": body.warnings(),
        "generated_at": tx.stamp,
    }


def _counts(policies: Sequence[Any], results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    passed = sum(result["passed"] for result in results)
    return {
        "total_policies": len(policies),
        "total_tests": len(results),
        "total": len(results),
        "passed": passed,
        "failed": len(results) - passed,
        "success": passed == len(results),
    }


def _brief(result: Mapping[str, Any]) -> dict[str, Any]:
    return {name: result[name] for name in ("policy", "policy_id", "test", "reason")}


def _by_policy(policies: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    tests: dict[str, list[dict[str, Any]]] = {row["id"]: [] for row in policies}
    for result in results:
        shown = {name: result[name] for name in ("passed", "expected", "actual", "reason", "generated")}
        tests[result["policy_id"]].append({"name": result["test"], **shown})
    return [{"policy_id": row["id"], "policy_name": row["name"], "tests": tests[row["id"]]} for row in policies]


def prove(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Say which policies are in force, what they do, and how their tests end right now."""
    active = rows.active(tx, call.caller.org_id)
    results = run_tests(active)
    failing = [_brief(result) for result in results if not result["passed"]]
    counts = _counts(active, results)
    last = governance.newest_run(tx, call.caller.org_id)
    rested = {"policy": [row["id"] for row in active], "policy_test_run": [] if last is None else [last["id"]]}
    document = {
        "project": f"org-{call.caller.org_id}",
        "generated_at": tx.stamp,
        "summary": {
            "total_policies": counts["total_policies"],
            "total_tests": counts["total_tests"],
            "test_results": {"passed": counts["passed"], "failed": counts["failed"], "success": counts["success"]},
        },
        "policies": [_proved(row, results) for row in active],
        "failures": failing,
        "last_run": None if last is None else {name: last[name] for name in ("id", "passed", "failed", "created_at")},
        "policy_set": call.runtime.policies.get(tx, call.caller.org_id).text.hash,
        "evidence": references.of_records(tx, call.caller.org_id, rested),
    }
    wanted = call.query.format
    report = json.dumps(document, indent=2, ensure_ascii=False) if wanted == "json" else _proof_page(document)
    return {"report": report, "format": wanted, "generated_at": tx.stamp, "document": document}


def _proved(row: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    own = [result for result in results if result["policy_id"] == row["id"]]
    rules = row["rules"] if isinstance(row["rules"], dict) else {}
    tools = rules.get("action_types") or rules.get("allowed_action_types") or rules.get("paths") or ["*"]
    metadata = row["metadata"] or {}
    return {
        "id": row["id"],
        "name": row["name"],
        "description": rules.get("description") or row["name"],
        "applies_to": {"tools": tools, "agents": row["agent_ids"] or []},
        "rule": {"policy_type": row["policy_type"], **rules},
        "source": metadata.get("source"),
        "test_count": len(own),
        "passed": sum(result["passed"] for result in own),
        "updated_at": row["updated_at"],
    }


def _proof_page(document: Mapping[str, Any]) -> str:
    summary = document["summary"]
    outcome = summary["test_results"]
    lines = [
        "# Policy proof report",
        "",
        f"Project {code(document['project'])}, {document['generated_at']}.",
        "",
        f"- Policies in force: {summary['total_policies']}",
        f"- Tests: {summary['total_tests']}, passed {outcome['passed']}, failed {outcome['failed']}",
        "",
        "## Policies",
        "",
    ]
    cells = [
        (
            inline(policy["name"]),
            code(policy["rule"]["policy_type"]),
            ", ".join(map(code, policy["applies_to"]["tools"])),
            f"{policy['passed']} of {policy['test_count']}",
        )
        for policy in document["policies"]
    ]
    lines += table(("Policy", "Type", "Applies to", "Tests passed"), cells) if cells else ["No policy is in force."]
    if document["failures"]:
        lines += ["", "## Failing tests", ""]
        lines += [
            f"- {inline(found['policy'])}, {inline(found['test'])}: {inline(found['reason'])}"
            for found in document["failures"]
        ]
    return "\n".join([*lines, *_evidence_lines(document)]) + "\n"


def _evidence_lines(document: Mapping[str, Any]) -> list[str]:
    evidence = document["evidence"]
    lines = ["", "## Evidence", "", f"Policy set {code(document['policy_set'])}.", ""]
    cells = [(str(entry["seq"]), code(entry["event"]), code(entry["hash"])) for entry in evidence["entries"]]
    if cells:
        lines += [*table(("Entry", "Event", "Hash"), cells), ""]
    lines.append(f"Entries listed: {len(cells)} of {evidence['total']}; events not linked yet: {evidence['unlinked']}.")
    if (last := evidence["checkpoint"]) is not None:
        lines.append(f"Last checkpoint: {last['size']} entries, root {code(last['root'])}, {last['at']}.")
    return lines


def import_all(tx: Tx, call: Invocation) -> Answer:
    """Add every policy of a pack or a text, or none when one of them is wrong; a name that is taken is skipped."""
    body: ImportInput = call.body
    drafts, source = call.prepared
    org_id = call.caller.org_id
    fresh = [draft for draft in drafts if rows.named(tx, org_id, draft.name) is None]
    skipped = [draft.name for draft in drafts if draft not in fresh]
    new = [_row(draft, source) for draft in fresh]
    warnings = body.warnings()
    if body.pack is not None and body.yaml is not None:
        warnings.append("the pack was taken and yaml was not looked at")
    warnings += [f"a policy named {name!r} exists already and was kept as it is" for name in skipped]
    answer: dict[str, Any] = {"imported": len(new), "skipped": len(skipped), "errors": [], "warnings": warnings}
    answer |= {"skipped_policies": skipped, "dry_run": body.dry_run, "source": source, "preview": None}
    if body.dry_run:
        return Answer(
            {**answer, "imported": 0, "policies": [_shown(row) for row in new], "preview": _preview(tx, org_id, new)},
            200,
        )
    made = [add_policy(tx, call.caller, row, call.runtime.settings.allow_private_webhooks) for row in new]
    return Answer({**answer, "policies": [_shown(row) for row in made]}, 201)


def read_import(runtime: Runtime, call: Invocation) -> tuple[Sequence[PolicyDraft], str]:
    """The policies to import, each of which the guard can follow."""
    drafts, source = _drafts(call.body)
    _check(drafts, runtime.settings.allow_private_webhooks)
    return drafts, source


def _drafts(body: ImportInput) -> tuple[Sequence[PolicyDraft], str]:
    if body.pack is not None:
        if body.pack not in PACKS:
            known = ", ".join(PACKS)
            raise invalid("pack", f"{body.pack!r:.80} is not one of {known}")
        return pack_policies(body.pack), f"pack:{body.pack}"
    if body.yaml is None:
        raise invalid("pack", f"or yaml is required: name a pack ({', '.join(PACKS)}) or send a YAML text")
    return read_policies(body.yaml), "yaml"


def _check(drafts: Sequence[PolicyDraft], private_hosts: bool) -> None:
    fields = [
        {"field": draft.field, "message": sentence}
        for draft in drafts
        for sentence in complaints(draft.policy_type, draft.rules, private_hosts)
    ]
    if fields:
        details = [f"{field['field']}: {field['message']}" for field in fields]
        raise Problem(400, "VALIDATION_FAILED", "Validation failed", details=details, fields=fields)


def _row(draft: PolicyDraft, source: str) -> dict[str, Any]:
    metadata = {"source": source, "entry": draft.entry, "tests": draft.tests}
    return {
        "name": draft.name,
        "policy_type": draft.policy_type,
        "rules": draft.rules,
        "agent_ids": draft.agent_ids,
        "active": draft.active,
        "metadata": {name: value for name, value in metadata.items() if value},
    }


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in ("id", "name", "policy_type", "rules", "active", "agent_ids", "metadata")}


def _preview(tx: Tx, org_id: str, new: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How the tests of new policies end beside those in force, and which newest decisions they would have changed."""
    drafts = [{**row, "id": f"draft_{place}"} for place, row in enumerate(new) if row["active"]]
    results = run_tests(drafts, rows.active(tx, org_id))
    policies = [policy_of(row) for row in drafts]
    together, facts = compile_policies(policies), steady_facts(policies)
    recent = decision_rows.page(tx, org_id, agent_id=None, decision=None, size=_LOOKED_AT, offset=0)
    changed = []
    for row in recent:
        found = decide(row["context"] or {}, together, facts)
        if SEVERITY[found.decision] > max(SEVERITY[row["decision"]], SEVERITY["warn"]):
            changed.append(
                {
                    "decision_id": row["id"],
                    "action_type": row["action_type"],
                    "agent_id": row["agent_id"],
                    "was": row["decision"],
                    "would_be": found.decision,
                    "reason": next(iter(found.reasons), None),
                }
            )
    counts = {name: value for name, value in _counts(drafts, results).items() if name != "total_tests"}
    looked = {"decisions_checked": len(recent), "decisions_changed": len(changed), "examples": changed[:_SHOWN]}
    return {"tests": {**counts, "results": results}, "impact": looked}


OPERATIONS = (
    Operation(
        "test_policies",
        "POST",
        "/api/policies/test",
        run_all,
        "Run the tests of every active policy",
        "policy testing",
        body=TestRunInput,
        prepare=test_active,
        slow=True,
    ),
    Operation(
        "get_proof_report",
        "GET",
        "/api/policies/proof",
        prove,
        "Report which policies are in force and how their tests end",
        "policy testing",
        query=ProofQuery,
        role="readonly",
        slow=True,
    ),
    Operation(
        "import_policies",
        "POST",
        "/api/policies/import",
        import_all,
        "Import a policy pack or a YAML text",
        "policy testing",
        body=ImportInput,
        status=201,
        role="admin",
        prepare=read_import,
        slow=True,
    ),
)
