"""Asset `report/snapshot`: the pages a person looks at, one folder of static HTML a day."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from coevo_pipelines.orchestration.days import log
from coevo_pipelines.orchestration.partitions import daily, days
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.settings import Settings

KEY = dg.AssetKey(["report", "snapshot"])


def report_asset(settings: Settings) -> dg.AssetsDefinition:
    """Read from the catalog, as any user of it would."""

    @dg.multi_asset(
        name="report__snapshot",
        specs=[
            dg.AssetSpec(
                KEY,
                deps=[dg.AssetKey(["lake", "catalog"])],
                group_name="report",
                kinds={"html"},
                description="report/snapshot/date=…/index.html: what came out on the day, why, can it be trusted.",
            )
        ],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def report_snapshot(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        from coevo_pipelines.report.build import build

        lake = open_lake(settings, context.run.run_id)
        for day in days(context.partition_keys):
            built = build(lake, day)
            log.info("report %s: %d files, %.1f MB", day, built.files, built.bytes / 1e6)
            context.add_asset_metadata(
                {
                    "dagster/uri": (built.folder / "index.html").as_uri(),
                    "files": built.files,
                    "bytes": built.bytes,
                },
                KEY,
                day.isoformat(),
            )
        yield dg.MaterializeResult(asset_key=KEY)

    return report_snapshot
