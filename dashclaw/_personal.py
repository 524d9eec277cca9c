"""Finds personal data: e-mail addresses, payment cards, bank accounts, social security and telephone numbers.

Numbers count when their check digits, or the ranges that were given out, are right.
"""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, Tuple

from ._detect import Finding, choose, find_secrets
from ._patterns import Kind

EMAIL = Kind("email_address", "personal_data", "medium")
CARD = Kind("card_number", "personal_data", "high")
SSN = Kind("us_ssn", "personal_data", "high")
IBAN = Kind("iban", "personal_data", "high")
PHONE = Kind("phone_number", "personal_data", "medium")
KINDS = (EMAIL, CARD, SSN, IBAN, PHONE)

_LOCAL = re.compile(r"(?<![A-Za-z0-9._%+'\-])[A-Za-z0-9](?:[A-Za-z0-9._%+'\-]{0,62}[A-Za-z0-9_+\-])?\Z")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,62})\.){1,6}[A-Za-z]{2,24}(?![A-Za-z0-9\-(@:])")
_FILES = "png jpg jpeg gif svg webp js ts py css html json local"
_NOT_A_DOMAIN = frozenset(_FILES.split())
_SHARED = frozenset(("git", "hg", "svn", "noreply", "no-reply"))

# Digits in groups, as cards, telephone and social security numbers are written.
_DIGITS = re.compile(r"[0-9][0-9 \-.()]{7,24}[0-9]")
_SSN = re.compile(r"[0-9]{3}([- ])[0-9]{2}\1[0-9]{4}")
_CARD = re.compile(r"[0-9]{13,19}|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}|[0-9]{4}([ -])[0-9]{6}\2[0-9]{5}")
_CARD_START = re.compile(r"4|5[1-5]|2[2-7]|3[47]|6(?:011|5|4[4-9])|35|30[0-5]|3[689]|62|50|5[678]|6[37]")
_NORTH_AMERICA = re.compile(r"(?:\+?1[ .\-]?)?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}([ .\-]))[2-9][0-9]{2}[ .\-][0-9]{4}")
_INTERNATIONAL = re.compile(r"\+[1-9][0-9]{0,3}(?:[ .\-]?\(?[0-9]{1,5}\)?){2,6}")

_IBAN = re.compile(r"[A-Z][A-Z][0-9]{2} ?(?:[A-Z0-9]{4} ?){2,7}[A-Z0-9]{1,4}")
_IBAN_SIZES = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18"
    " FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20"
    " LV21 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24"
    " SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
)
_SIZES: Dict[str, int] = {part[:2]: int(part[2:]) for part in _IBAN_SIZES.split()}


def find_all(text: str) -> List[Finding]:
    """Return secrets and personal data in the order they stand, none overlapping another."""
    secrets = find_secrets(text)
    spots: Iterator[Tuple[Kind, int, int]] = _personal(text)
    found = choose(text, [*secrets, *spots])
    return sorted(found, key=lambda finding: finding.start)


def _personal(text: str) -> Iterator[Tuple[Kind, int, int]]:
    if "@" in text:
        yield from _emails(text)
    yield from _ibans(text)
    yield from _numbers(text)


def _emails(text: str) -> Iterator[Tuple[Kind, int, int]]:
    at = text.find("@")
    while at >= 0:
        domain = _DOMAIN.match(text, at + 1)
        if domain is not None and domain.group().rsplit(".", 1)[1].lower() not in _NOT_A_DOMAIN:
            local = _LOCAL.search(text[max(0, at - 66) : at])
            if local is not None and local.group().lower() not in _SHARED:
                yield EMAIL, at - len(local.group()), domain.end()
        at = text.find("@", at + 1)


def _ibans(text: str) -> Iterator[Tuple[Kind, int, int]]:
    for matched in _IBAN.finditer(text):
        start = matched.start()
        size = _SIZES.get(text[start : start + 2])
        if size is None or _follows_word(text, start):
            continue
        compact, end = "", start
        while len(compact) < size and end < matched.end():
            compact += text[end].strip()
            end += 1
        if len(compact) == size and not _goes_on(text, end) and _iban_is_right(compact):
            yield IBAN, start, end


def _iban_is_right(compact: str) -> bool:
    turned = compact[4:] + compact[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1


def _numbers(text: str) -> Iterator[Tuple[Kind, int, int]]:
    for matched in _DIGITS.finditer(text):
        start, end = matched.span()
        if text[start + 4] == "-" == text[start + 7]:
            # A date.
            continue
        for mark in "(+":
            start -= text.startswith(mark, start - 1) if start else 0
        if not _follows_word(text, start):
            spot = _number(text, start, end)
            if spot is not None:
                yield spot


def _number(text: str, start: int, end: int) -> "Tuple[Kind, int, int] | None":
    for kind, shape, is_right in _NUMBERS:
        matched = shape.match(text, start, end)
        if matched is None:
            continue
        stop = matched.end()
        if not _goes_on(text, stop) and is_right(matched.group()):
            return kind, start, stop
    return None


_JOINS = frozenset("_-./+#@%=&:")


def _follows_word(text: str, at: int) -> bool:
    """Whether what starts at a place goes on with a longer word or number."""
    before = text[max(0, at - 2) : at]
    return before[-1:].isalnum() or (before[-1:] in _JOINS and before[:1].isdigit() and len(before) == 2)


def _goes_on(text: str, at: int) -> bool:
    """Whether a word or number does not end at a place."""
    after = text[at : at + 2]
    return after[:1].isalnum() or after[:1] == "_" or (after[:1] in _JOINS and after[1:].isalnum())


def _card_is_right(number: str) -> bool:
    digits = [int(letter) for letter in number if letter.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1 or _CARD_START.match(number) is None:
        return False
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _ssn_is_right(number: str) -> bool:
    area, group, serial = number[:3], number[4:6], number[7:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _phone_is_right(number: str) -> bool:
    return 8 <= sum(letter.isdigit() for letter in number) <= 15 and len(set(number)) > 3


_NUMBERS = (
    (CARD, _CARD, _card_is_right),
    (SSN, _SSN, _ssn_is_right),
    (PHONE, _NORTH_AMERICA, _phone_is_right),
    (PHONE, _INTERNATIONAL, _phone_is_right),
)
