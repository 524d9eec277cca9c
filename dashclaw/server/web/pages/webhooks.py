"""Webhooks: where events are sent, whether they arrive, and what to send again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashclaw.runtime.event_names import EVENTS
from dashclaw.runtime.problems import Problem

from ..routes import get, post

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

SIZE = 50
HISTORY = 20
STATUSES = ("pending", "retrying", "success", "failed")


def listing(desk: Desk, problem: Problem | None = None) -> Response:
    """The webhooks, and a form for another one."""
    return desk.page(
        "webhooks/list.html",
        status=200 if problem is None else 422,
        found=desk.ask("get_webhooks", query={"limit": SIZE, "offset": desk.query.get("offset")}),
        events=sorted(EVENTS),
        problem=problem,
    )


def create(desk: Desk) -> Response:
    """Add a webhook; its secret is shown on this one page."""
    events = [name.strip() for name in desk.form.get("events", "").split(",") if name.strip()]
    try:
        made = desk.ask("create_webhook", body={"url": desk.form.get("url", "").strip(), "events": events or ["all"]})
    except Problem as problem:
        if problem.status not in (400, 409, 422):
            raise
        return listing(desk, problem)
    return desk.page("webhooks/made.html", webhook=made["webhook"])


def show(desk: Desk) -> Response:
    """One webhook and what was delivered."""
    asked = {"limit": HISTORY, "status": desk.query.get("status"), "offset": desk.query.get("offset")}
    found = desk.ask("get_webhook_deliveries", params=desk.path, query=asked)
    hooks = desk.ask("get_webhooks", query={"limit": SIZE})["webhooks"]
    webhook = next((hook for hook in hooks if hook["id"] == desk.path["webhook_id"]), None)
    return desk.page("webhooks/show.html", webhook=webhook, found=found, statuses=STATUSES)


def switch(desk: Desk) -> Response:
    """Send to it, or pause; what was missed meanwhile is sent unless it is to be skipped."""
    active = desk.form.get("active") == "on"
    body = {"active": active, "skip_missed": desk.form.get("skip_missed") == "on" or None}
    desk.ask("update_webhook", params=desk.path, body=body)
    return desk.redirect(_place(desk), "Events are sent again." if active else "Nothing is sent to it for now.")


def test(desk: Desk) -> Response:
    """Send it a test event now."""
    found = desk.ask("test_webhook", params=desk.path)
    return desk.redirect(_place(desk), "The test arrived." if found.get("success") else "The test did not arrive.")


def resend(desk: Desk) -> Response:
    """Send one delivery again."""
    desk.ask("resend_delivery", params=desk.path)
    return desk.redirect(_place(desk), "It is sent again.")


def remove(desk: Desk) -> Response:
    """Remove a webhook."""
    desk.ask("delete_webhook", query={"id": desk.path["webhook_id"]})
    return desk.redirect("/webhooks", "The webhook is gone.")


def _place(desk: Desk) -> str:
    return f"/webhooks/{desk.path['webhook_id']}"


PAGES = (
    get("/webhooks", listing),
    post("/webhooks", create),
    get("/webhooks/{webhook_id}", show),
    post("/webhooks/{webhook_id}", switch),
    post("/webhooks/{webhook_id}/test", test),
    post("/webhooks/{webhook_id}/remove", remove),
    post("/webhooks/{webhook_id}/deliveries/{delivery_id}/resend", resend),
)
