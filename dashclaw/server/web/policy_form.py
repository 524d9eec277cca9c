"""Rules as fields of a form: the same rules that stand beside it as YAML.

A page carries the text from which its fields were drawn. What differs from that was typed: in the fields, or in the
text, but not in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from dashclaw.runtime.guard import DECISIONS, POLICY_TYPES
from dashclaw.runtime.guard.policy import UNLESS_FIELDS, WHEN_FIELDS, Field

from .policy_words import example, read_rules, written

Kind = Literal["number", "lines", "decision", "yes", "text"]
# Begins the names of the fields, so that none is taken for one of the policy itself.
MARK = "rule."
SEEN = "rules_seen"
SEEN_TYPE = "type_seen"
_INSIDE: Mapping[str, Mapping[str, Field]] = {"when": WHEN_FIELDS, "unless": UNLESS_FIELDS}
_LABELS = {
    "threshold": "Risk from",
    "action": "Then",
    "action_types": "Kinds of actions",
    "allowed_action_types": "Kinds of actions that are allowed",
    "match_systems": "Compare the systems with them too",
    "paths": "Protected places",
    "max_actions": "Decisions at most",
    "max_usd": "US dollars at most",
    "max_tokens": "Tokens at most",
    "window_minutes": "Within minutes",
    "approvals_required": "Approvals needed",
    "approver_roles": "Approved by the roles",
    "description": "Note",
    "instruction": "What has to hold",
    "when.reversible": "Only what can be undone",
    "when.systems_touched": "Only on these systems",
    "when.min_risk": "Only from this risk on",
    "unless.action_types": "Except these kinds",
    "unless.systems_touched": "Except on these systems",
}
_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("action_types", "allowed_action_types", "paths", "approver_roles", "systems_touched"), "lines"),
    **dict.fromkeys(("threshold", "min_risk", "max_actions", "max_usd", "max_tokens", "window_minutes"), "number"),
    **dict.fromkeys(("approvals_required", "timeout_ms"), "number"),
    **dict.fromkeys(("action", "fallback", "on_timeout"), "decision"),
    **dict.fromkeys(("reversible", "match_systems"), "yes"),
}


class Entry(NamedTuple):
    """One field: `key` is a key of the rules, or two with a dot between; `options` are the decisions to choose from."""

    key: str
    label: str
    kind: Kind
    expects: str
    required: bool
    default: str
    options: Sequence[str]

    @property
    def seldom(self) -> bool:
        """Whether few policies have it."""
        return "." in self.key or self.key in ("description", "match_systems")


def entries(policy_type: str) -> list[Entry]:
    """The fields of a type; none for a type that does not exist."""
    kind = POLICY_TYPES.get(policy_type)
    if kind is None:
        return []
    found: list[Entry] = []
    for key, field in kind.fields.items():
        inside = _INSIDE.get(key)
        if inside is not None:
            found += [_entry(f"{key}.{name}", part) for name, part in inside.items()]
        elif key != "action" or len(_options(field)) > 1:
            found.append(_entry(key, field))
    return sorted(found, key=_rank)


def _rank(entry: Entry) -> tuple[bool, ...]:
    return entry.seldom, not entry.required, entry.key.startswith("approv"), entry.key == "description"


def _entry(key: str, field: Field) -> Entry:
    label = _LABELS.get(key) or key.replace("_", " ").capitalize()
    default = "" if field.default is None else str(field.default)
    kind = _KINDS.get(key.rpartition(".")[2], "text")
    return Entry(
        key, label, kind, field.expects, field.required, default, _options(field) if kind == "decision" else ()
    )


def _options(field: Field) -> Sequence[str]:
    return [name for name in DECISIONS if field.accepts(name)]


def values(policy_type: str, rules: Any) -> dict[str, str]:
    """What stands in the fields for these rules."""
    return {entry.key: _shown(_at(rules, entry.key)) for entry in entries(policy_type)}


def _at(rules: Any, key: str) -> Any:
    for name in key.split("."):
        rules = rules.get(name) if isinstance(rules, Mapping) else None
    return rules


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "\n".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def with_fields(policy_type: str, rules: Any, given: Mapping[str, str]) -> dict[str, Any]:
    """Rules with what the fields say; keys that no field has stay. What is no number stays text, and is refused so."""
    made: dict[str, Any] = {**rules} if isinstance(rules, Mapping) else {}
    for entry in entries(policy_type):
        *outer, name = entry.key.split(".")
        place = made
        if outer:
            inner = made.get(outer[0])
            place = made[outer[0]] = {**inner} if isinstance(inner, Mapping) else {}
        value = _read(entry, given.get(entry.key, ""))
        if value is None:
            place.pop(name, None)
        else:
            place[name] = value
        if outer and not place:
            del made[outer[0]]
    return made


def _read(entry: Entry, text: str) -> Any:
    text = text.strip()
    if not text:
        return None
    if entry.kind == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if entry.kind == "yes":
        return text == "true"
    return _number(text) if entry.kind == "number" else text


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def typed(form: Mapping[str, str]) -> tuple[str, str | None]:
    """The rules of a form as a text, and what is wrong when its fields and its text were both changed."""
    text, policy_type = form.get("rules", "").replace("\r\n", "\n"), form.get("policy_type", "").strip()
    if form.get(SEEN_TYPE) != policy_type:
        return text, None
    seen = form.get(SEEN, "").replace("\r\n", "\n")
    before, complaints = read_rules(seen)
    given = {entry.key: form.get(MARK + entry.key, "").replace("\r\n", "\n") for entry in entries(policy_type)}
    drawn = values(policy_type, before)
    if complaints or all(given[key].strip() == drawn[key].strip() for key in drawn):
        return text, None
    made = written(with_fields(policy_type, before, given))
    if text.strip() == seen.strip() or text == made:
        return made, None
    return text, "The fields and the text were both changed: load the page again, or make one say what the other says."


def begun_anew(form: Mapping[str, str], text: str) -> str:
    """The text for the chosen type: where the example of another type still stood, the example of this one."""
    before, now = form.get(SEEN_TYPE, ""), form.get("policy_type", "").strip()
    untouched = before and before != now and text.strip() == example(before).strip()
    return example(now) if untouched else text


def draft_of(form: Mapping[str, str]) -> str:
    """The policy of a form as a document, such as the simulation and the test bench take."""
    text, _ = typed(form)
    rules, complaints = read_rules(text)
    agents = [name.strip() for name in form.get("agent_ids", "").split(",") if name.strip()]
    policy = {"name": form.get("name", "").strip() or "Draft", "policy_type": form.get("policy_type", "").strip()}
    return written(
        {"policies": [{**policy, "rules": text if complaints else rules, **({"agent_ids": agents} if agents else {})}]}
    )
