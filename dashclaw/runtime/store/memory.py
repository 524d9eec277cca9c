"""What an agent's memory is about: entities and topics, the last report's only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from .tables import memory_items

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .engine import Tx

_I = memory_items.c


def replace(tx: Tx, org_id: str, agent_id: str, kind: str, items: Iterable[Mapping[str, Any]]) -> None:
    """Put items in the place of those that the agent reported before."""
    tx.execute(delete(memory_items).where(_I.org_id == org_id, _I.agent_id == agent_id, _I.kind == kind))
    for place, item in enumerate(items):
        tx.insert(memory_items, {**item, "org_id": org_id, "agent_id": agent_id, "kind": kind, "place": place})


def items(tx: Tx, org_id: str, agent_id: str) -> dict[str, list[dict[str, Any]]]:
    """The agent's entities and topics, in the order in which they were reported."""
    query = select(_I.kind, _I.name, _I.type, _I.mentions).where(_I.org_id == org_id, _I.agent_id == agent_id)
    found: dict[str, list[dict[str, Any]]] = {"entity": [], "topic": []}
    for row in tx.all(query.order_by(_I.kind, _I.place)):
        found[row.pop("kind")].append(row)
    return found
