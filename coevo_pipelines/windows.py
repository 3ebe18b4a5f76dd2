"""The span of time that a daily partition holds. Pure; no clock is read here.

Partition D holds facts whose event time lies in [D, D+1) UTC. The one exception is the *opening
partition*, the first day of a lake: like the opening balance of a ledger it holds everything from
`history_from` up to its own end, so that a new lake starts with the works that later ones cite.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """Half-open span [start, end) of event times that belong to partition `day`."""

    day: date
    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    @property
    def last_instant(self) -> datetime:
        """The latest moment (microseconds) that still belongs to the day."""
        return self.end - timedelta(microseconds=1)


def midnight(day: date) -> datetime:
    """Start of `day` in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def window_of(day: date, opening: date, history_from: date) -> Window:
    """The window of partition `day` in a lake that opens on `opening`.

    Raises ValueError for a day before the opening: nothing may be written there, because the opening
    partition already holds those facts.
    """
    if day < opening:
        raise ValueError(f"{day} is before the lake's first partition {opening} (setting start_date)")
    start = min(history_from, opening) if day == opening else day
    return Window(day=day, start=midnight(start), end=midnight(day) + DAY)


def days_between(first: date, last: date) -> list[date]:
    """Every day from `first` to `last`, both included; raises ValueError when `last` is earlier."""
    if last < first:
        raise ValueError(f"the range ends ({last}) before it starts ({first})")
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]
