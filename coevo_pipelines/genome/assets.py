"""Assets `genome/*`: the ecosystem's remotes mirrored, what of them is audited and packed as of a day, what changed."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

import dagster as dg

from coevo_pipelines.lake import schemas
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
        {**counted(row["status"] for row in rows), "refs_kept": sum(len(row["kept"]) for row in rows)},
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
    return {name: Result(frame, _numbers(name, frame, day)) for name, frame in found.items()}


def _numbers(name: str, frame: Any, day: date) -> dict[str, Any]:
    """What a person would look for."""
    if name == MANIFEST:
        columns = ("root", "repositories", "left_out", "files", "packed", "text_bytes", "tokens", "pack_bytes", "pack")
        return {column: frame[column][0] for column in columns} if frame.height else {}
    if name == FILES:
        languages = counted(frame["language"].drop_nulls())
        return bars("Files by language", f"{day}: {count(frame.height, 'file')}, packed or listed", languages)
    return counted(frame["status"])


def compare(settings: Settings, day: date, snapshot: Snapshot) -> Mapping[str, Result]:
    """What is not as it was on the day before. In the lake's first partition all is new."""
    from coevo_pipelines.genome.changes import changes
    from coevo_pipelines.windows import DAY

    known = snapshot.files(FILES, on=day - DAY) or day == settings.opening
    frame = changes(snapshot.scan(FILES, on=day - DAY), snapshot.scan(FILES, on=day)) if known else None
    if frame is None:
        return {CHANGES: Result(schemas.table(CHANGES).empty(), {"the day before": "not made"})}
    return {CHANGES: Result(frame, counted(frame["change"]))}


def _complete_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="fetched",
        asset=asset_key(ECOSYSTEM),
        description="Each repository of the ecosystem could be fetched, or is known to be gone. Red: some could not; "
        "what was mirrored before is used, and the next run of the day asks again.",
    )


def _complete(results: Mapping[date, Mapping[str, Result]]) -> list[dg.AssetCheckResult]:
    problems = [
        f"{day}: {row['repo']}: {row['error']}"
        for day, tables in results.items()
        for row in tables[ECOSYSTEM].frame.iter_rows(named=True)
        if row["status"] == "failed"
    ]
    listed = sum(tables[ECOSYSTEM].frame.height for tables in results.values())
    return [
        verdict(
            asset_key(ECOSYSTEM),
            "fetched",
            problems,
            well=f"{count(listed, 'remote')} of {count(len(results), 'day')} answered.",
            way_out="Check the address and the network, then materialize the day again.",
            blocks=False,
            numbers={"remotes": listed},
        )
    ]


def _root_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="root",
        asset=asset_key(MANIFEST),
        blocking=True,
        description="The Merkle root, computed again from every row of genome.files, is the one in the manifest. "
        "Red: files and manifest do not belong together, and no corpus is cut from them.",
    )


def _root(results: Mapping[date, Mapping[str, Result]]) -> dg.AssetCheckResult:
    from coevo_pipelines.genome.day import root_of

    wrong = []
    for day, tables in results.items():
        files = tables[FILES].frame
        if tables[MANIFEST].frame["root"].to_list() != ([root_of(files)] if files.height else []):
            wrong.append(f"{day}: the files lead to another root than the manifest's")
    rows = sum(tables[FILES].frame.height for tables in results.values())
    return verdict(
        asset_key(MANIFEST),
        "root",
        wrong,
        well=f"{count(rows, 'file')} of {count(len(results), 'day')} lead to the roots of their manifests.",
        way_out="`coevo genome verify` names the file; make the day again.",
        numbers={"days": len(results), "files": rows},
    )


def _audited_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="audited",
        asset=asset_key(REPOSITORIES),
        description="Every repository that had a commit by the day could be had, passed the four-level audit and is "
        "in the genome. Red: the genome is whole without those that are left out; each says why.",
    )


def _audited(results: Mapping[date, Mapping[str, Result]]) -> dg.AssetCheckResult:
    import polars as pl

    frames = [(day, tables[REPOSITORIES].frame) for day, tables in results.items()]
    failed = [
        f"{day}: {row['repo']} is left out: {row['why']}"
        for day, frame in frames
        for row in frame.filter(pl.col("status") == "left_out").iter_rows(named=True)
    ]
    packed = sum(int((frame["status"] == "packed").sum()) for _, frame in frames)
    return verdict(
        asset_key(REPOSITORIES),
        "audited",
        failed,
        well=f"{count(packed, 'repository', 'repositories')} of {count(len(results), 'day')} passed and are packed.",
        way_out="FROM genome.audits names the objects that differ. A damaged mirror is made anew by the next run.",
        blocks=False,
        numbers={"packed": packed},
    )
