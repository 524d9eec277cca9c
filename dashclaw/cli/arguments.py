"""How a command is put on the command line, and what many commands take."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]

_DATABASE = "a file or a URL (else DASHCLAW_DATABASE_URL, DASHCLAW_DB)"


def connection() -> argparse.ArgumentParser:
    """The options of commands that talk to an embedded database or a server."""
    found = argparse.ArgumentParser(add_help=False, parents=[plain()])
    where = found.add_mutually_exclusive_group()
    where.add_argument("--db", metavar="FILE", help=f"an embedded database: {_DATABASE}")
    where.add_argument("--url", metavar="URL", help="a server (else DASHCLAW_BASE_URL)")
    found.add_argument("--api-key", metavar="KEY", help="the key for the server (else DASHCLAW_API_KEY)")
    return found


def storage() -> argparse.ArgumentParser:
    """The options of commands about a database itself."""
    found = argparse.ArgumentParser(add_help=False, parents=[plain()])
    found.add_argument("--db", metavar="FILE", help=f"the database: {_DATABASE}")
    return found


def plain() -> argparse.ArgumentParser:
    """The options of every command."""
    found = argparse.ArgumentParser(add_help=False)
    found.add_argument("--json", action="store_true", help="print JSON for programs")
    return found


class Commands:
    """One level of the command line. Called without a command, it prints its help and exits with 2."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._below = parser.add_subparsers(metavar="COMMAND", title="commands")
        parser.set_defaults(run=_asks_for_help(parser), json=False)

    def group(self, name: str, text: str) -> Commands:
        """Add a level below this one."""
        return Commands(self._below.add_parser(name, help=text, description=_sentence(text)))

    def command(
        self,
        name: str,
        run: Run,
        text: str,
        *,
        options: argparse.ArgumentParser,
        example: str,
        **defaults: Any,
    ) -> argparse.ArgumentParser:
        """Add a command; `example` is a whole line that works."""
        found: argparse.ArgumentParser = self._below.add_parser(
            name,
            parents=[options],
            help=text,
            description=_sentence(text),
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        found.set_defaults(run=run, **defaults)
        return found


def _asks_for_help(parser: argparse.ArgumentParser) -> Run:
    def run(*_: Any) -> int:
        parser.print_help(sys.stderr)
        return 2

    return run


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    """An argument type: a whole number between two others."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = lowest - 1
        if not lowest <= number <= highest:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {lowest} to {highest}")
        return number

    return read


def seconds(text: str) -> float:
    """An argument type: a positive number of seconds."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return number
