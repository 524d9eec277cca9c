"""The Merkle tree against RFC 6962 written down as it defines it, and against the RFC's well-known tree."""

from __future__ import annotations

import random
from collections.abc import Sequence
from hashlib import sha256

import pytest

from dashclaw.runtime.evidence import merkle
from dashclaw.runtime.evidence.merkle import Frontier, is_consistent, root_from_inclusion

SIZES = (*range(1, 131), 255, 256, 257, 777, 1023, 1025)
# The inputs that Certificate Transparency's implementations share, and the roots over the first one, two, ... of them.
KNOWN_LEAVES = tuple(
    map(
        bytes.fromhex,
        ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"),
    )
)
KNOWN_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def leaf(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(leaves: Sequence[bytes]) -> bytes:
    """MTH(D[n]) of RFC 6962, section 2.1, over hashes of leaves."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n]) of section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def proof(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PROOF(m, D[n]) of section 2.1.2."""
    return subproof(m, leaves, True)


def subproof(m: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b) of section 2.1.2."""
    n = len(leaves)
    if m == n:
        return [] if whole else [mth(leaves)]
    k = split(n)
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def leaves_of(size: int) -> list[bytes]:
    return [leaf(str(number).encode()) for number in range(size)]


def hashes(spans: Sequence[merkle.Span], leaves: Sequence[bytes]) -> list[bytes]:
    """What the spans of a proof stand for."""
    return [mth(leaves[start:end]) for start, end in spans]


def altered(value: bytes, chance: random.Random) -> bytes:
    """The same with one bit turned."""
    bit = chance.randrange(len(value) * 8)
    return bytes(byte ^ (1 << bit % 8 if at == bit // 8 else 0) for at, byte in enumerate(value))


def test_the_roots_of_the_known_tree() -> None:
    tree = Frontier()
    assert tree.root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for entry, root in zip(KNOWN_LEAVES, KNOWN_ROOTS, strict=True):
        tree.append(leaf(entry))
        assert tree.root().hex() == root


@pytest.mark.parametrize(
    ("index", "size", "spans"),
    [
        (0, 1, []),
        (0, 8, [(1, 2), (2, 4), (4, 8)]),
        (5, 8, [(4, 5), (6, 8), (0, 4)]),
        (2, 3, [(0, 2)]),
        (1, 5, [(0, 1), (2, 4), (4, 5)]),
    ],
)
def test_the_paths_of_the_known_tree(index: int, size: int, spans: list[merkle.Span]) -> None:
    leaves = [leaf(entry) for entry in KNOWN_LEAVES]
    assert merkle.inclusion_spans(index, size) == spans
    assert root_from_inclusion(leaves[index], index, size, hashes(spans, leaves)).hex() == KNOWN_ROOTS[size - 1]


def test_roots_and_packed_frontiers_of_every_size() -> None:
    leaves = leaves_of(max(SIZES))
    tree = Frontier()
    for size, hashed in enumerate(leaves, 1):
        tree.append(hashed)
        if size in SIZES:
            assert (tree.size, tree.root()) == (size, mth(leaves[:size]))
            again = Frontier.unpack(size, tree.pack())
            assert again.pack() == tree.pack()
            assert again.extend(leaves[:3]).root() == mth([*leaves[:size], *leaves[:3]])


def test_a_large_tree_of_a_random_size() -> None:
    chance = random.Random(20261121)
    size = chance.randint(20_000, 40_000)
    leaves = leaves_of(size)
    root = mth(leaves)
    assert Frontier().extend(leaves).root() == root
    for index in [0, size - 1, *(chance.randrange(size) for _ in range(5))]:
        found = hashes(merkle.inclusion_spans(index, size), leaves)
        assert found == path(index, leaves)
        assert root_from_inclusion(leaves[index], index, size, found) == root
    for first in [1, size - 1, size // 2, *(chance.randint(1, size) for _ in range(5))]:
        found = hashes(merkle.consistency_spans(first, size), leaves)
        assert found == proof(first, leaves)
        assert is_consistent(first, mth(leaves[:first]), size, root, found)


def test_inclusion_of_every_leaf_in_trees_of_every_size() -> None:
    chance = random.Random(1)
    leaves = leaves_of(130)
    for size in range(1, 131):
        root = mth(leaves[:size])
        for index in range(size):
            expected = path(index, leaves[:size])
            assert hashes(merkle.inclusion_spans(index, size), leaves) == expected
            assert root_from_inclusion(leaves[index], index, size, expected) == root
            assert root_from_inclusion(altered(leaves[index], chance), index, size, expected) != root
            if expected:
                at = chance.randrange(len(expected))
                wrong = [*expected[:at], altered(expected[at], chance), *expected[at + 1 :]]
                assert root_from_inclusion(leaves[index], index, size, wrong) != root
                with pytest.raises(ValueError, match="hashes"):
                    root_from_inclusion(leaves[index], index, size, expected[:-1])


def test_a_leaf_is_in_one_place_only() -> None:
    leaves = leaves_of(13)
    for index in range(13):
        right = path(index, leaves)
        for other in set(range(13)) - {index}:
            if len(right) == len(merkle.inclusion_spans(other, 13)):
                assert root_from_inclusion(leaves[index], other, 13, right) != mth(leaves)


def test_every_tree_is_the_beginning_of_every_larger_one() -> None:
    leaves = leaves_of(130)
    roots = [mth(leaves[:size]) for size in range(131)]
    for second in range(1, 131):
        for first in range(1, second + 1):
            expected = proof(first, leaves[:second])
            assert hashes(merkle.consistency_spans(first, second), leaves) == expected
            assert is_consistent(first, roots[first], second, roots[second], expected)


def test_nothing_altered_is_consistent() -> None:
    chance = random.Random(2)
    leaves = leaves_of(70)
    roots = [mth(leaves[:size]) for size in range(71)]
    for second in range(2, 71):
        for first in range(1, second):
            right = proof(first, leaves[:second])
            assert not is_consistent(first, altered(roots[first], chance), second, roots[second], right)
            assert not is_consistent(first, roots[first], second, altered(roots[second], chance), right)
            assert not is_consistent(first, roots[first], second, roots[second], right[:-1])
            assert not is_consistent(first, roots[first], second, roots[second], [*right, right[-1]])
            for at, part in enumerate(right):
                wrong = [*right[:at], altered(part, chance), *right[at + 1 :]]
                assert not is_consistent(first, roots[first], second, roots[second], wrong)


def test_another_size_is_not_consistent() -> None:
    leaves = leaves_of(40)
    roots = [mth(leaves[:size]) for size in range(41)]
    for second in range(2, 41):
        for first in range(1, second):
            right = proof(first, leaves[:second])
            for other in set(range(1, 41)) - {first}:
                assert not is_consistent(other, roots[other], second, roots[second], right)
                if other != second:
                    assert not is_consistent(first, roots[first], other, roots[other], right)


def test_a_tree_is_consistent_with_itself_alone() -> None:
    one, two = mth(leaves_of(1)), mth(leaves_of(2))
    assert is_consistent(2, two, 2, two, [])
    assert not is_consistent(2, two, 2, one, [])
    assert not is_consistent(2, two, 2, two, [one])
    assert not is_consistent(2, two, 1, one, [one])
    assert not is_consistent(0, merkle.EMPTY, 2, two, [one])
    assert not is_consistent(1, one, 2, two, [])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        merkle.inclusion_spans(index, size)


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3), (-1, 3)])
def test_no_beginning(first: int, second: int) -> None:
    with pytest.raises(ValueError, match="no beginning"):
        merkle.consistency_spans(first, second)


@pytest.mark.parametrize("size", [0, 1, 4, 7])
def test_a_packed_frontier_of_another_size(size: int) -> None:
    packed = Frontier().extend(leaves_of(5)).pack()
    with pytest.raises(ValueError, match="complete subtrees"):
        Frontier.unpack(size, packed)
