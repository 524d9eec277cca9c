"""What was written about an action goes on request; the chain still verifies and says who erased it and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select, update

from dashclaw.runtime.action_rows import action_row
from dashclaw.runtime.evidence import verdicts
from dashclaw.runtime.evidence.findings import Report
from dashclaw.runtime.evidence.sequencer import link_all
from dashclaw.runtime.evidence.verify import verify
from dashclaw.runtime.identity import Caller, Origin
from dashclaw.runtime.store import action_digests
from dashclaw.runtime.store import actions as action_rows
from dashclaw.runtime.store.erasure import ERASED, ERASED_DATA
from dashclaw.runtime.store.tables import events, evidence_entries, guard_decisions, metadata

from .conftest import ADMIN, AGENT, World

SECRET = "Jürgen Müller, Hauptstraße 7"
OTHER = "Nothing about anybody"
REASON = "Article 17, request 4711"


def erase(world: World, action_id: str, **more: Any) -> Any:
    status, answer = world.ask(
        "POST", "/api/evidence/erase", {"action_id": action_id, "reason": REASON, **more}, caller=ADMIN
    )
    assert status == 200, answer
    return answer


def checked(world: World, org_id: str = ADMIN.org_id) -> Report:
    """The verification of the chain, which has to be whole."""
    found = verify(world.runtime.store, org_id)
    assert found.findings == ()
    return found


def everything(world: World) -> Iterator[tuple[str, str]]:
    """Each value of each table as text, with the name of its column."""
    with world.runtime.store.read() as tx:
        for table in metadata.sorted_tables:
            for row in tx.all(select(table)):
                for name, value in row.items():
                    yield f"{table.name}.{name}", value if isinstance(value, str) else repr(value)


def where(world: World, wanted: str) -> set[str]:
    """Where a text is; the list of agents keeps the name that an agent gave itself."""
    spelt = (wanted, json.dumps(wanted)[1:-1])
    found = {name for name, value in everything(world) if any(text in value for text in spelt)}
    return found - {"agents.agent_name"}


def events_of(world: World, name: str) -> list[dict[str, Any]]:
    with world.runtime.store.read() as tx:
        found = tx.all(select(events).where(events.c.event == name).order_by(events.c.id))
    return [{**row, "data": json.loads(row["data"])} for row in found]


def rows(world: World, table: Table) -> list[dict[str, Any]]:
    with world.runtime.store.read() as tx:
        return tx.all(select(table))


def told(world: World, action_id: str) -> None:
    """Everything that can be said about an action, with the secret in all of it."""
    about = {"action_id": action_id}
    for path, body in (
        ("/api/actions/loops", {**about, "loop_type": "question", "description": SECRET, "owner": SECRET}),
        ("/api/actions/assumptions", {**about, "assumption": SECRET, "basis": SECRET, "note": SECRET}),
        (
            "/api/messages",
            {
                "body": SECRET,
                "subject": SECRET,
                "from_agent_id": "agent-1",
                "doc_ref": action_id,
                "attachments": [{"filename": "a.txt", "mime_type": "text/plain", "data": "bm90ZQ=="}],
            },
        ),
        ("/api/messages", {"body": SECRET, "from_agent_id": "agent-1", "action": action_id}),
    ):
        status, answer = world.ask("POST", path, body, key=f"{action_id} {path} {len(body)} {world.clock()}")
        assert status == 201, answer


def finished(world: World, **more: Any) -> str:
    """An action that was approved and has ended, with the secret wherever text is taken."""
    body = {
        "action_type": "deploy",
        "agent_id": "agent-1",
        "declared_goal": SECRET,
        "agent_name": SECRET,
        "reasoning": SECRET,
        "authorization_scope": SECRET,
        "trigger": SECRET,
        "input_summary": SECRET,
        "metadata": {"who": SECRET, "nested": {"deep": [SECRET]}},
        "note": SECRET,
        **more,
    }
    world.ask("POST", "/api/guard", body)
    status, made = world.ask("POST", "/api/actions", body, key=f"make {world.clock()}")
    assert status == 202, made
    action_id: str = made["action_id"]
    path = f"/api/actions/{action_id}"
    approver = ADMIN._replace(operator="Ann", origin=Origin("api", "192.0.2.1"))
    assert world.ask("POST", f"{path}/approve", {"decision": "allow", "reasoning": SECRET}, caller=approver)[0] == 200
    told(world, action_id)
    ended = {"status": "completed", "output_summary": SECRET, "side_effects": [SECRET], "artifacts_created": [SECRET]}
    assert world.ask("PATCH", path, {**ended, "error_message": SECRET}, key=f"end {world.clock()}")[0] == 200
    return action_id


@pytest.fixture
def governed(world: World) -> World:
    world.policy("require_approval", {"action_types": ["deploy"]})
    return world


def test_nothing_of_the_text_is_left_and_the_chain_is_whole(governed: World) -> None:
    _hook(governed)
    action_id = finished(governed)
    kept = finished(governed, declared_goal=OTHER, swarm_id="other")
    erase(governed, kept)
    assert where(governed, SECRET)
    before = checked(governed).entries
    answer = erase(governed, action_id)
    assert where(governed, SECRET) == set()
    after = checked(governed)
    assert after.entries > before
    assert after.erased >= answer["events"] == 9
    assert (answer["erased"], answer["reason"], answer["already_erased"]) == (True, REASON, [])
    assert {name: answer["records"][name] for name in ("actions", "approvals", "loops", "assumptions")} == {
        "actions": 1,
        "approvals": 1,
        "loops": 1,
        "assumptions": 1,
    }
    assert (answer["records"]["messages"], answer["records"]["attachments"], answer["records"]["decisions"]) == (
        2,
        1,
        2,
    )


def _hook(world: World) -> None:
    body = {"url": "https://example.com/hook", "events": ["all"]}
    status, answer = world.ask("POST", "/api/webhooks", body, caller=ADMIN)
    assert status == 201, answer


def test_no_hash_is_left_by_which_the_text_could_be_guessed(governed: World) -> None:
    action_id = finished(governed)
    with governed.runtime.store.read() as tx:
        row = action_rows.find(tx, ADMIN.org_id, action_id)
    assert row is not None
    decisions = [event["data"]["row"] for event in events_of(governed, "guard.decision.created")]
    assert len(decisions) == 2
    assert where(governed, row["digest"])
    erase(governed, action_id)
    for guessable in (row["digest"], *decisions):
        assert where(governed, guessable) == set()
    assert all(entry["salt"] is not None for entry in rows(governed, evidence_entries) if entry["seq"] == 1)


def test_the_record_says_who_erased_what_and_why(governed: World) -> None:
    action_id = finished(governed)
    answer = erase(governed, action_id)
    (found,) = events_of(governed, "evidence.erased")
    assert found["actor_id"] == ADMIN.actor_id
    assert found["resource_id"] == found["data"]["action_id"] == action_id
    assert found["data"]["reason"] == REASON
    assert found["data"]["by"] == {"type": "api_key", "id": "key_operator", "name": None}
    assert found["data"]["entries"] == answer["entries"]
    entries = {entry["seq"]: entry for entry in rows(governed, evidence_entries)}
    erased = {seq for first, last in answer["entries"] for seq in range(first, last + 1)}
    assert {seq for seq, entry in entries.items() if entry["salt"] is None} == erased
    by_event = {row["id"]: row["data"] for row in rows(governed, events)}
    assert {by_event[entries[seq]["event_id"]] for seq in erased} == {ERASED_DATA}


@pytest.mark.parametrize("page", [3, 2000])
def test_the_newest_events_are_the_live_rows(governed: World, page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "PAGE", page)
    action_id = finished(governed)
    for _ in range(10):
        governed.act(status="completed")
    erase(governed, action_id)
    newest = events_of(governed, "action.updated")[-1]
    with governed.runtime.store.read() as tx:
        row = action_rows.find(tx, ADMIN.org_id, action_id)
        stored = action_digests.digest(tx, ADMIN.org_id, action_id)
    assert row is not None
    assert newest["data"] == {**json.loads(json.dumps(action_row(row))), "row": stored}
    assert newest["data"]["declared_goal"] == ERASED
    assert newest["data"]["approval"]["votes"][0]["reason"] == ERASED
    assert newest["data"]["approval"]["votes"][0]["name"] == "Ann"
    told_of = events_of(governed, "guard.decision.erased")
    assert len({event["resource_id"] for event in told_of}) == 2
    for _ in range(10):
        governed.act(status="completed")
    later = governed.act(status="completed")[1]["action"]["decision_id"]
    link_all(governed.runtime.store, ADMIN.org_id)
    checked(governed)
    changed = [event["resource_id"] for event in told_of]
    for decision_id in [*changed, later]:
        with governed.runtime.store.write(ADMIN.org_id) as tx:
            where = guard_decisions.c.id == decision_id
            tx.execute(update(guard_decisions).where(where).values(risk_score=guard_decisions.c.risk_score + 1))
        (finding,) = verify(governed.runtime.store, ADMIN.org_id).findings
        assert finding.detail == f"decision {decision_id} is not what was recorded"
        with governed.runtime.store.write(ADMIN.org_id) as tx:
            tx.execute(update(guard_decisions).where(where).values(risk_score=guard_decisions.c.risk_score - 1))


def test_readers_go_on_after_an_erasure(governed: World) -> None:
    action_id = finished(governed)
    erase(governed, action_id)
    for path in (
        f"/api/actions/{action_id}",
        f"/api/actions/{action_id}/trace",
        f"/api/actions/{action_id}/replay",
        "/api/actions",
        "/api/guard",
        "/api/activity",
        "/api/digest",
        "/api/actions/loops",
        "/api/actions/assumptions",
        "/api/actions/signals",
        "/api/messages",
    ):
        status, answer = governed.ask("GET", path)
        assert status == 200, (path, answer)
    _, shown = governed.ask("GET", f"/api/actions/{action_id}")
    assert shown["action"]["metadata"] == {"who": ERASED, "nested": ERASED, "note": ERASED}
    assert shown["action"]["side_effects"] == [ERASED]
    assert shown["open_loops"][0]["description"] == ERASED
    _, page = governed.ask("GET", "/api/events", query={"limit": "200"})
    assert {"erased": True} in [event["data"] for event in page["events"]]
    decision_id = shown["action"]["decision_id"]
    _, decision = governed.ask("GET", f"/api/guard/decisions/{decision_id}")
    assert decision["reevaluated"]["evaluated"] is None


def test_erasing_twice_changes_nothing(governed: World) -> None:
    action_id = finished(governed)
    first = erase(governed, action_id)
    size = checked(governed).entries
    again = erase(governed, action_id)
    assert (again["erased"], again["events"], again["entries"]) == (False, 0, [])
    assert again["already_erased"] == first["entries"]
    assert checked(governed).entries == size
    assert len(events_of(governed, "evidence.erased")) == 1


def test_what_is_said_later_can_be_erased_later(governed: World) -> None:
    action_id = finished(governed)
    erase(governed, action_id)
    told(governed, action_id)
    assert where(governed, SECRET)
    answer = erase(governed, action_id)
    assert answer["erased"]
    assert where(governed, SECRET) == set()
    assert len(events_of(governed, "evidence.erased")) == 2
    checked(governed)


def test_only_the_named_fields_go(governed: World) -> None:
    action_id = finished(governed, trigger=OTHER)
    governed.ask("PATCH", f"/api/actions/{action_id}", {"model": "m"})
    answer = erase(governed, action_id, fields=["declared_goal", "output_summary"])
    assert answer["fields"] == ["declared_goal", "output_summary"]
    _, shown = governed.ask("GET", f"/api/actions/{action_id}")
    assert (shown["action"]["declared_goal"], shown["action"]["output_summary"]) == (ERASED, ERASED)
    assert (shown["action"]["trigger"], shown["action"]["reasoning"].splitlines()[0]) == (OTHER, SECRET)
    assert not erase(governed, action_id, fields=["declared_goal"])["erased"]
    checked(governed)
    erase(governed, action_id)
    assert where(governed, SECRET) == set()
    checked(governed)


def test_another_action_keeps_its_text(governed: World) -> None:
    action_id = finished(governed)
    kept = finished(governed, declared_goal=OTHER, parent_action_id=action_id)
    before = [event["data"] for event in events_of(governed, "action.updated") if event["resource_id"] == kept]
    erase(governed, action_id)
    assert [event["data"] for event in events_of(governed, "action.updated") if event["resource_id"] == kept] == before
    _, shown = governed.ask("GET", f"/api/actions/{kept}")
    assert shown["action"]["declared_goal"] == OTHER


def test_the_same_text_elsewhere_is_pointed_out(world: World) -> None:
    ids = [world.act(declared_goal=SECRET, status="completed")[1]["action_id"] for _ in range(3)]
    world.ask("POST", "/api/handoffs", {"summary": "see", "agent_id": "a", "open_tasks": [ids[0]]})
    answer = erase(world, ids[0])
    assert answer["same_body"] == sorted(ids[1:])
    assert [named["event"] for named in answer["also_named_in"]] == ["handoff.created"]


def test_single_events_are_erased_by_their_ids(world: World) -> None:
    world.ask("POST", "/api/handoffs", {"summary": SECRET, "agent_id": "a"})
    _, done = world.act(status="completed")
    (handoff,) = events_of(world, "handoff.created")
    ask = {"event_ids": [handoff["id"]], "reason": REASON}
    status, answer = world.ask("POST", "/api/evidence/erase", ask, caller=ADMIN)
    assert (status, answer["events"], len(answer["entries"])) == (200, 1, 1)
    assert where(world, SECRET) == {"handoffs.summary"}
    (action,) = events_of(world, "action.created")
    for ids, code in (([10**9], 404), ([action["id"]], 400)):
        assert world.ask("POST", "/api/evidence/erase", {**ask, "event_ids": ids}, caller=ADMIN)[0] == code
    assert done
    checked(world)


def test_a_decision_without_an_action_is_erased(world: World) -> None:
    _, made = world.ask("POST", "/api/guard", {"action_type": "a", "agent_id": "b", "declared_goal": SECRET})
    ask = {"decision_id": made["decision_id"], "reason": REASON}
    status, answer = world.ask("POST", "/api/evidence/erase", ask, caller=ADMIN)
    assert (status, answer["records"]) == (200, {"decisions": 1})
    assert where(world, SECRET) == set()
    assert not world.ask("POST", "/api/evidence/erase", ask, caller=ADMIN)[1]["erased"]
    checked(world)
    _, acted = world.act(status="completed")
    ask["decision_id"] = acted["action"]["decision_id"]
    assert world.ask("POST", "/api/evidence/erase", ask, caller=ADMIN)[0] == 409


@pytest.mark.parametrize("status", ["running", "pending_approval"])
def test_an_open_action_keeps_its_text(world: World, status: str) -> None:
    _, made = world.act(declared_goal=SECRET, status=status)
    ask = {"action_id": made["action_id"], "reason": REASON}
    refused, answer = world.ask("POST", "/api/evidence/erase", ask, caller=ADMIN)
    assert (refused, answer["code"]) == (409, "ACTION_OPEN")
    assert where(world, SECRET)
    world.clock.move(days=2)
    world.ask("PATCH", f"/api/actions/{made['action_id']}", {"status": "cancelled"})
    erase(world, made["action_id"])
    assert where(world, SECRET) == set()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action_id": "x"},
        {"action_id": "x", "reason": "no"},
        {"action_id": "x", "reason": "  a  "},
        {"action_id": "x", "reason": "y" * 501},
        {"reason": REASON},
        {"action_id": "x", "decision_id": "y", "reason": REASON},
        {"action_id": "x", "reason": REASON, "fields": []},
        {"action_id": "x", "reason": REASON, "fields": ["status"]},
        {"action_id": "x", "reason": REASON, "field": ["declared_goal"]},
        {"decision_id": "x", "reason": REASON, "fields": ["metadata"]},
        {"event_ids": [], "reason": REASON},
        {"event_ids": [True], "reason": REASON},
        {"event_ids": ["x"], "reason": REASON},
    ],
)
def test_bad_requests_are_refused(world: World, body: dict[str, Any]) -> None:
    status, answer = world.ask("POST", "/api/evidence/erase", body, caller=ADMIN)
    assert (status, answer["code"]) == (400, "VALIDATION_FAILED")
    assert answer["fields"]


def test_only_an_admin_of_the_organisation_erases(world: World) -> None:
    _, done = world.act(declared_goal=SECRET, status="completed")
    ask = {"action_id": done["action_id"], "reason": REASON}
    assert world.ask("POST", "/api/evidence/erase", ask, caller=AGENT)[0] == 403
    _, made = world.ask("POST", "/api/orgs", {"name": "Other", "slug": "other"}, caller=ADMIN)
    stranger = Caller(made["organization"]["id"], "key_other", "admin")
    (event,) = events_of(world, "action.created")
    other = {"decision_id": done["action"]["decision_id"]}, {"event_ids": [event["id"]]}
    for target in ({"action_id": done["action_id"]}, *other):
        assert world.ask("POST", "/api/evidence/erase", {**target, "reason": REASON}, caller=stranger)[0] == 404
    assert where(world, SECRET)


def test_a_kept_answer_is_forgotten_and_its_key_stays_used(world: World) -> None:
    named = {"action_id": "größte 1", "agent_id": "a"}
    body = {"action_type": "research", "declared_goal": SECRET, **named, "status": "completed"}
    _, done = world.ask("POST", "/api/actions", body, key="k1")
    assert "idempotency.body" in where(world, SECRET)
    erase(world, done["action_id"])
    status, answer = world.ask("POST", "/api/actions", body, key="k1")
    assert (status, answer["code"]) == (409, "IDEMPOTENCY_CONFLICT")
    assert where(world, SECRET) == set()


def test_an_erasure_without_its_event_is_found(world: World) -> None:
    for _ in range(5):
        world.act(status="completed")
    link_all(world.runtime.store, ADMIN.org_id)
    checked(world)
    entry = rows(world, evidence_entries)[4]
    (event,) = [row for row in rows(world, events) if row["id"] == entry["event_id"]]
    for salt, data, kinds in (
        (None, ERASED_DATA, ["removed"]),
        (None, event["data"], ["changed", "removed"]),
        (entry["salt"], ERASED_DATA, ["changed"]),
        (entry["salt"], event["data"], []),
    ):
        with world.runtime.store.write(ADMIN.org_id) as tx:
            tx.execute(update(evidence_entries).where(evidence_entries.c.seq == entry["seq"]).values(salt=salt))
            tx.execute(update(events).where(events.c.id == event["id"]).values(data=data))
        found = verify(world.runtime.store, ADMIN.org_id, live_rows=False).findings
        assert [(finding.kind, finding.first) for finding in found] == [(kind, entry["seq"]) for kind in kinds]


def test_nothing_new_can_take_the_place_of_what_was_erased(world: World) -> None:
    _, done = world.act(declared_goal=SECRET, status="completed")
    (first, _) = erase(world, done["action_id"])["entries"][0]
    checked(world)
    (entry,) = [row for row in rows(world, evidence_entries) if row["seq"] == first]
    with world.runtime.store.write(ADMIN.org_id) as tx:
        tx.execute(update(events).where(events.c.id == entry["event_id"]).values(data='{"decision":"block"}'))
    found = verify(world.runtime.store, ADMIN.org_id, live_rows=False).findings
    assert [(finding.kind, finding.first) for finding in found] == [("changed", first)]


def test_erasures_while_the_chain_grows(world: World) -> None:
    ids = [world.act(declared_goal=f"{SECRET} {n}", status="completed")[1]["action_id"] for n in range(12)]

    def write(number: int) -> None:
        for n in range(25):
            assert world.act(declared_goal=OTHER, agent_id=f"agent-{number}-{n}", status="completed")[0] == 201

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, number) for number in range(3)]
        for action_id in ids:
            erase(world, action_id)
        for writer in writers:
            writer.result(timeout=60)
    assert where(world, SECRET) == set()
    link_all(world.runtime.store, ADMIN.org_id)
    found = checked(world)
    assert found.unlinked == 0
    assert found.erased >= 24


def test_the_file_does_not_hold_the_text_any_more(world: World) -> None:
    if world.runtime.store.dialect != "sqlite":
        pytest.skip("SQLite's file; PostgreSQL frees the place of old versions with VACUUM")
    secrets = [f"{SECRET} {n:03}." for n in range(200)]
    ids = [world.act(declared_goal=secret)[1]["action_id"] for secret in secrets]
    for action_id, secret in zip(ids, secrets, strict=True):
        world.ask("PATCH", f"/api/actions/{action_id}", {"output_summary": secret, "status": "completed"})
    link_all(world.runtime.store, ADMIN.org_id)
    gone = range(0, 200, 3)
    for n in gone:
        erase(world, ids[n])
    held = b"".join(path.read_bytes() for path in Path(world.url).parent.glob("dashclaw.db*"))
    assert {n for n, secret in enumerate(secrets) if secret.encode() in held} == set(range(200)) - set(gone)


def test_a_reader_does_not_stop_an_erasure(world: World) -> None:
    _, done = world.act(declared_goal=SECRET, status="completed")
    with world.runtime.store.read() as tx:
        tx.all(select(events))
        erase(world, done["action_id"])
    assert where(world, SECRET) == set()
    checked(world)
