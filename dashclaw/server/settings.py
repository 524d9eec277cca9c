"""Settings of the server, validated once; the only place of this package that reads the environment."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from dashclaw.errors import ConfigurationError
from dashclaw.runtime.store.engine import without_password

LOOPBACK_NAMES = frozenset({"localhost"})


class ServerSettings(NamedTuple):
    """How `dashclaw serve` behaves.

    `rate_limit` is requests per key and minute; None means 6,000, and no limit on a loopback address; 0 means none.
    `admin_key` is an operator's key of the default organisation; without one only loopback addresses are served.
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
        }
        if origins := environment.get("DASHCLAW_CORS_ORIGINS"):
            found["cors_origins"] = tuple(origin.strip() for origin in origins.split(",") if origin.strip())
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
        return self

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host in LOOPBACK_NAMES

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


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise ConfigurationError(f"{name} must be a whole number, not {text!r}") from None
