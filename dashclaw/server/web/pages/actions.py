"""Actions: what agents did, and each of them replayed as the chain of its causes and effects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dashclaw.runtime.evidence import wording
from dashclaw.runtime.evidence.replay_page import replay_page

from ..routes import get

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

SIZE = 25
STATUSES = ("running", "pending_approval", "completed", "failed", "blocked", "cancelled")
FILTERS = ("status", "agent_id", "action_type", "risk_min", "offset")
# What a step is called in the picture of the chain.
TONES = {"good": "good", "bad": "bad", "wait": "ask", "neutral": "plain"}


def listing(desk: Desk) -> Response:
    """Actions that fit the filters of the URL, newest first."""
    query = {name: desk.query.get(name) for name in FILTERS}
    found = desk.ask("get_actions", query={**query, "limit": SIZE})
    return desk.page("actions/list.html", found=found, statuses=STATUSES)


def show(desk: Desk) -> Response:
    """One action with its replay, and what hangs together with it."""
    trace = desk.ask("get_action_trace", params=desk.path)
    return desk.page(
        "actions/show.html",
        action=trace["action"],
        trace=trace["trace"],
        replay=desk.ask("get_action_replay", params=desk.path),
        say=wording,
        tones=TONES,
    )


def download(desk: Desk) -> Response:
    """The replay as a file: a page that needs nothing else, or JSON."""
    replay = desk.ask("get_action_replay", params=desk.path)
    if desk.query.get("format") == "json":
        answer = desk.text(json.dumps(replay, indent=2, ensure_ascii=False), "application/json")
        name = "replay.json"
    else:
        answer = desk.text(replay_page(replay), "text/html; charset=utf-8")
        name = "replay.html"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


PAGES = (
    get("/actions", listing),
    get("/actions/{action_id}", show),
    get("/actions/{action_id}/replay", download),
)
