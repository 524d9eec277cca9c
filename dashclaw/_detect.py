"""Finds secrets in a text in time that grows with its length.

Two ways lead to a secret: how a long word starts, looked up in a table; or the name before it, such as "password".
Each place where one may stand costs a bounded amount of work, whatever stands around it.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Pattern, Sequence, Tuple

from ._named import lower, named, places
from ._patterns import (
    BASIC,
    BEARER,
    DISCORD,
    DISCORD_SHAPE,
    JWT,
    JWT_SHAPE,
    LINK,
    MAILCHIMP,
    PRIVATE_KEY,
    SHORT_KEY,
    SIGNATURE,
    TELEGRAM,
    TERRAFORM,
    TOKENS,
    URL,
    WEBHOOK,
    Kind,
    Token,
)
from ._random import is_stand_in, is_template, looks_random
from ._regex import regex

Spot = Tuple[Kind, int, int]
_LONGEST_KEY = 16384


class Finding(NamedTuple):
    """A finding in a text: which kind, and where it stands (`start`, `end` in characters)."""

    kind: Kind
    start: int
    end: int


def find_secrets(text: str) -> List[Finding]:
    """Return the secrets in a text in the order they stand, none overlapping another."""
    return sorted(choose(text, _spots(text)), key=_start)


def choose(text: str, spots: Any) -> List[Finding]:
    """Keep the spots that overlap no earlier one and were not masked before."""
    found: List[Finding] = []
    taken: Optional[bytearray] = None
    for kind, start, end in spots:
        if text.startswith("[REDACTED", start):
            continue
        if taken is None:
            taken = bytearray(len(text))
        if taken.find(1, start, end) < 0:
            taken[start:end] = b"\x01" * (end - start)
            found.append(Finding(kind, start, end))
    return found


def _start(finding: Finding) -> int:
    return finding.start


def _spots(text: str) -> Iterator[Spot]:
    lowered = lower(text)
    if "private key" in lowered:
        yield from _private_keys(text)
    yield from _long_words(text)
    for anchor, find in ANCHORS:
        if anchor in lowered:
            yield from find(text, lowered, anchor)


_HEADER = regex(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_KEY_BODY = regex(r"[A-Za-z0-9+/=\s:,\\\-]{1,16384}")


def _private_keys(text: str) -> Iterator[Spot]:
    end, at = -1, 0
    for header in _HEADER.finditer(text):
        start = header.end()
        if start < at or text[start : start + 1] in ("'", '"', "`"):
            continue
        if -1 < end < start or end == -1:
            end = text.find("-----END", start)
            end = len(text) * 2 if end < 0 else end
        if start < end <= start + _LONGEST_KEY:
            at = end
        else:
            # One that was cut short, as far as it looks like a key.
            body = _KEY_BODY.match(text, start)
            at = start if body is None else body.end()
        if at > start:
            yield PRIVATE_KEY, start, at


# A token stands at the start of a long word, or behind "\n" as JSON spells it.
_DIGEST = regex(r"(?i)(?:sha\d{1,3}|md5|h1)[-:=]\Z")
_LONG_WORD = regex(r"[A-Za-z0-9][A-Za-z0-9_.\-]{15,}")


def _long_words(text: str) -> Iterator[Spot]:
    lookup = TOKENS.get
    for word in _LONG_WORD.finditer(text):
        at = word.start()
        tokens = lookup(text[at : at + 2])
        spot = None if tokens is None else _token(text, at, tokens)
        if spot is None and text[at - 1 : at] == "\\" and text[at] in "nrt":
            at += 1
            spot = _token(text, at, lookup(text[at : at + 2], ()))
        if spot is None and text.startswith("eyJ", at):
            spot = _shape(JWT, JWT_SHAPE, text, at)
        if spot is None and text[at] in "MNO" and word.end() - at >= 58:
            spot = _shape(DISCORD, DISCORD_SHAPE, text, at)
        if spot is not None and _DIGEST.search(text[max(0, at - 8) : at]) is None:
            yield spot


def _shape(kind: Kind, shape: Pattern[str], text: str, at: int) -> Optional[Spot]:
    matched = shape.match(text, at)
    return None if matched is None else (kind, at, matched.end())


def _token(text: str, at: int, tokens: Sequence[Token]) -> Optional[Spot]:
    for token in tokens:
        if not text.startswith(token.prefix, at):
            continue
        start = at + len(token.prefix)
        matched = token.body.match(text, start)
        body = "" if matched is None else matched.group().rstrip(".")
        if token.least == token.most and len(body) > token.most:
            continue
        body = body[: token.most]
        if len(body) < token.least or "xxxx" in body.lower():
            continue
        if not token.weak or looks_random(body):
            return token.kind, at, start + len(body)
    return None


_BEARER = regex(r"(?i)bearer\s{1,4}(?P<secret>[A-Za-z0-9_\-.=+/~]{12,4096})")
_BASIC = regex(
    r"(?i)authorization[\"']?\s{0,4}[:=,]\s{0,4}[\"']?(?:basic|token|api[-_]?key|key|ssws)\s{1,4}"
    r"(?P<secret>[A-Za-z0-9+/_\-]{8,512}={0,2})"
)
_SHORT = regex(r"sk-(?=[a-z]*\d)[A-Za-z0-9]{6,19}(?![A-Za-z0-9_\-])")
_LINK = regex(r"://(?P<user>[^\s:/@\"'<>]{0,128}):(?P<secret>[^\s@/\"'<>]{1,256})@[A-Za-z0-9\[$({]")
_SCHEME = regex(r"([A-Za-z][A-Za-z0-9+.\-]{1,20})\Z")
_STORE_SCHEMES = "postgres postgresql mysql mariadb mongodb redis rediss amqp amqps mssql oracle clickhouse"
_STORES = frozenset(_STORE_SCHEMES.split())
_HOOKS = regex(
    r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<slack>[A-Za-z0-9/]{40,90})"
    r"|hooks/\d{17,20}/(?P<discord>[A-Za-z0-9_\-]{60,80})"
    r"|hook\.office\.com/webhookb2/(?P<teams>[A-Za-z0-9@/\-]{80,250})"
)
_TELEGRAM = regex(r"(?<![0-9])[0-9]{8,10}\Z")
_MAILCHIMP = regex(r"(?<![0-9a-f])[0-9a-f]{32}\Z")


def _bearers(text: str, lowered: str, anchor: str) -> Iterator[Spot]:
    for at in places(lowered, anchor):
        matched = _BEARER.match(text, at)
        if matched is None:
            continue
        token = matched.group("secret")
        if not is_stand_in(token) and (len(token) >= 20 or looks_random(token, 12)):
            yield BEARER, matched.start("secret"), matched.end("secret")


def _basics(text: str, lowered: str, anchor: str) -> Iterator[Spot]:
    for at in places(lowered, anchor):
        matched = _BASIC.match(text, at)
        if matched is not None and len(set(matched.group("secret"))) > 4:
            yield BASIC, matched.start("secret"), matched.end("secret")


_USER = regex(
    r"-user[ =][\"']?[^\s:\"']{1,64}:(?P<secret>[^\s\"'@]{4,256})|-u [\"']?[^\s:\"']{1,64}:(?P<short>[^\s\"']{4,256})"
)
_LONGEST_COMMAND = 200


def _users(text: str, lowered: str, anchor: str) -> Iterator[Spot]:
    for at in places(lowered, anchor):
        matched = _USER.match(text, at)
        if matched is None or (anchor == "-u " and lowered.find("curl", max(0, at - _LONGEST_COMMAND), at) < 0):
            continue
        group = matched.lastgroup or ""
        if not is_stand_in(matched.group(group)):
            yield BASIC, matched.start(group), matched.end(group)


def _links(text: str, lowered: str, anchor: str) -> Iterator[Spot]:
    for at in places(lowered, anchor):
        matched = _LINK.match(text, at)
        if matched is None or matched.group("secret") == matched.group("user"):
            continue
        scheme = _SCHEME.search(text[max(0, at - 24) : at])
        if scheme is not None:
            store = scheme.group(1).lower().split("+")[0] in _STORES
            # Databases do have the password "secret".
            if (is_template if store else is_stand_in)(matched.group("secret")):
                continue
            yield URL if store else LINK, matched.start("secret"), matched.end("secret")


def _hooks(text: str, lowered: str, anchor: str) -> Iterator[Spot]:
    for at in places(lowered, anchor):
        matched = _HOOKS.match(text, at)
        if matched is not None and matched.lastgroup is not None:
            yield WEBHOOK, matched.start(matched.lastgroup), matched.end()


def _short_keys(text: str, lowered: str, anchor: str) -> Iterator[Spot]:
    for at in places(lowered, anchor):
        matched = _SHORT.match(text, at)
        if matched is not None and sum(c.isdigit() for c in matched.group()) > 1 and not text[at - 1 : at].isalnum():
            yield SHORT_KEY, at, matched.end()


_TELEGRAM_BODY = regex(r":AA[A-Za-z0-9_\-]{32,45}(?![A-Za-z0-9_\-])")


def _telegrams(text: str, lowered: str, anchor: str) -> Iterator[Spot]:
    for at in places(lowered, anchor):
        matched, bot = _TELEGRAM_BODY.match(text, at), _TELEGRAM.search(text[max(0, at - 11) : at])
        if matched is not None and bot is not None:
            yield TELEGRAM, at - len(bot.group()), matched.end()


_ATLAS_BODY = regex(r"\.atlasv1\.[A-Za-z0-9_\-=]{50,80}")
_ATLAS_START = regex(r"(?<![A-Za-z0-9])[A-Za-z0-9]{6,18}\Z")


def _atlases(text: str, lowered: str, anchor: str) -> Iterator[Spot]:
    for at in places(lowered, anchor):
        body, start = _ATLAS_BODY.match(text, at), _ATLAS_START.search(text[max(0, at - 19) : at])
        if body is not None and start is not None:
            yield TERRAFORM, at - len(start.group()), body.end()


def _mailchimps(text: str, lowered: str, anchor: str) -> Iterator[Spot]:
    for at in places(lowered, anchor):
        if _MAILCHIMP.search(text[max(0, at - 33) : at]) and text[at + 3 : at + 4].isdigit():
            yield MAILCHIMP, at - 32, at + 4


_SIGNED_LINK = regex(r"[?&]sig=(?P<secret>[A-Za-z0-9%+/=]{43,80})")


def _signatures(text: str, lowered: str, anchor: str) -> Iterator[Spot]:
    for at in places(lowered, anchor):
        matched = _SIGNED_LINK.match(text, at - 1) if at else None
        if matched is not None:
            yield SIGNATURE, matched.start("secret"), matched.end("secret")


ANCHORS: Sequence[Tuple[str, Callable[[str, str, str], Iterator[Spot]]]] = (
    ("bearer", _bearers),
    ("authorization", _basics),
    ("-user", _users),
    ("-u ", _users),
    (".atlasv1.", _atlases),
    ("://", _links),
    ("hook", _hooks),
    ("sk-", _short_keys),
    (":aa", _telegrams),
    ("-us", _mailchimps),
    ("sig=", _signatures),
    ("key", named),
    ("token", named),
    ("_auth", named),
    ("_pat", named),
    ("_api", named),
    ("secret", named),
    ("credential", named),
    ("password", named),
    ("passwd", named),
    ("passphrase", named),
    ("pass", named),
    ("pwd", named),
)
