"""`dashclaw policies`: list, add, remove, enable, disable, import, test, proof; see also `simulation`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dashclaw import DashClaw
from dashclaw.errors import ConfigurationError, NotFoundError

from . import simulation
from .arguments import Commands, connection
from .connection import connect
from .output import Output, one_line, table


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("policies", "what the guard goes by")
    group.command(
        "list",
        list_policies,
        "show every policy",
        options=connection(),
        example="dashclaw policies list --db dashclaw.db",
    )
    found = group.command(
        "add",
        add_policy,
        "add a policy",
        options=connection(),
        example=(
            'dashclaw policies add "No drops" block_action_type \'{"action_types": ["db.drop"]}\' --db dashclaw.db'
        ),
    )
    found.add_argument("name", metavar="NAME", help="how people call it")
    found.add_argument("policy_type", metavar="TYPE", help="block_action_type, require_approval, risk_threshold, …")
    found.add_argument("rules", metavar="RULES", help="a JSON object; docs/guides/policies.md lists the rules by type")
    found.add_argument("--agent", metavar="ID", action="append", help="only for this agent; may be repeated")
    for verb, run, defaults in (
        ("remove", remove, {}),
        ("enable", switch, {"active": True}),
        ("disable", switch, {"active": False}),
    ):
        found = group.command(
            verb,
            run,
            f"{verb} a policy",
            options=connection(),
            example=f'dashclaw policies {verb} "High risk needs approval" --db dashclaw.db',
            **defaults,
        )
        found.add_argument("policy", metavar="POLICY", help="its id or name")
    _add_documents(group)


def _add_documents(group: Commands) -> None:
    found = group.command(
        "import",
        import_policies,
        "import a policy pack or a YAML file",
        options=connection(),
        example="dashclaw policies import smb-safe --dry-run --db dashclaw.db",
    )
    found.add_argument(
        "source",
        metavar="SOURCE",
        help="enterprise-strict, smb-safe, startup-growth, development, or a file (- is stdin)",
    )
    found.add_argument("--dry-run", action="store_true", help="show what would happen and change nothing")
    group.command(
        "test",
        test,
        "run the tests of the active policies; exits with 1 when one fails",
        options=connection(),
        example="dashclaw policies test --db dashclaw.db",
    )
    group.command(
        "proof",
        proof,
        "print which policies are in force and how their tests end",
        options=connection(),
        example="dashclaw policies proof --db dashclaw.db",
    )
    simulation.add(group)


def list_policies(options: argparse.Namespace, output: Output) -> None:
    """Print every policy."""
    with connect(options) as client:
        found = client.request("GET", "/api/policies", query={"limit": 200})
    rows = [
        (row["id"], row["name"], row["policy_type"], row["active"], json.dumps(row["rules"]))
        for row in found["policies"]
    ]
    output.result(
        found, table(("id", "name", "type", "active", "rules"), rows, "No policies: every action is allowed.")
    )


def add_policy(options: argparse.Namespace, output: Output) -> None:
    """Add a policy."""
    try:
        rules = json.loads(options.rules)
    except ValueError as error:
        raise ConfigurationError(f"RULES is not JSON: {error}") from error
    body = {"name": options.name, "policy_type": options.policy_type, "rules": rules, "agent_ids": options.agent}
    with connect(options) as client:
        found = client.request("POST", "/api/policies", body=body)
    output.result(found, f"Added {found['policy']['id']}: {one_line(found['policy']['name'])}")


def remove(options: argparse.Namespace, output: Output) -> None:
    """Remove a policy."""
    with connect(options) as client:
        found = client.request("DELETE", _path(client, options.policy))
    output.result(found, f"Removed {one_line(found['policy']['name'])}")


def switch(options: argparse.Namespace, output: Output) -> None:
    """Enable or disable a policy."""
    with connect(options) as client:
        found = client.request("PATCH", _path(client, options.policy), body={"active": options.active})
    output.result(found, f"{'Enabled' if options.active else 'Disabled'} {one_line(found['policy']['name'])}")


def import_policies(options: argparse.Namespace, output: Output) -> None:
    """Import a pack, or the policies of a file."""
    source = _source(options.source)
    with connect(options) as client:
        found = client.import_policies(**source, dry_run=options.dry_run or None)
    new = [(row["name"], row["policy_type"], row["active"]) for row in found["policies"]]
    shown = table(("name", "type", "active"), new, "Nothing new: every name exists already.")
    skipped = "".join(f"\nSkipped, the name exists: {one_line(name)}" for name in found["skipped_policies"])
    preview = found["preview"]
    if preview is None:
        output.result(found, f"Imported {found['imported']}\n\n{shown}{skipped}")
        return
    tests, impact = preview["tests"], preview["impact"]
    text = (
        f"Nothing was changed. {len(new)} would be imported; tests passed: {tests['passed']} of {tests['total']}; "
        f"of the newest {impact['decisions_checked']} decisions {impact['decisions_changed']} would be stricter."
    )
    output.result(found, f"{text}\n\n{shown}{skipped}")


def _source(named: str) -> dict[str, str]:
    """The arguments for `import_policies`: what looks like a path is a file, any other word a pack."""
    if named == "-" or "." in named or "/" in named or Path(named).is_file():
        return {"yaml": simulation.source_text(named)}
    return {"pack": named}


def test(options: argparse.Namespace, output: Output) -> int:
    """Run the tests and print those that fail, and those that other policies overrule."""
    with connect(options) as client:
        found = client.test_policies()
    cells = [
        (result["policy"], result["test"], "failed" if not result["passed"] else "overruled", _why(result))
        for result in found["results"]
        if not result["passed"] or result["conflict"]
    ]
    text = f"{found['passed']} of {found['total']} tests of {found['total_policies']} policies passed."
    output.result(found, text + ("\n\n" + table(("policy", "test", "outcome", "why"), cells, "") if cells else ""))
    return 0 if found["success"] else 1


def _why(result: Any) -> str:
    if not result["passed"]:
        return one_line(result["reason"])
    return f"{result['conflict']['decision']} by {', '.join(map(one_line, result['conflict']['policies']))}"


def proof(options: argparse.Namespace, output: Output) -> None:
    """Print the proof report as Markdown."""
    with connect(options) as client:
        found = client.get_proof_report(format="md")
    output.result(found, found["report"].rstrip("\n"))


def _path(client: DashClaw, named: str) -> str:
    """The path of a policy by its id or name."""
    offset = 0
    while True:
        page = client.request("GET", "/api/policies", query={"limit": 200, "offset": offset})
        for row in page["policies"]:
            if named in (row["id"], row["name"]):
                return f"/api/policies/{quote(row['id'], safe='')}"
        if not page["has_more"]:
            raise NotFoundError(f"There is no policy {named!r}; see dashclaw policies list", status=404)
        offset += len(page["policies"])
