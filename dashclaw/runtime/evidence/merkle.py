"""The Merkle tree of RFC 6962 over leaf hashes: roots, and which parts of a tree a proof is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

EMPTY = sha256(b"").digest()
HASH_BYTES = 32


def node(left: bytes, right: bytes) -> bytes:
    """The hash above two subtrees."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: the roots of its complete subtrees, the largest first.

    It grows with the logarithm of the tree: at most 64 hashes.
    """

    __slots__ = ("_roots", "size")

    def __init__(self, size: int = 0, roots: Sequence[bytes] = ()) -> None:
        if len(roots) != size.bit_count():
            raise ValueError(f"A tree of {size} leaves has {size.bit_count()} complete subtrees, not {len(roots)}")
        self.size = size
        self._roots = list(roots)

    @classmethod
    def unpack(cls, size: int, packed: bytes) -> Frontier:
        """Read what `pack` wrote; raises `ValueError` when it is not that of a tree of this size."""
        pieces = [packed[start : start + HASH_BYTES] for start in range(0, len(packed), HASH_BYTES)]
        return cls(size, pieces)

    def pack(self) -> bytes:
        """The roots one after the other."""
        return b"".join(self._roots)

    def append(self, leaf: bytes) -> None:
        """Add a leaf by its hash."""
        self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> Frontier:
        """Add leaves by their hashes, one level of the tree after the other; returns itself."""
        nodes, roots, below = list(leaves), self._roots, self.size
        self.size += len(nodes)
        edge = []
        while nodes:
            if below & 1:
                nodes.insert(0, roots.pop())
            if len(nodes) & 1:
                edge.append(nodes.pop())
            pairs = iter(nodes)
            nodes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
            below >>= 1
        roots.extend(reversed(edge))
        return self

    def root(self) -> bytes:
        """The root of the whole tree."""
        if not self._roots:
            return EMPTY
        found = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            found = node(left, found)
        return found


Span = tuple[int, int]


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Which ranges of leaves [from, to) the audit path of a leaf (from 0) consists of, the lowest first.

    RFC 6962, section 2.1.1.
    """
    if not 0 <= index < size:
        raise ValueError(f"A tree of {size} leaves has no leaf {index}")
    return _inclusion(index, 0, size)


def _inclusion(index: int, start: int, end: int) -> list[Span]:
    if end - start == 1:
        return []
    middle = start + _split(end - start)
    if index < middle:
        return [*_inclusion(index, start, middle), (middle, end)]
    return [*_inclusion(index, middle, end), (start, middle)]


def consistency_spans(first: int, second: int) -> list[Span]:
    """Which ranges of leaves show that a tree of `first` leaves is the beginning of one of `second`.

    RFC 6962, section 2.1.2.
    """
    if not 0 < first <= second:
        raise ValueError(f"A tree of {first} leaves is no beginning of one of {second}")
    return _consistency(first, 0, second, True)


def _consistency(first: int, start: int, end: int, whole: bool) -> list[Span]:
    size = end - start
    if first == size:
        return [] if whole else [(start, end)]
    middle = _split(size)
    if first <= middle:
        return [*_consistency(first, start, start + middle, whole), (start + middle, end)]
    return [*_consistency(first - middle, start + middle, end, False), (start, start + middle)]


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that a leaf's audit path leads to; raises `ValueError` for a path of the wrong length."""
    spans = inclusion_spans(index, size)
    if len(spans) != len(path):
        raise ValueError(f"The path has {len(path)} hashes; it takes {len(spans)}")
    found = leaf
    for (start, _), sibling in zip(spans, path, strict=True):
        found = node(sibling, found) if start < index else node(found, sibling)
    return found


def is_consistent(first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a proof shows that the first tree is the beginning of the second (RFC 9162, section 2.1.4.2)."""
    if first == second:
        return not proof and first_root == second_root
    if not 0 < first < second or not proof:
        return False
    hashes = list(proof)
    at, last = first - 1, second - 1
    while at & 1:
        at >>= 1
        last >>= 1
    old = new = hashes.pop(0) if at else first_root
    for sibling in hashes:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node(sibling, old), node(sibling, new)
            while at and not at & 1:
                at >>= 1
                last >>= 1
        else:
            new = node(new, sibling)
        at >>= 1
        last >>= 1
    return last == 0 and old == first_root and new == second_root
