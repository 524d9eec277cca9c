"""`dashclaw db`: the database itself."""

from __future__ import annotations

import argparse
import os

from dashclaw.errors import ConfigurationError

from .arguments import Commands, storage
from .connection import existing
from .output import Output, fields


def add(commands: Commands) -> None:
    """Add the group to the command line."""
    group = commands.group("db", "the database itself")
    group.command(
        "upgrade",
        upgrade,
        "bring the schema up to date, creating the database if there is none",
        options=storage(),
        example="dashclaw db upgrade --db dashclaw.db",
    )
    group.command(
        "info",
        info,
        "show the schema, the size and the rows",
        options=storage(),
        example="dashclaw db info --db dashclaw.db",
    )
    found = group.command(
        "backup",
        backup,
        "copy the database into a new file, while it is in use",
        options=storage(),
        example="dashclaw db backup copy.db --db dashclaw.db",
    )
    found.add_argument("target", metavar="FILE", help="the file to write; it must not exist")
    found = group.command(
        "restore",
        restore,
        "put a copy back",
        options=storage(),
        example="dashclaw db restore copy.db --db restored.db",
    )
    found.add_argument("source", metavar="FILE", help="a file that dashclaw db backup wrote")
    found.add_argument("--force", action="store_true", help="replace a database that holds data")


def named_database(options: argparse.Namespace) -> str:
    """The database that the options or the environment name; raises `ConfigurationError`."""
    database = options.db or os.environ.get("DASHCLAW_DATABASE_URL") or os.environ.get("DASHCLAW_DB")
    if not database:
        raise ConfigurationError("Say which database: --db FILE or URL")
    return str(database)


def upgrade(options: argparse.Namespace, output: Output) -> None:
    """Run the missing migrations."""
    from dashclaw.runtime.store.migrate import HEAD

    from .storage import opened

    with opened(named_database(options)):
        output.result({"revision": HEAD}, f"The schema is {HEAD}.")


def info(options: argparse.Namespace, output: Output) -> None:
    """Print what the database holds."""
    from dashclaw.runtime.store.information import describe

    from .storage import opened

    database = named_database(options)
    existing(database)
    with opened(database) as store:
        found = describe(store)
    output.result(found, fields(found, tuple(found)))


def backup(options: argparse.Namespace, output: Output) -> None:
    """Copy the database."""
    from dashclaw.runtime.store.backup import backup as copy

    from .storage import translated

    with translated():
        found = copy(named_database(options), options.target)
    output.result(found, f"Wrote {options.target} ({found['rows']} rows)")


def restore(options: argparse.Namespace, output: Output) -> None:
    """Put a copy back."""
    from dashclaw.runtime.store.backup import restore as put_back

    from .storage import translated

    with translated():
        found = put_back(options.source, named_database(options), force=options.force)
    output.result(found, f"Restored {found['rows']} rows from {options.source}")
