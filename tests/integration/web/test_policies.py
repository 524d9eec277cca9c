"""The pages of the policies: list, one policy, and the editor."""

from __future__ import annotations

import threading
import time

import httpx
import pytest

from dashclaw.server.web.jobs import Job
from dashclaw.server.web.pages import simulation

from .support import Browser, text_of

SCRIPT = "<script>alert(1)</script>"
RULES = "action_types:\n- ship*\nwhen:\n  reversible: false\n"


def form(name: str, **more: str) -> dict[str, str]:
    return {"name": name, "policy_type": "block_action_type", "rules": RULES, "agent_ids": "", "active": "on", **more}


def make(operator: Browser, name: str, **more: str) -> str:
    answer = operator.post("/policies/new", form(name, **more), page="/policies/new")
    assert answer.status_code == 303, text_of(answer)
    return answer.headers["location"].rpartition("/")[2]


def decided(agent: httpx.Client, action_type: str, **more: object) -> str:
    found: str = agent.post("/api/guard", json={"action_type": action_type, **more}).json()["decision"]
    return found


def test_a_policy_is_made_shown_changed_and_deleted(operator: Browser, agent: httpx.Client) -> None:
    policy_id = make(operator, f"No ships {SCRIPT}")
    assert decided(agent, "ship_it", reversible=False) == "block"
    for path in ("/policies", f"/policies/{policy_id}", f"/policies/{policy_id}/edit"):
        page = operator.get(path)
        assert page.status_code == 200
        assert SCRIPT not in page.text
        assert f"No ships {SCRIPT}" in text_of(page)
    assert "Blocks ship*, when it cannot be undone." in text_of(operator.get("/policies"))
    path = f"/policies/{policy_id}/switch"
    assert operator.post(path, {"active": "off"}, page="/policies").status_code == 303
    assert decided(agent, "ship_it", reversible=False) != "block"
    assert operator.post(f"/policies/{policy_id}/delete", page=f"/policies/{policy_id}").status_code == 303
    assert operator.get(f"/policies/{policy_id}").status_code == 404


def test_a_fired_policy_is_counted_and_an_idle_one_marked(operator: Browser, agent: httpx.Client) -> None:
    policy_id = make(operator, "Counted", rules="action_types: [counted]")
    for _ in range(3):
        decided(agent, "counted")
    found = agent.get("/api/policies/activity").json()
    assert found["fired"][policy_id] == {"last_24h": 3, "last_30d": 3}
    assert found["complete"] is True
    assert "Fired in 24 hours 3" in text_of(operator.get(f"/policies/{policy_id}"))
    idle = make(operator, "Idle", rules="action_types: [idle]\nunless:\n  action_types: [idle]")
    assert idle in {doubt["policy_id"] for doubt in agent.get("/api/policies/activity").json()["doubts"]}
    assert "It changes nothing" in text_of(operator.get(f"/policies/{idle}"))
    assert "changes nothing" in text_of(operator.get("/policies", region="policies_table"))


def test_the_form_is_checked_as_one_types(operator: Browser) -> None:
    headers = {"HX-Request": "true", "HX-Target": "verdict"}

    def verdict(**more: str) -> str:
        answer = operator.post("/policies/check", form("Typed", **more), page="/policies/new", headers=headers)
        assert answer.text.startswith('<div id="verdict"')
        return text_of(answer)

    assert "line 2 : rules.treshold is unknown" in verdict(rules="action_types: [a]\ntreshold: 5")
    assert "line 2" in verdict(rules="action_types: [a]\n  - b: [")
    assert "rules.action_types is required" in verdict(rules="{}")
    assert "Blocks ship*" in verdict()
    assert "+ name: Typed" in verdict()
    assert SCRIPT in verdict(rules=f"action_types: ['{SCRIPT}']")


def test_what_changes_is_shown_before_it_is_saved(operator: Browser) -> None:
    policy_id = make(operator, "Compared")
    changed = form("Compared", rules=RULES.replace("ship", "sail"), policy_id=policy_id)
    found = text_of(operator.post("/policies/check", changed, page=f"/policies/{policy_id}/edit"))
    assert "- - ship* + - sail*" in found
    same = form("Compared", policy_id=policy_id)
    assert "Nothing: it is stored like that" in text_of(operator.post("/policies/check", same, page="/policies/new"))


def test_what_somebody_else_changed_is_not_overwritten(operator: Browser, agent: httpx.Client) -> None:
    policy_id = make(operator, "Contended")
    seen = agent.get(f"/api/policies/{policy_id}").json()["policy"]["updated_at"]
    edit = f"/policies/{policy_id}/edit"
    first = operator.post(edit, form("Contended", updated_at=seen, agent_ids="one, two"), page=edit)
    assert first.status_code == 303
    late = operator.post(edit, form("Contended", updated_at=seen, agent_ids="three"), page=edit)
    assert late.status_code == 409
    assert "Load what is stored now" in text_of(late)
    assert agent.get(f"/api/policies/{policy_id}").json()["policy"]["agent_ids"] == ["one", "two"]


def test_a_refused_policy_keeps_what_was_typed(operator: Browser) -> None:
    answer = operator.post("/policies/new", form("Refused", rules="action_types: 5 # mine"), page="/policies/new")
    assert answer.status_code == 400
    assert "# mine" in answer.text
    assert "rules.action_types must be" in text_of(answer)
    make(operator, "Taken")
    taken = operator.post("/policies/new", form("Taken"), page="/policies/new")
    assert taken.status_code == 409
    assert "exists already" in text_of(taken)


def test_the_bench_says_who_matches_and_who_not_and_records_nothing(operator: Browser, agent: httpx.Client) -> None:
    make(operator, "Bench")
    before = agent.get("/api/guard").json()["total"]
    action = {"action_type": "ship_it", "reversible": "false", "declared_goal": SCRIPT}
    page = operator.post("/policies/test", action, page="/policies/test")
    assert page.status_code == 200
    assert SCRIPT not in page.text
    assert "blocks ship_it" in text_of(page)
    page = operator.post("/policies/test", {**action, "reversible": "true"}, page="/policies/test")
    assert "Its when does not hold: the action is not declared irreversible" in text_of(page)
    draft = "policies:\n- {name: Mine, policy_type: warn_action_type, rules: {action_types: [paint]}}"
    page = operator.post("/policies/test", {"more": '{"action_type": "paint"}', "yaml": draft}, page="/policies/test")
    assert "Mine (draft) warns about paint" in text_of(page)
    assert operator.post("/policies/test", {"more": "[1"}, page="/policies/test").status_code == 400
    assert agent.get("/api/guard").json()["total"] == before


def test_a_draft_is_put_to_the_record(operator: Browser, agent: httpx.Client) -> None:
    decided(agent, "simulated", declared_goal=SCRIPT, agent_id="simulant")
    draft = "policies:\n- {name: Sim, policy_type: block_action_type, rules: {action_types: [simulated]}}"
    asked = {"yaml": draft, "since": "1d", "agent_id": "simulant"}
    assert operator.post("/policies/simulate", asked, page="/policies/simulate").status_code == 303
    page = simulated(operator)
    assert SCRIPT not in page.text
    assert "Would change 1 Stricter 1 Milder 0" in text_of(page)
    assert 'value="simulant"' in operator.get("/policies/simulate").text, "the form says what was asked"
    refused = operator.post("/policies/simulate", {"yaml": "a: ["}, page="/policies/simulate")
    assert refused.status_code == 400
    assert "is not YAML: line" in text_of(refused)


def simulated(operator: Browser) -> httpx.Response:
    """The page once the simulation has ended."""
    end = time.monotonic() + 60
    while "Deciding again" in (page := operator.get("/policies/simulate")).text:
        assert time.monotonic() < end, "the simulation never ended"
    return page


def test_a_simulation_looks_at_all_decisions_and_can_be_cancelled(
    operator: Browser, agent: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        decided(agent, "counted", agent_id="counting", declared_goal=f"number {number}")
    monkeypatch.setattr(simulation, "STEP", 3)
    asked = {"pack": "smb-safe", "since": "1d", "agent_id": "counting"}
    assert operator.post("/policies/simulate", asked, page="/policies/simulate").status_code == 303
    assert "Decided again 7" in text_of(simulated(operator))
    reached, go_on = threading.Event(), threading.Event()
    progress = Job.progress

    def slow(job: Job, done: int, total: int) -> None:
        if total:
            reached.set()
            assert go_on.wait(60)
        progress(job, done, total)

    monkeypatch.setattr(Job, "progress", slow)
    operator.post("/policies/simulate", asked, page="/policies/simulate")
    assert reached.wait(60)
    again = operator.post("/policies/simulate", asked, page="/policies/simulate")
    assert again.status_code == 409
    assert operator.post("/policies/simulate/cancel", page="/policies/simulate").status_code == 303
    go_on.set()
    assert "It was cancelled." in text_of(simulated(operator))


def test_policies_that_change_meanwhile_end_the_simulation(
    operator: Browser, agent: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        decided(agent, "shifted", agent_id="shifting")
    monkeypatch.setattr(simulation, "STEP", 1)
    progress = Job.progress

    def change(job: Job, done: int, total: int) -> None:
        if done == 2:
            make(operator, "Shifts")
        progress(job, done, total)

    monkeypatch.setattr(Job, "progress", change)
    asked = {"pack": "smb-safe", "since": "1d", "agent_id": "shifting"}
    operator.post("/policies/simulate", asked, page="/policies/simulate")
    assert "no longer those that the simulation began with" in text_of(simulated(operator))


def test_a_draft_goes_from_the_editor_to_the_bench_and_to_the_simulation(
    operator: Browser, agent: httpx.Client
) -> None:
    decided(agent, "drafted", agent_id="drafting")
    draft = {"name": "Draft", "policy_type": "block_action_type", "rules": "action_types: [drafted]", "step": "draft"}
    bench = operator.post("/policies/test", draft, page="/policies/new")
    assert bench.status_code == 200
    assert "policy_type: block_action_type" in text_of(bench)
    assert operator.post("/policies/simulate", draft, page="/policies/new").status_code == 303
    page = text_of(simulated(operator))
    assert "drafted: Draft: blocks drafted" in page
    broken = operator.post("/policies/simulate", {**draft, "rules": "x: 1"}, page="/policies/new")
    assert broken.status_code == 400


def test_fields_and_text_of_the_editor_are_one(operator: Browser, agent: httpx.Client) -> None:
    page = operator.get("/policies/new?type=risk_threshold")
    assert 'name="rule.threshold"' in page.text
    fields = {"rule.threshold": "65", "rule.action": "warn", "type_seen": "risk_threshold"}
    seen = "threshold: 80\naction: block\n"
    form = {"name": "Fields", "policy_type": "risk_threshold", "rules": seen, "rules_seen": seen, "active": "on"}
    made = operator.post("/policies/new", {**form, **fields}, page="/policies/new")
    assert made.status_code == 303
    stored = agent.get(f"/api{made.headers['location']}").json()["policy"]["rules"]
    assert stored == {"threshold": 65, "action": "warn"}
    both = operator.post("/policies/new", {**form, **fields, "rules": "threshold: 1"}, page="/policies/new")
    assert both.status_code == 422
    assert "both changed" in text_of(both)
    headers = {"HX-Request": "true", "HX-Target": "verdict", "HX-Trigger": "fields"}
    drawn = operator.post("/policies/check", {**form, **fields}, page="/policies/new", headers=headers).text
    assert 'id="rules" hx-swap-oob="true"' in drawn
    assert "threshold: 65" in drawn
    assert 'id="fields"' not in drawn, "what is typed in is left alone"
    headers["HX-Trigger"] = "rules"
    drawn = operator.post("/policies/check", {**form, "rules": "threshold: 5"}, page="/policies/new", headers=headers)
    assert 'id="fields" class="fields" hx-swap-oob="true"' in drawn.text
    assert 'name="rule.threshold" value="5"' in drawn.text
    assert 'id="rules" hx-swap-oob' not in drawn.text


def test_a_pack_is_looked_at_and_then_imported(operator: Browser, agent: httpx.Client) -> None:
    assert "enterprise-strict" in text_of(operator.get("/policies/packs"))
    count = agent.get("/api/policies").json()["total"]
    page = operator.post("/policies/packs", {"pack": "development"}, page="/policies/packs")
    assert "What the import would do pack:development" in text_of(page)
    assert agent.get("/api/policies").json()["total"] == count
    done = operator.post("/policies/packs", {"pack": "development", "step": "import"}, page="/policies/packs")
    assert done.status_code == 303
    assert agent.get("/api/policies").json()["total"] > count


def test_an_older_version_is_restored_even_of_a_deleted_policy(operator: Browser, agent: httpx.Client) -> None:
    policy_id = make(operator, f"Past {SCRIPT}")
    edit = f"/policies/{policy_id}/edit"
    seen = agent.get(f"/api/policies/{policy_id}").json()["policy"]["updated_at"]
    later = form(f"Past {SCRIPT}", rules="action_types: [later]", updated_at=seen)
    assert operator.post(edit, later, page=edit).status_code == 303
    page = operator.get("/policies/history")
    assert SCRIPT not in page.text
    assert "- - ship*" in text_of(page)
    assert "+ - later" in text_of(page)
    [changed, made] = [
        row["id"].removeprefix("al_")
        for row in agent.get("/api/activity?action=policy.updated").json()["logs"]
        if row["resource_id"] == policy_id
    ]
    restore = f"/policies/history/{made}/restore"
    late = operator.post(restore, {"updated_at": seen}, page="/policies/history")
    assert late.status_code == 409
    seen = agent.get(f"/api/policies/{policy_id}").json()["policy"]["updated_at"]
    assert operator.post(restore, {"updated_at": seen}, page="/policies/history").status_code == 303
    assert agent.get(f"/api/policies/{policy_id}").json()["policy"]["rules"]["action_types"] == ["ship*"]
    operator.post(f"/policies/{policy_id}/delete", page=f"/policies/{policy_id}")
    back = operator.post(f"/policies/history/{changed}/restore", page="/policies/history")
    assert back.status_code == 303
    again = agent.get(f"/api/policies/{back.headers['location'].rpartition('/')[2]}").json()["policy"]
    assert again["rules"]["action_types"] == ["later"]
    assert operator.post("/policies/history/999999/restore", page="/policies/history").status_code == 404
