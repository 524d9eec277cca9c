"""Policies as people write them down, packs and own files: read, checked, and turned into what the guard follows."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationError,
    model_validator,
)

from .problems import Problem, invalid
from .yaml_text import read_yaml

PACKS = ("enterprise-strict", "smb-safe", "startup-growth", "development")
_FOLDER = Path(__file__).parent / "data" / "policy_packs"

_Word = Annotated[str, StringConstraints(min_length=1, max_length=256)]
_Words = Annotated[list[_Word], Field(min_length=1, max_length=200)]
_Note = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class _Part(BaseModel):
    """A part of a document: nothing in it may be unknown."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TestInput(_Part):
    """The action of a test; `tool` is its type, and its tool's name beside an `action_type`."""

    __test__ = False

    tool: _Word
    action_type: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    args: Any = None
    approval: StrictBool = False
    context: dict[str, Any] | None = None


class Expected(_Part):
    """How a test ends: whether the action may run, and by which decision."""

    allowed: StrictBool
    decision: Literal["allow", "warn", "require_approval", "block"] | None = None


class PolicyTest(_Part):
    """One example of what a policy does."""

    name: _Word
    input: TestInput
    expect: Expected


class _AppliesTo(_Part):
    tools: _Words
    agents: Annotated[list[_Word], Field(min_length=1, max_length=100)] | None = None


class _Allowlist(_Part):
    tools: _Words | None = None
    systems: _Words | None = None


def _listed(value: Any) -> Any:
    return {"tools": value} if isinstance(value, list) else value


class _Rule(_Part):
    block: StrictBool | None = None
    require: Literal["approval"] | None = None
    warn: StrictBool | None = None
    allowlist: Annotated[_Allowlist, BeforeValidator(_listed)] | None = None
    when: dict[str, Any] | None = None
    approvals_required: int | None = None
    approver_roles: _Words | None = None

    @model_validator(mode="after")
    def _one_effect(self) -> _Rule:
        if bool(self.block) + bool(self.require) + bool(self.warn) > 1:
            raise ValueError("block, require and warn exclude each other")
        if not (self.block or self.require or self.warn) and (self.allowlist is None or self.block is False):
            raise ValueError("does nothing: say block: true, require: approval, warn: true or an allowlist")
        if not self.require and (self.approvals_required or self.approver_roles):
            raise ValueError("approvals_required and approver_roles go with require: approval")
        return self

    @property
    def policy_type(self) -> str:
        if self.require:
            return "require_approval"
        return "warn_action_type" if self.warn else "block_action_type"

    @property
    def unless(self) -> dict[str, list[str]]:
        if self.allowlist is None:
            return {}
        listed = {"action_types": self.allowlist.tools, "systems_touched": self.allowlist.systems}
        return {name: words for name, words in listed.items() if words}


class _Entry(_Part):
    id: _Word | None = None
    name: _Word | None = None
    description: _Note | None = None
    active: StrictBool = True
    applies_to: _AppliesTo | None = None
    rule: _Rule | None = None
    policy_type: _Word | None = None
    rules: dict[str, Any] | None = None
    agent_ids: Annotated[list[_Word], Field(max_length=100)] | None = None
    tests: Annotated[list[PolicyTest], Field(max_length=50)] = []

    @model_validator(mode="after")
    def _one_form(self) -> _Entry:
        if not (self.name or self.description or self.id):
            raise ValueError("needs a name, a description or an id")
        stored = self.policy_type is not None and self.rules is not None
        written = self.applies_to is not None and self.rule is not None
        mixed = any(part is not None for part in ((self.applies_to, self.rule) if stored else ()))
        if mixed or not (stored or written):
            raise ValueError("needs applies_to and rule, or policy_type and rules")
        if written and (self.policy_type is not None or self.rules is not None or self.agent_ids is not None):
            raise ValueError("policy_type, rules and agent_ids do not stand beside applies_to and rule")
        return self


class _Document(_Part):
    version: str | int | float | None = None
    project: _Word | None = None
    description: _Note | None = None
    policies: Annotated[list[_Entry], Field(min_length=1, max_length=100)]


class PolicyDraft(NamedTuple):
    """A policy that a document describes; `field` is its place there."""

    field: str
    entry: str | None
    name: str
    policy_type: str
    rules: dict[str, Any]
    agent_ids: list[str]
    active: bool
    tests: list[dict[str, Any]]


def read_policies(text: str) -> list[PolicyDraft]:
    """Read a YAML document of policies; raises `Problem` 400 with every wrong place."""
    found = read_yaml(text, "yaml")
    if not isinstance(found, dict):
        raise invalid("yaml", "must be a mapping with a list named policies")
    try:
        document = _Document.model_validate(found)
    except ValidationError as error:
        raise _refusal(error) from None
    drafts = [_draft(f"yaml.policies.{place}", entry) for place, entry in enumerate(document.policies)]
    names: set[str] = set()
    for draft in drafts:
        if draft.name in names:
            raise invalid(draft.field, f"the name {draft.name!r:.80} stands there twice")
        names.add(draft.name)
    return drafts


@lru_cache
def pack_policies(pack: str) -> tuple[PolicyDraft, ...]:
    """The policies of a pack that comes with the package."""
    return tuple(read_policies((_FOLDER / f"{pack}.yaml").read_text(encoding="utf-8")))


def _refusal(error: ValidationError) -> Problem:
    fields = []
    for found in error.errors(include_url=False, include_context=False, include_input=False)[:50]:
        unknown = found["type"] == "extra_forbidden"
        message = "is unknown here" if unknown else found["msg"].removeprefix("Value error, ")
        fields.append({"field": ".".join(["yaml", *map(str, found["loc"])])[:300], "message": message})
    details = [f"{field['field']}: {field['message']}" for field in fields]
    return Problem(400, "VALIDATION_FAILED", "Validation failed", details=details, fields=fields)


def _draft(field: str, entry: _Entry) -> PolicyDraft:
    short = entry.description if entry.description and len(entry.description) <= 256 else None
    name = entry.name or short or entry.id or (entry.description or "")[:256]
    tests = [test.model_dump(exclude_none=True) for test in entry.tests]
    if entry.policy_type is not None and entry.rules is not None:
        return PolicyDraft(
            field, entry.id, name, entry.policy_type, entry.rules, entry.agent_ids or [], entry.active, tests
        )
    assert entry.rule is not None
    assert entry.applies_to is not None
    rules: dict[str, Any] = {"action_types": entry.applies_to.tools}
    if "*" not in entry.applies_to.tools:
        # Every action is covered by "*" already; as a name of systems it would undo each exception.
        rules["match_systems"] = True
    rule = entry.rule
    more = {
        "unless": rule.unless,
        "when": rule.when,
        "approvals_required": rule.approvals_required,
        "approver_roles": rule.approver_roles,
    }
    rules |= {key: value for key, value in more.items() if value or value == 0}
    if entry.description is not None and entry.description != name:
        rules["description"] = entry.description
    agents = entry.applies_to.agents or []
    return PolicyDraft(field, entry.id, name, entry.rule.policy_type, rules, agents, entry.active, tests)
