"""Agent pairing: ask an operator to trust this agent's public key, and wait for the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from .._call import Call, Caller, Flow, endpoint, path

if TYPE_CHECKING:
    from ..types import CreatedPairing, Pairing, PairingAnswer


class PairingMethods(Caller):
    """Methods of the category "Agent Pairing"."""

    @endpoint
    def create_pairing(
        self, public_key_pem: str, algorithm: str = "RSASSA-PKCS1-v1_5", agent_name: Optional[str] = None
    ) -> Call[CreatedPairing]:
        """Ask an operator to trust this agent's public key (SPKI PEM, RSA or with `algorithm="Ed25519"`).

        The request waits for 15 minutes. Show `["pairing"]["code"]`: the operator compares it before approving.
        Asking again for the same key while the request waits gives the same request.
        """
        body = {
            "agent_id": self.agent_id,
            "agent_name": self.agent_name if agent_name is None else agent_name,
            "public_key": public_key_pem,
            "algorithm": algorithm,
        }
        return Call("POST", "/api/pairings", body=body)

    @endpoint
    def wait_for_pairing(self, pairing_id: str, timeout: float = 300, interval: float = 2) -> Flow[Pairing]:
        """Wait until an operator has approved a pairing, and return the pairing itself.

        `timeout` and `interval` are seconds; the decision is learnt from the event stream at once, and by asking
        every `interval` seconds where there is no stream. Failures on the way do not end the wait. Raises
        `ApprovalDeniedError`, `ApprovalExpiredError` or `ApprovalTimeoutError`.
        """
        return _await_pairing(self, pairing_id, timeout, interval)

    @endpoint
    def get_pairing(self, pairing_id: str) -> Call[PairingAnswer]:
        """Return a pairing; its `status` is pending, approved, denied or expired."""
        return Call("GET", path("pairings", pairing_id))


def _await_pairing(client: Caller, pairing_id: str, timeout: float, interval: float) -> Flow[Pairing]:
    from .._approval import ask_until
    from ..errors import ApprovalDeniedError, ApprovalExpiredError, ApprovalTimeoutError

    def decided(found: Any) -> Optional[Pairing]:
        pairing: Pairing = found["pairing"]
        status = pairing["status"]
        if status == "expired":
            raise ApprovalExpiredError(f"Nobody decided about {pairing_id} in time: ask again with create_pairing")
        if status == "denied":
            reason = pairing.get("reason") or "no reason was given"
            raise ApprovalDeniedError(f"The pairing {pairing_id} was denied: {reason}")
        return pairing if status == "approved" else None

    late = ApprovalTimeoutError(f"Nobody decided about {pairing_id} within {timeout:g} seconds; it still waits")
    ask: Call[Any] = Call("GET", path("pairings", pairing_id))
    return (yield from ask_until(client, pairing_id, ask, decided, late, timeout, interval))
