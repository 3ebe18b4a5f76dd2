"""The graph of a day out of the lake; what assets and commands share."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from coevo_pipelines.citations import asof, graph
from coevo_pipelines.influence.day import Known
from coevo_pipelines.lake.store import Snapshot
from coevo_pipelines.windows import DAY

if TYPE_CHECKING:
    from coevo_pipelines.lake.engine import Engine


def tables_of(engine: Engine, day: date) -> asof.Known:
    """The tables of which the graph of a day is made, up to the day."""
    return asof.Known(
        day=day, engine=engine, **{name.partition(".")[2]: engine.table(name, upto=day) for name in asof.KNOWN}
    )


def known_of(engine: Engine, tables: asof.Known, works: Any, snapshot: Snapshot, window: int) -> Known:
    """What `day.influence_of` needs. `works`: `asof.works(tables)`, kept; `window`: days looked back on, `day` too."""
    before = [
        snapshot.scan("influence.lattice", on=tables.day - back * DAY).drop("date").collect()
        for back in range(window - 1, 0, -1)
        if snapshot.files("influence.lattice", on=tables.day - back * DAY)
    ]
    return Known(
        day=tables.day,
        works=engine.frame(works),
        edges=engine.frame(asof.edges(tables, works)),
        aliases=engine.frame(graph.standing(tables.aliases)),
        before=before,
    )
