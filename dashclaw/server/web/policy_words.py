"""Policies in words: what one does in a sentence, its rules as YAML, and where in a text a complaint belongs."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from dashclaw.runtime.guard import POLICY_TYPES
from dashclaw.runtime.guard.policy import with_defaults
from dashclaw.runtime.problems import Problem
from dashclaw.runtime.yaml_text import read_yaml

_NAMED = 4
_VERBS = {"allow": "Allows", "warn": "Warns about", "require_approval": "Asks a person before", "block": "Blocks"}
# A value for each key that a type cannot do without.
_EXAMPLES: Mapping[str, Any] = {
    "action_types": ["deploy*"],
    "allowed_action_types": ["research", "read_*"],
    "paths": ["/etc/*", "~/.ssh/*"],
    "max_usd": 5,
    "max_tokens": 200_000,
    "instruction": "The action must not send personal data outside the company.",
    "url": "https://checks.example.com/guard",
}


class Complaint(NamedTuple):
    """What is wrong with a text, and on which line when that is known."""

    text: str
    line: int | None


def kinds() -> list[dict[str, Any]]:
    """Every type of policy with its summary, its keys and an example."""
    return [
        {
            "name": name,
            "summary": kind.summary,
            "fields": [(key, field.expects, field.required, field.default) for key, field in kind.fields.items()],
            "example": example(name),
        }
        for name, kind in POLICY_TYPES.items()
    ]


def example(policy_type: str) -> str:
    """Rules of a type that can be stored, as YAML; empty for a type that does not exist."""
    kind = POLICY_TYPES.get(policy_type)
    if kind is None:
        return ""
    given = {key: _EXAMPLES[key] for key, field in kind.fields.items() if field.required}
    return written({**given, **kind.defaults})


def written(value: Any) -> str:
    """A value as YAML, in the order in which it was given."""
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)
    return text


def shown(policy: Mapping[str, Any] | None) -> str:
    """What one compares of a policy, as YAML; the order of the rules is none of it. Empty for none."""
    if not policy:
        return ""
    rules = policy["rules"]
    rules = dict(sorted(rules.items())) if isinstance(rules, Mapping) else rules
    agents = policy["agent_ids"] or "every agent"
    parts = {name: policy[name] for name in ("name", "policy_type")}
    return written({**parts, "active": bool(policy["active"]), "agent_ids": agents, "rules": rules})


def changes(before: str, after: str) -> list[tuple[str, str]]:
    """The lines of two texts: `+`, `-` or a space, and the line; empty when they are equal."""
    if before == after:
        return []
    return [(line[0], line[2:]) for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] != "?"]


def read_rules(text: str) -> tuple[Any, list[Complaint]]:
    """The rules of a YAML or JSON text, or why there are none."""
    try:
        return read_yaml(text, "rules"), []
    except Problem as problem:
        said = " ".join(problem.details) or problem.message
        line = re.search(r"\bline (\d+)", said)
        return None, [Complaint(said, int(line[1]) if line else None)]


def placed(text: str, complaints: Sequence[str]) -> list[Complaint]:
    """Complaints about rules with the line of the key that they name."""
    return [Complaint(complaint, _line(text, complaint)) for complaint in complaints]


def _line(text: str, complaint: str) -> int | None:
    named = re.match(r"rules\.([\w.-]+?)\.? ", complaint)
    if named is None:
        return None
    key = re.compile(rf"""^[\s{{,]*["']?{re.escape(named[1].rpartition(".")[2])}["']?\s*:""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if key.match(line)), None)


def sentence(policy_type: str, rules: Any) -> str:
    """What a policy does, as one reads it aloud."""
    kind = POLICY_TYPES.get(policy_type)
    if kind is None or not isinstance(rules, Mapping):
        return "Cannot be read: every action of every agent is stopped."
    try:
        return _sentence(policy_type, with_defaults(policy_type, rules))
    except (KeyError, TypeError, ValueError):
        return "Cannot be read: every action of every agent is stopped."


def _sentence(policy_type: str, rules: Mapping[str, Any]) -> str:
    verb = _VERBS.get(rules.get("action") or "", "Checks")
    if policy_type in ("block_action_type", "require_approval", "warn_action_type"):
        said = f"{verb} {_names(rules['action_types'])}{_unless(rules)}"
    elif policy_type == "allow_grant":
        said = f"Lifts warnings and approvals of {_names(rules['action_types'])}"
    elif policy_type == "agent_allowlist":
        said = f"{verb} everything but {_names(rules['allowed_action_types'])}"
    elif policy_type == "protected_path":
        said = f"{verb} what touches {_names(rules['paths'])}"
    elif policy_type == "risk_threshold":
        said = f"{verb} actions of risk {rules['threshold']:g} or more"
    elif policy_type == "rate_limit":
        said = f"{verb} more than {rules['max_actions']} decisions in {_minutes(rules['window_minutes'])}, per agent"
    elif policy_type == "cost_budget":
        said = f"{verb} more once an agent spent ${rules['max_usd']:g} in {_minutes(rules['window_minutes'])}"
    elif policy_type == "token_budget":
        said = f"{verb} more once an agent used {rules['max_tokens']:,} tokens in {_minutes(rules['window_minutes'])}"
    elif policy_type == "semantic_check":
        said = f"Asks a model, and blocks what does not follow: {rules['instruction']}"
    elif policy_type == "webhook_check":
        said = f"Asks {rules['url']}, which may be stricter"
    else:
        said = POLICY_TYPES[policy_type].summary.rstrip(".")
    return said + _when(rules) + _approvals(rules) + "."


def _names(names: Sequence[str]) -> str:
    if list(names) == ["*"]:
        return "every action"
    shown = ", ".join(map(str, names[:_NAMED]))
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown


def _unless(rules: Mapping[str, Any]) -> str:
    unless = rules.get("unless") or {}
    parts = [_names(unless["action_types"])] if unless.get("action_types") else []
    if unless.get("systems_touched"):
        parts.append(f"what touches only {_names(unless['systems_touched'])}")
    return f", except {' and '.join(parts)}" if parts else ""


def _when(rules: Mapping[str, Any]) -> str:
    when = rules.get("when") or {}
    parts = []
    if when.get("reversible") is not None:
        parts.append("it can be undone" if when["reversible"] else "it cannot be undone")
    if when.get("systems_touched"):
        parts.append(f"it touches {_names(when['systems_touched'])}")
    if when.get("min_risk") is not None:
        parts.append(f"its risk is {when['min_risk']:g} or more")
    return f", when {' and '.join(parts)}" if parts else ""


def _approvals(rules: Mapping[str, Any]) -> str:
    most, roles = rules.get("approvals_required"), rules.get("approver_roles")
    people = f"{most} people" if most and most > 1 else "one person" if roles else ""
    who = f" as {' or '.join(roles)}" if roles else ""
    return f"; takes {people}{who}" if people else ""


def _minutes(minutes: int) -> str:
    for size, word in ((1440, "day"), (60, "hour")):
        if minutes % size == 0:
            count = minutes // size
            return f"a {word}".replace("a hour", "an hour") if count == 1 else f"{count} {word}s"
    return f"{minutes} minutes"
