"""What the detector finds and what it leaves alone, on texts made from documented formats and on real files."""

from __future__ import annotations

import base64
import hashlib
import random
import string
import sysconfig
import uuid
from pathlib import Path

import pytest

from dashclaw._detect import find_secrets
from dashclaw._patterns import KINDS, TOKENS, Token
from dashclaw._personal import find_all
from dashclaw._redact import redact_text
from dashclaw._scan import scan

from ..detector_cases import Case, cases

EVERY_TOKEN = sorted({token for tokens in TOKENS.values() for token in tokens}, key=lambda token: token.prefix)
HEX, UPPER = "0123456789abcdef", string.ascii_uppercase + string.digits
ALNUM = string.ascii_letters + string.digits
CHANCE = random.Random(3)


def hits(found: list[Case]) -> list[str]:
    return [case.line for case in found if find_secrets(case.text)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_three_of_four_secrets_are_found_and_hardly_anything_else(seed: int) -> None:
    made = cases(seed)
    secret, plain = [case for case in made if case.secret], [case for case in made if not case.secret]
    assert min(len(secret), len(plain)) >= 80
    assert len(hits(secret)) >= 0.75 * len(secret)
    assert hits(plain) == []


def body_of(token: Token) -> str:
    """A random body that the token's own shape takes."""
    shapes = [ALNUM, UPPER, HEX]
    size = min(max(token.least, 1), 500)
    for alphabet in shapes:
        body = "".join(CHANCE.choices(alphabet, k=size))
        matched = token.body.match(body)
        if matched is not None and matched.end() == size:
            return body
    if token.kind.name == "airtable_token":
        return "".join(CHANCE.choices(ALNUM, k=14)) + "." + "".join(CHANCE.choices(HEX, k=64))
    return str(uuid.UUID(int=CHANCE.getrandbits(128)))


@pytest.mark.parametrize("token", EVERY_TOKEN, ids=[f"{token.kind.name} {token.prefix}" for token in EVERY_TOKEN])
def test_every_prefix_leads_to_its_kind(token: Token) -> None:
    secret = token.prefix + body_of(token)
    for before, after in (("", ""), ("Use ", " now"), ('{"x": "', '"}'), ("first\\n", "\\nlast"), ("k=", "&b=1")):
        [found] = find_secrets(f"{before}{secret}{after}")
        assert found.kind == token.kind
        assert (found.start, found.end) == (len(before), len(before) + len(secret))
    # A placeholder is no secret.
    assert find_secrets("Use " + token.prefix + "x" * token.least + " here") == []


def test_kinds_have_one_category_each_and_a_known_severity() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 100
    assert {kind.severity for kind in KINDS} == {"critical", "high"}


def lock_file() -> str:
    digests = [CHANCE.randbytes(64) for _ in range(200)]
    rows = [
        f'"node_modules/package-{n}": {{"version": "1.{n}.0", "resolved": "https://registry.npmjs.org/p/-/p-1.{n}.tgz",'
        f' "integrity": "sha512-{base64.b64encode(digest).decode()}"}},'
        for n, digest in enumerate(digests)
    ]
    rows += [f'{{file = "p-{n}.whl", hash = "sha256:{digest[:32].hex()}"}},' for n, digest in enumerate(digests)]
    rows += [f"example.org/m{n} v1.{n}.0 h1:{base64.b64encode(d[:32]).decode()}" for n, d in enumerate(digests)]
    rows += [f'checksum = "{digest[:32].hex()}"\nname = "secret-token-{n}"' for n, digest in enumerate(digests)]
    return "\n".join(rows)


def git_log() -> str:
    return "\n".join(
        f"commit {CHANCE.randbytes(20).hex()}\nAuthor: Jane Roe <jane@example.org>\n\n"
        f"    Refresh the token of key {n}\n\nindex {CHANCE.randbytes(4).hex()}..0a1b2c3 100644\n"
        for n in range(300)
    )


def ids_and_hashes() -> str:
    return "\n".join(
        f"{uuid.UUID(int=CHANCE.getrandbits(128))} {hashlib.sha256(bytes([n % 256])).hexdigest()}"
        f" {CHANCE.randbytes(16).hex()} act_{uuid.UUID(int=CHANCE.getrandbits(128))}"
        for n in range(300)
    )


@pytest.mark.parametrize("text", [lock_file(), git_log(), ids_and_hashes()], ids=["locks", "git", "ids"])
def test_what_programs_generate_raises_no_alarm(text: str) -> None:
    assert find_secrets(text) == []


def test_the_hashes_of_installed_packages_raise_no_alarm() -> None:
    records = sorted(Path(sysconfig.get_paths()["purelib"]).glob("*.dist-info/RECORD"))
    assert len(records) > 10
    for record in records:
        text = record.read_text("utf-8")
        assert [text[found.start : found.end] for found in find_secrets(text)] == [], record.parent.name


PERSONAL = [
    ("Write to john.doe+news@mail.example.com.", "email_address", "john.doe+news@mail.example.com"),
    ("card 4111-1111-1111-1111", "card_number", "4111-1111-1111-1111"),
    ("card 4111 1111 1111 1111, please", "card_number", "4111 1111 1111 1111"),
    ("amex 378282246310005", "card_number", "378282246310005"),
    ("SSN is 123-45-6789.", "us_ssn", "123-45-6789"),
    ("IBAN DE89 3704 0044 0532 0130 00 at once", "iban", "DE89 3704 0044 0532 0130 00"),
    ("GB29NWBK60161331926819", "iban", "GB29NWBK60161331926819"),
    ("Call (415) 555-2671", "phone_number", "(415) 555-2671"),
    ("Call 415-555-2671 or so", "phone_number", "415-555-2671"),
    ("tel:+49 30 901820", "phone_number", "+49 30 901820"),
]


@pytest.mark.parametrize(("text", "kind", "value"), PERSONAL)
def test_personal_data_is_found_exactly(text: str, kind: str, value: str) -> None:
    [found] = find_all(text)
    assert (found.kind.name, text[found.start : found.end]) == (kind, value)
    # Agents need addresses and numbers in what they say they do: only a scan looks for these.
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "card 4111-1111-1111-1112",
        "card 0000-0000-0000-0000",
        "SSN 000-45-6789, 666-45-6789, 923-45-6789, 123-00-6789, 123-45-0000",
        "IBAN DE89 3704 0044 0532 0130 01",
        "2026-01-31 12:00:00 and 2026-01-31T12:00:00.123456Z",
        "10.0.0.1, 1.2.3.4.5.6, 192.168.100.200:8080",
        "order 123456789012, part 12-345-6789-0",
        "git@github.com:owner/name.git and icon@2x.png",
        "version 2.10.1234567 of 20260131123456",
        "550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_other_numbers_are_no_personal_data(text: str) -> None:
    assert [text[found.start : found.end] for found in find_all(text)] == []


def test_a_scan_tells_lines_and_hides_the_rest() -> None:
    text = "one\r\ntwo\r\nSSN 123-45-6789"
    [found] = scan(text)["findings"]
    assert (found["line"], found["position"], found["preview"]) == (3, 14, "***6789")


def test_positions_hold_in_texts_of_any_language() -> None:
    text = "İstanbul ẞtraße 😀 password=hunter2hunter2 日本"
    [found] = find_secrets(text)
    assert text[found.start : found.end] == "hunter2hunter2"
