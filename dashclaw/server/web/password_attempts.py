"""How often somebody may guess a password, without shutting out the person whose it is."""

from __future__ import annotations

import time
from collections.abc import Callable

from .attempts import Attempts

ACCOUNT_MOST = 100
ACCOUNT_SECONDS = 3600.0


class PasswordAttempts:
    """Failures per address and per account.

    A browser in which the person signed in before counts for itself alone: whoever guesses from elsewhere cannot shut
    that person out. From elsewhere ten failures of an address end its turn, and a hundred about one account end that
    of everybody who was not there before.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._near = Attempts(clock=clock)
        self._account = Attempts(ACCOUNT_MOST, ACCOUNT_SECONDS, clock=clock)

    def begin(self, account: str, network: str, device: str | None) -> None:
        """Count an attempt as failed before it is made, so that many at once do not pass; raises `Problem` 429."""
        if device is None:
            self._account.check(account)
        near = _near(network, device)
        self._near.check(near)
        self._near.failed(near)
        if device is None:
            self._account.failed(account)

    def succeeded(self, account: str, network: str, device: str | None) -> None:
        """Take back what `begin` counted."""
        self._near.succeeded(_near(network, device))
        if device is None:
            self._account.succeeded(account)


def _near(network: str, device: str | None) -> str:
    return f"address {network}" if device is None else f"device {device}"
