"""Recommendations: learnt from outcomes, given, switched off, and measured."""

from __future__ import annotations

from typing import Any

import pytest

from dashclaw.runtime.identity import Caller
from dashclaw.runtime.store import learning as rows

from ...unit.client.test_types import promised, unlike
from .conftest import ADMIN, AGENT, World

PATH = "/api/learning/recommendations"
STRANGER = Caller("org_other", "key_stranger", "admin")
READER = Caller(AGENT.org_id, "key_reader", "readonly")


def done(world: World, status: str = "completed", outcome: dict[str, Any] | None = None, **fields: Any) -> str:
    """The id of an action whose outcome was reported."""
    _, made = world.act(**{"action_type": "deploy", "confidence": 75, **fields})
    found: str = made["action_id"]
    body = {"status": status, "duration_ms": 1000, **(outcome or {})}
    assert world.ask("PATCH", f"/api/actions/{found}", body)[0] == 200
    return found


def episode(world: World, action_id: str) -> dict[str, Any] | None:
    with world.runtime.store.read() as tx:
        return rows.episode(tx, AGENT.org_id, action_id)


def rebuilt(world: World, **body: Any) -> dict[str, Any]:
    status, answer = world.ask("POST", PATH, body, caller=ADMIN)
    assert status == 200, answer
    found: dict[str, Any] = answer
    return found


def learnt(world: World, **fields: Any) -> dict[str, Any]:
    """The recommendation of five deployments."""
    for _ in range(5):
        done(world, **fields)
    [found] = rebuilt(world)["recommendations"]
    return dict(found)


def listed(world: World, caller: Caller = AGENT, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.ask("GET", PATH, caller=caller, query=query)[1]["recommendations"]
    return found


def record(world: World, *events: dict[str, Any]) -> tuple[int, Any]:
    return world.ask("POST", f"{PATH}/events", {"events": list(events)})


def test_an_outcome_is_scored_with_what_is_known(world: World) -> None:
    action_id = done(world, risk_score=80)
    found = episode(world, action_id)
    assert found is not None
    # 50 + completed 30 - risk 10 + reversible 5 + short 6 + confident 4; the cost is not known.
    assert (found["score"], found["label"], found["risk_score"]) == (85, "success", 80)
    assert (found["duration_ms"], found["cost_estimate"]) == (1000, None)
    assert found["id"].startswith("lep_")


def test_every_report_scores_again(world: World) -> None:
    _, made = world.act("deploy", agent_id="a")
    path = f"/api/actions/{made['action_id']}"
    world.ask("PATCH", path, {"output_summary": "Half way"})
    first = episode(world, made["action_id"])
    assert first is not None
    assert first["label"] == "pending"
    for kind in ("It is small", "It is fast"):
        _, kept = world.ask("POST", "/api/assumptions", {"action_id": made["action_id"], "assumption": kind})
        refuted = {"validated": False, "invalidated_reason": "No"}
        world.ask("PATCH", f"/api/assumptions/{kept['assumption_id']}", refuted)
    body = {"action_id": made["action_id"], "loop_type": "question", "description": "Who pays?"}
    world.ask("POST", "/api/loops", body)
    world.ask("PATCH", path, {"status": "cancelled", "duration_ms": 400_000, "cost_estimate": 2.0})
    last = episode(world, made["action_id"])
    assert last is not None
    assert (last["id"], last["created_at"]) == (first["id"], first["created_at"])
    assert (last["label"], last["invalidated_assumptions"], last["open_loops"]) == ("failure", 2, 1)
    risk = made["action"]["risk_score"]
    assert last["score"] == 50 - 20 + 5 - 4 - 4 - 8 - 2 - round((risk - 60) / 2)


def test_what_never_ran_is_not_scored(world: World) -> None:
    world.policy("require_approval", {"action_types": ["deploy"]})
    _, asked = world.act("deploy")
    world.ask("POST", f"/api/actions/{asked['action_id']}/approve", {"decision": "deny"}, caller=ADMIN)
    assert world.ask("PATCH", f"/api/actions/{asked['action_id']}", {"output_summary": "x"})[0] == 200
    assert episode(world, asked["action_id"]) is None


def test_the_documented_rebuild_works_with_nulls(world: World) -> None:
    for _ in range(5):
        done(world, risk_score=20)
    body = {"agent_id": None, "action_type": None, "action_id": None, "lookback_days": 30, "min_samples": 5}
    found = rebuilt(world, **body)
    assert (found["episodes_scanned"], found["total"], found["scored_episode"]) == (5, 1, None)
    [row] = found["recommendations"]
    assert row["id"].startswith("lrec_")
    assert (row["agent_id"], row["action_type"], row["active"]) == ("agent-1", "deploy", True)
    assert (row["sample_size"], row["top_sample_size"], row["success_rate"]) == (5, 3, 1.0)
    # The server's own estimate for a deployment is 75: 50 + 30 - 8 + 5 + 6 + 4.
    assert row["avg_score"] == 87.0
    assert row["confidence"] == 85  # 35 + 10 + 25 + 0.4 * 37 = 84.8
    assert row["hints"] == {
        "preferred_risk_cap": 75,
        "prefer_reversible": True,
        "confidence_floor": 75,
        "expected_duration_ms": 1000,
        "expected_cost_estimate": None,
    }
    assert "Only 5 runs" in row["guidance"][-1]


def test_groups_need_enough_samples_within_the_time(world: World) -> None:
    for _ in range(4):
        done(world)
    assert rebuilt(world)["recommendations"] == []
    assert rebuilt(world, min_samples=4)["total"] == 1
    for _ in range(5):
        done(world, agent_id="agent-2")
        done(world, agent_id="agent-2", action_type="research")
    assert rebuilt(world, min_samples=4)["total"] == 3
    assert rebuilt(world, min_samples=4, agent_id="agent-2")["total"] == 2
    assert rebuilt(world, min_samples=4, agent_id="agent-2", action_type="research")["total"] == 1
    assert [row["action_type"] for row in listed(world, agent_id="agent-1")] == ["deploy"]
    world.clock.move(days=8)
    assert rebuilt(world, lookback_days=7)["total"] == 0
    assert listed(world) == [], "what nothing supports any more is gone"


def test_an_action_that_is_named_is_scored_first(world: World) -> None:
    done(world)
    _, made = world.act("deploy")
    found = rebuilt(world, action_id=made["action_id"], min_samples=2)
    assert found["scored_episode"]["action_id"] == made["action_id"]
    assert (found["scored_episode"]["label"], found["episodes_scanned"]) == ("pending", 2)
    assert found["recommendations"][0]["success_rate"] == 1.0, "what runs is no failure"
    assert world.ask("POST", PATH, {"action_id": "act_no"}, caller=ADMIN)[0] == 404


def test_a_recommendation_that_is_switched_off_stays_off(world: World) -> None:
    row = learnt(world)
    path = f"{PATH}/{row['id']}"
    assert world.ask("PATCH", path, {"active": False}, caller=ADMIN)[1]["recommendation"]["active"] is False
    done(world)
    [again] = rebuilt(world)["recommendations"]
    assert (again["id"], again["active"], again["sample_size"]) == (row["id"], False, 6)
    assert listed(world) == []
    assert listed(world, include_inactive="true") == [], "only an operator sees them"
    assert [found["id"] for found in listed(world, ADMIN, include_inactive="true")] == [row["id"]]
    world.clock.move(days=40)
    done(world)
    assert rebuilt(world)["total"] == 0
    for _ in range(4):
        done(world)
    assert rebuilt(world)["recommendations"][0]["active"] is False, "also after a time without samples"
    assert world.ask("PATCH", path, {"active": "1"}, caller=ADMIN)[1]["recommendation"]["active"] is True
    assert len(listed(world)) == 1


def test_only_an_operator_rebuilds_and_switches(world: World) -> None:
    row = learnt(world)
    assert world.ask("POST", PATH, {})[0] == 403
    assert world.ask("PATCH", f"{PATH}/{row['id']}", {"active": False})[0] == 403
    assert world.ask("PATCH", f"{PATH}/lrec_no", {"active": False}, caller=ADMIN)[0] == 404
    assert world.ask("PATCH", f"{PATH}/{row['id']}", {"active": "maybe"}, caller=ADMIN)[0] == 400


def test_the_most_certain_come_first(world: World) -> None:
    for number in range(6):
        done(world, "failed" if number % 2 else "completed", action_type="apply")
        done(world, action_type="research")
        done(world, action_type="test") if number else None
    rebuilt(world)
    assert [row["action_type"] for row in listed(world)] == ["research", "test", "apply"]
    _, page = world.ask("GET", PATH, query={"limit": "1", "offset": "1"})
    assert ([row["action_type"] for row in page["recommendations"]], page["total"]) == (["test"], 3)


def test_a_fetch_counts_once_per_call_and_only_for_the_one_that_is_used(world: World) -> None:
    row = learnt(world)
    for _ in range(5):
        done(world, action_type="research")
    rebuilt(world)

    def fetched() -> list[int]:
        _, found = world.ask("GET", f"{PATH}/metrics", caller=ADMIN)
        return [metric["telemetry"]["fetched"] for metric in found["metrics"] if metric["action_type"] == "deploy"]

    listed(world, action_type="deploy")
    assert fetched() == [0], "looking is no use"
    listed(world, READER, action_type="deploy", track_events="true")
    assert fetched() == [0], "who may only read leaves no trace"
    listed(world, track_events="true")
    assert fetched() == [0], "a list of all is no use of one"
    listed(world, action_type="deploy", track_events="true", limit="5")
    assert fetched() == [1]
    assert record(world, {"event_type": "fetched", "recommendation_id": row["id"]})[0] == 201
    assert fetched() == [2]


def test_events_are_recorded_once_per_key(world: World) -> None:
    row = learnt(world)
    action_id = done(world)
    event = {"event_type": "applied", "recommendation_id": row["id"], "action_id": action_id, "event_key": "k1"}
    status, first = record(world, event, event, {"event_type": "overridden", "details": {"reason": "No"}})
    assert (status, first["created_count"]) == (201, 2)
    assert all(found["id"].startswith("lrev_") for found in first["created"])
    assert first["created"][1]["details"] == {"reason": "No"}
    assert record(world, event)[1]["created_count"] == 0
    _, single = world.ask("POST", f"{PATH}/events", {"event_type": "fetched", "recommendation_id": row["id"]})
    assert single["created_count"] == 1


def test_an_event_cannot_be_dated_back(world: World) -> None:
    _, answer = record(world, {"event_type": "fetched", "created_at": "2020-01-01T00:00:00Z"})
    [event] = answer["created"]
    assert event["created_at"].startswith("2026-03-01")
    assert event["metadata"] == {"created_at": "2020-01-01T00:00:00Z"}
    assert "created_at" in answer["warnings"][0]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "event_type"),
        ({"event_type": "eaten"}, "event_type"),
        ({"events": []}, "events"),
        ({"events": [{"event_type": "fetched"}] * 101}, "events"),
        ({"events": [{"event_type": "fetched"}, {"event_type": "eaten"}]}, "events.1.event_type"),
        ({"events": [{"recommendation_id": "lrec_1"}]}, "events.0.event_type"),
        ({"events": ["fetched"]}, "events.0"),
        ({"event_type": "fetched", "details": "x"}, "details"),
    ],
)
def test_a_wrong_event_is_refused_by_name(world: World, body: dict[str, Any], field: str) -> None:
    status, refused = world.ask("POST", f"{PATH}/events", body)
    assert (status, [found["field"] for found in refused["fields"]]) == (400, [field])


def test_an_event_about_nothing_is_refused_with_all_others(world: World) -> None:
    for field in ("recommendation_id", "action_id"):
        assert record(world, {"event_type": "fetched"}, {"event_type": "fetched", field: "no"})[0] == 404
    assert world.ask("GET", "/api/activity", query={"type": "recommendation"})[1]["logs"] == []


def test_metrics_compare_what_applied_the_advice_with_what_did_not(world: World) -> None:
    row = learnt(world, risk_score=90)
    done(world, "failed", outcome={"duration_ms": 9000})
    for status in ("completed", "completed", "running"):
        done(world, status, recommendation_id=row["id"], recommendation_applied=True)
    done(world, "completed", recommendation_id=row["id"], recommendation_override_reason="No")
    for kind in ("fetched", "fetched", "fetched", "fetched", "applied", "applied", "applied", "overridden"):
        record(world, {"event_type": kind, "recommendation_id": row["id"]})
    _, found = world.ask("GET", f"{PATH}/metrics", query={"action_type": "deploy", "lookback_days": "30"})
    [metric] = found["metrics"]
    assert metric["telemetry"] == {
        "fetched": 4,
        "applied": 3,
        "overridden": 1,
        "outcomes": 3,
        "adoption_rate": 0.75,
    }
    applied, baseline = metric["outcomes"]["applied"], metric["outcomes"]["baseline"]
    assert (applied["total"], applied["success_rate"], applied["avg_duration_ms"]) == (3, 1.0, 1000.0)
    assert (baseline["total"], baseline["success_rate"]) == (7, 0.8571)
    assert metric["deltas"]["success_lift"] == metric["deltas"]["failure_reduction"] == 0.1429
    assert metric["deltas"]["latency_delta_ms"] == round(1000 - 15_000 / 7, 2)
    assert metric["deltas"]["cost_delta_estimate"] is None
    assert found["summary"] == {
        "total_recommendations": 1,
        "active_recommendations": 1,
        "avg_adoption_rate": 0.75,
        "avg_success_lift": 0.1429,
    }
    _, with_metrics = world.ask("GET", PATH, query={"include_metrics": "true"})
    assert with_metrics["metrics"]["metrics"] == [metric]
    assert with_metrics["metrics"]["summary"] == found["summary"]


def test_an_outcome_is_told_once_per_action(world: World) -> None:
    row = learnt(world)
    action_id = done(world, recommendation_id=row["id"], recommendation_applied=True)
    world.ask("PATCH", f"/api/actions/{action_id}", {"output_summary": "later"})
    status, known = record(world, {"event_type": "outcome", "event_key": f"outcome:{action_id}"})
    assert (status, known["created_count"]) == (201, 0)
    _, found = world.ask("GET", f"{PATH}/metrics")
    assert found["metrics"][0]["telemetry"]["outcomes"] == 1


def test_another_organisation_learns_nothing(world: World) -> None:
    row = learnt(world)
    assert listed(world, STRANGER) == []
    assert world.ask("GET", f"{PATH}/metrics", caller=STRANGER)[1]["metrics"] == []
    assert world.ask("PATCH", f"{PATH}/{row['id']}", {"active": False}, caller=STRANGER)[0] == 404
    assert world.ask("POST", PATH, {}, caller=STRANGER)[1]["episodes_scanned"] == 0
    event = {"event_type": "applied", "recommendation_id": row["id"]}
    assert world.ask("POST", f"{PATH}/events", event, caller=STRANGER)[0] == 404
    assert len(listed(world)) == 1


def test_changes_are_announced(world: World) -> None:
    row = learnt(world)
    world.ask("PATCH", f"{PATH}/{row['id']}", {"active": False}, caller=ADMIN)
    world.ask("PATCH", f"{PATH}/{row['id']}", {"active": False}, caller=ADMIN)
    record(world, {"event_type": "fetched"})
    _, log = world.ask("GET", "/api/activity", query={"type": "recommendation"})
    assert [entry["action"] for entry in log["logs"]] == [
        "recommendation.events_recorded",
        "recommendation.updated",
        "recommendations.rebuilt",
    ]


def test_a_scan_that_meets_its_limit_forgets_nobody(world: World) -> None:
    quiet = learnt(world, agent_id="quiet")
    action_id = done(world, agent_id="loud")
    with world.runtime.store.write(AGENT.org_id) as tx:
        found = rows.episode(tx, AGENT.org_id, action_id)
        assert found is not None
        for number in range(99):
            row = {**found, "id": f"lep_{number}", "action_id": f"act_{number}", "updated_at": tx.stamp}
            rows.keep_episode(tx, row)
    assert [row["agent_id"] for row in rebuilt(world, episode_limit=100)["recommendations"]] == ["loud"]
    assert {row["agent_id"] for row in listed(world)} == {"loud", quiet["agent_id"]}
    world.clock.move(days=31)
    done(world)
    assert rebuilt(world, episode_limit=100)["episodes_scanned"] == 1
    assert listed(world) == []


def test_answers_are_of_the_declared_types(world: World) -> None:
    row = learnt(world)
    query = {"include_metrics": "true"}
    answers = {
        "get_recommendations": world.ask("GET", PATH, query=query)[1],
        "get_recommendation_metrics": world.ask("GET", f"{PATH}/metrics")[1],
        "record_recommendation_events": record(world, {"event_type": "fetched", "x": 1})[1],
        "set_recommendation_active": world.ask("PATCH", f"{PATH}/{row['id']}", {"active": 1, "x": 1}, caller=ADMIN)[1],
        "rebuild_recommendations": rebuilt(world, action_id=done(world), x=1),
    }
    wrong = [error for method, answer in answers.items() for error in unlike(promised(method), answer, method)]
    assert wrong == []
