"""Bulk sync: the whole state of an agent in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping

from .._call import Call, Caller, endpoint

if TYPE_CHECKING:
    from ..types import SyncAnswer


class SyncMethods(Caller):
    """Methods of the category "Bulk Sync"."""

    @endpoint
    def sync_state(self, state: Mapping[str, Any]) -> Call[SyncAnswer]:
        """Push the state of this agent: everything is stored in one transaction, and nothing twice.

        Sections are `actions`, `decisions` (or `learning`), `goals`, `content`, `inspiration`, `context_points`,
        `context_threads`, `handoffs`, `snippets`, `relationships`, `connections` and `capabilities`, each a list of
        what the method for one of them takes, `preferences` with the lists `observations`, `preferences`, `moods` and
        `approaches`, and `memory` with `health`, `entities` and `topics`. Actions are guarded like any other.
        `["results"]` says per section how many were `synced`, `unchanged`, `blocked` or `pending`, and names the
        entries that are wrong under `errors`. Raises `InvalidRequestError` when none is right.
        """
        return Call("POST", "/api/sync", body={"agent_id": self.agent_id, **state}, signed=True)
