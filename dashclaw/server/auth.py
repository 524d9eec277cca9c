"""Who is behind an API key."""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from dashclaw.runtime.bootstrap import DEFAULT_ORG
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.keys import caller_for_key, hash_key, note_use
from dashclaw.runtime.problems import Problem

if TYPE_CHECKING:
    from dashclaw.runtime.runtime import Runtime

# A key revoked by another process is refused after this long; by this one, at once.
CACHE_SECONDS = 1.0
_MOST_CACHED = 10_000
_USE_NOTED_SECONDS = 60.0
SAFE = frozenset({"GET", "HEAD"})


class Keyring:
    """Recognises keys; a short bounded cache keeps the database out of the hot path."""

    def __init__(self, runtime: Runtime, admin_key: str | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._runtime = runtime
        self._clock = clock
        self._admin_hash = hash_key(admin_key) if admin_key else None
        self._cache: OrderedDict[str, tuple[Caller, float]] = OrderedDict()
        self._noted: OrderedDict[str, float] = OrderedDict()

    def caller(self, raw: str | None, verb: str) -> Caller:
        """The caller behind a key; raises `Problem` 401 or 403."""
        if not raw:
            raise Problem(401, "API_KEY_REQUIRED", "Send an API key in the header x-api-key")
        if len(raw) > 512 or not raw.isascii():
            raise Problem(401, "INVALID_API_KEY", "This API key is unknown or revoked")
        hashed = hash_key(raw)
        known = self._cache.get(hashed)
        now = self._clock()
        found = known[0] if known is not None and known[1] > now else self._look_up(raw, hashed, now)
        if found.role == "readonly" and verb not in SAFE:
            raise Problem(403, "READONLY_KEY", "This key may only read")
        return found

    def knows(self, raw: str | None) -> bool:
        """Whether a key may still read; a stream asks, because it outlives its first check."""
        try:
            self.caller(raw, "GET")
        except Problem:
            return False
        return True

    def _look_up(self, raw: str, hashed: str, now: float) -> Caller:
        with self._runtime.store.read() as tx:
            found = caller_for_key(tx, raw)
        if found is not None:
            self._note_use(found, now)
            return self._keep(hashed, found, now)
        # The stored role comes first: the configured key may be an agent's, as clients read the same variable.
        if self._admin_hash is not None and hmac.compare_digest(hashed, self._admin_hash):
            return self._keep(hashed, Caller(DEFAULT_ORG, "key_env", "admin", "api_key"), now)
        raise Problem(401, "INVALID_API_KEY", "This API key is unknown or revoked")

    def _keep(self, hashed: str, caller: Caller, now: float) -> Caller:
        self._cache[hashed] = (caller, now + CACHE_SECONDS)
        self._cache.move_to_end(hashed)
        while len(self._cache) > _MOST_CACHED:
            self._cache.popitem(last=False)
        return caller

    def _note_use(self, caller: Caller, now: float) -> None:
        if self._noted.get(caller.actor_id, -_USE_NOTED_SECONDS) + _USE_NOTED_SECONDS > now:
            return
        self._noted[caller.actor_id] = now
        while len(self._noted) > _MOST_CACHED:
            self._noted.popitem(last=False)
        with self._runtime.store.write(caller.org_id) as tx:
            note_use(tx, caller.actor_id)

    def forget(self) -> None:
        """Look every key up again; called when a key was revoked."""
        self._cache.clear()
