"""Private keys in every spelling that people have, and what is said about the wrong ones."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from dashclaw import DashClaw, SigningError
from dashclaw._private_key import load_key
from dashclaw._signing import Signer, load_signer, sign_body
from dashclaw.cli.key_files import as_jwk
from dashclaw.testing import FakeTransport

RSA = rsa.generate_private_key(65537, 2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()
PASSWORD = "correct horse 馬"
LOCKED = BestAvailableEncryption(PASSWORD.encode())
NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)
SECRET = "c2VjcmV0LXRleHQ"


def pem(key: Any, form: PrivateFormat = PrivateFormat.PKCS8, lock: Any = None) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, form, lock or NoEncryption()))


def jwk(key: Any, **other: Any) -> dict[str, Any]:
    found = {**json.loads(as_jwk(key)), **other}
    return {name: value for name, value in found.items() if value is not None}


def same(found: Any, key: Any) -> bool:
    return pem(found) == pem(key)


SPELT = {
    "PKCS8": (RSA, pem(RSA)),
    "PKCS1": (RSA, pem(RSA, PrivateFormat.TraditionalOpenSSL)),
    "text around it": (RSA, b"Bag Attributes\n" + pem(RSA) + b"\n"),
    "Windows line ends": (RSA, pem(RSA).replace(b"\n", b"\r\n")),
    "a byte order mark": (RSA, b"\xef\xbb\xbf" + pem(RSA)),
    "bytearray": (ED25519, bytearray(pem(ED25519))),
    "RSA JWK": (RSA, jwk(RSA)),
    "RSA JWK without primes": (RSA, jwk(RSA, p=None, q=None, dp=None, dq=None, qi=None)),
    "RSA JWK with the primes alone": (RSA, jwk(RSA, dp=None, dq=None, qi=None)),
    "JWK as bytes": (RSA, b"\xef\xbb\xbf " + as_jwk(RSA)),
    "JWK that says what it is for": (ED25519, jwk(ED25519, key_ops=["sign"], kid="1")),
    "JWK that says nothing": (ED25519, jwk(ED25519, alg=None, use=None, x=None)),
}


@pytest.mark.parametrize("name", SPELT)
def test_a_key_is_read_however_it_is_spelt(name: str) -> None:
    key, given = SPELT[name]
    assert same(load_key(given), key)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("password", [PASSWORD, PASSWORD.encode()], ids=["text", "bytes"])
def test_an_encrypted_key_opens_with_its_password(form: PrivateFormat, password: str | bytes) -> None:
    assert same(load_key(pem(RSA, form, LOCKED), password), RSA)
    assert same(load_key(pem(RSA, form), password), RSA)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_without_the_password_it_says_where_to_put_it(form: PrivateFormat) -> None:
    for missing in (None, "", b""):
        with pytest.raises(SigningError, match="DASHCLAW_PRIVATE_KEY_PASSWORD"):
            load_key(pem(RSA, form, LOCKED), missing)
    with pytest.raises(SigningError, match="private_key_password right") as caught:
        load_key(pem(RSA, form, LOCKED), "wrong")
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("name", ["key.pem", "key.json", "schlüssel 1"])
def test_a_path_names_pem_or_a_jwk(tmp_path: Path, kind: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_bytes(as_jwk(ED25519) if name.endswith("json") else pem(ED25519))
    assert same(load_key(kind(tmp_path / name)), ED25519)
    monkeypatch.chdir(tmp_path)
    assert same(load_key(kind(name)), ED25519)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_that_leads_nowhere_is_not_quoted(tmp_path: Path, kind: type) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "large").write_bytes(b"-----BEGIN" * 10_000)
    for name, problem in {"missing": "no file", "folder": "cannot be read", "large": "too large"}.items():
        with pytest.raises(SigningError, match=problem) as caught:
            load_key(kind(tmp_path / name))
        assert name not in str(caught.value).replace("too large", "")
    with pytest.raises(SigningError, match="private_key"):
        load_key("x" * 100_000)


@lru_cache
def weak() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


PUBLIC = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
WRONG: dict[str, tuple[Any, str]] = {
    "a public key": (PUBLIC, "is a public key"),
    "a PKCS1 public key": (RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1), "is a public key"),
    "a public key object": (RSA.public_key(), "is a public key"),
    "a public Ed25519 object": (ED25519.public_key(), "is a public key"),
    "a public JWK": (jwk(RSA, d=None, p=None, q=None), "is a public key"),
    "a certificate": (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "is a public key"),
    "a weak key": (pem(weak()), "1024 bits.*at least 2048.*dashclaw keys generate --type rsa-2048"),
    "a weak JWK": (jwk(weak()), "1024 bits"),
    "a weak object": (weak(), "1024 bits"),
    "another curve": (pem(ec.generate_private_key(ec.SECP256R1())), "RSA or Ed25519"),
    "OpenSSH's format": (ED25519.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), "OpenSSH"),
    "damaged PEM": (pem(RSA)[:600] + pem(RSA)[700:], "damaged PEM"),
    "PEM that breaks off": (pem(RSA)[:600], "neither PEM nor JWK|damaged"),
    "an unknown cipher": (
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: CAMEL-CBC,00\n\nAAAA\n"
        b"-----END RSA PRIVATE KEY-----\n",
        "encrypted",
    ),
    "a set of JWKs": ({"keys": [jwk(RSA)]}, "one key of the set"),
    "a secret JWK": ({"kty": "oct", "k": SECRET}, "RSA or Ed25519"),
    "a JWK for encryption": (jwk(RSA, use="enc"), "not meant for signing"),
    "a JWK for other operations": (jwk(RSA, key_ops=["decrypt"]), "not meant for signing"),
    "a JWK for another algorithm": (jwk(RSA, alg="PS256"), "signing with RS256"),
    "a JWK that does not fit together": (jwk(ED25519, x=SECRET), "do not belong together"),
    "a JWK of two keys": (jwk(RSA, n=jwk(rsa.generate_private_key(65537, 2048))["n"]), "do not belong together"),
    "a JWK with another exponent": (jwk(RSA, d="AQAB", p=None, q=None), "do not belong together"),
    "a JWK with more primes": (jwk(RSA, oth=[]), "do not belong together"),
    "a JWK with other letters": (jwk(RSA, n="n=="), "do not belong together"),
    "a JWK whose type is no text": ({"kty": ["RSA"]}, "RSA or Ed25519"),
    "a list as JSON": ("{]", "damaged JSON"),
    "deep JSON": ('{"a":' * 100_000, "damaged JSON"),
    "nothing": (b"", "neither PEM nor JWK"),
    "a number": (7, "RSA or Ed25519"),
    "half a surrogate pair": ('{"kty": "\ud800"}', "damaged JSON|RSA or Ed25519"),
    "a text with a zero": ("a\x00b", "no file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_key_is_refused_with_what_is_wrong(name: str) -> None:
    given, problem = WRONG[name]
    with pytest.raises(SigningError, match=f"^private_key.*({problem})") as caught:
        load_signer(given)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


class Service:
    """A key service: it signs elsewhere and says with what."""

    def __init__(self, algorithm: Any, sign: Any) -> None:
        self.algorithm = algorithm
        self._sign = sign

    def __call__(self, data: bytes) -> Any:
        return self._sign(data)


def test_a_key_service_signs_and_names_its_algorithm() -> None:
    signer = load_signer(Service("Ed25519", ED25519.sign))
    assert signer.algorithm == "Ed25519"
    known = {"now": lambda: NOW, "nonce": lambda: "n" * 32}
    expected = sign_body({"a": 1}, load_signer(ED25519), **known)  # type: ignore[arg-type]
    assert sign_body({"a": 1}, signer, **known) == expected  # type: ignore[arg-type]
    assert load_signer(lambda data: data).algorithm == "RSASSA-PKCS1-v1_5"


@pytest.mark.parametrize("algorithm", ["ES256", "ed25519", None, 3])
def test_a_service_with_another_algorithm_is_refused(algorithm: Any) -> None:
    with pytest.raises(SigningError, match="algorithm must be"):
        load_signer(Service(algorithm, ED25519.sign))


def test_an_asynchronous_service_is_refused() -> None:
    async def service(data: bytes) -> bytes:
        return data

    with pytest.raises(SigningError, match="pass a plain one"):
        load_signer(service)


@pytest.mark.parametrize("given", [None, "text", b"", b"short", b"x" * 63, 7])
def test_a_service_that_gives_no_signature_signs_nothing(given: Any) -> None:
    with pytest.raises(SigningError, match="no Ed25519 signature"):
        sign_body({"a": 1}, load_signer(Service("Ed25519", lambda _: given)))


def test_a_service_that_fails_is_a_signing_error_with_its_cause() -> None:
    def down(_: bytes) -> bytes:
        raise ConnectionRefusedError("token hunter2")

    with pytest.raises(SigningError, match="ConnectionRefusedError") as caught:
        sign_body({"a": 1}, load_signer(down))
    assert "hunter2" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


def test_no_repr_shows_the_key() -> None:
    text = pem(RSA).decode()
    with DashClaw(agent_id="me", transport=FakeTransport(), private_key=text, private_key_password=PASSWORD) as claw:
        shown = repr(claw) + repr(vars(claw)) + repr(vars(claw._exchange)) + repr(claw._settings)
    assert PASSWORD not in shown
    assert text[40:80] not in shown
    assert repr(Signer("Ed25519", ED25519.sign)) == "Signer(algorithm='Ed25519')"
