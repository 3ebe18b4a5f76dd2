"""From one day to another: whose influence moved, which links came and went, what became of the chambers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from coevo_pipelines.influence.chambers import match


@dataclass(frozen=True)
class Day:
    """What one day of the lake says."""

    day: date
    scores: pl.DataFrame
    """`influence.scores` of the day."""
    edges: pl.DataFrame
    """`citations.asof.edges`."""
    lattice: pl.DataFrame
    """`influence.lattice` of the day."""
    aliases: pl.DataFrame
    """(id, canonical) as of the day."""


@dataclass(frozen=True)
class Changes:
    """What differs between two days."""

    scores: pl.DataFrame
    """node_id, before, after, change, rank_before, rank_after of every work of either day; the largest change first.
    `before` is null for a new work, `after` for one that is gone."""
    renamed: Mapping[str, str]
    """Works of the earlier day that another one stands for now. Their scores are compared as that one's."""
    new_links: pl.DataFrame
    """source, target, relation, weight of links that only the later day has."""
    lost_links: pl.DataFrame
    """Of links that only the earlier day has, under today's identifiers."""
    chambers: pl.DataFrame
    """chamber_id, event, origins, size of each chamber of the later day (see `chambers.match`)."""
    ended: Mapping[str, str | None]
    """Chambers of the earlier day that nothing carries on, and where most of their works are now."""


def compare(before: Day, after: Day, score: str = "influence") -> Changes:
    """What changed from `before` to `after`, in one column of `influence.scores`.

    Raises ValueError when `before` is not the earlier day.
    """
    if before.day >= after.day:
        raise ValueError(f"{before.day} is not before {after.day}")
    today = after.aliases.filter(pl.col("id") != pl.col("canonical"))
    renamed = dict(today.join(before.scores, left_on="id", right_on="node_id").select("id", "canonical").iter_rows())
    chambers, ended = _chambers(before, after, renamed)
    earlier = _links(_mapped(before.edges, today))
    later = _links(after.edges)
    return Changes(
        scores=_moves(_mapped_scores(before.scores, today, score), after.scores.select("node_id", score), score),
        renamed=renamed,
        new_links=later.join(earlier, on=_LINK, how="anti").sort(_LINK),
        lost_links=earlier.join(later, on=_LINK, how="anti").sort(_LINK),
        chambers=chambers,
        ended=ended,
    )


_LINK = ["source", "target", "relation"]


def _moves(before: pl.DataFrame, after: pl.DataFrame, score: str) -> pl.DataFrame:
    def ranked(frame: pl.DataFrame, when: str) -> pl.DataFrame:
        rank = pl.col(score).rank("min", descending=True).cast(pl.Int64).alias(f"rank_{when}")
        return frame.select("node_id", pl.col(score).alias(when), rank)

    joined = ranked(before, "before").join(ranked(after, "after"), on="node_id", how="full", coalesce=True)
    change = pl.col("after").fill_null(0.0) - pl.col("before").fill_null(0.0)
    moves = joined.select("node_id", "before", "after", "rank_before", "rank_after", change=change)
    return moves.sort(pl.col("change").abs(), "node_id", descending=[True, False])


def _mapped_scores(scores: pl.DataFrame, today: pl.DataFrame, score: str) -> pl.DataFrame:
    """Works that became one have together what they had apart."""
    renamed = _rename(scores.select("node_id", score), today, "node_id")
    return renamed.group_by("node_id").agg(pl.col(score).sort().sum())


def _mapped(edges: pl.DataFrame, today: pl.DataFrame) -> pl.DataFrame:
    return _rename(_rename(edges, today, "source"), today, "target")


def _rename(frame: pl.DataFrame, today: pl.DataFrame, column: str) -> pl.DataFrame:
    joined = frame.join(today.rename({"canonical": "_now"}), left_on=column, right_on="id", how="left")
    return joined.with_columns(pl.coalesce("_now", column).alias(column)).drop("_now")


def _links(edges: pl.DataFrame) -> pl.DataFrame:
    return edges.group_by(_LINK).agg(pl.col("weight").min())


def _chambers(before: Day, after: Day, renamed: Mapping[str, str]) -> tuple[pl.DataFrame, Mapping[str, str | None]]:
    seats = after.lattice.sort("node_id")
    names = seats["chamber_id"].drop_nulls().unique().sort()
    codes = seats["chamber_id"].replace_strict(names, np.arange(len(names)), default=-1, return_dtype=pl.Int64)
    matching = match(after.day, seats["node_id"].to_list(), codes.fill_null(-1).to_numpy(), before.lattice, renamed)
    # `match` hands out ids of its own to what it does not recognise: the lake's are the ones to show.
    known_as = dict(zip(matching.ids, names, strict=True))
    frame = pl.DataFrame(
        {
            "chamber_id": names,
            "event": pl.Series(matching.events, dtype=pl.String),
            "origins": pl.Series([list(origins) for origins in matching.origins], dtype=pl.List(pl.String)),
            "size": pl.Series([int((codes == code).sum()) for code in range(len(names))], dtype=pl.Int64),
        }
    )
    ended = {chamber: known_as.get(into) if into else None for chamber, into in matching.ended.items()}
    return frame, ended
