"""How large a world is, and how its works, moments and identifiers are numbered.

A work has up to three identifiers: its own (arXiv, GitHub, Hub), a DOI and an OpenAlex id. They are numbered
`3 * work + slot` (OWN, DOI, RECORD); names that never become works come after those. Moments are microseconds since
1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from coevo_pipelines.bench.vectors import Ints
from coevo_pipelines.windows import DAY, midnight

HISTORY_MONTHS = 180
MONTH_US = 2_629_800_000_000
"""Fifteen years of months of 30.4375 days, in microseconds: the opening partition holds them."""

DAY_US = 86_400_000_000

GROWTH = 1.011619440301923
"""Monthly growth of papers: the yearly output doubles every five years, as arXiv's did from 2011 to 2026."""

OWN, DOI, RECORD = range(3)
"""Slots of a work's identifiers."""

NEVER = 1 << 30
"""A day beyond the last of any world."""

FEWEST_WORKS = 10
MOST_WORKS = 15_000_000
"""From there on arXiv's five digits a month would not do."""


@dataclass(frozen=True)
class Shape:
    """How large a world is, and which one. works: that appear in all. edges: raw references, about.

    Partition 1 of `days` (on `first_day`) is the opening: it holds fifteen years of history.
    """

    works: int
    edges: int
    days: int
    seed: int
    first_day: date = date(2026, 1, 1)

    def __post_init__(self) -> None:
        if not FEWEST_WORKS <= self.works <= MOST_WORKS:
            raise ValueError(f"works = {self.works:,}: a world has {FEWEST_WORKS} to {MOST_WORKS:,}")
        if self.edges < 0 or self.days < 1:
            raise ValueError(f"edges = {self.edges:,}, days = {self.days}: a world has at least 0 and 1")

    @property
    def history_from(self) -> date:
        """The first day that the opening reaches back to."""
        start = midnight(self.first_day) - timedelta(microseconds=HISTORY_MONTHS * MONTH_US)
        return start.date()

    def date_of(self, day: int) -> date:
        return self.first_day + day * DAY


def start_of(day: date) -> int:
    """Microseconds from 1970 to the start of the day."""
    return (day - date(1970, 1, 1)).days * DAY_US


_OUTSIDE = (("record", 0.35), ("doi", 0.05), ("arxiv", 0.02), ("repository", 0.05), ("model", 0.02),
            ("dataset", 0.01), ("package", 0.02))  # fmt: skip
"""Names that never become works, for each work of the world: many, most of them named once."""


def outside_names(shape: Shape) -> tuple[Ints, Ints]:
    """(first number, how many) of each sort of names that never become works."""
    counts = np.array([20 + int(share * shape.works) for _, share in _OUTSIDE])
    return 3 * shape.works + np.append(0, np.cumsum(counts)[:-1]), counts
