"""The later stages timed on a lake that has traces and citations, such as a synthetic world."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from coevo_pipelines.bench.contestants import peak_bytes
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.orchestration.days import Compute, compute_and_commit

if TYPE_CHECKING:
    from coevo_pipelines.settings import Settings

BASE = "citations.nodes"
"""Its partitions are the days of the lake."""


@dataclass(frozen=True)
class Timed:
    """One stage on one day."""

    stage: str
    day: date
    seconds: float
    peak_bytes: int
    """Of the process so far: memory that an earlier day took counts too."""
    rows: Mapping[str, int]


def stages(settings: Settings) -> Mapping[str, tuple[Sequence[str], Compute]]:
    """Tables and computation of each stage after citations, in order."""
    from coevo_pipelines.influence import assets as influence
    from coevo_pipelines.rewards import assets as rewards

    return {
        "influence": (influence.TABLES, partial(influence.compute, settings)),
        "rewards": (rewards.TABLES, partial(rewards.compute, settings)),
    }


def run(lake: Lake, settings: Settings, tell: Callable[[str], None]) -> Iterator[Timed]:
    """Compute and commit every later stage for every day of the lake, as a run would.

    What is there already is computed again. Raises ValueError for a lake without a graph.
    """
    days = [commit.day for commit in lake.snapshot().index.partitions(BASE)]
    if not days:
        raise ValueError(f"{lake.root} has no {BASE}: make a world first (coevo bench world)")
    for stage, (tables, compute) in stages(settings).items():
        for day in days:
            tell(f"{stage} {day}")
            started = perf_counter()
            results, _ = compute_and_commit(lake, tables, day, compute)
            rows = {name: result.frame.height for name, result in results.items()}
            yield Timed(stage, day, perf_counter() - started, peak_bytes(), rows)
