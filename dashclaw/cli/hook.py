"""`dashclaw hook`: what a coding agent runs before and after each tool call."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from typing import Any

from dashclaw import DashClaw
from dashclaw.integrations.coding_agents.contracts import CONTRACTS

from .arguments import Commands, connection, seconds
from .connection import acting


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("hook", "answer an event of a coding agent, as JSON on stdin")
    for contract in CONTRACTS.values():
        group.command(
            contract.name,
            run,
            f"decide about a tool call of {contract.title}, or record how it ended",
            options=deciding(),
            example=f"dashclaw hook {contract.name} --db dashclaw.db",
            contract=contract,
        )


def at_once(words: Sequence[str]) -> int | None:
    """Run a hook without loading the other commands; None when this names none or asks for help."""
    if not words or words[0] not in CONTRACTS or {"-h", "--help"} & set(words):
        return None
    # One answer and an end: there is nothing to collect, and loading the embedded runtime takes a sixth less without.
    gc.disable()
    try:
        parser = argparse.ArgumentParser(prog=f"dashclaw hook {words[0]}", parents=[deciding()])
        return run(parser.parse_args(words[1:], argparse.Namespace(contract=CONTRACTS[words[0]])))
    finally:
        gc.enable()


def run(options: argparse.Namespace, *_: Any) -> int:
    """Answer the event on stdin; the exit code is 2 where a call must not run and no answer can say so."""
    from dashclaw.integrations.coding_agents.hook import CALL_SECONDS, Hook

    def client() -> DashClaw:
        return acting(options, options.agent, options.contract.name, timeout=CALL_SECONDS)

    hook = Hook(options.contract, client, options.mode, options.wait)
    return hook.answer(sys.stdin.buffer, sys.stdout, sys.stderr)


def deciding() -> argparse.ArgumentParser:
    """The options of a hook, which its installation passes on."""
    found = argparse.ArgumentParser(add_help=False, parents=[connection()])
    found.add_argument(
        "--mode",
        choices=("enforce", "observe"),
        default="enforce",
        help="enforce (the default) stops what must not run, also when nothing can be decided; observe only records",
    )
    found.add_argument(
        "--wait",
        type=_wait,
        default=0.0,
        metavar="SECONDS",
        help="how long a call waits for a person before it is denied (0)",
    )
    found.add_argument("--agent", metavar="ID", help="who acts (else DASHCLAW_AGENT_ID, else a name for the program)")
    return found


def _wait(text: str) -> float:
    return 0.0 if text == "0" else seconds(text)
