"""Open pages hear of what happened: soon, once for many events, and after a gap too."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from ..serving import Served
from .support import Browser


class Ears:
    """A live stream, read event by event."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()

    def next(self, name: str) -> tuple[int, dict[str, int]]:
        """The cursor and the data of the next event of a name."""
        cursor, found = 0, ""
        for line in self._lines:
            if line.startswith("id: "):
                cursor = int(line[4:])
            elif line.startswith("event: "):
                found = line[7:]
            elif line.startswith("data: ") and found == name:
                return cursor, json.loads(line[6:])
        raise AssertionError(f"the stream ended without {name}")


@contextmanager
def listening(browser: Browser, path: str = "/live", **headers: str) -> Iterator[Ears]:
    with browser.http.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        ears = Ears(answer)
        ears.next("hello")
        yield ears


def act(agent: httpx.Client, name: str = "one") -> None:
    body = {"agent_id": name, "action_type": "research", "declared_goal": "Look something up"}
    assert agent.post("/api/actions", json=body).status_code == 201


def cursor_of(browser: Browser) -> int:
    return int(browser.get("/agents").text.split('data-cursor="')[1].split('"')[0])


def test_a_change_is_heard_within_a_second(operator: Browser, agent: httpx.Client) -> None:
    with listening(operator, f"/live?after={cursor_of(operator)}") as ears:
        act(agent)
        begun = time.monotonic()
        _, names = ears.next("tick")
        assert time.monotonic() - begun < 1
        assert {"guard.decision.created", "action.created"} <= set(names)


def test_what_came_between_the_page_and_the_stream_is_told(operator: Browser, agent: httpx.Client) -> None:
    cursor = cursor_of(operator)
    act(agent)
    with listening(operator, f"/live?after={cursor}") as ears:
        reached, names = ears.next("tick")
        assert names["action.created"] == 1
        assert reached > cursor


def test_a_browser_that_comes_back_says_where_it_was(operator: Browser, agent: httpx.Client) -> None:
    cursor = cursor_of(operator)
    act(agent)
    newest = cursor_of(operator)
    act(agent)
    headers = {"Last-Event-ID": str(newest)}
    with listening(operator, f"/live?after={cursor}", **headers) as ears:
        assert ears.next("tick")[1]["action.created"] == 1


def test_many_events_are_one_tick(operator: Browser, agent: httpx.Client) -> None:
    cursor = cursor_of(operator)
    for number in range(20):
        act(agent, f"agent-{number}")
    with listening(operator, f"/live?after={cursor}") as ears:
        assert ears.next("tick")[1]["action.created"] == 20


@pytest.mark.parametrize("after", ["", "x", "-1", "9" * 40, "1.5"])
def test_a_cursor_that_is_none_begins_now(after: str, operator: Browser, agent: httpx.Client) -> None:
    act(agent)
    with listening(operator, f"/live?after={after}") as ears:
        httpx.post(
            f"{operator.server.url}/api/policies",
            json={"name": f"p{after[:3]}", "policy_type": "risk_threshold", "rules": {"threshold": 99}},
            headers={"x-api-key": operator.server.admin_key},
        ).raise_for_status()
        # What others heard a moment ago may come first.
        while "policy.updated" not in ears.next("tick")[1]:
            pass


def test_a_tick_tells_names_and_numbers_only(operator: Browser, agent: httpx.Client) -> None:
    cursor = cursor_of(operator)
    act(agent, "a-secret-name")
    with listening(operator, f"/live?after={cursor}") as ears:
        names = ears.next("tick")[1]
        assert all(isinstance(count, int) for count in names.values())
        assert "a-secret-name" not in json.dumps(names)


def test_another_organisation_hears_nothing(
    server: Served, operator: Browser, agent: httpx.Client, visitor: Callable[[], Browser]
) -> None:
    slug = f"other-{time.time_ns()}"
    made = httpx.post(
        f"{server.url}/api/orgs", json={"name": "Other", "slug": slug}, headers={"x-api-key": server.admin_key}
    ).json()
    stranger = visitor()
    stranger.sign_in(made["api_key"]["key"])
    with listening(stranger, f"/live?after={cursor_of(stranger)}") as ears:
        act(agent)
        httpx.post(
            f"{server.url}/api/agents/heartbeat",
            json={"agent_id": "theirs"},
            headers={"x-api-key": made["api_key"]["key"]},
        ).raise_for_status()
        assert ears.next("tick")[1] == {"agent.heartbeat": 1}


def test_how_many_wait_is_a_number(operator: Browser, agent: httpx.Client) -> None:
    before = int(operator.get("/waiting").text)
    body = {"agent_id": "one", "action_type": "deploy", "declared_goal": "Go", "status": "pending_approval"}
    assert agent.post("/api/actions", json=body).status_code == 202
    assert int(operator.get("/waiting").text) == before + 1
