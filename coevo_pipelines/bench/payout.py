"""A synthetic round of any size: works with scores, the people behind them, who of them is verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

TABLES = ("works", "edges", "credits", "claims")
DAY_NUMBER = 1 << 32
MEAN_PEOPLE = 2.5
"""People of a work, on average; half of the works have one or two."""
VERIFIED = 3
"""One person in so many is verified."""
LINEAGE = 0.2
"""Links per work over which credit flows: models, software and data are few beside papers."""


def make(works: int, people: int, seed: int, folder: Path) -> None:
    """Write `TABLES` as Parquet files into `folder`, in the form that the rewards stage gets them in."""
    draw = np.random.default_rng(seed)
    numbers = np.arange(works, dtype=np.int64) + DAY_NUMBER
    flow = draw.pareto(1.4, works) * (draw.random(works) < 0.6)
    inflow = np.rint(flow / flow.sum() * 1e12) / 1e12
    potential = np.where(draw.random(works) < 0.3, np.round(draw.random(works), 12), np.nan)
    kind = np.array(["paper", "repository", "model", "dataset"])[draw.choice(4, works, p=[0.8, 0.12, 0.06, 0.02])]
    pl.DataFrame({"node": numbers}).select(
        node_id=pl.lit("doi:10.5555/") + pl.col("node").cast(pl.String),
        node="node",
        kind=pl.Series(kind),
        owner=pl.lit(None, pl.String),
        status=pl.lit("active"),
        license=pl.lit(None, pl.String),
        topics=pl.lit([], pl.List(pl.String)),
        guarded_inflow=pl.Series(inflow),
        guarded_influence=pl.Series(inflow),
        integrative_potential=pl.Series(potential).fill_nan(None),
    ).write_parquet(folder / "works.parquet")
    source = draw.integers(1, works, int(works * LINEAGE))
    target = (source * draw.random(source.size)).astype(np.int64)
    relation = np.array(["depends_on", "derives_from", "trained_on"])[draw.choice(3, source.size, p=[0.7, 0.2, 0.1])]
    pl.DataFrame({"source_node": numbers[source], "target_node": numbers[target], "relation": relation}).with_columns(
        source=pl.lit(""), target=pl.lit(""), weight=pl.lit(1, pl.Int64)
    ).unique(["source_node", "target_node", "relation"], keep="first", maintain_order=True).write_parquet(
        folder / "edges.parquet"
    )
    _credits(draw, numbers, people).write_parquet(folder / "credits.parquet")
    verified = pl.int_range(0, people, VERIFIED, eager=True)
    pl.DataFrame({"number": verified}).select(
        person_id=pl.lit("person:") + pl.col("number").cast(pl.String),
        subject=_account(pl.col("number")),
        name=pl.lit(None, pl.String),
        proof=pl.lit("synthetic"),
    ).write_parquet(folder / "claims.parquet")


def _credits(draw: np.random.Generator, numbers: NDArray[np.int64], people: int) -> pl.DataFrame:
    """One to many people a work; some have very many works, everybody has one at least where there are enough."""
    count = 1 + draw.poisson(MEAN_PEOPLE - 1, numbers.size)
    node = np.repeat(numbers, count)
    position = np.arange(node.size) - np.repeat(np.cumsum(count) - count, count) + 1
    skewed = (people * draw.random(node.size) ** 3).astype(np.int64)
    skewed[:people] = np.arange(people)[: node.size]
    frame = pl.DataFrame({"node": node, "position": position, "number": skewed})
    unique = frame.unique(["node", "number"], keep="first", maintain_order=True)
    return unique.select(
        "node",
        person_id=_account(pl.col("number")),
        name=pl.lit(None, pl.String),
        position="position",
        share=pl.lit(1, pl.Int64),
    )


def _account(number: pl.Expr) -> pl.Expr:
    return pl.lit("orcid:") + number.cast(pl.String).str.zfill(16)
