"""Which addresses a policy may call: public ones over https, judged on the parsed host without any look-up."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

PRIVATE_SUFFIXES = (".local", ".internal", ".localhost", ".test", ".invalid", ".onion", ".lan", ".home.arpa")

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
_NUMERIC_LABEL = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z")


def why_not_public(url: str) -> str | None:
    """Return what is wrong with an address as the target of a check, or None when it may be called.

    The name is not resolved here: whoever calls it must judge the resolved address again.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        _ = parts.port
    except ValueError:
        return "is not a readable URL"
    if parts.scheme != "https":
        return "must use https"
    if not host:
        return "names no host"
    if parts.username is not None or parts.password is not None:
        return "must not hold credentials"
    return None if _is_public(host) else f"must name a public host, and {host} is not one"


def is_public_address(text: str) -> bool:
    """Whether a resolved address is one of the public internet; addresses that wrap another are judged by both."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public_address(str(address.ipv4_mapped))
        if (wrapped := _wrapped(address)) is not None and not is_public_address(str(wrapped)):
            return False
    return address.is_global and not address.is_multicast


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a translator would reach for this one."""
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _TRANSLATED else address.sixtofour


def _is_public(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        numeric = _NUMERIC_LABEL.match(host.rpartition(".")[2])
        return "." in host and not numeric and not host.endswith(PRIVATE_SUFFIXES)
    return is_public_address(host)
