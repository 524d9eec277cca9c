"""Proofs that stand alone: that one entry is in a chain, and that an earlier chain is the beginning of a later one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..problems import conflict, not_found
from ..store import bundles, history
from ..store import decisions as decision_rows
from ..store import evidence as rows
from . import chain, merkle
from .checkpoints import consistency_proof, inclusion_proof

if TYPE_CHECKING:
    from ..store.engine import Tx

_AT_EVENT_ID, _AT_DATA = 6, 14
_LARGEST = 2**53


def event_of(tx: Tx, org_id: str, name: str) -> int:
    """The event that an id stands for: an event's own, a decision's, or that by which an action began.

    Raises `Problem` 404.
    """
    if name.isascii() and name.isdigit() and len(name) < 19:
        return int(name)
    decision = decision_rows.find(tx, org_id, name)
    if decision is not None:
        event = history.of_decision(tx, org_id, name, _LARGEST, decision["created_at"])
        if event is not None:
            return int(event["id"])
    told = history.of_record(tx, org_id, "action", name)
    if not told:
        raise not_found("event, decision or action", name)
    return int(told[0]["id"])


def prove_entry(tx: Tx, org_id: str, *, event_id: int | None = None, seq: int | None = None) -> dict[str, Any]:
    """Prove one entry, named by its event or its number, against the newest checkpoint.

    Raises `Problem` 404 when there is no such entry, 409 when no checkpoint covers it yet.
    """
    place = bundles.seq_of(tx, org_id, event_id) if event_id is not None else seq
    page = [] if place is None or place < 1 else rows.entries(tx, org_id, place - 1, 1)
    if place is None or not page or page[0][0] != place:
        if event_id is not None and _is_waiting(tx, org_id, event_id):
            raise conflict("The event is not linked into the chain yet: ask again in a second")
        raise not_found("entry of event" if event_id is not None else "entry", str(event_id or seq))
    newest = rows.last_checkpoint(tx, org_id)
    if newest is None or newest["size"] < place:
        raise conflict(f"No checkpoint covers entry {place} yet: dashclaw evidence checkpoint", "NO_CHECKPOINT")
    before = rows.links(tx, org_id, place - 2, place - 1)[0] if place > 1 else chain.genesis(org_id)
    return {
        "version": 1,
        "kind": "entry",
        "org": org_id,
        "seq": place,
        "index": place - 1,
        "size": newest["size"],
        "before": before.hex(),
        **_shown(page[0]),
        "path": [part.hex() for part in inclusion_proof(tx, org_id, place, newest["size"])],
        "checkpoint": _signed(newest),
        "keys": rows.keys(tx),
    }


def _is_waiting(tx: Tx, org_id: str, event_id: int) -> bool:
    head = rows.head(tx, org_id)
    return event_id in rows.event_ids_between(tx, org_id, max(head.event_id if head else 0, event_id - 1), event_id)


def _shown(entry: tuple[Any, ...]) -> dict[str, Any]:
    """The record of an entry, and what it commits to unless that was removed."""
    _, _, salt, content, _, kept, event_id, *_ = entry
    if event_id is None:
        return {"record": kept, "salt": None, "data": None}
    record = chain.record(entry[0], entry[_AT_EVENT_ID:_AT_DATA], bytes(content))
    if salt is None:
        return {"record": record, "salt": None, "data": None}
    return {"record": record, "salt": bytes(salt).hex(), "data": entry[_AT_DATA]}


def prove_consistency(tx: Tx, org_id: str, first: int, second: int) -> dict[str, Any]:
    """Prove that the entries of one checkpoint are the beginning of those of another; raises `Problem` 404."""
    signed = []
    for size in (first, second):
        row = bundles.first_checkpoint(tx, org_id, size)
        if row is None or row["size"] != size:
            raise not_found("checkpoint of as many entries as", str(size))
        signed.append(_signed(row))
    return {
        "version": 1,
        "kind": "consistency",
        "org": org_id,
        "sizes": [first, second],
        "first": signed[0],
        "second": signed[1],
        "proof": [part.hex() for part in consistency_proof(tx, org_id, first, second)],
        "keys": rows.keys(tx),
    }


def _signed(row: Mapping[str, Any]) -> dict[str, str]:
    return {"text": row["text"], "signature": row["signature"]}


def check_proof(path: Path, key: str | None) -> tuple[dict[str, Any], list[str]]:
    """Check a proof that was written to a file: what it states, and what is wrong with it.

    `key` is the id of a key that is known from elsewhere; without it the keys in the file are believed.
    Raises `CannotCheckError` when the file holds no proof.
    """
    from .auditor.verify import CannotCheckError, trusted_keys

    wrong: list[str] = []
    try:
        proof = json.loads(path.read_text(encoding="utf-8"))
        keys = trusted_keys(proof["keys"], key, wrong.append)
        if proof["kind"] == "entry":
            _check_entry(proof, keys, wrong)
        else:
            _check_consistency(proof, keys, wrong)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise CannotCheckError(f"{path} cannot be read as a proof: {type(error).__name__}: {error}") from error
    return proof, wrong


def _check_entry(proof: Mapping[str, Any], keys: Mapping[str, Any], wrong: list[str]) -> None:
    record = json.loads(proof["record"])
    stated = _stated(proof, proof["checkpoint"], keys, wrong)
    leaf = chain.link(bytes.fromhex(proof["before"]), proof["record"])
    path = [bytes.fromhex(part) for part in proof["path"]]
    found = merkle.root_from_inclusion(leaf, record[0] - 1, stated["size"], path)
    if found.hex() != stated["root"]:
        wrong.append(f"entry {record[0]}: it is not in the chain that the checkpoint states")
    if proof["data"] is not None:
        committed = chain.content(bytes.fromhex(proof["salt"]), proof["data"])
        if committed.hex() != record[9]:
            wrong.append(f"entry {record[0]}: the data is not what was recorded")
    if (proof["seq"], proof["size"]) != (record[0], stated["size"]):
        wrong.append("the numbers beside the proof are not those of the record and the checkpoint")


def _check_consistency(proof: Mapping[str, Any], keys: Mapping[str, Any], wrong: list[str]) -> None:
    first, second = (_stated(proof, proof[name], keys, wrong) for name in ("first", "second"))
    roots = [bytes.fromhex(stated["root"]) for stated in (first, second)]
    path = [bytes.fromhex(part) for part in proof["proof"]]
    if not merkle.is_consistent(first["size"], roots[0], second["size"], roots[1], path):
        wrong.append(f"the first {first['size']} entries are not the beginning of the {second['size']}")
    if proof["sizes"] != [first["size"], second["size"]]:
        wrong.append("the numbers beside the proof are not those of the checkpoints")


def _stated(
    proof: Mapping[str, Any], checkpoint: Mapping[str, str], keys: Mapping[str, Any], wrong: list[str]
) -> dict[str, Any]:
    from .auditor.verify import signs

    stated: dict[str, Any] = json.loads(checkpoint["text"])
    about = f"the checkpoint over {stated['size']} entries"
    if stated["key"] not in keys:
        wrong.append(f"{about} is signed by a key that is not trusted")
    elif not signs(keys[stated["key"]], checkpoint["signature"], checkpoint["text"].encode()):
        wrong.append(f"{about} has a wrong signature")
    if stated["org"] != proof["org"]:
        wrong.append(f"{about} is of another organisation")
    return stated
