"""What the tests of webhooks share: a receiver, a webhook that names it, and deliveries made at once."""

from __future__ import annotations

from typing import Any

from dashclaw.runtime.delivery import Deliverer

from .checker import Checker
from .conftest import ADMIN, World


class Post:
    """A world that may call its receiver, and a deliverer whose pauses hold no luck."""

    def __init__(self, world: World, receiver: Checker) -> None:
        self.world = world
        self.receiver = receiver
        world.runtime.settings = world.runtime.settings._replace(allow_private_webhooks=True)
        self.deliverer = self.another()

    def another(self) -> Deliverer:
        """A deliverer as another server has it."""
        return Deliverer(self.world.runtime, luck=lambda: 0.0)

    def create(self, events: Any = None, **fields: Any) -> tuple[int, Any]:
        body: dict[str, Any] = {"url": f"{self.receiver.url}/hook", **fields}
        return self.world.ask(
            "POST", "/api/webhooks", body if events is None else {**body, "events": events}, caller=ADMIN
        )

    def hook(self, events: Any = None, **fields: Any) -> str:
        """The id of a new webhook."""
        status, made = self.create(events, **fields)
        assert status == 201, made
        found: str = made["webhook"]["id"]
        return found

    def shown(self, hook: str) -> dict[str, Any]:
        _, listed = self.world.ask("GET", "/api/webhooks", query={"limit": "200"})
        (found,) = [row for row in listed["webhooks"] if row["id"] == hook]
        return dict(found)

    def test(self, hook: str) -> tuple[int, Any]:
        return self.world.ask("POST", f"/api/webhooks/{hook}/test", caller=ADMIN)

    def history(self, hook: str) -> list[dict[str, Any]]:
        _, found = self.world.ask("GET", f"/api/webhooks/{hook}/deliveries", query={"limit": "200"})
        rows: list[dict[str, Any]] = found["deliveries"]
        return rows

    def deliver(self) -> int:
        """Send until nothing is due; returns how many calls that took."""
        before = len(self.receiver.asked)
        while True:
            known = len(self.receiver.asked)
            self.deliverer.round()
            assert self.deliverer.settle(20)
            if len(self.receiver.asked) == known:
                return known - before
