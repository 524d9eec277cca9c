"""The risk of an action, from what it declares: the higher of the caller's number and our own."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .matching import fold

if TYPE_CHECKING:
    from collections.abc import Mapping

BASE_BY_TYPE: dict[str, int] = {
    "security": 80,
    "deploy": 75,
    "migrate": 70,
    "apply": 60,
    "sync": 40,
    "api": 35,
    "config": 30,
    "cleanup": 30,
    "build": 25,
    "post": 25,
    "fix": 20,
    "refactor": 20,
    "test": 15,
    "message": 15,
    "monitor": 10,
    "alert": 10,
    "calendar": 10,
    "research": 10,
    "review": 10,
}
BASE_OTHER = 20
IRREVERSIBLE = 15
HIGHEST = 100


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DATA_SYSTEMS, DATA_POINTS = _words("production database postgres neon redis"), 10
HOST_SYSTEMS, HOST_POINTS = _words("filesystem shell"), 5
DESTRUCTIVE = _words(
    """
    delete deletes deleted deleting deletion drop drops dropped dropping destroy destroys destroyed destroying
    wipe wipes wiped wiping purge purges purged purging truncate truncates truncated truncating
    erase erases erased erasing remove removes removed removing removal overwrite overwrites overwriting rm rmdir
    """
)
DEPLOYMENT = _words(
    """
    deploy deploys deployed deploying deployment deployments release releases released releasing
    rollout rollouts publish publishes published publishing
    """
)
SECRETS = _words("secret secrets password passwords passphrase credential credentials apikey apikeys")
GOAL_POINTS: tuple[tuple[int, frozenset[str]], ...] = ((20, DESTRUCTIVE), (10, DEPLOYMENT), (15, SECRETS))

_POINTS_OF_KINDS = (0, DATA_POINTS, HOST_POINTS, DATA_POINTS + HOST_POINTS)
_GOAL_WORDS = DESTRUCTIVE | DEPLOYMENT | SECRETS
_ASCII_LETTERS = {code: chr(code) if chr(code).isalpha() else " " for code in range(128)}
_WORD = re.compile(r"[^\W\d_]+")
_KEY_NAME = re.compile(r"\b(?:api|private|ssh|access|auth|refresh)[ _-](?:key|token)s?\b")
_TYPE_FAMILY = re.compile(r"[.:/]")
_REMEMBERED_GOAL = 512


def score_risk(context: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return the risk of an action, 0..100, and what it is made of.

    The score is the higher of the caller's `risk_score` and the server's sum: a base by action type (20 for unknown
    types; `deploy.web` counts as `deploy`), +15 when `reversible` is false, +10 and +5 for touched systems, +20, +15
    and +10 for the goal's wording. Words count whole: `prod_database` names a database, `databases` none.
    """
    action_type = context.get("action_type")
    goal = context.get("declared_goal")
    touched = context.get("systems_touched")
    base = _base(action_type) if isinstance(action_type, str) else BASE_OTHER
    irreversible = IRREVERSIBLE if reversibility(context) is False else 0
    systems = _systems(touched) if touched else 0
    if not goal or not isinstance(goal, str):
        wording = 0
    else:
        wording = _goal(goal) if len(goal) <= _REMEMBERED_GOAL else _goal.__wrapped__(goal)
    server = min(base + irreversible + systems + wording, HIGHEST)
    client = _client(context.get("risk_score"))
    return (server if client is None or server > client else client), {
        "base": base,
        "irreversible": irreversible,
        "systems": systems,
        "goal": wording,
        "server": server,
        "client": client,
    }


def reversibility(context: Mapping[str, Any]) -> bool | None:
    """Return whether the action says it can be undone; None when it does not say (1 and 0 are read as booleans)."""
    value = context.get("reversible")
    return bool(value) if isinstance(value, int) else None


def _client(value: object) -> int | None:
    """Return the caller's number within 0..100; a number that is none (NaN) counts as the highest."""
    if type(value) is int:
        return value if 0 <= value <= HIGHEST else (0 if value < 0 else HIGHEST)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    if value <= 0:
        return 0
    return int(value) if value < HIGHEST else HIGHEST


@lru_cache(maxsize=1024)
def _base(action_type: str) -> int:
    name = fold(action_type).strip()
    found = BASE_BY_TYPE.get(name)
    return BASE_BY_TYPE.get(_TYPE_FAMILY.split(name, 1)[0], BASE_OTHER) if found is None else found


def _systems(touched: object) -> int:
    if isinstance(touched, str):
        touched = (touched,)
    if not isinstance(touched, (list, tuple, set, frozenset)):
        return 0
    kinds = 0
    for name in touched:
        if isinstance(name, str):
            kinds |= _kinds_of_system(name)
    return _POINTS_OF_KINDS[kinds]


@lru_cache(maxsize=2048)
def _kinds_of_system(name: str) -> int:
    words = _split(fold(name))
    return (not DATA_SYSTEMS.isdisjoint(words)) + 2 * (not HOST_SYSTEMS.isdisjoint(words))


@lru_cache(maxsize=1024)
def _goal(goal: str) -> int:
    text = fold(goal)
    words = _split(text)
    told = _GOAL_WORDS.intersection(words)
    if ("key" in text or "token" in text) and _KEY_NAME.search(text) is not None:
        told |= {"secret"}
    return sum([points for points, named in GOAL_POINTS if not named.isdisjoint(told)]) if told else 0


def _split(folded: str) -> list[str]:
    """Return the runs of letters; the table does for ASCII what the expression does, in a third of the time."""
    return folded.translate(_ASCII_LETTERS).split() if folded.isascii() else _WORD.findall(folded)
