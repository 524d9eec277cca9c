"""Deciding about what waits with single keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dashclaw.errors import DashClawError

from .dossier import Dossier, gather, time_left
from .listening import CONNECTED, DISCONNECTED
from .screen import TICK_SECONDS
from .waiting import WAITS, Action, Queue, outcome

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dashclaw import DashClaw
    from dashclaw.types import ServerEvent

HEARS = ("action.created", "action.updated")
PAGE = 200
# As long as it takes to see that the screen is another one: keys that decide do not count before.
SETTLE_SECONDS = 0.6
_AGAIN_SECONDS = 2.0
_LONGEST_REASON = 2000


class Desk:
    """The view of `dashclaw approvals watch`; see `screen.View`.

    A decision goes out with the state that was on the screen, and the server refuses it for any other.
    """

    def __init__(
        self,
        client: DashClaw,
        wanted: Callable[[Action], bool],
        *,
        timeout: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._queue = Queue(wanted)
        self._timeout = timeout
        self._now = now
        self._heard = self._changed = now()
        self._version = -1
        self._dossiers: dict[str, tuple[str, Dossier]] = {}
        self._connected = True
        self._help = False
        self._reason: str | None = None
        self._message = ""
        self._asked_again = 0.0

    def load(self) -> None:
        """Ask what waits; raises `DashClawError`."""
        gone = self._queue.replace(self._client.get_pending_approvals(limit=PAGE)["actions"][::-1])
        if gone:
            self._message = ", ".join(f"{action['action_id']}: {_ended(action)}" for action in gone)

    def hear(self, event: ServerEvent) -> None:
        """Take in what others did."""
        self._heard = self._now()
        if event["event"] == DISCONNECTED:
            self._connected = False
        elif event["event"] == CONNECTED:
            self._connected = True
            self._reload()
        elif isinstance(event["data"], dict) and "action_id" in event["data"]:
            self._follow(event["data"])

    def _follow(self, action: dict[str, Any]) -> None:
        if self._queue.update(action):
            state = "changed; look again" if action["status"] == WAITS else outcome(action)
            self._message = f"{action['action_id']}: {state}"

    def _reload(self) -> None:
        try:
            self.load()
        except DashClawError as error:
            self._message = f"Could not ask what waits: {error.message}"

    def tick(self) -> float | None:
        """Notice what time brings: the end of a wait, an action that expired, a screen that has settled."""
        if self._timeout is not None and self._now() - self._heard >= self._timeout:
            return None
        if self._expired() and self._now() - self._asked_again > _AGAIN_SECONDS:
            self._asked_again = self._now()
            self._reload()
        self._learn()
        if self._queue.version != self._version:
            self._version, self._changed = self._queue.version, self._now()
            self._reason = None
        return TICK_SECONDS if self._ready else SETTLE_SECONDS

    def _expired(self) -> bool:
        return any(time_left(action) == "expired" for action in self._queue)

    @property
    def _ready(self) -> bool:
        return self._now() - self._changed >= SETTLE_SECONDS

    def _learn(self) -> None:
        action = self._queue.current
        if action is None:
            self._dossiers.clear()
            return
        known = self._dossiers.get(action["action_id"])
        if known is None or known[0] != action["updated_at"]:
            self._dossiers[action["action_id"]] = (action["updated_at"], gather(self._client, action))

    def press(self, key: str) -> bool:
        """Do what a key stands for."""
        if self._reason is not None:
            self._type(key)
        elif key in ("q", "Q"):
            return False
        elif key == "?" or (self._help and key == "escape"):
            self._help = not self._help
        elif key in ("s", "S"):
            self._queue.skip()
        elif key in ("down", "j", "up", "k"):
            self._queue.step(1 if key in ("down", "j") else -1)
        elif key in ("a", "A", "d", "D") and self._may_decide():
            if key in ("a", "A"):
                self._decide("allow", None)
            else:
                self._reason = ""
        return True

    def _may_decide(self) -> bool:
        if self._queue.current is None or self._help:
            return False
        if self._queue.version != self._version or not self._ready:
            self._message = "The screen had just changed, so that key did not count: look at it and press again"
            return False
        return True

    def _type(self, key: str) -> None:
        reason = self._reason or ""
        if key == "escape":
            self._reason, self._message = None, "Not denied"
        elif key == "enter" and not reason.strip():
            self._message = "A reason is needed: the agent gets it"
        elif key == "enter":
            self._reason = None
            self._decide("deny", reason.strip())
        elif key == "backspace":
            self._reason = reason[:-1]
        elif key == "clear":
            self._reason = ""
        elif len(key) == 1 and len(reason) < _LONGEST_REASON:
            self._reason = reason + key

    def _decide(self, decision: str, reason: str | None) -> None:
        action = self._queue.current
        if action is None:
            return
        action_id = action["action_id"]
        body = {"decision": decision, "reasoning": reason, "if_updated_at": action["updated_at"]}
        try:
            found = self._client.request("POST", _path(action_id) + "/approve", body=body)["action"]
        except DashClawError as error:
            self._message = f"Not decided: {error.message}"
            self._look_again(action_id)
            return
        self._queue.update(found)
        more = "; it waits for more people" if found["status"] == WAITS else ""
        self._message = f"{'Approved' if decision == 'allow' else 'Denied'} {action_id}{more}"

    def _look_again(self, action_id: str) -> None:
        try:
            action: Any = self._client.get_action(action_id)["action"]
        except DashClawError:
            return
        if self._queue.update(action) and action["status"] != WAITS:
            self._message += f" ({action_id}: {outcome(action)})"

    def draw(self) -> RenderableType:
        """The queue, the action that is looked at, the keys."""
        from .approvals_card import Shown, card

        action = self._queue.current
        known = self._dossiers.get(action["action_id"]) if action is not None else None
        dossier = known[1] if known is not None and action is not None and known[0] == action["updated_at"] else None
        ready = self._ready and self._queue.version == self._version
        return card(self._queue, dossier, Shown(self._connected, ready, self._message, self._reason, self._help))


def _ended(action: Action) -> str:
    """What became of an action that is not among those that wait any more, as far as it can be told."""
    return "expired" if time_left(action) == "expired" else "decided or cancelled meanwhile"


def _path(action_id: str) -> str:
    return f"/api/actions/{quote(action_id, safe='')}"
