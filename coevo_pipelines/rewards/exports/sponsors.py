"""GitHub Sponsors: the CSV for sponsoring in bulk.

https://docs.github.com/sponsors/sponsoring-open-source-contributors/sponsoring-an-open-source-contributor-through-github
("Sponsoring accounts in bulk"): a CSV with the columns below. Amounts are whole US dollars from 1 to 12,000
(`BulkSponsorship.amount` of the GraphQL API). One row for each account; GitHub names ignore case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from coevo_pipelines.rewards.exports.payout import ExportError, Paid, Payee, Reached, Refused, Written, merged, sharing

HEADER = "Maintainer username,Sponsorship amount in USD"
MOST_DOLLARS = 12_000
_LOGIN = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}")
_LONGEST = 39


def login(payee: Payee, _: Paid) -> str:
    """The payee's GitHub name."""
    if "github_sponsors" not in payee.addresses:
        raise Refused("no github_sponsors account")
    given = payee.addresses["github_sponsors"]
    if len(given) > _LONGEST or not _LOGIN.fullmatch(given):
        raise Refused(f"{given!r} is not a GitHub name (letters, digits and single hyphens, at most {_LONGEST})")
    return given


def in_dollars(paid: Paid) -> None:
    if paid.currency != "USD":
        raise ExportError(f"round {paid.round} is in {paid.currency}: GitHub Sponsors pays US dollars only")


def bulk(paid: Paid, reached: Sequence[Reached]) -> Written:
    """`github_sponsors.csv`. The cents, and what is above 12,000 dollars, are left out."""
    dollar = 10**paid.decimals
    rows, left_out, listed = [HEADER], [], []
    for account in merged(reached):
        dollars, cents = divmod(account.amount, dollar)
        over = max(0, dollars - MOST_DOLLARS)
        left_out += account.short(over * dollar + cents, _why(over, cents))
        if dollars:
            rows.append(f"{account.address},{dollars - over}")
            listed.append(account)
    text = "".join(f"{row}\n" for row in rows)
    return Written({"github_sponsors.csv": text.encode()}, left_out, sharing(listed))


def _why(over: int, cents: int) -> str:
    why = []
    if over:
        why.append(f"a sponsorship is at most {MOST_DOLLARS} dollars")
    if cents:
        why.append("GitHub Sponsors takes whole dollars")
    return "; ".join(why)
