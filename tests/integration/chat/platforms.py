"""Slack, Discord and Telegram as far as this package speaks to them: real servers that take nothing else.

What a call must look like is asserted where it arrives; a fault is answered with 400 and kept in `faults`, which every
test wants empty. `press` does what the platform does when somebody presses a button of a message.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ...unit.client.support import eventually


class Seen(NamedTuple):
    """What somebody who pressed a button sees: the status of the answer, and the words for this person alone."""

    status: int
    said: str | None


class Fake:
    """One platform. `down` is a status to answer with instead, `wait` the seconds that it asks for."""

    name = ""
    target: str | None = ""
    token = ""
    secret = ""

    def __init__(self) -> None:
        self.url = ""
        self.messages: dict[str, dict[str, Any]] = {}
        self.sent = 0
        self.changed = 0
        self.calls = 0
        self.faults: list[str] = []
        self.down: int | None = None
        self.wait: int | None = None
        self.during: Callable[[], None] = lambda: None

    def receive(self, verb: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """Answer one call."""
        self.calls += 1
        self.during()
        if self.down is not None:
            return self.down, {}
        try:
            assert headers["content-type"].startswith("application/json")
            return self.answer(verb, path, headers, json.loads(body))
        except (AssertionError, KeyError, TypeError, ValueError) as fault:
            self.faults.append(f"{verb} {path}: {fault!r} in {body!r}")
            return 400, {"ok": False, "error": "invalid", "message": "invalid", "description": "invalid"}

    def answer(self, verb: str, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        raise NotImplementedError

    def text(self, message: Mapping[str, Any]) -> str:
        """All that a message shows."""
        return json.dumps(message, ensure_ascii=False)

    def buttons(self, message: Mapping[str, Any]) -> dict[str, str]:
        """What the buttons of a message carry, by their labels."""
        raise NotImplementedError

    def request(self, now: datetime, token: str, user: str, **wrong: Any) -> tuple[bytes, dict[str, str]]:
        """The signed request for the press of a button."""
        raise NotImplementedError

    def said(self, answer: httpx.Response) -> str | None:
        raise NotImplementedError

    def press(self, url: str, now: datetime, token: str, user: str, **wrong: Any) -> Seen:
        """Press a button as a user; `wrong` spoils the signature."""
        body, headers = self.request(now, token, user, **wrong)
        answer = httpx.post(url, content=body, headers=headers, timeout=30)
        return Seen(answer.status_code, self.said(answer) if answer.status_code == 200 else None)

    def only(self) -> dict[str, Any]:
        """The one message that there is."""
        [found] = self.messages.values()
        return found


class FakeSlack(Fake):
    name = "slack"
    target = "C0123456789"
    token = "xoxb-1234567890-secret-of-the-bot"
    secret = "8f742231b10e8888abcd99yyyzzz85a5"

    def __init__(self) -> None:
        super().__init__()
        self.whispers: dict[str, dict[str, Any]] = {}
        self._presses = 0

    def answer(self, verb: str, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        assert verb == "POST"
        if path.startswith("/response/"):
            self.whispers[path] = body
            return 200, {"ok": True}
        if path == "/services/T0/B0/hook":
            assert "authorization" not in headers
            self._check(body)
            return self._keep(f"{self.sent}.0", body, "ok")
        assert headers["authorization"] == f"Bearer {self.token}"
        assert body["channel"] == self.target
        self._check(body)
        if path == "/api/chat.postMessage":
            ts = f"1700000000.{self.sent:06}"
            return self._keep(ts, body, {"ok": True, "channel": self.target, "ts": ts})
        assert path == "/api/chat.update"
        if body["ts"] not in self.messages:
            return 200, {"ok": False, "error": "message_not_found"}
        self.changed += 1
        self.messages[body["ts"]] = body
        return 200, {"ok": True, "channel": self.target, "ts": body["ts"]}

    def _keep(self, ts: str, body: dict[str, Any], answer: Any) -> tuple[int, Any]:
        self.sent += 1
        self.messages[ts] = body
        return 200, answer

    @staticmethod
    def _check(body: dict[str, Any]) -> None:
        assert 0 < len(body["text"]) <= 4000
        assert 0 < len(body["blocks"]) <= 50
        for block in body["blocks"]:
            assert block["type"] in ("header", "section", "actions")
            for text in [*block.get("fields", []), *([block["text"]] if "text" in block else [])]:
                assert text["type"] in ("plain_text", "mrkdwn")
                limit = 150 if block["type"] == "header" else 2000
                assert 0 < len(text["text"]) <= limit
            assert len(block.get("fields", [])) <= 10
            for element in block.get("elements", []):
                assert element["type"] == "button"
                assert element["text"]["type"] == "plain_text"
                assert element["style"] in ("primary", "danger")
                assert 0 < len(element["value"]) <= 2000
                assert 0 < len(element["action_id"]) <= 255

    def buttons(self, message: Mapping[str, Any]) -> dict[str, str]:
        elements = [one for block in message["blocks"] for one in block.get("elements", [])]
        return {one["text"]["text"]: one["value"] for one in elements}

    def request(self, now: datetime, token: str, user: str, **wrong: Any) -> tuple[bytes, dict[str, str]]:
        self._presses += 1
        payload = {
            "type": "block_actions",
            "user": {"id": user, "username": f"name-{user}", "team_id": "T0"},
            "container": {"type": "message", "channel_id": self.target},
            "response_url": wrong.get("response_url", f"{self.url}/response/{self._presses}"),
            "actions": [{"type": "button", "action_id": "approve", "value": token}],
        }
        body = urlencode({"payload": json.dumps(payload)}).encode()
        stamp = str(int(now.timestamp()) - wrong.get("age", 0))
        key = wrong.get("secret", self.secret).encode()
        signature = hmac.new(key, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={signature}",
        }
        return body + wrong.get("more", b""), headers

    def said(self, answer: httpx.Response) -> str | None:
        assert answer.content == b""
        return None

    def press(self, url: str, now: datetime, token: str, user: str, **wrong: Any) -> Seen:
        seen = super().press(url, now, token, user, **wrong)
        return seen._replace(said=None)

    def whisper(self) -> str:
        """What was said last to the one who pressed, and to nobody else."""
        path = f"/response/{self._presses}"
        eventually(lambda: path in self.whispers)
        body = self.whispers[path]
        assert (body["response_type"], body["replace_original"]) == ("ephemeral", False)
        return str(body["text"])


class FakeDiscord(Fake):
    name = "discord"
    target = "123456789012345678"
    token = "MTIzNDU2Nzg5MDEyMzQ1Njc4.secret.of-the-bot"

    def __init__(self) -> None:
        super().__init__()
        self._key = Ed25519PrivateKey.generate()
        self.secret = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def answer(self, verb: str, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        assert headers["authorization"] == f"Bot {self.token}"
        assert re.fullmatch(r"DiscordBot \(.+, .+\).*", headers["user-agent"])
        assert body["allowed_mentions"] == {"parse": []}
        self.check(body)
        place = f"/api/v10/channels/{self.target}/messages"
        if verb == "POST":
            assert path == place
            assert len(body.get("nonce", "")) <= 25
            number = str(900000000000000000 + self.sent)
            self.sent += 1
        else:
            assert verb == "PATCH"
            number = path.removeprefix(place + "/")
            if number not in self.messages:
                return 404, {"message": "Unknown Message", "code": 10008}
            self.changed += 1
        self.messages[number] = body
        return 200, {"id": number, "channel_id": self.target}

    @staticmethod
    def check(body: dict[str, Any]) -> None:
        [embed] = body["embeds"]
        assert len(embed["title"]) <= 256
        assert len(embed["description"]) <= 4096
        assert len(embed["fields"]) <= 25
        assert all(0 < len(one["name"]) <= 256 and 0 < len(one["value"]) <= 1024 for one in embed["fields"])
        for row in body["components"]:
            assert row["type"] == 1
            assert 0 < len(row["components"]) <= 5
            for one in row["components"]:
                assert one["type"] == 2
                assert ("url" in one, "custom_id" in one) == ((True, False) if one["style"] == 5 else (False, True))
                assert 0 < len(one.get("custom_id", "x")) <= 100

    def text(self, message: Mapping[str, Any]) -> str:
        return super().text(message).replace("\\", "")

    def buttons(self, message: Mapping[str, Any]) -> dict[str, str]:
        found = [one for row in message["components"] for one in row["components"] if "custom_id" in one]
        return {one["label"]: one["custom_id"] for one in found}

    def request(self, now: datetime, token: str, user: str, **wrong: Any) -> tuple[bytes, dict[str, str]]:
        payload = {
            "type": 3,
            "data": {"component_type": 2, "custom_id": token},
            "member": {"user": {"id": user, "username": f"name-{user}"}},
        }
        return self.signed(now, payload, **wrong)

    def signed(self, now: datetime, payload: Any, **wrong: Any) -> tuple[bytes, dict[str, str]]:
        body = json.dumps(payload).encode()
        stamp = str(int(now.timestamp()) - wrong.get("age", 0))
        key = Ed25519PrivateKey.generate() if "secret" in wrong else self._key
        headers = {
            "Content-Type": "application/json",
            "X-Signature-Timestamp": stamp,
            "X-Signature-Ed25519": key.sign(stamp.encode() + body).hex(),
        }
        return body + wrong.get("more", b""), headers

    def said(self, answer: httpx.Response) -> str | None:
        found = answer.json()
        if found["type"] == 7:
            self.check(found["data"])
            assert self.buttons(found["data"]) == {}
            return None
        assert (found["type"], found["data"]["flags"]) == (4, 64)
        return str(found["data"]["content"]).replace("\\", "")


class FakeTelegram(Fake):
    name = "telegram"
    target = "-1001234567890"
    token = "123456789:AAsecret-of-the-bot-0123456789abcde"
    secret = "the_secret-of-setWebhook"

    def answer(self, verb: str, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        assert verb == "POST"
        assert path.startswith(f"/bot{self.token}/")
        assert body["chat_id"] == int(self.target or 0)
        assert 0 < len(body["text"]) <= 4096
        assert "parse_mode" not in body
        for row in body["reply_markup"]["inline_keyboard"]:
            assert all(0 < len(one["callback_data"].encode()) <= 64 for one in row)
        method = path.rpartition("/")[2]
        if method == "sendMessage":
            number = 100 + self.sent
            self.sent += 1
        else:
            assert method == "editMessageText"
            number = body["message_id"]
            if str(number) not in self.messages:
                return 400, {"ok": False, "description": "Bad Request: message to edit not found"}
            self.changed += 1
        self.messages[str(number)] = body
        return 200, {"ok": True, "result": {"message_id": number, "chat": {"id": body["chat_id"]}}}

    def buttons(self, message: Mapping[str, Any]) -> dict[str, str]:
        return {one["text"]: one["callback_data"] for row in message["reply_markup"]["inline_keyboard"] for one in row}

    def request(self, now: datetime, token: str, user: str, **wrong: Any) -> tuple[bytes, dict[str, str]]:
        query = {"id": "q1", "from": {"id": int(user), "username": f"name{user}"}, "data": token}
        secret = wrong.get("secret", self.secret)
        body = json.dumps({"update_id": 1, "callback_query": query}).encode()
        return body, {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": secret}

    def said(self, answer: httpx.Response) -> str | None:
        found = answer.json()
        assert (found["method"], found["callback_query_id"]) == ("answerCallbackQuery", "q1")
        assert len(found["text"]) <= 200
        return str(found["text"]) if found["show_alert"] else None


@contextmanager
def running(fake: Fake) -> Iterator[Fake]:
    """Let a platform answer until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, found = fake.receive(self.command, self.path, headers, body)
            raw = found.encode() if isinstance(found, str) else json.dumps(found).encode()
            self.send_response(status)
            if fake.wait is not None:
                self.send_header("Retry-After", str(fake.wait))
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_PATCH = do_POST

        def log_message(self, *_: Any) -> None:
            """The tests read what was sent, not a log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
