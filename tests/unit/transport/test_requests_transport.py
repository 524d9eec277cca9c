"""`RequestsTransport` with answers from `responses`: what goes out, what comes back, which error stands for what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from requests.exceptions import ChunkedEncodingError, ConnectTimeout, ProxyError, ReadTimeout, SSLError

from dashclaw import DashClaw, errors
from dashclaw._transport import Request
from dashclaw.requests_transport import RequestsTransport

from ..client.support import patient

URL = "http://claw.test:3000/base"
KEY = "oc_live_" + "3" * 32


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as found:
        yield found


@pytest.fixture
def claw() -> Iterator[DashClaw]:
    transport = RequestsTransport(URL)
    with DashClaw(api_key=KEY, agent_id="me", transport=transport, retry=patient()) as client:
        yield client


def test_a_call_goes_out_with_its_headers_and_comes_back(web: responses.RequestsMock, claw: DashClaw) -> None:
    web.post(f"{URL}/api/guard", json={"decision": "allow", "reasons": []})
    assert claw.guard({"action_type": "research"})["decision"] == "allow"
    asked = web.calls[0].request
    assert asked.headers["x-api-key"] == KEY
    assert asked.headers["Idempotency-Key"] and asked.headers["X-Request-Id"]
    assert asked.headers["User-Agent"].startswith("dashclaw-python/")
    assert json.loads(asked.body or b"") == {"action_type": "research", "agent_id": "me"}


def test_a_path_is_sent_as_it_is_spelt(web: responses.RequestsMock, claw: DashClaw) -> None:
    web.get(f"{URL}/api/actions/a%2Fb%3Fc", json={"action": {}})
    claw.get_action("a/b?c")
    assert web.calls[0].request.url == f"{URL}/api/actions/a%2Fb%3Fc"


def test_a_passing_refusal_is_repeated_with_the_same_key(web: responses.RequestsMock, claw: DashClaw) -> None:
    web.post(f"{URL}/api/guard", status=503, body=b"")
    web.post(f"{URL}/api/guard", status=429, headers={"Retry-After": "0"}, json={"error": "Slow"})
    web.post(f"{URL}/api/guard", json={"decision": "warn"})
    assert claw.guard({"action_type": "research"})["decision"] == "warn"
    assert len({call.request.headers["Idempotency-Key"] for call in web.calls}) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidRequestError),
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (409, errors.ConflictError),
        (413, errors.PayloadTooLargeError),
        (500, errors.ServerError),
    ],
)
def test_a_status_becomes_its_error(
    web: responses.RequestsMock, claw: DashClaw, status: int, kind: type[errors.ApiError]
) -> None:
    web.get(f"{URL}/api/actions", status=status, json={"error": "No", "code": "NOT_FOUND", "request_id": "r"})
    with pytest.raises(kind, match="No") as caught:
        claw.get_actions()
    assert (caught.value.status, caught.value.code, caught.value.request_id) == (status, "NOT_FOUND", "r")


def test_a_redirect_is_not_followed(web: responses.RequestsMock, claw: DashClaw) -> None:
    web.post(f"{URL}/api/guard", status=307, headers={"Location": "http://elsewhere.test/api/guard"})
    with pytest.raises(errors.ApiError) as caught:
        claw.guard({"action_type": "research"})
    assert caught.value.code == "REDIRECT"
    assert len(web.calls) == 1


@pytest.mark.parametrize(
    ("failure", "kind", "sent"),
    [
        (ConnectTimeout("late"), errors.DeadlineExceededError, False),
        (ReadTimeout("late"), errors.DeadlineExceededError, True),
        (SSLError("certificate"), errors.NotSentError, None),
        (SSLError("decryption failed or bad record mac"), errors.UnknownOutcomeError, None),
        (ProxyError("refused"), errors.NotSentError, None),
        (requests.exceptions.InvalidURL("no host"), errors.NotSentError, None),
        (requests.exceptions.InvalidHeader("line break"), errors.NotSentError, None),
        (requests.exceptions.MissingSchema("no scheme"), errors.NotSentError, None),
        (requests.ConnectionError("Connection aborted"), errors.UnknownOutcomeError, None),
        (ChunkedEncodingError("broke off"), errors.UnknownOutcomeError, None),
        (requests.exceptions.ContentDecodingError("gzip"), errors.UnknownOutcomeError, None),
    ],
)
def test_a_failure_becomes_its_error(
    web: responses.RequestsMock, failure: Exception, kind: type[errors.TransportError], sent: bool | None
) -> None:
    web.get(f"{URL}/x", body=failure)
    transport = RequestsTransport(URL)
    with pytest.raises(kind) as caught:
        transport.send(Request("GET", "/x", {}), 5)
    assert getattr(caught.value, "sent", None) == sent
    assert caught.value.__cause__ is failure
    transport.close()


def test_an_answer_over_the_limit_is_refused(web: responses.RequestsMock) -> None:
    web.get(f"{URL}/x", body=b"x" * 1000)
    transport = RequestsTransport(URL, max_body=1000)
    assert len(transport.send(Request("GET", "/x", {}), 5).body) == 1000
    small = RequestsTransport(URL, max_body=999)
    with pytest.raises(errors.UnreadableAnswerError, match="longer than 999"):
        small.send(Request("GET", "/x", {}), 5)
    transport.close()
    small.close()


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b"{"])
def test_an_answer_outside_the_contract_is_unreadable(web: responses.RequestsMock, claw: DashClaw, body: bytes) -> None:
    web.post(f"{URL}/api/guard", body=body)
    with pytest.raises(errors.UnreadableAnswerError):
        claw.guard({"action_type": "research"})


class Watched(requests.Session):
    """Remembers that it was closed."""

    closed = 0

    def close(self) -> None:
        self.closed += 1
        super().close()


def test_a_session_of_the_caller_stays_open_and_is_used(web: responses.RequestsMock) -> None:
    web.get(f"{URL}/x", json={})
    session = Watched()
    session.headers["X-Mine"] = "1"
    transport = RequestsTransport(URL, session)
    transport.send(Request("GET", "/x", {}), 5)
    transport.close()
    assert session.closed == 0
    assert web.calls[0].request.headers["X-Mine"] == "1"
    session.close()


def test_a_session_of_its_own_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def make() -> Watched:
        made.append(Watched())
        return made[-1]

    monkeypatch.setattr(requests, "Session", make)
    RequestsTransport(URL).close()
    assert [session.closed for session in made] == [1]


def test_an_adapter_without_sockets_cannot_follow_events(web: responses.RequestsMock) -> None:
    web.get(f"{URL}/x", body=b"data: x")
    transport = RequestsTransport(URL)
    with pytest.raises(errors.UnreadableAnswerError, match="no socket"):
        transport.stream(Request("GET", "/x", {}), 5)
    assert web.calls[0].request.headers["Accept-Encoding"] == "identity"
    transport.close()


def test_a_bearer_token_goes_before_what_a_netrc_file_says(
    web: responses.RequestsMock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine claw.test login me password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    web.get(f"{URL}/api/orgs", json={"organizations": []})
    with DashClaw(transport=RequestsTransport(URL), auth_token="token", retry=patient()) as claw:
        claw.get_org()
    assert web.calls[0].request.headers["Authorization"] == "Bearer token"
