"""Tells a generated value from a word, a name or a placeholder."""

from __future__ import annotations

import math
import re
from collections import Counter

from ._regex import regex

_CHANGE = regex(r"(?<=[a-z])[A-Z0-9]|(?<=[A-Z])[a-z0-9]|(?<=[0-9])[A-Za-z]")
_SEPARATORS = regex(r"[^A-Za-z0-9]")
_WORD = regex(r"[A-Z][a-z]{2,40}|[a-z]{3,40}")
_LONG_WORD = regex(r"[A-Z][a-z]{2,40}|[a-z]{4,40}")
_CLUSTER = regex(r"[bcdfghjklmnpqrstvwxz]{4}", re.IGNORECASE)
_SLUG = regex(r"(?:(?:[A-Z]?[a-z]{2,40}|[A-Z]{2,40}){1,4}[0-9]{0,2}|[0-9]{1,40}|[A-Za-z0-9]{1,3})(?:[-_./: ]{1,2}|$)")
_TIME = regex(r"\d{4}-?\d\d-?\d\d(?:$|[T ]\d|[^A-Za-z0-9])")
_LONG_HEX = regex(r"(?:[a-z]{2,4}_?)?(?=[a-f]{0,40}[0-9])[0-9a-f]{32,256}\Z")
_NUMBER = regex(r"[\^~<>=v ]{0,3}-?\d+(?:\.\d+)*(?:\.[*x])?\Z")
_DIGEST = regex(r"(?i)(?:sha\d{1,3}|md5|blake\w{1,4})[-:=]")
_TEMPLATE = regex(
    r"\\?\$_[A-Z]+\[|\$\{[\w.:\-]*\}|\$\(|\$[A-Za-z_]\w*(?:$|[/:])|\{\{[\w\s.|\-\"'()]*\}\}|\{[\w.\-]*\}$|<[\w\s.\-]*>?|%[A-Za-z_]\w*%?$|%\(|\[[\w\s.\-]*\]+$"
    r"|#\{|@[A-Za-z]\w*[.(]|env[.(:]|ENC\[|![A-Za-z]\w+$|process\.|&\w"
)
_STAND_IN = regex(
    r"(?i)x{4}|\*{3}|\.{3}|\u2026|_{4}|-{4}|y{4}z|0{6}|redact|masked|hidden|change.?(?:me|this|it)\b|placeholder"
    r"|your[-_ ]|my[-_](?:api|secret|token|key|pass|super)|\bexample\b|dummy|fake|replace[-_ ]?(?:me|with|this)"
    r"|insert[-_ ]|todo|fixme|lorem|enter[-_ ]|some[-_](?:api|secret|token|key|pass)"
)
_NOTHING_NAMES = (
    "none null nil true false undefined string str required optional default empty unset secret password token bearer"
    " passwd pass key apikey api_key value number boolean object text hidden any bytes int enabled disabled missing"
    " invalid incorrect expired prompt input unknown stdin basic digest"
)
_NOTHING = frozenset(_NOTHING_NAMES.split())


def is_stand_in(value: str) -> bool:
    """Whether a value holds the place of one: a template, a mask, `None`, "changeme"."""
    return is_template(value) or value.lower() in _NOTHING or len(set(value)) < 4


def is_number(value: str) -> bool:
    """Whether a value is a number or a version, such as "^7.1.3"."""
    return _NUMBER.match(value) is not None and (not value.isdigit())


def is_template(value: str) -> bool:
    """Whether a value is to be filled in, or was masked."""
    return _TEMPLATE.match(value) is not None or _STAND_IN.search(value[:200]) is not None


def looks_random(value: str, least: int = 16) -> bool:
    """Whether a value of `least` characters or more looks generated rather than written by a person."""
    if len(value) < least or is_stand_in(value) or _TIME.match(value) or _DIGEST.match(value) or _is_slug(value):
        return False
    plain = _SEPARATORS.sub("", value)
    if len(plain) < 0.6 * len(value) or len(set(plain)) < 6:
        return False
    if _LONG_HEX.match(value):
        return True
    changes = len(_CHANGE.findall(plain))
    digits = any(letter.isdigit() for letter in plain)
    words = (_LONG_WORD if digits else _WORD).findall(plain)
    if sum(len(word) for word in words if not (digits and _CLUSTER.search(word))) > 0.7 * len(plain):
        return False
    if digits:
        return changes >= max(2, 0.12 * len(plain))
    return changes >= 0.25 * len(plain) or (changes >= 1 and entropy(plain) >= 4.0)


def entropy(value: str) -> float:
    """Bits per character, by how often each occurs."""
    size = len(value)
    return -sum(n / size * math.log(n / size, 2) for n in Counter(value).values())


def _is_slug(value: str) -> bool:
    if value.isalnum():
        return False
    at = 0
    while at < len(value):
        part = _SLUG.match(value, at)
        if part is None or part.end() == at:
            return False
        at = part.end()
    return True
