"""Writes docs/reference from the clients' docstrings. `python tests/contract/reference_pages.py` brings it up to date.

The examples are data: `data/reference/<category>.md` has a heading per method with a block that runs.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dashclaw import DashClaw

DATA = Path(__file__).parent / "data"
FOLDER = Path(__file__).parents[2] / "docs/reference"
HEAD = "<!-- Written by tests/contract/reference_pages.py; `make docs` brings it up to date. -->"
INTRODUCTION = """Every method of `DashClaw`, by category. `AsyncDashClaw` has the same methods; await them.
The examples run as tests on the embedded runtime: `claw` is an operator's client."""


class Method(NamedTuple):
    """One documented method."""

    name: str
    request: str
    signature: str
    text: str
    example: str


class Page(NamedTuple):
    """One category."""

    title: str
    slug: str
    methods: list[Method]


def rows() -> Iterator[Any]:
    """The contract's rows, file by file."""
    for path in sorted((DATA / "calls").glob("*.json")):
        yield from json.loads(path.read_text("utf-8"))["rows"]


def slug_of(category: str) -> str:
    """A category's file name."""
    bare = re.sub(r"\([^)]*\)", "", category).replace("&", "and")
    return re.sub(r"[^a-z0-9]+", "-", bare.lower()).strip("-")


def examples(slug: str) -> dict[str, str]:
    """The examples of a category by method, in the order in which they run."""
    path = DATA / "reference" / f"{slug}.md"
    text = path.read_text("utf-8") if path.exists() else ""
    return dict(re.findall(r"^## (\w+)\n+```python\n(.*?)```", text, re.DOTALL | re.MULTILINE))


def pages() -> list[Page]:
    """All categories by title."""
    by_category: dict[str, list[Any]] = {}
    for row in rows():
        if hasattr(DashClaw, row["method"]):
            by_category.setdefault(row["category"], []).append(row)
    found = []
    for category, members in sorted(by_category.items()):
        shown = examples(slug_of(category))
        order = {name: place for place, name in enumerate(shown)}
        members.sort(key=lambda row: order.get(row["method"], len(order)))
        methods = [method(row, shown.get(row["method"], "")) for row in members]
        found.append(Page(category, slug_of(category), methods))
    return found


def method(row: Any, example: str) -> Method:
    """What a page says of one method."""
    name = row["method"]
    found = getattr(DashClaw, name)
    request = f"{row['verb']} {row['path']}" if row["verb"] else ""
    return Method(name, request, spelt(name, inspect.signature(found)), inspect.getdoc(found) or "", example)


def spelt(name: str, signature: inspect.Signature) -> str:
    """A signature as a user types it, without the types."""
    parts = []
    keyword_only = False
    for parameter in list(signature.parameters.values())[1:]:
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            parts.append("*")
            keyword_only = True
        stars = {parameter.VAR_KEYWORD: "**", parameter.VAR_POSITIONAL: "*"}.get(parameter.kind, "")
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        parts.append(f"{stars}{parameter.name}{default}")
    line = f"claw.{name}({', '.join(parts)})"
    return line if len(line) <= 100 else f"claw.{name}(\n    " + ",\n    ".join(parts) + ",\n)"


def written(page: Page) -> str:
    """A category's page."""
    parts = [f"# {page.title}", HEAD]
    for found in page.methods:
        parts += [f"## {found.name}", f"```python\n{found.signature}\n```", found.text]
        if found.request:
            parts.append(f"Sends `{found.request}`.")
        if found.example:
            parts.append(f"```python\n{found.example}```")
    return "\n\n".join(parts) + "\n"


def contents(found: list[Page]) -> str:
    """The page that lists the others."""
    lines = [
        f"- [{page.title}]({page.slug}.md): " + ", ".join(f"`{method.name}`" for method in page.methods)
        for page in found
    ]
    return "\n\n".join(["# Reference", HEAD, INTRODUCTION, "\n".join(lines)]) + "\n"


def files() -> dict[Path, str]:
    """Every page of the reference with its text."""
    found = pages()
    return {FOLDER / "README.md": contents(found)} | {FOLDER / f"{page.slug}.md": written(page) for page in found}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    wanted = files()
    for path in set(FOLDER.glob("*.md")) - set(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, "utf-8")
