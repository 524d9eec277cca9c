"""What a policy is, which types there are, and whether its rules can be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .approvals import MAX_APPROVALS, MAX_APPROVER_ROLES, are_approver_roles
from .matching import any_of
from .remote_url import why_not_public

ALLOW, WARN, REQUIRE_APPROVAL, BLOCK = "allow", "warn", "require_approval", "block"
SEVERITY: dict[str, int] = {ALLOW: 0, WARN: 1, REQUIRE_APPROVAL: 2, BLOCK: 3}
DECISIONS: tuple[str, ...] = tuple(SEVERITY)

MAX_PATTERNS = 200
MAX_PATTERN_LENGTH = 256
MAX_INSTRUCTION = 3000
MAX_WINDOW_MINUTES = 10080
MAX_BUDGET_MINUTES = 44640


class Policy(NamedTuple):
    """One policy as it is stored.

    `agent_ids` empty means every agent; otherwise an action without an agent is outside the policy. `rules` may be a
    value that could not be read: the policy then stops every action until somebody repairs it.
    """

    id: str
    name: str
    policy_type: str
    rules: Mapping[str, Any]
    agent_ids: tuple[str, ...] = ()


class Field(NamedTuple):
    """One key of a policy's rules: the test of a value, in words and as a function, and the value when it is absent."""

    expects: str
    accepts: Callable[[Any], bool]
    default: Any = None
    required: bool = False


class PolicyType(NamedTuple):
    """One type of policy: what it does, the decision it makes unless its rules say otherwise, and its keys."""

    summary: str
    action: str
    fields: Mapping[str, Field]

    @property
    def defaults(self) -> dict[str, Any]:
        """Return the value of every key that may be left out."""
        return {key: field.default for key, field in self.fields.items() if field.default is not None}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _whole(lowest: int, highest: int | None = None) -> Callable[[Any], bool]:
    def accepts(value: Any) -> bool:
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return value >= lowest and (highest is None or value <= highest)

    return accepts


def _one_of(*choices: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in choices


def _text(limit: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value.strip() != "" and len(value) <= limit


def _patterns(value: Any) -> bool:
    if not isinstance(value, (list, tuple)) or not 0 < len(value) <= MAX_PATTERNS:
        return False
    if not all(isinstance(item, str) and item.strip() and len(item) <= MAX_PATTERN_LENGTH for item in value):
        return False
    try:
        any_of(value)
    except re.error:
        return False
    return True


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("https://", "http://")) and len(value) <= 2000


_SCORE = Field("a number from 0 to 100", lambda value: _is_number(value) and 0 <= value <= 100)
_PATTERNS = Field(
    f"a list of 1 to {MAX_PATTERNS} names or globs, each of 1 to {MAX_PATTERN_LENGTH} characters", _patterns
)
_ACTION_TYPES = _PATTERNS._replace(required=True)
_DECISION = Field("one of " + ", ".join(DECISIONS), _one_of(*DECISIONS))
_BUDGET_WINDOW = Field(f"a whole number from 1 to {MAX_BUDGET_MINUTES}", _whole(1, MAX_BUDGET_MINUTES), 1440)
_REVERSIBLE = Field("true or false", lambda value: isinstance(value, bool))
WHEN_FIELDS: Mapping[str, Field] = {"reversible": _REVERSIBLE, "systems_touched": _PATTERNS, "min_risk": _SCORE}
UNLESS_FIELDS: Mapping[str, Field] = {"action_types": _PATTERNS, "systems_touched": _PATTERNS}
_LISTED: Mapping[str, Field] = {
    "action_types": _ACTION_TYPES,
    "match_systems": Field("true or false", lambda value: isinstance(value, bool)),
    "unless": Field("an object with action_types or systems_touched", lambda value: isinstance(value, Mapping)),
}
_COMMON: Mapping[str, Field] = {
    "when": Field("an object with reversible, systems_touched or min_risk", lambda value: isinstance(value, Mapping)),
    "description": Field(
        "a text of at most 1000 characters", lambda value: isinstance(value, str) and len(value) <= 1000
    ),
}
_APPROVALS: Mapping[str, Field] = {
    "approvals_required": Field(f"a whole number from 1 to {MAX_APPROVALS}", _whole(1, MAX_APPROVALS)),
    "approver_roles": Field(
        f"a list of 1 to {MAX_APPROVER_ROLES} different roles such as admin or security: lower-case letters, digits and"
        " . _ -, at most 64 characters, neither member nor readonly",
        are_approver_roles,
    ),
}


def _type(
    summary: str,
    action: str,
    fields: Mapping[str, Field],
    *,
    choice: bool = False,
    fixed: bool = True,
    asks: bool = False,
) -> PolicyType:
    """Describe a type whose action is the operator's choice, fixed, or (neither) what a remote check answers.

    `asks` is for a fixed action beside which the policy may still ask for approval.
    """
    own: dict[str, Field] = {}
    if choice or not fixed or asks or action == REQUIRE_APPROVAL:
        own |= _APPROVALS
    if choice:
        own["action"] = _DECISION._replace(default=action)
    elif fixed:
        own["action"] = Field(f"{action}, the only action of this type of policy", _one_of(action), action)
    return PolicyType(summary, action, {**fields, **own, **_COMMON})


POLICY_TYPES: Mapping[str, PolicyType] = {
    "agent_allowlist": _type(
        "Fires when the action type is not in a list.", WARN, {"allowed_action_types": _ACTION_TYPES}, choice=True
    ),
    "allow_grant": _type(
        "Turns a warning or an approval into allow for the listed actions; never a block, never a degraded decision.",
        ALLOW,
        {"action_types": _ACTION_TYPES},
    ),
    "block_action_type": _type("Blocks the listed actions.", BLOCK, _LISTED),
    "cost_budget": _type(
        "Fires when an agent's model calls in the window cost that much.",
        REQUIRE_APPROVAL,
        {
            "max_usd": Field("a number above 0", lambda value: _is_number(value) and 0 < value <= 1e9, required=True),
            "window_minutes": _BUDGET_WINDOW,
        },
        choice=True,
    ),
    "protected_path": _type(
        "Fires when a declared path, system or tool argument lies in a protected place.",
        REQUIRE_APPROVAL,
        {"paths": _ACTION_TYPES},
        choice=True,
    ),
    "rate_limit": _type(
        "Fires when an agent already has that many decisions in the window.",
        WARN,
        {
            "max_actions": Field("a whole number above 0", _whole(1), 50),
            "window_minutes": Field("a whole number above 0", _whole(1), 60),
        },
        choice=True,
    ),
    "require_approval": _type("Asks a person before the listed actions.", REQUIRE_APPROVAL, _LISTED),
    "risk_threshold": _type(
        "Fires when the risk score reaches a threshold.", BLOCK, {"threshold": _SCORE._replace(default=80)}, choice=True
    ),
    "semantic_check": _type(
        "Asks a language model whether the action follows an instruction.",
        BLOCK,
        {
            "instruction": Field(f"a text of 1 to {MAX_INSTRUCTION} characters", _text(MAX_INSTRUCTION), required=True),
            "model": Field("a text of 1 to 200 characters", _text(200), "gpt-4o-mini"),
            "fallback": _DECISION,
        },
        asks=True,
    ),
    "token_budget": _type(
        "Fires when an agent's model calls in the window used that many tokens.",
        REQUIRE_APPROVAL,
        {
            "max_tokens": Field("a whole number above 0", _whole(1), required=True),
            "window_minutes": _BUDGET_WINDOW,
        },
        choice=True,
    ),
    "warn_action_type": _type("Warns about the listed actions.", WARN, _LISTED),
    "webhook_check": _type(
        "Asks a service of yours, which may make the decision stricter.",
        ALLOW,
        {
            "url": Field("an https URL of at most 2000 characters", _is_url, required=True),
            "timeout_ms": Field("a whole number from 1000 to 10000", _whole(1000, 10000), 5000),
            "on_timeout": _DECISION,
        },
        fixed=False,
    ),
}


def check_policy(policy_type: str, rules: object, *, private_hosts: bool = False) -> list[str]:
    """Return what is wrong with a policy, one sentence each; an empty list when it can be stored.

    `private_hosts` lets a webhook_check name a host that is not public, for development and tests.
    """
    found = unreadable(policy_type, rules)
    if not found and policy_type == "webhook_check" and not private_hosts and isinstance(rules, Mapping):
        complaint = why_not_public(rules["url"])
        if complaint:
            found.append(f"rules.url {complaint}.")
    return found


def unreadable(policy_type: object, rules: object) -> list[str]:
    """Return why rules cannot be followed, one sentence each; an empty list when they can."""
    kind = POLICY_TYPES.get(policy_type) if isinstance(policy_type, str) else None
    if kind is None:
        return [f"policy_type {policy_type!r:.80} is not one of {', '.join(POLICY_TYPES)}."]
    if not isinstance(rules, Mapping):
        return ["rules must be an object."]
    found = _complaints("rules", rules, kind.fields)
    for key, fields in (("when", WHEN_FIELDS), ("unless", UNLESS_FIELDS)):
        inner = rules.get(key)
        if key in kind.fields and isinstance(inner, Mapping):
            found += _complaints(f"rules.{key}", inner, fields)
    return found or _idle(kind, rules)


def _idle(kind: PolicyType, rules: Mapping[str, Any]) -> list[str]:
    """Complain about conditions of an approval for which the policy can never ask."""
    choice = kind.fields.get("action")
    if choice is None or choice.accepts(REQUIRE_APPROVAL) is False or rules.get("action") == REQUIRE_APPROVAL:
        return []
    if rules.get("action") is None and choice.default == REQUIRE_APPROVAL:
        return []
    given = [key for key in _APPROVALS if rules.get(key) is not None]
    return [f"rules.{key} needs the action require_approval." for key in given]


def with_defaults(policy_type: str, rules: Mapping[str, Any]) -> dict[str, Any]:
    """Return readable rules with every absent key at its default (None where it has none)."""
    fields = POLICY_TYPES[policy_type].fields
    return {key: field.default if rules.get(key) is None else rules[key] for key, field in fields.items()}


def _complaints(where: str, rules: Mapping[Any, Any], fields: Mapping[str, Field]) -> list[str]:
    found = [
        f"{where}.{key!s:.80} is unknown; this place knows {', '.join(fields)}."
        for key in sorted(rules, key=str)
        if key not in fields
    ]
    for key, field in fields.items():
        value = rules.get(key)
        if value is None:
            if field.required:
                found.append(f"{where}.{key} is required: {field.expects}.")
        elif not field.accepts(value):
            found.append(f"{where}.{key} must be {field.expects}.")
    return found
