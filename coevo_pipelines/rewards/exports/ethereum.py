"""Ethereum addresses: Keccak-256 and the EIP-55 checksum in their letters."""

from __future__ import annotations

import re

from Crypto.Hash import keccak

from coevo_pipelines.rewards.exports.payout import ExportError, Paid, Payee, Refused

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
COIN_DECIMALS = 18
"""Of ether and of the coins of the chains that follow it: the Safe app and Disperse both reckon so."""


def keccak256(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


def checksummed(address: str) -> str:
    """The address with the case of its letters as in EIP-55 (https://eips.ethereum.org/EIPS/eip-55).

    Letters of one case only carry no checksum and are accepted; in mixed case they must be right.
    Raises Refused for what is no address, for a wrong checksum and for the zero address, which nobody holds.
    """
    if not _ADDRESS.fullmatch(address):
        raise Refused(f"{address!r} is not an Ethereum address (0x and 40 hexadecimal digits)")
    digits = address[2:].lower()
    if not int(digits, 16):
        raise Refused("the zero address: what is sent there is lost")
    marks = keccak256(digits.encode()).hex()
    right = "0x" + "".join(
        digit.upper() if int(mark, 16) >= 8 else digit for digit, mark in zip(digits, marks, strict=False)
    )
    if address[2:] not in {digits, digits.upper(), right[2:]}:
        raise Refused(f"{address}: wrong checksum (EIP-55), probably a mistyped address")
    return right


def payable(payee: Payee, paid: Paid) -> str:
    """The payee's Ethereum address, checked."""
    if "ethereum" not in payee.addresses:
        raise Refused("no ethereum address")
    address = checksummed(payee.addresses["ethereum"])
    if paid.token is not None and address.lower() == paid.token.lower():
        raise Refused("the address is the token's own contract: what is sent there is lost")
    return address


def coin_or_token(paid: Paid) -> None:
    """A round in dollars must not be paid in ether: without a token the decimals must be the coin's."""
    if paid.token is None and paid.decimals != COIN_DECIMALS:
        raise ExportError(
            f"round {paid.round} is in {paid.currency} with {paid.decimals} decimals, and the chain's own coin has "
            f"{COIN_DECIMALS}: give the address of the ERC-20 token that is paid"
        )
