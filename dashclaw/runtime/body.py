"""Read a JSON body the same way on every edge."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from .problems import Problem

_DEEPEST = 64
_TOO_DEEP = f"It is nested deeper than {_DEEPEST} levels"


def read_object(raw: bytes) -> dict[str, Any]:
    """Parse a request body into an object; an empty body is an empty object.

    Raises `Problem` 400 for anything that is not a JSON object the databases can hold.
    """
    if not raw.strip():
        return {}
    try:
        found = read_json(raw.decode())
    except ValueError as error:
        raise Problem(400, "INVALID_JSON", "The body is not valid JSON", details=[str(error)[:200]]) from error
    if not isinstance(found, dict):
        raise Problem(400, "INVALID_JSON", f"The body must be a JSON object, not {_kind(found)}")
    return found


def read_json(text: str) -> Any:
    """Parse JSON that both databases can hold; raises `ValueError` for any other."""
    try:
        found = _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    # Both databases refuse lone surrogates and NUL; in valid JSON both can only come from an escape.
    _check(found, 0, "\\u" in text)
    return found


def is_text(text: str) -> bool:
    """Whether both databases can hold a string."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    found = float(digits)
    if math.isinf(found):
        raise ValueError(f"{digits[:40]} is too large for a number")
    return found


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def _check(value: Any, depth: int, strings: bool) -> None:
    if depth > _DEEPEST:
        raise ValueError(_TOO_DEEP)
    if isinstance(value, dict):
        for key, item in value.items():
            if strings:
                _check_text(key)
            _check(item, depth + 1, strings)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1, strings)
    elif strings and isinstance(value, str):
        _check_text(value)


def _check_text(text: str) -> None:
    if not is_text(text):
        raise ValueError("A NUL or half a surrogate pair is not text")


def _kind(value: Any) -> str:
    return {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}.get(type(value), "a number")
