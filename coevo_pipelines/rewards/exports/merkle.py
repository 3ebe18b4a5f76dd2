"""Merkle claims, as the Uniswap merkle-distributor publishes them: everybody claims their own amount on chain.

https://github.com/Uniswap/merkle-distributor, `src/parse-balance-map.ts`, `balance-tree.ts`, `merkle-tree.ts`. A leaf
is keccak256(index, account, amount), packed as uint256, address, uint256; leaves are sorted, a pair is hashed with the
smaller first, and one without a partner goes up as it is. This one and not OpenZeppelin's StandardMerkleTree, because
it is a whole system with a contract that remembers who has claimed, while the other is a library for a contract still
to be written. A leaf is hashed from 84 bytes and a pair from 64, so a pair cannot pass for a leaf.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from coevo_pipelines.rewards.exports.ethereum import keccak256
from coevo_pipelines.rewards.exports.payout import ExportError, Paid, Reached, Written, merged, sharing


def has_token(paid: Paid) -> None:
    if paid.token is None:
        raise ExportError(f"round {paid.round} names no token: the Merkle distributor pays ERC-20 tokens only")


def claims(_: Paid, reached: Sequence[Reached]) -> Written:
    """`merkle.json`. Indices follow the order of the addresses; an address has one claim for everybody behind it."""
    accounts = sorted(merged(reached), key=lambda account: account.address)
    leaves = [_leaf(index, account.address, account.amount) for index, account in enumerate(accounts)]
    layers = _layers(sorted(leaves))
    place = {leaf: at for at, leaf in enumerate(layers[0])}
    document = {
        "merkleRoot": _hex(layers[-1][0]),
        "tokenTotal": _number(sum(account.amount for account in accounts)),
        "claims": {
            account.address: {
                "index": index,
                "amount": _number(account.amount),
                "proof": [_hex(node) for node in _proof(layers, place[leaf])],
            }
            for index, (account, leaf) in enumerate(zip(accounts, leaves, strict=True))
        },
    }
    text = json.dumps(document, indent=2) + "\n"
    return Written({"merkle.json": text.encode()}, notes=[f"Merkle root {document['merkleRoot']}", *sharing(accounts)])


def _leaf(index: int, account: str, amount: int) -> bytes:
    return keccak256(index.to_bytes(32, "big") + bytes.fromhex(account[2:]) + amount.to_bytes(32, "big"))


def _layers(leaves: list[bytes]) -> list[list[bytes]]:
    layers = [leaves]
    while len(below := layers[-1]) > 1:
        pairs = (below[at : at + 2] for at in range(0, len(below), 2))
        layers.append([keccak256(min(pair) + max(pair)) if len(pair) == 2 else pair[0] for pair in pairs])
    return layers


def _proof(layers: list[list[bytes]], at: int) -> list[bytes]:
    proof = []
    for layer in layers:
        if (partner := at ^ 1) < len(layer):
            proof.append(layer[partner])
        at //= 2
    return proof


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _number(number: int) -> str:
    """Hexadecimal in whole bytes, as the original writes numbers."""
    return _hex(number.to_bytes((number.bit_length() + 7) // 8, "big"))
