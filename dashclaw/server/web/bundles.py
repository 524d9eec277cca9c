"""Bundles of evidence that wait to be downloaded: files without a name, which end with the process at the latest."""

from __future__ import annotations

import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

# So many wait on a server at most, one of an organisation; another one takes the place of the oldest.
MOST = 3
_PIECE = 192 * 1024


class Bundle(NamedTuple):
    """A zip, its bytes, and its manifest."""

    file: IO[bytes]
    size: int
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        """What the file is called where it is kept."""
        return f"evidence-{self.manifest['first']}-{self.manifest['last']}.zip"

    def pieces(self) -> Iterator[bytes]:
        """The bytes from the beginning; the file is gone afterwards, or when nobody reads on."""
        with self.file as file:
            file.seek(0)
            while piece := file.read(_PIECE):
                yield piece


class Bundles:
    """The bundles of a server, by organisation."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, Bundle] = OrderedDict()
        self._lock = threading.Lock()

    def new_file(self) -> IO[bytes]:
        """A file to write a bundle into."""
        return tempfile.TemporaryFile()

    def keep(self, org_id: str, file: IO[bytes], manifest: dict[str, Any]) -> None:
        """Let a bundle wait."""
        bundle = Bundle(file, file.seek(0, os.SEEK_END), manifest)
        with self._lock:
            known = self._waiting.pop(org_id, None)
            self._waiting[org_id] = bundle
            surplus = [known] if known is not None else []
            while len(self._waiting) > MOST:
                surplus.append(self._waiting.popitem(last=False)[1])
        for old in surplus:
            old.file.close()

    def find(self, org_id: str) -> Bundle | None:
        """The bundle that waits."""
        return self._waiting.get(org_id)

    def close(self) -> None:
        """Drop all of them."""
        with self._lock:
            while self._waiting:
                self._waiting.popitem()[1].file.close()

    def take(self, org_id: str) -> Bundle | None:
        """The bundle that waits, for the one who asks first."""
        with self._lock:
            return self._waiting.pop(org_id, None)
