"""Tests of policies, run on the evaluator that guards: those that people wrote, and probes for policies without any."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import ValidationError

from .guard import SEVERITY, Decision, Facts, Policy, RemoteAnswer, compile_policies, decide
from .policy_documents import PolicyTest

_UNLISTED = "zz.not-listed-anywhere"
_FILLS = ("sample", "q7", "")
_NAMING = ("block_action_type", "require_approval", "warn_action_type")


class Probe(NamedTuple):
    """An action that a policy must fire on, or must not; `beside` are policies that it needs to show itself."""

    name: str
    context: dict[str, Any]
    fires: bool = True
    facts: Facts = Facts()
    beside: tuple[Policy, ...] = ()


def run_tests(rows: Iterable[Mapping[str, Any]], beside: Iterable[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """Test policies one by one; a result names the policy, the test, whether it passed, and why.

    A written test passes when the policy alone decides as expected. Where all policies together, those `beside`
    included, decide otherwise the result says so under `conflict`, with the policies that do.
    """
    pairs = [(row, policy_of(row)) for row in rows]
    together = Together([*(policy for _, policy in pairs), *map(policy_of, beside)])
    found: list[dict[str, Any]] = []
    for row, policy in pairs:
        written = (row.get("metadata") or {}).get("tests")
        broken = compile_policies([policy]).broken
        if broken:
            found.append(_result(policy, "can be read", False, f"it cannot be read: {broken[0].complaint}"))
        elif isinstance(written, list) and written:
            found += [_written(policy, test, together) for test in written]
        else:
            found += [_probed(policy, probe) for probe in probes(policy)]
    return found


def policy_of(row: Mapping[str, Any]) -> Policy:
    """A stored policy as the guard reads it."""
    agents = row["agent_ids"]
    scope = tuple(agents) if isinstance(agents, list) else agents
    return Policy(row["id"], row["name"], row["policy_type"], row["rules"], scope or ())


def steady_facts(policies: Iterable[Policy]) -> Facts:
    """Facts under which no limit is reached and every remote check agrees."""
    ids = [policy.id for policy in policies]
    return Facts(dict.fromkeys(ids, 0), dict.fromkeys(ids, RemoteAnswer("allow")), spent=dict.fromkeys(ids, 0.0))


class Together:
    """All policies that can be read, as one set."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        readable = [policy for policy in policies if not compile_policies([policy]).broken]
        self._single = {policy.id: (policy.name, compile_policies([policy])) for policy in readable}
        self._set = compile_policies(readable)
        self._facts = steady_facts(readable)

    def conflict(self, alone: Decision, context: Mapping[str, Any]) -> dict[str, Any] | None:
        """How all together decide, when that is stricter or milder than the policy alone."""
        found = decide(context, self._set, self._facts)
        if found.decision == alone.decision:
            return None
        others = (self._single[key] for key in found.matched_policies if key not in alone.matched_policies)
        names = [name for name, one in others if decide(context, one, self._facts).decision == found.decision]
        return {"decision": found.decision, "policies": names} if names else None


def test_context(policy: Policy, given: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The action that a written test describes, and whether it comes with an approval."""
    more = dict(given.get("context") or {})
    approved = more.pop("approved", False) is True or given.get("approval") is True
    context: dict[str, Any] = {"action_type": given.get("action_type") or given["tool"]}
    if given.get("action_type"):
        context["tool_name"] = given["tool"]
    if given.get("args") is not None:
        context["tool_args"] = given["args"]
    return {"agent_id": next(iter(policy.agent_ids), "agent"), **context, **more}, approved


def _written(policy: Policy, test: Any, together: Together) -> dict[str, Any]:
    try:
        read = PolicyTest.model_validate(test).model_dump(exclude_none=True)
    except ValidationError as error:
        name = test.get("name") if isinstance(test, dict) else None
        where = ".".join(map(str, error.errors()[0]["loc"]))
        return _result(policy, str(name or "?")[:256], False, f"the test cannot be read: {where}")
    context, approved = test_context(policy, read["input"])
    alone = decide(context, compile_policies([policy]), steady_facts([policy]))
    rank = SEVERITY[alone.decision]
    allowed = rank <= SEVERITY["warn"] or (alone.decision == "require_approval" and approved)
    wanted = read["expect"]
    passed = allowed is wanted["allowed"] and wanted.get("decision", alone.decision) == alone.decision
    said = next(iter(alone.reasons or alone.warnings), f"the policy decides {alone.decision}")
    result = _result(policy, read["name"], passed, said)
    result |= {"expected": wanted, "actual": {"allowed": allowed, "decision": alone.decision}}
    if (conflict := together.conflict(alone, context)) is not None:
        result["conflict"] = conflict
    return result


def _probed(policy: Policy, probe: Probe) -> dict[str, Any]:
    found = decide(probe.context, compile_policies([policy, *probe.beside]), probe.facts)
    fires = policy.id in found.matched_policies
    said = next(iter(found.reasons or found.warnings), "it does not fire")
    result = _result(policy, probe.name, fires is probe.fires, said)
    actual = {"fires": fires, "decision": found.decision}
    return {**result, "generated": True, "expected": {"fires": probe.fires}, "actual": actual}


def _result(policy: Policy, test: str, passed: bool, reason: str) -> dict[str, Any]:
    found = {"policy": policy.name, "policy_id": policy.id, "test": test, "passed": passed, "reason": reason}
    return {**found, "generated": False, "expected": None, "actual": None, "conflict": None}


def probes(policy: Policy) -> Iterator[Probe]:
    """Actions that show whether a readable policy fires where it should, and only there."""
    kind, rules = policy.policy_type, policy.rules
    base = fitting(policy)
    if kind in _NAMING or kind == "allow_grant":
        yield from _naming(policy, base)
    elif kind == "risk_threshold":
        threshold = rules.get("threshold", 80)
        yield Probe(f"fires at risk {threshold:g}", {**base, "risk_score": 100})
        if threshold > 60 and not rules.get("when"):
            yield Probe("leaves a low risk alone", {**base, "risk_score": 0}, False)
    elif kind == "rate_limit":
        most = rules.get("max_actions", 50)
        yield Probe(f"fires after {most} decisions", base, True, Facts({policy.id: most}))
        yield Probe(f"leaves {most - 1} decisions alone", base, False, Facts({policy.id: most - 1}))
    elif kind in ("token_budget", "cost_budget"):
        limit = rules["max_usd" if kind == "cost_budget" else "max_tokens"]
        yield Probe(f"fires at {limit:g}", base, True, Facts(spent={policy.id: limit}))
        yield Probe("leaves an unused budget alone", base, False, steady_facts([policy]))
    elif kind == "protected_path":
        for path in rules["paths"]:
            yield Probe(f"protects {path}", {**base, "target": sample(path.replace("~", "/root", 1))})
        if not {"*", "/", "/*", "**"} & set(rules["paths"]):
            yield Probe("leaves another place alone", {**base, "target": f"/{_UNLISTED}"}, False)
    elif kind == "agent_allowlist":
        for pattern in rules["allowed_action_types"]:
            yield Probe(f"allows {pattern}", {**base, "action_type": sample(pattern)}, False)
        if not _covered(_UNLISTED, rules["allowed_action_types"]):
            yield Probe("fires outside the list", {**base, "action_type": _UNLISTED})
    elif kind in ("webhook_check", "semantic_check"):
        yield Probe("passes a refusal on", base, True, Facts(remotes={policy.id: RemoteAnswer("block")}))
        yield Probe("does not pass over silence", base, True, Facts(remotes={policy.id: RemoteAnswer(failure="none")}))
    else:
        yield Probe("leaves an action alone", base, False, steady_facts([policy]))


def _naming(policy: Policy, base: dict[str, Any]) -> Iterator[Probe]:
    rules = policy.rules
    beside = (Policy("beside", "beside", "warn_action_type", {"action_types": ["*"]}),)
    others = beside if policy.policy_type == "allow_grant" else ()
    spared = (rules.get("unless") or {}).get("action_types") or ()
    for pattern in rules["action_types"]:
        names = [name for name in samples(pattern) if not _covered(name, spared)]
        context = {**base, "action_type": (names or [sample(pattern)])[0]}
        yield Probe(f"fires for {pattern}", context, True, Facts(), others)
    for pattern in spared:
        yield Probe(f"excepts {pattern}", {"action_type": sample(pattern), "agent_id": base["agent_id"]}, False)
    if not _covered(_UNLISTED, rules["action_types"]):
        yield Probe("leaves other actions alone", {"action_type": _UNLISTED, "agent_id": base["agent_id"]}, False)


def fitting(policy: Policy) -> dict[str, Any]:
    """An action that meets the conditions of a policy."""
    when = policy.rules.get("when") or {}
    context: dict[str, Any] = {"action_type": "research", "agent_id": next(iter(policy.agent_ids), "agent")}
    if when.get("reversible") is not None:
        context["reversible"] = when["reversible"]
    if when.get("systems_touched"):
        context["systems_touched"] = [sample(when["systems_touched"][0])]
    if when.get("min_risk") is not None:
        context["risk_score"] = 100
    return context


def sample(pattern: str) -> str:
    """A name that a glob covers, or the glob itself where none is found."""
    return next(iter(samples(pattern)), pattern)


@lru_cache(maxsize=4096)
def samples(pattern: str) -> tuple[str, ...]:
    """Some names that a glob covers."""
    found = dict.fromkeys(_filled(pattern, fill) for fill in _FILLS)
    return tuple(name for name in found if name and fnmatch.fnmatchcase(name, pattern))


def _filled(pattern: str, fill: str) -> str:
    text, place = "", 0
    while place < len(pattern):
        sign = pattern[place]
        end = pattern.find("]", place + 2) if sign == "[" else -1
        if end > 0:
            one = pattern[place : end + 1]
            text += next((letter for letter in map(chr, range(48, 123)) if fnmatch.fnmatchcase(letter, one)), "")
            place = end
        else:
            text += {"*": fill, "?": "x"}.get(sign, sign)
        place += 1
    return text


def _covered(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
