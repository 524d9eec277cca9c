"""Organisation management; every method needs an admin's key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from .._call import Call, Caller, endpoint, path

if TYPE_CHECKING:
    from ..types import CreatedOrganization, KeyList, OrganizationAnswer, OrganizationList


class OrgMethods(Caller):
    """Methods of the category "Organization Management"."""

    @endpoint
    def get_org(self) -> Call[OrganizationList]:
        """Return the caller's own organisation, in a list of one."""
        return Call("GET", "/api/orgs")

    @endpoint
    def create_org(self, name: str, slug: str) -> Call[CreatedOrganization]:
        """Create an organisation with its first admin key, which is shown this once.

        `slug` has lower-case letters, digits and hyphens. Raises `ConflictError` when it is taken.
        """
        return Call("POST", "/api/orgs", body={"name": name, "slug": slug})

    @endpoint
    def get_org_by_id(self, org_id: str) -> Call[OrganizationAnswer]:
        """Return the caller's organisation by its id."""
        return Call("GET", path("orgs", org_id))

    @endpoint
    def update_org(self, org_id: str, **updates: Any) -> Call[OrganizationAnswer]:
        """Change an organisation's `name`, or a setting that it knows; what it does not know is kept as metadata."""
        return Call("PATCH", path("orgs", org_id), body=updates)

    @endpoint
    def get_org_keys(self, org_id: str, *, limit: Optional[int] = None, offset: Optional[int] = None) -> Call[KeyList]:
        """Return the organisation's API keys, newest first, secrets left out: at most `limit` (200, up to 1,000)."""
        return Call("GET", path("orgs", org_id, "keys"), query={"limit": limit, "offset": offset})
