"""Refuses what reaches for another machine, in this process and in the Python programs that it starts.

A test whose code swallows the refusal fails all the same: what was asked for is written down in a file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FILE = "ONLY_LOOPBACK_FILE"
_LOOK_UPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
_SENDS = {"socket.connect", "socket.sendto", "socket.sendmsg"}


def watch() -> None:
    """Refuse from now on, until this process ends; the environment names the file."""
    file = os.environ[FILE]

    def refuse(event: str, args: tuple[Any, ...]) -> None:
        # This sees every event there is: the two sets come first.
        if event in _LOOK_UPS:
            host, harmless = args[0], _is_number
        elif event in _SENDS and isinstance(args[1], tuple):
            host, harmless = args[1][0], _is_loopback
        elif event == "socket.getnameinfo":
            host, harmless = args[0][0], _is_loopback
        else:
            return
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "localhost")
        if not harmless(name):
            with open(file, "a") as asked:  # noqa: PTH123 - pathlib is not loaded in every program
                asked.write(f"{name} ({event} in {' '.join(sys.argv)[:200]})\n")
            raise ConnectionRefusedError(f"A test may not reach {name}")

    sys.addaudithook(refuse)


def asked() -> str:
    """Return what has been refused since the last time, a line each."""
    file = Path(os.environ[FILE])
    found = file.read_text() if file.exists() and file.stat().st_size else ""
    if found:
        file.write_text("")
    return found


def _is_number(host: str) -> bool:
    """Whether nobody is asked what the address of a host is."""
    return host == "localhost" or _address(host) is not None


def _is_loopback(host: str) -> bool:
    found = _address(host)
    return host == "localhost" or bool(found is not None and found.is_loopback)


def _address(host: str) -> Any:
    import ipaddress

    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
