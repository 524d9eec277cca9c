"""What holds for every set of policies and every action."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dashclaw.runtime.guard import (
    DECISIONS,
    POLICY_TYPES,
    SEVERITY,
    Facts,
    Policy,
    RemoteAnswer,
    check_policy,
    compile_policies,
    decide,
    score_risk,
)

IDS = [f"gp_{n}" for n in range(6)]
NAMES = st.sampled_from(["deploy", "db.drop", "db.read", "note", "a", ""])
PATTERNS = st.lists(st.sampled_from(["deploy", "db.*", "*.drop", "*", "n?te", "[ab]", "zzz"]), min_size=1, max_size=3)
SYSTEMS = st.lists(st.sampled_from(["prod-api", "staging", "database", "/etc/passwd", "shell"]), max_size=3)
ACTIONS = st.sampled_from(DECISIONS)
FAILURE = st.none() | ACTIONS

CONTEXT_KEYS = (
    "action_type",
    "agent_id",
    "risk_score",
    "tool_name",
    "systems_touched",
    "reversible",
    "declared_goal",
    "target",
)
WHEN = st.fixed_dictionaries(
    {},
    optional={
        "reversible": st.booleans(),
        "min_risk": st.integers(0, 100),
        "systems_touched": st.lists(st.sampled_from(["prod*", "staging", "*"]), min_size=1, max_size=2),
    },
)


def shaped(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(fields, optional={"when": WHEN})


UNLESS = st.fixed_dictionaries(
    {}, optional={"action_types": PATTERNS, "systems_touched": st.lists(st.sampled_from(["staging", "s*"]), min_size=1)}
)


def naming() -> st.SearchStrategy[dict[str, Any]]:
    more = {"when": WHEN, "unless": UNLESS, "match_systems": st.booleans()}
    return st.fixed_dictionaries({"action_types": PATTERNS}, optional=more)


RULES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "risk_threshold": shaped(threshold=st.integers(0, 100), action=ACTIONS),
    "require_approval": naming(),
    "block_action_type": naming(),
    "warn_action_type": naming(),
    "allow_grant": shaped(action_types=PATTERNS),
    "rate_limit": shaped(max_actions=st.integers(1, 5), action=ACTIONS),
    "token_budget": shaped(max_tokens=st.integers(1, 5), action=ACTIONS),
    "cost_budget": shaped(max_usd=st.integers(1, 5) | st.floats(0.01, 5), action=ACTIONS),
    "webhook_check": shaped(url=st.just("https://example.com"), on_timeout=FAILURE),
    "semantic_check": shaped(instruction=st.just("x"), fallback=FAILURE),
    "protected_path": shaped(paths=st.lists(st.sampled_from(["/etc", "*api", "prod*"]), min_size=1), action=ACTIONS),
    "agent_allowlist": shaped(allowed_action_types=PATTERNS, action=ACTIONS),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def policy(draw: st.DrawFn, grants: bool = True, broken: bool = True) -> Policy:
    kind = draw(st.sampled_from([name for name in RULES if grants or name != "allow_grant"]))
    rules: Any = draw(RULES[kind])
    if broken and draw(st.integers(0, 9)) == 0:
        rules = draw(JSON)
    agents = draw(st.sampled_from([(), (), ("a",), ("b", "a"), ("b",)]))
    return Policy(draw(st.sampled_from(IDS)), draw(st.sampled_from("PQRS")), kind, rules, agents)


CONTEXTS = st.fixed_dictionaries(
    {"action_type": NAMES},
    optional={
        "agent_id": st.sampled_from(["a", "b", None]),
        "risk_score": st.integers(0, 100),
        "tool_name": NAMES,
        "systems_touched": SYSTEMS,
        "reversible": st.booleans() | st.none(),
        "declared_goal": st.sampled_from(["Drop the table", "Deploy", "Read the news"]),
        "target": st.sampled_from(["/etc/passwd", "/srv/x", "../etc"]),
    },
)
ANSWERS = st.builds(
    RemoteAnswer,
    st.none() | ACTIONS | st.just("nonsense"),
    st.lists(st.sampled_from(["no", "hm"]), max_size=2).map(tuple),
    st.lists(st.just("look"), max_size=1).map(tuple),
    st.none() | st.just("timed out"),
)
FACTS = st.builds(
    Facts,
    st.dictionaries(st.sampled_from(IDS), st.integers(0, 6)),
    st.dictionaries(st.sampled_from(IDS), ANSWERS),
    ACTIONS,
    st.just(False),
    st.dictionaries(st.sampled_from(IDS), st.integers(0, 6) | st.floats()),
)


def grants_out(policies: list[Policy]) -> list[Policy]:
    """Leave the readable grants out; an unreadable one is no grant, it only makes decisions stricter."""
    return [p for p in policies if p.policy_type != "allow_grant" or check_policy(p.policy_type, p.rules)]


@settings(max_examples=400)
@given(st.lists(policy(), max_size=8), policy(grants=False), CONTEXTS, FACTS)
def test_adding_a_policy_never_makes_the_decision_milder(
    policies: list[Policy], added: Policy, context: dict[str, Any], facts: Facts
) -> None:
    before = decide(context, compile_policies(policies), facts)
    after = decide(context, compile_policies([*policies, added]), facts)
    assert SEVERITY[after.decision] >= SEVERITY[before.decision]
    assert set(after.matched_policies) >= set(before.matched_policies) - {
        p.id for p in policies if p.policy_type == "allow_grant"
    }


def asking(number: int) -> st.SearchStrategy[Policy]:
    rules = st.fixed_dictionaries(
        {"action_types": PATTERNS},
        optional={
            "when": WHEN,
            "approvals_required": st.integers(1, 10),
            "approver_roles": st.lists(st.sampled_from(["admin", "security", "finance"]), min_size=1, unique=True),
        },
    )
    return rules.map(lambda found: Policy(f"ask_{number}", f"Ask {number}", "require_approval", found))


@settings(max_examples=300)
@given(
    st.tuples(*map(asking, range(4))),
    st.lists(policy(grants=False), max_size=3),
    st.integers(0, 4),
    CONTEXTS,
    FACTS,
)
def test_adding_a_policy_never_makes_an_approval_easier(
    asks: tuple[Policy, ...], others: list[Policy], kept: int, context: dict[str, Any], facts: Facts
) -> None:
    before = decide(context, compile_policies([*others, *asks[:kept]]), facts)
    after = decide(context, compile_policies([*others, *asks]), facts)
    if after.decision == "require_approval":
        assert set(after.approvals) >= set(before.approvals)
        assert {need.policy_id for need in after.approvals} <= set(after.matched_policies)
    for found in (before, after):
        assert bool(found.approvals) is (found.decision == "require_approval")


@settings(max_examples=300)
@given(st.lists(policy(), max_size=8), policy(), CONTEXTS, FACTS)
def test_a_grant_never_lifts_a_block_nor_what_is_degraded(
    policies: list[Policy], added: Policy, context: dict[str, Any], facts: Facts
) -> None:
    bare = decide(context, compile_policies(grants_out(policies)), facts)
    full = decide(context, compile_policies(policies), facts)
    if bare.decision == "block" or bare.degraded:
        assert full == bare
    else:
        assert full.decision in {bare.decision, "allow"}


@settings(max_examples=300)
@given(
    st.lists(policy(), max_size=8).flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))),
    CONTEXTS,
    FACTS,
)
def test_the_order_of_the_policies_never_matters(
    pair: tuple[list[Policy], list[Policy]], context: dict[str, Any], facts: Facts
) -> None:
    assert decide(context, compile_policies(pair[0]), facts) == decide(context, compile_policies(pair[1]), facts)


@settings(max_examples=400)
@given(st.lists(policy(), max_size=8), CONTEXTS, FACTS)
def test_every_decision_names_its_reasons(policies: list[Policy], context: dict[str, Any], facts: Facts) -> None:
    found = decide(context, compile_policies(policies), facts)
    assert found.decision in DECISIONS
    if found.decision in {"block", "require_approval"}:
        assert found.reasons
    if found.decision != "allow":
        assert found.reasons + found.warnings
        assert found.matched_policies
    if found.degraded:
        assert found.reasons
    names = {p.name for p in policies}
    assert all(line.partition(": ")[0] in names for line in found.reasons + found.warnings)
    assert set(found.matched_policies) <= {p.id for p in policies}
    assert len(set(found.matched_policies)) == len(found.matched_policies)
    assert 0 <= found.risk_score <= 100


@settings(max_examples=300)
@given(st.lists(policy(), max_size=6), CONTEXTS, FACTS)
def test_deciding_twice_gives_the_same(policies: list[Policy], context: dict[str, Any], facts: Facts) -> None:
    compiled = compile_policies(policies)
    before = dict(context)
    assert decide(context, compiled, facts) == decide(dict(context), compiled, facts)
    assert context == before


@settings(max_examples=300)
@given(
    st.sampled_from([*POLICY_TYPES, "nonsense"]),
    JSON
    | st.dictionaries(
        st.sampled_from(["threshold", "action", "action_types", "paths", "when", "max_actions", "url", "instruction"]),
        JSON | PATTERNS | st.lists(st.text("ab*?[]!-^\\/.~&|", max_size=6), max_size=4),
    ),
    st.dictionaries(
        st.sampled_from([*CONTEXT_KEYS, "paths", "tool_args"]),
        JSON,
    ),
)
def test_nothing_raises_whatever_arrives(policy_type: str, rules: Any, context: dict[str, Any]) -> None:
    complaints = check_policy(policy_type, rules)
    compiled = compile_policies([Policy("gp_1", "P", policy_type, rules)])
    found = decide(context, compiled)
    compiled.needs(context)
    if compiled.broken:
        assert complaints
        assert (found.decision, found.degraded) == ("require_approval", True)


@settings(max_examples=300)
@given(CONTEXTS, st.integers(0, 100), st.sampled_from(["Drop it", "Deploy", None]))
def test_declaring_more_danger_never_lowers_the_score(context: dict[str, Any], risk: int, goal: str | None) -> None:
    plain = {**context, "declared_goal": None}
    score, _ = score_risk(plain)
    assert score_risk({**plain, "risk_score": max(risk, context.get("risk_score") or 0)})[0] >= score
    assert score_risk({**plain, "declared_goal": goal})[0] >= score
    assert score_risk({**plain, "systems_touched": [*context.get("systems_touched", []), "production"]})[0] >= score
    assert score_risk({**plain, "reversible": False})[0] >= score
