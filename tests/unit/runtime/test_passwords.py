"""Which passwords are accepted, and that somebody unknown costs as much as somebody known."""

from __future__ import annotations

import time

import pytest

from dashclaw.runtime import passwords

EMAIL, NAME = "finance.desk@example.com", "Finance Desk Köln"


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "Savannah tree 17 lamps",
        "finance.desk and eleven dwarfs",
        "dX9#kq!2vLp7",
        "пароль из пяти слов",
        "我喜欢在春天的早晨喝茶吧",
    ],
)
def test_a_phrase_of_one_s_own_is_accepted(password: str) -> None:
    assert passwords.objection(password, EMAIL, NAME) is None


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "at least 12"),
        ("elevenchars", "at least 12"),
        ("x" * 257, "at most 256"),
        ("with a \x00 inside", "at least 12"),
        ("aaaaaaaaaaaaaaaa", "a run of keys"),
        ("abababababab", "a run of keys"),
        ("123456789012", "a run of keys"),
        ("qwertyuiopas", "a run of keys"),
        ("Password1234!", "everybody tries"),
        ("P@ssw0rd1234", "everybody tries"),
        ("Passwort2026!!", "everybody tries"),
        ("dashclaw2026!", "everybody tries"),
        ("finance.desk@example.com", "the name or the e-mail"),
        ("Finance Desk Köln", "the name or the e-mail"),
        ("finance.desk2026!", "the name or the e-mail"),
        ("Example-Desk-1", "the name or the e-mail"),
    ],
)
def test_what_is_guessed_first_is_refused(password: str, why: str) -> None:
    assert why in (passwords.objection(password, EMAIL, NAME) or "")


def test_a_password_is_the_same_however_a_keyboard_composes_it() -> None:
    kept = passwords.hashed("caf\u00e9 in the morning")
    assert passwords.matches(kept, "cafe\u0301 in the morning")
    assert not passwords.matches(kept, "cafe in the morning")


@pytest.mark.parametrize("kept", [None, "", "plain text", "$argon2id$v=19$m=65536,t=3,p=4$broken"])
def test_what_is_no_hash_matches_nothing(kept: str | None) -> None:
    assert not passwords.matches(kept, "correct horse battery")


def test_too_long_a_password_matches_nothing_and_is_not_hashed_whole() -> None:
    assert not passwords.matches(passwords.hashed("x" * 300), "x" * 300)


def test_nobody_and_somebody_cost_the_same() -> None:
    kept = passwords.hashed("correct horse battery")

    def spent(known: str | None) -> float:
        before = time.process_time()
        passwords.matches(known, "another long phrase")
        return time.process_time() - before

    for known in (kept, None):
        spent(known)
    somebody, nobody = (min(spent(known) for _ in range(3)) for known in (kept, None))
    assert 0.5 < nobody / somebody < 2
