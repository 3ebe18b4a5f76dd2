"""The graph of a day out of the lake; what assets and commands share."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from ibis import _

from coevo_pipelines.citations import asof, graph
from coevo_pipelines.influence.day import Known
from coevo_pipelines.lake.store import Snapshot
from coevo_pipelines.windows import DAY

if TYPE_CHECKING:
    import polars as pl

    from coevo_pipelines.lake.engine import Engine


def tables_of(engine: Engine, day: date) -> asof.Known:
    """The tables of which the graph of a day is made, up to the day."""
    return asof.Known(
        day=day, engine=engine, **{name.partition(".")[2]: engine.table(name, upto=day) for name in asof.KNOWN}
    )


def known_of(engine: Engine, tables: asof.Known, works: Any, snapshot: Snapshot, window: int) -> Known:
    """What `day.influence_of` needs. `works`: `asof.works(tables)`, kept; `window`: days looked back on, `day` too;
    the day before is always among them, because chambers are recognised by it."""
    before = [
        snapshot.scan("influence.lattice", on=tables.day - back * DAY).drop("date").collect()
        for back in range(max(window, 2) - 1, 0, -1)
        if snapshot.files("influence.lattice", on=tables.day - back * DAY)
    ]
    now = _frames(engine, tables, works)
    start = month_start(snapshot, tables.day)
    if start == tables.day:
        settled = now
    else:
        then = _as_of(tables, start)
        settled = _frames(engine, then, engine.keep(asof.works(then)))
    return Known(tables.day, *now, aliases_of(engine, tables), claims_of(snapshot, tables.day), settled, before)


def aliases_of(engine: Engine, tables: asof.Known) -> pl.DataFrame:
    """(id, canonical): what stands for identifiers as of the day."""
    return engine.frame(graph.standing(tables.aliases))


def claims_of(snapshot: Snapshot, day: date) -> pl.DataFrame:
    """`traces.claims` of the day."""
    return snapshot.scan("traces.claims", on=day).drop("date").collect()


def month_start(snapshot: Snapshot, day: date) -> date:
    """As of which day the graph was when the month of `day` began: the last day of the month before, or the lake's
    first, where that is later."""
    first = min((commit.day for commit in snapshot.index.partitions("citations.nodes")), default=day)
    return min(day, max(first, day.replace(day=1) - DAY))


def _as_of(tables: asof.Known, day: date) -> asof.Known:
    """Of the same tables what was known by an earlier day."""
    names = (name.partition(".")[2] for name in asof.KNOWN)
    return replace(tables, day=day, **{name: getattr(tables, name).filter(_.date <= day) for name in names})


def _frames(engine: Engine, tables: asof.Known, works: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    return engine.frame(works), engine.frame(asof.edges(tables, works))
