"""A real server for the module, and what it has recorded."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from dashclaw import DashClaw

from ..databases import database
from ..serving import Served, served


class Behind:
    """The real server, and a direct line to it."""

    def __init__(self, server: Served) -> None:
        self.url = server.url
        self.key = server.agent_key
        self._server = server

    def recorded(self, agent_id: str) -> list[dict[str, Any]]:
        """The actions of an agent, as the server holds them."""
        with DashClaw(self.url, self._server.admin_key) as direct:
            return list(direct.get_actions(agent_id=agent_id)["actions"])


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with database("sqlite", tmp_path_factory.mktemp("behind")) as url, served(url) as server:
        yield Behind(server)


@pytest.fixture
def agent() -> str:
    return f"agent-{uuid.uuid4().hex[:12]}"
