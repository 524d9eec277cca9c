"""The command line: plain text for people, `--json` for programs.

The commands are imported when they are needed: `dashclaw hook` runs before every tool call of a coding agent.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence


def parser() -> ArgumentParser:
    """The whole command line."""
    from .command_line import parser

    return parser()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code, as `docs/cli.md` lists them."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["hook"]:
        from .hook import at_once

        answered = at_once(words[1:])
        if answered is not None:
            return answered
    from .command_line import run

    return run(words)
