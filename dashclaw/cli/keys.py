"""`dashclaw keys`: API keys of the organisation, and key pairs for signing."""

from __future__ import annotations

import argparse
from pathlib import Path
from urllib.parse import quote

from dashclaw import DashClaw
from dashclaw.errors import ConfigurationError

from .arguments import Commands, connection, plain
from .connection import connect, password_in
from .output import Output, age, table


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("keys", "API keys of the organisation, and key pairs for signing")
    found = group.command(
        "create",
        create,
        "make a key and print it, this once",
        options=connection(),
        example="dashclaw keys create --label laptop --role member --db dashclaw.db",
    )
    found.add_argument("--label", metavar="TEXT", help="what the key is for")
    found.add_argument(
        "--role",
        choices=("admin", "member", "readonly"),
        default="member",
        help="admin decides and configures, member is for agents (the default), readonly looks",
    )
    found.add_argument("--operator", metavar="NAME", help="the person behind the key: a name or an e-mail address")
    found.add_argument(
        "--approver-role",
        metavar="ROLE",
        action="append",
        help="a role in which the person approves, such as security, for policies that ask for it; may come again",
    )
    group.command(
        "list", list_keys, "show every key", options=connection(), example="dashclaw keys list --db dashclaw.db"
    )
    found = group.command(
        "revoke",
        revoke,
        "revoke a key for good",
        options=connection(),
        example="dashclaw keys revoke key_123 --db dashclaw.db",
        listing="dashclaw keys list",
    )
    found.add_argument("key_id", metavar="KEY_ID", help="its id, not the key")
    found = group.command(
        "generate",
        generate,
        "make a key pair that an agent signs with",
        options=plain(),
        example="dashclaw keys generate --out builder.key",
    )
    found.add_argument("--out", metavar="FILE", required=True, help="for the private key; FILE.pub gets the public one")
    found.add_argument(
        "--type",
        choices=("rsa-2048", "rsa-3072", "rsa-4096", "ed25519"),
        default="rsa-2048",
        help="rsa-2048, the default, is known to every DashClaw server; ed25519 is faster and smaller, for this one",
    )
    found.add_argument(
        "--format",
        choices=("pem", "jwk"),
        default="pem",
        help="of the private key (pem); the public one is always PEM",
    )
    found.add_argument("--password-env", metavar="NAME", help="the variable with a password that encrypts the PEM")


def _path(client: DashClaw) -> str:
    org_id = client.get_org()["organizations"][0]["id"]
    return f"/api/orgs/{quote(org_id, safe='')}/keys"


def create(options: argparse.Namespace, output: Output) -> None:
    """Make a key and show it, once."""
    with connect(options) as client:
        body = {
            "label": options.label,
            "role": options.role,
            "operator": options.operator,
            "approver_roles": options.approver_role,
        }
        found = client.request("POST", _path(client), body=body)
    key = found["api_key"]
    output.result(found, f"{key['key']}\nStore it now: it is not shown again. Its id is {key['id']}.")


def list_keys(options: argparse.Namespace, output: Output) -> None:
    """Print every key."""
    with connect(options) as client:
        found = client.request("GET", _path(client))
    rows = [
        (
            row["id"],
            row["key_prefix"] + "…",
            ", ".join([row["role"], *row.get("approver_roles", ())]),
            row["label"],
            row.get("operator"),
            age(row["created_at"]),
            age(row["revoked_at"]),
        )
        for row in found["keys"]
    ]
    more = found["total"] - len(rows)
    shown = table(("id", "key", "role", "label", "operator", "age", "revoked"), rows, "No keys.")
    output.result(found, shown + (f"\nand {more} more" if more > 0 else ""))


def revoke(options: argparse.Namespace, output: Output) -> None:
    """Revoke a key."""
    with connect(options) as client:
        found = client.request("DELETE", f"{_path(client)}/{quote(options.key_id, safe='')}")
    output.result(found, f"Revoked {options.key_id}")


def generate(options: argparse.Namespace, output: Output) -> None:
    """Make a key pair; needs no server."""
    from .key_files import as_jwk, as_pem, new_key, public, write_pair

    password = password_in(options.password_env)
    if password and options.format == "jwk":
        raise ConfigurationError("A JWK cannot be encrypted: use --format pem with --password-env")
    key = new_key(options.type)
    about = public(key)
    path = Path(options.out)
    beside = write_pair(path, as_jwk(key) if options.format == "jwk" else as_pem(key, password), about.pem)
    document = {
        "type": options.type,
        "algorithm": about.algorithm,
        "format": options.format,
        "encrypted": password is not None,
        "private_key_file": str(path),
        "public_key_file": str(beside),
        "fingerprint": about.fingerprint,
    }
    text = f"{path} has the private key: it stays with the agent.\n{beside} has the public key for the operator."
    output.result(document, f"{text}\nFingerprint (SHA-256): {about.fingerprint}")
