"""Public keys of agents: read, checked, named by a fingerprint, and what they verify."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

RSA = "RSASSA-PKCS1-v1_5"
ED25519 = "Ed25519"
SHORTEST_RSA = 2048

_PEM = re.compile(r"\s*-----BEGIN PUBLIC KEY-----\s([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*")
# The object identifiers that name the kind of key, near the start of its DER form.
_KINDS = {RSA: bytes.fromhex("06092a864886f70d010101"), ED25519: bytes.fromhex("06032b6570")}
_KIND_WITHIN = 24
_SPELT = 64

Validity = Literal["valid", "not_yet_valid", "expired", "replaced", "revoked"]


class PublicKey(NamedTuple):
    """A key in one spelling of PEM; `fingerprint` is the SHA-256 of its DER form in hex."""

    pem: str
    fingerprint: str


def read_public_key(text: str, algorithm: str) -> PublicKey:
    """Read an SPKI PEM key that fits the algorithm; raises `ValueError` with what is wrong.

    Without `cryptography` only the shape is checked.
    """
    if "PRIVATE KEY" in text:
        raise ValueError("is a private key, which must never leave the agent: send the public one")
    matched = _PEM.fullmatch(text)
    if matched is None:
        raise ValueError("must be a PEM block that begins with -----BEGIN PUBLIC KEY-----")
    try:
        der = base64.b64decode("".join(matched[1].split()), validate=True)
    except binascii.Error:
        raise ValueError("holds no base64 text between its markers") from None
    if not _is_one_sequence(der) or _KINDS[algorithm] not in der[:_KIND_WITHIN]:
        raise ValueError(f"is no key for {algorithm}")
    _check_mathematics(der, algorithm)
    body = base64.b64encode(der).decode()
    lines = [body[start : start + _SPELT] for start in range(0, len(body), _SPELT)]
    pem = "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
    return PublicKey(pem, hashlib.sha256(der).hexdigest())


def validity(row: Mapping[str, Any], at: str) -> Validity:
    """Whether a registered key may sign at a moment, and why not; `at` is a stamp."""
    if row["revoked_at"] is not None:
        return "revoked"
    if row["not_before"] is not None and row["not_before"] > at:
        return "not_yet_valid"
    end = row["not_after"] or row["replaced_at"]
    if end is not None and end <= at:
        return "expired" if row["replaced_at"] is None else "replaced"
    return "valid"


def verifies(pem: str, algorithm: str, signature: bytes, data: bytes) -> bool:
    """Whether a signature over `data` is of this key; raises `ImportError` without `cryptography`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    key = _loaded(pem)
    try:
        if algorithm == RSA:
            key.verify(signature, data, PKCS1v15(), SHA256())
        else:
            key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=1024)
def _loaded(pem: str) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    return load_pem_public_key(pem.encode())


def comparison_code(pairing_id: str, fingerprint: str) -> str:
    """A short text that agent and operator compare before a pairing is approved, such as "K7QD-2MXA".

    It depends on the id that the server chose, so that no key can be made to fit a code.
    """
    digest = hashlib.sha256(f"{pairing_id}:{fingerprint}".encode()).digest()
    text = base64.b32encode(digest[:5]).decode()
    return f"{text[:4]}-{text[4:]}"


def _is_one_sequence(der: bytes) -> bool:
    """Whether the bytes are exactly one DER sequence, from its own account of its length."""
    if len(der) < 2 or der[0] != 0x30:
        return False
    if der[1] < 0x80:
        return len(der) == 2 + der[1]
    size = der[1] & 0x7F
    return len(der) == 2 + size + int.from_bytes(der[2 : 2 + size], "big")


def _check_mathematics(der: bytes, algorithm: str) -> None:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.serialization import load_der_public_key
    except ImportError:
        return
    try:
        found = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"is no key for {algorithm}") from None
    if isinstance(found, RSAPublicKey) and found.key_size < SHORTEST_RSA:
        raise ValueError(f"has {found.key_size} bits; RSA needs at least {SHORTEST_RSA}")
