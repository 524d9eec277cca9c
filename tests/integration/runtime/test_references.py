"""Reports name the entries of the evidence chain that they rest on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dashclaw.runtime.evidence.checkpoints import make_checkpoint
from dashclaw.runtime.evidence.keys import load_key
from dashclaw.runtime.evidence.sequencer import link_all
from dashclaw.runtime.store import evidence

from .conftest import ADMIN, World

ORG = "org_default"


def entry_of(world: World, seq: int) -> tuple[int, str]:
    """The event of an entry, and its link in hex."""
    with world.runtime.store.read() as tx:
        found = evidence.entries(tx, ORG, seq - 1, 1)[0]
    return found[1], bytes(found[4]).hex()


def proof(world: World) -> dict[str, Any]:
    status, found = world.ask("GET", "/api/policies/proof")
    assert status == 200
    assert isinstance(found, dict)
    return found


def test_the_proof_names_the_entries_of_its_policies_and_of_the_last_run(world: World) -> None:
    kept = world.policy("block_action_type", {"action_types": ["db.drop"]})
    gone = world.policy("block_action_type", {"action_types": ["fs.delete"]})
    world.ask("PATCH", f"/api/policies/{kept}", {"name": "No drops"}, caller=ADMIN)
    world.ask("DELETE", f"/api/policies/{gone}", caller=ADMIN)
    world.ask("POST", "/api/policies/test", {})
    decision = world.ask("POST", "/api/guard", {"action_type": "x"})[1]
    link_all(world.runtime.store, ORG)
    found = proof(world)
    rested = found["document"]["evidence"]
    assert [entry["event"] for entry in rested["entries"]] == ["policy.tested", "policy.updated"]
    assert (rested["total"], rested["unlinked"], rested["checkpoint"]) == (2, 0, None)
    for entry in rested["entries"]:
        assert entry_of(world, entry["seq"]) == (entry["event_id"], entry["hash"])
        assert entry["hash"] in found["report"]
    assert found["document"]["policy_set"] == decision["policy_set"]


def test_evidence_names_the_entries_of_its_window(world: World, tmp_path: Path) -> None:
    for _ in range(5):
        world.ask("POST", "/api/guard", {"action_type": "x"})
    world.clock.move(days=10)
    for _ in range(120):
        world.ask("POST", "/api/guard", {"action_type": "x"})
    world.act()
    checkpoint = make_checkpoint(world.runtime.store, ORG, load_key(tmp_path / "evidence.key"))
    stated = checkpoint.read()
    found = world.ask("GET", "/api/compliance/evidence", query={"window": "7d"})[1]["entries"]
    everything = world.ask("GET", "/api/compliance/evidence", query={"window": "30d"})[1]["entries"]
    assert len(found["entries"]) == 100
    assert found["checkpoint"] == {name: stated[name] for name in ("size", "root", "at")}
    assert (found["unlinked"], found["last_seq"]) == (0, stated["size"])
    assert found["total"] == found["last_seq"] - found["first_seq"] + 1
    assert everything["total"] == found["total"] + 5
    assert (everything["first_seq"], found["first_seq"]) == (1, 6)
    newest = found["entries"][0]
    assert entry_of(world, newest["seq"]) == (newest["event_id"], newest["hash"])


def test_a_report_of_nothing_rests_on_nothing(world: World) -> None:
    rested = proof(world)["document"]["evidence"]
    assert (rested["entries"], rested["total"]) == ([], 0)
    found = world.ask("GET", "/api/compliance/evidence")[1]["entries"]
    assert (found["entries"], found["total"], found["first_seq"]) == ([], 0, None)
