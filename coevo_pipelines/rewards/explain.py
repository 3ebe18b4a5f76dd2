"""Why a payee gets what he gets: the works and the links that bring it, adding up exactly to the amount.

A work's merit comes over the links into it: as use (what flows over the link, see influence), or as lineage credit
(what a work that stands on it passes on). A payee's merit part is divided over the links of all his works in
proportion, whole units by largest remainder, the smallest ones together as the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from coevo_pipelines.rewards.apportion import largest_remainder

if TYPE_CHECKING:
    from coevo_pipelines.rewards.rounds import Settled
    from coevo_pipelines.rewards.worth import Graph, Worth
    from coevo_pipelines.settings import Round

SHOWN = 20
"""Links shown of a payee; what is smaller is one row."""
FINE = 10**15
"""Parts of a whole in which shares of links are counted."""
WEIGHT = 10**9
"""Whole parts of a relation's weight."""
ROWS: dict[str, Any] = {
    "person_id": pl.String,
    "place": pl.Int64,
    "part": pl.String,
    "work_id": pl.String,
    "via": pl.String,
    "relation": pl.String,
    "amount": pl.Decimal(38, 0),
}


def arrivals(graph: Graph, value: Worth, round: Round, relation_weight: Mapping[str, float]) -> pl.LazyFrame:
    """What came to each work over which link: node_id, part (use or lineage), via, relation, arrived (grains)."""
    works = graph.works.select(
        place=pl.int_range(pl.len(), dtype=pl.Int64), start=pl.col("guarded_influence").fill_null(0.0)
    ).with_columns(own=pl.Series(value.own, dtype=pl.Int64), credited=pl.Series(value.credited, dtype=pl.Int64))
    links = graph.edges.lazy().with_columns(
        weight=pl.col("relation").replace_strict(list(relation_weight), list(relation_weight.values()))
    )
    links = links.filter(pl.col("weight") > 0)  # a share of nothing is no number
    target = works.lazy().select(target_place="place", own="own")
    source = works.lazy().select(source_place="place", start="start", credited="credited")
    flow = (
        _shares(links)
        .join(source, "source_place")
        .with_columns(flow=(pl.col("share") * pl.col("start") * FINE).round().cast(pl.Int64))
    )
    used = (
        flow.filter(pl.col("flow") > 0)
        .join(target, "target_place")
        .with_columns(arrived=pl.col("own") * (pl.col("flow") / pl.col("flow").sum().over("target_place")))
    )
    passed = float((1 - round.keep) / round.keep)
    credit = _shares(links.filter("is_lineage")).join(source, "source_place")
    credit = credit.with_columns(arrived=pl.col("credited") * passed * pl.col("share"))
    columns = ("part", "via", "relation", "arrived")
    return pl.concat(
        frame.with_columns(part=pl.lit(part), via="source", arrived=pl.col("arrived").round().cast(pl.Int64))
        .select("target", *columns)
        .filter(pl.col("arrived") > 0)
        for part, frame in (("use", used), ("lineage", credit))
    ).rename({"target": "node_id"})


def _shares(links: pl.LazyFrame) -> pl.LazyFrame:
    """`links` with the share of what their source passes on: over the relations present by weight, then equally.

    Sums are of whole numbers, so that no order of rows can change them.
    """
    group = ("source_place", "relation")
    counted = links.with_columns(count=pl.len().over(group), is_first=pl.int_range(pl.len()).over(group) == 0)
    weight = (pl.col("weight") * WEIGHT).round().cast(pl.Int64)
    whole = pl.when("is_first").then(weight).otherwise(0).sum().over("source_place")
    return counted.with_columns(share=weight / whole / pl.col("count"))


def explanations(settled: Settled, parts: pl.DataFrame, arrived: pl.LazyFrame) -> pl.DataFrame:
    """Rows of `rewards.explanations` but for the round.

    parts: what people have of each work, as they are identified (person_id, node_id, merit, held, work_held); arrived:
    what `arrivals` gives.
    """
    receipts = settled.receipts
    floors = dict(zip(settled.people["person_id"], settled.floors, strict=True))
    payees = pl.DataFrame({"person_id": list(receipts)}, schema={"person_id": pl.String})
    mine = parts.filter(pl.col("held").is_null(), pl.col("work_held").is_null()).join(payees, "person_id", how="semi")
    works = mine.group_by("person_id", "node_id").agg(pl.col("merit").sum())
    relevant = arrived.join(works.lazy().select("node_id").unique(), "node_id", how="semi").collect()
    # Whole parts of FINE: a sum of them does not depend on the order of addition.
    fine = relevant.with_columns(
        fine=(pl.col("arrived") / pl.col("arrived").sum().over("node_id") * FINE).round().cast(pl.Int64)
    )
    rows = works.join(fine, "node_id", how="left").with_columns(
        weight=(pl.col("merit") * (pl.col("fine").fill_null(FINE) / FINE)).round().cast(pl.Int64)
    )
    ordered = rows.sort("person_id", pl.col("weight").neg(), "node_id", "part", "via", "relation")
    grouped = {str(person): own for (person,), own in ordered.group_by("person_id", maintain_order=True)}
    found = [
        {"person_id": person, "place": place, **row}
        for person, amount in receipts.items()
        for place, row in enumerate(_explained(amount, floors[person], grouped.get(person)), start=1)
    ]
    return pl.DataFrame([row | {"amount": Decimal(row["amount"])} for row in found], schema=ROWS, orient="row")


def _explained(amount: int, floor: int, rows: pl.DataFrame | None) -> list[dict[str, Any]]:
    floor = min(floor, amount)
    parts = [*_named(amount - floor, rows)]
    if floor:
        parts.append({"part": "floor", "work_id": None, "via": None, "relation": None, "amount": floor})
    return sorted((part for part in parts if part["amount"]), key=lambda part: -part["amount"])


def _named(amount: int, rows: pl.DataFrame | None) -> Iterator[dict[str, Any]]:
    if rows is None or not rows["weight"].sum():
        yield {"part": "past", "work_id": None, "via": None, "relation": None, "amount": amount}
        return
    shown = rows.head(SHOWN)
    weights = [*shown["weight"].to_list(), int(rows["weight"][SHOWN:].sum())]
    *amounts, rest = largest_remainder(amount, weights)
    columns = ("part", "node_id", "via", "relation")
    for part, (kind, work, via, relation) in zip(amounts, shown.select(columns).iter_rows(), strict=True):
        yield {"part": kind or "use", "work_id": work, "via": via, "relation": relation, "amount": part}
    yield {"part": "rest", "work_id": None, "via": None, "relation": None, "amount": rest}
