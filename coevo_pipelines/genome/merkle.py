"""Merkle trees of RFC 6962, section 2.1: root, inclusion and consistency proofs, and their verification.

Leaf hash SHA-256(0x00 ‖ leaf), node hash SHA-256(0x01 ‖ left ‖ right); the left subtree of n leaves holds the largest
power of two below n. Verification follows RFC 9162, sections 2.1.3.2 and 2.1.4.2 (the same tree, with the algorithms
written out). Hashes are 32 bytes everywhere; leaves are counted from 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

EMPTY = hashlib.sha256().digest()
"""Root of the tree without leaves."""

WIDTH = 32


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Root:
    """The root of the leaf hashes added so far, holding one hash for each bit of their number."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, hashed: bytes) -> None:
        """Append a leaf by its hash."""
        size = self.size
        while size & 1:
            hashed = node_hash(self._peaks.pop(), hashed)
            size >>= 1
        self._peaks.append(hashed)
        self.size += 1

    @property
    def value(self) -> bytes:
        if not self._peaks:
            return EMPTY
        *rest, root = self._peaks
        for peak in reversed(rest):
            root = node_hash(peak, root)
        return root


def root(hashes: Iterable[bytes]) -> bytes:
    """The root over leaf hashes, in O(log n) memory."""
    growing = Root()
    for hashed in hashes:
        growing.add(hashed)
    return growing.value


def inclusion_proof(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """PATH(index, leaves): what `verify_inclusion` needs to get from that leaf to the root. IndexError."""
    if not 0 <= index < len(hashes):
        raise IndexError(f"leaf {index}: the tree has {len(hashes)} leaves, counted from 0")
    proof: list[bytes] = []
    start, end = 0, len(hashes)
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_range(hashes, middle, end))
            end = middle
        else:
            proof.append(_range(hashes, start, middle))
            start = middle
    return proof[::-1]


def consistency_proof(hashes: Sequence[bytes], first: int) -> list[bytes]:
    """PROOF(first, leaves): that the tree of the first `first` leaves is a prefix of this one. ValueError unless
    0 < first <= n."""
    if not 0 < first <= len(hashes):
        raise ValueError(f"a proof from {first} leaves: the tree has {len(hashes)}, and none has no proof")
    proof: list[bytes] = []
    start, end = 0, len(hashes)
    while end != first:
        middle = start + _split(end - start)
        if first <= middle:
            proof.append(_range(hashes, middle, end))
            end = middle
        else:
            proof.append(_range(hashes, start, middle))
            start = middle
    if start:  # else what is left is the old tree itself, whose root the verifier has
        proof.append(_range(hashes, start, end))
    return proof[::-1]


def verify_inclusion(hashed: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Whether `proof` shows that the leaf of hash `hashed` is number `index` of the `size` leaves under `expected`."""
    if not 0 <= index < size or any(len(given) != WIDTH for given in (hashed, expected, *proof)):
        return False
    node, last, found = index, size - 1, hashed
    for given in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(given, found)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            found = node_hash(found, given)
        node >>= 1
        last >>= 1
    return last == 0 and found == expected


def verify_consistency(first: int, second: int, old: bytes, new: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the tree of `first` leaves with root `old` is a prefix of that of `second` with
    root `new`. No proof is needed, nor taken, between equal sizes."""
    if not 0 < first <= second or any(len(given) != WIDTH for given in (old, new, *proof)):
        return False
    if first == second:
        return not proof and old == new
    path = [old, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node >>= 1
        last >>= 1
    before = after = path[0]
    for given in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            before, after = node_hash(given, before), node_hash(given, after)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            after = node_hash(after, given)
        node >>= 1
        last >>= 1
    return last == 0 and before == old and after == new


def _split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)


def _range(hashes: Sequence[bytes], start: int, end: int) -> bytes:
    return root(hashes[at] for at in range(start, end))
