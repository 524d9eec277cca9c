"""What is text in a record, and what is left without it."""

from __future__ import annotations

import typing
from typing import Any

import pytest

from dashclaw.runtime.evidence.scrub import ACTION_TEXTS, FIELDS, changes, decision_changes, holds_text, scrubbed
from dashclaw.runtime.services.erasure import FieldName
from dashclaw.runtime.store.erasure import ERASED
from dashclaw.runtime.store.tables import actions


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (None, None),
        ("", ""),
        ([], []),
        ({}, {}),
        ("text", ERASED),
        (["a", "b"], [ERASED]),
        ([{"a": "b"}], [ERASED]),
        ({"a": "b", "c": {"d": ["e"]}, "phone": 4930123}, {"a": ERASED, "c": ERASED, "phone": ERASED}),
    ],
)
def test_text_goes_and_emptiness_stays(value: Any, left: Any) -> None:
    assert scrubbed(value) == left
    assert scrubbed(left) == left


def test_every_field_that_may_be_named_exists() -> None:
    assert typing.get_args(FieldName) == FIELDS
    assert [name for name in ACTION_TEXTS if name not in actions.c] == []


def test_only_what_changes_is_named() -> None:
    row = {"declared_goal": "text", "reasoning": ERASED, "trigger": None, "metadata": {}}
    assert changes(row, row) == {"declared_goal": ERASED}


@pytest.mark.parametrize(
    ("kind", "data", "fields", "found"),
    [
        ("action", {"declared_goal": "x"}, FIELDS, True),
        ("action", {"declared_goal": "x"}, ["reasoning"], False),
        ("action", {"declared_goal": ERASED, "status": "failed"}, FIELDS, False),
        ("action", {"signature": "abc"}, ["reasoning"], True),
        ("action", {"approval": {"reason": "x"}}, ["approvals"], True),
        ("action", {"approval": {"reason": ERASED, "votes": [{"reason": "x"}]}}, ["approvals"], True),
        ("action", {"approval": {"reason": ERASED, "votes": [{"reason": ERASED, "digest": "d"}]}}, FIELDS, True),
        ("action", {"approval": {"reason": ERASED, "votes": [{"reason": ERASED, "digest": None}]}}, FIELDS, False),
        ("action", {"approval": None}, FIELDS, False),
        ("loop", {"description": "x", "declared_goal": ERASED}, ["declared_goal"], False),
        ("loop", {"description": ERASED, "declared_goal": "x"}, ["declared_goal"], True),
        ("loop", {"description": "x"}, ["loops"], True),
        ("assumption", {"assumption": ERASED}, FIELDS, False),
        ("signal", {"detail": "x"}, FIELDS, True),
        ("action", "not an object", FIELDS, True),
    ],
)
def test_an_event_goes_when_it_holds_what_is_asked_for(kind: str, data: Any, fields: list[str], found: bool) -> None:
    assert holds_text(kind, data, fields) is found


def test_a_decision_keeps_the_reasons_of_policies() -> None:
    row = {
        "context": {"declared_goal": "x"},
        "digest": "d",
        "reasons": ["Ours: stop", "Remote: Jane is ill", "Remote: ill"],
        "warnings": ["Remote: no answer from jane.example"],
        "facts": {
            "counts": {"p": 1},
            "remotes": {
                "a": {"decision": "block", "reasons": ["ill", "Jane is ill"]},
                "b": {"failure": "no answer from jane.example"},
            },
        },
    }
    clean = decision_changes(row)
    assert clean == {
        "context": None,
        "digest": "",
        "facts": {
            "counts": {"p": 1},
            "remotes": {"a": {"decision": "block", "reasons": [ERASED]}, "b": {"failure": ERASED}},
        },
        "reasons": ["Ours: stop", f"Remote: {ERASED}", f"Remote: {ERASED}"],
        "warnings": [f"Remote: {ERASED}"],
    }
    assert decision_changes({**row, **clean}) == {}
