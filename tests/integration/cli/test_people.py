"""`dashclaw people`: an operator lets people in and out; no password is ever typed here."""

from __future__ import annotations

import pytest

from dashclaw.runtime import sign_in
from dashclaw.runtime.store.engine import Store

from ..serving import Served
from .conftest import Place

PASSWORD = "correct horse battery"


def test_a_person_is_added_listed_disabled_and_enabled(place: Place) -> None:
    assert place.run("people", "list").out == "Nobody signs in yet: dashclaw people add\n"
    words = ("--name", "Finance Desk", "--role", "admin", "--approver-role", "security")
    shown = place.run("people", "add", "ana@example.com", *words)
    assert (shown.code, shown.err) == (0, "")
    assert "/invitation#" in shown.out
    assert "Give this link to ana@example.com now" in shown.out
    line = place.run("people", "list").out.splitlines()[1]
    assert line.split()[:6] == ["ana@example.com", "Finance", "Desk", "admin,", "security", "invited"]
    again = place.run("people", "add", "ANA@example.com")
    assert again.code == 1
    assert again.err.startswith("error: Somebody with the e-mail address ANA@example.com is there already")
    key = place.run("keys", "create", "--operator", "ana@example.com", "--json").document["key"]["id"]
    gone = place.run("people", "disable", "ana@example.com").out
    assert gone.startswith("Disabled ana@example.com\n")
    assert key in gone
    assert place.run("people", "list").out.startswith("Nobody")
    assert "disabled" in place.run("people", "list", "--all").out
    assert place.run("people", "enable", "ana@example.com").out == "Enabled ana@example.com\n"


def test_the_code_that_is_printed_sets_a_password(embedded: Place) -> None:
    added = embedded.run("people", "add", "ana@example.com", "--json").document
    store = Store.open(embedded.words[1])
    try:
        caller = sign_in.by_code(store, added["invitation"]["code"], PASSWORD)
        reset = embedded.run("people", "reset-password", caller.actor_id, "--json").document
        sign_in.by_code(store, reset["invitation"]["code"], PASSWORD + " staple")
        assert sign_in.by_password(store, "ana@example.com", PASSWORD) is None
        assert sign_in.by_password(store, "ana@example.com", PASSWORD + " staple") == caller
    finally:
        store.close()


def test_the_link_leads_to_the_server(server: Served, remote: Place) -> None:
    assert remote.run("people", "add", "ana@example.com").out.splitlines()[1].startswith(f"{server.url}/invitation#")
    assert remote.run("people", "reset-password", "ana@example.com").out.startswith(f"{server.url}/invitation#")


@pytest.mark.parametrize("verb", ["disable", "enable", "reset-password"])
def test_an_unknown_person_is_one_line_that_says_where_to_look(embedded: Place, verb: str) -> None:
    for name in ("eve@example.com", "person_no"):
        shown = embedded.run("people", verb, name)
        assert (shown.code, shown.out, shown.err.count("\n")) == (1, "", 1)
        assert shown.err.endswith("see dashclaw people list\n")


def test_no_command_takes_a_password(embedded: Place) -> None:
    shown = embedded.run("people", "add", "ana@example.com", "--password", PASSWORD)
    assert shown.code == 2
    assert "unrecognized arguments" in shown.err
