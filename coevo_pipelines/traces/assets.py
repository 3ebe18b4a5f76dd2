"""Assets `traces/*`: a day's raw exchanges of all sources, normalized in one pass."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import dagster as dg

from coevo_pipelines.lake.store import Snapshot
from coevo_pipelines.orchestration.days import (
    Result,
    asset_key,
    materialize_days,
    schema_check_spec,
    spec,
)
from coevo_pipelines.orchestration.partitions import daily
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.scrapes import stored
from coevo_pipelines.settings import Settings
from coevo_pipelines.traces.allowed import allowed
from coevo_pipelines.traces.normalize import TABLES, frames, normalize

REJECTS = "traces.rejects"
TEXTS = "traces.texts"


def trace_assets(settings: Settings) -> dg.AssetsDefinition:
    """The tables of the stage as one computation: each body is parsed once."""
    sources = [name for name, source in settings.sources.items() if source.enabled]
    raw = [f"scrapes.{name}" for name in sorted(sources)]

    def compute(day: date, snapshot: Snapshot) -> Mapping[str, Result]:
        window = settings.window(day)
        collected = []
        for name in sorted(sources):
            exchanges = stored.read(snapshot.files(f"scrapes.{name}", on=day))
            collected.append(normalize(name, exchanges, window, settings.topics, settings.grace))
        outside = {traces.source: traces.outside_window for traces in collected if traces.outside_window}
        off_topic = {traces.source: traces.off_topic for traces in collected if traces.off_topic}
        tables = frames(collected, window, settings.grace)
        by_source = dict(tables[REJECTS]["source"].value_counts().iter_rows())
        texts, left_out = allowed(tables, settings.stored_texts)
        tables = {**tables, TEXTS: texts}
        own = {
            TEXTS: {"withheld": left_out},
            "traces.works": {"outside_window": outside, "off_topic": off_topic},
            REJECTS: {"by_source": by_source},
        }
        return {name: Result(frame, own.get(name, {})) for name, frame in tables.items()}

    @dg.multi_asset(
        name="traces",
        specs=[spec(table, raw, {"polars", "parquet"}) for table in TABLES],
        check_specs=[*(schema_check_spec(table) for table in TABLES), _no_rejects_spec()],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def traces(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        lake = open_lake(settings, context.run.run_id)
        yield from materialize_days(context, lake, TABLES, compute, _no_rejects)

    return traces


def _no_rejects_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="no_rejects",
        asset=asset_key(REJECTS),
        description="Every item of every answer could be read; the rest is listed in traces.rejects.",
    )


def _no_rejects(results: Mapping[date, Mapping[str, Result]]) -> list[dg.AssetCheckResult]:
    rejected = {day.isoformat(): tables[REJECTS].frame for day, tables in results.items()}
    counts = {day: frame.height for day, frame in rejected.items() if frame.height}
    first = next((rejected[day].row(0, named=True) for day in counts), None)
    return [
        dg.AssetCheckResult(
            asset_key=asset_key(REJECTS),
            check_name="no_rejects",
            passed=not counts,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{first['source']} {first['locator']}: {first['reason']}" if first else "no rejects",
            metadata={"rejects": counts},
        )
    ]
