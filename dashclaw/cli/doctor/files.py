"""The files of a database: who may read them, and the room around them."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from .finding import Finding, Mend
from .ground import Ground

PRIVATE = 0o600
_MEGABYTE = 1024 * 1024
_LEAST = 200 * _MEGABYTE
_ROOM = 1024 * _MEGABYTE


def modes(ground: Ground) -> Iterator[Finding]:
    """Whether anybody but the owner may read or write the database and the keys."""
    found = [finding for path in _private_files(ground) if (finding := _mode(path)) is not None]
    yield from found or [Finding("file modes", "ok", "nobody else may read the database and the keys")]


def _private_files(ground: Ground) -> Iterator[Path]:
    file = ground.file
    if file is not None:
        yield from (path for path in (file, Path(f"{file}-wal"), Path(f"{file}-shm")) if path.exists())
    if (key := evidence_key(ground)) is not None and key.exists():
        yield key
    private = os.environ.get("DASHCLAW_PRIVATE_KEY", "")
    if private and len(private) < 1024 and "\n" not in private and Path(private).expanduser().is_file():
        yield Path(private).expanduser()


def evidence_key(ground: Ground) -> Path | None:
    """Where the key that signs checkpoints is, or would be; None without a database or the extra."""
    if ground.database is None:
        return None
    from dashclaw.runtime.evidence.keys import key_path
    from dashclaw.runtime.settings import Settings
    from dashclaw.runtime.store.connect import database_url

    return key_path(database_url(ground.database), Settings.from_environment())


def _mode(path: Path) -> Finding | None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name != "posix" or not mode & 0o077:
        return None
    others = "change" if mode & 0o022 else "read"
    why = (
        "Who may write the database may approve everything"
        if mode & 0o022
        else "It holds what agents did, secrets of webhooks or a private key"
    )
    mend = Mend(f"Set the mode of {path} to 0600?", partial(path.chmod, PRIVATE))
    what = f"others may {others} {path} (mode {mode:04o})"
    return Finding("file modes", "error" if mode & 0o022 else "warning", what, why, f"chmod 600 {path}", mend)


def disk(ground: Ground) -> Iterator[Finding]:
    """Whether there is room for the database to grow."""
    file = ground.file
    if file is None or not file.exists():
        return
    free, size = shutil.disk_usage(file.absolute().parent).free, file.stat().st_size
    what = f"{free // _MEGABYTE} MiB free, the database has {size // _MEGABYTE} MiB"
    why = "Without room nothing can be recorded, and then nothing is allowed either"
    if free < _LEAST:
        yield Finding("disk", "error", what, why, "Make room, or set DASHCLAW_DECISION_DAYS and DASHCLAW_EVENT_DAYS")
    elif free < max(_ROOM, size):
        yield Finding("disk", "warning", what, why, "Make room: a backup and a migration need as much again")
    else:
        yield Finding("disk", "ok", what)
