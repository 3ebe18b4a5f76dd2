"""Asset `lake/catalog`: the DuckDB file, rebuilt after the day's tables."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_duckdb import DuckDBResource

from coevo_pipelines.corpora.blueprints import load_all
from coevo_pipelines.lake import catalog, schemas
from coevo_pipelines.orchestration.checks import count, verdict
from coevo_pipelines.orchestration.days import asset_key, log
from coevo_pipelines.orchestration.partitions import daily
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.settings import Settings

KEY = dg.AssetKey(["lake", "catalog"])
ROWS_AS_COMMITTED = dg.AssetCheckSpec(
    name="rows_as_committed",
    asset=KEY,
    blocking=True,
    description="Each table of coevo.duckdb has as many rows as the ledger's entries of its partitions say. Red: the "
    "catalog is not what the lake holds, and no report is made from it.",
)


def catalog_asset(settings: Settings) -> dg.AssetsDefinition:
    """`coevo.duckdb`, built aside and swapped in."""
    enabled = {f"scrapes.{name}" for name, source in settings.sources.items() if source.enabled}
    corpora = [each.table for each in load_all(settings.blueprints)]
    known = [table.name for table in schemas.tables(corpora)]
    tables = [name for name in known if not name.startswith("scrapes.") or name in enabled]

    @dg.multi_asset(
        name="lake__catalog",
        specs=[
            dg.AssetSpec(
                KEY,
                deps=[asset_key(table) for table in tables],
                group_name="lake",
                kinds={"duckdb"},
                description="coevo.duckdb: every table of the lake, all days of it, with comments on tables and "
                "columns, for any DuckDB client. Built aside and swapped in, so that nobody who reads it waits or is "
                "disturbed.",
            )
        ],
        check_specs=[ROWS_AS_COMMITTED],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def lake_catalog(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        path = catalog.build(open_lake(settings, context.run.run_id))
        resource = DuckDBResource(database=str(path), connection_config={"access_mode": "READ_ONLY"})
        with resource.get_connection() as connection:
            wrong = wrong_row_counts(connection)
            rows, held = connection.execute(
                "SELECT coalesce(sum(rows), 0)::BIGINT, count(DISTINCT table_name) FROM lake.commits"
            ).fetchall()[0]
        log.info(
            "catalog: %s, %.1f MB",
            path.name,
            path.stat().st_size / 1e6,
            extra={"parts": [("catalog", day) for day in context.partition_keys]},
        )
        yield dg.MaterializeResult(
            asset_key=KEY,
            metadata={
                "dagster/uri": path.as_uri(),
                "dagster/row_count": rows,
                "tables": held,
                "bytes": path.stat().st_size,
            },
            check_results=[
                verdict(
                    KEY,
                    ROWS_AS_COMMITTED.name,
                    wrong,
                    well=f"{count(rows, 'row')} in {count(held, 'table')}, as the ledger says.",
                    way_out="`coevo verify` names a damaged file; `coevo catalog` builds the catalog again.",
                    numbers={"rows": rows, "tables": held},
                )
            ],
        )

    return lake_catalog


def wrong_row_counts(connection: Any) -> list[str]:
    """One line for each table whose rows are not the sum of its ledger entries."""
    wrong = []
    named = [name for (name,) in connection.execute("SELECT DISTINCT table_name FROM lake.commits").fetchall()]
    for table in schemas.tables(named):
        committed = connection.execute(
            "SELECT coalesce(sum(rows), 0)::BIGINT FROM lake.commits WHERE table_name = ?", [table.name]
        ).fetchall()[0][0]
        found = connection.execute(f"SELECT count(*) FROM {table.in_sql}").fetchall()[0][0]
        if found != committed:
            wrong.append(f"{table.name}: expected {committed} rows, found {found}")
    return wrong
