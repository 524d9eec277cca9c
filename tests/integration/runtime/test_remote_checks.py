"""Policies that ask a service or a model: they only make a decision stricter, in time, and fail closed."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashclaw.runtime.bootstrap import ensure_default_org
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.settings import Settings

from ...unit.client.support import eventually
from ..databases import database
from .checker import Checker, Way, checking, close, drip, hang, model, raw, says
from .conftest import ADMIN, Clock, World


@pytest.fixture
def checker() -> Iterator[Checker]:
    with checking() as found:
        yield found


@pytest.fixture
def path(sqlite_template: Path, tmp_path: Path) -> str:
    return str(shutil.copy(sqlite_template, tmp_path))


@pytest.fixture
def world(checker: Checker, path: str) -> Iterator[World]:
    """A runtime on SQLite that may call the checker and is patient."""
    yield from opened(path, settings(checker, 30.0))


@pytest.fixture
def hasty(checker: Checker, path: str) -> Iterator[World]:
    """The same with little time."""
    yield from opened(path, settings(checker, 0.5))


def settings(checker: Checker, deadline: float) -> Settings:
    return Settings(
        allow_private_webhooks=True,
        evaluation_deadline=deadline,
        semantic_url=f"{checker.url}/v1",
        semantic_key="sk-test",
        webhook_secret="shared",
    )


def opened(url: str, chosen: Settings) -> Iterator[World]:
    clock = Clock()
    runtime = Runtime.open(url, settings=chosen, clock=clock)
    try:
        ensure_default_org(runtime.store, starter_policies=False)
        yield World(runtime, clock, url)
    finally:
        runtime.close()


def ask(world: World, **fields: object) -> dict[str, Any]:
    body = {"action_type": "deploy", "agent_id": "a", "declared_goal": "Ship", **fields}
    status, decision = world.ask("POST", "/api/guard", body)
    assert status == 200, decision
    found: dict[str, Any] = decision
    return found


def webhook(world: World, checker: Checker, **rules: object) -> str:
    return world.policy("webhook_check", {"url": f"{checker.url}/check?team=1", **rules})


def checks_at_work() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("dashclaw-check")]


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        ({"decision": "allow"}, "allow"),
        ({}, "allow"),
        ({"decision": None}, "allow"),
        ({"decision": "warn", "reasons": ["odd hour"]}, "warn"),
        ({"warnings": ["odd hour"]}, "warn"),
        ({"decision": "require_approval", "reasons": ["ask Ann"]}, "require_approval"),
        ({"decision": "block", "reasons": ["frozen"]}, "block"),
        ({"decision": "block"}, "block"),
    ],
)
def test_a_webhook_decides(world: World, checker: Checker, answer: Any, decision: str) -> None:
    policy = webhook(world, checker)
    checker.way = says(answer)
    found = ask(world)
    assert (found["decision"], found["degraded"]) == (decision, False)
    said = " ".join(found["reasons"] + found["warnings"])
    assert all(text in said for text in [*answer.get("reasons", []), *answer.get("warnings", [])])
    assert found["matched_policies"] == ([policy] if decision != "allow" else [])


def test_a_webhook_never_makes_a_decision_milder(world: World, checker: Checker) -> None:
    webhook(world, checker)
    block = world.policy("block_action_type", {"action_types": ["deploy"]})
    checker.way = says({"decision": "allow"})
    found = ask(world)
    assert (found["decision"], found["matched_policies"]) == ("block", [block])


def test_a_webhook_is_told_what_is_to_be_decided_and_can_check_who_asks(world: World, checker: Checker) -> None:
    webhook(world, checker)
    warn = world.policy("warn_action_type", {"action_types": ["deploy"]})
    ask(world, risk_score=90, systems_touched=["shop"], reversible=False, target="not told")
    (asked,) = checker.asked
    assert asked.path == "/check?team=1"
    assert asked.body["event"] == "guard.evaluation"
    assert asked.body["context"] == {
        "action_type": "deploy",
        "risk_score": 90,
        "agent_id": "a",
        "systems_touched": ["shop"],
        "reversible": False,
        "declared_goal": "Ship",
    }
    assert (asked.body["preliminary_decision"], asked.body["matched_policies"]) == ("warn", [warn])
    assert asked.body["org_id"] == "org_default"
    assert asked.headers["X-DashClaw-Signature"].startswith("v1=")


def test_the_signature_of_a_webhook_covers_its_time_and_body(world: World, checker: Checker) -> None:
    webhook(world, checker)
    ask(world)
    (asked,) = checker.asked
    body = json.dumps(asked.body).encode()
    signed = asked.headers["X-DashClaw-Timestamp"].encode() + b"." + body
    assert asked.headers["X-DashClaw-Signature"] == "v1=" + hmac.new(b"shared", signed, hashlib.sha256).hexdigest()


BAD_ANSWERS: dict[str, Way] = {
    "500": says({"decision": "allow"}, 500),
    "403": says({"decision": "allow"}, 403),
    "redirect": raw(b"", 302, Location="http://127.0.0.1:1/"),
    "permanent redirect": raw(b"{}", 308, Location="/elsewhere"),
    "html": raw(b"<html>welcome</html>"),
    "empty": raw(b""),
    "list": says(["allow"]),
    "text": says("allow"),
    "unknown decision": says({"decision": "maybe"}),
    "number": says({"decision": 3}),
    "list as decision": says({"decision": ["allow"]}),
    "object as decision": says({"decision": {"is": "allow"}}),
    "not utf-8": raw(b'{"decision": "\xff\xfe"}'),
    "deep": raw(b"[" * 30_000 + b"]" * 30_000),
    "too long": raw(b'{"decision": "allow", "reasons": ["' + b"x" * 70_000 + b'"]}'),
    "truncated": raw(b'{"decision": "al', Content_Encoding="identity"),
    "closed": close,
}


@pytest.mark.parametrize("kind", BAD_ANSWERS)
def test_a_webhook_that_fails_asks_a_person(world: World, checker: Checker, kind: str) -> None:
    policy = webhook(world, checker)
    checker.way = BAD_ANSWERS[kind]
    found = ask(world)
    assert (found["decision"], found["degraded"], found["matched_policies"]) == ("require_approval", True, [policy])
    assert len(checker.asked) == 1
    assert found["reasons"]


SLOW_ANSWERS: dict[str, Way] = {
    "hang": hang,
    "head": drip(b"HTTP/1.1 200 OK\r\n", b"X"),
    "headers": drip(b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
    "body": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{", b" "),
    "chunks": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
}


@pytest.mark.parametrize("kind", SLOW_ANSWERS)
def test_a_slow_webhook_ends_with_the_deadline_and_leaves_nothing_behind(
    hasty: World, checker: Checker, kind: str
) -> None:
    webhook(hasty, checker)
    checker.way = SLOW_ANSWERS[kind]
    begun = time.monotonic()
    found = ask(hasty)
    assert time.monotonic() - begun < 10
    assert (found["decision"], found["degraded"]) == ("require_approval", True)
    eventually(lambda: not checks_at_work())


def test_the_time_of_one_webhook_is_its_own(checker: Checker, path: str) -> None:
    for world in opened(path, settings(checker, 60.0)):
        webhook(world, checker, timeout_ms=1000)
        checker.way = SLOW_ANSWERS["head"]
        begun = time.monotonic()
        assert ask(world)["decision"] == "require_approval"
        assert time.monotonic() - begun < 30


def test_all_checks_of_one_decision_share_one_deadline(checker: Checker, path: str) -> None:
    for world in opened(path, settings(checker, 1.0)):
        for _ in range(24):
            webhook(world, checker)
        checker.way = hang
        begun = time.monotonic()
        found = ask(world)
        assert time.monotonic() - begun < 10
    assert len(checker.asked) <= 16, "a third round of eight would begin after the deadline"
    assert len(found["matched_policies"]) == 24
    assert found["decision"] == "require_approval"


@pytest.mark.parametrize("chosen", ["allow", "warn", "require_approval", "block"])
def test_a_policy_says_what_its_silence_means(world: World, checker: Checker, chosen: str) -> None:
    webhook(world, checker, on_timeout=chosen)
    checker.way = says({}, 500)
    found = ask(world)
    assert (found["decision"], found["degraded"]) == (chosen, True)


@pytest.mark.parametrize("chosen", ["warn", "require_approval", "block"])
def test_an_organisation_says_what_any_silence_means(world: World, checker: Checker, chosen: str) -> None:
    webhook(world, checker)
    checker.way = close
    world.ask("PATCH", "/api/orgs/org_default", {"guard_degradation": chosen}, caller=ADMIN)
    assert ask(world)["decision"] == chosen


def test_a_grant_does_not_lift_what_rests_on_a_failure(world: World, checker: Checker) -> None:
    webhook(world, checker)
    world.policy("allow_grant", {"action_types": ["deploy"]})
    checker.way = close
    assert ask(world)["decision"] == "require_approval"
    checker.way = says({"decision": "require_approval"})
    assert ask(world)["decision"] == "allow"


def test_the_kill_switch_does_not_wait_for_an_answer(world: World, checker: Checker) -> None:
    webhook(world, checker)
    checker.way = says({"decision": "allow"})
    world.ask("PATCH", "/api/orgs/org_default", {"kill_switch": True}, caller=ADMIN)
    found = ask(world)
    assert (found["decision"], found["matched_policies"]) == ("block", [])
    assert "Kill switch" in found["reasons"][0]


def test_private_webhooks_are_refused_unless_allowed(checker: Checker, path: str) -> None:
    for lenient in opened(path, Settings(allow_private_webhooks=True)):
        webhook(lenient, checker)
        assert ask(lenient)["decision"] == "allow"
    checker.asked.clear()
    for strict in opened(path, Settings()):
        for url in (f"{checker.url}/x", "https://127.0.0.1/x", "https://10.0.0.1/x", "https://[::1]/x", "ftp://a.b/x"):
            body = {"name": url, "policy_type": "webhook_check", "rules": {"url": url}}
            assert strict.ask("POST", "/api/policies", body, caller=ADMIN)[0] == 400, url
        found = ask(strict)
        assert (found["decision"], found["degraded"]) == ("require_approval", True)
    assert checker.asked == []


def test_a_public_name_that_resolves_to_a_private_address_is_refused(
    checker: Checker, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = checker.server_address[1]
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    for world in opened(path, Settings(evaluation_deadline=30.0)):
        world.policy("webhook_check", {"url": f"https://checks.example.com:{port}/x"})
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: inside)
        found = ask(world)
    assert (found["decision"], found["degraded"]) == ("require_approval", True)
    assert "private address" in found["reasons"][0]
    assert checker.asked == []


@pytest.mark.parametrize(("allowed", "decision"), [(True, "allow"), (False, "block")])
def test_a_model_decides(world: World, checker: Checker, allowed: bool, decision: str) -> None:
    world.policy("semantic_check", {"instruction": "Never touch customers", "model": "small"})
    checker.way = model({"allowed": allowed, "reason": "It writes to customers"})
    found = ask(world, declared_goal="Mail the customers")
    assert found["decision"] == decision
    assert any("It writes to customers" in line for line in found["reasons"]) is not allowed
    (asked,) = checker.asked
    assert (asked.path, asked.headers["Authorization"]) == ("/v1/chat/completions", "Bearer sk-test")
    assert asked.body["model"] == "small"
    assert "Never touch customers" in asked.body["messages"][-1]["content"]
    assert "Mail the customers" in asked.body["messages"][-1]["content"]


MUTE_MODELS: dict[str, Way] = {
    "prose": model("Sure, go ahead"),
    "no verdict": model({"reason": "fine"}),
    "text": model({"allowed": "true"}),
    "number": model({"allowed": 1}),
    "list": model([True]),
    "null": model("null"),
    "no choices": says({"choices": []}),
    "no message": says({"choices": [{"message": None}]}),
    "refused": says({"error": {"message": "quota"}}, 429),
    "list as answer": says([1]),
}


@pytest.mark.parametrize("kind", MUTE_MODELS)
def test_a_model_that_gives_no_verdict_fails_closed(world: World, checker: Checker, kind: str) -> None:
    world.policy("semantic_check", {"instruction": "Never touch customers"})
    checker.way = MUTE_MODELS[kind]
    found = ask(world)
    assert (found["decision"], found["degraded"]) == ("require_approval", True)


@pytest.mark.parametrize("chosen", ["allow", "block"])
def test_a_fallback_stands_in_for_the_model(hasty: World, checker: Checker, chosen: str) -> None:
    hasty.policy("semantic_check", {"instruction": "Never touch customers", "fallback": chosen})
    checker.way = hang
    found = ask(hasty)
    assert (found["decision"], found["degraded"]) == (chosen, True)


def test_checks_ask_only_when_their_policy_applies(world: World, checker: Checker) -> None:
    world.policy("webhook_check", {"url": checker.url, "when": {"min_risk": 70}}, agent_ids=["a"])
    ask(world, risk_score=10, action_type="review")
    assert world.ask("POST", "/api/guard", {"action_type": "x", "agent_id": "b", "risk_score": 90})[0] == 200
    assert checker.asked == []
    ask(world, risk_score=70)
    assert len(checker.asked) == 1


def test_a_remote_decision_is_recorded_as_it_was_answered(world: World, checker: Checker) -> None:
    webhook(world, checker)
    checker.way = says({"decision": "block", "reasons": ["frozen"]})
    status, refused = world.act("deploy")
    assert status == 403
    _, history = world.ask("GET", "/api/guard")
    assert history["decisions"][0]["reasons"] == refused["decision"]["reasons"]
    assert len(checker.asked) == 1


def test_a_check_added_by_another_process_is_asked_at_once(checker: Checker, tmp_path: Path) -> None:
    chosen = settings(checker, 30.0)
    with database("postgresql", tmp_path) as url:
        for world in opened(url, chosen):
            assert ask(world)["decision"] == "allow"
            for other in opened(url, chosen):
                webhook(other, checker)
            checker.way = says({"decision": "block"})
            assert ask(world)["decision"] == "block"
            assert len(checker.asked) == 1


def test_a_database_is_not_held_while_a_check_is_waited_for(world: World, checker: Checker) -> None:
    world.policy("webhook_check", {"url": checker.url}, agent_ids=["a"])
    checker.way = hang
    thread = threading.Thread(target=ask, args=(world,))
    thread.start()
    try:
        eventually(lambda: checker.asked)
        assert world.act("research", agent_id="b")[0] == 201
        assert thread.is_alive()
    finally:
        checker.stop.set()
        thread.join(timeout=20)
