"""The version, read from the name of a folder."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from dashclaw._version import version


@pytest.fixture(autouse=True)
def _asked_anew() -> None:
    version.cache_clear()


def test_it_is_that_of_the_metadata() -> None:
    assert version() == metadata.version("dashclaw")


@pytest.mark.parametrize("name", ["7.1.0", "7.1.0.dev3+gabc", "7.1rc1"])
def test_the_first_installation_on_the_path_counts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, found in (("first", name), ("second", "1.0")):
        (tmp_path / folder / f"dashclaw-{found}.dist-info").mkdir(parents=True)
        (tmp_path / folder / "dashclaw_more-3.0.dist-info").mkdir()
    here = [str(tmp_path / "nowhere"), str(tmp_path / "first"), str(tmp_path / "second")]
    monkeypatch.setattr(sys, "path", here)
    assert version() == name


def test_without_an_installation_it_is_nought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert version() == "0"
