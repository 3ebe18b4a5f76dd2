"""The day's works in dense numbers: what they are worth in a round, and what of it their people get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from coevo_pipelines.influence.lineage import Columns, lineage_credit
from coevo_pipelines.lake.schemas import RELATIONS
from coevo_pipelines.rewards.merit import MOST_SHARES, divided, limited, merit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coevo_pipelines.settings import Round

    Integers = NDArray[np.int64]

MOST_PEOPLE = 1 << 20
"""Of one work."""
BUILT_ON = ("derives_from", "trained_on", "depends_on")
"""Relations over which lineage credit always flows; papers also pass it over any other to what is no paper."""


@dataclass(frozen=True)
class Graph:
    """Works in order of their number, and what joins them as places in it."""

    works: pl.DataFrame
    edges: pl.DataFrame
    """Links that weigh: source, target, relation, and both places."""
    lineage: Columns
    """Those over which credit flows."""
    credits: pl.DataFrame
    """person_id, name, share and the work's place."""
    order: Integers
    """(credits,): credits by work and position."""
    starts: Integers
    """(works + 1,): where in that order the credits of each work begin."""


@dataclass(frozen=True)
class Worth:
    """Merit of a round's works, in grains, (works,) int64 each."""

    own: Integers
    """For influence and potential."""
    credited: Integers
    """After lineage credit."""
    kept: Integers
    """The same within the owners' limits."""


def graph_of(works: pl.DataFrame, edges: pl.DataFrame, credits: pl.DataFrame) -> Graph:
    """works: `citations.asof.works` with the scores of the day; edges: `citations.asof.edges`; credits:
    `credits.credits`."""
    if not works["node"].is_sorted():  # with all their texts: seconds for ten million
        works = works.sort("node")
    weighing = edges.filter(pl.col("weight") > 0)
    source, target = (_places(works, weighing[f"{end}_node"]) for end in ("source", "target"))
    codes = weighing["relation"].replace_strict(RELATIONS, range(len(RELATIONS)), return_dtype=pl.Int64)
    kind = works["kind"]
    thing = kind.is_not_null() & (kind != "paper")
    from_paper = (kind == "paper").fill_null(False).gather(source) & thing.gather(target)
    weighing = weighing.select(
        "source",
        "target",
        "relation",
        source_place=pl.Series(source, dtype=pl.Int64),
        target_place=pl.Series(target, dtype=pl.Int64),
        kind=codes,
        is_lineage=pl.col("relation").is_in(BUILT_ON) | from_paper,
    )
    links = weighing.filter("is_lineage")
    place = _places(works, credits["node"])
    credits = credits.with_columns(place=pl.Series(place, dtype=pl.Int64))
    order = np.argsort(place * MOST_PEOPLE + credits["position"].to_numpy())
    starts = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=works.height))])
    source_places, target_places, kinds = (links[name].to_numpy() for name in ("source_place", "target_place", "kind"))
    lineage = Columns(source_places, target_places, kinds, RELATIONS)
    bounded = _bounded(credits).select("person_id", "name", "share", "place")
    return Graph(works, weighing, lineage, bounded, order, starts)


def _places(works: pl.DataFrame, nodes: pl.Series) -> Integers:
    """Where works of these numbers stand; all of them are there."""
    numbers, asked = works["node"].to_numpy(), nodes.to_numpy()
    if nodes.is_sorted():
        return np.searchsorted(numbers, asked).astype(np.int64)
    # In order, each search begins where memory is warm: four times as fast as at random.
    order = np.argsort(asked)
    found = np.empty(asked.size, np.int64)
    found[order] = np.searchsorted(numbers, asked[order])
    return found


def _bounded(credits: pl.DataFrame) -> pl.DataFrame:
    """Shares that can be multiplied in 64 bits: those of a work with too many are cut to nine digits together."""
    if (credits["share"] <= MOST_SHARES // MOST_PEOPLE).all():
        return credits
    whole = pl.col("share").cast(pl.Float64).sum().over("place")
    cut = (pl.col("share").cast(pl.Float64) / whole * (MOST_SHARES // 2)).cast(pl.Int64)
    return credits.with_columns(share=pl.when(whole > MOST_SHARES).then(cut).otherwise("share"))


def worth(graph: Graph, round: Round, relation_weight: Mapping[str, float]) -> Worth:
    """What the works are worth in a round."""
    works = graph.works
    counts = np.ones(works.height, np.bool_)
    if round.topic is not None:
        counts = works["topics"].list.contains(round.topic).fill_null(False).to_numpy()
    inflow = works["guarded_inflow"].fill_null(0.0).to_numpy()
    potential = works["integrative_potential"].fill_null(float("nan")).to_numpy()
    own = merit(inflow, potential, counts, Fraction(round.integration))
    credited = lineage_credit(graph.lineage, own, keep=Fraction(round.keep), relation_weight=relation_weight)
    if round.owner_cap is None and not round.owner_minimum:
        return Worth(own, credited, credited)
    owners = works["owner"].str.to_lowercase()
    code = owners.rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1
    cap = None if round.owner_cap is None else Fraction(round.owner_cap)
    return Worth(
        own, credited, limited(credited, code, int(code.max(initial=-1)) + 1, cap, Fraction(round.owner_minimum))
    )


def shares_of(graph: Graph, kept: Integers) -> pl.Series:
    """What each of the credits brings, in grains, (credits,)."""
    parts = np.empty(graph.order.size, np.int64)
    parts[graph.order] = divided(kept, graph.starts, graph.credits["share"].to_numpy()[graph.order])
    return pl.Series("merit", parts)


def parts_of(graph: Graph, kept: Integers, held: pl.Series, by_owner: bool) -> pl.DataFrame:
    """What `persons.eligibility` takes: what people have in works, summed over the works that are not held back;
    works of nobody are one unknown person's."""
    rows = graph.credits.select("person_id", "name", "place", shares_of(graph, kept))
    nobody = np.flatnonzero((np.diff(graph.starts) == 0) & (kept > 0))
    lost = pl.DataFrame({"place": nobody, "merit": kept[nobody]}, schema={"place": pl.Int64, "merit": pl.Int64})
    ids = graph.works["node_id"].gather(lost["place"])
    lost = lost.with_columns(person_id=ids + "#unknown", name=pl.lit(None, pl.String))
    owner = graph.works["owner"].str.to_lowercase().fill_null("") if by_owner else None
    found = []
    # There are many more parts than people, so they are summed before anybody is looked up.
    for part in (rows, lost.select(rows.columns)):
        counted = part.filter(pl.col("merit") > 0)
        if owner is not None:
            counted = counted.with_columns(owner=owner.gather(counted["place"]))
        is_held = held.is_not_null().gather(counted["place"])
        kept_back = counted.filter(is_held)
        kept_back = kept_back.with_columns(
            node_id=graph.works["node_id"].gather(kept_back["place"]), work_held=held.gather(kept_back["place"])
        )
        free = counted.filter(~is_held) if kept_back.height else counted
        sums = {"name": pl.col("name").min(), "works": pl.len().cast(pl.Int64), "merit": pl.col("merit").sum()}
        for frame in (free, kept_back):
            keys = [name for name in ("person_id", "owner", "node_id", "work_held") if name in frame.columns]
            found.append(frame.group_by(keys).agg(**sums))
    every = pl.concat(found, how="diagonal")
    return every if by_owner else every.with_columns(owner=pl.lit(""))
