"""Security scanning: secrets, personal data and prompt injections in a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional

from .._call import Call, Caller, endpoint

if TYPE_CHECKING:
    from ..types import PromptScan, ReportedFinding, SecurityScan

_PATH = "/api/security/scan"


class SecurityMethods(Caller):
    """Methods of the category "Security Scanning"."""

    @endpoint
    def scan_content(self, text: str, destination: Optional[str] = None) -> Call[SecurityScan]:
        """Scan a text for secrets and personal data; nothing is stored.

        The answer has `clean`, the `redacted` text and the `findings`: each with its kind (`pattern`), `category`,
        `severity`, where it stands (`start`, `end` in characters, `line` from 1), and a `preview` of at most the
        last four characters. `destination` says where the text is meant to go. Raises `InvalidRequestError` when
        `text` is not a string.
        """
        return Call("POST", _PATH, body=_scan(self, text, destination, store=False), read=_read)

    @endpoint
    def report_security_finding(self, text: str, destination: Optional[str] = None) -> Call[ReportedFinding]:
        """Scan a text and, when something is found, store what kind of thing stood where; never the text.

        Besides the answer of `scan_content` there is the `finding_id` of what was stored, None for a clean text.
        """
        return Call("POST", _PATH, body=_scan(self, text, destination, store=True), read=_read)

    @endpoint
    def scan_prompt_injection(self, text: str, source: Optional[str] = None) -> Call[PromptScan]:
        """Scan a text for attempts to take over the model that reads it; nothing is stored.

        `recommendation` is block, warn or allow, by the worst finding (`risk_level`: none, medium, high, critical).
        `source` says where the text came from. A heuristic: it knows common phrasings and no more.
        """
        body = {"text": text, "source": source, "agent_id": self.agent_id}
        return Call("POST", "/api/security/prompt-injection", body=body)


def _scan(caller: Caller, text: str, destination: Optional[str], store: bool) -> Dict[str, Any]:
    return {"text": text, "destination": destination, "agent_id": caller.agent_id, "store": store}


def _read(answer: Any) -> Any:
    # Other servers call the redacted text by one name only.
    return answer if "redacted" in answer else dict(answer, redacted=answer.get("redacted_text"))
