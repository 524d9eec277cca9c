"""What holds for every kind of record that agents write down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import event

from dashclaw.runtime.bootstrap import DEFAULT_ORG
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.services.kinds import AgentPage, Kind
from dashclaw.runtime.store.tables import goals

from .conftest import AGENT, World

SECRET = "AKIA" + "Q7ZP3MXW5KLT2RBN"


class Written(NamedTuple):
    """A request that writes a record down with every field there is, and where it is listed."""

    name: str
    plural: str
    path: str
    body: dict[str, Any]
    listed: dict[str, str] = {}
    event: str = ""

    @property
    def required(self) -> str:
        """The text without which there is no record: the first of the body."""
        return next(name for name in self.body if name != "type")

    def other(self, number: int) -> dict[str, Any]:
        """What makes it another record where the same one would be changed."""
        return {self.required: f"n{number}"} if self.name in ("snippet", "thread", "approach") else {}


KINDS = [
    Written(
        "decision",
        "decisions",
        "/api/learning",
        {"decision": "Retry", "context": "c", "reasoning": "r", "outcome": "success", "confidence": 80},
    ),
    Written(
        "goal",
        "goals",
        "/api/goals",
        {
            "title": "Fast",
            "priority": "high",
            "deadline": "2026-04-01",
            "target_date": "2026-03-31",
            "category": "speed",
            "description": "d",
            "progress": 10,
            "status": "paused",
            "cost_estimate": 1.5,
        },
    ),
    Written(
        "content",
        "content",
        "/api/content",
        {
            "title": "Report",
            "content_type": "report",
            "body": "b" * 50_000,
            "platform": "web",
            "status": "final",
            "url": "https://example.com",
        },
    ),
    Written(
        "interaction",
        "interactions",
        "/api/relationships",
        {
            "summary": "Asked",
            "contact_name": "QA",
            "contact_id": 7,
            "direction": "inbound",
            "type": "call",
            "platform": "phone",
            "date": "2026-02-28",
        },
    ),
    Written(
        "handoff",
        "handoffs",
        "/api/handoffs",
        {
            "summary": "Half done",
            "context": {"pipeline_id": "p_123", "steps": [1, 2.5, None, True]},
            "tags": ["nightly", "ü"],
            "key_decisions": ["k"],
            "open_tasks": {"next": "o"},
            "next_priorities": "first things first",
            "mood_notes": "calm",
            "session_date": "2026-02-28",
        },
    ),
    Written(
        "snippet",
        "snippets",
        "/api/snippets",
        {"name": "n", "code": "pass\n", "description": "d", "language": "python", "tags": ["db"]},
    ),
    Written(
        "point",
        "points",
        "/api/context/points",
        {"content": "Budget", "category": "constraint", "importance": 10, "session_date": "2026-02-28"},
        event="key_point.created",
    ),
    Written(
        "thread", "threads", "/api/context/threads", {"name": "Plan", "summary": "s"}, event="context_thread.created"
    ),
    Written(
        "observation",
        "observations",
        "/api/preferences",
        {"type": "observation", "observation": "o", "category": "c", "importance": 8, "user_id": "u"},
        {"type": "observations"},
    ),
    Written(
        "preference",
        "preferences",
        "/api/preferences",
        {
            "type": "preference",
            "preference": "p",
            "category": "c",
            "confidence": 90,
            "user_id": "u",
            "last_validated": "2026-02-28",
        },
        {"type": "preferences"},
    ),
    Written(
        "mood",
        "moods",
        "/api/preferences",
        {"type": "mood", "mood": "focused", "energy": "high", "context": "standup", "notes": "n", "user_id": "u"},
        {"type": "moods"},
    ),
    Written(
        "approach",
        "approaches",
        "/api/preferences",
        {"type": "approach", "approach": "Stack", "succeeded": True, "context": "c", "user_id": "u"},
        {"type": "approaches"},
    ),
]


def write(world: World, kind: Written, **fields: Any) -> Any:
    """The answer to a record of the kind, which must be accepted."""
    status, answer = world.ask("POST", kind.path, {**kind.body, "agent_id": "agent-1", **fields})
    assert status == 201, answer
    return answer


def listed(world: World, kind: Written, **query: str) -> Any:
    status, answer = world.ask("GET", kind.path, query={**kind.listed, **query})
    assert status == 200, answer
    return answer


def test_everything_that_is_given_comes_back(world: World) -> None:
    for kind in KINDS:
        answer = write(world, kind)
        row = answer[kind.name]
        stored = {name: value for name, value in kind.body.items() if name in row or name != "type"}
        assert {name: row[name] for name in stored} == stored
        assert (row["id"], row["agent_id"], row["org_id"]) == (answer[f"{kind.name}_id"], "agent-1", DEFAULT_ORG)
        page = listed(world, kind)
        assert page[kind.plural] == [row]
        assert (page["total"], page["has_more"]) == (1, False)


def test_a_list_can_be_narrowed_to_one_agent(world: World) -> None:
    for kind in KINDS:
        if kind.name == "snippet":
            continue
        for agent_id in ("agent-1", "agent-2"):
            write(world, kind, agent_id=agent_id)
        page = listed(world, kind, agent_id="agent-2")
        assert [row["agent_id"] for row in page[kind.plural]] == ["agent-2"], kind.name
        assert listed(world, kind)["total"] == 2, kind.name


def test_what_is_unknown_is_kept_and_named(world: World) -> None:
    for kind in KINDS:
        answer = write(world, kind, prioritty="high", metadata={"of": ["mine"]})
        assert answer[kind.name]["metadata"] == {"of": ["mine"], "prioritty": "high"}
        assert answer["warnings"] == ["unknown field 'prioritty' was kept in metadata and not interpreted"]


def test_secrets_are_masked_in_every_text(world: World) -> None:
    for kind in KINDS:
        texts = [name for name, value in kind.body.items() if isinstance(value, str) and name != "type"]
        fields = {**dict.fromkeys(texts, SECRET), "odd": [{"deep": SECRET}]}
        if kind.name == "interaction":
            fields["type"] = SECRET
        answer = write(world, kind, **fields)
        assert SECRET not in str(answer) + str(listed(world, kind))
        assert answer["security"]["findings_count"] == len(fields), kind.name
        assert answer["security"]["clean"] is False
    assert SECRET not in str(world.ask("GET", "/api/events"))


def test_a_change_is_one_event_without_long_values(world: World) -> None:
    for number, kind in enumerate(KINDS):
        answer = write(world, kind)
        _, log = world.ask("GET", "/api/activity")
        entry = log["logs"][0]
        assert log["stats"]["total"] == 2 * number + 1
        assert entry["action"] == (kind.event or f"{kind.name}.created")
        assert (entry["resource_id"], entry["agent_id"]) == (answer[f"{kind.name}_id"], "agent-1")
        row = {name: value for name, value in answer[kind.name].items() if name != "body"}
        assert entry["details"] == row
        write(world, kind, metadata={"long": "x" * 5000})
        assert "metadata" not in world.ask("GET", "/api/activity")[1]["logs"][0]["details"]


def test_a_list_is_paged_newest_first_without_gaps(world: World) -> None:
    for kind in KINDS:
        written = [write(world, kind, **kind.other(n))[kind.name]["id"] for n in range(5)]
        pages = [listed(world, kind, limit="2", offset=str(offset)) for offset in (0, 2, 4)]
        assert [row["id"] for page in pages for row in page[kind.plural]] == written[::-1], kind.name
        assert [(page["total"], page["has_more"]) for page in pages] == [(5, True), (5, True), (5, False)]
        assert listed(world, kind, limit="0")[kind.plural] == []


def test_a_limit_above_the_cap_is_cut_and_said(world: World) -> None:
    for kind in KINDS:
        cap = {"handoff": 1000, "thread": 100}.get(kind.name, 200)
        assert listed(world, kind, limit="100000")["limit"] == cap
        assert listed(world, kind)["limit"] == (20 if kind.name == "thread" else 50)


def test_a_request_without_its_text_is_refused_by_name(world: World) -> None:
    for kind in KINDS:
        for wrong in (None, ""):
            status, refused = world.ask("POST", kind.path, {**kind.body, kind.required: wrong})
            assert (status, refused["fields"][0]["field"]) == (400, kind.required)
        assert listed(world, kind)["total"] == 0


def test_an_embedded_caller_is_the_agent_of_what_it_writes(world: World) -> None:
    caller = AGENT._replace(agent_id="embedded")
    _, answer = world.ask("POST", "/api/goals", {"title": "Fast"}, caller=caller)
    assert answer["goal"]["agent_id"] == "embedded"


def test_a_deadline_and_a_target_date_stand_for_each_other(world: World) -> None:
    for name in ("deadline", "target_date"):
        _, answer = world.ask("POST", "/api/goals", {"title": "Fast", name: "2026-04-01"})
        assert answer["goal"]["deadline"] == answer["goal"]["target_date"] == "2026-04-01"


def test_an_interaction_has_the_day_on_which_it_was_recorded(world: World) -> None:
    _, answer = world.ask("POST", "/api/relationships", {"summary": "Asked"})
    assert answer["interaction"]["created_at"] == answer["interaction"]["date"]
    assert answer["interaction"]["created_at"].startswith("2026-03-01T12:00")


@pytest.fixture
def plans(tmp_path: Path) -> Iterator[tuple[Runtime, list[str]]]:
    """A SQLite runtime and how it answers each query."""
    runtime = Runtime.open(str(tmp_path / "dashclaw.db"))
    found: list[str] = []

    @event.listens_for(runtime.store.engine, "after_cursor_execute")
    def _explain(connection: Any, _: Any, statement: str, parameters: Any, *__: Any) -> None:
        if statement.startswith("SELECT"):
            plan = connection.connection.driver_connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            found.extend(row[3] for row in plan.fetchall())

    yield runtime, found
    runtime.close()


def test_every_list_is_served_by_an_index_of_the_organisation(plans: tuple[Runtime, list[str]]) -> None:
    runtime, found = plans
    for kind in KINDS:
        operation, _ = runtime.registry.match("GET", kind.path)
        choices = {name: "x" for name in operation.query.model_fields if name not in ("limit", "offset", "type")}
        choices.update({name: value for name, value in (("status", "active"), ("latest", "true")) if name in choices})
        for names in ([], ["agent_id"], list(choices)):
            query = {name: choices[name] for name in names if name in choices}
            runtime.execute(operation, AGENT, params={}, query={**kind.listed, **query}, body={})
    reads = [step for step in found if step.startswith(("SEARCH", "SCAN"))]
    assert len(reads) > 2 * len(KINDS)
    assert [step for step in reads if "INDEX" not in step or "(org_id=?" not in step] == []
    for condition in ("agent_id=? AND session_date=?", "org_id=? AND session_date=?", "org_id=? AND language=?"):
        assert [step for step in reads if condition in step], condition


def test_a_kind_is_declared_by_its_table_alone() -> None:
    kind = Kind("goal", "go", goals)
    schema = kind.body.model_json_schema()["properties"]
    assert schema["title"] == {"maxLength": 500, "minLength": 1, "title": "Title", "type": "string"}
    assert (schema["progress"]["default"], schema["progress"]["maximum"]) == (0, 100)
    assert "created_at" not in schema
    listing = kind.listing("get_goals", "/api/goals", "List goals", "dashboard")
    assert (listing.query, listing.role) == (AgentPage, "readonly")
