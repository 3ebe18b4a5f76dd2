"""The lifeforce ledger: double entry in thousandths of one LF, so that all accounts always sum to zero.

SOURCE mints and may owe, SINK keeps what is burnt; no other account is ever below zero. A cost that an account cannot
pay is refused; a penalty takes what is there, and the entry says what was missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.lake.schemas import LEDGER_KINDS

Ints = NDArray[np.int64]

SOURCE, SINK, NYX = -1, -2, -3
"""Accounts by number. Others: an organism's serial number (>= 0), or a version's (`version_account`)."""
_FIRST_VERSION = -16


class Refused(ValueError):
    """An account cannot pay a cost; nothing was booked."""


def version_account(number: int) -> int:
    """The account pattern:<pattern>:<version> of a version."""
    return _FIRST_VERSION - number


def version_of(account: int) -> int:
    """The inverse."""
    return _FIRST_VERSION - account


def is_version(account: int) -> bool:
    return account <= _FIRST_VERSION


@dataclass(frozen=True)
class Entries:
    """Movements in the order of their being booked; arrays of one length."""

    first_id: int
    """entry_id of the first."""
    tick: Ints
    debit: Ints
    """Accounts that give, by number."""
    credit: Ints
    """Accounts that get."""
    amount: Ints
    kind: NDArray[np.int8]
    """Places in LEDGER_KINDS."""
    shortfall: Ints
    ref: dict[int, str]
    """What an entry is about, by its place; most have none."""


@dataclass(frozen=True)
class _Block:
    """Entries that were booked together."""

    tick: int
    debit: Ints
    credit: Ints
    amount: Ints
    kind: int
    shortfall: int


@dataclass
class Ledger:
    """Balances beside those of organisms, which lie in `State.lf`, and the entries since they were last taken.

    Organisms are known by serial number: one that takes another's place has an account of its own.
    """

    nyx: int = 0
    source: int = 0
    sink: int = 0
    versions: dict[int, int] = field(default_factory=dict)
    """Balance by version number."""
    entries: int = 0
    """Booked so far, over all days."""
    lf: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Balances of organisms by place: the very array of the state."""
    serial: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Serial numbers by place."""
    names: list[str] = field(default_factory=list)
    """organism_id by serial number."""
    shortfall: int = 0
    """Penalties that were not there to burn, over all days."""
    _blocks: list[_Block] = field(default_factory=list)
    _refs: dict[int, str] = field(default_factory=dict)
    _waiting: int = 0

    def attach(self, lf: Ints, ids: list[str]) -> None:
        """Keep the balances of these organisms, by place."""
        self.lf = lf
        self.serial = np.arange(len(ids), dtype=np.int64)
        self.names = list(ids)

    def arrive(self, place: int, organism_id: str) -> None:
        """Another organism in a place; the balance there must be zero."""
        self.serial[place] = len(self.names)
        self.names.append(organism_id)

    # one movement

    def mint(self, tick: int, to: int, amount: int, kind: str, ref: str | None = None) -> None:
        """SOURCE gives to Nyx or a version."""
        self._one(tick, SOURCE, to, amount, kind, ref)

    def charge(self, tick: int, who: int, amount: int, kind: str, ref: str | None = None) -> None:
        """A cost goes to SINK. Raises Refused where the account has less."""
        if self.balance(who) < amount:
            raise Refused(f"{self.name(who)} has {self.balance(who)} and is to pay {amount} ({kind})")
        self._one(tick, who, SINK, amount, kind, ref)

    def penalize(self, tick: int, who: int, amount: int, kind: str, ref: str | None = None) -> None:
        """As much of a penalty as is there goes to SINK; the entry says what was missing."""
        paid = min(amount, self.balance(who))
        self.shortfall += amount - paid
        self._one(tick, who, SINK, paid, kind, ref, shortfall=amount - paid)

    def reward(self, tick: int, who: int, amount: int, kind: str, ref: str | None = None, most: int = 2**62) -> None:
        """SOURCE gives up to where the account has `most`; the entry says what was not minted."""
        given = max(0, min(amount, most - self.balance(who)))
        self._one(tick, SOURCE, who, given, kind, ref, shortfall=amount - given)

    def transfer(self, tick: int, debit: int, credit: int, amount: int, kind: str, ref: str | None = None) -> int:
        """As much as is there, from one account to another; returns it."""
        moved = min(amount, self.balance(debit))
        self._one(tick, debit, credit, moved, kind, ref, shortfall=amount - moved)
        return moved

    # many organisms at once

    def mint_all(self, tick: int, places: Ints, amounts: Ints, kind: str) -> None:
        """SOURCE gives to organisms, one entry each; a place may be there more than once."""
        there = amounts > 0
        places, amounts = places[there], amounts[there]
        np.add.at(self.lf, places, amounts)
        self.source -= int(amounts.sum())
        self._many(tick, np.full(len(places), SOURCE, dtype=np.int64), self.serial[places], amounts, kind)

    def charge_all(self, tick: int, places: Ints, amount: int, kind: str) -> None:
        """Organisms, each there once, pay the same to SINK. Raises Refused where one has less; nothing is booked."""
        if not amount or not len(places):
            return
        if (self.lf[places] < amount).any():
            raise Refused(f"{int((self.lf[places] < amount).sum())} organisms cannot pay {amount} ({kind})")
        self.lf[places] -= amount
        self.sink += amount * len(places)
        amounts = np.full(len(places), amount, dtype=np.int64)
        self._many(tick, self.serial[places], np.full(len(places), SINK, dtype=np.int64), amounts, kind)

    def bury(self, tick: int, places: Ints) -> None:
        """What organisms leave goes to SINK."""
        left = self.lf[places]
        places, left = places[left > 0], left[left > 0]
        self.lf[places] = 0
        self.sink += int(left.sum())
        self._many(tick, self.serial[places], np.full(len(places), SINK, dtype=np.int64), left, "estate")

    # what is there

    def balance(self, account: int) -> int:
        """Of Nyx or a version; an organism's is in `lf`."""
        if account == NYX:
            return self.nyx
        if is_version(account):
            return self.versions.get(version_of(account), 0)
        raise ValueError(f"account {account} has no balance here")

    def total(self) -> int:
        """All balances together: zero, always."""
        return int(self.lf.sum()) + self.nyx + sum(self.versions.values()) + self.source + self.sink

    @property
    def minted(self) -> int:
        return -self.source

    @property
    def burnt(self) -> int:
        return self.sink

    def name(self, account: int, versions: list[str] | None = None) -> str:
        """As it stands in the book; `versions`: pattern:<pattern>:<version> by number."""
        if is_version(account):
            number = version_of(account)
            return versions[number] if versions else f"pattern:{number}"
        return {SOURCE: "SOURCE", SINK: "SINK", NYX: "nyx"}.get(account) or f"organism:{self.names[account]}"

    def waiting(self) -> int:
        """Entries not yet taken."""
        return self._waiting

    def taken(self) -> Entries:
        """The entries since the last call."""
        first = self.entries - self._waiting + 1
        sizes = np.array([len(block.amount) for block in self._blocks], dtype=np.int64)
        none = np.zeros(0, dtype=np.int64)
        found = Entries(
            first_id=first,
            tick=np.repeat(np.array([block.tick for block in self._blocks], dtype=np.int64), sizes),
            debit=np.concatenate([none, *(block.debit for block in self._blocks)]),
            credit=np.concatenate([none, *(block.credit for block in self._blocks)]),
            amount=np.concatenate([none, *(block.amount for block in self._blocks)]),
            kind=np.repeat(np.array([block.kind for block in self._blocks], dtype=np.int8), sizes),
            shortfall=np.repeat(np.array([block.shortfall for block in self._blocks], dtype=np.int64), sizes),
            ref={number - first: ref for number, ref in self._refs.items()},
        )
        self._blocks, self._refs, self._waiting = [], {}, 0
        return found

    def _one(
        self, tick: int, debit: int, credit: int, amount: int, kind: str, ref: str | None, *, shortfall: int = 0
    ) -> None:
        if amount < 0:
            raise ValueError(f"an amount of {amount} ({kind}): movements are above zero")
        if amount == 0:
            return  # what was missing of a penalty is in `shortfall`
        self._add(debit, -amount)
        self._add(credit, amount)
        if ref is not None:
            self._refs[self.entries + 1] = ref
        block = [np.array([each], dtype=np.int64) for each in (debit, credit, amount)]
        self._book(tick, block[0], block[1], block[2], kind, shortfall)

    def _add(self, account: int, amount: int) -> None:
        if account == NYX:
            self.nyx += amount
        elif account == SOURCE:
            self.source += amount
        elif account == SINK:
            self.sink += amount
        else:
            number = version_of(account)
            self.versions[number] = self.versions.get(number, 0) + amount

    def _many(self, tick: int, debit: Ints, credit: Ints, amounts: Ints, kind: str) -> None:
        if len(amounts):
            self._book(tick, debit, credit, amounts, kind, 0)

    def _book(self, tick: int, debit: Ints, credit: Ints, amounts: Ints, kind: str, shortfall: int) -> None:
        self._blocks.append(_Block(tick, debit, credit, amounts, LEDGER_KINDS.index(kind), shortfall))
        self.entries += len(amounts)
        self._waiting += len(amounts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """(version number, balance) of all versions that have one."""
        return iter(sorted(self.versions.items()))
