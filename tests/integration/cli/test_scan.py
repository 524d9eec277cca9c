"""`dashclaw scan`: files and stdin, for people and for programs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from .conftest import Run

TOKEN = "glpat-" + "aB3dE5fG7hJ9kL1mN2pQ"


def test_a_file_is_scanned_and_the_exit_code_tells(run: Run, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text(f"first\nuse {TOKEN}\nand john@example.com")
    shown = run("scan", str(notes))
    assert shown.code == 1
    assert shown.out.splitlines() == [
        f"{notes}:2: critical gitlab_token ***N2pQ",
        f"{notes}:3: medium email_address ***.com",
        "2 found",
    ]
    assert TOKEN not in shown.out


def test_a_clean_file_leaves_zero(run: Run, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("Nothing to hide")
    shown = run("scan", str(notes))
    assert (shown.code, shown.out) == (0, "Nothing found.\n")


def test_several_files_are_told_apart(run: Run, tmp_path: Path) -> None:
    for name, text in (("a.txt", TOKEN), ("b.txt", "fine"), ("c.bin", f"\0{TOKEN}\n")):
        (tmp_path / name).write_bytes(text.encode() + b"\xff")
    shown = run("scan", "--json", *(str(tmp_path / name) for name in ("a.txt", "b.txt", "c.bin")))
    assert shown.code == 1
    document = shown.document
    assert (document["clean"], document["findings_count"]) == (False, 2)
    assert [row["clean"] for row in document["files"]] == [False, True, False]
    assert document["files"][0]["findings"][0]["preview"] == "***N2pQ"
    assert TOKEN not in shown.out


@pytest.mark.parametrize("words", [(), ("-",)])
def test_stdin_is_scanned(run: Run, monkeypatch: pytest.MonkeyPatch, words: Any) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"use {TOKEN}".encode())))
    shown = run("scan", *words)
    assert (shown.code, shown.out.splitlines()[0]) == (1, "-:1: critical gitlab_token ***N2pQ")


def test_a_file_that_is_not_there_is_told(run: Run, tmp_path: Path) -> None:
    shown = run("scan", str(tmp_path / "absent"))
    assert shown.code == 1
    assert shown.err.startswith("error: ")
    assert shown.out == ""
