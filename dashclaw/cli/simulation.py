"""`dashclaw policies simulate` and `reevaluate`: other policies against the record, and the record against itself."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dashclaw import DashClaw
from dashclaw._simulated import Simulated
from dashclaw.errors import ConfigurationError

from .arguments import Commands, connection, whole
from .connection import connect
from .output import Output, one_line, table

_DECISIONS = ("allow", "warn", "require_approval", "block")
_AGENTS = 20
_DIFFERENT = 1


def add(group: Commands) -> None:
    """Add the commands to the group of policies."""
    found = group.command(
        "simulate",
        simulate,
        "show what other policies would have decided about recorded actions; changes nothing",
        options=connection(),
        example="dashclaw policies simulate --pack smb-safe --since 30d --db dashclaw.db",
    )
    source = found.add_mutually_exclusive_group(required=True)
    source.add_argument("file", metavar="FILE", nargs="?", help="a YAML file of policies (- is stdin)")
    source.add_argument("--pack", metavar="NAME", help="a pack instead of a file")
    found.add_argument(
        "--since", metavar="WHEN", default="30d", help="30d, 12h, 90m or a date; 30d is what is taken without it"
    )
    found.add_argument("--with-current", action="store_true", help="beside the active policies, not in their place")
    found.add_argument("--agent", metavar="ID", help="only what this agent did")
    found.add_argument("--limit", type=whole(1, 10**12), metavar="N", help="only the newest N decisions")
    found = group.command(
        "reevaluate",
        reevaluate,
        "decide again about a recorded action, by the recorded policies; exits with 1 when that cannot be or differs",
        options=connection(),
        example="dashclaw policies reevaluate gd_123 --db dashclaw.db",
    )
    found.add_argument("decision", metavar="DECISION", help="its id; every answer of the guard has one")


def source_text(named: str) -> str:
    """The text of a file, or of stdin for `-`."""
    try:
        return sys.stdin.read() if named == "-" else Path(named).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{named} is not UTF-8: {error}") from error
    except OSError as error:
        raise ConfigurationError(f"{named} cannot be read: {error.strerror}") from error


def simulate(options: argparse.Namespace, output: Output) -> None:
    """Put policies to the recorded decisions, part by part, and print what would have changed."""
    body: dict[str, Any] = {"pack": options.pack} if options.pack else {"yaml": source_text(options.file)}
    given = {"since": options.since, "agent_id": options.agent, "newest": options.limit}
    body |= {name: value for name, value in given.items() if value is not None}
    if options.with_current:
        body["with_current"] = True
    whole_of = Simulated()
    with connect(options) as client:
        for part in _parts(client, body):
            whole_of.add(part)
            _tell(whole_of)
    found = whole_of.document()
    output.result(found, _text(found))


def _parts(client: DashClaw, body: dict[str, Any]) -> Iterator[Mapping[str, Any]]:
    while True:
        part = client.request("POST", "/api/policies/simulate", body=body)
        yield part
        if part["cursor"] is None:
            return
        body = {**body, "cursor": part["cursor"]}


def _tell(whole_of: Simulated) -> None:
    """Show on a terminal how far it is."""
    if not sys.stderr.isatty():
        return
    done, of = whole_of.done, whole_of.matching
    sys.stderr.write(f"\r{done:,} of {of:,} decisions" + ("" if done < of else "\n"))
    sys.stderr.flush()


def _text(found: Mapping[str, Any]) -> str:
    parts = [_summary(found)]
    if found["evaluated"]:
        cells = [(was, *(row.get(to, 0) for to in _DECISIONS)) for was, row in found["matrix"].items() if row]
        parts.append(table(("was / would be", *_DECISIONS), cells, ""))
        cells = [(row["name"], row["matched"], row["changed"]) for row in found["by_policy"]]
        parts.append(table(("policy", "matches", "of them changed"), cells, ""))
        agents = [row for row in found["by_agent"] if row["changed"]]
        cells = [(row["agent_id"], row["evaluated"], row["changed"]) for row in agents[:_AGENTS]]
        parts.append(table(("agent", "decisions", "changed"), cells, ""))
        if len(agents) > _AGENTS:
            parts.append(f"{len(agents) - _AGENTS} more agents have changes; --json lists them.")
        cells = [
            (row["action_type"], row["declared_goal"], row["was"], row["would_be"], "; ".join(row["why"]) or None)
            for row in found["samples"]
        ]
        parts.append(table(("action", "goal", "was", "would be", "why"), cells, ""))
    return "\n\n".join(part for part in parts if part)


def _summary(found: Mapping[str, Any]) -> str:
    lines = [
        f"{found['evaluated']:,} of {found['matching']:,} decisions since {found['since']}: {found['changed']:,} would "
        f"change, {found['stricter']:,} to stricter and {found['milder']:,} to milder. Nothing was changed."
    ]
    lines += [f"Skipped {count:,}: {why}" for why, count in found["skipped"].items()]
    if found["replaced"]:
        lines.append(f"In place of active policies of the same name: {', '.join(map(one_line, found['replaced']))}")
    if found["recounted"]:
        lines.append(f"Limits and budgets counted again from the record: {found['recounted']:,}")
    if found["masked"]:
        lines.append(f"Decided on texts in which secrets are masked: {found['masked']:,}")
    return "\n".join(lines)


def reevaluate(options: argparse.Namespace, output: Output) -> int:
    """Print the recorded verdict beside what the recorded policies decide today."""
    with connect(options) as client:
        found = client.request("GET", f"/api/guard/decisions/{quote(options.decision, safe='')}")
    again, recorded = found["reevaluated"], found["decision"]
    lines = [f"recorded   {_verdict(recorded)}"]
    if again["evaluated"] is not None:
        lines.append(f"evaluated  {_verdict(again['evaluated'])}")
    lines.append("The same." if again["same"] else f"Not the same: {', '.join(again['differences']) or 'no verdict'}.")
    lines += [f"Not exact: {one_line(note)}" for note in again["notes"]]
    output.result(found, "\n".join(lines))
    return 0 if again["same"] else _DIFFERENT


def _verdict(found: Mapping[str, Any]) -> str:
    said = "; ".join(map(one_line, [*(found["reasons"] or ()), *(found["warnings"] or ())]))
    return f"{found['decision']}  (risk {found['risk_score']})  {said}".rstrip()
