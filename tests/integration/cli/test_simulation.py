"""`dashclaw policies simulate` and `reevaluate`, embedded and against a server."""

from __future__ import annotations

import io
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import Place

OWN = """
policies:
  - name: No cranes
    applies_to: {tools: ["crane.*"]}
    rule: {block: true}
"""


def test_what_would_have_changed_is_shown(place: Place, tmp_path: Path) -> None:
    for number in range(5):
        place.agent.guard({"action_type": "crane.lift", "declared_goal": f"Lift {number}"})
    place.agent.guard({"action_type": "note", "declared_goal": "Write it down"})
    path = tmp_path / "own.yaml"
    path.write_text(OWN, encoding="utf-8")
    shown = place.run("policies", "simulate", str(path), "--since", "1d")
    assert shown.code == 0
    assert shown.out.startswith("6 of 6 decisions since ")
    assert ": 5 would change, 5 to stricter and 0 to milder. Nothing was changed.\n" in shown.out
    assert "No cranes  5        5\n" in shown.out
    assert "crane.lift  Lift 0  allow  block     No cranes: blocks crane.lift\n" in shown.out
    assert shown.out.count("Lift") == 3
    assert shown.err == ""
    found = place.run("policies", "simulate", str(path), "--limit", "2", "--json").document
    assert (found["matching"], found["changed"]) == (2, 1)
    assert place.run("policies", "simulate", "--pack", "smb-safe", "--agent", "nobody", "--json").document[
        "matching"
    ] == (0)


def test_a_long_simulation_is_asked_for_in_parts_and_tells_how_far_it_is(
    embedded: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(7):
        embedded.agent.guard({"action_type": "crane.lift", "declared_goal": f"Lift {number}"})
    asked: list[dict[str, Any]] = []
    request = type(embedded.agent).request

    def in_parts(client: Any, verb: str, path: str, *, body: dict[str, Any]) -> Any:
        asked.append(body)
        return request(client, verb, path, body={**body, "limit": 3})

    monkeypatch.setattr("sys.stdin", io.StringIO(OWN))
    monkeypatch.setattr(type(embedded.agent), "request", in_parts)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    shown = embedded.run("policies", "simulate", "-", "--with-current")
    assert shown.out.startswith("7 of 7 decisions since ")
    assert len(asked) == 3
    assert shown.err == "\r3 of 7 decisions\r6 of 7 decisions\r7 of 7 decisions\n"
    capsys.readouterr()


def test_a_decision_is_made_again(place: Place) -> None:
    decision = place.agent.guard({"action_type": "deploy", "risk_score": 95})
    shown = place.run("policies", "reevaluate", decision["decision_id"])
    assert shown.code == 0
    assert shown.out.startswith("recorded   require_approval  (risk 95)  High risk needs approval: ")
    assert shown.out.endswith("The same.\n")
    missing = place.run("policies", "reevaluate", "gd_nothing")
    assert missing.code == 1
    assert "There is no decision 'gd_nothing'" in missing.err


def test_a_changed_decision_ends_with_1(embedded: Place, tmp_path: Path) -> None:
    decision = embedded.agent.guard({"action_type": "deploy", "risk_score": 95})
    with sqlite3.connect(tmp_path / "dashclaw.db") as connection:
        connection.execute("UPDATE guard_decisions SET decision = 'allow'")
    connection.close()
    shown = embedded.run("policies", "reevaluate", decision["decision_id"])
    assert shown.code == 1
    assert shown.out.endswith("Not the same: decision.\n")


def test_what_cannot_be_read_is_said(embedded: Place, tmp_path: Path) -> None:
    assert "missing.yaml cannot be read" in embedded.run("policies", "simulate", str(tmp_path / "missing.yaml")).err
    assert embedded.run("policies", "simulate").code == 2
    assert embedded.run("policies", "simulate", "x.yaml", "--pack", "smb-safe").code == 2
    wrong = embedded.run("policies", "simulate", "--pack", "smb-safe", "--since", "yesterday")
    assert wrong.code == 1
    assert "since: is a time such as 30d" in wrong.err
