"""The clients: configuration in, calls driven. No endpoint lives here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Callable, Collection, Iterator, Mapping, Optional, Type, TypeVar, Union

from ._call import Call, Flow, Send, Sleep, Step, SyncDriver, T, Wait, Watch, Work
from ._config import Default, Redact, Settings, Token, settle, signing_key
from ._exchange import Exchange
from ._retry import check_retry
from ._spans import attached
from .errors import DeadlineExceededError, MissingExtraError
from .methods.actions import ActionMethods
from .methods.activity import ActivityMethods
from .methods.agents import AgentMethods
from .methods.approvals import ApprovalMethods
from .methods.compliance import ComplianceMethods
from .methods.context import ContextMethods
from .methods.dashboard import DashboardMethods
from .methods.digest import DigestMethods
from .methods.guard import GuardMethods
from .methods.handoffs import HandoffMethods
from .methods.identities import IdentityMethods
from .methods.loops import LoopMethods
from .methods.messages import MessageMethods
from .methods.orgs import OrgMethods
from .methods.pairing import PairingMethods
from .methods.policy_testing import PolicyTestingMethods
from .methods.preferences import PreferenceMethods
from .methods.recommendations import RecommendationMethods
from .methods.routes import RouteMethods
from .methods.routing import RoutingMethods
from .methods.schedules import ScheduleMethods
from .methods.security import SecurityMethods
from .methods.snippets import SnippetMethods
from .methods.sync import SyncMethods
from .methods.tokens import TokenMethods
from .methods.webhooks import WebhookMethods

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from ._govern import Tracked
    from ._guarded import Guarded
    from ._heartbeat import Heartbeat
    from ._retry import RetryPolicy
    from ._transport import Transport
    from ._watch import Watcher
    from .types import ServerEvent

Self = TypeVar("Self", bound="Client")
Model = TypeVar("Model")

# As many as an asynchronous client has requests under way, and some threads more.
_IDLE = 32
_OFF = Default("off")
_CLOSED = Default("closed")
_ACTIONS = Default("actions")


class Client(
    ActionMethods,
    ActivityMethods,
    AgentMethods,
    ApprovalMethods,
    ComplianceMethods,
    ContextMethods,
    DashboardMethods,
    DigestMethods,
    GuardMethods,
    HandoffMethods,
    IdentityMethods,
    LoopMethods,
    MessageMethods,
    OrgMethods,
    PairingMethods,
    PolicyTestingMethods,
    PreferenceMethods,
    RecommendationMethods,
    RouteMethods,
    RoutingMethods,
    ScheduleMethods,
    SecurityMethods,
    SnippetMethods,
    SyncMethods,
    TokenMethods,
    WebhookMethods,
):
    """What both clients are made of: the settings, the transport, and a way to drive steps in a thread."""

    # By what a person's decision came, where it was not by a program of the user's own.
    _channel: Optional[str] = None

    def __init__(
        self,
        base_url: Optional[str] = None,
        api_key: Optional[str] = None,
        agent_id: Optional[str] = None,
        agent_name: Optional[str] = None,
        swarm_id: Optional[str] = None,
        guard_mode: str = _OFF,
        guard_callback: Optional[Callable[[Mapping[str, Any]], Any]] = None,
        hitl_mode: str = _OFF,
        private_key: Any = None,
        auto_recommend: str = _OFF,
        recommendation_confidence_min: int = 70,
        recommendation_callback: Optional[Callable[[Mapping[str, Any]], Any]] = None,
        *,
        guard_failure: str = _CLOSED,
        timeout: Optional[float] = None,
        retry: Optional[RetryPolicy] = None,
        transport: Optional[Transport] = None,
        redact: Redact = None,
        private_key_password: Union[str, bytes, None] = None,
        sign: str = _ACTIONS,
        auth_token: Token = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if name in Settings._fields}
        settings = settle(given, needs_server=transport is None)
        self._settings = settings
        self.base_url = None if settings.embedded else settings.base_url
        self.agent_id = settings.agent_id
        self.agent_name = settings.agent_name
        self.swarm_id = settings.swarm_id
        self.guard_mode = settings.guard_mode
        self.guard_callback = settings.guard_callback
        self.hitl_mode = settings.hitl_mode
        self.guard_failure = settings.guard_failure
        self.auto_recommend = settings.auto_recommend
        self.recommendation_confidence_min = settings.recommendation_confidence_min
        self.recommendation_callback = settings.recommendation_callback
        self._now = time.monotonic
        self._watching: Optional[Watcher] = None
        self._exchange = Exchange(
            settings,
            transport if transport is not None else _open(settings),
            check_retry(retry),
            signer=_signer(*signing_key(private_key, private_key_password, sign)),
            now=self._now,
            channel=self._channel,
        )

    @property
    def transport(self) -> Transport:
        """What carries the requests."""
        return self._exchange.transport

    @classmethod
    def local(
        cls: Type[Self],
        path: Union[str, "os.PathLike[str]"],
        agent_id: Optional[str] = None,
        *,
        self_approval: bool = True,
        starter_policies: bool = True,
        operator: bool = False,
        **settings: Any,
    ) -> Self:
        """Open the embedded runtime on a database file; no server is needed.

        A new file starts with a few policies unless `starter_policies=False`. `self_approval=False` keeps agents
        of this file from approving their own actions, from now on. `operator=True` opens it for the person's
        side. `settings` are those of the constructor. Raises `MissingExtraError` without the extra "local".
        """
        chosen = settle({"agent_id": agent_id}, needs_server=False).agent_id
        transport = _local_transport().open(
            path,
            agent_id=chosen,
            self_approval=self_approval,
            operator=operator,
            starter_policies=starter_policies,
        )
        return cls(agent_id=agent_id, transport=transport, **settings)

    def wrap_client(
        self,
        client: Model,
        *,
        session_id: Optional[str] = None,
        stream_usage: Optional[bool] = None,
        **fields: Any,
    ) -> Model:
        """Report the tokens of every call that a client of the openai or anthropic package makes; returns that client.

        Synchronous and asynchronous clients, raw answers and streams are reported when they are complete; a stream
        that is neither read to its end nor closed is not. A report that fails is logged. `stream_usage` asks streamed
        completions for their usage, by default at api.openai.com only. `session_id` and `fields` are those of
        `report_token_usage`. Raises `ConfigurationError` for any other object.
        """
        from ._usage import watch

        watch(self, client, {"session_id": session_id, **fields}, stream_usage)
        return client

    def _steps(self, plan: Union[Call[T], Flow[T]]) -> Flow[T]:
        """Turn a plan into steps that need nothing but a driver."""
        plan = attached(self, plan)
        return self._exchange.run(plan) if isinstance(plan, Call) else self._unfold(plan)

    def _unfold(self, flow: Flow[T]) -> Flow[T]:
        answer: Any = None
        error: Optional[BaseException] = None
        while True:
            try:
                step = flow.send(answer) if error is None else flow.throw(error)
            except StopIteration as done:
                result: T = done.value
                return result
            answer = error = None
            try:
                answer = (yield from self._exchange.run(step)) if isinstance(step, Call) else (yield step)
            except GeneratorExit:
                flow.close()
                raise
            except BaseException as raised:  # noqa: BLE001 - handed to the flow, which raises it or cleans up
                error = raised

    def _block(self, steps: Flow[T], error: Optional[BaseException] = None) -> T:
        """Drive steps in this thread; `error` is what the first one waiting has met."""
        answer: Any = None
        try:
            while True:
                try:
                    step = steps.send(answer) if error is None else steps.throw(error)
                except StopIteration as done:
                    result: T = done.value
                    return result
                answer = error = None
                try:
                    answer = self._perform(step)
                except BaseException as raised:  # noqa: BLE001 - handed to the steps, which raise it or clean up
                    error = raised
        finally:
            # The error's traceback names this frame: forgetting it here avoids a cycle.
            answer = error = None

    def _perform(self, step: Step) -> Any:
        if isinstance(step, Send):
            return self._send(step)
        if isinstance(step, Sleep):
            return time.sleep(step.seconds)
        if isinstance(step, Work):
            return step.run()
        if isinstance(step, Watch):
            return self._watcher().join(step.topic)
        assert isinstance(step, Wait)
        return self._watcher().wait(step)

    def _send(self, step: Send) -> Any:
        request = self._exchange.authorised(step.request)
        left = step.ends - self._now()
        if left <= 0:
            raise DeadlineExceededError("The time for the call ran out before it was sent")
        return self._exchange.transport.send(request, left)

    def _watcher(self) -> Watcher:
        watcher = self._watching
        if watcher is None or not watcher.usable():
            from ._watch import Watcher

            self._watching = watcher = Watcher(self._exchange)
        return watcher

    def _release(self) -> None:
        if self._watching is not None:
            self._watching.close()
        self._exchange.transport.close()

    def __repr__(self) -> str:
        where = self._settings.base_url or repr(self._exchange.transport)
        key = "" if self._settings.api_key is None else ", api_key='***'"
        key += "" if self._settings.auth_token is None else ", auth_token='***'"
        return f"{type(self).__name__}({where!r}{key}, agent_id={self.agent_id!r})"


class DashClaw(Client, SyncDriver):
    """Governs what an agent does: decide before it acts, ask a person where that is wanted, keep the record.

    What is not given is read from the environment: `DASHCLAW_BASE_URL`, `DASHCLAW_API_KEY`, `DASHCLAW_AGENT_ID`,
    `DASHCLAW_AGENT_NAME`, `DASHCLAW_SWARM_ID`, `DASHCLAW_GUARD_MODE`, `DASHCLAW_HITL_MODE`,
    `DASHCLAW_AUTO_RECOMMEND`, `DASHCLAW_GUARD_FAILURE`, `DASHCLAW_TIMEOUT`, `DASHCLAW_PRIVATE_KEY`,
    `DASHCLAW_PRIVATE_KEY_PASSWORD`, `DASHCLAW_SIGN`, `DASHCLAW_AUTH_TOKEN`. `base_url` is a server or
    "sqlite:///file.db". `timeout` is in seconds for a whole call, repetitions included (30). `guard_failure` says
    what `track` and `guarded` do when no decision can be had: "closed" refuses, "open" runs and logs it. `redact`
    is a function of a body, or False; by default secrets in free text are masked before they leave.
    `auto_recommend` fetches advice before each action: "warn" only notes it with the action, "enforce" takes it from
    `recommendation_confidence_min` (70) on unless the guard would stop the action then; a declared risk is never
    lowered. `recommendation_callback` is told the advice. `private_key` is PEM or JWK, a path to either, a key object
    or a function from bytes to their signature; with it new actions, questions to the guard and syncs are signed,
    every write with `sign="all"`, nothing with "off". `auth_token` is a bearer token, or a function asked for one
    before each request. Threads may share a client. Raises `ConfigurationError` for a setting that is wrong.
    """

    _heartbeat: Optional[Heartbeat] = None

    def _drive(self, plan: Union[Call[T], Flow[T]]) -> T:
        return self._block(self._steps(plan))

    def track(self, action_type: str, declared_goal: str, **fields: Any) -> Tracked:
        """Return a context manager that governs and records the block inside it.

        The block never runs when the action is blocked, pending, denied or expired: then entering raises a
        `Verdict`. Leaving records completed, failed or cancelled and the duration; a failure to record is logged.
        `fields` are those of `create_action`.
        """
        from ._govern import Tracked

        return Tracked(self, action_type, declared_goal, fields)

    def guarded(
        self, action_type: str, *, declared_goal: Union[str, Callable[..., str], None] = None, **fields: Any
    ) -> Guarded:
        """Return a decorator that runs each call of a function under `track`; it takes sync and async functions.

        `declared_goal` is text or a function of the call's arguments; without it the function's name and the first
        line of its docstring are used. An async function is governed off the event loop.
        """
        from ._guarded import Guarded

        return Guarded(self, action_type, declared_goal, fields)

    def events(
        self,
        *,
        types: Union[str, Collection[str], None] = None,
        after: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> Iterator[ServerEvent]:
        """Yield the organisation's events as they happen, each `{"id", "event", "data"}`.

        `types` keeps only these names; among them "connected" and "disconnected" tell of the connection. `after` is
        the id of the last event seen; the iterator ends when none came for `timeout` seconds. It resumes by itself
        where a connection broke. Closing it closes its stream. Raises an `ApiError` when the server refuses the stream.
        """
        from ._events import events

        return events(self._exchange, types=types, after=after, timeout=timeout)

    def start_heartbeat(self, interval: float = 60) -> None:
        """Send a heartbeat now and every `interval` seconds from a daemon thread; a second start changes nothing."""
        from ._heartbeat import Heartbeat

        if self._heartbeat is None or not self._heartbeat.alive():
            self._heartbeat = Heartbeat(self, interval)

    def stop_heartbeat(self) -> None:
        """Stop sending heartbeats; harmless when none are sent."""
        if self._heartbeat is not None:
            self._heartbeat.stop()
            self._heartbeat = None

    def close(self) -> None:
        """Stop the heartbeat, the event stream and the connections; closing twice is harmless."""
        self.stop_heartbeat()
        self._release()

    def __enter__(self) -> DashClaw:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


OpenClawAgent = DashClaw


def _open(settings: Settings) -> Transport:
    assert settings.base_url is not None
    if settings.embedded:
        transport: Transport = _local_transport().open(settings.base_url, agent_id=settings.agent_id)
        return transport
    from ._transport import PooledTransport

    return PooledTransport(settings.base_url, idle=_IDLE)


def _local_transport() -> Any:
    try:
        from .local import LocalTransport
    except SyntaxError as error:
        raise MissingExtraError("The embedded runtime needs Python 3.10 or newer") from error
    return LocalTransport


def _signer(private_key: Any, password: Union[str, bytes, None]) -> Any:
    if private_key is None:
        return None
    from ._signing import load_signer

    return load_signer(private_key, password)
