"""Drawing a world, once, as vectors of numbers: works in order of creation, references in order of source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.bench.vectors import Bytes, Flags, Floats, Ints, Small, chances, choose, cumulative, hashed
from coevo_pipelines.bench.world import shares
from coevo_pipelines.bench.world.kinds import (
    CATEGORIES,
    KINDS,
    NO_PAPER,
    ON_ARXIV,
    ON_BOTH,
    ON_OPENALEX,
    PAPER,
    REPOSITORY,
    Kind,
)
from coevo_pipelines.bench.world.references import References, draw_references
from coevo_pipelines.bench.world.shape import DAY_US, MONTH_US, NEVER, Shape, outside_names, start_of


@dataclass(frozen=True)
class Teams:
    """Members of team t are members[starts[t] : starts[t + 1]], in order of the names on a paper.

    by_name, by_orcid: a number that tells two sets of members apart, by names alone or by ORCID iDs where they have
    one: a service that gives those calls the same people otherwise than one that does not.
    """

    starts: Ints
    members: Small
    by_name: NDArray[np.uint64]
    by_orcid: NDArray[np.uint64]


@dataclass(frozen=True)
class World:
    """All of a world as numbers. Vectors by work (in order of creation), by team, and by reference.

    Days are indices of partitions (0 is the opening, NEVER is beyond the last). created: microseconds since 1970.
    record: day since 1970 of the OpenAlex record; record_day: its partition. link_day: from which on the record is
    known to be the paper's. leave_day: from which on its DOI is not. group: team of a paper, owner of the rest.
    place: number in its month, of a paper on arXiv.
    """

    shape: Shape
    kind: Bytes
    field: Bytes
    via: Bytes
    has_doi: Flags
    created: Ints
    day: Small
    record: Small
    record_day: Small
    link_day: Small
    leave_day: Small
    first_update: Small
    group: Small
    place: Small
    teams: Teams
    references: References

    @property
    def names(self) -> int:
        """How many identifiers there are."""
        starts, counts = outside_names(self.shape)
        return int(starts[-1] + counts[-1])

    def chance(self, what: str, of: NDArray[Any]) -> Floats:
        """A number in [0, 1) for each of `of`, the same whenever it is asked."""
        return chances(of, f"{self.shape.seed} {what}")

    def pick(self, what: str, of: NDArray[Any], among: int) -> Ints:
        """A number below `among` for each of `of`."""
        return (self.chance(what, of) * among).astype(np.int64)


def draw(shape: Shape) -> World:
    """The world of this shape: every number of it, drawn in one order from its seed."""
    rng = np.random.default_rng([shape.seed, 10])
    kind, via, created = _appearances(shape, rng)
    works, opening = shape.works, start_of(shape.first_day)
    paper = kind == PAPER
    day = np.clip((created - opening) // DAY_US, 0, shape.days - 1).astype(np.int32)
    has_doi = paper & (rng.random(works) < np.append(shares.WITH_DOI, 0.0)[via])
    # The record of a paper on arXiv is dated a day later at least, so that arXiv's id always is the older one.
    wait = 1 + (shares.RECORD_DELAY * rng.random(works) ** 2).astype(np.int64)
    record = created // DAY_US + np.where(via == ON_BOTH, wait, 0)
    recorded = (via == ON_BOTH) | (via == ON_OPENALEX)
    record_day = _partition(shape, np.maximum(record - opening // DAY_US, 0), recorded)
    late = (rng.random(works) < shares.LATE_LINK) * (1 + (shares.LATE_LINK_DAYS * rng.random(works)).astype(np.int64))
    linked = (via == ON_BOTH) | ((via == ON_OPENALEX) & has_doi)
    link_day = _partition(shape, record_day + late, linked)
    leaving = (via == ON_ARXIV) & has_doi & (day == 0) & (rng.random(works) < shares.LET_GO) & (shape.days > 1)
    leave_day = _partition(shape, 1 + (max(shape.days - 1, 1) * rng.random(works)).astype(np.int64), leaving)
    of_papers, of_code = zip(*((papers, code) for _, papers, code, _ in CATEGORIES), strict=True)
    uniform = rng.random(works)
    field = np.where(paper, choose(of_papers, uniform), choose(of_code, uniform))
    group, how_many = _groups(kind, rng)
    teams = _teams(shape, how_many, int(paper.sum()), rng)
    first_update = _first_updates(shape, kind, day)
    speaks = ~paper | (record_day != NEVER)
    references = draw_references(shape, kind, field, via, has_doi, day, group, first_update, speaks, rng)
    return World(
        shape, kind, field, via, has_doi, created, day, record.astype(np.int32), record_day, link_day, leave_day,
        first_update, group, _places(created, via), teams, references,
    )  # fmt: skip


def _partition(shape: Shape, day: Ints, there: Flags) -> Small:
    """`day` where `there` and the world lasts so long, else NEVER."""
    return np.where(there & (day < shape.days), day, NEVER).astype(np.int32)


def _inflow(shape: Shape) -> Ints:
    """(days,): how many works appear on each day, beside the history of the opening."""
    first = shape.first_day.weekday()
    weekdays = np.array([shares.WEEKDAYS[(first + day) % 7] for day in range(shape.days)])
    daily = max(shares.DAILY_SHARE * shape.works, min(shares.LEAST_DAILY, shape.works / 2 / shape.days))
    return np.asarray(daily * weekdays, dtype=np.int64)


def _appearances(shape: Shape, rng: np.random.Generator) -> tuple[Bytes, Bytes, Ints]:
    """(kind, via, created) of each work, in order of creation."""
    inflow = _inflow(shape)
    history = shape.works - int(inflow.sum())
    kind = choose([k.share for k in KINDS], rng.random(shape.works))
    uniform = rng.random(shape.works)
    opening = start_of(shape.first_day)
    created = np.empty(shape.works, dtype=np.int64)
    for number, one in enumerate(KINDS):
        rows = np.flatnonzero(kind[:history] == number)
        created[rows] = opening - one.months * MONTH_US + _growing(one, uniform[rows])
    days = np.repeat(np.arange(shape.days, dtype=np.int64), inflow)
    created[history:] = opening + days * DAY_US + (uniform[history:] * DAY_US).astype(np.int64)
    via = choose([*shares.VIA, 1 - sum(shares.VIA)], rng.random(shape.works))
    via[kind != PAPER] = NO_PAPER
    # OpenAlex knows a date of publication, the others a second.
    created -= created % np.where(via == ON_OPENALEX, DAY_US, 1_000_000)
    order = np.argsort(created, kind="stable")
    return kind[order], via[order], created[order]


def _growing(kind: Kind, uniform: Floats) -> Ints:
    """Microseconds from the start of the kind's history: months grow by its growth, each is even in itself."""
    ends = cumulative(np.cumprod(np.full(kind.months, kind.growth)).tolist())
    starts = np.append(0.0, ends[:-1])
    month = np.minimum(np.searchsorted(ends, uniform, "right"), kind.months - 1)
    within = (uniform - starts[month]) / (ends[month] - starts[month])
    micros: Ints = ((month + within) * MONTH_US).astype(np.int64)
    return np.minimum(micros, kind.months * MONTH_US - 1)


def _places(created: Ints, via: Bytes) -> Small:
    """The number of each paper on arXiv within its calendar month, from 1; 0 for the rest."""
    places = np.zeros(created.size, dtype=np.int32)
    rows = np.flatnonzero(via <= ON_BOTH)
    month = created[rows].astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    places[rows] = np.arange(rows.size) - np.searchsorted(month, month, "left") + 1
    return places


def _groups(kind: Bytes, rng: np.random.Generator) -> tuple[Small, int]:
    """(team or owner of each work, how many teams): few have very many works. -1: nobody's."""
    uniform = rng.random(kind.size)
    paper, repository, hub = kind == PAPER, kind == REPOSITORY, kind > REPOSITORY
    teams, owners, accounts = (max(1, int(of.sum()) // share) for of, share in ((paper, 3), (repository, 3), (hub, 4)))
    group = np.where(paper, teams * uniform * np.sqrt(uniform), np.where(repository, owners, accounts) * uniform**2)
    group[hub & (rng.random(kind.size) < shares.WITHOUT_OWNER)] = -1
    return group.astype(np.int32), teams


def _teams(shape: Shape, teams: int, authors: int, rng: np.random.Generator) -> Teams:
    authors = max(authors, 20)
    team = np.repeat(np.arange(teams), choose(shares.TEAM_SIZES, rng.random(teams)).astype(np.int64) + 1)
    # Productivity is heavy-tailed: the power puts the small numbers into many teams.
    uniform = rng.random(team.size)
    each = np.unique(team * authors + (authors * uniform * np.sqrt(uniform)).astype(np.int64))
    team, member = each // authors, each % authors
    starts = np.searchsorted(team, np.arange(teams + 1))
    known = member + (has_orcid(shape.seed, member).astype(np.int64) << 40)
    by_name, by_orcid = (np.add.reduceat(hashed(who, "author"), starts[:-1]) for who in (member, known))
    return Teams(starts, member.astype(np.int32), by_name, by_orcid)


def has_orcid(seed: int, author: Ints) -> Flags:
    """Whether each author has an ORCID iD: the same whenever it is asked."""
    return chances(author, f"{seed} orcid") < shares.WITH_ORCID


def updated_on(shape: Shape, kind: Bytes, day: Small, on: int) -> Ints:
    """The repositories that are pushed to on partition `on`, having appeared before."""
    there = np.flatnonzero((kind == REPOSITORY) & (day < on))
    return there[chances(there, f"{shape.seed} push {on}") < shares.UPDATED]


def _first_updates(shape: Shape, kind: Bytes, day: Small) -> Small:
    first = np.full(kind.size, NEVER, dtype=np.int32)
    for on in range(shape.days - 1, 0, -1):
        first[updated_on(shape, kind, day, on)] = on
    return first
