"""What a proxy does, as behaviours of the faulty server: everything goes to the server behind it."""

from __future__ import annotations

import select
import socket
from contextlib import suppress

from .faulty import Wire, head, passed_on

relayed = passed_on


def tunnelled(wire: Wire) -> bool:
    """Answer CONNECT and carry bytes both ways until one side ends."""
    assert wire.server.upstream is not None
    with socket.create_connection(wire.server.upstream, 20) as real:
        wire.send(head(200))
        ends = {wire.sock: real, real: wire.sock}
        with suppress(OSError):
            while not wire.server.stopping.is_set():
                for ready in select.select(list(ends), [], [], 0.1)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return False
                    ends[ready].sendall(data)
    return False
