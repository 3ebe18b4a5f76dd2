"""Assets `citations/*`: the graph as of a day, from everything up to it."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

import dagster as dg
import polars as pl

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
from coevo_pipelines.settings import Settings
from coevo_pipelines.windows import DAY

TABLES = (
    "citations.nodes",
    "citations.aliases",
    "citations.resolutions",
    "citations.edges",
    "citations.quarantine",
)
STATE = TABLES[:3]
"""What a day also reads of the days before."""
INPUTS = ("traces.works", "traces.references", "traces.people", "traces.identities")
QUARANTINE = "citations.quarantine"


def citation_assets(settings: Settings) -> dg.AssetsDefinition:
    """The tables of the stage as one computation: they share the resolved identifiers."""

    @dg.multi_asset(
        name="citations",
        specs=[spec(table, INPUTS, {"duckdb", "parquet"}) for table in TABLES],
        check_specs=[*(schema_check_spec(table) for table in TABLES), _no_quarantine_spec()],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def citations(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        lake = open_lake(settings, context.run.run_id)
        yield from materialize_days(context, lake, TABLES, partial(compute, where=settings.engine), _no_quarantine)

    return citations


def compute(day: date, snapshot: Snapshot, where: str = "duckdb") -> Mapping[str, Result]:
    """The day's rows of the stage's tables; `where` is the setting `engine`."""
    from coevo_pipelines.citations import graph
    from coevo_pipelines.lake.engine import Engine

    with Engine(snapshot, where) as engine:
        works, references, people, identities = (engine.table(name, upto=day) for name in INPUTS)
        nodes, aliases, resolutions = (engine.table(name, upto=day - DAY) for name in STATE)
        facts = graph.Facts(day, works, references, people, identities, nodes, aliases, resolutions, engine)
        frames = {name: engine.frame(table) for name, table in graph.build(facts).items()}
    return {name: Result(frame, _numbers(name, frame)) for name, frame in frames.items()}


def _numbers(name: str, frame: pl.DataFrame) -> dict[str, Any]:
    if name == "citations.nodes":
        return {"stubs": int(frame["is_stub"].sum())}
    if name == "citations.edges":
        own = frame["own"].drop_nulls().value_counts()
        relations = frame["relation"].value_counts()
        return {
            "by_relation": dict(sorted(relations.iter_rows())),
            "weight_0": dict(sorted(own.iter_rows())),
            "unresolved_targets": int(frame["target_is_stub"].sum()),
        }
    return {}


def _no_quarantine_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="none_quarantined",
        asset=asset_key(QUARANTINE),
        description="No link points to a work that appeared more than 30 days after it.",
    )


def _no_quarantine(results: Mapping[date, Mapping[str, Result]]) -> list[dg.AssetCheckResult]:
    counts = {day.isoformat(): tables[QUARANTINE].frame.height for day, tables in results.items()}
    held = {day: count for day, count in counts.items() if count}
    return [
        dg.AssetCheckResult(
            asset_key=asset_key(QUARANTINE),
            check_name="none_quarantined",
            passed=not held,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{sum(held.values())} link(s) quarantined" if held else "none quarantined",
            metadata={"quarantined": held},
        )
    ]
