"""A day of raw exchanges -> frames of the `traces.*` tables. Reads stored rows only, never the network."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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

    An answer that cannot be read at all becomes one reject. Answers that never came say nothing about works and are
    skipped; what a refusal (3xx, 4xx) says is read where the module has a function `refused` for it. All are in the
    raw table with their status.
    """
    module = source_module(source)
    refused = getattr(module, "refused", None)
    traces = Traces(source, window, topics, grace)
    with _no_collector():
        for exchange in exchanges:
            if exchange.error is not None or exchange.status is None or exchange.status >= 500:
                continue
            parse = module.parse if exchange.status < 300 else refused
            if parse is not None:
                traces.begin(exchange)
                with traces.item("body"):
                    parse(exchange, traces)
    return traces


@contextmanager
def _no_collector() -> Iterator[None]:
    """What parsers make has no cycles, and looking for some in millions of rows took half of all time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


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
        result[name] = _one_row_a_key(frame, table, window, grace)
    return result


def _one_row_a_key(frame: pl.DataFrame, table: schemas.Table, window: Window, grace: timedelta) -> pl.DataFrame:
    import polars as pl

    twice = frame.select(table.key).is_duplicated()
    if not twice.any():
        return frame
    late = pl.col("observed_at") > window.end + grace
    age = pl.col("observed_at").dt.epoch("us")
    again = frame.filter(twice)
    if "topics" in again.columns:  # one work may be found under several
        found = pl.col("topics").list.explode().drop_nulls().unique().sort().implode().over(table.key)
        again = again.with_columns(topics=found)
    order = again.with_columns(_late=late, _age=pl.when(late).then(age).otherwise(-age))
    ranked = order.sort([*table.key, "_late", "_age", "raw_sha256"], maintain_order=True)
    chosen = ranked.unique(subset=list(table.key), keep="first", maintain_order=True).drop("_late", "_age")
    return pl.concat([frame.filter(~twice), chosen])
