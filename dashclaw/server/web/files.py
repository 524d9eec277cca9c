"""The static files: known by name from the start, so that no other path can be asked for."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from pathlib import Path
from typing import NamedTuple

from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"
PREFIX = "/static/"
_WORTH_GZIP = 1024


class File(NamedTuple):
    """A file as it is sent."""

    media: str
    plain: bytes
    packed: bytes | None


class Files:
    """Every file of the folder `static`, read once; its URL changes with its content."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._urls: dict[str, str] = {}
        self._files: dict[str, File] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(folder).as_posix()
                content = path.read_bytes()
                url = f"{PREFIX}{hashlib.sha256(content).hexdigest()[:12]}/{name}"
                self._urls[name] = url
                self._files[url] = _file(name, content)

    def url(self, name: str) -> str:
        """Where a file is; raises `KeyError` for one that is not there."""
        return self._urls[name]

    def answer(self, path: str, accepted: str) -> Response | None:
        """The file at a path; None when there is none."""
        file = self._files.get(path)
        if file is None:
            return None
        if file.packed is not None and "gzip" in accepted:
            return Response(file.packed, 200, {"Content-Encoding": "gzip"}, file.media)
        return Response(file.plain, 200, None, file.media)


def _file(name: str, content: bytes) -> File:
    media = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if name.endswith(".webmanifest"):
        media = "application/manifest+json"
    text = media.startswith("text/") or media.endswith(("javascript", "json", "svg+xml"))
    packed = gzip.compress(content, mtime=0) if text and len(content) >= _WORTH_GZIP else None
    return File(f"{media}; charset=utf-8" if media.startswith("text/") else media, content, packed)
