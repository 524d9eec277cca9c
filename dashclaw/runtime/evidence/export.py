"""Writes a bundle for an auditor: one zip that can be checked without this package."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from dashclaw.errors import ConfigurationError

from ..problems import conflict
from ..store import bundles
from ..store import evidence as rows
from . import chain
from .checkpoints import make_checkpoint, root_of
from .summary import Summary

if TYPE_CHECKING:
    from ..store.engine import Store, Tx
    from .keys import EvidenceKey

PAGE = 2000
# Measured on entries, which are half hashes: level 6 takes three times as long for 7 % less.
_LEVEL = 1
_ATTEMPTS = 10
_REMOVALS = ("evidence.erased", "evidence.pruned")
_SHIPPED = ("verify.py", "README.md")
_SALT, _CONTENT, _LINK, _RECORD, _EVENT_ID, _AT, _DATA = 2, 3, 4, 5, 6, 7, 14

_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode

# Told how many entries are written and how many there are.
Progress = Callable[[int, int], None]


class Span(NamedTuple):
    """Which entries a bundle has, and where it was asked to begin and end."""

    first: int
    last: int
    since: str | None
    until: str | None


def export(
    store: Store,
    org_id: str,
    target: Path,
    *,
    key: EvidenceKey,
    anchors: Path | None = None,
    since: str | None = None,
    until: str | None = None,
    progress: Progress = lambda done, of: None,  # noqa: ARG005
) -> dict[str, Any]:
    """Write an organisation's chain to a new zip, from one consistent snapshot; returns the manifest.

    `since` and `until` are stamps. The bundle ends at a checkpoint, so it may have more entries than up to `until`.
    Raises `ConfigurationError` when the file exists or cannot be written, `Problem` 409 when there is nothing to
    export.
    """
    if target.exists():
        raise ConfigurationError(f"{target} exists already")

    def write(tx: Tx, span: Span) -> dict[str, Any]:
        return _write(tx, org_id, span, target, progress)

    return _from_snapshot(store, org_id, (since, until), (key, anchors), write)


def export_to(
    store: Store,
    org_id: str,
    file: IO[bytes],
    *,
    key: EvidenceKey,
    anchors: Path | None = None,
    since: str | None = None,
    until: str | None = None,
    progress: Progress = lambda done, of: None,  # noqa: ARG005
) -> dict[str, Any]:
    """Write the same bundle into an open file; returns the manifest, and raises `Problem` 409 as `export` does."""

    def write(tx: Tx, span: Span) -> dict[str, Any]:
        return _zip(tx, org_id, span, file, progress)

    return _from_snapshot(store, org_id, (since, until), (key, anchors), write)


def _from_snapshot(
    store: Store,
    org_id: str,
    times: tuple[str | None, str | None],
    signing: tuple[EvidenceKey, Path | None],
    write: Callable[[Tx, Span], dict[str, Any]],
) -> dict[str, Any]:
    for _ in range(_ATTEMPTS):
        make_checkpoint(store, org_id, *signing)
        with store.read() as tx:
            span = _span(tx, org_id, *times)
            if span is not None:
                return write(tx, span)
    raise conflict("Data is being erased right now; try again")


def _span(tx: Tx, org_id: str, since: str | None, until: str | None) -> Span | None:
    """The entries to export; None when a new checkpoint has to be made first."""
    newest = rows.last_checkpoint(tx, org_id)
    size = newest["size"] if newest else 0
    first = 1 if since is None else _first_since(tx, org_id, since, size)
    last = size if until is None else _first_since(tx, org_id, until, size) - 1
    if not 0 < first <= last:
        raise conflict("Nothing was recorded in that time")
    while True:
        end = bundles.first_checkpoint(tx, org_id, last)
        if end is None:
            return None
        last = end["size"]
        # What was removed later has to be told by the same bundle.
        told = _told_later(tx, org_id, first, last)
        if told is None:
            return Span(first, last, since, until)
        if told == 0:
            return None
        last = told


def _told_later(tx: Tx, org_id: str, first: int, last: int) -> int | None:
    """The newest entry after `last` by which something from `first` to `last` was removed; 0 if it is not linked."""
    found = None
    for event in bundles.told_after(tx, org_id, _REMOVALS, bundles.event_id_of(tx, org_id, last) or 0):
        spans = event["data"].get("entries", ()) if isinstance(event["data"], dict) else ()
        if any(start <= last and end >= first for start, end in spans):
            found = bundles.seq_of(tx, org_id, event["id"]) or 0
    return found


def _first_since(tx: Tx, org_id: str, at: str, size: int) -> int:
    """The first entry that is not older than a moment, `size` + 1 when all are; entries are in the order of time."""
    least, greatest = 1, size + 1
    while least < greatest:
        middle = (least + greatest) // 2
        page = rows.entries(tx, org_id, middle - 1, 1)
        if not page or _time(page[0]) >= at:
            greatest = middle
        else:
            least = middle + 1
    return least


def _time(entry: tuple[Any, ...]) -> str:
    if entry[_AT] is not None:
        return str(entry[_AT])
    return str(json.loads(entry[_RECORD])[2]) if entry[_RECORD] else ""


def _write(tx: Tx, org_id: str, span: Span, target: Path, progress: Progress) -> dict[str, Any]:
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        unfinished = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                manifest = _zip(tx, org_id, span, file, progress)
                file.flush()
                os.fsync(file.fileno())
            os.link(unfinished, target)
        finally:
            with suppress(FileNotFoundError):
                unfinished.unlink()
    except OSError as error:
        raise ConfigurationError(f"{target} cannot be written: {error.strerror}") from error
    return manifest


def _zip(tx: Tx, org_id: str, span: Span, file: Any, progress: Progress) -> dict[str, Any]:
    from .bundle_page import bundle_page

    summary = Summary()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as bundle:
        folder = resources.files(__package__) / "auditor"
        for name in _SHIPPED:
            bundle.writestr(name, (folder / name).read_text(encoding="utf-8"))
        _lines(bundle, "entries.jsonl", _entries(tx, org_id, span, summary, progress))
        _lines(bundle, "checkpoints.jsonl", _checkpoints(tx, org_id, span, summary))
        _lines(bundle, "policies.jsonl", _policies(tx, org_id, summary))
        keys, agents = rows.keys(tx), bundles.agent_keys(tx, org_id)
        bundle.writestr("keys.json", json.dumps(keys, indent=1))
        bundle.writestr("identities.json", json.dumps(agents, indent=1))
        manifest = _manifest(tx, org_id, span, summary)
        bundle.writestr("manifest.json", json.dumps(manifest, indent=1))
        bundle.writestr("report.html", bundle_page(manifest, summary, keys, agents))
    return manifest


def _lines(bundle: zipfile.ZipFile, name: str, lines: Iterator[str]) -> None:
    with bundle.open(name, "w", force_zip64=True) as file:
        for text in lines:
            file.write(text.encode("ascii"))


def _entries(tx: Tx, org_id: str, span: Span, summary: Summary, progress: Progress) -> Iterator[str]:
    """The lines of entries, many at a time."""
    after, of = span.first - 1, span.last - span.first + 1
    while after < span.last:
        page = rows.entries(tx, org_id, after, min(PAGE, span.last - after))
        if not page:
            raise conflict(f"Entries are missing after {after}: dashclaw evidence verify", "BROKEN")
        yield "".join(_line(entry, summary) for entry in page)
        after = page[-1][0]
        progress(after - span.first + 1, of)


def _line(entry: tuple[Any, ...], summary: Summary) -> str:
    salt, record, data = entry[_SALT], entry[_RECORD], entry[_DATA]
    if entry[_EVENT_ID] is not None:
        record = chain.record(entry[0], entry[_EVENT_ID:_DATA], bytes(entry[_CONTENT]))
    if salt is None or entry[_EVENT_ID] is None:
        salt = data = None
    summary.add(entry, record, data)
    line = {
        "record": record,
        "link": bytes(entry[_LINK]).hex(),
        "salt": None if salt is None else bytes(salt).hex(),
        "data": data,
    }
    return _json(line) + "\n"


def _checkpoints(tx: Tx, org_id: str, span: Span, summary: Summary) -> Iterator[str]:
    # The one at the border belongs to the bundle: it signs what comes before.
    for row in rows.checkpoints(tx, org_id, max(span.first - 2, 0), span.last):
        summary.checkpoint(row)
        yield _json({"text": row["text"], "signature": row["signature"]}) + "\n"


def _policies(tx: Tx, org_id: str, summary: Summary) -> Iterator[str]:
    for kind, name, document in bundles.policy_texts(tx, org_id):
        summary.policy(kind, name, document)
        yield _json({"kind": kind, "hash": name, "document": document}) + "\n"


def _manifest(tx: Tx, org_id: str, span: Span, summary: Summary) -> dict[str, Any]:
    before = rows.links(tx, org_id, span.first - 2, span.first - 1) if span.first > 1 else [chain.genesis(org_id)]
    return {
        "version": 1,
        "org": org_id,
        "created_at": tx.stamp,
        "first": span.first,
        "last": span.last,
        "size": span.last - span.first + 1,
        "since": span.since,
        "until": span.until,
        "before": before[0].hex() if before else "",
        "frontier": [root_of(tx, org_id, part).hex() for part in complete_subtrees(span.first - 1)],
        "counts": summary.counts(),
    }


def complete_subtrees(size: int) -> list[tuple[int, int]]:
    """Which ranges of leaves [from, to) the complete subtrees of a tree are, the largest first."""
    found, start = [], 0
    for bit in range(size.bit_length() - 1, -1, -1):
        if size >> bit & 1:
            found.append((start, start + (1 << bit)))
            start += 1 << bit
    return found
