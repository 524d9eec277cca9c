"""A replay as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dashclaw.runtime.evidence import wording

from .output import fields, one_line


def replay_text(found: Mapping[str, Any]) -> str:
    """The head, what does not fit, then a paragraph per step."""
    lines = [*_head(found), *_warnings(found)]
    for step in found["steps"]:
        lines += ["", *_step(step)]
    return "\n".join(lines)


def _head(found: Mapping[str, Any]) -> Iterator[str]:
    action = found["action"]
    yield f"{one_line(found['action_id'])}: {one_line(wording.state(found))}"
    yield one_line(action["declared_goal"] or "")
    yield f"agent {one_line(action['agent_id'])}, {one_line(action['action_type'])}, risk {action['risk_score']}"
    if found["steps"]:
        span = wording.duration(found["duration_ms"])
        yield f"{len(found['steps'])} steps in {span}; {wording.reach(found)}"


def _warnings(found: Mapping[str, Any]) -> Iterator[str]:
    for difference in found["differences"]:
        yield f"WARNING: {one_line(wording.difference(difference))}"
        for field in difference["fields"]:
            log, stored = (one_line(wording.shown(field[name])) for name in ("log", "stored"))
            yield f"  {wording.label(field['name'])}: the log says {log}, stored is {stored}"
    for sentence in found["missing"]:
        yield f"MISSING: {one_line(sentence)}"


def _step(step: Mapping[str, Any]) -> Iterator[str]:
    yield f"{step['number']:>2}  {wording.KINDS.get(step['kind'], step['kind']).upper()}  {one_line(step['title'])}"
    later = wording.elapsed(step["since_previous_ms"])
    actor = f"{one_line(step['actor']['id'])} ({one_line(step['actor']['type'])})"
    yield f"    {wording.moment(step['at'])}{f', {later}' if later else ''}, by {actor}"
    told = wording.details(step)
    if told:
        yield from (f"    {line}" for line in fields(told, tuple(told)).splitlines())
    for change in step["changes"]:
        before, after = (one_line(wording.shown(change[name])) for name in ("before", "after"))
        yield f"    {wording.label(change['field'])}: {before} -> {after}"
    entry = f" {step['entry']['hash']}" if step["entry"] else ""
    yield f"    {one_line(wording.place(step))}; {wording.link(step)}{entry}"
