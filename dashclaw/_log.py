"""The package's logger, loaded on first use because `logging` is expensive to import."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging


@functools.lru_cache(maxsize=None)
def logger() -> logging.Logger:
    """Return the logger "dashclaw"; it stays silent unless the program configures logging."""
    import logging

    found = logging.getLogger("dashclaw")
    found.addHandler(logging.NullHandler())
    return found
