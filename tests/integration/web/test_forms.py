"""Only forms of this site, given to this session, do anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dashclaw.server.web.desk import safe_next

from ..serving import Served
from .support import Browser

ELSEWHERE = [
    "https://evil.example",
    "//evil.example/x",
    "/\\evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
    "agents",
    "/agents\r\nX: y",
    "/\t/evil.example",
    "/sign-in?next=/sign-in",
    "/sign-out",
    "http:/agents",
    "",
]


@pytest.mark.parametrize("to", ELSEWHERE)
def test_signing_in_leads_nowhere_else(to: str, server: Served, visitor: Callable[[], Browser]) -> None:
    assert safe_next(to) == "/"
    answer = visitor().post("/sign-in", {"key": server.admin_key, "next": to}, page="/sign-in")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize("to", ELSEWHERE)
def test_the_form_carries_no_foreign_place(to: str, visitor: Callable[[], Browser]) -> None:
    page = visitor().get("/sign-in", params={"next": to})
    assert 'name="next" value="/"' in page.text
    assert "evil" not in page.text


@pytest.mark.parametrize("to", ["/agents", "/agents/a%2Fb?x=1&y=%2F", "/decisions?status=failed#here"])
def test_places_of_this_site_stay(to: str) -> None:
    assert safe_next(to) == to


def test_a_form_without_its_token_is_refused(operator: Browser) -> None:
    for form in ({}, {"csrf": ""}, {"csrf": "x" * 86}, {"csrf": "é"}):
        answer = operator.http.post("/sign-out", data=form)
        assert answer.status_code == 403, form
    assert operator.get("/agents").status_code == 200


def test_a_token_of_another_session_is_refused(
    operator: Browser, server: Served, visitor: Callable[[], Browser]
) -> None:
    other = visitor()
    other.sign_in(server.admin_key)
    assert operator.http.post("/sign-out", data={"csrf": other.token("/agents")}).status_code == 403
    assert operator.get("/agents").status_code == 200


def test_each_page_spells_the_token_anew(operator: Browser) -> None:
    assert operator.token("/agents") != operator.token("/agents")


def test_htmx_sends_it_in_a_header(operator: Browser) -> None:
    token = operator.token("/agents")
    headers = {"HX-Request": "true", "X-CSRF-Token": token}
    answer = operator.http.post("/theme", data={"theme": "light", "next": "/agents"}, headers=headers)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/agents")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
def test_forms_of_other_sites_are_refused(headers: dict[str, str], operator: Browser) -> None:
    form = {"csrf": operator.token("/agents")}
    assert operator.http.post("/sign-out", data=form, headers=headers).status_code == 403
    assert operator.get("/agents").status_code == 200


def test_forms_of_this_site_are_taken(operator: Browser, server: Served) -> None:
    headers = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    assert operator.post("/theme", {"theme": "dark"}, page="/agents", headers=headers).status_code == 303
    assert 'data-theme="dark"' in operator.get("/agents").text


def test_nobody_is_signed_in_by_another_site(server: Served, visitor: Callable[[], Browser]) -> None:
    attacker, victim = visitor(), visitor()
    form = {"csrf": attacker.token(), "key": server.agent_key, "next": "/"}
    assert victim.http.post("/sign-in", data=form).status_code == 403
    victim.get("/sign-in")
    assert victim.http.post("/sign-in", data=form).status_code == 403


def test_a_form_of_a_stranger_does_nothing(server: Served, visitor: Callable[[], Browser]) -> None:
    answer = visitor().http.post("/sign-out", data={"csrf": "x"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_another_verb_is_told_which_one(operator: Browser) -> None:
    answer = operator.get("/sign-out")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_themes_are_two_and_none(operator: Browser) -> None:
    operator.post("/theme", {"theme": "light"}, page="/agents")
    assert 'data-theme="light"' in operator.get("/agents").text
    operator.post("/theme", {"theme": '"><script>'}, page="/agents")
    assert "data-theme" not in operator.get("/agents").text
    operator.http.cookies.set("dashclaw_theme", '"><script>', domain="127.0.0.1")
    assert "data-theme" not in operator.get("/agents").text
