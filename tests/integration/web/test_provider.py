"""People sign in through an OpenID provider: a real one over real sockets, and one that tells lies."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from dashclaw.errors import ConfigurationError
from dashclaw.server.oidc import Provider
from dashclaw.server.oidc_settings import OidcSettings
from dashclaw.server.settings import ServerSettings

from ..server.provider import provider
from ..serving import served
from .forger import CLIENT, Forger, forging
from .people import PASSWORD, People, Visitor
from .support import text_of

PEOPLE: tuple[dict[str, Any], ...] = (
    {
        "sub": "ana",
        "email": "ana@shop.example",
        "email_verified": True,
        "name": "Finance Desk",
        "groups": ["ops", "dev"],
    },
    {"sub": "ben", "email": "ben@shop.example", "email_verified": True, "groups": ["dev"]},
    {"sub": "eve", "email": "eve@evil.example", "email_verified": True, "groups": ["ops"]},
    {"sub": "sly", "email": "sly@shop.example", "email_verified": False},
    {"sub": "mum", "name": "Nobody's address"},
)
START = "/sign-in/provider"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    words = [word for person in PEOPLE for word in ("--user-claims", json.dumps(person))]
    with provider("--require-nonce", "true", *words) as found:
        yield found


def people_at(folder: Path, issuer: str, **settings: Any) -> Any:
    """A server whose people come from an issuer."""
    oidc = OidcSettings(issuer, CLIENT, "secret", **settings)
    return served(str(folder / "dashclaw.db"), oidc=oidc)


@pytest.fixture
def crowd(tmp_path: Path, issuer: str) -> Iterator[People]:
    with people_at(tmp_path, issuer, domains=("shop.example",)) as site, closing(People(site)) as found:
        yield found


def sent_back(location: str, subject: str, **changed: str) -> str:
    """The URL to which the provider sends a browser back; `changed` parameters are asked for instead."""
    parts = urlsplit(location)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | changed
    asked = urlunsplit(parts._replace(query=urlencode(query)))
    answer = httpx.post(asked, data={"sub": subject}, timeout=30)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def through(visitor: Visitor, subject: str, to: str = "/agents") -> httpx.Response:
    """Sign in as somebody at the provider."""
    location = visitor.get(f"{START}?{urlencode({'next': to})}").headers["location"]
    return visitor.get(sent_back(location, subject))


def test_who_comes_from_an_allowed_domain_is_added_and_found_again(crowd: People) -> None:
    ana = crowd.visitor()
    assert f'href="{START}?next=%2F"' in ana.get("/sign-in").text
    answer = through(ana, "ana")
    assert (answer.status_code, answer.headers["location"]) == (303, "/agents")
    page = text_of(ana.get("/account"))
    assert "ana@shop.example" in page
    assert "readonly" in page
    person = crowd.id_of("ana@shop.example")
    again = crowd.visitor()
    assert through(again, "ana").status_code == 303
    assert (crowd.id_of("ana@shop.example"), crowd.sessions_of(person)) == (person, 2)
    admin = crowd.operator()
    admin.send(f"/settings/people/{person}", f"/settings/people/{person}/disable")
    assert (ana.is_in(), again.is_in()) == (False, False)
    refused = through(crowd.visitor(), "ana")
    assert (refused.status_code, "disabled here" in text_of(refused)) == (403, True)


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        ("eve", "Nobody has invited this e-mail address"),
        ("sly", "has not verified the e-mail address"),
        ("mum", "names no e-mail address"),
    ],
)
def test_others_do_not_come_in(crowd: People, subject: str, why: str) -> None:
    visitor = crowd.visitor()
    answer = through(visitor, subject)
    assert (answer.status_code, why in text_of(answer), visitor.is_in()) == (403, True, False)
    assert "Sign in" in text_of(answer), "the other ways are still there"


def test_who_was_added_by_hand_comes_from_any_domain_and_keeps_the_role(crowd: People) -> None:
    crowd.joined("eve@evil.example", role="admin")
    crowd.joined("sly@shop.example", role="admin")
    eve = crowd.visitor()
    assert through(eve, "eve").status_code == 303
    assert "admin" in text_of(eve.get("/account"))
    assert crowd.visitor().by_password("eve@evil.example", PASSWORD).status_code == 303
    assert through(crowd.visitor(), "sly").status_code == 403, "not verified, so perhaps not theirs"


def test_groups_give_roles_anew_at_each_sign_in(tmp_path: Path, issuer: str) -> None:
    roles: Any = {"ops": "admin", "dev": "member"}
    with (
        people_at(tmp_path, issuer, domains=("shop.example",), roles=roles) as site,
        closing(People(site)) as crowd,
    ):
        ana, ben = crowd.visitor(), crowd.joined("ben@shop.example", role="admin")
        through(ana, "ana")
        assert ana.get("/settings").status_code == 200, "the stronger of two roles"
        assert ben.get("/settings").status_code == 200
        again = crowd.visitor()
        through(again, "ben")
        assert again.get("/settings").status_code == 303
        assert not ben.is_in(), "what began with the other role has ended"


def test_an_answer_of_another_sign_in_is_refused(crowd: People) -> None:
    ana, eve = crowd.visitor(), crowd.visitor()
    way = eve.get(START).headers["location"]
    eves_answer = sent_back(way, "eve")
    stranger = ana.get(eves_answer)
    assert (stranger.status_code, "began elsewhere" in text_of(stranger)) == (403, True)
    ana.get(START)
    forced = ana.get(eves_answer)
    assert (forced.status_code, "belongs to another sign-in" in text_of(forced), ana.is_in()) == (403, True, False)


def test_a_code_works_once(crowd: People) -> None:
    ana = crowd.visitor()
    location = ana.get(START).headers["location"]
    way = ana.http.cookies["dashclaw_way"]
    back = sent_back(location, "ana")
    assert ana.get(back).status_code == 303
    assert "dashclaw_way" not in ana.http.cookies
    thief = crowd.visitor()
    thief.http.cookies.set("dashclaw_way", way)
    replayed = thief.get(back)
    assert (replayed.status_code, "used before" in text_of(replayed), thief.is_in()) == (403, True, False)


def test_a_token_of_another_sign_in_is_refused(crowd: People) -> None:
    ana = crowd.visitor()
    location = ana.get(START).headers["location"]
    answer = ana.get(sent_back(location, "ana", nonce="another"))
    assert (answer.status_code, "of another sign-in" in text_of(answer), ana.is_in()) == (403, True, False)


def test_a_code_for_another_program_is_refused(crowd: People) -> None:
    ana = crowd.visitor()
    location = ana.get(START).headers["location"]
    assert ana.get(sent_back(location, "ana", client_id="another")).status_code == 403
    assert not ana.is_in()


def test_who_is_denied_at_the_provider_stays_outside(crowd: People) -> None:
    ana = crowd.visitor()
    location = ana.get(START).headers["location"]
    denied = httpx.post(location, data={"action": "deny"}, timeout=30).headers["location"]
    state = parse_qs(urlsplit(location).query)["state"][0]
    answer = ana.get(f"{denied}&state={state}" if "state=" not in denied else denied)
    assert (answer.status_code, ana.is_in()) == (403, False)


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example", START])
def test_nobody_is_sent_on_to_another_site(crowd: People, to: str) -> None:
    assert through(crowd.visitor(), "ana", to).headers["location"] == "/"


def test_a_provider_that_is_away_leaves_the_other_ways(tmp_path: Path) -> None:
    with provider() as issuer:
        pass
    with people_at(tmp_path, issuer) as site, closing(People(site)) as crowd:
        ana = crowd.visitor()
        answer = ana.get(START)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "does not answer" in text_of(answer)
        assert ana.sign_in(site.admin_key).status_code == 303


def test_without_a_provider_there_is_no_such_page(tmp_path: Path) -> None:
    with served(str(tmp_path / "dashclaw.db")) as site, closing(People(site)) as crowd:
        assert crowd.visitor().get(START).status_code == 404
        assert START not in crowd.visitor().get("/sign-in").text


class Lied(People):
    """People who come from a forger."""

    def __init__(self, server: Any, forger: Forger) -> None:
        super().__init__(server)
        self.forger = forger

    def come(self) -> httpx.Response:
        visitor = self.visitor()
        state = self.forger.begin(visitor.get(START).headers["location"])
        return visitor.get(f"/sign-in/provider/back?{urlencode({'state': state, 'code': 'c'})}")


@pytest.fixture(scope="module")
def lied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lied]:
    with (
        forging() as forger,
        people_at(tmp_path_factory.mktemp("lied"), forger.url, domains=("shop.example",)) as site,
        closing(Lied(site, forger)) as found,
    ):
        yield found


@pytest.fixture(autouse=True)
def honest(request: pytest.FixtureRequest) -> None:
    """Every test begins with a provider that tells the truth."""
    if "lied" in request.fixturenames:
        forger = request.getfixturevalue("lied").forger
        forger.claims, forger.header, forger.algorithm = {}, {"kid": "one"}, "RS256"
        forger.signing_key = forger.key


def test_an_honest_answer_is_believed_and_what_is_published_is_asked_once(lied: Lied) -> None:
    for _ in range(2):
        assert lied.come().status_code == 303
    assert lied.forger.asked.count("/jwks") == 1
    assert lied.forger.asked.count("/.well-known/openid-configuration") == 1
    assert lied.forger.redeemed["redirect_uri"] == f"{lied.server.url}/sign-in/provider/back"


LIES: dict[str, dict[str, Any]] = {
    "for another program": {"aud": "another"},
    "for several, made for another": {"aud": [CLIENT, "another"], "azp": "another"},
    "for several, made for nobody": {"aud": [CLIENT, "another"]},
    "of another issuer": {"iss": "https://evil.example"},
    "expired": {"exp": int(time.time()) - 60},
    "without an end": {"exp": None},
    "of another sign-in": {"nonce": "another"},
    "without a nonce": {"nonce": None},
    "not valid yet": {"iat": 4_102_444_800},
    "of nobody": {"sub": None},
    "of a number": {"sub": 7},
    "of an unprintable name": {"sub": "a\nb"},
    "with no address": {"email": "ana"},
    "with two addresses": {"email": ["ana@shop.example"]},
    "with a text for verified": {"email_verified": "true"},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_token_that_says_something_wrong_is_refused(lied: Lied, lie: str) -> None:
    lied.forger.claims = LIES[lie]
    answer = lied.come()
    assert (answer.status_code, "You were not signed in" in text_of(answer)) == (403, True)


def test_a_token_that_somebody_else_signed_is_refused(lied: Lied) -> None:
    lied.forger.signing_key = rsa.generate_private_key(65537, 2048)
    assert lied.come().status_code == 403
    lied.forger.signing_key, lied.forger.algorithm = "secret" * 8, "HS256"
    assert "algorithm" in text_of(lied.come())
    lied.forger.signing_key, lied.forger.algorithm = "", "none"
    assert "algorithm" in text_of(lied.come())
    lied.forger.signing_key, lied.forger.algorithm = lied.forger.key, "RS256"
    lied.forger.header = {"kid": "two"}
    before = lied.forger.asked.count("/jwks")
    for _ in range(3):
        assert "does not publish" in text_of(lied.come())
    assert lied.forger.asked.count("/jwks") <= before + 1, "unknown keys do not make it ask again and again"


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": None},
        {"padding": "x" * 1024 * 1024},
    ],
)
def test_a_configuration_that_cannot_be_trusted_is_not_used(document: dict[str, Any]) -> None:
    with forging() as forger:
        forger.document = document
        now = 0.0
        asked = Provider(OidcSettings(forger.url, CLIENT), clock=lambda: now)
        for _ in range(2):
            with pytest.raises(Exception, match="does not answer now"):
                asked.depart("http://127.0.0.1/back")
        assert len(forger.asked) == 1, "it is left alone for a moment"
        forger.document, now = {}, 6.0
        assert asked.depart("http://127.0.0.1/back")[0].startswith(f"{forger.url}/authorization_endpoint?")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ISSUER": "http://login.example.com", "CLIENT_ID": "x"}, "must begin with https://"),
        ({"ISSUER": "https://login.example.com"}, "needs DASHCLAW_OIDC_CLIENT_ID"),
        ({"CLIENT_ID": "x"}, "needs DASHCLAW_OIDC_ISSUER"),
        ({"ISSUER": "https://a.example", "CLIENT_ID": "x", "ROLE": "boss"}, "a role is"),
        ({"ISSUER": "https://a.example", "CLIENT_ID": "x", "ROLES": "ops"}, "reads operators=admin"),
        ({"ISSUER": "https://a.example", "CLIENT_ID": "x", "ROLES": "ops=boss"}, "a role is"),
        ({"ISSUER": "https://a.example", "CLIENT_ID": "x", "DOMAINS": "*.example.com"}, "takes names like"),
    ],
)
def test_settings_that_would_let_in_the_wrong_ones_are_refused(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ServerSettings.from_environment({f"DASHCLAW_OIDC_{name}": value for name, value in environment.items()})


def test_settings_come_from_the_environment_and_hide_the_secret() -> None:
    environment = {
        "DASHCLAW_OIDC_ISSUER": "https://login.example.com",
        "DASHCLAW_OIDC_CLIENT_ID": "dashclaw",
        "DASHCLAW_OIDC_CLIENT_SECRET": "hush-hush",
        "DASHCLAW_OIDC_DOMAINS": "Shop.example, other.example",
        "DASHCLAW_OIDC_ROLES": "cn=ops=admin, dev=member",
        "DASHCLAW_PUBLIC_URL": "https://claw.example.com/",
    }
    found = ServerSettings.from_environment(environment)
    assert found.oidc is not None
    assert found.oidc.domains == ("shop.example", "other.example")
    assert found.oidc.roles == {"cn=ops": "admin", "dev": "member"}
    assert (found.oidc.name, found.public_url) == ("login.example.com", "https://claw.example.com")
    assert "hush-hush" not in repr(found)
