"""JavaScript's WebCrypto verifies what is signed here and signs what is verified here, for values that are hard."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from dashclaw import SigningError
from dashclaw._canonical import canonical, canonical_as_read
from dashclaw._encode import encode
from dashclaw._signing import load_signer, sign_body
from dashclaw.cli.key_files import PrivateKey, as_jwk, new_key, public

from . import node

TABLE = json.loads(Path(__file__).with_name("hard_values.json").read_text("utf-8"))
VALUES: dict[str, str] = {
    **{row["name"]: row["text"] for row in TABLE},
    "deep nesting": "[" * 200 + "{}" + "]" * 200,
    "deep objects": '{"a":' * 200 + "1e-7" + "}" * 200,
    "a long text": json.dumps("Grüße 😀\u2028" * 20_000),
    "many keys": json.dumps({f"{chr(0x1F600 + number)}{number}": number / 7 for number in range(500)}),
}
BODIES = [f'{{"declared_goal": "Ship it", "value": {text}}}' for text in VALUES.values()]
KEYS: dict[str, PrivateKey] = {kind: new_key(kind) for kind in ("rsa-2048", "ed25519")}


@pytest.fixture(params=KEYS)
def key(request: pytest.FixtureRequest) -> PrivateKey:
    return KEYS[request.param]


def job(key: PrivateKey, private: bool) -> dict[str, Any]:
    about = public(key)
    return {"algorithm": about.algorithm, "key": json.loads(as_jwk(key)) if private else about.pem}


def check(key: PrivateKey, text: str) -> None:
    """Verify a body as it arrived; raises `InvalidSignature`."""
    body = json.loads(text)
    signature = base64.b64decode(body.pop("_signature"), validate=True)
    data = canonical_as_read(body)
    if isinstance(key, rsa.RSAPrivateKey):
        key.public_key().verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    else:
        assert isinstance(key, ed25519.Ed25519PrivateKey)
        key.public_key().verify(signature, data)


def test_both_spell_every_value_in_the_same_bytes() -> None:
    forms = [base64.b64decode(found) for found in node.ask("form", BODIES)]
    ours = [canonical(json.loads(text)) for text in BODIES]
    assert [name for name, form, our in zip(VALUES, forms, ours, strict=True) if form != our] == []


def test_javascript_verifies_what_is_signed_here(key: PrivateKey) -> None:
    signer = load_signer(key)
    sent = [encode(sign_body(json.loads(text), signer)).decode() for text in BODIES]
    found = node.ask("verify", sent, **job(key, private=False))
    assert dict(zip(VALUES, found, strict=True)) == dict.fromkeys(VALUES, True)


def test_javascript_refuses_what_was_changed_on_the_way(key: PrivateKey) -> None:
    signer = load_signer(key)
    bodies = [sign_body(json.loads(text), signer) for text in BODIES]
    changed = [encode({**body, "declared_goal": "Ship it."}).decode() for body in bodies]
    moved = [
        encode({**body, "_signature": bodies[index - 1]["_signature"]}).decode() for index, body in enumerate(bodies)
    ]
    assert set(node.ask("verify", [*changed, *moved], **job(key, private=False))) == {False}


def test_what_javascript_signs_is_verified_here(key: PrivateKey) -> None:
    for text in node.ask("sign", BODIES, **job(key, private=True)):
        check(key, text)


def test_what_javascript_signs_and_somebody_changes_is_refused_here(key: PrivateKey) -> None:
    for text in node.ask("sign", BODIES, **job(key, private=True)):
        body = {**json.loads(text), "declared_goal": "Ship it."}
        with pytest.raises(InvalidSignature):
            check(key, json.dumps(body))


def test_doubles_at_random_are_spelt_alike() -> None:
    chance = random.Random(8785)
    numbers: list[float] = []
    while len(numbers) < 5_000:
        digits = chance.randint(1, 17)
        value = float(f"{chance.randint(1, 10**digits)}e{chance.randint(-330, 300)}")
        if value not in (0.0, float("inf")):
            numbers += [value, -value]
    [form] = node.ask("form", [json.dumps(numbers)])
    assert base64.b64decode(form) == canonical(numbers)


@pytest.mark.parametrize("value", [2**53, 2**53 + 1, -(2**53), 10**16, 2**64, 10**400])
def test_an_integer_that_javascript_would_read_as_another_is_not_signed(value: int) -> None:
    with pytest.raises(SigningError, match="send it as text, or as a float"):
        sign_body({"value": value}, load_signer(KEYS["ed25519"]))


@pytest.mark.parametrize(
    "text", ["9007199254740992", "10000000000000000", "9223372036854776000", "-100000000000000000000"]
)
def test_a_double_that_javascript_spells_as_an_integer_is_verified(text: str) -> None:
    key = KEYS["ed25519"]
    [signed] = node.ask("sign", [f'{{"value": {text}}}'], **job(key, private=True))
    assert f'"value":{text},' in signed
    check(key, signed)


@pytest.mark.parametrize("text", ["9007199254740993", "9223372036854775808", "1" + "0" * 21, "1" + "0" * 400])
def test_an_integer_that_spells_no_double_is_not_verified(text: str) -> None:
    with pytest.raises(ValueError, match="spells no double"):
        canonical_as_read({"value": json.loads(text)})
