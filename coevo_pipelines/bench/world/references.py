"""Drawing references: how many each work has, of which sort, whom they go to and by which name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.bench.attachment import APPEAL, CHUNK, NEWER_REACH, REFERENCE_SPREAD, fill_targets, sources_of
from coevo_pipelines.bench.vectors import Bytes, Flags, Floats, Ints, Small, choose
from coevo_pipelines.bench.world import shares
from coevo_pipelines.bench.world.kinds import (
    CATEGORIES,
    DATASET,
    KINDS,
    LINKS,
    MODEL,
    ON_BOTH,
    ON_OPENALEX,
    PAPER,
    PULL,
    REPOSITORY,
)
from coevo_pipelines.bench.world.shape import DOI, NEVER, OWN, RECORD, Shape, outside_names


@dataclass(frozen=True)
class References:
    """References in order of source: those of work w are starts[w] to starts[w + 1].

    target: an identifier. link: which of LINKS. second: a repetition of the row before, in other words. later: it
    stands in the repository only from its first update on.
    """

    starts: Ints
    target: Small
    link: Bytes
    second: Flags
    later: Flags


def draw_references(
    shape: Shape, kind: Bytes, field: Bytes, via: Bytes, has_doi: Flags, day: Small, group: Small,
    first_update: Small, speaks: Flags, rng: np.random.Generator,
) -> References:  # fmt: skip
    """The references of all works, by the vectors of `World`; speaks: whether a work says what it refers to."""
    weight = np.where(speaks, np.array([k.rows for k in KINDS])[kind], 0.0)
    weight *= rng.lognormal(0.0, REFERENCE_SPREAD, shape.works)
    bounds = np.zeros(shape.works + 1, dtype=np.int64)
    if weight.any():
        ends = np.cumsum(weight)
        bounds[1:] = ends * (round(shape.edges / (1 + shares.DOUBLE)) / ends[-1])
    strata = _strata(shape, kind, field, day, rng)
    before = _same_before(kind, group)
    counts = np.zeros(shape.works, dtype=np.int64)
    parts: list[tuple[Small, Bytes, Flags, Flags]] = []
    for first in range(0, int(bounds[-1]), CHUNK):
        source = sources_of(bounds, first, min(first + CHUNK, int(bounds[-1])))
        u = rng.random((11, source.size))
        link = _links(kind[source], u[0])
        work = _targets(strata, before, source, link, field, u)
        target = _named(shape, work, link, via, has_doi, u[6], u[3])
        double = u[7] < shares.DOUBLE
        other = _named(shape, work[double], link[double], via, has_doi, u[8][double], u[3][double], again=True)
        times = 1 + double.astype(np.int64)
        second = np.zeros(int(times.sum()), dtype=np.bool_)
        second[np.cumsum(times)[double] - 1] = True
        target = np.repeat(target, times)
        target[second] = other
        later = (u[10] < shares.LATER) & (first_update[source] != NEVER)
        counts += np.bincount(np.repeat(source, times), minlength=shape.works)
        parts.append((target.astype(np.int32), np.repeat(link, times), second, np.repeat(later, times)))
    nothing = np.zeros(0, dtype=np.int8)
    parts.append((nothing.astype(np.int32), nothing, nothing.astype(np.bool_), nothing.astype(np.bool_)))
    return References(np.append(0, np.cumsum(counts)), *(np.concatenate(part) for part in zip(*parts, strict=True)))


def _links(kind: Bytes, uniform: Floats) -> Bytes:
    """Which of LINKS each reference is, by the kind of its source."""
    link = np.zeros(kind.size, dtype=np.int8)
    for number in range(len(KINDS)):
        own = [place for place, one in enumerate(LINKS) if one.kind == number]
        rows = np.flatnonzero(kind == number)
        link[rows] = own[0] + choose([LINKS[place].share for place in own], uniform[rows])
    return link


def _same_before(kind: Bytes, group: Small) -> Ints:
    """The work before of the same kind by the same team or owner; -1 for none."""
    order = np.lexsort((group, kind))
    same = (kind[order[1:]] == kind[order[:-1]]) & (group[order[1:]] == group[order[:-1]]) & (group[order[1:]] >= 0)
    before = np.full(kind.size, -1, dtype=np.int64)
    before[order[1:][same]] = order[:-1][same]
    return before


class _Stratum:
    """Works that compete for the same references: of one kind, papers of one group of fields."""

    def __init__(self, members: Ints, appeal: NDArray[np.float32], opening_ends: int) -> None:
        self.members = members
        self.coming = int(np.searchsorted(members, opening_ends))
        """Place of the first member that appears after the opening."""
        self._appeal = appeal[members]
        self._targets = np.zeros(1024, dtype=np.int32)
        self._used = 0

    def attach(self, source: Ints, how: Floats, where: Floats, least: Floats) -> Ints:
        """The work that each reference goes to; -1 where none was there before the source."""
        found = np.full(source.size, -1, dtype=np.int64)
        before = np.searchsorted(self.members, source)
        rows = np.flatnonzero(before)
        first, last = self._used, self._used + rows.size
        if last > self._targets.size:
            self._targets = np.concatenate([self._targets, np.zeros(last, dtype=np.int32)])
        reach = max(1, int(NEWER_REACH * self.members.size))
        fill_targets(self._targets, first, before[rows], how[rows], where[rows], least[rows], self._appeal, reach)
        self._used = last
        found[rows] = self.members[self._targets[first:last]]
        return found

    def newer(self, source: Ints, where: Floats, *, coming: bool) -> Ints:
        """Any work that appears after the source, or after the opening too; -1 where there is none."""
        after = np.searchsorted(self.members, source, "right")
        after = np.maximum(after, self.coming) if coming else after
        place = after + ((self.members.size - after) * where).astype(np.int64)
        return np.where(after < self.members.size, np.append(self.members, -1)[place], -1)


def _strata(shape: Shape, kind: Bytes, field: Bytes, day: Small, rng: np.random.Generator) -> list[_Stratum]:
    """One for each group of fields (papers), then repositories, models, data sets."""
    appeal = rng.random(shape.works, dtype=np.float32)
    appeal **= APPEAL
    group = np.array([number for *_, number in CATEGORIES])[field]
    held = [(kind == PAPER) & (group == number) for number in range(len(PULL))]
    held += [kind == number for number in (REPOSITORY, MODEL, DATASET)]
    opening_ends = int(np.searchsorted(day, 1))
    return [_Stratum(np.flatnonzero(of), appeal, opening_ends) for of in held]


def _targets(strata: list[_Stratum], before: Ints, source: Ints, link: Bytes, field: Bytes, u: Floats) -> Ints:
    """(rows,): the work that each reference goes to; -1 for a name that never becomes one."""
    outside = u[1] < np.array([one.outside for one in LINKS])[link]
    stratum = np.array([-1, len(PULL), len(PULL) + 1, len(PULL) + 2, -1, -1])[
        np.array([one.target for one in LINKS])[link]
    ]
    group = np.array([number for *_, number in CATEGORIES])[field[source]]
    for number, pull in enumerate(PULL):
        rows = np.flatnonzero((stratum < 0) & (group == number))
        stratum[rows] = choose(pull, u[2][rows])
    work = np.full(source.size, -1, dtype=np.int64)
    far, coming = shares.TO_ITSELF + shares.TO_FAR_NEWER, shares.TO_ITSELF + shares.TO_FAR_NEWER + shares.TO_COMING
    for number, one in enumerate(strata):
        rows = np.flatnonzero(~outside & (stratum == number))
        work[rows] = one.attach(source[rows], u[4][rows], u[3][rows], u[5][rows])
        for low, high, late in ((shares.TO_ITSELF, far, False), (far, coming, True)):
            odd = rows[(u[8][rows] >= low) & (u[8][rows] < high)]
            work[odd] = one.newer(source[odd], u[3][odd], coming=late)
    own = ~outside & (u[9] < np.array([one.own for one in LINKS])[link]) & (u[8] >= coming) & (before[source] >= 0)
    work[own] = before[source[own]]
    twice = own & (u[2] < 0.5) & (before[work] >= 0)  # not always the latest
    work[twice] = before[work[twice]]
    itself = ~outside & (u[8] < shares.TO_ITSELF)
    work[itself] = source[itself]
    return work


def _named(
    shape: Shape, work: Ints, link: Bytes, via: Bytes, has_doi: Flags, uniform: Floats, where: Floats,
    *, again: bool = False,
) -> Ints:  # fmt: skip
    """The identifier by which each reference names its target: what its source is likely to know."""
    from_paper = link == 0
    if again:
        wanted = np.where(uniform < 0.5, DOI, OWN)
    else:  # OpenAlex names its own ids; cards, tags and READMEs name arXiv's; DOIs are in both
        by_openalex = np.where(uniform < 0.88, RECORD, np.where(uniform < 0.96, DOI, OWN))
        by_others = np.where(uniform < 0.75, OWN, np.where(uniform < 0.95, DOI, RECORD))
        wanted = np.where(from_paper, by_openalex, by_others)
    known = via[work]
    there = np.select(
        [wanted == OWN, wanted == DOI, wanted == RECORD],
        [known != ON_OPENALEX, has_doi[work], (known == ON_BOTH) | (known == ON_OPENALEX)],
    )
    slot = np.where(there, wanted, np.where(known == ON_OPENALEX, RECORD, OWN))
    sort = np.array([0, 3, 4, 5, 0, 6])[np.array([one.target for one in LINKS])[link]]
    # A paper outside is named as its source would; where it is named twice, both times alike.
    sort = np.where((sort == 0) & ~from_paper, 2, sort)
    sort = np.where((sort % 2 == 0) & (sort < 3) & (where * 1024 % 1 < 0.1), 1, sort)
    starts, counts = outside_names(shape)
    spread = where * where * where
    spread = np.where(sort == 6, spread * where * where, spread)  # everybody needs the same few packages
    return np.where(work >= 0, 3 * work + slot, starts[sort] + (counts[sort] * spread).astype(np.int64))
