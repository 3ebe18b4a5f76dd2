"""The daily snapshot: one partitioned job over all assets, and its schedule."""

from __future__ import annotations

from typing import Any

import dagster as dg

from coevo_pipelines.settings import Settings

DAILY_SNAPSHOT = "daily_snapshot"
HOUR_UTC = 2  # well after midnight everywhere that counts for UTC days, well inside the grace period


def daily_snapshot(settings: Settings) -> Any:
    """The job that makes a day, or a range of days, of everything."""
    return dg.define_asset_job(
        DAILY_SNAPSHOT,
        selection=dg.AssetSelection.all(),
        description="A day's snapshot, all of it: scrape every source, normalize, link, score, divide rewards, pack "
        "genome and corpora, go on with the swarm, rebuild the catalog, write the report. A range of days is one run. "
        "Making a day again is safe: what has not changed stays as it is, later days that depend on it are made again.",
        tags={"coevo/world": settings.source},
    )


def daily_schedule(job: Any, settings: Settings) -> Any:
    """Every day at 02:00 UTC for the day that has just ended. Off until it is turned on in the UI."""
    return dg.build_schedule_from_partitioned_job(
        job,
        hour_of_day=HOUR_UTC,
        description="Every day at 02:00 UTC: the snapshot of the day that has just ended. Off until it is turned on.",
        tags={"coevo/world": settings.source},
    )
