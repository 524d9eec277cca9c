"""The chain holds wherever a process dies, and what was answered is in it or in its tail."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from dashclaw.runtime.evidence.sequencer import link_all
from dashclaw.runtime.evidence.verify import verify
from dashclaw.runtime.runtime import Runtime

from ...unit.client.support import eventually
from ..databases import database
from .competing import ORG, recorded, writers

ROUNDS = {"sqlite": 70, "postgresql": 30}


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ROUNDS)
def test_the_chain_holds_wherever_a_process_dies(kind: str, tmp_path: Path) -> None:
    chance = random.Random(20261121)
    tails = []
    with database(kind, tmp_path) as url:
        Runtime.open(url).close()
        for round_ in range(ROUNDS[kind]):
            with writers(url, tmp_path, [f"agent-{round_}-{number}" for number in range(2)]) as two:
                enough = chance.randint(1, 60)
                eventually(lambda two=two, enough=enough: sum(one.count() for one in two) >= enough, seconds=60)
                for writer in two:
                    writer.process.kill()
                for writer in two:
                    writer.process.join(30)
                answered = {pair for writer in two for pair in writer.answered()}
            assert len(answered) >= enough
            tails.append(check(url, answered))
    assert any(tails), "a process died before all was linked"
    assert 0 in tails or kind == "postgresql", "and another one after"


def check(url: str, answered: set[tuple[str, str]]) -> int:
    """All that was answered is there, the chain is whole before and after the rest is linked; returns the tail."""
    runtime = Runtime.open(url)
    try:
        with runtime.store.read() as tx:
            assert answered <= recorded(tx)
        before = verify(runtime.store, ORG)
        assert before.findings == ()
        assert link_all(runtime.store, ORG) == before.unlinked
        after = verify(runtime.store, ORG, live_rows=False)
        assert (after.findings, after.unlinked) == ((), 0)
        assert after.entries == before.entries + before.unlinked
        return before.unlinked
    finally:
        runtime.close()
