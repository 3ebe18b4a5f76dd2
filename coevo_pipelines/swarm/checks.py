"""What must hold of a simulated day before it is committed for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

HUMANS = ("dafit_human", "council_human")


def unbalanced(tables: Mapping[str, pl.DataFrame], before: Mapping[str, Any] | None = None) -> list[str]:
    """What does not add up in the frames of `swarm.*` tables of one day, one line each: recomputed from the entries.

    before: the last row of `swarm.metrics` of the day before; None where the simulation begins.
    """
    ledger, metrics = tables["swarm.lifeforce_ledger"], tables["swarm.metrics"].sort("tick")
    found = [
        f"tick {row['tick']}: the accounts sum to {row['sum']} thousandths of one LF, not to zero"
        for row in metrics.with_columns(
            sum=pl.col("organisms_milli") + pl.col("patterns_milli") + pl.col("nyx_milli") + pl.col("burnt_milli")
            - pl.col("minted_milli")
        )
        .filter(pl.col("sum") != 0)
        .iter_rows(named=True)
    ]  # fmt: skip
    for account, column, name in (("from_account", "minted_milli", "SOURCE"), ("to_account", "burnt_milli", "SINK")):
        moved = ledger.filter(pl.col(account) == name).group_by("tick").agg(pl.col("amount_milli").sum()).sort("tick")
        told = metrics.select("tick", column).join(moved, "tick", how="left").with_columns(
            pl.col("amount_milli").fill_null(0).cum_sum()
        )  # fmt: skip
        first = before[column] if before else 0
        wrong = told.filter(pl.col(column) != pl.col("amount_milli") + first)
        if wrong.height:
            tick, says, sums = wrong.row(0)
            found.append(f"tick {tick}: {name} has moved {says - first} on the day, its entries sum to {sums}")
    last = metrics.row(-1, named=True) if metrics.height else None
    held = int(tables["swarm.organisms"]["lf_milli"].sum())
    if last is not None and held != last["organisms_milli"]:
        found.append(f"tick {last['tick']}: organisms hold {held}, the metrics say {last['organisms_milli']}")
    return found


def pretending(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Rows that do not say that they are simulated, and people's decisions without a record."""
    found = [
        f"{name}: a row does not say that it is simulated"
        for name, frame in sorted(tables.items())
        if not frame["simulated"].all()
    ]
    recorded = tables["swarm.review_queue"].filter(pl.col("reviewer").is_not_null())
    human = tables["swarm.decision_markers"].filter(pl.col("decided_by").is_in(HUMANS))
    alone = human.filter(~pl.col("review_id").is_in(recorded["review_id"].implode()))
    if alone.height:
        found.append(f"{alone['marker_id'][0]} is said to be decided by a person, and there is no record of one")
    return found


def wrong_accounts(
    entries: pl.LazyFrame, organisms: pl.DataFrame, versions: pl.DataFrame, metrics: pl.DataFrame
) -> list[str]:
    """What differs between accounts replayed from all entries up to a day and that day's tables, one line each."""
    debit = entries.select(account="from_account", milli=-pl.col("amount_milli"))
    credit = entries.select(account="to_account", milli="amount_milli")
    moved = pl.concat([debit, credit]).group_by("account").agg(pl.col("milli").sum()).collect()
    last = metrics.sort("tick").row(-1, named=True)
    own = [
        organisms.select(account=pl.format("organism:{}", "organism_id"), told="lf_milli"),
        versions.select(account=pl.format("pattern:{}:{}", "pattern", "version_id"), told="lf_milli"),
        pl.DataFrame(
            {
                "account": ["nyx", "SINK", "SOURCE"],
                "told": [last["nyx_milli"], last["burnt_milli"], -last["minted_milli"]],
            }
        ),
    ]
    both = moved.join(pl.concat(own), "account", how="full", coalesce=True).with_columns(
        pl.col("milli", "told").fill_null(0)
    )
    wrong = both.filter(pl.col("milli") != pl.col("told")).sort("account")
    found = [
        f"{row['account']}: its entries sum to {row['milli']} thousandths of one LF, it is said to have {row['told']}"
        for row in wrong.head(5).iter_rows(named=True)
    ]
    return [*found, f"and {wrong.height - 5} accounts more"] if wrong.height > 5 else found
