"""The house rules that a machine can check."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "dashclaw"
CORE_IMPORTS_NOTHING_OF = {"runtime", "server", "cli", "integrations"}
LEAVES = {
    "errors",
    "types",
    "_redact",
    "_detect",
    "_personal",
    "_scan",
    "_named",
    "_canonical",
    "_filename",
    "_inert",
    "_json",
    "_simulated",
}
# Only names, a line each: as long as there are names.
LISTS = {Path("types/__init__.py")}
LAZY_BORDER = {"__main__.py", "local.py", "cli", "integrations", "server", "runtime"}


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if "migrations" not in path.parts:
            yield path.relative_to(PACKAGE), ast.parse(path.read_text())


def test_modules_and_functions_stay_small() -> None:
    large = []
    for path, tree in sources():
        length = len((PACKAGE / path).read_text().splitlines())
        if length > 400 and path not in LISTS:
            large.append(f"{path}: {length} lines")
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body and (body[-1].end_lineno or 0) - body[0].lineno >= 60:
                    large.append(f"{path}: {node.name}")
    assert large == []


def test_names_say_what_is_inside() -> None:
    vague = {"utils.py", "helpers.py", "common.py", "misc.py"}
    assert [str(path) for path, _ in sources() if path.name in vague] == []


def imported(tree: ast.Module, path: Path) -> Iterator[str]:
    """The modules of this package that a file imports, as dotted names under `dashclaw`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = path.parts[: len(path.parts) - node.level]
                yield ".".join([*base, *(node.module or "").split(".")]).strip(".")
            elif (node.module or "").startswith("dashclaw"):
                yield (node.module or "").removeprefix("dashclaw").strip(".")


def test_imports_go_one_way() -> None:
    wrong = []
    for path, tree in sources():
        room = path.parts[0]
        for name in imported(tree, path):
            target = name.split(".")[0]
            if room == "runtime" and target not in {"runtime", *LEAVES}:
                wrong.append(f"{path} imports {name}")
            if path.parts[:2] == ("runtime", "guard") and not name.startswith("runtime.guard"):
                wrong.append(f"{path} imports {name}")
            if room == "server" and target not in {"server", "runtime", *LEAVES, ""}:
                wrong.append(f"{path} imports {name}")
            if room not in LAZY_BORDER and target in CORE_IMPORTS_NOTHING_OF:
                wrong.append(f"{path} imports {name}")
            if room == "methods" and target in {"_transport", "client", "aio", "_exchange"}:
                wrong.append(f"{path} imports {name}")
    assert wrong == []
