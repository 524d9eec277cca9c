"""`dashclaw serve`: the runtime over HTTP."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dashclaw.errors import MissingExtraError

from .arguments import Commands, storage, whole
from .output import Output

if TYPE_CHECKING:
    from dashclaw.server.run import Started


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    found = commands.command(
        "serve",
        run,
        "serve a database over HTTP until interrupted; the first start prints two keys, once",
        options=storage(),
        example="dashclaw serve --port 3000 --db dashclaw.db",
    )
    found.add_argument("--host", metavar="ADDRESS", help="address to listen on (127.0.0.1, else DASHCLAW_HOST)")
    found.add_argument(
        "--port", type=whole(0, 65535), metavar="PORT", help="port (3000, else DASHCLAW_PORT; 0: a free one)"
    )
    found.add_argument("--no-starter-policies", action="store_true", help="leave a new database without policies")


def run(options: argparse.Namespace, output: Output) -> None:
    """Serve until interrupted."""
    try:
        from dashclaw.server.run import serve
        from dashclaw.server.settings import ServerSettings
    except ImportError as error:
        raise MissingExtraError(
            f'The server needs the extra "server" ({error.name} is missing): pip install "dashclaw[server]"'
        ) from error
    settings = ServerSettings.from_environment(
        host=options.host,
        port=options.port,
        database=options.db,
        starter_policies=False if options.no_starter_policies else None,
    )
    with _stopping_is_no_failure() as stop:
        serve(settings, lambda started: output.line(started._asdict(), _text(started)), lambda: stop.asked)


class _Stop:
    """Remembers a signal until the server looks; an exit raised anywhere in the start can be swallowed or half done."""

    asked = False

    def __call__(self, *_: object) -> None:
        self.asked = True


@contextmanager
def _stopping_is_no_failure() -> Iterator[_Stop]:
    """Exit with 0 on SIGINT and SIGTERM, which the server raises once more after its graceful stop."""
    stop = _Stop()
    before = {asked: signal.signal(asked, stop) for asked in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for asked, handler in before.items():
            signal.signal(asked, handler)


def _text(started: Started) -> str:
    lines = [f"DashClaw listens on {started.url} (documentation at {started.url}/docs), database {started.database}"]
    if started.policies:
        lines.append(f"The new database starts with the policies: {', '.join(started.policies)}")
    if started.admin_key:
        lines.append(f"operator key (admin), shown only now: {started.admin_key}")
    if started.agent_key:
        lines.append(f"agent key (member), shown only now:   {started.agent_key}")
    return "\n".join(lines)
