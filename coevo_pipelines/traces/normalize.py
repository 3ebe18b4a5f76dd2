"""A day of raw exchanges -> frames of the `traces.*` tables. Reads stored rows only, never the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from coevo_pipelines.lake import schemas
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.sources import source as source_module
from coevo_pipelines.settings import Topic
from coevo_pipelines.traces.records import KINDS_OF_ROW, Traces
from coevo_pipelines.windows import Window

if TYPE_CHECKING:
    import polars as pl

TABLES = tuple(f"traces.{name}" for name in KINDS_OF_ROW)


def normalize(
    source: str,
    exchanges: Iterable[Exchange],
    window: Window,
    topics: tuple[Topic, ...],
    grace: timedelta,
) -> Traces:
    """The rows that `exchanges` of one source say about the window's day.

    An answer that cannot be read at all becomes one reject. Answers that never came and refusals (4xx) say
    nothing about works and are skipped: they are in the raw table with their status.
    """
    module = source_module(source)
    traces = Traces(source, window, topics, grace)
    for exchange in exchanges:
        if not exchange.ok or (exchange.status or 0) >= 300:
            continue
        traces.begin(exchange)
        with traces.item("body"):
            module.parse(exchange, traces)
    return traces


def frames(collected: Iterable[Traces], window: Window, grace: timedelta) -> Mapping[str, pl.DataFrame]:
    """The rows of all sources as one frame a table, one row a key.

    Of several observations of one fact the latest within the grace period stands; if none came in time,
    the earliest after it. So asking again later never changes a day that was observed.
    """
    import polars as pl

    traces = list(collected)
    result = {}
    for name in TABLES:
        table = schemas.table(name)
        frame = pl.concat([one.frame(table.short_name) for one in traces] or [table.empty()])
        if name == "traces.works":  # one work may be found under several topics
            found = pl.col("topics").list.explode().drop_nulls().unique().sort().implode().over(table.key)
            frame = frame.with_columns(topics=found) if frame.height else frame
        result[name] = _one_row_a_key(frame, table, window, grace)
    return result


def _one_row_a_key(frame: pl.DataFrame, table: schemas.Table, window: Window, grace: timedelta) -> pl.DataFrame:
    import polars as pl

    late = pl.col("observed_at") > window.end + grace
    age = pl.col("observed_at").dt.epoch("us")
    order = frame.with_columns(_late=late, _age=pl.when(late).then(age).otherwise(-age))
    ranked = order.sort([*table.key, "_late", "_age", "raw_sha256"], maintain_order=True)
    return ranked.unique(subset=list(table.key), keep="first", maintain_order=True).drop("_late", "_age")
