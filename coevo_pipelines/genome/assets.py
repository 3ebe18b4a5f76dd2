"""Assets `genome/*`: the ecosystem's remotes mirrored, what of them is audited and packed as of a day, what changed."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

import dagster as dg

from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.store import Snapshot
from coevo_pipelines.orchestration.days import (
    Result,
    asset_key,
    materialize_days,
    schema_check_spec,
    spec,
)
from coevo_pipelines.orchestration.partitions import daily
from coevo_pipelines.orchestration.resources import open_lake, remotes
from coevo_pipelines.settings import Settings

ECOSYSTEM = "genome.ecosystem"
FILES = "genome.files"
REPOSITORIES = "genome.repositories"
MANIFEST = "genome.manifest"
CHANGES = "genome.changes"
TABLES = (REPOSITORIES, "genome.audits", FILES, MANIFEST)


def genome_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """Asking remotes, packing, and comparing with the day before: three steps, as each can fail for reasons of its
    own."""
    return [_ecosystem_asset(settings), _genome_asset(settings), _changes_asset(settings)]


def _ecosystem_asset(settings: Settings) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="genome__ecosystem",
        specs=[spec(ECOSYSTEM, ("traces.works", "influence.scores"), {"git", "parquet"})],
        check_specs=[schema_check_spec(ECOSYSTEM), _complete_spec()],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="git",
    )
    def ecosystem(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        lake = open_lake(settings, context.run.run_id)
        yield from materialize_days(context, lake, (ECOSYSTEM,), partial(gather, settings), _complete)

    return ecosystem


def _genome_asset(settings: Settings) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="genome",
        specs=[spec(table, (ECOSYSTEM,), {"git", "parquet"}) for table in TABLES],
        check_specs=[*(schema_check_spec(table) for table in TABLES), _root_spec(), _audited_spec()],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def genome(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        lake = open_lake(settings, context.run.run_id)

        def checks(results: Mapping[date, Mapping[str, Result]]) -> list[dg.AssetCheckResult]:
            return [_root(results), _audited(results)]

        yield from materialize_days(context, lake, TABLES, partial(compute, settings), checks)

    return genome


def _changes_asset(settings: Settings) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="genome__changes",
        specs=[spec(CHANGES, (FILES,), {"polars", "parquet"})],
        check_specs=[schema_check_spec(CHANGES)],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def changes(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        lake = open_lake(settings, context.run.run_id)
        yield from materialize_days(context, lake, (CHANGES,), partial(compare, settings))

    return changes


def gather(settings: Settings, day: date, snapshot: Snapshot) -> Mapping[str, Result]:
    """The day's ecosystem, and its mirrors brought up to date."""
    import polars as pl

    from coevo_pipelines.genome import ecosystem
    from coevo_pipelines.genome.gather import Asking
    from coevo_pipelines.genome.gather import gather as ask
    from coevo_pipelines.genome.mirrors import FOLDER

    asked = settings.genome
    works = ecosystem.repositories(snapshot.scan("traces.works", upto=day))
    found = [*ecosystem.of_owners(works, asked.owners), *ecosystem.of_topics(works, asked.topics)]
    if asked.most_influential:
        scores = snapshot.scan("influence.scores", on=day).collect()
        found += ecosystem.most_influential(works, scores, asked.most_influential, asked.most_influential_topic)
    readmes = [ecosystem.Listed(ecosystem.source_of(text), "settings") for text in asked.readmes]
    with remotes(settings, day) as (named, now):
        rows = ask(
            named,
            readmes,
            found,
            Asking(
                snapshot.root / FOLDER, settings.window(day).end, now, asked.at_once, asked.timeout_s, asked.depth,
                asked.ssh,
            ),
        )  # fmt: skip
    failed = [row["repo"] for row in rows if row["status"] == "failed"]
    frame = pl.DataFrame(rows, schema=schemas.table(ECOSYSTEM).polars_schema(), orient="row")
    result = Result(
        frame,
        {"failed": failed, "kept": sum(len(row["kept"]) for row in rows)},
        complete=not failed,
        observed_until=max((row["fetched_at"] for row in rows), default=None),
        note=f"not fetched: {', '.join(failed[:5])}" if failed else "",
    )
    return {ECOSYSTEM: result}


def compute(settings: Settings, day: date, snapshot: Snapshot) -> Mapping[str, Result]:
    """The day's genome."""
    from coevo_pipelines.genome import mirrors, packs
    from coevo_pipelines.genome.day import Known, genome_of
    from coevo_pipelines.genome.files import EXTENSIONS, Rules

    asked = settings.genome
    rules = Rules(
        EXTENSIONS if asked.extensions is None else frozenset(asked.extensions), asked.all_text, asked.largest,
        asked.strip_notebooks, asked.archives,
    )  # fmt: skip
    found = genome_of(
        Known(
            ecosystem=snapshot.scan(ECOSYSTEM, on=day).drop("date").collect().to_dicts(),
            end=settings.window(day).end,
            root=snapshot.root,
            mirrors=snapshot.root / mirrors.FOLDER,
            packs=snapshot.root / packs.FOLDER,
            rules=rules,
            first=asked.first,
            last=asked.last,
            timeout=asked.timeout_s,
            tokenizer=asked.tokenizer,
        )
    )
    rows = found[MANIFEST].select("root", "pack", "text_bytes").to_dicts()
    numbers = rows[0] if rows else {}
    return {name: Result(frame, numbers if name == MANIFEST else {}) for name, frame in found.items()}


def compare(settings: Settings, day: date, snapshot: Snapshot) -> Mapping[str, Result]:
    """What is not as it was on the day before. In the lake's first partition all is new."""
    from coevo_pipelines.genome.changes import changes
    from coevo_pipelines.windows import DAY

    known = snapshot.files(FILES, on=day - DAY) or day == settings.opening
    frame = changes(snapshot.scan(FILES, on=day - DAY), snapshot.scan(FILES, on=day)) if known else None
    if frame is None:
        return {CHANGES: Result(schemas.table(CHANGES).empty(), {"the day before": "not made"})}
    return {CHANGES: Result(frame, dict(frame["change"].value_counts().iter_rows()))}


def _complete_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="fetched",
        asset=asset_key(ECOSYSTEM),
        description="Each remote answered, if only that it is gone. What is missing is asked for by the next run.",
    )


def _complete(results: Mapping[date, Mapping[str, Result]]) -> list[dg.AssetCheckResult]:
    missing = {day.isoformat(): tables[ECOSYSTEM].note for day, tables in results.items() if tables[ECOSYSTEM].note}
    return [
        dg.AssetCheckResult(
            asset_key=asset_key(ECOSYSTEM),
            check_name="fetched",
            passed=not missing,
            severity=dg.AssetCheckSeverity.WARN,
            description="; ".join(missing.values()) or "every remote answered",
            metadata={"missing": missing},
        )
    ]


def _root_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="root",
        asset=asset_key(MANIFEST),
        blocking=True,
        description="The Merkle root, computed again from the columns of genome.files, is the manifest's.",
    )


def _root(results: Mapping[date, Mapping[str, Result]]) -> dg.AssetCheckResult:
    from coevo_pipelines.genome.day import root_of

    wrong = []
    for day, tables in results.items():
        files = tables[FILES].frame
        if tables[MANIFEST].frame["root"].to_list() != ([root_of(files)] if files.height else []):
            wrong.append(day.isoformat())
    return dg.AssetCheckResult(
        asset_key=asset_key(MANIFEST),
        check_name="root",
        passed=not wrong,
        description=f"not the root of {', '.join(wrong)}" if wrong else f"{len(results)} day(s) lead to their roots",
    )


def _audited_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="audited",
        asset=asset_key(REPOSITORIES),
        description="Every repository that had a commit by the day could be had, passed the audit and is packed.",
    )


def _audited(results: Mapping[date, Mapping[str, Result]]) -> dg.AssetCheckResult:
    import polars as pl

    failed = {
        f"{day} {row['repo']}": row["why"]
        for day, tables in results.items()
        for row in tables[REPOSITORIES].frame.filter(pl.col("status") == "left_out").iter_rows(named=True)
    }
    first = next(iter(failed.items()), None)
    return dg.AssetCheckResult(
        asset_key=asset_key(REPOSITORIES),
        check_name="audited",
        passed=not failed,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{first[0]} is left out: {first[1]}" if first else "all passed",
        metadata={"left out": dict(list(failed.items())[:20])},
    )
