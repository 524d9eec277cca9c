"""`dashclaw completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from dashclaw.errors import MissingExtraError

from .arguments import Commands, plain
from .output import Output

SHELLS = ("bash", "zsh", "fish")
_FILES = ("FILE", "PATH")
_FOLDERS = ("FOLDER", "DIRECTORY")


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    found = commands.command(
        "completion",
        run,
        'print the script with which a shell completes commands and options; needs the extra "cli"',
        options=plain(),
        example="dashclaw completion bash",
    )
    found.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")


def run(options: argparse.Namespace, output: Output) -> None:
    """Print the script, made from the commands of this release."""
    try:
        import shtab
    except ImportError as error:
        raise MissingExtraError(
            f'Completion needs the extra "cli" ({error.name} is missing): pip install "dashclaw[cli]"'
        ) from error
    from . import parser

    whole = parser()
    for action in _actions(whole):
        if action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    script = shtab.complete(whole, options.shell)
    output.result({"shell": options.shell, "script": script}, script)


def _actions(found: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument and option of every command."""
    for action in found._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)
