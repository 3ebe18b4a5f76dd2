"""What is exported (a paid round and its payees) and what comes of it (files, and who is not in them)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date


class ExportError(ValueError):
    """A round cannot be exported, or an export not written; the message names what is wrong and the way out."""


class Refused(ValueError):
    """One payee cannot be paid this way; the message is the reason that is shown."""


@dataclass(frozen=True)
class Payee:
    """One person and what they get."""

    person_id: str
    name: str | None
    amount: int
    """Minor units."""
    addresses: Mapping[str, str]
    """Channel to address. Channels: ethereum, drips, github_sponsors, open_collective, paypal, bank, other."""


@dataclass(frozen=True)
class Paid:
    """A round of the reward ledger, as it is to be paid."""

    round: str
    as_of: date
    entry: str
    """sha256 of the ledger entry."""
    currency: str
    decimals: int
    """Of the currency: 10^decimals minor units are one. Where a token is paid, these are the token's."""
    payees: Sequence[Payee]
    token: str | None = None
    """Address of the ERC-20 token that is paid; None: the chain's own coin."""
    collective: str | None = None
    """Slug of the Open Collective account that pays; only that format needs it."""


LeftOut = tuple[str, int, str]
"""Person, minor units that are not in the files, why."""


@dataclass(frozen=True)
class Export:
    """Files to hand over. What is in them and what is left out is together what the payees were to get."""

    files: Mapping[str, bytes]
    left_out: Sequence[LeftOut]
    total: int
    """Minor units covered by the files."""
    notes: Sequence[str] = ()
    """What the person who pays should know: merged payees, what to send."""


@dataclass(frozen=True)
class Written:
    """What one format makes of the payees it can reach."""

    files: Mapping[str, bytes]
    left_out: Sequence[LeftOut] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Reached:
    """A payee and the address that this format pays to."""

    payee: Payee
    address: str


@dataclass
class Account:
    """An address and everybody who is paid there."""

    address: str
    members: list[Payee] = field(default_factory=list)

    @property
    def amount(self) -> int:
        return sum(payee.amount for payee in self.members)

    def short(self, units: int, reason: str) -> list[LeftOut]:
        """`units` of the account's amount are not paid: the members with the most go short first."""
        found = []
        for payee in sorted(self.members, key=lambda one: (-one.amount, one.person_id)):
            if lacking := min(units, payee.amount):
                found.append((payee.person_id, lacking, reason))
                units -= lacking
        return found


def merged(reached: Iterable[Reached]) -> list[Account]:
    """One account for each address, in order of first appearance. Upper and lower case are one address, written as
    its first payee writes it."""
    accounts: dict[str, Account] = {}
    for one in reached:
        accounts.setdefault(one.address.lower(), Account(one.address)).members.append(one.payee)
    return list(accounts.values())


def sharing(accounts: Iterable[Account]) -> list[str]:
    """A note for every account of more than one person."""
    return [
        f"{account.address} is paid once for {', '.join(payee.person_id for payee in account.members)}"
        for account in accounts
        if len(account.members) > 1
    ]


def in_units(amount: int, decimals: int) -> str:
    """Minor units as an exact decimal number of whole units, without needless zeros: 1230 with 2 decimals is 12.3."""
    whole, part = divmod(amount, 10**decimals)
    return f"{whole}.{part:0{decimals}d}".rstrip("0") if part else str(whole)


def by_person(left_out: Iterable[LeftOut]) -> dict[str, tuple[int, list[str]]]:
    """For each person: what is not paid, and why."""
    units: dict[str, int] = defaultdict(int)
    reasons: dict[str, list[str]] = defaultdict(list)
    for person, amount, reason in left_out:
        units[person] += amount
        reasons[person].append(reason)
    return {person: (units[person], reasons[person]) for person in units}
