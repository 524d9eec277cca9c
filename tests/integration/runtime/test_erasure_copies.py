"""Copies of a text that an erasure reaches: what webhooks are sent, what others answered, signatures, the file."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashclaw.runtime.bootstrap import ensure_default_org
from dashclaw.runtime.runtime import Runtime

from .checker import Checker, checking, raw, says
from .conftest import ADMIN, Clock, World
from .delivering import Post
from .test_erasure import SECRET, checked, erase, events_of, where
from .test_signatures import action, create, key_of, register, sign


@pytest.fixture
def receiver() -> Iterator[Checker]:
    with checking() as found:
        yield found


def test_a_webhook_that_comes_late_gets_no_text(world: World, receiver: Checker) -> None:
    post = Post(world, receiver)
    hook = post.hook(["all"])
    receiver.way = raw(SECRET.encode(), 503)
    _, made = world.act(declared_goal=SECRET, status="completed")
    assert post.deliver() > 0
    assert "webhook_deliveries.payload" in where(world, SECRET)
    assert "webhook_deliveries.response_body" in where(world, SECRET)
    erase(world, made["action_id"])
    assert where(world, SECRET) == set()
    receiver.way = says({})
    receiver.asked.clear()
    world.clock.move(hours=1)
    while post.deliver():
        world.clock.move(hours=1)
    got = [asked.body for asked in receiver.asked]
    assert {"action.created", "evidence.erased", "guard.decision.erased"} <= {body["event"] for body in got}
    assert SECRET.encode() not in b"".join(asked.raw for asked in receiver.asked)
    assert [body["data"] for body in got if body["event"] == "action.created"] == [{"erased": True}]
    assert post.shown(hook)["active"]


def test_the_words_of_a_remote_check_go_and_ours_stay(world: World, receiver: Checker) -> None:
    world.runtime.settings = world.runtime.settings._replace(allow_private_webhooks=True)
    world.policy("webhook_check", {"url": receiver.url})
    world.policy("warn_action_type", {"action_types": ["mail"]})
    receiver.way = says({"decision": "warn", "reasons": [f"Writes to {SECRET}"], "warnings": [SECRET]})
    _, made = world.act("mail", declared_goal="Write", status="completed")
    decision_id = made["action"]["decision_id"]
    before = world.ask("GET", f"/api/guard/decisions/{decision_id}")[1]["decision"]
    assert where(world, SECRET) == {"guard_decisions.facts", "guard_decisions.warnings"}
    erase(world, made["action_id"])
    assert where(world, SECRET) == set()
    after = world.ask("GET", f"/api/guard/decisions/{decision_id}")[1]["decision"]
    assert len(after["warnings"]) == len(before["warnings"]) == 3
    assert [line for line in after["warnings"] if "[erased]" not in line] == [
        line for line in before["warnings"] if SECRET not in line
    ]
    checked(world)


def test_a_signature_over_the_text_goes(world: World) -> None:
    key = key_of("agent")
    register(world, key)
    body = sign(world, action(declared_goal=SECRET, status="completed"), key)
    _, made = create(world, body)
    assert where(world, body["_signature"]) == {"actions.signature", "events.data"}
    erase(world, made["action_id"])
    assert where(world, body["_signature"]) == set()
    (seen,) = events_of(world, "signature.verified")
    assert seen["data"] == {"erased": True}
    shown = world.ask("GET", f"/api/actions/{made['action_id']}")[1]["action"]
    assert (shown["signature"], shown["verified"]) == (None, True)
    checked(world)


@pytest.fixture
def embedded(sqlite_template: Path, tmp_path: Path) -> Iterator[World]:
    url = str(shutil.copy(sqlite_template, tmp_path))
    clock = Clock()
    runtime = Runtime.open(url, clock=clock)
    try:
        ensure_default_org(runtime.store, starter_policies=False)
        yield World(runtime, clock, url)
    finally:
        runtime.close()


def test_pages_that_were_split_long_ago_hold_nothing(embedded: World) -> None:
    chance = random.Random(4)
    secrets = [f"<<{SECRET} {number:05}>>" for number in range(400)]
    ids: list[str] = []
    for number, secret in enumerate(secrets):
        long = secret + "r" * chance.randrange(1500)
        _, made = embedded.act(declared_goal=secret, reasoning=long, action_id=f"x{chance.random()}")
        ids.append(made["action_id"])
        earlier = chance.randrange(number + 1)
        outcome: dict[str, Any] = {"output_summary": secrets[earlier] + "o" * chance.randrange(1500)}
        embedded.ask("PATCH", f"/api/actions/{ids[earlier]}", outcome)
    for action_id in ids:
        embedded.ask("PATCH", f"/api/actions/{action_id}", {"status": "completed"})
    gone = sorted(chance.sample(range(len(ids)), 60))
    for number in gone:
        erase(embedded, ids[number])
    held = b"".join(path.read_bytes() for path in Path(embedded.url).parent.glob("dashclaw.db*"))
    assert [number for number in gone if secrets[number].encode() in held] == []
    assert all(secrets[number].encode() in held for number in set(range(400)) - set(gone))
    assert checked(embedded, ADMIN.org_id).erased > 120
