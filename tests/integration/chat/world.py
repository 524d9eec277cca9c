"""A server, a platform and the people of a channel, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from dashclaw.runtime.chat.messenger import Messenger
from dashclaw.runtime.clock import utc_now
from dashclaw.runtime.feed import events_after

from ..databases import database
from ..serving import Served, served
from .platforms import Fake, FakeSlack, Seen, running

NUMBERS = count(1)
ANA, BEN, CEM, STRANGER = "1001", "1002", "1003", "6666"
EMAILS = {ANA: "ana@example.com", BEN: "ben@example.com", CEM: "cem@example.com"}


class World:
    """Actions `pay.*` take two people of finance (Ana, Ben), `ship.*` one; Cem is of the channel, not of finance."""

    def __init__(self, server: Served, fake: Fake, moment: list[datetime], url: str) -> None:
        self.server, self.fake, self.moment, self.url = server, fake, moment, url
        self.admin = httpx.Client(base_url=server.url, headers={"x-api-key": server.admin_key}, timeout=30)
        self.agent = httpx.Client(base_url=server.url, headers={"x-api-key": server.agent_key}, timeout=30)
        self.channel: dict[str, Any] = {}

    def set_up(self, **more: Any) -> None:
        """Policies, people and the channel."""
        for kind, people in (("pay.*", 2), ("ship.*", 1)):
            rules = {"action_types": [kind], "approvals_required": people, "approver_roles": ["finance"]}
            body = {"name": f"About {kind}", "policy_type": "require_approval", "rules": rules}
            assert self.admin.post("/api/policies", json=body).status_code == 201
        for user, email in EMAILS.items():
            body = {"email": email, "name": email.partition("@")[0].title(), "role": "member"}
            roles = ["legal"] if user == CEM else ["finance"]
            assert self.admin.post("/api/people", json={**body, "approver_roles": roles}).status_code == 201
        self.channel = self.add_channel(**more)

    def add_channel(self, **more: Any) -> dict[str, Any]:
        fake = self.fake
        body = {
            "name": "Operators",
            "platform": fake.name,
            "target": fake.target,
            "token": fake.token,
            "secret": fake.secret,
            "approvers": [{"user": user, "person": email} for user, email in EMAILS.items()],
            **more,
        }
        answer = self.admin.post("/api/chat/channels", json=body)
        assert answer.status_code == 201, answer.text
        assert fake.token not in answer.text
        assert fake.secret not in answer.text
        found: dict[str, Any] = answer.json()["channel"]
        return found

    def ask(self, kind: str = "ship.order", goal: str | None = None, **more: Any) -> dict[str, Any]:
        """An action that waits."""
        body = {"agent_id": "shipper", "action_type": kind, "declared_goal": goal or f"Send {next(NUMBERS)}", **more}
        answer = self.agent.post("/api/actions", json=body)
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()["action"]
        return found

    def now(self, action: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.agent.get(f"/api/actions/{action['action_id']}").json()["action"]
        return found

    def work(self) -> None:
        """Let a worker do what is to be done."""
        messenger = Messenger(self.server.runtime, luck=lambda: 0.0)
        messenger.round()
        assert messenger.settle(30)
        assert self.fake.faults == []

    def later(self, seconds: float) -> None:
        self.moment[0] += timedelta(seconds=seconds)

    def press(self, label: str, user: str = ANA, **wrong: Any) -> Seen:
        """Press a button of the only message."""
        return self.press_token(self.fake.buttons(self.fake.only())[label], user, **wrong)

    def press_token(self, token: str, user: str = ANA, **wrong: Any) -> Seen:
        url = f"{self.server.url}{self.channel['path']}"
        seen = self.fake.press(url, self.moment[0], token, user, **wrong)
        assert self.fake.faults == []
        return seen

    def refused(self, token: str, user: str = ANA) -> str:
        """What somebody is told whose press decides nothing."""
        seen = self.press_token(token, user)
        assert seen.status == 200
        said = self.fake.whisper() if isinstance(self.fake, FakeSlack) else seen.said
        assert said is not None
        assert said.startswith("Nothing was decided.")
        return said

    def refusals(self) -> list[dict[str, Any]]:
        """What the log tells of refused presses."""
        with self.server.runtime.store.read() as tx:
            found = events_after(tx, "org_default", 0, 1000)
        return [event["data"] for event in found if event["event"] == "chat.refused"]

    def state(self) -> dict[str, Any]:
        """The channel as an administrator sees it."""
        [found] = self.admin.get("/api/chat/channels").json()["channels"]
        return dict(found)

    def close(self) -> None:
        self.admin.close()
        self.agent.close()


@contextmanager
def world(fake: Fake, kind: str, folder: Path, **more: Any) -> Iterator[World]:
    """A world on a database of a kind."""
    moment = [utc_now()]

    def clock() -> datetime:
        """Moves by itself only so far that two changes never have the same time."""
        moment[0] += timedelta(microseconds=10)
        return moment[0]

    with running(fake), pytest.MonkeyPatch.context() as patch, database(kind, folder) as url:
        patch.setenv(f"DASHCLAW_{fake.name.upper()}_URL", fake.url)
        patch.setenv("DASHCLAW_PUBLIC_URL", "https://claw.example.com")
        with served(url, clock=clock) as server:
            found = World(server, fake, moment, url)
            try:
                found.set_up(**more)
                yield found
            finally:
                found.close()
