"""Assets `hubs/*`: what hubs published on the day; who they are, what worked and who could help whom as of the day."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

import dagster as dg
import polars as pl

from coevo_pipelines.lake.store import Snapshot
from coevo_pipelines.orchestration.checks import count, verdict
from coevo_pipelines.orchestration.days import Result, asset_key, materialize_days, schema_check_spec, spec
from coevo_pipelines.orchestration.partitions import daily
from coevo_pipelines.orchestration.pictures import bars, counted
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.scrapes import stored
from coevo_pipelines.settings import Settings
from coevo_pipelines.windows import DAY

HUBS, OPEN_DATA = "scrapes.hubs", ("scrapes.gbif", "scrapes.nasa_power")
CONSENT = ("traces.optouts", "traces.claims")
"""Who is opted out as of the day."""
PUBLISHED = ("hubs.packages", "hubs.datasets", "hubs.measurements", "hubs.outcomes", "hubs.posts")
"""What the packages of a day say; a later day reads it again."""
REJECTS, OBSERVATIONS, REGISTRY = "hubs.rejects", "hubs.observations", "hubs.registry"
STRATEGIES, MARKETS, MATCHES, UNMATCHED = "hubs.strategies", "hubs.markets", "hubs.matches", "hubs.unmatched"
TABLES = (*PUBLISHED, REJECTS, OBSERVATIONS, REGISTRY, STRATEGIES, MARKETS, MATCHES, UNMATCHED)
OF_THE_DAY = (*PUBLISHED, REJECTS, OBSERVATIONS)


def hub_assets(settings: Settings) -> dg.AssetsDefinition:
    """The tables of the stage as one computation: all are made of the same packages."""
    raw = [table for table in (HUBS, *OPEN_DATA) if settings.sources[table.partition(".")[2]].enabled]
    inputs = [*raw, *CONSENT, "traces.people"]

    @dg.multi_asset(
        name="hubs",
        specs=[spec(table, inputs, {"polars", "parquet"}) for table in TABLES],
        check_specs=[*(schema_check_spec(table) for table in TABLES), _conserved_spec(), _readable_spec()],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def hubs(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        lake = open_lake(settings, context.run.run_id)

        def checks(results: Mapping[date, Mapping[str, Result]]) -> list[dg.AssetCheckResult]:
            return [_conserved(results), _readable(results)]

        yield from materialize_days(context, lake, TABLES, partial(compute, settings), checks)

    return hubs


def compute(settings: Settings, day: date, snapshot: Snapshot) -> Mapping[str, Result]:
    """The day's rows of the stage's tables."""
    from coevo_pipelines.hubs import observations, reading, registry
    from coevo_pipelines.hubs.matching.match import match
    from coevo_pipelines.hubs.matching.points import Points
    from coevo_pipelines.hubs.package import Rules
    from coevo_pipelines.hubs.strategies import strategies

    asked, window = settings.hubs, settings.window(day)

    def raw(table: str) -> list[Any]:
        is_asked = settings.sources[table.partition(".")[2]].enabled
        return list(stored.read(snapshot.files(table, on=day))) if is_asked else []

    rules = Rules.of(asked)
    frames = dict(reading.read(raw(HUBS), window, rules, settings.grace))
    known = {
        table: pl.concat([snapshot.scan(table, upto=day - DAY).drop("date").collect(), frames[table]])
        for table in PUBLISHED
    }
    people = snapshot.scan("traces.people", upto=day).filter(pl.col("work_id").str.starts_with("hub:")).collect()
    out = registry.opted_out(people, *(snapshot.scan(table, on=day).collect() for table in CONSENT))
    last = registry.latest(known["hubs.packages"]).filter(~pl.col("hub_id").is_in(out))
    now = {table: registry.standing(rows, last) for table, rows in known.items()}
    posts = now["hubs.posts"].filter(pl.col("until_at") > window.end)
    needs, offers = (posts.filter(pl.col("side") == side) for side in ("need", "offer"))
    frames[REGISTRY] = registry.registry(known["hubs.packages"], now, posts)
    places = registry.places(frames[REGISTRY])
    observed = observations.observe({table: raw(table) for table in OPEN_DATA}, window, places)
    frames[OBSERVATIONS] = observed.frame
    frames[STRATEGIES] = strategies(now["hubs.outcomes"], asked.fewest_hubs, asked.level)
    points = Points(asked.farthest_km, asked.priority_points, asked.fairness_points, asked.km_points, asked.post_points)
    found = match(needs, offers, points)
    frames |= {MARKETS: found.markets, MATCHES: found.matches, UNMATCHED: found.unmatched}
    left_out = {OBSERVATIONS: {"left_out": sum(observed.left_out.values()), **observed.left_out}}
    return {
        table: Result(frames[table], {**left_out.get(table, {}), **_numbers(table, frames, day)}) for table in TABLES
    }


def _numbers(table: str, frames: Mapping[str, pl.DataFrame], day: date) -> dict[str, Any]:
    """What a person would look for."""
    frame = frames[table]
    if table == REGISTRY:
        kinds = counted(frame["kind"])
        return {**kinds, **bars("Hubs by kind", f"{day}: {count(frame.height, 'hub')}", kinds)}
    if table == STRATEGIES:
        return {**counted(frame["verdict"])}
    if table == MARKETS:
        return {name: int(frame[name].sum()) for name in ("needs", "offers", "pairs")}
    if table == UNMATCHED:
        return {**counted(frame["reason"])}
    if table == OBSERVATIONS:
        return {**counted(frame["source"])}
    return {}


def _conserved_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="conserved",
        asset=asset_key(MATCHES),
        blocking=True,
        description="Nothing is given twice: of no offer more than there is, to no need more than it lacks, and what "
        "is matched and what is missing add up to what is wanted. Red: nothing downstream is made from it.",
    )


def _conserved(results: Mapping[date, Mapping[str, Result]]) -> dg.AssetCheckResult:
    problems: list[str] = []
    matched = 0
    for day, tables in results.items():
        markets, matches, unmatched = (tables[name].frame for name in (MARKETS, MATCHES, UNMATCHED))
        market = ["kind", "item", "unit"]
        got = matches.group_by(market).agg(got=pl.col("amount").sum())
        lack = unmatched.group_by(market).agg(lack=pl.col("missing").sum())
        sums = markets.join(got, market, how="left").join(lack, market, how="left").fill_null(0)
        wrong = sums.filter(
            (pl.col("got") != pl.col("matched"))
            | (pl.col("got") + pl.col("lack") != pl.col("wanted"))
            | (pl.col("got") > pl.col("offered"))
        )
        problems.extend(
            f"{day}: {row['item']}: {row['got']} matched of {row['offered']} offered and {row['wanted']} wanted, "
            f"{row['lack']} missing (thousandths of {row['unit']})"
            for row in wrong.iter_rows(named=True)
        )
        matched += matches.height
    return verdict(
        asset_key(MATCHES),
        "conserved",
        problems,
        well=f"{count(matched, 'match')} add up.",
        way_out="The matching is wrong, not the data: report it with the hub packages of that day.",
        numbers={"matches": matched},
    )


def _readable_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="readable",
        asset=asset_key(REJECTS),
        description="Every row of every package of the day could be taken. What could not is in hubs.rejects with what "
        "was found and what was expected; the run goes on without it.",
    )


def _readable(results: Mapping[date, Mapping[str, Result]]) -> dg.AssetCheckResult:
    from coevo_pipelines.hubs.problems import Problem

    problems = [
        f"{day}: {row['hub_id']}: {Problem(**{name: row[name] for name in _PROBLEM}).line()}"
        for day, tables in results.items()
        for row in tables[REJECTS].frame.iter_rows(named=True)
    ]
    packages = sum(tables["hubs.packages"].frame.height for tables in results.values())
    return verdict(
        asset_key(REJECTS),
        "readable",
        problems,
        well=f"All of {count(packages, 'package')} could be taken.",
        way_out="`coevo hubs validate <package>` says the same to whoever wrote it.",
        blocks=False,
        numbers={"packages": packages},
    )


_PROBLEM = ("resource", "row", "column", "found", "expected", "example")
