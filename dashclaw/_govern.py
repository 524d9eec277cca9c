"""Guard, record, wait, run, outcome: the one core under `track`, `guarded` and every adapter.

`begin` and `finish` are flows around work that somebody else runs: `begin` returns only when the work may run,
`finish` records how it ended and raises nothing of ours.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Type

from ._approval import await_decision, await_release, fate, refusal
from ._call import Call, Caller, Flow, Sleep, path
from ._failure import after_body, before_body
from ._log import logger
from ._record import is_pending, outcome_call, record
from ._spans import Inside, beginning, ending
from .errors import (
    ApprovalPendingError,
    ConflictError,
    DashClawError,
    GuardBlockedError,
    InvalidRequestError,
    NotFoundError,
    NotSentError,
    TransportError,
    Verdict,
)

if TYPE_CHECKING:
    from types import TracebackType

    from ._call import SyncDriver
    from ._spans import RunSpan

_LONGEST_ERROR = 4000
_DEFAULT_WAIT = 300.0
# How long the end of an interrupted program may be held up.
_LAST_WORD_SECONDS = 5.0
_SECOND_LOOK_SECONDS = 0.2


class Run:
    """One governed piece of work: its `action_id` and `decision`, and what is known of its outcome.

    `action_id` is None where the work runs without a record because `guard_failure` is "open".
    """

    def __init__(self, action_type: str, declared_goal: str, fields: Mapping[str, Any]) -> None:
        self.action_type = action_type
        self.declared_goal = declared_goal
        self.fields: Dict[str, Any] = dict(fields)
        self.action_id: Optional[str] = None
        self.decision: Mapping[str, Any] = {}
        self.outcome: Dict[str, Any] = {}
        # Seconds to wait for a person; None: as the client says.
        self.wait: Optional[float] = None
        self.started = 0.0
        # The id that the model gave to the call of a tool.
        self.call_id: Optional[str] = None
        self.span: Optional[RunSpan] = None

    def set(
        self,
        *,
        output_summary: Optional[str] = None,
        side_effects: Any = None,
        artifacts_created: Any = None,
        cost_estimate: Any = None,
        tokens_in: Optional[int] = None,
        tokens_out: Optional[int] = None,
        model: Optional[str] = None,
        **fields: Any,
    ) -> None:
        """Note what to record with the outcome; `cost_estimate` is in USD. What is None changes nothing."""
        known = dict(
            fields,
            output_summary=output_summary,
            side_effects=side_effects,
            artifacts_created=artifacts_created,
            cost_estimate=cost_estimate,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            model=model,
        )
        self.outcome.update((name, value) for name, value in known.items() if value is not None)

    def __getitem__(self, name: str) -> Any:
        if name not in ("action_id", "decision"):
            raise KeyError(name)
        return getattr(self, name)

    def __repr__(self) -> str:
        return f"Run(action_id={self.action_id!r}, action_type={self.action_type!r})"


def begin(client: Caller, run: Run) -> Flow[Run]:
    """Return when the work may run; raises a `Verdict` when it must not, in any `guard_mode`.

    With `hitl_mode="wait"` a person's decision is awaited. Without a decision the work runs only with
    `guard_failure="open"`.
    """
    return beginning(client, run, _begin(client, run))


def _begin(client: Caller, run: Run) -> Flow[Run]:
    # An id of our own names the record even when the answer to its creation is lost.
    action_id = _id_of(run)
    body = _body(client, run, action_id)
    try:
        created = yield from record(client, body)
        run.action_id = created["action_id"]
        run.decision = created["decision"]
        if is_pending(created):
            yield from _released(client, run, created)
    except (GeneratorExit, Verdict):
        raise
    except DashClawError as error:
        refused = before_body(error, client.guard_failure)
        if refused is not None and (run.action_id is not None or _may_exist(error)):
            yield from _give_up(action_id, "The work did not run: no decision could be had", 1.0)
        if refused is error:
            raise
        if refused is not None:
            raise refused from error
        logger().warning('No decision about %s, running it because guard_failure is "open": %s', run.action_type, error)
    except BaseException:
        yield from _give_up(action_id, "Cancelled before it ran", _LAST_WORD_SECONDS)
        raise
    run.started = client._now()
    return run


def resume(client: Caller, run: Run) -> Flow[Run]:
    """`begin` for work that is begun again after an interruption, under the `action_id` among its fields.

    What a person decided meanwhile holds; approved work runs once, whoever begins it again. Work that needed no
    person is decided about anew. Raises `ConflictError` for approved work that was started before, and for an id that
    stands for something else.
    """
    return beginning(client, run, _resume(client, run))


def _resume(client: Caller, run: Run) -> Flow[Run]:
    try:
        return (yield from _begin(client, run))
    except ConflictError as error:
        taken = error
    action_id = str(run.fields["action_id"])
    action: Mapping[str, Any] = (yield Call("GET", path("actions", action_id)))["action"]
    if not _is_of(run, action):
        raise taken
    if fate(action) == "pending":
        seconds = _patience(client, run)
        if not seconds:
            raise _pending(action_id)
        action = (yield from await_decision(client, action_id, seconds, 5.0))["action"]
    if not action.get("approval") and not action.get("approved_by"):
        del run.fields["action_id"]
        return (yield from _begin(client, run))
    refused = refusal(action_id, action)
    if refused is not None:
        raise refused
    yield Call("PATCH", path("actions", action_id), body={"status": "running", "start_once": True})
    run.action_id = action_id
    run.decision = {
        "decision": "allow",
        "decision_id": action.get("decision_id"),
        "reasons": ["Approved by a person"],
        "approval": {"action_id": action_id, "by": action.get("approved_by")},
    }
    run.started = client._now()
    return run


def _is_of(run: Run, action: Mapping[str, Any]) -> bool:
    known, asked = action.get("metadata") or {}, run.fields.get("metadata") or {}
    same = known.get("arguments_sha256") == asked.get("arguments_sha256")
    return same and action.get("action_type") == run.action_type


def observe(client: Caller, run: Run) -> Flow[Run]:
    """Record what is decided about the work, and return whatever it is; the log tells what would have been stopped."""
    return beginning(client, run, _observe(client, run), runs_anyway=True)


def _observe(client: Caller, run: Run) -> Flow[Run]:
    action_id = _id_of(run)
    try:
        created = yield from record(client, _body(client, run, action_id))
        run.decision = created["decision"]
        if is_pending(created):
            logger().warning("%s needs an approval and runs without: only observed", run.action_type)
            yield from _give_up(action_id, "Only observed: it ran without the approval that it needs", 1.0)
        else:
            run.action_id = created["action_id"]
    except GuardBlockedError as blocked:
        run.decision = blocked.decision
        logger().warning("%s is forbidden and runs: only observed: %s", run.action_type, blocked)
    run.started = client._now()
    return run


def _id_of(run: Run) -> str:
    given = run.fields.get("action_id")
    if given:
        return str(given)
    from uuid import uuid4

    return f"act_{uuid4()}"


def _body(client: Caller, run: Run, action_id: str) -> Dict[str, Any]:
    known = {"agent_id": client.agent_id, "agent_name": client.agent_name, "swarm_id": client.swarm_id}
    known.update(run.fields)
    return dict(known, action_type=run.action_type, declared_goal=run.declared_goal, action_id=action_id)


def _released(client: Caller, run: Run, created: Mapping[str, Any]) -> Flow[None]:
    seconds = _patience(client, run)
    if not seconds:
        raise _pending(created["action_id"])
    yield from await_release(client, created, seconds)


def _patience(client: Caller, run: Run) -> float:
    """Return for how many seconds work waits for a person; 0 not at all."""
    if run.wait is not None:
        return run.wait
    return float(run.fields.get("approval_wait_seconds") or _DEFAULT_WAIT) if client.hitl_mode == "wait" else 0.0


def _pending(action_id: str) -> ApprovalPendingError:
    return ApprovalPendingError(
        f"A person has to decide about {action_id} first: dashclaw approvals approve {action_id}", action_id=action_id
    )


def _may_exist(error: DashClawError) -> bool:
    return isinstance(error, TransportError) and not isinstance(error, NotSentError)


def _give_up(action_id: str, reason: str, timeout: float) -> Flow[None]:
    """Take back an action whose work does not run, as far as that is possible."""
    body = {"status": "cancelled", "error_message": reason}
    call: Call[Any] = Call("PATCH", path("actions", action_id), body=body, timeout=timeout)
    try:
        try:
            yield call
        except NotFoundError:
            # Its creation may still be on the way.
            yield Sleep(_SECOND_LOOK_SECONDS)
            yield call
    except DashClawError as error:
        logger().debug("Action %s was not taken back: %s", action_id, error)


def finish(client: Caller, run: Run, error: Optional[BaseException]) -> Flow[None]:
    """Record how the work ended; a failure to record is logged, never raised."""
    return ending(run, error, _finish(client, run, error))


def _finish(client: Caller, run: Run, error: Optional[BaseException]) -> Flow[None]:
    if run.action_id is None:
        return
    bare: Dict[str, Any] = {
        "status": status_after(error),
        "duration_ms": max(0, round((client._now() - run.started) * 1000)),
    }
    if error is not None:
        bare["error_message"] = error_text(error)
    limit = None if error is None or isinstance(error, Exception) else _LAST_WORD_SECONDS
    try:
        try:
            yield outcome_call(run.action_id, dict(run.outcome, **bare), limit)
        except (TypeError, ValueError, InvalidRequestError) as unfit:
            # What the work noted cannot be recorded; how it ended can.
            logger().warning("The outcome of %s is recorded without its details: %s", run.action_id, unfit)
            yield outcome_call(run.action_id, bare, limit)
    except BaseException as failed:
        if not after_body(failed):
            raise
        logger().warning("The outcome of %s (%s) was not recorded: %s", run.action_id, bare["status"], failed)


def status_after(error: Optional[BaseException]) -> str:
    """Return how work ended that raised `error`: completed, failed, or cancelled when it was told to stop."""
    if error is None:
        return "completed"
    # Python 3.7 counts asyncio's cancellation among ordinary exceptions.
    asyncio = sys.modules.get("asyncio")
    told = asyncio is not None and isinstance(error, asyncio.CancelledError)
    return "failed" if isinstance(error, Exception) and not told else "cancelled"


def error_text(error: BaseException) -> str:
    """Return what to record of an error; secrets are masked before the text is cut."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an error that cannot be shown is still an error to record
        text = "(its text cannot be shown)"
    kind = type(error).__name__
    whole = f"{kind}: {text}" if text else kind
    if len(whole) <= _LONGEST_ERROR:
        return whole
    from ._redact import redact_text

    return redact_text(whole)[:_LONGEST_ERROR]


class Tracked:
    """What `DashClaw.track` returns: entering governs the block, leaving records how it ended."""

    def __init__(self, client: SyncDriver, action_type: str, declared_goal: str, fields: Mapping[str, Any]) -> None:
        self._client = client
        self._run = Run(action_type, declared_goal, fields)
        self._inside = Inside(self._run)

    def __enter__(self) -> Run:
        run = self._client._drive(begin(self._client, self._run))
        self._inside.__enter__()
        return run

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._inside.__exit__(kind, error, trace)
        self._client._drive(finish(self._client, self._run, error))
