"""Browsers of people: forms with all that they hold, invitations, passwords."""

from __future__ import annotations

import re
from html import unescape

import httpx

from dashclaw.runtime.store import people
from dashclaw.runtime.store.web_sessions import of_subject

from ..serving import Served
from .support import Browser, text_of

PASSWORD = "correct horse battery"
OTHER = "another long enough phrase"
_FORM = re.compile(r'<form method="post" action="([^"]*)"[^>]*>(.*?)</form>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)"')
_CODE = re.compile(r"/invitation#([\w-]+)")


class Visitor(Browser):
    """A browser that sends a form with what it holds already."""

    def send(self, page: str, action: str, **fields: str) -> httpx.Response:
        """Open a page and send its form for an action."""
        bodies = [body for found, body in _FORM.findall(self.get(page).text) if found == action]
        assert bodies, f"{page} has no form for {action}"
        hidden = {name: unescape(value) for name, value in _HIDDEN.findall(bodies[0])}
        return self.http.post(action, data={**hidden, **fields})

    def by_password(self, email: str, password: str = PASSWORD, **fields: str) -> httpx.Response:
        """Sign in with a password, or try to."""
        return self.send("/sign-in", "/sign-in/password", email=email, password=password, **fields)

    def is_in(self) -> bool:
        return self.get("/session").status_code == 204

    def after(self, answer: httpx.Response) -> str:
        """What the page after a redirect says."""
        assert answer.status_code == 303, text_of(answer)
        return text_of(self.get(answer.headers["location"]))


class People:
    """Everybody in front of one server; closes their browsers in the end."""

    def __init__(self, server: Served) -> None:
        self.server = server
        self._browsers: list[Visitor] = []

    def visitor(self) -> Visitor:
        """Somebody who is not signed in."""
        found = Visitor(self.server)
        self._browsers.append(found)
        return found

    def operator(self) -> Visitor:
        """The administrator with a key."""
        found = self.visitor()
        assert found.sign_in(self.server.admin_key).status_code == 303
        return found

    def invited(self, email: str, **fields: str) -> str:
        """The code for somebody whom the administrator added."""
        page = "/settings/people"
        return code_in(self.operator().send(page, page, **{"email": email, "role": "member", **fields}))

    def joined(self, email: str = "ana@example.com", **fields: str) -> Visitor:
        """Somebody who has chosen a password, signed in."""
        found, page = self.visitor(), "/invitation"
        answer = found.send(page, page, code=self.invited(email, **fields), password=PASSWORD, again=PASSWORD)
        assert answer.status_code == 303, text_of(answer)
        return found

    def id_of(self, email: str) -> str:
        """The id of a person."""
        with self.server.runtime.store.read() as tx:
            row = people.by_email(tx, email)
        assert row is not None
        return str(row["id"])

    def sessions_of(self, subject: str) -> int:
        """How many sessions somebody has."""
        with self.server.runtime.store.read() as tx:
            return len(of_subject(tx, "org_default", subject))

    def close(self) -> None:
        for browser in self._browsers:
            browser.close()


def code_in(answer: httpx.Response) -> str:
    """The code of the invitation that a page shows."""
    found = _CODE.search(answer.text)
    assert found, text_of(answer)
    return found[1]
