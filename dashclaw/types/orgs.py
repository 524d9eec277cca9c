"""Answers of the categories "Organization Management" and "Activity Logs"."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._compat import TypedDict
from .vocabulary import Role


class Organization(TypedDict):
    """An organisation."""

    id: str
    name: str
    slug: str
    plan: str
    active_keys: int
    created_at: str
    updated_at: str
    settings: Dict[str, Any]
    metadata: Dict[str, Any]


class OrganizationList(TypedDict):
    """The caller's own organisation, in a list."""

    organizations: List[Organization]


class NewApiKey(TypedDict):
    """A key that was just made; `key` is shown this once."""

    id: str
    key: str
    prefix: str
    key_prefix: str
    label: Optional[str]
    role: Role
    operator: Optional[str]
    approver_roles: List[str]
    metadata: Dict[str, Any]
    created_at: str
    warning: str


class CreatedOrganization(TypedDict):
    """A new organisation with its first key."""

    organization: Organization
    api_key: NewApiKey
    warnings: List[str]


class OrganizationAnswer(TypedDict):
    """One organisation."""

    organization: Organization
    active_keys: int
    warnings: List[str]


class ApiKey(TypedDict):
    """A key as it is listed."""

    id: str
    org_id: str
    key_prefix: str
    label: Optional[str]
    role: Role
    operator: Optional[str]
    approver_roles: List[str]
    metadata: Dict[str, Any]
    last_used_at: Optional[str]
    created_at: str
    revoked_at: Optional[str]


class KeyList(TypedDict):
    """A page of an organisation's keys, newest first; `total` counts all of them."""

    keys: List[ApiKey]
    total: int
    limit: int
    offset: int
    has_more: bool
    lastUpdated: str


class ActivityEntry(TypedDict):
    """One change that somebody made."""

    id: str
    org_id: str
    actor_id: Optional[str]
    actor_type: str
    action: str
    resource_type: Optional[str]
    resource_id: Optional[str]
    details: Dict[str, Any]
    ip_address: Optional[str]
    created_at: str
    actor_name: Optional[str]
    agent_id: Optional[str]


class ActivityStats(TypedDict):
    """How many changes there are."""

    total: int
    today: int
    unique_actors: int


class Pagination(TypedDict):
    """Which part of a list was asked for."""

    limit: int
    offset: int
    total: int
    has_more: bool


class ActivityPage(TypedDict):
    """A page of the activity log, newest first."""

    logs: List[ActivityEntry]
    stats: ActivityStats
    pagination: Pagination
