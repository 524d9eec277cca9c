"""One server per module, on each database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..databases import database
from ..serving import Served, served


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with database(request.param, tmp_path_factory.mktemp("server")) as url, served(url) as found:
        yield found


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server on SQLite, for what does not depend on the database."""
    with served(str(tmp_path_factory.mktemp("small") / "dashclaw.db")) as found:
        yield found
