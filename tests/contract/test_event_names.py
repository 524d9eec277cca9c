"""Every event that the runtime emits can be asked for by a webhook."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashclaw.runtime.event_names import EVENTS, FAMILIES, family_of

RUNTIME = Path(__file__).parents[2] / "dashclaw/runtime"


def emitted() -> Iterator[str]:
    """The names that are spelt where they are emitted, at least their beginning."""
    for path in sorted(RUNTIME.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "emit":
                name = node.args[1]
                if isinstance(name, ast.JoinedStr):
                    name = name.values[0]
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield name.value


def test_every_family_of_events_is_known() -> None:
    found = set(emitted())
    assert {"webhook.disabled", "webhook.", "org.created"} <= found
    assert [name for name in sorted(found) if name.partition(".")[0] not in FAMILIES] == []


def test_every_name_has_the_form_of_one() -> None:
    assert [name for name in sorted(EVENTS) if family_of(name) is None] == []


@pytest.mark.parametrize(
    "name", ["", "action", "acton.created", "action.", "action.Created", "action.a.b.c", ".created"]
)
def test_other_names_are_no_events(name: str) -> None:
    assert family_of(name) is None
