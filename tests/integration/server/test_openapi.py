"""The OpenAPI says what the server does; requests made up from it find no fault of ours."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.schemas import BaseSchema

from dashclaw.runtime.bootstrap import DEFAULT_ORG
from dashclaw.runtime.operations import Operation
from dashclaw.runtime.services.table import OPERATIONS

from ..serving import Served
from .support import ROUTES, Http, Things, clients, make_things

EXAMPLES = 6
KEPT = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def described(server: Served) -> dict[str, Any]:
    found: dict[str, Any] = Http(server.url).made("GET", "/openapi.json")
    return found


@pytest.fixture(scope="module")
def schema(described: dict[str, Any]) -> BaseSchema:
    return schemathesis.openapi.from_dict(described)


@pytest.fixture(scope="module")
def things(server: Served) -> Things:
    return make_things(*clients(server), DEFAULT_ORG)


def test_the_openapi_describes_every_operation_under_every_path(described: dict[str, Any]) -> None:
    offered = {(verb.upper(), path) for path, verbs in described["paths"].items() for verb in verbs}
    assert offered == {(operation.verb, path) for operation, path in ROUTES} | {("GET", "/api/health")}
    assert described["components"]["securitySchemes"]["apiKey"]["name"] == "x-api-key"
    names = [found["operationId"] for verbs in described["paths"].values() for found in verbs.values()]
    assert len(names) == len(set(names))


def test_the_documentation_is_served_without_a_key(small: Served) -> None:
    page = Http(small.url).ask("GET", "/docs")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert b"/openapi.json" in page.raw


@pytest.mark.parametrize("operation", OPERATIONS, ids=[operation.name for operation in OPERATIONS])
def test_made_up_requests_find_no_fault(
    server: Served, schema: BaseSchema, things: Things, operation: Operation
) -> None:
    api = schema[operation.path][operation.verb]
    known = {part[1:-1]: getattr(things, part[1:-1]) for part in operation.path.split("/") if part.startswith("{")}
    likely = api.as_strategy(GenerationMode.POSITIVE, path_parameters=known or None)
    made_up = st.one_of(likely, api.as_strategy(GenerationMode.POSITIVE), api.as_strategy(GenerationMode.NEGATIVE))

    with requests.Session() as session:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=made_up)
        def ask(case: schemathesis.Case) -> None:
            case.call_and_validate(server.url, session=session, headers={"x-api-key": server.admin_key}, checks=KEPT)

        ask()
