"""`dashclaw evidence export`, `prove`, `checkpoint` and `keys`: what is handed to those who check."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dashclaw.errors import ConfigurationError

from .arguments import Commands, storage, whole
from .evidence_files import evidence_store, key_file, organisation, progress, signing_key, when, write_new
from .output import Output

_ORG = "the organisation (org_default)"


def add(group: Commands) -> None:
    """Add the commands to the group."""
    found = group.command(
        "export",
        export,
        "write a bundle for an auditor: one zip that can be checked without DashClaw",
        options=storage(),
        example="dashclaw evidence export --out bundle.zip --db dashclaw.db",
    )
    found.add_argument("--out", metavar="FILE", required=True, help="the zip to write; it must not exist")
    found.add_argument("--org", metavar="ID", help=_ORG)
    found.add_argument("--since", metavar="WHEN", help="begin there: 30d, 12h, 90m or a date")
    found.add_argument("--until", metavar="WHEN", help="end at the first checkpoint after it")
    _add_proofs(group)
    _add_keys(group.group("keys", "the keys that sign checkpoints"))


def _add_proofs(group: Commands) -> None:
    found = group.command(
        "prove",
        prove,
        "prove that one entry is in the chain, or that one checkpoint continues another",
        options=storage(),
        example="dashclaw evidence prove act_123 --out proof.json --db dashclaw.db",
    )
    found.add_argument("name", metavar="ID", nargs="?", help="the id of an event, a decision or an action")
    found.add_argument("--consistency", nargs=2, type=whole(1, 2**53), metavar="SIZE", help="two checkpoints instead")
    found.add_argument("--out", metavar="FILE", help="write it there; it must not exist")
    found.add_argument("--org", metavar="ID", help=_ORG)
    found = group.command(
        "checkpoint",
        checkpoint,
        "sign the chain as it is now; keep the result where the operator cannot change it",
        options=storage(),
        example="dashclaw evidence checkpoint --out checkpoint.json --db dashclaw.db",
    )
    found.add_argument("--out", metavar="FILE", help="write it there; it must not exist")
    found.add_argument("--org", metavar="ID", help=_ORG)


def _add_keys(group: Commands) -> None:
    group.command(
        "list",
        list_keys,
        "show the keys that sign checkpoints, or did; auditors need the id of one",
        options=storage(),
        example="dashclaw evidence keys list --db dashclaw.db",
    )
    group.command(
        "rotate",
        rotate,
        "put a new key in the place of the present one; both sign that it is so",
        options=storage(),
        example="dashclaw evidence keys rotate --db dashclaw.db",
    )


def export(options: argparse.Namespace, output: Output) -> None:
    """Write a bundle."""
    target = Path(options.out).expanduser()
    since, until = when(options.since), when(options.until)
    with evidence_store(options) as store:
        from dashclaw.runtime.evidence.export import export as write

        org_id = organisation(store, options.org)
        key, anchors = signing_key(store)
        span = {"since": since, "until": until}
        found = write(store, org_id, target, key=key, anchors=anchors, progress=progress("entries"), **span)
    text = (
        f"Wrote {options.out}: entries {found['first']} to {found['last']} of {org_id}\n"
        f"Tell the auditor the id of the key on another way: {key.id}"
    )
    output.result({"written": options.out, "key_id": key.id, **found}, text)


def prove(options: argparse.Namespace, output: Output) -> None:
    """Print or write a proof."""
    if (options.name is None) == (options.consistency is None):
        raise ConfigurationError("Give either an ID, or --consistency and the sizes of two checkpoints")
    with evidence_store(options) as store:
        from dashclaw.runtime.evidence.checkpoints import make_checkpoint
        from dashclaw.runtime.evidence.proofs import event_of, prove_consistency, prove_entry

        org_id = organisation(store, options.org)
        if options.name is not None:
            key, anchors = signing_key(store)
            make_checkpoint(store, org_id, key, anchors)
        with store.read() as tx:
            if options.name is not None:
                found = prove_entry(tx, org_id, event_id=event_of(tx, org_id, options.name))
            else:
                found = prove_consistency(tx, org_id, *sorted(options.consistency))
    _hand_out(found, options.out, output, _proven(found))


def _proven(proof: Mapping[str, Any]) -> str:
    if proof["kind"] == "entry":
        return f"Entry {proof['seq']} of {proof['size']}: {proof['record']}"
    first, second = proof["sizes"]
    return f"The first {first} entries are the beginning of the {second}"


def checkpoint(options: argparse.Namespace, output: Output) -> None:
    """Make a checkpoint."""
    with evidence_store(options) as store:
        from dashclaw.runtime.evidence.checkpoints import make_checkpoint

        org_id = organisation(store, options.org)
        key, anchors = signing_key(store)
        found = make_checkpoint(store, org_id, key, anchors)
    stated = found.read()
    text = f"{stated['size']} entries of {org_id} at {stated['at']}\nroot {stated['root']}\nkey  {stated['key']}"
    _hand_out(found._asdict(), options.out, output, text)


def _hand_out(document: Mapping[str, Any], name: str | None, output: Output, text: str) -> None:
    if name is None:
        Output(True).result(document, "")
        return
    write_new(name, document)
    output.result({"written": name, **document}, f"{text}\nWrote {name}")


def list_keys(options: argparse.Namespace, output: Output) -> None:
    """Print the keys."""
    with evidence_store(options) as store:
        from dashclaw.runtime.store import evidence

        with store.read() as tx:
            found = evidence.keys(tx)
    lines = [f"{row['id']}  {_life(row)}" for row in found]
    output.result({"keys": found}, "\n".join(lines) or "No checkpoint was signed yet: dashclaw evidence checkpoint")


def _life(row: Mapping[str, Any]) -> str:
    end = f"until {row['retired_at'][:19]}Z" if row["retired_at"] else "signs now"
    return f"since {row['created_at'][:19]}Z, {end}"


def rotate(options: argparse.Namespace, output: Output) -> None:
    """Replace the key, making the first one when there is none."""
    with evidence_store(options) as store:
        from dashclaw.runtime.evidence.keys import load_key
        from dashclaw.runtime.evidence.keys import rotate as replace

        path = key_file(store)
        old = load_key(path)
        new = replace(store, path)
    text = f"The key {new.id} signs from now on, in place of {old.id}.\nKeep a copy of {path} for yourself alone."
    output.result({"id": new.id, "previous": old.id, "public_key": new.public_key}, text)
