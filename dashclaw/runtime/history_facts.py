"""Facts of the past, counted from what was recorded: earlier decisions of an agent, and what its model calls used."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .clock import ago, moment
from .guard import BudgetNeed, Policy
from .guard.policy import MAX_WINDOW_MINUTES
from .policy_sets import text_of
from .prices import dollars
from .store import decision_history as history
from .store import tokens as token_rows

if TYPE_CHECKING:
    from .store.engine import Tx

# What of a policy's rules makes the fact that is fetched for it another one.
_FETCHED_BY: Mapping[str, tuple[str, ...]] = {
    "rate_limit": ("window_minutes", "max_actions"),
    "cost_budget": ("window_minutes",),
    "token_budget": ("window_minutes",),
    "semantic_check": ("instruction", "model"),
    "webhook_check": ("url",),
}


def fact_key(policy: Policy) -> str:
    """Return what two policies have in common for which the same fact is fetched; "" when a policy needs none."""
    names = _FETCHED_BY.get(policy.policy_type)
    if names is None or not isinstance(policy.rules, Mapping):
        return ""
    return text_of([policy.policy_type, *(policy.rules.get(name) for name in names)])


class PastFacts:
    """Counts as of each decision, for decisions that come in the order of time.

    Per agent it holds the times of as many decisions as the highest `rate_limit` asks for, and no older than the
    longest window.
    """

    def __init__(self, tx: Tx, org_id: str, policies: Iterable[Policy]) -> None:
        self._tx = tx
        self._org_id = org_id
        limits = [policy.rules for policy in policies if policy.policy_type == "rate_limit"]
        readable = [rules for rules in limits if isinstance(rules, Mapping)]
        self._most = max((_whole(rules.get("max_actions"), 50) for rules in readable), default=0)
        minutes = max((_whole(rules.get("window_minutes"), 60) for rules in readable), default=0)
        self._longest = min(minutes, MAX_WINDOW_MINUTES)
        self._times: dict[str, deque[str]] = {}

    def count(self, row: Mapping[str, Any], minutes: int, most: int) -> int:
        """How many decisions the agent had in the minutes before a decision, counting to `most` at the most."""
        at: str = row["created_at"]
        now = moment(at)
        times = self._times.get(row["agent_id"])
        if times is None:
            times = self._times[row["agent_id"]] = self._before(row, now)
        within = len(times) - bisect_right(times, ago(now, minutes=minutes))
        return min(within, most)

    def passed(self, agent_id: str | None, at: str) -> None:
        """Count a decision for those after it."""
        times = self._times.get(agent_id) if agent_id is not None else None
        if times is not None:
            times.append(at)

    def _before(self, row: Mapping[str, Any], now: datetime) -> deque[str]:
        since = ago(now, minutes=self._longest)
        place = (row["created_at"], row["id"])
        return deque(
            history.times_before(self._tx, self._org_id, row["agent_id"], since, place, self._most),
            maxlen=self._most,
        )

    def spent(self, row: Mapping[str, Any], need: BudgetNeed) -> float:
        """The tokens or US dollars of the agent's model calls in the window before a decision."""
        at: str = row["created_at"]
        since = ago(moment(at), minutes=need.window_minutes)
        used = token_rows.between(self._tx, self._org_id, row["agent_id"], since, at)
        return dollars(used.cost) if need.in_dollars else used.tokens


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) and value > 0 else default
