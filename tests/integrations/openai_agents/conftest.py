"""Mistakes in the adapter itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from . import scripted  # noqa: F401 - switches tracing off before the adapter imports the SDK


@pytest.fixture
def breaking_here(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a mistake of ours into a step of the adapter."""
    from dashclaw.integrations import _openai_tools as adapter

    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a mistake of ours")

    def put(step: str) -> None:
        holder, _, name = step.rpartition(".")
        monkeypatch.setattr(getattr(adapter, holder) if holder else adapter, name, fail)

    return put
