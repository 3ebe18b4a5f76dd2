"""Transfers from one wallet: the CSV of the Safe{Wallet} app CSV Airdrop, and the lines of disperse.app.

Safe: https://github.com/bh2smith/safe-airdrop, `public/sample.csv`, its FAQ and `useCsvParser`: these five columns and
no other, amounts in whole tokens, no token address for the chain's coin, no id but for collectibles, 400 transfers to
a file at first and 500 later, counted in lines.
Disperse: https://disperse.app and https://github.com/banteg/disperse: an address and an amount in whole tokens on
each line.
Neither wants addresses to be unique, so every payee has a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coevo_pipelines.rewards.exports.payout import Paid, Reached, Written, in_units

SAFE_HEADER = "token_type,token_address,receiver,amount,id"
SAFE_TRANSFERS = 399
"""With the header and the end of the last line 401 lines, which every version of the app takes."""


def safe(paid: Paid, reached: Sequence[Reached]) -> Written:
    """`safe.csv`, or `safe-1-of-n.csv` and so on: each is one transaction of the Safe."""
    kind = "native," if paid.token is None else f"erc20,{paid.token}"
    lines = [f"{kind},{one.address},{in_units(one.payee.amount, paid.decimals)}," for one in reached]
    parts = [lines[start : start + SAFE_TRANSFERS] for start in range(0, len(lines), SAFE_TRANSFERS)]
    names = ["safe.csv"] if len(parts) == 1 else [f"safe-{n}-of-{len(parts)}.csv" for n in range(1, len(parts) + 1)]
    return Written({name: _text([SAFE_HEADER, *part]) for name, part in zip(names, parts, strict=True)})


def disperse(paid: Paid, reached: Sequence[Reached]) -> Written:
    """`disperse.txt`: paste it into the field for recipients and amounts."""
    lines = (f"{one.address},{in_units(one.payee.amount, paid.decimals)}" for one in reached)
    token = "the chain's coin" if paid.token is None else f"token {paid.token}"
    return Written({"disperse.txt": _text(lines)}, notes=[f"choose {token} before pasting disperse.txt"])


def _text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
