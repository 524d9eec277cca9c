"""Answers kept for 24 hours, so that a repeated request does not act twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, select

from .clock import ago
from .operations import Answer
from .problems import Problem, invalid
from .store.engine import Hot
from .store.tables import idempotency

if TYPE_CHECKING:
    from .store.engine import Tx

KEPT_HOURS = 24
_LONGEST_KEY = 256

_FIND = Hot(
    select(idempotency.c.fingerprint, idempotency.c.status, idempotency.c.body, idempotency.c.created_at).where(
        idempotency.c.org_id == bindparam("org"), idempotency.c.key == bindparam("key_")
    )
)
_FORGET = Hot(
    delete(idempotency).where(idempotency.c.org_id == bindparam("org"), idempotency.c.key == bindparam("key_"))
)


def check_key(key: str | None) -> None:
    """Refuse a key that cannot be kept, before anything is done; raises `Problem` 400."""
    if key is not None and (not 1 <= len(key) <= _LONGEST_KEY or not key.isprintable()):
        raise invalid("Idempotency-Key", f"must be 1..{_LONGEST_KEY} printable characters")


class Replay:
    """One `Idempotency-Key` within one transaction."""

    def __init__(self, tx: Tx, org_id: str, key: str, fingerprint: str, keeps_answer: bool) -> None:
        self._tx = tx
        self._org_id = org_id
        self._key = key
        self._fingerprint = fingerprint
        self._keeps_answer = keeps_answer

    def find(self) -> Answer | None:
        """The first answer to this key, or None; raises `Problem` 409 when the request differs."""
        row = self._tx.one(_FIND, org=self._org_id, key_=self._key)
        if row is None:
            return None
        if row["created_at"] < ago(self._tx.now, hours=KEPT_HOURS):
            self._tx.execute(_FORGET, org=self._org_id, key_=self._key)
            return None
        if row["fingerprint"] != self._fingerprint:
            raise Problem(
                409, "IDEMPOTENCY_CONFLICT", "This Idempotency-Key was used for another request; use a new one"
            )
        if row["body"] is None:
            raise Problem(
                409, "IDEMPOTENCY_CONFLICT", "This was done already; its answer held a secret and is not kept"
            )
        body: Any = json.loads(row["body"])
        return Answer(body, row["status"], {"Idempotent-Replay": "true"})

    def keep(self, answer: Answer) -> None:
        """Keep the answer with the change it belongs to."""
        self._tx.insert(
            idempotency,
            {
                "org_id": self._org_id,
                "key": self._key,
                "fingerprint": self._fingerprint,
                "status": answer.status,
                "body": json.dumps(answer.body, separators=(",", ":")) if self._keeps_answer else None,
                "created_at": self._tx.stamp,
            },
        )
