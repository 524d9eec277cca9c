"""What every answer carries, and what stops a caller who asks too much."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dashclaw.errors import ConfigurationError
from dashclaw.runtime.problems import Problem
from dashclaw.server.limits import WINDOW_SECONDS, RateLimit
from dashclaw.server.settings import ServerSettings

from ..serving import Served, served
from .support import Http, Reply, clients, refused

HARDENING = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
PAGE = "https://console.example"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a rate limit and a page that may call it."""
    folder = tmp_path_factory.mktemp("strict")
    with served(str(folder / "dashclaw.db"), rate_limit=3, cors_origins=(PAGE,)) as found:
        yield found


def new_agent(server: Served) -> Http:
    """An agent whose key was not used before, made past the server's limit."""
    from dashclaw.runtime.bootstrap import DEFAULT_ORG, SYSTEM
    from dashclaw.runtime.keys import new_key

    with server.runtime.store.write(DEFAULT_ORG) as tx:
        return Http(server.url, new_key(tx, SYSTEM, "member", None)[0])


def replies(http: Http) -> dict[str, Reply]:
    """One answer of every kind."""
    return {
        "success": http.ask("GET", "/api/actions"),
        "refusal": http.ask("POST", "/api/actions", {}),
        "no key": http.with_key(None).ask("GET", "/api/actions"),
        "bad JSON": http.ask("POST", "/api/guard", raw=b"{"),
        "not offered": http.ask("GET", "/api/nothing"),
        "wrong verb": http.ask("PUT", "/api/actions"),
        "health": http.with_key(None).ask("GET", "/api/health"),
        "docs": http.with_key(None).ask("GET", "/docs"),
        "openapi": http.with_key(None).ask("GET", "/openapi.json"),
        "too large": http.ask("POST", "/api/guard", raw=b"x" * (2 * 1024 * 1024 + 1)),
    }


def test_every_answer_is_hardened_and_has_an_id(small: Served) -> None:
    _, agent = clients(small)
    ids = set()
    for name, reply in replies(agent).items():
        assert {header: reply.headers.get(header) for header in HARDENING} == HARDENING, name
        ids.add(reply.headers["x-request-id"])
    assert len(ids) == len(replies(agent))


def test_the_id_of_a_request_comes_back_when_it_is_printable_and_short(small: Served) -> None:
    admin, _ = clients(small)
    for given in ("mine-1", "a" * 128, "with spaces in it"):
        reply = admin.ask("GET", "/api/nothing", headers={"X-Request-Id": given})
        assert reply.headers["x-request-id"] == given
        assert refused(reply, 404)["request_id"] == given
    for given in ("a" * 129, "tab\there", "schlüssel", ""):
        reply = admin.ask("GET", "/api/actions", headers={"X-Request-Id": given})
        assert reply.headers["x-request-id"].startswith("req_")


def test_a_fault_of_ours_is_told_without_internals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with served(str(tmp_path / "dashclaw.db")) as found:
        admin, _ = clients(found)
        assert admin.ask("GET", "/api/actions").status == 200
        monkeypatch.setattr(found.runtime, "execute", lambda *_, **__: 1 / 0)
        reply = admin.ask("GET", "/api/actions")
        answer = refused(reply, 500)
    assert (answer["code"], set(answer)) == ("INTERNAL", {"error", "code", "request_id"})
    assert b"ZeroDivision" not in reply.raw
    assert answer["request_id"] in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert {header: reply.headers.get(header) for header in HARDENING} == HARDENING


def test_a_database_that_does_not_answer_is_told_as_such(tmp_path: Path) -> None:
    with served(str(tmp_path / "dashclaw.db")) as found:
        admin, agent = clients(found)
        assert admin.ask("GET", "/api/actions").status == 200
        found.runtime.store.close()
        for path in ("/api/actions", "/api/stream"):
            for key in (admin, agent):
                reply = key.ask("GET", path)
                assert refused(reply, 503)["code"] == "STORAGE_UNAVAILABLE"
                assert reply.headers["retry-after"] == "1"
        health = admin.with_key(None).ask("GET", "/api/health")
        assert (health.status, health.body["status"]) == (503, "unavailable")


def test_health_tells_the_version_and_the_database_without_a_key(server: Served) -> None:
    from dashclaw import __version__

    answer = Http(server.url).made("GET", "/api/health")
    assert (answer["status"], answer["version"]) == ("ok", __version__)
    assert answer["database"] == server.runtime.store.dialect


def test_too_many_requests_are_refused_per_key(strict: Served) -> None:
    first, second = new_agent(strict), new_agent(strict)
    assert [first.ask("GET", "/api/actions").status for _ in range(3)] == [200] * 3
    reply = first.ask("GET", "/api/actions")
    assert refused(reply, 429)["code"] == "RATE_LIMITED"
    assert 1 <= int(reply.headers["retry-after"]) <= WINDOW_SECONDS
    assert {header: reply.headers.get(header) for header in HARDENING} == HARDENING
    assert second.ask("GET", "/api/actions").status == 200
    bearer = {"Authorization": f"Bearer {first.key}"}
    assert first.with_key(None).ask("GET", "/api/actions", headers=bearer).status == 429


def test_a_refused_request_does_nothing(strict: Served) -> None:
    agent = new_agent(strict)
    body = {"action_type": "research", "declared_goal": "Find out", "agent_id": "the-limited"}
    assert [agent.ask("POST", "/api/actions", body).status for _ in range(5)] == [201] * 3 + [429] * 2
    listed = new_agent(strict).ask("GET", "/api/actions", query={"agent_id": "the-limited"})
    assert listed.body["total"] == 3


def test_requests_without_a_key_are_limited_by_address_but_health_is_not(strict: Served) -> None:
    nobody = Http(strict.url)
    seen = [nobody.ask("GET", "/api/actions").status for _ in range(5)]
    assert seen == [401] * 3 + [429] * 2
    assert [nobody.ask("GET", "/api/health").status for _ in range(5)] == [200] * 5


def test_on_a_loopback_address_there_is_no_limit_unless_one_is_asked_for() -> None:
    reachable = {"host": "192.0.2.1", "admin_key": "a-key-of-an-operator"}
    assert ServerSettings(host="127.0.0.1").per_minute == 0
    assert ServerSettings(host="::1").per_minute == 0
    assert ServerSettings(host="localhost").per_minute == 0
    assert ServerSettings(**reachable).per_minute == 6000
    assert ServerSettings(**reachable, rate_limit=0).per_minute == 0
    assert ServerSettings(host="127.0.0.1", rate_limit=7).per_minute == 7


class Watch:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_window_ends_after_a_minute() -> None:
    clock = Watch()
    limit = RateLimit(2, clock=clock)

    def ask(key: bytes) -> int | None:
        try:
            limit.check({b"x-api-key": key}, {"path": "/api/guard"})
        except Problem as problem:
            return int(problem.headers["Retry-After"])
        return None

    assert [ask(b"one") for _ in range(3)] == [None, None, WINDOW_SECONDS]
    clock.now += 20
    assert ask(b"one") == 40
    assert ask(b"two") is None
    clock.now += 40
    assert [ask(b"one") for _ in range(3)] == [None, None, WINDOW_SECONDS]


def test_a_busy_key_is_not_forgotten_for_many_new_ones() -> None:
    limit = RateLimit(20_000, clock=Watch())

    def ask(key: bytes) -> None:
        limit.check({b"x-api-key": key}, {"path": "/api/guard"})

    for number in range(19_999):
        ask(b"busy")
        ask(b"%d" % number)
    ask(b"busy")
    with pytest.raises(Problem):
        ask(b"busy")
    assert len(limit._seen) <= 10_000


def test_a_page_of_an_allowed_origin_may_call_and_read(strict: Served) -> None:
    agent = new_agent(strict)
    reply = agent.ask("GET", "/api/actions", headers={"Origin": PAGE})
    assert reply.headers["access-control-allow-origin"] == PAGE
    exposed = {name.strip() for name in reply.headers["access-control-expose-headers"].split(",")}
    assert exposed == {"X-Request-Id", "Retry-After", "Idempotent-Replay"}
    for _ in range(3):
        reply = agent.ask("GET", "/api/actions", headers={"Origin": PAGE})
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (429, PAGE)


def test_a_page_of_another_origin_may_not(strict: Served) -> None:
    for origin in ("https://evil.example", PAGE + ".evil.example", "http://console.example", "null"):
        reply = new_agent(strict).ask("GET", "/api/actions", headers={"Origin": origin})
        assert reply.status == 200
        assert "access-control-allow-origin" not in reply.headers
        asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        assert Http(strict.url).ask("OPTIONS", "/api/guard", headers=asks).status == 400


def test_a_preflight_is_answered_without_a_key(strict: Served) -> None:
    asks = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "x-api-key, idempotency-key, content-type, last-event-id, x-request-id",
    }
    reply = Http(strict.url).ask("OPTIONS", "/api/actions/x", headers=asks)
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, PAGE)
    assert "PATCH" in reply.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in reply.headers
    assert {header: reply.headers.get(header) for header in HARDENING} == HARDENING
    denied = Http(strict.url).ask("OPTIONS", "/api/actions/x", headers={**asks, "Access-Control-Request-Method": "PUT"})
    assert denied.status == 400


def test_without_allowed_origins_no_page_may_call(small: Served) -> None:
    _, agent = clients(small)
    reply = agent.ask("GET", "/api/actions", headers={"Origin": PAGE})
    assert not [name for name in reply.headers if name.startswith("access-control")]
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    assert agent.ask("OPTIONS", "/api/guard", headers=asks).status == 405


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"host": "0.0.0.0"}, "loopback"),
        ({"host": "192.0.2.1"}, "loopback"),
        ({"host": "example.org"}, "loopback"),
        ({"host": "::"}, "loopback"),
        ({"admin_key": "short"}, "16 ASCII"),
        ({"admin_key": "ein-schlüssel-der-nicht-geht"}, "16 ASCII"),
        ({"port": 70000}, "port"),
        ({"max_body": 10}, "max_body"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ServerSettings.from_environment({}, **given)


def test_settings_come_from_the_environment_under_old_names_too() -> None:
    old = {"DASHCLAW_API_KEY": "the-old-name-of-the-key", "DASHCLAW_HOST": "0.0.0.0", "DASHCLAW_PORT": "0"}
    assert ServerSettings.from_environment(old).admin_key == "the-old-name-of-the-key"
    new = ServerSettings.from_environment({**old, "DASHCLAW_ADMIN_KEY": "the-new-name-of-the-key"})
    assert new.admin_key == "the-new-name-of-the-key"
    assert "the-new-name" not in repr(new)
    origins = ServerSettings.from_environment({"DASHCLAW_CORS_ORIGINS": f"{PAGE}, https://other.example,"})
    assert origins.cors_origins == (PAGE, "https://other.example")
    with pytest.raises(ConfigurationError, match="DASHCLAW_RATE_LIMIT"):
        ServerSettings.from_environment({"DASHCLAW_RATE_LIMIT": "many"})
