"""Settings of the sign-in through an OpenID provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from dashclaw.errors import ConfigurationError
from dashclaw.runtime.bootstrap import DEFAULT_ORG
from dashclaw.runtime.identity import Role

_ROLES = ("admin", "member", "readonly")


class OidcSettings(NamedTuple):
    """The provider at which people sign in, and who may come.

    People with an address in one of `domains` are added to `org_id` at their first sign-in; without domains only those
    come whom an administrator has added. `roles` gives a role to each value of the claim `role_claim`; where it is
    empty a person keeps the role that an administrator gave, and `role` is what new ones begin with.
    """

    issuer: str
    client_id: str
    client_secret: str | None = None
    domains: tuple[str, ...] = ()
    org_id: str = DEFAULT_ORG
    role: Role = "readonly"
    role_claim: str = "groups"
    roles: Mapping[str, Role] = {}
    label: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> OidcSettings | None:
        """Read `DASHCLAW_OIDC_*`; None without an issuer. Raises `ConfigurationError`."""
        read = {name: environment.get(f"DASHCLAW_OIDC_{name.upper()}", "").strip() for name in VARIABLES}
        if not read["issuer"]:
            if any(read.values()):
                raise ConfigurationError("DASHCLAW_OIDC_* needs DASHCLAW_OIDC_ISSUER")
            return None
        if not read["client_id"]:
            raise ConfigurationError("DASHCLAW_OIDC_ISSUER needs DASHCLAW_OIDC_CLIENT_ID")
        found: dict[str, Any] = {name: read[name] for name in _AS_THEY_ARE if read[name]}
        found |= {"domains": _several(read["domains"].lower()), "roles": _mapping(read["roles"])}
        if read["org"]:
            found["org_id"] = read["org"]
        return cls(**found).checked()

    def checked(self) -> OidcSettings:
        """Return these settings; raises `ConfigurationError` that says what to do."""
        for role in (self.role, *self.roles.values()):
            if role not in _ROLES:
                raise ConfigurationError(f"DASHCLAW_OIDC_*: a role is {', '.join(_ROLES)}, not {role!r}")
        wrong = [domain for domain in self.domains if "@" in domain or "*" in domain]
        if wrong:
            raise ConfigurationError(f"DASHCLAW_OIDC_DOMAINS takes names like example.com, not {wrong[0]!r}")
        return self

    @property
    def name(self) -> str:
        """What the provider is called on the page of the sign-in."""
        return self.label or urlsplit(self.issuer).hostname or self.issuer

    def role_of(self, claims: Mapping[str, Any]) -> Role | None:
        """The role that a provider's claims give, the strongest of several; None where roles are not mapped."""
        if not self.roles:
            return None
        said = claims.get(self.role_claim)
        values = said if isinstance(said, list) else [said]
        given = [self.roles[value] for value in values if isinstance(value, str) and value in self.roles]
        return min(given, key=_ROLES.index, default=self.role)

    def __repr__(self) -> str:
        shown = {**self._asdict(), "client_secret": "***" if self.client_secret else None}
        return f"OidcSettings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


_AS_THEY_ARE = ("issuer", "client_id", "client_secret", "role", "role_claim", "label")
VARIABLES = (*_AS_THEY_ARE, "domains", "roles", "org")


def _several(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _mapping(text: str) -> dict[str, str]:
    pairs = [part.rpartition("=") for part in _several(text)]
    if any(not value.strip() or not equals for value, equals, _ in pairs):
        raise ConfigurationError("DASHCLAW_OIDC_ROLES reads operators=admin,developers=member")
    return {value.strip(): role.strip() for value, _, role in pairs}
