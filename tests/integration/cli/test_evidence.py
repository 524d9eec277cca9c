"""`dashclaw evidence replay`: text, JSON and a page, embedded and against a server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from dashclaw.runtime.evidence import wording
from dashclaw.runtime.evidence.replay_page import replay_page

from .conftest import Place

HOSTILE = "<script>alert(1)</script> \x1b[31m\u202egnp {{7*7}} \"'& <img src=//x.example/a.png>"
INERT = "<script>alert(1)</script> \\x1b[31m\\u202egnp {{7*7}} \"'& <img src=//x.example/a.png>"
EMPTY = {"meta", "path", "circle"}


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(place: Place, action_id: str) -> tuple[str, Page]:
    shown = place.run("evidence", "replay", action_id, "--format", "html")
    assert (shown.code, shown.err) == (0, "")
    return shown.out, Page(shown.out)


def test_the_text_tells_every_step(place: Place) -> None:
    action_id = place.waiting("Ship release 7")
    place.run("approvals", "deny", action_id, "--reason", "Not on a Friday")
    shown = place.run("evidence", "replay", action_id)
    assert (shown.code, shown.err) == (0, "")
    lines = shown.out.splitlines()
    assert lines[:2] == [f"{action_id}: denied", "Ship release 7"]
    kinds = [line[4:].split("  ")[0] for line in lines if re.match(r"[ \d]\d  [A-Z]", line)]
    assert kinds == ["INTENT", "POLICIES", "DECISION", "APPROVAL", "APPROVAL", "OUTCOME"]
    assert "High risk needs approval" in shown.out
    assert "Not on a Friday" in shown.out
    assert len(re.findall(r"^    event \d+, [a-z.]+; (?:not linked yet|entry \d+ [0-9a-f]{64})$", shown.out, re.M)) == 6


def test_json_is_the_answer_of_the_server(place: Place) -> None:
    action_id = place.done()
    shown = place.run("evidence", "replay", action_id, "--format", "json")
    found = shown.document
    assert found["action_id"] == action_id
    assert [step["kind"] for step in found["steps"]] == ["intent", "policies", "decision", "action", "outcome"]
    again = place.run("evidence", "replay", action_id, "--json").document
    assert again["steps"] == [
        {**step, "entry": now["entry"]} for step, now in zip(found["steps"], again["steps"], strict=True)
    ]


def test_the_page_needs_nothing_else(place: Place) -> None:
    source, page = page_of(place, place.done("Compare vendors"))
    assert page.open == []
    assert source.startswith("<!doctype html>\n")
    assert {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "form", "base"} == set()
    names = {name for _, attributes in page.tags for name in attributes}
    assert names & {"src", "srcset", "style", "action", "data"} == set()
    assert not [name for name in names if name.startswith("on")]
    links = [attributes["href"] for _, attributes in page.tags if "href" in attributes]
    assert links == [f"#step-{number}" for number in range(1, 6)]
    assert "url(" not in source
    assert "@import" not in source
    assert (
        "meta",
        {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"},
    ) in page.tags


def test_the_page_can_be_read_by_ear(embedded: Place) -> None:
    source, page = page_of(embedded, embedded.done("Compare vendors"))
    tags = [tag for tag, _ in page.tags]
    assert ("html", {"lang": "en"}) in page.tags
    assert tags.count("h1") == tags.count("main") == 1
    assert [tag for tag in tags if tag in ("h1", "h2", "h3")] == ["h1", "h2", "h2", *["h3"] * 5]
    assert all(attributes["aria-hidden"] == "true" for tag, attributes in page.tags if tag == "svg")
    assert all(
        re.fullmatch(r"[\d-]{10}T[\d:.]{15}Z", str(attributes["datetime"]))
        for tag, attributes in page.tags
        if tag == "time"
    )
    assert "prefers-color-scheme: dark" in source
    assert "width=device-width" in source


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_colour_can_be_told_from_its_ground(embedded: Place, scheme: int) -> None:
    source, _ = page_of(embedded, embedded.done())
    block = re.findall(r":root \{(.*?)\}", source, re.S)[scheme]
    colours: dict[str, str] = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    tones = ("neutral", "good", "wait", "bad")
    pairs = [(text, ground) for text in ("ink", "dim") for ground in ("page", "card", "bad-soft", "wait-soft")]
    pairs += [pair for tone in tones for pair in ((tone, "card"), (tone, f"{tone}-soft"), ("icon", tone))]
    for one, other in pairs:
        light, dark = sorted((luminance(colours[one]), luminance(colours[other])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (one, other)


def hostile(place: Place) -> str:
    """A denied action whose every text would do harm."""
    action_id = place.waiting(HOSTILE, reasoning=HOSTILE, systems_touched=[HOSTILE], metadata={HOSTILE: HOSTILE})
    place.run("approvals", "deny", action_id, "--reason", HOSTILE)
    place.agent.register_open_loop(action_id, "question", HOSTILE)
    return action_id


def test_what_an_agent_wrote_is_inert_on_the_page(place: Place) -> None:
    source, page = page_of(place, hostile(place))
    assert {tag for tag, _ in page.tags} & {"script", "img"} == set()
    assert page.text.count(INERT) >= 6
    assert "\x1b" not in source
    assert "\u202e" not in source


def test_what_an_agent_wrote_is_inert_in_a_terminal_and_in_a_file(place: Place, tmp_path: Path) -> None:
    action_id = hostile(place)
    kept = tmp_path / "replay.txt"
    place.run("evidence", "replay", action_id, "--out", str(kept))
    for shown in (place.run("evidence", "replay", action_id).out, kept.read_text("utf-8")):
        assert INERT in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    found = place.run("evidence", "replay", action_id, "--format", "json").document
    assert found["action"]["declared_goal"] == HOSTILE


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_a_replay_is_written_once(embedded: Place, tmp_path: Path, form: str) -> None:
    action_id = embedded.done()
    target = tmp_path / "replay"
    shown = embedded.run("evidence", "replay", action_id, "--format", form, "--out", str(target))
    assert (shown.code, shown.out) == (0, f"Wrote {target}\n")
    assert action_id in target.read_text("utf-8")
    again = embedded.run("evidence", "replay", action_id, "--format", form, "--out", str(target))
    assert (again.code, again.out) == (1, "")
    assert again.err == f"error: {target} cannot be written: File exists\n"


def test_a_changed_row_is_a_warning(embedded: Place) -> None:
    action_id = embedded.done()
    engine = create_engine(f"sqlite:///{embedded.words[1]}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE actions SET status = 'failed' WHERE action_id = :id"), {"id": action_id})
    engine.dispose()
    shown = embedded.run("evidence", "replay", action_id)
    assert f"WARNING: The stored action {action_id} differs from its last event in: status\n" in shown.out
    assert "  status: the log says completed, stored is failed\n" in shown.out
    _, page = page_of(embedded, action_id)
    assert "The database does not say what the log says" in page.text


def test_forgotten_events_are_named(embedded: Place) -> None:
    action_id = embedded.done()
    engine = create_engine(f"sqlite:///{embedded.words[1]}")
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM events"))
    engine.dispose()
    shown = embedded.run("evidence", "replay", action_id)
    assert shown.code == 0
    assert "MISSING: The log holds no event of this action" in shown.out
    _, page = page_of(embedded, action_id)
    assert "What is missing" in page.text


def test_an_unknown_action_is_one_line_that_says_where_to_look(place: Place) -> None:
    shown = place.run("evidence", "replay", "act_no")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err.startswith("error: There is no action 'act_no' in this organisation")
    assert shown.err.endswith("; see dashclaw actions list\n")


def test_two_forms_at_once_are_refused(embedded: Place) -> None:
    shown = embedded.run("evidence", "replay", embedded.done(), "--json", "--format", "html")
    assert (shown.code, shown.out) == (1, "")
    assert "--json and --format html contradict each other" in shown.err


WITHOUT_JINJA = """
import sys
sys.modules["jinja2"] = None
from dashclaw.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_page_without_its_library_names_the_extra(embedded: Place) -> None:
    words = ["evidence", "replay", embedded.done(), *embedded.words, "--format"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DASHCLAW_")}
    ends = {}
    for form in ("html", "text"):
        command = [sys.executable, "-c", WITHOUT_JINJA, *words, form]
        ends[form] = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert (ends["html"].returncode, ends["text"].returncode) == (1, 0), ends["text"].stderr
    assert 'pip install "dashclaw[local]"' in ends["html"].stderr


def document(**changes: Any) -> dict[str, Any]:
    """The least that a replay may be."""
    return {
        "action_id": "act_1",
        "action": dict.fromkeys(
            ("declared_goal", "agent_id", "agent_name", "action_type", "status", "resolution", "risk_score")
        ),
        "generated_at": "2026-03-01T12:00:00.000000Z",
        "steps": [],
        "evidence": {"events": 0, "linked": 0, "unlinked": 0, "erased": 0},
        "duration_ms": None,
        "missing": ["Everything"],
        "differences": [],
        **changes,
    }


def test_a_replay_of_which_nothing_is_left_has_a_page() -> None:
    page = Page(replay_page(document()))
    assert page.open == []
    assert "Everything." in page.text


@pytest.mark.parametrize(
    ("milliseconds", "wanted"),
    [
        (None, ""),
        (0, "at the same moment"),
        (0.25, "0.25 ms later"),
        (-240_000, "4 min earlier"),
        (999.6, "1 s later"),
        (59_999, "1 min later"),
        (3_600_000, "1 h later"),
        (5_400_000, "1 h 30 min later"),
        (90_061_000, "1 d 1 h later"),
    ],
)
def test_spans_of_time_are_short(milliseconds: float | None, wanted: str) -> None:
    assert wording.elapsed(milliseconds) == wanted


def test_json_in_a_file_is_json(embedded: Place, tmp_path: Path) -> None:
    target = tmp_path / "replay.json"
    action_id = hostile(embedded)
    embedded.run("evidence", "replay", action_id, "--format", "json", "--out", str(target))
    assert json.loads(target.read_text("utf-8"))["action"]["declared_goal"] == HOSTILE
