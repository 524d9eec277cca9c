"""The version, from the package's metadata."""

from __future__ import annotations

import functools


@functools.lru_cache(maxsize=None)
def version() -> str:
    """Return the installed version; "0" where the package runs without being installed."""
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
