"""Asset `report/snapshot`: the pages a person looks at, one folder of static HTML a day."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from coevo_pipelines.orchestration.checks import count, verdict
from coevo_pipelines.orchestration.days import log
from coevo_pipelines.orchestration.partitions import daily, days
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.settings import Settings

KEY = dg.AssetKey(["report", "snapshot"])
OPENS = dg.AssetCheckSpec(
    name="opens",
    asset=KEY,
    description="The report opens from disk without a network: every page is whole, every file and place that a page "
    "names is there, nothing is fetched from elsewhere. Red: some page shows less than it should; the data is not "
    "touched.",
)


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
                description="report/snapshot/date=…/index.html: what came out on the day, why, and whether to trust "
                "it. One folder of static HTML a day, which opens from disk without a network.",
            )
        ],
        check_specs=[OPENS],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def report_snapshot(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        from coevo_pipelines.report.build import renew
        from coevo_pipelines.report.opening import unopened

        asked, problems, files, size = days(context.partition_keys), [], 0, 0
        for built in renew(open_lake(settings, context.run.run_id), asked):
            state = "" if built.changed else " (as it was: nothing that it is made from has changed)"
            log.info(
                "report %s: %d files, %.1f MB%s",
                built.day,
                built.files,
                built.bytes / 1e6,
                state,
                extra={"parts": [("report", built.day)]},
            )
            metadata: dict[str, Any] = {
                "dagster/uri": built.page.as_uri(),
                "files": built.files,
                "bytes": built.bytes,
                "changed": built.changed,
            }
            problems += [f"{built.day}: {line}" for line in unopened(built.folder)]
            files, size = files + built.files, size + built.bytes
            if built.day in asked:
                context.add_asset_metadata(metadata, KEY, built.day.isoformat())
            else:
                context.log_event(dg.AssetMaterialization(KEY, partition=built.day.isoformat(), metadata=metadata))
        opens = verdict(
            KEY,
            OPENS.name,
            problems,
            well=f"{count(files, 'file')}, {size / 1e6:.1f} MB: all that the pages name is there.",
            way_out="`coevo report build` makes the report again; if it stays red it is a fault of the program.",
            blocks=False,
            numbers={"files": files, "bytes": size},
        )
        yield dg.MaterializeResult(asset_key=KEY, check_results=[opens])

    return report_snapshot
