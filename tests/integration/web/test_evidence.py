"""The page of the chain of evidence, and the jobs that pages start."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from dashclaw.runtime.problems import Problem
from dashclaw.server.web.bundles import Bundles
from dashclaw.server.web.jobs import CancelledError, Job, Jobs

from ..serving import Served
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


def test_a_bundle_is_written_and_downloaded_once(operator: Browser, agent: httpx.Client, tmp_path: Path) -> None:
    act(agent)
    until(lambda: linked(agent))
    assert operator.post("/evidence/export/download", page="/evidence").status_code == 404
    assert operator.post("/evidence/export", {"since": "soon"}, page="/evidence").status_code == 400
    assert operator.post("/evidence/export", page="/evidence").status_code == 303
    until(lambda: "can be downloaded once" in text_of(operator.get("/evidence", region="bundle")))
    found = operator.post("/evidence/export/download", page="/evidence")
    assert found.headers["content-type"] == "application/zip"
    assert int(found.headers["content-length"]) == len(found.content)
    assert 'filename="evidence-1-' in found.headers["content-disposition"]
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(found.content)
    with zipfile.ZipFile(bundle) as opened:
        verifier = opened.extract("verify.py", tmp_path)
    checked = subprocess.run([sys.executable, verifier, str(bundle)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert operator.post("/evidence/export/download", page="/evidence").status_code == 404
    operator.post("/evidence/export", {"until": "2020-01-01"}, page="/evidence")
    until(lambda: "Nothing was recorded in that time" in text_of(operator.get("/evidence")))


def test_who_is_no_administrator_gets_no_bundle(visitor: Callable[[], Browser], server: Served) -> None:
    browser = visitor()
    browser.sign_in(server.agent_key)
    assert "/evidence/export" not in browser.get("/evidence").text
    for path in ("/evidence/export", "/evidence/export/cancel", "/evidence/export/download"):
        assert browser.post(path, page="/messages/new").status_code == 403


def test_few_bundles_wait_and_none_outlives_its_reader() -> None:
    bundles = Bundles()
    files = [bundles.new_file() for _ in range(5)]
    for number, file in enumerate(files):
        file.write(b"x" * number)
        bundles.keep(f"org_{number % 4}", file, {"first": 1, "last": number})
    assert [file.closed for file in files] == [True, True, False, False, False]
    bundle = bundles.take("org_2")
    assert bundle is not None
    assert bundle.size == 2
    pieces = bundle.pieces()
    assert next(pieces) == b"xx"
    pieces.close()
    assert files[2].closed
    assert bundles.take("org_2") is None
    bundles.close()
    assert all(file.closed for file in files)


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
