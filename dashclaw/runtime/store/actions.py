"""Actions and their counters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, bindparam, case, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from .approvals import votes_of
from .engine import Hot, decode, encode
from .far_pages import nearer
from .hot import hot_update
from .tables import action_counts, actions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from .engine import Tx

_A = actions.c
_N = action_counts.c
_COUNTED = ("agent_id", "swarm_id", "action_type", "status", "resolution", "risk_score")
# Each of these has an index that goes on with the start.
_INDEXED = {"agent_id", "status", "action_type"}
HIGH_RISK = 70
PARENTS = 10
RELATED = 20


def _count(dialect: Any) -> Hot:
    values: dict[str, Any] = {name: bindparam(name) for name in ("org_id", *_COUNTED)}
    statement = dialect.insert(action_counts).values(**values, n=bindparam("by"), cost=bindparam("by_cost"))
    return Hot(
        statement.on_conflict_do_update(
            index_elements=list(action_counts.primary_key),
            set_={"n": _N.n + statement.excluded.n, "cost": _N.cost + statement.excluded.cost},
        )
    )


_COUNT = {"sqlite": _count(sqlite), "postgresql": _count(postgresql)}
_FIND = Hot(select(actions).where(_A.org_id == bindparam("org"), _A.action_id == bindparam("action_id")))
_LOCK = Hot(
    select(actions).where(_A.org_id == bindparam("org"), _A.action_id == bindparam("action_id")).with_for_update()
)
_CONSUMABLE = Hot(
    select(actions)
    .where(_A.org_id == bindparam("org"), _A.digest == bindparam("digest"), _A.agent_id == bindparam("agent"))
    .where(_A.approval_status == "approved", _A.approval_at > bindparam("since"))
    .where(_A.approval_consumed_at.is_(None), _A.status == "running")
    .order_by(_A.approval_at)
    .limit(1)
)
_OPEN = Hot(
    select(actions)
    .where(_A.org_id == bindparam("org"), _A.idempotency_key == bindparam("key_"), _A.digest == bindparam("digest"))
    .where(or_(_A.status == "running", _A.status == "pending_approval"))
    .where(or_(_A.approval_status.is_(None), _A.approval_status == "pending"))
    .order_by(_A.created_at.desc())
    .limit(1)
)
_DUE = Hot(
    select(actions)
    .where(_A.org_id == bindparam("org"), _A.approval_status == bindparam("pending"))
    .where(_A.approval_expires_at <= bindparam("now"))
    .limit(bindparam("most"))
)


def insert(tx: Tx, row: Mapping[str, Any]) -> None:
    """Insert an action and count it; raises `DuplicateError` when its id is taken."""
    tx.insert(actions, row)
    _move(tx, row, 1)


def change(tx: Tx, before: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Change columns of an action, keep the counters exact, and return the row as it is now."""
    after = {**before, **values}
    stored = encode(actions, values)
    key = {"key_org_id": before["org_id"], "key_action_id": before["action_id"]}
    tx.execute(hot_update(actions, tuple(stored)), **stored, **key)
    if any(before[name] != after[name] for name in (*_COUNTED, "cost_estimate")):
        _move(tx, before, -1)
        _move(tx, after, 1)
    return after


def _move(tx: Tx, row: Mapping[str, Any], by: int) -> None:
    key = {name: row.get(name) if name == "risk_score" else row.get(name) or "" for name in _COUNTED}
    cost = (row.get("cost_estimate") or 0.0) * by
    tx.execute(_COUNT[tx.dialect], org_id=row["org_id"], **key, by=by, by_cost=cost)


def find(tx: Tx, org_id: str, action_id: str) -> dict[str, Any] | None:
    """One action of the organisation."""
    return _read_one(tx, tx.one(_FIND, org=org_id, action_id=action_id))


def lock(tx: Tx, org_id: str, action_id: str) -> dict[str, Any] | None:
    """One action, held until the transaction ends."""
    statement = _LOCK if tx.dialect == "postgresql" else _FIND
    return _read_one(tx, tx.one(statement, org=org_id, action_id=action_id))


def consumable(tx: Tx, org_id: str, agent_id: str, digest: str, since: str) -> dict[str, Any] | None:
    """An approved action of this body and agent that was never started, approved after `since`."""
    return _read_one(tx, tx.one(_CONSUMABLE, org=org_id, agent=agent_id, digest=digest, since=since))


def open_with_key(tx: Tx, org_id: str, key: str, digest: str) -> dict[str, Any] | None:
    """The open action that this idempotency key and body made, unless a person has approved it."""
    return _read_one(tx, tx.one(_OPEN, org=org_id, key_=key, digest=digest))


def same_body(tx: Tx, action: Mapping[str, Any], most: int = 100) -> list[str]:
    """The ids of other actions that were asked for with the very same body."""
    if not action["digest"]:
        return []
    same = (_A.org_id == action["org_id"], _A.digest == action["digest"], _A.action_id != action["action_id"])
    return [row["action_id"] for row in tx.all(select(_A.action_id).where(*same).order_by(_A.action_id).limit(most))]


def due(tx: Tx, org_id: str, most: int = 500) -> list[dict[str, Any]]:
    """Pending actions whose approval has expired."""
    return _read(tx, tx.all(_DUE, org=org_id, pending="pending", now=tx.stamp, most=most))


def _read_one(tx: Tx, row: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if row is None else _read(tx, [row])[0]


def _read(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of one organisation as values; `votes` holds what people said about those that had to wait."""
    found = [decode(actions, row) for row in rows]
    waited = {row["action_id"]: row for row in found if row["approval_status"] is not None}
    if waited:
        votes = votes_of(tx, found[0]["org_id"], waited)
        for action_id, row in waited.items():
            row["votes"] = votes.get(action_id, [])
    return found


def some(tx: Tx, org_id: str, action_ids: Collection[str]) -> list[dict[str, Any]]:
    """These actions of the organisation."""
    return _read(tx, tx.all(select(actions).where(_A.org_id == org_id, _A.action_id.in_(action_ids))))


def page(tx: Tx, org_id: str, filters: Mapping[str, Any], size: int, offset: int) -> list[dict[str, Any]]:
    """Actions that match the filters, newest start first."""
    where = [_A.org_id == org_id, *_matching(_A, filters)]
    if len(filters) == 0 or (len(filters) == 1 and filters.keys() <= _INDEXED):
        more, offset = nearer(tx, _A.timestamp_start, where, offset)
        where += more
    query = select(actions).where(*where)
    query = query.order_by(_A.timestamp_start.desc(), _A.action_id).limit(size).offset(offset)
    return _read(tx, tx.all(query))


def stats(tx: Tx, org_id: str, filters: Mapping[str, Any]) -> dict[str, Any]:
    """Totals over everything that matches the filters, from the counters."""
    n = _N.n
    query = select(
        func.sum(n).label("total"),
        *(_sum_if(_N.status == status, status) for status in ("completed", "failed", "running", "pending_approval")),
        _sum_if(_N.risk_score >= HIGH_RISK, "high_risk"),
        func.sum(n * _N.risk_score).label("risk"),
        func.sum(_N.cost).label("cost"),
    ).where(_N.org_id == org_id, *_matching(_N, filters))
    row = tx.one(query) or {}
    total = int(row.get("total") or 0)
    found = {name: int(row.get(name) or 0) for name in ("total", "completed", "failed", "running", "pending_approval")}
    return {
        **found,
        "high_risk": int(row.get("high_risk") or 0),
        "avg_risk": round(float(row.get("risk") or 0) / total, 2) if total else 0,
        "total_cost": round(float(row.get("cost") or 0), 6),
    }


def _sum_if(condition: ColumnElement[bool], label: str) -> Any:
    return func.sum(case((condition, _N.n), else_=0)).label(label)


def _matching(columns: Any, filters: Mapping[str, Any]) -> Iterable[ColumnElement[bool]]:
    for name, value in filters.items():
        if name == "risk_min":
            yield columns.risk_score >= value
        else:
            yield columns[name] == value


def parents(tx: Tx, action: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The chain of ancestors, nearest first, at most ten and never in a circle."""
    seen = {action["action_id"]}
    found: list[dict[str, Any]] = []
    parent = action["parent_action_id"]
    while parent and parent not in seen and len(found) < PARENTS:
        row = find(tx, action["org_id"], parent)
        if row is None:
            break
        seen.add(parent)
        found.append(row)
        parent = row["parent_action_id"]
    return found


def children(tx: Tx, action: Mapping[str, Any], most: int = 200) -> list[dict[str, Any]]:
    """The actions that name this one as their parent, oldest first."""
    query = select(actions).where(_A.org_id == action["org_id"], _A.parent_action_id == action["action_id"])
    return _read(tx, tx.all(query.order_by(_A.timestamp_start, _A.action_id).limit(most)))


def around(tx: Tx, action: Mapping[str, Any], since: str, until: str) -> list[dict[str, Any]]:
    """Other actions started within the window that share the agent or an equal list of systems."""
    same = [_A.agent_id == action["agent_id"]]
    if action["systems_touched"]:
        same.append(
            _A.systems_touched == encode(actions, {"systems_touched": action["systems_touched"]})["systems_touched"]
        )
    query = (
        select(actions)
        .where(_A.org_id == action["org_id"], _A.action_id != action["action_id"], or_(*same))
        .where(_A.timestamp_start >= since, _A.timestamp_start <= until)
        .order_by(_A.timestamp_start.desc(), _A.action_id)
        .limit(RELATED)
    )
    return _read(tx, tx.all(query))
