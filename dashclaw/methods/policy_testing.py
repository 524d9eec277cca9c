"""Policy testing: run the tests of policies, prove what is in force, import packs and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional

from .._call import Call, Caller, endpoint

if TYPE_CHECKING:
    from ..types import ImportedPolicies, PolicyTestReport, ProofReport


class PolicyTestingMethods(Caller):
    """Methods of the category "Policy Testing"."""

    @endpoint
    def test_policies(self) -> Call[PolicyTestReport]:
        """Run the tests of every active policy on the guard itself, and keep the outcome.

        `["results"]` has one entry per test: `policy`, `test`, `passed`, `reason`; a policy without tests of its own
        gets generated ones. `conflict` names the policies because of which all together decide otherwise.
        """
        return Call("POST", "/api/policies/test", body={"agent_id": self.agent_id}, read=_flat)

    @endpoint
    def get_proof_report(self, format: str = "json") -> Call[ProofReport]:  # noqa: A002 - the documented name
        """Report which policies are in force and how their tests end now; `format` is "json" or "md".

        `["report"]` is text in both formats, `["document"]` the values behind it.
        """
        return Call("GET", "/api/policies/proof", query={"format": format})

    @endpoint
    def import_policies(
        self,
        pack: Optional[str] = None,
        yaml: Optional[str] = None,
        *,
        dry_run: Optional[bool] = None,
    ) -> Call[ImportedPolicies]:
        """Import a policy pack or a YAML text; needs an admin's key.

        Packs: enterprise-strict, smb-safe, startup-growth, development. Either every policy is stored or, when one is
        wrong, none: `InvalidRequestError` then names the places. A name that exists already is skipped. `dry_run`
        changes nothing: `["preview"]` says how the tests end and which of the newest 200 decisions would have changed.
        """
        return Call("POST", "/api/policies/import", body={"pack": pack, "yaml": yaml, "dry_run": dry_run})


def _flat(answer: Dict[str, Any]) -> Any:
    """The counts and tests of a server that keeps them below `results`."""
    inner = answer.get("results")
    if not isinstance(inner, dict):
        return answer
    results = [
        {
            "policy": policy.get("policy_name"),
            "policy_id": policy.get("policy_id"),
            "test": test.get("name"),
            "passed": bool(test.get("passed")),
            "reason": test.get("reason"),
        }
        for policy in inner.get("details") or []
        for test in policy.get("tests") or []
    ]
    return {**answer, **inner, "total": inner.get("total_tests", len(results)), "results": results}
