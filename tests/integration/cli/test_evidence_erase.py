"""`dashclaw evidence erase`, embedded and against a server."""

from __future__ import annotations

import io

import pytest

from .conftest import Place

SECRET = "Jürgen's salary"


class Terminal(io.StringIO):
    """A terminal at which a person types one answer."""

    def isatty(self) -> bool:
        return True


def test_an_action_is_erased_and_the_record_says_so(place: Place) -> None:
    action_id = place.done(SECRET)
    shown = place.run("evidence", "erase", action_id, "--reason", "Request 4711", "--yes")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("Erased the text of 3 entries, 1 action, 1 decision")
    assert SECRET not in place.run("actions", "show", action_id).out
    assert "[erased]" in place.run("actions", "show", action_id).out
    again = place.run("evidence", "erase", action_id, "--reason", "Request 4711", "--yes")
    assert again.out == "There was nothing left to erase.\nErased before: the text of 3 entries.\n"
    document = place.run("evidence", "erase", action_id, "--reason", "Request 4711", "--yes", "--json").document
    assert (document["erased"], document["reason"]) == (False, "Request 4711")


@pytest.mark.parametrize(("typed", "code"), [("yes\n", 0), ("YES \n", 0), ("y\n", 1), ("\n", 1), ("", 1)])
def test_a_person_is_asked(embedded: Place, typed: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    action_id = embedded.done(SECRET)
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    shown = embedded.run("evidence", "erase", action_id, "--reason", "Request 4711")
    assert shown.code == code
    assert f"This erases the text of the action {action_id} for good" in shown.err
    assert (SECRET in embedded.run("actions", "show", action_id).out) == bool(code)


def test_nobody_to_ask_is_a_mistake(embedded: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    action_id = embedded.done(SECRET)
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    shown = embedded.run("evidence", "erase", action_id, "--reason", "Request 4711")
    assert shown.code == 1
    assert "add --yes" in shown.err
    assert SECRET in embedded.run("actions", "show", action_id).out


def test_only_some_fields_are_erased(embedded: Place) -> None:
    action_id = embedded.done(SECRET)
    words = ("--field", "output_summary", "--reason", "Request 4711", "--yes")
    assert embedded.run("evidence", "erase", action_id, *words).code == 0
    shown = embedded.run("actions", "show", action_id).out
    assert SECRET in shown
    assert "Done" not in shown


def test_what_holds_the_same_text_is_named(embedded: Place) -> None:
    body = {"action_type": "research", "declared_goal": SECRET, "agent_id": "a", "status": "completed"}
    first, second = (embedded.agent.request("POST", "/api/actions", body=body)["action_id"] for _ in range(2))
    embedded.agent.create_handoff(summary="See", context={"action": first})
    shown = embedded.run("evidence", "erase", first, "--reason", "Request 4711", "--yes")
    assert f"Asked for in the very same words, and not erased: {second}" in shown.out
    event_id = shown.out.split("--event ")[1].strip()
    shown = embedded.run("evidence", "erase", "--event", event_id, "--reason", "Request 4711", "--yes")
    assert shown.out.startswith("Erased the text of 1 entry.")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--reason", "Request 4711", "--yes"), "exactly one"),
        (("act_1", "--decision", "gd_1", "--reason", "Request 4711", "--yes"), "exactly one"),
        (("act_1", "--reason", "Request 4711", "--yes"), "There is no action 'act_1'"),
        (("act_1", "--reason", "x", "--yes"), "reason"),
        (("act_1", "--yes"), "--reason"),
        (("act_1", "--field", "status", "--reason", "Request 4711", "--yes"), "fields"),
    ],
)
def test_mistakes_are_named(embedded: Place, words: tuple[str, ...], said: str) -> None:
    shown = embedded.run("evidence", "erase", *words)
    assert shown.code in (1, 2)
    assert said in shown.err
    assert shown.out == ""
