"""The ways to a server: proxies, TLS, IPv6, several addresses of one name."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import trustme

from dashclaw import DashClaw, errors
from dashclaw._transport import PooledTransport, Request

from ...unit.client.support import eventually
from .conftest import Behind
from .faulty import Faulty, answered, complete, echoed, faulty, head, hung_up, raw, silence
from .proxying import relayed, tunnelled

KEY = "oc_live_" + "1" * 32
GET = Request("GET", "/api/x?y=1", {"x-api-key": KEY})
GRACE = 5.0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def context_of(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """What a server with a certificate for these names uses."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> Callable[[], ssl.SSLContext]:
    """What a client that trusts this authority uses."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return lambda: context


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name below ".test" is this machine."""
    real = socket.getaddrinfo

    def resolve(host: Any, *more: Any, **named: Any) -> Any:
        return real("127.0.0.1" if host.endswith(".test") else host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def test_a_certificate_of_an_own_authority_is_accepted_and_the_connection_kept(authority: trustme.CA) -> None:
    with faulty(echoed, tls=context_of(authority, "127.0.0.1")) as server:
        transport = PooledTransport(server.url, tls_context=trusting(authority))
        with DashClaw(api_key=KEY, agent_id="me", transport=transport) as claw:
            for n in range(5):
                assert claw.guard({"action_type": "research", "n": n})["body"]["n"] == n
        assert server.connections == 1


def test_a_certificate_of_an_unknown_authority_is_refused_before_anything_leaves(authority: trustme.CA) -> None:
    with faulty(echoed, tls=context_of(authority, "127.0.0.1")) as server:
        with closing(PooledTransport(server.url)) as transport, pytest.raises(errors.NotSentError, match="certificate"):
            transport.send(GET, 20)
        assert server.seen == []


def test_a_certificate_for_another_host_is_refused_before_anything_leaves(authority: trustme.CA) -> None:
    with (
        faulty(echoed, tls=context_of(authority, "other.example")) as server,
        closing(PooledTransport(server.url, tls_context=trusting(authority))) as transport,
    ):
        with pytest.raises(errors.NotSentError, match="certificate"):
            transport.send(GET, 20)
        assert server.seen == []


def test_a_server_without_tls_at_an_https_address_is_not_sent_to(behind: Behind) -> None:
    with (
        closing(PooledTransport(behind.url.replace("http:", "https:"))) as transport,
        pytest.raises(errors.NotSentError),
    ):
        transport.send(GET, 20)


def test_a_handshake_that_nobody_answers_ends_in_time() -> None:
    with faulty(silence) as server, closing(PooledTransport(server.url.replace("http:", "https:"))) as transport:
        started = time.monotonic()
        with pytest.raises(errors.DeadlineExceededError, match="before it was sent") as caught:
            transport.send(GET, 0.3)
        assert not caught.value.sent
        assert time.monotonic() - started < 0.3 + GRACE


@pytest.mark.parametrize("cut", [b"HTTP/1.1 200 OK\r\n", head(200, "Content-Length: 9") + b"{"])
def test_an_answer_over_tls_that_breaks_off_is_an_unknown_outcome(authority: trustme.CA, cut: bytes) -> None:
    with (
        faulty(raw(cut), tls=context_of(authority, "127.0.0.1")) as server,
        closing(PooledTransport(server.url, tls_context=trusting(authority))) as transport,
        pytest.raises(errors.UnknownOutcomeError),
    ):
        transport.send(GET, 20)


def test_a_tls_answer_that_does_not_come_ends_in_time(authority: trustme.CA) -> None:
    with (
        faulty(silence, tls=context_of(authority, "127.0.0.1")) as server,
        closing(PooledTransport(server.url, tls_context=trusting(authority))) as transport,
    ):
        started = time.monotonic()
        with pytest.raises(errors.DeadlineExceededError):
            transport.send(GET, 0.5)
        assert time.monotonic() - started < 0.5 + GRACE


def test_a_tls_connection_closed_while_idle_is_replaced(authority: trustme.CA) -> None:
    with (
        faulty(echoed, tls=context_of(authority, "127.0.0.1")) as server,
        closing(PooledTransport(server.url, tls_context=trusting(authority))) as transport,
    ):
        transport.send(GET, 20)
        server.drop_connections()
        eventually(lambda: server.open_connections == 0)
        transport.send(Request("POST", "/x", {}, b"{}"), 20)
        assert [request.connection for request in server.seen] == [1, 2]


def test_events_arrive_over_tls(authority: trustme.CA) -> None:
    written = b"".join(b'id: %d\ndata: {"n": %d, "pad": "%s"}\n\n' % (n, n, b"x" * 3000) for n in range(30))
    stream = raw(head(200, "Content-Type: text/event-stream"), written)
    with faulty(stream, silence, tls=context_of(authority, "127.0.0.1")) as server:
        transport = PooledTransport(server.url, tls_context=trusting(authority))
        with DashClaw(api_key=KEY, transport=transport) as claw:
            events = claw.events(timeout=20)
            assert [next(events)["data"]["n"] for _ in range(30)] == list(range(30))
            events.close()


def test_a_plain_request_goes_through_the_proxy_of_the_environment(
    names: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty(raw(complete(200, {"from": "server"}))) as server, faulty(relayed, upstream=server.url) as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        with closing(PooledTransport(f"http://claw.test:{server.port}")) as transport:
            assert transport.send(GET, 20).body == b'{"from": "server"}'
    (asked,) = proxy.seen
    assert asked.target == f"http://claw.test:{server.port}/api/x?y=1"
    assert asked.headers["host"] == f"claw.test:{server.port}"
    assert asked.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="


@pytest.mark.parametrize("exempt", ["claw.test", ".test", "*", "other.example, claw.test"])
def test_a_name_in_no_proxy_is_reached_directly(names: None, monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
    with faulty(echoed) as server, faulty(relayed, upstream=server.url) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", exempt)
        with closing(PooledTransport(f"http://claw.test:{server.port}")) as transport:
            assert transport.send(GET, 20).status == 200
        assert (len(server.seen), proxy.connections) == (1, 0)


def test_this_machine_is_reached_directly_unless_a_proxy_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty(raw(complete(200))) as server, faulty(relayed, upstream=server.url) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        for proxies, through in ((None, 0), ({}, 0), ({"http": proxy.url}, 1)):
            with closing(PooledTransport(server.url, proxies=proxies)) as transport:
                assert transport.send(GET, 20).status == 200
            assert proxy.connections == through


@contextmanager
def tunnel(authority: trustme.CA, *plays: Any) -> Iterator[tuple[PooledTransport, Faulty, Faulty]]:
    """A transport to a TLS server through a proxy that asks for a password, the proxy, and the server."""
    with faulty(echoed, tls=context_of(authority, "claw.test")) as server, faulty(*plays, upstream=server.url) as proxy:
        proxies = {"https": f"http://me:secret@127.0.0.1:{proxy.port}"}
        url = f"https://claw.test:{server.port}"
        with closing(PooledTransport(url, proxies=proxies, tls_context=trusting(authority))) as transport:
            yield transport, proxy, server


def test_a_tunnel_shows_the_proxy_neither_key_nor_path(authority: trustme.CA) -> None:
    with tunnel(authority, tunnelled) as (transport, proxy, server):
        for _ in range(3):
            assert transport.send(GET, 20).status == 200
        (asked,) = proxy.seen
        assert (asked.verb, asked.target) == ("CONNECT", f"claw.test:{server.port}")
        assert asked.headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"
        assert KEY.encode() not in asked.raw and b"/api" not in asked.raw
        assert {request.headers["x-api-key"] for request in server.seen} == {KEY}
        assert not any("proxy-authorization" in request.headers for request in server.seen)


@pytest.mark.parametrize(
    ("play", "said"),
    [
        (answered(407, b""), "407"),
        (answered(502, b"<html>"), "502"),
        (hung_up, "closed"),
        (raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "HTTP"),
        (raw(b"HTTP/1.1 \xb2\xb2\xb2 x\r\n\r\n"), "HTTP"),
        (raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000), "closed|long"),
    ],
)
def test_a_proxy_that_does_not_open_the_tunnel_means_not_sent(authority: trustme.CA, play: Any, said: str) -> None:
    with tunnel(authority, play) as (transport, _, server), pytest.raises(errors.NotSentError, match=said):
        transport.send(GET, 20)
    assert server.connections == 0


def test_a_proxy_that_says_nothing_is_given_up_in_time(authority: trustme.CA) -> None:
    with tunnel(authority, silence) as (transport, _, _):
        started = time.monotonic()
        with pytest.raises(errors.DeadlineExceededError) as caught:
            transport.send(GET, 0.3)
        assert not caught.value.sent
        assert time.monotonic() - started < 0.3 + GRACE


@pytest.mark.parametrize(
    "proxy", ["https://proxy:3128", "socks5://proxy:1080", "http://", "http://proxy:99999", "http://proxy:port"]
)
def test_a_proxy_that_cannot_be_used_is_refused_at_once(proxy: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="proxy"):
        PooledTransport("http://claw.test", proxies={"http": proxy})


@pytest.mark.parametrize(
    "url", ["ftp://host", "host:80", "http://", "http://host:x", "http://host:70000", "http://[::1"]
)
def test_an_address_that_cannot_be_used_is_refused_at_once(url: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="base_url"):
        PooledTransport(url)


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "a..test", "nowhere.invalid"])
def test_a_name_that_does_not_resolve_is_not_sent_to(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    if host.endswith(".invalid"):
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with closing(PooledTransport(f"http://{host}")) as transport, pytest.raises(errors.NotSentError):
        transport.send(GET, 20)


def unknown(*_: object, **__: object) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_an_ipv6_address_is_reached() -> None:
    try:
        probe = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"no IPv6 loopback: {error}")
    probe.close()
    with faulty(echoed, host="::1") as server, DashClaw(server.url, KEY, "me") as claw:
        claw.guard({"action_type": "research"})
        assert server.seen[0].headers["host"] == f"[::1]:{server.port}"


@contextmanager
def deaf() -> Iterator[tuple[str, int]]:
    """An address where a connection attempt is neither accepted nor refused."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        try:
            for _ in range(3):
                sock = socket.socket()
                waiting.append(sock)
                sock.setblocking(False)
                sock.connect_ex(listener.getsockname())
            yield listener.getsockname()
        finally:
            for sock in waiting:
                sock.close()


def found_at(*addresses: tuple[str, int]) -> Any:
    entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
    return lambda *_, **__: entries


def test_the_time_limit_covers_all_addresses_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with deaf() as address, closing(PooledTransport("http://claw.test")) as transport:
        monkeypatch.setattr(socket, "getaddrinfo", found_at(*[address] * 40))
        started = time.monotonic()
        with pytest.raises(errors.DeadlineExceededError) as caught:
            transport.send(GET, 0.4)
        assert not caught.value.sent
        assert time.monotonic() - started < 0.4 + GRACE


def test_an_address_that_does_not_answer_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with deaf() as address, faulty(echoed) as server, closing(PooledTransport("http://claw.test")) as transport:
        monkeypatch.setattr(socket, "getaddrinfo", found_at(address, (server.host, server.port)))
        assert transport.send(GET, 2).status == 200
