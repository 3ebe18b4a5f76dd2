"""Why is a work's influence what it is: the links that bring it, and the paths on which readers came.

x_i = p_i/Σy + Σ_j d P_ji x_j: a share of readers starts at the work itself, the rest arrives over links. Followed
back, each of those arrived over links too: the influence of a work is the sum, over all paths that end in it, of
what starts at the path's beginning times d P along it.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from coevo_pipelines.influence.links import MOST_RELATIONS, RELATION_BITS, Held, unpack
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
        found, complete = self._strongest(work, paths)
        return Explanation(
            influence=float(self.solution.influence[work]),
            started=self._started(work),
            arrivals=[self._arrival(place) for place in range(*self._into(work))],
            paths=found,
            complete=complete,
        )

    def _strongest(self, work: int, wanted: int) -> tuple[list[Path], bool]:
        """Best first: the influence of where a path begins bounds all that can come through its beginning.

        Of the links into a work only the strongest waits in the queue; the next one follows when it is taken.
        """
        found: list[Path] = []
        number = itertools.count()  # of two equally strong ones the first that was met
        queue: list[tuple[float, int, _Way, bool]] = []

        def wait(flow: float, way: _Way, whole: bool) -> None:
            if flow > 0:
                heapq.heappush(queue, (-flow, next(number), way, whole))

        def longer(way: _Way | None, first: int, passed_on: float, link: int) -> None:
            """A way that begins at `first`, with a link before it."""
            if link < self._into(first)[1]:
                wait(passed_on * float(self._flows.flow[link]), _Way(link, passed_on, first, way), False)

        longer(None, work, 1.0, self._into(work)[0])
        for _step in range(MOST_STEPS):
            if not queue or len(found) >= wanted:
                return found, True
            bound, _, way, whole = heapq.heappop(queue)
            if whole:
                found.append(self._path(way, -bound))
                continue
            first = int(self._flows.source[way.link])
            passed_on = -bound / float(self.solution.influence[first])
            longer(way.rest, way.onto, way.passed_on, way.link + 1)
            wait(passed_on * self._started(first), way, True)
            longer(way, first, passed_on, self._into(first)[0])
        return found, False

    def _path(self, way: _Way, flow: float) -> Path:
        works, relations = [int(self._flows.source[way.link])], []
        step: _Way | None = way
        while step is not None:
            works.append(step.onto)
            relations.append(int(self._flows.relation[step.link]))
            step = step.rest
        return Path(tuple(works), tuple(relations), flow)

    def _started(self, work: int) -> float:
        return float(self.teleport[work] / self._mass / self.solution.scale)

    def _arrival(self, place: int) -> Arrival:
        flows = self._flows
        return Arrival(int(flows.source[place]), int(flows.relation[place]), float(flows.flow[place]))

    def _into(self, work: int) -> tuple[int, int]:
        """Where the links into a work begin and end."""
        start, end = np.searchsorted(self._flows.target, [work, work + 1])
        return int(start), int(end)

    @cached_property
    def _mass(self) -> float:
        return float(self.teleport.sum())

    @cached_property
    def _flows(self) -> _Links:
        """All links, and what comes over each."""
        source, target, relation = unpack(self.links.packed)
        if self.links.position is not None:
            work = np.argsort(self.links.position)
            source, target = work[source], work[target]
        weight = self.links.weight if self.links.weight.size else np.ones(source.size)
        # A source's out-mass goes to its relation types by their weight, inside a type by the links' weight.
        kinds, kind = np.unique(source << RELATION_BITS | relation, return_inverse=True)
        of_kind = np.array(self.relation_weight)[kinds & (MOST_RELATIONS - 1)]
        present = np.bincount(kinds >> RELATION_BITS, weights=of_kind, minlength=self.links.n)
        share = of_kind / np.where(present > 0, present, 1.0)[kinds >> RELATION_BITS]
        inside = weight / np.bincount(kind, weights=weight)[kind] if kind.size else weight
        flow = self.damping * share[kind] * inside * self.solution.influence[source]
        order = np.lexsort((relation, source, -flow, target))
        return _Links(source[order], target[order], relation[order], flow[order])


@dataclass(frozen=True)
class _Links:
    """In order of target, the strongest of each target first."""

    source: Integers
    target: Integers
    relation: Integers
    flow: Floats


@dataclass(frozen=True, eq=False)
class _Way:
    """The end of a path: a link, what of its target's influence goes on to the path's last work, and the rest."""

    link: int
    passed_on: float
    onto: int
    rest: _Way | None
