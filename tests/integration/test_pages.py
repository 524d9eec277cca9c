"""The guides are true: their Python runs in the order of the page, and their commands are those of the parser."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dashclaw import DashClaw
from dashclaw.cli import main, parser

from .serving import served

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = (
    "approvals",
    "testing",
    "connections",
    "server",
    "webhooks",
    "costs",
    "recommendations",
    "pairing",
    "signing",
    "identity",
    "evidence",
)
PAGES = [DOCS / "getting-started.md", *(DOCS / f"guides/{name}.md" for name in GUIDES)]


def python(page: Path) -> str:
    """The Python of a page as one program, each line where it stands on the page."""
    lines = []
    inside = False
    for line in page.read_text().splitlines():
        fence = line.startswith("```")
        inside = line == "```python" or (inside and not fence)
        lines.append(line if inside and not fence else "")
    return "\n".join(lines) + "\n"


def commands(page: Path) -> list[str]:
    """The calls of `dashclaw` on a page."""
    return re.findall(r"^\$ (dashclaw .*)$", page.read_text(), re.MULTILINE)


@contextmanager
def a_person_approves(operator: DashClaw) -> Iterator[list[str]]:
    """Somebody who approves whatever waits, as the page's second terminal does."""
    leaving = threading.Event()
    approved: list[str] = []

    def work() -> None:
        while not leaving.wait(0.05):
            for action in operator.get_pending_approvals()["actions"]:
                operator.approve_action(action["action_id"], "allow")
                approved.append(action["declared_goal"])

    person = threading.Thread(target=work)
    person.start()
    try:
        yield approved
    finally:
        leaving.set()
        person.join()


def test_getting_started_works_from_the_first_line_to_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = PAGES[0]
    [forbid, ask] = commands(page)[3:5]
    with (
        served(str(tmp_path / "server.db")) as server,
        DashClaw(server.url, server.admin_key) as remote,
        DashClaw.local("dashclaw.db", operator=True) as local,
        a_person_approves(local) as approved_here,
        a_person_approves(remote) as approved_there,
    ):
        rules = {"threshold": 80, "action": "require_approval"}
        remote.request(
            "POST", "/api/policies", body={"name": "High risk", "policy_type": "risk_threshold", "rules": rules}
        )
        assert main(shlex.split(forbid)[1:]) == 0
        assert main(shlex.split(ask)[1:]) == 4
        monkeypatch.setenv("DASHCLAW_BASE_URL", server.url)
        monkeypatch.setenv("DASHCLAW_API_KEY", server.agent_key)
        exec(compile(python(page), str(page), "exec"), {})
    shown = capsys.readouterr().out
    assert "No drops: blocks db.drop" in shown
    assert "never printed" not in shown
    assert shown.count("approved; publishing") == 2
    assert (approved_here, approved_there) == (["Publish version 2.0"], ["Publish version 2.1"])


def test_the_guide_to_approvals_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = PAGES[1]
    exec(compile(python(page), str(page), "exec"), {})
    shown = capsys.readouterr().out
    assert "Not on a Friday" in shown
    assert "never printed" not in shown


def test_the_guide_to_testing_is_a_passing_test_file(tmp_path: Path) -> None:
    (tmp_path / "test_guide.py").write_text(python(PAGES[2]))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_guide.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "7 passed" in done.stdout


def test_the_guide_to_connections_runs() -> None:
    page = PAGES[3]
    exec(compile(python(page), str(page), "exec"), {})


def test_the_guide_to_costs_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = next(page for page in PAGES if page.stem == "costs")
    exec(compile(python(page), str(page), "exec"), {})
    assert "reach the budget" in capsys.readouterr().out


def test_the_guide_to_recommendations_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = DOCS / "guides/recommendations.md"
    exec(compile(python(page), str(page), "exec"), {})


def test_the_guide_to_identity_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = DOCS / "guides/identity.md"
    exec(compile(python(page), str(page), "exec"), {})
    shown = capsys.readouterr().out
    assert shown.splitlines() == ["verified: True", "SIGNATURE_REQUIRED", "verified: True", "verified: True"]


def test_the_guide_to_policies_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = DOCS / "guides/policies.md"
    exec(compile(python(page), str(page), "exec"), {})


def test_the_guide_to_pairing_runs_with_an_operator_at_the_other_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = DOCS / "guides/pairing.md"
    first, rest = python(page).split("identity = agent.wait_for_pairing")
    names: dict[str, Any] = {}
    exec(compile(first, str(page), "exec"), names)
    ids = {"pair_123": names["pairing"]["id"], "K7QD-2MXA": names["pairing"]["code"]}
    for line in commands(page):
        words = [ids.get(word, word) for word in shlex.split(line)[1:]]
        # The agent's commands do what the page's program does.
        if words[0] == "pairings":
            assert main(words) == 0
    exec(compile(f"identity = agent.wait_for_pairing{rest}", str(page), "exec"), names)
    assert "approved by local:operator" in capsys.readouterr().out


def test_the_guide_to_signing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = DOCS / "guides/signing.md"
    assert main(shlex.split(commands(page)[0])[1:]) == 0
    exec(compile(python(page), str(page), "exec"), {})
    shown = capsys.readouterr().out
    assert shown.count("verified: True") == 2
    assert "send it as text" in shown
    assert "auth_token='***'" in shown


def test_the_guide_to_evidence_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = DOCS / "guides/evidence.md"
    exec(compile(python(page), str(page), "exec"), {})
    shown = capsys.readouterr().out
    assert "intent Compare vendors" in shown
    assert "outcome Completed" in shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_can_be_read(page: Path) -> None:
    for line in commands(page):
        parser().parse_args(shlex.split(line)[1:])


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.relative_to(DOCS).as_posix())
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)\s]+)\)", page.read_text()):
        name, _, place = target.partition("#")
        found = page.parent / name if name else page
        assert found.exists(), target
        if place:
            titles = re.findall(r"^#+ (.*)$", found.read_text(), re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
            assert place in slugs, target
