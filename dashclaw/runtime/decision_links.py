"""Signed links: whoever holds one may decide about one action as one person, once, as long as it has not changed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .deciding import Wish, decide_as
from .identity import Origin
from .people import caller_for_person
from .problems import Problem, conflict, forbidden
from .site_secret import kept_secret, site_secret
from .store import decision_links as rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from itsdangerous import URLSafeTimedSerializer

    from .identity import Caller
    from .runtime import Runtime
    from .store.engine import Tx

PATH = "/decide"
LONGEST = timedelta(days=7)
_PURPOSE = "decide"


def token_of(tx: Tx, link_id: str) -> str:
    """What the link of this id carries."""
    return str(_serializer(kept_secret(tx), tx.now).dumps(link_id))


def opened(runtime: Runtime, token: str) -> dict[str, Any]:
    """The link that a token stands for, if it may decide now; changes nothing.

    Raises `Problem`: LINK_INVALID (404) for what was not made here, LINK_EXPIRED and LINK_USED (410).
    """
    from itsdangerous import BadSignature, SignatureExpired

    secret = site_secret(runtime)
    with runtime.store.read() as tx:
        try:
            link_id = _serializer(secret, tx.now).loads(token, max_age=int(LONGEST.total_seconds()))
        except SignatureExpired:
            raise _expired() from None
        except BadSignature:
            raise Problem(404, "LINK_INVALID", "This is no link of this server, or only a part of one") from None
        return _usable(tx, str(link_id))


def holder(tx: Tx, link: Mapping[str, Any], origin: Origin) -> Caller:
    """The person who decides with a link; raises `Problem` 403 for one who may not sign in any more."""
    caller = caller_for_person(tx, link["person_id"])
    if caller is None or caller.org_id != link["org_id"]:
        raise forbidden("The person for whom this link was made may not decide any more")
    # The id leads to the event that says who made the link.
    return caller._replace(origin=Origin("link", origin.address, origin.user_agent, link["id"]))


def decide_by_link(
    runtime: Runtime, token: str, decision: str, reason: str | None, origin: Origin
) -> tuple[Caller, dict[str, Any]]:
    """Decide and use the link up, both or neither; returns who decided, and the action as it is then."""
    link = opened(runtime, token)
    with runtime.store.write(link["org_id"]) as tx:
        if not rows.use(tx, link["id"]):
            raise _used()
        caller = holder(tx, link, origin)
        return caller, decide_as(tx, runtime, caller, Wish(link["action_id"], decision, link["seen"], reason))


def check_seen(link: Mapping[str, Any], action: Mapping[str, Any]) -> None:
    """Raise `Problem` 409 when a waiting action is another than the one for which the link was made."""
    if action["status"] == "pending_approval" and action["updated_at"] != link["seen"]:
        raise conflict(
            "The request has changed since this link was made, so it decides nothing: ask for another", "ACTION_CHANGED"
        )


def _usable(tx: Tx, link_id: str) -> dict[str, Any]:
    link = rows.by_id(tx, link_id)
    if link is None or link["expires_at"] <= tx.stamp:
        raise _expired()
    if link["used_at"] is not None:
        raise _used()
    return link


def _expired() -> Problem:
    return Problem(410, "LINK_EXPIRED", "This link has expired; nothing was changed")


def _used() -> Problem:
    return Problem(410, "LINK_USED", "This link has been used; each decides once")


def _serializer(secret: str, now: datetime) -> URLSafeTimedSerializer:
    from itsdangerous import TimestampSigner, URLSafeTimedSerializer

    class Signer(TimestampSigner):
        """Takes the time from the clock of the runtime."""

        def get_timestamp(self) -> int:
            return int(now.timestamp())

    return URLSafeTimedSerializer(secret, salt=_PURPOSE, signer=Signer)
