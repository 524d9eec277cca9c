"""An agent that waits for its pairing learns of the decision, in process and over HTTP, blocking and awaiting."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dashclaw import (
    ApprovalDeniedError,
    ApprovalExpiredError,
    ApprovalTimeoutError,
    AsyncDashClaw,
    DashClaw,
    NotFoundError,
)
from dashclaw.local import LocalTransport

from ..keys import ed25519_pem
from ..unit.client.support import answer, client, eventually
from .serving import served


class Place(NamedTuple):
    """An agent and an operator of one database, and how another client of the agent connects."""

    agent: DashClaw
    operator: DashClaw
    again: dict[str, Any]

    def asked(self) -> str:
        return self.agent.create_pairing(ed25519_pem(), "Ed25519")["pairing"]["id"]

    def decide(self, pairing_id: str, verb: str, **body: Any) -> None:
        self.operator.request("POST", f"/api/pairings/{pairing_id}/{verb}", body=body)


@pytest.fixture(params=["in process", "http"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    path = str(tmp_path / "dashclaw.db")
    with ExitStack() as stack:
        if request.param == "http":
            server = stack.enter_context(served(path))
            again = {"base_url": server.url, "api_key": server.agent_key}
            agent = DashClaw(agent_id="agent-1", **again)
            operator = DashClaw(server.url, server.admin_key)
        else:
            agent = DashClaw(agent_id="agent-1", transport=LocalTransport.open(path, agent_id="agent-1"))
            operator = DashClaw(transport=LocalTransport.open(path, operator=True))
            another = LocalTransport.open(path, agent_id="agent-1")
            stack.callback(another.close)
            again = {"transport": another}
        stack.enter_context(agent)
        stack.enter_context(operator)
        yield Place(agent, operator, again)


def test_the_wait_ends_with_the_decision_and_not_with_the_next_look(place: Place) -> None:
    pairing_id = place.asked()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(place.agent.wait_for_pairing, pairing_id, 60, 60)
        eventually(lambda: place.agent._watching is not None and place.agent._watching.connected)
        place.decide(pairing_id, "approve")
        found = waiting.result(timeout=30)
    assert (found["id"], found["status"], found["agent_id"]) == (pairing_id, "approved", "agent-1")


def test_an_awaited_pairing_is_approved(place: Place) -> None:
    pairing_id = place.asked()

    async def wait() -> Any:
        async with AsyncDashClaw(agent_id="agent-1", **place.again) as claw:
            waiting = asyncio.ensure_future(claw.wait_for_pairing(pairing_id, 60, 0.05))
            await asyncio.to_thread(place.decide, pairing_id, "approve")
            return await waiting

    assert asyncio.run(wait())["status"] == "approved"


def test_a_refusal_says_why(place: Place) -> None:
    pairing_id = place.asked()
    place.decide(pairing_id, "deny", reason="Nobody knows this agent")
    with pytest.raises(ApprovalDeniedError, match="Nobody knows this agent"):
        place.agent.wait_for_pairing(pairing_id)


def test_a_wait_that_is_over_leaves_the_request_waiting(place: Place) -> None:
    pairing_id = place.asked()
    with pytest.raises(ApprovalTimeoutError, match="it still waits") as caught:
        place.agent.wait_for_pairing(pairing_id, timeout=0.01, interval=0.01)
    assert isinstance(caught.value, TimeoutError)
    assert place.agent.get_pairing(pairing_id)["pairing"]["status"] == "pending"


def test_an_unknown_pairing_ends_the_wait(place: Place) -> None:
    with pytest.raises(NotFoundError):
        place.agent.wait_for_pairing("pair_unknown")


def test_an_expired_pairing_ends_the_wait() -> None:
    claw, _ = client(answer({"pairing": {"id": "pair_1", "status": "expired"}}))
    with pytest.raises(ApprovalExpiredError, match="ask again"):
        claw.wait_for_pairing("pair_1")


def test_a_server_that_fails_on_the_way_does_not_end_the_wait() -> None:
    approved = answer({"pairing": {"id": "pair_1", "status": "approved"}})
    claw, transport = client(*[answer({"error": "down"}, 503)] * 6, approved)
    assert claw.wait_for_pairing("pair_1", timeout=20, interval=0.01)["id"] == "pair_1"
    assert len(transport.requests) > 1
