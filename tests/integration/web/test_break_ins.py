"""Ways out of the dashboard, and ways in: addresses of other sites, of this machine, of files, and of nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from dashclaw.server.web.desk import safe_next
from dashclaw.server.web.routes import every_page

from ..serving import Served
from .support import Browser

OTHER_SITES = [
    *(
        "//evil.example",
        "///evil.example",
        "////evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "\\\\evil.example",
    ),
    *(
        "https:evil.example",
        "https:/evil.example",
        "http:///evil.example",
        "HTTPS://evil.example",
        "ftp://evil.example",
    ),
    *("%2f%2fevil.example", "/%09/evil.example", "/\t/evil.example", "\t//evil.example", "/\n/evil.example"),
    *("/\r/evil.example", " //evil.example", "/ /evil.example", "/\x0b/evil.example"),
    *("/.//evil.example", "/..//evil.example", "/;//evil.example", "/%5cevil.example", "/@evil.example"),
    *("@evil.example", ":evil.example", "?//evil.example", "#//evil.example", "/?//evil.example"),
    *("//evil.example\\@127.0.0.1", "//127.0.0.1@evil.example", "http://127.0.0.1:3000@evil.example"),
    *("javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "vbscript:x"),
    *(
        "\uff0f\uff0fevil.example",
        "/\uff0fevil.example",
        "/\u2028/evil.example",
        "/\u200b/evil.example",
        "〱evil.example",
    ),
]
INSIDE = [
    *("http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::1]:{port}/", "http://0.0.0.0:{port}/"),
    *("http://127.1:{port}/", "http://2130706433:{port}/", "http://0x7f000001:{port}/", "http://0177.0.0.1:{port}/"),
    *("http://[::ffff:127.0.0.1]:{port}/", "http://[::ffff:7f00:1]:{port}/", "http://127.0.0.1.:{port}/"),
    *("https://127.0.0.1:{port}/", "https://localhost:{port}/", "https://[::1]:{port}/", "https://127.1:{port}/"),
    *("https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.0.1/", "https://100.64.0.1/", "https://[fd00::1]/"),
    *("http://169.254.169.254/latest/meta-data/", "https://[fe80::1]/", "https://metadata.google.internal/"),
    *("file:///etc/passwd", "gopher://127.0.0.1:{port}/x", "ftp://127.0.0.1:{port}/", "dict://127.0.0.1:{port}/"),
    *(
        "https://user@127.0.0.1:{port}/",
        "https://example.com@127.0.0.1:{port}/",
        "https://127.0.0.1:{port}#@example.com/",
    ),
    *("//127.0.0.1:{port}/", "127.0.0.1:{port}", "https://", "https:///x", "javascript:alert(1)"),
]
NOWHERE = [
    *(
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e%2fetc%2fpasswd",
        "..%5c..%5cetc%5cpasswd",
        "%252e%252e%252fetc%252fpasswd",
    ),
    *(
        "%2fetc%2fpasswd",
        "....%2f%2fetc%2fpasswd",
        "..;%2fetc%2fpasswd",
        "file:%2f%2f%2fetc%2fpasswd",
        "%00",
        "x%00.md",
    ),
    *("%ff%fe", "%ed%a0%80", "%0d%0aX-Evil:%20yes", "'%20OR%20'1'='1", "%25", "%", "*", "9" * 40, "-1", "a" * 4000),
]


@pytest.fixture
def strict(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a server is without settings of its own: what is private stays out of reach."""
    monkeypatch.setattr(server.runtime, "settings", server.runtime.settings._replace(allow_private_webhooks=False))


@pytest.fixture
def inside() -> Iterator[socket.socket]:
    """Something of this machine that nobody may be led to."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        found.settimeout(0)
        yield found


@pytest.mark.parametrize("to", OTHER_SITES)
def test_nobody_is_led_to_another_site(to: str, server: Served, operator: Browser) -> None:
    where = operator.post("/theme", {"theme": "dark", "next": to}, page="/account").headers["location"]
    assert where == safe_next(to)
    assert urlsplit(urljoin(f"{server.url}/sign-in", where)).netloc == urlsplit(server.url).netloc
    assert where.startswith("/")
    assert not where.startswith(("//", "/\\"))
    assert where.isprintable()


def test_no_webhook_leads_inside(strict: None, inside: socket.socket, operator: Browser) -> None:
    port, token = inside.getsockname()[1], operator.token("/webhooks")
    taken = {}
    for url in INSIDE:
        form = {"csrf": token, "url": url.format(port=port), "events": "all"}
        status = operator.http.post("/webhooks", data=form).status_code
        if status != 422:
            taken[url] = status
    assert taken == {}
    with pytest.raises(BlockingIOError):
        inside.accept()


def test_no_check_of_a_policy_leads_inside(strict: None, inside: socket.socket, operator: Browser) -> None:
    port, token = inside.getsockname()[1], operator.token("/policies/new")
    taken = {}
    for url in INSIDE:
        rules = f'{{"url": "{url.format(port=port)}", "action_types": ["x"]}}'
        form = {"csrf": token, "name": "Inside", "policy_type": "webhook_check", "rules": rules, "active": "on"}
        status = operator.http.post("/policies/new", data=form).status_code
        if status not in (400, 422):
            taken[url] = status
    assert taken == {}
    with pytest.raises(BlockingIOError):
        inside.accept()


def test_no_path_leads_to_a_file_or_breaks_a_page(server: Served, operator: Browser) -> None:
    paths = [page.path for page in every_page() if page.verb == "GET" and "{" in page.path]
    assert len(paths) > 10
    wrong = {}
    for path in paths:
        for text in NOWHERE:
            place = "".join(part if "{" not in part else text for part in _parts(path))
            answer = operator.http.send(_as_it_stands(operator, server, place))
            if answer.status_code not in (303, 400, 404) or "root:" in answer.text or "x-evil" in answer.headers:
                wrong[place[:120]] = answer.status_code
    assert wrong == {}


def _parts(path: str) -> list[str]:
    return path.replace("{", "\0{").replace("}", "}\0").split("\0")


def _as_it_stands(browser: Browser, server: Served, path: str) -> httpx.Request:
    """A request whose path goes out as it is written here."""
    request = browser.http.build_request("GET", server.url)
    request.url = request.url.copy_with(raw_path=path.encode())
    return request


def test_no_filter_breaks_a_page(operator: Browser) -> None:
    odd = dict.fromkeys(("search", "agent_id", "policy_id", "status", "tab", "window"), "😀\u202e%00'\"<")
    numbers = dict.fromkeys(("offset", "limit", "risk_min", "seq", "days"), "9" * 30)
    for page in every_page():
        if page.verb == "GET" and "{" not in page.path:
            for query in (odd, numbers, {"search": "\0"}, {"offset": "-1"}, {"offset": "\0", "agent_id": "\0"}):
                answer = operator.get(page.path, params=query)
                assert answer.status_code < 500, (page.path, query, answer.status_code)


def test_no_text_that_a_database_cannot_hold_breaks_a_form(operator: Browser) -> None:
    token = operator.token("/account")
    for path in ("/webhooks", "/schedules", "/settings/people", "/settings/keys", "/policies/new", "/messages/new"):
        names = ("url", "events", "agent_id", "name", "email", "label", "body", "rules", "cron_expression")
        for text in ("a\0b", "\udcff".encode("utf-8", "surrogatepass").decode("latin-1")):
            answer = operator.http.post(path, data={"csrf": token, "role": "member", **dict.fromkeys(names, text)})
            assert answer.status_code < 500, (path, text, answer.status_code)
            assert "\0" not in text or answer.status_code == 400, path
