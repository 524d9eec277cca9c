"""Redaction: known secrets are masked wherever they stand, plain text is untouched, and long texts cost little."""

from __future__ import annotations

import random
import string
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashclaw._detect import find_secrets
from dashclaw._patterns import KINDS
from dashclaw._redact import FREE_TEXT_FIELDS, redact_body, redact_text, summarise

KEY_BODY = "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=124))
SECRETS = {
    "private_key": [
        f"-----BEGIN {kind}PRIVATE KEY-----\nMIIE{KEY_BODY}\n{KEY_BODY}\n-----END {kind}PRIVATE KEY-----"
        for kind in ("", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ")
    ]
    + [
        f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{KEY_BODY}",
        f"-----BEGIN PRIVATE KEY-----\\nMIIE{KEY_BODY}\\n{KEY_BODY}\\n-----END PRIVATE KEY-----\\n",
        f"-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES-128-CBC,2A57\n\n{KEY_BODY}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG (Linux)\n\n{KEY_BODY}\n-----END PGP",
    ],
    "anthropic_key": ["sk-ant-api03-" + KEY_BODY[:93]],
    "openai_key": ["sk-" + KEY_BODY[:48], "sk-proj-" + KEY_BODY[:100], "sk-svcacct-" + KEY_BODY[:60]],
    "stripe_key": ["sk_" + "live_" + KEY_BODY[:24], "rk_" + "test_" + KEY_BODY[:24]],
    "dashclaw_key": ["oc_live_" + "0123456789abcdef" * 2],
    "google_api_key": ["AIza" + KEY_BODY[:35]],
    "aws_access_key": ["AKIA" + "IOSFODNN7EXAMPLE", "ASIA" + "IOSFODNN7EXAMPLE"],
    "aws_secret_key": ['aws_secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"'],
    "github_token": ["ghp_" + KEY_BODY[:36], "gho_" + KEY_BODY[:36], "ghs_" + KEY_BODY[:36]],
    "github_fine_grained_token": ["github_pat_" + KEY_BODY[:82]],
    "gitlab_token": ["glpat-" + KEY_BODY[:20]],
    "slack_token": ["xoxb-" + "123456789012-123456789012-" + KEY_BODY[:24]],
    "npm_token": ["npm_" + KEY_BODY[:36]],
    "jwt_token": [f"eyJ{KEY_BODY[:30]}.eyJ{KEY_BODY[:60]}.{KEY_BODY[:43]}"],
    "bearer_token": [f"Authorization: Bearer {KEY_BODY[:40]}", f"authorization: bearer {KEY_BODY[:40]}"],
    "database_url": [
        "postgresql://user:pa55word@db.example/app",
        "postgresql+psycopg://user:pa55word@db.example/app",
        "mysql://root:pa55word@localhost",
        "mongodb://u:pa55word@host:27017",
        "redis://:pa55word@cache:6379/0",
        "amqps://guest:pa55word@mq",
    ],
    "api_key_generic": [
        f"api_key={KEY_BODY[:32]}",
        f'"client_secret": "{KEY_BODY[:32]}"',
        f"Auth Token: {KEY_BODY[:32]}",
    ],
    "password_field": ["password=hunter2hunter2", 'Password: "correct horse battery"', "pwd := 's3cr3ts'"],
}
CASES = [(name, text) for name, texts in SECRETS.items() for text in texts]
PLAIN = [
    "",
    "Update the customer records of region 7 and publish the report for the team",
    "The key to success is a token of appreciation; keep no secret from the team",
    "See https://docs.example.com/keys?page=2#tokens and sk-learn, task-force, risk-averse",
    "commit 6455ef7b2a1c4d5e6f708192a3b4c5d6e7f80910 and id act_2f9c1a5e-7d38-4f7a-9b58-0f2f6a1f3f11",
    "The password must be changed; passwords are stored hashed",
    "postgresql://db.example/app and redis://cache:6379/0 hold no password",
    "pk is the primary key, AKIA is a prefix, eyJ is how a JWT starts, Bearer of bad news",
    "日本語のテキスト und Straßenbahn 😀",
    "Lorem ipsum " * 500,
]


def test_the_cases_name_kinds_that_exist() -> None:
    assert set(SECRETS) <= {kind.name for kind in KINDS}


@pytest.mark.parametrize(("name", "text"), CASES)
def test_a_known_secret_is_masked_wherever_it_stands(name: str, text: str) -> None:
    for before, after in (("", ""), ("Use ", " now"), ("(", ")"), ("first\n", "\nlast"), ("😀 ", ". Then go on.")):
        masked = redact_text(before + text + after)
        assert f"[REDACTED:{name}]" in masked
        assert masked.startswith(before)
        for secret in (KEY_BODY[:16], "pa55word", "hunter2", "horse", "s3cr3ts", "wJalr", "IOSF", "0123456789abcdef01"):
            assert secret not in masked
        if "BEGIN" not in text:
            assert masked.endswith(after[1:])


@pytest.mark.parametrize(("name", "text"), CASES)
def test_masking_twice_changes_nothing_more(name: str, text: str) -> None:
    once = redact_text(f"a {text} b")
    assert redact_text(once) == once


@pytest.mark.parametrize("text", PLAIN)
def test_plain_text_is_untouched(text: str) -> None:
    assert redact_text(text) is text
    assert find_secrets(text) == []


@given(st.text())
def test_text_without_a_secret_comes_back_as_it_is(text: str) -> None:
    assert redact_text(text) == text or find_secrets(text)


@given(st.text(max_size=40), st.sampled_from(CASES), st.text(max_size=40))
def test_the_text_around_a_secret_stays(before: str, case: tuple[str, str], after: str) -> None:
    _, secret = case
    masked = redact_text(f"{before} \n {secret} \n {after}")
    assert "[REDACTED:" in masked
    assert len(masked) <= len(before) + len(secret) + len(after) + 100


def test_many_secrets_in_one_text_are_found_in_order() -> None:
    texts = [text for name, text in CASES if name != "private_key"]
    found = find_secrets("\n".join(texts))
    assert len(found) >= len(texts)
    assert [finding.start for finding in found] == sorted(finding.start for finding in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


HOSTILE = {
    "dashes": "-----BEGIN " * 20_000,
    "begins of keys": "-----BEGIN PRIVATE KEY-----" * 8_000,
    "words before passwords": "password " * 25_000,
    "passwords": "password=" * 22_000,
    "spaces after a name": "api_key" + " " * 200_000,
    "names": "api_key_token_secret." * 10_000,
    "awses": "aws_" * 50_000 + "secret",
    "aws letters": "aws" + "a" * 200_000,
    "tokens' starts": "eyJ" * 70_000,
    "tokens' parts": "eyJaaaaaaaaa.eyJ" * 12_000,
    "urls": "postgres://" * 20_000,
    "urls with colons": "postgres://" + "a:" * 100_000,
    "bearers": "bearer " * 30_000,
    "one long word": "a" * 200_000,
    "one long key": "sk-" + "a" * 200_000,
    "starts of keys": "sk-" * 70_000,
    "quotes": "pwd='" * 40_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_makes_redaction_slow(text: str) -> None:
    started = time.process_time()
    redact_text(text)
    # Some 200,000 characters; what grows with the square would take minutes.
    assert time.process_time() - started < 4.0


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_cost_grows_with_the_length_and_not_with_its_square(text: str) -> None:
    def cost(part: str) -> float:
        started = time.process_time()
        redact_text(part)
        return time.process_time() - started

    short = min(cost(text[: len(text) // 8]) for _ in range(3))
    assert min(cost(text) for _ in range(2)) < 30 * short + 0.1


def test_only_free_text_is_looked_at_and_a_clean_body_is_the_same_object() -> None:
    secret = "sk-ant-api03-" + KEY_BODY[:93]
    clean = {"declared_goal": "Read it", "metadata": {"a": ["b", 1, None]}, "agent_id": secret}
    assert redact_body(clean) is clean
    body = {"agent_id": secret, "declared_goal": secret, "metadata": {"deep": [{"key": (secret, 1)}]}, "content": None}
    masked = redact_body(body)
    assert masked["agent_id"] == secret
    assert masked["declared_goal"] == "[REDACTED:anthropic_key]"
    assert masked["metadata"] == {"deep": [{"key": ["[REDACTED:anthropic_key]", 1]}]}
    assert body["declared_goal"] == secret and body["metadata"] == {"deep": [{"key": (secret, 1)}]}


@pytest.mark.parametrize("field", sorted(FREE_TEXT_FIELDS))
def test_each_free_text_field_is_masked(field: str) -> None:
    assert redact_body({field: "password=hunter2hunter2"}) == {field: "password=[REDACTED:password_field]"}


def test_a_summary_counts_and_names_no_secret() -> None:
    found = summarise(["password=hunter2hunter2", "fine", "AKIA" + "IOSFODNN7EXAMPLE"])
    assert found == {
        "clean": False,
        "findings_count": 2,
        "critical_count": 1,
        "categories": ["cloud_credential", "password"],
    }
    assert summarise([])["clean"] is True
