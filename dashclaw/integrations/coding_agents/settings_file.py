"""Adds hooks to a settings file that belongs to the user, and takes them out again.

Nothing else in the file changes its meaning or its order. The file as it was before is kept beside it until the hooks
are taken out; where nothing else was changed since, it comes back byte for byte.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dashclaw.errors import ConfigurationError

BACKUP = ".before-dashclaw"
Document = dict[str, Any]
Entries = Mapping[str, Any]


def install(path: Path, entries: Entries, mark: str) -> bool:
    """Put `entries`, by event, in the place of earlier ones whose command holds `mark`; whether the file changed.

    Raises `ConfigurationError` for a file that cannot be read for certain, which is left as it is.
    """
    path = path.expanduser().resolve()
    before = _bytes(path)
    document = _parsed(path, before)
    after = _without(path, document, mark)
    hooks = after.setdefault("hooks", {})
    for event, entry in entries.items():
        hooks.setdefault(event, []).append(entry)
    if after == document:
        return False
    if before is not None and not _mentions(document, mark):
        _write(_backup(path), before, path)
    _replace(path, before, after)
    return True


def uninstall(path: Path, mark: str) -> bool:
    """Take out the entries whose command holds `mark`; whether there were any. Raises as `install` does."""
    path = path.expanduser().resolve()
    before = _bytes(path)
    document = _parsed(path, before)
    if before is None or not _mentions(document, mark):
        return False
    after = _without(path, document, mark)
    kept = _bytes(_backup(path))
    if kept is not None and _parsed(_backup(path), kept) == after:
        _write(path, kept, path)
    elif kept is None and not after:
        path.unlink()
    else:
        _replace(path, before, after)
    _backup(path).unlink(missing_ok=True)
    return True


def installed(path: Path, mark: str) -> bool:
    """Whether the file holds such an entry. Raises as `install` does."""
    path = path.expanduser().resolve()
    return _mentions(_parsed(path, _bytes(path)), mark)


def _backup(path: Path) -> Path:
    return path.with_name(path.name + BACKUP)


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error


def _parsed(path: Path, content: bytes | None) -> Document:
    if content is None or not content.strip():
        return {}
    try:
        found = json.loads(content.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is left as it is, it cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"{path} is left as it is, it holds no JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> Document:
    found = dict(pairs)
    if len(found) != len(pairs):
        # Writing it again would lose one of them.
        raise ValueError("a name stands twice in one object")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _without(path: Path, document: Document, mark: str) -> Document:
    """Return a copy without the marked entries, and without lists and objects that only they had made necessary."""
    hooks = document.get("hooks")
    if hooks is None:
        return dict(document)
    if not isinstance(hooks, dict) or not all(isinstance(entries, list) for entries in hooks.values()):
        raise ConfigurationError(f'{path} is left as it is, "hooks" is no object of lists')
    kept: Document = {}
    for event, entries in hooks.items():
        left = [trimmed for entry in entries if (trimmed := _trimmed(entry, mark)) is not None]
        if left or not entries:
            kept[event] = left
    after = {name: value for name, value in document.items() if name != "hooks"}
    if kept or not hooks:
        after = {name: kept if name == "hooks" else value for name, value in document.items()}
    return after


def _trimmed(entry: Any, mark: str) -> Any:
    """Return an entry without marked commands; None when nothing else was in it."""
    if not isinstance(entry, dict) or not isinstance(entry.get("hooks"), list):
        return entry
    left = [hook for hook in entry["hooks"] if not _marked(hook, mark)]
    if len(left) == len(entry["hooks"]):
        return entry
    return dict(entry, hooks=left) if left else None


def _marked(hook: Any, mark: str) -> bool:
    return isinstance(hook, dict) and isinstance(hook.get("command"), str) and mark in hook["command"]


def _mentions(document: Document, mark: str) -> bool:
    hooks = document.get("hooks")
    groups = hooks.values() if isinstance(hooks, dict) else []
    entries = [entry for group in groups if isinstance(group, list) for entry in group if isinstance(entry, dict)]
    return any(_marked(hook, mark) for entry in entries for hook in entry.get("hooks") or [])


def _replace(path: Path, before: bytes | None, after: Document) -> None:
    """Write the document and read it again; the file is what it was when that fails."""
    if _bytes(path) != before:
        raise ConfigurationError(f"{path} was changed by another program just now; try again")
    indent = "\t" if before is not None and b"\n\t" in before else 2
    _write(path, (json.dumps(after, indent=indent, ensure_ascii=False) + "\n").encode(), path)
    if _parsed(path, _bytes(path)) != after:
        if before is not None:
            _write(path, before, path)
        raise ConfigurationError(f"{path} did not take the change and is as it was")


def _write(path: Path, content: bytes, like: Path) -> None:
    """Put a whole file in place at once, with the rights of another; readers see the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rights = like.stat().st_mode & 0o777 if like.exists() else 0o600
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(rights)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
