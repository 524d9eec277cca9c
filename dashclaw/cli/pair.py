"""`dashclaw pair`: an agent asks for its key to be trusted, shows the code to compare, and waits."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from dashclaw.errors import ApprovalDeniedError, ApprovalExpiredError, ApprovalTimeoutError, Verdict

from .arguments import Commands, connection, seconds
from .connection import connect, password_in
from .output import Output, one_line

if TYPE_CHECKING:
    from dashclaw import DashClaw

UNDECIDED = 3
DENIED = 4
_PROGRESS_SECONDS = 15.0


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    found = commands.command(
        "pair",
        pair,
        "ask an operator to trust an agent's key, and wait",
        options=connection(),
        example="dashclaw pair --key builder.key --agent-id builder --db dashclaw.db",
    )
    found.add_argument(
        "--key", metavar="FILE", required=True, help="the private key or its .pub; nothing secret is sent"
    )
    found.add_argument("--agent-id", metavar="ID", required=True, help="the agent that signs with it")
    found.add_argument("--name", metavar="TEXT", help="how people call the agent")
    found.add_argument(
        "--timeout", metavar="SECONDS", type=seconds, default=300.0, help="how long to wait (300); it expires after 900"
    )
    found.add_argument(
        "--password-env",
        metavar="NAME",
        help="the variable with the password of an encrypted key (else DASHCLAW_PRIVATE_KEY_PASSWORD)",
    )


def pair(options: argparse.Namespace, output: Output) -> int | None:
    """Ask, show the code, wait; returns the exit code."""
    from .key_files import read_public

    key = read_public(options.key, password_in(options.password_env, "DASHCLAW_PRIVATE_KEY_PASSWORD"))
    with connect(options, options.agent_id) as client:
        asked: Any = client.create_pairing(key.pem, key.algorithm, options.name)["pairing"]
        output.say(f"The agent {one_line(options.agent_id)} asks for its key {key.fingerprint[:16]}… to be trusted.")
        output.say(f"Code: {asked['code']}")
        output.say(f"The operator compares it: dashclaw pairings approve {asked['id']} --code {asked['code']}")
        try:
            found = _wait(client, asked["id"], options.timeout, output)
        except ApprovalDeniedError as error:
            return _undone(client, asked["id"], error, output, DENIED)
        except (ApprovalExpiredError, ApprovalTimeoutError) as error:
            return _undone(client, asked["id"], error, output, UNDECIDED)
    text = f"Approved by {one_line(found['decided_by'])}: {one_line(found['agent_id'])}, key {key.fingerprint[:16]}…"
    output.result({"pairing": found}, text)
    return None


def _wait(client: DashClaw, pairing_id: str, timeout: float, output: Output) -> Any:
    """Wait for the operator in stretches, and tell after each how long is left."""
    ends = time.monotonic() + timeout
    while True:
        left = ends - time.monotonic()
        try:
            return client.wait_for_pairing(pairing_id, timeout=max(0.0, min(left, _PROGRESS_SECONDS)))
        except ApprovalTimeoutError:
            left = ends - time.monotonic()
            if left <= 0:
                raise ApprovalTimeoutError(
                    f"Nobody decided within {timeout:g} seconds; the request still waits: run the same command again"
                ) from None
            output.say(f"Waiting for the operator, {int(left) // 60}:{int(left) % 60:02} left")


def _undone(client: DashClaw, pairing_id: str, error: Verdict, output: Output, code: int) -> int:
    if output.as_json:
        output.result(client.get_pairing(pairing_id), "")
    output.error(error)
    return code
