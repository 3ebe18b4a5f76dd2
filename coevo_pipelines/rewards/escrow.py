"""Held money from day to day: it is released when what held it back is gone, and goes back to the pool in time."""

from __future__ import annotations

from datetime import date

import polars as pl

from coevo_pipelines.lake.schemas import HELD
from coevo_pipelines.rewards.persons import Register, identified
from coevo_pipelines.rewards.rounds import escrow_frame

OF_WORKS = HELD[:4]
"""Reasons that are about a work."""


def carried(
    open_: pl.DataFrame, day: date, known: Register, works_held: pl.DataFrame, had: pl.DataFrame, caps: pl.DataFrame
) -> pl.DataFrame:
    """`rewards.escrow` of `day` but for what is new: the holdings that were open the day before, and their state now.

    open_: holdings that were open. works_held: (node_id, round, held) of the works that are held back today in each
    round. A holding for a person is released when the person may be paid today; one for a work also asks that the
    work is not held any longer, under whatever name it has today. What is due today expires, even if it could be
    released. had: (round, opened, person_id, amount) that people got of the rounds in which the holdings were opened,
    earlier releases included; caps: (round, opened, cap). What would lift somebody above that cap, with what waits in
    his own name, stays where it is: whoever claims several accounts late gets no more than whoever claimed them in
    time. The smallest come first, so that as many as possible fit.
    """
    if open_.is_empty():
        return escrow_frame([])
    who = identified(open_.select("holding_id", "person_id"), known).select(
        "holding_id", released_to="person_id", against="held"
    )
    about = works_held.select("round", canonical="node_id", work_held="held")
    rows = open_.drop("released_to").join(who, "holding_id")
    rows = rows.join(known.stands, left_on="subject", right_on="work", how="left")
    rows = rows.with_columns(canonical=pl.coalesce("canonical", "subject"))
    rows = rows.join(about, ["round", "canonical"], how="left").sort("amount", "holding_id")
    of_work = pl.col("held").is_in(OF_WORKS)
    due = pl.col("expires") <= day.isoformat()
    free = pl.col("against").is_null() & (~of_work | pl.col("work_held").is_null()) & ~due
    in_own_name = pl.col("person_id") == pl.col("released_to")
    rows = rows.with_columns(due=due, free=free, in_own_name=in_own_name)
    group = ["round", "opened", "released_to"]
    waits = rows.filter("in_own_name", ~pl.col("due")).select(*group, "amount")
    has = pl.concat([had.select("round", "opened", "amount", released_to="person_id").select(waits.columns), waits])
    has = has.group_by(group).agg(has=pl.col("amount").sum())
    rows = rows.join(has, group, how="left", maintain_order="left")
    rows = rows.join(caps, ["round", "opened"], how="left", maintain_order="left")
    more = pl.when(pl.col("free") & ~pl.col("in_own_name")).then("amount").otherwise(0).cum_sum().over(group)
    fits = pl.col("cap").is_null() | pl.col("in_own_name") | (more + pl.col("has").fill_null(0) <= pl.col("cap"))
    state = pl.when("due").then(pl.lit("expired")).when(pl.col("free") & fits).then(pl.lit("released"))
    found = rows.with_columns(state=state.otherwise(pl.lit("open")))
    found = found.with_columns(released_to=pl.when(pl.col("state") == "released").then("released_to"))
    return found.select(escrow_frame([]).columns).sort("holding_id")


def releases(escrow: pl.DataFrame) -> pl.DataFrame:
    """Rows of `rewards.receipts` for what was released."""
    return escrow.filter(pl.col("state") == "released").select(
        "round", "holding_id", "amount", person_id="released_to", kind=pl.lit("release")
    )


def returned(escrow: pl.DataFrame) -> dict[str, int]:
    """Round -> what expired on the day."""
    expired = escrow.filter(pl.col("state") == "expired").group_by("round").agg(pl.col("amount").sum())
    return {name: int(amount) for name, amount in expired.iter_rows()}
