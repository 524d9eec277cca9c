"""How a happening reads on one line, and its colour."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime

from dashclaw._inert import inert
from dashclaw.errors import MissingExtraError

from .happenings import Happening
from .output import Output, one_line

_STYLES = {
    "allow": "green",
    "approved": "green",
    "warn": "yellow",
    "amber": "yellow",
    "voted": "yellow",
    "require_approval": "bold yellow",
    "waits": "bold yellow",
    "block": "bold red",
    "denied": "bold red",
    "red": "bold red",
    "expired": "red",
}


def line(found: Happening) -> str:
    """A happening on one line; the time is local."""
    at = datetime.fromisoformat(found.at.replace("Z", "+00:00")).astimezone()
    risk = None if found.risk is None else f"risk {found.risk}"
    about = (found.agent_id or "-", found.action_type, risk, found.text)
    said = "  ".join(one_line(part) for part in about if part)
    return inert(f"{at:%H:%M:%S}  {found.kind:<8}  {found.state:<16}  {said}")


def style(state: str) -> str:
    """The colour of a state, as rich names it; empty for a state without one."""
    return _STYLES.get(state, "")


def printer(output: Output) -> Callable[[Happening], None]:
    """How a happening is printed: a line of JSON, a line in colours in a terminal, else a plain line."""
    if not output.as_json and sys.stdout.isatty():
        try:
            return _in_colours()
        except MissingExtraError:
            pass
    return lambda found: output.line(found.document, line(found))


def _in_colours() -> Callable[[Happening], None]:
    from .screen import colours

    console = colours()
    from rich.text import Text

    def show(found: Happening) -> None:
        text = Text(line(found))
        text.highlight_words([found.state], style(found.state))
        console.print(text, soft_wrap=True)

    return show
