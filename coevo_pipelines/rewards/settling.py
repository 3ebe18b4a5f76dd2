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
from coevo_pipelines.rewards.ledger import Entry, Refused, RewardLedger, State
from coevo_pipelines.windows import DAY

if TYPE_CHECKING:
    from coevo_pipelines.lake.store import Lake, Snapshot
    from coevo_pipelines.settings import Settings

    Drafts = Mapping[tuple[str, str], Mapping[str, Any]]
    """By kind and round."""

MOVES = ("expiry", "release")
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
    since = {name: known.latest for name, known in state.rounds.items()}
    problems: list[str] = []
    for day, names in _due(snapshot, days[-1]).items():
        new = {name for name in names if day.isoformat() >= since.get(name, "")}
        if new:
            problems += _enter(ledger, state, snapshot, day, days, new, settings)
    for day in sorted(touched):
        problems += differences(state, snapshot, day)
    return problems


def _due(snapshot: Snapshot, last: date) -> dict[date, set[str]]:
    """The rounds of which money moves, by day."""
    paid = snapshot.scan("rewards.rounds", upto=last).filter("is_paid").select("date", "round")
    moved = snapshot.scan("rewards.escrow", upto=last).filter(pl.col("state") != "open").select("date", "round")
    found: dict[date, set[str]] = {}
    for day, name in pl.concat([paid, moved]).unique().sort("date", "round").collect().iter_rows():
        found.setdefault(day, set()).add(name)
    return found


def _enter(
    ledger: RewardLedger,
    state: State,
    snapshot: Snapshot,
    day: date,
    days: Sequence[date],
    names: Collection[str],
    settings: Settings,
) -> Iterator[str]:
    starts = {round.name: max(round.start, settings.opening) for round in settings.reward_rounds}
    present = set(days)
    for draft in drafts(snapshot, day):
        name = draft["round"]
        if name not in names:
            continue
        gap = next((d for d in _span(starts.get(name, day), day) if d not in present), None)
        if gap is not None:
            yield f"round {name}, {day}: not in the ledger before {gap} is there; `coevo run --date {gap}` makes it"
            continue
        known = state.rounds.get(name)
        if draft["kind"] == "round" and known and (entries := known.entries.get(draft["as_of"])):
            # Inputs that changed nothing are no reason for a correction.
            yield from (f"round {name}, {day}: {line}" for line in _divided_otherwise(draft, entries, name, day))
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
    """What the tables of `day` say otherwise than the ledger, in rounds in which the ledger is past that day."""
    as_of = day.isoformat()
    said = {(draft["kind"], draft["round"]): draft for draft in drafts(snapshot, day)}
    moved = {
        (entry.record["kind"], entry.record["round"]): entry.record
        for entry in state.entries.values()
        if entry.record["as_of"] == as_of and entry.record["kind"] in MOVES
    }
    return [
        f"round {name}, {day}: {line}"
        for name, known in sorted(state.rounds.items())
        if as_of < known.latest
        for line in (
            *_moved_otherwise(said, moved, name),
            *_divided_otherwise(said.get(("round", name)), known.entries.get(as_of), name, day),
        )
    ]


def _moved_otherwise(said: Drafts, moved: Drafts, name: str) -> Iterator[str]:
    for kind in MOVES:
        given, kept = ((each.get((kind, name)) or {}).get("holdings", []) for each in (said, moved))
        if given != kept:
            yield (
                f"the tables have {len(given)} holdings in the {kind}, the ledger has {len(kept)} and keeps them: "
                "what left the escrow does not come back"
            )


def _divided_otherwise(
    draft: Mapping[str, Any] | None, entered: Sequence[Entry] | None, name: str, day: date
) -> Iterator[str]:
    way_out = f"`coevo rewards correct --round {name} --date {day}` enters it as a correction"
    if draft and not entered:
        yield "not in the ledger, which is past it; it is not paid"
    elif entered and not draft:
        yield f"the ledger has paid {entered[-1].record['budget']:,}, the tables say that nothing may be paid"
    elif entered and draft:
        off = [name for name in COMPARED if entered[-1].record[name] != draft[name]]
        if off:
            yield f"the tables differ in {', '.join(off)}; {way_out}"


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
