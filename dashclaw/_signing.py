"""Signs bodies: RSASSA-PKCS1-v1_5 with SHA-256, or Ed25519, over the canonical form without `_signature`."""

from __future__ import annotations

import base64
import json
import secrets
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Mapping, NamedTuple

from ._canonical import canonical
from .errors import MissingExtraError, SigningError


class Signer(NamedTuple):
    """A private key ready to sign; `algorithm` is the name the server knows."""

    algorithm: str
    sign: Callable[[bytes], bytes]

    def __repr__(self) -> str:
        return f"Signer(algorithm={self.algorithm!r})"


def load_signer(private_key: Any) -> Signer:
    """Read a key: PEM text or bytes, a JWK (dict or JSON text), or a key object of `cryptography`.

    Raises `SigningError` for a key that cannot sign and `MissingExtraError` without the extra `signing`.
    """
    try:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
    except ImportError as error:
        raise MissingExtraError('Signing needs the extra "signing": pip install "dashclaw[signing]"') from error
    try:
        key = _key(private_key)
    except (ValueError, TypeError, KeyError) as error:
        # The message of a parser may quote the key.
        raise SigningError(f"private_key cannot be read as PEM or JWK ({type(error).__name__})") from None
    if isinstance(key, rsa.RSAPrivateKey):
        rsa_key = key
        return Signer("RSASSA-PKCS1-v1_5", lambda data: rsa_key.sign(data, padding.PKCS1v15(), hashes.SHA256()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Signer("Ed25519", key.sign)
    raise SigningError("private_key must be an RSA or Ed25519 private key")


def _key(given: Any) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if isinstance(given, str):
        given = json.loads(given) if given.lstrip().startswith("{") else given.encode()
    if isinstance(given, bytes):
        return load_pem_private_key(given, password=None)
    return _from_jwk(given) if isinstance(given, dict) else given


def _from_jwk(jwk: Mapping[str, str]) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    if jwk["kty"] == "OKP" and jwk.get("crv") == "Ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(_bytes(jwk["d"]))
    if jwk["kty"] != "RSA":
        raise ValueError("not an RSA or Ed25519 key")
    number: Dict[str, int] = {name: int.from_bytes(_bytes(jwk[name]), "big") for name in ("n", "e", "d", "p", "q")}
    public = rsa.RSAPublicNumbers(number["e"], number["n"])
    return rsa.RSAPrivateNumbers(
        number["p"],
        number["q"],
        number["d"],
        rsa.rsa_crt_dmp1(number["d"], number["p"]),
        rsa.rsa_crt_dmq1(number["d"], number["q"]),
        rsa.rsa_crt_iqmp(number["p"], number["q"]),
        public,
    ).private_key()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign_body(
    body: Mapping[str, Any],
    signer: Signer,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    nonce: Callable[[], str] = lambda: secrets.token_hex(16),
) -> Dict[str, Any]:
    """Return the body with `_signed_at`, `_nonce` and the base64 `_signature`; raises `SigningError`."""
    signed = {name: value for name, value in body.items() if name != "_signature"}
    signed["_signed_at"] = now().astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    signed["_nonce"] = nonce()
    try:
        signature = signer.sign(canonical(signed))
    except (ValueError, TypeError) as error:
        raise SigningError(f"The body has no canonical form to sign: {error}") from error
    return {**signed, "_signature": base64.b64encode(signature).decode()}
