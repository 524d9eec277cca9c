"""Values that JSON lacks, in a documented form.

=================  =====================================================================
datetime           RFC 3339 in UTC with "Z"; a naive one is local time, as Python takes it
date               "2026-01-31"
Decimal            a number
UUID, path         text
Enum               its value
set, frozenset     a list, sorted
bytes              base64 text
dataclass          an object of its fields
=================  =====================================================================

Anything else is a `TypeError` that names the field, NaN and infinity a `ValueError`. At the top level of a
body None is left out.
"""

from __future__ import annotations

import sys
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from ._json import compact

# The way to a value, innermost part first, so that no text is built unless it has to be shown.
Where = Tuple[Any, ...]

_NOT_FINITE = (float("inf"), float("-inf"))


def plain(body: Mapping[str, Any]) -> Dict[str, Any]:
    """Return a copy of a body that holds JSON values only."""
    try:
        return {_key(name, ()): _value(item, (name, ())) for name, item in body.items() if item is not None}
    except RecursionError:
        raise ValueError("The body contains itself or is nested too deeply") from None


def encode(body: Mapping[str, Any]) -> bytes:
    """Return the JSON text of a plain body as UTF-8."""
    text = compact(body)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{_unwritable(body)} holds half a surrogate pair, which is not text") from None


def query(values: Mapping[str, Any]) -> str:
    """Return a query string, "" when there is nothing to ask: None is left out, booleans are true and false."""
    pairs: List[Tuple[str, str]] = []
    for name, value in values.items():
        if value is not None:
            form = _value(value, (name, ()))
            pairs.extend((name, _query_text(name, item)) for item in (form if isinstance(form, list) else [form]))
    if not pairs:
        return ""
    from urllib.parse import urlencode

    return urlencode(pairs)


def _query_text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise TypeError(f"{name} cannot be sent in a query: it is {type(value).__name__}")


def _value(value: Any, where: Where) -> Any:
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        if value != value or value in _NOT_FINITE:
            raise ValueError(f"{_name(where)} is {value!r}, which JSON cannot carry")
        return value
    if kind is dict:
        return {_key(key, where): _value(item, (key, where)) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [_value(item, (index, where)) for index, item in enumerate(value)]
    return _rare(value, where)


def _rare(value: Any, where: Where) -> Any:
    for module, name, form in _FORMS:
        # A value of a type can only exist where the type's module is loaded.
        loaded = sys.modules.get(module)
        if loaded is not None and isinstance(value, getattr(loaded, name)):
            return form(value, where)
    fields = getattr(type(value), "__dataclass_fields__", None)
    if fields is not None:
        return {name: _value(getattr(value, name), (name, where)) for name in fields}
    raise TypeError(f"{_name(where)} cannot be sent: {type(value).__name__} has no JSON form")


def _key(key: Any, where: Where) -> str:
    if isinstance(key, str):
        return key
    raise TypeError(f"{_name(where) or 'The body'} has the key {key!r}; the keys of an object are text")


def _items(value: Any, where: Where) -> Any:
    return [_value(item, (index, where)) for index, item in enumerate(value)]


def _pairs(value: Any, where: Where) -> Any:
    return {_key(key, where): _value(value[key], (key, where)) for key in value}


def _sorted(value: Any, where: Where) -> Any:
    return sorted(_items(value, where), key=compact)


def _moment(value: Any, _: Where) -> str:
    from datetime import timezone

    text: str = value.astimezone(timezone.utc).isoformat()
    return text[: -len("+00:00")] + "Z"


def _number(value: Any, where: Where) -> Any:
    if not value.is_finite():
        raise ValueError(f"{_name(where)} is {value}, which JSON cannot carry")
    return int(value) if value == value.to_integral_value() else float(value)


def _base64(value: Any, _: Where) -> str:
    from base64 import b64encode

    return b64encode(bytes(value)).decode("ascii")


def _text(value: Any, _: Where) -> str:
    return str(value)


# In order: a datetime is a date, and many enumerations are also text or numbers.
_FORMS: Tuple[Tuple[str, str, Callable[[Any, Where], Any]], ...] = (
    ("enum", "Enum", lambda value, where: _value(value.value, where)),
    ("builtins", "str", lambda value, _: str.__str__(value)),
    ("builtins", "int", lambda value, _: int(value)),
    ("builtins", "float", lambda value, where: _value(float(value), where)),
    ("datetime", "datetime", _moment),
    ("datetime", "date", lambda value, _: value.isoformat()),
    ("decimal", "Decimal", _number),
    ("uuid", "UUID", _text),
    ("pathlib", "PurePath", _text),
    ("builtins", "set", _sorted),
    ("builtins", "frozenset", _sorted),
    ("builtins", "bytes", _base64),
    ("builtins", "bytearray", _base64),
    ("builtins", "list", _items),
    ("builtins", "tuple", _items),
    ("collections.abc", "Mapping", _pairs),
)


def _name(where: Where) -> str:
    parts: List[str] = []
    while where:
        part, where = where
        parts.append(f"[{part}]" if isinstance(part, int) else f".{part}")
    return "".join(reversed(parts)).lstrip(".")


def _unwritable(value: Any, where: Where = ()) -> Optional[str]:
    """Name the first text that UTF-8 cannot carry."""
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return _name(where) or "The body"
        return None
    if isinstance(value, dict):
        inner = [(item, (key, where)) for key, item in value.items()] + [(key, (key, where)) for key in value]
    else:
        inner = [(item, (index, where)) for index, item in enumerate(value)] if isinstance(value, list) else []
    return next(filter(None, (_unwritable(item, way) for item, way in inner)), None)
