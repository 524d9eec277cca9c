"""Canonical JSON (RFC 8785): one spelling per value, so that digests and signatures mean the value."""

from __future__ import annotations

from typing import Any, Callable

from ._json import compact_sorted

_SAFE = 2**53 - 1


def canonical(value: Any) -> bytes:
    """Return the RFC 8785 form of a JSON value as UTF-8.

    Raises `ValueError` for what the form cannot carry: NaN, infinities, integers beyond 2**53 - 1 and half
    surrogate pairs; `TypeError` for what is not JSON at all.
    """
    return _form(value, _exact)


def canonical_as_read(value: Any) -> bytes:
    """Return the RFC 8785 form of a value that was parsed from JSON text, for verifying what somebody signed.

    JavaScript spells the double 1e16 as a whole number, which Python reads as an integer: such an integer is taken
    as the double that it spells. Raises like `canonical`, also for an integer that spells no double.
    """
    return _form(value, _as_double)


def _form(value: Any, whole: Callable[[int], str]) -> bytes:
    try:
        text = compact_sorted(value) if _is_plain(value) else _write(value, whole)
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("half a surrogate pair has no canonical form") from error
    except RecursionError:
        raise ValueError("what is nested that deeply has no canonical form here") from None


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical form, in hex."""
    from hashlib import sha256

    return sha256(canonical(value)).hexdigest()


# Without floats, big integers and keys outside ASCII, the standard encoder writes the canonical form.
def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return bool(-_SAFE <= value <= _SAFE)
    if kind is dict:
        return all(type(key) is str and key.isascii() and _is_plain(item) for key, item in value.items())
    if kind is list or kind is tuple:
        return all(_is_plain(item) for item in value)
    return False


def _write(value: Any, whole: Callable[[int], str]) -> str:
    if value is None or isinstance(value, (bool, str)):
        return compact_sorted(value)
    if isinstance(value, int):
        return str(int(value)) if -_SAFE <= value <= _SAFE else whole(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, dict):
        pairs = (compact_sorted(key) + ":" + _write(value[key], whole) for key in _sorted_keys(value))
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_write(item, whole) for item in value) + "]"
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def _exact(_: int) -> str:
    raise ValueError("an integer beyond 2**53 - 1 has no canonical form: send it as text, or as a float")


def _as_double(value: int) -> str:
    try:
        text = _number(float(value))
    except OverflowError:
        text = ""
    if text != str(int(value)):
        raise ValueError("an integer beyond 2**53 - 1 that spells no double has no canonical form")
    return text


def _sorted_keys(value: Any) -> Any:
    if not all(isinstance(key, str) for key in value):
        raise TypeError("the keys of a JSON object are strings")
    # The order is that of UTF-16 code units, which differs from Python's beyond the basic plane.
    return sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))


def _number(value: float) -> str:
    """Spell a double as ECMAScript does (ECMA-262, Number::toString)."""
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"{value!r} has no canonical form")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    digits = (whole + fraction).lstrip("0")
    point = (
        len(whole) + int(exponent or 0)
        if whole != "0"
        else int(exponent or 0) - (len(fraction) - len(fraction.lstrip("0")))
    )
    return sign + _place(digits.rstrip("0"), point)


def _place(digits: str, point: int) -> str:
    """Write significant digits whose decimal point stands after the first `point` of them."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    exponent = "e%+d" % (point - 1)
    return digits[0] + ("." + digits[1:] if count > 1 else "") + exponent
