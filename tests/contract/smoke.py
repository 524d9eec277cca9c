"""Uses the client core for real on any Python from 3.7, without pytest: python smoke.py <folder of the package>.

A small server in a thread answers a tracked block, a guarded function, an error, a wait, events and asyncio.
"""

import asyncio
import contextlib
import json
import sys
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn

sys.path.insert(0, sys.argv[1])

import dashclaw
from dashclaw import AsyncDashClaw, DashClaw, NotFoundError, RetryPolicy

ROW = {"action_id": "act_1", "id": "act_1", "status": "running", "approval": {"status": "approved"}}
EVENTS = b'id: 1\nevent: action.updated\ndata: {"action_id": "act_1"}\n\n'


class Server(ThreadingMixIn, HTTPServer):
    daemon_threads = True
    calls = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/api/stream"):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(EVENTS)
            self.close_connection = True
        elif self.path == "/api/actions/act_1":
            self.answer(200, {"action": ROW, "open_loops": [], "assumptions": []})
        else:
            self.answer(404, {"error": "There is no such thing", "code": "NOT_FOUND"})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.calls.append((self.command, self.path, body))
        self.answer(200, {"action": ROW, "action_id": "act_1", "decision": {"decision": "allow"}, "status": "ok"})

    do_PATCH = do_POST

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def synchronous(where):
    with DashClaw(**where) as claw:
        with claw.track("research", "look", since=datetime(2026, 1, 31, tzinfo=timezone.utc)) as run:
            run.set(output_summary="found")

        @claw.guarded("research")
        def double(number):
            return 2 * number

        assert double(2) == 4
        assert claw.wait_for_approval("act_1", timeout=20)["action"]["status"] == "running"
        try:
            claw.get_action("act_2")
        except NotFoundError as error:
            assert error.code == "NOT_FOUND", error
        else:
            raise AssertionError
        events = claw.events(after="0")
        assert next(events)["data"] == {"action_id": "act_1"}
        events.close()


async def asynchronous(where):
    async with AsyncDashClaw(**where) as claw:

        @claw.guarded("research")
        async def triple(number):
            await asyncio.sleep(0)
            return 3 * number

        assert await triple(2) == 6
        found = await asyncio.gather(*[claw.wait_for_approval("act_1", timeout=20) for _ in range(20)])
        assert len(found) == 20
        inside = asyncio.Event()
        task = asyncio.ensure_future(endless(claw, inside))
        await inside.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def endless(claw, inside):
    async with claw.track("research", "wait"):
        inside.set()
        await asyncio.Event().wait()


def main():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    where = {
        "base_url": "http://127.0.0.1:%d" % server.server_address[1],
        "api_key": "k",
        "agent_id": "me",
        "retry": RetryPolicy(base=0.01),
    }
    synchronous(where)
    asyncio.run(asynchronous(where))
    server.shutdown()
    server.server_close()
    ends = [body["status"] for verb, _, body in server.calls if verb == "PATCH"]
    assert ends == ["completed", "completed", "completed", "cancelled"], server.calls
    assert server.calls[0][2]["since"] == "2026-01-31T00:00:00Z", server.calls[0]
    for name in dashclaw.__all__:
        if name not in ("RequestsTransport", "__version__"):
            getattr(dashclaw, name)
    print("the core works on", sys.version.split()[0])


main()
