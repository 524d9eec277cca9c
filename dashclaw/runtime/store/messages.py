"""Messages as one agent sees them, their attachments, threads and shared documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, case, exists, func, insert, or_, select, union_all, update

from .engine import decode
from .records import Records
from .tables import (
    attachment_pieces,
    attachments,
    message_states,
    message_threads,
    messages,
    shared_doc_versions,
    shared_docs,
    thread_agents,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from .engine import Store, Tx

MESSAGES = Records(messages)
THREADS = Records(message_threads)
DOCS = Records(shared_docs)
FILES = Records(attachments)
BROADCAST = ""

_M = messages.c
_S = message_states.c
_A = thread_agents.c


class View(NamedTuple):
    """Which messages: those in an agent's inbox, those it sent, both, or all of the organisation (no agent)."""

    org_id: str
    agent_id: str | None
    direction: str = "all"


def page(
    tx: Tx, view: View, filters: Mapping[str, Any], unread: bool, size: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    """Messages of a view, newest first, with `read_at` and `archived_at` of whom they concern; and how many match."""
    sources = [[*source, *(_M[name] == value for name, value in filters.items())] for source in _sources(view)]
    if unread:
        sources = [[*source, _S.read_at.is_(None)] for source in sources]
    # One index gives the newest of each source in order; sorting all of an inbox would cost more with every message.
    query = select(messages, _S.read_at, _S.archived_at).select_from(_with_state(view))
    newest = query.order_by(_M.created_at.desc(), _M.id).limit(offset + size)
    found = union_all(*(select(newest.where(*source).subquery()) for source in sources)).subquery()
    rows = tx.all(select(found).order_by(found.c.created_at.desc(), found.c.id).limit(size).offset(offset))
    return [decode(messages, row) for row in rows], _count(tx, view, sources, unread or view.direction == "inbox")


def _count(tx: Tx, view: View, sources: Sequence[Sequence[ColumnElement[bool]]], with_state: bool) -> int:
    here = _with_state(view) if with_state else messages
    return sum(int(tx.scalar(select(func.count()).select_from(here).where(*source))) for source in sources)


def find(tx: Tx, view: View, key: str) -> dict[str, Any] | None:
    """One message with `read_at` and `archived_at` of whom it concerns."""
    query = select(messages, _S.read_at, _S.archived_at).select_from(_with_state(view))
    row = tx.one(query.where(_M.org_id == view.org_id, _M.id == key))
    return None if row is None else decode(messages, row)


def unread_count(tx: Tx, org_id: str, agent_id: str) -> int:
    """How many messages of an inbox the agent has not read."""
    view = View(org_id, agent_id, "inbox")
    return _count(tx, view, [[*source, _S.read_at.is_(None)] for source in _sources(view)], with_state=True)


def _with_state(view: View) -> Any:
    """Messages with what they are to their addressee; a broadcast, to the agent that looks."""
    agent = case((_M.to_agent_id == BROADCAST, view.agent_id or BROADCAST), else_=_M.to_agent_id)
    return messages.outerjoin(
        message_states, and_(_S.org_id == _M.org_id, _S.agent_id == agent, _S.message_id == _M.id)
    )


def _sources(view: View) -> list[list[ColumnElement[bool]]]:
    """Where the messages of a view come from; no message comes from two sources."""
    here, agent_id = _M.org_id == view.org_id, view.agent_id
    if agent_id is None:
        return [[here]]
    sent = [here, _M.from_agent_id == agent_id]
    if view.direction == "sent":
        return [sent]
    direct, broadcast = [here, _M.to_agent_id == agent_id], [here, _M.to_agent_id == BROADCAST]
    if view.direction == "all":
        return [direct, broadcast, [*sent, _M.to_agent_id.not_in((agent_id, BROADCAST))]]
    kept = _S.archived_at.is_(None)
    # Own broadcasts do not come back; what an agent writes to itself does.
    return [[*direct, kept], [*broadcast, _M.from_agent_id != agent_id, kept]]


def states(tx: Tx, org_id: str, agent_id: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the messages with these ids that came to the agent, archived ones included, are to it."""
    incoming = or_(_M.to_agent_id == agent_id, and_(_M.to_agent_id == BROADCAST, _M.from_agent_id != agent_id))
    where = (_M.org_id == org_id, _M.id.in_(ids), incoming)
    query = select(_M.id, _S.agent_id, _S.read_at, _S.archived_at).select_from(
        _with_state(View(org_id, agent_id, "inbox"))
    )
    return {row["id"]: row for row in tx.all(query.where(*where))}


def mark(tx: Tx, org_id: str, agent_id: str, message_id: str, known: Mapping[str, Any], column: str) -> None:
    """Set `read_at` or `archived_at` of a message for one agent to now."""
    if known["agent_id"] is None:
        key = {"org_id": org_id, "agent_id": agent_id, "message_id": message_id}
        tx.insert(message_states, {**key, "read_at": None, "archived_at": None, column: tx.stamp})
        return
    where = (_S.org_id == org_id, _S.agent_id == agent_id, _S.message_id == message_id)
    tx.execute(update(message_states).where(*where).values({column: tx.stamp}))


def readers(tx: Tx, org_id: str, ids: Sequence[str]) -> dict[str, list[str]]:
    """Who has read each message, in the order of reading."""
    where = (_S.org_id == org_id, _S.message_id.in_(ids), _S.read_at.is_not(None))
    found: dict[str, list[str]] = {}
    for row in tx.all(select(_S.message_id, _S.agent_id).where(*where).order_by(_S.read_at, _S.agent_id)):
        found.setdefault(row["message_id"], []).append(row["agent_id"])
    return found


def files_of(tx: Tx, org_id: str, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The attachments of each message, in their order, without their bytes."""
    where = (attachments.c.org_id == org_id, attachments.c.message_id.in_(ids))
    found: dict[str, list[dict[str, Any]]] = {}
    for row in tx.all(select(attachments).where(*where).order_by(attachments.c.number)):
        found.setdefault(row["message_id"], []).append(decode(attachments, row))
    return found


def add_pieces(tx: Tx, org_id: str, attachment_id: str, pieces: Iterator[bytes]) -> None:
    """Store the bytes of an attachment."""
    for number, data in enumerate(pieces):
        row = {"org_id": org_id, "attachment_id": attachment_id, "number": number, "data": data}
        tx.insert(attachment_pieces, row)


def pieces(store: Store, org_id: str, attachment_id: str) -> Iterator[bytes]:
    """The bytes of an attachment; each piece is read by itself, so that a slow reader holds no transaction."""
    columns = attachment_pieces.c
    where = (columns.org_id == org_id, columns.attachment_id == attachment_id)
    number = 0
    while True:
        with store.read() as tx:
            data = tx.scalar(select(columns.data).where(*where, columns.number == number))
        if data is None:
            return
        yield bytes(data)
        number += 1


def join_thread(tx: Tx, org_id: str, thread_id: str, agents: Sequence[str]) -> None:
    """Let agents take part in a thread; those that do already stay."""
    where = (_A.org_id == org_id, _A.thread_id == thread_id, _A.agent_id.in_(agents))
    known = {row["agent_id"] for row in tx.all(select(_A.agent_id).where(*where))}
    new = [agent for agent in dict.fromkeys(agents) if agent not in known]
    if new:
        rows = [{"org_id": org_id, "agent_id": agent, "thread_id": thread_id} for agent in new]
        tx.execute(insert(thread_agents).values(rows))


def thread_page(
    tx: Tx, org_id: str, agent_id: str | None, status: str | None, size: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    """Threads, the last active first; with an agent, those that it takes part in."""
    columns = message_threads.c
    where: list[ColumnElement[bool]] = [] if status is None else [columns.status == status]
    if agent_id is not None:
        of_agent = (_A.org_id == columns.org_id, _A.agent_id == agent_id, _A.thread_id == columns.id)
        where.append(exists().where(*of_agent))
    return THREADS.page(tx, org_id, where, size=size, offset=offset, order=(columns.updated_at.desc(), columns.id))


def doc_named(tx: Tx, org_id: str, name: str) -> dict[str, Any] | None:
    """The document with this name."""
    row = tx.one(select(shared_docs).where(shared_docs.c.org_id == org_id, shared_docs.c.name == name))
    return None if row is None else decode(shared_docs, row)


def doc_page(tx: Tx, org_id: str, search: str | None, size: int, offset: int) -> tuple[list[dict[str, Any]], int]:
    """Documents, the last changed first; `search` is found in names and contents, whatever the case."""
    columns = shared_docs.c
    where: list[ColumnElement[bool]] = []
    if search:
        where.append(or_(_holds(columns.name, search), _holds(columns.content, search)))
    return DOCS.page(tx, org_id, where, size=size, offset=offset, order=(columns.updated_at.desc(), columns.id))


def _holds(column: Any, text: str) -> Any:
    return column.icontains(text, autoescape=True)


def add_version(tx: Tx, doc: Mapping[str, Any]) -> None:
    """Keep what a document holds now as one of its versions."""
    row = {name: doc[name] for name in ("org_id", "version", "content")}
    edit = {"doc_id": doc["id"], "edited_by": doc["last_edited_by"], "created_at": doc["updated_at"]}
    tx.insert(shared_doc_versions, {**row, **edit})


def version(tx: Tx, org_id: str, doc_id: str, number: int) -> dict[str, Any] | None:
    """A version of a document."""
    columns = shared_doc_versions.c
    where = (columns.org_id == org_id, columns.doc_id == doc_id, columns.version == number)
    return tx.one(select(shared_doc_versions).where(*where))


def versions(tx: Tx, org_id: str, doc_id: str) -> list[dict[str, Any]]:
    """Which versions of a document there are, the newest first, without their contents."""
    columns = shared_doc_versions.c
    query = select(columns.version, columns.edited_by, columns.created_at)
    where = (columns.org_id == org_id, columns.doc_id == doc_id)
    return tx.all(query.where(*where).order_by(columns.version.desc()))
