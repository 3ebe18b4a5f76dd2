"""The daily snapshot: one partitioned job over all assets, and its schedule."""

from __future__ import annotations

from typing import Any

import dagster as dg

DAILY_SNAPSHOT = "daily_snapshot"
HOUR_UTC = 2  # well after midnight everywhere that counts for UTC days, well inside the grace period


def daily_snapshot() -> Any:
    """The job that makes a day, or a range of days, of everything."""
    return dg.define_asset_job(
        DAILY_SNAPSHOT,
        selection=dg.AssetSelection.all(),
        description="A day's snapshot: scrape every source, normalize, link, rebuild the catalog.",
    )


def daily_schedule(job: Any) -> Any:
    """Every day at 02:00 UTC for the day that has just ended. Off until it is turned on in the UI."""
    return dg.build_schedule_from_partitioned_job(job, hour_of_day=HOUR_UTC)
