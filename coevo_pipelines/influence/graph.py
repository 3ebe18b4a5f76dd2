"""The graph of a day on work numbers: works in order of event time, links between their places in that order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from coevo_pipelines.influence.weights import RELATION_WEIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

RELATIONS = tuple(RELATION_WEIGHT)
"""Relation types, in the order of their numbers."""


@dataclass(frozen=True)
class Graph:
    """Works 0..n-1 and the links between them that count (weight 1), in a canonical order."""

    works: pl.DataFrame
    """One row a work, in order of `node`: at least node_id, node, is_stub, kind, title, owner, created_at, event_at,
    fields, tags."""
    source: Integers
    target: Integers
    relation: Integers
    """Place in `RELATIONS`."""
    event_at: Integers
    """µs since 1970."""
    own: int
    """Links of weight 0, left out: within one work, owner or author set."""

    @property
    def n(self) -> int:
        return self.works.height

    def weight(self, relation_weight: Mapping[str, float]) -> NDArray[np.float64]:
        """What each link weighs by its type."""
        return np.array([relation_weight[name] for name in RELATIONS])[self.relation]


def graph_of(works: pl.DataFrame, edges: pl.DataFrame) -> Graph:
    """The graph of `citations.asof.works` and `.edges`, whatever the order of their rows."""
    works = works.sort("node")
    numbers = works["node"].to_numpy()
    counted = edges.filter(pl.col("weight") > 0)
    codes = counted["relation"].replace_strict(RELATIONS, range(len(RELATIONS)), return_dtype=pl.Int64)
    source = np.searchsorted(numbers, counted["source_node"].to_numpy())
    target = np.searchsorted(numbers, counted["target_node"].to_numpy())
    relation = codes.to_numpy()
    order = np.lexsort((relation, target, source))
    event_at = microseconds(counted["event_at"])
    return Graph(
        works, source[order], target[order], relation[order], event_at[order], own=edges.height - counted.height
    )


def microseconds(moments: pl.Series, missing: int = np.iinfo(np.int64).min) -> Integers:
    """Timestamps as µs since 1970, `missing` where null."""
    return moments.dt.timestamp("us").fill_null(missing).to_numpy()
