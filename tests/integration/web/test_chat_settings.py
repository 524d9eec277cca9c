"""The settings page of chats: added, changed, tested and removed by administrators, with no secret on any page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ..chat.platforms import FakeSlack
from ..chat.world import World, world
from .people import People
from .support import text_of

PAGE = "/settings/chat"


@pytest.fixture
def claw(tmp_path: Path) -> Iterator[World]:
    with world(FakeSlack(), "sqlite", tmp_path) as found:
        yield found


@pytest.fixture
def crowd(claw: World) -> Iterator[People]:
    with closing(People(claw.server)) as found:
        yield found


def test_a_channel_is_added_and_changed_and_its_secrets_are_on_no_page(crowd: People, claw: World) -> None:
    fake, operator = claw.fake, crowd.operator()
    form = {"platform": "slack", "name": "On call", "target": "C1", "token": fake.token, "secret": fake.secret}
    made = operator.send(PAGE, PAGE, **form, approvers="U1 ana@example.com\nU2=ben@example.com\n")
    assert made.status_code == 200, text_of(made)
    assert "Request URL" in text_of(made)
    [channel] = [one for one in claw.admin.get("/api/chat/channels").json()["channels"] if one["name"] == "On call"]
    assert channel["path"] in text_of(made)
    assert [(one["user"], one["person"]) for one in channel["approvers"]] == [
        ("U1", "ana@example.com"),
        ("U2", "ben@example.com"),
    ]
    own = f"{PAGE}/{channel['id']}"
    changed = operator.send(
        own, own, name="Night shift", approvers="U2 ben@example.com", target="C1", token="", secret=""
    )
    assert "Saved." in operator.after(changed)
    pages = [made.text, operator.get(PAGE).text, operator.get(own).text]
    assert "Night shift" in pages[1]
    assert [page for page in pages if fake.token in page or fake.secret in page] == []
    wrong = operator.send(own, own, name="x", approvers="U2 nobody@example.com", target="C1")
    assert (wrong.status_code, "nobody@example.com" in text_of(wrong)) == (400, True)
    wrong = operator.send(PAGE, PAGE, **{**form, "token": "hunter2-hunter2"})
    assert (wrong.status_code, "hunter2" in wrong.text, "On call" in wrong.text) == (400, False, True)


def test_a_failure_shows_and_the_channel_can_be_tested_paused_and_removed(crowd: People, claw: World) -> None:
    operator, own = crowd.operator(), f"{PAGE}/{claw.channel['id']}"
    claw.fake.down = 503
    claw.ask()
    claw.work()
    assert "Slack refused the message: status 503" in text_of(operator.get(own))
    assert "fails" in text_of(operator.get(PAGE))
    assert "Not sent. Slack refused" in operator.after(operator.send(own, f"{own}/test"))
    claw.fake.down = None
    assert "It arrived." in operator.after(operator.send(own, f"{own}/test"))
    assert "503" not in text_of(operator.get(own))
    operator.after(operator.send(own, f"{own}/switch"))
    sent = claw.fake.sent
    claw.work()
    assert claw.fake.sent == sent, "nothing is sent while it is off"
    operator.after(operator.send(own, f"{own}/switch"))
    claw.work()
    assert claw.fake.sent == sent + 1
    operator.after(operator.send(own, f"{own}/remove"))
    assert operator.get(own).status_code == 404


def test_others_than_administrators_see_nothing_of_it(crowd: People, claw: World) -> None:
    member = crowd.joined("member@example.com")
    assert member.get(PAGE).status_code == 403
    assert member.get(f"{PAGE}/{claw.channel['id']}").status_code == 403
