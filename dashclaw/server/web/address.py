"""Addresses: of this site as people know it, and of those who ask."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .desk import Desk


def site_url(desk: Desk) -> str:
    """Where people find this site, without a slash at the end."""
    return desk.site.settings.public_url or str(desk.request.base_url).rstrip("/")


def network_of(address: str | None) -> str:
    """What counts as one address: an IPv6 network of one customer has 2**64 of them."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return address or "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)
