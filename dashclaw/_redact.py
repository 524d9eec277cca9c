"""Takes secrets out of free text; the client, the server and the scanner find them in the same way."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Sequence

from ._detect import Finding, find_secrets

FREE_TEXT_FIELDS = frozenset(
    {
        "declared_goal",
        "reasoning",
        "authorization_scope",
        "trigger",
        "input_summary",
        "output_summary",
        "side_effects",
        "artifacts_created",
        "error_message",
        "description",
        "resolution",
        "assumption",
        "basis",
        "invalidated_reason",
        "metadata",
        "target",
        "body",
        "content",
        "summary",
        "subject",
        "approach",
        "code",
        "context",
        "decision",
        "key_decisions",
        "mood_notes",
        "next_priorities",
        "notes",
        "observation",
        "open_tasks",
        "preference",
        "title",
    }
)


def redact_text(text: str) -> str:
    """Return the text with every secret replaced by `[REDACTED:<kind>]`; clean text comes back as it is."""
    return mask(text, find_secrets(text))


def mask(text: str, found: Sequence[Finding]) -> str:
    """Return the text with `[REDACTED:<kind>]` in place of each finding, given in the order they stand."""
    if not found:
        return text
    parts: List[str] = []
    at = 0
    for finding in found:
        parts += (text[at : finding.start], "[REDACTED:", finding.kind.name, "]")
        at = finding.end
    return "".join(parts) + text[at:]


def redact_body(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the body with secrets in its free-text fields masked; ids and the rest are never touched.

    The same object comes back when nothing had to change.
    """
    changed: Dict[str, Any] = {}
    for name, value in body.items():
        if name in FREE_TEXT_FIELDS:
            masked = _masked(value)
            if masked is not value:
                changed[name] = masked
    return dict(body, **changed) if changed else body


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        masked = redact_text(value)
        return value if masked == value else masked
    if isinstance(value, (list, tuple)):
        items = [_masked(item) for item in value]
        return value if all(new is old for new, old in zip(items, value)) else items
    if isinstance(value, dict):
        pairs = {key: _masked(item) for key, item in value.items()}
        return value if all(pairs[key] is item for key, item in value.items()) else pairs
    return value


def summarise(texts: Iterable[str]) -> Dict[str, Any]:
    """Return what was found in texts: `{clean, findings_count, critical_count, categories}`."""
    return summary(finding for text in texts for finding in find_secrets(text))


def summary(findings: Iterable[Finding]) -> Dict[str, Any]:
    """Return `{clean, findings_count, critical_count, categories}` of findings."""
    kinds = [finding.kind for finding in findings]
    return {
        "clean": not kinds,
        "findings_count": len(kinds),
        "critical_count": sum(kind.severity == "critical" for kind in kinds),
        "categories": sorted({kind.category for kind in kinds}),
    }
