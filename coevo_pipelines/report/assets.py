"""Asset `report/genome`: the page of the genome's growth, made again after the day's tables."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg

from coevo_pipelines.orchestration.days import asset_key, log
from coevo_pipelines.orchestration.partitions import daily
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.settings import Settings

KEY = dg.AssetKey(["report", "genome"])
PAGE = "report/genome.html"
TABLES = ("genome.manifest", "genome.repositories", "genome.changes")


def report_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The pages a person looks at."""
    return [_growth_asset(settings)]


def _growth_asset(settings: Settings) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="report__genome",
        specs=[
            dg.AssetSpec(
                KEY,
                deps=[asset_key(table) for table in TABLES],
                group_name="report",
                kinds={"html"},
                description="report/genome.html: how the genome grew, what changed of late.",
            )
        ],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def growth(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        import polars as pl

        from coevo_pipelines.lake.ledger import write_whole
        from coevo_pipelines.report.growth import RECENT, page

        lake = open_lake(settings, context.run.run_id)
        snapshot = lake.snapshot()
        last = max((commit.day for commit in snapshot.index.partitions(TABLES[0])), default=settings.opening)
        manifest, repositories, changes = (snapshot.scan(table, upto=last) for table in TABLES)
        recent = changes.filter(pl.col("date") > last - timedelta(days=RECENT))
        body = page(manifest.collect(), repositories.collect(), recent.collect(), lake.world)
        path = lake.root / PAGE
        path.parent.mkdir(exist_ok=True)
        write_whole(path, body)
        log.info("report: %s", PAGE)
        yield dg.MaterializeResult(asset_key=KEY, metadata={"dagster/uri": path.as_uri(), "bytes": len(body)})

    return growth
