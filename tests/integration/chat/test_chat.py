"""Approvals in chats: who may decide, about what, how often; and what the message says afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dashclaw.runtime.chat.messenger import LEASE_SECONDS, Messenger
from dashclaw.runtime.clock import stamp
from dashclaw.runtime.store import chat

from .platforms import FakeDiscord, FakeSlack, FakeTelegram
from .world import ANA, BEN, CEM, STRANGER, World, world

KINDS = [
    pytest.param((FakeSlack, "sqlite"), id="slack"),
    pytest.param((FakeSlack, "postgresql"), id="slack-postgresql"),
    pytest.param((FakeDiscord, "sqlite"), id="discord"),
    pytest.param((FakeTelegram, "sqlite"), id="telegram"),
]


@pytest.fixture(params=KINDS)
def claw(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    fake, kind = request.param
    with world(fake(), kind, tmp_path) as found:
        yield found


@pytest.fixture
def slack(tmp_path: Path) -> Iterator[World]:
    with world(FakeSlack(), "sqlite", tmp_path) as found:
        yield found


def test_a_message_asks_an_approver_presses_and_the_agent_goes_on(claw: World) -> None:
    action = claw.ask(goal="Send 12 parcels", risk_score=71)
    claw.work()
    message = claw.fake.only()
    shown = claw.fake.text(message)
    risk = claw.now(action)["risk_score"]
    for said in ("Send 12 parcels", "shipper", "ship.order", f"{risk} of 100", "About ship.*", "in 59 min"):
        assert said in shown, said
    assert f"https://claw.example.com/approvals/{action['action_id']}" in shown
    assert set(claw.fake.buttons(message)) == {"Approve", "Deny"}
    assert claw.press("Approve").status == 200
    after = claw.now(action)
    assert after["status"] == "running"
    [vote] = after["approval"]["votes"]
    assert (vote["name"], vote["how"], vote["decision"]) == ("ana@example.com", claw.fake.name, "allow")
    assert vote["from"] == {"user": ANA, "host": claw.channel["id"]}
    claw.work()
    message = claw.fake.only()
    assert claw.fake.buttons(message) == {}
    assert f"Approved by ana@example.com in {claw.fake.name.title()}" in claw.fake.text(message)
    assert (claw.fake.sent, claw.fake.changed) == (1, 1)
    calls = claw.fake.calls
    claw.work()
    assert claw.fake.calls == calls, "there is nothing more to do"


def test_a_denial_gives_the_agent_a_reason(claw: World) -> None:
    action = claw.ask()
    claw.work()
    assert claw.press("Deny", BEN).status == 200
    after = claw.now(action)
    assert (after["status"], after["approval"]["status"]) == ("failed", "denied")
    assert after["approval"]["reason"] == f"Denied in {claw.fake.name.title()} by Ben"
    claw.work()
    assert "Denied by ben@example.com" in claw.fake.text(claw.fake.only())


def test_who_is_not_on_the_list_decides_nothing_and_is_recorded(claw: World) -> None:
    action = claw.ask()
    claw.work()
    token = claw.fake.buttons(claw.fake.only())["Approve"]
    assert "not among the approvers" in claw.refused(token, STRANGER)
    assert "approver with the role finance" in claw.refused(token, CEM)
    assert claw.now(action)["approval"]["votes"] == []
    assert [(one["user"], one["code"], one["action_id"]) for one in claw.refusals()] == [
        (STRANGER, "NOT_AN_APPROVER", action["action_id"]),
        (CEM, "APPROVER_ROLE_REQUIRED", action["action_id"]),
    ]
    assert claw.press_token(token).status == 200, "a refused press uses no button up"
    assert claw.now(action)["status"] == "running"


def test_a_button_decides_once_and_only_about_what_it_showed(claw: World) -> None:
    paying = claw.ask("pay.bill")
    claw.work()
    first = claw.fake.buttons(claw.fake.only())
    assert claw.press("Approve").status == 200
    assert "has been used" in claw.refused(first["Approve"])
    assert "has been used" in claw.refused(first["Deny"], BEN)
    claw.work()
    message = claw.fake.only()
    assert "It waits for 1 more" in claw.fake.text(message)
    second = claw.fake.buttons(message)
    assert set(first.values()).isdisjoint(second.values())
    assert "earlier message" in claw.refused(first["Approve"], BEN)
    assert "decided about the action already" in claw.refused(second["Approve"], ANA)
    assert claw.now(paying)["approval"]["remaining"] == 1
    assert claw.press_token(second["Approve"], BEN).status == 200
    assert claw.now(paying)["status"] == "running"
    claw.work()
    assert "earlier message" in claw.refused(second["Approve"], BEN)
    assert len(claw.now(paying)["approval"]["votes"]) == 2


def test_what_changed_since_the_message_is_not_decided(claw: World) -> None:
    action = claw.ask("pay.bill")
    claw.work()
    token = claw.fake.buttons(claw.fake.only())["Approve"]
    vote(claw, action["action_id"])
    assert "has changed" in claw.refused(token, BEN)
    assert claw.now(action)["approval"]["remaining"] == 1


def vote(claw: World, action_id: str) -> None:
    """Ana approves with a key of her own."""
    body = {"role": "member", "operator": "ana@example.com", "approver_roles": ["finance"]}
    key = claw.admin.post("/api/orgs/org_default/keys", json=body).json()["api_key"]["key"]
    answer = claw.admin.post(
        f"/api/actions/{action_id}/approve", json={"decision": "allow"}, headers={"x-api-key": key}
    )
    assert answer.status_code == 200, answer.text


def test_channels_of_one_app_share_its_address_and_keep_their_approvers(claw: World) -> None:
    action = claw.ask()
    claw.work()
    token = claw.fake.buttons(claw.fake.only())["Approve"]
    approvers = [{"user": STRANGER, "person": "ben@example.com"}]
    claw.channel = claw.add_channel(name="Another", approvers=approvers)
    assert "not among the approvers" in claw.refused(token, STRANGER)
    assert claw.press_token(token).status == 200
    assert claw.now(action)["status"] == "running"


def test_every_channel_gets_a_message_and_all_of_them_change(claw: World) -> None:
    at = f"/api/chat/channels/{claw.add_channel(name='Another')['id']}"
    assert claw.admin.patch(at, json={"active": False}).status_code == 200
    claw.ask()
    claw.work()
    assert claw.fake.sent == 1
    assert claw.admin.patch(at, json={"active": True}).status_code == 200
    claw.work()
    assert claw.fake.sent == 2
    tokens = [claw.fake.buttons(message)["Deny"] for message in claw.fake.messages.values()]
    assert len(set(tokens)) == 2
    assert claw.press_token(tokens[1]).status == 200
    claw.work()
    assert [claw.fake.buttons(message) for message in claw.fake.messages.values()] == [{}, {}]


def test_a_new_channel_is_told_of_what_begins_to_wait_from_then_on(slack: World) -> None:
    first = slack.ask()
    slack.work()
    slack.channel = slack.add_channel(name="Later")
    slack.later(1)
    second = slack.ask()
    slack.work()
    shown = [slack.fake.text(message) for message in slack.fake.messages.values()]
    assert sum(first["declared_goal"] + '"' in text for text in shown) == 1, "what waited before is not told again"
    assert sum(second["declared_goal"] + '"' in text for text in shown) == 2


def test_a_button_of_another_app_decides_nothing(slack: World) -> None:
    action = slack.ask()
    slack.work()
    token = slack.fake.buttons(slack.fake.only())["Approve"]
    slack.channel = slack.add_channel(name="Another", secret="secret-of-another-app")
    assert slack.press_token(token, secret="secret-of-another-app").status == 200
    assert [one["code"] for one in slack.refusals()] == ["BUTTON_OLD"]
    assert slack.now(action)["status"] == "pending_approval"


@pytest.mark.parametrize(
    "wrong", [{"secret": "another-secret-0123456789"}, {"age": 301}, {"age": -301}, {"more": b" "}]
)
def test_what_the_platform_did_not_sign_is_refused(claw: World, wrong: dict[str, object]) -> None:
    if isinstance(claw.fake, FakeTelegram) and "secret" not in wrong:
        pytest.skip("Telegram sends a secret, not a signature")
    action = claw.ask()
    claw.work()
    assert claw.press("Approve", **wrong).status == 401
    assert claw.now(action)["approval"]["votes"] == []
    assert claw.press("Approve").status == 200


def test_what_was_decided_elsewhere_changes_the_message(claw: World) -> None:
    action = claw.ask()
    claw.work()
    token = claw.fake.buttons(claw.fake.only())["Approve"]
    body = {"decision": "deny", "reasoning": "Not today"}
    assert claw.admin.post(f"/api/actions/{action['action_id']}/approve", json=body).status_code == 200
    assert "does not wait for approval" in claw.refused(token)
    claw.work()
    message = claw.fake.only()
    assert claw.fake.buttons(message) == {}
    assert "Not today" in claw.fake.text(message)


def test_an_action_that_expires_loses_its_buttons(claw: World) -> None:
    action = claw.ask()
    claw.work()
    token = claw.fake.buttons(claw.fake.only())["Approve"]
    claw.later(3601)
    assert "expired" in claw.refused(token)
    claw.work()
    message = claw.fake.only()
    assert claw.fake.buttons(message) == {}
    assert "Nobody decided" in claw.fake.text(message)
    assert claw.now(action)["approval"]["status"] == "expired"


def test_a_platform_that_is_down_is_asked_again_and_the_page_says_so(claw: World) -> None:
    claw.fake.down = 503
    claw.ask()
    claw.work()
    found = claw.state()
    assert (found["failure_count"], "503" in found["error"]) == (1, True)
    assert claw.fake.token not in str(found)
    claw.fake.down = None
    claw.work()
    assert claw.fake.sent == 0, "it is left alone for a moment"
    claw.later(5)
    claw.work()
    assert claw.fake.sent == 1
    assert (claw.state()["error"], claw.state()["failure_count"]) == (None, 0)


def test_a_change_that_failed_is_made_later(claw: World) -> None:
    claw.ask()
    claw.work()
    assert claw.press("Approve").status == 200
    claw.fake.down, claw.fake.wait = 429, 90
    claw.work()
    claw.fake.down, claw.fake.wait = None, None
    claw.later(80)
    claw.work()
    assert claw.fake.changed == 0, "the platform asked for 90 seconds"
    claw.later(10)
    claw.work()
    assert claw.fake.buttons(claw.fake.only()) == {}


def test_a_message_that_was_deleted_is_given_up(claw: World) -> None:
    claw.ask()
    claw.work()
    assert claw.press("Approve").status == 200
    claw.fake.messages.clear()
    claw.work()
    calls = claw.fake.calls
    claw.later(3600)
    claw.work()
    assert claw.fake.calls == calls
    assert claw.state()["failure_count"] == 0


def test_what_was_decided_before_it_could_be_sent_is_not_sent(slack: World) -> None:
    slack.fake.down = 500
    action = slack.ask()
    slack.work()
    slack.admin.post(f"/api/actions/{action['action_id']}/approve", json={"decision": "deny"})
    slack.fake.down = None
    slack.later(10)
    slack.work()
    assert slack.fake.sent == 0


def test_two_workers_send_one_message(claw: World) -> None:
    for _ in range(3):
        claw.ask()
    workers = [Messenger(claw.server.runtime) for _ in range(3)]
    together = threading.Barrier(len(workers))

    def work(messenger: Messenger) -> None:
        together.wait()
        messenger.round()
        messenger.settle(30)

    threads = [threading.Thread(target=work, args=(one,)) for one in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    claw.work()
    assert (claw.fake.sent, claw.fake.faults) == (3, [])


def test_a_worker_that_died_while_it_sent_is_followed_by_another(slack: World) -> None:
    slack.ask()
    with slack.server.runtime.store.write("org_default") as tx:
        until = stamp(tx.now + timedelta(seconds=LEASE_SECONDS))
        assert chat.lease(tx, slack.channel["id"], "dead", until)
    slack.later(LEASE_SECONDS - 1)
    slack.work()
    assert slack.fake.sent == 0
    slack.later(1)
    slack.work()
    assert slack.fake.sent == 1


def test_texts_of_an_agent_are_dead_in_every_platform(claw: World) -> None:
    claw.ask(goal="<!channel> @everyone [pay](https://evil.example) *now* \u202e")
    claw.work()
    shown = str(claw.fake.only())
    assert "\u202e" not in shown
    if isinstance(claw.fake, FakeSlack):
        live = [block["text"] for block in claw.fake.only()["blocks"] if block.get("text", {}).get("type") == "mrkdwn"]
        assert all("evil" not in text["text"] for text in live)
        assert "<!channel>" not in claw.fake.only()["text"]
    if isinstance(claw.fake, FakeDiscord):
        assert "\\[pay\\]\\(https\\:" in claw.fake.only()["embeds"][0]["description"]


def test_a_channel_that_is_removed_or_off_answers_nobody(slack: World) -> None:
    slack.ask()
    slack.work()
    token = slack.fake.buttons(slack.fake.only())["Approve"]
    at = f"/api/chat/channels/{slack.channel['id']}"
    assert slack.admin.patch(at, json={"active": False}).status_code == 200
    assert slack.press_token(token).status == 404
    assert slack.admin.patch(at, json={"active": True}).status_code == 200
    assert slack.admin.delete(at).status_code == 200
    assert slack.press_token(token).status == 404
    assert slack.admin.get("/api/chat/channels").json()["channels"] == []
