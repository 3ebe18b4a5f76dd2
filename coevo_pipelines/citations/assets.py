"""Assets `citations/*`: the graph as of a day, from everything up to it."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

import dagster as dg
import polars as pl

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
EDGES = "citations.edges"
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
    return {name: Result(frame, _numbers(name, frame, day)) for name, frame in frames.items()}


def _numbers(name: str, frame: pl.DataFrame, day: date) -> dict[str, Any]:
    """What a person would look for."""
    if name == "citations.nodes":
        stubs = int(frame["is_stub"].sum())
        return {"works": frame.height - stubs, "stubs": stubs}
    if name == EDGES:
        relations = counted(frame["relation"])
        return {
            **relations,
            **counted(frame["own"].drop_nulls()),
            "unresolved_targets": int(frame["target_is_stub"].sum()),
            **bars("New links by relation", f"{day}: {count(frame.height, 'new link')}", relations),
        }
    if name == "citations.resolutions":
        return {"stubs_that_got_their_work": int(frame["was_stub"].sum())}
    return {}


def _no_quarantine_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="none_quarantined",
        asset=asset_key(QUARANTINE),
        description="No link points to a work that appeared more than 30 days after it: nobody can cite what is not "
        "there. Such links are kept out of the graph and listed in citations.quarantine; the run goes on.",
    )


def _no_quarantine(results: Mapping[date, Mapping[str, Result]]) -> list[dg.AssetCheckResult]:
    problems = [
        f"{day}: {row['source']} {row['relation']} {row['target']}, which appeared on "
        f"{row['target_created_at']:%Y-%m-%d}"
        for day, tables in results.items()
        for row in tables[QUARANTINE].frame.iter_rows(named=True)
    ]
    links = sum(tables[EDGES].frame.height for tables in results.values())
    return [
        verdict(
            asset_key(QUARANTINE),
            "none_quarantined",
            problems,
            well=f"None of {count(links, 'new link')} points to a work that is newer than it.",
            way_out="Look at the dates of both works: one of them is wrong at its source, or two works share an "
            "identifier.",
            blocks=False,
            numbers={"links": links},
        )
    ]
