"""`dashclaw hook`: what a coding agent runs before and after each tool call."""

from __future__ import annotations

import gc
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from dashclaw.integrations.coding_agents.contracts import CONTRACTS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from dashclaw import DashClaw

    from .arguments import Commands

_MODES = ("enforce", "observe")
_VALUED = ("--mode", "--wait", "--agent", "--db", "--url", "--api-key")


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
        return run(_spelt_out(words) or _parsed(words))
    finally:
        gc.enable()


def _spelt_out(words: Sequence[str]) -> SimpleNamespace | None:
    """The options as an installation writes them: whole names, each once and with a value; None for anything else.

    Loading argparse takes longer than a running server takes to decide.
    """
    names, values = words[1::2], words[2::2]
    given = dict(zip(names, values, strict=False))
    if len(names) != len(values) or len(given) != len(names) or not given.keys() <= set(_VALUED):
        return None
    mode, wait = given.get("--mode", "enforce"), given.get("--wait", "0")
    if mode not in _MODES or not _plain_number(wait) or any(value.startswith("-") for value in values):
        return None
    if "--db" in given and "--url" in given:
        return None
    return SimpleNamespace(
        contract=CONTRACTS[words[0]],
        mode=mode,
        wait=float(wait),
        agent=given.get("--agent"),
        db=given.get("--db"),
        url=given.get("--url"),
        api_key=given.get("--api-key"),
    )


def _plain_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    import argparse

    found = argparse.ArgumentParser(prog=f"dashclaw hook {words[0]}", parents=[deciding()])
    return found.parse_args(words[1:], argparse.Namespace(contract=CONTRACTS[words[0]]))


def run(options: Any, *_: Any) -> int:
    """Answer the event on stdin; the exit code is 2 where a call must not run and no answer can say so."""
    from dashclaw.integrations.coding_agents.hook import CALL_SECONDS, Hook

    from .connection import acting

    def client() -> DashClaw:
        return acting(options, options.agent, options.contract.name, timeout=CALL_SECONDS)

    hook = Hook(options.contract, client, options.mode, options.wait)
    return hook.answer(sys.stdin.buffer, sys.stdout, sys.stderr)


def deciding() -> argparse.ArgumentParser:
    """The options of a hook, which its installation passes on."""
    import argparse

    from .arguments import connection

    found = argparse.ArgumentParser(add_help=False, parents=[connection()])
    found.add_argument(
        "--mode",
        choices=_MODES,
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
    from .arguments import seconds

    return 0.0 if text == "0" else seconds(text)
