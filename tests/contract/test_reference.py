"""docs/reference is what the docstrings say, and every method has an example that works."""

from __future__ import annotations

from pathlib import Path

import pytest
from reference_pages import FOLDER, Page, examples, files, pages

from dashclaw import DashClaw

PAGES = pages()


def test_the_pages_are_up_to_date() -> None:
    wanted = files()
    assert {path.name for path in FOLDER.glob("*.md")} == {path.name for path in wanted}
    assert [path.name for path, text in wanted.items() if path.read_text("utf-8") != text] == [], "make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.slug)
def test_every_method_is_described_with_an_example_that_calls_it(page: Page) -> None:
    assert [method.name for method in page.methods if not method.text] == []
    assert [method.name for method in page.methods if f".{method.name}(" not in method.example] == []
    assert set(examples(page.slug)) == {method.name for method in page.methods}


@pytest.mark.refused("hooks.example.com", "agents.example.com")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.slug)
def test_the_examples_of_a_page_run(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with DashClaw.local("dashclaw.db", agent_id="my-agent", operator=True, starter_policies=False) as claw:
        names = {"claw": claw}
        for name, block in examples(page.slug).items():
            exec(compile(block, f"{page.slug}: {name}", "exec"), names)
