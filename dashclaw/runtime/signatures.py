"""Signatures of bodies: taken off, checked against the agent's keys, kept from being replayed, recorded."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field

from dashclaw._canonical import canonical_as_read

from .binary import Base64
from .clock import moment, stamp
from .inputs import Input, read_input
from .problems import Problem, invalid
from .public_keys import read_public_key, validity, verifies
from .store import signatures as rows
from .store.engine import DuplicateError

if TYPE_CHECKING:
    from .operations import Answer, Invocation, Operation
    from .store.engine import Tx

FIELDS = frozenset({"_signature", "_nonce", "_signed_at"})
WINDOW = timedelta(minutes=5)
# What a signature of a key that may not sign is refused with.
_UNFIT = {
    "revoked": ("KEY_REVOKED", "was revoked"),
    "expired": ("KEY_EXPIRED", "has expired"),
    "replaced": ("KEY_EXPIRED", "was replaced"),
    "not_yet_valid": ("KEY_NOT_YET_VALID", "is not valid yet"),
}


class SignatureFields(Input):
    """What travels in a signed body beside its own fields."""

    signature: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(None, alias="_signature")
    nonce: Annotated[str, Field(min_length=8, max_length=256)] | None = Field(None, alias="_nonce")
    signed_at: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(None, alias="_signed_at")


class Signed(NamedTuple):
    """A body as it was received, with its signature in base64; `canonical` is None for what has no canonical form."""

    received: Mapping[str, Any]
    signature: str
    nonce: str | None
    signed_at: str | None
    canonical: bytes | None


class Proof(NamedTuple):
    """What became of a signature; `verified` is false where the organisation ignores signatures.

    `digest` is the SHA-256 of the signed bytes in hex, `form` how they were spelt: "jcs" or "python".
    """

    signature: str
    verified: bool
    agent_id: str | None = None
    key: Mapping[str, Any] | None = None
    digest: str | None = None
    form: str | None = None


class SignatureRefusedError(Problem):
    """A refusal that is recorded; `seen` is what is known of the signature."""

    def __init__(self, code: str, message: str, seen: Proof | None, agent_id: str | None, status: int = 401) -> None:
        super().__init__(status, code, message)
        self.seen = seen
        self.agent_id = agent_id


def take(body: dict[str, Any]) -> tuple[dict[str, Any], Signed | None]:
    """Part a body from its signature; raises `Problem` 400 for one that is no text."""
    given = {name: body[name] for name in FIELDS if name in body}
    fields: SignatureFields = read_input(SignatureFields, given)
    rest = {name: value for name, value in body.items() if name not in FIELDS}
    if fields.signature is None:
        return rest, None
    # Megabytes are spelt out here, before the transaction of the write holds up others.
    return rest, Signed(body, fields.signature, fields.nonce, fields.signed_at, _canonical(body))


def admit(tx: Tx, call: Invocation, operation: Operation) -> Proof | None:
    """Check the signature of a call as the organisation wants it; raises `SignatureRefusedError`.

    The nonce is used in the transaction of the write: a write that fails leaves it unused.
    """
    settings = call.runtime.policies.get(tx, call.caller.org_id).settings
    mode = settings.get("signatures", "optional")
    if call.signed is None:
        if mode == "required" and operation.signing == "required":
            text = "This organisation takes only signed bodies here: give the client its private_key"
            raise SignatureRefusedError("SIGNATURE_REQUIRED", text, None, _agent(call, operation))
        return None
    if mode == "off":
        return Proof(call.signed.signature, verified=False)
    proof = _verified(tx, call, operation, call.signed, strict=settings.get("signature_form") == "strict")
    _check_fresh(tx, call, call.signed, proof)
    return proof


def _agent(call: Invocation, operation: Operation) -> str | None:
    """The agent whose signature is expected: the proven one, else the one that the body names, else the caller's.

    What an administrator's operation names is whom it is about.
    """
    if call.caller.agent_verified or operation.role == "admin":
        return call.caller.agent_id
    named = call.raw.get(operation.speaker or "agent_id")
    return named if named and isinstance(named, str) else call.caller.agent_id


def _speaks_alone(call: Invocation, operation: Operation) -> bool:
    """Whether nobody but the expected agent may sign: what is said in its name, and what a proven agent sends."""
    return operation.speaker is not None or call.caller.agent_verified


def _verified(tx: Tx, call: Invocation, operation: Operation, signed: Signed, *, strict: bool) -> Proof:
    agent_id = _agent(call, operation)
    keys = rows.keys(tx, call.caller.org_id, agent_id)
    if operation.signing == "offered":
        keys = [*keys, *_offered(call, agent_id)]
    found = _match(keys, signed, tx.stamp, strict)
    if found is None and agent_id is not None and not _speaks_alone(call, operation):
        # The agent that it names is whom it is about: any other of the organisation may have sent it.
        found = _match(rows.keys(tx, call.caller.org_id, None), signed, tx.stamp, strict)
    if found is None:
        seen = Proof(signed.signature, verified=False, agent_id=agent_id, digest=_digest(signed.canonical))
        if not keys:
            who = f"The agent {agent_id!r}" if agent_id else "This organisation"
            raise SignatureRefusedError("AGENT_NOT_REGISTERED", f"{who} has no registered key: pair it", seen, agent_id)
        text = "The signature is not of this body and a key of the agent"
        raise SignatureRefusedError("INVALID_AGENT_SIGNATURE", text, seen, agent_id)
    key, form, data = found
    whose = key["agent_id"]
    proof = Proof(signed.signature, True, whose, key, _digest(data), form)
    state = validity(key, tx.stamp)
    if state != "valid":
        code, what = _UNFIT[state]
        text = f"The key {key['fingerprint'][:16]}… of the agent {whose!r} {what}"
        raise SignatureRefusedError(code, text, proof._replace(verified=False), whose)
    if strict and (signed.nonce is None or signed.signed_at is None):
        text = "This organisation takes only signatures with _signed_at and _nonce: use a newer client"
        raise SignatureRefusedError("SIGNATURE_INCOMPLETE", text, proof._replace(verified=False), whose)
    return proof


def _match(
    keys: list[dict[str, Any]], signed: Signed, now: str, strict: bool
) -> tuple[dict[str, Any], str, bytes] | None:
    """The key that made a signature and the bytes that it is over; keys that are valid now come first."""
    try:
        raw = base64.b64decode(signed.signature, validate=True)
    except ValueError:
        return None
    candidates = sorted(keys, key=lambda row: validity(row, now) != "valid")
    for form, data in _forms(signed, strict):
        for key in candidates:
            try:
                fits = verifies(key["public_key"], key["algorithm"], raw, data)
            except ImportError:
                text = 'Verifying a signature needs the extra "signing" here: pip install "dashclaw[signing]"'
                raise Problem(501, "SIGNATURES_UNAVAILABLE", text) from None
            if fits:
                return key, form, data
    return None


def _forms(signed: Signed, strict: bool) -> Iterator[tuple[str, bytes]]:
    """The bytes that the signature may be over: the canonical form, then that of older Python clients."""
    if signed.canonical is not None:
        yield "jcs", signed.canonical
    if not strict:
        older = json.dumps(_unsigned(signed.received), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if older.encode() != signed.canonical:
            yield "python", older.encode()


def _canonical(body: Mapping[str, Any]) -> bytes | None:
    try:
        return canonical_as_read(_unsigned(body))
    except ValueError:
        # An integer that spells no double has no canonical form.
        return None


def _unsigned(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _whole(value) for name, value in body.items() if name != "_signature"}


def _whole(value: Any) -> Any:
    """Attachments as the text that they arrived as."""
    if isinstance(value, Base64):
        return value.text()
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    return value


def _digest(data: bytes | None) -> str | None:
    return None if data is None else hashlib.sha256(data).hexdigest()


def _offered(call: Invocation, agent_id: str | None) -> list[dict[str, Any]]:
    """The key that a body itself asks to be trusted: signing with it proves that the asker has it."""
    try:
        key = read_public_key(call.body.public_key, call.body.algorithm)
    except ValueError as error:
        raise invalid("public_key", str(error)) from None
    row = dict.fromkeys(("not_before", "not_after", "replaced_at", "revoked_at"))
    about = {"agent_id": call.body.agent_id or agent_id, "algorithm": call.body.algorithm, "public_key": key.pem}
    return [{**row, **about, "id": None, "fingerprint": key.fingerprint}]


def _check_fresh(tx: Tx, call: Invocation, signed: Signed, proof: Proof) -> None:
    """Refuse what is too old or was used; raises `SignatureRefusedError`."""
    if signed.signed_at is None:
        return
    at = _moment(signed.signed_at)
    if abs(tx.now - at) > WINDOW:
        text = f"_signed_at is {signed.signed_at}, more than 5 minutes from this server's {tx.stamp}: sign anew"
        raise SignatureRefusedError("SIGNATURE_EXPIRED", text, proof._replace(verified=False), proof.agent_id)
    if signed.nonce is None:
        return
    try:
        fresh = rows.use_nonce(tx, call.caller.org_id, proof.agent_id or "", signed.nonce, stamp(at + WINDOW))
    except DuplicateError:
        fresh = False
    if not fresh:
        text = "This signed body was accepted before: sign anew"
        raise SignatureRefusedError("SIGNATURE_REPLAYED", text, proof._replace(verified=False), proof.agent_id)


def _moment(text: str) -> datetime:
    try:
        return moment(text)
    except (ValueError, OverflowError):
        raise invalid("_signed_at", "must be an ISO-8601 time, for example 2026-01-31T12:00:00Z") from None


def record(tx: Tx, call: Invocation, operation: Operation, answer: Answer) -> None:
    """Append what was verified to the log, with the write that it belongs to."""
    proof, signed = call.proof, call.signed
    if proof is None or signed is None or not proof.verified:
        return
    protected = signed.nonce is not None and signed.signed_at is not None
    data = {
        "operation": operation.name,
        "agent_id": proof.agent_id,
        **_about(proof),
        "form": proof.form,
        "replay_protected": protected,
        "signed_at": signed.signed_at,
        "status": answer.status,
        **{name: answer.body[name] for name in ("action_id", "decision_id") if _names(answer.body, name)},
        **call.params,
    }
    tx.emit(call.caller, "signature.verified", "signature", proof.digest or "", data, proof.agent_id)


def record_refusal(call: Invocation, operation: Operation, refused: SignatureRefusedError) -> None:
    """Append a refusal to the log; the write that it was for was undone."""
    seen = refused.seen
    data = {
        "operation": operation.name,
        "agent_id": refused.agent_id,
        "code": refused.code,
        **_about(seen or Proof("", verified=False)),
        **call.params,
    }
    resource = (seen.digest if seen else None) or "unsigned"
    with call.runtime.store.write(call.caller.org_id) as tx:
        tx.emit(call.caller, "signature.refused", "signature", resource, data, refused.agent_id)


def _about(proof: Proof) -> dict[str, Any]:
    key = proof.key or {}
    return {
        "identity_id": key.get("id"),
        "fingerprint": key.get("fingerprint"),
        "algorithm": key.get("algorithm"),
        "signature": proof.signature or None,
        "digest": proof.digest,
    }


def _names(body: Any, name: str) -> bool:
    return isinstance(body, dict) and isinstance(body.get(name), str)
