"""`dashclaw policies import`, `test` and `proof`, embedded and against a server."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from .conftest import Place

OWN = """
policies:
  - name: No cranes
    applies_to: {tools: ["crane.*"]}
    rule: {block: true}
    tests:
      - {name: no lifting, input: {tool: crane.lift}, expect: {allowed: false}}
"""


def test_a_pack_is_looked_at_imported_tested_and_proved(place: Place) -> None:
    shown = place.run("policies", "import", "smb-safe", "--dry-run")
    assert shown.code == 0
    assert shown.out.startswith("Nothing was changed. 4 would be imported; tests passed: 8 of 8;")
    assert place.run("policies", "import", "smb-safe").out.startswith("Imported 4\n")
    again = place.run("policies", "import", "smb-safe").out
    assert again.startswith("Imported 0\n")
    assert "Skipped, the name exists: Only commands that look and do not touch" in again
    tested = place.run("policies", "test")
    assert tested.code == 0
    assert " of 5 policies passed." in tested.out or " of 6 policies passed." in tested.out
    proved = place.run("policies", "proof")
    assert proved.out.startswith("# Policy proof report\n")
    assert place.run("policies", "test", "--json").document["success"] is True


def test_a_file_and_stdin_are_read(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(OWN, encoding="utf-8")
    assert place.run("policies", "import", str(path), "--json").document["imported"] == 1
    monkeypatch.setattr("sys.stdin", io.StringIO(OWN.replace("No cranes", "No lifts")))
    assert place.run("policies", "import", "-", "--json").document["imported"] == 1


def test_a_failing_test_is_shown_and_ends_with_1(embedded: Place, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(OWN.replace("allowed: false", "allowed: true"), encoding="utf-8")
    embedded.run("policies", "import", str(path))
    shown = embedded.run("policies", "test")
    assert shown.code == 1
    assert "No cranes" in shown.out
    assert "failed" in shown.out


def test_what_cannot_be_imported_is_said_in_lines(embedded: Place, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(OWN.replace("block: true", "blok: true"), encoding="utf-8")
    shown = embedded.run("policies", "import", str(path))
    assert (shown.code, shown.out) == (1, "")
    assert "yaml.policies.0.rule.blok: is unknown here" in shown.err
    assert "'no-such-pack' is not one of enterprise-strict" in embedded.run("policies", "import", "no-such-pack").err
    assert "missing.yaml cannot be read" in embedded.run("policies", "import", str(tmp_path / "missing.yaml")).err
    path.write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in embedded.run("policies", "import", str(path)).err
