"""Signed bodies: which are believed, which are refused and with what code, and what the log keeps of them."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from dashclaw._canonical import canonical
from dashclaw._signing import Signer, load_signer, sign_body
from dashclaw.runtime.clock import stamp
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.settings import Settings
from dashclaw.runtime.store.retention import sweep

from ...keys import pem_of
from .conftest import ADMIN, AGENT, World

Key = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@lru_cache
def key_of(name: str, kind: str = "Ed25519") -> Key:
    """A private key; another one per name."""
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def algorithm_of(key: Key) -> str:
    return "Ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else "RSASSA-PKCS1-v1_5"


def register(world: World, key: Key, agent_id: str = "agent-1", **fields: Any) -> dict[str, Any]:
    body = {"agent_id": agent_id, "public_key": pem_of(key.public_key()), "algorithm": algorithm_of(key), **fields}
    status, answer = world.ask("POST", "/api/identities", body, caller=ADMIN)
    assert status == 200, answer
    found: dict[str, Any] = answer["identity"]
    return found


def settle(world: World, **settings: str) -> None:
    """Change the organisation's settings."""
    assert world.ask("PATCH", f"/api/orgs/{ADMIN.org_id}", settings, caller=ADMIN)[0] == 200


def sign(world: World, body: dict[str, Any], key: Key) -> dict[str, Any]:
    """The body as a client sends it."""
    signer: Signer = load_signer(key)
    return sign_body(body, signer, now=lambda: world.clock.now, nonce=lambda: uuid.uuid4().hex)


def by_hand(body: dict[str, Any], key: Key, spell: Callable[[Any], bytes] = canonical) -> dict[str, Any]:
    """A body signed as it is, with nothing added."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        signature = key.sign(spell(body))
    else:
        signature = key.sign(spell(body), padding.PKCS1v15(), SHA256())
    return {**body, "_signature": base64.b64encode(signature).decode()}


def older_python(body: Any) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def action(**fields: Any) -> dict[str, Any]:
    return {"action_type": "research", "declared_goal": "Find out", "agent_id": "agent-1", **fields}


def create(world: World, body: dict[str, Any], key: str | None = None) -> tuple[int, Any]:
    return world.ask("POST", "/api/actions", body, key=key)


def happened(world: World, name: str) -> list[dict[str, Any]]:
    """The data of all events of a name, oldest first."""
    found = world.ask("GET", "/api/events")[1]["events"]
    return [event["data"] for event in found if event["event"] == name]


def code_of(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["code"]


@pytest.mark.parametrize("kind", ["Ed25519", "RSA"])
def test_a_signed_action_is_verified_and_the_log_lets_anybody_check_it(world: World, kind: str) -> None:
    key = key_of("agent", kind)
    identity = register(world, key)
    body = sign(world, action(risk_score=1.0, metadata={"n": 1e-7, "\U0001f600": None}), key)
    status, made = create(world, body)
    assert (status, made["action"]["verified"], made["action"]["signature"]) == (201, True, body["_signature"])
    assert "warnings" not in made
    assert made["action"]["metadata"] == {"n": 1e-7, "\U0001f600": None}
    stored = world.ask("GET", f"/api/actions/{made['action_id']}")[1]["action"]
    assert (stored["verified"], stored["signature"]) == (True, body["_signature"])
    [seen] = happened(world, "signature.verified")
    signed = canonical({name: value for name, value in body.items() if name != "_signature"})
    assert seen["digest"] == hashlib.sha256(signed).hexdigest()
    assert (seen["action_id"], seen["agent_id"], seen["operation"]) == (made["action_id"], "agent-1", "create_action")
    assert (seen["fingerprint"], seen["identity_id"]) == (identity["fingerprint"], identity["id"])
    assert (seen["form"], seen["replay_protected"], seen["algorithm"]) == ("jcs", True, algorithm_of(key))
    [told] = happened(world, "identity.created")
    public = load_pem_public_key(told["public_key"].encode())
    if isinstance(public, rsa.RSAPublicKey):
        digest = bytes.fromhex(seen["digest"])
        public.verify(base64.b64decode(seen["signature"]), digest, padding.PKCS1v15(), Prehashed(SHA256()))


def test_a_changed_body_or_another_key_is_refused_and_the_attempt_recorded(world: World) -> None:
    register(world, key_of("agent"))
    body = sign(world, action(), key_of("agent"))
    wrong = [
        {**body, "declared_goal": "Delete it all"},
        {**body, "extra": 1},
        {name: value for name, value in body.items() if name != "_nonce"},
        sign(world, action(), key_of("stranger")),
        {**body, "_signature": "no base64!"},
        {**body, "_signature": base64.b64encode(b"short").decode()},
    ]
    for attempt in wrong:
        assert code_of(create(world, attempt)) == (401, "INVALID_AGENT_SIGNATURE")
    assert world.ask("GET", "/api/actions")[1]["total"] == 0
    refusals = happened(world, "signature.refused")
    assert [seen["code"] for seen in refusals] == ["INVALID_AGENT_SIGNATURE"] * len(wrong)
    assert refusals[0]["signature"] == body["_signature"]
    assert {seen["agent_id"] for seen in refusals} == {"agent-1"}
    assert create(world, body)[0] == 201, "a refused attempt does not use up the nonce"


def test_an_agent_without_a_key_is_told_apart(world: World) -> None:
    register(world, key_of("agent"))
    body = sign(world, action(agent_id="agent-2"), key_of("agent"))
    assert code_of(create(world, body)) == (401, "AGENT_NOT_REGISTERED")
    assert happened(world, "signature.refused")[0]["agent_id"] == "agent-2"


def test_a_signature_is_good_for_five_minutes_and_once(world: World) -> None:
    key = key_of("agent")
    register(world, key)
    late, once = sign(world, action(), key), sign(world, action(), key)
    world.clock.move(minutes=4, seconds=59)
    assert create(world, once)[0] == 201
    assert code_of(create(world, once)) == (401, "SIGNATURE_REPLAYED")
    world.clock.move(seconds=2)
    assert code_of(create(world, late)) == (401, "SIGNATURE_EXPIRED")
    assert code_of(create(world, once)) == (401, "SIGNATURE_EXPIRED")
    world.clock.move(minutes=20)
    early = sign(world, action(), key)
    world.clock.move(minutes=-5, seconds=-1)
    assert code_of(create(world, early)) == (401, "SIGNATURE_EXPIRED")
    codes = [seen["code"] for seen in happened(world, "signature.refused")]
    assert codes == ["SIGNATURE_REPLAYED", *["SIGNATURE_EXPIRED"] * 3]


def test_a_used_nonce_is_known_to_every_process_and_after_a_restart(world: World) -> None:
    key = key_of("agent")
    register(world, key)
    body = sign(world, action(), key)
    assert create(world, body)[0] == 201
    other = Runtime.open(world.url, settings=Settings(), clock=world.clock)
    try:
        assert code_of(create(World(other, world.clock, world.url), body)) == (401, "SIGNATURE_REPLAYED")
        fresh = sign(world, action(), key)
        assert create(World(other, world.clock, world.url), fresh)[0] == 201
    finally:
        other.close()
    assert code_of(create(world, fresh)) == (401, "SIGNATURE_REPLAYED")


def test_the_same_request_again_gets_its_answer_and_no_refusal(world: World) -> None:
    key = key_of("agent")
    register(world, key)
    body = sign(world, action(), key)
    first = create(world, body, key="retry-1")
    assert create(world, body, key="retry-1") == first
    assert code_of(create(world, body, key="retry-2")) == (401, "SIGNATURE_REPLAYED")
    assert code_of(create(world, sign(world, action(), key), key="retry-1")) == (409, "IDEMPOTENCY_CONFLICT")
    assert world.ask("GET", "/api/actions")[1]["total"] == 1


def test_a_write_that_fails_leaves_its_nonce_unused(world: World) -> None:
    key = key_of("agent")
    register(world, key)
    body = sign(world, {"agent_id": "agent-1", "action_id": "later", "assumption": "It is small"}, key)
    assert world.ask("POST", "/api/assumptions", body)[0] == 404
    assert happened(world, "signature.verified") == []
    assert create(world, action(action_id="later"))[0] == 201
    assert world.ask("POST", "/api/assumptions", body)[0] in (200, 201)


def test_nonces_go_once_their_time_stamp_alone_would_be_refused(world: World) -> None:
    key = key_of("agent")
    register(world, key)
    for _ in range(3):
        assert create(world, sign(world, action(), key))[0] == 201
    world.clock.move(minutes=64)
    assert sweep(world.runtime.store, Settings())["nonces"] == 0
    world.clock.move(minutes=2)
    assert sweep(world.runtime.store, Settings())["nonces"] == 3


@pytest.mark.parametrize("kind", ["Ed25519", "RSA"])
def test_an_older_clients_signature_is_believed_and_said_to_be_replayable(world: World, kind: str) -> None:
    key = key_of("agent", kind)
    register(world, key)
    body = action(cost_estimate=1.0, metadata={"tiny": 1e-7, "great": 1e16, "name": "Zoë"})
    for number, spell in enumerate((canonical, older_python)):
        status, made = create(world, by_hand(body, key, spell))
        assert (status, made["action"]["verified"]) == (201, True)
        seen = happened(world, "signature.verified")[number]
        assert (seen["form"], seen["replay_protected"]) == (("jcs", "python")[number], False)
    # A number that only the older spelling can carry.
    assert create(world, by_hand(action(metadata={"n": 2**53 + 1}), key, older_python))[0] == 201


def test_a_strict_organisation_takes_only_what_cannot_be_replayed(world: World) -> None:
    key = key_of("agent")
    register(world, key)
    settle(world, signature_form="strict")
    assert code_of(create(world, by_hand(action(), key))) == (401, "SIGNATURE_INCOMPLETE")
    at = {"_signed_at": stamp(world.clock.now)}
    assert code_of(create(world, by_hand(action(**at), key))) == (401, "SIGNATURE_INCOMPLETE")
    number = action(_nonce="0123456789", metadata={"n": 1.0}, **at)
    assert code_of(create(world, by_hand(number, key, older_python))) == (401, "INVALID_AGENT_SIGNATURE")
    assert create(world, sign(world, number, key))[0] == 201


def test_required_means_that_agents_sign_what_they_are_about_to_do(world: World) -> None:
    key = key_of("agent")
    register(world, key)
    assert create(world, action())[1]["action"]["verified"] is False
    settle(world, signatures="required")
    unsigned = (
        ("/api/actions", action()),
        ("/api/guard", {"action_type": "research", "agent_id": "agent-1"}),
        ("/api/sync", {"agent_id": "agent-1", "actions": [action()]}),
    )
    for path, body in unsigned:
        assert code_of(world.ask("POST", path, body)) == (401, "SIGNATURE_REQUIRED")
        assert world.ask("POST", path, sign(world, body, key))[0] < 300
    refusals = happened(world, "signature.refused")
    assert [(seen["code"], seen["agent_id"], seen["signature"]) for seen in refusals] == [
        ("SIGNATURE_REQUIRED", "agent-1", None)
    ] * 3
    assert world.ask("POST", "/api/goals", {"title": "Fewer errors"})[0] < 300, "other writes may be unsigned"
    settle(world, signatures="optional")
    assert create(world, action())[0] == 201


def test_off_means_that_signatures_are_kept_and_not_believed(world: World) -> None:
    register(world, key_of("agent"))
    settle(world, signatures="off")
    body = sign(world, action(), key_of("stranger"))
    for _ in range(2):
        status, made = create(world, body)
        assert (status, made["action"]["verified"], made["action"]["signature"]) == (201, False, body["_signature"])
    assert happened(world, "signature.verified") == happened(world, "signature.refused") == []


def test_a_replaced_key_signs_until_the_time_that_the_operator_named(world: World) -> None:
    old, new = key_of("old"), key_of("new", "RSA")
    register(world, old)
    until = stamp(world.clock.now + timedelta(hours=1))
    second = register(world, new, replace=True, old_valid_until=until)
    assert [create(world, sign(world, action(), key))[0] for key in (old, new)] == [201, 201]
    _, listed = world.ask("GET", "/api/identities", query={"agent_id": "agent-1"})
    assert [(row["status"], row["not_after"]) for row in listed["identities"]] == [("valid", None), ("valid", until)]
    world.clock.move(hours=1)
    assert code_of(create(world, sign(world, action(), old))) == (401, "KEY_EXPIRED")
    assert create(world, sign(world, action(), new))[0] == 201
    _, listed = world.ask("GET", "/api/identities")
    assert [row["id"] for row in listed["identities"]] == [second["id"]]
    _, listed = world.ask("GET", "/api/identities", query={"include_replaced": "true"})
    assert [row["status"] for row in listed["identities"]] == ["valid", "replaced"]
    [seen] = happened(world, "identity.replaced")
    assert (seen["replaced"]["not_after"], seen["fingerprint"]) == (until, second["fingerprint"])


def test_without_a_time_a_replaced_key_ends_at_once_or_when_the_new_one_begins(world: World) -> None:
    first, second, third = key_of("1"), key_of("2"), key_of("3")
    register(world, first)
    register(world, second, replace=True)
    assert code_of(create(world, sign(world, action(), first))) == (401, "KEY_EXPIRED")
    tomorrow = stamp(world.clock.now + timedelta(days=1))
    register(world, third, replace=True, not_before=tomorrow)
    assert code_of(create(world, sign(world, action(), third))) == (401, "KEY_NOT_YET_VALID")
    assert create(world, sign(world, action(), second))[0] == 201
    world.clock.move(days=1)
    assert code_of(create(world, sign(world, action(), second))) == (401, "KEY_EXPIRED")
    assert create(world, sign(world, action(), third))[0] == 201


def test_a_key_ends_when_it_was_said_to(world: World) -> None:
    key = key_of("agent")
    register(world, key, not_after=stamp(world.clock.now + timedelta(days=1)))
    assert create(world, sign(world, action(), key))[0] == 201
    world.clock.move(days=1)
    assert code_of(create(world, sign(world, action(), key))) == (401, "KEY_EXPIRED")
    body = {"agent_id": "agent-1", "public_key": pem_of(key_of("next").public_key()), "algorithm": "Ed25519"}
    assert code_of(world.ask("POST", "/api/identities", body, caller=ADMIN)) == (409, "IDENTITY_EXISTS")
    register(world, key_of("next"), replace=True)
    assert create(world, sign(world, action(), key_of("next")))[0] == 201


def test_a_revoked_key_signs_nothing_any_more_and_stays_in_the_history(world: World) -> None:
    key = key_of("agent")
    identity = register(world, key)
    path = f"/api/identities/{identity['id']}"
    assert world.ask("POST", f"{path}/revoke", {}, caller=AGENT)[0] == 403
    status, gone = world.ask("POST", f"{path}/revoke", {"reason": "The laptop was lost"}, caller=ADMIN)
    assert (status, gone["identity"]["status"], gone["identity"]["revoked_by"]) == (200, "revoked", ADMIN.actor_id)
    world.clock.move(minutes=1)
    assert world.ask("POST", f"{path}/revoke", {}, caller=ADMIN)[1]["identity"] == gone["identity"]
    assert code_of(create(world, sign(world, action(), key))) == (401, "KEY_REVOKED")
    again = {"agent_id": "agent-9", "public_key": pem_of(key.public_key()), "algorithm": "Ed25519", "replace": True}
    assert code_of(world.ask("POST", "/api/identities", again, caller=ADMIN)) == (409, "KEY_REVOKED")
    register(world, key_of("next"))
    assert create(world, sign(world, action(), key_of("next")))[0] == 201
    assert world.ask("GET", path)[1]["identity"]["revoke_reason"] == "The laptop was lost"
    assert len(happened(world, "identity.revoked")) == 1
    stranger = ADMIN._replace(org_id="org_other")
    assert world.ask("GET", path, caller=stranger)[0] == 404
    assert world.ask("POST", f"{path}/revoke", {}, caller=stranger)[0] == 404


def test_times_that_cannot_be_are_refused(world: World) -> None:
    key = key_of("agent")
    register(world, key)
    body = {"agent_id": "agent-1", "public_key": pem_of(key_of("n").public_key()), "algorithm": "Ed25519"}
    past, soon = stamp(world.clock.now - timedelta(days=1)), stamp(world.clock.now + timedelta(days=1))
    for field, more in (
        ("not_after", {"not_after": past}),
        ("not_after", {"not_before": soon, "not_after": soon}),
        ("not_before", {"not_before": "tomorrow"}),
        ("old_valid_until", {"replace": True, "old_valid_until": past}),
    ):
        status, refused = world.ask("POST", "/api/identities", {**body, **more}, caller=ADMIN)
        assert (status, refused["fields"][0]["field"]) == (400, field)
    again = {**body, "public_key": pem_of(key.public_key()), "not_after": soon}
    assert code_of(world.ask("POST", "/api/identities", again, caller=ADMIN)) == (409, "IDENTITY_EXISTS")
    for field, value in (("_signature", 1), ("_nonce", "short"), ("_signed_at", [])):
        status, refused = create(world, {**action(), "_signature": "x", field: value})
        assert (status, refused["fields"][0]["field"]) == (400, field)
    body = by_hand(action(_signed_at="yesterday", _nonce="0123456789"), key)
    assert create(world, body)[1]["fields"][0]["field"] == "_signed_at"


def test_every_write_can_be_signed_and_keeps_nothing_of_it_in_metadata(world: World) -> None:
    key = key_of("agent")
    register(world, key)
    _, made = create(world, action())
    attachment = {"filename": "note.txt", "mime_type": "text/plain", "data": base64.b64encode(b"x" * 50_000).decode()}
    for verb, path, body in (
        ("POST", "/api/guard", {"action_type": "research", "agent_id": "agent-1"}),
        ("PATCH", f"/api/actions/{made['action_id']}", {"status": "completed"}),
        ("POST", "/api/goals", {"title": "Fewer errors", "agent_id": "agent-1"}),
        ("POST", "/api/preferences", {"type": "approach", "approach": "Ask", "success": True, "agent_id": "agent-1"}),
        ("POST", "/api/messages", {"body": "Hi", "from_agent_id": "agent-1", "attachments": [attachment]}),
        ("POST", "/api/routing/agents", {"name": "worker", "capabilities": ["sql"]}),
    ):
        status, answer = world.ask(verb, path, sign(world, body, key))
        assert status < 300, (path, answer)
        assert not [text for text in answer.get("warnings", []) if "_s" in text or "_nonce" in text], path
        assert "_nonce" not in json.dumps(answer)
        wrong = {**sign(world, body, key), "added": 1}
        assert code_of(world.ask(verb, path, wrong)) == (401, "INVALID_AGENT_SIGNATURE"), path
    decisions = world.ask("GET", "/api/guard")[1]["decisions"]
    assert not [row for row in decisions if {"_nonce", "nonce", "_signature", "signature"} & row["context"].keys()]
    assert {seen["agent_id"] for seen in happened(world, "signature.verified")} == {"agent-1"}


def test_a_request_to_pair_may_be_signed_with_the_key_that_it_offers(world: World) -> None:
    key = key_of("agent")
    body = {"agent_id": "agent-1", "public_key": pem_of(key.public_key()), "algorithm": "Ed25519"}
    assert world.ask("POST", "/api/pairings", sign(world, body, key))[0] == 200
    assert happened(world, "signature.verified")[0]["fingerprint"]
    forged = sign(world, body, key_of("stranger"))
    assert code_of(world.ask("POST", "/api/pairings", forged)) == (401, "INVALID_AGENT_SIGNATURE")


def test_an_administrator_may_register_a_key_signed_with_it_and_names_whom_it_is_about(world: World) -> None:
    key, own = key_of("agent"), key_of("operator")
    body = {"agent_id": "agent-1", "public_key": pem_of(key.public_key()), "algorithm": "Ed25519"}
    assert world.ask("POST", "/api/identities", sign(world, body, key), caller=ADMIN)[0] == 200
    assert happened(world, "signature.verified")[0]["agent_id"] == "agent-1"
    register(world, own, "operator-7")
    other = {**body, "agent_id": "agent-2", "public_key": pem_of(key_of("other").public_key())}
    assert world.ask("POST", "/api/identities", sign(world, other, own), caller=ADMIN)[0] == 200
    assert happened(world, "signature.verified")[1]["agent_id"] == "operator-7"


def test_without_the_extra_a_signed_body_is_refused_and_an_unsigned_one_is_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_of("agent")
    register(world, key)
    body = sign(world, action(), key)
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    status, refused = create(world, body)
    assert (status, refused["code"]) == (501, "SIGNATURES_UNAVAILABLE")
    assert "dashclaw[signing]" in refused["error"]
    assert create(world, action())[0] == 201


def test_keys_of_another_organisation_verify_nothing(world: World) -> None:
    key = key_of("agent")
    stranger = ADMIN._replace(org_id="org_other")
    body = {"agent_id": "agent-1", "public_key": pem_of(key.public_key()), "algorithm": "Ed25519"}
    assert world.ask("POST", "/api/identities", body, caller=stranger)[0] == 200
    assert code_of(create(world, sign(world, action(), key))) == (401, "AGENT_NOT_REGISTERED")
    unnamed = sign(world, {"title": "Fewer errors"}, key)
    assert code_of(world.ask("POST", "/api/goals", unnamed)) == (401, "AGENT_NOT_REGISTERED")


SCHEDULE = {"agent_id": "forge", "name": "Build", "cron_expression": "0 * * * *"}


def schedule(world: World, key: Key, **more: Any) -> tuple[int, Any]:
    return world.ask("POST", "/api/agent-schedules", sign(world, {**SCHEDULE, **more}, key))


@pytest.mark.parametrize("forge", ["without a key", "with a key"])
def test_what_is_about_another_agent_is_signed_by_whoever_sends_it_and_the_log_names_the_signer(
    world: World, forge: str
) -> None:
    identity = register(world, key_of("agent"))
    if forge == "with a key":
        register(world, key_of("forge"), "forge")
    status, made = schedule(world, key_of("agent"))
    assert (status, made["schedule"]["agent_id"]) == (201, "forge")
    [seen] = happened(world, "signature.verified")
    assert (seen["agent_id"], seen["identity_id"], seen["replay_protected"]) == ("agent-1", identity["id"], True)
    assert code_of(world.ask("POST", "/api/agent-schedules", {**sign(world, SCHEDULE, key_of("agent")), "name": "x"}))[
        1
    ] == ("AGENT_NOT_REGISTERED" if forge == "without a key" else "INVALID_AGENT_SIGNATURE")


def test_the_agent_that_is_named_goes_before_the_others(world: World) -> None:
    register(world, key_of("agent"))
    register(world, key_of("forge"), "forge")
    assert schedule(world, key_of("forge"))[0] == 201
    assert [seen["agent_id"] for seen in happened(world, "signature.verified")] == ["forge"]


def test_who_signs_for_another_has_a_key_that_is_valid(world: World) -> None:
    key = key_of("agent")
    assert code_of(schedule(world, key)) == (401, "AGENT_NOT_REGISTERED")
    identity = register(world, key, not_after=stamp(world.clock.now + timedelta(days=1)))
    world.clock.move(days=1)
    assert code_of(schedule(world, key)) == (401, "KEY_EXPIRED")
    world.ask("POST", f"/api/identities/{identity['id']}/revoke", {}, caller=ADMIN)
    assert code_of(schedule(world, key)) == (401, "KEY_REVOKED")
    register(world, key_of("next"))
    assert schedule(world, key_of("next"))[0] == 201
    refusals = happened(world, "signature.refused")
    assert [(seen["code"], seen["agent_id"]) for seen in refusals] == [
        ("AGENT_NOT_REGISTERED", "forge"),
        ("KEY_EXPIRED", "agent-1"),
        ("KEY_REVOKED", "agent-1"),
    ]


def test_what_was_signed_about_another_agent_is_not_accepted_twice(world: World) -> None:
    register(world, key_of("agent"))
    body = sign(world, SCHEDULE, key_of("agent"))
    assert world.ask("POST", "/api/agent-schedules", body)[0] == 201
    assert code_of(world.ask("POST", "/api/agent-schedules", body)) == (401, "SIGNATURE_REPLAYED")
    # Nor once the agent that it is about has a key: the signer is the same one.
    register(world, key_of("forge"), "forge")
    assert code_of(world.ask("POST", "/api/agent-schedules", body)) == (401, "SIGNATURE_REPLAYED")
    world.clock.move(minutes=6)
    assert code_of(world.ask("POST", "/api/agent-schedules", body)) == (401, "SIGNATURE_EXPIRED")


SPOKEN: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "create_action": ("POST", "/api/actions", "agent_id", {"action_type": "research", "declared_goal": "Find out"}),
    "guard": ("POST", "/api/guard", "agent_id", {"action_type": "research"}),
    "sync_state": ("POST", "/api/sync", "agent_id", {"goals": [{"title": "Fewer errors"}]}),
    "heartbeat": ("POST", "/api/agents/heartbeat", "agent_id", {"status": "online"}),
    "send_message": ("POST", "/api/messages", "from_agent_id", {"body": "Deploy it", "agent_id": "agent-1"}),
    "mark_messages": ("PATCH", "/api/messages", "agent_id", {"message_ids": ["msg_1"], "action": "read"}),
    "create_message_thread": ("POST", "/api/messages/threads", "created_by", {"name": "Ops"}),
    "save_shared_doc": ("POST", "/api/messages/docs", "agent_id", {"name": "Runbook", "content": "Call"}),
}


@pytest.mark.parametrize("operation", SPOKEN)
def test_nobody_speaks_for_another(world: World, operation: str) -> None:
    register(world, key_of("agent"))
    register(world, key_of("forge"), "forge")
    verb, path, field, more = SPOKEN[operation]
    body = {**more, field: "forge"}
    assert code_of(world.ask(verb, path, sign(world, body, key_of("agent")))) == (401, "INVALID_AGENT_SIGNATURE")
    assert world.ask(verb, path, sign(world, body, key_of("forge")))[0] < 300
    assert [seen["agent_id"] for seen in happened(world, "signature.verified")] == ["forge"]


def test_these_are_all_that_name_who_speaks(world: World) -> None:
    speaking = {found.name for found in world.runtime.registry.operations if found.speaker is not None}
    assert speaking == {*SPOKEN, "create_pairing"}


def test_a_proven_agent_signs_with_its_own_key_alone(world: World) -> None:
    register(world, key_of("agent"))
    register(world, key_of("forge"), "forge")
    proven = AGENT._replace(agent_id="forge", agent_verified=True)
    body = {"name": "Build", "agent_id": "forge", "cron_expression": "0 * * * *"}
    forged = sign(world, body, key_of("agent"))
    assert code_of(world.ask("POST", "/api/agent-schedules", forged, caller=proven)) == (401, "INVALID_AGENT_SIGNATURE")
    assert world.ask("POST", "/api/agent-schedules", sign(world, body, key_of("forge")), caller=proven)[0] == 201


def test_keys_that_were_given_up_take_no_place_from_those_that_sign(world: World) -> None:
    register(world, key_of("agent"))
    for number in range(66):
        identity = register(world, ed25519.Ed25519PrivateKey.generate(), f"agent-{number + 2}")
        world.ask("POST", f"/api/identities/{identity['id']}/revoke", {}, caller=ADMIN)
    assert schedule(world, key_of("agent"))[0] == 201
    assert world.ask("POST", "/api/goals", sign(world, {"title": "Fewer errors"}, key_of("agent")))[0] < 300
