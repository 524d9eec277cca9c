"""An OpenID provider that says what a test wants it to say."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT = "dashclaw"


class Forger:
    """What the provider answers: `claims` go before the right ones, `document` before its configuration."""

    def __init__(self) -> None:
        self.url = ""
        self.key = rsa.generate_private_key(65537, 2048)
        self.signing_key: Any = self.key
        self.claims: dict[str, Any] = {}
        self.document: dict[str, Any] = {}
        self.header: dict[str, Any] = {"kid": "one"}
        self.algorithm = "RS256"
        self.padding = 0
        self.asked: list[str] = []
        self.redeemed: dict[str, str] = {}
        self.begun: dict[str, str] = {}

    def begin(self, location: str) -> str:
        """Take somebody who was sent here, and return the state to come back with."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        assert query["code_challenge_method"] == "S256"
        self.begun = query
        return query["state"]

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, Any]:
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            names = {name: f"{self.url}/{name}" for name in ("authorization_endpoint", "token_endpoint")}
            found = {"issuer": self.url, **names, "jwks_uri": f"{self.url}/jwks", "x": "x" * self.padding}
            return 200, {**found, **self.document}
        if path == "/jwks":
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
            return 200, {"keys": [{**public, "kid": "one", "use": "sig"}]}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != self.begun["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        self.redeemed = form
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self.token()}

    def token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "subject-1",
            "iat": now,
            "exp": now + 300,
            "nonce": self.begun["nonce"],
            "email": "ana@shop.example",
            "email_verified": True,
            **self.claims,
        }
        sent = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(sent, self.signing_key, self.algorithm, headers=self.header)


@contextmanager
def forging() -> Iterator[Forger]:
    """A forger that listens."""
    forger = Forger()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*forger.answer(self.path, {}))

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"])).decode()
            self._send(*forger.answer(self.path, {name: values[0] for name, values in parse_qs(raw).items()}))

        def _send(self, status: int, body: Any) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        forger.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield forger
        finally:
            server.shutdown()
            thread.join(10)
