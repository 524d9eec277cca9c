"""Policies addressed by content: the text of each policy and of a whole set, and the hash that names it.

The text is JSON with sorted keys and without spaces, in ASCII. Numbers keep their spelling, because 1 and 1.0 are not
the same to every rule. The hash is the SHA-256 of that text in hex, so that whoever holds the text can check it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from .guard import Policy

# What the evaluator makes of policies and facts. Raise it whenever the same policies, action and facts would give
# another decision, reason, warning, list of policies or risk score than before.
ENGINE = "1"


class PolicySetText(NamedTuple):
    """A set of policies: its hash, its text, and the text of each policy under its hash."""

    hash: str
    document: str
    versions: Mapping[str, str]


class BadPolicySetError(ValueError):
    """A stored text is missing, or is not the one that its hash names."""


def text_of(value: Any) -> str:
    """Return the one text of a JSON value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def hash_of(text: str) -> str:
    """Return the SHA-256 of a text, in hex."""
    return sha256(text.encode()).hexdigest()


def policy_text(policy: Policy) -> str:
    """Return the text of everything in a policy that the guard looks at."""
    return text_of(policy._asdict())


def policy_set_text(policies: Iterable[Policy], *, kill_switch: bool, guard_degradation: str) -> PolicySetText:
    """Return what names a set of policies under the settings that the guard looks at as well."""
    texts = [policy_text(policy) for policy in policies]
    versions = {hash_of(text): text for text in texts}
    settings = {"kill_switch": kill_switch, "guard_degradation": guard_degradation}
    document = text_of({"engine": ENGINE, "policies": sorted(versions), "settings": settings})
    return PolicySetText(hash_of(document), document, versions)


def read_policy(text: str) -> Policy:
    """Return the policy of a text that `policy_text` wrote."""
    found = json.loads(text)
    scope = found["agent_ids"]
    return Policy(**{**found, "agent_ids": tuple(scope) if isinstance(scope, list) else scope})


def checked(text: str | None, expected: str) -> str:
    """Return a stored text; raises `BadPolicySetError` when it is not the one that the hash names."""
    if text is None:
        raise BadPolicySetError(f"{expected} is not stored")
    if hash_of(text) != expected:
        raise BadPolicySetError(f"what is stored under {expected} has another hash: it was changed")
    return text
