"""Models are built when they are first used, by one thread however many ask at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import pytest

from dashclaw.runtime.inputs import Input, Short, read_input

THREADS = 16


def test_a_model_is_built_once_however_many_threads_need_it_first(monkeypatch: pytest.MonkeyPatch) -> None:
    # Older releases of pydantic have no lock of their own, and ours has to do.
    monkeypatch.setattr("pydantic.main._rebuild_lock", nullcontext(), raising=False)
    builds: list[str] = []
    another = threading.Event()

    class Late(Input):
        agent_id: Short | None = None

        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            builds.append(threading.current_thread().name)
            if len(builds) > 1:
                another.set()
            # A second builder would come now.
            another.wait(0.3)
            return handler(source)

    assert builds == []
    ready = threading.Barrier(THREADS)

    def ask(number: int) -> Any:
        ready.wait()
        return read_input(Late, {"agent_id": f"agent-{number}", "more": number})

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(ask, range(THREADS)))
    assert len(builds) == 1
    assert [(body.agent_id, body.unknown) for body in found] == [(f"agent-{n}", {"more": n}) for n in range(THREADS)]


def test_no_model_is_built_before_it_is_asked_for() -> None:
    class Never(Input):
        agent_id: Short | None = None

    assert not Never.__pydantic_complete__
    assert list(Never.model_fields) == ["agent_id"]
