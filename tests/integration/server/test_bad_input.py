"""What is wrong is refused on every operation, in one shape, and leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from dashclaw.runtime.bootstrap import DEFAULT_ORG
from dashclaw.runtime.evidence.keeping import link_tails
from dashclaw.runtime.operations import Operation
from dashclaw.runtime.store.tables import metadata

from ..serving import Served, served
from .support import BODIES, ROUTES, Http, Things, clients, filled, ids_of, make_things, refused

WRITES = [(operation, path) for operation, path in ROUTES if operation.writes]
READS = [(operation, path) for operation, path in ROUTES if not operation.writes]
WITH_PATH = [(operation, path) for operation, path in ROUTES if "{" in path]


def every(routes: list[tuple[Operation, str]]) -> pytest.MarkDecorator:
    names = [f"{operation.name}:{path}" for operation, path in routes]
    return pytest.mark.parametrize(("operation", "path"), routes, ids=names)


@pytest.fixture(scope="module")
def things(server: Served) -> Things:
    return make_things(*clients(server), DEFAULT_ORG)


def stored(server: Served) -> dict[str, int]:
    """How many rows each table holds, once earlier events are linked into the chain."""
    link_tails(server.runtime)
    with server.runtime.store.read() as tx:
        return {table.name: tx.scalar(select(func.count()).select_from(table)) for table in metadata.sorted_tables}


@pytest.fixture
def unchanged(server: Served) -> Iterator[None]:
    before = stored(server)
    yield
    assert stored(server) == before


NOT_JSON = {
    "half": b'{"action_type": ',
    "nothing of JSON": b"action_type=research",
    "two objects": b"{}{}",
    "a list": b"[]",
    "a string": b'"text"',
    "a number": b"7",
    "null": b"null",
    "not UTF-8": b'{"name": "\xff"}',
    "UTF-16": json.dumps({"name": "x"}).encode("utf-16"),
    "UTF-16 with NUL": json.dumps({"name": "a\x00b"}).encode("utf-16"),
    "NaN": b'{"name": NaN}',
    "Infinity": b'{"name": -Infinity}',
    "a number beyond a float": b'{"name": 1e999}',
    "a nested number beyond a float": b'{"name": [{"deep": -1e999}]}',
    "NUL": b'{"name": "a\\u0000b"}',
    "NUL in a name": b'{"a\\u0000b": 1}',
    "half a surrogate pair": b'{"name": "\\ud800"}',
    "half a surrogate pair in bytes": b'{"name": "\xed\xa0\x80"}',
    "deep": b'{"name": ' + b"[" * 100 + b"]" * 100 + b"}",
    "very deep": b'{"name": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep objects": b'{"a":' * 100 + b"1" + b"}" * 100,
    "an endless number": b'{"name": ' + b"1" * 10_000 + b"}",
}


@every(WRITES)
@pytest.mark.usefixtures("unchanged")
def test_a_body_that_is_no_json_object_is_refused(
    server: Served, things: Things, operation: Operation, path: str
) -> None:
    admin, _ = clients(server)
    where, _ = filled(operation, path, things)
    for raw in NOT_JSON.values():
        assert refused(admin.ask(operation.verb, where, raw=raw), 400)["code"] == "INVALID_JSON", raw[:40]


def properties(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What may be sent per field, without the `null` that every optional field takes."""
    return {
        name: next((kind for kind in found.get("anyOf", []) if kind.get("type") != "null"), found)
        for name, found in schema.get("properties", {}).items()
    }


def wrong(kind: dict[str, Any]) -> list[Any]:
    """Values that contradict a schema."""
    by_type: dict[str, list[Any]] = {
        "string": [5, True, ["x"], {"x": 1}],
        "integer": ["many", 1.5, ["x"], {"x": 1}, True],
        "number": ["much", ["x"], {"x": 1}, True],
        "boolean": ["maybe", 2, 0.5, ["x"], {"x": 1}],
        "array": ["text", 5, True, {"x": 1}],
        "object": ["text", 5, True, ["x"]],
    }
    found = list(by_type.get(kind.get("type", "anything"), []))
    if "maxLength" in kind:
        found.append("x" * (kind["maxLength"] + 1))
    if kind.get("minLength"):
        found.append("")
    if "enum" in kind:
        found.append("nonsense")
    if "maximum" in kind:
        found += [kind["maximum"] + 1, 10**30]
    if "minimum" in kind:
        found.append(kind["minimum"] - 1)
    if "maxItems" in kind:
        found.append(["x"] * (kind["maxItems"] + 1))
    if kind.get("type") == "array" and kind.get("items", {}).get("type") == "string":
        found.append([5])
    return found


@pytest.fixture(scope="module")
def described(server: Served) -> dict[str, Any]:
    found: dict[str, Any] = Http(server.url).made("GET", "/openapi.json")
    return found


WITH_BODY = [(operation, path) for operation, path in WRITES if operation.body is not None]


@every(WITH_BODY)
@pytest.mark.usefixtures("unchanged")
def test_a_field_that_contradicts_the_openapi_is_refused_by_name(
    server: Served, things: Things, described: dict[str, Any], operation: Operation, path: str
) -> None:
    admin, _ = clients(server)
    where, body = filled(operation, path, things)
    schema = described["paths"][path][operation.verb.lower()]["requestBody"]["content"]["application/json"]["schema"]
    for field, kind in properties(schema).items():
        for value in wrong(kind):
            answer = refused(admin.ask(operation.verb, where, {**(body or {}), field: value}), 400)
            assert answer["code"] == "VALIDATION_FAILED"
            assert any(found["field"].startswith(field) for found in answer["fields"]), (field, value, answer)
            assert len(answer["details"]) == len(answer["fields"])


@every(WITH_BODY)
@pytest.mark.usefixtures("unchanged")
def test_a_missing_field_is_refused_by_name(
    server: Served, things: Things, described: dict[str, Any], operation: Operation, path: str
) -> None:
    admin, _ = clients(server)
    where, body = filled(operation, path, things)
    schema = described["paths"][path][operation.verb.lower()]["requestBody"]["content"]["application/json"]["schema"]
    for field in schema.get("required", []):
        for changed in ({**(body or {}), field: None}, {k: v for k, v in (body or {}).items() if k != field}):
            answer = refused(admin.ask(operation.verb, where, changed), 400)
            assert [found["field"] for found in answer["fields"]] == [field]


@every(READS)
def test_a_query_that_contradicts_the_openapi_is_refused_by_name(
    server: Served, things: Things, described: dict[str, Any], operation: Operation, path: str
) -> None:
    admin, _ = clients(server)
    where, _ = filled(operation, path, things)
    bad: dict[str, list[Any]] = {"integer": ["many", "1.5", "-1e9", 10**30], "boolean": ["maybe", 2], "string": []}
    for parameter in described["paths"][path]["get"].get("parameters", []):
        if parameter["in"] != "query":
            continue
        kind = properties({"properties": {"it": parameter["schema"]}})["it"]
        values = [*bad[kind["type"]], "nul\x00", *(["x" * (kind["maxLength"] + 1)] if "maxLength" in kind else [])]
        for value in values:
            answer = refused(admin.ask("GET", where, query={parameter["name"]: value}), 400)
            assert [found["field"] for found in answer["fields"]] == [parameter["name"]]


@every(WITH_PATH)
@pytest.mark.usefixtures("unchanged")
def test_a_strange_id_is_not_found(server: Served, things: Things, operation: Operation, path: str) -> None:
    admin, _ = clients(server)
    for quoted in (
        "%00",
        "a%00b",
        "%ff",
        "%ED%A0%80",
        "..%2F..%2Fetc",
        "%2e%2e",
        "x" * 4000,
        "%F0%9F%A6%80",
        "'--",
        "%25s",
    ):
        good, body = filled(operation, path, things)
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        where = good.replace(ids_of(path, things)[names[-1]], quoted)
        refused(admin.ask(operation.verb, where, body), 404)


@every(WRITES)
@pytest.mark.usefixtures("unchanged")
def test_a_bad_idempotency_key_is_refused(server: Served, things: Things, operation: Operation, path: str) -> None:
    admin, _ = clients(server)
    where, body = filled(operation, path, things)
    for key in ("x" * 257, "tab\there"):
        answer = refused(admin.ask(operation.verb, where, body, headers={"Idempotency-Key": key}), 400)
        assert [found["field"] for found in answer["fields"]] == ["Idempotency-Key"]


EXTREMES: list[tuple[str, dict[str, Any]]] = [
    ("create_action", {"duration_ms": 2**53, "tokens_in": 2**53, "tokens_out": 2**53, "cost_estimate": 1e12}),
    ("create_action", {"risk_score": 100, "confidence": 0, "metadata": {"big": 10**400, "small": 5e-324}}),
    ("create_action", {"declared_goal": "\U0001f980" * 2000, "agent_id": "é" * 128, "reasoning": "\x7f\x01" * 2000}),
    ("create_action", {"timestamp_start": "0001-01-01T00:00:00Z", "timestamp_end": "9999-12-31T23:59:59Z"}),
    ("create_action", {"systems_touched": "[]", "side_effects": [None, 1, {"x": [1.5]}], "artifacts_created": []}),
    ("create_action", {"approval_wait_seconds": 86400, "status": "pending", "idempotency_key": "k" * 256}),
    (
        "guard",
        {"risk_score": 0, "reversible": 1, "paths": [{"odd": 1}, 5, None], "tool_name": "", "target": "x" * 1000},
    ),
    ("heartbeat", {"status": "", "metadata": {"": {"": []}}, "current_task_id": "\u2028"}),
]


@pytest.mark.parametrize(("name", "fields"), EXTREMES)
def test_the_largest_values_that_are_allowed_are_kept(server: Served, name: str, fields: dict[str, Any]) -> None:
    _, agent = clients(server)
    operation = next(operation for operation, _ in ROUTES if operation.name == name)
    reply = agent.ask("POST", operation.path, {**BODIES[name], **fields})
    assert reply.status in (200, 201, 202), reply
    if name == "create_action":
        found = agent.made("GET", f"/api/actions/{reply.body['action_id']}")["action"]
        for field in ("duration_ms", "tokens_in", "cost_estimate", "declared_goal", "metadata", "reasoning"):
            assert found[field] == fields.get(field, found[field])


NESTED = "[" * 200_000 + "]" * 200_000


@pytest.mark.parametrize(
    ("name", "field", "text"),
    [
        ("create_policy", "rules", NESTED),
        ("create_policy", "rules", '{"action_types": ["a\\u0000b"]}'),
        ("create_policy", "rules", '{"action_types": [NaN]}'),
        ("create_policy", "rules", '{"action_types": ["\\ud800"]}'),
        ("create_policy", "rules", "[" * 80 + "]" * 80),
        ("create_action", "systems_touched", NESTED),
        ("create_action", "systems_touched", '["a\\u0000b"]'),
        ("create_action", "systems_touched", '["\\ud800"]'),
        ("create_action", "side_effects", '["\\ud800"]'),
        ("create_action", "side_effects", "[NaN, Infinity, 1e999]"),
        ("create_action", "side_effects", '[{"x": "\\u0000"}]'),
        ("create_action", "artifacts_created", "[" * 80 + "]" * 80),
        ("guard", "paths", "[" * 1000 + "]" * 1000),
    ],
)
@pytest.mark.usefixtures("unchanged")
def test_json_within_a_string_is_held_to_the_same_rules(server: Served, name: str, field: str, text: str) -> None:
    admin, _ = clients(server)
    operation = next(operation for operation, _ in ROUTES if operation.name == name)
    body = {**BODIES[name], "name": "within a string", field: text}
    answer = refused(admin.ask("POST", operation.path, body), 400)
    assert answer["fields"][0]["field"].startswith(field)


@pytest.mark.parametrize("chunked", [False, True])
@every(WRITES)
def test_a_body_that_is_too_large_is_refused(
    bounded: Served, small_things: Things, operation: Operation, path: str, chunked: bool
) -> None:
    admin, _ = clients(bounded)
    where, _ = filled(operation, path, small_things)
    before = stored(bounded)
    connection = admin.connect()
    try:
        body = b'{"name": "' + b"x" * 4096 + b'"}'
        sent: Any = iter([body[:2000], body[2000:]]) if chunked else body
        connection.request(operation.verb, where, sent, {"x-api-key": bounded.admin_key}, encode_chunked=chunked)
        answer = connection.getresponse()
        found = json.loads(answer.read())
    finally:
        connection.close()
    assert (answer.status, found["code"], found["maxBytes"]) == (413, "PAYLOAD_TOO_LARGE", 2048)
    assert found["request_id"] == answer.headers["x-request-id"]
    assert stored(bounded) == before


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(str(tmp_path_factory.mktemp("bounded") / "dashclaw.db"), max_body=2048) as found:
        yield found


@pytest.fixture(scope="module")
def small_things(bounded: Served) -> Things:
    return make_things(*clients(bounded), DEFAULT_ORG)


def test_a_path_or_verb_that_is_not_offered_is_refused_in_the_same_shape(small: Served) -> None:
    admin, _ = clients(small)
    for path in ("/api", "/api/nothing", "/api/actions/", "/api/actions/a/b/c", "//api/actions", "/api/guard/"):
        assert refused(admin.ask("GET", path), 404)["code"] == "NOT_OFFERED"
    for verb, path in (("DELETE", "/api/actions"), ("PUT", "/api/guard"), ("PATCH", "/api/orgs"), ("TRACE", "/docs")):
        assert refused(admin.ask(verb, path, {}), 405)["code"] == "METHOD_NOT_ALLOWED"


def test_a_refused_verb_names_every_verb_that_the_path_takes(small: Served) -> None:
    admin, _ = clients(small)
    reply = admin.ask("DELETE", "/api/actions")
    assert {verb.strip() for verb in reply.headers["allow"].split(",")} == {"GET", "POST"}


def test_an_id_with_any_character_can_be_used(server: Served) -> None:
    _, agent = clients(server)
    for action_id, quoted in (("a/b", "a%2Fb"), ("ü?#%", "%C3%BC%3F%23%25"), ("a b", "a%20b"), ("100%25", "100%2525")):
        agent.made("POST", "/api/actions", {**BODIES["create_action"], "action_id": action_id})
        path = f"/api/actions/{quoted}"
        assert agent.made("GET", path)["action_id"] == action_id
        assert agent.made("PATCH", path, {"status": "completed"})["action"]["status"] == "completed"


@pytest.mark.parametrize("length", ["4096", "99999999999"])
def test_a_body_announced_as_too_large_is_refused_before_it_is_sent(bounded: Served, length: str) -> None:
    connection = Http(bounded.url).connect()
    try:
        connection.putrequest("POST", "/api/guard")
        connection.putheader("x-api-key", bounded.agent_key)
        connection.putheader("Content-Length", length)
        connection.endheaders()
        answer = connection.getresponse()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert json.loads(answer.read())["code"] == "PAYLOAD_TOO_LARGE"
    finally:
        connection.close()
