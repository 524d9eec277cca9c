"""Webhooks: who gets what, signed how, and what their history says."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from dashclaw.runtime.identity import Caller
from dashclaw.runtime.settings import Settings

from .checker import Checker, checking, close, hang, raw, says
from .conftest import ADMIN, World
from .delivering import Post

OTHER = Caller("org_other", "key_other", "admin")


@pytest.fixture
def receiver() -> Iterator[Checker]:
    with checking() as found:
        yield found


@pytest.fixture
def post(world: World, receiver: Checker) -> Post:
    return Post(world, receiver)


def test_a_webhook_is_told_what_happens_after_it_was_made(post: Post) -> None:
    post.world.act(agent_id="before")
    hook = post.hook()
    _, action = post.world.act(agent_id="after")
    post.deliver()
    told = [asked.body for asked in post.receiver.asked]
    assert {body["event"] for body in told} == {"guard.decision.created", "action.created"}
    (created,) = [body for body in told if body["event"] == "action.created"]
    assert created["data"]["action_id"] == created["resource_id"] == action["action_id"]
    assert (created["org_id"], created["agent_id"]) == ("org_default", "after")
    assert {row["status"] for row in post.history(hook)} == {"success"}


def test_the_secret_is_shown_once_and_signs_time_and_body(post: Post) -> None:
    status, made = post.create(["action.created"])
    assert status == 201
    secret = made["webhook"]["secret"]
    assert len(secret) == 64
    assert "secret" in made["secret_warning"].lower()
    post.world.act()
    post.deliver()
    (asked,) = post.receiver.asked
    signed = asked.headers["X-DashClaw-Timestamp"].encode() + b"." + asked.raw
    expected = "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert asked.headers["X-DashClaw-Signature"] == expected
    assert abs(int(asked.headers["X-DashClaw-Timestamp"]) / 1000 - post.world.clock.now.timestamp()) < 1
    assert asked.headers["X-DashClaw-Event"] == "action.created"
    assert asked.headers["User-Agent"] == "DashClaw-Webhooks/1.0"
    _, listed = post.world.ask("GET", "/api/webhooks")
    (shown,) = listed["webhooks"]
    assert shown["secret"] == "•" * 28 + secret[-4:]
    _, events = post.world.ask("GET", "/api/events", caller=ADMIN)
    assert secret not in str(events)


def test_the_check_in_the_guide_knows_what_is_genuine(post: Post) -> None:
    guide = (Path(__file__).parents[3] / "docs/guides/webhooks.md").read_text("utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "def " in block]
    names: dict[str, Any] = {}
    exec(code, names)
    post.world.clock.now = datetime.now(timezone.utc)
    secret = post.create(["action.created"])[1]["webhook"]["secret"]
    post.world.act()
    post.deliver()
    (asked,) = post.receiver.asked
    is_genuine, headers = names["is_genuine"], dict(asked.headers)
    assert is_genuine(secret, headers, asked.raw)
    assert not is_genuine(secret, headers, asked.raw + b" ")
    assert not is_genuine("0" * 64, headers, asked.raw)
    moment = int(headers["X-DashClaw-Timestamp"])
    assert not is_genuine(secret, {**headers, "X-DashClaw-Timestamp": str(moment + 1)}, asked.raw)
    assert not is_genuine(secret, {**headers, "X-DashClaw-Timestamp": str(moment - 400_000)}, asked.raw)


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (None, {"guard.decision.created", "action.created", "loop.created"}),
        ("all", {"guard.decision.created", "action.created", "loop.created"}),
        ("loop.created", {"loop.created"}),
        (["loop.created", "action.created"], {"loop.created", "action.created"}),
        ('["loop.created"]', {"loop.created"}),
        (["stale_loop"], set()),
    ],
)
def test_a_webhook_gets_the_events_that_it_asked_for(post: Post, events: Any, told: set[str]) -> None:
    post.hook(events)
    _, action = post.world.act()
    body = {"action_id": action["action_id"], "loop_type": "question", "description": "Who?"}
    post.world.ask("POST", "/api/actions/loops", body)
    post.deliver()
    assert {asked.body["event"] for asked in post.receiver.asked} == told


def test_an_unknown_event_is_refused(post: Post) -> None:
    wrong: list[Any] = ["acton.created", ["all", "stale"], [""], [], ["x" * 129], 5, {"all": True}]
    for events in wrong:
        status, refused = post.create(events)
        assert status == 400, events
        assert refused["fields"][0]["field"].startswith("events")


def test_an_event_that_nobody_knows_yet_is_taken_with_a_warning(post: Post) -> None:
    status, made = post.create(["action.creatd", "action.created"])
    assert (status, made["webhook"]["events"]) == (201, ["action.creatd", "action.created"])
    assert ["action.creatd" in sentence for sentence in made["warnings"]] == [True]
    path = f"/api/webhooks/{made['webhook']['id']}"
    _, changed = post.world.ask("PATCH", path, {"events": ["action.renamed"]}, caller=ADMIN)
    assert "action.renamed" in changed["warnings"][0]
    assert post.world.ask("PATCH", path, {"events": ["renamed"]}, caller=ADMIN)[0] == 400


NOT_PUBLIC = (
    "http://hooks.example.com/x",
    "https://127.0.0.1/x",
    "https://localhost/x",
    "https://169.254.169.254/latest",
    "https://[::1]/x",
    "https://[::ffff:10.0.0.1]/x",
    "https://2130706433/x",
    "https://db.internal/x",
    "https://printer.local/x",
    "https://user:pass@example.com/x",
    "https://example.com:port/x",
    "https://exa mple.com/x",
    "https://example.com/ü",
    "ftp://example.com/x",
    "example.com",
    "",
)


def test_a_url_that_is_not_public_is_refused(world: World) -> None:
    for url in NOT_PUBLIC:
        status, refused = world.ask("POST", "/api/webhooks", {"url": url}, caller=ADMIN)
        assert status == 400, url
        assert [found["field"] for found in refused["fields"]] == ["url"]


def test_configured_domains_are_the_only_ones(world: World) -> None:
    world.runtime.settings = Settings(webhook_domains="example.com, .Hooks.test.org")
    for url, status in (
        ("https://example.com/x", 201),
        ("https://a.b.example.com/x", 201),
        ("https://eu.hooks.test.org/x", 201),
        ("https://badexample.com/x", 400),
        ("https://example.com.evil.org/x", 400),
        ("https://test.org/x", 400),
    ):
        assert world.ask("POST", "/api/webhooks", {"url": url}, caller=ADMIN)[0] == status, url


def test_a_test_is_signed_and_counts_for_nothing(post: Post) -> None:
    hook = post.hook(["loop.created"])
    status, answer = post.test(hook)
    assert (status, answer["success"], answer["response_status"]) == (200, True, 200)
    (asked,) = post.receiver.asked
    assert asked.body["event"] == asked.headers["X-DashClaw-Event"] == "test"
    assert [signal["severity"] for signal in asked.body["signals"]] == ["amber"]
    (row,) = post.history(hook)
    assert (row["id"], row["event_type"], row["status"]) == (answer["delivery_id"], "test", "success")
    assert row["id"] == asked.headers["X-DashClaw-Delivery"]
    post.receiver.way = says({}, 500)
    for _ in range(12):
        assert post.test(hook)[1]["success"] is False
    assert post.shown(hook)["active"] is True
    again = f"/api/webhooks/{hook}/deliveries/{row['id']}/resend"
    assert post.world.ask("POST", again, caller=ADMIN)[0] == 409, "it has arrived"
    assert post.world.ask("POST", f"/api/webhooks/{hook}/resend", caller=ADMIN)[1]["queued"] == 0


def test_a_failed_test_is_an_answer(post: Post) -> None:
    hook = post.hook()
    for way, status, error in (
        (says({}, 503), 503, "it answered with status 503"),
        (raw(b"", 302, Location="http://127.0.0.1:1/"), 302, "redirects are refused"),
        (close, None, "the call failed"),
    ):
        post.receiver.way = way
        code, answer = post.test(hook)
        assert (code, answer["success"], answer["response_status"]) == (200, False, status)
        assert error in answer["error"]
    assert len(post.receiver.asked) == 3


def test_an_answer_is_kept_to_2000_characters_without_what_databases_refuse(post: Post) -> None:
    hook = post.hook()
    post.receiver.way = raw("é\x00".encode() * 30_000)
    assert post.test(hook)[1]["success"] is True
    kept = post.history(hook)[0]["response_body"]
    assert kept == "é\ufffd" * 1000


def test_an_answer_that_breaks_off_has_still_arrived(post: Post) -> None:
    hook = post.hook()
    post.receiver.way = lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhal")
    assert post.test(hook)[1]["success"] is True


def test_a_receiver_that_does_not_answer_fails_in_time(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashclaw.runtime.sending.SECONDS_TO_ANSWER", 0.2)
    hook = post.hook()
    post.receiver.way = hang
    _, answer = post.test(hook)
    assert (answer["success"], answer["response_status"]) == (False, None)
    assert "did not answer within" in answer["error"]


def test_a_removed_webhook_is_told_nothing_more(post: Post) -> None:
    first = post.hook()
    post.world.act()
    status, answer = post.world.ask("DELETE", "/api/webhooks", caller=ADMIN, query={"id": first})
    assert (status, answer) == (200, {"success": True, "deleted": first})
    post.world.act()
    post.deliver()
    assert post.receiver.asked == []
    assert post.world.ask("DELETE", "/api/webhooks", caller=ADMIN)[0] == 400
    assert post.world.ask("DELETE", "/api/webhooks", caller=ADMIN, query={"id": first})[0] == 404
    assert post.world.ask("GET", f"/api/webhooks/{first}/deliveries")[0] == 404


def test_webhooks_of_another_organisation_do_not_exist(post: Post) -> None:
    hook = post.hook()
    post.world.act()
    post.deliver()
    (delivery,) = [row["id"] for row in post.history(hook) if row["event_type"] == "action.created"]
    for verb, path in (
        ("PATCH", f"/api/webhooks/{hook}"),
        ("POST", f"/api/webhooks/{hook}/test"),
        ("POST", f"/api/webhooks/{hook}/resend"),
        ("POST", f"/api/webhooks/{hook}/deliveries/{delivery}/resend"),
        ("GET", f"/api/webhooks/{hook}/deliveries"),
    ):
        assert post.world.ask(verb, path, caller=OTHER)[0] == 404, path
    assert post.world.ask("DELETE", "/api/webhooks", caller=OTHER, query={"id": hook})[0] == 404
    assert post.world.ask("GET", "/api/webhooks", caller=OTHER)[1]["webhooks"] == []
    asked = len(post.receiver.asked)
    _, made = post.world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    stranger = Caller(made["organization"]["id"], "key_x", "admin")
    body = {"action_type": "x", "declared_goal": "g", "agent_id": "a"}
    post.deliver()
    told = len(post.receiver.asked)
    assert post.world.ask("POST", "/api/actions", body, caller=stranger)[0] == 201
    post.deliver()
    assert len(post.receiver.asked) == told > asked, "org.created is the maker's event, the action is not"


def test_only_admins_change_webhooks(post: Post) -> None:
    hook = post.hook()
    for verb, path in (
        ("POST", "/api/webhooks"),
        ("PATCH", f"/api/webhooks/{hook}"),
        ("DELETE", "/api/webhooks"),
        ("POST", f"/api/webhooks/{hook}/test"),
        ("POST", f"/api/webhooks/{hook}/resend"),
    ):
        assert post.world.ask(verb, path, {"url": "https://example.com"})[0] == 403
    assert post.world.ask("GET", "/api/webhooks")[1]["total"] == 1


def test_lists_have_pages(post: Post) -> None:
    hooks = [post.hook(["action.created"]) for _ in range(3)]
    _, page = post.world.ask("GET", "/api/webhooks", query={"limit": "2", "offset": "1"})
    assert [row["id"] for row in page["webhooks"]] == [hooks[1], hooks[0]]
    assert (page["total"], page["limit"], page["has_more"]) == (3, 2, False)
    actions = [post.world.act()[1]["action_id"] for _ in range(25)]
    post.deliver()
    path = f"/api/webhooks/{hooks[0]}/deliveries"
    _, first = post.world.ask("GET", path)
    assert (len(first["deliveries"]), first["total"], first["limit"], first["has_more"]) == (20, 25, 20, True)
    _, rest = post.world.ask("GET", path, query={"offset": "20", "limit": "500", "status": "success"})
    assert (len(rest["deliveries"]), rest["limit"], rest["has_more"]) == (5, 200, False)
    numbers = [row["event_id"] for row in first["deliveries"] + rest["deliveries"]]
    assert numbers == sorted(numbers, reverse=True)
    to_first = [asked.body["resource_id"] for asked in post.receiver.asked]
    assert sorted(to_first) == sorted(actions * 3)


def test_unknown_fields_are_kept_and_named(post: Post) -> None:
    body = {"url": post.receiver.url, "evnts": ["all"]}
    _, made = post.world.ask("POST", "/api/webhooks", body, caller=ADMIN)
    assert made["webhook"]["metadata"] == {"evnts": ["all"]}
    assert "evnts" in made["warnings"][0]


def test_the_url_of_a_webhook_is_not_told_to_the_log(post: Post) -> None:
    url = f"{post.receiver.url}/services/T0/B0/hidden"
    _, made = post.world.ask("POST", "/api/webhooks", {"url": url}, caller=ADMIN)
    post.world.ask("PATCH", f"/api/webhooks/{made['webhook']['id']}", {"active": False}, caller=ADMIN)
    post.world.ask("DELETE", "/api/webhooks", caller=ADMIN, query={"id": made["webhook"]["id"]})
    _, log = post.world.ask("GET", "/api/activity", query={"type": "webhook"})
    assert [row["action"] for row in log["logs"]] == ["webhook.deleted", "webhook.updated", "webhook.created"]
    assert "hidden" not in str(log)
    assert log["logs"][0]["details"]["host"] == "127.0.0.1"
