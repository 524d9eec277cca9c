"""Signatures: what is signed here is verified with the public key by an independent library."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from dashclaw import DashClaw, SigningError
from dashclaw._signing import Signer, load_signer, sign_body

from ..client.support import Scripted, answer, patient

RSA = rsa.generate_private_key(65537, 2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()
BODY = {"declared_goal": "Grüße 😀", "risk_score": 40, "cost_estimate": 1e-7, "b": [True, None, {"z": 1, "a": 2.0}]}


def pem(key: Any) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))


def spelt(value: bytes | int) -> str:
    if isinstance(value, int):
        value = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def rsa_jwk() -> dict[str, str]:
    numbers = RSA.private_numbers()
    public = numbers.public_numbers
    parts = {"n": public.n, "e": public.e, "d": numbers.d, "p": numbers.p, "q": numbers.q}
    return {"kty": "RSA", **{name: spelt(value) for name, value in parts.items()}}


def ed25519_jwk() -> dict[str, str]:
    public = ED25519.public_key().public_bytes_raw()
    return {"kty": "OKP", "crv": "Ed25519", "d": spelt(ED25519.private_bytes_raw()), "x": spelt(public)}


def verify(key: Any, body: dict[str, Any]) -> None:
    """Raise `InvalidSignature` unless the body carries the signature of this key."""
    signed = rfc8785.dumps({name: value for name, value in body.items() if name != "_signature"})
    signature = base64.b64decode(body["_signature"], validate=True)
    if isinstance(key, rsa.RSAPrivateKey):
        key.public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    else:
        key.public_key().verify(signature, signed)


FORMS = {
    "RSA, PEM bytes": (RSA, pem(RSA)),
    "RSA, PEM text": (RSA, pem(RSA).decode()),
    "RSA, JWK": (RSA, rsa_jwk()),
    "RSA, JWK text": (RSA, json.dumps(rsa_jwk())),
    "RSA, key object": (RSA, RSA),
    "Ed25519, PEM bytes": (ED25519, pem(ED25519)),
    "Ed25519, PEM text": (ED25519, pem(ED25519).decode()),
    "Ed25519, JWK": (ED25519, ed25519_jwk()),
    "Ed25519, JWK text": (ED25519, " " + json.dumps(ed25519_jwk())),
    "Ed25519, key object": (ED25519, ED25519),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_signature_verifies_and_names_its_algorithm(form: str) -> None:
    key, given = FORMS[form]
    signer = load_signer(given)
    assert signer.algorithm == ("Ed25519" if key is ED25519 else "RSASSA-PKCS1-v1_5")
    verify(key, sign_body(BODY, signer))


@pytest.mark.parametrize("key", [RSA, ED25519], ids=["RSA", "Ed25519"])
@pytest.mark.parametrize("changed", ["declared_goal", "risk_score", "_nonce", "_signed_at", "new"])
def test_a_changed_body_does_not_verify(key: Any, changed: str) -> None:
    body = {**sign_body(BODY, load_signer(key)), changed: "other"}
    with pytest.raises(InvalidSignature):
        verify(key, body)


def test_a_signature_survives_the_way_over_the_wire() -> None:
    for key in (RSA, ED25519):
        verify(key, json.loads(json.dumps(sign_body(BODY, load_signer(key)))))


def test_what_is_signed_carries_the_time_and_a_nonce_and_replaces_an_old_signature() -> None:
    moment = datetime(2026, 3, 1, 13, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    given = {**BODY, "_signature": "old"}
    body = sign_body(given, load_signer(ED25519), now=lambda: moment, nonce=lambda: "n-1")
    assert (body["_signed_at"], body["_nonce"]) == ("2026-03-01T12:00:00.123Z", "n-1")
    assert given["_signature"] == "old" and body["_signature"] != "old"
    verify(ED25519, body)


def test_no_nonce_comes_twice() -> None:
    signer = load_signer(ED25519)
    assert len({sign_body(BODY, signer)["_nonce"] for _ in range(100)}) == 100


@pytest.mark.parametrize("value", [float("nan"), 2**60, object(), "\ud800"])
def test_a_body_without_a_canonical_form_is_not_signed(value: Any) -> None:
    with pytest.raises(SigningError):
        sign_body({"value": value}, load_signer(ED25519))


WRONG = {
    "no key at all": "secret-text",
    "an empty text": "",
    "a public key": RSA.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ),
    "a key of another kind": pem(ec.generate_private_key(ec.SECP256R1())),
    "a JWK of another kind": {"kty": "EC", "crv": "P-256", "d": "secret-text"},
    "a public JWK": {name: value for name, value in rsa_jwk().items() if name in ("kty", "n", "e")},
    "a public Ed25519 JWK": {"kty": "OKP", "crv": "Ed25519", "x": "secret-text"},
    "a JWK that is damaged": {**rsa_jwk(), "p": "secret-text"},
    "a JWK with numbers": {**rsa_jwk(), "d": 5},
    "a JWK with other letters": {**ed25519_jwk(), "d": "ü"},
    "JSON that breaks off": '{"kty": "secret-text',
    "an encrypted key": RSA.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"pw")
    ),
    "another object": object(),
    "a list": [1],
    "a number": 7,
}


@pytest.mark.parametrize("given", WRONG.values(), ids=WRONG)
def test_what_cannot_sign_is_refused_without_being_quoted(given: Any) -> None:
    with pytest.raises(SigningError, match="private_key") as caught:
        load_signer(given)
    assert "secret-text" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_signer_does_not_show_its_key() -> None:
    assert repr(load_signer(RSA)) == "Signer(algorithm='RSASSA-PKCS1-v1_5')"


def test_a_client_signs_the_action_as_it_leaves_after_redaction() -> None:
    created = answer({"action": {"action_id": "act_1", "status": "running"}, "action_id": "act_1"}, 201)
    transport = Scripted(created)
    with DashClaw(agent_id="me", transport=transport, private_key=pem(RSA), retry=patient()) as claw:
        claw.create_action("research", "Use password=hunter2hunter2")
    (body,) = transport.bodies
    assert body["declared_goal"] == "Use password=[REDACTED:password_field]"
    verify(RSA, body)


def test_a_body_that_cannot_be_signed_does_not_leave() -> None:
    def broken(_: bytes) -> bytes:
        raise ValueError("the key is gone")

    transport = Scripted(answer({}))
    with DashClaw(agent_id="me", transport=transport, private_key=pem(ED25519)) as claw:
        claw._exchange._signer = Signer("Ed25519", broken)
        with pytest.raises(SigningError):
            claw.create_action("research", "Read")
    assert transport.requests == []
