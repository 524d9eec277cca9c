"""Answers of the categories "Agent Pairing" and "Identity Binding (Admin)"."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import TypedDict
from .vocabulary import ApprovalStatus


class Pairing(TypedDict):
    """A request to trust an agent's key; `fingerprint` is the SHA-256 of the key's DER form in hex."""

    id: str
    org_id: str
    agent_id: str
    agent_name: Optional[str]
    algorithm: str
    public_key: str
    fingerprint: str
    code: str
    status: ApprovalStatus
    reason: Optional[str]
    created_by: str
    decided_by: Optional[str]
    decided_at: Optional[str]
    expires_at: str
    metadata: Dict[str, Any]
    created_at: str
    updated_at: str


class PairingAnswer(TypedDict):
    """One pairing."""

    pairing: Pairing


class CreatedPairing(TypedDict):
    """A new pairing, and where the operator finds it."""

    pairing: Pairing
    pairing_url: str
    warnings: List[str]


class ListedIdentity(TypedDict):
    """A key of an agent as it is listed; `status` says whether it may sign now."""

    id: str
    org_id: str
    agent_id: str
    algorithm: str
    fingerprint: str
    pairing_id: Optional[str]
    created_by: str
    not_before: Optional[str]
    not_after: Optional[str]
    replaced_at: Optional[str]
    replaced_by: Optional[str]
    revoked_at: Optional[str]
    revoked_by: Optional[str]
    revoke_reason: Optional[str]
    status: str
    created_at: str
    updated_at: str


class Identity(TypedDict):
    """A key of an agent, with the key itself."""

    id: str
    org_id: str
    agent_id: str
    algorithm: str
    public_key: str
    fingerprint: str
    pairing_id: Optional[str]
    created_by: str
    not_before: Optional[str]
    not_after: Optional[str]
    replaced_at: Optional[str]
    replaced_by: Optional[str]
    revoked_at: Optional[str]
    revoked_by: Optional[str]
    revoke_reason: Optional[str]
    status: str
    metadata: Dict[str, Any]
    created_at: str
    updated_at: str


class IdentityAnswer(TypedDict):
    """One identity."""

    identity: Identity
    warnings: List[str]


class IdentityPage(TypedDict):
    """A page of identities; `total` counts all that match."""

    identities: List[ListedIdentity]
    total: int
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str
