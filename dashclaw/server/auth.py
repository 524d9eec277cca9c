"""Who is behind an API key, a token, or both."""

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
    from starlette.requests import Request

    from dashclaw.runtime.identity import Role
    from dashclaw.runtime.runtime import Runtime

    from .workload import Subject, Workloads

# A key revoked by another process is refused after this long; by this one, at once.
CACHE_SECONDS = 1.0
_MOST_CACHED = 10_000
_USE_NOTED_SECONDS = 60.0
SAFE = frozenset({"GET", "HEAD"})
ENVIRONMENT_KEY = "key_env"
_ENVIRONMENT = Caller(DEFAULT_ORG, ENVIRONMENT_KEY, "admin", "api_key")


def key_of(request: Request) -> str | None:
    """The API key of a request: `x-api-key`, else a bearer credential; never the query."""
    return request.headers.get("x-api-key") or bearer_of(request)


def bearer_of(request: Request) -> str | None:
    """The bearer credential of a request."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def is_token(text: str) -> bool:
    """Whether a bearer credential has the form of a JSON Web Token."""
    return text.startswith("eyJ") and text.count(".") == 2


class Entrance:
    """Lets callers in by key, by token where issuers are trusted, or by both, which then must agree."""

    def __init__(self, keyring: Keyring, workloads: Workloads | None, role: Role) -> None:
        self._keyring = keyring
        self._workloads = workloads
        self._role = role

    async def caller(self, request: Request, verb: str) -> Caller:
        """Who sent a request; raises `Problem` 401, 403 or 503."""
        if (subject := await self._subject(request)) is None:
            return self._keyring.caller(key_of(request), verb)
        if key := request.headers.get("x-api-key"):
            found = self._keyring.caller(key, verb)
            if found.org_id != subject.org_id:
                raise Problem(403, "TOKEN_ORG_MISMATCH", "The token and the API key are of different organisations")
            return found._replace(agent_id=subject.name, agent_verified=True)
        if self._role == "readonly" and verb not in SAFE:
            raise Problem(403, "READONLY_KEY", "Tokens may only read here")
        return Caller(
            subject.org_id, subject.actor_id, self._role, "workload", agent_id=subject.name, agent_verified=True
        )

    def by_key(self, raw: str) -> Caller:
        """Who an API key stands for; raises `Problem` 401."""
        return self._keyring.caller(raw, "GET")

    def by_environment(self, key_hash: str) -> Caller | None:
        """Who the key of the environment stands for, while this is still its hash."""
        return self._keyring.by_environment(key_hash)

    async def _subject(self, request: Request) -> Subject | None:
        token = bearer_of(request)
        if token is None:
            return None
        key = request.headers.get("x-api-key")
        if self._workloads is None:
            if not key and is_token(token):
                raise Problem(
                    401, "TOKEN_ISSUER_UNKNOWN", "This server takes no tokens: DASHCLAW_JWT_ISSUER is not set"
                )
            return None
        # Without x-api-key, a bearer credential of another form may be an API key.
        if not is_token(token) and (not key or key == token):
            return None
        return await self._workloads.subject(token)

    async def staying(self, request: Request) -> Callable[[], bool]:
        """What tells a stream, which outlives its first check, whether its caller may still read."""
        subject = await self._subject(request)
        if subject is None:
            key = key_of(request)
            return lambda: self._keyring.knows(key)
        beside = request.headers.get("x-api-key")
        return lambda: subject.lives() and (not beside or self._keyring.knows(beside))

    def forget(self) -> None:
        """Look every key up again; called when a key was revoked."""
        self._keyring.forget()


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

    def by_environment(self, key_hash: str) -> Caller | None:
        """Who the configured key stands for, while this is its hash."""
        known = self._admin_hash is not None and hmac.compare_digest(key_hash, self._admin_hash)
        return _ENVIRONMENT if known else None

    def _look_up(self, raw: str, hashed: str, now: float) -> Caller:
        with self._runtime.store.read() as tx:
            found = caller_for_key(tx, raw)
        if found is not None:
            self._note_use(found, now)
            return self._keep(hashed, found, now)
        # The stored role comes first: the configured key may be an agent's, as clients read the same variable.
        if self._admin_hash is not None and hmac.compare_digest(hashed, self._admin_hash):
            return self._keep(hashed, _ENVIRONMENT, now)
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
