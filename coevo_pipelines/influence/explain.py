"""Why is a work's influence what it is: the links that bring it, and the paths on which readers came.

x_i = p_i/Σy + Σ_j d P_ji x_j: a share of readers starts at the work itself, the rest arrives over links. Followed
back, each of those arrived over links too: the influence of a work is the sum, over all paths that end in it, of
what starts at the path's beginning times d P along it.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from coevo_pipelines.influence.links import Held, unpack
from coevo_pipelines.influence.pagerank import UNTYPED, Solution

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

MOST_STEPS = 200_000
"""Paths looked at before giving up on finding more: large cycles have endlessly many."""


@dataclass(frozen=True)
class Arrival:
    """A link into the work; `flow` is in units of influence (all works together have 1)."""

    source: int
    relation: int
    flow: float


@dataclass(frozen=True)
class Path:
    """A way on which influence came, from where readers started to the work."""

    works: tuple[int, ...]
    relations: tuple[int, ...]
    flow: float


@dataclass(frozen=True)
class Explanation:
    """Where the influence of one work comes from."""

    influence: float
    started: float
    """What starts at the work itself: the teleport's part."""
    arrivals: Sequence[Arrival]
    """All links into it, the strongest first; with `started` they sum to `influence`."""
    paths: Sequence[Path]
    """The strongest ones of more than the work itself, the strongest first."""
    complete: bool
    """False when the search was given up before as many paths as asked were found."""


@dataclass(frozen=True)
class Flows:
    """A solved graph, ready to be asked about any work."""

    links: Held
    solution: Solution
    teleport: Floats
    damping: float
    relation_weight: tuple[float, ...] = UNTYPED

    def explain(self, work: int, paths: int = 10) -> Explanation:
        """Links and the `paths` strongest paths into `work`. Raises IndexError for a work that is not there."""
        if not 0 <= work < self.links.n:
            raise IndexError(f"there is no work {work}: there are {self.links.n}")
        arrivals = sorted(self._into(work), key=lambda each: (-each.flow, each.source, each.relation))
        found, complete = self._strongest(work, paths)
        return Explanation(
            influence=float(self.solution.influence[work]),
            started=self._started(work),
            arrivals=arrivals,
            paths=found,
            complete=complete,
        )

    def _strongest(self, work: int, wanted: int) -> tuple[list[Path], bool]:
        """Best first: the influence of where a path begins bounds all that can come through its beginning."""
        found: list[Path] = []
        queue: list[tuple[float, tuple[int, ...], tuple[int, ...], bool]] = []
        heapq.heappush(queue, (-float(self.solution.influence[work]), (work,), (), False))
        for _step in range(MOST_STEPS):
            if not queue or len(found) == wanted:
                return found, True
            bound, works, relations, whole = heapq.heappop(queue)
            if whole:
                found.append(Path(works, relations, -bound))
                continue
            first = works[0]
            here = float(self.solution.influence[first])
            passed_on = -bound / here if here > 0 else 0.0
            if relations and (started := passed_on * self._started(first)) > 0:
                heapq.heappush(queue, (-started, works, relations, True))
            for arrival in self._into(first):
                if passed_on * arrival.flow > 0:
                    ahead = (arrival.source, *works), (arrival.relation, *relations)
                    heapq.heappush(queue, (-passed_on * arrival.flow, *ahead, False))
        return found, False

    def _started(self, work: int) -> float:
        return float(self.teleport[work] / self._mass / self.solution.scale)

    def _into(self, work: int) -> list[Arrival]:
        """The links into a work, with what comes over each."""
        start, end = np.searchsorted(self._by_target[1], [work, work + 1])
        return [self._arrival(int(link)) for link in self._by_target[0][start:end]]

    def _arrival(self, link: int) -> Arrival:
        source, relation = int(self._links[0][link]), int(self._links[2][link])
        start, end = np.searchsorted(self._links[0], [source, source + 1])
        kinds = self._links[2][start:end]
        weights = self.weight[start:end]
        present = sum(self.relation_weight[kind] for kind in np.unique(kinds))
        inside = weights[kinds == relation].sum()
        share = self.relation_weight[relation] / present * self.weight[link] / inside if present > 0 else 0.0
        return Arrival(source, relation, float(self.damping * share * self.solution.influence[source]))

    @cached_property
    def _mass(self) -> float:
        return float(self.teleport.sum())

    @cached_property
    def _order(self) -> Integers:
        """Of the links, by their own work numbers."""
        return (
            np.arange(self.links.packed.size)
            if self.links.position is None
            else np.argsort(self._unsorted[0], kind="stable")
        )

    @cached_property
    def _unsorted(self) -> tuple[Integers, Integers, Integers]:
        source, target, relation = unpack(self.links.packed)
        if self.links.position is None:
            return source, target, relation
        work = np.argsort(self.links.position)
        return work[source], work[target], relation

    @cached_property
    def _links(self) -> tuple[Integers, Integers, Integers]:
        """Source, target, relation, in order of source."""
        source, target, relation = self._unsorted
        return source[self._order], target[self._order], relation[self._order]

    @cached_property
    def weight(self) -> Floats:
        """Of each link, in order of source."""
        return self.links.weight[self._order] if self.links.weight.size else np.ones(self.links.packed.size)

    @cached_property
    def _by_target(self) -> tuple[Integers, Integers]:
        """Places of the links in order of target, and those targets."""
        order = np.argsort(self._links[1], kind="stable")
        return order, self._links[1][order]
