"""`dashclaw identities`: an operator sees the keys of agents, replaces and revokes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...keys import ed25519_pem, rsa_pem
from .conftest import Place


def rotated(place: Place, folder: Path, pem: str, *words: str) -> str:
    """The id of the key that the agent has now."""
    (folder / "key.pub").write_text(pem)
    done = place.run("identities", "rotate", "agent-1", "--key", str(folder / "key.pub"), "--json", *words)
    assert (done.code, done.err) == (0, "")
    return str(done.document["identity"]["id"])


def test_a_key_is_replaced_and_the_old_one_kept_for_a_while(place: Place, tmp_path: Path) -> None:
    assert place.run("identities", "list").out == "No agent has a key.\n"
    first = rotated(place, tmp_path, ed25519_pem(1), "--not-after", "2099-01-31T12:00:00Z")
    second = rotated(place, tmp_path, rsa_pem(), "--old-valid-until", "2098-01-31T12:00:00Z")
    lines = place.run("identities", "list", "--agent", "agent-1").out.splitlines()[1:]
    seen = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("idn_")}
    assert (seen[first][1], seen[first][3:]) == ("Ed25519", ["valid", "2098-01-31T12:00:00.000000Z"])
    assert (seen[second][1], seen[second][3:]) == ("RSASSA-PKCS1-v1_5", ["valid"])
    shown = place.run("identities", "show", first).out
    assert "not after 2098-01-31T12:00:00.000000Z" in shown
    assert ed25519_pem(1).strip() in shown


def test_a_revoked_key_is_shown_with_its_reason(place: Place, tmp_path: Path) -> None:
    key = rotated(place, tmp_path, ed25519_pem(1))
    done = place.run("identities", "revoke", key, "--reason", "The laptop was lost")
    assert (done.code, done.out.startswith(f"Revoked {key}: agent-1, key ")) == (0, True)
    assert place.run("identities", "list").out == "No agent has a key.\n"
    [row] = place.run("identities", "list", "--all", "--json").document["identities"]
    assert (row["id"], row["status"]) == (key, "revoked")
    assert ": The laptop was lost" in place.run("identities", "show", key).out
    again = place.run("identities", "rotate", "agent-2", "--key", str(tmp_path / "key.pub"))
    assert again.code == 1
    assert "was revoked" in again.err


@pytest.mark.parametrize("verb", ["show", "revoke"])
def test_an_unknown_key_is_one_line_that_says_where_to_look(embedded: Place, verb: str) -> None:
    shown = embedded.run("identities", verb, "idn_no")
    assert shown.err.startswith("error: There is no identity 'idn_no'")
    assert shown.err.endswith("; see dashclaw identities list\n")


def test_a_key_file_that_cannot_be_read_is_said_so(embedded: Place, tmp_path: Path) -> None:
    shown = embedded.run("identities", "rotate", "agent-1", "--key", str(tmp_path / "no.pub"))
    assert (shown.code, shown.out) == (1, "")
    assert "cannot be read" in shown.err
