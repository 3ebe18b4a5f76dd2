"""The one daily partitioning that all assets share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import dagster as dg

from coevo_pipelines.settings import Settings


def daily(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Days in UTC from the lake's opening partition on."""
    return dg.DailyPartitionsDefinition(start_date=settings.opening.isoformat(), timezone="UTC")


def days(keys: Sequence[str]) -> list[date]:
    """Partition keys as dates, in order."""
    return sorted(date.fromisoformat(key) for key in keys)
