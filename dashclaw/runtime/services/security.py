"""Security scanning: what stands in a text that should not leave, and what tries to take over a model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dashclaw._personal import find_all
from dashclaw._scan import scan as scan_text

from ..injection import scan as scan_prompt
from ..inputs import Flag, Input, Name, Page, Short
from ..operations import Invocation, Operation
from ..problems import not_found
from ..redaction import redact_fields
from ..store.records import Records
from ..store.tables import security_findings

if TYPE_CHECKING:
    from ..runtime import Runtime
    from ..store.engine import Tx

_STORED = Records(security_findings)
_KEPT = ("pattern", "category", "severity", "start", "end")


class ScanInput(Input):
    """A text to scan."""

    text: str
    agent_id: Short | None = None
    destination: Name | None = None
    store: Flag = False


class PromptInput(Input):
    """A text that a model is to read."""

    text: str
    agent_id: Short | None = None
    source: Name | None = None


class FindingPage(Page):
    """Filters of the stored findings."""

    agent_id: Short | None = None
    destination: Name | None = None


def look(_runtime: Runtime, call: Invocation) -> dict[str, Any]:
    """Scan the text; this happens before the transaction, because a long one takes its time."""
    found = scan_text(call.body.text)
    return {**found, "redacted_text": found["redacted"]}


def scan(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Say what stands in the text; when `store` asks for it and something was found, keep what kind stood where."""
    body: ScanInput = call.body
    found = call.prepared
    answer = {**found, "destination": body.destination, "stored": False, "finding_id": None}
    if body.store and found["findings"]:
        answer.update(stored=True, finding_id=_keep(tx, call, found))
    if body.unknown:
        answer["warnings"] = body.warnings()
    return answer


def _keep(tx: Tx, call: Invocation, found: dict[str, Any]) -> str:
    body: ScanInput = call.body
    clean, _ = redact_fields({"metadata": body.unknown or None, "destination": body.destination}, _FREE, find_all)
    row = {
        "id": "sf_" + os.urandom(12).hex(),
        "org_id": call.caller.org_id,
        "agent_id": body.agent_id or call.caller.agent_id,
        **clean,
        "findings_count": found["findings_count"],
        "critical_count": found["critical_count"],
        "categories": found["categories"],
        "findings": [{name: finding[name] for name in _KEPT} for finding in found["findings"]],
        "created_by": call.caller.actor_id,
        "created_at": tx.stamp,
    }
    _STORED.add(tx, row)
    data = {name: row[name] for name in ("id", "destination", "findings_count", "critical_count", "categories")}
    tx.emit(call.caller, "security.finding.created", "security_finding", row["id"], data, row["agent_id"])
    return str(row["id"])


_FREE = ("metadata", "destination")


def scan_for_injection(_tx: Tx, call: Invocation) -> dict[str, Any]:
    """Say how dangerous the text is for a model that reads it."""
    body: PromptInput = call.body
    answer = {**call.prepared, "source": body.source}
    return {**answer, "warnings": body.warnings()} if body.unknown else answer


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Stored findings, newest first."""
    query: FindingPage = call.query
    columns = security_findings.c
    where = [
        columns[name] == value for name in ("agent_id", "destination") if (value := getattr(query, name)) is not None
    ]
    rows, total = _STORED.page(tx, call.caller.org_id, where, size=query.size, offset=query.offset)
    more = query.offset + len(rows) < total
    return {"findings": rows, "total": total, "limit": query.size, "offset": query.offset, "has_more": more}


def show(tx: Tx, call: Invocation) -> dict[str, Any]:
    """One stored finding."""
    row = _STORED.find(tx, call.caller.org_id, call.params["finding_id"])
    if row is None:
        raise not_found("security finding", call.params["finding_id"])
    return {"finding": row}


# The answer of a scan holds the text, redacted, which is never stored: not for a repetition either.
OPERATIONS = (
    Operation(
        "scan_content",
        "POST",
        "/api/security/scan",
        scan,
        "Scan a text for secrets and personal data",
        "security",
        body=ScanInput,
        prepare=look,
        keeps_answer=False,
        slow=True,
    ),
    Operation(
        "scan_prompt_injection",
        "POST",
        "/api/security/prompt-injection",
        scan_for_injection,
        "Scan a text for attempts to take over a model",
        "security",
        body=PromptInput,
        prepare=lambda _runtime, call: scan_prompt(call.body.text),
        slow=True,
    ),
    Operation(
        "get_security_findings",
        "GET",
        "/api/security/findings",
        listing,
        "List stored findings",
        "security",
        query=FindingPage,
        role="readonly",
    ),
    Operation(
        "get_security_finding",
        "GET",
        "/api/security/findings/{finding_id}",
        show,
        "Show a stored finding",
        "security",
        role="readonly",
    ),
)
