"""`dashclaw evidence`: what was recorded, and proof of it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dashclaw._inert import inert
from dashclaw.errors import ConfigurationError, MissingExtraError

from . import evidence_erase, evidence_export, evidence_verify
from .arguments import Commands, connection
from .connection import connect
from .output import Output

FORMATS = ("text", "json", "html")


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("evidence", "what was recorded, and proof of it")
    _add_replay(group)
    evidence_verify.add(group)
    evidence_export.add(group)
    evidence_erase.add(group)


def _add_replay(group: Commands) -> None:
    found = group.command(
        "replay",
        replay,
        "rebuild from the log what happened to one action, step by step",
        options=connection(),
        example="dashclaw evidence replay act_123 --format html --out act_123.html --db dashclaw.db",
        listing="dashclaw actions list",
    )
    found.add_argument("action_id", metavar="ACTION", help="the id of the action")
    found.add_argument(
        "--format", choices=FORMATS, help="text (default), json, or html: one page that needs nothing else"
    )
    found.add_argument("--out", metavar="FILE", help="write it there; it must not exist")


def replay(options: argparse.Namespace, output: Output) -> None:
    """Print or write the replay of one action."""
    form = options.format or ("json" if options.json else "text")
    if options.json and form != "json" and not options.out:
        raise ConfigurationError(f"--json and --format {form} contradict each other; give one")
    with connect(options) as client:
        found = client.request("GET", f"/api/actions/{quote(options.action_id, safe='')}/replay")
    if options.out:
        _write(options.out, _rendered(found, form))
        output.result({"written": options.out, "format": form}, f"Wrote {options.out}")
    elif form == "json":
        Output(True).result(found, "")
    else:
        output.result(found, _rendered(found, form))


def _rendered(found: Mapping[str, Any], form: str) -> str:
    if form == "json":
        return json.dumps(found, ensure_ascii=False, indent=2)
    if form == "text":
        from .replay_text import replay_text

        return inert(replay_text(found))
    try:
        from dashclaw.runtime.evidence.replay_page import replay_page

        return replay_page(found)
    except ImportError as error:
        raise MissingExtraError(
            f'An HTML page needs the extra "local" ({error.name} is missing): pip install "dashclaw[local]"'
        ) from error


def _write(name: str, text: str) -> None:
    try:
        with Path(name).expanduser().open("x", encoding="utf-8", newline="\n") as file:
            file.write(text + "\n")
    except OSError as error:
        raise ConfigurationError(f"{name} cannot be written: {error.strerror}") from error
