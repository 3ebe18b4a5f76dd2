"""Synthetic worlds of any size: for measuring, never for citing.

`days` gives the tables of `traces` and `citations` day by day, `write` commits them as a lake of the world
`synthetic`, and `edge_list` writes a bare citation graph for stages that work on integers.

A world is drawn once as vectors of numbers (works in order of creation, references by source); text is made from
them a day at a time. A work has up to three identifiers: its own (arXiv, GitHub, Hub), a DOI and an OpenAlex id.
Identifiers are numbered `3 * work + slot` (OWN, DOI, RECORD); names that never become works come after those.
As every work knows which of its names are joined from which day on, the graph of a day follows without a join over
text. That it is the same graph that the stage computes is tested, table by table.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.influence.kernel import kernel
from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.ledger import Commit
from coevo_pipelines.lake.store import Lake, LakeError, Snapshot
from coevo_pipelines.windows import DAY, midnight

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

Ints = NDArray[np.int64]
Small = NDArray[np.int32]
Bytes = NDArray[np.int8]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Tables = Iterator[tuple[str, "pl.DataFrame"]]
"""Tables by name, each made when it is asked for."""

CHUNK = 1_000_000
"""Rows drawn, or written as one row group, at a time."""

WORLD = "synthetic"
"""The label of the lake: neither `sample` nor `live`, so that no settings open it by mistake."""

# ---------------------------------------------------------------------------------------------------------------
# What the world is like. Shares are of works or of references; each with the reason for its size.

HISTORY_MONTHS = 180
MONTH_US = 2_629_800_000_000
"""Fifteen years of months of 30.4375 days, in microseconds: the opening partition holds them."""

GROWTH = 1.011619440301923
"""Monthly growth of papers: the yearly output doubles every five years, as arXiv's did from 2011 to 2026."""

DAILY_SHARE = 0.000434
"""A day's inflow as a share of all works: what that growth gives for the day after fifteen years."""

LEAST_DAILY = 20
"""In a small world that would be nothing: at least so many works a day, while half of all stay history."""

WEEKDAYS = (1.1, 1.15, 1.15, 1.1, 1.05, 0.75, 0.7)
"""Monday to Sunday: fewer papers and repositories appear on weekends."""


@dataclass(frozen=True)
class _Kind:
    """One of schemas.KINDS. share: of all works. rows: references a work. growth: monthly. months: of history."""

    name: str
    share: float
    rows: float
    growth: float
    months: int


# Papers and repositories are what a topic's search finds most of. The Hub keeps dates since 2022-03-02 (46 months
# before 2026) and doubles yearly; it holds about three models for each data set and each space.
_KINDS = (
    _Kind("paper", 0.62, 12.0, GROWTH, 180),
    _Kind("repository", 0.18, 8.0, 1.0145, 180),
    _Kind("model", 0.12, 2.5, 1.0595, 46),
    _Kind("dataset", 0.04, 1.5, 1.0595, 46),
    _Kind("space", 0.04, 1.8, 1.0595, 46),
)
PAPER, REPOSITORY, MODEL, DATASET, SPACE = range(5)
ARXIV, GITHUB, HUGGINGFACE, OPENALEX = range(4)


@dataclass(frozen=True)
class _Link:
    """References of one sort. share: of those of the source's kind. outside: to works that never appear."""

    kind: int
    relation: str
    target: int
    share: float
    outside: float
    evidence: str
    own: float = 0.0


_PACKAGE = 5
# Outside: a paper's list leaves the topic for a fifth here (in life for more, but then there is little graph to
# measure); packages are never works; base models and data sets often belong to somebody whom no topic follows.
# Own: a tenth of citations are by an author of the cited work; on the Hub people quantize their own models.
_LINKS = (
    _Link(PAPER, "cites", PAPER, 1.0, 0.2, "referenced_works[{}]", 0.1),
    _Link(REPOSITORY, "depends_on", _PACKAGE, 0.45, 1.0, "requirements.txt line {}"),
    _Link(REPOSITORY, "mentions", REPOSITORY, 0.2, 0.3, "README.md line {}", 0.15),
    _Link(REPOSITORY, "mentions", PAPER, 0.15, 0.15, "README.md line {}"),
    _Link(REPOSITORY, "cites", PAPER, 0.12, 0.15, "CITATION.cff line {}"),
    _Link(REPOSITORY, "derives_from", REPOSITORY, 0.08, 0.3, "repository: fork parent {}", 0.05),
    _Link(MODEL, "derives_from", MODEL, 0.4, 0.35, "card base_model[{}]", 0.3),
    _Link(MODEL, "trained_on", DATASET, 0.28, 0.3, "card datasets[{}]"),
    _Link(MODEL, "cites", PAPER, 0.24, 0.2, "tag arxiv[{}]"),
    _Link(MODEL, "mentions", REPOSITORY, 0.08, 0.3, "README.md line {}"),
    _Link(DATASET, "derives_from", DATASET, 0.35, 0.3, "tag dataset[{}]", 0.2),
    _Link(DATASET, "cites", PAPER, 0.4, 0.2, "tag arxiv[{}]"),
    _Link(DATASET, "mentions", REPOSITORY, 0.25, 0.3, "README.md line {}"),
    _Link(SPACE, "mentions", MODEL, 0.5, 0.2, "README.md line {}"),
    _Link(SPACE, "trained_on", DATASET, 0.15, 0.3, "card datasets[{}]"),
    _Link(SPACE, "depends_on", _PACKAGE, 0.35, 1.0, "requirements.txt line {}"),
)
SAID_TWICE = "comment: reference {}"

COPIED = 0.65
"""Share of references that are found in somebody else's reference list. Copying the target of a random earlier
reference *is* preferential attachment. With appeal and ageing it gives what citation counts are measured to have:
a tail exponent near 3, a quarter of all citations on one work in a hundred, four works in ten never cited."""

APPEAL = 2
"""The appeal of a work is a uniform number to this power: most works have little."""

NEWER = 0.002
"""Share of references to a work that is a little newer (revised preprints cite each other): without them a
citation graph has no cycles, and a solver that only works on acyclic graphs would look right."""

NEWER_REACH = 0.003
"""How far ahead those point, as a share of all works: about two weeks at the growth above."""

REFERENCE_SPREAD = 0.9
"""Sigma of the lognormal lengths of reference lists."""

DOUBLE = 0.04
"""References said a second time, under another name of the target or by another source: lists and READMEs overlap."""

LATER = 0.05
"""References of a repository that stand in it only from its first update on."""

UPDATED = 0.004
"""Repositories pushed to on a day; each says all its references again, as a scrape of its files does."""

TO_ITSELF = 0.0003
TO_FAR_NEWER = 0.0006
TO_COMING = 0.0006
"""Dirt: links to oneself; to works of years later (a page of today read as of its first day), which quarantine is
for; to works that appear on a later day of the world."""

VIA = (0.15, 0.5)
"""Papers on arXiv alone, and on arXiv with a record of OpenAlex; the rest has the record alone."""

WITH_DOI = (0.35, 0.4, 0.85)
"""Papers with a DOI, for these three: arXiv knows it for those that a journal took, OpenAlex for most."""

RECORD_DELAY = 60
"""Days until OpenAlex has a paper of arXiv, at most; half within a quarter of that."""

LATE_LINK = 0.02
LATE_LINK_DAYS = 5
"""Records that are told to be a paper's only some days later, and within how many: two nodes become one."""

LET_GO = 0.002
"""Papers whose DOI is taken back on a later day: journals do correct their metadata, rarely."""

WITHOUT_OWNER = 0.01
"""Hub entries from before every name had an account in front."""

WITH_ORCID = 0.55
TEAM_SIZES = (0.14, 0.19, 0.19, 0.16, 0.12, 0.08, 0.05, 0.03, 0.02, 0.02)
"""Teams of 1 to 10 authors: the mean is 3.9, as on arXiv."""

UNSEEN = 0.25
RECONSTRUCTED_EVERY = 7
LATE_HOURS = 72
"""Pages of the opening that were asked for too late, and every which day was: their counters are null."""

REJECTED = 0.002
ODD_TITLE = 0.01
PAGE = 100
"""Works in one raw answer."""

# Share of papers, and of code and models, by field; the number is the group that mostly cites itself.
_CATEGORIES = (
    ("cs.LG", 0.12, 0.3, 0), ("cs.CV", 0.09, 0.2, 0), ("cs.CL", 0.08, 0.22, 0), ("cs.AI", 0.06, 0.06, 0),
    ("stat.ML", 0.03, 0.02, 0), ("cs.NE", 0.02, 0.03, 0), ("cs.RO", 0.04, 0.04, 1), ("cs.CR", 0.03, 0.02, 1),
    ("cs.DC", 0.02, 0.03, 1), ("cs.SE", 0.02, 0.03, 1), ("eess.SP", 0.04, 0.01, 1), ("math.OC", 0.04, 0.01, 2),
    ("math.AP", 0.06, 0.0, 2), ("math.CO", 0.05, 0.0, 2), ("cond-mat.soft", 0.04, 0.0, 3),
    ("cond-mat.mtrl-sci", 0.05, 0.005, 3), ("quant-ph", 0.06, 0.005, 3), ("physics.optics", 0.03, 0.0, 3),
    ("hep-ph", 0.03, 0.0, 4), ("astro-ph.GA", 0.05, 0.0, 4), ("q-bio.PE", 0.02, 0.01, 5), ("econ.EM", 0.02, 0.01, 5),
)  # fmt: skip
_PULL = (
    (0.82, 0.1, 0.03, 0.02, 0.01, 0.02),
    (0.28, 0.64, 0.04, 0.02, 0.0, 0.02),
    (0.06, 0.05, 0.83, 0.04, 0.01, 0.01),
    (0.05, 0.02, 0.04, 0.8, 0.07, 0.02),
    (0.02, 0.01, 0.03, 0.09, 0.84, 0.01),
    (0.14, 0.05, 0.06, 0.05, 0.01, 0.69),
)
"""Row: the group that cites; column: the group that is cited. Fields cite themselves and machine learning."""

OWN, DOI, RECORD = range(3)
"""Slots of a work's identifiers."""

ON_ARXIV, ON_BOTH, ON_OPENALEX, NO_PAPER = range(4)
NEVER = 1 << 30
FEWEST_WORKS = 10
FEWEST_WORKS = 10
FEWEST_WORKS = 10
FEWEST_WORKS = 10
MOST_WORKS = 15_000_000
"""From there on arXiv's five digits a month would not do."""

DAY_US = 86_400_000_000

_OUTSIDE = (("record", 0.35), ("doi", 0.05), ("arxiv", 0.02), ("repository", 0.05), ("model", 0.02),
            ("dataset", 0.01), ("package", 0.02))  # fmt: skip
"""Names that never become works, for each work of the world: many, most of them named once."""


@dataclass(frozen=True)
class Shape:
    """How large a world is, and which one. works: that appear in all. edges: raw references, about.

    Partition 1 of `days` (on `first_day`) is the opening: it holds fifteen years of history.
    """

    works: int
    edges: int
    days: int
    seed: int
    first_day: date = date(2026, 1, 1)

    def __post_init__(self) -> None:
        if not FEWEST_WORKS <= self.works <= MOST_WORKS:
            raise ValueError(f"works = {self.works:,}: a world has {FEWEST_WORKS} to {MOST_WORKS:,}")
        if self.edges < 0 or self.days < 1:
            raise ValueError(f"edges = {self.edges:,}, days = {self.days}: a world has at least 0 and 1")

    @property
    def history_from(self) -> date:
        """The first day that the opening reaches back to."""
        start = midnight(self.first_day) - timedelta(microseconds=HISTORY_MONTHS * MONTH_US)
        return start.date()

    def date_of(self, day: int) -> date:
        return self.first_day + day * DAY


@dataclass(frozen=True)
class Day:
    """The tables of one partition, by name, with the registry's columns. Not sorted: `Lake.write` does that."""

    day: date
    traces: dict[str, pl.DataFrame]
    citations: dict[str, pl.DataFrame]
    observed_until: datetime


@dataclass(frozen=True)
class Summary:
    """What `write` made: rows of each table over all days."""

    partitions: int
    rows: Mapping[str, int]
    bytes: int
    seconds: float

    def __str__(self) -> str:
        rows = ", ".join(f"{name} {count:,}" for name, count in self.rows.items())
        return f"{self.partitions} partitions, {self.bytes / 1e6:,.1f} MB, {self.seconds:.0f} s: {rows}"


@dataclass(frozen=True)
class _Teams:
    """Members of team t are members[starts[t] : starts[t + 1]], in order of the names on a paper.

    by_name, by_orcid: a number that tells two sets of members apart, by names alone or by ORCID iDs where they have
    one: a service that gives those calls the same people otherwise than one that does not.
    """

    starts: Ints
    members: Small
    by_name: NDArray[np.uint64]
    by_orcid: NDArray[np.uint64]


@dataclass(frozen=True)
class _References:
    """References in order of source: those of work w are starts[w] to starts[w + 1].

    target: an identifier. link: which of _LINKS. second: a repetition of the row before, in other words. later: it
    stands in the repository only from its first update on.
    """

    starts: Ints
    target: Small
    link: Bytes
    second: Flags
    later: Flags


@dataclass(frozen=True)
class _World:
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
    teams: _Teams
    references: _References

    @property
    def names(self) -> int:
        """How many identifiers there are."""
        starts, counts = _outside(self.shape)
        return int(starts[-1] + counts[-1])

    def chance(self, what: str, of: NDArray[Any]) -> Floats:
        """A number in [0, 1) for each of `of`, the same whenever it is asked."""
        return _uniform(of, f"{self.shape.seed} {what}")

    def pick(self, what: str, of: NDArray[Any], among: int) -> Ints:
        """A number below `among` for each of `of`."""
        return (self.chance(what, of) * among).astype(np.int64)


def _uniform(of: NDArray[Any], salt: str) -> Floats:
    """A number in [0, 1) for each of `of`: the upper 53 bits of `_mixed`."""
    uniform: Floats = (_mixed(of, salt) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniform


def _mixed(of: NDArray[Any], salt: str) -> NDArray[np.uint64]:
    """splitmix64 of each number, salted."""
    start = np.uint64(int.from_bytes(hashlib.sha256(salt.encode()).digest()[:8], "big"))
    mixed = of.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + start
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _cumulative(shares: Sequence[float]) -> Floats:
    """Upper ends of the shares, scaled so that the last is 1."""
    ends: Floats = np.cumsum(np.asarray(shares, dtype=np.float64))
    ends /= ends[-1]
    return ends


def _choose(shares: Sequence[float], uniform: Floats) -> Bytes:
    """The index of the share that each number in [0, 1) falls into."""
    return np.searchsorted(_cumulative(shares), uniform, "right").astype(np.int8)


def _draw(shape: Shape) -> _World:
    rng = np.random.default_rng([shape.seed, 10])
    kind, via, created = _appearances(shape, rng)
    works, opening = shape.works, _micros(shape.first_day)
    paper = kind == PAPER
    day = np.clip((created - opening) // DAY_US, 0, shape.days - 1).astype(np.int32)
    has_doi = paper & (rng.random(works) < np.append(WITH_DOI, 0.0)[via])
    # The record of a paper on arXiv is dated a day later at least, so that arXiv's id always is the older one.
    wait = 1 + (RECORD_DELAY * rng.random(works) ** 2).astype(np.int64)
    record = created // DAY_US + np.where(via == ON_BOTH, wait, 0)
    recorded = (via == ON_BOTH) | (via == ON_OPENALEX)
    record_day = _partition(shape, np.maximum(record - opening // DAY_US, 0), recorded)
    late = (rng.random(works) < LATE_LINK) * (1 + (LATE_LINK_DAYS * rng.random(works)).astype(np.int64))
    linked = (via == ON_BOTH) | ((via == ON_OPENALEX) & has_doi)
    link_day = _partition(shape, record_day + late, linked)
    leaving = (via == ON_ARXIV) & has_doi & (day == 0) & (rng.random(works) < LET_GO) & (shape.days > 1)
    leave_day = _partition(shape, 1 + (max(shape.days - 1, 1) * rng.random(works)).astype(np.int64), leaving)
    of_papers, of_code = zip(*((papers, code) for _, papers, code, _ in _CATEGORIES), strict=True)
    uniform = rng.random(works)
    field = np.where(paper, _choose(of_papers, uniform), _choose(of_code, uniform))
    group, how_many = _groups(kind, rng)
    teams = _teams(shape, how_many, int(paper.sum()), rng)
    first_update = _first_updates(shape, kind, day)
    speaks = ~paper | (record_day != NEVER)
    references = _references(shape, kind, field, via, has_doi, day, group, first_update, speaks, rng)
    return _World(
        shape, kind, field, via, has_doi, created, day, record.astype(np.int32), record_day, link_day, leave_day,
        first_update, group, _places(created, via), teams, references,
    )  # fmt: skip


def _micros(day: date) -> int:
    """Microseconds from 1970 to the start of the day."""
    return (day - date(1970, 1, 1)).days * DAY_US


def _partition(shape: Shape, day: Ints, there: Flags) -> Small:
    """`day` where `there` and the world lasts so long, else NEVER."""
    return np.where(there & (day < shape.days), day, NEVER).astype(np.int32)


def _inflow(shape: Shape) -> Ints:
    """(days,): how many works appear on each day, beside the history of the opening."""
    first = shape.first_day.weekday()
    weekdays = np.array([WEEKDAYS[(first + day) % 7] for day in range(shape.days)])
    daily = max(DAILY_SHARE * shape.works, min(LEAST_DAILY, shape.works / 2 / shape.days))
    return np.asarray(daily * weekdays, dtype=np.int64)


def _appearances(shape: Shape, rng: np.random.Generator) -> tuple[Bytes, Bytes, Ints]:
    """(kind, via, created) of each work, in order of creation."""
    inflow = _inflow(shape)
    history = shape.works - int(inflow.sum())
    kind = _choose([k.share for k in _KINDS], rng.random(shape.works))
    uniform = rng.random(shape.works)
    opening = _micros(shape.first_day)
    created = np.empty(shape.works, dtype=np.int64)
    for number, one in enumerate(_KINDS):
        rows = np.flatnonzero(kind[:history] == number)
        created[rows] = opening - one.months * MONTH_US + _growing(one, uniform[rows])
    days = np.repeat(np.arange(shape.days, dtype=np.int64), inflow)
    created[history:] = opening + days * DAY_US + (uniform[history:] * DAY_US).astype(np.int64)
    via = _choose([*VIA, 1 - sum(VIA)], rng.random(shape.works))
    via[kind != PAPER] = NO_PAPER
    # OpenAlex knows a date of publication, the others a second.
    created -= created % np.where(via == ON_OPENALEX, DAY_US, 1_000_000)
    order = np.argsort(created, kind="stable")
    return kind[order], via[order], created[order]


def _growing(kind: _Kind, uniform: Floats) -> Ints:
    """Microseconds from the start of the kind's history: months grow by its growth, each is even in itself."""
    ends = _cumulative(np.cumprod(np.full(kind.months, kind.growth)).tolist())
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
    group[hub & (rng.random(kind.size) < WITHOUT_OWNER)] = -1
    return group.astype(np.int32), teams


def _teams(shape: Shape, teams: int, authors: int, rng: np.random.Generator) -> _Teams:
    authors = max(authors, 20)
    team = np.repeat(np.arange(teams), _choose(TEAM_SIZES, rng.random(teams)).astype(np.int64) + 1)
    # Productivity is heavy-tailed: the power puts the small numbers into many teams.
    uniform = rng.random(team.size)
    each = np.unique(team * authors + (authors * uniform * np.sqrt(uniform)).astype(np.int64))
    team, member = each // authors, each % authors
    starts = np.searchsorted(team, np.arange(teams + 1))
    known = member + (_has_orcid(shape.seed, member).astype(np.int64) << 40)
    by_name, by_orcid = (np.add.reduceat(_mixed(who, "author"), starts[:-1]) for who in (member, known))
    return _Teams(starts, member.astype(np.int32), by_name, by_orcid)


def _has_orcid(seed: int, author: Ints) -> Flags:
    return _uniform(author, f"{seed} orcid") < WITH_ORCID


def _updated(shape: Shape, kind: Bytes, day: Small, on: int) -> Ints:
    """The repositories that are pushed to on partition `on`, having appeared before."""
    there = np.flatnonzero((kind == REPOSITORY) & (day < on))
    return there[_uniform(there, f"{shape.seed} push {on}") < UPDATED]


def _first_updates(shape: Shape, kind: Bytes, day: Small) -> Small:
    first = np.full(kind.size, NEVER, dtype=np.int32)
    for on in range(shape.days - 1, 0, -1):
        first[_updated(shape, kind, day, on)] = on
    return first


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
        _attach(self._targets, first, before[rows], how[rows], where[rows], least[rows], self._appeal, reach)
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
    group = np.array([number for *_, number in _CATEGORIES])[field]
    held = [(kind == PAPER) & (group == number) for number in range(len(_PULL))]
    held += [kind == number for number in (REPOSITORY, MODEL, DATASET)]
    opening_ends = int(np.searchsorted(day, 1))
    return [_Stratum(np.flatnonzero(of), appeal, opening_ends) for of in held]


def _references(
    shape: Shape, kind: Bytes, field: Bytes, via: Bytes, has_doi: Flags, day: Small, group: Small,
    first_update: Small, speaks: Flags, rng: np.random.Generator,
) -> _References:  # fmt: skip
    weight = np.where(speaks, np.array([k.rows for k in _KINDS])[kind], 0.0)
    weight *= rng.lognormal(0.0, REFERENCE_SPREAD, shape.works)
    bounds = np.zeros(shape.works + 1, dtype=np.int64)
    if weight.any():
        ends = np.cumsum(weight)
        bounds[1:] = ends * (round(shape.edges / (1 + DOUBLE)) / ends[-1])
    strata = _strata(shape, kind, field, day, rng)
    before = _same_before(kind, group)
    counts = np.zeros(shape.works, dtype=np.int64)
    parts: list[tuple[Small, Bytes, Flags, Flags]] = []
    for first in range(0, int(bounds[-1]), CHUNK):
        source = _sources(bounds, first, min(first + CHUNK, int(bounds[-1])))
        u = rng.random((11, source.size))
        link = _links(kind[source], u[0])
        work = _targets(strata, before, source, link, field, u)
        target = _named(shape, work, link, via, has_doi, u[6], u[3])
        double = u[7] < DOUBLE
        other = _named(shape, work[double], link[double], via, has_doi, u[8][double], u[3][double], again=True)
        times = 1 + double.astype(np.int64)
        second = np.zeros(int(times.sum()), dtype=np.bool_)
        second[np.cumsum(times)[double] - 1] = True
        target = np.repeat(target, times)
        target[second] = other
        later = (u[10] < LATER) & (first_update[source] != NEVER)
        counts += np.bincount(np.repeat(source, times), minlength=shape.works)
        parts.append((target.astype(np.int32), np.repeat(link, times), second, np.repeat(later, times)))
    nothing = np.zeros(0, dtype=np.int8)
    parts.append((nothing.astype(np.int32), nothing, nothing.astype(np.bool_), nothing.astype(np.bool_)))
    return _References(np.append(0, np.cumsum(counts)), *(np.concatenate(part) for part in zip(*parts, strict=True)))


def _links(kind: Bytes, uniform: Floats) -> Bytes:
    """Which of _LINKS each reference is, by the kind of its source."""
    link = np.zeros(kind.size, dtype=np.int8)
    for number in range(len(_KINDS)):
        own = [place for place, one in enumerate(_LINKS) if one.kind == number]
        rows = np.flatnonzero(kind == number)
        link[rows] = own[0] + _choose([_LINKS[place].share for place in own], uniform[rows])
    return link


def _same_before(kind: Bytes, group: Small) -> Ints:
    """The work before of the same kind by the same team or owner; -1 for none."""
    order = np.lexsort((group, kind))
    same = (kind[order[1:]] == kind[order[:-1]]) & (group[order[1:]] == group[order[:-1]]) & (group[order[1:]] >= 0)
    before = np.full(kind.size, -1, dtype=np.int64)
    before[order[1:][same]] = order[:-1][same]
    return before


def _targets(strata: list[_Stratum], before: Ints, source: Ints, link: Bytes, field: Bytes, u: Floats) -> Ints:
    """(rows,): the work that each reference goes to; -1 for a name that never becomes one."""
    outside = u[1] < np.array([one.outside for one in _LINKS])[link]
    stratum = np.array([-1, len(_PULL), len(_PULL) + 1, len(_PULL) + 2, -1, -1])[
        np.array([one.target for one in _LINKS])[link]
    ]
    group = np.array([number for *_, number in _CATEGORIES])[field[source]]
    for number, pull in enumerate(_PULL):
        rows = np.flatnonzero((stratum < 0) & (group == number))
        stratum[rows] = _choose(pull, u[2][rows])
    work = np.full(source.size, -1, dtype=np.int64)
    far, coming = TO_ITSELF + TO_FAR_NEWER, TO_ITSELF + TO_FAR_NEWER + TO_COMING
    for number, one in enumerate(strata):
        rows = np.flatnonzero(~outside & (stratum == number))
        work[rows] = one.attach(source[rows], u[4][rows], u[3][rows], u[5][rows])
        for low, high, late in ((TO_ITSELF, far, False), (far, coming, True)):
            odd = rows[(u[8][rows] >= low) & (u[8][rows] < high)]
            work[odd] = one.newer(source[odd], u[3][odd], coming=late)
    own = ~outside & (u[9] < np.array([one.own for one in _LINKS])[link]) & (u[8] >= coming) & (before[source] >= 0)
    work[own] = before[source[own]]
    twice = own & (u[2] < 0.5) & (before[work] >= 0)  # not always the latest
    work[twice] = before[work[twice]]
    itself = ~outside & (u[8] < TO_ITSELF)
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
    sort = np.array([0, 3, 4, 5, 0, 6])[np.array([one.target for one in _LINKS])[link]]
    # A paper outside is named as its source would; where it is named twice, both times alike.
    sort = np.where((sort == 0) & ~from_paper, 2, sort)
    sort = np.where((sort % 2 == 0) & (sort < 3) & (where * 1024 % 1 < 0.1), 1, sort)
    starts, counts = _outside(shape)
    spread = where * where * where
    spread = np.where(sort == 6, spread * where * where, spread)  # everybody needs the same few packages
    return np.where(work >= 0, 3 * work + slot, starts[sort] + (counts[sort] * spread).astype(np.int64))


def _outside(shape: Shape) -> tuple[Ints, Ints]:
    """(first number, how many) of each sort of names that never become works."""
    counts = np.array([20 + int(share * shape.works) for _, share in _OUTSIDE])
    return 3 * shape.works + np.append(0, np.cumsum(counts)[:-1]), counts


# ---------------------------------------------------------------------------------------------------------------
# Text, made for the works of one day at a time.

_ADJECTIVES = ("adaptive", "collective", "deep", "discrete", "distributed", "efficient", "emergent", "evolving",
               "hybrid", "large", "local", "multi-agent", "noisy", "parallel", "robust", "self-organized", "sparse",
               "stochastic", "swarming", "unsupervised")  # fmt: skip
_NOUNS = ("ants", "bees", "boids", "consensus", "control", "dynamics", "estimation", "flocking", "foraging", "graphs",
          "learning", "models", "networks", "optimization", "pheromones", "planning", "policies", "robots", "search",
          "transport")  # fmt: skip
_JOINTS = ("for", "in", "of", "with", "without", "and", "through", "versus", "under", "beyond")
_ODD_ENDS = (
    ": “α‑β” and ßtraße", "\nand a second line", ' "quoted", \'twice\' and, with; separators', " $\\mathcal{O}(n)$",
    " 群体智能", " ذكاء السرب", " 🐜🐝", " e\u0301tude", " \u202eback to front\u202c", "\ta tab, a \\ and a \r return",
    "; DROP TABLE works; --", " NULL", "  ", " <i>H</i><sub>2</sub>O",
)  # fmt: skip
_GIVEN = ("Ada", "Adam", "Aïcha", "Ana", "Björn", "Chen", "Chloé", "Dimitra", "Dmitri", "Eun", "Fatima", "Grace",
          "Gülşen", "Hiro", "Igor", "Jan", "João", "Lise", "Małgorzata", "Mei", "Ngozi", "Omar", "Priya", "Rosalind",
          "Sofía", "Søren", "Tomáš", "Wei", "Yuki", "Zoë")  # fmt: skip
_FAMILY = ("Bonabeau", "Boulding", "Castellano", "Dorigo", "D'Angelo", "Eberhart", "Fernández", "Gómez", "Grassé",
           "Hölldobler", "Ivanov", "Jørgensen", "Kennedy", "Kim", "Kovač", "Lovelace", "Müller", "Nguyễn", "Okafor",
           "O'Neil", "Park", "Reynolds", "Şahin", "Singh", "Szabó", "Tanaka", "Theraulaz", "van der Berg", "Wang",
           "Yılmaz", "Zhang")  # fmt: skip
_HOUSES = ("Hive", "Nest", "Flock", "Colony", "Shoal", "Herd", "Pack", "Swarm")
_PACKAGES = ("numpy", "torch", "scipy", "pandas", "matplotlib", "scikit-learn", "tqdm", "requests", "transformers",
             "networkx", "pytest", "jax", "gymnasium", "numba", "pillow", "pyyaml")  # fmt: skip
_JOURNALS = ("10.1016/j.swevo", "10.1007/s11721", "10.1109/tevc", "10.1145/", "10.1371/journal.pone",
             "10.1103/physreve", "10.1038/s41598")  # fmt: skip
_LANGUAGES = ("Python", "C++", "Julia", "Rust", "Jupyter Notebook", "TypeScript", "C#")
_TASKS = ("text-generation", "text-classification", "reinforcement-learning", "image-classification", "other")
_TAGS: tuple[tuple[str, ...], ...] = (
    (), ("swarm-intelligence",), ("particle-swarm-optimization", "optimization"), ("ant-colony", "tsp", "aco"),
    ("multi-agent", "ros2"), ("license:mit", "region:us"), ("boids", "simulation", 'a "quoted" tag'), ("群体智能",),
)  # fmt: skip
_TOPICS = (("swarm-intelligence",), ("cellular-automata",), ("cellular-automata", "swarm-intelligence"))
_REASONS = ("a date is missing or not text: None", "not a requirement: Expected package name at the start",
            "not a DOI: '10.1016/…'", "not JSON: Expecting ',' delimiter")  # fmt: skip
# What an arXiv feed says nothing of is null; OpenAlex and the Hub write names, GitHub writes SPDX identifiers.
_LICENSES: tuple[tuple[str | None, ...], ...] = (
    (None,), (None, "MIT", "MIT", "Apache-2.0", "GPL-3.0", "BSD-3-Clause"), (None, "mit", "apache-2.0", "openrail"),
    (None, None, "cc-by", "publisher-specific-oa"),
)  # fmt: skip
_VERSIONS: tuple[tuple[str | None, ...], ...] = (
    ("v1", "v1", "v2"), (None, "2026-03-26T14:11:09+00:00"), ("main", "0f3a9c1d", None), (None,),
)  # fmt: skip
_STATUSES: tuple[tuple[str | None, ...], ...] = (
    ("active",) * 99 + ("withdrawn",), ("active",) * 24 + ("archived",), ("active",) * 19 + ("gated",),
    ("active",) * 499 + ("withdrawn",),
)  # fmt: skip


def _word(words: Sequence[Any], index: NDArray[Any]) -> pl.Series:
    """words[index], as text (or lists of texts)."""
    import polars as pl

    listed = any(isinstance(word, tuple) for word in words)
    kind = pl.List(pl.String()) if listed else pl.String()
    return pl.Series([list(word) if listed else word for word in words], dtype=kind).gather(index)


def _text(form: str, *parts: NDArray[Any] | pl.Series) -> pl.Series:
    """`form` with each {} replaced by the parts, row by row; null where a part is."""
    import polars as pl

    columns = [pl.Series(f"p{n}", part) for n, part in enumerate(parts)]
    return pl.DataFrame(columns).select(text=pl.format(form, *(column.name for column in columns)))["text"]


def _padded(number: NDArray[Any], width: int) -> pl.Series:
    import polars as pl

    return pl.Series(number).cast(pl.String).str.zfill(width)


def _series(values: NDArray[Any]) -> pl.Series:
    import polars as pl

    return pl.Series(values)


def _where(mask: Flags, values: pl.Series | NDArray[Any], others: pl.Series | None = None) -> pl.Series:
    """values where the mask is true, else others, or null."""
    import polars as pl

    there = pl.when(pl.Series(mask)).then(pl.lit(pl.Series(values)))
    return pl.select(value=there.otherwise(pl.lit(others) if others is not None else None))["value"]


def _moments(micros: Ints) -> pl.Series:
    import polars as pl

    return pl.Series(micros, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))


def _assembled(size: int, parts: Sequence[tuple[NDArray[Any], Callable[[Ints], pl.Series]]]) -> pl.Series:
    """(size,) texts out of parts: each a mask and what makes the texts of its rows."""
    import polars as pl

    rows = [np.flatnonzero(mask) for mask, _ in parts]
    made = [make(where) for where, (_, make) in zip(rows, parts, strict=True) if where.size]
    place = np.empty(size, dtype=np.int64)
    place[np.concatenate(rows)] = np.arange(size)
    return pl.concat(made).gather(place) if made else pl.Series([], dtype=pl.String)


def _distinct(codes: Ints, below: int) -> tuple[Ints, Ints]:
    """(the distinct ones in order, the place of each in those), of numbers below a bound."""
    if codes.size < below // 8:
        return np.unique(codes, return_inverse=True)
    there = np.zeros(below, dtype=np.bool_)
    there[codes] = True
    # A table of places is a fifth of the time of sorting ten million numbers.
    return np.flatnonzero(there), (np.cumsum(there, dtype=np.int32) - 1)[codes].astype(np.int64)


def _names(world: _World, codes: Ints) -> pl.Series:
    """The identifiers of these numbers, as text."""
    some, back = _distinct(codes, world.names)
    work, slot = some // 3, some % 3
    kind = np.where(some < 3 * world.shape.works, world.kind[np.minimum(work, world.shape.works - 1)], 9)
    starts, _ = _outside(world.shape)
    sort = np.where(kind == 9, np.searchsorted(starts, some, "right") - 1, -1)

    def arxiv(rows: Ints) -> pl.Series:
        papers = work[rows]
        months = world.created[papers].astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
        years, month = months // 12 + 1970, months % 12 + 1
        # Four digits until the end of 2014.
        digits = _where(years >= 2015, _padded(world.place[papers], 5), _padded(world.place[papers], 4))
        return _text("arxiv:{}{}.{}", _padded(years % 100, 2), _padded(month, 2), digits)

    def number(rows: Ints) -> Ints:
        return some[rows] - starts[sort[rows]]

    def package(rows: Ints) -> pl.Series:
        n = number(rows)
        made = _text("{}-{}", _word(_NOUNS, n % len(_NOUNS)), n)
        known = _word(_PACKAGES, np.minimum(n, len(_PACKAGES) - 1))
        return _text("pypi:{}", _where(n < len(_PACKAGES), known, made))

    def doi(rows: Ints) -> pl.Series:
        return _text("doi:{}.{}", _word(_JOURNALS, work[rows] % len(_JOURNALS)), work[rows])

    def outside(form: str) -> Callable[[Ints], pl.Series]:
        return lambda rows: _text(form, _word(_NOUNS, number(rows) % len(_NOUNS)), number(rows))

    parts: list[tuple[NDArray[Any], Callable[[Ints], pl.Series]]] = [
        ((kind == PAPER) & (slot == OWN), arxiv),
        ((kind == PAPER) & (slot == DOI), doi),
        ((kind == PAPER) & (slot == RECORD), lambda rows: _text("openalex:W{}", 2_000_000_000 + _scramble(work[rows]))),
        ((kind == REPOSITORY), lambda rows: _text("github:{}", _title_of_entry(world, work[rows]).str.to_lowercase())),
        *(
            (
                kind == of,
                lambda rows, name=_KINDS[of].name: _text(f"hf:{name}/{{}}", _title_of_entry(world, work[rows])),
            )
            for of in (MODEL, DATASET, SPACE)
        ),
        (sort == 0, lambda rows: _text("openalex:W{}", 4_200_000_000 + _scramble(number(rows)))),
        (sort == 1, lambda rows: _text("doi:10.5555/outside.{}", number(rows))),
        (sort == 2, lambda rows: _text("arxiv:cs/{}", _padded(number(rows), 7))),
        (sort == 3, outside("github:upstream/{}-{}")),
        (sort == 4, outside("hf:model/foundation-lab/{}-{}")),
        (sort == 5, outside("hf:dataset/commons/{}-{}")),
        (sort == 6, package),
    ]
    return _assembled(some.size, parts).gather(back)


def _owner(world: _World, work: Ints) -> pl.Series:
    """The account that holds each work, as its service writes it; null for papers and for what has none."""
    import polars as pl

    kind, group = world.kind[work], world.group[work]

    def login(form: str) -> Callable[[Ints], pl.Series]:
        return lambda rows: _text(form, _word(_HOUSES, group[rows] % len(_HOUSES)), group[rows])

    nobody = (kind == PAPER) | (group < 0)
    parts: list[tuple[NDArray[Any], Callable[[Ints], pl.Series]]] = [
        (nobody, lambda rows: pl.Series([None], dtype=pl.String).gather(np.zeros(rows.size, dtype=np.int64))),
        (~nobody & (kind == REPOSITORY), login("github:{}Lab{}")),
        (~nobody & (kind > REPOSITORY), login("hf:{}-AI-{}")),
    ]
    return _assembled(work.size, parts)


def _title_of_entry(world: _World, work: Ints) -> pl.Series:
    """`Owner/Name`, or the name alone, of repositories and entries of the Hub. The number makes it one of a kind."""
    adjective = _word(_ADJECTIVES, world.pick("adjective", work, len(_ADJECTIVES)))
    noun = _word(_NOUNS, world.pick("noun", work, len(_NOUNS)))
    name = _text("{}-{}-{}", adjective, noun, work)
    owner = _owner(world, work).str.replace("^[a-z]+:", "")
    return _where(owner.is_null().to_numpy(), name, _text("{}/{}", owner, name))


def _titles(world: _World, codes: Ints) -> pl.Series:
    """The title of the trace with each identifier: OpenAlex writes papers in small letters."""
    work = codes // 3

    def paper(rows: Ints) -> pl.Series:
        of = work[rows]
        words = [
            _word(words, world.pick(f"title {place}", of, len(words)))
            for place, words in enumerate((_ADJECTIVES, _NOUNS, _JOINTS, _ADJECTIVES, _NOUNS))
        ]
        chance = world.chance("odd title", of)
        odd = np.where(chance < ODD_TITLE, 1 + (chance / ODD_TITLE * len(_ODD_ENDS)).astype(np.int64), 0)
        return _text("{} {} {} {} {}{}", words[0].str.to_titlecase(), *words[1:], _word(("", *_ODD_ENDS), odd))

    is_paper = world.kind[work] == PAPER
    small = is_paper & (codes % 3 == RECORD)
    parts: list[tuple[NDArray[Any], Callable[[Ints], pl.Series]]] = [
        (is_paper & ~small, paper),
        (small, lambda rows: paper(rows).str.to_lowercase()),
        (~is_paper, lambda rows: _title_of_entry(world, work[rows])),
    ]
    return _assembled(codes.size, parts)


def _authors(author: Ints) -> pl.Series:
    """A name for each author, another for each, also in small letters."""
    rest = author // len(_GIVEN)
    given, family = author % len(_GIVEN), rest % len(_FAMILY)
    rest //= len(_FAMILY)
    initial, rest = rest % 26, rest // 26
    letters = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    again = _word(("", *(f"-{name}" for name in _FAMILY)), rest % (len(_FAMILY) + 1))
    rest //= len(_FAMILY) + 1
    generation = _word(("", *(f" {n}." for n in range(2, 1000))), rest)
    return _text(
        "{} {}. {}{}{}", _word(_GIVEN, given), _word(letters, initial), _word(_FAMILY, family), again, generation
    )


def _orcids(author: Ints) -> pl.Series:
    """ORCID iDs with their check digit (ISO 7064, mod 11-2)."""
    number = author + 15_000_000  # from 0000-0001-5000-0007 on: the block that is ORCID's
    total = np.zeros(author.size, dtype=np.int64)
    for power in range(14, -1, -1):
        total = (total + number // 10**power % 10) * 2
    check = (12 - total % 11) % 11
    digits = _padded(number, 15)
    last = _word((*"0123456789", "X"), check)
    pieces = (digits.str.slice(start, length) for start, length in ((0, 4), (4, 4), (8, 4), (12, 3)))
    return _text("{}-{}-{}-{}{}", *pieces, last)


# ---------------------------------------------------------------------------------------------------------------
# The traces of a day.


@dataclass(frozen=True)
class _Items:
    """What services say of works on a day: work, slot (OWN or RECORD), moment; whether it is an update.

    `page` is the raw answer that an item is in. Pages have a sha256 and a time of observation; `page_late` ones were
    asked for when counters no longer were the day's. odd_page: one page a service for what else was said.
    """

    day: int
    work: Ints
    slot: Ints
    at: Ints
    is_update: Flags
    service: Ints
    page: Ints
    page_sha256: pl.Series
    page_observed: Ints
    page_late: Flags
    odd_page: Ints

    @property
    def last_instant(self) -> int:
        """The latest microsecond of the day: pages were observed an hour later at the earliest."""
        return int(self.page_observed.min() // DAY_US * DAY_US) - 1


def _items(world: _World, day: int) -> _Items:
    shape = world.shape
    born = np.flatnonzero((world.day == day) & (world.via != ON_OPENALEX))
    recorded = np.flatnonzero(world.record_day == day)
    updated = _updated(shape, world.kind, world.day, day)
    work = np.concatenate([born, recorded, updated])
    slot = np.repeat(np.array([OWN, RECORD, OWN]), [born.size, recorded.size, updated.size])
    at = np.concatenate([world.created[born], world.record[recorded] * np.int64(DAY_US), _pushed(world, updated, day)])
    of_kind = np.array([ARXIV, GITHUB, HUGGINGFACE, HUGGINGFACE, HUGGINGFACE])
    service = np.where(slot == RECORD, OPENALEX, of_kind[world.kind[work]])
    page = np.empty(work.size, dtype=np.int64)
    ends = [0]
    for number in range(len(schemas.SOURCES)):
        rows = np.flatnonzero(service == number)
        page[rows] = ends[-1] + np.arange(rows.size) // PAGE
        ends.append(ends[-1] + -(-rows.size // PAGE) + 1)
    pages = np.arange(ends[-1])
    late = world.chance("late", pages) < UNSEEN if day == 0 else np.full(pages.size, _is_reconstructed(day))
    hours = 1 + late * np.int64(LATE_HOURS)
    return _Items(
        day=day,
        work=work,
        slot=slot,
        at=at,
        is_update=np.arange(work.size) >= born.size + recorded.size,
        service=service,
        page=page,
        page_sha256=_sha256s(shape.seed, day, pages.size),
        page_observed=_micros(shape.date_of(day)) + DAY_US + hours * 3_600_000_000 + pages % 3600 * 1_000_000,
        page_late=late,
        odd_page=np.array(ends[1:]) - 1,
    )


def _is_reconstructed(day: int) -> bool:
    return day % RECONSTRUCTED_EVERY == RECONSTRUCTED_EVERY - 1


def _sha256s(seed: int, day: int, count: int) -> pl.Series:
    """What stands for the digests of raw answers: there are none."""
    import polars as pl

    digits = np.random.default_rng([seed, 11, day]).bytes(32 * count).hex()
    return pl.Series([digits[start : start + 64] for start in range(0, len(digits), 64)], dtype=pl.String)


def _pushed(world: _World, work: Ints, day: int) -> Ints:
    """When each repository was pushed to on the day."""
    return _micros(world.shape.date_of(day)) + world.pick(f"pushed {day}", work, 86_400) * 1_000_000


@dataclass(frozen=True)
class _Said:
    """References of a day: rows of the world's vectors, who says them (rows of the items), the two identifiers.

    is_new: not said by that source on an earlier day.
    """

    row: Ints
    item: Ints
    source: Ints
    target: Ints
    relation: Ints
    is_new: Flags

    def of(self, rows: Ints) -> _Said:
        """These rows of it alone."""
        return _Said(
            self.row[rows],
            self.item[rows],
            self.source[rows],
            self.target[rows],
            self.relation[rows],
            self.is_new[rows],
        )


def _said(world: _World, items: _Items) -> _Said:
    """An update says all references of its repository again, and on the first one those that stand there since."""
    speakers = np.flatnonzero((items.slot == RECORD) | (world.kind[items.work] != PAPER))
    starts = world.references.starts[items.work[speakers]]
    counts = world.references.starts[items.work[speakers] + 1] - starts
    row, item = _ranges(starts, counts), np.repeat(speakers, counts)
    told = items.is_update[item] | ~world.references.later[row]
    row, item = row[told], item[told]
    work = items.work[item]
    relations = np.array([schemas.RELATIONS.index(one.relation) for one in _LINKS])
    return _Said(
        row=row,
        item=item,
        source=3 * work + np.where(_is_by_arxiv(world, row, work), OWN, items.slot[item]),
        target=world.references.target[row].astype(np.int64),
        relation=relations[world.references.link[row]],
        is_new=~items.is_update[item] | (world.references.later[row] & (world.first_update[work] == items.day)),
    )


def _is_by_arxiv(world: _World, row: Ints, work: Ints) -> Flags:
    """A paper on arXiv says in its comment what its record says in its list: one reference from two sources."""
    both: Flags = world.references.second[row] & (world.via[work] == ON_BOTH)
    return both


def _ranges(starts: Ints, counts: Ints) -> Ints:
    """start, start + 1, … (count of them) for each row, one after the other."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if ends.size else 0
    return np.arange(total, dtype=np.int64) + np.repeat(starts - ends + counts, counts)


def _traces(world: _World, items: _Items, said: _Said) -> Tables:
    yield "traces.works", _works(world, items)
    yield "traces.references", _reference_rows(world, items, said)
    yield "traces.metrics", _metrics(world, items)
    yield "traces.people", _people(world, items)
    yield "traces.identities", _identities(world, items)
    yield "traces.rejects", _rejects(world, items)


def _frame(table: str, columns: Mapping[str, pl.Series]) -> pl.DataFrame:
    """The columns in the registry's order and types."""
    import polars as pl

    return pl.DataFrame(
        [columns[name].alias(name).cast(kind) for name, kind in schemas.table(table).polars_schema().items()]
    )


def _provenance(items: _Items, page: Ints, service: Ints) -> dict[str, pl.Series]:
    return {
        "source": _word(schemas.SOURCES, service),
        "observed_at": _moments(items.page_observed[page]),
        "raw_sha256": items.page_sha256.gather(page),
    }


def _works(world: _World, items: _Items) -> pl.DataFrame:
    work, kind = items.work, world.kind[items.work]
    code = 3 * work + items.slot

    def of_service(words: Sequence[Sequence[str | None]]) -> pl.Series:
        def made(number: int) -> Callable[[Ints], pl.Series]:
            some = words[number]
            return lambda rows: _word(some, world.pick(f"{some}", work[rows], len(some)))

        return _assembled(work.size, [(items.service == number, made(number)) for number in range(len(words))])

    identifier = _names(world, code)
    native = identifier.str.replace("^[a-z]+:", "")
    return _frame(
        "traces.works",
        {
            "work_id": identifier,
            "kind": _word([one.name for one in _KINDS], kind),
            "event": _word(("created", "updated"), items.is_update.astype(np.int64)),
            "event_at": _moments(items.at),
            "title": _titles(world, code),
            "created_at": _moments(np.where(items.slot == RECORD, items.at, world.created[work])),
            "version": of_service(_VERSIONS),
            "status": of_service(_STATUSES),
            "license": of_service(_LICENSES),
            "owner": _owner(world, work),
            "native_id": _where(world.chance("native", work) < 0.97, native),
            "url": _where(world.chance("url", work) < 0.99, _text("https://example.org/{}", native)),
            "fields": _fields(world, work),
            "tags": _word(_TAGS, np.where(items.service == ARXIV, 0, world.pick("tags", work, len(_TAGS)))),
            "topics": _word(_TOPICS, world.pick("topics", work, len(_TOPICS))),
            **_provenance(items, items.page, items.service),
        },
    )


def _fields(world: _World, work: Ints) -> pl.Series:
    """Primary and, for half of them, a second category of papers; a language or a task of others, if any."""
    many = len(_CATEGORIES)
    pairs = [(one,) if one == two else (one, two) for one, *_ in _CATEGORIES for two, *_ in _CATEGORIES]
    others = [(name,) for name in (*_LANGUAGES, *_TASKS)]
    first = world.field[work].astype(np.int64)
    second = np.where(world.chance("crossed", work) < 0.5, first, world.pick("second", work, many))
    language = len(pairs) + world.pick("language", work, len(_LANGUAGES))
    task = len(pairs) + len(_LANGUAGES) + world.pick("task", work, len(_TASKS) + 1)
    kind = world.kind[work]
    place = np.where(kind == PAPER, first * many + second, np.where(kind == REPOSITORY, language, task))
    return _word([*pairs, *others, ()], place)


def _reference_rows(world: _World, items: _Items, said: _Said) -> pl.DataFrame:
    ends = {"source_id": _names(world, said.source), "target_id": _names(world, said.target)}
    return _frame("traces.references", ends | _saying(world, items, said))


def _saying(world: _World, items: _Items, said: _Said) -> dict[str, pl.Series]:
    """The columns of references beside their two ends."""
    work = items.work[said.item]
    by_arxiv = _is_by_arxiv(world, said.row, work)
    again = world.references.second[said.row] & (world.kind[work] == PAPER)
    form = np.where(again, len(_LINKS), world.references.link[said.row])
    before, after = zip(*(text.split("{}") for text in (*(one.evidence for one in _LINKS), SAID_TWICE)), strict=True)
    evidence = _text("{}{}{}", _word(before, form), said.row - world.references.starts[work], _word(after, form))
    return {
        "relation": _word(schemas.RELATIONS, said.relation),
        "event_at": _moments(items.at[said.item]),
        "evidence": evidence,
        **_provenance(items, items.page[said.item], np.where(by_arxiv, ARXIV, items.service[said.item])),
    }


def _metrics(world: _World, items: _Items) -> pl.DataFrame:
    """Counters with a heavy tail, the median as given; null where the answer came too late."""
    hub = items.service == HUGGINGFACE
    counted = (
        ("stars", items.service == GITHUB, 8),
        ("forks", items.service == GITHUB, 1),
        ("likes", hub, 2),
        ("downloads", hub & (world.kind[items.work] != SPACE), 120),
        ("citations", items.service == OPENALEX, 6),
    )
    rows = np.concatenate([np.flatnonzero(mask) for _, mask, _ in counted])
    metric = np.repeat(np.arange(len(counted)), [int(mask.sum()) for _, mask, _ in counted])
    work = items.work[rows]
    median = np.array([size for *_, size in counted])[metric]
    tail = 1 / (1 - world.chance("count", work * len(counted) + metric)) - 1
    # Citations have a thinner tail than what a click gives.
    value = np.minimum(median * np.where(metric == len(counted) - 1, np.sqrt(tail), tail), 1e9).astype(np.int64)
    return _frame(
        "traces.metrics",
        {
            "work_id": _names(world, 3 * work + items.slot[rows]),
            "metric": _word([name for name, *_ in counted], metric),
            "value": _where(~items.page_late[items.page[rows]], value),
            "event_at": _moments(np.full(rows.size, items.last_instant)),
            **_provenance(items, items.page[rows], items.service[rows]),
        },
    )


def _people(world: _World, items: _Items) -> pl.DataFrame:
    """The team of each paper, by OpenAlex with accounts and, of some, ORCID iDs; the owner of the rest."""
    is_paper = world.kind[items.work] == PAPER
    papers = np.flatnonzero(is_paper)
    team = world.group[items.work[papers]]
    starts = world.teams.starts[team]
    counts = world.teams.starts[team + 1] - starts
    held = np.flatnonzero(~is_paper & (world.group[items.work] >= 0))
    place = _ranges(starts, counts)
    rows = np.concatenate([np.repeat(papers, counts), held])
    author = np.concatenate([world.teams.members[place].astype(np.int64), np.zeros(held.size, dtype=np.int64)])
    position = np.concatenate([place - np.repeat(starts, counts), np.zeros(held.size, dtype=np.int64)]) + 1
    is_author = np.arange(rows.size) < place.size
    by_openalex = items.service[rows] == OPENALEX
    account = _where(by_openalex, _text("openalex:A{}", 5_000_000_000 + author))
    owner = _owner(world, items.work).gather(rows)
    return _frame(
        "traces.people",
        {
            "work_id": _names(world, 3 * items.work + items.slot).gather(rows),
            "role": _word(("owner", "author"), is_author.astype(np.int64)),
            "position": _series(position),
            "name": _where(is_author, _authors(author)),
            "orcid": _where(by_openalex & _has_orcid(world.shape.seed, author), _orcids(author)),
            "account": _where(is_author, account, owner),
            "event_at": _moments(items.at[rows]),
            **_provenance(items, items.page[rows], items.service[rows]),
        },
    )


def _identities(world: _World, items: _Items) -> pl.DataFrame:
    """arXiv names the DOI of its papers, OpenAlex that of its records (maybe arXiv's own); some are taken back."""
    day, start = items.day, _micros(world.shape.date_of(items.day))
    with_doi = np.flatnonzero((items.slot == OWN) & world.has_doi[items.work])
    at_once = np.flatnonzero((items.slot == RECORD) & (world.link_day[items.work] == day))
    late = np.flatnonzero((world.link_day == day) & (world.record_day != day))
    gone = np.flatnonzero(world.leave_day == day)
    work = np.concatenate([items.work[with_doi], items.work[at_once], late, gone])
    sort = np.repeat(np.arange(4), [with_doi.size, at_once.size, late.size, gone.size])
    by_arxiv = (sort == 0) | (sort == 3)
    service = np.where(by_arxiv, ARXIV, OPENALEX)
    left = np.where(by_arxiv | ~world.has_doi[work], OWN, DOI)
    right = np.where(by_arxiv, DOI, RECORD)
    hours = np.array([[12], [18]], dtype=np.int64) * 3_600_000_000 + start
    at = [items.at[with_doi], items.at[at_once], np.repeat(hours[0], late.size), np.repeat(hours[1], gone.size)]
    page = [items.page[with_doi], items.page[at_once], items.odd_page[service[sort >= 2]]]
    return _frame(
        "traces.identities",
        {
            "left_id": _names(world, 3 * work + left),
            "right_id": _names(world, 3 * work + right),
            "same": _series(sort != 3),
            "event_at": _moments(np.concatenate(at)),
            "evidence": _word(("arxiv:doi", "openalex:doi"), (~by_arxiv).astype(np.int64)),
            **_provenance(items, np.concatenate(page), service),
        },
    )


def _rejects(world: _World, items: _Items) -> pl.DataFrame:
    rows = np.flatnonzero(world.chance(f"rejected {items.day}", np.arange(items.work.size)) < REJECTED)
    return _frame(
        "traces.rejects",
        {
            "locator": _text("entry {}", rows),
            "reason": _word(_REASONS, rows % len(_REASONS)),
            "event_at": _moments(np.full(rows.size, items.last_instant)),
            **_provenance(items, items.page[rows], items.service[rows]),
        },
    )


# ---------------------------------------------------------------------------------------------------------------
# The graph of a day: the definitions of citations.graph, for names of which one knows what they are.


def _represented(world: _World, codes: Ints, day: int) -> Ints:
    """The identifier that stands for each as of the day."""
    work, slot = _parts(world, codes)
    via = world.via[work]
    is_doi = (slot == DOI) & (via <= ON_BOTH) & (world.day[work] <= day) & (day < world.leave_day[work])
    is_record = (slot == RECORD) & (world.link_day[work] <= day)
    return np.where(is_doi | (is_record & (via == ON_BOTH)), 3 * work + OWN, np.where(is_record, 3 * work + DOI, codes))


def _describing(world: _World, nodes: Ints, day: int) -> Ints:
    """The identifier whose trace describes each node as of the day; -1 for a stub."""
    work, slot = _parts(world, nodes)
    own = (slot == OWN) & (world.day[work] <= day)
    by_record = (slot == DOI) & (world.via[work] == ON_OPENALEX) & (world.link_day[work] <= day)
    record = (slot == RECORD) & (world.record_day[work] <= day)
    return np.where(own | record, nodes, np.where(by_record, 3 * work + RECORD, -1))


def _parts(world: _World, codes: Ints) -> tuple[Ints, Ints]:
    """(work, slot); slot -1 for what never becomes a work."""
    inside = codes < 3 * world.shape.works
    return np.where(inside, codes // 3, 0), np.where(inside, codes % 3, -1)


def _created(world: _World, describing: Ints) -> Ints:
    """When the described work appeared; 0 for a stub."""
    work = np.maximum(describing, 0) // 3
    by_record = np.where(describing % 3 == RECORD, world.record[work] * np.int64(DAY_US), world.created[work])
    return np.where(describing < 0, 0, by_record)


def _citations(world: _World, numbers: Ints, items: _Items, said: _Said) -> Tables:
    """The tables of the stage. `numbers` holds the number of each node by identifier, -1 for none, and is filled."""
    source, target = (_represented(world, codes, items.day) for codes in (said.source, said.target))
    yield "citations.resolutions", _resolutions(world, numbers, items)  # looks at the nodes of earlier days
    yield "citations.nodes", _nodes(world, numbers, items, said, source, target)
    yield "citations.aliases", _aliases(world, items.day)
    yield from _links_of_day(world, numbers, items, said, source, target)


def _described(world: _World, describing: Ints) -> dict[str, pl.Series]:
    """kind, title, owner, created_at; null for stubs."""
    there = describing >= 0
    safe = np.maximum(describing, 0)
    kinds = [one.name for one in _KINDS]
    return {
        "kind": _where(there, _word(kinds, world.kind[safe // 3])),
        "title": _where(there, _titles(world, safe)),
        "owner": _where(there, _owner(world, safe // 3)),
        "created_at": _where(there, _moments(_created(world, describing))),
    }


def _nodes(world: _World, numbers: Ints, items: _Items, said: _Said, source: Ints, target: Ints) -> pl.DataFrame:
    import polars as pl

    day = items.day
    linked = np.flatnonzero(world.link_day == day)
    gone, first_named = _let_go(world, day)
    appeared = _represented(world, 3 * items.work + items.slot, day)
    unlisted = np.zeros(world.names, dtype=np.bool_)
    for codes in (appeared, source, target, gone, _represented(world, 3 * linked + RECORD, day)):
        unlisted[codes] = True
    new = np.flatnonzero(unlisted & (numbers < 0))
    describing = _describing(world, new, day)
    # A stub is as old as the first reference of the day to it: an earlier one would have listed it.
    latest = np.iinfo(np.int64).max
    first = np.full(world.names, latest)
    at = items.at[said.item]
    for ends, moments in ((source, at), (target, at), (gone, first_named)):
        np.minimum.at(first, ends, moments)
    event = np.where(describing < 0, first[new], _created(world, describing))
    node_id = _names(world, new)
    order = pl.DataFrame({"at": event, "id": node_id}).select(pl.arg_sort_by("at", "id"))["at"].to_numpy()
    rank = np.empty(new.size, dtype=np.int64)
    rank[order] = np.arange(new.size)
    numbers[new] = rank + ((world.shape.date_of(day) - date(1970, 1, 1)).days << 32)
    return _frame(
        "citations.nodes",
        {
            "node_id": node_id,
            "node": _series(numbers[new]),
            "is_stub": _series(describing < 0),
            "event_at": _moments(event),
            **_described(world, describing),
        },
    )


def _let_go(world: _World, day: int) -> tuple[Ints, Ints]:
    """(identifiers that are taken back on the day and were named by then, when each was named first)."""
    gone = 3 * np.flatnonzero(world.leave_day == day) + DOI
    rows = np.flatnonzero(np.isin(world.references.target, gone)) if gone.size else np.zeros(0, dtype=np.int64)
    work = np.searchsorted(world.references.starts, rows, "right") - 1
    paper = world.kind[work] == PAPER
    said_on = np.where(
        paper, world.record_day[work], np.where(world.references.later[rows], world.first_update[work], world.day[work])
    )
    at = np.where(paper, world.record[work] * np.int64(DAY_US), world.created[work])
    for update in np.unique(said_on[world.references.later[rows]]):
        late = world.references.later[rows] & (said_on == update)
        at[late] = _pushed(world, work[late], int(update))
    by_now = said_on <= day
    return world.references.target[rows][by_now].astype(np.int64), at[by_now]


def _aliases(world: _World, day: int) -> pl.DataFrame:
    with_doi = 3 * np.flatnonzero((world.day == day) & world.has_doi & (world.via <= ON_BOTH)) + DOI
    linked = 3 * np.flatnonzero(world.link_day == day) + RECORD
    gone = 3 * np.flatnonzero(world.leave_day == day) + DOI
    codes = np.concatenate([with_doi, linked, gone])
    return _frame(
        "citations.aliases",
        {"id": _names(world, codes), "node_id": _names(world, _represented(world, codes, day))},
    )


def _resolutions(world: _World, numbers: Ints, items: _Items) -> pl.DataFrame:
    """Of the nodes that earlier days list, those whose work appears, or is joined to another, on the day."""
    day = items.day
    touched = np.concatenate([items.work, np.flatnonzero(world.link_day == day)])
    codes = 3 * np.repeat(touched, 3) + np.tile(np.arange(3), touched.size)
    codes = np.unique(codes[numbers[codes] >= 0])
    before, now = (_represented(world, codes, when) for when in (day - 1, day))
    was_stub = _describing(world, before, day - 1) < 0
    describing = _describing(world, now, day)
    changed = (now != before) | (was_stub & (describing >= 0))
    described = _described(world, describing[changed])
    return _frame(
        "citations.resolutions",
        {
            "node_id": _names(world, codes[changed]),
            "resolved_id": _names(world, now[changed]),
            "was_stub": _series(was_stub[changed]),
            "resolved_created_at": described["created_at"],
            **described,
        },
    )


def _links_of_day(world: _World, numbers: Ints, items: _Items, said: _Said, source: Ints, target: Ints) -> Tables:
    """`citations.edges` and `citations.quarantine`: the first reference of each link, on its first day."""
    from coevo_pipelines.citations.graph import QUARANTINE_DAYS

    key = (source * world.names + target) * len(schemas.RELATIONS) + said.relation
    again = key[~said.is_new]
    rows = np.flatnonzero(said.is_new & ~np.isin(key, again)) if again.size else np.arange(key.size)
    rows = rows[_firsts(world, items, said.of(rows), key[rows])]
    cited = _describing(world, target[rows], items.day)
    is_late = (cited >= 0) & (_created(world, cited) > items.at[said.item[rows]] + QUARANTINE_DAYS * DAY_US)
    for table, kept in (("citations.edges", rows[~is_late]), ("citations.quarantine", rows[is_late])):
        yield table, _frame(table, _link_columns(world, numbers, items, said.of(kept), source[kept], target[kept]))


def _link_columns(
    world: _World, numbers: Ints, items: _Items, said: _Said, source: Ints, target: Ints
) -> dict[str, pl.Series]:
    """The columns of both tables."""
    citing, cited = (_describing(world, ends, items.day) for ends in (source, target))
    own = np.select([source == target, *_same_hands(world, citing, cited)], [1, 2, 3], 0)
    return _saying(world, items, said) | {
        "source": _names(world, source),
        "target": _names(world, target),
        "source_node": _series(numbers[source]),
        "target_node": _series(numbers[target]),
        "weight": _series((own == 0).astype(np.int64)),
        "own": _word((None, "self_loop", "same_owner", "same_authors"), own),
        "target_is_stub": _series(cited < 0),
        "target_created_at": _moments(_created(world, cited)),
        "reason": _word(("target_newer_than_source",), np.zeros(source.size, dtype=np.int64)),
    }


def _firsts(world: _World, items: _Items, said: _Said, key: Ints) -> Ints:
    """Places of one row a key: the first by moment and then by what it says."""
    import polars as pl

    double = pl.Series(key).is_duplicated().to_numpy()
    place = np.flatnonzero(double)
    doubles = _reference_rows(world, items, said.of(place)).with_columns(key=key[place], place=place)
    order = ["key", "event_at", "source_id", "target_id", "evidence", "source", "raw_sha256"]
    kept = doubles.sort(order).unique(subset="key", keep="first", maintain_order=True)["place"].to_numpy()
    return np.sort(np.concatenate([np.flatnonzero(~double), kept]))


def _same_hands(world: _World, citing: Ints, cited: Ints) -> tuple[Flags, Flags]:
    """(the same account owns both, the same team wrote both), as their describing traces say."""
    there = (citing >= 0) & (cited >= 0)
    works = [np.maximum(codes, 0) // 3 for codes in (citing, cited)]
    one, other = (world.kind[work] for work in works)
    owner, owner_too = (np.where(world.kind[work] == PAPER, -1, world.group[work]) for work in works)
    family = (one == REPOSITORY) == (other == REPOSITORY)
    team, team_too = (
        np.where(codes % 3 == RECORD, world.teams.by_orcid[group], world.teams.by_name[group])
        for codes, work in zip((citing, cited), works, strict=True)
        for group in (np.where(world.kind[work] == PAPER, world.group[work], 0),)
    )
    papers = (one == PAPER) & (other == PAPER)
    return there & family & (owner >= 0) & (owner == owner_too), there & papers & (team == team_too)


# ---------------------------------------------------------------------------------------------------------------
# Days and lakes.


def days(shape: Shape) -> Iterator[Day]:
    """The world day by day. The same shape gives the same tables, on any number of threads.

    Nine in ten references become an edge (eight in a world of a few thousand works, where the same few works are
    found again and again); a quarter of the edges end at a stub, one in forty at the same hands. `write` needs
    half the memory, for here all tables of a day are held at once.
    """
    for day, observed_until, tables in _days(shape):
        made = dict(tables)
        traces, citations = (
            {name: frame for name, frame in made.items() if schemas.table(name).stage == stage}
            for stage in ("traces", "citations")
        )
        yield Day(day, traces, citations, observed_until)


def _days(shape: Shape) -> Iterator[tuple[date, datetime, Tables]]:
    """(day, when the last of it was observed, its tables: all of them have to be asked for before the next day)."""
    world = _draw(shape)
    numbers = np.full(world.names, -1, dtype=np.int64)
    for day in range(shape.days):
        items = _items(world, day)
        said = _said(world, items)
        latest = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(items.page_observed.max()))
        tables = chain(_traces(world, items, said), _citations(world, numbers, items, said))
        yield shape.date_of(day), latest, tables


def write(lake: Lake, shape: Shape, tell: Callable[[str], None]) -> Summary:
    """Write the world as a lake of its own, through the ledger. `tell` is given a line a day.

    Every commit carries the inputs that the stage itself would name (raw answers there are none), and says in its
    note what it was made of. One table is in memory at a time; the references of the opening, and what sorting them
    takes, set the peak: 5 GB and 1 to 2 minutes for a million works with ten million references, and ten times as
    much for ten times as many. Raises LakeError where there is a lake already.
    """
    if lake.world or lake.ledger.file.exists():
        held = lake.world or "unclaimed"
        raise LakeError(f"{lake.root} already holds a lake ({held}): choose another folder with --lake")
    lake.claim(world=WORLD, start_date=shape.first_day.isoformat(), history_from=shape.history_from.isoformat())
    note = f"synthetic: works={shape.works} edges={shape.edges} days={shape.days} seed={shape.seed}"
    commits: list[Commit] = []
    began = time.perf_counter()
    for day, observed_until, tables in _days(shape):
        read: dict[str, Snapshot] = {}
        for name, frame in tables:
            stage = schemas.table(name).stage
            snapshot = read.get(stage) or read.setdefault(stage, _read(lake, stage, day))
            until = observed_until if stage == "traces" else snapshot.observed_until()
            written = lake.write(name, day, frame, inputs=snapshot.inputs, observed_until=until, note=note)
            commits.append(written.commit)
            del frame  # before the next one is made
        rows, size = sum(commit.rows for commit in commits), sum(commit.bytes for commit in commits)
        tell(f"{day}: {rows:,} rows, {size / 1e6:,.1f} MB, {time.perf_counter() - began:.0f} s")
    total: dict[str, int] = {}
    for commit in commits:
        total[commit.table] = total.get(commit.table, 0) + commit.rows
    return Summary(len(commits), total, sum(commit.bytes for commit in commits), time.perf_counter() - began)


def _read(lake: Lake, stage: str, day: date) -> Snapshot:
    """A snapshot of which everything was read that the stage reads for the day."""
    from coevo_pipelines.citations.assets import INPUTS, STATE

    snapshot = lake.snapshot()
    if stage == "traces":
        for source in schemas.SOURCES:
            snapshot.files(f"scrapes.{source}", on=day)
    else:
        for name in INPUTS:
            snapshot.files(name, upto=day)
        for name in STATE:
            snapshot.files(name, upto=day - DAY)
    return snapshot


# ---------------------------------------------------------------------------------------------------------------
# Edge lists.

ARXIV_SHARE = 0.5
"""Works of a string edge list that are named by arXiv; the rest is named by OpenAlex."""


def edge_list(works: int, edges: int, seed: int, path: Path, *, strings: bool = False) -> None:
    """Write a synthetic citation graph as Parquet with the columns `source` and `target`, and nothing else.

    Ids are dense int64 0..works-1 in order of event time (larger is newer), rows are sorted by source, the
    in-degree is a power law with ageing. No self loops; a few rows are double, a few targets are newer than
    their source. With `strings` the ids are `arxiv:…` and `openalex:W…` and the rows are in no order.

    One row group a million rows. Memory: 4 bytes an edge and 20 a work beside 250 MB; with strings, 8 an edge
    and 60 a work. The same arguments give the same bytes. Raises ValueError when there is no such graph.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if works < 2 or edges < 0 or edges > works * (works - 1) // 2:
        raise ValueError(f"no graph of {edges:,} references among {works:,} works")
    starts = _starts(works, edges, np.random.default_rng([seed, 1]))
    kind = pa.string() if strings else pa.int64()
    schema = pa.schema([("source", kind), ("target", kind)])
    # Ids hardly repeat within a row group: a dictionary would only cost time.
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, use_dictionary=False) as writer:
        chunks = _attached(starts, np.random.default_rng([seed, 2]))
        if strings:
            chunks = _scattered(starts, chunks, np.random.default_rng([seed, 3]))
        names = _edge_names(works) if strings else None
        for source, target in chunks:
            columns: list[Any] = [source, target] if names is None else [names.take(source), names.take(target)]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=CHUNK)


def _starts(works: int, edges: int, rng: np.random.Generator) -> Ints:
    """(works + 1,): row of the first reference of each work; the last is `edges`. Work 0 has none."""
    weight = rng.lognormal(0.0, REFERENCE_SPREAD, works)
    # The first works find little to refer to: their lists grow with what there is.
    ramp = min(works - 1, max(1, 20 * edges // works))
    weight[: ramp + 1] *= np.arange(ramp + 1) / ramp
    np.cumsum(weight, out=weight)
    weight *= edges / weight[-1]
    starts = np.zeros(works + 1, dtype=np.int64)
    starts[1:] = weight
    starts[-1] = edges
    return starts


def _sources(starts: Ints, first: int, last: int) -> Ints:
    """(last - first,): the source of each of the rows first..last-1."""
    low = int(np.searchsorted(starts, first, "right")) - 1
    high = int(np.searchsorted(starts, last, "left"))
    bounds = np.clip(starts[low : high + 1], first, last)
    return np.repeat(np.arange(low, high, dtype=np.int64), np.diff(bounds))


def _attached(starts: Ints, rng: np.random.Generator) -> Iterator[tuple[Ints, NDArray[np.int32]]]:
    """(source, target) of the rows in order, a chunk at a time."""
    works, edges = starts.size - 1, int(starts[-1])
    appeal = rng.random(works, dtype=np.float32)
    appeal **= APPEAL
    targets = np.zeros(edges, dtype=np.int32)
    reach = max(1, int(NEWER_REACH * works))
    for first in range(0, edges, CHUNK):
        last = min(first + CHUNK, edges)
        source = _sources(starts, first, last)
        how, where, least = (rng.random(last - first) for _ in range(3))
        _attach(targets, first, source, how, where, least, appeal, reach)
        yield source, targets[first:last]


@kernel
def _attach(
    targets: NDArray[np.int32],
    first: int,
    sources: Ints,
    how: Floats,
    where: Floats,
    least: Floats,
    appeal: NDArray[np.float32],
    reach: int,
) -> None:
    """Fill `targets` from row `first` on. `how`, `where` and `least` are uniform in [0, 1).

    A reference copies the target of an earlier row, or takes the next older work that appeals enough. The
    roots are the ageing: where output grows exponentially, id x u^(1/4) says that lags in time are exponential,
    with a mean of a quarter of the time in which output grows e-fold (1.8 years here), and a copy goes back twice
    as far. And the square root is the one root that every machine rounds alike.
    """
    for k in range(sources.size):
        row = first + k
        source = sources[k]
        root = math.sqrt(where[k])
        target = source
        if how[k] < COPIED:
            target = targets[int(row * root)]
        elif how[k] >= 1.0 - NEWER:
            target = source + 1 + int(where[k] * reach)
            if target < appeal.size:
                targets[row] = target
                continue
        if target >= source:  # nothing to copy yet, a target newer than the source, or a fresh find
            target = min(int(source * math.sqrt(root)), source - 1)
            while target > 0 and appeal[target] < least[k]:
                target -= 1
        targets[row] = target


def _scattered(
    starts: Ints, chunks: Iterator[tuple[Ints, NDArray[np.int32]]], rng: np.random.Generator
) -> Iterator[tuple[Ints, NDArray[np.int32]]]:
    """All rows in another order: strides through the whole list, each chunk shuffled. Needs no second copy."""
    edges = int(starts[-1])
    targets = np.empty(edges, dtype=np.int32)
    first = 0
    for source, target in chunks:
        targets[first : first + source.size] = target
        first += source.size
    stride = int(edges * 0.6180339887) | 1
    while edges and math.gcd(stride, edges) != 1:
        stride += 2
    for first in range(0, edges, CHUNK):
        rows = (np.arange(first, min(first + CHUNK, edges), dtype=np.int64) * stride) % edges
        rows.sort()  # looked up in order and shuffled after: a tenth of the time of looking up at random
        order = rng.permutation(rows.size)
        yield (np.searchsorted(starts, rows, "right") - 1)[order], targets[rows][order]


def _edge_names(works: int) -> pa.Array:
    """(works,) strings: the identifier of each work."""
    import polars as pl

    work = np.arange(works, dtype=np.int64)
    month, place = _months(works)
    named = (_scramble(work) % 1000 < 1000 * ARXIV_SHARE) & (place < 100_000)
    written = pl.select(
        year=pl.Series(month // 12 + 11),
        month=pl.Series(month % 12 + 1),
        place=pl.Series(place),
        number=_scramble(work),
    )
    arxiv = pl.format(
        "arxiv:{}{}.{}",
        pl.col("year"),
        pl.col("month").cast(pl.String).str.zfill(2),
        pl.col("place").cast(pl.String).str.zfill(5),
    )
    openalex = pl.format("openalex:W{}", pl.col("number") + 2_000_000_000)
    chosen = pl.when(pl.Series(named)).then(arxiv).otherwise(openalex)
    return written.select(id=chosen)["id"].to_arrow(compat_level=pl.CompatLevel.oldest())


def _months(works: int) -> tuple[Ints, Ints]:
    """(month from the start, place in the month) of each work, in order of event time."""
    ends = (_cumulative(np.cumprod(np.full(HISTORY_MONTHS, GROWTH)).tolist()) * works).astype(np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    month = np.repeat(np.arange(HISTORY_MONTHS, dtype=np.int64), ends - starts)
    return month, np.arange(works, dtype=np.int64) - starts[month]


def _scramble(number: Ints) -> Ints:
    """Another number below 2^31 - 1 for each, never the same twice (for numbers below that prime)."""
    return number * 16_807 % 2_147_483_647
