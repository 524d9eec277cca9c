"""The secret with which a site signs what comes back to it: cookies, and links that decide."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from .store import web_sessions as rows

if TYPE_CHECKING:
    from .runtime import Runtime
    from .store.engine import Tx

_NAME = "cookies"


def site_secret(runtime: Runtime) -> str:
    """The secret, made when a database is first asked for it."""
    with runtime.store.read() as tx:
        found = rows.secret(tx, _NAME)
    if found is not None:
        return found
    with runtime.store.write() as tx:
        return kept_secret(tx)


def kept_secret(tx: Tx) -> str:
    """The same as part of a transaction that writes."""
    return rows.keep_secret(tx, _NAME, secrets.token_urlsafe(48))
