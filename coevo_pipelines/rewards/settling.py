"""From the tables of a day to entries of the reward ledger: what was divided becomes what is paid.

Days are entered in order, and a day only when every day since the round's start is there: an earlier one that is
filled in later could have changed it. What is entered stays; tables that say something else later need a correction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from coevo_pipelines.lake.ledger import canonical
from coevo_pipelines.rewards.ledger import Refused, RewardLedger, State
from coevo_pipelines.windows import DAY

if TYPE_CHECKING:
    from coevo_pipelines.lake.store import Lake, Snapshot
    from coevo_pipelines.settings import Round, Settings

COMPARED = ("pool", "returned", "budget", "receipts", "escrow", "reserve", "policy")


def settle(lake: Lake, settings: Settings, touched: Collection[date] = ()) -> list[str]:
    """Enter what the lake's tables say is paid and the ledger does not hold yet.

    Returns what could not be entered or differs on the days `touched`, one line each with the way out. Raises
    LedgerDamaged when the ledger does not replay.
    """
    ledger, snapshot = RewardLedger(lake.root), lake.snapshot()
    days = [commit.day for commit in snapshot.index.partitions("rewards.rounds")]
    if not days:
        return []
    state = ledger.replay()
    latest = max((known.latest for known in state.rounds.values()), default="")
    problems: list[str] = []
    for day in days:
        if day.isoformat() >= latest:
            problems += _enter(ledger, snapshot, day, days, settings.reward_rounds)
        elif day in touched:
            problems += differences(state, snapshot, day)
    return problems


def _enter(
    ledger: RewardLedger, snapshot: Snapshot, day: date, days: Sequence[date], current: Sequence[Round]
) -> Iterator[str]:
    starts = {round.name: round.start for round in current}
    present = set(days)
    for draft in drafts(snapshot, day):
        name = draft["round"]
        gap = next((d for d in _span(starts.get(name, day), day) if d not in present), None)
        if gap is not None:
            yield f"round {name}, {day}: not in the ledger before {gap} is there; `coevo run --date {gap}` makes it"
            continue
        try:
            ledger.append(draft, eligible=eligible(snapshot, name, day))
        except Refused as refused:
            yield f"round {name}, {day}: the ledger refuses the {draft['kind']}: {refused}"


def _span(first: date, last: date) -> Iterator[date]:
    while first < last:
        yield first
        first += DAY


def differences(state: State, snapshot: Snapshot, day: date) -> list[str]:
    """What the tables of `day` say otherwise than the ledger."""
    found = []
    for draft in drafts(snapshot, day):
        if draft["kind"] != "round":
            continue
        known = state.rounds.get(draft["round"])
        entered = known.entries.get(draft["as_of"]) if known else None
        way_out = f"`coevo rewards correct --round {draft['round']} --date {day}` enters it as a correction"
        if not entered:
            found.append(f"round {draft['round']}, {day}: not in the ledger, which is past it; it is not paid")
            continue
        said = entered[-1].record
        off = [name for name in COMPARED if said[name] != draft[name]]
        if off:
            found.append(f"round {draft['round']}, {day}: the tables differ in {', '.join(off)}; {way_out}")
    return found


def drafts(snapshot: Snapshot, day: date) -> list[dict[str, Any]]:
    """The entries of a day, in the order in which they are entered: what expired, what was released, what is paid."""
    table = snapshot.scan("rewards.rounds", on=day).collect()
    escrow = snapshot.scan("rewards.escrow", on=day).collect()
    found = []
    for state, kind, columns in (
        ("expired", "expiry", ("holding_id", "amount")),
        ("released", "release", ("holding_id", "amount", "released_to")),
    ):
        moved = escrow.filter(pl.col("state") == state).sort("round", "holding_id")
        for (name,), rows in moved.group_by("round", maintain_order=True):
            holdings = [[_plain(cell) for cell in row] for row in rows.select(columns).iter_rows()]
            found.append({"kind": kind, "round": name, "as_of": day.isoformat(), "holdings": holdings})
    paid = table.filter("is_paid").sort("round")
    if paid.height:
        receipts = snapshot.scan("rewards.receipts", on=day).filter(pl.col("kind") == "round").collect()
        held = escrow.filter(pl.col("opened") == day.isoformat())
        root = inputs_root(snapshot, day)
        found += [_round(row, receipts, held, root, day) for row in paid.iter_rows(named=True)]
    return found


def _round(
    row: Mapping[str, Any], receipts: pl.DataFrame, escrow: pl.DataFrame, root: str, day: date
) -> dict[str, Any]:
    own = receipts.filter(pl.col("round") == row["round"]).sort("person_id")
    held = escrow.filter(pl.col("round") == row["round"]).sort("holding_id")
    columns = ("holding_id", "person_id", "held", "subject", "amount", "expires")
    amounts = ("pool", "returned", "budget", "cap", "owner_cap", "minimum", "floor", "reserve")
    return {
        "kind": "round",
        "round": row["round"],
        "as_of": day.isoformat(),
        "currency": row["currency"],
        "decimals": row["decimals"],
        "policy": json.loads(row["policy"]),
        "inputs": root,
        **{name: _plain(row[name]) for name in amounts},
        "receipts": [[person, int(amount)] for person, amount in own.select("person_id", "amount").iter_rows()],
        "escrow": [[_plain(cell) for cell in each] for each in held.select(columns).iter_rows()],
        **({} if row["owner_cap"] is None else {"owners": json.loads(row["owners"])}),
    }


def inputs_root(snapshot: Snapshot, day: date) -> str:
    """sha256 over everything that the day's rewards were computed from: the inputs that the commit ledger names."""
    commit = snapshot.index.get("rewards.rounds", day.isoformat())
    given = [asdict(each) for each in commit.inputs] if commit else []
    return hashlib.sha256(canonical({"inputs": given})).hexdigest()


def eligible(snapshot: Snapshot, name: str, day: date) -> frozenset[str]:
    """Who may be paid in a round on a day."""
    rows = snapshot.scan("rewards.eligibility", on=day).filter(
        pl.col("round") == name, "is_verified", pl.col("held").is_null()
    )
    released = snapshot.scan("rewards.escrow", on=day).filter(pl.col("released_to").is_not_null())
    named = pl.concat([rows.select("person_id"), released.select(person_id="released_to")])
    return frozenset(named.collect()["person_id"].to_list())


def _plain(value: Any) -> Any:
    from decimal import Decimal

    return int(value) if isinstance(value, Decimal) else value
