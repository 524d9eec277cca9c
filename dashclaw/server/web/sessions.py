"""Who is signed in: sessions that are kept in the database and named by a cookie."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from dashclaw.runtime.clock import ago, moment
from dashclaw.runtime.feed import last_event
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.keys import caller_for_key_id
from dashclaw.runtime.people import caller_for_person
from dashclaw.runtime.store import people
from dashclaw.runtime.store import web_sessions as rows

from ..auth import ENVIRONMENT_KEY

if TYPE_CHECKING:
    from dashclaw.runtime.identity import Origin
    from dashclaw.runtime.runtime import Runtime
    from dashclaw.runtime.store.engine import Tx

    from ..auth import Entrance

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
ROTATION = timedelta(hours=1)
# Requests that were under way when the token changed still carry the one before.
GRACE = timedelta(minutes=1)
_NOTED = timedelta(minutes=1)
_LONGEST_AGENT = 256


class Session(NamedTuple):
    """Somebody who is signed in.

    `cursor` is that of the newest event when the session was looked up. `token` is a new one that the browser must be
    given, where there is one.
    """

    id: str
    caller: Caller
    created_at: str
    cursor: int = 0
    token: str | None = None


def forget(tx: Tx) -> int:
    """Delete the sessions that have ended by the clock; returns how many."""
    return rows.forget_old(tx, ago(tx.now, seconds=IDLE.total_seconds()), ago(tx.now, seconds=LONGEST.total_seconds()))


class Sessions:
    """Begins, finds, renews and ends sessions; only hashes of their tokens are kept.

    A session stands for a key, the key of the environment or a person, and lives no longer than these may sign in.
    """

    def __init__(self, runtime: Runtime, entrance: Entrance) -> None:
        self._store = runtime.store
        self._subjects: dict[str, Callable[[Tx, Mapping[str, Any]], Caller | None]] = {
            "key": lambda tx, row: caller_for_key_id(tx, row["org_id"], row["subject_id"]),
            "environment": lambda _, row: entrance.by_environment(row["subject_check"]),
            "person": _person,
        }

    def begin(self, caller: Caller, origin: Origin, *, check: str | None = None) -> Session:
        """Sign a caller in, always under a new token; `check` tells the key of the environment from a later one."""
        token = secrets.token_urlsafe(32)
        with self._store.write(caller.org_id) as tx:
            row: dict[str, Any] = {
                "id": f"web_{uuid.uuid4()}",
                "org_id": caller.org_id,
                "token_hash": _hash(token),
                "subject_type": subject_type(caller),
                "subject_id": caller.actor_id,
                "subject_check": check,
                "address": origin.address,
                "user_agent": (origin.user_agent or "")[:_LONGEST_AGENT] or None,
                "created_at": tx.stamp,
                "seen_at": tx.stamp,
                "rotated_at": tx.stamp,
            }
            rows.insert(tx, row)
            tx.emit(caller, "operator.signed_in", "web_session", row["id"], _told(row))
        return Session(row["id"], caller, row["created_at"], token=token)

    def resume(self, token: str, *, renew: bool) -> Session | None:
        """The session of a token; None for one that is unknown, too old or no longer allowed.

        `renew` counts the request as use and changes the token hourly.
        """
        hashed = _hash(token)
        with self._store.read() as tx:
            row = rows.find(tx, hashed)
            caller = None if row is None else self._caller(tx, row)
            cursor = 0 if caller is None else last_event(tx, caller.org_id)
            now = tx.now
        if row is None or caller is None:
            return None
        fresh = self._renewed(row, hashed, now) if renew else None
        return Session(row["id"], caller, row["created_at"], cursor, fresh)

    def lives(self, session: Session) -> bool:
        """Whether a session may still read; a stream asks, because it outlives its first check."""
        with self._store.read() as tx:
            row = rows.by_id(tx, session.id)
            return row is not None and self._caller(tx, row) is not None

    def end(self, session: Session) -> None:
        """Sign out; every page and stream of the session ends with it."""
        with self._store.write(session.caller.org_id) as tx:
            if rows.end(tx, session.id):
                tx.emit(session.caller, "operator.signed_out", "web_session", session.id, {"id": session.id})

    def _caller(self, tx: Tx, row: Mapping[str, Any]) -> Caller | None:
        if tx.now - moment(row["seen_at"]) > IDLE or tx.now - moment(row["created_at"]) > LONGEST:
            return None
        return self._subjects[row["subject_type"]](tx, row)

    def _renewed(self, row: Mapping[str, Any], hashed: str, now: Any) -> str | None:
        """Note the use of a session; returns another token when it is time for one."""
        age = now - moment(row["rotated_at"])
        earlier = hashed != row["token_hash"]
        # A browser that still has the earlier token after a while never got the answer with the new one.
        if age > (GRACE if earlier else ROTATION):
            token = secrets.token_urlsafe(32)
            values = {"token_hash": _hash(token), "previous_hash": hashed}
            return token if self._change(row, values, rotated=True) else None
        if not earlier and now - moment(row["seen_at"]) > _NOTED:
            self._change(row, {"previous_hash": row["previous_hash"] if age < GRACE else None})
        return None

    def _change(self, row: Mapping[str, Any], values: Mapping[str, Any], *, rotated: bool = False) -> bool:
        with self._store.write(row["org_id"]) as tx:
            times = {"seen_at": tx.stamp, **({"rotated_at": tx.stamp} if rotated else {})}
            return rows.change(tx, row["id"], row["token_hash"], {**values, **times})


def subject_type(caller: Caller) -> str:
    """What a session of this caller stands for."""
    if caller.actor_type == "user":
        return "person"
    return "environment" if caller.actor_id == ENVIRONMENT_KEY else "key"


def _person(tx: Tx, row: Mapping[str, Any]) -> Caller | None:
    found = people.by_id(tx, row["subject_id"])
    if found is None or (found["password_set_at"] or "") > row["created_at"]:
        return None
    return caller_for_person(tx, row["subject_id"])


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("id", "subject_type", "subject_id", "address", "user_agent", "created_at")}
