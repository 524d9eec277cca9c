"""What an action asks for, as a person reads it: the tool, its arguments, and what it would change as a diff."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from typing import Any, NamedTuple

TOOL = ("tool", "tool_name", "function")
ARGUMENTS = ("arguments", "args", "parameters", "params", "input", "tool_input")
DIFFS = ("diff", "patch")
PAIRS = (
    ("old", "new"),
    ("old_string", "new_string"),
    ("old_text", "new_text"),
    ("old_value", "new_value"),
    ("before", "after"),
)
# Comparing costs the product of the lines.
MOST_LINES = 400
_CONTEXT = 3
# What adapters keep for themselves, of no use to who decides.
_UNTOLD = frozenset({"arguments_sha256", "trace_id", "span_id", "framework"})


class Line(NamedTuple):
    """One line of a diff; `kind` is add, remove, place or same."""

    kind: str
    text: str


class Request(NamedTuple):
    """`arguments` are pairs of a name and a text; `text` is an input that has no names; `diff` is empty for none."""

    tool: str | None
    arguments: list[tuple[str, str]]
    text: str | None
    diff: list[Line]
    added: int
    removed: int


def request_of(action: Mapping[str, Any]) -> Request:
    """Read what an action carries; whatever is in it, it is shown somewhere."""
    metadata = {name: value for name, value in action["metadata"].items() if name not in _UNTOLD}
    tool = next((str(metadata.pop(name)) for name in TOOL if isinstance(metadata.get(name), str)), None)
    named, text = _input(action.get("input_summary"))
    for name in ARGUMENTS:
        if isinstance(metadata.get(name), Mapping):
            named = {**metadata.pop(name), **named}
    diff: list[Line] = []
    for place in (named, metadata):
        diff = diff or list(_take_diff(place))
    if not diff and text is not None and _is_diff(text):
        diff, text = list(_lines(text)), None
    pairs = [(name, _spelt(value)) for name, value in (*named.items(), *metadata.items()) if value not in (None, "")]
    counts = [line.kind for line in diff]
    return Request(tool, pairs, text, diff, counts.count("add"), counts.count("remove"))


def _input(text: str | None) -> tuple[dict[str, Any], str | None]:
    if not text:
        return {}, None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}, text
    return (found, None) if isinstance(found, dict) else ({}, text)


def _take_diff(place: dict[str, Any]) -> Iterator[Line]:
    """The diff that some values make, which are taken out of the place."""
    for name in DIFFS:
        if isinstance(place.get(name), str) and place[name].strip():
            return _lines(place.pop(name))
    for old, new in PAIRS:
        if old in place and new in place:
            return _compared(_spelt(place.pop(old)), _spelt(place.pop(new)))
    return iter(())


def _compared(old: str, new: str) -> Iterator[Line]:
    before, after = old.splitlines()[:MOST_LINES], new.splitlines()[:MOST_LINES]
    told = list(unified_diff(before, after, lineterm="", n=_CONTEXT))[2:]
    if len(before) == MOST_LINES or len(after) == MOST_LINES:
        told.append(f"@@ only the first {MOST_LINES} lines are compared @@")
    return _lines("\n".join(told))


def _is_diff(text: str) -> bool:
    return text.startswith(("--- ", "diff --git ", "@@ ")) or "\n@@ " in text


def _lines(text: str) -> Iterator[Line]:
    for line in text.splitlines():
        if line.startswith(("+++", "---", "@@", "diff ", "index ")):
            yield Line("place", line)
        elif line.startswith("+"):
            yield Line("add", line)
        elif line.startswith("-"):
            yield Line("remove", line)
        else:
            yield Line("same", line)


def _spelt(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)
