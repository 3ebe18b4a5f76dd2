"""Open Collective: a draft expense for each payee, who is invited to complete it.

https://graphql-docs-v2.opencollective.com, mutation `draftExpenseAndInviteUser` (ExpenseInviteDraftInput; the invitee
is named by slug, or by name and email). Amounts are in hundredths of the currency, whatever its own decimals, and are
32-bit integers (`ExpenseItemCreateInput.amount`: Int, "in cents"). The invitee cannot change a locked amount
(`ExpenseLockableFields`). The service takes about one draft in ten seconds from one user.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from coevo_pipelines.rewards.exports.payout import ExportError, LeftOut, Paid, Payee, Reached, Refused, Written

MUTATION = (
    "mutation DraftExpense($expense: ExpenseInviteDraftInput!, $account: AccountReferenceInput!) "
    "{ draftExpenseAndInviteUser(expense: $expense, account: $account, lockedFields: [AMOUNT]) "
    "{ id legacyId status } }"
)
MOST_CENTS = 2**31 - 1
MOST_DECIMALS = 4
"""Of a currency in ISO 4217; a coin or token has more."""
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def slug_or_email(payee: Payee, _: Paid) -> str:
    """The payee's slug on Open Collective, or an email address to invite."""
    if "open_collective" not in payee.addresses:
        raise Refused("no open_collective account")
    given = payee.addresses["open_collective"]
    if not (_SLUG.fullmatch(given) or _EMAIL.fullmatch(given)):
        raise Refused(f"{given!r} is neither a slug on Open Collective nor an email address")
    return given


def in_money(paid: Paid) -> None:
    if not re.fullmatch("[A-Z]{3}", paid.currency) or paid.decimals > MOST_DECIMALS:
        raise ExportError(
            f"round {paid.round} is in {paid.currency} with {paid.decimals} decimals: Open Collective pays in "
            "currencies (ISO 4217) only"
        )
    if paid.collective is None or not _SLUG.fullmatch(paid.collective):
        raise ExportError(
            f"the collective that pays is {paid.collective!r}: give the slug of its page, as in "
            "opencollective.com/<slug>"
        )


def drafts(paid: Paid, reached: Sequence[Reached]) -> Written:
    """`open_collective.jsonl`: on each line the body of one POST to the GraphQL API."""
    lines: list[str] = []
    left_out: list[LeftOut] = []
    hundredth = 10 ** max(0, paid.decimals - 2)
    most = MOST_CENTS * 10**paid.decimals // 100
    for one in reached:
        amount = min(one.payee.amount, most)
        amount -= amount % hundredth
        if short := one.payee.amount - amount:
            why = f"an expense is at most {MOST_CENTS} hundredths" if short >= hundredth else "less than a hundredth"
            left_out.append((one.payee.person_id, short, why))
        if amount:
            body = {"query": MUTATION, "variables": _variables(paid, one, amount * 100 // 10**paid.decimals)}
            lines.append(json.dumps(body, separators=(",", ":")) + "\n")
    return Written({"open_collective.jsonl": "".join(lines).encode()}, left_out)


def _variables(paid: Paid, one: Reached, cents: int) -> dict[str, Any]:
    title = f"Reward of round {paid.round}"
    proof = f"{title}, as of {paid.as_of.isoformat()}; person {one.payee.person_id}; ledger entry {paid.entry}"
    if "@" in one.address:
        payee: dict[str, Any] = {"name": one.payee.name or one.payee.person_id, "email": one.address}
    else:
        payee = {"slug": one.address, "isInvite": True}
    return {
        "account": {"slug": paid.collective},
        "expense": {
            "type": "INVOICE",
            "description": title,
            "longDescription": proof,
            "currency": paid.currency,
            "payee": payee,
            "items": [{"description": title, "amount": cents}],
        },
    }
