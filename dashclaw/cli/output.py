"""What a command shows: tables and sentences, or JSON. Whatever an agent wrote is shown as inert text."""

from __future__ import annotations

import io
import json
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from dashclaw._inert import inert
from dashclaw.errors import AuthenticationError, DashClawError, NotFoundError, NotSentError, PermissionDeniedError

_WIDEST = 60
_HINTS: Mapping[type[DashClawError], str] = {
    AuthenticationError: "give a key of this server with --api-key or DASHCLAW_API_KEY",
    NotSentError: "is the server running? (dashclaw serve)",
    PermissionDeniedError: "use an admin's key (dashclaw keys create --role admin)",
}


class Output:
    """Prints for people, or for programs with `--json`."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A terminal without Unicode shows "\u2026" instead of failing.
                stream.reconfigure(errors="backslashreplace")

    def result(self, document: Any, text: str) -> None:
        """Show the outcome of a command in the form that was asked for."""
        print(json.dumps(document, ensure_ascii=False, indent=2) if self.as_json else inert(text), flush=True)

    def line(self, document: Any, text: str) -> None:
        """Show one of several results as soon as it is there: a line of text, or a line of JSON."""
        print(json.dumps(document, ensure_ascii=False) if self.as_json else inert(text), flush=True)

    def say(self, text: str) -> None:
        """Tell the person something on stderr, so that programs read results only."""
        print(inert(text), file=sys.stderr, flush=True)

    def error(self, error: DashClawError, listing: str | None = None) -> None:
        """Say on stderr what went wrong and what to do; `listing` is the command that shows what there is."""
        if self.as_json:
            body = {"error": error.message, "code": error.code, "status": error.status, "details": error.details}
            print(json.dumps(body, ensure_ascii=False), file=sys.stderr)
            return
        self.say(f"error: {one_line(error)}{_hint(error, listing)}")
        if isinstance(error.details, list):
            for detail in error.details:
                self.say(f"  {one_line(detail)}")

    def abandon(self) -> None:
        """Forget what is not written yet: nobody reads it, or it cannot be stored."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _hint(error: DashClawError, listing: str | None) -> str:
    hint = f"see {listing}" if listing and isinstance(error, NotFoundError) else _HINTS.get(type(error))
    return f"; {hint}" if hint and hint not in error.message else ""


def one_line(value: object) -> str:
    """A value as text without line ends."""
    return " ".join(str(value).split())


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> str:
    """Aligned columns under their names; `empty` when there are no rows."""
    if not rows:
        return empty
    lines = [[name.upper() for name in columns], *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = inert(one_line(value))
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def fields(record: Mapping[str, Any], names: Sequence[str]) -> str:
    """One `name  value` line per field that has a value; further lines of a value are indented below it."""
    shown = [(name, record.get(name)) for name in names if record.get(name) not in (None, "", [], {})]
    width = max((len(name) for name, _ in shown), default=0)
    below = "\n" + " " * (width + 2)
    return "\n".join(
        f"{name.replace('_', ' ').ljust(width)}  {below.join(_text(value).splitlines())}" for name, value in shown
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(one_line(item) for item in value)
    if isinstance(value, Mapping):
        given = {name: part for name, part in value.items() if part is not None}
        return ", ".join(f"{name.replace('_', ' ')}: {one_line(_text(part))}" for name, part in given.items())
    return str(value)


def age(moment: str | None) -> str:
    """How long ago a moment was, in one unit."""
    if not moment:
        return "-"
    seconds = (datetime.now(timezone.utc) - datetime.fromisoformat(moment.replace("Z", "+00:00"))).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def utc_stamp(moment: datetime | None = None) -> str:
    """A moment, or now, as the server writes times: UTC with microseconds."""
    found = (moment or datetime.now(timezone.utc)).astimezone(timezone.utc)
    return found.isoformat(timespec="microseconds").replace("+00:00", "Z")
