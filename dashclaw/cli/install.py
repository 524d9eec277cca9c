"""`dashclaw install` and `dashclaw uninstall`: the hooks in a coding agent's settings."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from dashclaw.errors import ConfigurationError
from dashclaw.integrations.coding_agents.contracts import CONTRACTS, Contract
from dashclaw.integrations.coding_agents.settings_file import BACKUP, install, uninstall

from .arguments import Commands, plain
from .connection import place
from .hook import deciding
from .output import Output

# By then the hook has ended by itself, with a denial.
_MARGIN = 30
_STARTS_WITHIN = 60.0


def add(commands: Commands) -> None:
    """Add both groups to the command line."""
    group = commands.group("install", "have a coding agent ask before each tool call")
    for contract in CONTRACTS.values():
        found = group.command(
            contract.name,
            put,
            f"add the hooks to the settings of {contract.title}, beside whatever is there",
            options=deciding(),
            example=f"dashclaw install {contract.name} --settings settings.json --db dashclaw.db",
            contract=contract,
        )
        _settings(found, contract)
    group = commands.group("uninstall", "undo `dashclaw install`")
    for contract in CONTRACTS.values():
        found = group.command(
            contract.name,
            take,
            f"take the hooks out of the settings of {contract.title}",
            options=plain(),
            example=f"dashclaw uninstall {contract.name} --settings settings.json",
            contract=contract,
        )
        _settings(found, contract)


def _settings(parser: argparse.ArgumentParser, contract: Contract) -> None:
    parser.add_argument("--settings", type=Path, metavar="FILE", help=f"the file ({contract.settings})")


def put(options: argparse.Namespace, output: Output) -> None:
    """Add the hooks, after a try that the command starts."""
    contract: Contract = options.contract
    if place(options) == (None, None):
        raise ConfigurationError("Say where to decide: --db FILE or --url URL, or set DASHCLAW_BASE_URL or DASHCLAW_DB")
    if options.api_key:
        raise ConfigurationError(
            "Settings hold no key: set DASHCLAW_API_KEY where the agent runs, and leave --api-key out"
        )
    command = _command(options)
    _try(contract, command)
    path = _path(options)
    changed = install(path, _entries(contract, command, options), _mark(contract))
    kept = f"; the file as it was is kept as {path.name}{BACKUP}" if changed and _kept(path) else ""
    text = f"{contract.title} asks before each tool call: {path}{kept}" if changed else f"Nothing to change in {path}"
    output.result({"settings": str(path), "changed": changed, "command": shlex.join(command)}, text)
    if contract.note:
        output.say(contract.note)


def take(options: argparse.Namespace, output: Output) -> None:
    """Take the hooks out."""
    path = _path(options)
    changed = uninstall(path, _mark(options.contract))
    text = f"The hooks are out of {path}" if changed else f"There are no hooks of DashClaw in {path}"
    output.result({"settings": str(path), "changed": changed}, text)


def _kept(path: Path) -> bool:
    found = path.expanduser().resolve()
    return found.with_name(found.name + BACKUP).exists()


def _path(options: argparse.Namespace) -> Path:
    if options.settings is not None:
        return Path(options.settings).expanduser()
    contract: Contract = options.contract
    folder = os.environ.get(contract.folder_variable) if contract.folder_variable else None
    return Path(folder) / Path(contract.settings).name if folder else Path(contract.settings).expanduser()


def _mark(contract: Contract) -> str:
    return f"-m dashclaw hook {contract.name} "


def _command(options: argparse.Namespace) -> list[str]:
    """The hook's command line. Isolated, Python takes no module from the folder that the agent works in."""
    words = [sys.executable, "-I", "-m", "dashclaw", "hook", options.contract.name, "--mode", options.mode]
    if options.wait:
        words += ["--wait", f"{options.wait:g}"]
    if options.agent:
        words += ["--agent", options.agent]
    if options.db:
        return [*words, "--db", options.db if "://" in options.db else str(Path(options.db).expanduser().resolve())]
    return [*words, "--url", options.url] if options.url else words


def _entries(contract: Contract, words: list[str], options: argparse.Namespace) -> dict[str, Any]:
    recording = shlex.join(words)
    deciding = recording
    if options.mode == "enforce":
        # The agent runs the tool when the command is gone or dies; any end but 0 becomes the one that stops it.
        deciding += " || { echo 'DashClaw could not decide, so the tool was NOT run.' >&2; exit 2; }"
    seconds = {contract.before: options.wait + _MARGIN}
    lines = {contract.before: deciding, contract.after: recording, contract.ended: recording}
    if contract.failed:
        lines[contract.failed] = recording
    return {event: contract.entry(event, line, seconds.get(event, _MARGIN)) for event, line in lines.items()}


def _try(contract: Contract, words: list[str]) -> None:
    """Check that the command starts; raises `ConfigurationError`, so that no broken hook is installed."""
    asked = json.dumps({"hook_event_name": contract.ended})
    try:
        done = subprocess.run(  # noqa: S603 - our own command, as a list
            words, input=asked, capture_output=True, text=True, timeout=_STARTS_WITHIN, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(f"The hook does not start, nothing was installed: {error}") from error
    if done.returncode or done.stderr:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ConfigurationError(f"The hook does not start, nothing was installed: {said}")
