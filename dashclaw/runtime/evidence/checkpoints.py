"""Signed statements about a chain: so many entries, this root. What they cover can no longer be rewritten unseen."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dashclaw._canonical import canonical
from dashclaw.errors import ConfigurationError

from ..problems import conflict
from ..store import evidence as rows
from . import merkle
from .keys import register
from .sequencer import link_all

if TYPE_CHECKING:
    from ..store.engine import Store, Tx
    from .keys import EvidenceKey


class Checkpoint(NamedTuple):
    """A statement as it was signed: `text` is its canonical JSON, `signature` base64."""

    text: str
    signature: str

    def read(self) -> dict[str, Any]:
        """What it states: org, size, root, link, at, key, version; raises `ValueError` when it cannot be read."""
        found = json.loads(self.text)
        if not isinstance(found, dict) or not isinstance(found.get("size"), int):
            raise ValueError("The text of a checkpoint is a JSON object with a size")
        return found


def make_checkpoint(store: Store, org_id: str, key: EvidenceKey, anchors: Path | None = None) -> Checkpoint:
    """Link what is there and sign the chain as it then is; the last checkpoint when nothing was added since.

    The checkpoint is also written to the file `anchors`, which tells a database that was put back to an earlier state.
    Raises `Problem` 409 for an empty chain.
    """
    with store.write(org_id) as tx:
        if not rows.is_registered(tx, org_id, key.id):
            register(tx, org_id, key)
    link_all(store, org_id)
    with store.write(org_id) as tx:
        found = _signed(tx, org_id, key)
    if anchors is not None:
        keep_anchor(anchors, found)
    return found


def _signed(tx: Tx, org_id: str, key: EvidenceKey) -> Checkpoint:
    head = rows.head(tx, org_id)
    if head is None:
        raise conflict("The chain has no entries yet")
    known = rows.last_checkpoint(tx, org_id)
    if known is not None and known["size"] == head.size:
        return Checkpoint(known["text"], known["signature"])
    stated = {
        "version": 1,
        "org": org_id,
        "size": head.size,
        "root": merkle.Frontier.unpack(head.size, head.frontier).root().hex(),
        "link": head.link.hex(),
        "at": tx.stamp,
        "key": key.id,
    }
    text = canonical(stated)
    found = Checkpoint(text.decode(), base64.b64encode(key.sign(text)).decode())
    row = {**found._asdict(), "org_id": org_id, "size": head.size, "key_id": key.id, "created_at": tx.stamp}
    rows.add_checkpoint(tx, row)
    return found


def anchors_path(key: Path) -> Path:
    """The file beside a key that keeps each organisation's newest checkpoint."""
    return key.with_name(key.name.removesuffix(".pem") + ".anchors.json")


def read_anchors(path: Path) -> dict[str, Checkpoint]:
    """The newest checkpoint of each organisation; raises `ConfigurationError` when the file is not one of ours."""
    try:
        found = json.loads(path.read_text())
        return {org_id: Checkpoint(kept["text"], kept["signature"]) for org_id, kept in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(f"{path} holds no checkpoints ({type(error).__name__})") from error


def keep_anchor(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint to the file, unless it has a newer one of the organisation."""
    stated = checkpoint.read()
    known = read_anchors(path)
    if stated["org"] in known and known[stated["org"]].read()["size"] >= stated["size"]:
        return
    known[stated["org"]] = checkpoint
    text = json.dumps({org_id: kept._asdict() for org_id, kept in known.items()}, indent=1)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)


def root_of(tx: Tx, org_id: str, span: merkle.Span) -> bytes:
    """The root of the subtree over entries span[0] + 1 to span[1]; reads each of them."""
    tree = merkle.Frontier()
    start, end = span
    while start < end:
        until = min(start + 10_000, end)
        found = rows.links(tx, org_id, start, until)
        if len(found) != until - start:
            raise conflict(f"Entries are missing between {start + 1} and {until}: dashclaw evidence verify", "BROKEN")
        tree.extend(found)
        start = until
    return tree.root()


def inclusion_proof(tx: Tx, org_id: str, seq: int, size: int) -> list[bytes]:
    """The audit path from entry `seq` (from 1) to the root of the first `size` entries."""
    return [root_of(tx, org_id, span) for span in merkle.inclusion_spans(seq - 1, size)]


def consistency_proof(tx: Tx, org_id: str, first: int, second: int) -> list[bytes]:
    """That the first `first` entries are the beginning of the first `second`."""
    return [root_of(tx, org_id, span) for span in merkle.consistency_spans(first, second)]
