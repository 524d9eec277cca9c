"""Signed bodies at real servers: two processes over one database accept each body once, uploads can be signed."""

from __future__ import annotations

import base64
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from dashclaw._signing import load_signer, sign_body

from ...keys import pem_of
from ..databases import database
from ..serving import served
from .support import BODIES, Http, refused
from .test_process import serving

KEY = ed25519.Ed25519PrivateKey.generate()
SIGNER = load_signer(KEY)
ACTION = BODIES["create_action"]
ADMIN_KEY = "a-configured-key-of-an-operator"


def register(admin: Http) -> None:
    body = {"agent_id": "agent-1", "public_key": pem_of(KEY.public_key()), "algorithm": "Ed25519"}
    admin.made("POST", "/api/identities", body)


def signed(number: int = 0) -> dict[str, Any]:
    return sign_body({**ACTION, "declared_goal": f"Find out {number}"}, SIGNER)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_servers_and_a_restarted_one_accept_a_signed_body_once(kind: str, tmp_path: Path) -> None:
    bodies = [signed(number) for number in range(12)]
    with database(kind, tmp_path) as url:
        with serving(url, DASHCLAW_ADMIN_KEY=ADMIN_KEY) as first, serving(url, DASHCLAW_ADMIN_KEY=ADMIN_KEY) as second:
            register(first.http.with_key(ADMIN_KEY))
            both = (first.http.with_key(ADMIN_KEY), second.http.with_key(ADMIN_KEY))
            with ThreadPoolExecutor(8) as senders:
                jobs = [
                    senders.submit(server.ask, "POST", "/api/actions", body)
                    for body in bodies
                    for server in (*both, *both)
                ]
                replies = [job.result(60) for job in jobs]
            assert Counter(reply.status for reply in replies) == {201: len(bodies), 401: 3 * len(bodies)}
            codes = {refused(reply, 401)["code"] for reply in replies if reply.status == 401}
            assert codes == {"SIGNATURE_REPLAYED"}
        with serving(url, DASHCLAW_ADMIN_KEY=ADMIN_KEY) as again:
            admin = again.http.with_key(ADMIN_KEY)
            assert refused(admin.ask("POST", "/api/actions", bodies[0]), 401)["code"] == "SIGNATURE_REPLAYED"
            assert admin.made("GET", "/api/actions?limit=1")["total"] == len(bodies)


def test_a_retry_with_its_key_gets_the_first_answer_from_either_way(tmp_path: Path) -> None:
    with served(str(tmp_path / "d.db")) as server:
        register(Http(server.url, server.admin_key))
        agent = Http(server.url, server.agent_key)
        body, header = signed(), {"Idempotency-Key": "retry-1"}
        first = agent.ask("POST", "/api/actions", body, headers=header)
        second = agent.ask("POST", "/api/actions", body, headers=header)
        assert (first.status, second.status, second.headers["idempotent-replay"]) == (201, 201, "true")
        assert first.body == second.body
        other = agent.ask("POST", "/api/actions", body, headers={"Idempotency-Key": "retry-2"})
        assert refused(other, 401)["code"] == "SIGNATURE_REPLAYED"


def test_a_message_is_signed_with_all_of_its_attachments(tmp_path: Path) -> None:
    data = base64.b64encode(b"All is well. " * 40_000).decode()
    attachment = {"filename": "all.txt", "mime_type": "text/plain", "data": data}
    body = {"body": "See there", "from_agent_id": "agent-1", "to_agent_id": "agent-2", "attachments": [attachment]}
    with served(str(tmp_path / "d.db")) as server:
        register(Http(server.url, server.admin_key))
        agent = Http(server.url, server.agent_key)
        whole = sign_body(body, SIGNER)
        changed = {**whole, "attachments": [{**attachment, "data": "YWJj" + data[4:]}]}
        assert refused(agent.ask("POST", "/api/messages", changed), 401)["code"] == "INVALID_AGENT_SIGNATURE"
        sent = agent.made("POST", "/api/messages", whole)
        assert sent["message"]["attachments"][0]["size_bytes"] == 13 * 40_000
        names = [event["event"] for event in agent.made("GET", "/api/events")["events"]]
        assert names.count("signature.verified") == names.count("signature.refused") == 1
