"""Deliveries: at least once each, retried, given up, sent again, by one server or two."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import event, func, select, update

from dashclaw.runtime import delivery, senders
from dashclaw.runtime.delivery import FAILURES_TO_DISABLE, LEASE_SECONDS
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.senders import pause_after
from dashclaw.runtime.settings import Settings
from dashclaw.runtime.store.retention import sweep
from dashclaw.runtime.store.tables import webhook_deliveries

from ...unit.client.support import eventually
from .checker import Checker, Handler, Way, checking, hang, raw, says
from .conftest import ADMIN, World
from .delivering import Post


@pytest.fixture
def receiver() -> Iterator[Checker]:
    with checking() as found:
        yield found


@pytest.fixture
def post(world: World, receiver: Checker) -> Post:
    return Post(world, receiver)


# SQLite says "SCAN webhooks USING INDEX …" when an index is used.
WHOLE_TABLE = re.compile(r"SCAN (webhooks|webhook_deliveries|events)(?! USING)|Seq Scan on")


def told(post: Post) -> list[str]:
    """What the receiver was told of, in that order."""
    return [asked.body["resource_id"] for asked in post.receiver.asked]


def only(post: Post, hook: str) -> dict[str, object]:
    (found,) = post.history(hook)
    return found


def fails_for(name: str) -> Way:
    """Refuses what is about one thing and takes everything else."""

    def way(handler: Handler) -> None:
        handler.answer(b"{}", 400 if handler.body["data"].get("action_id") == name else 200)

    return way


def test_a_failed_delivery_is_tried_again_later_and_later(post: Post) -> None:
    hook = post.hook(["action.created"])
    post.world.act()
    post.receiver.way = says({}, 500)
    begun, waits = post.world.clock.now, []
    for _ in range(5):
        assert post.deliver() == 1
        waits.append(datetime.fromisoformat(str(only(post, hook)["next_attempt_at"])) - post.world.clock.now)
        post.world.clock.now += waits[-1] - timedelta(seconds=1)
        assert post.deliver() == 0
        post.world.clock.move(seconds=2)
    assert [round(wait.total_seconds()) for wait in waits] == [10, 30, 90, 270, 810]
    row = only(post, hook)
    assert (row["status"], row["attempts"], row["response_status"]) == ("retrying", 5, 500)
    assert row["error"] == "it answered with status 500"
    post.receiver.way = says({})
    assert post.deliver() == 1
    row = only(post, hook)
    assert (row["status"], row["next_attempt_at"], row["error"]) == ("success", None, None)
    assert {asked.headers["X-DashClaw-Delivery"] for asked in post.receiver.asked} == {row["id"]}
    assert post.shown(hook)["failure_count"] == 0
    assert post.world.clock.now > begun


def test_the_pauses_are_spread_by_luck_and_bounded() -> None:
    assert [pause_after(failures, 0.0) for failures in (1, 2, 3, 8, 50)] == [10, 30, 90, 14400, 14400]
    assert pause_after(1, 1.0) == 7.5
    assert pause_after(3, 0.5) == 90 * 0.875
    assert sum(pause_after(failures, 1.0) for failures in range(1, FAILURES_TO_DISABLE)) > 4 * 3600


def test_a_receiver_that_names_its_own_pause_gets_it(post: Post) -> None:
    hook = post.hook(["action.created"])
    post.world.act()
    for wish, seconds in (("120", 120), ("999999", 3600), ("soon", 90)):
        post.receiver.way = raw(b"", 429, Retry_After=wish)
        assert post.deliver() == 1
        again = datetime.fromisoformat(str(only(post, hook)["next_attempt_at"]))
        assert round((again - post.world.clock.now).total_seconds()) == seconds
        post.world.clock.now = again + timedelta(seconds=1)


def test_what_always_fails_does_not_hold_up_the_rest_and_is_given_up_after_a_day(post: Post) -> None:
    hook = post.hook(["action.created"])
    bad = post.world.act()[1]["action_id"]
    post.receiver.way = fails_for(bad)
    begun = post.world.clock.now
    seen = set()
    while post.world.clock.now - begun < timedelta(hours=25):
        good = post.world.act()[1]["action_id"]
        post.deliver()
        post.world.clock.move(minutes=30)
        post.deliver()
        assert good in told(post)
        seen.add(post.shown(hook)["active"])
    assert seen == {True}
    (row,) = [row for row in post.history(hook) if row["status"] != "success"]
    assert (row["status"], row["next_attempt_at"]) == ("failed", None)
    with post.world.runtime.store.read() as tx:
        kept = tx.all(select(webhook_deliveries.c.id).where(webhook_deliveries.c.payload.is_not(None)))
    assert [found["id"] for found in kept] == [row["id"]], "what arrived is not stored twice"
    assert 8 < Counter(told(post))[bad] < 16
    gone_at = datetime.fromisoformat(row["attempted_at"]) - begun
    assert timedelta(hours=24) <= gone_at < timedelta(hours=25)


def test_what_was_given_up_can_be_sent_again(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = post.hook(["action.created"])
    bad = post.world.act()[1]["action_id"]
    post.receiver.way = fails_for(bad)
    post.deliver()
    post.world.clock.move(hours=25)
    post.deliver()
    (row,) = post.history(hook)
    path = f"/api/webhooks/{hook}/deliveries/{row['id']}/resend"
    assert row["status"] == "failed"
    post.receiver.way = says({})
    assert post.world.ask("POST", path, caller=ADMIN)[1] == {"success": True, "queued": 1}
    post.world.clock.move(minutes=1)
    post.deliver()
    assert only(post, hook)["status"] == "success"
    assert post.receiver.asked[-1].headers["X-DashClaw-Delivery"] == row["id"]
    assert post.world.ask("POST", path, caller=ADMIN)[0] == 409
    assert post.world.ask("POST", f"/api/webhooks/{hook}/deliveries/wd_unknown/resend", caller=ADMIN)[0] == 404
    other = post.hook()
    assert post.world.ask("POST", f"/api/webhooks/{other}/deliveries/{row['id']}/resend", caller=ADMIN)[0] == 404


def test_ten_failures_in_a_row_disable_a_webhook_and_an_event_says_so(post: Post) -> None:
    hook = post.hook(["action.created"])
    ops = post.hook(["webhook.disabled"])
    for _ in range(3):
        post.world.act()
    failing = post.shown(hook)["url"]

    def way(handler: Handler) -> None:
        handler.answer(b"{}", 200 if handler.body["event"] == "webhook.disabled" else 500)

    post.receiver.way = way
    while post.shown(hook)["active"]:
        post.deliver()
        assert post.shown(hook)["failure_count"] <= FAILURES_TO_DISABLE
        post.world.clock.move(minutes=10)
    shown = post.shown(hook)
    assert (shown["failure_count"], shown["url"]) == (10, failing)
    assert shown["disabled_reason"] == "10 failures in a row; at last it answered with status 500"
    assert [row["status"] for row in post.history(hook)] == ["failed"] * 3
    _, log = post.world.ask("GET", "/api/activity", query={"action": "webhook.disabled"})
    assert [(row["resource_id"], row["details"]["given_up"]) for row in log["logs"]] == [(hook, 3)]
    assert [row["status"] for row in post.history(ops)] == ["success"]
    asked = len(post.receiver.asked)
    post.world.act()
    post.world.clock.move(hours=30)
    assert post.deliver() == 0
    assert post.world.ask("POST", f"/api/webhooks/{hook}/resend", caller=ADMIN)[1]["code"] == "WEBHOOK_DISABLED"

    post.receiver.way = says({})
    enabled = post.world.ask("PATCH", f"/api/webhooks/{hook}", {"active": True}, caller=ADMIN)[1]["webhook"]
    assert (enabled["active"], enabled["failure_count"], enabled["disabled_reason"]) == (True, 0, None)
    assert post.deliver() == 1, "what happened meanwhile"
    assert post.world.ask("POST", f"/api/webhooks/{hook}/resend", caller=ADMIN)[1]["queued"] == 3
    assert post.deliver() == 3
    assert [row["status"] for row in post.history(hook)] == ["success"] * 4
    assert len(post.receiver.asked) == asked + 4


def test_failures_at_the_same_time_count_once(post: Post) -> None:
    hook = post.hook(["action.created"])
    for _ in range(4):
        post.world.act()
    together = threading.Barrier(4)

    def way(handler: Handler) -> None:
        together.wait(20)
        handler.answer(b"", 500)

    post.receiver.way = way
    post.deliverer.round()
    assert post.deliverer.settle(20)
    assert len(post.receiver.asked) == 4
    assert post.shown(hook)["failure_count"] == 1
    post.receiver.way = says({}, 500)
    post.world.clock.move(seconds=11)
    assert post.deliver() == 1, "one probes whether it works again"


def test_a_webhook_that_goes_on_may_leave_out_what_it_missed(post: Post) -> None:
    hook = post.hook(["action.created"])
    path = f"/api/webhooks/{hook}"
    post.world.ask("PATCH", path, {"active": False}, caller=ADMIN)
    post.world.act()
    assert post.deliver() == 0
    post.world.ask("PATCH", path, {"active": True, "skip_missed": True}, caller=ADMIN)
    later = post.world.act()[1]["action_id"]
    post.deliver()
    assert told(post) == [later]


def test_two_servers_deliver_everything_once(post: Post) -> None:
    post.hook(["action.created"])
    actions = [post.world.act()[1]["action_id"] for _ in range(30)]
    servers = [post.another(), post.another()]

    def work(server: delivery.Deliverer) -> None:
        for _ in range(40):
            server.round()
            assert server.settle(20)

    threads = [threading.Thread(target=work, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told(post)) == sorted(actions)


def test_a_lease_that_ran_out_lets_another_server_send_and_the_late_answer_still_counts(post: Post) -> None:
    hook = post.hook(["action.created"])
    post.world.act()
    release = threading.Event()

    def slow(handler: Handler) -> None:
        release.wait(20)
        handler.answer(b"{}")

    post.receiver.way = slow
    post.deliverer.round()
    eventually(lambda: post.receiver.asked)
    other = post.another()
    other.round()
    assert other.settle(20)
    assert len(post.receiver.asked) == 1, "the lease holds"
    post.world.clock.move(seconds=LEASE_SECONDS + 1)
    post.receiver.way = says({}, 500)
    other.round()
    assert other.settle(20)
    assert [post.receiver.asked[at].headers["X-DashClaw-Delivery"] for at in (0, 1)] == [only(post, hook)["id"]] * 2
    assert only(post, hook)["status"] == "retrying"
    release.set()
    assert post.deliverer.settle(20)
    assert only(post, hook)["status"] == "success"
    assert post.shown(hook)["failure_count"] == 0


def test_a_late_failure_does_not_undo_what_another_server_delivered(post: Post) -> None:
    hook = post.hook(["action.created"])
    post.world.act()
    release = threading.Event()

    def slow(handler: Handler) -> None:
        release.wait(20)
        handler.answer(b"{}", 500)

    post.receiver.way = slow
    post.deliverer.round()
    eventually(lambda: post.receiver.asked)
    post.world.clock.move(seconds=LEASE_SECONDS + 1)
    post.receiver.way = says({})
    other = post.another()
    other.round()
    assert other.settle(20)
    release.set()
    assert post.deliverer.settle(20)
    row = only(post, hook)
    assert (row["status"], row["response_status"], row["next_attempt_at"]) == ("success", 200, None)
    assert post.shown(hook)["failure_count"] == 0


DIES = """
import sys
from dashclaw.runtime.delivery import Deliverer
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.settings import Settings
runtime = Runtime.open(sys.argv[1], settings=Settings(allow_private_webhooks=True))
deliverer = Deliverer(runtime)
deliverer.round()
deliverer.settle(60)
"""


def test_what_a_killed_process_was_sending_is_sent_again(post: Post) -> None:
    post.world.clock.now = datetime.now(timezone.utc) - timedelta(seconds=5)
    hook = post.hook(["action.created"])
    actions = [post.world.act()[1]["action_id"] for _ in range(6)]
    post.receiver.way = hang
    process = subprocess.Popen([sys.executable, "-c", DIES, post.world.url])
    try:
        eventually(lambda: len(post.receiver.asked) == 4, 30)
    finally:
        process.kill()
        process.wait()
    assert Counter(row["status"] for row in post.history(hook)) == {"pending": 6}
    post.receiver.stop.set()
    post.receiver.way = says({})
    post.world.clock.now = datetime.now(timezone.utc) + timedelta(seconds=LEASE_SECONDS + 1)
    post.deliver()
    assert Counter(row["status"] for row in post.history(hook)) == {"success": 6}
    assert set(told(post)) == set(actions)
    assert len(told(post)) == 10


def test_events_of_a_time_without_a_server_are_delivered_when_one_starts(world: World, receiver: Checker) -> None:
    post = Post(world, receiver)
    post.hook(["action.created"])
    actions = [world.act()[1]["action_id"] for _ in range(3)]
    runtime = Runtime.open(world.url, settings=Settings(allow_private_webhooks=True), clock=world.clock)
    try:
        later = delivery.Deliverer(runtime)
        later.round()
        assert later.settle(20)
    finally:
        runtime.close()
    assert sorted(told(post)) == sorted(actions)


def test_a_slow_webhook_holds_up_no_other(post: Post) -> None:
    slow = post.hook(["action.created"], url=f"{post.receiver.url}/slow")
    post.hook(["action.created"], url=f"{post.receiver.url}/quick")
    for _ in range(6):
        post.world.act()

    def way(handler: Handler) -> None:
        if handler.path == "/slow":
            handler.server.stop.wait(20)
        handler.answer(b"{}")

    def quick() -> int:
        post.deliverer.round()
        return sum(asked.path == "/quick" for asked in post.receiver.asked)

    post.receiver.way = way
    eventually(lambda: quick() == 6)
    assert sum(asked.path == "/slow" for asked in post.receiver.asked) == delivery.SLOTS_PER_HOOK
    post.receiver.stop.set()
    assert post.deliverer.settle(20)
    assert Counter(row["status"] for row in post.history(slow))["success"] == delivery.SLOTS_PER_HOOK


def test_a_round_is_bounded(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "EVENTS_AT_ONCE", 5)
    monkeypatch.setattr(delivery, "MOST_UNTRIED", 7)
    hook = post.hook(["action.created"])
    for _ in range(20):
        post.world.act()
    post.receiver.way = hang
    for _ in range(6):
        post.deliverer.round()
    assert len(post.history(hook)) < 15
    post.receiver.stop.set()
    assert post.deliverer.settle(20)
    post.receiver.way = says({})
    post.world.clock.move(seconds=11)
    post.deliver()
    assert len(set(told(post))) == 20


def test_a_deliverer_that_is_closed_starts_nothing_and_waits_little(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(senders, "GRACE_SECONDS", 0.05)
    post.hook(["action.created"])
    post.world.act()
    post.receiver.way = hang
    post.deliverer.round()
    eventually(lambda: post.receiver.asked)
    post.deliverer.close()
    post.world.act()
    post.deliverer.round()
    assert len(post.receiver.asked) == 1
    post.receiver.stop.set()
    assert post.deliverer.settle(20)


def test_an_address_is_judged_again_when_it_is_called(post: Post) -> None:
    hook = post.hook(["action.created"])
    post.world.act()
    post.world.runtime.settings = post.world.runtime.settings._replace(allow_private_webhooks=False)
    post.deliver()
    assert post.receiver.asked == []
    assert only(post, hook)["error"] == "its address must use https"


def test_a_public_name_that_leads_into_this_network_is_not_called(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    port = post.receiver.server_address[1]
    post.world.runtime.settings = Settings()
    hook = post.hook(["action.created"], url=f"https://hooks.example.com:{port}/x")
    post.world.act()
    looked_up = []

    def resolve(host: str, *_: object, **__: object) -> list[object]:
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    post.deliver()
    monkeypatch.undo()
    row = only(post, hook)
    assert (row["status"], row["error"]) == ("retrying", "its name resolves to a private address")
    assert looked_up == ["hooks.example.com"]
    assert post.receiver.asked == []


def test_a_payload_that_cannot_be_shaped_is_given_up_in_the_end(post: Post) -> None:
    hook = post.hook(["action.created"])
    post.world.act()
    post.receiver.way = says({}, 500)
    post.deliver()
    with post.world.runtime.store.write() as tx:
        tx.execute(update(webhook_deliveries).values(payload="{}"))
    post.world.clock.move(hours=25)
    post.deliver()
    row = only(post, hook)
    assert (row["status"], row["error"]) == ("failed", "it could not be made; the server's log says why")


def test_every_query_of_the_deliverer_and_the_lists_uses_an_index(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = post.hook(["action.created"])
    asked: list[tuple[str, object]] = []

    def note(_: object, __: object, statement: str, parameters: object, *___: object) -> None:
        if statement.startswith("SELECT") and "webhook" in statement:
            asked.append((statement, parameters))

    engine = post.world.runtime.store.engine
    event.listen(engine, "before_cursor_execute", note)
    post.world.act()
    post.deliver()
    post.history(hook)
    post.world.ask("GET", f"/api/webhooks/{hook}/deliveries", query={"status": "failed"})
    post.shown(hook)
    event.remove(engine, "before_cursor_execute", note)
    assert len(asked) > 8
    sqlite = post.world.runtime.store.dialect == "sqlite"
    with engine.connect() as connection:
        if not sqlite:
            # Small tables would be read whole although there is an index.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for statement, parameters in asked:
            explain = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
            plan = connection.exec_driver_sql(f"{explain} {statement}", parameters).fetchall()
            whole = [str(row[-1]) for row in plan if WHOLE_TABLE.search(str(row[-1]))]
            assert whole == [], statement


def test_settled_deliveries_are_forgotten_and_open_ones_are_not(post: Post) -> None:
    hook = post.hook(["action.created"])
    post.world.act()
    post.deliver()
    post.receiver.way = says({}, 500)
    post.world.act()
    post.deliver()
    with post.world.runtime.store.write() as tx:
        tx.execute(update(webhook_deliveries).values(give_up_at="9999"))
    post.world.clock.move(days=31)
    assert sweep(post.world.runtime.store, Settings())["deliveries"] == 1
    assert [row["status"] for row in post.history(hook)] == ["retrying"]


def test_old_events_are_kept_until_every_webhook_has_looked_at_them(post: Post) -> None:
    post.hook(["action.created"])
    action_id = post.world.act()[1]["action_id"]
    post.world.ask("PATCH", f"/api/actions/{action_id}", {"status": "completed"})
    post.world.clock.move(days=31)
    days = Settings(event_days=30)
    sweep(post.world.runtime.store, days)
    post.deliver()
    assert told(post) == [action_id]
    assert sweep(post.world.runtime.store, days)["events"] > 0


def test_a_database_that_fails_loses_nothing(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = post.hook(["action.created"])
    post.world.act()

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr("dashclaw.runtime.store.webhooks.move_cursor", fails)
        post.deliverer.round()
    with post.world.runtime.store.read() as tx:
        assert tx.scalar(select(func.count()).select_from(webhook_deliveries)) == 0
    post.deliver()
    assert only(post, hook)["status"] == "success"
