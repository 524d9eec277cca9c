"""YAML from outside: plain data or a refusal that says where; nothing that grows, hides or runs."""

from __future__ import annotations

import json
from typing import Any

import yaml

from .body import read_json
from .problems import invalid

LONGEST_TEXT = 256 * 1024
_MOST_NODES = 20_000
_DEEPEST = 20
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Refused(Exception):
    """What a document may not hold, and on which line."""


def read_yaml(text: str, field: str) -> Any:
    """Parse one YAML document into plain JSON values; raises `Problem` 400 about `field`.

    Refused are more than 256 KiB, aliases (a small text can stand for a huge one), tags, repeated keys, dates and
    other values that JSON does not have, several documents, more than 20,000 values and more than 20 levels.
    """
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST_TEXT:
        raise invalid(field, f"is longer than {LONGEST_TEXT} bytes")
    try:
        _check_events(text)
        found = yaml.load(text, _Loader)  # noqa: S506 - a safe loader
        return read_json(json.dumps(found, allow_nan=False))
    except _Refused as error:
        raise invalid(field, str(error)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise invalid(field, f"is not YAML: {where}{error.problem or error.context}"[:300]) from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise invalid(field, f"is not usable YAML: {' '.join(str(error).split())}"[:300]) from None


def _check_events(text: str) -> None:
    """Look at the text piece by piece, before anything is built from it."""
    open_maps: list[_Level] = []
    documents = 0
    for count, event in enumerate(yaml.parse(text, _Loader)):
        line = f"line {event.start_mark.line + 1}: " if event.start_mark is not None else ""
        if count > _MOST_NODES:
            raise _Refused(f"holds more than {_MOST_NODES} values")
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _Refused(f"{line}holds a second document")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _Refused(f"{line}anchors and aliases are not taken: write the value out")
        if (tag := getattr(event, "tag", None)) is not None and tag != "!":
            raise _Refused(f"{line}the tag {tag} is not taken")
        if isinstance(event, yaml.CollectionEndEvent):
            open_maps.pop()
        elif isinstance(event, yaml.NodeEvent):
            if open_maps:
                open_maps[-1].take(event, line)
            if isinstance(event, yaml.CollectionStartEvent):
                open_maps.append(_Level(isinstance(event, yaml.MappingStartEvent)))
                if len(open_maps) > _DEEPEST:
                    raise _Refused(f"{line}is nested deeper than {_DEEPEST} levels")


class _Level:
    """An open list or mapping and the keys it has had."""

    def __init__(self, is_mapping: bool) -> None:
        self._is_mapping = is_mapping
        self._keys: set[str] = set()
        self._at_key = True

    def take(self, event: Any, line: str) -> None:
        """Note the next child; raises `_Refused` for a key that is repeated or no plain text."""
        if not self._is_mapping:
            return
        if self._at_key:
            if not isinstance(event, yaml.ScalarEvent):
                raise _Refused(f"{line}a key is a word, not a list or mapping")
            if event.value in self._keys or event.value == "<<":
                raise _Refused(f"{line}the key {event.value[:80]!r} stands there twice or merges")
            self._keys.add(event.value)
        self._at_key = not self._at_key
