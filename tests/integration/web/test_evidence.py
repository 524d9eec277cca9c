"""The page of the chain of evidence, and the jobs that pages start."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import httpx
import pytest

from dashclaw.runtime.problems import Problem
from dashclaw.server.web.jobs import CancelledError, Job, Jobs

from .support import Browser, text_of

SCRIPT = "<script>alert(1)</script>"
PATIENCE = 30.0


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never held"
        threading.Event().wait(0.02)


def act(agent: httpx.Client) -> str:
    body = {"agent_id": "clerk", "action_type": "email", "declared_goal": f"Write to Ann {SCRIPT}"}
    found: str = agent.post("/api/actions", json=body).json()["action_id"]
    return found


def linked(agent: httpx.Client) -> bool:
    state = agent.get("/api/evidence").json()
    return state["size"] > 0 and state["unlinked"] == 0


def test_the_chain_is_verified_while_one_watches(operator: Browser, agent: httpx.Client) -> None:
    act(agent)
    until(lambda: linked(agent))
    assert operator.post("/evidence/verify", page="/evidence").status_code == 303
    until(lambda: "Nothing was altered" in text_of(operator.get("/evidence", region="verification")))
    size = agent.get("/api/evidence").json()["size"]
    assert f"Entries {size:,}" in text_of(operator.get("/evidence")).replace("\u202f", ",").replace("\u00a0", ",")


def test_a_checkpoint_and_a_proof(operator: Browser, agent: httpx.Client) -> None:
    act(agent)
    until(lambda: linked(agent))
    assert operator.post("/evidence/checkpoint", page="/evidence").status_code == 303
    assert "entries are signed" in text_of(operator.get("/evidence"))
    proof = operator.get("/evidence/proof?seq=1")
    assert proof.headers["content-disposition"] == 'attachment; filename="proof.json"'
    assert proof.json()
    assert operator.get("/evidence/proof?seq=999999").status_code == 404


def test_text_is_erased_once_the_word_is_typed(operator: Browser, agent: httpx.Client) -> None:
    action_id = act(agent)
    agent.patch(f"/api/actions/{action_id}", json={"status": "completed"}).raise_for_status()
    until(lambda: linked(agent))
    form = {"action_id": action_id, "reason": f"asked for {SCRIPT}", "typed": "yes"}
    refused = operator.post("/evidence/erase", form, page="/evidence")
    assert refused.status_code == 400
    assert "nothing was erased" in text_of(refused)
    assert "Ann" in agent.get(f"/api/actions/{action_id}").json()["action"]["declared_goal"]
    assert operator.post("/evidence/erase", {**form, "typed": "erase"}, page="/evidence").status_code == 303
    assert "Ann" not in agent.get(f"/api/actions/{action_id}").json()["action"]["declared_goal"]
    page = operator.get("/evidence")
    assert SCRIPT not in page.text
    assert f"asked for {SCRIPT}" in text_of(page)


def test_one_job_of_a_kind_at_a_time_and_it_can_be_cancelled() -> None:
    jobs = Jobs()
    begun = threading.Event()

    def endless(job: Job) -> None:
        begun.set()
        while True:
            job.progress(1, 2)

    first = jobs.start("org", "verify", endless)
    assert begun.wait(PATIENCE)
    with pytest.raises(Problem) as refused:
        jobs.start("org", "verify", endless)
    assert refused.value.status == 409
    first.cancel()
    until(lambda: first.ended)
    assert (first.error, first.result) == ("It was cancelled.", None)
    again = jobs.start("org", "verify", endless)
    jobs.close()
    assert again.ended
    with pytest.raises(CancelledError):
        again.progress(1, 1)


def test_a_job_that_fails_says_so() -> None:
    jobs = Jobs()

    def broken(_: Job) -> None:
        raise RuntimeError("a secret detail")

    job = jobs.start("org", "verify", broken)
    until(lambda: job.ended)
    jobs.close()
    assert job.error is not None
    assert "RuntimeError" in job.error
    assert "secret" not in job.error
