"""Reads `data/detector_cases.txt`: texts with and without secrets, their bodies made up by a seeded generator."""

from __future__ import annotations

import random
import re
import string
import uuid
from pathlib import Path
from typing import NamedTuple

PATH = Path(__file__).parent / "data/detector_cases.txt"
_ALPHABETS = {
    "A": string.ascii_letters + string.digits,
    "h": "0123456789abcdef",
    "l": string.ascii_lowercase + string.digits,
    "U": string.ascii_uppercase + string.digits,
    "u": string.ascii_letters + string.digits + "-_",
    "b": string.ascii_letters + string.digits + "+/",
    "d": string.digits,
}
_BODY = re.compile(r"\{(?:([AhlUubd]):(\d+)|uuid)\}")


class Case(NamedTuple):
    """A text, whether a secret stands in it, and the line that it was made from."""

    text: str
    secret: bool
    line: str


def cases(seed: int = 1) -> list[Case]:
    """Every case; another seed makes other bodies."""
    chance = random.Random(seed)
    lines = [line for line in PATH.read_text("utf-8").splitlines() if line[:2] in ("+ ", "- ")]
    return [Case(_made(line[2:], chance), line[0] == "+", line) for line in lines]


def _made(template: str, chance: random.Random) -> str:
    def body(found: re.Match[str]) -> str:
        if found[1] is None:
            return str(uuid.UUID(int=chance.getrandbits(128), version=4))
        return "".join(chance.choices(_ALPHABETS[found[1]], k=int(found[2])))

    return _BODY.sub(body, template)
