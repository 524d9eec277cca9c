"""The variables of the environment: unknown ones, wrong ones, and those that contradict each other."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping

from dashclaw import DashClaw
from dashclaw.errors import ConfigurationError

from .finding import Finding

PREFIX = "DASHCLAW_"
CLIENT = (
    "AGENT_ID",
    "AGENT_NAME",
    "API_KEY",
    "AUTH_TOKEN",
    "AUTO_RECOMMEND",
    "BASE_URL",
    "DB",
    "DATABASE_URL",
    "GUARD_FAILURE",
    "GUARD_MODE",
    "HITL_MODE",
    "PRIVATE_KEY",
    "PRIVATE_KEY_PASSWORD",
    "SIGN",
    "SWARM_ID",
    "TIMEOUT",
)
_NOWHERE = "http://127.0.0.1:9"


def environment(variables: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Everything that the environment says about DashClaw."""
    found = [*_places(variables), *_unknown(variables), *_settings()]
    yield from found or [Finding("environment", "ok", "nothing contradicts")]


def _places(variables: Mapping[str, str]) -> Iterator[Finding]:
    given = {name: variables.get(PREFIX + name) for name in ("BASE_URL", "DATABASE_URL", "DB")}
    named = [PREFIX + name for name, value in given.items() if value]
    if len(set(filter(None, given.values()))) > 1:
        why = f"Commands look at {named[0]} and never at {', '.join(named[1:])}; `dashclaw serve` knows only databases"
        yield Finding("environment", "warning", f"{' and '.join(named)} name different places", why, "Keep one of them")
    host, key = variables.get(PREFIX + "HOST"), variables.get(PREFIX + "ADMIN_KEY") or variables.get(PREFIX + "API_KEY")
    if host and host not in ("127.0.0.1", "localhost", "::1") and not key:
        why = "The server only binds to an address that others reach when an operator's key is configured"
        what = f"DASHCLAW_HOST is {host} and DASHCLAW_ADMIN_KEY is not set"
        yield Finding("environment", "warning", what, why, "Set DASHCLAW_ADMIN_KEY")
    if variables.get(PREFIX + "API_KEY") and variables.get(PREFIX + "AUTH_TOKEN"):
        why = (
            "A server that knows both acts for the key, and an expired token may refuse calls that the key would allow"
        )
        yield Finding("environment", "note", "DASHCLAW_API_KEY and DASHCLAW_AUTH_TOKEN are both set", why, "Keep one")


def known() -> frozenset[str]:
    """Every variable that some part reads; without the extras, those of the client."""
    names = {PREFIX + name for name in CLIENT}
    try:
        from dashclaw.runtime.settings import Settings, variable
    except ImportError:
        return frozenset(names)
    names.update(map(variable, Settings._fields))
    try:
        from dashclaw.server.oidc_settings import VARIABLES
        from dashclaw.server.settings import ServerSettings
    except ImportError:
        return frozenset(names)
    names.update(map(variable, ServerSettings._fields))
    names.update(variable(f"oidc_{name}") for name in VARIABLES)
    return frozenset({*names, "DASHCLAW_JWT_ISSUER"})


def _unknown(variables: Mapping[str, str]) -> Iterator[Finding]:
    names = known()
    for name in sorted(set(variables) - names):
        if not name.startswith(PREFIX):
            continue
        # Others may use the prefix for things of their own: only what looks like a slip is told.
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.85)
        if near:
            why = "Nothing reads this variable, so what it says has no effect"
            yield Finding("environment", "warning", f"{name} is unknown", why, f"{near[0]} may be meant")


def _settings() -> Iterator[Finding]:
    why = "Programs that read it refuse to start"
    given = os.environ.get("DASHCLAW_API_KEY") or os.environ.get("DASHCLAW_AUTH_TOKEN")
    try:
        DashClaw(_NOWHERE, None if given else "any-key-will-do").close()
    except ConfigurationError as error:
        yield Finding("environment", "error", error.message, why, "Correct the variable")
    try:
        from dashclaw.runtime.settings import Settings

        Settings.from_environment()
        from dashclaw.server.settings import ServerSettings

        ServerSettings.from_environment(host="127.0.0.1")
    except ImportError:
        return
    except ConfigurationError as error:
        yield Finding("environment", "error", error.message, why, "Correct the variable")
