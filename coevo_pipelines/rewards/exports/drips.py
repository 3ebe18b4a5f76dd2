"""Drips splits: who gets how many millionths of what an account receives.

https://github.com/drips-network/contracts, `Splits.sol`: weights out of 1,000,000, none of them zero, at most 200
receivers, sorted by account id, no id twice. The receivers are written as the contract's and the SDK's
(`SplitsReceiverStruct`) {accountId, weight}; ids are strings, because JSON numbers do not hold 256 bits.
The id of an address is the address itself as a number (`AddressDriver.calcAccountId`; that driver's own id is 0).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from coevo_pipelines.rewards.apportion import largest_remainder
from coevo_pipelines.rewards.exports.ethereum import checksummed, payable
from coevo_pipelines.rewards.exports.payout import (
    Account,
    LeftOut,
    Paid,
    Payee,
    Reached,
    Refused,
    Written,
    merged,
    sharing,
)

WHOLE = 1_000_000
MOST_RECEIVERS = 200


def account_id(payee: Payee, paid: Paid) -> str:
    """The payee's Drips account id in decimal: what they gave as `drips` (an id or an address), else their Ethereum
    address, which has an account without registration."""
    given = payee.addresses.get("drips")
    if given is None:
        return str(int(payable(payee, paid), 16))
    if given.startswith("0x"):
        return str(int(checksummed(given), 16))
    if not (given.isascii() and given.isdigit() and len(given) <= 78 and 0 < int(given) < 2**256):
        raise Refused(f"{given!r} is not a Drips account (an address, or an id of up to 256 bits in decimal)")
    return str(int(given))


def splits(paid: Paid, reached: Sequence[Reached]) -> Written:
    """`drips.json`, by largest remainder: nobody's weight is a whole millionth off. Whoever gets no millionth, or is
    not among the 200 with the most, is left out, and the weights are of what the others get."""
    accounts = merged(reached)
    ranked = sorted(accounts, key=lambda account: (-account.amount, int(account.address)))
    left_out = _left_out(ranked[MOST_RECEIVERS:], f"Drips splits have room for {MOST_RECEIVERS} receivers, the largest")
    kept = sorted(ranked[:MOST_RECEIVERS], key=lambda account: int(account.address))
    while 0 in (weights := largest_remainder(WHOLE, [account.amount for account in kept])):
        none = [account for account, weight in zip(kept, weights, strict=True) if not weight]
        left_out += _left_out(none, "less than a millionth of the round: the weight rounds to 0")
        kept = [account for account, weight in zip(kept, weights, strict=True) if weight]
    listed = [{"accountId": account.address, "weight": weight} for account, weight in zip(kept, weights, strict=True)]
    total = sum(account.amount for account in kept)
    note = (
        f"send {total} minor units of {paid.currency} to the account with these splits; weights are whole millionths, "
        f"so a share may be up to {-(-total // WHOLE)} minor units off"
    )
    return Written({"drips.json": (json.dumps(listed, indent=2) + "\n").encode()}, left_out, [note, *sharing(kept)])


def _left_out(accounts: Sequence[Account], reason: str) -> list[LeftOut]:
    return [short for account in accounts for short in account.short(account.amount, reason)]
