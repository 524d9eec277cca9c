from __future__ import annotations

import base64
import dataclasses
import decimal
import enum
import json
import pathlib
import uuid
from collections import OrderedDict
from datetime import date, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashclaw._encode import encode, plain, query


class Level(enum.Enum):
    HIGH = "high"


class Number(enum.IntEnum):
    TWO = 2


class Word(str, enum.Enum):
    YES = "yes"


@dataclasses.dataclass
class Point:
    x: int
    at: date


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (datetime(2026, 1, 31, 12, 0, tzinfo=timezone(timedelta(hours=2))), "2026-01-31T10:00:00Z"),
        (datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=timezone.utc), "2026-01-31T12:00:00.000005Z"),
        (date(2026, 1, 31), "2026-01-31"),
        (decimal.Decimal("1.20"), 1.2),
        (decimal.Decimal("3"), 3),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (Level.HIGH, "high"),
        (Number.TWO, 2),
        (Word.YES, "yes"),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        (b"\x00\xff", base64.b64encode(b"\x00\xff").decode()),
        (bytearray(b"a"), "YQ=="),
        (Point(1, date(2026, 1, 2)), {"x": 1, "at": "2026-01-02"}),
        ((1, "a"), [1, "a"]),
        (OrderedDict(a=Level.HIGH), {"a": "high"}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        ([{"deep": {Level.HIGH}}], [{"deep": ["high"]}]),
        (True, True),
    ],
)
def test_values_that_json_lacks_have_a_form(value: Any, form: Any) -> None:
    sent = json.loads(encode(plain({"field": value})))["field"]
    assert sent == form
    assert type(sent) is type(form)


def test_a_naive_datetime_is_local_time() -> None:
    naive = datetime(2026, 1, 31, 12, 0)
    sent = plain({"at": naive})["at"]
    assert datetime.fromisoformat(sent.replace("Z", "+00:00")) == naive.astimezone()


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"who": object()}, "who"),
        ({"side_effects": [1, {"at": object()}]}, "side_effects[1].at"),
        ({"a": {"b": lambda: 1}}, "a.b"),
        ({"a": 1j}, "a"),
        ({"a": {1: "x"}}, "a"),
        ({"a": Point}, "a"),
    ],
)
def test_anything_else_is_a_type_error_that_names_the_field(body: dict[str, Any], name: str) -> None:
    with pytest.raises(TypeError) as caught:
        plain(body)
    assert str(caught.value).startswith(name + " ")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), decimal.Decimal("NaN")])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^a\.b is "):
        plain({"a": {"b": value}})


def test_a_body_that_contains_itself_is_refused() -> None:
    body: dict[str, Any] = {}
    body["self"] = body
    with pytest.raises(ValueError, match="contains itself"):
        plain(body)


def test_half_a_surrogate_pair_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^a\[0\]\.b holds"):
        encode({"a": [{"b": "\ud800"}]})


def test_none_is_left_out_at_the_top_only() -> None:
    assert plain({"a": None, "b": {"c": None}}) == {"b": {"c": None}}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON.filter(lambda value: value is not None)))
def test_plain_json_comes_back_as_it_is(body: dict[str, Any]) -> None:
    assert json.loads(encode(plain(body))) == body


def test_queries_spell_booleans_in_lower_case_and_leave_none_out() -> None:
    assert query({"drift": True, "stale": False, "limit": 5, "agent": None, "q": "a b&c"}) == (
        "drift=true&stale=false&limit=5&q=a+b%26c"
    )
    assert query({"agent": None}) == ""
    assert query({"status": Level.HIGH, "ids": ["a", "b"]}) == "status=high&ids=a&ids=b"


def test_a_query_takes_no_objects() -> None:
    with pytest.raises(TypeError, match=r"^filter cannot"):
        query({"filter": {"a": 1}})
