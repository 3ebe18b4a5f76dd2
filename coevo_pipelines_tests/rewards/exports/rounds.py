"""Rounds to export, and readers of the written files that share no code with the writers."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from datetime import date
from decimal import Decimal, localcontext
from typing import Any

from Crypto.Hash import keccak

from coevo_pipelines.rewards.exports.payout import Export, Paid, Payee

TOKEN = "0x6B175474E89094C44Da98b954EedeAC495271d0F"
ENTRY = "de3e2e67f1f47c24c8408f7feaa7148d6921239c2c85989e31ab551d40773bb7"


def account(number: int) -> str:
    """An address without letters."""
    return f"0x{number:040d}"


def payee(person: str, amount: int, name: str | None = None, **addresses: str) -> Payee:
    return Payee(person, name, amount, addresses)


def paid(*payees: Payee, currency: str = "USD", decimals: int = 2, token: str | None = TOKEN) -> Paid:
    return Paid("2026-01", date(2026, 1, 31), ENTRY, currency, decimals, payees, token, "research-pool")


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))


def lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.decode().splitlines()]


def minor(text: str, decimals: int) -> int:
    """A decimal number as whole minor units; fails where it is not whole."""
    with localcontext(prec=100):
        units = Decimal(text).scaleb(decimals)
        assert units == int(units)
        return int(units)


def amounts(name: str, export: Export, given: Paid) -> dict[str, int]:
    """Minor units for each address, as the receiving system would read them from the files."""
    found: dict[str, int] = defaultdict(int)
    for file, data in export.files.items():
        if file == f"{name}.people.csv":
            continue
        if name == "safe":
            for row in rows(data):
                found[row["receiver"]] += minor(row["amount"], given.decimals)
        elif name == "disperse":
            for line in data.decode().splitlines():
                address, amount = line.split(",")
                found[address] += minor(amount, given.decimals)
        elif name == "github_sponsors":
            for row in rows(data):
                found[row["Maintainer username"]] += int(row["Sponsorship amount in USD"]) * 10**given.decimals
        elif name == "open_collective":
            for body in lines(data):
                expense = body["variables"]["expense"]
                who = expense["payee"].get("slug") or expense["payee"]["email"]
                cents, rest = divmod(expense["items"][0]["amount"] * 10**given.decimals, 100)
                assert not rest
                found[who] += cents
        elif name == "merkle":
            for address, claim in json.loads(data)["claims"].items():
                found[address] += int(claim["amount"], 16)
    return dict(found)


def hashed(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


def claim_is_valid(root: str, address: str, claim: dict[str, Any]) -> bool:
    """What `MerkleDistributor.claim` checks (OpenZeppelin `MerkleProof.verify`)."""
    packed = f"{claim['index']:064x}{address[2:]}{int(claim['amount'], 16):064x}"
    node = hashed(bytes.fromhex(packed))
    for step in claim["proof"]:
        other = bytes.fromhex(step[2:])
        node = hashed(node + other if node < other else other + node)
    return "0x" + node.hex() == root
