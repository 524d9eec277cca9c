"""What an entry is made of: one line of JSON that nothing else has."""

from __future__ import annotations

import json
import random
from hashlib import sha256
from itertools import product
from typing import Any

import pytest

from dashclaw.runtime.evidence.chain import content, genesis, link, record
from dashclaw.runtime.evidence.merkle import Frontier

EVENT = (7, "2026-03-01T12:00:00.000000Z", "action.created", "api_key", "key_1", "agent-1", "action", "act_1")
NASTY = (
    "",
    "null",
    '"',
    '","',
    "\\",
    '\\"',
    "a,b",
    "]",
    "[1]",
    "\n",
    "\r\n",
    "\x00",
    "\x01",
    "\x7f",
    "\u2028",
    "é",
    "e\u0301",
    "\U0001f600",
    "\ud800",
    "\\ud83d\\ude00",
    "\uffff",
    " ",
)
COMMITTED = bytes(range(32))


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("place", range(1, 8))
def test_a_record_is_json_that_says_what_went_in(text: str, place: int) -> None:
    event = (*EVENT[:place], text, *EVENT[place + 1 :])
    line = record(3, event, COMMITTED)
    assert json.loads(line) == [3, *event, COMMITTED.hex()]
    assert line.isascii()
    assert "\n" not in line


def test_an_agent_that_is_not_there_is_null() -> None:
    without, named = (*EVENT[:5], None, *EVENT[6:]), (*EVENT[:5], "null", *EVENT[6:])
    assert json.loads(record(1, without, COMMITTED))[6] is None
    assert record(1, without, COMMITTED) != record(1, named, COMMITTED)


def test_no_two_events_have_the_same_record() -> None:
    seen: dict[str, Any] = {}
    for first, second in product(NASTY, repeat=2):
        for place in range(1, 7):
            event: tuple[Any, ...] = (*EVENT[:place], first, second, *EVENT[place + 2 :])
            assert seen.setdefault(record(1, event, COMMITTED), event) == event


def test_random_events_differ_in_their_records() -> None:
    chance = random.Random(4)
    alphabet = '",\\[]n0u{}: \x00é'
    seen: dict[str, Any] = {}
    for _ in range(20_000):
        texts = ["".join(chance.choices(alphabet, k=chance.randint(0, 4))) for _ in range(7)]
        event = (chance.randint(1, 3), *texts[:4], chance.choice((None, texts[4])), *texts[5:])
        seq = chance.randint(1, 3)
        assert seen.setdefault(record(seq, event, COMMITTED), (seq, event)) == (seq, event)


def test_the_hashes_are_what_the_page_says() -> None:
    salt, data = b"s" * 16, '{"a":"é"}'
    assert content(salt, data) == sha256(salt + data.encode()).digest()
    before = genesis("org_default")
    assert before == sha256(b"dashclaw evidence 1\norg_default").digest()
    line = record(1, EVENT, content(salt, data))
    assert link(before, line) == sha256(b"\x00" + before + line.encode()).digest()


def test_organisations_begin_apart() -> None:
    assert len({genesis(name) for name in ("a", "b", "A", "", "a\n")}) == 5


def test_a_chain_is_a_tree_over_its_links() -> None:
    tree, before = Frontier(), genesis("org")
    leaves = []
    for seq in range(1, 6):
        line = record(seq, EVENT, COMMITTED)
        leaves.append(sha256(b"\x00" + before + line.encode()).digest())
        before = link(before, line)
        tree.append(before)
    assert leaves[-1] == before
    assert tree.root() == Frontier().extend(leaves).root()
