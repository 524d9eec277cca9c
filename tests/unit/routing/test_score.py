"""The exact numbers of the scoring."""

from __future__ import annotations

from typing import Any

import pytest

from dashclaw.runtime.routing.score import Worker, rank


def worker(name: str = "a", **fields: Any) -> Worker:
    usual: dict[str, Any] = {"status": "available", "load": 0, "max_load": 4, "skills": {"sql": 5}, "history": {}}
    return Worker(id=f"ra_{name}", name=name, **{**usual, **fields})


@pytest.mark.parametrize(
    ("fields", "required", "critical", "score"),
    [
        ({}, ["sql"], False, 40 + 20 + 12.5 + 7.5),
        ({}, ["sql"], True, 40 + 20 + 12.5 + 7.5 + 10),
        ({"load": 1}, ["sql"], True, 40 + 15 + 12.5 + 7.5),
        ({"skills": {"sql": 10}}, ["sql"], False, 40 + 20 + 12.5 + 15),
        ({"skills": {"sql": 0}}, ["sql"], False, 40 + 20 + 12.5),
        ({}, ["sql", "python"], False, 20 + 20 + 12.5 + 3.75),
        ({"history": {"sql": (3, 1)}}, ["sql"], False, 40 + 20 + 18.75 + 7.5),
        ({"history": {"sql": (0, 4)}}, ["sql"], False, 40 + 20 + 7.5),
        ({"history": {"python": (9, 0)}}, ["sql"], False, 40 + 20 + 12.5 + 7.5),
        ({"skills": {"sql": 5, "python": 8}, "history": {"sql": (1, 0), "python": (1, 1)}}, ["sql", "python"], False,
         40 + 20 + 16.67 + 9.75),
        ({"load": 1, "max_load": 3}, ["sql"], False, 73.33),
        ({}, ["welding"], True, 0),
        ({}, [], True, 1),
        ({"load": 3}, [], False, 1),
    ],
)  # fmt: skip
def test_a_score_is_the_sum_of_its_parts(
    fields: dict[str, Any], required: list[str], critical: bool, score: float
) -> None:
    [found] = rank([worker(**fields)], required, critical=critical)
    assert found.score == score


def test_the_best_comes_first() -> None:
    workers = [worker("half", load=2), worker("idle"), worker("expert", skills={"sql": 9})]
    assert [one.worker.name for one in rank(workers, ["sql"], critical=False)] == ["expert", "idle", "half"]


def test_without_skills_the_least_loaded_comes_first() -> None:
    workers = [worker("two", load=2), worker("small", load=1, max_load=2), worker("large", load=1, max_load=9)]
    assert [one.worker.name for one in rank(workers, [], critical=False)] == ["large", "small", "two"]


def test_who_may_not_get_the_task_is_ranked_after_all_who_may() -> None:
    workers = [
        worker("full", load=4, skills={"sql": 10}),
        worker("busy", status="busy", skills={"sql": 10}),
        worker("offline", status="offline"),
        worker("unskilled", skills={}),
        worker("poor", skills={"sql": 0}, history={"sql": (0, 9)}),
    ]
    found = rank(workers, ["sql"], critical=False)
    assert [(one.worker.name, one.eligible) for one in found] == [
        ("poor", True),
        ("busy", False),
        ("offline", False),
        ("full", False),
        ("unskilled", False),
    ]
    assert found[1].reasons[-1] == "it is busy"


def test_equals_come_in_a_fixed_order() -> None:
    workers = [worker(name) for name in "cab"]
    assert [one.worker.name for one in rank(workers, ["sql"], critical=False)] == ["a", "b", "c"]


def test_neither_case_nor_space_nor_repetition_of_a_skill_counts() -> None:
    [found] = rank([worker()], [" SQL", "sql ", "Sql"], critical=False)
    assert found.score == 80
    assert found.reasons[0] == "has 1 of 1 required skills"
