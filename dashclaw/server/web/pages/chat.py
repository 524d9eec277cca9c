"""Settings of chats: the channels in which approvals are asked for, whether messages arrive, and who may answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashclaw.runtime.problems import Problem, not_found

from ..address import site_url
from ..routes import get, post

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

PLATFORMS = (("slack", "Slack"), ("discord", "Discord"), ("telegram", "Telegram"))


def listing(desk: Desk, problem: Problem | None = None) -> Response:
    """The channels, and a form for another one."""
    found = desk.ask("get_chat_channels")
    status = 200 if problem is None else problem.status
    # What was typed in stays, but for the secrets.
    return desk.page("settings/chat.html", status=status, found=found, problem=problem, platforms=PLATFORMS)


def add(desk: Desk) -> Response:
    """Add a channel and show where the platform has to send what is pressed."""
    form = desk.form
    names = ("name", "platform", "target", "token", "secret")
    try:
        body = {name: form.get(name, "").strip() or None for name in names}
        made = desk.ask("create_chat_channel", body={**body, "approvers": _approvers(form.get("approvers", ""))})
    except Problem as problem:
        return listing(desk, problem)
    return desk.page("settings/chat_made.html", channel=made["channel"], url=_url(desk, made["channel"]))


def show(desk: Desk, problem: Problem | None = None) -> Response:
    """One channel with what can be changed."""
    channel = _channel(desk)
    written = "\n".join(f"{one['user']} {one['person'] or one['person_id']}" for one in channel["approvers"])
    return desk.page(
        "settings/chat_channel.html",
        status=200 if problem is None else problem.status,
        channel=channel,
        url=_url(desk, channel),
        approvers=desk.form.get("approvers", written),
        problem=problem,
    )


def change(desk: Desk) -> Response:
    """Change a channel; a secret that is left empty stays."""
    form = desk.form
    try:
        body = {name: form.get(name, "").strip() or None for name in ("name", "target", "token", "secret")}
        approvers = _approvers(form.get("approvers", ""))
        desk.ask("update_chat_channel", params=desk.path, body={**body, "approvers": approvers})
    except Problem as problem:
        return show(desk, problem)
    return desk.redirect(_path(desk), notice="Saved.")


def switch(desk: Desk) -> Response:
    """Ask for approvals there, or not for now."""
    active = desk.form.get("active") == "on"
    desk.ask("update_chat_channel", params=desk.path, body={"active": active})
    return desk.redirect(
        _path(desk), notice="It is used again." if active else "Nothing is sent, and no button decides."
    )


def test(desk: Desk) -> Response:
    """Send a message without buttons now."""
    found = desk.ask("test_chat_channel", params=desk.path)
    return desk.redirect(_path(desk), notice="It arrived." if found["success"] else f"Not sent. {found['error']}")


def remove(desk: Desk) -> Response:
    """Remove a channel."""
    desk.ask("delete_chat_channel", params=desk.path)
    return desk.redirect("/settings/chat", notice="The channel is gone.")


def _channel(desk: Desk) -> dict[str, Any]:
    channels = desk.ask("get_chat_channels")["channels"]
    found = next((one for one in channels if one["id"] == desk.path["channel_id"]), None)
    if found is None:
        raise not_found("chat channel", desk.path["channel_id"])
    return dict(found)


def _approvers(text: str) -> list[dict[str, str]]:
    """A line per approver as a person writes it: the platform's user, then the person."""
    lines = [line.replace("=", " ").split() for line in text.splitlines() if line.strip()]
    return [{"user": line[0], "person": line[-1]} for line in lines]


def _path(desk: Desk) -> str:
    return f"/settings/chat/{desk.path['channel_id']}"


def _url(desk: Desk, channel: dict[str, Any]) -> str:
    return f"{site_url(desk)}{channel['path']}"


PAGES = (
    get("/settings/chat", listing),
    post("/settings/chat", add),
    get("/settings/chat/{channel_id}", show),
    post("/settings/chat/{channel_id}", change),
    post("/settings/chat/{channel_id}/switch", switch),
    post("/settings/chat/{channel_id}/test", test),
    post("/settings/chat/{channel_id}/remove", remove),
)
