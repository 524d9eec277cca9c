"""Requests to addresses that users chose: the certificate is the name's, and the resolver knows a deadline."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from dashclaw.runtime.outward import TargetError, post

from .checker import Checker, checking


@pytest.fixture
def receiver() -> Iterator[Checker]:
    with checking() as found:
        yield found


@pytest.fixture
def secure(receiver: Checker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checker:
    """A receiver with a certificate for hooks.example.com, which this process trusts and finds at the loopback."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hooks.example.com").configure_cert(context)
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    leads_here(monkeypatch, receiver)
    return receiver


def leads_here(monkeypatch: pytest.MonkeyPatch, receiver: Checker) -> None:
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", receiver.server_address)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address])


def call(receiver: Checker, name: str, scheme: str = "https", private: bool = True) -> int:
    url = f"{scheme}://{name}:{receiver.server_address[1]}/x?y=1"
    return post(url, b"{}", {"X-Test": "1"}, 20, private=private, most_bytes=100).status


def test_the_name_is_verified_although_its_address_is_pinned(secure: Checker) -> None:
    assert call(secure, "hooks.example.com") == 200
    (asked,) = secure.asked
    assert asked.headers["Host"] == f"hooks.example.com:{secure.server_address[1]}"
    assert (asked.path, asked.headers["X-Test"]) == ("/x?y=1", "1")


def test_a_certificate_of_another_name_is_refused(secure: Checker) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        call(secure, "other.example.com")
    assert secure.asked == []


def test_a_certificate_that_nobody_vouches_for_is_refused(secure: Checker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ssl.SSLCertVerificationError):
        call(secure, "hooks.example.com")
    assert secure.asked == []


def test_a_private_address_is_refused_before_anything_is_sent(secure: Checker) -> None:
    with pytest.raises(TargetError, match="resolves to a private address"):
        call(secure, "hooks.example.com", private=False)
    with pytest.raises(TargetError, match="must use https"):
        call(secure, "hooks.example.com", "http", private=False)
    assert secure.asked == []


def test_a_resolver_that_hangs_ends_with_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hangs(*_: object, **__: object) -> list[object]:
        release.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    begun = time.monotonic()
    try:
        with pytest.raises(TimeoutError):
            post("https://hooks.example.com/", b"", {}, 0.1, private=False, most_bytes=10)
    finally:
        release.set()
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("host", ["x" * 64 + ".example.com", "a..example.com"])
def test_a_name_that_cannot_be_one_is_a_failure_like_others(host: str) -> None:
    with pytest.raises(OSError, match=r"cannot be looked up|not known|resolution"):
        post(f"https://{host}/", b"", {}, 20, private=False, most_bytes=10)


def test_an_answer_that_is_long_is_cut(receiver: Checker) -> None:
    receiver.way = lambda handler: handler.answer(b"x" * 100_000)
    url = f"{receiver.url}/"
    assert len(post(url, b"{}", {}, 20, private=True, most_bytes=2000).body) == 2001
