"""The OpenID provider of a site, where one is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashclaw.errors import ConfigurationError

if TYPE_CHECKING:
    from ..oidc import Provider
    from ..settings import ServerSettings


def provider_of(settings: ServerSettings) -> Provider | None:
    """The provider that the settings name, or None; raises `ConfigurationError` when the extra is missing."""
    if settings.oidc is None:
        return None
    try:
        from ..oidc import Provider
    except ImportError as error:
        raise ConfigurationError(
            f'DASHCLAW_OIDC_ISSUER needs the extra "oidc" ({error.name} is missing): pip install "dashclaw[oidc]"'
        ) from error
    return Provider(settings.oidc)
