"""Tokens of a real OpenID provider: whose they are, whom they go before, and why one is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import pytest
import requests

from dashclaw.errors import ConfigurationError
from dashclaw.runtime.bootstrap import DEFAULT_ORG
from dashclaw.server.settings import ServerSettings
from dashclaw.server.workload import LONGEST_SUBJECT

from ..serving import Served, served
from .provider import AUDIENCE, provider, token_of
from .support import BODIES, Http, refused

ACTION = BODIES["create_action"]


class Place(NamedTuple):
    server: Served
    issuer: str

    def ask(
        self, token: str, verb: str = "POST", path: str = "/api/actions", body: Any = None, key: str | None = None
    ) -> Any:
        """Ask with a token, and with an API key where one is given."""
        headers = {"Authorization": f"Bearer {token}"}
        sent = body if body is not None or verb == "GET" else ACTION
        return Http(self.server.url, key).ask(verb, path, sent, headers=headers)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with provider() as issuer:
        database = str(tmp_path_factory.mktemp("workload") / "dashclaw.db")
        with served(database, jwt_issuers=(issuer,), jwt_audience=AUDIENCE) as server:
            yield Place(server, issuer)


def test_the_subject_of_a_token_acts_whatever_the_body_claims(place: Place) -> None:
    reply = place.ask(token_of(place.issuer, "spiffe://shop/builder"))
    assert reply.status == 201, reply
    action = reply.body["action"]
    issuer = hashlib.sha256(place.issuer.encode()).hexdigest()[:8]
    assert (action["agent_id"], action["created_by"]) == (
        "spiffe://shop/builder",
        f"token:{issuer}:spiffe://shop/builder",
    )
    assert action["metadata"] == {"claimed_agent_id": ACTION["agent_id"]}
    assert reply.body["warnings"] == ["agent_id 'agent-1' was only claimed; claimed_agent_id keeps it in metadata"]
    kept = place.ask(token_of(place.issuer), "GET", f"/api/actions/{action['action_id']}").body["action"]
    assert kept["agent_id"] == "spiffe://shop/builder"


def test_no_write_names_another_agent_than_the_proven_one(place: Place) -> None:
    token = token_of(place.issuer)
    said = place.ask(
        token, path="/api/messages", body={"body": "Hi", "from_agent_id": "boss", "to_agent_id": "agent-2"}
    )
    assert said.body["message"]["from_agent_id"] == "builder"
    assert said.body["message"]["to_agent_id"] == "agent-2"
    pushed = {"agent_id": "boss", "goals": [{"title": "Fewer errors", "agent_id": "boss"}], "actions": [ACTION]}
    assert place.ask(token, path="/api/sync", body=pushed).status == 200
    goals = place.ask(token, "GET", "/api/goals").body["goals"]
    assert {row["agent_id"] for row in goals} == {"builder"}
    unnamed = {name: value for name, value in ACTION.items() if name != "agent_id"}
    made = place.ask(token, body=unnamed).body
    assert (made["action"]["agent_id"], made["action"]["metadata"], "warnings" in made) == ("builder", {}, False)
    own = place.ask(token, body={**ACTION, "agent_id": "builder"}).body
    assert "warnings" not in own


def test_a_token_beside_a_key_names_the_agent_and_the_key_says_what_it_may(place: Place) -> None:
    token = token_of(place.issuer)
    made = place.ask(token, key=place.server.agent_key).body["action"]
    assert made["agent_id"] == "builder"
    assert made["created_by"].startswith("key_")
    settings = {"approval_seconds": 3600}
    path = f"/api/orgs/{DEFAULT_ORG}"
    assert refused(place.ask(token, "PATCH", path, settings), 403)["code"] == "FORBIDDEN"
    assert place.ask(token, "PATCH", path, settings, key=place.server.admin_key).status == 200
    wrong = place.ask(token, key="oc_live_" + "0" * 32)
    assert refused(wrong, 401)["code"] == "INVALID_API_KEY"
    garbage = place.ask("no-token", key=place.server.agent_key)
    assert refused(garbage, 401)["code"] == "TOKEN_INVALID"
    body = {"agent_id": "agent-7", "public_key": BODIES["register_identity"]["public_key"], "algorithm": "Ed25519"}
    named = place.ask(token, path="/api/identities", body=body, key=place.server.admin_key)
    assert named.body["identity"]["agent_id"] == "agent-7", "an administrator names whom it is about"


def test_an_agent_that_is_proven_cannot_approve_its_own_action_with_another_key(tmp_path: Path, place: Place) -> None:
    with served(str(tmp_path / "d.db"), jwt_issuers=(place.issuer,), jwt_audience=AUDIENCE) as server:
        admin = Http(server.url, server.admin_key)
        admin.made("PATCH", f"/api/orgs/{DEFAULT_ORG}", {"self_approval": False})
        other = place._replace(server=server)
        token = token_of(place.issuer)
        waiting = other.ask(token, body={**ACTION, "status": "pending"}).body["action_id"]
        path = f"/api/actions/{waiting}/approve"
        own = other.ask(token, path=path, body={"decision": "allow"}, key=server.admin_key)
        assert refused(own, 403)["code"] == "APPROVER_IDENTITY_REQUIRED"
        assert admin.ask("POST", path, {"decision": "allow"}).status == 200


def test_an_api_key_is_still_a_bearer_credential(place: Place) -> None:
    assert place.ask(place.server.agent_key).status == 201
    assert place.ask(place.server.agent_key, key=place.server.agent_key).status == 201


def test_the_organisations_of_token_and_key_must_agree(place: Place) -> None:
    admin = Http(place.server.url, place.server.admin_key)
    other = admin.made("POST", "/api/orgs", {"name": "Other", "slug": "other"})["api_key"]["key"]
    reply = place.ask(token_of(place.issuer), key=other)
    assert refused(reply, 403)["code"] == "TOKEN_ORG_MISMATCH"


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(token: str, issuer: str, algorithm: str) -> str:
    """The claims of a token, signed with what everybody knows, or not at all."""
    claims = token.split(".")[1]
    head = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{claims}"
    if algorithm == "none":
        return f"{head}."
    keys = requests.get(f"{issuer}/jwks", timeout=10).content
    return f"{head}.{part(hmac.new(keys, head.encode(), 'sha256').digest())}"


def test_a_token_that_is_not_of_the_issuer_and_for_us_is_refused(place: Place) -> None:
    good = token_of(place.issuer)
    head, claims, signature = good.split(".")
    known = jwt.decode(good, options={"verify_signature": False})
    with provider() as other:
        wrong = {
            "another issuer": (token_of(other), "TOKEN_ISSUER_UNKNOWN"),
            "another audience": (token_of(place.issuer, audience="wiki"), "TOKEN_INVALID"),
            "other claims": (f"{head}.{part({**known, 'sub': 'boss'})}.{signature}", "TOKEN_INVALID"),
            "no signature": (f"{head}.{claims}.", "TOKEN_INVALID"),
            "algorithm none": (forged(good, place.issuer, "none"), "TOKEN_INVALID"),
            "a public secret": (forged(good, place.issuer, "HS256"), "TOKEN_INVALID"),
            "an unknown key": (jwt.encode(known, _stranger(), "RS256", {"kid": "no"}), "TOKEN_INVALID"),
            "an issuer that is no text": (f"{head}.{part({**known, 'iss': {}})}.{signature}", "TOKEN_ISSUER_UNKNOWN"),
            "no claims": (f"{head}.{part(b'[1]')}.{signature}", "TOKEN_INVALID"),
            "too deep": (f"{head}.{part(b'[' * 8000)}.{signature}", "TOKEN_INVALID"),
            "no JSON": ("eyJ.eyJ.eyJ", "TOKEN_INVALID"),
            "too long": (f"{head}.{claims}.{'A' * 20_000}", "TOKEN_INVALID"),
            "a long subject": (token_of(place.issuer, "x" * (LONGEST_SUBJECT + 1)), "TOKEN_INVALID"),
        }
    for what, (token, code) in wrong.items():
        answer = refused(place.ask(token), 401)
        assert answer["code"] == code, what
        assert token not in json.dumps(answer)
    assert place.ask(good).status == 201


def _stranger() -> Any:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(("seconds", "code"), [(-60, "TOKEN_EXPIRED"), (25 * 3600, "TOKEN_INVALID")])
def test_a_token_lives_at_most_a_day(tmp_path: Path, seconds: int, code: str) -> None:
    with (
        provider(f"--token-max-age={seconds}") as issuer,
        served(str(tmp_path / "d.db"), jwt_issuers=(issuer,), jwt_audience=AUDIENCE) as server,
    ):
        assert refused(Place(server, issuer).ask(token_of(issuer)), 401)["code"] == code


def test_the_organisation_can_be_a_claim_and_the_role_a_setting(tmp_path: Path) -> None:
    users = [{"sub": "reader", "tenant": DEFAULT_ORG}, {"sub": "lost", "tenant": "org_none"}]
    with provider(*(f"--user-claims={json.dumps(user)}" for user in users)) as issuer:
        settings = {
            "jwt_issuers": (issuer,),
            "jwt_audience": AUDIENCE,
            "jwt_org_claim": "tenant",
            "jwt_role": "readonly",
        }
        with served(str(tmp_path / "d.db"), **settings) as server:
            place = Place(server, issuer)
            reader = token_of(issuer, "reader")
            assert place.ask(reader, "GET").status == 200
            assert refused(place.ask(reader), 403)["code"] == "READONLY_KEY"
            for subject in ("lost", "nobody"):
                assert refused(place.ask(token_of(issuer, subject), "GET"), 401)["code"] == "TOKEN_INVALID"


def test_an_issuer_that_is_away_is_no_fault_of_the_token(place: Place, tmp_path: Path) -> None:
    with provider() as issuer:
        token = token_of(issuer)
    with served(str(tmp_path / "d.db"), jwt_issuers=(issuer,), jwt_audience=AUDIENCE) as server:
        answer = Place(server, issuer).ask(token)
    assert refused(answer, 503)["code"] == "JWKS_UNAVAILABLE"
    assert answer.headers["retry-after"] == "5"


def test_an_issuer_that_does_not_answer_holds_up_nobody_else(tmp_path: Path) -> None:
    asked, release = threading.Event(), threading.Event()

    class Silent(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            release.wait(20)

    with ExitStack() as stack:
        silent = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent))
        stack.callback(silent.shutdown)
        threading.Thread(target=silent.serve_forever, args=(0.05,)).start()
        issuer = f"http://127.0.0.1:{silent.server_port}"
        claims = {"iss": issuer, "aud": AUDIENCE, "sub": "builder", "exp": 2**31}
        token = jwt.encode(claims, _stranger(), "RS256", {"kid": "1"})
        server = stack.enter_context(served(str(tmp_path / "d.db"), jwt_issuers=(issuer,), jwt_audience=AUDIENCE))
        waiting = stack.enter_context(ThreadPoolExecutor(8))
        stack.callback(release.set)
        answers = [waiting.submit(Place(server, issuer).ask, token) for _ in range(8)]
        assert asked.wait(10)
        assert Http(server.url, server.agent_key).ask("POST", "/api/actions", ACTION).status == 201
        assert not any(answer.done() for answer in answers)
        release.set()
        for answer in answers:
            assert refused(answer.result(20), 503)["code"] == "JWKS_UNAVAILABLE"


def test_a_server_without_issuers_says_that_it_takes_no_tokens(place: Place, tmp_path: Path) -> None:
    token = token_of(place.issuer)
    with served(str(tmp_path / "d.db")) as server:
        other = Place(server, place.issuer)
        assert refused(other.ask(token), 401)["code"] == "TOKEN_ISSUER_UNKNOWN"
        assert other.ask(token, key=server.agent_key).body["action"]["agent_id"] == "agent-1"


def test_a_token_opens_a_stream(place: Place) -> None:
    token = token_of(place.issuer)
    connection = Http(place.server.url).connect()
    try:
        connection.request("GET", "/api/stream", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.readline() == b"event: connected\n"
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"DASHCLAW_JWT_ISSUER": "https://id.example"}, "DASHCLAW_JWT_AUDIENCE"),
        ({"DASHCLAW_JWT_ISSUER": "http://id.example", "DASHCLAW_JWT_AUDIENCE": "a"}, "https://"),
        (
            {
                "DASHCLAW_JWT_ISSUER": "https://a.example, https://b.example",
                "DASHCLAW_JWT_AUDIENCE": "a",
                "DASHCLAW_JWT_JWKS_URL": "https://a.example/keys",
            },
            "exactly one",
        ),
        (
            {"DASHCLAW_JWT_ISSUER": "https://a.example", "DASHCLAW_JWT_AUDIENCE": "a", "DASHCLAW_JWT_ROLE": "admin"},
            "DASHCLAW_JWT_ROLE",
        ),
    ],
)
def test_settings_that_would_let_in_the_wrong_ones_are_refused(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ServerSettings.from_environment(environment)


def test_settings_come_from_the_environment() -> None:
    found = ServerSettings.from_environment(
        {
            "DASHCLAW_JWT_ISSUER": "https://a.example,https://b.example",
            "DASHCLAW_JWT_AUDIENCE": "dashclaw",
            "DASHCLAW_JWT_ORG_CLAIM": "tenant",
            "DASHCLAW_JWT_ROLE": "readonly",
        }
    )
    assert found.jwt_issuers == ("https://a.example", "https://b.example")
    assert (found.jwt_audience, found.jwt_org, found.jwt_org_claim) == ("dashclaw", DEFAULT_ORG, "tenant")
    assert found.jwt_role == "readonly"
