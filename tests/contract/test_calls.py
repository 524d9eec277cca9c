"""Every method of the clients builds the documented call, without I/O, and the server offers it.

The files in `data/calls` have one row per method. A new category adds a file there; nothing here names a method.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema
import pytest

from dashclaw import AsyncDashClaw, DashClaw
from dashclaw._call import Call, Ticket, Watch
from dashclaw._encode import plain
from dashclaw._encode import query as query_text
from dashclaw._transport import Request, Response
from dashclaw.runtime.runtime import Runtime
from dashclaw.server.app import create_app
from dashclaw.server.settings import ServerSettings

FILES = [json.loads(path.read_text("utf-8")) for path in sorted((Path(__file__).parent / "data/calls").glob("*.json"))]
DATA = next(found for found in FILES if "client" in found)
ROWS: dict[str, Any] = {row["method"]: row for found in FILES for row in found["rows"]}
EXAMPLES = [
    pytest.param(row, example, id=f"{name}-{number}")
    for name, row in ROWS.items()
    for number, example in enumerate(row["examples"])
]
WIRED = [pytest.param(row, id=name) for name, row in ROWS.items() if row["verb"] is not None]
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
SIZED = re.compile(r"(string|array)<=(\d+)|(integer|number)(?:>=(\d+)| (\d+)-(\d+))")


class NoTransport:
    """Carries nothing: a call that is only built never gets here."""

    def send(self, request: Any, timeout: float) -> Any:
        raise AssertionError(f"I/O: {request}")

    def close(self) -> None:
        pass


class Place(Ticket):
    def close(self) -> None:
        pass


@pytest.fixture
def claw() -> DashClaw:
    return DashClaw(transport=NoTransport(), **DATA["client"])  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def openapi(tmp_path_factory: pytest.TempPathFactory) -> Any:
    runtime = Runtime.open(str(tmp_path_factory.mktemp("contract") / "dashclaw.db"))
    try:
        return create_app(runtime, ServerSettings()).openapi()
    finally:
        runtime.close()


def followed(plan: Any, answers: list[Any]) -> tuple[list[Call[Any]], Any]:
    """The calls that a plan makes when it gets these answers, and its result."""
    if isinstance(plan, Call):
        return [plan], read_by(plan, answers[0])
    calls: list[Call[Any]] = []
    answer: Any = None
    while True:
        try:
            step = plan.send(answer)
        except StopIteration as done:
            return calls, done.value
        answer = None
        if isinstance(step, Call):
            answer = read_by(step, answers[len(calls)])
            calls.append(step)
        elif isinstance(step, Watch):
            answer = Place()


def read_by(call: Call[Any], answer: Any) -> Any:
    """What a call makes of an answer; of one that is no JSON, the data has the headers and the text."""
    if call.binary:
        answer = Response(200, answer["headers"], answer["text"].encode())
    return call.read(answer) if call.read else answer


def built(claw: DashClaw, row: Any, example: Any) -> tuple[list[Call[Any]], Any]:
    method = getattr(DashClaw, row["method"])
    answers = json.loads(json.dumps([call["answer"] for call in example["calls"]]))
    return followed(method.plan(claw, *example["args"], **example["kwargs"]), answers)


def as_sent(call: Call[Any]) -> dict[str, Any]:
    """A call by value, as the wire has it."""
    found: dict[str, Any] = {"verb": call.verb, "path": call.path}
    if asked := query_text(call.query or {}):
        found["query"] = dict(parse_qsl(asked, keep_blank_values=True))
    if call.body is not None:
        found["body"] = plain(call.body)
    return found


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


@pytest.mark.parametrize("kind", [DashClaw, AsyncDashClaw])
def test_every_public_method_has_its_row(kind: type) -> None:
    rest = DATA["without_a_call"]
    known = {*rest["both"], *rest[kind.__name__]}
    assert public(kind) - known == {name for name, row in ROWS.items() if row["examples"]}
    assert known <= public(kind)


@pytest.mark.parametrize(("row", "example"), EXAMPLES)
def test_a_method_builds_the_documented_call(claw: DashClaw, row: Any, example: Any) -> None:
    calls, result = built(claw, row, example)
    expected = [{name: part for name, part in call.items() if name != "answer"} for call in example["calls"]]
    sent = [as_sent(call) for call in calls]
    for found, wanted in zip(sent, expected, strict=True):
        for name, value in wanted.get("body", {}).items():
            if value == "<now>":
                assert STAMP.fullmatch(found["body"][name])
                found["body"][name] = "<now>"
        assert found == wanted
    assert example["reads"]
    for way, value in example["reads"].items():
        assert eval(f"result{way}", {"result": result}) == value, way


@pytest.mark.parametrize("row", WIRED)
def test_the_examples_use_every_documented_field(row: Any) -> None:
    calls = [call for example in row["examples"] for call in example["calls"]]
    assert set(row.get("body", ())) <= {name for call in calls for name in call.get("body", {})}
    assert set(row.get("query", ())) <= {name for call in calls for name in call.get("query", {})}
    assert all(template(row["path"]).fullmatch(call["path"]) for call in calls)
    assert {call["verb"] for call in calls} == {row["verb"]}


def documented(signature: str) -> inspect.Signature:
    scope: dict[str, Any] = {}
    exec(f"def {signature}: ...", scope)
    return inspect.signature(next(value for name, value in scope.items() if name != "__builtins__"))


def parameters(function: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())[1:]


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in ROWS.items()])
def test_a_method_takes_what_is_documented_and_asks_for_nothing_more(row: Any) -> None:
    offered = {parameter.name: parameter for parameter in parameters(getattr(DashClaw, row["method"]))}
    wanted = documented(row["signature"]).parameters
    places = [name for name, parameter in wanted.items() if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    assert list(offered)[: len(places)] == places
    for name, parameter in wanted.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            assert any(found.kind is parameter.kind for found in offered.values())
        else:
            assert (offered[name].kind, offered[name].default) == (parameter.kind, parameter.default)
    more = [found for name, found in offered.items() if name not in wanted and found.kind is not found.VAR_KEYWORD]
    assert [found.name for found in more if found.default is found.empty] == []


@pytest.mark.parametrize("name", sorted((public(DashClaw) & public(AsyncDashClaw)) - {"transport"}))
def test_both_clients_take_the_same_parameters(name: str) -> None:
    sync, asynchronous = (parameters(getattr(kind, name)) for kind in (DashClaw, AsyncDashClaw))
    assert sync == asynchronous


def template(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)))


def served(openapi: Any, verb: str, path: str) -> Any:
    """The server's description of a call; a fixed path goes before one with parts."""
    found = [known for known in openapi["paths"] if template(known).fullmatch(path)]
    assert found, f"The server does not offer {path}"
    operations = openapi["paths"][min(found, key=lambda known: known.count("{"))]
    assert verb.lower() in operations, f"{path} takes {', '.join(operations)}"
    return operations[verb.lower()]


def body_schema(openapi: Any, operation: Any) -> Any:
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return {**schema, "components": openapi.get("components", {})}


def spelled(text: str, schema: Any) -> Any:
    """A value of a query as its schema takes it."""
    kinds = {option.get("type") for option in [schema, *schema.get("anyOf", ())]}
    return json.loads(text) if kinds & {"integer", "number", "boolean"} else text


class Answering:
    """Plays the answers of an example and keeps what was sent."""

    def __init__(self, example: Any) -> None:
        self.answers = [json.dumps(call["answer"]).encode() for call in example["calls"]]
        self.sent: list[Any] = []

    def send(self, request: Request, timeout: float) -> Response:
        body = json.loads(request.body) if request.body is not None else None
        if body is not None and STAMP.fullmatch(str(body.get("timestamp_end"))):
            body["timestamp_end"] = "a time"
        names = sorted(name for name in request.headers if name not in ("X-Request-Id", "Idempotency-Key"))
        self.sent.append((request.method, request.target, body, [(name, request.headers[name]) for name in names]))
        return Response(200, {"content-type": "application/json"}, self.answers.pop(0))

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("row", "example"), EXAMPLES)
def test_both_clients_send_and_return_the_same(row: Any, example: Any) -> None:
    one, other = Answering(example), Answering(example)
    with DashClaw(transport=one, **DATA["client"]) as claw:  # type: ignore[arg-type]
        result = getattr(claw, row["method"])(*example["args"], **example["kwargs"])

    async def ask() -> Any:
        async with AsyncDashClaw(transport=other, **DATA["client"]) as claw:  # type: ignore[arg-type]
            return await getattr(claw, row["method"])(*example["args"], **example["kwargs"])

    assert asyncio.run(ask()) == result
    assert one.sent == other.sent
    assert one.answers == other.answers == []


@pytest.mark.parametrize(("row", "example"), EXAMPLES)
def test_the_server_describes_every_call(openapi: Any, claw: DashClaw, row: Any, example: Any) -> None:
    for call in built(claw, row, example)[0]:
        operation = served(openapi, call.verb, call.path)
        sent = as_sent(call)
        if "body" in sent:
            schema = body_schema(openapi, operation)
            assert set(schema.get("required", ())) <= set(sent["body"])
            jsonschema.validate(sent["body"], schema, cls=jsonschema.Draft202012Validator)
        if row["verb"] is not None:
            asked = {part["name"]: part["schema"] for part in operation.get("parameters", ()) if part["in"] == "query"}
            assert set(sent.get("query", ())) <= set(asked)
            for name, text in sent.get("query", {}).items():
                jsonschema.validate(spelled(text, asked[name]), asked[name], cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("row", [row for row in WIRED if "also" in row.values[0]])
def test_what_moved_between_releases_is_served_at_both_paths(openapi: Any, claw: DashClaw, row: Any) -> None:
    here = served(openapi, row["verb"], fixed(row["path"]))
    there = served(openapi, row["verb"], fixed(row["also"]))
    assert body_or_none(here) == body_or_none(there)
    for example in row["examples"]:
        (call,), _ = built(claw, row, example)
        assert call.moved is not None
        assert call.path.startswith(call.moved[0])
        assert template(row["also"]).fullmatch(call.moved[1] + call.path[len(call.moved[0]) :])


def body_or_none(operation: Any) -> Any:
    return operation.get("requestBody")


def fixed(path: str) -> str:
    """A path with a word in place of each part."""
    return path.replace("{", "").replace("}", "")


def limits(openapi: Any) -> Iterator[Any]:
    for row in ROWS.values():
        for name, field in row.get("body", {}).items():
            matched = SIZED.fullmatch(field.get("type", ""))
            if matched is not None:
                operation = served(openapi, row["verb"], fixed(row["path"]))
                schema = body_schema(openapi, operation)["properties"].get(name)
                yield f"{row['method']}.{name}", matched, [] if schema is None else schema.get("anyOf", [schema])


def test_the_server_takes_values_as_large_as_documented_and_says_where_they_end(openapi: Any) -> None:
    wrong = []
    checked = 0
    for name, matched, options in limits(openapi):
        kind, size, _, least, low, high = matched.groups()
        bounds = {key: value for option in options for key, value in option.items()}
        if "pattern" in bounds:
            fits = re.fullmatch(bounds["pattern"], "a" * int(size)) is not None
        elif kind is not None:
            fits = bounds.get("maxLength" if kind == "string" else "maxItems", 0) >= int(size)
        else:
            fits = bounds.get("minimum") == int(least or low) and (high is None or bounds.get("maximum") == int(high))
        checked += 1
        if not fits:
            wrong.append(f"{name}: {matched[0]}, served {options}")
    assert wrong == []
    assert checked > 30
