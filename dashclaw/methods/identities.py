"""Identity binding: which public key an agent signs with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from .._call import Call, Caller, endpoint

if TYPE_CHECKING:
    from ..types import IdentityAnswer, IdentityPage


class IdentityMethods(Caller):
    """Methods of the category "Identity Binding (Admin)"."""

    @endpoint
    def register_identity(
        self,
        agent_id: str,
        public_key: str,
        algorithm: str = "RSASSA-PKCS1-v1_5",
        *,
        replace: bool = False,
        old_valid_until: Optional[str] = None,
        not_before: Optional[str] = None,
        not_after: Optional[str] = None,
    ) -> Call[IdentityAnswer]:
        """Register an agent's public key (SPKI PEM, RSA or with `algorithm="Ed25519"`); needs an admin's key.

        The same key again changes nothing. Raises `ConflictError` when the agent has another key, unless
        `replace=True` gives that one up, at once or at `old_valid_until`. `not_before` and `not_after` bound the new
        key's life; times are ISO-8601.
        """
        body = {
            "agent_id": agent_id,
            "public_key": public_key,
            "algorithm": algorithm,
            "replace": True if replace else None,
            "old_valid_until": old_valid_until,
            "not_before": not_before,
            "not_after": not_after,
        }
        return Call("POST", "/api/identities", body=body)

    @endpoint
    def get_identities(
        self,
        *,
        agent_id: Optional[str] = None,
        include_replaced: Optional[bool] = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
    ) -> Call[IdentityPage]:
        """Return the identities of the organisation by agent: at most `limit` (200, up to 1,000), without the keys.

        `include_replaced=True` adds the keys that agents had before, revoked ones too; `status` says which may sign.
        """
        asked = {"agent_id": agent_id, "include_replaced": include_replaced, "limit": limit, "offset": offset}
        return Call("GET", "/api/identities", query=asked)
