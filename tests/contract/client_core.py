"""Names the files of the client core: what must run on Python 3.7 with the standard library alone."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
OUTSIDE = {"cli", "integrations", "runtime", "server", "testing"}
OUTSIDE_FILES = {"local.py", "_signing.py", "requests_transport.py", "__main__.py"}


def core_files() -> list[Path]:
    """The files of the core, in order."""
    package = ROOT / "dashclaw"
    return sorted(
        path for path in package.rglob("*.py") if path.relative_to(package).parts[0] not in OUTSIDE | OUTSIDE_FILES
    )


if __name__ == "__main__":
    print(*(path.relative_to(ROOT) for path in core_files()))
