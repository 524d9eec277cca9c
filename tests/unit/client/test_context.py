"""The summary of the context asks for one day, the server's."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dashclaw import DashClaw
from dashclaw._transport import Request, Response


class Server:
    """Answers lists, with its time or, as older servers, without."""

    def __init__(self, now: str | None) -> None:
        self.more = {"lastUpdated": now} if now else {}
        self.asked: dict[str, dict[str, list[str]]] = {}

    def send(self, request: Request, timeout: float) -> Response:
        target = urlsplit(request.target)
        name = target.path.rpartition("/")[2]
        self.asked[name] = parse_qs(target.query)
        body: dict[str, Any] = {name: [], "total": 0, **self.more}
        return Response(200, {"content-type": "application/json"}, json.dumps(body).encode())

    def close(self) -> None:
        pass


@pytest.mark.parametrize("now", ["2031-05-06T00:00:01.000000Z", None])
def test_the_day_is_the_servers_or_that_of_utc(now: str | None) -> None:
    server = Server(now)
    before = time.strftime("%Y-%m-%d", time.gmtime())
    with DashClaw(agent_id="me", transport=server) as claw:
        assert claw.get_context_summary() == {"points": [], "threads": []}
    (day,) = server.asked["points"]["session_date"]
    assert day == "2031-05-06" if now else day in (before, time.strftime("%Y-%m-%d", time.gmtime()))
    assert (server.asked["threads"]["status"], server.asked["threads"]["agent_id"]) == (["active"], ["me"])
