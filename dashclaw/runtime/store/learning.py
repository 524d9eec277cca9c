"""Episodes, recommendations and the events about these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, case, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from .engine import Hot, decode, encode
from .records import Records
from .tables import assumptions, episodes, loops, recommendation_events, recommendations

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement, Table

    from .engine import Tx

_E = episodes.c
_R = recommendations.c
_T = recommendation_events.c
_S = assumptions.c
_L = loops.c

EVENTS = Records(recommendation_events)
RECOMMENDATIONS = Records(recommendations)
_BY_CONFIDENCE = (_R.confidence.desc(), _R.sample_size.desc(), _R.id)


def _upsert(table: Table, kept: Collection[str]) -> dict[str, Hot]:
    """Insert a row, or change what it holds except the columns in `kept`; by dialect."""
    found = {}
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql)):
        statement = dialect.insert(table).values({column.name: bindparam(column.name) for column in table.c})
        keys = list(table.primary_key)
        changed = {c.name: statement.excluded[c.name] for c in table.c if c not in keys and c.name not in kept}
        found[name] = Hot(statement.on_conflict_do_update(index_elements=keys, set_=changed))
    return found


_KEEP_EPISODE = _upsert(episodes, ("id", "created_at"))
_KEEP_RECOMMENDATION = _upsert(recommendations, ("active", "created_at"))
_OF_ACTION = Hot(
    select(
        select(func.count())
        .select_from(assumptions)
        .where(
            _S.org_id == bindparam("org"), _S.action_id == bindparam("action_id"), _S.invalidated == bindparam("yes")
        )
        .scalar_subquery()
        .label("invalidated"),
        select(func.count())
        .select_from(loops)
        .where(_L.org_id == bindparam("org"), _L.action_id == bindparam("action_id"), _L.status == bindparam("open_"))
        .scalar_subquery()
        .label("open"),
    )
)
_KEY_TAKEN = Hot(select(_T.id).where(_T.org_id == bindparam("org"), _T.event_key == bindparam("key_")))


def loose_ends(tx: Tx, org_id: str, action_id: str) -> tuple[int, int]:
    """How many assumptions of an action were invalidated, and how many of its loops are open."""
    found = tx.one(_OF_ACTION, org=org_id, action_id=action_id, yes=1, open_="open") or {}
    return int(found["invalidated"]), int(found["open"])


def keep_episode(tx: Tx, row: Mapping[str, Any]) -> None:
    """Store the episode of an action, in place of an earlier one."""
    tx.execute(_KEEP_EPISODE[tx.dialect], **encode(episodes, row))


def episode(tx: Tx, org_id: str, action_id: str) -> dict[str, Any] | None:
    """The episode of an action."""
    row = tx.one(select(episodes).where(_E.org_id == org_id, _E.action_id == action_id))
    return None if row is None else decode(episodes, row)


def recent_episodes(
    tx: Tx, org_id: str, agent_id: str | None, action_type: str | None, since: str, most: int
) -> list[dict[str, Any]]:
    """The newest episodes with what advice depends on."""
    columns = (_E.agent_id, _E.action_type, _E.score, _E.label, _E.risk_score, _E.reversible)
    query = select(*columns, _E.confidence, _E.duration_ms, _E.cost_estimate)
    query = query.where(*_group(_E, org_id, agent_id, action_type), _E.updated_at >= since)
    return tx.all(query.order_by(_E.updated_at.desc()).limit(most))


def keep_recommendation(tx: Tx, row: Mapping[str, Any]) -> None:
    """Store a recommendation, in place of the one for the same agent and type, which stays switched off if it was."""
    tx.execute(_KEEP_RECOMMENDATION[tx.dialect], **encode(recommendations, row))


def forget_outdated(tx: Tx, org_id: str, agent_id: str | None, action_type: str | None, since: str) -> int:
    """Delete the recommendations that were not computed again; those that somebody switched off stay known."""
    where = (*_group(_R, org_id, agent_id, action_type), _R.active == 1, _R.computed_at < since)
    return tx.execute(delete(recommendations).where(*where))


def computed_at(
    tx: Tx, org_id: str, agent_id: str | None, action_type: str | None, moment: str
) -> list[dict[str, Any]]:
    """The recommendations that were computed at a moment, the most certain first."""
    query = select(recommendations).where(*_group(_R, org_id, agent_id, action_type), _R.computed_at == moment)
    return [decode(recommendations, row) for row in tx.all(query.order_by(*_BY_CONFIDENCE))]


def recommendation_page(
    tx: Tx, org_id: str, agent_id: str | None, action_type: str | None, inactive: bool, size: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    """Recommendations, the most certain first; those switched off only when asked for."""
    where = list(_group(_R, org_id, agent_id, action_type))
    if not inactive:
        where.append(_R.active == 1)
    return RECOMMENDATIONS.page(tx, org_id, where, size=size, offset=offset, order=_BY_CONFIDENCE)


def key_taken(tx: Tx, org_id: str, event_key: str) -> bool:
    """Whether an event with this key was recorded."""
    return tx.scalar(_KEY_TAKEN, org=org_id, key_=event_key) is not None


def event_counts(tx: Tx, org_id: str, ids: Sequence[str], since: str) -> dict[str, dict[str, int]]:
    """By recommendation, how many events of each type there were."""
    query = select(_T.recommendation_id, _T.event_type, func.count().label("n"))
    query = query.where(_T.org_id == org_id, _T.recommendation_id.in_(ids), _T.created_at >= since)
    found: dict[str, dict[str, int]] = {}
    for row in tx.all(query.group_by(_T.recommendation_id, _T.event_type)):
        found.setdefault(row["recommendation_id"], {})[row["event_type"]] = int(row["n"])
    return found


def episode_sums(
    tx: Tx, org_id: str, agent_ids: Collection[str], action_types: Collection[str], since: str
) -> dict[tuple[str, str, bool], dict[str, Any]]:
    """Episodes of some agents added up by agent, type of action and whether a recommendation was applied."""
    group = (_E.agent_id, _E.action_type, _E.recommendation_applied)
    query = select(
        *group,
        func.count().label("total"),
        func.sum(case((_E.label == "success", 1), else_=0)).label("successes"),
        func.sum(case((_E.label == "failure", 1), else_=0)).label("failures"),
        func.sum(_E.score).label("score"),
        func.count(_E.duration_ms).label("timed"),
        func.sum(_E.duration_ms).label("duration_ms"),
        func.count(_E.cost_estimate).label("priced"),
        func.sum(_E.cost_estimate).label("cost"),
    ).where(_E.org_id == org_id, _E.agent_id.in_(agent_ids), _E.action_type.in_(action_types), _E.updated_at >= since)
    names = ("total", "successes", "failures", "timed", "priced")
    return {
        (row["agent_id"], row["action_type"], bool(row["recommendation_applied"])): {
            **{name: int(row[name]) for name in names},
            **{name: float(row[name] or 0) for name in ("score", "duration_ms", "cost")},
        }
        for row in tx.all(query.group_by(*group))
    }


def _group(columns: Any, org_id: str, agent_id: str | None, action_type: str | None) -> tuple[ColumnElement[bool], ...]:
    where = [columns.org_id == org_id]
    if agent_id is not None:
        where.append(columns.agent_id == agent_id)
    if action_type is not None:
        where.append(columns.action_type == action_type)
    return tuple(where)
