"""The version, from the package's metadata."""

from __future__ import annotations

import functools
import os
import re
import sys
from typing import Optional

_FOLDER = re.compile(r"dashclaw-([^-]+)\.dist-info")


@functools.lru_cache(maxsize=None)
def version() -> str:
    """Return the installed version; "0" where the package runs without being installed."""
    # importlib.metadata would take a tenth of the time of a coding agent's hook.
    return _in_a_name() or _from_metadata()


def _in_a_name() -> Optional[str]:
    """Return the version that the first folder with our metadata has in its name."""
    for folder in sys.path:
        try:
            with os.scandir(folder or ".") as entries:
                found = next(filter(None, (_FOLDER.fullmatch(entry.name) for entry in entries)), None)
        except OSError:
            continue
        if found is not None:
            return found.group(1)
    return None


def _from_metadata() -> str:
    try:
        from importlib import metadata  # novm
    except ImportError:
        return _old_version()
    try:
        return metadata.version("dashclaw")
    except metadata.PackageNotFoundError:
        return "0"


def _old_version() -> str:
    # Python 3.7 has no importlib.metadata.
    try:
        import pkg_resources  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError:
        return "0"
    try:
        return str(pkg_resources.get_distribution("dashclaw").version)
    except pkg_resources.DistributionNotFound:
        return "0"
