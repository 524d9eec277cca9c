"""The state of the chain, its checkpoints and proofs, asked for over the operations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dashclaw.runtime.evidence.keeping import Notary, link_tails
from dashclaw.runtime.evidence.proofs import check_proof
from dashclaw.runtime.identity import Caller
from dashclaw.runtime.store import orgs

from .conftest import ADMIN, World

READER = Caller("org_default", "key_reader", "readonly")


@pytest.fixture
def world(world: World, tmp_path: Path) -> World:
    """A world whose evidence key is in the folder of the test."""
    world.runtime.settings = world.runtime.settings._replace(evidence_key=str(tmp_path / "key.pem"))
    return world


def test_the_state_names_what_is_linked_signed_and_waiting(world: World) -> None:
    status, empty = world.ask("GET", "/api/evidence", caller=READER)
    assert (status, empty["size"], empty["checkpoint"], empty["key_id"]) == (200, 0, None, None)
    world.act()
    status, made = world.ask("POST", "/api/evidence/checkpoint", caller=ADMIN)
    assert status == 201
    _, found = world.ask("GET", "/api/evidence", caller=READER)
    assert (found["size"], found["unlinked"]) == (made["checkpoint"]["size"], 0)
    assert found["checkpoint"]["text"] == made["checkpoint"]["text"]
    assert found["key_id"] == made["checkpoint"]["key"]


def test_checkpoints_are_listed_newest_first_with_their_keys(world: World) -> None:
    sizes = []
    for _ in range(3):
        world.act()
        sizes.append(world.ask("POST", "/api/evidence/checkpoint", caller=ADMIN)[1]["checkpoint"]["size"])
    _, page = world.ask("GET", "/api/evidence/checkpoints", caller=READER, query={"limit": "2"})
    assert [row["size"] for row in page["checkpoints"]] == sizes[:0:-1]
    assert (page["total"], page["has_more"]) == (3, True)
    assert [key["id"] for key in page["keys"]] == [page["checkpoints"][0]["key_id"]]


def test_every_entry_is_proved_by_its_event_and_its_number(world: World, tmp_path: Path) -> None:
    for _ in range(4):
        world.act()
    _, made = world.ask("POST", "/api/evidence/checkpoint", caller=ADMIN)
    path = tmp_path / "proof.json"
    for seq in range(1, made["checkpoint"]["size"] + 1):
        status, found = world.ask("GET", "/api/evidence/proof", caller=READER, query={"seq": str(seq)})
        assert status == 200
        event_id = str(json.loads(found["proof"]["record"])[1])
        _, same = world.ask("GET", "/api/evidence/proof", caller=READER, query={"event_id": event_id})
        assert same == found
        path.write_text(json.dumps(found["proof"]))
        proof, wrong = check_proof(path, made["checkpoint"]["key"])
        assert (proof["seq"], wrong) == (seq, [])
    assert check_proof(path, "0" * 64)[1] == [
        f"the checkpoint over {made['checkpoint']['size']} entries is signed by a key that is not trusted"
    ]


def test_a_proof_is_asked_for_in_one_way_and_of_what_is_there(world: World) -> None:
    world.act()
    assert world.ask("POST", "/api/evidence/checkpoint", caller=ADMIN)[0] == 201
    for query in ({}, {"seq": "1", "event_id": "1"}, {"seq": "0"}, {"seq": "x"}, {"event_id": "-1"}):
        status, body = world.ask("GET", "/api/evidence/proof", query=query)
        assert (status, body["code"], len(body["fields"])) == (400, "VALIDATION_FAILED", 1), query
    for query in ({"seq": "99999"}, {"event_id": "9999999"}):
        assert world.ask("GET", "/api/evidence/proof", query=query)[0] == 404
    world.act()
    link_tails(world.runtime)
    _, state = world.ask("GET", "/api/evidence")
    status, body = world.ask("GET", "/api/evidence/proof", query={"seq": str(state["size"])})
    assert (status, body["code"]) == (409, "NO_CHECKPOINT")


def test_organisations_do_not_see_each_others_chains(world: World) -> None:
    with world.runtime.store.write("org_other") as tx:
        orgs.insert(tx, "org_other", "Other", "other")
    other = Caller("org_other", "key_other", "admin")
    world.act()
    _, made = world.ask("POST", "/api/evidence/checkpoint", caller=ADMIN)
    _, found = world.ask("GET", "/api/evidence/proof", query={"seq": "1"})
    event_id = str(json.loads(found["proof"]["record"])[1])
    assert world.ask("GET", "/api/evidence/proof", query={"event_id": event_id}, caller=other)[0] == 404
    assert world.ask("GET", "/api/evidence/checkpoints", caller=other)[1]["total"] == 0
    _, theirs = world.ask("POST", "/api/evidence/checkpoint", caller=other)
    assert (theirs["checkpoint"]["org"], theirs["checkpoint"]["size"]) == ("org_other", 1), "the key's registration"
    assert made["checkpoint"]["org"] == "org_default"


def test_only_admins_sign_and_a_broken_key_is_told(world: World, tmp_path: Path) -> None:
    world.act()
    assert world.ask("POST", "/api/evidence/checkpoint")[0] == 403
    (tmp_path / "key.pem").write_text("no key")
    status, body = world.ask("POST", "/api/evidence/checkpoint", caller=ADMIN)
    assert (status, body["code"]) == (503, "EVIDENCE_KEY_UNAVAILABLE")


def test_the_server_links_tails_and_signs_what_grew(world: World) -> None:
    notary = Notary(world.runtime)
    world.act()
    world.runtime.sequencer.close()
    link_tails(world.runtime)
    assert world.ask("GET", "/api/evidence")[1]["unlinked"] == 0
    assert notary.round() == 1
    assert notary.round() == 0, "nothing was added since"
    world.act()
    assert link_tails(world.runtime) > 0
    assert notary.round() == 1
    assert world.ask("GET", "/api/evidence/checkpoints")[1]["total"] == 2
