"""`dashclaw keys generate` and `dashclaw pair`: a key pair made, shown to an operator, trusted."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from dashclaw import DashClaw
from dashclaw._private_key import load_key
from dashclaw.cli import pair as pair_command

from ...keys import pem_of
from ...unit.client.support import eventually
from .conftest import Place, Run


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DASHCLAW_PRIVATE_KEY_PASSWORD", raising=False)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(name: str) -> int:
    return stat.S_IMODE(Path(name).stat().st_mode)


@pytest.mark.parametrize("form", ["pem", "jwk"])
@pytest.mark.parametrize("kind", ["rsa-2048", "rsa-3072", "rsa-4096", "ed25519"])
def test_a_pair_is_made_for_its_owner_alone(run: Run, kind: str, form: str) -> None:
    with umask(0):
        shown = run("keys", "generate", "--out", "agent.key", "--type", kind, "--format", form, "--json")
    assert (shown.code, shown.err) == (0, "")
    assert (mode("agent.key"), mode("agent.key.pub")) == (0o600, 0o644)
    key = load_key(Path("agent.key"))
    if kind == "ed25519":
        assert isinstance(key, ed25519.Ed25519PrivateKey)
    else:
        assert isinstance(key, rsa.RSAPrivateKey)
        assert key.key_size == int(kind[4:])
    public = load_pem_public_key(Path("agent.key.pub").read_bytes())
    assert public == key.public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert shown.document == {
        "type": kind,
        "algorithm": "Ed25519" if kind == "ed25519" else "RSASSA-PKCS1-v1_5",
        "format": form,
        "encrypted": False,
        "private_key_file": "agent.key",
        "public_key_file": "agent.key.pub",
        "fingerprint": hashlib.sha256(der).hexdigest(),
    }


def test_the_usual_pair_is_one_that_every_server_knows(run: Run) -> None:
    shown = run("keys", "generate", "--out", "agent.key")
    assert "-----BEGIN PRIVATE KEY-----" in Path("agent.key").read_text()
    assert isinstance(load_key("agent.key"), rsa.RSAPrivateKey)
    assert "PRIVATE" not in shown.out
    assert "agent.key.pub" in shown.out
    assert "Fingerprint (SHA-256): " in shown.out


@pytest.mark.parametrize("taken", ["agent.key", "agent.key.pub"])
@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_nothing_is_ever_overwritten(run: Run, taken: str, kind: str, tmp_path: Path) -> None:
    if kind == "file":
        Path(taken).write_text("precious")
    elif kind == "link":
        Path(taken).symlink_to(tmp_path / "elsewhere")
    else:
        Path(taken).mkdir()
    shown = run("keys", "generate", "--out", "agent.key", "--type", "ed25519")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == f"error: {taken} exists already and a key is never overwritten: name another file\n"
    assert [path.name for path in tmp_path.iterdir()] == [taken]
    assert kind != "file" or Path(taken).read_text() == "precious"


def test_a_folder_that_is_missing_is_named(run: Run) -> None:
    shown = run("keys", "generate", "--out", "no/agent.key", "--type", "ed25519")
    assert (shown.code, shown.err) == (1, "error: no/agent.key cannot be written: No such file or directory\n")


def test_a_password_comes_from_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("keys", "generate", "--out", "agent.key", "--password-env", "AGENT_PASSWORD")
    for missing in (None, ""):
        monkeypatch.delenv("AGENT_PASSWORD", raising=False) if missing is None else monkeypatch.setenv(
            "AGENT_PASSWORD", missing
        )
        shown = run(*words)
        assert (shown.code, shown.err) == (1, "error: The environment variable AGENT_PASSWORD holds no password\n")
    monkeypatch.setenv("AGENT_PASSWORD", "open sesame")
    assert run(*words, "--format", "jwk").err.startswith("error: A JWK cannot be encrypted")
    assert not Path("agent.key").exists()
    assert run(*words, "--json").document["encrypted"] is True
    assert "BEGIN ENCRYPTED PRIVATE KEY" in Path("agent.key").read_text()
    assert load_key("agent.key", "open sesame").key_size == 2048


@contextmanager
def deciding(place: Place, verb: str) -> Iterator[Future[str]]:
    """An operator who decides about whatever key asks first."""

    def first() -> Any:
        return next(iter(place.agent.request("GET", "/api/pairings", query={"status": "pending"})["pairings"]), None)

    def decide() -> str:
        found = eventually(first)
        url, key = place.words[1], place.words[-1]
        settings: dict[str, Any] = {"base_url": url, "api_key": key} if place.words[0] == "--url" else {}
        operator = DashClaw(**settings) if settings else DashClaw.local(url, operator=True)
        with operator:
            operator.request("POST", f"/api/pairings/{found['id']}/{verb}", body={"reason": "We spoke"})
        return str(found["code"])

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(decide)


@pytest.mark.parametrize("which", ["agent.key", "agent.key.pub"])
def test_an_agent_pairs_while_an_operator_compares_the_code(place: Place, which: str) -> None:
    made = place._run("keys", "generate", "--out", "agent.key", "--type", "ed25519", "--json").document
    with deciding(place, "approve") as decided:
        shown = place.run("pair", "--key", which, "--agent-id", "builder", "--name", "Builder", "--timeout", "60")
    assert shown.code == 0
    assert shown.out.startswith("Approved by ")
    assert made["fingerprint"][:16] in shown.out
    assert f"Code: {decided.result()}\n" in shown.err
    assert f"--code {decided.result()}" in shown.err
    [identity] = place.agent.get_identities()["identities"]
    assert (identity["agent_id"], identity["fingerprint"]) == ("builder", made["fingerprint"])


def test_a_refused_agent_hears_why(place: Place) -> None:
    place._run("keys", "generate", "--out", "agent.key", "--type", "ed25519")
    with deciding(place, "deny"):
        shown = place.run("pair", "--key", "agent.key", "--agent-id", "builder", "--timeout", "60", "--json")
    assert shown.code == 4
    assert shown.document["pairing"]["status"] == "denied"
    assert "We spoke" in json.loads(shown.err.splitlines()[-1])["error"]


def test_nobody_decides_and_the_wait_is_shown(embedded: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_command, "_PROGRESS_SECONDS", 0.05)
    monkeypatch.setenv("DASHCLAW_PRIVATE_KEY_PASSWORD", "open sesame")
    words = ("--out", "agent.key", "--password-env", "DASHCLAW_PRIVATE_KEY_PASSWORD")
    embedded._run("keys", "generate", *words)
    first = embedded.run("pair", "--key", "agent.key", "--agent-id", "builder", "--timeout", "0.2")
    assert (first.code, first.out) == (3, "")
    assert "Waiting for the operator, 0:00 left" in first.err
    assert first.err.endswith(
        "error: Nobody decided within 0.2 seconds; the request still waits: run the same command again\n"
    )
    again = embedded.run("pair", "--key", "agent.key", "--agent-id", "builder", "--timeout", "0.01", "--json")
    assert again.document["pairing"]["code"] in first.err


def test_a_key_of_the_environment_is_not_the_operator_s(embedded: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHCLAW_PRIVATE_KEY", "/nowhere/agent.key")
    monkeypatch.setenv("DASHCLAW_SIGN", "all")
    assert embedded.run("keys", "create", "--label", "laptop").code == 0


def test_a_wrong_key_file_is_one_line(embedded: Place, run: Run) -> None:
    Path("curve").write_text(pem_of(ec.generate_private_key(ec.SECP256R1()).public_key()))
    Path("damaged").write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    Path("text").write_text("secret-text")
    for name, problem in {
        "curve": "neither an RSA nor an Ed25519 key",
        "damaged": "a damaged public key",
        "text": "neither PEM nor JWK",
        "missing": "cannot be read: No such file or directory",
    }.items():
        shown = embedded.run("pair", "--key", name, "--agent-id", "builder")
        assert (shown.code, shown.out, len(shown.err.splitlines())) == (1, "", 1)
        assert problem in shown.err
        assert "secret-text" not in shown.err
    assert run("pair", "--agent-id", "builder").code == 2
