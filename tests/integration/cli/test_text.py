"""What a person reads: aligned, and inert whatever an agent wrote."""

from __future__ import annotations

import json

from dashclaw._inert import inert
from dashclaw.cli.output import fields, table

from .conftest import Place

CLEAR_SCREEN = "\x1b[2J"
BACKWARDS = "\u202e"
HOSTILE = f"Ship {CLEAR_SCREEN}it{BACKWARDS}\nstatus  completed"


def test_what_an_agent_wrote_cannot_steer_the_operator_s_terminal(place: Place) -> None:
    action_id = place.agent.create_action(HOSTILE, HOSTILE, reasoning=HOSTILE, status="pending")["action_id"]
    place.agent.register_open_loop(action_id, "followup", HOSTILE)
    place.agent.register_assumption(action_id, HOSTILE)
    for words in (
        ("approvals", "list"),
        ("approvals", "show", action_id),
        ("actions", "list"),
        ("actions", "show", action_id),
        ("actions", "trace", action_id),
        ("approvals", "watch", "--timeout", "0.1"),
        ("approvals", "deny", action_id),
    ):
        shown = place.run(*words)
        assert shown.code == 0
        assert "\\x1b[2J" in shown.out
        assert "\\u202e" in shown.out
        assert CLEAR_SCREEN not in shown.out
        assert BACKWARDS not in shown.out
        assert not any(line.startswith("status  completed") for line in shown.out.splitlines())


def test_programs_get_what_an_agent_wrote_unchanged(place: Place) -> None:
    action_id = place.agent.create_action("deploy", HOSTILE, status="pending")["action_id"]
    [action] = place.run("approvals", "list", "--json").document["actions"]
    assert (action["action_id"], action["declared_goal"]) == (action_id, HOSTILE)
    assert json.loads(place.run("approvals", "watch", "--timeout", "0.1", "--json").out)["declared_goal"] == HOSTILE


def test_tables_are_aligned_with_wide_and_combining_letters() -> None:
    lines = table(("name", "type"), [("東京", "x"), ("Ko\u0308ln", "x"), ("plain", "x")], "").splitlines()
    # A wide letter takes two columns of a terminal, a combining one none.
    assert [line.index("x") for line in lines[1:]] == [5, 8, 7]
    assert lines[0] == "NAME   TYPE"


def test_a_long_cell_is_cut_and_a_table_without_rows_says_so() -> None:
    [_, line] = table(("goal",), [("word " * 100,)], "").splitlines()
    assert len(line) == 60
    assert line.endswith("…")
    assert table(("goal",), [], "Nothing.") == "Nothing."


def test_fields_leave_out_what_is_empty_and_indent_what_is_long() -> None:
    record = {"a": 1, "nothing": None, "empty": [], "long_name": "one\ntwo", "yes": True, "no": False}
    assert fields(record, tuple(record)).splitlines() == [
        "a          1",
        "long name  one",
        "           two",
        "yes        yes",
        "no         no",
    ]


def test_inert_text_keeps_every_ordinary_letter() -> None:
    assert inert("Grüße, 東京 🙂\n") == "Grüße, 東京 🙂\n"
    assert inert("\x9b1m\x07\t\x7f\ud800") == "\\x9b1m\\x07\\t\\x7f\\ud800"
