"""The headers of every page."""

from __future__ import annotations

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
# With `no-referrer` browsers send forms with the origin "null", which could not be told from a foreign one.
PAGE = [
    *_ALWAYS,
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cache-control", b"no-store"),
    (b"vary", b"Cookie, HX-Request, Accept"),
]
# The address of the page is the right to decide: it is told to nobody. See `csrf.check_origin` for its form.
PRIVATE = [header for header in PAGE if header[0] != b"referrer-policy"] + [(b"referrer-policy", b"no-referrer")]
# A static file's URL holds a digest of its content.
FILE = [
    *_ALWAYS,
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"public, max-age=31536000, immutable"),
    (b"vary", b"Accept-Encoding"),
]
