"""Key files: new pairs, written so that nobody else can read them, and what is public about one."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from dashclaw.errors import ConfigurationError, MissingExtraError

try:
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_public_key,
    )
except ImportError as error:
    raise MissingExtraError('Keys need the extra "signing": pip install "dashclaw[signing]"') from error

from dashclaw._private_key import load_key

TYPES = ("rsa-2048", "rsa-3072", "rsa-4096", "ed25519")
PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
AnyPublicKey = rsa.RSAPublicKey | ed25519.Ed25519PublicKey


class Public(NamedTuple):
    """What may be told of a key: its SPKI PEM, its algorithm, and the SHA-256 of its DER form in hex."""

    pem: str
    algorithm: str
    fingerprint: str


def new_key(kind: str) -> PrivateKey:
    """Make a private key of one of `TYPES`."""
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa-")))


def public(key: PrivateKey | AnyPublicKey) -> Public:
    """Describe a key."""
    found = key if isinstance(key, (rsa.RSAPublicKey, ed25519.Ed25519PublicKey)) else key.public_key()
    der = found.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = found.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    algorithm = "RSASSA-PKCS1-v1_5" if isinstance(found, rsa.RSAPublicKey) else "Ed25519"
    return Public(pem, algorithm, hashlib.sha256(der).hexdigest())


def read_public(path: str, password: str | None) -> Public:
    """Describe the key of a file, which holds a private key or a public one in PEM; raises a `DashClawError`."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    if b"-----BEGIN PUBLIC KEY-----" not in data:
        return public(load_key(data, password))
    try:
        found = load_pem_public_key(data)
    except ValueError:
        raise ConfigurationError(f"{path} holds a damaged public key") from None
    if not isinstance(found, (rsa.RSAPublicKey, ed25519.Ed25519PublicKey)):
        raise ConfigurationError(f"{path} holds neither an RSA nor an Ed25519 key")
    return public(found)


def as_pem(key: PrivateKey, password: str | None) -> bytes:
    """The PKCS8 PEM of a private key, encrypted where there is a password."""
    how = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


def as_jwk(key: PrivateKey) -> bytes:
    """The JWK of a private key as JSON text."""
    return json.dumps(_jwk(key), indent=2).encode() + b"\n"


def _jwk(key: PrivateKey) -> dict[str, Any]:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        parts = {"d": key.private_bytes_raw(), "x": key.public_key().public_bytes_raw()}
        known = {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig"}
        return {**known, **{name: _spelt(value) for name, value in parts.items()}}
    found = key.private_numbers()
    numbers = {
        "n": found.public_numbers.n,
        "e": found.public_numbers.e,
        "d": found.d,
        "p": found.p,
        "q": found.q,
        "dp": found.dmp1,
        "dq": found.dmq1,
        "qi": found.iqmp,
    }
    spelt = {name: _spelt(value.to_bytes((value.bit_length() + 7) // 8, "big")) for name, value in numbers.items()}
    return {"kty": "RSA", "alg": "RS256", "use": "sig", **spelt}


def _spelt(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def write_pair(path: Path, private: bytes, public_pem: str) -> Path:
    """Write a private key for its owner alone, the public one beside it as `.pub`; returns the path of that.

    Raises `ConfigurationError` when one of them exists, and leaves both as they are.
    """
    beside = path.with_name(path.name + ".pub")
    _write(path, private, 0o600)
    try:
        _write(beside, public_pem.encode(), 0o644)
    except BaseException:
        path.unlink()
        raise
    return beside


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        # The mode holds from the first byte on, and O_EXCL follows no link that somebody laid.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise ConfigurationError(f"{path} exists already and a key is never overwritten: name another file") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink()
        raise
