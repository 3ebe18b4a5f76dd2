"""A world day by day: its tables in memory, or committed as a lake of the world `synthetic`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from coevo_pipelines.bench.world.columns import Tables
from coevo_pipelines.bench.world.drawing import draw
from coevo_pipelines.bench.world.graph import citation_tables
from coevo_pipelines.bench.world.items import items_of, said_on
from coevo_pipelines.bench.world.shape import Shape
from coevo_pipelines.bench.world.traces import trace_tables
from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.ledger import Commit
from coevo_pipelines.lake.store import Lake, LakeError, Snapshot
from coevo_pipelines.windows import DAY

if TYPE_CHECKING:
    import polars as pl

WORLD = "synthetic"
"""The label of the lake: neither `sample` nor `live`, so that no settings open it by mistake."""


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
    world = draw(shape)
    numbers = np.full(world.names, -1, dtype=np.int64)
    for day in range(shape.days):
        items = items_of(world, day)
        said = said_on(world, items)
        latest = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(items.page_observed.max()))
        tables = chain(trace_tables(world, items, said), citation_tables(world, numbers, items, said))
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
