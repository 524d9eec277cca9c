"""Processes that write to one database, each with a sequencer that hardly pauses; made by forking, in no time."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select

from dashclaw import DashClaw
from dashclaw.runtime.evidence import sequencer
from dashclaw.runtime.evidence.verify import verify
from dashclaw.runtime.runtime import Runtime
from dashclaw.runtime.store.engine import Tx
from dashclaw.runtime.store.tables import events, evidence_entries

from ...unit.client.support import eventually

_PROCESSES = multiprocessing.get_context("forkserver")
# Also what a first call loads, which takes half a second.
_PROCESSES.set_forkserver_preload([__name__, "dashclaw.local", "alembic.command", "alembic.op", "cronsim", "yaml"])
FOR_EVER = 1_000_000
ORG = "org_default"


class Writer(NamedTuple):
    """A process, and the file in which it keeps what it was answered."""

    process: ForkServerProcess
    answers: Path

    def answered(self) -> list[tuple[str, str]]:
        """Pairs of an event's name and the id it is about."""
        text = self.answers.read_text() if self.answers.exists() else ""
        return [tuple(json.loads(line)) for line in text[: text.rfind("\n") + 1].splitlines()]

    def count(self) -> int:
        """How many answers so far."""
        return self.answers.read_bytes().count(b"\n") if self.answers.exists() else 0


def write(url: str, agent_id: str, answers: str, rounds: int) -> None:
    """What a writer does."""
    sequencer.GATHER_SECONDS = 0.01
    said = os.open(answers, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    with DashClaw.local(url, agent_id=agent_id, starter_policies=False) as claw:
        for number in range(rounds):
            decision = claw.guard({"action_type": "research", "declared_goal": f"Look {number}"})
            _say(said, "guard.decision.created", decision["decision_id"])
            created = claw.create_action("research", f"Read {number}")
            _say(said, "action.created", created["action_id"])
            claw.update_outcome(created["action_id"], status="completed", output_summary=f"Read {number}")
            _say(said, "action.updated", created["action_id"])
    os.close(said)


def _say(said: int, name: str, key: str) -> None:
    os.write(said, json.dumps([name, key]).encode() + b"\n")


@contextmanager
def writers(url: str, folder: Path, names: list[str], rounds: int = FOR_EVER) -> Iterator[list[Writer]]:
    """Several at once; killed when the block ends."""
    with ExitStack() as stack:
        found = []
        for name in names:
            answers = folder / f"{name}.answers"
            process = _PROCESSES.Process(target=write, args=(url, name, str(answers), rounds))
            process.start()
            stack.callback(process.close)
            stack.callback(process.join, 30)
            stack.callback(process.kill)
            found.append(Writer(process, answers))
        yield found


def recorded(tx: Tx) -> set[tuple[str, str]]:
    """Every event as its name and the id it is about."""
    return {(row["event"], row["resource_id"]) for row in tx.all(select(events.c.event, events.c.resource_id))}


def assert_linked_once(url: str, seconds: float) -> int:
    """Within these seconds every event has one entry, in the order of ids; returns how many there are."""
    runtime = Runtime.open(url)
    try:
        runtime.store.on_events = None
        eventually(lambda: verify(runtime.store, ORG, live_rows=False).unlinked == 0, seconds=seconds)
        report = verify(runtime.store, ORG)
        assert report.findings == ()
        with runtime.store.read() as tx:
            linked = [row["event_id"] for row in tx.all(select(evidence_entries.c.event_id).order_by("seq"))]
            ids = [row["id"] for row in tx.all(select(events.c.id).where(events.c.org_id == ORG).order_by("id"))]
            assert tx.scalar(select(func.max(evidence_entries.c.seq))) == len(linked)
        assert linked == ids
        return len(linked)
    finally:
        runtime.close()
