"""`dashclaw pairings`: an operator sees who asks and decides."""

from __future__ import annotations

from ...keys import ed25519_pem
from .conftest import Place


def asked(place: Place, number: int = 0) -> dict[str, str]:
    return dict(place.agent.create_pairing(ed25519_pem(number), "Ed25519", "Builder")["pairing"])  # type: ignore[arg-type]


def test_who_asks_is_listed_until_it_is_decided(place: Place) -> None:
    pairing = asked(place)
    shown = place.run("pairings", "list")
    [line] = [line for line in shown.out.splitlines() if pairing["id"] in line]
    assert line.split()[1:5] == ["agent-1", "Builder", pairing["code"], "pending"]
    done = place.run("pairings", "approve", pairing["id"], "--code", pairing["code"], "--reason", "Spoke to Ana")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Approved {pairing['id']}: agent-1, key {pairing['fingerprint'][:16]}")
    assert place.run("pairings", "list").out == "No agent asks.\n"
    [row] = place.run("pairings", "list", "--status", "approved", "--json").document["pairings"]
    assert (row["id"], row["reason"]) == (pairing["id"], "Spoke to Ana")


def test_a_denied_pairing_gives_no_identity(place: Place) -> None:
    pairing = asked(place)
    assert place.run("pairings", "deny", pairing["id"]).out.startswith(f"Denied {pairing['id']}: agent-1")
    assert place.agent.get_identities()["identities"] == []
    assert pairing["id"] in place.run("pairings", "list", "--status", "all").out


def test_another_code_or_another_key_is_refused_until_the_operator_insists(place: Place) -> None:
    first, second = asked(place, 1), asked(place, 2)
    wrong = place.run("pairings", "approve", first["id"], "--code", second["code"])
    assert (wrong.code, wrong.out) == (1, "")
    assert wrong.err.startswith("error: The code is not the one of this request")
    assert place.run("pairings", "approve", first["id"]).code == 0
    taken = place.run("pairings", "approve", second["id"])
    assert taken.code == 1
    assert "say replace" in taken.err
    assert place.run("pairings", "approve", second["id"], "--replace").code == 0
    assert place.agent.get_identities()["identities"][0]["fingerprint"] == second["fingerprint"]


def test_an_unknown_pairing_is_one_line_that_says_where_to_look(embedded: Place) -> None:
    for verb in ("approve", "deny"):
        shown = embedded.run("pairings", verb, "pair_no")
        assert shown.err.startswith("error: There is no pairing 'pair_no'")
        assert shown.err.endswith("; see dashclaw pairings list\n")
