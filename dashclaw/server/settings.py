"""Settings of the server, validated once; the only place of this package that reads the environment."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from dashclaw.errors import ConfigurationError
from dashclaw.runtime.bootstrap import DEFAULT_ORG
from dashclaw.runtime.identity import Role
from dashclaw.runtime.store.connect import without_password

from .oidc_settings import OidcSettings

LOOPBACK_NAMES = frozenset({"localhost"})


class ServerSettings(NamedTuple):
    """How `dashclaw serve` behaves.

    `rate_limit` is requests per key and minute; None means 6,000, and no limit on a loopback address; 0 means none.
    `admin_key` is an operator's key of the default organisation; without one only loopback addresses are served.
    `jwt_issuers` are those whose tokens for `jwt_audience` are believed; `jwt_jwks_url` is where the keys of the only
    one are, otherwise the issuer is asked. A token acts in the organisation `jwt_org`, or in the one that its claim
    `jwt_org_claim` names, with the role `jwt_role`.
    `public_url` is where people find the server, for what leads back to it; else it is what their browser asked for.
    `oidc` is the provider at which people sign in.
    `max_body` is bytes, `stop_seconds` how long a stop waits for requests that run.
    """

    host: str = "127.0.0.1"
    port: int = 3000
    database: str = "dashclaw.db"
    admin_key: str | None = None
    rate_limit: int | None = None
    cors_origins: tuple[str, ...] = ()
    max_body: int = 2 * 1024 * 1024
    stop_seconds: int = 10
    starter_policies: bool = True
    stream_minutes: float = 30
    heartbeat_seconds: float = 15
    jwt_issuers: tuple[str, ...] = ()
    jwt_audience: str | None = None
    jwt_jwks_url: str | None = None
    jwt_org: str = DEFAULT_ORG
    jwt_org_claim: str | None = None
    jwt_role: Role = "member"
    public_url: str | None = None
    oidc: OidcSettings | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, **given: Any) -> ServerSettings:
        """Read `DASHCLAW_*`; what is given as an argument wins. Raises `ConfigurationError`."""
        found: dict[str, Any] = {
            "host": environment.get("DASHCLAW_HOST"),
            "port": _number(environment, "DASHCLAW_PORT"),
            "database": environment.get("DASHCLAW_DATABASE_URL") or environment.get("DASHCLAW_DB"),
            "admin_key": environment.get("DASHCLAW_ADMIN_KEY") or environment.get("DASHCLAW_API_KEY"),
            "rate_limit": _number(environment, "DASHCLAW_RATE_LIMIT"),
            "max_body": _number(environment, "DASHCLAW_MAX_BODY"),
            "jwt_issuers": _several(environment, "DASHCLAW_JWT_ISSUER"),
            "jwt_audience": environment.get("DASHCLAW_JWT_AUDIENCE") or None,
            "jwt_jwks_url": environment.get("DASHCLAW_JWT_JWKS_URL") or None,
            "jwt_org": environment.get("DASHCLAW_JWT_ORG") or None,
            "jwt_org_claim": environment.get("DASHCLAW_JWT_ORG_CLAIM") or None,
            "jwt_role": environment.get("DASHCLAW_JWT_ROLE") or None,
            "cors_origins": _several(environment, "DASHCLAW_CORS_ORIGINS"),
            "public_url": environment.get("DASHCLAW_PUBLIC_URL", "").rstrip("/") or None,
            "oidc": OidcSettings.from_environment(environment),
        }
        found |= {name: value for name, value in given.items() if value is not None}
        return cls(**{name: value for name, value in found.items() if value is not None}).checked()

    def checked(self) -> ServerSettings:
        """Return these settings; raises `ConfigurationError` that says what to do."""
        if not 0 <= self.port <= 65535:
            raise ConfigurationError(f"port must be 0..65535, not {self.port}")
        if self.max_body < 1024:
            raise ConfigurationError("max_body must be at least 1024 bytes")
        if self.admin_key is not None and (len(self.admin_key) < 16 or not self.admin_key.isascii()):
            raise ConfigurationError("DASHCLAW_ADMIN_KEY must be at least 16 ASCII characters")
        if self.admin_key is None and not self.loopback:
            raise ConfigurationError(
                f"Without DASHCLAW_ADMIN_KEY the server only binds to a loopback address, not to {self.host}"
            )
        self._check_tokens()
        self._check_people()
        return self

    def _check_tokens(self) -> None:
        if self.jwt_issuers and self.jwt_audience is None:
            raise ConfigurationError(
                "DASHCLAW_JWT_ISSUER needs DASHCLAW_JWT_AUDIENCE, or tokens for other services would be taken"
            )
        if self.jwt_jwks_url is not None and len(self.jwt_issuers) != 1:
            raise ConfigurationError("DASHCLAW_JWT_JWKS_URL is for exactly one DASHCLAW_JWT_ISSUER")
        if self.jwt_role not in ("readonly", "member"):
            raise ConfigurationError("DASHCLAW_JWT_ROLE is member or readonly; an operator uses an API key")
        for url in (*self.jwt_issuers, *([self.jwt_jwks_url] if self.jwt_jwks_url else [])):
            try:
                protected_url(url)
            except ValueError as error:
                raise ConfigurationError(f"DASHCLAW_JWT_*: {error}") from None

    def _check_people(self) -> None:
        if self.public_url is not None and urlsplit(self.public_url).scheme not in ("http", "https"):
            raise ConfigurationError(f"DASHCLAW_PUBLIC_URL begins with https://, not {self.public_url!r}")
        if self.oidc is not None:
            try:
                protected_url(self.oidc.issuer)
            except ValueError as error:
                raise ConfigurationError(f"DASHCLAW_OIDC_ISSUER: {error}") from None

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return _is_loopback(self.host)

    @property
    def per_minute(self) -> int:
        """Requests per key and minute in force, 0 for no limit."""
        if self.rate_limit is None:
            return 0 if self.loopback else 6000
        return self.rate_limit

    def __repr__(self) -> str:
        database = without_password(self.database)
        shown = {**self._asdict(), "database": database, "admin_key": "***" if self.admin_key else None}
        return f"ServerSettings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def protected_url(url: str) -> str:
    """Return a URL whose answers nobody on the way can change; raises `ValueError`."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url
    if parts.scheme == "http" and parts.hostname and _is_loopback(parts.hostname):
        return url
    raise ValueError(f"{url} must begin with https:// (http:// only on a loopback address)")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in LOOPBACK_NAMES


def _several(environment: Mapping[str, str], name: str) -> tuple[str, ...] | None:
    return tuple(part.strip() for part in environment.get(name, "").split(",") if part.strip()) or None


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise ConfigurationError(f"{name} must be a whole number, not {text!r}") from None
