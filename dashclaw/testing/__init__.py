"""Help for testing programs that use DashClaw.

`FakeTransport` answers from memory as the test tells it to. With pytest, the fixture `dashclaw_client` gives a client
on a fresh embedded runtime (needs the extra "local"), and `dashclaw_fake` one on a `FakeTransport`.
"""

from __future__ import annotations

from ._fake import FakeStream, FakeTransport, RecordedCall

__all__ = ["FakeStream", "FakeTransport", "RecordedCall"]
