"""What the commands about evidence share: the database, its key, moments, files, progress."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashclaw.errors import ConfigurationError, DashClawError

from .connection import existing
from .database import named_database

if TYPE_CHECKING:
    from dashclaw.runtime.evidence.keys import EvidenceKey
    from dashclaw.runtime.store.engine import Store

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@contextmanager
def evidence_store(options: argparse.Namespace) -> Iterator[Store]:
    """The database of a command; refusals of the runtime become errors that a person can act on."""
    from .storage import opened

    database = named_database(options)
    existing(database)
    with opened(database) as store:
        from dashclaw.runtime.problems import Problem

        try:
            yield store
        except Problem as problem:
            raise DashClawError(problem.message, status=problem.status, code=problem.code) from problem


def organisation(store: Store, wanted: str | None) -> str:
    """The organisation that was asked for, else the one that every database has; raises when there is none."""
    from dashclaw.runtime.bootstrap import DEFAULT_ORG
    from dashclaw.runtime.store import orgs

    org_id = wanted or DEFAULT_ORG
    with store.read() as tx:
        if org_id not in orgs.every_id(tx):
            raise ConfigurationError(f"There is no organisation {org_id!r} in this database")
    return org_id


def key_file(store: Store) -> Path:
    """Where the key of the database is."""
    from dashclaw.runtime.evidence.keys import key_path
    from dashclaw.runtime.settings import Settings

    return key_path(store.url, Settings.from_environment())


def signing_key(store: Store) -> tuple[EvidenceKey, Path]:
    """The key that signs checkpoints, made on first use, and the file that keeps them beside it."""
    from dashclaw.runtime.evidence.checkpoints import anchors_path
    from dashclaw.runtime.evidence.keys import load_key

    path = key_file(store)
    return load_key(path), anchors_path(path)


def when(text: str | None) -> str | None:
    """The stamp of `30d`, `12h` or `90m` ago, or of a date or time; raises `ConfigurationError`."""
    from dashclaw.runtime.clock import moment, stamp

    if text is None:
        return None
    try:
        if found := re.fullmatch(r"(\d{1,6})([mhd])", text):
            return stamp(datetime.now(timezone.utc) - timedelta(**{_UNITS[found[2]]: int(found[1])}))
        return stamp(moment(text))
    except (ValueError, OverflowError):
        raise ConfigurationError(f"{text!r} is no time: give 30d, 12h, 90m or a date such as 2026-01-31") from None


def write_new(name: str, document: Any) -> None:
    """Write JSON to a file that must not exist; raises `ConfigurationError`."""
    try:
        with Path(name).expanduser().open("x", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(document, indent=1) + "\n")
    except OSError as error:
        raise ConfigurationError(f"{name} cannot be written: {error.strerror}") from error


def progress(what: str) -> Callable[[int, int], None]:
    """Something that shows on a terminal how far a long command is."""

    def tell(done: int, of: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{done:,} of {of:,} {what}" + ("" if done < of else "\n"))
            sys.stderr.flush()

    return tell
