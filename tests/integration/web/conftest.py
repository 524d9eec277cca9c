"""A server per module on each database, and people in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import httpx
import pytest

from ..databases import database
from ..serving import Served, served
from .support import Browser


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with database(request.param, tmp_path_factory.mktemp("web")) as url, served(url) as found:
        yield found


@pytest.fixture
def visitor(server: Served) -> Iterator[Callable[[], Browser]]:
    """Makes browsers in which nobody is signed in."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Browser(server)))


@pytest.fixture
def operator(visitor: Callable[[], Browser], server: Served) -> Browser:
    """A browser in which the operator (an admin key) is signed in."""
    browser = visitor()
    assert browser.sign_in(server.admin_key).status_code == 303
    return browser


@pytest.fixture(scope="module")
def agent(server: Served) -> Iterator[httpx.Client]:
    """An agent's client of the API."""
    with httpx.Client(base_url=server.url, headers={"x-api-key": server.agent_key}, timeout=30) as client:
        yield client
