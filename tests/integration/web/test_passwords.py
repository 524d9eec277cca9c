"""People sign in with passwords: who comes in, who does not, and what ends a session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dashclaw.runtime import passwords
from dashclaw.runtime.problems import Problem
from dashclaw.server.web.password_attempts import ACCOUNT_MOST, ACCOUNT_SECONDS, PasswordAttempts
from dashclaw.server.web.site import Site

from ..serving import Served, served
from .people import OTHER, PASSWORD, People, code_in
from .support import text_of


@pytest.fixture
def email(request: pytest.FixtureRequest) -> str:
    """An address that no other test has."""
    return f"{abs(hash(request.node.nodeid))}@example.com"


@pytest.fixture
def crowd(server: Served) -> Iterator[People]:
    """People in front of the server, of whom nobody has failed yet: they all come from one address."""
    layer = server.app.middleware_stack
    while not isinstance(layer, Site):
        layer = getattr(layer, "_app", None) or getattr(layer, "app")  # noqa: B009
    layer.passwords = PasswordAttempts()
    with closing(People(server)) as found:
        yield found


def test_who_chose_a_password_comes_in_with_it_and_acts_under_that_name(crowd: People, email: str) -> None:
    ana = crowd.joined(email, name="Finance Desk")
    assert email in text_of(ana.get("/account"))
    again = crowd.visitor()
    answer = again.by_password(email.upper(), next="/agents?limit=5")
    assert (answer.status_code, answer.headers["location"]) == (303, "/agents?limit=5")
    assert again.is_in()
    assert again.get("/settings").headers["location"] == "/account", "a member changes no settings"
    assert again.get("/settings/people").status_code == 403


def test_a_session_begins_under_another_token_and_ends_the_one_before(crowd: People, email: str) -> None:
    ana = crowd.joined(email)
    before = ana.http.cookies["dashclaw_session"]
    ana.http.cookies.delete("dashclaw_session")
    assert ana.by_password(email).status_code == 303
    assert ana.http.cookies["dashclaw_session"] != before


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_after_the_sign_in_nobody_leaves_for_another_site(crowd: People, email: str, to: str) -> None:
    crowd.joined(email)
    assert crowd.visitor().by_password(email, next=to).headers["location"] == "/"


def test_a_wrong_password_and_an_unknown_address_read_alike(crowd: People, email: str) -> None:
    crowd.joined(email)
    wrong, unknown = crowd.visitor().by_password(email, OTHER), crowd.visitor().by_password("no-" + email, OTHER)
    assert (wrong.status_code, unknown.status_code) == (422, 422)
    assert text_of(wrong) == text_of(unknown)
    assert "The e-mail address or the password is wrong" in text_of(wrong)
    assert OTHER not in wrong.text


def test_a_form_without_its_token_signs_nobody_in(crowd: People, email: str) -> None:
    crowd.joined(email)
    stranger = crowd.visitor()
    sent = {"email": email, "password": PASSWORD}
    assert stranger.http.post("/sign-in/password", data=sent).status_code == 403
    foreign = stranger.http.post("/sign-in/password", data=sent, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert not stranger.is_in()


def test_a_code_works_once_and_is_not_told_again(crowd: People, email: str) -> None:
    code = crowd.invited(email)
    fields = {"code": code, "password": PASSWORD, "again": PASSWORD}
    first = crowd.visitor()
    page = first.send("/invitation", "/invitation", **{**fields, "again": OTHER})
    assert (page.status_code, "another password than the one above" in page.text) == (400, True)
    page = first.send("/invitation", "/invitation", **{**fields, "password": "password1234", "again": "password1234"})
    assert (page.status_code, "everybody tries first" in page.text) == (400, True)
    assert first.send("/invitation", "/invitation", **fields).status_code == 303
    second = crowd.visitor()
    assert second.send("/invitation", "/invitation", **fields).status_code == 410
    assert not second.is_in()
    assert code not in crowd.operator().get("/settings/people").text


def test_a_changed_password_ends_the_other_sessions_and_not_this_one(crowd: People, email: str) -> None:
    ana, elsewhere = crowd.joined(email), crowd.visitor()
    assert elsewhere.by_password(email).status_code == 303
    fields = {"current": PASSWORD, "password": OTHER, "again": OTHER}
    wrong = ana.send("/account", "/account/password", **{**fields, "current": OTHER})
    assert (wrong.status_code, elsewhere.is_in()) == (403, True)
    assert "The password is changed" in ana.after(ana.send("/account", "/account/password", **fields))
    assert (ana.is_in(), elsewhere.is_in()) == (True, False)
    assert crowd.sessions_of(crowd.id_of(email)) == 1
    assert crowd.visitor().by_password(email).status_code == 422
    assert crowd.visitor().by_password(email, OTHER).status_code == 303


@pytest.mark.parametrize("change", ["disable", "role", "reset"])
def test_what_an_administrator_changes_ends_every_session(crowd: People, email: str, change: str) -> None:
    ana, admin = crowd.joined(email), crowd.operator()
    path = f"/settings/people/{crowd.id_of(email)}"
    if change == "disable":
        assert "signed out everywhere" in admin.after(admin.send(path, f"{path}/disable"))
        assert crowd.visitor().by_password(email).status_code == 422
    elif change == "role":
        assert "Saved" in admin.after(admin.send(path, path, name="Ana", role="readonly", approver_roles=""))
    else:
        code = code_in(admin.send(path, f"{path}/invitation"))
        assert ana.is_in(), "a link alone changes nothing"
        crowd.visitor().send("/invitation", "/invitation", code=code, password=OTHER, again=OTHER)
    assert not ana.is_in()
    assert admin.is_in()


def test_who_guesses_waits_and_the_person_does_not(crowd: People, email: str) -> None:
    ana = crowd.joined(email)
    guesser = crowd.visitor()
    seen = [guesser.by_password(email, f"guess number {number}") for number in range(11)]
    assert [answer.status_code for answer in seen] == [422] * 10 + [429]
    assert 0 < int(seen[-1].headers["retry-after"]) <= 300
    assert crowd.visitor().by_password(email).status_code == 429, "the right one does not help a stranger there"
    ana.http.cookies.delete("dashclaw_session")
    assert ana.by_password(email).status_code == 303, "the browser of the person is another one"


def test_a_device_is_trusted_for_its_own_account_only(crowd: People, email: str) -> None:
    crowd.joined("victim-" + email)
    eve = crowd.joined(email)
    eve.http.cookies.delete("dashclaw_session")
    answers = [eve.by_password("victim-" + email, f"guess number {number}").status_code for number in range(11)]
    assert answers[-1] == 429


def test_a_refused_attempt_costs_no_hash(crowd: People, email: str, monkeypatch: pytest.MonkeyPatch) -> None:
    guesser = crowd.visitor()
    for number in range(10):
        guesser.by_password(email, f"guess number {number}")

    def nobody_asks(*_: object) -> bool:
        raise AssertionError("the password was looked at")

    monkeypatch.setattr(passwords, "matches", nobody_asks)
    assert guesser.by_password(email, PASSWORD).status_code == 429


def test_many_addresses_end_the_turn_of_strangers_alone() -> None:
    now = 0.0
    attempts = PasswordAttempts(clock=lambda: now)
    for number in range(ACCOUNT_MOST):
        attempts.begin("ana", f"192.0.2.{number}", None)
    with pytest.raises(Problem) as caught:
        attempts.begin("ana", "198.51.100.1", None)
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, str(int(ACCOUNT_SECONDS)))
    attempts.begin("ana", "198.51.100.1", "a known browser")
    attempts.begin("ben", "198.51.100.1", None)
    now = ACCOUNT_SECONDS
    attempts.begin("ana", "198.51.100.1", None)


def test_neither_page_nor_log_holds_a_password(crowd: People, email: str, caplog: pytest.LogCaptureFixture) -> None:
    ana = crowd.joined(email)
    failed = crowd.visitor().by_password(email, OTHER)
    ana.send("/account", "/account/password", current=OTHER, password=PASSWORD, again=PASSWORD)
    assert PASSWORD not in failed.text + ana.get("/account").text + caplog.text
    assert OTHER not in failed.text + caplog.text


def test_behind_a_proxy_forms_come_from_the_public_address(tmp_path: Path) -> None:
    url = "https://claw.example.com"
    with served(str(tmp_path / "dashclaw.db"), public_url=url) as site, closing(People(site)) as crowd:
        ana = crowd.visitor()
        fields = {"email": "ana@example.com", "password": PASSWORD, "csrf": ana.token()}
        seen = [
            ana.http.post("/sign-in/password", data=fields, headers={"Origin": origin}).status_code
            for origin in (url, "https://evil.example", "null")
        ]
        assert seen == [422, 403, 403]
        made = crowd.operator().send("/settings/people", "/settings/people", email="ana@example.com", role="member")
        assert f"{url}/invitation#{code_in(made)}" in made.text
