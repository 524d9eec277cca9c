"""What every page has: headers, files, faces of failure; and what clients of the API notice of it: nothing."""

from __future__ import annotations

import gzip
import logging
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

import dashclaw.server.web as web
from dashclaw.runtime.store.engine import StoreError

from ..serving import Served
from .support import Browser, text_of

FOLDER = Path(web.__file__).parent
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:|hx-on|hx-vals=.js", re.IGNORECASE)


def test_clients_that_want_json_get_what_they_got(server: Served) -> None:
    for path in ("/", "/agents", "/nothing", "/sign-in"):
        answer = httpx.get(server.url + path, headers={"Accept": "application/json"})
        assert answer.status_code == 404
        assert answer.json()["code"] == "NOT_OFFERED"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_the_api_is_untouched(server: Served, agent: httpx.Client) -> None:
    assert agent.get("/api/agents", headers={"Accept": "text/html"}).headers["content-type"] == "application/json"
    assert agent.get("/api/nothing", headers={"Accept": "text/html"}).json()["code"] == "NOT_OFFERED"
    assert httpx.get(f"{server.url}/docs").status_code == 200


def test_a_session_opens_no_door_of_the_api(operator: Browser) -> None:
    assert operator.http.get("/api/agents").status_code == 401


@pytest.mark.parametrize("path", ["/sign-in", "/agents", "/nothing"])
def test_pages_carry_strict_headers(path: str, operator: Browser) -> None:
    headers = operator.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert len(headers.get_list("x-request-id")) == 1


def test_no_template_needs_what_the_policy_forbids() -> None:
    wrong = [
        f"{path.name}: {found[0]}"
        for path in sorted(FOLDER.rglob("templates/**/*.html"))
        for found in INLINE.finditer(path.read_text())
    ]
    assert wrong == []


def test_no_template_trusts_text() -> None:
    assert [
        path.name for path in FOLDER.rglob("templates/**/*.html") if re.search(r"\|\s*safe\b", path.read_text())
    ] == []


def test_nothing_is_asked_of_another_host() -> None:
    own = [path for path in FOLDER.rglob("*") if path.suffix in (".html", ".css", ".js") and "vendor" not in path.parts]
    assert len(own) > 10
    names = re.compile(r"(?:src|href|action|url\(|import|fetch\()\s*[=(]?\s*[\"']?(?:https?:)?//")
    assert [path.name for path in own if names.search(path.read_text())] == []


def files_of(page: httpx.Response) -> list[str]:
    return re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)


def test_files_are_kept_for_long_under_a_name_that_changes(operator: Browser) -> None:
    found = files_of(operator.get("/agents"))
    assert len(found) >= 5
    for path in found:
        answer = operator.http.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert re.fullmatch(r"/static/[0-9a-f]{12}/.+", path)


def test_files_come_packed_where_that_is_taken(operator: Browser) -> None:
    path = next(path for path in files_of(operator.get("/agents")) if path.endswith("app.css"))
    with operator.http.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
    plain = operator.http.get(path, headers={"Accept-Encoding": "identity"}).content
    assert gzip.decompress(packed) == plain == (FOLDER / "static/app.css").read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/static/../site.py",
        "/static/x/../../site.py",
        "/static/%2e%2e/site.py",
        "/static/..%2f..%2fsite.py",
        "/static//etc/passwd",
        "/static/app.css",
        "/static/000000000000/app.css",
        "/static/",
        "/static/%00",
    ],
)
def test_no_other_file_can_be_asked_for(path: str, server: Served) -> None:
    # The path goes out as it stands here.
    request = httpx.Request("GET", server.url)
    request.url = request.url.copy_with(raw_path=path.encode())
    with httpx.Client() as client:
        answer = client.send(request)
    assert answer.status_code in (303, 404)
    assert "import" not in answer.text
    assert "root:" not in answer.text


def test_every_vendored_file_has_its_version_and_licence() -> None:
    vendor = FOLDER / "static/vendor"
    versions = (vendor / "VERSIONS").read_text()
    for path in vendor.glob("*.js"):
        name = path.name.split(".")[0]
        assert re.search(rf"^{name}\S* \d+\.\d+\.\d+, ", versions, re.MULTILINE), name
        assert (vendor / f"{name}.LICENSE").exists()


def test_nothing_there_says_so_in_html(operator: Browser, visitor: Callable[[], Browser]) -> None:
    answer = operator.get("/nothing/here")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "There is no page here" in text_of(answer)
    assert answer.headers["x-request-id"] in answer.text
    stranger = visitor().get("/nothing")
    assert stranger.status_code == 404
    assert "Agents" not in text_of(stranger)


def test_a_refusal_is_a_message_where_htmx_asked(operator: Browser) -> None:
    answer = operator.get("/agents/nobody", region="agent_now")
    assert answer.status_code == 404
    assert answer.headers["hx-retarget"] == "#toasts"
    assert answer.text.startswith('<div class="toast')
    assert "<html" not in answer.text


def test_htmx_without_a_session_goes_to_sign_in(visitor: Callable[[], Browser]) -> None:
    answer = visitor().get("/agents?search=x", region="agents_table")
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/sign-in?next=%2Fagents%3Fsearch%3Dx"


def test_a_fault_is_logged_and_told_without_internals(
    operator: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the inside of it")

    monkeypatch.setattr(operator.server.runtime, "execute", broken)
    with caplog.at_level(logging.ERROR, "dashclaw"):
        answer = operator.get("/agents")
    assert answer.status_code == 500
    assert "the inside of it" not in answer.text
    assert "its log says why" in text_of(answer)
    assert answer.headers["x-request-id"] in caplog.text


def test_a_database_that_does_not_answer_is_told_apart(operator: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> None:
        raise StoreError("no answer")

    monkeypatch.setattr(operator.server.runtime, "execute", gone)
    answer = operator.get("/agents")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "database did not answer" in text_of(answer)


def test_head_is_a_get_without_a_body(operator: Browser) -> None:
    answer = operator.http.head("/agents")
    assert answer.status_code == 200
    assert answer.content == b""


def test_a_large_form_is_refused(operator: Browser) -> None:
    answer = operator.http.post("/theme", data={"csrf": "x", "theme": "y" * 3_000_000})
    assert answer.status_code == 413
