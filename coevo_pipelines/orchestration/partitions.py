"""The one daily partitioning that all assets share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import dagster as dg

from coevo_pipelines.settings import Settings
from coevo_pipelines.windows import DAY


def daily(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Days in UTC from the lake's opening partition on, to its last where it has one."""
    end = settings.closing + DAY if settings.closing else None  # the first day that is none
    return dg.DailyPartitionsDefinition(
        start_date=settings.opening.isoformat(), end_date=end.isoformat() if end else None, timezone="UTC"
    )


def days(keys: Sequence[str]) -> list[date]:
    """Partition keys as dates, in order."""
    return sorted(date.fromisoformat(key) for key in keys)
