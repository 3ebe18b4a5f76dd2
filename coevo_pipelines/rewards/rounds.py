"""One round as of one day: what everybody gets, what of it may be paid, what is held back and what stays in reserve."""

from __future__ import annotations

import calendar
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from coevo_pipelines.lake.ledger import canonical
from coevo_pipelines.rewards import policies
from coevo_pipelines.rewards.apportion import allocate, largest_remainder
from coevo_pipelines.rewards.ledger import holding_ids
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
class Settled:
    """All of a round's budget: `receipts` + `escrow` + `reserve`."""

    budget: int
    reserve: int
    floor: int
    cap: int | None
    owner_cap: int | None
    people: pl.DataFrame
    """person_id, name, merit; in order of id, as are the sequences of the allocation."""
    amounts: Sequence[int]
    floors: Sequence[int]
    capped: Sequence[bool]
    dropped: Sequence[bool]
    cells: pl.DataFrame
    """Columns `CELLS`: the parts of amounts that are paid (held is null), or held back for one reason."""

    @property
    def receipts(self) -> dict[str, int]:
        """What may be paid to whom, in order of id."""
        return _sums(self.cells.filter(pl.col("held").is_null()), "person_id")

    @property
    def owners(self) -> dict[str, int]:
        """What the works of each owner bring."""
        return _sums(self.cells.filter(pl.col("owner") != ""), "owner")


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
    """Divide the round's pool and what came back among the people of `rows` (`persons.eligibility`, in its order)."""
    recipients = _recipients(round, known)
    folk = _people(rows, past, recipients.values())
    merit, member = (folk[name].to_list() for name in ("merit", "is_member"))
    budget = round.pool + past.returned
    floor = _part(budget, round.floor)
    weights, spendable = _weights(round, budget - floor, folk["person_id"], merit, past, recipients)
    cap = None if round.cap is None else _part(budget, round.cap)
    done = allocate(weights, floor + spendable, cap=cap, minimum=round.minimum, floor=floor, members=member)
    pairs = zip(member, done.amounts, strict=True)
    floors = [min(done.floor, amount) if inside else 0 for inside, amount in pairs]
    cells = _cells(rows, known, folk, done.amounts, floors)
    owner_cap = None if round.owner_cap is None else _part(budget, round.owner_cap)
    amounts = done.amounts
    if owner_cap is not None:
        cells = _trimmed(cells, owner_cap, round.minimum)
        left = _sums(cells, "person_id")
        amounts = [left.get(person, 0) for person in folk["person_id"]]
        floors = [min(part, amount) for part, amount in zip(floors, amounts, strict=True)]
    reserve = budget - sum(amounts)
    people = folk.select("person_id", "name", "merit")
    return Settled(budget, reserve, floor, cap, owner_cap, people, amounts, floors, done.capped, done.dropped, cells)


def _recipients(round: Round, known: Register) -> dict[str, str]:
    """Who is named by the round's SPECIAL policies -> who that is today."""
    named = sorted({str(policy.recipient) for policy in round.policies if policy.name == "SPECIAL"})
    asked = identified(pl.DataFrame({"person_id": named}, schema={"person_id": pl.String}), known)
    return dict(zip(named, asked["person_id"], strict=True))


def _people(rows: pl.DataFrame, past: Past, recipients: Iterable[str]) -> pl.DataFrame:
    """person_id, name, merit of the day, is_member (has a part in the floor), begin and count of the own rows:
    everybody concerned, in order of id, as the rows are."""
    ids = rows["person_id"]
    begin = np.flatnonzero(ids.ne_missing(ids.shift()).to_numpy())
    may = (rows["held"].is_null() & rows["is_verified"]).to_numpy()
    folk = pl.DataFrame(
        {
            "person_id": ids.gather(begin),
            "name": rows["name"].gather(begin),
            "merit": np.add.reduceat(rows["merit"].to_numpy(), begin) if begin.size else begin,
            "is_member": np.logical_or.reduceat(may, begin) if begin.size else may,
            "begin": begin,
            "count": np.diff(begin, append=rows.height),
        }
    )
    others = {person for each in past.merits for person in each}
    others |= set(recipients)
    new = others.difference(folk["person_id"]) if others else ()
    if not new:
        return folk
    none = {"name": None, "merit": 0, "is_member": False, "begin": 0, "count": 0}
    added = pl.DataFrame([{"person_id": person} | none for person in new], schema=folk.schema)
    return pl.concat([folk, added]).sort("person_id")


def _weights(
    round: Round,
    budget: int,
    people: pl.Series,
    today: Sequence[int],
    past: Past,
    recipients: Mapping[str, str],
) -> tuple[list[int], int]:
    paid = sum(past.earned.values())

    def weights(policy: Policy, part: int) -> list[int]:
        if policy.name == "SPECIAL":
            return policies.special(len(people), people.to_list().index(recipients[str(policy.recipient)]))
        if policy.name == "BALANCED":
            earned = [past.earned.get(person, 0) for person in people]
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
    rows: pl.DataFrame, known: Register, folk: pl.DataFrame, amounts: Sequence[int], floors: Sequence[int]
) -> pl.DataFrame:
    """Each amount over the rows of its person by merit; the equal part, and what comes from merit of earlier days
    alone, is the person's own."""
    merits = rows["merit"].to_list()
    own = (rows["subject"] == rows["person_id"]) & (rows["owner"] == "")
    own_rows, reasons = own.to_list(), rows["held"].to_list()
    parts = [0] * rows.height
    extra: list[tuple[str, str | None, int]] = []
    absent: list[tuple[str, int]] = []
    ids, begins, counts = folk["person_id"], folk["begin"].to_list(), folk["count"].to_list()
    for at, (begin, count, amount, floor) in enumerate(zip(begins, counts, amounts, floors, strict=True)):
        if not amount:
            continue
        if count == 1 and own_rows[begin]:
            parts[begin] = amount
            continue
        if not count:
            absent.append((ids[at], amount))
            continue
        span = range(begin, begin + count)
        for place, part in zip(span, largest_remainder(amount - floor, merits[begin : begin + count]), strict=True):
            parts[place] = part
        left = amount - sum(parts[place] for place in span)
        mine = next((place for place in span if own_rows[place]), None)
        if mine is not None:
            parts[mine] += left
        elif left:
            # Verified people whose works all have owners, or works that are all held.
            reason = None if floor else next(filter(None, (reasons[place] for place in span)), None)
            extra.append((ids[at], reason, left))
    asked = identified(
        pl.DataFrame({"person_id": [each[0] for each in absent]}, schema={"person_id": pl.String}), known
    )
    extra += [(person, held, amount) for (person, amount), held in zip(absent, asked["held"], strict=True)]
    added = pl.DataFrame(
        {
            "person_id": [each[0] for each in extra],
            "subject": [each[0] for each in extra],
            "owner": [""] * len(extra),
            "held": [each[1] for each in extra],
            "amount": amounts_of([each[2] for each in extra]),
        },
        schema=CELLS,
    )
    found = rows.select("person_id", "subject", "owner", "held").with_columns(amount=amounts_of(parts))
    return pl.concat([found.filter(pl.col("amount") > 0), added])


def _trimmed(cells: pl.DataFrame, owner_cap: int, minimum: int) -> pl.DataFrame:
    """What the works of one owner bring is cut to the owner's cap; what is cut stays in reserve, because giving it to
    others could lift other owners above theirs. Who falls below the minimum by it gets nothing."""
    amounts = [int(amount) for amount in cells["amount"]]
    over = {
        owner for owner, amount in _sums(cells.filter(pl.col("owner") != ""), "owner").items() if amount > owner_cap
    }
    places: dict[str, list[int]] = {owner: [] for owner in over}
    for place, owner in enumerate(cells["owner"]):
        if owner in over:
            places[owner].append(place)
    for held in places.values():
        for place, amount in zip(held, largest_remainder(owner_cap, [amounts[at] for at in held]), strict=True):
            amounts[place] = amount
    cut = cells.filter(pl.col("owner").is_in(sorted(over)))["person_id"].unique()
    left = cells.with_columns(amount=amounts_of(amounts)).filter(pl.col("amount") > 0)
    low = left.group_by("person_id").agg(pl.col("amount").sum()).filter(pl.col("amount") < minimum)
    gone = low.filter(pl.col("person_id").is_in(cut.implode()))
    return left.join(gone, "person_id", how="anti", maintain_order="left")


def frames(
    round: Round, day: date, settled: Settled, past: Past, *, is_paid: bool, why_not: str | None
) -> dict[str, pl.DataFrame]:
    """Rows of `rewards.rounds`, `.allocations`, `.receipts` and (new) `.escrow`."""
    free = settled.cells.filter(pl.col("held").is_null())
    receipts = free.group_by("person_id").agg(pl.col("amount").sum()).sort("person_id")
    allocations = (
        settled.people.with_columns(
            amount=amounts_of(settled.amounts),
            floor=amounts_of(settled.floors),
            is_capped=pl.Series(settled.capped, dtype=pl.Boolean),
            is_dropped=pl.Series(settled.dropped, dtype=pl.Boolean),
        )
        .join(receipts.rename({"amount": "receipt"}), "person_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("receipt").fill_null(0),
            round=pl.lit(round.name),
            is_paid=pl.lit(is_paid),
        )
        .with_columns(held=pl.col("amount") - pl.col("receipt"))
    )
    paid = int(receipts["amount"].sum())
    held = settled.cells if is_paid else settled.cells.clear()
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
            receipts=paid,
            escrow=sum(settled.amounts) - paid,
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
        "rewards.receipts": (receipts if is_paid else receipts.clear()).with_columns(
            round=pl.lit(round.name), kind=pl.lit("round"), holding_id=pl.lit("")
        ),
        "rewards.escrow": _held(round, day, held),
    }


CELLS: dict[str, Any] = {
    "person_id": pl.String, "subject": pl.String, "owner": pl.String, "held": pl.String, "amount": AMOUNT,
}  # fmt: skip
ESCROW: dict[str, Any] = {
    "holding_id": pl.String, "round": pl.String, "opened": pl.String, "expires": pl.String, "person_id": pl.String,
    "subject": pl.String, "held": pl.String, "amount": AMOUNT, "state": pl.String, "released_to": pl.String,
}  # fmt: skip


def _held(round: Round, day: date, cells: pl.DataFrame) -> pl.DataFrame:
    """New holdings, as rows of `rewards.escrow`."""
    keys = ("person_id", "held", "subject")
    summed = cells.filter(pl.col("held").is_not_null()).group_by(keys).agg(pl.col("amount").sum()).sort(keys)
    rows = zip(*(summed[key].to_list() for key in keys), strict=True)
    ids = [*holding_ids(round.name, day.isoformat(), rows)]
    return summed.select(
        pl.Series("holding_id", ids, dtype=pl.String),
        "person_id",
        "subject",
        "held",
        "amount",
        round=pl.lit(round.name),
        opened=pl.lit(day.isoformat()),
        expires=pl.lit((day + timedelta(days=round.escrow_days)).isoformat()),
        state=pl.lit("open"),
        released_to=pl.lit(None, pl.String),
    ).select(ESCROW.keys())


def escrow_frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of `rewards.escrow`."""
    return pl.DataFrame(rows, schema=ESCROW, orient="row")


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
    exact = {name: Decimal(value) if name in amounts and value is not None else value for name, value in values.items()}
    return pl.DataFrame([exact], schema_overrides=schema)


def amounts_of(values: Sequence[int]) -> pl.Series:
    """Whole minor units as a column."""
    try:
        held = np.array(values, np.int64)
    except OverflowError:
        return pl.Series("amount", [Decimal(value) for value in values], dtype=AMOUNT)
    return pl.Series("amount", held).cast(AMOUNT)


def _part(amount: int, share: Decimal) -> int:
    """Whole units of a share; decimal arithmetic would keep 28 digits only."""
    return int(amount * Fraction(share))


def _sums(cells: pl.DataFrame, key: str) -> dict[str, int]:
    """Sums of amounts by key, in order of the keys."""
    summed = cells.group_by(key).agg(pl.col("amount").sum()).sort(key)
    return {name: int(amount) for name, amount in summed.iter_rows()}
