"""How often policies fired, counted over a bounded number of the newest decisions."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Integer, Text, case, cast, func, select

from .tables import guard_decisions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .engine import Tx

_D = guard_decisions.c
# Of each kind of decision. Reading four times so many took 70 ms of CPU on a busy machine (`benchmarks/dashboard.py`).
MOST_READ = 5000


class Fired(NamedTuple):
    """How often each policy fired since two moments; `complete` tells whether every decision was read."""

    recent: Counter[str]
    all: Counter[str]
    complete: bool


def fired(tx: Tx, org_id: str, kinds: Sequence[str], since: str, recent: str) -> Fired:
    """Count by policy id since a moment, and since the more recent one, for some kinds of decision."""
    found = Fired(Counter(), Counter(), True)
    for kind in kinds:
        where = (_D.org_id == org_id, _D.decision == kind, _D.created_at > since)
        columns = (cast(_D.matched_policies, Text).label("ids"), _D.created_at)
        newest = select(*columns).where(*where).order_by(_D.created_at.desc()).limit(MOST_READ).subquery()
        late = cast(func.sum(case((newest.c.created_at > recent, 1), else_=0)), Integer).label("late")
        counted = select(newest.c.ids, func.count().label("n"), late).group_by(newest.c.ids)
        read = 0
        for row in tx.all(counted):
            read += row["n"]
            for policy_id in json.loads(row["ids"] or "[]"):
                found.all[policy_id] += row["n"]
                found.recent[policy_id] += row["late"]
        found = found._replace(complete=found.complete and read < MOST_READ)
    return found
