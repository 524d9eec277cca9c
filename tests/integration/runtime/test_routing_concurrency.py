"""No agent has more tasks than it may, however many threads and processes submit and complete."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select

from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.store.tables import routing_agents, routing_tasks

from .conftest import World
from .test_routing import agent, complete, load, task

WORKER = """
import sys
from dashclaw import DashClaw
from dashclaw.errors import ConflictError

with DashClaw.local(sys.argv[1], agent_id="worker") as claw:
    for number in range(int(sys.argv[2])):
        claw.submit_routing_task(f"Task {number}", required_skills=["sql"])
        for task in claw.list_routing_tasks(status="assigned", limit=3)["tasks"]:
            try:
                claw.complete_routing_task(task["task_id"], success=number % 3 > 0)
            except ConflictError:
                pass
"""


def broken(runtime: Runtime) -> list[Any]:
    """The agents with more tasks than they may have, or than are counted, at one moment."""
    agents, tasks = routing_agents.c, routing_tasks.c
    held = select(tasks.assigned_to, func.count().label("held")).where(tasks.status == "assigned")
    with runtime.store.read() as tx:
        counts = {row["assigned_to"]: row["held"] for row in tx.all(held.group_by(tasks.assigned_to))}
        pool = tx.all(select(agents.id, agents.current_load, agents.max_concurrent))
    return [
        (row, counts.get(row["id"], 0))
        for row in pool
        if row["current_load"] > row["max_concurrent"] or row["current_load"] != counts.get(row["id"], 0)
    ]


def watched(runtime: Runtime, work: Callable[[], None]) -> list[Any]:
    """What was found broken while `work` ran, and after it."""
    found: list[Any] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            found.extend(broken(runtime))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join(60)
    return found + broken(runtime)


def at_once(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)


def assigned(world: World) -> list[str]:
    _, listed = world.ask("GET", "/api/routing/tasks", query={"status": "assigned", "limit": "200"})
    return [row["id"] for row in listed["tasks"]]


def test_many_threads_never_overload_an_agent(world: World) -> None:
    agents = [agent(world, f"agent {places}", "sql", maxConcurrent=places) for places in (1, 2, 3)]

    def work(number: int) -> None:
        for _ in range(6):
            task(world, "Report", "sql")
            for key in assigned(world)[:2]:
                complete(world, key, success=number % 4 > 0)

    assert watched(world.runtime, lambda: at_once(8, work)) == []
    while keys := assigned(world):
        assert len(keys) <= 6
        for key in keys:
            complete(world, key)
    _, stats = world.ask("GET", "/api/routing/stats")
    assert (stats["tasks"]["total"], stats["tasks"]["pending"]) == (48, 0)
    assert stats["tasks"]["completed"] + stats["tasks"]["escalated"] == 48
    assert [load(world, key) for key in agents] == [0, 0, 0]


def test_a_task_is_completed_by_one_of_many(world: World) -> None:
    only = agent(world)
    key = task(world)["task_id"]
    statuses: list[int] = []
    at_once(6, lambda _: statuses.append(complete(world, key)[0]))
    assert sorted(statuses) == [200, 409, 409, 409, 409, 409]
    assert load(world, only) == 0


def test_two_processes_never_overload_an_agent(world: World) -> None:
    agent(world, "small", "sql", maxConcurrent=1)
    agent(world, "large", "sql", maxConcurrent=3)

    def work() -> None:
        command = [sys.executable, "-c", WORKER, world.url, "10"]
        processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
        for process in processes:
            _, errors = process.communicate(timeout=120)
            assert (process.returncode, errors) == (0, b"")

    assert watched(world.runtime, work) == []
    _, stats = world.ask("GET", "/api/routing/stats")
    assert stats["tasks"]["total"] == 20
    assert stats["load"]["taken"] == stats["tasks"]["assigned"] <= 4
