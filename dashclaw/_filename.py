"""File names as data: what a name in a header or a message may be once it is used as a file name."""

from __future__ import annotations

import re
import unicodedata
from typing import Mapping

_LONGEST = 200
_FORBIDDEN = frozenset('<>:"|?*')
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_EXTENDED = re.compile(r"filename\*\s{0,8}=\s{0,8}(?:utf-8|UTF-8)'[^']{0,32}'([^;\s]{1,4096})")
_PLAIN = re.compile(r"filename\s{0,8}=\s{0,8}(?:\"((?:[^\"\\]|\\.){0,4096})\"|([^;\s\"]{1,4096}))")


def safe_name(name: str, otherwise: str) -> str:
    """Return a name as the name of a file in a folder, never as a way to another one.

    Only the part after the last slash or backslash counts; characters that no file system or terminal takes, or that
    turn the reading direction, become "_". `otherwise` is returned when nothing is left.
    """
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join("_" if _strange(letter) else letter for letter in last).strip().rstrip(". ")
    if len(kept) > _LONGEST:
        stem, dot, ending = kept.rpartition(".")
        ending = dot + ending if 0 < len(ending) < 16 else ""
        kept = ((stem if ending else kept)[: _LONGEST - len(ending)] + ending).rstrip(". ")
    return kept if kept.strip("._ ") else otherwise


def _strange(letter: str) -> bool:
    return letter in _FORBIDDEN or unicodedata.category(letter) in _STEERING


def disposition(name: str) -> str:
    """Return the `Content-Disposition` of a download with this name."""
    from urllib.parse import quote

    plain = "".join(letter if " " <= letter <= "~" and letter not in '"\\%' else "_" for letter in name)
    extended = f"; filename*=UTF-8''{quote(name, safe='')}" if plain != name else ""
    return f'attachment; filename="{plain}"{extended}'


def name_in(headers: Mapping[str, str], otherwise: str) -> str:
    """Return the file name that the headers of a download give, safe to be used; else `otherwise`."""
    from urllib.parse import unquote

    text = headers.get("content-disposition", "")
    extended = _EXTENDED.search(text)
    if extended is not None:
        return safe_name(unquote(extended.group(1)), otherwise)
    plain = _PLAIN.search(text)
    if plain is None:
        return otherwise
    quoted = plain.group(1)
    return safe_name(plain.group(2) if quoted is None else re.sub(r"\\(.)", r"\1", quoted), otherwise)
