"""Opens the runtime's store for the commands about the machine itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dashclaw.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from dashclaw.runtime.store.engine import Store


@contextmanager
def translated() -> Iterator[None]:
    """Turn failures of the store into errors that a person can act on."""
    try:
        from dashclaw.runtime.store.engine import StoreError
    except ImportError as error:
        raise MissingExtraError('The database needs the extra "local": pip install "dashclaw[local]"') from error
    try:
        yield
    except (StoreError, OSError) as error:
        raise ConfigurationError(str(error)) from error


@contextmanager
def opened(database: str) -> Iterator[Store]:
    """A store with its schema up to date."""
    with translated():
        from dashclaw.runtime.store.engine import Store

        store = Store.open(database)
        try:
            yield store
        finally:
            store.close()
