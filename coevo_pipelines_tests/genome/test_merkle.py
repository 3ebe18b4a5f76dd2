"""RFC 6962 trees against the reference tree of certificate-transparency, the RFC's recursion, and flipped bits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coevo_pipelines.genome import merkle

# Leaves, roots and proofs of google/certificate-transparency's Merkle tree tests (also in transparency-dev/merkle,
# testonly/constants.go).
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
G = "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f"

INCLUSION = {
    (0, 1): [],
    (0, 8): [A, B, C],
    (5, 8): [D, E, ROOTS[4]],
    (2, 3): [ROOTS[2]],
    (1, 5): [ROOTS[1], B, D],
}
CONSISTENCY = {(1, 1): [], (1, 8): [A, B, C], (6, 8): [F, E, ROOTS[4]], (2, 5): [B, D], (6, 7): [F, G, ROOTS[4]]}


def recursive(hashes: Sequence[bytes]) -> bytes:
    """MTH as section 2.1 defines it."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\1" + recursive(hashes[:split]) + recursive(hashes[split:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_roots_of_the_reference_tree(size: int) -> None:
    assert merkle.root(HASHES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_proofs_of_the_reference_tree(index: int, size: int) -> None:
    proof = merkle.inclusion_proof(HASHES[:size], index)
    assert [given.hex() for given in proof] == INCLUSION[index, size]
    assert merkle.verify_inclusion(HASHES[index], index, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("first", "second"), CONSISTENCY)
def test_consistency_proofs_of_the_reference_tree(first: int, second: int) -> None:
    proof = merkle.consistency_proof(HASHES[:second], first)
    assert [given.hex() for given in proof] == CONSISTENCY[first, second]
    assert merkle.verify_consistency(first, second, bytes.fromhex(ROOTS[first]), bytes.fromhex(ROOTS[second]), proof)


def leaves(size: int, seed: int = 0) -> list[bytes]:
    return [merkle.leaf_hash(b"%d/%d" % (seed, number)) for number in range(size)]


@given(st.integers(0, 300))
def test_streaming_equals_the_recursion(size: int) -> None:
    hashes = leaves(size)
    growing = merkle.Root()
    for hashed in hashes:
        growing.add(hashed)
        assert len(growing._peaks) <= growing.size.bit_length()
    assert growing.value == recursive(hashes)


def flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@given(st.data())
def test_inclusion_holds_and_any_change_breaks_it(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 130))
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    root = recursive(hashes)
    proof = merkle.inclusion_proof(hashes, index)
    assert merkle.verify_inclusion(hashes[index], index, size, proof, root)
    bit = data.draw(st.integers(0, 255))
    assert not merkle.verify_inclusion(flipped(hashes[index], bit), index, size, proof, root)
    assert not merkle.verify_inclusion(hashes[index], index, size, proof, flipped(root, bit))
    for at in range(len(proof)):
        changed = [*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]]
        assert not merkle.verify_inclusion(hashes[index], index, size, changed, root)
        assert not merkle.verify_inclusion(hashes[index], index, size, proof[:at] + proof[at + 1 :], root)
    assert not merkle.verify_inclusion(hashes[index], index, size, [*proof, root], root)
    other = data.draw(st.integers(-1, size + 1).filter(lambda number: number != index))
    assert not merkle.verify_inclusion(hashes[index], other, size, proof, root)


@given(st.data())
def test_consistency_holds_and_any_change_breaks_it(data: st.DataObject) -> None:
    second = data.draw(st.integers(1, 130))
    first = data.draw(st.integers(1, second))
    hashes = leaves(second)
    old, new = recursive(hashes[:first]), recursive(hashes)
    proof = merkle.consistency_proof(hashes, first)
    assert merkle.verify_consistency(first, second, old, new, proof)
    bit = data.draw(st.integers(0, 255))
    assert not merkle.verify_consistency(first, second, flipped(old, bit), new, proof)
    assert not merkle.verify_consistency(first, second, old, flipped(new, bit), proof)
    for at in range(len(proof)):
        changed = [*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]]
        assert not merkle.verify_consistency(first, second, old, new, changed)
        assert not merkle.verify_consistency(first, second, old, new, proof[:at] + proof[at + 1 :])
    assert not merkle.verify_consistency(first, second, old, new, [*proof, new])
    rewritten = recursive([merkle.leaf_hash(b"another"), *hashes[1:]])
    assert not merkle.verify_consistency(first, second, old, rewritten, proof)


def test_a_node_is_no_leaf() -> None:
    """Domain separation: two leaf hashes given as one leaf are another tree."""
    pair = HASHES[0] + HASHES[1]
    assert merkle.leaf_hash(pair) != merkle.node_hash(HASHES[0], HASHES[1])


def test_what_has_no_proof() -> None:
    with pytest.raises(IndexError, match="8 leaves"):
        merkle.inclusion_proof(HASHES, 8)
    for first in (0, 9):
        with pytest.raises(ValueError, match=f"from {first} leaves"):
            merkle.consistency_proof(HASHES, first)
    assert not merkle.verify_inclusion(HASHES[0][:31], 0, 1, [], HASHES[0][:31])
    assert not merkle.verify_consistency(0, 8, merkle.EMPTY, merkle.root(HASHES), [])


def test_a_proof_costs_a_number_of_hashes_like_the_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    plain = merkle.node_hash

    def counted(left: bytes, right: bytes) -> bytes:
        nonlocal count
        count += 1
        return plain(left, right)

    hashes = leaves(5000)
    monkeypatch.setattr(merkle, "node_hash", counted)
    merkle.inclusion_proof(hashes, 1234)
    assert count < 5000
    count = 0
    merkle.consistency_proof(hashes, 1235)
    assert count < 5000
    assert merkle.root(islice(iter(hashes), 100)) == recursive(hashes[:100])
