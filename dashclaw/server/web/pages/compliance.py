"""Compliance: how far the policies cover each framework, what is missing, and the evidence for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..routes import get

if TYPE_CHECKING:
    from starlette.responses import Response

    from ..desk import Desk

WINDOWS = ("7d", "30d", "90d", "365d")
MEDIA = {"md": "text/markdown; charset=utf-8", "json": "application/json"}
# How a control's state looks in a picture.
COLOURS = {"covered": "good", "partial": "warn", "gap": "bad"}


def listing(desk: Desk) -> Response:
    """Every framework with its coverage."""
    known = desk.ask("list_frameworks")["frameworks"]
    maps = [desk.ask("map_compliance", query={"framework": framework["id"]}) for framework in known]
    return desk.page("compliance/list.html", frameworks=list(zip(known, maps, strict=True)), colours=COLOURS)


def show(desk: Desk) -> Response:
    """One framework: its controls, what to do next, and what was recorded."""
    asked = {"framework": desk.path["framework"]}
    window = desk.query.get("window") if desk.query.get("window") in WINDOWS else "30d"
    return desk.page(
        "compliance/show.html",
        found=desk.ask("map_compliance", query=asked),
        gaps=desk.ask("analyze_gaps", query=asked),
        proof=desk.ask("get_compliance_evidence", query={**asked, "window": window}),
        colours=COLOURS,
    )


def report(desk: Desk) -> Response:
    """The report as a file."""
    form = "json" if desk.query.get("format") == "json" else "md"
    found = desk.ask("get_compliance_report", query={"framework": desk.path["framework"], "format": form})
    answer = desk.text(found["report"], MEDIA[form])
    name = f"{found['document']['framework_id']}-{found['generated_at'][:10]}.{form}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


PAGES = (
    get("/compliance", listing),
    get("/compliance/{framework}", show),
    get("/compliance/{framework}/report", report),
)
