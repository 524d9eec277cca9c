"""What is signed in each mode, that a repetition is the same body, and that nothing leaves unsigned by accident."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from dashclaw import AsyncDashClaw, ConfigurationError, DashClaw, GuardUnavailableError, SigningError
from dashclaw.errors import UnknownOutcomeError
from dashclaw.testing import FakeTransport

from .support import Scripted, answer, patient

KEY = ed25519.Ed25519PrivateKey.generate()
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
CREATED = answer(
    {"action": {"action_id": "act_1", "status": "running"}, "action_id": "act_1", "decision": "allow"}, 201
)
FIELDS = {"_signed_at", "_nonce", "_signature"}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PRIVATE_KEY", "PRIVATE_KEY_PASSWORD", "SIGN", "AUTH_TOKEN"):
        monkeypatch.delenv(f"DASHCLAW_{name}", raising=False)


def verify(text: bytes | None) -> dict[str, Any]:
    """The body of a request whose signature is right; raises `InvalidSignature`."""
    assert text is not None
    body: dict[str, Any] = json.loads(text)
    signature = base64.b64decode(body["_signature"], validate=True)
    KEY.public_key().verify(signature, rfc8785.dumps({k: v for k, v in body.items() if k != "_signature"}))
    return body


def does_everything(claw: DashClaw) -> None:
    claw.guard({"action_type": "deploy"})
    claw.create_action("deploy", "Ship it", cost_estimate=1e-7)
    claw.update_outcome("act_1", "completed")
    claw.request("PUT", "/api/anything", body={"a": [1.0, None]})
    claw.request("DELETE", "/api/anything", body={"reason": "old"})
    claw.request("POST", "/api/anything")
    claw.get_actions()


MODES = {"actions": 2, "all": 6, "off": 0}


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_says_what_is_signed(mode: str) -> None:
    transport = Scripted(CREATED)
    with DashClaw(agent_id="me", transport=transport, private_key=PEM, sign=mode, retry=patient()) as claw:
        does_everything(claw)
    signed = [request for request in transport.requests if request.body and b"_signature" in request.body]
    assert len(signed) == MODES[mode]
    assert signed == transport.requests[: MODES[mode]]
    assert len({verify(request.body)["_nonce"] for request in signed}) == len(signed)
    assert transport.requests[-1].body is None
    for request in transport.requests[MODES[mode] : -1]:
        assert FIELDS & set(json.loads(request.body or b"{}")) == set()


def test_actions_are_signed_when_nobody_says_which() -> None:
    transport = Scripted(CREATED)
    with DashClaw(agent_id="me", transport=transport, private_key=KEY, guard_mode="warn", retry=patient()) as claw:
        claw.create_action("deploy", "Ship it")
        claw.update_outcome("act_1", "completed")
    check, record, outcome = transport.requests
    assert verify(check.body)["_nonce"] != verify(record.body)["_nonce"]
    assert "_signature" not in json.loads(outcome.body or b"")


def test_a_repetition_is_the_very_same_signed_body() -> None:
    transport = Scripted(UnknownOutcomeError("reset"), answer({}, 503), CREATED)
    with DashClaw(agent_id="me", transport=transport, private_key=PEM, retry=patient()) as claw:
        claw.create_action("deploy", "Ship it")
        claw.create_action("deploy", "Ship it")
    first, second, third, other = transport.requests
    assert first.body == second.body == third.body != other.body
    assert first.headers["Idempotency-Key"] == third.headers["Idempotency-Key"] != other.headers["Idempotency-Key"]
    assert verify(first.body)["_nonce"] != verify(other.body)["_nonce"]


def test_what_is_signed_is_what_is_sent_in_the_end() -> None:
    transport = Scripted(CREATED)
    with DashClaw(agent_id="me", transport=transport, private_key=PEM, sign="all", retry=patient()) as claw:
        claw.create_action("deploy", "password=hunter2hunter2", side_effects={"b", "a"}, day=None)
    body = verify(transport.requests[0].body)
    assert "hunter2" not in json.dumps(body)
    assert body["side_effects"] == ["a", "b"]
    transport.requests[0] = transport.requests[0]._replace(body=json.dumps({**body, "declared_goal": "x"}).encode())
    with pytest.raises(InvalidSignature):
        verify(transport.requests[0].body)


def broken(_: bytes) -> bytes:
    raise TimeoutError("the key service is away")


broken.algorithm = "Ed25519"  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [2**60, "\ud800", {"deep": "\udfff"}])
def test_a_body_without_canonical_form_does_not_leave(value: Any) -> None:
    transport = Scripted(CREATED)
    claw = DashClaw(agent_id="me", transport=transport, private_key=PEM, retry=patient())
    with claw, pytest.raises(SigningError):
        claw.create_action("deploy", "Ship it", value=value)
    assert transport.requests == []


@pytest.mark.parametrize("settings", [{}, {"guard_failure": "open"}, {"guard_mode": "warn"}, {"guard_mode": "enforce"}])
def test_a_key_that_fails_stops_the_action_whatever_the_failure_mode(settings: dict[str, str]) -> None:
    transport = Scripted(CREATED)
    with DashClaw(agent_id="me", transport=transport, private_key=broken, retry=patient(), **settings) as claw:
        with pytest.raises(SigningError, match="nothing was sent"):
            claw.create_action("deploy", "Ship it")
        with pytest.raises(SigningError), claw.track("deploy", "Ship it"):
            raise AssertionError("it ran")
    assert transport.requests == []


def test_asking_for_signatures_without_a_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for mode in ("all", "actions"):
        with pytest.raises(ConfigurationError, match="DASHCLAW_PRIVATE_KEY"):
            DashClaw(agent_id="me", transport=Scripted(CREATED), sign=mode)
        monkeypatch.setenv("DASHCLAW_SIGN", mode)
        with pytest.raises(ConfigurationError, match=f"sign='{mode}' needs a key"):
            DashClaw(agent_id="me", transport=Scripted(CREATED))
        monkeypatch.delenv("DASHCLAW_SIGN")
    with pytest.raises(ConfigurationError, match="sign is one of actions, all, off"):
        DashClaw(agent_id="me", transport=Scripted(CREATED), sign="everything", private_key=PEM)
    with pytest.raises(ConfigurationError, match="private_key_password is text or bytes"):
        DashClaw(agent_id="me", transport=Scripted(CREATED), private_key=PEM, private_key_password=7)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["text", "path"])
def test_the_environment_gives_key_password_and_mode(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    locked = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))
    (tmp_path / "agent.key").write_bytes(locked)
    monkeypatch.setenv("DASHCLAW_PRIVATE_KEY", locked.decode() if kind == "text" else str(tmp_path / "agent.key"))
    monkeypatch.setenv("DASHCLAW_PRIVATE_KEY_PASSWORD", "open sesame")
    monkeypatch.setenv("DASHCLAW_SIGN", "all")
    transport = Scripted(CREATED)
    with DashClaw(agent_id="me", transport=transport, retry=patient()) as claw:
        claw.update_outcome("act_1", "completed")
    verify(transport.requests[0].body)
    # What is given goes before the environment, and "off" does not even read the key.
    monkeypatch.setenv("DASHCLAW_PRIVATE_KEY", "damaged")
    with DashClaw(agent_id="me", transport=transport, sign="off", retry=patient()) as claw:
        claw.create_action("deploy", "Ship it")
    with DashClaw(agent_id="me", transport=transport, private_key=KEY, retry=patient()) as claw:
        claw.create_action("deploy", "Ship it")
    assert "_signature" not in json.loads(transport.requests[1].body or b"")
    verify(transport.requests[2].body)


def test_the_asynchronous_client_signs_alike_and_off_the_event_loop() -> None:
    threads = set()

    def service(data: bytes) -> bytes:
        threads.add(threading.current_thread())
        return KEY.sign(data)

    service.algorithm = "Ed25519"  # type: ignore[attr-defined]
    transport = Scripted(UnknownOutcomeError("reset"), CREATED)

    async def main() -> None:
        settings: dict[str, Any] = {"agent_id": "me", "transport": transport, "sign": "all", "retry": patient()}
        async with AsyncDashClaw(private_key=service, **settings) as claw:
            await claw.create_action("deploy", "Ship it")
            await claw.update_outcome("act_1", "completed")
        async with AsyncDashClaw(private_key=broken, **settings) as claw:
            with pytest.raises(SigningError):
                await claw.create_action("deploy", "Ship it")

    asyncio.run(main())
    assert threading.main_thread() not in threads
    lost, again, outcome = transport.requests
    assert lost.body == again.body
    assert verify(again.body)["_nonce"] != verify(outcome.body)["_nonce"]


def test_a_cancelled_signature_sends_nothing() -> None:
    begun, released = threading.Event(), threading.Event()

    def slow(data: bytes) -> bytes:
        begun.set()
        assert released.wait(20)
        return KEY.sign(data)

    slow.algorithm = "Ed25519"  # type: ignore[attr-defined]
    transport = Scripted(CREATED)

    async def main() -> None:
        async with AsyncDashClaw(agent_id="me", transport=transport, private_key=slow) as claw:
            waiting = asyncio.ensure_future(claw.create_action("deploy", "Ship it"))
            await asyncio.to_thread(begun.wait, 20)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            released.set()

    asyncio.run(main())
    assert transport.requests == []


def test_a_guard_that_nobody_can_ask_is_no_signing_error() -> None:
    transport = Scripted(answer({}, 503))
    claw = DashClaw(agent_id="me", transport=transport, private_key=PEM, guard_mode="enforce", retry=patient())
    with claw, pytest.raises(GuardUnavailableError):
        claw.create_action("deploy", "Ship it")
    assert len({request.body for request in transport.requests}) == 1


def test_a_program_that_signs_can_be_tested_without_a_server() -> None:
    fake = FakeTransport()
    with DashClaw(agent_id="me", transport=fake, private_key=PEM, sign="all") as claw:
        made = claw.create_action("deploy", "Ship it")
        claw.update_outcome(made["action_id"], "completed")
    assert FIELDS & set(made["action"]) == set()
    assert all(set(call.body) >= FIELDS for call in fake.calls)
