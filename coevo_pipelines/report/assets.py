"""Assets `report/*`: the pages a person looks at, made again after the day's tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from coevo_pipelines.lake.store import Lake, Snapshot
from coevo_pipelines.orchestration.days import asset_key, log
from coevo_pipelines.orchestration.partitions import daily
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.settings import Settings

if TYPE_CHECKING:
    import polars as pl


GROWTH = ("genome.manifest", "genome.repositories", "genome.changes")
SWARM = (
    "swarm.metrics",
    "swarm.blend_predictions",
    "swarm.clasps",
    "swarm.decision_markers",
    "swarm.organisms",
    "swarm.versions",
    "swarm.review_queue",
    "swarm.decisions",
)


def report_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """One page an asset."""
    return [
        _page(settings, "genome", GROWTH, "how the genome grew, what changed of late", growth_page),
        _page(
            settings, "swarm", SWARM, "the simulation in numbers and pictures, what is open and undecided", swarm_page
        ),
    ]


def _page(
    settings: Settings, name: str, tables: Sequence[str], what: str, draw: Callable[[Settings, Lake], bytes]
) -> dg.AssetsDefinition:
    """The asset `report/<name>`, which is the file report/<name>.html."""
    key = dg.AssetKey(["report", name])
    file = f"report/{name}.html"

    @dg.multi_asset(
        name=f"report__{name}",
        specs=[
            dg.AssetSpec(
                key,
                deps=[asset_key(table) for table in tables],
                group_name="report",
                kinds={"html"},
                description=f"{file}: {what}.",
            )
        ],
        partitions_def=daily(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def page(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        from coevo_pipelines.lake.ledger import write_whole

        lake = open_lake(settings, context.run.run_id)
        body = draw(settings, lake)
        path = lake.root / file
        path.parent.mkdir(exist_ok=True)
        write_whole(path, body)
        log.info("report: %s", file)
        yield dg.MaterializeResult(asset_key=key, metadata={"dagster/uri": path.as_uri(), "bytes": len(body)})

    return page


def growth_page(settings: Settings, lake: Lake) -> bytes:
    """How the genome grew, as of its last day."""
    from coevo_pipelines.report.growth import RECENT, page

    snapshot = lake.snapshot()
    manifest, repositories, changes = _last_days(
        settings, snapshot, dict.fromkeys(GROWTH) | {GROWTH[2]: RECENT}
    ).values()
    return page(manifest, repositories, changes, lake.world)


def swarm_page(settings: Settings, lake: Lake) -> bytes:
    """The simulation, as of its last day."""
    from coevo_pipelines.report.swarm import DAYS, page

    return page(_last_days(settings, lake.snapshot(), DAYS), lake.world)


def _last_days(settings: Settings, snapshot: Snapshot, days: Mapping[str, int | None]) -> "dict[str, pl.DataFrame]":
    """The rows of tables up to the last day of the first of them; of so many days, None for all."""
    import polars as pl

    last = max((commit.day for commit in snapshot.index.partitions(next(iter(days)))), default=settings.opening)
    rows = {table: snapshot.scan(table, upto=last) for table in days}
    return {
        table: (
            each if days[table] is None else each.filter(pl.col("date") > last - timedelta(days=days[table] or 0))
        ).collect()
        for table, each in rows.items()
    }
