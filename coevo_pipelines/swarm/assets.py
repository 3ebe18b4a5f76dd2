"""Assets `swarm/*`: the simulation's day, chained on the day before, and what people decided of it."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from coevo_pipelines.lake.assets import KEY as CATALOG
from coevo_pipelines.lake.store import Lake, Snapshot
from coevo_pipelines.orchestration.checks import count, verdict
from coevo_pipelines.orchestration.days import Result, asset_key, materialize_days, schema_check_spec, spec
from coevo_pipelines.orchestration.partitions import daily
from coevo_pipelines.orchestration.pictures import counted
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.settings import Settings
from coevo_pipelines.swarm.config import STATE
from coevo_pipelines.swarm.decisions.reviews import DECISIONS

MARKERS, LEDGER, METRICS = "swarm.decision_markers", "swarm.lifeforce_ledger", "swarm.metrics"
TABLES = (
    *STATE,
    MARKERS,
    "swarm.blend_predictions",
    "swarm.escalations",
    LEDGER,
    METRICS,
    "swarm.clasps",
    "swarm.review_queue",
    "swarm.decisions",
)
INPUTS = (
    "traces.works",
    "traces.people",
    "traces.claims",
    "traces.contributions",
    "citations.nodes",
    "citations.aliases",
    "citations.edges",
    "influence.scores",
    "influence.lattice",
    "rewards.allocations",
    "hubs.strategies",
    "hubs.registry",
    "hubs.outcomes",
)
REVIEWS = dg.AssetKey(["reviews", "decisions"])
LARGEST_PICTURE = 16_384
"""Bytes: a larger one would weigh on every list of events."""
DATA_VERSION_TAG = "dagster/data_version"


def swarm_assets(settings: Settings) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The file of decisions, which people make, and the simulation that takes them up."""
    decisions = dg.AssetSpec(
        REVIEWS,
        group_name="swarm",
        kinds={"json"},
        description=f"{DECISIONS}: what people decided (`coevo review decide`); append-only. Observed by the sensor "
        "reviews_decided.",
    )
    return [decisions, _swarm_asset(settings)]


def _swarm_asset(settings: Settings) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="swarm",
        specs=[spec(table, (*INPUTS, REVIEWS), {"numpy", "numba", "parquet"}) for table in TABLES],
        check_specs=[*(schema_check_spec(table) for table in TABLES), _zero_spec(), _labelled_spec()],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def swarm(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        lake = open_lake(settings, context.run.run_id)

        def checks(results: Mapping[date, Mapping[str, Result]]) -> list[dg.AssetCheckResult]:
            return [_zero(results, lake), _labelled(results)]

        yield from materialize_days(context, lake, TABLES, partial(compute, settings), checks)

    return swarm


def review_sensor(settings: Settings) -> dg.SensorDefinition:
    """Looks at the file of decisions. Off until it is turned on in the UI."""

    @dg.sensor(
        name="reviews_decided",
        target=dg.AssetSelection.groups("swarm") | dg.AssetSelection.assets(CATALOG),
        minimum_interval_seconds=60,
        description="Makes the swarm's last day again when a person has decided: decisions of that day are taken anew, "
        "those of earlier days are corrected on its first tick. Off until it is turned on.",
        tags={"coevo/world": settings.source},
    )
    def reviews_decided(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        version = _version(_decided(settings.lake_root))
        if version == (context.cursor or _version(b"")):
            return dg.SkipReason("nobody has decided anything since the last look")
        days = [commit.date for commit in open_lake(settings).snapshot().index.partitions(METRICS)]
        if not days:
            return dg.SkipReason("there is no day of the swarm yet")
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=version, partition_key=max(days))],
            asset_events=[dg.AssetObservation(REVIEWS, tags={DATA_VERSION_TAG: version})],
            cursor=version,
        )

    return reviews_decided


def _decided(root: Path) -> bytes:
    """The file of decisions; nothing where there is none."""
    path = root / DECISIONS
    return path.read_bytes() if path.exists() else b""


def _version(decided: bytes) -> str:
    import hashlib

    return hashlib.sha256(decided).hexdigest()


def compute(settings: Settings, day: date, snapshot: Snapshot) -> Mapping[str, Result]:
    """The day's rows of the stage's tables."""
    from coevo_pipelines.report.charts import NARROW
    from coevo_pipelines.swarm import day as days
    from coevo_pipelines.swarm import frames, pictures
    from coevo_pipelines.swarm.decisions import reviews
    from coevo_pipelines.swarm.decisions.minds import ANSWERS, Panel
    from coevo_pipelines.swarm.load import known_of, previous_of, rules_of
    from coevo_pipelines.swarm.seeding import world as seeding

    rules = rules_of(settings)
    config, seed = settings.swarm.parameters, settings.swarm.seed
    panel = Panel(settings.swarm.minds, snapshot.root / ANSWERS)
    known = known_of(snapshot, day, settings)
    world = seeding.world_of(known, rules)
    decided = _decided(snapshot.root)
    lines = reviews.lines_of(decided)
    run_id = days.run_id_of(config, seed, settings.ticks_per_day, rules)
    swarm = previous_of(snapshot, day, config, run_id, panel, settings.swarm.workers)
    if swarm is None:
        swarm = days.begin(world, day, config, seed, run_id, panel, settings.swarm.workers)
    else:
        seen = days.trials(seeding.trials_of(known, rules), world.organisms, known.aliases)
        days.advance(swarm, world, seen, day, settings.ticks_per_day, reviews.latest(lines))
    version = _version(decided)
    beside = {"decisions": version, "minds": settings.swarm.minds.model_dump(mode="json")}
    p = frames.provenance(run_id, config, seed, days.inputs_of(snapshot.inputs, beside))
    found = {
        "swarm.organisms": frames.organisms(swarm, p),
        "swarm.cells": frames.cells(swarm, p),
        "swarm.versions": frames.versions(swarm, p),
        "swarm.checkpoints": frames.checkpoint(swarm, p),
        **frames.tables_of(swarm, *swarm.taken(), p),
        "swarm.decisions": frames.decisions_of(lines, set(swarm.review_items), p),
    }
    note = f"decisions {version[:16]}" if lines else ""
    numbers = _numbers(found, world.unknown, panel.damaged)
    drawn = pictures.draw_all(found, settings.source, NARROW, ("gradient", "markers"))
    return {
        name: Result(found[name], numbers.get(name, {}) | (_shown(drawn) if name == METRICS else {}), note=note)
        for name in TABLES
    }


def _numbers(found: Mapping[str, Any], unknown: tuple[str, ...], damaged: list[int]) -> dict[str, dict[str, Any]]:
    """What a person would look for."""
    import polars as pl

    last = found[METRICS].row(-1, named=True)
    markers, metrics = found[MARKERS], found[METRICS]
    decided = markers.filter(pl.col("resolved_tick").is_in(metrics["tick"].implode()))
    return {
        METRICS: {
            name: last[name] for name in ("organisms", "cells", "minus", "zero", "plus", "pending", "mode", "tick")
        },
        MARKERS: {
            "open": markers.filter(pl.col("status") == "pending").height,
            "decided": decided.height,
            **{f"decided by {who}": number for who, number in counted(decided["decided_by"].drop_nulls()).items()},
            "fraction observed": markers["fraction_observed"].mean() or 0.0,
        },
        LEDGER: {"minted LF": last["minted_milli"] / 1000, "burnt LF": last["burnt_milli"] / 1000},
        "swarm.organisms": {"blessed, but no organism": list(unknown)} if unknown else {},
        "swarm.review_queue": {"open": found["swarm.review_queue"].filter(pl.col("status") == "open").height},
        "swarm.decisions": counted(found["swarm.decisions"]["status"]),
        "swarm.escalations": {"answers that cannot be read, by line": damaged} if damaged else {},
    }


def _shown(drawn: Mapping[str, bytes]) -> dict[str, Any]:
    """The day's small pictures, inline; all of them, over all days, are in the report."""
    from coevo_pipelines.report import charts

    return {
        name: dg.MetadataValue.md(charts.markdown(picture, name))
        for name, picture in drawn.items()
        if len(picture) < LARGEST_PICTURE
    }


def _zero_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="sums_to_zero",
        asset=asset_key(LEDGER),
        blocking=True,
        description="Lifeforce is neither made nor lost unseen: recomputed from the day's entries, what was minted "
        "and burnt is what all accounts gained. Red: the simulation's book is wrong, and nothing goes on from it.",
    )


def _zero(results: Mapping[date, Mapping[str, Result]], lake: Lake) -> dg.AssetCheckResult:
    from coevo_pipelines.swarm.checks import unbalanced

    problems = [
        f"{day}: {line}"
        for day, tables in results.items()
        for line in unbalanced({name: result.frame for name, result in tables.items()}, _before(lake, day))
    ]
    entries = sum(tables[LEDGER].frame.height for tables in results.values())
    return verdict(
        asset_key(LEDGER),
        "sums_to_zero",
        problems,
        well=f"{count(entries, 'entry', 'entries')} of {count(len(results), 'day')} sum to zero over all accounts.",
        way_out="No setting can cause this: it is a fault of the program. Keep the lake and report it.",
        numbers={"days": len(results), "entries": entries},
    )


def _before(lake: Lake, day: date) -> Mapping[str, Any] | None:
    """The numbers that the last committed day before ended with."""
    snapshot = lake.snapshot()
    days = [commit.day for commit in snapshot.index.partitions(METRICS) if commit.day < day]
    return snapshot.scan(METRICS, on=max(days)).collect().row(-1, named=True) if days else None


def _labelled_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="nobody_pretends",
        asset=asset_key(MARKERS),
        blocking=True,
        description="Every row says that it is simulated, and a decision is called human only where a person's "
        "record of it is in the file of decisions. Red: the simulation pretends to be something else.",
    )


def _labelled(results: Mapping[date, Mapping[str, Result]]) -> dg.AssetCheckResult:
    from coevo_pipelines.swarm.checks import pretending

    problems = [
        f"{day}: {line}"
        for day, tables in results.items()
        for line in pretending({name: result.frame for name, result in tables.items()})
    ]
    rows = sum(result.frame.height for tables in results.values() for result in tables.values())
    return verdict(
        asset_key(MARKERS),
        "nobody_pretends",
        problems,
        well=f"All {count(rows, 'row')} of {count(len(results), 'day')} are labelled as simulated.",
        way_out="`coevo review list` shows what people decided; make the day again, and if it stays red report it.",
        numbers={"days": len(results), "rows": rows},
    )
