"""The OpenAPI document, from the operations and the models that validate them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashclaw.runtime.inputs import built

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dashclaw.runtime.operations import Operation

_ERROR = {
    "type": "object",
    "required": ["error", "code"],
    "properties": {
        "error": {"type": "string"},
        "code": {"type": "string"},
        "details": {"type": "array", "items": {"type": "string"}},
        "fields": {"type": "array", "items": {"type": "object"}},
        "request_id": {"type": "string"},
    },
}
_REFUSALS = {
    400: "The request is wrong",
    401: "The key is missing or unknown",
    403: "The key, or the guard, does not allow it",
    404: "There is no such thing",
    409: "It is in another state",
    410: "It has expired",
    413: "The body is too large",
    429: "Too many requests",
    503: "The database did not answer",
}


def paths(operations: Iterable[Operation]) -> dict[str, dict[str, Any]]:
    """Every operation under every path it is known by, as OpenAPI's `paths`."""
    found: dict[str, dict[str, Any]] = {}
    for operation in operations:
        for path in (operation.path, *operation.also):
            found.setdefault(path, {})[operation.verb.lower()] = _described(operation, path)
    return dict(sorted(found.items()))


def _described(operation: Operation, path: str) -> dict[str, Any]:
    """The OpenAPI of an operation, from the models that validate it."""
    parameters: list[dict[str, Any]] = [
        {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}
        for part in path.split("/")
        if part.startswith("{")
    ]
    query = built(operation.query).model_json_schema(by_alias=True).get("properties", {})
    parameters += [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in query.items()]
    if operation.writes:
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string"}})
    described: dict[str, Any] = {
        "operationId": operation.name if path == operation.path else f"{operation.name}:{path}",
        "summary": operation.summary,
        "tags": [operation.category],
        "parameters": parameters,
        "security": [{"apiKey": []}],
        "responses": _responses(operation),
    }
    if operation.body is not None:
        schema = built(operation.body).model_json_schema(by_alias=True)
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _responses(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    if operation.media != "application/json":
        content = {operation.media: {"schema": {"type": "string", "format": "binary"}}}
    found: dict[str, Any] = {str(operation.status): {"description": operation.summary, "content": content}}
    if operation.name == "create_action":
        found["202"] = {"description": "Recorded; it waits for a person", "content": content}
        found["200"] = {"description": "Recorded before under the same idempotency_key", "content": content}
    if operation.name in ("report_connections", "sync_state"):
        found["207"] = {"description": "Stored in part; the answer names what is wrong", "content": content}
    for status, text in _REFUSALS.items():
        found[str(status)] = {"description": text, "content": {"application/json": {"schema": _ERROR}}}
    return found
