"""Assets `corpora/*`: who was asked, each blueprint's corpus of the day and what is in it and why, what was trained."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

import dagster as dg

from coevo_pipelines.corpora.blueprints import Blueprint, load_all
from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.store import Snapshot
from coevo_pipelines.orchestration.checks import count, verdict
from coevo_pipelines.orchestration.days import Result, asset_key, log, materialize_days, schema_check_spec, spec
from coevo_pipelines.orchestration.partitions import daily
from coevo_pipelines.orchestration.pictures import bars, counted
from coevo_pipelines.orchestration.resources import open_lake, trusted_keys
from coevo_pipelines.settings import Settings

CONTRACTS = "corpora.contracts"
DOCUMENTS = "corpora.documents"
LOSSES = "corpora.losses"
RELEASES = "corpora.releases"
CHRYSALIDES = "corpora.chrysalides"
TABLES = (DOCUMENTS, "corpora.duplicates", LOSSES, RELEASES)
INPUTS = (
    CONTRACTS,
    "genome.files",
    "genome.repositories",
    "genome.ecosystem",
    "genome.manifest",
    "traces.texts",
    "traces.works",
    "traces.people",
    "traces.claims",
    "traces.optouts",
    "citations.nodes",
    "citations.aliases",
    "influence.scores",
    "influence.lattice",
)


def corpus_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """Consent, corpora, trainings."""
    return [_contracts_asset(settings), _corpora_asset(settings), _chrysalides_asset(settings)]


def _contracts_asset(settings: Settings) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="corpora__contracts",
        specs=[spec(CONTRACTS, (), {"parquet"})],
        check_specs=[schema_check_spec(CONTRACTS)],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def contracts(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        lake = open_lake(settings, context.run.run_id)
        yield from materialize_days(context, lake, (CONTRACTS,), partial(asked, settings))

    return contracts


def _corpora_asset(settings: Settings) -> dg.AssetsDefinition:
    tables = (*TABLES, *(blueprint.table for blueprint in load_all(settings.blueprints)))

    @dg.multi_asset(
        name="corpora",
        specs=[spec(table, INPUTS, {"polars", "numba", "parquet"}) for table in tables],
        check_specs=[*(schema_check_spec(table) for table in tables), _adds_up_spec(), _consent_spec()],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def corpora(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        lake = open_lake(settings, context.run.run_id)

        def checks(results: Mapping[date, Mapping[str, Result]]) -> list[dg.AssetCheckResult]:
            return [_adds_up(results), _consent(results)]

        yield from materialize_days(context, lake, tables, partial(compute, settings), checks)

    return corpora


def _chrysalides_asset(settings: Settings) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="corpora__chrysalides",
        specs=[spec(CHRYSALIDES, (RELEASES,), {"parquet"})],
        check_specs=[schema_check_spec(CHRYSALIDES)],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def chrysalides(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        lake = open_lake(settings, context.run.run_id)
        yield from materialize_days(context, lake, (CHRYSALIDES,), trained)

    return chrysalides


def asked(settings: Settings, day: date, snapshot: Snapshot) -> Mapping[str, Result]:  # noqa: ARG001
    """Every record of the lake's folder of contracts, as it is now: consent is asked for what is done now, whatever
    day the facts are of."""
    import polars as pl

    from coevo_pipelines.corpora.consent.table import rows

    found = rows(snapshot.root, trusted_keys(settings, snapshot.root), settings.corpora.model_files)
    frame = pl.DataFrame(found, schema=schemas.table(CONTRACTS).polars_schema(), orient="row")
    models = ", ".join(frame.filter("is_in_force")["model_id"])
    return {CONTRACTS: Result(frame, {"in_force": int(frame["is_in_force"].sum()), "models": models or "none"})}


def compute(settings: Settings, day: date, snapshot: Snapshot) -> Mapping[str, Result]:
    """The day's corpora."""
    from coevo_pipelines.corpora.cleaning.cleaned import Options
    from coevo_pipelines.corpora.consent.table import consents
    from coevo_pipelines.corpora.day import Asked, corpora_of
    from coevo_pipelines.corpora.load import known_of, manifest_of

    blueprints = load_all(settings.blueprints)
    chosen = settings.corpora
    # Read, so that a day is made again when somebody has signed, revoked or been asked.
    snapshot.files(CONTRACTS, on=day)
    agreed = consents(snapshot.root, blueprints, trusted_keys(settings, snapshot.root), chosen.model_files)
    found = corpora_of(
        known_of(snapshot, day, settings, blueprints),
        Asked(
            blueprints=blueprints,
            consents=agreed,
            tokenizers=chosen.tokenizers,
            online=settings.source == "live",
            evaluation_sets=chosen.evaluation_sets,
            options=Options(chosen.personal_data == "replace", chosen.notebooks == "strip"),
            jaccard=chosen.jaccard,
            shard_bytes=chosen.shard_mb * 1_000_000,
            root=snapshot.root,
            world=settings.source,
            manifest=manifest_of(snapshot, day),
            tell=lambda line: log.info("corpora %s: %s", day, line),
        ),
    )
    return {name: Result(frame, _numbers(name, frame, blueprints, day)) for name, frame in found.items()}


def trained(day: date, snapshot: Snapshot) -> Mapping[str, Result]:
    """The trainings on the day's releases."""
    import polars as pl

    from coevo_pipelines.corpora.training.chrysalis import rows

    digests = set(snapshot.scan(RELEASES, on=day).select("digest").collect().to_series())
    own = [row for row in rows(snapshot.root) if row["release_digest"] in digests]
    frame = pl.DataFrame(own, schema=schemas.table(CHRYSALIDES).polars_schema(), orient="row")
    return {CHRYSALIDES: Result(frame, {"runs": frame.height})}


def _numbers(name: str, frame: Any, blueprints: tuple[Blueprint, ...], day: date) -> dict[str, Any]:
    """What a person would look for."""
    if name == RELEASES:
        return {
            f"{row['blueprint']}: {what}": value
            for row in frame.iter_rows(named=True)
            for what, value in _of_a_release(row).items()
        }
    if name == DOCUMENTS:
        out = counted(frame["rule"].drop_nulls())
        told = f"{day}: {sum(out.values()):,} of {count(frame.height, 'document')}, over all blueprints"
        return {"in": frame["rule"].null_count(), **out, **bars("Left out, by the first rule that holds", told, out)}
    if name in {blueprint.table for blueprint in blueprints}:
        return {"tokens": int(frame["input_ids"].list.len().sum())}
    return {}


def _of_a_release(row: Mapping[str, Any]) -> dict[str, Any]:
    state = row["status"] if row["why"] is None else f"{row['status']}: {row['why']}"
    numbers = {column: row[column] for column in ("documents", "train_tokens", "shortfall")}
    return {"state": state, **numbers, **({"digest": row["digest"]} if row["digest"] else {})}


def _adds_up_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="adds_up",
        asset=asset_key(LOSSES),
        blocking=True,
        description="What each rule leaves is what the next one begins with, and at the end what the corpus has: no "
        "document and no token is lost without a reason. Red: no corpus of these days is released.",
    )


def _adds_up(results: Mapping[date, Mapping[str, Result]]) -> dg.AssetCheckResult:
    from coevo_pipelines.corpora.deciding import unbalanced

    wrong = [
        f"{day}: {line}: what the rules leave is not what the next begins with"
        for day, tables in results.items()
        for line in unbalanced(tables[LOSSES].frame, tables[DOCUMENTS].frame)
    ]
    documents = sum(tables[DOCUMENTS].frame.height for tables in results.values())
    return verdict(
        asset_key(LOSSES),
        "adds_up",
        wrong,
        well=f"{count(documents, 'document')} of {count(len(results), 'day')} are in, or out for a reason.",
        way_out="No setting can cause this: it is a fault of the program. Release nothing, keep the lake and report "
        "it.",
        numbers={"days": len(results), "documents": documents},
    )


def _consent_spec() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="consent",
        asset=asset_key(RELEASES),
        blocking=True,
        description="There is no sequence and no release without a signed contract in force: each corpus is for a "
        "model that was asked and accepted. Red: a corpus was made for one that was not.",
    )


def _consent(results: Mapping[date, Mapping[str, Result]]) -> dg.AssetCheckResult:
    wrong = []
    for day, tables in results.items():
        for row in tables[RELEASES].frame.iter_rows(named=True):
            if row["contract_hash"] is None and (row["status"] == "released" or row["sequences"]):
                wrong.append(f"{day}: {row['blueprint']} has sequences without a contract in force")
    released = sum(int((tables[RELEASES].frame["status"] == "released").sum()) for tables in results.values())
    return verdict(
        asset_key(RELEASES),
        "consent",
        wrong,
        well=f"{count(released, 'release')} of {count(len(results), 'day')}, each with its contract.",
        way_out="Do not use the corpus. `coevo contract show` says who was asked; make the day again.",
        numbers={"days": len(results), "released": released},
    )
