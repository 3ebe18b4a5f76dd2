"""One round as of one day: what everybody gets, what of it may be paid, what is held back and what stays in reserve."""

from __future__ import annotations

import calendar
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import polars as pl

from coevo_pipelines.lake.ledger import canonical
from coevo_pipelines.rewards import policies
from coevo_pipelines.rewards.apportion import allocate, largest_remainder
from coevo_pipelines.rewards.ledger import holding_id
from coevo_pipelines.rewards.persons import Register, identified

if TYPE_CHECKING:
    from coevo_pipelines.settings import Policy, Round

AMOUNT = pl.Decimal(38, 0)


@dataclass(frozen=True)
class Past:
    """What a round needs of the days before, about people as they are identified today."""

    merits: Sequence[Mapping[str, int]]
    """Merit of people on the days before, the latest first."""
    earned: Mapping[str, int]
    """What people got in the rounds that were paid, held money included."""
    returned: int
    """Came back from expired escrow since the round was last paid."""


@dataclass(frozen=True)
class Cell:
    """A part of a person's amount: what is paid, or held for one reason."""

    person_id: str
    subject: str
    owner: str
    held: str | None
    amount: int


@dataclass(frozen=True)
class Settled:
    """All of a round's budget: `receipts` + `escrow` + `reserve`."""

    budget: int
    reserve: int
    floor: int
    cap: int | None
    owner_cap: int | None
    people: Sequence[str]
    """In order of id, as are the sequences of the allocation."""
    amounts: Sequence[int]
    floors: Sequence[int]
    capped: Sequence[bool]
    dropped: Sequence[bool]
    cells: Sequence[Cell]

    @property
    def receipts(self) -> dict[str, int]:
        """What may be paid to whom, in order of id."""
        return _summed((cell.person_id, cell.amount) for cell in self.cells if cell.held is None)

    @property
    def owners(self) -> dict[str, int]:
        """What the works of each owner bring."""
        return _summed((cell.owner, cell.amount) for cell in self.cells if cell.owner)


def closes(round: Round, day: date) -> bool:
    """Whether the round's period ends with `day`."""
    if day < round.start:
        return False
    if round.period == "week":
        return day.weekday() == calendar.SUNDAY
    return round.period == "day" or (day + timedelta(days=1)).day == 1


def reach(round: Round) -> int:
    """How many days before the day the round's policies look back on."""
    days = {"IMMEDIATE": lambda p: p.days - 1, "RECENT": lambda p: p.lookback - 1}
    return max((days[p.name](p) for p in round.policies if p.name in days), default=0)


def parameters(round: Round) -> str:
    """The round's parameters as canonical JSON: what the ledger keeps."""
    return canonical(round.model_dump(mode="json")).decode()


def settle(round: Round, rows: pl.DataFrame, known: Register, past: Past) -> Settled:
    """Divide the round's pool and what came back among the people of `rows` (`persons.eligibility`)."""
    merit, member, name_order = _people(rows, past, round)
    budget = round.pool + past.returned
    floor = _part(budget, round.floor)
    weights, spendable = _weights(round, budget - floor, name_order, merit, past)
    cap = None if round.cap is None else _part(budget, round.cap)
    done = allocate(
        weights, floor + spendable, cap=cap, minimum=round.minimum, floor=floor, members=[member[p] for p in name_order]
    )
    floors = [
        min(done.floor, amount) if member[person] else 0
        for person, amount in zip(name_order, done.amounts, strict=True)
    ]
    cells = _cells(rows, known, name_order, done.amounts, floors)
    owner_cap = None if round.owner_cap is None else _part(budget, round.owner_cap)
    if owner_cap is not None:
        cells = _trimmed(cells, owner_cap, round.minimum)
    amounts = _summed((cell.person_id, cell.amount) for cell in cells)
    final = [amounts.get(person, 0) for person in name_order]
    return Settled(
        budget,
        budget - sum(final),
        floor,
        cap,
        owner_cap,
        name_order,
        final,
        [min(part, amount) for part, amount in zip(floors, final, strict=True)],
        done.capped,
        done.dropped,
        cells,
    )


def _people(rows: pl.DataFrame, past: Past, round: Round) -> tuple[dict[str, int], dict[str, bool], list[str]]:
    """Merit of the day and membership of everybody concerned, and all of them in order of id."""
    summed = rows.group_by("person_id").agg(
        pl.col("merit").sum(), member=((pl.col("held").is_null()) & pl.col("is_verified")).any()
    )
    merit = dict(summed.select("person_id", "merit").iter_rows())
    member = dict(summed.select("person_id", "member").iter_rows())
    others = {person for each in past.merits for person in each}
    others |= {str(policy.recipient) for policy in round.policies if policy.name == "SPECIAL"}
    new = sorted(others - merit.keys())
    for person in new:
        merit[person], member[person] = 0, False
    return merit, member, sorted(merit)


def _weights(
    round: Round, budget: int, people: Sequence[str], merit: Mapping[str, int], past: Past
) -> tuple[list[int], int]:
    today = [merit[person] for person in people]
    earned = [past.earned.get(person, 0) for person in people]
    paid = sum(past.earned.values())

    def weights(policy: Policy, part: int) -> list[int]:
        if policy.name == "SPECIAL":
            return policies.special(len(people), people.index(str(policy.recipient)))
        if policy.name == "BALANCED":
            return policies.balanced(today, earned, paid, part)
        back = policy.days if policy.name == "IMMEDIATE" else policy.lookback
        days = [today, *([each.get(person, 0) for person in people] for each in past.merits[: back - 1])]
        if policy.name == "IMMEDIATE":
            return policies.immediate(days, policy.days)
        return policies.recent(days, Fraction(policy.discount))

    shares = [Fraction(policy.share) for policy in round.policies]
    scale = math.lcm(*(share.denominator for share in shares))
    budgets = largest_remainder(budget, [int(share * scale) for share in shares])
    parts = [
        policies.Part(share, weights(policy, part), policy.most)
        for policy, share, part in zip(round.policies, shares, budgets, strict=True)
    ]
    return policies.mix(budget, parts)


def _cells(
    rows: pl.DataFrame, known: Register, people: Sequence[str], amounts: Sequence[int], floors: Sequence[int]
) -> list[Cell]:
    """Each amount over the rows of its person by merit; the equal part is the person's own."""
    columns = ("subject", "owner", "held", "merit")
    grouped: dict[str, list[tuple[str, str, str | None, int]]] = {}
    for person, *row in rows.select("person_id", *columns).iter_rows():
        grouped.setdefault(person, []).append(tuple(row))
    absent = [person for person, amount in zip(people, amounts, strict=True) if amount and person not in grouped]
    asked = identified(pl.DataFrame({"person_id": absent}, schema={"person_id": pl.String}), known)
    reasons = dict(zip(absent, asked["held"].to_list(), strict=True))
    cells = []
    for person, amount, floor in zip(people, amounts, floors, strict=True):
        if not amount:
            continue
        own = grouped.get(person) or [(person, "", reasons.get(person), 1)]
        parts = largest_remainder(amount - floor, [row[3] for row in own]) if len(own) > 1 else [amount - floor]
        for (subject, owner, held, _), part in zip(own, parts, strict=True):
            if part:
                cells.append(Cell(person, subject, owner, held, part))
        left = amount - floor - sum(parts)  # merit of earlier days only
        if floor or left:
            held = next((row[2] for row in own if row[0] == person), None)
            cells.append(Cell(person, person, "", held, floor + left))
    return cells


def _trimmed(cells: Sequence[Cell], owner_cap: int, minimum: int) -> list[Cell]:
    """What the works of one owner bring is cut to the owner's cap; what is cut stays in reserve, because giving it to
    others could lift other owners above theirs. Who falls below the minimum by it gets nothing."""
    amounts = [cell.amount for cell in cells]
    places: dict[str, list[int]] = {}
    for place, cell in enumerate(cells):
        if cell.owner:
            places.setdefault(cell.owner, []).append(place)
    cut = set()
    for held in places.values():
        had = [amounts[place] for place in held]
        if sum(had) > owner_cap:
            for place, amount in zip(held, largest_remainder(owner_cap, had), strict=True):
                amounts[place] = amount
                cut.add(cells[place].person_id)
    left = [replace(cell, amount=amount) for cell, amount in zip(cells, amounts, strict=True) if amount]
    sums = _summed((cell.person_id, cell.amount) for cell in left)
    return [cell for cell in left if cell.person_id not in cut or sums[cell.person_id] >= minimum]


def frames(
    round: Round, day: date, settled: Settled, rows: pl.DataFrame, past: Past, *, is_paid: bool, why_not: str | None
) -> dict[str, pl.DataFrame]:
    """Rows of `rewards.rounds`, `.allocations`, `.receipts` and (new) `.escrow`."""
    receipts = settled.receipts
    paid = [receipts.get(person, 0) for person in settled.people]
    held = [amount - part for amount, part in zip(settled.amounts, paid, strict=True)]
    named = rows.group_by("person_id").agg(pl.col("name").min(), pl.col("merit").sum())
    allocations = (
        pl.DataFrame({"person_id": settled.people}, schema={"person_id": pl.String})
        .join(named, "person_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("merit").fill_null(0),
            round=pl.lit(round.name),
            amount=_amounts(settled.amounts),
            floor=_amounts(settled.floors),
            receipt=_amounts(paid),
            held=_amounts(held),
            is_capped=pl.Series(settled.capped, dtype=pl.Boolean),
            is_dropped=pl.Series(settled.dropped, dtype=pl.Boolean),
            is_paid=pl.lit(is_paid),
        )
    )
    held_cells = _held(settled.cells) if is_paid else []
    expires = (day + timedelta(days=round.escrow_days)).isoformat()
    return {
        "rewards.rounds": _one_row(
            round=round.name,
            closes=closes(round, day),
            is_paid=is_paid,
            why_not=why_not,
            currency=round.currency,
            decimals=round.decimals,
            pool=round.pool,
            returned=past.returned,
            budget=settled.budget,
            receipts=sum(paid),
            escrow=sum(held),
            reserve=settled.reserve,
            floor=settled.floor,
            cap=settled.cap,
            owner_cap=settled.owner_cap,
            minimum=round.minimum,
            recipients=sum(map(bool, settled.amounts)),
            **_concentration(settled.amounts),
            policy=parameters(round),
            owners=None if settled.owner_cap is None else json.dumps([[*each] for each in settled.owners.items()]),
        ),
        "rewards.allocations": allocations,
        "rewards.receipts": pl.DataFrame(
            {
                "round": [round.name] * len(receipts) if is_paid else [],
                "person_id": list(receipts) if is_paid else [],
                "kind": ["round"] * len(receipts) if is_paid else [],
                "holding_id": [""] * len(receipts) if is_paid else [],
                "amount": _amounts(list(receipts.values()) if is_paid else []),
            },
            schema=RECEIPTS,
        ),
        "rewards.escrow": escrow_frame(
            [
                {
                    "holding_id": holding_id(round.name, day.isoformat(), person, reason, subject),
                    "round": round.name,
                    "opened": day.isoformat(),
                    "expires": expires,
                    "person_id": person,
                    "subject": subject,
                    "held": reason,
                    "amount": amount,
                    "state": "open",
                    "released_to": None,
                }
                for (person, reason, subject), amount in held_cells
            ]
        ),
    }  # fmt: skip


RECEIPTS: dict[str, Any] = {
    "round": pl.String, "person_id": pl.String, "kind": pl.String, "holding_id": pl.String, "amount": AMOUNT,
}  # fmt: skip
ESCROW: dict[str, Any] = {
    "holding_id": pl.String, "round": pl.String, "opened": pl.String, "expires": pl.String, "person_id": pl.String,
    "subject": pl.String, "held": pl.String, "amount": AMOUNT, "state": pl.String, "released_to": pl.String,
}  # fmt: skip


def escrow_frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of `rewards.escrow`."""
    return pl.DataFrame(rows, schema=ESCROW, orient="row")


def _held(cells: Sequence[Cell]) -> list[tuple[tuple[str, str, str], int]]:
    summed: dict[tuple[str, str, str], int] = {}
    for cell in cells:
        if cell.held is not None:
            key = (cell.person_id, cell.held, cell.subject)
            summed[key] = summed.get(key, 0) + cell.amount
    return sorted(summed.items())


def _concentration(amounts: Sequence[int]) -> dict[str, float | None]:
    from coevo_pipelines.rewards.concentration import concentration

    paid = [amount for amount in amounts if amount]
    found = concentration(paid)
    return {
        "gini": None if found.gini is None else float(found.gini),
        "top_10_share": None if found.top_10 is None else float(found.top_10),
    }


def _one_row(**values: Any) -> pl.DataFrame:
    amounts = {"pool", "returned", "budget", "receipts", "escrow", "reserve", "floor", "cap", "owner_cap", "minimum"}
    texts, numbers = {"why_not": pl.String, "owners": pl.String}, {"gini": pl.Float64, "top_10_share": pl.Float64}
    schema: dict[str, Any] = {name: AMOUNT for name in amounts} | texts | numbers
    return pl.DataFrame([values], schema_overrides=schema)


def _amounts(values: Sequence[int]) -> pl.Series:
    return pl.Series("amount", list(values), dtype=AMOUNT)


def _part(amount: int, share: Decimal) -> int:
    """Whole units of a share; decimal arithmetic would keep 28 digits only."""
    return int(amount * Fraction(share))


def _summed(parts: Any) -> dict[str, int]:
    """Sums by key, in order of the keys."""
    sums: dict[str, int] = {}
    for key, amount in parts:
        sums[key] = sums.get(key, 0) + amount
    return dict(sorted(sums.items()))
