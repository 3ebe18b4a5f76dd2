"""The lattice: how deep a work sits in the graph, and how long its links have held within one chamber.

Works are the integers 0..n-1 of the day. Histories are one array a partition, oldest first and the day itself last,
with every array about the works of that day; where a work was not there, or in no chamber, it has -1. A partition is
a day of the lake from its opening on: the days before the opening were never seen and count as nothing, neither
for nor against a link.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.influence.chambers import project

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
History = Sequence[NDArray[Any]] | NDArray[Any]
"""(partitions, n), or that many arrays of shape (n,)."""

WINDOW = 30
"""Partitions that persistence and crystalline works look back on, the day itself included."""


@dataclass(frozen=True)
class Persistence:
    """Each pair of linked works once, sorted by (`low`, `high`), and on how many of the last `days` partitions (int64)
    both were in the same chamber."""

    low: Integers
    high: Integers
    together: Integers
    days: int

    @property
    def share(self) -> Floats:
        """together / days, 0..1."""
        return self.together / self.days


def core_numbers(n: int, source: NDArray[Any], target: NDArray[Any]) -> Integers:
    """The largest k such that the work is in the k-core of the simple undirected projection, shape (n,); 0 without
    links (Seidman 1983; Batagelj & Zaveršnik 2003). ValueError: as `chambers.project`."""
    import igraph

    graph = project(n, source, target)
    pairs = np.column_stack((graph.low, graph.high))
    return np.asarray(igraph.Graph(n=n, edges=pairs).coreness(mode="all"), dtype=np.int64)


def link_persistence(
    source: NDArray[Any], target: NDArray[Any], memberships: History, *, window: int = WINDOW
) -> Persistence:
    """The share of the last partitions in which both ends of a link were in the same chamber.

    `memberships`: one array a partition, oldest first, today last: chamber codes that need to mean something within
    their own partition only, -1 for none. The window is the last `window` partitions, or all where the lake has
    fewer. It is the same for every link, so one with a new work starts low; whether the link was known
    already does not matter, only where its ends were.

    ValueError: no partition, shapes differ, `window` below 1, and as `chambers.project`.
    """
    if window < 1:
        raise ValueError(f"window must be at least 1 partition, not {window}")
    if not len(memberships):
        raise ValueError("memberships: today's partition at least is needed")
    recent = memberships[-window:]
    n = recent[-1].size
    if any(day.shape != (n,) for day in recent):
        raise ValueError(f"memberships: every partition must be about the same {n} works")
    graph = project(n, source, target)
    together = np.zeros(graph.low.size, dtype=np.int64)
    for day in recent:  # one partition at a time, so that memory does not grow with the window
        low = day[graph.low]
        together += (low == day[graph.high]) & (low >= 0)
    return Persistence(graph.low, graph.high, together, len(recent))


def work_persistence(n: int, links: Persistence) -> Floats:
    """The mean persistence of the links of a work, shape (n,), 0..1; NaN without links. Every linked work counts
    once, whatever the number and weight of links to it. Summed in whole numbers and divided once, so it is exact."""
    ends = np.concatenate((links.low, links.high))
    degree = np.bincount(ends, minlength=n)
    together = np.zeros(n, dtype=np.int64)
    np.add.at(together, ends, np.concatenate((links.together, links.together)))
    return np.where(degree > 0, together / np.maximum(degree * links.days, 1), np.nan)


def crystalline(
    cores: History,
    persistence: History,
    *,
    core_at_least: int = 3,
    persistence_at_least: float = 0.5,
    window: int = WINDOW,
    minimum_days: int = 7,
) -> NDArray[np.bool_]:
    """Whether core number and persistence both stayed at or above their thresholds through the window, shape (n,).

    `cores`, `persistence`: (partitions, n) or sequences of shape (n,), oldest first, today last, as `core_numbers` and
    `work_persistence` gave them on each of the days; -1 or NaN where the work was not there or had no
    links, which is below any threshold. So a work younger than the window is not crystalline, and one that
    fell below for a single partition is not for the whole window after. While the lake has fewer partitions than
    `window`, all of them are the window; with fewer than `minimum_days` nothing is crystalline.

    ValueError: lengths or shapes differ, no partition, `window` or a threshold that everything would pass.
    """
    if not 0 < len(cores) == len(persistence):
        raise ValueError(f"{len(cores)} partitions of core numbers and {len(persistence)} of persistence")
    if window < 1 or core_at_least < 0 or not persistence_at_least >= 0:
        raise ValueError("window must be at least 1 and the thresholds not negative")
    depth, held = cores[-window:], persistence[-window:]
    shape = depth[-1].shape
    if any(day.shape != shape for day in (*depth, *held)):
        raise ValueError("every partition must be about the same works")
    stayed = np.full(shape, len(depth) >= minimum_days)
    for core, share in zip(depth, held, strict=True):
        stayed &= (core >= core_at_least) & (share >= persistence_at_least)
    return stayed
