"""How much of a matching changes when one row does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from coevo_pipelines.hubs.matching.match import match
from coevo_pipelines.hubs.matching.points import Points
from coevo_pipelines.hubs.matching.rows import MARKET

_PAIR = ("need_hub", "need_id", "offer_hub", "offer_id")
WAYS = ("removed", "added", "changed")
"""What happens to a row: it goes, it comes, its amount becomes half as much again."""


@dataclass(frozen=True)
class Change:
    """Between two matchings."""

    pairs: int
    """That came, went, or have another amount."""
    share: float
    """Of what was matched before or after, whichever is more, the part that is not matched as it was; 0 for nothing.
    Amounts are added up, so it is meant for one market."""


def changed(before: pl.DataFrame, after: pl.DataFrame) -> Change:
    """From one hubs.matches to another."""
    both = (
        before.select(*_PAIR, pl.col("amount").alias("old"))
        .join(after.select(*_PAIR, pl.col("amount").alias("new")), on=_PAIR, how="full", coalesce=True)
        .with_columns(pl.col("old", "new").fill_null(0))
    )
    most = max(int(both["old"].sum()), int(both["new"].sum()))
    same = int(both.select(pl.min_horizontal("old", "new")).to_series().sum())
    return Change(both.filter(pl.col("old") != pl.col("new")).height, 1 - same / most if most else 0.0)


def stability(
    needs: pl.DataFrame, offers: pl.DataFrame, points: Points, trials: int, seed: int = 0, *, settle: bool = True
) -> list[Change]:
    """What `trials` rows, needs and offers by turns, chosen at random, change in their market (no other can change).

    One after the other a row is removed, one is added that was not there, and the amount of one is changed.
    """
    random = np.random.default_rng(seed)
    changes = []
    for trial in range(trials):
        side = (needs, offers)[trial % 2]
        way = WAYS[trial // 2 % len(WAYS)]
        if not side.height:
            continue
        row = side[int(random.integers(side.height))]
        mine = row.select(MARKET).unique()
        some = [frame.join(mine, on=MARKET, how="semi", maintain_order="left") for frame in (needs, offers)]
        without = list(some)
        without[trial % 2] = some[trial % 2].join(row, on=["hub_id", "post_id"], how="anti", maintain_order="left")
        one, other = some, without
        if way == "added":
            one, other = without, some
        elif way == "changed":
            more = row.with_columns(pl.col("amount") + pl.col("amount") // 2)
            other = list(without)
            other[trial % 2] = pl.concat([without[trial % 2], more])
        done = [match(each[0], each[1], points, settle=settle).matches for each in (one, other)]
        changes.append(changed(done[0], done[1]))
    return changes
