"""What must hold of a day's money before any of it is called paid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import polars as pl


def wrong(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """What does not add up in the frames of `rewards.*` tables of one day, one line each."""
    return [line for row in tables["rewards.rounds"].iter_rows(named=True) for line in _of_round(row, tables)]


def _of_round(given_row: Mapping[str, Any], tables: Mapping[str, pl.DataFrame]) -> Iterator[str]:
    # Whole numbers: arithmetic of decimals keeps 28 digits.
    row: dict[str, Any] = {
        name: int(value) if isinstance(value, Decimal) else value for name, value in given_row.items()
    }
    name = row["round"]
    own = {table: _own(frame, name) for table, frame in tables.items() if "round" in frame.columns}
    given = own["rewards.allocations"]
    receipts, held = int(given["receipt"].sum()), int(given["held"].sum())
    for what, found, said in (("receipts", receipts, row["receipts"]), ("escrow", held, row["escrow"])):
        if found != said:
            yield f"round {name}: {what} are {said:,}, the allocations sum to {found:,}"
    total = receipts + held + int(row["reserve"])
    if total != row["budget"] or row["budget"] != row["pool"] + row["returned"]:
        yield f"round {name}: receipts, escrow and reserve are {total:,}, the budget is {row['budget']:,}"
    if row["cap"] is not None:
        over = given.filter(pl.col("amount") > row["cap"])
        if over.height:
            yield f"round {name}: {over['person_id'][0]} gets {over['amount'][0]:,}, the cap is {row['cap']:,}"
    low = given.filter(pl.col("amount") > 0, pl.col("amount") < row["minimum"])
    if low.height:
        yield f"round {name}: {low['person_id'][0]} gets {low['amount'][0]:,}, the minimum is {row['minimum']:,}"
    may = own["rewards.eligibility"].filter(pl.col("held").is_null(), "is_verified")
    unentitled = given.filter(pl.col("receipt") > 0).join(may, "person_id", how="anti")
    if unentitled.height:
        yield f"round {name}: {unentitled['person_id'][0]} is paid and may not be"
    if row["is_paid"]:
        yield from _paid(name, given, own)


def _paid(name: str, given: pl.DataFrame, own: Mapping[str, pl.DataFrame]) -> Iterator[str]:
    receipts = own["rewards.receipts"].filter(pl.col("kind") == "round").select("person_id", "amount")
    expected = given.filter(pl.col("receipt") > 0).select("person_id", amount="receipt")
    if not receipts.sort("person_id").equals(expected.sort("person_id")):
        yield f"round {name}: the receipts are not what the allocations say"
    explained = own["rewards.explanations"].group_by("person_id").agg(pl.col("amount").sum())
    off = expected.join(explained, "person_id", how="left", suffix="_explained").filter(
        pl.col("amount").ne_missing(pl.col("amount_explained"))
    )
    if off.height:
        yield f"round {name}: the explanation of {off['person_id'][0]} does not add up to what is paid"


def _own(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    return frame.filter(pl.col("round") == name)
