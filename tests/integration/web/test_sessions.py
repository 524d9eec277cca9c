"""A session begins with a proof, is named by a cookie that changes, and ends when it should."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from dashclaw.runtime.store.tables import events, web_sessions
from dashclaw.server import upkeep

from ..serving import Served, served
from .support import Browser, text_of

COOKIE = "dashclaw_session"


def new_key(server: Served, role: str = "member", **more: object) -> tuple[str, str]:
    """A key and its id."""
    made = httpx.post(
        f"{server.url}/api/orgs/org_default/keys",
        json={"role": role, "label": "for the test", **more},
        headers={"x-api-key": server.admin_key},
    ).json()
    return made["api_key"]["key"], made["key"]["id"]


def revoke(server: Served, key_id: str) -> None:
    path = f"{server.url}/api/orgs/org_default/keys/{key_id}"
    assert httpx.delete(path, headers={"x-api-key": server.admin_key}).status_code == 200


def cookie_of(answer: httpx.Response) -> str:
    found = [line for line in answer.headers.get_list("set-cookie") if line.startswith((COOKIE, f"__Host-{COOKIE}"))]
    assert len(found) == 1, found
    return found[0]


def test_a_stranger_is_sent_to_sign_in_and_comes_back(server: Served, visitor: Callable[[], Browser]) -> None:
    browser = visitor()
    sent = browser.get("/agents?search=a%20b")
    assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in?next=%2Fagents%3Fsearch%3Da%2520b")
    back = browser.sign_in(server.admin_key, "/agents?search=a%20b")
    assert (back.status_code, back.headers["location"]) == (303, "/agents?search=a%20b")
    page = browser.get("/agents")
    assert page.status_code == 200
    assert "Agents" in text_of(page)


def test_the_cookie_cannot_be_read_or_sent_by_others(server: Served, visitor: Callable[[], Browser]) -> None:
    flags = cookie_of(visitor().sign_in(server.admin_key)).lower()
    assert "httponly" in flags
    assert "samesite=lax" in flags
    assert "path=/" in flags
    assert "domain" not in flags
    assert "secure" not in flags


def test_over_https_the_cookie_is_secure_and_bound_to_the_host(server: Served, visitor: Callable[[], Browser]) -> None:
    browser = visitor()
    browser.http.headers["X-Forwarded-Proto"] = "https"
    page = browser.get("/sign-in")
    token = re.findall(r'name="csrf" value="([^"]+)"', page.text)[-1]
    visiting = page.headers["set-cookie"].split(";")[0]
    form = {"csrf": token, "key": server.admin_key, "next": "/agents"}
    answer = browser.http.post("/sign-in", data=form, headers={"Cookie": visiting})
    assert answer.status_code == 303
    assert cookie_of(answer).startswith(f"__Host-{COOKIE}=")
    assert "secure" in cookie_of(answer).lower()


def test_an_unknown_key_is_refused_without_a_word_about_it(visitor: Callable[[], Browser]) -> None:
    browser = visitor()
    answer = browser.sign_in("oc_live_no_such_key")
    assert answer.status_code == 422
    assert "no API key of this server" in text_of(answer)
    assert "oc_live_no_such_key" not in answer.text
    assert COOKIE not in browser.http.cookies


def test_a_session_given_by_somebody_else_is_not_taken_over(server: Served, visitor: Callable[[], Browser]) -> None:
    attacker, victim = visitor(), visitor()
    attacker.sign_in(new_key(server)[0])
    planted = attacker.http.cookies[COOKIE]
    victim.http.cookies.set(COOKIE, planted, domain="127.0.0.1")
    page = victim.get("/agents")
    token = re.findall(r'name="csrf" value="([^"]+)"', page.text)[0]
    victim.http.post("/sign-out", data={"csrf": token})
    assert victim.sign_in(server.admin_key).status_code == 303
    assert victim.http.cookies[COOKIE] != planted
    # The attacker's own cookie names nobody any more.
    assert attacker.get("/agents").status_code == 303


def test_a_cookie_of_ones_own_making_names_nobody(server: Served, visitor: Callable[[], Browser]) -> None:
    browser = visitor()
    browser.sign_in(server.admin_key)
    genuine = browser.http.cookies[COOKIE]
    token, _, signature = genuine.rpartition(".")
    for forged in (token, f"{token}x.{signature}", f"{token}.{signature}x", "é", "a.b", "." * 5000):
        answer = httpx.get(f"{server.url}/agents", headers={"Cookie": f"{COOKIE}={forged}".encode()})
        assert answer.status_code == 303, forged


def test_signing_out_ends_it_on_the_server_too(server: Served, operator: Browser) -> None:
    stolen = operator.http.cookies[COOKIE]
    answer = operator.post("/sign-out", page="/agents")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert COOKIE not in operator.http.cookies
    assert "You are signed out" in text_of(operator.get("/sign-in"))
    assert "You are signed out" not in text_of(operator.get("/sign-in"))
    assert httpx.get(f"{server.url}/agents", cookies={COOKIE: stolen}).status_code == 303


def test_a_revoked_key_is_signed_out_at_once(server: Served, visitor: Callable[[], Browser]) -> None:
    browser = visitor()
    key, key_id = new_key(server)
    browser.sign_in(key)
    assert browser.get("/agents").status_code == 200
    revoke(server, key_id)
    assert browser.get("/agents").status_code == 303


class Reader(threading.Thread):
    """Reads a live stream until it ends."""

    def __init__(self, browser: Browser, path: str = "/live") -> None:
        super().__init__(daemon=True)
        self._browser = browser
        self._path = path
        self.lines: list[str] = []
        self.status = 0
        self.begun = threading.Event()
        self.start()
        assert self.begun.wait(20)

    def run(self) -> None:
        with self._browser.http.stream("GET", self._path) as answer:
            self.status = answer.status_code
            for line in answer.iter_lines():
                self.lines.append(line)
                self.begun.set()
            self.begun.set()

    def ended(self) -> bool:
        self.join(20)
        return not self.is_alive()


def test_the_stream_ends_with_the_key(server: Served, visitor: Callable[[], Browser]) -> None:
    browser = visitor()
    key, key_id = new_key(server)
    browser.sign_in(key)
    reader = Reader(browser)
    revoke(server, key_id)
    assert reader.ended()
    assert "event: bye" in reader.lines


def test_the_stream_ends_with_the_session(operator: Browser) -> None:
    reader = Reader(operator)
    operator.post("/sign-out", page="/agents")
    assert reader.ended()
    assert "event: bye" in reader.lines


def test_there_is_no_stream_for_strangers(visitor: Callable[[], Browser]) -> None:
    assert visitor().get("/live").status_code == 401


def test_the_database_and_the_log_hold_no_token(server: Served, operator: Browser) -> None:
    token = operator.http.cookies[COOKIE].rpartition(".")[0]
    with server.runtime.store.read() as tx:
        kept = repr(tx.all(select(web_sessions))) + repr(tx.all(select(events).where(events.c.event.like("operator%"))))
    assert "operator.signed_in" in kept
    assert token not in kept
    assert server.admin_key not in kept


def test_no_secret_stands_in_a_page(server: Served, operator: Browser) -> None:
    token = operator.http.cookies[COOKIE]
    for path in ("/agents", "/settings", "/nothing"):
        text = operator.get(path).text
        assert token not in text
        assert token.rpartition(".")[0] not in text
        assert server.admin_key not in text


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)

    def __call__(self) -> datetime:
        return self.now

    def on(self, **parts: float) -> None:
        self.now += timedelta(**parts)


@pytest.fixture
def timed(tmp_path: Path) -> Iterator[tuple[Clock, Browser]]:
    """A browser that is signed in where time stands still."""
    clock = Clock()
    with served(str(tmp_path / "dashclaw.db"), clock=clock) as server:
        browser = Browser(server)
        browser.sign_in(server.admin_key)
        yield clock, browser
        browser.close()


def test_twelve_hours_of_nothing_end_it(timed: tuple[Clock, Browser]) -> None:
    clock, browser = timed
    clock.on(hours=11)
    assert browser.get("/agents").status_code == 200
    clock.on(hours=11)
    assert browser.get("/agents").status_code == 200
    clock.on(hours=12, seconds=1)
    assert browser.get("/agents").status_code == 303


def test_a_week_ends_it(timed: tuple[Clock, Browser]) -> None:
    clock, browser = timed
    for _ in range(16):
        clock.on(hours=10)
        assert browser.get("/agents").status_code == 200
    clock.on(hours=9)
    assert browser.get("/agents").status_code == 303


def test_the_server_forgets_those_that_ended_without_a_sign_in(timed: tuple[Clock, Browser]) -> None:
    clock, browser = timed

    def kept() -> int:
        upkeep.sessions(browser.server.runtime).close()
        with browser.server.runtime.store.read() as tx:
            return len(tx.all(web_sessions.select()))

    clock.on(hours=11)
    assert kept() == 1
    clock.on(hours=1, seconds=1)
    assert kept() == 0


def test_the_token_changes_hourly_and_the_old_one_dies(timed: tuple[Clock, Browser]) -> None:
    clock, browser = timed
    first = browser.http.cookies[COOKIE]
    clock.on(minutes=59)
    browser.get("/agents")
    assert browser.http.cookies[COOKIE] == first
    clock.on(minutes=2)
    browser.get("/agents")
    second = browser.http.cookies[COOKIE]
    assert second != first
    old = {"Cookie": f"{COOKIE}={first}"}
    # A request that was under way still carries the old token.
    assert httpx.get(f"{browser.server.url}/agents", headers=old).status_code == 200
    clock.on(minutes=2)
    assert browser.get("/agents").status_code == 200
    assert httpx.get(f"{browser.server.url}/agents", headers=old).status_code == 303
    assert browser.get("/agents").status_code == 200


def test_forms_survive_the_change_of_the_token(timed: tuple[Clock, Browser]) -> None:
    clock, browser = timed
    token = browser.token("/agents")
    clock.on(minutes=61)
    assert browser.http.post("/theme", data={"csrf": token, "theme": "dark", "next": "/agents"}).status_code == 303


def test_a_lost_answer_signs_nobody_out(timed: tuple[Clock, Browser]) -> None:
    clock, browser = timed
    first = browser.http.cookies[COOKIE]
    clock.on(minutes=61)
    lost = httpx.get(f"{browser.server.url}/agents", headers={"Cookie": f"{COOKIE}={first}"})
    assert COOKIE in lost.headers["set-cookie"]
    clock.on(minutes=5)
    again = browser.get("/agents")
    assert again.status_code == 200
    assert browser.http.cookies[COOKIE] != first


def test_the_environment_s_key_signs_in_until_it_is_another(tmp_path: Path) -> None:
    url = str(tmp_path / "dashclaw.db")
    with served(url, admin_key="a-key-of-the-environment") as server:
        browser = Browser(server)
        assert browser.sign_in("a-key-of-the-environment").status_code == 303
        assert browser.get("/agents").status_code == 200
        cookie = {"Cookie": f"{COOKIE}={browser.http.cookies[COOKIE]}"}
        browser.close()
    with served(url, admin_key="a-key-of-the-environment") as server:
        assert httpx.get(f"{server.url}/agents", headers=cookie).status_code == 200
    with served(url, admin_key="another-key-of-environment") as server:
        assert httpx.get(f"{server.url}/agents", headers=cookie).status_code == 303


def test_too_many_failures_make_wait(tmp_path: Path) -> None:
    with served(str(tmp_path / "dashclaw.db")) as server:
        browser = Browser(server)
        codes = [browser.sign_in(f"oc_live_wrong_{number}").status_code for number in range(11)]
        assert codes == [422] * 10 + [429]
        refused = browser.sign_in(server.admin_key)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 0
        assert "Too many attempts" in text_of(refused)
        browser.close()


def test_who_may_only_look_changes_nothing(server: Served, visitor: Callable[[], Browser]) -> None:
    browser = visitor()
    assert browser.sign_in(new_key(server, "readonly")[0]).status_code == 303
    assert browser.get("/agents").status_code == 200
    assert browser.post("/theme", {"theme": "dark"}, page="/agents").status_code == 303
