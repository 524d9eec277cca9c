"""Reads private keys: PEM and JWK, from text, bytes, files and objects. No message quotes what it read."""

from __future__ import annotations

import json
import os
from typing import Any, Mapping, Union

from .errors import SigningError

SHORTEST_RSA = 2048
_LARGEST_FILE = 65536
_ANOTHER = "make one with: dashclaw keys generate"
_RSA_PARTS = ("n", "e", "d")
_SIGNS = {"RSA": ("RS256",), "OKP": ("EdDSA", "Ed25519")}

Password = Union[str, bytes, None]


def load_key(given: Any, password: Password = None) -> Any:
    """Return the RSA or Ed25519 private key of `cryptography` that was given; raises `SigningError`.

    `given` is PEM or JWK as text or bytes, a JWK as a dict, a path to either, or a key object. The password is only
    used for PEM that is encrypted. Needs `cryptography`.
    """
    found = _read(given, password)
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    if isinstance(found, rsa.RSAPrivateKey):
        if found.key_size < SHORTEST_RSA:
            raise SigningError(
                f"private_key has {found.key_size} bits; RSA needs at least {SHORTEST_RSA}: {_ANOTHER} --type rsa-2048"
            )
        return found
    if isinstance(found, ed25519.Ed25519PrivateKey):
        return found
    if hasattr(found, "public_bytes") and not hasattr(found, "private_bytes"):
        raise _public()
    raise SigningError(f"private_key must be an RSA or Ed25519 private key: {_ANOTHER}")


def _read(given: Any, password: Password) -> Any:
    if isinstance(given, (bytes, bytearray)):
        return _from_bytes(bytes(given), password)
    if isinstance(given, str):
        if given.lstrip().startswith("{") or "-----BEGIN" in given:
            return _from_bytes(given.encode("utf-8", "surrogatepass"), password)
        return _from_bytes(_contents(given), password)
    if isinstance(given, os.PathLike):
        return _from_bytes(_contents(given), password)
    return _from_jwk(given) if isinstance(given, Mapping) else given


def _contents(path: Any) -> bytes:
    """Read a key file; text that names no file may be a damaged key, so it is not quoted."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as the path was given, relative ones included
            found = file.read(_LARGEST_FILE + 1)
    except (FileNotFoundError, ValueError):
        raise SigningError("private_key is neither PEM nor JWK, and no file has that name") from None
    except OSError as error:
        raise SigningError(f"private_key names a file that cannot be read: {error.strerror or 'too long'}") from None
    if len(found) > _LARGEST_FILE:
        raise SigningError("private_key names a file that is too large for a key")
    return found


def _from_bytes(data: bytes, password: Password) -> Any:
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    if not data.lstrip().startswith(b"{"):
        return _from_pem(data, password)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise SigningError("private_key is a JWK with damaged JSON") from None
    return _from_jwk(found)


def _from_pem(data: bytes, password: Password) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if b"PRIVATE KEY-----" not in data:
        if b"-----BEGIN PUBLIC KEY" in data or b"-----BEGIN RSA PUBLIC KEY" in data or b"CERTIFICATE-----" in data:
            raise _public()
        raise SigningError(f"private_key is neither PEM nor JWK; {_ANOTHER}")
    if b"OPENSSH PRIVATE KEY" in data:
        raise SigningError(f"private_key has OpenSSH's own format, not PEM or JWK; {_ANOTHER}")
    encrypted = b"ENCRYPTED" in data
    if encrypted and not password:
        raise SigningError(
            "private_key is encrypted: pass private_key_password=... or set DASHCLAW_PRIVATE_KEY_PASSWORD"
        )
    secret = password.encode() if isinstance(password, str) else password
    try:
        return load_pem_private_key(data, password=secret if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The message of a parser may quote the key.
        problem = "cannot be decrypted: is private_key_password right?" if encrypted else "is damaged PEM"
        raise SigningError(f"private_key {problem}") from None


def _from_jwk(jwk: Any) -> Any:
    if not isinstance(jwk, Mapping) or "kty" not in jwk:
        hint = "; pass one key of the set" if isinstance(jwk, Mapping) and "keys" in jwk else ""
        raise SigningError(f"private_key is no JWK: it has no kty{hint}")
    fits = _SIGNS.get(jwk["kty"]) if isinstance(jwk["kty"], str) else None
    if fits is None or (jwk["kty"] == "OKP" and jwk.get("crv") != "Ed25519"):
        raise SigningError(f"private_key must be an RSA or Ed25519 key: {_ANOTHER}")
    if jwk.get("d") is None:
        raise _public()
    said = (jwk.get("alg", fits[0]) in fits, jwk.get("use", "sig") == "sig", "sign" in jwk.get("key_ops", ("sign",)))
    if not all(said):
        raise SigningError(f"private_key is a JWK that is not meant for signing with {fits[0]}")
    try:
        return _rsa(jwk) if jwk["kty"] == "RSA" else _ed25519(jwk)
    except (ValueError, TypeError, KeyError, OverflowError):
        # The message of a parser may quote the key.
        raise SigningError("private_key is a damaged JWK: its numbers do not belong together") from None


def _ed25519(jwk: Mapping[str, str]) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    found = ed25519.Ed25519PrivateKey.from_private_bytes(_bytes(jwk["d"]))
    public = found.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    if "x" in jwk and _bytes(jwk["x"]) != public:
        raise ValueError("x is the public key of another d")
    return found


def _rsa(jwk: Mapping[str, str]) -> Any:
    from cryptography.hazmat.primitives.asymmetric import rsa

    n, e, d = (_number(jwk[name]) for name in _RSA_PARTS)
    if "oth" in jwk:
        raise ValueError("more than two primes")
    p, q = (_number(jwk["p"]), _number(jwk["q"])) if "p" in jwk else rsa.rsa_recover_prime_factors(n, e, d)
    return rsa.RSAPrivateNumbers(
        p,
        q,
        d,
        rsa.rsa_crt_dmp1(d, p),
        rsa.rsa_crt_dmq1(d, q),
        rsa.rsa_crt_iqmp(p, q),
        rsa.RSAPublicNumbers(e, n),
    ).private_key()


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")


def _bytes(text: str) -> bytes:
    import base64

    if not isinstance(text, str):
        raise TypeError("the numbers of a JWK are base64url text")
    padded = text.encode("ascii") + b"=" * (-len(text) % 4)
    return base64.b64decode(padded, altchars=b"-_", validate=True)


def _public() -> SigningError:
    return SigningError("private_key is a public key: pass the private one, which stays with the agent")
