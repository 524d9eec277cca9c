"""`dashclaw version`."""

from __future__ import annotations

import argparse
import platform

import dashclaw

from .arguments import Commands, plain
from .output import Output


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    commands.command("version", run, "print the version", options=plain(), example="dashclaw version")


def run(_: argparse.Namespace, output: Output) -> None:
    """Print the version."""
    found = {"dashclaw": dashclaw.__version__, "python": platform.python_version()}
    output.result(found, f"dashclaw {found['dashclaw']} (Python {found['python']})")
