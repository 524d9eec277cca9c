"""Protected paths: what an action says it touches, in every spelling that means the same place.

The guard reads what was declared. It sees through other spellings (`..`, `//`, backslashes, case, percent signs,
full-width letters, `file://`, `$HOME`); it is no sandbox and does not see what a command does once it runs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from .matching import MEMO_ENTRIES, MEMO_NAME_LENGTH, GlobIndex, fold, is_glob

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")

PLACES = ("systems_touched", "target", "path", "paths")
ARGUMENTS = ("tool_args", "tool_arguments", "tool_input", "arguments")
ROOTS = ("/", "~", "*")
HOMES = ("~", "/root", "/home/*", "/users/*", "c:/users/*")
MAX_ARGUMENT_TEXT = 100_000
MAX_VALUES = 10_000
MAX_PATH = 4096

_PART = r"\.?[a-z0-9_-]+(?:[.:@]+[a-z0-9_-]+)*"
_PLAIN = re.compile(rf"/?{_PART}(?:/{_PART})*")
_HOME = re.compile(r"^(?:\$home|\$\{home\}|\$env:userprofile|%userprofile%|~[^/]+)(?=/|$)")
_UNPRINTED = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u2060\ufeff]")
_CLIMB = re.compile(r"^(?:\.\./)+")
_GLUED = re.compile(r"^(?:--?[A-Za-z]|[@+!^])(?=[/~.])")
_BETWEEN_WORDS = re.compile(r"[\s\"'`;|&<>()=,{}\[\]]+")
_DECODINGS = 2


class TooMuchToReadError(Exception):
    """The tool arguments are larger than the guard reads; the caller treats that as touching everything."""


class PathIndex:
    """Find the protected-path patterns that cover a declared path, system name or argument.

    A pattern covers what it names and everything below it; without a leading slash it covers that name at any depth.
    Plain paths are dictionary look-ups, by the whole path and its ancestors or by the part where they may begin.
    """

    __slots__ = ("_anywhere", "_beginnings", "_memo", "_rooted", "_whole")

    def __init__(self, pairs: Iterable[tuple[str, T]]) -> None:
        self._rooted: dict[str, list[Any]] = {}
        self._beginnings: dict[str, list[tuple[str, Any]]] = {}
        whole: list[tuple[str, Any]] = []
        anywhere: list[tuple[str, Any]] = []
        for pattern, payload in pairs:
            for path in places(pattern):
                if is_glob(path):
                    (whole if path.startswith(ROOTS) else anywhere).extend(
                        (form, payload) for form in (path, path + "/*")
                    )
                elif path.startswith(ROOTS):
                    self._rooted.setdefault(path, []).append(payload)
                else:
                    self._beginnings.setdefault(path.partition("/")[0], []).append((path + "/", payload))
        self._whole: GlobIndex[Any] | None = GlobIndex(whole) if whole else None
        self._anywhere: GlobIndex[Any] | None = GlobIndex(anywhere) if anywhere else None
        self._memo: dict[str, tuple[Any, ...]] = {}

    def find(self, value: str) -> tuple[Any, ...]:
        """Return the payloads of every pattern that covers the value, in any of its readings."""
        found = self._memo.get(value)
        if found is None:
            if len(value) <= MAX_PATH and _PLAIN.fullmatch(value):
                payloads = self._search(value)
            else:
                payloads = [payload for path in readings(value) for payload in self._search(path)]
            found = tuple(dict.fromkeys(payloads)) if payloads else ()
            if len(value) <= MEMO_NAME_LENGTH:
                if len(self._memo) >= MEMO_ENTRIES:
                    self._memo.clear()
                self._memo[value] = found
        return found

    def _search(self, path: str) -> list[Any]:
        found = [] if self._whole is None else self._whole.search(path)
        parts = path.split("/")
        if self._rooted:
            end = len(path)
            while end > 0:
                found += self._rooted.get(path[:end], ())
                end = path.rfind("/", 0, end)
        if self._anywhere is not None or not self._beginnings.keys().isdisjoint(parts):
            begin, below = 0, path + "/"
            for part in parts:
                for wanted, payload in self._beginnings.get(part, ()):
                    if below.startswith(wanted, begin):
                        found.append(payload)
                if self._anywhere is not None:
                    found += self._anywhere.search(path[begin:])
                begin += len(part) + 1
        return found


def places(pattern: str) -> tuple[str, ...]:
    """Return the normalised places, plain or with wildcards, that one protected-path pattern names."""
    path = normal(pattern)
    while path.startswith("**/"):
        path = path[3:]
    while path.endswith(("/*", "/**")):
        path = path.rpartition("/")[0]
    if path in {"", "/"}:
        return ("/*",)
    if path == "~" or path.startswith("~/"):
        return tuple(home + path[1:] for home in HOMES)
    return (path,)


def normal(text: str) -> str:
    """Return one spelling for a path: `/` between parts, no `.`, `..`, doubled slashes, odd case or invisible signs."""
    path = fold(_UNPRINTED.sub("", text)).strip().replace("\\", "/")
    if path.startswith("file://"):
        path = "/" + path[len("file://") :].lstrip("/") if path.startswith("file:///") else path[len("file:/") :]
    path = _HOME.sub("~", path)
    kept: list[str] = []
    for raw in path.split("/"):
        part = raw if raw == ".." else raw.rstrip(" .")
        if not part:
            continue
        if part != "..":
            kept.append(part)
        elif kept and kept[-1] != "..":
            kept.pop()
        elif not path.startswith("/"):
            kept.append(part)
    return ("/" if path.startswith("/") else "") + "/".join(kept)


def readings(value: str) -> list[str]:
    """Return the normalised paths that a declared value may stand for."""
    found: dict[str, None] = {}
    for text in _decoded(value) if "%" in value else (value,):
        path = normal(text)[:MAX_PATH]
        if path:
            found[path] = None
        if path.startswith("../"):
            # Where a climbing path ends is not known here: it is read as if it had reached the root.
            found["/" + _CLIMB.sub("", path)] = None
    return list(found)


def declared(context: Mapping[str, Any]) -> set[str]:
    """Return every path, system name and word of the tool arguments that the action declares.

    Raises TooMuchToReadError when the arguments exceed 100,000 characters, or they or a list of paths 10,000 values.
    """
    values: set[str] = set()
    for key in PLACES:
        value = context.get(key)
        if value is None:
            continue
        if isinstance(value, str):
            values.add(value)
        elif isinstance(value, (list, tuple, set, frozenset)):
            if len(value) > MAX_VALUES:
                raise TooMuchToReadError
            values.update(item for item in value if isinstance(item, str))
    for key in ARGUMENTS:
        value = context.get(key)
        if value is not None:
            _read_arguments(value, values)
    return values


def _decoded(value: str) -> list[str]:
    texts = [value]
    for _ in range(_DECODINGS):
        if "%" not in texts[-1]:
            break
        texts.append(unquote(texts[-1]))
    return texts


def _read_arguments(root: object, values: set[str]) -> None:
    waiting = [root]
    characters = seen = 0
    while waiting:
        item = waiting.pop()
        seen += 1
        if isinstance(item, str):
            characters += len(item)
            if characters > MAX_ARGUMENT_TEXT:
                raise TooMuchToReadError
            values.add(item)
            for word in _BETWEEN_WORDS.split(item):
                values.add(_GLUED.sub("", word))
                if ":" in word:
                    values.update(word.split(":"))
        elif isinstance(item, dict):
            waiting.extend(item.values())
            waiting.extend(item.keys())
        elif isinstance(item, (list, tuple, set, frozenset)):
            waiting.extend(item)
        if seen + len(waiting) > MAX_VALUES:
            raise TooMuchToReadError
