"""A call is a value: what to send and how to read the answer. No I/O here.

Every method of the clients is written once, as a plan: it returns a `Call`, or it is a generator of
steps (a flow) whose return value is the method's result. `DashClaw` drives a plan with blocking I/O,
`AsyncDashClaw` with `await`. What goes wrong in a step is raised at its `yield`, so a flow may clean up by
further steps; when an awaiting task is cancelled, a worker thread finishes them and the task does not wait.
"""

from __future__ import annotations

import functools
import re
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Generator,
    Generic,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
    TypeVar,
    Union,
)

if TYPE_CHECKING:
    from typing import Concatenate, Coroutine, ParamSpec, Type, overload  # novm

    from ._spans import Tracer
    from ._transport import Request

    P = ParamSpec("P")

T = TypeVar("T")

SAFE_VERBS = frozenset({"GET", "HEAD"})
_PLAIN_PART = re.compile(r"[A-Za-z0-9_~][A-Za-z0-9_.~-]*")


class Call(Generic[T]):
    """One request as a value.

    `path` starts with "/api/" and is quoted already. `read` turns the JSON object of the answer into the
    result; without it the object is the result. `decides`: a body with a string `decision` is an answer
    whatever its status. `moved`: the start of the path, and what other releases have in its place. `signed`:
    a private key of the client signs the body, also where it does not sign all. `timeout`: seconds in place of the
    client's. `binary`: the answer is no JSON, and `read` gets the whole `Response`. `headers` go with the request; they
    are those of the span that the call is made in.
    """

    __slots__ = ("binary", "body", "decides", "headers", "moved", "path", "query", "read", "signed", "timeout", "verb")

    def __init__(
        self,
        verb: str,
        path: str,
        *,
        query: Optional[Mapping[str, Any]] = None,
        body: Optional[Mapping[str, Any]] = None,
        read: Optional[Callable[[Any], T]] = None,
        decides: bool = False,
        moved: Optional[Tuple[str, str]] = None,
        signed: bool = False,
        timeout: Optional[float] = None,
        binary: bool = False,
    ) -> None:
        self.verb = verb
        self.path = path
        self.query = query
        self.body = body
        self.read = read
        self.decides = decides
        self.moved = moved
        self.signed = signed
        self.timeout = timeout
        self.binary = binary
        self.headers: Optional[Mapping[str, str]] = None

    def __repr__(self) -> str:
        return f"Call({self.verb!r}, {self.path!r}, query={self.query!r}, body={self.body!r})"


class Send(NamedTuple):
    """Exchange one request by the monotonic time `ends`; the answer is a `Response`."""

    request: Request
    ends: float


class Sleep(NamedTuple):
    """Do nothing for some seconds."""

    seconds: float


class Work(NamedTuple):
    """Compute something that may take its time; the answer is what it returns."""

    run: Callable[[], Any]


class Watch(NamedTuple):
    """Ask to be woken by events about `topic`, the id of an action or a pairing; the answer is a `Ticket`."""

    topic: str


class Ticket:
    """A place among the waiters; `close` gives it up."""

    def wake(self) -> None:
        """Tell the waiter that there may be news; from any thread."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop waiting; closing twice is harmless."""
        raise NotImplementedError


class Wait(NamedTuple):
    """Wait until the ticket is woken, or for `polling` seconds, or `live` ones while events arrive."""

    ticket: Ticket
    polling: float
    live: float


Step = Union[Call[Any], Send, Sleep, Work, Watch, Wait]
Flow = Generator[Step, Any, T]


class Caller:
    """What a plan may know of the client it belongs to."""

    base_url: Optional[str]
    agent_id: Optional[str]
    agent_name: Optional[str]
    swarm_id: Optional[str]
    guard_mode: str
    hitl_mode: str
    guard_failure: str
    guard_callback: Optional[Callable[[Mapping[str, Any]], Any]]
    auto_recommend: str
    recommendation_confidence_min: int
    recommendation_callback: Optional[Callable[[Mapping[str, Any]], Any]]

    _now: Callable[[], float]
    """The monotonic clock, in seconds."""

    _tracer: Optional[Tracer] = None
    """Who is told what is governed."""


class SyncDriver(Caller):
    """Drives plans with blocking I/O."""

    def _drive(self, plan: Union[Call[T], Flow[T]]) -> T:
        raise NotImplementedError


class AsyncDriver(Caller):
    """Drives plans with `await`."""

    async def _drive(self, plan: Union[Call[T], Flow[T]]) -> T:
        raise NotImplementedError


if TYPE_CHECKING:

    class endpoint(Generic[P, T]):  # noqa: N801 - reads as a decorator
        """One definition: its result on a synchronous client, a coroutine of it on an asynchronous one."""

        plan: Callable[Concatenate[Any, P], Union[Call[T], Flow[T]]]

        def __init__(self, plan: Callable[Concatenate[Any, P], Union[Call[T], Flow[T]]]) -> None: ...
        @overload
        def __get__(self, client: None, owner: Type[Any]) -> "endpoint[P, T]": ...
        @overload
        def __get__(self, client: SyncDriver, owner: Type[Any]) -> Callable[P, T]: ...
        @overload
        def __get__(self, client: AsyncDriver, owner: Type[Any]) -> Callable[P, Coroutine[Any, Any, T]]: ...
        def __get__(self, client: Any, owner: Type[Any]) -> Any: ...

else:

    def endpoint(plan):
        """Make a method of a plan; the plan itself stays reachable as `.plan`."""

        @functools.wraps(plan)
        def method(self, *args, **kwargs):
            return self._drive(plan(self, *args, **kwargs))

        method.plan = plan
        return method


def path(*parts: str) -> str:
    """Join the parts of a path below "/api", each quoted.

    Raises `TypeError` for a part that is not a string, `ValueError` for an empty one, "." and "..".
    """
    return "/api/" + "/".join(parts if all(map(_is_plain, parts)) else map(_quoted, parts))


def _is_plain(part: Any) -> bool:
    return isinstance(part, str) and _PLAIN_PART.fullmatch(part) is not None


def _quoted(part: Any) -> str:
    if not isinstance(part, str):
        raise TypeError(f"An id in a path is a string, not {type(part).__name__}")
    if part in ("", ".", ".."):
        raise ValueError(f"An id in a path cannot be {part!r}")
    from urllib.parse import quote

    try:
        return quote(part, safe="")
    except UnicodeEncodeError as error:
        raise ValueError(f"The id {part!r} is not valid Unicode") from error
