"""Every writing method of the client signs with `sign="all"`, and the server checks each of them before it acts.

The calls are those of the contract, so a new method is tried here as soon as it is documented there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashclaw import ApiError, DashClaw
from dashclaw.cli.key_files import new_key, public

from ...keys import ed25519_pem, rsa_pem
from ..databases import database
from ..serving import Served, served

FOLDER = Path(__file__).parents[2] / "contract/data/calls"
FILES = [json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))]
CLIENT: dict[str, Any] = next(found["client"] for found in FILES if "client" in found)
WRITES = {
    row["method"]: [example for example in row["examples"] if example["calls"]]
    for found in FILES
    for row in found["rows"]
    if row["verb"] not in (None, "GET")
}
PAIRED, STRANGER = new_key("ed25519"), new_key("ed25519")
# The examples of the contract hold no key that could be trusted.
SAMPLE = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"
# The second example asks in the name of another agent.
FOR_ANOTHER = {("guard", 1)}
# It looks for the webhook before its transaction begins, and the one of the example is nowhere.
LOOKS_FIRST = {"test_webhook"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that requires signatures, with one paired agent."""
    with database(request.param, tmp_path_factory.mktemp("signed")) as url, served(url) as found:
        with DashClaw(found.url, found.admin_key) as admin:
            org_id = admin.get_org()["organizations"][0]["id"]
            wanted = {"signatures": "required", "signature_form": "strict"}
            admin.request("PATCH", f"/api/orgs/{org_id}", body=wanted)
            about = public(PAIRED)
            admin.register_identity(CLIENT["agent_id"], about.pem, about.algorithm)
        yield found


def refused(server: Served, key: Any, method: str, example: Any) -> bool:
    """Whether a call is refused for its signature: the API key is right."""
    trusted = ed25519_pem() if "Ed25519" in example["args"] else rsa_pem()
    args = [trusted if value == SAMPLE else value for value in example["args"]]
    with DashClaw(server.url, server.admin_key, private_key=key, sign="all", **CLIENT) as agent:
        try:
            getattr(agent, method)(*args, **example["kwargs"])
        except ApiError as error:
            return error.status == 401
    return False


@pytest.mark.refused("agents.example.com")
@pytest.mark.parametrize("method", WRITES)
def test_each_method_of_a_paired_agent_is_believed_and_of_a_stranger_is_not(server: Served, method: str) -> None:
    for number, example in enumerate(WRITES[method]):
        assert refused(server, PAIRED, method, example) == ((method, number) in FOR_ANOTHER), number
    assert method in LOOKS_FIRST or any(refused(server, STRANGER, method, example) for example in WRITES[method])
