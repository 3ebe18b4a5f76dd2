"""Assets `influence/*`: scores, fields, chambers, lattice, bonds and people as of a day."""

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
from coevo_pipelines.orchestration.pictures import ranks
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.settings import Settings

TABLES = (
    "influence.scores",
    "influence.fields",
    "influence.chambers",
    "influence.lattice",
    "influence.bonds",
    "influence.people",
)
INPUTS = ("traces.works", "traces.people", "traces.claims", "citations.nodes", "citations.aliases", "citations.edges")
SCORES = "influence.scores"
MOST_RESIDUAL = 1e-12


def influence_assets(settings: Settings) -> dg.AssetsDefinition:
    """The tables of the stage as one computation: they share the day's graph."""

    @dg.multi_asset(
        name="influence",
        specs=[spec(table, INPUTS, {"numba", "parquet"}) for table in TABLES],
        check_specs=[*(schema_check_spec(table) for table in TABLES), _sums_spec()],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def influence(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        lake = open_lake(settings, context.run.run_id)
        yield from materialize_days(context, lake, TABLES, partial(compute, settings), _sums)

    return influence


def compute(settings: Settings, day: date, snapshot: Snapshot) -> Mapping[str, Result]:
    """The day's rows of the stage's tables."""
    from coevo_pipelines.citations import asof
    from coevo_pipelines.influence import people
    from coevo_pipelines.influence.day import influence_of, people_of, units_of
    from coevo_pipelines.influence.load import known_of, tables_of
    from coevo_pipelines.lake.engine import Engine

    with Engine(snapshot, settings.engine) as engine:
        tables = tables_of(engine, day)
        works = engine.keep(asof.works(tables))
        known = known_of(engine, tables, works, snapshot, settings.influence.window)
        results = dict(influence_of(known, settings.influence))
        credits = people.credits(works, tables.people, tables.aliases)
        carried = engine.frame(people.carry(engine.put(units_of(results[SCORES].frame)), credits))
    results |= {"influence.people": people_of(carried)}
    return {
        name: Result(table.frame, {**table.numbers, **_shown(name, table.frame, day)})
        for name, table in results.items()
    }


def _shown(name: str, frame: pl.DataFrame, day: date) -> dict[str, Any]:
    """What a person would look for beside the numbers of the computation itself."""
    if name == SCORES:
        inflow = frame["inflow"].to_list()
        return {
            "works_with_inflow": sum(value > 0 for value in inflow),
            "largest_inflow": max(inflow, default=0.0),
            **ranks("Inflow held by the largest works", f"{day}: share of all that arrives over links", inflow),
        }
    if name == "influence.chambers":
        sizes = frame["size"].to_list()
        return {"modularity": float(frame["modularity"].sum()), "largest_chamber": max(sizes, default=0)}
    return {}


def _sums_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="sums_to_one",
        asset=asset_key(SCORES),
        blocking=True,
        description="The influence of all works sums to 1, so does what arrives over links, in both modes; and the "
        "equations are solved to 1e-12. Red: the scores are wrong, and nothing is made from them.",
    )


def _sums(results: Mapping[date, Mapping[str, Result]]) -> list[dg.AssetCheckResult]:
    problems = [f"{day}: {found}" for day, tables in sorted(results.items()) if (found := _wrong(tables[SCORES]))]
    works = sum(tables[SCORES].frame.height for tables in results.values())
    return [
        verdict(
            asset_key(SCORES),
            "sums_to_one",
            problems,
            well=f"The scores of {count(works, 'work')} in {count(len(results), 'day')} sum to 1.",
            way_out="No setting can cause this: it is a fault of the program. Keep the lake and report it.",
            numbers={"days": len(results), "works": works},
        )
    ]


def _wrong(result: Result) -> str:
    """What does not add up; empty when all does. Inflow is 0 where nothing flows, and all of guarded mode where nobody
    may vote."""
    frame, numbers = result.frame, result.metadata
    # Each score was rounded to 1e-12.
    slack = 1e-12 * max(frame.height, 1)
    for mode in ("", "guarded_"):
        residual, flow = numbers[f"{mode}residual"], numbers[f"{mode}flow"]
        voted = frame.height > 0 and residual is not None
        for name, expected in ((f"{mode}influence", voted), (f"{mode}inflow", voted and flow > 0)):
            total = float(frame[name].sum())
            if not abs(total - expected) <= slack:
                return f"{name} sums to {total!r}, expected {float(expected)!r}"
        if voted and not residual <= MOST_RESIDUAL:
            return f"the {mode}residual is {residual:.1e}, expected at most {MOST_RESIDUAL:.0e}"
    return ""
