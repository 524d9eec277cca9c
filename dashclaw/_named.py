"""Finds secrets by the name before them: an assignment, a field, an option of a command, a sentence."""

from __future__ import annotations

import re
from typing import Iterator, Match, NamedTuple, Optional, Tuple

from ._patterns import AWS_SECRET, NAMED, PASSWORD, Kind
from ._random import is_number, is_stand_in, looks_random
from ._regex import regex

Spot = Tuple[Kind, int, int]
_LOOK_BACK = 32
_LOOK_AHEAD = 8


def lower(text: str) -> str:
    """The text in lower case, each letter at the place where it was."""
    # This is the one letter that grows.
    return text.replace("\u0130", "i").lower()


def places(lowered: str, anchor: str) -> Iterator[int]:
    """Where `anchor` stands."""
    at = lowered.find(anchor)
    while at >= 0:
        yield at
        at = lowered.find(anchor, at + len(anchor))


# What stands between a name and its value: quotes, brackets, an operator, and the value's opening.
_GAP = r"[\"'`\])]{0,3}(?:\\[\"'])?"
_VALUE = (
    r"(?:[bBrRuU@f]?\\?\"(?P<double>[^\"\r\n\\]{4,512})|[bBrRuUf]?\\?'(?P<single>[^'\r\n\\]{4,512})"
    r"|`(?P<tick>[^`\r\n]{4,512})`|(?P<bare>[^\s\"'`,;&|<]{4,512}))"
)
_ASSIGNED = regex(
    r"s?(?:_(?:value|v?[0-9]|prod|production|dev|test|live|base64|b64|string|str|plain|old|new))?"
    + _GAP
    + r"(?P<operator>\s{0,8}(?:=>|:=|={1,3}|:(?:\s{0,4}[A-Za-z]{1,12}(?:\[\w{1,12}\])?\s{0,4}=)?|\?=)\s{0,24}"
    r"|\s{1,4}is:?\s{1,4}|\s{0,2}[,(]\s{0,4}(?=[\"'])|>|\s{1,4}(?:value|content)\s{0,2}=\s{0,2}|\s{1,4}(?=[\"'])"
    r"|[ =](?=[^\s=]))" + _VALUE,
    re.IGNORECASE,
)

# Names whose values are secret, by what stands right before the anchor.
_KEY_OF = regex(
    r"(?:api|app|application|access|auth|client|private|secret|service|account|storage|shared|signing|encryption"
    r"|encrypt|master|admin|webhook|license|consumer|deploy|sdk|server|hmac|jwt|session|cipher|aes|integration|write"
    r"|read|ingest|rest|personal|user|accountkey|sharedaccess)[_.\- ]?\Z",
    re.IGNORECASE,
)
_KEY_WITH_PREFIX = regex(r"([A-Za-z0-9]+)([_\-.])\Z")
_KEY_IN_CAMEL_CASE = regex(r"([A-Z]?[a-z]+)()\Z")
_OPEN_KEY_NAMES = (
    "primary foreign public cache partition sort sorting row hash index unique object group lookup dict translation"
    " route map idempotency shard routing order composite natural surrogate candidate join search data event state"
    " arrow ctrl alt config redis s3 file image item json meta sub parent child message lock rate store field param"
    " pub idempotent dedupe locale i18n label sha commit document cursor registry host known the a this by same get"
    " set has some any new project column col uniq"
)
_OPEN_KEYS = frozenset(_OPEN_KEY_NAMES.split())
_OPEN_TOKENS = regex(
    r"(?:page|continuation|csrf|xsrf|cancel|cancellation|sync|next|prev|previous|resume|position|snapshot|design"
    r"|special|image|client[_-]?request|idempotency|(?<![A-Za-z])(?:eos|bos|pad|unk|sep|mask|stop|max|min|start|end"
    r"|dedup|num|no|each|per|of|the|a))[_.\- ]?\Z",
    re.IGNORECASE,
)

_IN_A_WORD = frozenset("abcdefghijklmnopqrtuvwxyz0123456789.-/;?!")
_OPENS = frozenset(("", " ", "=", '"', "'", "`", "\\", "\n", "\t", ">"))
_IN_PROSE = frozenset("abdefghjklmnopqrstuwxyz0123456789")


def named(text: str, lowered: str, anchor: str) -> Iterator[Spot]:
    """Secrets behind each place where a name ends with `anchor`; `lowered` is the text in lower case."""
    last, size = -1, len(anchor)
    for at in places(lowered, anchor):
        # Most of these words stand in prose; the next two letters tell.
        follow = lowered[at + size : at + size + 2]
        if at < last or follow[:1] in _IN_A_WORD:
            continue
        # A value of a few letters is none.
        if follow[:1] in ("=", ":") and follow[1:] not in _OPENS and " " in lowered[at + size + 1 : at + size + 7]:
            continue
        if anchor == "pass" and text[at] == "p" and text[at - 1 : at].isalpha():
            continue
        if follow[:1] == " " and follow[1:] in _IN_PROSE:
            before = lowered[max(0, at - _LOOK_BACK) : at]
            if "-" not in before and "login " not in before:
                continue
        matched = _ASSIGNED.match(text, at + size)
        if matched is None:
            continue
        before = text[max(0, at - _LOOK_BACK) : at]
        spot = _assigned(text, anchor, before, matched)
        if spot is not None:
            last = spot[2]
            yield spot


class _Value(NamedTuple):
    """What stands behind a name: the value, whether it is without quotes, and what is around it."""

    text: str
    bare: bool
    operator: str
    before: str
    after: str
    camel: bool

    @property
    def said(self) -> bool:
        """Whether a sentence says it: "the password is ..."."""
        return self.operator.strip(" \t:").lower() == "is"

    @property
    def digits(self) -> bool:
        return any(letter.isdigit() for letter in self.text)


def _assigned(text: str, anchor: str, before: str, matched: Match[str]) -> Optional[Spot]:
    group = next(name for name in ("double", "single", "tick", "bare") if matched.group(name) is not None)
    raw, start = matched.group(group), matched.start(group)
    bare = group == "bare"
    kept = raw.rstrip(".:\\)]}>") if bare else raw.rstrip("\"'") if raw[:1] in "\"'" else raw
    inner = kept if bare else kept.lstrip("\"'")
    start += len(kept) - len(inner)
    end = start + len(inner)
    value = _Value(
        inner,
        bare,
        matched.group("operator"),
        before,
        text[end : end + _LOOK_AHEAD],
        text[matched.start() - len(anchor)] == "K",
    )
    if not _is_value(value, text[matched.start() : matched.start() + 2]):
        return None
    if anchor[0] == "p":
        return (PASSWORD, start, end) if _is_password(value) else None
    if "aws" in before.lower() and len(inner) == 40 and looks_random(inner):
        return AWS_SECRET, start, end
    return (NAMED, start, end) if _is_key(anchor, value) else None


_CODE = regex(r"\\?[A-Za-z_$][\w$.]*(?:->[\w$.]+)*[(\[{]")
_OPTION = regex(r"(?:^|\s)--?[A-Za-z0-9\-]{0,30}\Z|\blogin\s+\S+\s+\Z")
_LINE_END = regex(r"[ \t]{0,7}(?:$|[\r\n#])")
_WORDS = regex(r"[A-Za-z_$][\w$]*(?:(?:\.|->|::)[\w$]+)*\Z")
_PROSE = regex(
    r"(?i)\b(?:password|passwd|your|you|enter|must|please|the|should|required|invalid|wrong|confirm|forgot|least"
    r"|characters|reset|field|for|not|with)\b"
)


def _is_value(value: _Value, follow: str) -> bool:
    """Whether what was matched can be a value at all; `follow` is what stands right behind the name."""
    text = value.text
    if not text or is_stand_in(text) or is_number(text) or "://" in text or text.startswith(("./", "--", "arn:")):
        return False
    if text[0] == "/" and "+" not in text and text[-1] != "=":
        return False
    if value.bare:
        if _CODE.match(text) or (text[0] == "(" and text[1:2].isalpha()):
            return False
    elif text[0] in " +,;)." or text[-1] in " :":
        # The quote before it closes another text, or this is a label.
        return False
    if value.operator.lstrip().startswith(","):
        return ('"' in follow or "'" in follow) and (looks_random(text, 8) or _has_marks(text))
    if value.operator.isspace():
        return " " not in text if not value.bare else _OPTION.search(value.before) is not None
    return True


def _is_password(value: _Value) -> bool:
    text = value.text
    if not 6 <= len(text) <= 128:
        return False
    if value.said and not value.bare:
        return " " not in text and _PROSE.search(text) is None
    if value.said or value.operator.isspace():
        return value.digits and any(letter.isalpha() for letter in text)
    if not value.bare:
        return _PROSE.search(text) is None and text.count(" ") <= 5 and not ("/" in text and text.count("/") > 1)
    if looks_random(text, 12):
        return True
    if _WORDS.match(text) and ("." in text or "_" in text or not value.digits):
        # A bare word is the name of a variable, unless it ends the line or stands in a row of settings.
        in_a_row = value.after.startswith(";") and ";" in value.before
        return (
            value.operator == "="
            and not set("._") & set(text)
            and (in_a_row or _LINE_END.match(value.after) is not None)
        )
    return True


def _is_key(anchor: str, value: _Value) -> bool:
    before, text = value.before, value.text
    if " " in text or (value.bare and "." in text and _WORDS.match(text)):
        return False
    if anchor == "key" and not _KEY_OF.search(before):
        prefix = _KEY_WITH_PREFIX.search(before) or (_KEY_IN_CAMEL_CASE.search(before) if value.camel else None)
        if prefix is None and not before[-1:].isalnum():
            return not value.bare and text.isalnum() and not text.islower() and looks_random(text, 20)
        if prefix is None or prefix.group(1).lower() in _OPEN_KEYS or (prefix.group(2) == "." and value.bare):
            return False
    if anchor == "token" and _OPEN_TOKENS.search(before):
        return False
    short = anchor in ("secret", "credential") and not value.bare and not value.said
    least = 8 if short else 16 if value.said or value.bare else 10
    return looks_random(text, least) or (len(text) >= 8 and not value.said and _has_marks(text))


def _has_marks(text: str) -> bool:
    """Whether a value has marks that names and code seldom have."""
    marks = {letter for letter in text if not letter.isalnum() and letter not in "-_./: "}
    if len(marks) >= 4:
        return text[0] not in "^([\\/"
    return bool(marks) and text.isascii() and any(letter.isdigit() for letter in text) and text[-1] not in "=)]}"
