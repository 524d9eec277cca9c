"""The engine as one object: open it, execute operations, close it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from . import signatures
from .body import is_text
from .claims import settled
from .clock import Clock, utc_now
from .decisions import StaleGovernanceError
from .evidence.sequencer import Sequencer
from .feed import Feed
from .identity import Caller
from .inputs import read_input, read_query
from .operations import Answer, Invocation, Operation, Registry
from .policy_cache import PolicyCache
from .prices import load_prices
from .problems import Problem, not_found, unavailable
from .replay import Replay, check_key
from .settings import Settings
from .signatures import SignatureRefusedError
from .store.engine import DuplicateError, Store, StoreError
from .trace_context import span_of

if TYPE_CHECKING:
    from .routing.courier import Courier
    from .store.engine import Tx


class Runtime:
    """Everything behind one database.

    Operations run in one transaction each: what they change, the events that say so and the answer kept
    for a replay are committed together or not at all.
    """

    def __init__(self, store: Store, *, settings: Settings | None = None) -> None:
        from .services.governed import ELSEWHERE, OPERATIONS

        self.store = store
        self.clock = store.clock
        self.settings = settings or Settings()
        self.registry = Registry(OPERATIONS, _every_operation, ELSEWHERE)
        self.policies = PolicyCache(self.settings.guard_degradation)
        self.prices = load_prices(self.settings.model_prices)
        self.feed = Feed(store)
        self._courier: Courier | None = None
        self._lock = threading.Lock()
        self.sequencer = Sequencer(store)

    @classmethod
    def open(cls, url: str, *, settings: Settings | None = None, clock: Clock = utc_now) -> Runtime:
        """Open the database at a path or URL, bringing its schema up to date first.

        `url` is a file path, `sqlite:///path`, or `postgresql://…`. Settings not given are read from the environment;
        raises `ConfigurationError` when they are wrong, `StoreError` when the database cannot be had.
        """
        chosen = settings or Settings.from_environment()
        return cls(Store.open(url, clock=clock, durability=chosen.durability), settings=chosen)

    @property
    def courier(self) -> Courier:
        """What delivers the messages of tasks; most programs have none and never load it."""
        from .routing.courier import Courier

        with self._lock:
            if self._courier is None:
                self._courier = Courier(self)
            return self._courier

    def close(self) -> None:
        """Stop the feed and the courier, link the last events, close every connection; closing twice is harmless."""
        with self._lock:
            courier = self._courier
        if courier is not None:
            courier.close()
        self.feed.close()
        self.sequencer.close()
        self.store.close()

    def execute(
        self,
        operation: Operation,
        caller: Caller,
        *,
        params: Mapping[str, str],
        query: Mapping[str, Any],
        body: dict[str, Any],
        idempotency_key: str | None = None,
        traceparent: str | None = None,
    ) -> Answer:
        """Run one operation for a caller; raises `Problem` for every refusal.

        `traceparent` is the W3C header of that name: the span in which the caller asks.
        """
        if not caller.may(operation.role):
            raise Problem(403, "FORBIDDEN", f"{operation.name} needs a key with the role {operation.role}")
        for what, name in params.items():
            if not is_text(name):
                raise not_found(what, name)
        signed = None
        if operation.writes:
            check_key(idempotency_key)
            if not signatures.FIELDS.isdisjoint(body):
                body, signed = signatures.take(body)
            if caller.agent_verified:
                body = settled(caller, operation, body)
        call = Invocation(
            self,
            caller,
            params,
            read_query(operation.query, query),
            read_input(operation.body, body) if operation.body else None,
            body,
            signed=signed,
            trace=span_of(traceparent) if traceparent else {},
        )
        try:
            return self._settle(operation, call, idempotency_key)
        except SignatureRefusedError as refused:
            self._note(operation, call, refused)
            raise
        except DuplicateError as error:
            raise Problem(409, "CONFLICT", "Something with this id or name exists already") from error
        except StoreError as error:
            raise unavailable() from error

    def _settle(self, operation: Operation, call: Invocation, key: str | None) -> Answer:
        try:
            return self._run(operation, call, key)
        except StaleGovernanceError:
            return self._run(operation, call, key)

    def _note(self, operation: Operation, call: Invocation, refused: SignatureRefusedError) -> None:
        """Record a refused signature; its own transaction was undone."""
        try:
            signatures.record_refusal(call, operation, refused)
        except StoreError as error:
            raise unavailable() from error

    def _run(self, operation: Operation, call: Invocation, key: str | None) -> Answer:
        if operation.prepare is not None:
            call = call._replace(prepared=operation.prepare(self, call))
        if operation.writes:
            answer = self._write(operation, call, key)
            if operation.finish is not None:
                operation.finish(self)
            return answer
        with self.store.read() as tx:
            return _answer(operation, operation.run(tx, call))

    def _write(self, operation: Operation, call: Invocation, key: str | None) -> Answer:
        with self.store.write(call.caller.org_id) as tx:
            if key is None:
                return _done(tx, operation, call)
            replay = Replay(tx, call.caller.org_id, key, _fingerprint(operation, call), operation.keeps_answer)
            if (kept := replay.find()) is not None:
                return kept
            answer = _done(tx, operation, call)
            replay.keep(answer)
            return answer

    def runs_inline(self, operation: Operation, caller: Caller) -> bool:
        """Whether the operation is short enough to run on an event loop: SQLite and no network."""
        if self.store.dialect != "sqlite" or operation.slow:
            return False
        return operation.prepare is None or self.policies.is_local(caller.org_id)


def _every_operation() -> Iterable[Operation]:
    from .services.table import OPERATIONS

    return OPERATIONS


def _done(tx: Tx, operation: Operation, call: Invocation) -> Answer:
    """Check the signature, where there is one or must be, and do the write."""
    if call.signed is None and operation.signing != "required":
        return _answer(operation, operation.run(tx, call))
    call = call._replace(proof=signatures.admit(tx, call, operation))
    answer = _answer(operation, operation.run(tx, call))
    signatures.record(tx, call, operation, answer)
    return answer


def _answer(operation: Operation, result: Any) -> Answer:
    if isinstance(result, Answer):
        return result if result.status is not None else result._replace(status=operation.status)
    return Answer(result, operation.status)


def _fingerprint(operation: Operation, call: Invocation) -> str:
    raw = call.raw if call.signed is None else call.signed.received
    asked = [operation.name, dict(call.params), call.query.model_dump(mode="json"), raw]
    # What arrived as a file is told by its digest.
    return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()
