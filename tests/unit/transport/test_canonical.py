"""Canonical JSON: the same bytes as an independent implementation, for every value it can carry."""

from __future__ import annotations

import enum
import json
import math
import struct
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from dashclaw._canonical import canonical, digest

SAFE = 2**53 - 1
TEXT = st.text(max_size=12)
NUMBERS = st.one_of(
    st.integers(-SAFE, SAFE),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0]).filter(math.isfinite),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=12,
)


@given(VALUES)
@example({"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "ö": 7, "": 8})
@example([0.0, -0.0, 1e21, 1e20, 123456789012345680000.0, 1e-6, 1e-7, 5e-324, 1.7976931348623157e308, 4.5, 100.0])
@example('\u2028\u2029\x7f\x00\x1f"\\/\b\f\n\r\t')
def test_the_form_is_that_of_the_standard(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(VALUES)
def test_the_form_means_the_value(value: Any) -> None:
    found = canonical(value)
    # Whole doubles beyond 2**53 are written without a point and have to be read as doubles again.
    assert canonical(json.loads(found, parse_int=float)) == found


@given(st.dictionaries(TEXT, VALUES, max_size=6), st.randoms())
def test_the_order_of_keys_does_not_matter(value: dict[str, Any], chance: Any) -> None:
    items = list(value.items())
    chance.shuffle(items)
    assert canonical(dict(items)) == canonical(value)
    assert digest(dict(items)) == digest(value)


@pytest.mark.parametrize(
    "wrong", [math.nan, math.inf, -math.inf, SAFE + 1, -SAFE - 1, "\ud800", {"\udc00": 1}, [{"a": math.nan}]]
)
def test_what_has_no_form_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"canonical form"):
        canonical(wrong)


@pytest.mark.parametrize("wrong", [object(), b"x", {1, 2}, {1: "a"}, {None: 1}, [object()], {"a": {2: 3}}, 1j])
def test_what_is_not_json_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError):
        canonical(wrong)


def test_kinds_of_numbers_and_texts_are_spelt_as_what_they_are() -> None:
    class Colour(enum.IntEnum):
        RED = 3

    class Name(str):
        pass

    assert canonical([Colour.RED, Name("x"), True, (1, 2)]) == b'[3,"x",true,[1,2]]'


def test_a_digest_is_the_sha256_of_the_form() -> None:
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
