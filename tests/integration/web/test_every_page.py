"""Every page of the dashboard, whichever is added: who gets in, what a form takes, and whose things it shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import reduce
from itertools import count
from typing import NamedTuple
from urllib.parse import quote

import pytest

from dashclaw.runtime.feed import last_event
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.keys import new_key
from dashclaw.runtime.store import orgs
from dashclaw.runtime.store.ticks import happened
from dashclaw.server.web.routes import Page, every_page

from ..serving import Served
from .content import UNUSED, Content, takes_text, written
from .forms import FORMS, form_of
from .support import Browser

OURS, THEIRS = "Tramontane", "Levante"
OTHER_ORG = "org_other"
GETS = [page for page in every_page() if page.verb == "GET"]
POSTS = [page for page in every_page() if page.verb == "POST"]
# What takes away what the others need comes last; signing out ends it all.
LAST = ("enable", "resend", "revoke", "delete", "remove", "kill-switch", "sign-out")
# Where there is nothing to see without a query, or a provider.
WITH_MORE = {"/evidence/proof": "?seq=1", "/approvals/several/review": f"?agent_id={OURS}%200"}
NOT_SET_UP = {"/sign-in/provider", "/sign-in/provider/back"}
# Who is signed in, and who is no administrator, is led on.
ELSEWHERE = {"/settings", "/sign-in"}
# Whoever has the link sees what it is about.
BY_LINK = "/decide/{token}"
# There is none until it is written.
PERHAPS_NOT_YET = "/evidence/export/download"
FOR_ADMINS = (
    *("/settings/chat", "/settings/chat/{channel_id}"),
    *("/settings/keys", "/settings/people", "/settings/people/{person_id}"),
    *("/policies/new", "/policies/{policy_id}/edit"),
)


class House(NamedTuple):
    """A server with two organisations."""

    server: Served
    ours: Content
    theirs: Content


@pytest.fixture(scope="module")
def house(server: Served) -> Iterator[House]:
    with server.runtime.store.write(OTHER_ORG) as tx:
        orgs.insert(tx, OTHER_ORG, "Other", "other")
        caller = Caller(OTHER_ORG, "test", "admin", "system")
        admin, _ = new_key(tx, caller, "admin", "operator")
        agent, _ = new_key(tx, caller, "member", "agent")
    with ExitStack() as stack:
        ours = stack.enter_context(written(server, server.admin_key, server.agent_key, _words(OURS)))
        yield House(server, ours, stack.enter_context(written(server, admin, agent, _words(THEIRS))))


def _words(name: str) -> Callable[[int], str]:
    numbers = count()
    return lambda most: f"{name} {next(numbers)}"[:most]


@pytest.fixture
def member(visitor: Callable[[], Browser], house: House) -> Browser:
    return _signed_in(visitor(), house.ours.key(role="member"))


@pytest.fixture
def reader(visitor: Callable[[], Browser], house: House) -> Browser:
    return _signed_in(visitor(), house.ours.key(role="readonly"))


def _signed_in(browser: Browser, key: str) -> Browser:
    assert browser.sign_in(key).status_code == 303
    return browser


class Told:
    """What an organisation's log tells of a span of time, but for what the server does by itself."""

    def __init__(self, server: Served, org_id: str = "org_default") -> None:
        self._server = server
        self._org_id = org_id
        with server.runtime.store.read() as tx:
            self._cursor = last_event(tx, org_id)

    def names(self) -> set[str]:
        with self._server.runtime.store.read() as tx:
            found, _ = happened(tx, self._org_id, self._cursor)
        return {name for name in found if not name.startswith(("operator.", "signal.", "webhook.delivery"))}


def test_everything_that_can_be_written_is_written(house: House) -> None:
    operations = house.server.runtime.registry.operations
    missing = {found.name for found in operations if takes_text(found)} - house.ours.used - UNUSED
    assert not missing, f"`write` of tests/integration/web/content.py has to use {missing}, or UNUSED says why not"
    assert {page.path for page in POSTS} == set(FORMS)


def test_a_stranger_sees_and_changes_nothing(house: House, visitor: Callable[[], Browser]) -> None:
    told, stranger = Told(house.server), visitor()
    for page in every_page():
        if page.public:
            continue
        path = house.ours.address(page.path)
        answer = stranger.get(path) if page.verb == "GET" else stranger.http.post(path, data={"csrf": "x"})
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/sign-in"), path
        assert answer.content == b"", path
    assert told.names() == set()


def test_public_pages_tell_a_stranger_nothing(house: House, visitor: Callable[[], Browser]) -> None:
    for page in GETS:
        if page.public and page.path != BY_LINK:
            assert OURS not in visitor().get(house.ours.address(page.path)).text, page.path


def test_no_form_is_taken_without_its_token(house: House, operator: Browser, visitor: Callable[[], Browser]) -> None:
    other = _signed_in(visitor(), house.server.admin_key)
    wrong = {"none": "", "made up": "x" * 86, "of another session": other.token("/account")}
    own = operator.token("/account")
    sent = [(page, form_of(page).fields(house.ours)) for page in POSTS]
    told = Told(house.server)
    for page, form in sent:
        for name, token in wrong.items():
            answer = operator.http.post(house.ours.address(page.path), data={**form, "csrf": token})
            assert answer.status_code == 403, (page.path, name)
        headers = {"Origin": "https://evil.example"}
        foreign = {**form, "csrf": own}
        answer = operator.http.post(house.ours.address(page.path), data=foreign, headers=headers)
        assert answer.status_code == 403, page.path
    assert told.names() == set()


@pytest.mark.parametrize("role", ["reader", "member"])
def test_who_may_look_sees_every_page(role: str, house: House, request: pytest.FixtureRequest) -> None:
    browser: Browser = request.getfixturevalue(role)
    wrong = {}
    for page in GETS:
        path = house.ours.address(page.path) + WITH_MORE.get(page.path, "")
        status = browser.get(path).status_code
        if status not in _allowed(page):
            wrong[path] = status
    assert wrong == {}


def _allowed(page: Page) -> tuple[int, ...]:
    if page.path in FOR_ADMINS:
        return (403,)
    if page.path in ELSEWHERE:
        return (303,)
    return (404,) if page.path in NOT_SET_UP else (200, 204)


@pytest.mark.parametrize(("who", "role"), [("reader", "readonly"), ("member", "member")])
def test_who_may_not_changes_nothing(who: str, role: str, house: House, request: pytest.FixtureRequest) -> None:
    browser: Browser = request.getfixturevalue(who)
    above = {"readonly": ("member", "admin"), "member": ("admin",)}[role]
    posts = [page for page in POSTS if form_of(page).role in above]
    wrong, told, token = {}, set(), browser.token("/account")
    for page in posts:
        form = form_of(page).fields(house.ours)
        watch = Told(house.server)
        data = {"csrf": token, **form}
        status = browser.http.post(house.ours.address(page.path), data=data).status_code
        told |= watch.names()
        # Of several decisions each one is refused.
        if status != (409 if "several" in page.path else 403):
            wrong[page.path] = status
    assert wrong == {}
    assert told == set()


def test_nothing_of_another_organisation_is_shown_or_changed(house: House, operator: Browser) -> None:
    theirs = house.theirs
    forms = {page.path: form_of(page).fields(theirs) for page in POSTS}
    watch = Told(house.server, OTHER_ORG)
    wrong, token = {}, operator.token("/account")
    for page in every_page():
        path = theirs.address(page.path)
        if page.path == BY_LINK:
            continue
        about_them = "{" in page.path.replace("{framework}", "")
        if page.verb == "GET":
            answer = operator.get(path)
        elif about_them or "act_" in str(forms[page.path]):
            answer = operator.http.post(path, data={"csrf": token, **forms[page.path]})
        else:
            continue
        asked = [theirs.ids[name] for name in re.findall(r"{(\w+)}", page.path)]
        told_back = [*asked, *map(quote, asked)]
        shown = THEIRS in reduce(lambda text, name: text.replace(name, ""), told_back, answer.text)
        if shown or (about_them and answer.status_code != 404):
            wrong[f"{page.verb} {path}"] = answer.status_code
    assert wrong == {}
    assert watch.names() == set()


def test_every_form_does_something_for_who_may(house: House, operator: Browser) -> None:
    posts = [page for page in POSTS if not page.public and form_of(page).role is not None]
    wrong, token = {}, operator.token("/account")
    for page in sorted(posts, key=lambda page: max(place for place, end in enumerate(("", *LAST)) if end in page.path)):
        form = form_of(page).fields(house.ours)
        watch = Told(house.server)
        data = {"csrf": token, **form}
        status = operator.http.post(house.ours.address(page.path), data=data).status_code
        if page.path == PERHAPS_NOT_YET and status == 404:
            continue
        if status >= 400 or bool(watch.names()) != form_of(page).tells:
            wrong[page.path] = (status, watch.names())
    assert wrong == {}
