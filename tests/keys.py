"""Key pairs for tests, made once; Ed25519 ones are made in no time."""

from __future__ import annotations

from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

PublicKey = rsa.RSAPublicKey | ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey


def pem_of(key: PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@lru_cache
def _rsa(bits: int, _: int) -> str:
    return pem_of(rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key())


@lru_cache
def _ed25519(_: int) -> str:
    return pem_of(ed25519.Ed25519PrivateKey.generate().public_key())


def rsa_pem(bits: int = 2048, number: int = 0) -> str:
    """An RSA public key; another one per number."""
    return _rsa(bits, number)


def ed25519_pem(number: int = 0) -> str:
    """An Ed25519 public key; another one per number."""
    return _ed25519(number)


@lru_cache
def curve_pem() -> str:
    """A public key of a kind that agents do not sign with."""
    return pem_of(ec.generate_private_key(ec.SECP256R1()).public_key())


def private_pem() -> str:
    """A private key, which nobody may send."""
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
