"""A day's report timed part by part on a synthetic lake with as many works, people, links and scores as asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import TYPE_CHECKING

from coevo_pipelines.bench import stages
from coevo_pipelines.bench.contestants import peak_bytes
from coevo_pipelines.bench.world.shape import Shape
from coevo_pipelines.bench.world.writing import write
from coevo_pipelines.lake import catalog

if TYPE_CHECKING:
    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.settings import Settings


@dataclass(frozen=True)
class Part:
    """One part of the work: what it was (`ask`, `page`, `records`, …) and of which page or kind of records."""

    part: str
    of: str
    seconds: float
    cpu_seconds: float
    """Of all threads of this process: what others do at the same time does not count."""


@dataclass(frozen=True)
class Measured:
    """A report: its parts in order, and what came out."""

    works: int
    """Works and stubs in the graph of the day."""
    edges: int
    parts: Sequence[Part]
    files: int
    bytes: int
    peak_bytes: int

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.parts)

    @property
    def cpu_seconds(self) -> float:
        return sum(part.cpu_seconds for part in self.parts)


class Laps:
    """Time between calls, each counted for what the call before it announced."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._now = ("start", "")
        self._at = (perf_counter(), process_time())

    def __call__(self, part: str, of: str) -> None:
        at = (perf_counter(), process_time())
        self.parts.append(Part(*self._now, at[0] - self._at[0], at[1] - self._at[1]))
        self._now, self._at = (part, of), at


def make(lake: Lake, settings: Settings, shape: Shape, tell: Callable[[str], None]) -> None:
    """A synthetic lake with everything that the bench has for one: traces, citations, influence, rewards, catalog."""
    write(lake, shape, tell)
    for timed in stages.run(lake, settings, tell):
        tell(f"{timed.stage} {timed.day}: {timed.seconds:.1f} s")
    catalog.build(lake)


def run(lake: Lake) -> Measured:
    """Make the report of the newest day of the lake's catalog. Raises as `report.build.build`."""
    from coevo_pipelines.report.build import build

    laps = Laps()
    built = build(lake, tell=laps)
    laps("end", "")
    with catalog.open_catalog(lake.root / catalog.CATALOG) as connection:
        connection.execute("SET VARIABLE day = $day", {"day": built.day})
        works, edges = (
            connection.execute(f"SELECT count(*) FROM citations.{name}_as_of(getvariable('day'))").fetchall()[0][0]
            for name in ("nodes", "edges")
        )
    return Measured(works, edges, laps.parts, built.files, built.bytes, peak_bytes())
