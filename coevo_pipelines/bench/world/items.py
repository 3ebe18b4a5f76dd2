"""What services say on a day, as numbers: which works in which raw answers, and which references of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coevo_pipelines.bench.vectors import Flags, Ints, ranges
from coevo_pipelines.bench.world import shares
from coevo_pipelines.bench.world.drawing import World, updated_on
from coevo_pipelines.bench.world.kinds import ARXIV, GITHUB, HUGGINGFACE, LINKS, ON_BOTH, ON_OPENALEX, OPENALEX, PAPER
from coevo_pipelines.bench.world.shape import DAY_US, OWN, RECORD, start_of
from coevo_pipelines.lake import schemas

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Items:
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


def items_of(world: World, day: int) -> Items:
    """All that services say of works on the day, in pages of each service."""
    shape = world.shape
    born = np.flatnonzero((world.day == day) & (world.via != ON_OPENALEX))
    recorded = np.flatnonzero(world.record_day == day)
    updated = updated_on(shape, world.kind, world.day, day)
    work = np.concatenate([born, recorded, updated])
    slot = np.repeat(np.array([OWN, RECORD, OWN]), [born.size, recorded.size, updated.size])
    at = np.concatenate(
        [world.created[born], world.record[recorded] * np.int64(DAY_US), pushed_at(world, updated, day)]
    )
    of_kind = np.array([ARXIV, GITHUB, HUGGINGFACE, HUGGINGFACE, HUGGINGFACE])
    service = np.where(slot == RECORD, OPENALEX, of_kind[world.kind[work]])
    page = np.empty(work.size, dtype=np.int64)
    ends = [0]
    for number in range(len(schemas.SOURCES)):
        rows = np.flatnonzero(service == number)
        page[rows] = ends[-1] + np.arange(rows.size) // shares.PAGE
        ends.append(ends[-1] + -(-rows.size // shares.PAGE) + 1)
    pages = np.arange(ends[-1])
    late = world.chance("late", pages) < shares.UNSEEN if day == 0 else np.full(pages.size, _is_reconstructed(day))
    hours = 1 + late * np.int64(shares.LATE_HOURS)
    return Items(
        day=day,
        work=work,
        slot=slot,
        at=at,
        is_update=np.arange(work.size) >= born.size + recorded.size,
        service=service,
        page=page,
        page_sha256=_sha256s(shape.seed, day, pages.size),
        page_observed=start_of(shape.date_of(day)) + DAY_US + hours * 3_600_000_000 + pages % 3600 * 1_000_000,
        page_late=late,
        odd_page=np.array(ends[1:]) - 1,
    )


def _is_reconstructed(day: int) -> bool:
    return day % shares.RECONSTRUCTED_EVERY == shares.RECONSTRUCTED_EVERY - 1


def _sha256s(seed: int, day: int, count: int) -> pl.Series:
    """What stands for the digests of raw answers: there are none."""
    import polars as pl

    digits = np.random.default_rng([seed, 11, day]).bytes(32 * count).hex()
    return pl.Series([digits[start : start + 64] for start in range(0, len(digits), 64)], dtype=pl.String)


def pushed_at(world: World, work: Ints, day: int) -> Ints:
    """When each repository was pushed to on the day."""
    return start_of(world.shape.date_of(day)) + world.pick(f"pushed {day}", work, 86_400) * 1_000_000


@dataclass(frozen=True)
class Said:
    """References of a day: rows of the world's vectors, who says them (rows of the items), the two identifiers.

    is_new: not said by that source on an earlier day.
    """

    row: Ints
    item: Ints
    source: Ints
    target: Ints
    relation: Ints
    is_new: Flags

    def of(self, rows: Ints) -> Said:
        """These rows of it alone."""
        return Said(
            self.row[rows],
            self.item[rows],
            self.source[rows],
            self.target[rows],
            self.relation[rows],
            self.is_new[rows],
        )


def said_on(world: World, items: Items) -> Said:
    """An update says all references of its repository again, and on the first one those that stand there since."""
    speakers = np.flatnonzero((items.slot == RECORD) | (world.kind[items.work] != PAPER))
    starts = world.references.starts[items.work[speakers]]
    counts = world.references.starts[items.work[speakers] + 1] - starts
    row, item = ranges(starts, counts), np.repeat(speakers, counts)
    told = items.is_update[item] | ~world.references.later[row]
    row, item = row[told], item[told]
    work = items.work[item]
    relations = np.array([schemas.RELATIONS.index(one.relation) for one in LINKS])
    return Said(
        row=row,
        item=item,
        source=3 * work + np.where(is_by_arxiv(world, row, work), OWN, items.slot[item]),
        target=world.references.target[row].astype(np.int64),
        relation=relations[world.references.link[row]],
        is_new=~items.is_update[item] | (world.references.later[row] & (world.first_update[work] == items.day)),
    )


def is_by_arxiv(world: World, row: Ints, work: Ints) -> Flags:
    """A paper on arXiv says in its comment what its record says in its list: one reference from two sources."""
    both: Flags = world.references.second[row] & (world.via[work] == ON_BOTH)
    return both
