"""Databases with a chain over operations of every kind, and copies of them to tamper with."""

from __future__ import annotations

import random
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from sqlalchemy.engine import make_url

from dashclaw.runtime.bootstrap import DEFAULT_ORG, ensure_default_org
from dashclaw.runtime.evidence.checkpoints import Checkpoint, make_checkpoint
from dashclaw.runtime.evidence.findings import Report
from dashclaw.runtime.evidence.keys import EvidenceKey, load_key
from dashclaw.runtime.evidence.verify import verify
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.runtime import Runtime

from ...keys import ed25519_pem
from ..databases import POSTGRES
from ..runtime.conftest import Clock, World

ROUNDS = 60
POLICIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("require_approval", {"action_types": ["deploy"]}),
    ("block_action_type", {"action_types": ["drop"]}),
    ("warn_action_type", {"action_types": ["mail"]}),
    ("risk_threshold", {"threshold": 90, "action": "block"}),
)


class Original(NamedTuple):
    """A database that nobody tampered with: where it is, its key, its organisations and the last checkpoints."""

    url: str
    key: EvidenceKey
    orgs: tuple[str, str]
    anchors: dict[str, Checkpoint]


class Builder:
    """Does what people and agents do, in two organisations that take turns."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._number = self._goals = 0
        self._org = DEFAULT_ORG
        other = self._made("POST", "/api/orgs", {"name": "Other", "slug": "other"})
        self.orgs = (DEFAULT_ORG, other["organization"]["id"])
        for org_id in self.orgs:
            self._org = org_id
            for kind, rules in POLICIES:
                self._made("POST", "/api/policies", {"name": kind, "policy_type": kind, "rules": rules})

    def _made(self, verb: str, path: str, body: dict[str, Any] | None = None, by: str = "operator") -> dict[str, Any]:
        caller = Caller(self._org, f"key_{by}", "member" if by == "agent" else "admin")
        status, answer = self._world.ask(verb, path, body, caller=caller)
        assert status < 300, (path, answer)
        found: dict[str, Any] = answer
        return found

    def round(self) -> None:
        """Everything once, in a random order."""
        self._number += 1
        self._org = self.orgs[self._number % 2]
        doings = [self._work, self._work, self._guards, self._people, self._policies, self._keys, self._expiry]
        self._chance.shuffle(doings)
        for do in doings:
            self._world.clock.move(seconds=self._chance.randint(0, 90))
            do()

    def _act(self, action_type: str, **fields: Any) -> str:
        self._goals += 1
        goal = f'Größer, "schöner"\n☃ {self._goals}'
        body = {"action_type": action_type, "declared_goal": goal, "agent_id": "agent-1", **fields}
        found: str = self._made("POST", "/api/actions", body, "agent")["action_id"]
        return found

    def _work(self) -> None:
        action_id = self._act("research", risk_score=self._chance.randint(0, 60), metadata={"ticket": 1.5})
        loop = {"action_id": action_id, "loop_type": "question", "description": "Who owns it?"}
        loop_id = self._made("POST", "/api/loops", loop, "agent")["loop_id"]
        self._made("PATCH", f"/api/loops/{loop_id}", {"status": "resolved", "resolution": "Ann"}, "agent")
        assumed = {"action_id": action_id, "assumption": "The disk is big enough"}
        assumption_id = self._made("POST", "/api/assumptions", assumed, "agent")["assumption_id"]
        self._made("PATCH", f"/api/assumptions/{assumption_id}", {"validated": True}, "agent")
        outcome = {"status": "completed", "output_summary": "Done", "cost_estimate": 0.1, "side_effects": ["one"]}
        self._made("PATCH", f"/api/actions/{action_id}", outcome, "agent")

    def _guards(self) -> None:
        for action_type in ("research", "mail", "drop", "deploy"):
            self._made("POST", "/api/guard", {"action_type": action_type, "agent_id": "agent-2"}, "agent")
        self._made("POST", "/api/agents/heartbeat", {"agent_id": "agent-2", "status": "online"}, "agent")

    def _people(self) -> None:
        for decision in ("allow", "deny"):
            action_id = self._act("deploy", risk_score=30)
            body = {"decision": decision, "reasoning": "Looked at it"}
            self._made("POST", f"/api/actions/{action_id}/approve", body)

    def _policies(self) -> None:
        rules = {"threshold": self._chance.randint(80, 95), "action": "block"}
        body = {"name": f"policy {self._number}", "policy_type": "risk_threshold", "rules": rules}
        policy_id = self._made("POST", "/api/policies", body)["policy"]["id"]
        if self._chance.random() < 0.5:
            self._made("PATCH", f"/api/policies/{policy_id}", {"name": f"renamed {self._number}"})
        if self._chance.random() < 0.7:
            self._made("DELETE", f"/api/policies/{policy_id}")

    def _keys(self) -> None:
        path = f"/api/orgs/{self._org}/keys"
        self._made("POST", path, {"label": "kept", "role": "member"})
        key_id = self._made("POST", path, {"label": "gone", "role": "readonly"})["key"]["id"]
        self._made("DELETE", f"{path}/{key_id}")
        body = {"agent_id": "agent-1", "public_key": ed25519_pem(self._number), "algorithm": "Ed25519"}
        identity = self._made("POST", "/api/identities", {**body, "replace": True})["identity"]
        if self._number % 5 == 0:
            self._made("POST", f"/api/identities/{identity['id']}/revoke", {"reason": "lost"})

    def _expiry(self) -> None:
        action_id = self._act("deploy", approval_wait_seconds=10, risk_score=20)
        self._world.clock.move(seconds=30)
        assert self._made("GET", f"/api/actions/{action_id}")["action"]["approval"]["status"] == "expired"


def build(url: str, folder: Path, rounds: int = ROUNDS) -> Original:
    """Fill an empty database, with a checkpoint now and then."""
    chance = random.Random(20261121)
    key = load_key(folder / "evidence-key.pem")
    clock = Clock()
    runtime = Runtime.open(url, clock=clock)
    try:
        ensure_default_org(runtime.store, starter_policies=False)
        builder = Builder(World(runtime, clock, url), chance)
        anchors = {}
        for number in range(rounds):
            builder.round()
            if number % 8 == 7:
                anchors |= {org: make_checkpoint(runtime.store, org, key) for org in builder.orgs}
        anchors |= {org: make_checkpoint(runtime.store, org, key) for org in builder.orgs}
        return Original(url, key, builder.orgs, anchors)
    finally:
        runtime.close()


@contextmanager
def own_database(kind: str, folder: Path) -> Iterator[str]:
    """An empty SQLite file, or a PostgreSQL database of its own, which can be copied."""
    if kind == "sqlite":
        yield str(folder / "original.db")
        return
    with _postgres_database("") as url:
        yield url


@contextmanager
def copied(kind: str, original: str, folder: Path) -> Iterator[str]:
    """A copy of a database that nobody has open."""
    if kind == "sqlite":
        path = folder / f"{uuid.uuid4().hex}.db"
        shutil.copy(original, path)
        yield str(path)
        for left in folder.glob(f"{path.name}*"):
            left.unlink()
        return
    with _postgres_database(f"TEMPLATE {make_url(original).database}") as url:
        yield url


@contextmanager
def _postgres_database(how: str) -> Iterator[str]:
    name = f"t_{uuid.uuid4().hex}"
    with psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3) as connection:
        connection.execute(f"CREATE DATABASE {name} {how}")
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        try:
            yield str(make_url(POSTGRES).set(database=name))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def verified(url: str, org_id: str, **how: Any) -> Report:
    """What a verification finds; nothing of it writes."""
    runtime = Runtime.open(url)
    try:
        return verify(runtime.store, org_id, **how)
    finally:
        runtime.close()
