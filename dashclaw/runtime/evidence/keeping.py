"""Keeps chains up to date without being asked: links what a dead process left, and signs checkpoints now and then."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dashclaw.errors import MissingExtraError

from ..store import evidence as rows
from ..store import orgs
from .checkpoints import Checkpoint, anchors_path, make_checkpoint
from .keys import key_path, load_key
from .sequencer import link_all

if TYPE_CHECKING:
    from ..runtime import Runtime

log = logging.getLogger("dashclaw")


def link_tails(runtime: Runtime) -> int:
    """Link the unlinked events of every organisation; returns how many."""
    return sum(link_all(runtime.store, org_id) for org_id in _organisations(runtime))


def sign_now(runtime: Runtime, org_id: str) -> Checkpoint:
    """Make a checkpoint with the key of this database, and keep it beside the key as well.

    Raises `MissingExtraError` without `cryptography`, `ConfigurationError` when the key cannot be read, `Problem` 409
    for an empty chain.
    """
    path = key_path(runtime.store.url, runtime.settings)
    return make_checkpoint(runtime.store, org_id, load_key(path), anchors_path(path))


class Notary:
    """Signs a checkpoint of every chain that grew since the last one."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._unable = False

    def round(self) -> int:
        """Sign what grew; returns how many checkpoints were made."""
        made = 0
        for org_id in [] if self._unable else _organisations(self._runtime):
            if not self._grew(org_id):
                continue
            try:
                sign_now(self._runtime, org_id)
            except MissingExtraError as error:
                log.warning("No checkpoints of the evidence are made: %s", error)
                self._unable = True
                break
            made += 1
        return made

    def _grew(self, org_id: str) -> bool:
        with self._runtime.store.read() as tx:
            head, last = rows.head(tx, org_id), rows.last_checkpoint(tx, org_id)
        return head is not None and (last is None or head.size > last["size"])


def _organisations(runtime: Runtime) -> list[str]:
    with runtime.store.read() as tx:
        return orgs.every_id(tx)
