"""What somebody with the whole database and without the signing key may do to it, each with what must be found."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection, Table, delete, func, insert, select, update

from dashclaw._canonical import canonical
from dashclaw.runtime.evidence.chain import content, genesis, link, record
from dashclaw.runtime.evidence.merkle import Frontier
from dashclaw.runtime.store import tables as t

from ...keys import ed25519_pem

_E, _N = t.events.c, t.evidence_entries.c
_RECORD = ("id", "created_at", "event", "actor_type", "actor_id", "agent_id", "resource_type", "resource_id")
LATER = "2026-03-05T00:00:00.000000Z"


class Sign(NamedTuple):
    """One finding that there must be: its kind, its entries (None for a row of no entry), words of its text."""

    kind: str
    first: int | None
    last: int | None
    words: str


Found = list[Sign]


class Attacker:
    """Writes to the tables of one organisation as no operation does."""

    def __init__(self, connection: Connection, chance: random.Random, org_id: str, other: str) -> None:
        self.db = connection
        self.chance = chance
        self.org_id = org_id
        self.other = other
        self.size: int = connection.scalar(select(func.max(_N.seq)).where(_N.org_id == org_id)) or 0
        query = select(t.evidence_checkpoints.c.size).where(t.evidence_checkpoints.c.org_id == org_id)
        self.covered = sorted(connection.scalars(query))

    def seq(self, first: int = 1) -> int:
        """Some entry."""
        return self.chance.randint(first, self.size)

    def entry(self, seq: int) -> dict[str, Any]:
        """An entry with its event."""
        query = select(t.evidence_entries, t.events).join(t.events, _E.id == _N.event_id)
        found = self.db.execute(query.where(_N.org_id == self.org_id, _N.seq == seq)).mappings().one()
        return dict(found)

    def row(self, table: Table, *where: Any) -> dict[str, Any]:
        """Some row of the organisation."""
        key = list(table.primary_key)
        query = select(table).where(table.c.org_id == self.org_id, *where).order_by(*key)
        return dict(self.chance.choice(self.db.execute(query).mappings().all()))

    def set(self, table: Table, row: dict[str, Any], **values: Any) -> None:
        """Change one row."""
        where = (column == row[column.name] for column in table.primary_key)
        assert self.db.execute(update(table).where(*where).values(**values)).rowcount == 1

    def drop(self, table: Table, row: dict[str, Any]) -> None:
        """Delete one row."""
        where = (column == row[column.name] for column in table.primary_key)
        assert self.db.execute(delete(table).where(*where)).rowcount == 1

    def add(self, table: Table, row: dict[str, Any], **values: Any) -> None:
        """Insert a row made from another."""
        self.db.execute(insert(table).values(**(row | values)))

    def event(self, seq: int, **values: Any) -> dict[str, Any]:
        """Change the event of an entry; returns it as it was."""
        found = self.entry(seq)
        self.db.execute(update(t.events).where(_E.id == found["event_id"]).values(**values))
        return found

    def rewrite(self, start: int) -> None:
        """Make every link from an entry on lead to the next again, the noted end too."""
        before, tree = genesis(self.org_id), Frontier()
        query = select(t.evidence_entries, t.events).join(t.events, _E.id == _N.event_id)
        rows = self.db.execute(query.where(_N.org_id == self.org_id).order_by(_N.seq)).mappings().all()
        for seq, row in enumerate(rows, 1):
            if row["seq"] < start:
                before = row["link"]
            else:
                committed = content(row["salt"], row["data"])
                before = link(before, record(seq, tuple(row[name] for name in _RECORD), committed))
                where = (_N.org_id == self.org_id, _N.seq == row["seq"])
                changed = {"seq": seq, "content": committed, "link": before}
                self.db.execute(update(t.evidence_entries).where(*where).values(**changed))
            tree.append(before)
        self.move_head(tree.size, rows[-1]["event_id"], before, tree)

    def move_head(self, size: int, event_id: int, last: bytes, tree: Frontier) -> None:
        """Note another end of the chain."""
        values = {"size": size, "event_id": event_id, "link": last, "frontier": tree.pack()}
        self.set(t.evidence_heads, {"org_id": self.org_id}, **values)

    def between(self, seq: int) -> tuple[int, int]:
        """The entries from after the checkpoint before an entry to the next checkpoint."""
        end = next(size for size in self.covered if size >= seq)
        return max((size for size in self.covered if size < seq), default=0) + 1, end


CASES: dict[str, Callable[[Attacker], Found]] = {}


def case(make: Callable[[Attacker], Found]) -> Callable[[Attacker], Found]:
    """Add a way to tamper to the list."""
    CASES[make.__name__] = make
    return make


@case
def change_data(a: Attacker) -> Found:
    seq = a.seq()
    data = json.loads(a.entry(seq)["data"])
    row = a.event(seq, data=json.dumps({**data, "more": True}))
    return [Sign("changed", seq, seq, f"event {row['event_id']} ")]


@case
def add_a_space_to_data(a: Attacker) -> Found:
    seq = a.seq()
    a.event(seq, data=a.entry(seq)["data"] + " ")
    return [Sign("changed", seq, seq, "data")]


def _change(name: str, value: str) -> None:
    def change(a: Attacker) -> Found:
        seq = a.seq()
        row = a.event(seq, **{name: value})
        return [Sign("relinked", seq, seq, f"event {row['event_id']} ")]

    CASES[f"change_{name}"] = change


for _name in ("event", "actor_type", "actor_id", "agent_id", "resource_type", "resource_id"):
    _change(_name, "agent")
_change("created_at", LATER)


@case
def delete_event(a: Attacker) -> Found:
    seq = a.seq()
    row = a.entry(seq)
    a.drop(t.events, {"id": row["event_id"]})
    return [Sign("removed", seq, seq, f"event {row['event_id']} is gone")]


@case
def delete_a_run_of_events(a: Attacker) -> Found:
    first, last = sorted((a.seq(), a.seq()))
    ids = [a.entry(seq)["event_id"] for seq in range(first, last + 1)]
    a.db.execute(delete(t.events).where(_E.id.in_(ids)))
    return [Sign("removed", first, last, "gone")]


def _copy_of_an_event(a: Attacker, event_id: int) -> None:
    row = a.entry(a.seq())
    a.add(t.events, {name: row[name] for name in (*_RECORD, "data")}, id=event_id, org_id=a.org_id)


@case
def insert_event_before_the_first(a: Attacker) -> Found:
    event_id = a.chance.choice((0, -1, -(2**62)))
    _copy_of_an_event(a, event_id)
    return [Sign("inserted", 1, 1, f"event {event_id} ")]


@case
def insert_event_between(a: Attacker) -> Found:
    """At an id that an event of the other organisation gave free."""
    last = a.entry(a.size)["event_id"]
    query = select(_E.id).where(_E.org_id == a.other, _E.id < last, _E.id > a.entry(1)["event_id"])
    event_id = a.chance.choice(list(a.db.scalars(query.order_by(_E.id))))
    a.drop(t.events, {"id": event_id})
    _copy_of_an_event(a, event_id)
    query = select(func.max(_N.seq)).where(_N.org_id == a.org_id, _N.event_id < event_id)
    near = a.db.scalar(query)
    return [Sign("inserted", near, near, f"event {event_id} ")]


@case
def move_event_from_the_other_organisation(a: Attacker) -> Found:
    last = a.entry(a.size)["event_id"]
    query = select(_E.id).where(_E.org_id == a.other, _E.id < last, _E.id > a.entry(1)["event_id"])
    event_id = a.chance.choice(list(a.db.scalars(query.order_by(_E.id))))
    a.db.execute(update(t.events).where(_E.id == event_id).values(org_id=a.org_id))
    near = a.db.scalar(select(func.max(_N.seq)).where(_N.org_id == a.org_id, _N.event_id < event_id))
    return [Sign("inserted", near, near, f"event {event_id} ")]


@case
def move_event_to_the_other_organisation(a: Attacker) -> Found:
    seq = a.seq()
    row = a.event(seq, org_id=a.other)
    return [Sign("removed", seq, seq, f"event {row['event_id']} is gone")]


@case
def swap_the_data_of_two_events(a: Attacker) -> Found:
    one, two = a.chance.sample(range(1, a.size + 1), 2)
    left, right = a.entry(one), a.entry(two)
    a.event(one, data=right["data"])
    a.event(two, data=left["data"])
    return [Sign("changed", one, one, "data"), Sign("changed", two, two, "data")]


@case
def swap_two_entries(a: Attacker) -> Found:
    one, two = sorted(a.chance.sample(range(1, a.size + 1), 2))
    for seq, to in ((one, -1), (two, one), (-1, two)):
        a.set(t.evidence_entries, {"org_id": a.org_id, "seq": seq}, seq=to)
    return [Sign("relinked", one, one, ""), Sign("relinked", two, two, "")]


@case
def delete_entry(a: Attacker) -> Found:
    seq = a.chance.randint(1, a.size - 1)
    a.drop(t.evidence_entries, {"org_id": a.org_id, "seq": seq})
    return [Sign("missing", seq, seq, "gone")]


@case
def delete_entry_and_event(a: Attacker) -> Found:
    seq = a.chance.randint(1, a.size - 1)
    a.drop(t.events, {"id": a.entry(seq)["event_id"]})
    a.drop(t.evidence_entries, {"org_id": a.org_id, "seq": seq})
    return [Sign("missing", seq, seq, "gone")]


def _cut(a: Attacker, first: int) -> None:
    ids = list(a.db.scalars(select(_N.event_id).where(_N.org_id == a.org_id, _N.seq >= first)))
    a.db.execute(delete(t.events).where(_E.id.in_(ids)))
    a.db.execute(delete(t.evidence_entries).where(_N.org_id == a.org_id, _N.seq >= first))


@case
def truncate(a: Attacker) -> Found:
    first = a.seq(a.covered[-2] + 1)
    _cut(a, first)
    return [Sign("truncated", first, a.covered[-1], "checkpoint")]


@case
def truncate_and_note_the_end(a: Attacker) -> Found:
    first = a.seq(2)
    _cut(a, first)
    a.rewrite(a.size + 1)
    return [Sign("truncated", first, a.covered[-1], "checkpoint")]


@case
def alter_content(a: Attacker) -> Found:
    seq = a.seq()
    a.set(t.evidence_entries, {"org_id": a.org_id, "seq": seq}, content=bytes(32))
    return [Sign("changed", seq, seq, "data")]


@case
def alter_link(a: Attacker) -> Found:
    seq = a.seq()
    a.set(t.evidence_entries, {"org_id": a.org_id, "seq": seq}, link=bytes(32))
    return [Sign("relinked", seq, seq, "link"), Sign("rewritten", *a.between(seq), "")]


@case
def destroy_salt(a: Attacker) -> Found:
    seq = a.seq()
    a.set(t.evidence_entries, {"org_id": a.org_id, "seq": seq}, salt=None)
    return [Sign("removed", seq, seq, "text")]


@case
def erase_by_hand(a: Attacker) -> Found:
    seq = a.seq()
    a.set(t.evidence_entries, {"org_id": a.org_id, "seq": seq}, salt=None)
    a.event(seq, data='{"erased":true}')
    return [Sign("removed", seq, seq, "text")]


@case
def prune_by_hand(a: Attacker) -> Found:
    seq = a.seq()
    row = a.entry(seq)
    line = record(seq, tuple(row[name] for name in _RECORD), row["content"])
    a.set(t.evidence_entries, {"org_id": a.org_id, "seq": seq}, record=line)
    a.drop(t.events, {"id": row["event_id"]})
    return [Sign("removed", seq, seq, "nothing recorded says why")]


@case
def prune_by_hand_with_another_record(a: Attacker) -> Found:
    seq = a.seq()
    row = a.entry(seq) | {"actor_id": "nobody"}
    line = record(seq, tuple(row[name] for name in _RECORD), row["content"])
    a.set(t.evidence_entries, {"org_id": a.org_id, "seq": seq}, record=line)
    a.drop(t.events, {"id": row["event_id"]})
    return [Sign("relinked", seq, seq, "")]


@case
def rewrite_from_an_entry_on(a: Attacker) -> Found:
    seq = a.seq()
    a.event(seq, data='{"nothing":"happened"}')
    a.rewrite(seq)
    return [Sign("rewritten", *a.between(seq), "checkpoint")]


@case
def delete_an_entry_and_rewrite(a: Attacker) -> Found:
    seq = a.chance.randint(2, a.size - 1)
    a.drop(t.events, {"id": a.entry(seq)["event_id"]})
    a.drop(t.evidence_entries, {"org_id": a.org_id, "seq": seq})
    a.rewrite(seq)
    first, last = a.between(seq)
    kind = "truncated" if last == a.covered[-1] else "rewritten"
    return [Sign(kind, a.size if kind == "truncated" else first, last, "checkpoint")]


@case
def swap_two_events_and_rewrite(a: Attacker) -> Found:
    one, two = sorted(a.chance.sample(range(1, a.size + 1), 2))
    left, right = a.entry(one), a.entry(two)
    a.event(one, data=right["data"])
    a.event(two, data=left["data"])
    a.rewrite(one)
    return [Sign("rewritten", *a.between(one), "checkpoint")]


@case
def sign_a_rewritten_chain_with_another_key(a: Attacker) -> Found:
    """Found because the auditor knows the right key; see the test."""
    seq = a.seq()
    a.event(seq, data='{"nothing":"happened"}')
    a.rewrite(seq)
    private = Ed25519PrivateKey.generate()
    public = private.public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    key_id = hashlib.sha256(der).hexdigest()
    a.db.execute(insert(t.evidence_keys).values(id=key_id, public_key=pem, created_at=LATER))
    tree, done = Frontier(), 0
    for size in a.covered:
        query = select(_N.link).where(_N.org_id == a.org_id, _N.seq > done, _N.seq <= size).order_by(_N.seq)
        links = list(a.db.scalars(query))
        tree.extend(links)
        done = size
        row = a.row(t.evidence_checkpoints, t.evidence_checkpoints.c.size == size)
        stated = json.loads(row["text"]) | {"root": tree.root().hex(), "link": links[-1].hex(), "key": key_id}
        text = canonical(stated)
        signature = base64.b64encode(private.sign(text)).decode()
        a.set(t.evidence_checkpoints, row, text=text.decode(), signature=signature, key_id=key_id)
    return [Sign("signature", size, size, "unknown key") for size in a.covered]


@case
def alter_checkpoint(a: Attacker) -> Found:
    row = a.row(t.evidence_checkpoints)
    stated = json.loads(row["text"]) | {"at": LATER}
    a.set(t.evidence_checkpoints, row, text=canonical(stated).decode())
    return [Sign("signature", row["size"], row["size"], "not signed")]


@case
def alter_signature(a: Attacker) -> Found:
    row = a.row(t.evidence_checkpoints)
    signature = bytearray(base64.b64decode(row["signature"]))
    signature[a.chance.randrange(64)] ^= 1
    a.set(t.evidence_checkpoints, row, signature=base64.b64encode(signature).decode())
    return [Sign("signature", row["size"], row["size"], "not signed")]


@case
def file_a_checkpoint_under_another_size(a: Attacker) -> Found:
    row = a.row(t.evidence_checkpoints)
    a.set(t.evidence_checkpoints, row, size=row["size"] - 1)
    return [Sign("signature", row["size"] - 1, row["size"] - 1, "another chain")]


@case
def bring_a_checkpoint_of_the_other_organisation(a: Attacker) -> Found:
    mine = a.row(t.evidence_checkpoints)
    query = select(t.evidence_checkpoints).where(t.evidence_checkpoints.c.org_id == a.other)
    theirs = a.db.execute(query).mappings().first()
    assert theirs is not None
    a.set(t.evidence_checkpoints, mine, text=theirs["text"], signature=theirs["signature"])
    return [Sign("signature", mine["size"], mine["size"], "another chain")]


@case
def replace_the_evidence_key(a: Attacker) -> Found:
    a.db.execute(update(t.evidence_keys).values(public_key=ed25519_pem(999)))
    return [Sign("key", None, None, "public key"), *(Sign("signature", size, size, "") for size in a.covered)]


@case
def alter_the_noted_end(a: Attacker) -> Found:
    name, value = a.chance.choice((("link", bytes(32)), ("event_id", 7), ("size", a.size - 1)))
    a.set(t.evidence_heads, {"org_id": a.org_id}, **{name: value})
    return [Sign("relinked", a.size, a.size, "noted end")]


@case
def alter_the_frontier(a: Attacker) -> Found:
    """What is linked next would grow on another tree."""
    tree = Frontier(a.size, [bytes(32)] * a.size.bit_count())
    a.set(t.evidence_heads, {"org_id": a.org_id}, frontier=tree.pack())
    return [Sign("relinked", a.size, a.size, "noted end")]


@case
def delete_the_noted_end(a: Attacker) -> Found:
    a.drop(t.evidence_heads, {"org_id": a.org_id})
    return [Sign("relinked", a.size, a.size, "noted end")]
