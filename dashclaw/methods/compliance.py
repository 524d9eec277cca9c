"""Compliance: policies against the controls of frameworks, with evidence from what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional

from .._call import Call, Caller, endpoint

if TYPE_CHECKING:
    from ..types import ComplianceMap, ComplianceReport, EvidenceAnswer, FrameworkList, GapAnalysis


class ComplianceMethods(Caller):
    """Methods of the category "Compliance Engine"."""

    @endpoint
    def map_compliance(self, framework: str) -> Call[ComplianceMap]:
        """Map the active policies to the controls of a framework: soc2, iso27001, gdpr, nist-ai-rmf or imda-agentic.

        `["coverage_pct"]` is 0 to 100; each of `["controls"]` has `id`, `name`, `covered`, `status` (covered, partial,
        gap) and the policies that count. Only policies that stop or pause an action do.
        """
        return Call("GET", "/api/compliance/map", query={"framework": framework}, read=_readable)

    @endpoint
    def analyze_gaps(self, framework: str) -> Call[GapAnalysis]:
        """Say what is missing for a framework, in order of effect.

        `["remediation_plan"]` has an item per open control with the policy that would close it; following `["steps"]`
        one by one reaches full coverage.
        """
        return Call("GET", "/api/compliance/gaps", query={"framework": framework})

    @endpoint
    def get_compliance_report(self, framework: str, format: str = "json") -> Call[ComplianceReport]:  # noqa: A002
        """Report on a framework, as "json" or "md", and keep a snapshot for the trend.

        `["report"]` is text in both formats, `["document"]` the values behind it. A snapshot is kept once a day and
        whenever policies have changed; a read-only key keeps none.
        """
        return Call("GET", "/api/compliance/report", query={"framework": framework, "format": format})

    @endpoint
    def list_frameworks(self) -> Call[FrameworkList]:
        """Return the frameworks: `id`, `name`, `version`, `description`, `control_count`."""
        return Call("GET", "/api/compliance/frameworks")

    @endpoint
    def get_compliance_evidence(self, window: str = "7d", *, framework: Optional[str] = None) -> Call[EvidenceAnswer]:
        """Return what the guard decided and agents recorded in the last days: "7d", "30d", "90d" or another number.

        With a `framework` the decisions are counted by control as well.
        """
        return Call("GET", "/api/compliance/evidence", query={"window": window, "framework": framework})


def _readable(answer: Dict[str, Any]) -> Any:
    """The mapping of a server that says it in other words."""
    if "coverage_pct" in answer or not isinstance(answer.get("summary"), dict):
        return answer
    controls = [
        {
            **control,
            "id": control.get("control_id"),
            "name": control.get("title"),
            "covered": control.get("status") == "covered",
        }
        for control in answer.get("controls") or []
    ]
    return {**answer, "coverage_pct": answer["summary"].get("coverage_percentage"), "controls": controls}
