"""Sign-in through an OpenID provider: the way there, the way back, and whom its identity token names.

Authorization code with PKCE. What the provider publishes is fetched when it is first needed and kept for an hour.
"""

from __future__ import annotations

import hmac
import logging
import re
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2
import jwt
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.httpx_client import OAuth2Client  # type: ignore[import-untyped]

from dashclaw.runtime.problems import Problem
from dashclaw.runtime.provisioning import Arrival

from .settings import protected_url
from .workload import ALGORITHMS, LEEWAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .oidc_settings import OidcSettings

log = logging.getLogger("dashclaw")

FETCH_SECONDS = 5.0
KEPT_SECONDS = 3600.0
# A token with an unknown key makes the keys be fetched again, but not for every such token.
REFRESH_SECONDS = 30.0
RETRY_SECONDS = 5.0
_LARGEST_DOCUMENT = 1024 * 1024
_LONGEST_TOKEN = 64 * 1024
_EMAIL = re.compile(r"[!-?A-~]+@[!-?A-~]+")
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Departure(NamedTuple):
    """What is remembered of one who was sent to the provider, until that one comes back."""

    state: str
    nonce: str
    verifier: str


class _Published(NamedTuple):
    """What a provider says of itself, its keys, and when they were fetched."""

    document: Mapping[str, Any]
    keys: tuple[jwt.PyJWK, ...]
    fetched: float


class Provider:
    """One OpenID provider. Its methods wait for the network: they are for threads."""

    def __init__(self, settings: OidcSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._published: _Published | None = None
        self._failed_until = 0.0

    def depart(self, back: str) -> tuple[str, Departure]:
        """The URL to send a browser to, which comes back to `back`; raises `Problem` 503."""
        way = Departure(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))
        document = self._known().document
        with self._client(document, back) as client:
            url, _ = client.create_authorization_url(
                document["authorization_endpoint"], state=way.state, nonce=way.nonce, code_verifier=way.verifier
            )
        return url, way

    def arrive(self, query: Mapping[str, str], way: Departure, back: str) -> Arrival:
        """Whom the provider sent back; raises `Problem` 403 when that cannot be believed, 503 when it is not there."""
        if not hmac.compare_digest(query.get("state", "").encode(), way.state.encode()):
            raise _refused("the answer belongs to another sign-in")
        if query.get("iss", self.settings.issuer) != self.settings.issuer:
            raise _refused("another provider answered")
        if "code" not in query:
            raise _refused("the provider let nobody in")
        document = self._known().document
        try:
            with self._client(document, back) as client:
                found = client.fetch_token(
                    document["token_endpoint"],
                    grant_type="authorization_code",
                    code=query["code"],
                    code_verifier=way.verifier,
                )
        except (OAuthError, ValueError) as error:
            log.warning("The OpenID provider refused a code: %s", error)
            raise _refused("the code was used before or is wrong") from error
        except httpx2.HTTPError as error:
            raise self._down(error) from error
        claims = self._claims(found.get("id_token"))
        if not hmac.compare_digest(str(claims.get("nonce")).encode(), way.nonce.encode()):
            raise _refused("the identity token is of another sign-in")
        return self._arrival(claims)

    def _client(self, document: Mapping[str, Any], back: str) -> OAuth2Client:
        offered = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"
        settings = self.settings
        return OAuth2Client(
            settings.client_id,
            settings.client_secret,
            token_endpoint_auth_method=method if settings.client_secret else "none",
            scope="openid email profile",
            redirect_uri=back,
            code_challenge_method="S256",
            timeout=FETCH_SECONDS,
            follow_redirects=False,
            transport=_Bounded(),
        )

    def _claims(self, token: Any) -> dict[str, Any]:
        if not isinstance(token, str) or len(token) > _LONGEST_TOKEN:
            raise _refused("the provider sent no identity token")
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise _refused(f"the algorithm of the identity token is none of {', '.join(ALGORITHMS)}")
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key(header.get("kid")).key,
                algorithms=list(ALGORITHMS),
                audience=self.settings.client_id,
                issuer=self.settings.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise _refused(f"the identity token is not accepted: {error}") from error
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if claims.get("azp", audiences[0] if len(audiences) == 1 else None) != self.settings.client_id:
            raise _refused("the identity token was made for another program")
        return claims

    def _arrival(self, claims: Mapping[str, Any]) -> Arrival:
        subject, email, name = claims["sub"], claims.get("email"), claims.get("name")
        if not isinstance(subject, str) or not 1 <= len(subject) <= 255 or not subject.isprintable():
            raise _refused("the subject of the identity token is no name")
        if not isinstance(email, str) or len(email) > 254 or not _EMAIL.fullmatch(email):
            raise _refused("the identity token names no e-mail address")
        if claims.get("email_verified") is not True:
            raise _refused("the provider has not verified the e-mail address")
        shown = name[:256] if isinstance(name, str) and name.isprintable() else None
        return Arrival(self.settings.issuer, subject, email, shown, self.settings.role_of(claims))

    def _key(self, kid: str | None) -> jwt.PyJWK:
        found = _named(self._known().keys, kid)
        if found is None:
            found = _named(self._known(after=REFRESH_SECONDS).keys, kid)
        if found is None:
            raise _refused("the identity token is signed with a key that the provider does not publish")
        return found

    def _known(self, after: float = KEPT_SECONDS) -> _Published:
        """What the provider publishes, fetched again when it is older than `after` seconds; raises `Problem` 503."""
        with self._lock:
            now, known = self._clock(), self._published
            if known is not None and now - known.fetched < after:
                return known
            if now < self._failed_until:
                raise _absent()
            try:
                self._published = self._fetched(now)
            except (httpx2.HTTPError, httpx2.InvalidURL, jwt.PyJWTError, ValueError) as error:
                self._failed_until = self._clock() + RETRY_SECONDS
                raise self._down(error) from error
            return self._published

    def _fetched(self, now: float) -> _Published:
        issuer = self.settings.issuer
        with httpx2.Client(timeout=FETCH_SECONDS, follow_redirects=False, transport=_Bounded()) as client:
            document = _read(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if document.get("issuer") != issuer:
                raise ValueError("its configuration is not that of this issuer")
            for name in _ENDPOINTS:
                protected_url(str(document.get(name)))
            keys = jwt.PyJWKSet.from_dict(_read(client, document["jwks_uri"])).keys
        return _Published(document, tuple(key for key in keys if key.public_key_use in ("sig", None)), now)

    def _down(self, error: Exception) -> Problem:
        log.warning("The OpenID provider %s cannot be had: %s", self.settings.issuer, error)
        return _absent()


def _named(keys: tuple[jwt.PyJWK, ...], kid: str | None) -> jwt.PyJWK | None:
    if kid is None:
        # Without a name there must be no choice.
        return keys[0] if len(keys) == 1 else None
    return next((key for key in keys if key.key_id == kid), None)


def _read(client: httpx2.Client, url: str) -> dict[str, Any]:
    """The JSON object at a URL; raises `ValueError` for anything else."""
    answer = client.get(url, headers={"Accept": "application/json"})
    if answer.status_code != 200:
        raise ValueError(f"{url} answered {answer.status_code}")
    found = answer.json()
    if not isinstance(found, dict):
        raise ValueError(f"{url} answered with no object")
    return found


class _Bounded(httpx2.HTTPTransport):
    """Reads no more than a mebibyte of an answer."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["Accept-Encoding"] = "identity"
        answer = super().handle_request(request)
        if "content-encoding" in answer.headers or not isinstance(answer.stream, httpx2.SyncByteStream):
            answer.close()
            raise httpx2.DecodingError("The answer is compressed, and its size not known")
        answer.stream = _Counted(answer.stream)
        return answer


class _Counted(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        seen = 0
        for piece in self._stream:
            seen += len(piece)
            if seen > _LARGEST_DOCUMENT:
                raise httpx2.ReadError(f"The answer has more than {_LARGEST_DOCUMENT} bytes")
            yield piece

    def close(self) -> None:
        self._stream.close()


def _refused(why: str) -> Problem:
    return Problem(403, "SIGN_IN_REFUSED", f"You were not signed in: {why}. Try again")


def _absent() -> Problem:
    text = "The provider does not answer now. Try again in a moment, or sign in another way"
    return Problem(503, "PROVIDER_UNAVAILABLE", text, headers={"Retry-After": str(int(RETRY_SECONDS))})
