"""Signed bodies over real sockets: a real server verifies them, retries are no replays, failures send nothing."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dashclaw import AsyncDashClaw, AuthenticationError, DashClaw, SigningError
from dashclaw.cli.key_files import PrivateKey, as_pem, new_key, public

from ..serving import Served, served
from ..transport.faulty import after_commit, faulty, hung_up, passed_on
from . import node
from .test_other_languages import KEYS, VALUES, job

Write = Callable[[DashClaw], Any]
# The server takes no NUL and nothing that deep, signed or not.
TAKEN = {name: text for name, text in VALUES.items() if not name.startswith("deep") and "\\u0000" not in text}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """A server that takes nothing of an agent unsigned."""
    with served(str(tmp_path / "served.db")) as found:
        with operator(found) as admin:
            org_id = admin.get_org()["organizations"][0]["id"]
            wanted = {"signatures": "required", "signature_form": "strict"}
            admin.request("PATCH", f"/api/orgs/{org_id}", body=wanted)
        yield found


def operator(server: Served) -> DashClaw:
    return DashClaw(server.url, server.admin_key)


def trusted(server: Served, kind: str, agent_id: str = "agent-1") -> PrivateKey:
    """A key that the server trusts."""
    about = public(KEYS[kind])
    with operator(server) as admin:
        admin.register_identity(agent_id, about.pem, about.algorithm)
    return KEYS[kind]


def happened(server: Served, name: str) -> list[dict[str, Any]]:
    with operator(server) as admin:
        events = admin.request("GET", "/api/events", query={"limit": 200})["events"]
    return [event["data"] for event in events if event["event"] == name]


@pytest.mark.parametrize("kind", KEYS)
def test_the_server_believes_what_javascript_signed(server: Served, kind: str) -> None:
    key = trusted(server, kind)
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    start = {"agent_id": "agent-1", "action_type": "research", "declared_goal": "Find out", "_signed_at": now}
    bodies = [
        json.dumps({**start, "_nonce": uuid4().hex})[:-1] + f', "metadata": {{"value": {text}}}}}'
        for text in TAKEN.values()
    ]
    signed = node.ask("sign", bodies, **job(key, private=True))
    refused = {}
    for name, text in zip(TAKEN, signed, strict=True):
        status, answer = post(server, text)
        if status != 201 or answer["action"]["verified"] is not True:
            refused[name] = (status, answer)
    assert refused == {}
    status, answer = post(server, signed[0])
    assert (status, answer["code"]) == (401, "SIGNATURE_REPLAYED")
    status, answer = post(server, signed[0].replace("Find out", "Find in"))
    assert (status, answer["code"]) == (401, "INVALID_AGENT_SIGNATURE")


def post(server: Served, text: str) -> tuple[int, Any]:
    """Send a body as it is."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=20)
    try:
        headers = {"Content-Type": "application/json", "x-api-key": server.agent_key}
        connection.request("POST", "/api/actions", body=text.encode(), headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize("kind", KEYS)
def test_the_server_believes_what_the_client_signed(server: Served, kind: str) -> None:
    pem = as_pem(trusted(server, kind), "open sesame")
    settings: dict[str, Any] = {"private_key": pem, "private_key_password": "open sesame", "guard_mode": "enforce"}
    with DashClaw(server.url, server.agent_key, "agent-1", **settings) as agent:
        for text in TAKEN.values():
            made = agent.create_action("research", "Use password=hunter2hunter2", metadata={"v": json.loads(text)})
            assert made["action"]["verified"] is True
    unsigned = DashClaw(server.url, server.agent_key, "agent-1")
    with unsigned, pytest.raises(AuthenticationError) as caught:
        unsigned.create_action("research", "Find out")
    assert caught.value.code == "SIGNATURE_REQUIRED"


def test_the_usual_mode_signs_what_the_server_requires(server: Served) -> None:
    key = trusted(server, "ed25519")
    with DashClaw(server.url, server.agent_key, "agent-1", private_key=key) as agent:
        with agent.track("research", "Find out") as action:
            action.set(output_summary="Found")
        assert agent.guard({"action_type": "research"})["decision"] == "allow"
        agent.sync_state({"goals": [{"title": "Be done"}]})
        agent.heartbeat()
    found = [row["operation"] for row in happened(server, "signature.verified")]
    assert sorted(found) == ["create_action", "guard", "sync_state"]


WRITES: dict[str, Write] = {
    "guard": lambda agent: agent.guard({"action_type": "research"}),
    "outcome": lambda agent: agent.update_outcome(agent.create_action("a", "b")["action_id"], "completed"),
    "message": lambda agent: agent.send_message("Hello", to="agent-2"),
    "handoff": lambda agent: agent.create_handoff("What I did"),
    "delete": lambda agent: agent.delete_webhook(a_webhook(agent)),
    "empty body": lambda agent: agent.heartbeat(),
}


def a_webhook(agent: DashClaw) -> str:
    return str(agent.create_webhook("https://hooks.example.com/x")["webhook"]["id"])


@pytest.mark.parametrize("write", WRITES)
def test_every_write_is_verified_where_all_are_signed(server: Served, write: str) -> None:
    key = trusted(server, "ed25519")
    with DashClaw(server.url, server.admin_key, "agent-1", private_key=key, sign="all") as agent:
        found = WRITES[write](agent)
    assert "warnings" not in found or not any("_s" in text or "_nonce" in text for text in found["warnings"])
    seen = happened(server, "signature.verified")
    assert seen
    assert all(row["replay_protected"] and row["fingerprint"] == public(key).fingerprint for row in seen)
    assert happened(server, "signature.refused") == []


def test_a_lost_answer_is_asked_for_again_and_is_no_replay(server: Served) -> None:
    key = trusted(server, "ed25519")
    with faulty(after_commit(hung_up), passed_on, upstream=server.url) as lossy:
        with DashClaw(lossy.url, server.agent_key, "agent-1", private_key=key) as agent:
            made = agent.create_action("research", "Find out")
        assert len(lossy.seen) == 2
        assert lossy.seen[0].body == lossy.seen[1].body
    assert made["action"]["verified"] is True
    assert len(happened(server, "signature.verified")) == 1


def test_the_asynchronous_client_is_believed_too(server: Served) -> None:
    key = trusted(server, "rsa-2048")

    async def main() -> list[Any]:
        settings: dict[str, Any] = {"private_key": as_pem(key, None), "sign": "all"}
        async with AsyncDashClaw(server.url, server.agent_key, "agent-1", **settings) as agent:
            made = [agent.create_action("research", f"Find out {number}") for number in range(20)]
            return list(await asyncio.gather(*made))

    assert [made["action"]["verified"] for made in asyncio.run(main())] == [True] * 20


def test_a_failing_key_opens_no_connection() -> None:
    def away(_: bytes) -> bytes:
        raise ConnectionRefusedError("no key service")

    async def main(url: str) -> None:
        async with AsyncDashClaw(url, "k", "agent-1", private_key=away, sign="all") as agent:
            with pytest.raises(SigningError):
                await agent.create_action("research", "Find out")
            with pytest.raises(SigningError):
                await agent.heartbeat()

    with faulty(hung_up) as listening:
        with DashClaw(listening.url, "k", "agent-1", private_key=away, sign="all", guard_failure="open") as agent:
            for call in (lambda: agent.create_action("a", "b"), lambda: agent.update_outcome("act_1", "completed")):
                with pytest.raises(SigningError, match="ConnectionRefusedError"):
                    call()
            with pytest.raises(SigningError), agent.track("a", "b"):
                raise AssertionError("it ran")
        asyncio.run(main(listening.url))
        assert (listening.connections, listening.seen) == (0, [])


def test_the_embedded_runtime_verifies_like_the_server(tmp_path: Path) -> None:
    key = new_key("ed25519")
    about = public(key)
    database = tmp_path / "dashclaw.db"
    with DashClaw.local(database, operator=True) as admin:
        admin.register_identity("agent-1", about.pem, about.algorithm)
    with DashClaw.local(database, agent_id="agent-1", private_key=key, sign="all") as agent:
        assert agent.create_action("research", "Find out", metadata={"v": 1e16})["action"]["verified"] is True
    other = new_key("ed25519")
    impostor = DashClaw.local(database, agent_id="agent-1", private_key=other)
    with impostor, pytest.raises(AuthenticationError) as caught:
        impostor.create_action("research", "Find out")
    assert caught.value.code == "INVALID_AGENT_SIGNATURE"
