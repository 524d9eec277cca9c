"""Settings: what the caller gave, what the environment adds, all of it checked once.

This is the client's only reader of the environment.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Collection, Mapping, NamedTuple, Optional, Tuple, Union

from .errors import ConfigurationError

GUARD_MODES = ("off", "warn", "enforce")
HITL_MODES = ("off", "wait")
RECOMMEND_MODES = ("off", "warn", "enforce")
GUARD_FAILURES = ("closed", "open")
SIGN_MODES = ("actions", "all", "off")
_LONGEST_ID = 128
_LONGEST_NAME = 256


class Default(str):
    """A default in a signature: what the environment says goes before it."""


Redact = Union[None, bool, Callable[[Mapping[str, Any]], Mapping[str, Any]]]
Token = Union[str, Callable[[], str], None]


class Settings(NamedTuple):
    """One client's settings, valid and complete. `base_url` is None when a transport was given instead."""

    base_url: Optional[str]
    api_key: Optional[str]
    agent_id: Optional[str]
    agent_name: Optional[str]
    swarm_id: Optional[str]
    guard_mode: str
    guard_callback: Optional[Callable[[Mapping[str, Any]], Any]]
    hitl_mode: str
    auto_recommend: str
    recommendation_confidence_min: int
    recommendation_callback: Optional[Callable[[Mapping[str, Any]], Any]]
    guard_failure: str
    timeout: float
    redact: Redact
    sign: str
    auth_token: Token

    def __repr__(self) -> str:
        return f"Settings(base_url={self.base_url!r}, agent_id={self.agent_id!r}, guard_mode={self.guard_mode!r}, ...)"

    @property
    def embedded(self) -> bool:
        """Whether the base URL names a database file and not a server."""
        return self.base_url is not None and self.base_url.startswith("sqlite:")


def settle(given: Mapping[str, Any], *, needs_server: bool = True, stacklevel: int = 3) -> Settings:
    """Complete what was given from the environment and check it.

    `needs_server=False` is for a client with a transport of its own. Raises `ConfigurationError` with what to do.
    """
    base_url = _base_url(_text(given, "base_url"), stacklevel + 1) if needs_server else None
    api_key = _api_key(_text(given, "api_key"))
    auth_token = _auth_token(_text(given, "auth_token"))
    nameless = api_key is None and auth_token is None
    if needs_server and nameless and base_url is not None and not base_url.startswith("sqlite:"):
        raise ConfigurationError(
            "No API key: pass api_key=... or set DASHCLAW_API_KEY; a token goes into auth_token or DASHCLAW_AUTH_TOKEN"
        )
    return Settings(
        base_url=base_url,
        api_key=api_key,
        agent_id=_name("agent_id", _text(given, "agent_id"), _LONGEST_ID),
        agent_name=_name("agent_name", _text(given, "agent_name"), _LONGEST_NAME),
        swarm_id=_name("swarm_id", _text(given, "swarm_id"), _LONGEST_ID),
        guard_mode=_choice(given, "guard_mode", GUARD_MODES),
        guard_callback=_callback(given, "guard_callback"),
        hitl_mode=_choice(given, "hitl_mode", HITL_MODES),
        auto_recommend=_choice(given, "auto_recommend", RECOMMEND_MODES),
        recommendation_confidence_min=_percentage(given.get("recommendation_confidence_min", 70)),
        recommendation_callback=_callback(given, "recommendation_callback"),
        guard_failure=_choice(given, "guard_failure", GUARD_FAILURES),
        timeout=_seconds(given),
        redact=_redact(given.get("redact")),
        sign=_choice(given, "sign", SIGN_MODES),
        auth_token=auth_token,
    )


def signing_key(given: Any, password: Any, sign: Any) -> Tuple[Any, Any]:
    """Return what to sign with, completed from the environment: key (None to sign nothing) and password.

    `sign` is as the caller gave it. Raises `ConfigurationError` when signing is asked for and there is no key.
    """
    asked = _settled(sign, "sign")
    if asked == "off":
        return None, None
    key = os.environ.get("DASHCLAW_PRIVATE_KEY") or None if given is None else given
    if key is None and asked is not None:
        raise ConfigurationError(f"sign={asked!r} needs a key: pass private_key=... or set DASHCLAW_PRIVATE_KEY")
    if password is None:
        password = os.environ.get("DASHCLAW_PRIVATE_KEY_PASSWORD") or None
    elif not isinstance(password, (str, bytes)):
        raise ConfigurationError(f"private_key_password is text or bytes, not {type(password).__name__}")
    return key, password


def checked_token(value: Any) -> str:
    """Return a bearer token that a header can carry; raises `ConfigurationError`, never quoting it."""
    if not isinstance(value, str):
        raise ConfigurationError(f"auth_token is text or a function that returns text, not {type(value).__name__}")
    if value[:7].lower() == "bearer ":
        raise ConfigurationError('auth_token is the token alone, without "Bearer "')
    if not value or not all("!" <= letter <= "~" for letter in value):
        raise ConfigurationError("auth_token is empty, or holds a space, a control character or one beyond ASCII")
    return value


def _variable(name: str) -> str:
    return "DASHCLAW_" + name.upper()


def _text(given: Mapping[str, Any], name: str) -> Any:
    value = given.get(name)
    return os.environ.get(_variable(name)) or None if value is None else value


def _base_url(value: Any, stacklevel: int) -> str:
    if value is None:
        raise ConfigurationError(
            "No server: pass base_url='http://localhost:3000' or set DASHCLAW_BASE_URL; "
            "without a server use DashClaw.local('dashclaw.db', agent_id='me')"
        )
    if not isinstance(value, str):
        raise ConfigurationError(f"base_url is text such as 'http://localhost:3000', not {type(value).__name__}")
    if value.startswith("sqlite:"):
        return _database_url(value)
    if value != value.strip() or not value.isprintable() or " " in value:
        raise ConfigurationError("base_url contains a space or a control character")
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"base_url is not a valid URL: {error}") from error
    if parts.scheme not in ("http", "https"):
        hint = "; for a database file use 'sqlite:///dashclaw.db'" if parts.scheme == "file" else ""
        raise ConfigurationError(f"base_url starts with http:// or https://{hint}")
    if "@" in parts.netloc:
        raise ConfigurationError("base_url carries a user name or password; the key belongs into api_key")
    if not host or port == 0 or parts.query or parts.fragment:
        raise ConfigurationError("base_url is scheme, host and optionally port and path, such as 'https://host:8443'")
    if parts.scheme == "http" and not _is_loopback(host):
        import warnings

        warnings.warn(f"The key travels unencrypted to {host}: use https", UserWarning, stacklevel=stacklevel)
    return value.rstrip("/")


def _database_url(value: str) -> str:
    if not value.startswith("sqlite:///") or len(value) == len("sqlite:///"):
        raise ConfigurationError("A database is named 'sqlite:///file.db' (relative) or 'sqlite:////path/file.db'")
    return value


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost") or host == "::1":
        return True
    numbers = host.split(".")
    return len(numbers) == 4 and numbers[0] == "127" and all(number.isdigit() for number in numbers)


def _api_key(value: Any) -> Optional[str]:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ConfigurationError(f"api_key is text, not {type(value).__name__}")
    if not value.strip():
        raise ConfigurationError("api_key is empty: pass the key or set DASHCLAW_API_KEY")
    if not value.isprintable() or value != value.strip():
        raise ConfigurationError("api_key contains a space or a line break at its end, or a control character")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise ConfigurationError("api_key contains a character that a header cannot carry") from None
    return value


def _auth_token(value: Any) -> Token:
    if value is None:
        return None
    if callable(value):
        source: Token = value
        return source
    return checked_token(value)


def _name(name: str, value: Any, longest: int) -> Optional[str]:
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise ConfigurationError(f"{name} is text of 1 to {longest} characters")
    return value


def _choice(given: Mapping[str, Any], name: str, choices: Collection[str]) -> str:
    value = _settled(given.get(name), name) or given.get(name) or next(iter(choices))
    if value not in choices:
        raise ConfigurationError(f"{name} is one of {', '.join(choices)}, not {value!r}")
    return str(value)


def _settled(value: Any, name: str) -> Any:
    """What the caller or the environment chose; None where nobody did."""
    return os.environ.get(_variable(name)) or None if value is None or isinstance(value, Default) else value


def _callback(given: Mapping[str, Any], name: str) -> Any:
    value = given.get(name)
    if value is not None and not callable(value):
        raise ConfigurationError(f"{name} is a function of one argument")
    return value


def _percentage(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        raise ConfigurationError("recommendation_confidence_min is a whole number from 0 to 100")
    return value


def _seconds(given: Mapping[str, Any]) -> float:
    value = given.get("timeout")
    if value is None:
        value = os.environ.get(_variable("timeout")) or 30.0
    try:
        seconds = float(value) if not isinstance(value, bool) else 0.0
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigurationError(f"timeout is a positive number of seconds, not {value!r}")
    return seconds


def _redact(value: Any) -> Redact:
    if value is None or isinstance(value, bool) or callable(value):
        chosen: Redact = value
        return chosen
    raise ConfigurationError("redact is a function of the body, or False to send texts as they are")
