"""What makes the dashboard an app on a phone: manifest, service worker, and the page for when there is no server."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from ..files import FOLDER
from ..routes import get

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

OFFLINE = "/offline"
KEPT = ("app.css", "app.js", "live.js", "waiting.js", "approvals.css", "approvals.js", "icon.svg", "icon-192.png")
VENDOR = ("vendor/htmx.min.js",)


def manifest(desk: Desk) -> Response:
    """The web app manifest."""
    url = desk.site.files.url
    icons = [
        {"src": url("icon.svg"), "sizes": "any", "type": "image/svg+xml"},
        {"src": url("icon-192.png"), "sizes": "192x192", "type": "image/png"},
        {"src": url("icon-512.png"), "sizes": "512x512", "type": "image/png"},
        {"src": url("icon-maskable-512.png"), "sizes": "512x512", "type": "image/png", "purpose": "maskable"},
    ]
    found = {
        "id": "/approvals",
        "name": "DashClaw",
        "short_name": "DashClaw",
        "description": "See what agents want to do, and decide.",
        "start_url": "/approvals",
        "scope": "/",
        "display": "standalone",
        "background_color": "#0d1015",
        "theme_color": "#0d1015",
        "icons": icons,
        "shortcuts": [{"name": "Approvals", "url": "/approvals"}, {"name": "Mission control", "url": "/"}],
    }
    return desk.text(json.dumps(found), "application/manifest+json")


def worker(desk: Desk) -> Response:
    """The service worker, with the files of this release: another release is another worker and another cache."""
    files = [desk.site.files.url(name) for name in (*KEPT, *VENDOR)]
    code = (FOLDER / "worker.js").read_text(encoding="utf-8")
    cache = "dashclaw-" + hashlib.sha256("\n".join([*files, code]).encode()).hexdigest()[:12]
    values = {"CACHE": cache, "OFFLINE": OFFLINE, "FILES": files}
    head = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
    return desk.text(head + code, "text/javascript; charset=utf-8")


def offline(desk: Desk) -> Response:
    """What the service worker shows while the server cannot be reached; the same for everybody."""
    desk.session = None
    return desk.page("offline.html")


PAGES = (
    get("/manifest.webmanifest", manifest, public=True),
    get("/sw.js", worker, public=True),
    get(OFFLINE, offline, public=True),
)
