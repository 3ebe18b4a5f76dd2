"""Assets `traces/*`: a day's raw exchanges of all sources, normalized in one pass."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from coevo_pipelines.lake.schemas import EVENTS
from coevo_pipelines.lake.store import Snapshot
from coevo_pipelines.orchestration.checks import count, verdict
from coevo_pipelines.orchestration.days import (
    Result,
    asset_key,
    materialize_days,
    schema_check_spec,
    spec,
)
from coevo_pipelines.orchestration.partitions import daily
from coevo_pipelines.orchestration.pictures import bars, counted
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.scrapes import stored
from coevo_pipelines.scrapes.sources import services
from coevo_pipelines.settings import Settings
from coevo_pipelines.traces.allowed import allowed
from coevo_pipelines.traces.normalize import TABLES, frames, normalize

WORKS = "traces.works"
REJECTS = "traces.rejects"
TEXTS = "traces.texts"
BY = {"traces.references": "relation", TEXTS: "kind", REJECTS: "source", "traces.contributions": "basis"}
"""By table: the column whose values are counted for a person who looks."""
KNOWN = {"traces.metrics": "value", "traces.people": "orcid", "traces.claims": "proof"}
"""By table: the column of which it matters how many have one."""


def trace_assets(settings: Settings) -> dg.AssetsDefinition:
    """The tables of the stage as one computation: each body is parsed once."""
    sources = [name for name, service in services() if settings.sources[name].enabled and not service.of_places]
    raw = [f"scrapes.{name}" for name in sorted(sources)]

    def compute(day: date, snapshot: Snapshot) -> Mapping[str, Result]:
        window = settings.window(day)
        collected = []
        for name in sorted(sources):
            exchanges = stored.read(snapshot.files(f"scrapes.{name}", on=day))
            collected.append(normalize(name, exchanges, window, settings.topics, settings.grace))
        tables = frames(collected, window, settings.grace)
        texts, left_out = allowed(tables, settings.stored_texts)
        own: dict[str, dict[str, Any]] = {
            TEXTS: {"withheld": left_out},
            WORKS: {
                "outside_window": sum(traces.outside_window for traces in collected),
                "off_topic": sum(traces.off_topic for traces in collected),
            },
        }
        return {
            name: Result(frame, {**own.get(name, {}), **_numbers(name, frame, day)})
            for name, frame in {**tables, TEXTS: texts}.items()
        }

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


def _numbers(name: str, frame: pl.DataFrame, day: date) -> dict[str, Any]:
    """What a person would look for."""
    if name == WORKS:
        kinds = counted(frame.filter(frame["event"] == "created")["kind"])
        picture = bars("New works by kind", f"{day}: {count(sum(kinds.values()), 'new work')}", kinds)
        return {**{event: int((frame["event"] == event).sum()) for event in EVENTS}, **picture}
    if name in BY:
        return {**counted(frame[BY[name]])}
    if name in KNOWN:
        return {f"with_{KNOWN[name]}": frame.height - frame[KNOWN[name]].null_count()}
    return {}


def _no_rejects_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="no_rejects",
        asset=asset_key(REJECTS),
        description="Every item of every answer could be read. What could not is listed in traces.rejects with the "
        "reason, and the run goes on without it.",
    )


def _no_rejects(results: Mapping[date, Mapping[str, Result]]) -> list[dg.AssetCheckResult]:
    problems = [
        f"{day}: {row['source']} {row['locator']}: {row['reason']}"
        for day, tables in results.items()
        for row in tables[REJECTS].frame.iter_rows(named=True)
    ]
    read = sum(frame.frame.height for tables in results.values() for name, frame in tables.items() if name != REJECTS)
    return [
        verdict(
            asset_key(REJECTS),
            "no_rejects",
            problems,
            well=f"Every item of every answer could be read: {count(read, 'row')}.",
            way_out="FROM traces.rejects names the answer and the place in it. Many of one kind: the service has "
            "changed.",
            blocks=False,
            numbers={"rows_read": read},
        )
    ]
