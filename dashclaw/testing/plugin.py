"""Fixtures for pytest, found through the entry point `pytest11`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from dashclaw import DashClaw


@pytest.fixture
def dashclaw_client(tmp_path: Path) -> Iterator[DashClaw]:
    """A client on a fresh embedded runtime, with the policies a new database starts with."""
    from dashclaw import DashClaw

    with DashClaw.local(tmp_path / "dashclaw.db", agent_id="test-agent") as client:
        yield client


@pytest.fixture
def dashclaw_fake() -> Iterator[DashClaw]:
    """A client on a `FakeTransport` that allows everything; the fake is `client.transport`."""
    from dashclaw import DashClaw
    from dashclaw.testing import FakeTransport

    with DashClaw(agent_id="test-agent", transport=FakeTransport()) as client:
        yield client
