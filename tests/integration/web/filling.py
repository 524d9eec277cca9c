"""Bodies for any operation: every free text that its model takes gets a text of the test's choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dashclaw.runtime.operations import Operation

# The longest text that a field takes, to a text.
Text = Callable[[int], str]
LONGEST = 2000
# Ids, times, addresses, names of things that exist: what is no free text, whoever writes it.
NO_TEXT = frozenset(
    {
        *("action_id", "assumption_id", "decision_id", "doc_ref", "loop_id", "parent_action_id", "recommendation_id"),
        *("thread_id", "idempotency_key", "event_key", "event_ids", "fields", "if_updated_at", "id", "slug"),
        *("timestamp", "timestamp_end", "timestamp_start", "start_time", "end_time", "next_run", "session_date"),
        *("date", "deadline", "target_date", "last_validated", "captured_at", "old_valid_until"),
        *("not_before", "not_after", "since", "cursor", "timezone", "cron_expression"),
        *("url", "callback_url", "callbackUrl", "endpoint", "public_key", "email", "pack", "yaml", "policy_type"),
        *("person", "target", "token", "secret", "approvers"),
        *("rules", "events", "approver_roles", "message_ids", "attachments", "agent_ids", "connections", "health"),
    }
)


def filled(operation: Operation, text: Text) -> dict[str, Any]:
    """The free texts of an operation's body."""
    return {name: _value(kind, text) for name, kind in texts_of(operation)}


def texts_of(operation: Operation) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The fields of a body that hold free text, and the schema of each."""
    schema = {} if operation.body is None else operation.body.model_json_schema()
    for name, field in schema.get("properties", {}).items():
        for kind in field.get("anyOf", [field]):
            if name not in NO_TEXT and _is_text(kind):
                yield name, kind


def _is_text(kind: Mapping[str, Any]) -> bool:
    if kind.get("type") == "array":
        return _is_text(kind["items"]) if kind.get("items") else True
    if kind.get("anyOf"):
        return any(map(_is_text, kind["anyOf"]))
    return kind.get("type") == "object" or (kind.get("type") == "string" and "enum" not in kind)


def _value(kind: Mapping[str, Any], text: Text) -> Any:
    if kind["type"] == "array":
        return [_line(kind.get("items", {}), text)]
    if kind["type"] == "object":
        return {_line({"maxLength": 100}, text): _line({}, text), "tool": _line({}, text)}
    return _line(kind, text)


def _line(kind: Mapping[str, Any], text: Text) -> str:
    limits = (one.get("maxLength", LONGEST) for one in kind.get("anyOf", [kind]))
    return text(min(LONGEST, *limits, LONGEST))
