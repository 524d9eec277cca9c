"""The whole command line, and how a command of it is run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import dashclaw
from dashclaw.errors import DashClawError

from .arguments import Commands
from .output import Output

FAILED = 1
INTERRUPTED = 130


class _Version(argparse.Action):
    """Prints the version, which costs too much to look up for every command."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"dashclaw {dashclaw.__version__}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    found = argparse.ArgumentParser(prog="dashclaw", description="Decide before an AI agent acts.")
    found.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    from .groups import GROUPS

    commands = Commands(found)
    for group in GROUPS:
        group.add(commands)
    return found


def run(words: Sequence[str]) -> int:
    """Run one command; returns its exit code."""
    options = parser().parse_args(words)
    output = Output(options.json)
    try:
        code: int | None = options.run(options, output)
    except DashClawError as error:
        output.error(error, getattr(options, "listing", None))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        output.abandon()
        return FAILED
    except OSError as error:
        output.abandon()
        output.say(f"error: {error}")
        return FAILED
    return code or 0
