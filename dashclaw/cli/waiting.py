"""The actions that wait for a person, as somebody looks at them one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Action = Mapping[str, Any]

WAITS = "pending_approval"


class Queue:
    """Those that wait, in the order in which they came, and the one that is looked at.

    `version` grows whenever another action, or another state of it, comes to be looked at without having been asked
    for: a key that was pressed for what had been there before must not count.
    """

    def __init__(self, wanted: Callable[[Action], bool] = lambda _: True) -> None:
        self._wanted = wanted
        self._waiting: dict[str, Action] = {}
        self._current: str | None = None
        self.version = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Any:
        return iter(self._waiting.values())

    @property
    def current(self) -> Action | None:
        """The action that is looked at; None when nothing waits."""
        return None if self._current is None else self._waiting[self._current]

    @property
    def position(self) -> int:
        """Which one that is, from 0."""
        return list(self._waiting).index(self._current) if self._current is not None else 0

    def replace(self, actions: Iterable[Action]) -> list[Action]:
        """Take what waits now; returns those that were there and do not wait any more, as they were."""
        found = {action["action_id"]: action for action in actions}
        gone = [action for action_id, action in self._waiting.items() if action_id not in found]
        for action in found.values():
            self.update(action)
        for action in gone:
            self.remove(action["action_id"])
        return gone

    def update(self, action: Action) -> bool:
        """Take the newest state of an action; returns whether it was known and is another one now."""
        action_id = action["action_id"]
        known = self._waiting.get(action_id)
        if known is not None and action["updated_at"] <= known["updated_at"]:
            return False
        if action["status"] != WAITS:
            return self.remove(action_id)
        if known is None and not self._wanted(action):
            return False
        self._waiting[action_id] = action
        if self._current is None:
            self._current = action_id
        if self._current == action_id:
            self.version += 1
        return known is not None

    def remove(self, action_id: str) -> bool:
        """Forget an action; what came after it is looked at next. Returns whether it was there."""
        if action_id not in self._waiting:
            return False
        if action_id == self._current:
            self._step(1)
            self.version += 1
        del self._waiting[action_id]
        if self._current == action_id:
            self._current = None
        return True

    def step(self, by: int) -> None:
        """Look at another one, as asked; round and round."""
        self._step(by)

    def skip(self) -> None:
        """Put the action that is looked at behind the others."""
        if self._current is not None:
            action_id = self._current
            self._step(1)
            self._waiting[action_id] = self._waiting.pop(action_id)

    def _step(self, by: int) -> None:
        if self._current is not None:
            ids = list(self._waiting)
            self._current = ids[(ids.index(self._current) + by) % len(ids)]


def outcome(action: Action) -> str:
    """What became of an action that does not wait any more, in words."""
    approval = action.get("approval") or {}
    status = action.get("resolution") or approval.get("status") or action["status"]
    votes = approval.get("votes") or [{}]
    who = votes[-1].get("name") or approval.get("by")
    by = f" by {who}" if who and status in ("approved", "denied") else ""
    reason = f": {approval['reason']}" if by and approval.get("reason") else ""
    return f"{status}{by}{reason}"
