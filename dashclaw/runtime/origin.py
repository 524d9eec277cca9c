"""Where calls inside this process come from: the operating system's word, not the environment's."""

from __future__ import annotations

import os
import socket

from .identity import Origin

LOCAL = "local"
CHANNEL_HEADER = "X-DashClaw-Channel"
CLI = "cli"


def local_origin() -> Origin:
    """The user and the machine that run this process."""
    return Origin(LOCAL, LOCAL, None, _user(), socket.gethostname()[:256])


def _user() -> str:
    try:
        import pwd
    except ImportError:
        return os.getlogin()
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
