"""`dashclaw evidence verify`: a database, a bundle or a proof."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashclaw.errors import ConfigurationError, DashClawError, MissingExtraError

from .arguments import Commands, storage
from .evidence_files import evidence_store, key_file, organisation, progress
from .output import Output

if TYPE_CHECKING:
    from dashclaw.runtime.evidence.checkpoints import Checkpoint
    from dashclaw.runtime.store.engine import Store

PROBLEMS, UNCHECKED = 1, 2


def add(group: Commands) -> None:
    """Add the command to the group."""
    found = group.command(
        "verify",
        verify,
        "check that nobody changed the record; exits with 0 intact, 1 not intact, 2 could not be checked",
        options=storage(),
        example="dashclaw evidence verify --db dashclaw.db",
    )
    what = found.add_mutually_exclusive_group()
    what.add_argument("--bundle", metavar="FILE", help="check a bundle instead, without the database")
    what.add_argument("--proof", metavar="FILE", help="check a proof instead, without the database")
    found.add_argument("--key", metavar="KEY", help="id or PEM file of a signing key that you know from elsewhere")
    found.add_argument("--checkpoint", metavar="FILE", help="a checkpoint that was kept elsewhere")
    found.add_argument("--org", metavar="ID", help="only this organisation of the database")


def verify(options: argparse.Namespace, output: Output) -> int:
    """Check what the options name."""
    try:
        if options.bundle:
            return _bundle(options, output)
        if options.proof:
            return _proof(options, output)
        return _database(options, output)
    except DashClawError as error:
        output.error(error)
        return UNCHECKED


def _database(options: argparse.Namespace, output: Output) -> int:
    with evidence_store(options) as store:
        from dashclaw.runtime.evidence.verify import verify as check
        from dashclaw.runtime.store import orgs

        with store.read() as tx:
            known = orgs.every_id(tx)
        names = [organisation(store, options.org)] if options.org else known
        trusted, anchors = _trusted(store, options.key), _anchors(store, options.checkpoint)
        reports = [
            check(
                store,
                name,
                trusted=trusted,
                anchors=[anchor for anchor in anchors if anchor.read()["org"] == name],
                progress=progress("entries"),
            )
            for name in names
        ]
    found = [report.wire() for report in reports]
    intact = all(report.intact for report in reports)
    text = "\n".join(_told(report) for report in found)
    if not trusted:
        text += "\nThe key of this database is not at hand: its own list of keys was believed (--key names one)."
    output.result({"intact": intact, "trusted": trusted, "organizations": found}, text)
    return 0 if intact else PROBLEMS


def _told(found: Mapping[str, Any]) -> str:
    removed = f", {found['erased']} erased, {found['pruned']} expired" if found["erased"] or found["pruned"] else ""
    lines = [
        f"{found['org_id']}: {'INTACT' if found['intact'] else 'NOT INTACT'}: {found['entries']:,} entries{removed},"
        f" {found['checkpoints']:,} checkpoints over the first {found['covered']:,}, {found['rows']:,} rows compared"
    ]
    if found["unlinked"]:
        lines.append(f"  {found['unlinked']:,} events are not linked yet and not protected by the chain")
    lines += [f"  {finding['text']}" for finding in found["findings"]]
    if found["left_out"]:
        lines.append(f"  and {found['left_out']:,} more findings")
    return "\n".join(lines)


def _trusted(store: Store, key: str | None) -> list[str]:
    """The id of the key that was given, else of the private key of this database if it is there."""
    from dashclaw.runtime.evidence.keys import load_key

    if key is not None:
        return [_pinned(key)]
    path = key_file(store)
    return [load_key(path, create=False).id] if path.exists() else []


def _pinned(given: str) -> str:
    """The id of a key that is given by it, or as a file with the public key."""
    from dashclaw.runtime.evidence.keys import key_id

    try:
        found = key_id(Path(given).expanduser().read_text("ascii")) if Path(given).expanduser().is_file() else given
    except (OSError, ValueError):
        found = None
    if found is None or re.fullmatch("[0-9a-f]{64}", found) is None:
        raise ConfigurationError(f"{given} is neither the id of a key (64 hex digits) nor a file with a public key")
    return found


def _anchors(store: Store, given: str | None) -> list[Checkpoint]:
    """The checkpoints beside the key, and the one that was given."""
    from dashclaw.runtime.evidence.checkpoints import Checkpoint, anchors_path, read_anchors

    found = list(read_anchors(anchors_path(key_file(store))).values())
    if given is None:
        return found
    try:
        kept = json.loads(Path(given).expanduser().read_text(encoding="utf-8"))
        anchor = Checkpoint(kept["text"], kept["signature"])
        anchor.read()["org"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ConfigurationError(f"{given} holds no checkpoint ({type(error).__name__})") from error
    return [*found, anchor]


def _bundle(options: argparse.Namespace, output: Output) -> int:
    script = _script()
    kept = Path(options.checkpoint).expanduser() if options.checkpoint else None
    key = None if options.key is None else _pinned(options.key)
    try:
        found = script.check(Path(options.bundle).expanduser(), key, kept, progress("entries"))
    except script.CannotCheckError as error:
        raise ConfigurationError(str(error)) from error
    document = {
        "intact": not found.findings,
        "org": found.manifest["org"],
        "first": found.first,
        "last": found.seq,
        "checkpoints": found.checkpoints,
        "without_data": found.without_data,
        "key": key,
        "findings": found.findings,
    }
    output.result(document, _bundle_told(document))
    return PROBLEMS if found.findings else 0


def _bundle_told(found: Mapping[str, Any]) -> str:
    lines = [f"{found['org']}: entries {found['first']:,} to {found['last']:,}, {found['checkpoints']:,} checkpoints"]
    if found["key"] is None:
        lines += ["WARNING: the signing keys come from the bundle itself. Whoever makes up a whole bundle makes up"]
        lines += ["keys as well: get the id of the key from another source and give it with --key."]
    if found["without_data"]:
        lines.append(f"{found['without_data']:,} entries without data: erased or no longer kept")
    lines += [f"  {finding}" for finding in found["findings"]]
    lines.append("INTACT" if found["intact"] else f"NOT INTACT: {len(found['findings'])} findings")
    # Whatever the bundle holds is shown as inert text.
    return "\n".join(line.encode("unicode_escape").decode() for line in lines)


def _proof(options: argparse.Namespace, output: Output) -> int:
    script = _script()
    from dashclaw.runtime.evidence.proofs import check_proof

    if options.checkpoint:
        raise ConfigurationError("--checkpoint belongs to a database or a bundle; a proof names its own checkpoint")
    try:
        pinned = None if options.key is None else _pinned(options.key)
        proof, wrong = check_proof(Path(options.proof).expanduser(), pinned)
    except script.CannotCheckError as error:
        raise ConfigurationError(str(error)) from error
    lines = [f"{proof['org']}: {_proven(proof)}", *(f"  {text}" for text in wrong)]
    if options.key is None:
        lines.append("The signing key comes from the proof itself: give one that you know from elsewhere with --key.")
    lines.append("NOT PROVEN" if wrong else "PROVEN")
    output.result({"intact": not wrong, "findings": wrong, "proof": proof}, "\n".join(lines))
    return PROBLEMS if wrong else 0


def _proven(proof: Mapping[str, Any]) -> str:
    if proof["kind"] == "entry":
        data = "removed" if proof["data"] is None else proof["data"]
        return f"entry {proof['seq']} of {proof['size']}\n  record {proof['record']}\n  data   {data}"
    return f"{proof['sizes'][0]} entries are the beginning of {proof['sizes'][1]}"


def _script() -> Any:
    try:
        from dashclaw.runtime.evidence.auditor import verify as script
    except ImportError as error:
        raise MissingExtraError('Checking needs the extra "signing": pip install "dashclaw[signing]"') from error
    return script
