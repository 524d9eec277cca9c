"""The table of everything that can be asked of the runtime.

An operation carries verb, path and status, because the wire is the contract; HTTP routes and the
in-process transport are both derived from this table, so they cannot differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .identity import Caller, Role
from .inputs import Input, NoInput
from .problems import Problem

if TYPE_CHECKING:
    from .runtime import Runtime
    from .signatures import Proof, Signed
    from .store.engine import Tx


class Answer(NamedTuple):
    """A result with a status of its own; a plain dict stands for the operation's usual status."""

    body: Any
    status: int | None = None
    headers: Mapping[str, str] = {}


class Invocation(NamedTuple):
    """One validated request: who asks, the parts of the path, the query, the body, what was prepared.

    `raw` is the body without the fields of a signature; `signed` has them, `proof` is what became of them. `trace` has
    the `trace_id` and the `span_id` in which the caller asks, or nothing.
    """

    runtime: Runtime
    caller: Caller
    params: Mapping[str, str]
    query: Any
    body: Any
    raw: Mapping[str, Any]
    prepared: Any = None
    signed: Signed | None = None
    proof: Proof | None = None
    trace: Mapping[str, str] = {}


class Operation(NamedTuple):
    """One thing that can be asked.

    `run` works inside one transaction; `prepare` runs before it and may do network I/O. `also` lists
    paths that other releases use. `keeps_answer=False` keeps a secret answer out of the replay store. `slow` says
    that it waits for the network, whatever the policies are, or computes too long for an event loop.
    `uploads` is how many bytes attachments may add to a body, `media` the type of an answer that is no JSON.
    `signing` "required" is refused unsigned where the organisation requires signatures; "offered" may be signed with
    the key that the body offers. `speaker` is the field of the body that says who speaks: a signature must be of that
    agent, where otherwise any agent may sign what is about another. `finish` runs after the commit.
    """

    name: str
    verb: str
    path: str
    run: Callable[[Tx, Invocation], Any]
    summary: str
    category: str
    body: type[Input] | None = None
    query: type[Input] = NoInput
    status: int = 200
    role: Role = "member"
    prepare: Callable[[Runtime, Invocation], Any] | None = None
    also: tuple[str, ...] = ()
    keeps_answer: bool = True
    slow: bool = False
    uploads: int = 0
    media: str = "application/json"
    signing: Literal["usual", "required", "offered"] = "usual"
    speaker: str | None = None
    finish: Callable[[Runtime], None] | None = None

    @property
    def writes(self) -> bool:
        """Whether the operation changes anything."""
        return self.verb not in {"GET", "HEAD"}


class _Table:
    """Finds operations by verb and path."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.operations = tuple(operations)
        self._fixed: dict[str, dict[str, Operation]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Operation]]] = []
        for operation in self.operations:
            for path in (operation.path, *operation.also):
                self._verbs(path)[operation.verb] = operation

    def _verbs(self, path: str) -> dict[str, Operation]:
        if "{" not in path:
            return self._fixed.setdefault(path, {})
        pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
        for known, verbs in self._patterns:
            if known.pattern == pattern.pattern:
                return verbs
        self._patterns.append((pattern, {}))
        return self._patterns[-1][1]

    def find(self, path: str) -> tuple[dict[str, Operation], dict[str, str]]:
        """The operations of a path by verb, and its parts."""
        verbs = self._fixed.get(path)
        if verbs is not None:
            return verbs, {}
        for pattern, found in self._patterns:
            if matched := pattern.fullmatch(path):
                return found, matched.groupdict()
        return {}, {}


class Registry:
    """Finds the operation for a verb and a decoded path.

    `first` are those that are asked for the most; all others are loaded once none of them fits, or one of the paths
    `elsewhere` is asked for.
    INVARIANT: what `first` answers, all would answer alike.
    """

    def __init__(
        self,
        first: Iterable[Operation],
        every: Callable[[], Iterable[Operation]],
        elsewhere: frozenset[str] = frozenset(),
    ) -> None:
        self._every = every
        self._elsewhere = elsewhere
        self._table = _Table(first)
        self._complete = False

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All of them."""
        return self._all().operations

    def _all(self) -> _Table:
        if not self._complete:
            # Twice by two threads does no harm.
            self._table = _Table(self._every())
            self._complete = True
        return self._table

    def match(self, verb: str, path: str) -> tuple[Operation, dict[str, str]]:
        """Return the operation and the still-quoted parts of the path; raises `Problem` 404 or 405."""
        verbs, params = ({}, {}) if path in self._elsewhere else self._table.find(path)
        if verb not in verbs:
            verbs, params = self._all().find(path)
        if not verbs:
            raise Problem(404, "NOT_OFFERED", f"This server does not offer {path}")
        if verb not in verbs:
            allowed = ", ".join(sorted(verbs))
            raise Problem(405, "METHOD_NOT_ALLOWED", f"{path} takes {allowed}", headers={"Allow": allowed})
        return verbs[verb], params
