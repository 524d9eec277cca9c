"""`dashclaw webhooks`, on an embedded database and against a server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import update

from dashclaw import DashClaw
from dashclaw.runtime.delivery import Deliverer
from dashclaw.runtime.settings import Settings
from dashclaw.runtime.store.tables import webhook_deliveries

from ..runtime.checker import Checker, checking, says
from ..serving import Served
from .conftest import Place, Run


@pytest.fixture
def receiver() -> Iterator[Checker]:
    with checking() as found:
        yield found


@pytest.fixture(autouse=True)
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Receivers of the tests are on this machine."""
    monkeypatch.setenv("DASHCLAW_ALLOW_PRIVATE_WEBHOOKS", "true")


def added(place: Place, receiver: Checker, *words: str) -> str:
    shown = place.run("webhooks", "add", receiver.url, *words, "--json")
    assert shown.code == 0, shown.err
    found: str = shown.document["webhook"]["id"]
    return found


def test_a_webhook_is_added_with_its_secret_listed_without_and_removed(place: Place, receiver: Checker) -> None:
    assert place.run("webhooks", "list").out == "No webhooks: events are sent nowhere.\n"
    shown = place.run("webhooks", "add", receiver.url, "--event", "stale_loop", "--event", "action.created")
    _, hook, *_ = shown.out.replace(".", "").split()
    secret = shown.out.split()[-1]
    assert len(secret) == 64
    listed = place.run("webhooks", "list")
    assert f"{hook}  {receiver.url}  plain   stale_loop, action.created  yes     0" in listed.out
    assert secret not in listed.out
    assert place.run("webhooks", "remove", hook).out == f"Removed {hook}\n"
    again = place.run("webhooks", "remove", hook)
    assert again.code == 1
    assert "see dashclaw webhooks list" in again.err


def test_a_test_says_whether_it_arrived(place: Place, receiver: Checker) -> None:
    hook = added(place, receiver, "--format", "slack")
    shown = place.run("webhooks", "test", hook)
    assert shown.code == 0
    assert shown.out.startswith("It arrived: status 200 after ")
    assert receiver.asked[0].body["text"].startswith("*DashClaw: test*")
    receiver.way = says({}, 503)
    shown = place.run("webhooks", "test", hook)
    assert (shown.code, shown.out) == (1, "It did not arrive: it answered with status 503\n")
    lines = place.run("webhooks", "deliveries", hook).out.splitlines()
    assert [line.split()[1:3] for line in lines[1:]] == [["test", "failed"], ["test", "success"]]
    assert len(place.run("webhooks", "deliveries", hook, "--limit", "1").out.splitlines()) == 2
    failed = place.run("webhooks", "deliveries", hook, "--status", "failed", "--json").document["deliveries"]
    assert [row["response_status"] for row in failed] == [503]


def test_a_webhook_is_switched_off_and_on(place: Place, receiver: Checker) -> None:
    hook = added(place, receiver)
    assert "active  no" in place.run("webhooks", "disable", hook).out
    assert place.run("webhooks", "resend", hook).code == 1
    assert "active  yes" in place.run("webhooks", "enable", hook, "--skip-missed").out
    assert place.run("webhooks", "resend", hook).out == "Queued 0 for delivery\n"


def test_what_was_given_up_is_sent_again(server: Served, run: Run, receiver: Checker) -> None:
    server.runtime.settings = Settings(allow_private_webhooks=True)
    with DashClaw(server.url, server.agent_key, agent_id="agent-1") as agent:
        place = Place(agent, run, ("--url", server.url, "--api-key", server.admin_key))
        hook = added(place, receiver, "--event", "action.created")
        place.done()
        receiver.way = says({}, 500)
        deliverer = Deliverer(server.runtime)
        deliverer.round()
        assert deliverer.settle(20)
        with server.runtime.store.write() as tx:
            tx.execute(update(webhook_deliveries).values(status="failed", next_attempt_at=None))
        [row] = place.run("webhooks", "deliveries", hook, "--json").document["deliveries"]
        assert place.run("webhooks", "resend", hook, row["id"]).out == "Queued 1 for delivery\n"
        assert place.run("webhooks", "resend", hook, row["id"]).code == 1


def test_mistakes_are_told(place: Place, receiver: Checker) -> None:
    shown = place.run("webhooks", "add", receiver.url, "--event", "acton.created")
    assert shown.code == 1
    assert "acton.created" in shown.err
    for verb in ("test", "enable", "disable", "deliveries", "resend", "remove"):
        shown = place.run("webhooks", verb, "wh_unknown", "--json")
        assert (shown.code, json.loads(shown.err)["status"]) == (1, 404), verb
