"""Workload identity: the JSON Web Tokens of issuers that the operator trusts."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
import urllib.request
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import jwt
from starlette.concurrency import run_in_threadpool

from dashclaw.runtime.problems import Problem
from dashclaw.runtime.store import orgs

from .settings import protected_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashclaw.runtime.runtime import Runtime

    from .settings import ServerSettings

log = logging.getLogger("dashclaw")

# Only algorithms with a private and a public key: a shared secret would let every verifier sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_SECONDS = 30
LONGEST_LIFE_SECONDS = 24 * 3600
LONGEST_SUBJECT = 112
FETCH_SECONDS = 5.0
KEYS_KEPT_SECONDS = 3600.0
# A token with an unknown key makes the keys be fetched again, but not for every such token.
REFRESH_SECONDS = 30.0
RETRY_SECONDS = 5.0
_LARGEST_DOCUMENT = 1024 * 1024
_LONGEST_TOKEN = 16 * 1024
_REMEMBERED_SECONDS = 30.0
_MOST_REMEMBERED = 10_000


class Subject(NamedTuple):
    """Who a token is of, in which organisation; `expires` is in seconds since 1970."""

    issuer: str
    name: str
    org_id: str
    expires: float

    @property
    def actor_id(self) -> str:
        """The name in the record: the same subject of another issuer is somebody else."""
        return f"token:{hashlib.sha256(self.issuer.encode()).hexdigest()[:8]}:{self.name}"

    def lives(self) -> bool:
        """Whether the token is still good."""
        return time.time() < self.expires + LEEWAY_SECONDS


class Workloads:
    """Verifies tokens; what was verified is remembered for 30 seconds."""

    def __init__(self, runtime: Runtime, settings: ServerSettings) -> None:
        self._runtime = runtime
        self._settings = settings
        self._issuers = {url: Issuer(url, settings.jwt_jwks_url) for url in settings.jwt_issuers}
        self._known: OrderedDict[bytes, tuple[Subject, float]] = OrderedDict()

    async def subject(self, token: str) -> Subject:
        """Who a token is of; raises `Problem` 401, or 503 when the issuer's keys cannot be had."""
        hashed = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(hashed)
        if known is not None and known[1] > time.monotonic():
            if not known[0].lives():
                raise _expired()
            return known[0]
        issuer, kid = self._issuer(token)
        key = await issuer.key(kid)
        found = await run_in_threadpool(self._verified, token, issuer.url, key)
        self._known[hashed] = (found, time.monotonic() + _REMEMBERED_SECONDS)
        self._known.move_to_end(hashed)
        while len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        return found

    def _issuer(self, token: str) -> tuple[Issuer, str | None]:
        """The issuer that an unverified token names, and which of its keys."""
        if len(token) > _LONGEST_TOKEN:
            raise _wrong("it is too long")
        try:
            seen = jwt.decode_complete(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise _wrong("it cannot be read") from error
        issuer = self._issuers.get(str(seen["payload"].get("iss")))
        if issuer is None:
            raise Problem(401, "TOKEN_ISSUER_UNKNOWN", "This server does not trust the issuer of the token")
        if seen["header"].get("alg") not in ALGORITHMS:
            raise _wrong(f"its algorithm is none of {', '.join(ALGORITHMS)}")
        kid = seen["header"].get("kid")
        return issuer, kid if isinstance(kid, str) else None

    def _verified(self, token: str, issuer: str, key: jwt.PyJWK) -> Subject:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=list(ALGORITHMS),
                audience=self._settings.jwt_audience,
                issuer=issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise _expired() from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise _wrong(str(error)) from error
        return self._subject(claims, issuer)

    def _subject(self, claims: dict[str, Any], issuer: str) -> Subject:
        expires = float(claims["exp"])
        if expires > time.time() + LONGEST_LIFE_SECONDS + LEEWAY_SECONDS:
            raise _wrong("it lives longer than 24 hours")
        name = claims["sub"]
        if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_SUBJECT or not name.isprintable():
            raise _wrong(f"its subject must be 1..{LONGEST_SUBJECT} printable characters")
        org_id: Any = self._settings.jwt_org
        if self._settings.jwt_org_claim is not None:
            org_id = claims.get(self._settings.jwt_org_claim)
        with self._runtime.store.read() as tx:
            if not isinstance(org_id, str) or orgs.find(tx, org_id) is None:
                raise _wrong("it names no organisation of this server")
        return Subject(issuer, name, org_id, expires)


class Issuer:
    """The keys of one issuer, fetched by one thread at a time and never on the event loop."""

    def __init__(self, url: str, jwks_url: str | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.url = url
        self._jwks_url = jwks_url
        self._clock = clock
        self._client: jwt.PyJWKClient | None = None
        self._lock = asyncio.Lock()
        self._fetched = 0.0
        self._failed_until = 0.0

    async def key(self, kid: str | None) -> jwt.PyJWK:
        """The key that signs under a name; raises `Problem` 401 for an unknown one and 503 when none can be had."""
        found = self._known(kid)
        if found is None:
            async with self._lock:
                found = self._known(kid)
                if found is None:
                    await self._refresh()
                    found = self._known(kid)
        if found is None:
            raise _wrong("it is signed with a key that the issuer does not publish")
        return found

    def _known(self, kid: str | None) -> jwt.PyJWK | None:
        cache = self._client.jwk_set_cache if self._client is not None else None
        keys = cache.get() if cache is not None else None
        if keys is None:
            return None
        signing = [key for key in keys.keys if key.public_key_use in ("sig", None)]
        if kid is None:
            # Without a name there must be no choice.
            return signing[0] if len(signing) == 1 else None
        return next((key for key in signing if key.key_id == kid), None)

    async def _refresh(self) -> None:
        now = self._clock()
        if now < self._failed_until:
            raise _no_keys()
        client = self._client
        cached = client is not None and client.jwk_set_cache is not None and client.jwk_set_cache.get() is not None
        if cached and now < self._fetched + REFRESH_SECONDS:
            return
        try:
            await run_in_threadpool(self._fetch)
        except (jwt.PyJWTError, OSError, ValueError) as error:
            log.warning("The keys of the issuer %s cannot be had: %s", self.url, error)
            self._failed_until = self._clock() + RETRY_SECONDS
            raise _no_keys() from error
        self._fetched = self._clock()

    def _fetch(self) -> None:
        client = self._client
        if client is None:
            url = self._jwks_url or self._discovered()
            client = jwt.PyJWKClient(url, lifespan=KEYS_KEPT_SECONDS, timeout=FETCH_SECONDS)
        client.get_jwk_set(refresh=True)
        self._client = client

    def _discovered(self) -> str:
        """Where the issuer says that its keys are; raises `ValueError` when it says so of another issuer."""
        request = urllib.request.Request(f"{self.url.rstrip('/')}/.well-known/openid-configuration")  # noqa: S310
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=FETCH_SECONDS) as answer:
            found = json.loads(answer.read(_LARGEST_DOCUMENT))
        if not isinstance(found, dict) or found.get("issuer") != self.url:
            raise ValueError("its configuration is not that of this issuer")
        return protected_url(str(found.get("jwks_uri")))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Keys come from where the operator said and from nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _wrong(why: str) -> Problem:
    return Problem(401, "TOKEN_INVALID", f"The token is not accepted: {why}")


def _expired() -> Problem:
    return Problem(401, "TOKEN_EXPIRED", "The token has expired: ask its issuer for another one")


def _no_keys() -> Problem:
    text = "The issuer's keys cannot be fetched now, so that no token of it can be verified"
    return Problem(503, "JWKS_UNAVAILABLE", text, headers={"Retry-After": str(int(RETRY_SECONDS))})
