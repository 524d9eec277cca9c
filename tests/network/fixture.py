"""What keeps the tests of this project on this machine; each conftest.py at a root imports it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from . import only_loopback


@pytest.fixture(scope="session", autouse=True)
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Refuse other machines, here and in the Python programs that tests start unless they clear the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(only_loopback.FILE, str(tmp_path_factory.mktemp("network") / "asked.txt"))
        patch.setenv("PYTHONPATH", str(only_loopback.HERE), prepend=os.pathsep)
        only_loopback.watch()
        yield


@pytest.fixture(autouse=True)
def stays_on_this_machine(watched: None, request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that asks for any other machine, also where its code swallows the refusal.

    `pytest.mark.refused("a.example")` is for examples that name a machine: it is not reached, and that is no failure.
    """
    yield
    expected = {host for mark in request.node.iter_markers("refused") for host in mark.args}
    found = [line for line in only_loopback.asked().splitlines() if line.partition(" ")[0] not in expected]
    assert found == [], "the test asked for other machines"
