"""Signs bodies: RSASSA-PKCS1-v1_5 with SHA-256, or Ed25519, over the canonical form without `_signature`."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Mapping, NamedTuple

from ._canonical import canonical
from ._private_key import Password, load_key
from .errors import MissingExtraError, SigningError

RSA = "RSASSA-PKCS1-v1_5"
ED25519 = "Ed25519"
_SHORTEST = {RSA: 256, ED25519: 64}


class Signer(NamedTuple):
    """A private key ready to sign; `algorithm` is the name the server knows."""

    algorithm: str
    sign: Callable[[bytes], bytes]

    def __repr__(self) -> str:
        return f"Signer(algorithm={self.algorithm!r})"


def load_signer(private_key: Any, password: Password = None) -> Signer:
    """Make a signer of a key, or of a function from bytes to a signature, such as a call to a key service.

    A key is PEM text or bytes, a JWK (dict or JSON text), a path to either, or a key object of `cryptography`. A
    function says by its attribute `algorithm` what it does, "RSASSA-PKCS1-v1_5" without one. Raises `SigningError`
    for what cannot sign and `MissingExtraError` for a key without the extra `signing`.
    """
    if callable(private_key):
        return _of_service(private_key)
    try:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ed25519, padding
    except ImportError as error:
        raise MissingExtraError('Signing needs the extra "signing": pip install "dashclaw[signing]"') from error
    key = load_key(private_key, password)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Signer(ED25519, key.sign)
    return Signer(RSA, lambda data: bytes(key.sign(data, padding.PKCS1v15(), hashes.SHA256())))


def _of_service(service: Callable[[bytes], bytes]) -> Signer:
    from inspect import iscoroutinefunction

    if iscoroutinefunction(service):
        raise SigningError("private_key is an async function: pass a plain one; it runs in a worker thread")
    algorithm = getattr(service, "algorithm", RSA)
    if algorithm not in (RSA, ED25519):
        raise SigningError(f"private_key is a function whose algorithm must be {RSA!r} or {ED25519!r}")
    return Signer(algorithm, service)


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
        form = canonical(signed)
    except (ValueError, TypeError) as error:
        raise SigningError(f"The body has no canonical form to sign: {error}") from error
    try:
        signature = signer.sign(form)
    except SigningError:
        raise
    except Exception as error:  # whatever a key service or a token's driver raises
        raise SigningError(f"The key could not sign, so nothing was sent ({type(error).__name__})") from error
    if not isinstance(signature, bytes) or len(signature) < _SHORTEST[signer.algorithm]:
        raise SigningError(f"private_key gave no {signer.algorithm} signature: its bytes are wanted, not yet as text")
    return {**signed, "_signature": base64.b64encode(signature).decode()}
