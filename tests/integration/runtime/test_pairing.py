"""Pairings and identities: who may decide, for how long, and that no key is replaced in silence."""

from __future__ import annotations

from typing import Any

import pytest

from dashclaw.runtime.identity import Caller
from dashclaw.runtime.store import pairing as rows

from ...keys import ed25519_pem, private_pem, rsa_pem
from ...unit.client.test_types import promised, unlike
from .conftest import ADMIN, AGENT, World

STRANGER = Caller("org_other", "key_stranger", "admin")


def ask(world: World, number: int = 0, agent_id: str = "agent-1", **fields: Any) -> dict[str, Any]:
    """A request to trust a key."""
    body = {"agent_id": agent_id, "public_key": ed25519_pem(number), "algorithm": "Ed25519", **fields}
    status, answer = world.ask("POST", "/api/pairings", body)
    assert status == 200, answer
    found: dict[str, Any] = answer["pairing"]
    return found


def decide(world: World, pairing: dict[str, Any], verb: str = "approve", **fields: Any) -> tuple[int, Any]:
    return world.ask("POST", f"/api/pairings/{pairing['id']}/{verb}", fields, caller=ADMIN)


def events(world: World) -> list[str]:
    """The names of all events, oldest first."""
    return [event["event"] for event in world.ask("GET", "/api/events")[1]["events"]]


def identities(world: World, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.ask("GET", "/api/identities", query=query)[1]["identities"]
    return found


def test_an_approved_pairing_becomes_the_agents_identity(world: World) -> None:
    pairing = ask(world, agent_name="Agent")
    assert (pairing["status"], pairing["agent_id"], pairing["agent_name"]) == ("pending", "agent-1", "Agent")
    status, approved = decide(world, pairing, code=pairing["code"], reason="Seen it")
    assert status == 200
    assert (approved["pairing"]["status"], approved["pairing"]["reason"]) == ("approved", "Seen it")
    assert approved["pairing"]["decided_by"] == ADMIN.actor_id
    assert world.ask("GET", f"/api/pairings/{pairing['id']}")[1]["pairing"] == approved["pairing"]
    [identity] = identities(world)
    assert identity["fingerprint"] == pairing["fingerprint"] == approved["identity"]["fingerprint"]
    assert identity["pairing_id"] == pairing["id"]
    assert approved["identity"]["public_key"] == pairing["public_key"] == ed25519_pem()
    assert events(world) == ["pairing.created", "identity.created", "pairing.updated"]


def test_only_an_operator_decides(world: World) -> None:
    pairing = ask(world)
    for verb in ("approve", "deny"):
        assert world.ask("POST", f"/api/pairings/{pairing['id']}/{verb}", {}, caller=AGENT)[0] == 403
    assert world.ask("POST", "/api/identities", {"agent_id": "a", "public_key": rsa_pem()}, caller=AGENT)[0] == 403
    assert world.ask("GET", f"/api/pairings/{pairing['id']}")[1]["pairing"]["status"] == "pending"
    assert identities(world) == []


def test_a_pairing_is_decided_once(world: World) -> None:
    denied, approved = ask(world, 1), ask(world, 2)
    assert decide(world, denied, "deny", reason="Who are you?")[1]["pairing"]["status"] == "denied"
    assert decide(world, approved)[0] == 200
    for pairing in (denied, approved):
        for verb in ("approve", "deny"):
            status, refused = decide(world, pairing, verb)
            assert (status, refused["code"]) == (409, "NOT_PENDING")
    assert len(identities(world)) == 1


def test_a_pairing_expires_by_the_clock_after_fifteen_minutes(world: World) -> None:
    pairing = ask(world)
    path = f"/api/pairings/{pairing['id']}"
    world.clock.move(minutes=14, seconds=59)
    assert world.ask("GET", path)[1]["pairing"]["status"] == "pending"
    world.clock.move(seconds=1)
    assert world.ask("GET", path)[1]["pairing"]["status"] == "expired"
    for verb in ("approve", "deny"):
        status, refused = decide(world, pairing, verb)
        assert (status, refused["code"], refused["pairing"]["status"]) == (410, "PAIRING_EXPIRED", "expired")
    assert identities(world) == []
    assert ask(world)["id"] != pairing["id"], "a new request can be made"


def test_requests_are_listed_by_the_state_that_they_are_in_now(world: World) -> None:
    expired = ask(world, 1)
    world.clock.move(minutes=15)
    denied, pending, other = ask(world, 2), ask(world, 3), ask(world, 4, "agent-2")
    decide(world, denied, "deny")

    def listed(**query: str) -> list[str]:
        _, found = world.ask("GET", "/api/pairings", query=query)
        assert found["total"] == len(found["pairings"])
        return [row["id"] for row in found["pairings"]]

    assert listed() == [other["id"], pending["id"], denied["id"], expired["id"]]
    assert listed(status="pending") == [other["id"], pending["id"]]
    assert listed(status="pending", agent_id="agent-1") == [pending["id"]]
    assert listed(status="expired") == [expired["id"]]
    assert listed(status="denied") == [denied["id"]]
    assert listed(status="approved") == []
    _, page = world.ask("GET", "/api/pairings", query={"limit": "1", "offset": "1"})
    assert ([row["id"] for row in page["pairings"]], page["total"], page["has_more"]) == ([pending["id"]], 4, True)


def test_asking_again_for_the_same_key_gives_the_same_request(world: World) -> None:
    assert ask(world)["id"] == ask(world, public_key=ed25519_pem().replace("\n", "\r\n"))["id"]
    assert ask(world, 1)["id"] != ask(world)["id"] != ask(world, agent_id="agent-2")["id"]
    assert events(world) == ["pairing.created"] * 3


def test_the_code_tells_the_agents_request_from_a_strangers(world: World) -> None:
    genuine, forged = ask(world, 1), ask(world, 2)
    assert genuine["code"] != forged["code"]
    status, refused = decide(world, forged, code=genuine["code"])
    assert (status, refused["code"]) == (409, "CODE_MISMATCH")
    assert identities(world) == []
    assert decide(world, genuine, code=genuine["code"].replace("-", " ").lower())[0] == 200


def test_a_key_is_replaced_only_when_the_operator_says_so(world: World) -> None:
    first, second = ask(world, 1), ask(world, 2)
    decide(world, first)
    status, refused = decide(world, second)
    assert (status, refused["code"]) == (409, "IDENTITY_EXISTS")
    assert world.ask("GET", f"/api/pairings/{second['id']}")[1]["pairing"]["status"] == "pending"
    assert identities(world)[0]["fingerprint"] == first["fingerprint"]
    world.clock.move(minutes=1)
    assert decide(world, second, replace=True)[0] == 200
    assert [row["fingerprint"] for row in identities(world)] == [second["fingerprint"]]
    now, before = identities(world, include_replaced="true", agent_id="agent-1")
    assert (now["replaced_at"], before["replaced_by"]) == (None, ADMIN.actor_id)
    assert before["created_at"] < before["replaced_at"] == now["created_at"]
    assert events(world)[-2:] == ["identity.replaced", "pairing.updated"]


def test_a_registered_key_is_replaced_only_when_the_operator_says_so(world: World) -> None:
    def register(key: str, **fields: Any) -> tuple[int, Any]:
        body = {"agent_id": "agent-007", "public_key": key, **fields}
        return world.ask("POST", "/api/identities", body, caller=ADMIN)

    status, made = register(rsa_pem())
    assert (status, made["identity"]["algorithm"]) == (200, "RSASSA-PKCS1-v1_5")
    assert register(rsa_pem())[1] == made, "the same key again changes nothing"
    assert register(rsa_pem(number=1))[1]["code"] == "IDENTITY_EXISTS"
    _, replaced = register(rsa_pem(number=1), replace=True)
    assert replaced["identity"]["id"] != made["identity"]["id"]
    assert events(world) == ["identity.created", "identity.updated", "identity.replaced"]
    [event] = world.ask("GET", "/api/activity", query={"action": "identity.replaced"})[1]["logs"]
    assert event["details"]["replaced"]["fingerprint"] == made["identity"]["fingerprint"]
    with world.runtime.store.read() as tx:
        found = rows.in_force(tx, ADMIN.org_id, "agent-007")
    assert found is not None
    assert found["public_key"] == rsa_pem(number=1)


def test_a_key_that_is_none_is_refused(world: World) -> None:
    for key, said in (("x", "PEM block"), (private_pem(), "private key"), (rsa_pem(), "no key for Ed25519")):
        body = {"agent_id": "a", "public_key": key, "algorithm": "Ed25519"}
        for path in ("/api/pairings", "/api/identities"):
            status, refused = world.ask("POST", path, body, caller=ADMIN)
            assert (status, refused["fields"][0]["field"]) == (400, "public_key")
            assert said in refused["fields"][0]["message"]
    assert world.ask("POST", "/api/pairings", {"public_key": rsa_pem()})[0] == 400, "no agent is named"


def test_another_organisation_sees_none_of_it(world: World) -> None:
    pairing = ask(world)
    decide(world, pairing)
    path = f"/api/pairings/{pairing['id']}"
    for verb, where in (("GET", path), ("POST", f"{path}/approve"), ("POST", f"{path}/deny")):
        assert world.ask(verb, where, {}, caller=STRANGER)[0] == 404
    assert world.ask("GET", "/api/pairings", caller=STRANGER)[1]["total"] == 0
    assert world.ask("GET", "/api/identities", caller=STRANGER)[1]["total"] == 0
    body = {"agent_id": "agent-1", "public_key": ed25519_pem(9), "algorithm": "Ed25519"}
    assert world.ask("POST", "/api/identities", body, caller=STRANGER)[0] == 200, "the same agent id elsewhere"
    assert identities(world)[0]["fingerprint"] == pairing["fingerprint"]


def test_unknown_fields_are_kept_and_named(world: World) -> None:
    body = {"agent_id": "a", "public_key": rsa_pem(), "hostname": "build-7"}
    _, asked = world.ask("POST", "/api/pairings", body)
    assert (asked["pairing"]["metadata"], len(asked["warnings"])) == ({"hostname": "build-7"}, 1)
    _, approved = decide(world, asked["pairing"], ticket="OPS-1")
    assert approved["pairing"]["metadata"] == {"hostname": "build-7", "ticket": "OPS-1"}
    _, made = world.ask("POST", "/api/identities", {**body, "agent_id": "b"}, caller=ADMIN)
    assert (made["identity"]["metadata"], len(made["warnings"])) == ({"hostname": "build-7"}, 1)
    again = {"agent_id": "b", "public_key": rsa_pem(), "rack": 4}
    assert world.ask("POST", "/api/identities", again, caller=ADMIN)[0] == 200
    _, last = world.ask("POST", "/api/identities", {**again, "hostname": "build-7"}, caller=ADMIN)
    assert last["identity"]["metadata"] == {"hostname": "build-7", "rack": 4}
    assert events(world)[-2:] == ["identity.created", "identity.updated"]


def test_a_secret_in_a_reason_is_not_stored(world: World) -> None:
    _, denied = decide(world, ask(world), "deny", reason="The key was oc_live_" + "0123456789abcdef" * 2)
    assert "oc_live_0123" not in str(world.ask("GET", "/api/events"))
    assert denied["security"]["findings_count"] == 1


@pytest.mark.parametrize("method", ["create_pairing", "get_pairing", "register_identity", "get_identities"])
def test_answers_are_of_the_declared_types(world: World, method: str) -> None:
    pairing = ask(world)
    decide(world, pairing)
    body = {"agent_id": "b", "public_key": rsa_pem()}
    answer = {
        "create_pairing": lambda: world.ask("POST", "/api/pairings", {**body, "x": 1}),
        "get_pairing": lambda: world.ask("GET", f"/api/pairings/{pairing['id']}"),
        "register_identity": lambda: world.ask("POST", "/api/identities", {**body, "x": 1}, caller=ADMIN),
        "get_identities": lambda: world.ask("GET", "/api/identities"),
    }[method]()[1]
    assert list(unlike(promised(method), answer, method)) == []
