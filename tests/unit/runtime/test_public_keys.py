"""Public keys are read in any layout, named by what they are, and refused when they are something else."""

from __future__ import annotations

import base64
import hashlib
import sys

import pytest

from dashclaw.runtime.public_keys import ED25519, RSA, comparison_code, read_public_key

from ...keys import curve_pem, ed25519_pem, private_pem, rsa_pem


def block(der: bytes) -> str:
    return f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(der).decode()}\n-----END PUBLIC KEY-----\n"


def der_of(pem: str) -> bytes:
    return base64.b64decode("".join(pem.splitlines()[1:-1]))


@pytest.fixture(params=["with cryptography", "without"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "without":
        monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.serialization", None)
    found: str = request.param
    return found


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(("pem", "algorithm"), [(rsa_pem(), RSA), (ed25519_pem(), ED25519)])
def test_a_key_reads_the_same_in_every_layout(pem: str, algorithm: str) -> None:
    found = read_public_key(pem, algorithm)
    assert found.pem == pem
    assert found.fingerprint == hashlib.sha256(der_of(pem)).hexdigest()
    for layout in (block(der_of(pem)), pem.replace("\n", "\r\n"), f"\n  {pem}\n\n"):
        assert read_public_key(layout, algorithm) == found


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be a PEM block"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", "must be a PEM block"),
        (private_pem(), "is a private key"),
        (rsa_pem() + rsa_pem(), "must be a PEM block"),
        ("-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----", "no base64"),
        (block(b""), "is no key"),
        (block(b"\x30"), "is no key"),
        (block(b"\x30\x82\xff\xff"), "is no key"),
        (block(der_of(rsa_pem())[:-1]), "is no key"),
        (block(der_of(rsa_pem()) + b"\0"), "is no key"),
        (ed25519_pem(), "is no key for RSASSA"),
        (curve_pem(), "is no key for RSASSA"),
    ],
)
def test_what_is_no_public_key_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_public_key(text, RSA)


def test_a_key_of_the_right_shape_that_is_none_is_refused() -> None:
    der = bytearray(der_of(rsa_pem()))
    der[30] ^= 0xFF  # within the length of the modulus
    with pytest.raises(ValueError, match="is no key"):
        read_public_key(block(bytes(der)), RSA)


def test_a_short_rsa_key_is_refused() -> None:
    with pytest.raises(ValueError, match="has 1024 bits; RSA needs at least 2048"):
        read_public_key(rsa_pem(1024), RSA)


def test_the_code_depends_on_the_key_and_on_the_request() -> None:
    code = comparison_code("pair_1", "ab" * 32)
    assert len(code) == 9
    assert code[4] == "-"
    assert code == comparison_code("pair_1", "ab" * 32)
    assert len({code, comparison_code("pair_2", "ab" * 32), comparison_code("pair_1", "cd" * 32)}) == 3
