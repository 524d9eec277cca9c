"""Passwords: which are accepted, how they are kept, and whether one is right.

They are kept as argon2id with the parameters that RFC 9106 recommends where memory is scarce, 64 MiB and three passes.
"""

from __future__ import annotations

import re
import secrets
import threading
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .body import is_text

if TYPE_CHECKING:
    from argon2 import PasswordHasher

LEAST = 12
MOST = 256
_LEAST_OWN_LETTERS = 8
_LEAST_DIFFERENT = 5
# Each takes 64 MiB while it runs.
_AT_ONCE = 4
_turns = threading.BoundedSemaphore(_AT_ONCE)
_WORDS = re.compile(r"[^\W_]+")
_TAIL = re.compile(r"[\W\d_]+$")

_LEET = str.maketrans("013457@$", "oleastas")
_RUNS = ("01234567890123456789", "98765432109876543210", "qwertyuiopasdfghjklzxcvbnm", "abcdefghijklmnopqrstuvwxyz")


class _Kept(NamedTuple):
    hasher: PasswordHasher
    decoy: str


@lru_cache(maxsize=1)
def _kept() -> _Kept:
    from argon2 import PasswordHasher

    hasher = PasswordHasher()
    # Somebody unknown costs as much as somebody known, so that the time does not tell who exists.
    return _Kept(hasher, hasher.hash(secrets.token_hex(16)))


def objection(password: str, email: str, name: str | None = None) -> str | None:
    """Why a password is not accepted for a person, as the rest of a sentence; None when it is."""
    if len(password) < LEAST or not is_text(password):
        return f"must have at least {LEAST} characters"
    if len(password) > MOST:
        return f"must have at most {MOST} characters"
    spelt = _spelt(password).casefold()
    if len(set(spelt)) < _LEAST_DIFFERENT or any(spelt in run for run in _RUNS):
        return "must not be a run of keys or of a few characters"
    if not _common().isdisjoint({_letters(spelt), _letters(_TAIL.sub("", spelt).translate(_LEET))}):
        return "must not be one of the passwords that everybody tries first"
    return _about_oneself(spelt, email, name)


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    """What people choose first, told apart without case, digits and signs."""
    return frozenset((Path(__file__).parent / "data" / "common_passwords.txt").read_text("utf-8").split())


def _about_oneself(spelt: str, email: str, name: str | None) -> str | None:
    left = spelt
    for known in sorted(
        {email, *_WORDS.findall(email), name or "", *_WORDS.findall(name or "")}, key=len, reverse=True
    ):
        if len(known) > 2:
            left = left.replace(known.casefold(), "")
    if left != spelt and len(left) < _LEAST_OWN_LETTERS:
        return "must not be little more than the name or the e-mail address"
    return None


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalpha())


def _spelt(password: str) -> str:
    """A password in the one spelling that is kept: keyboards differ in how they compose characters."""
    return unicodedata.normalize("NFKC", password)


def hashed(password: str) -> str:
    """The form in which a password is kept; takes about a tenth of a second."""
    with _turns:
        return _kept().hasher.hash(_spelt(password))


def matches(kept: str | None, password: str) -> bool:
    """Whether a password is the one that is kept; takes as long when none is."""
    from argon2.exceptions import InvalidHashError, VerificationError

    if len(password) > MOST or not is_text(password):
        kept, password = None, ""
    with _turns:
        try:
            _kept().hasher.verify(kept or _kept().decoy, _spelt(password))
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None


def outdated(kept: str) -> bool:
    """Whether a right password is to be kept anew, because it was kept with other parameters."""
    return _kept().hasher.check_needs_rehash(kept)
