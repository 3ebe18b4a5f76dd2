"""From one day to another: whose influence moved, which links came and went, what became of the chambers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

SHARES = ("influence", "inflow", "guarded_influence", "guarded_inflow", "traffic")
"""Scores of which works that became one have together what they had apart, and a work that is not there has 0."""


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
    `before` is null for a new work, `after` for one that is gone, and each where the score is not defined. `change`
    counts those as 0 where the score is a share or a count, else it is null."""
    appeared: int
    """Works that only the later day has."""
    gone: int
    """Works that only the earlier day has, renamed ones not counted."""
    renamed: Mapping[str, str]
    """Works of the earlier day that another one stands for now. Their scores are compared as that one's."""
    new_links: pl.DataFrame
    """source, target, relation, weight of links that only the later day has."""
    lost_links: pl.DataFrame
    """Of links that only the earlier day has, under today's identifiers."""
    chambers: pl.DataFrame
    """chamber_id, event, origins, size of each chamber of the later day. Its id says whether it is an earlier one; what
    else it comes from goes by the rules of `chambers.match`."""
    ended: Mapping[str, str | None]
    """Chambers of the earlier day that nothing carries on, and where most of their works are now."""


def compare(before: Day, after: Day, score: str = "influence") -> Changes:
    """What changed from `before` to `after`, in one column of `influence.scores`.

    Raises ValueError when `before` is not the earlier day.
    """
    if before.day >= after.day:
        raise ValueError(f"{before.day} is not before {after.day}")
    today = _renames(after.aliases)
    renamed = dict(today.join(before.scores, left_on="id", right_on="node_id").select("id", "canonical").iter_rows())
    stirred = stir(before.lattice, after.lattice, after.aliases)
    earlier = _links(_mapped(before.edges, today))
    later = _links(after.edges)
    scores = _mapped_scores(before.scores, today, score)
    return Changes(
        scores=_moves(scores, after.scores.select("node_id", score), score),
        appeared=after.scores.join(scores, on="node_id", how="anti").height,
        gone=scores.join(after.scores, on="node_id", how="anti").height,
        renamed=renamed,
        new_links=later.join(earlier, on=_LINK, how="anti").sort(_LINK),
        lost_links=earlier.join(later, on=_LINK, how="anti").sort(_LINK),
        chambers=stirred.chambers,
        ended=stirred.ended,
    )


@dataclass(frozen=True)
class Stirred:
    """What became of the chambers between two days, and which works changed places."""

    chambers: pl.DataFrame
    """`Changes.chambers`."""
    ended: Mapping[str, str | None]
    """`Changes.ended`."""
    works: pl.DataFrame
    """node_id, before, after, is_new of each work of the later day that is new or in another chamber than before, in
    order of node_id; `before` and `after` are chambers, null for none."""


def stir(before: pl.DataFrame, after: pl.DataFrame, aliases: pl.DataFrame) -> Stirred:
    """What happened to the chambers between the `influence.lattice` of two days; aliases: (id, canonical) of the
    later one."""
    today = _renames(aliases)
    chambers, ended = _chambers(_mapped_seats(before, today), _seats(after))
    seats = _rename(before.select("chamber_id", "node_id", was="node_id"), today, "node_id")
    own = seats.sort("node_id", pl.col("was") != pl.col("node_id"), "was").unique("node_id", keep="first")
    then = own.select("node_id", before="chamber_id", is_new=pl.lit(False))
    works = after.select("node_id", after="chamber_id").join(then, on="node_id", how="left")
    works = works.select("node_id", "before", "after", pl.col("is_new").fill_null(True))
    moved = works.filter(pl.col("is_new") | pl.col("before").ne_missing(pl.col("after"))).sort("node_id")
    return Stirred(chambers, ended, moved)


def _renames(aliases: pl.DataFrame) -> pl.DataFrame:
    return aliases.filter(pl.col("id") != pl.col("canonical"))


_LINK = ["source", "target", "relation"]


def _moves(before: pl.DataFrame, after: pl.DataFrame, score: str) -> pl.DataFrame:
    def ranked(frame: pl.DataFrame, when: str) -> pl.DataFrame:
        rank = pl.col(score).rank("min", descending=True).cast(pl.Int64).alias(f"rank_{when}")
        return frame.select("node_id", pl.col(score).alias(when), rank)

    joined = ranked(before, "before").join(ranked(after, "after"), on="node_id", how="full", coalesce=True)
    values = [pl.col("after"), pl.col("before")]
    if _adds_up(after, score):
        values = [value.fill_null(0) for value in values]
    moves = joined.select("node_id", "before", "after", "rank_before", "rank_after", change=values[0] - values[1])
    return moves.sort(pl.col("change").abs(), "node_id", descending=[True, False], nulls_last=True)


def _mapped_scores(scores: pl.DataFrame, today: pl.DataFrame, score: str) -> pl.DataFrame:
    """Of works that became one: what they had together, or where a score does not add up, that of the one whose name
    it has now, or else of the first by name."""
    renamed = _rename(scores.select("node_id", score, was="node_id"), today, "node_id")
    ordered = renamed.sort("node_id", pl.col("was") != pl.col("node_id"), "was")
    together = pl.col(score).sort().sum() if _adds_up(scores, score) else pl.col(score).first()
    return ordered.group_by("node_id").agg(together)


def _adds_up(scores: pl.DataFrame, score: str) -> bool:
    return score in SHARES or scores.schema[score].is_integer()


def _mapped(edges: pl.DataFrame, today: pl.DataFrame) -> pl.DataFrame:
    return _rename(_rename(edges, today, "source"), today, "target")


def _rename(frame: pl.DataFrame, today: pl.DataFrame, column: str) -> pl.DataFrame:
    joined = frame.join(today.rename({"canonical": "_now"}), left_on=column, right_on="id", how="left")
    return joined.with_columns(pl.coalesce("_now", column).alias(column)).drop("_now")


def _links(edges: pl.DataFrame) -> pl.DataFrame:
    return edges.group_by(_LINK).agg(pl.col("weight").min())


def _seats(lattice: pl.DataFrame) -> pl.DataFrame:
    return lattice.select("chamber_id", "node_id").drop_nulls().unique()


def _mapped_seats(lattice: pl.DataFrame, today: pl.DataFrame) -> pl.DataFrame:
    return _seats(_rename(lattice.select("chamber_id", "node_id"), today, "node_id"))


def _chambers(before: pl.DataFrame, after: pl.DataFrame) -> tuple[pl.DataFrame, Mapping[str, str | None]]:
    """Not `chambers.match`: between days far apart a chamber may have the id of one that it shares little with."""
    size_then, size_now = (dict(seats.group_by("chamber_id").len().iter_rows()) for seats in (before, after))
    shared = before.join(after, on="node_id", suffix="_now").group_by("chamber_id", "chamber_id_now").len()
    common = shared.filter(pl.col("len") >= 2).sort(
        "len", "chamber_id", "chamber_id_now", descending=[True, False, False]
    )
    into: dict[str, str] = {}
    absorbed: dict[str, list[str]] = {}
    parents: dict[str, set[str]] = {}
    for then, now, both in common.iter_rows():
        went, came = 2 * both > size_then[then], 2 * both > size_now[now]
        if went:
            into[then] = now
            if then not in size_now:
                absorbed.setdefault(now, []).append(then)
        if went or came:
            parents.setdefault(now, set()).add(then)
    rows = []
    for name in sorted(size_now):
        own = [name] if name in size_then else []
        if name in absorbed:
            told = ("merged", own + sorted(absorbed[name]))
        elif own:
            told = ("continued", own)
        else:
            told = ("split", sorted(parents[name])) if name in parents else ("appeared", [])
        rows.append((name, *told, size_now[name]))
    schema = pl.Schema(
        {"chamber_id": pl.String(), "event": pl.String(), "origins": pl.List(pl.String()), "size": pl.Int64()}
    )
    ended = {name: into.get(name) for name in sorted(size_then) if name not in size_now}
    return pl.DataFrame(rows, schema, orient="row"), ended
