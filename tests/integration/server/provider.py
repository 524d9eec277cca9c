"""A real OpenID provider as a process of its own, and tokens of it."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

AUDIENCE = "dashclaw"


@contextmanager
def provider(*options: str) -> Iterator[str]:
    """The address of a provider; `options` are those of its command line."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as file:
            command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", "0", *options]
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file)
        try:
            yield _address(child, log)
        finally:
            child.kill()
            child.wait(20)


def _address(child: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 30
    while (found := re.search(r"running on (http://[\d.]+:\d+)", log.read_text())) is None:
        assert child.poll() is None, log.read_text()
        assert time.monotonic() < deadline, "the provider did not start"
        time.sleep(0.02)
    return found[1]


def token_of(issuer: str, subject: str = "builder", audience: str = AUDIENCE) -> str:
    """An identity token, got as a browser gets it."""
    back = "http://localhost/back"
    asked = {"client_id": audience, "redirect_uri": back, "response_type": "code", "scope": "openid"}
    login = f"{issuer}/oauth2/authorize?{urlencode(asked)}"
    answer = requests.post(login, data={"sub": subject}, allow_redirects=False, timeout=10)
    [code] = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
    wanted = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
    found = requests.post(f"{issuer}/oauth2/token", data=wanted, auth=(audience, "any"), timeout=10)
    return str(found.json()["id_token"])
