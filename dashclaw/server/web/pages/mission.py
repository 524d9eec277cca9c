"""Mission control: the fleet at this moment; and, before anything happened, the way to the first governed action."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..first_steps import FRAMEWORKS, address, snippet
from ..routes import get, post

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

WINDOWS = {"hour": "Last hour", "day": "24 hours", "month": "30 days"}
DECISIONS = ("allow", "warn", "require_approval", "block")
AGENTS = 8
CURVES = {
    "allow": ("allow", "--good"),
    "warn": ("warn", "--warn"),
    "require_approval": ("ask", "--ask"),
    "block": ("block", "--bad"),
}


def show(desk: Desk) -> Response:
    """The overview, or the first steps while there is no action."""
    window = desk.query.get("window") if desk.query.get("window") in WINDOWS else "day"
    found = desk.ask("get_overview", query={"window": window})
    if not found["actions"]["total"]:
        return _first_steps(desk, key=None)
    if desk.request.headers.get("hx-target") == "first_steps":
        return desk.redirect("/", "The first governed action has arrived. This is what was recorded of it.")
    decided = found["decisions"]
    return desk.page(
        "mission/show.html",
        found=found,
        window=window,
        windows=WINDOWS,
        curves=_curves(decided["series"]),
        series=[{name: float(bucket[name]) for name in DECISIONS} for bucket in decided["series"]],
        changes={name: _change(decided["last_24h"][name], decided["day_before"][name]) for name in DECISIONS},
        agents=desk.ask("get_agents", query={"limit": AGENTS, "counts": True}),
        latency=desk.site.latency.figures(),
    )


def _curves(series: list[dict[str, Any]]) -> dict[str, Any]:
    """What the curves are drawn from: moments, and per decision its values, its label and its colour."""
    return {
        "at": [_moment(bucket["at"]) for bucket in series],
        "decisions": {
            name: {"label": label, "token": token, "values": [bucket[name] for bucket in series]}
            for name, (label, token) in CURVES.items()
        },
    }


def _moment(bucket: str) -> str:
    """The beginning of a minute, an hour or a day as a whole time."""
    return bucket + "T00:00:00Z"[len(bucket) - 10 :]


def _change(now: int, before: int) -> str | None:
    """Against the day before, in words; None when there is nothing to compare with."""
    if not before:
        return None
    return "as many as the day before" if now == before else f"{now - before:+,} against the day before"


def make_key(desk: Desk) -> Response:
    """Make an agent's key for the first steps; it is shown on this page alone."""
    org_id = desk.ask("get_org")["organizations"][0]["id"]
    made = desk.ask("create_key", params={"org_id": org_id}, body={"label": "first agent", "role": "member"})
    return _first_steps(desk, key=made["api_key"])


def _first_steps(desk: Desk, key: Any) -> Response:
    raw = key["key"] if isinstance(key, dict) else key
    url = address(desk.request)
    asked = desk.query.get("with", "")
    chosen = asked if asked in FRAMEWORKS else "python"
    return desk.page(
        "mission/first.html",
        key=raw,
        url=url,
        chosen=chosen,
        frameworks=FRAMEWORKS,
        install=FRAMEWORKS[chosen].install,
        snippet=snippet(chosen, url, raw),
    )


PAGES = (get("/", show), post("/", make_key))
