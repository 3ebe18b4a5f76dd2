"""Influence for anyone's edge list: read, solve, write; what `coevo influence score` runs."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from coevo_pipelines.influence.edgelist import MOST_ROWS_KEPT, UNDATED, EdgeList, EdgeListError, read
from coevo_pipelines.influence.links import Dropped, LinksError, Streamed, in_memory, named
from coevo_pipelines.influence.pagerank import UNTYPED, NotConverged, Solution, recency, solve

if TYPE_CHECKING:
    from numpy.typing import NDArray

MICROSECONDS_A_YEAR = 365.25 * 86_400 * 1e6
ROWS_A_GROUP = 1 << 20
LEAST_SEEN = 1e-6
"""With less damping than this what arrives over a link may be lost in rounding, and with it what the link names."""
DISORDER = 0.02
"""A residual beyond this after one sweep says that the numbers do not follow time: then sorting pays."""


@dataclass(frozen=True)
class Scored:
    """Scores of an edge list, and how they came about."""

    edges: EdgeList
    solution: Solution
    present: NDArray[np.bool_] | None
    """Which numbers are works; None: all. (A streamed file may leave numbers out.)"""
    teleport: NDArray[np.float64]
    starts: str
    """What the teleport is, in words."""
    seconds: Mapping[str, float]

    @property
    def works(self) -> int:
        return self.edges.links.n if self.present is None else int(self.present.sum())

    def top(self, most: int) -> list[tuple[str, float, float]]:
        """(id, influence, inflow) of the most influential works, ties by number."""
        influence = self.solution.influence
        places = np.arange(influence.size) if self.present is None else np.flatnonzero(self.present)
        if places.size > most > 0:
            least = np.partition(influence[places], -most)[-most]
            places = places[influence[places] >= least]
        places = places[np.argsort(-influence[places], kind="stable")][:most]
        ids = self.edges.ids
        return [(str(i if ids is None else ids[int(i)]), influence[i], self.solution.inflow[i]) for i in places]

    @property
    def dropped(self) -> Dropped:
        held, passed = self.edges.links.dropped, self.solution.dropped
        return Dropped(held.self_loops + passed.self_loops, held.duplicates + passed.duplicates)


def score(
    edges: Path,
    nodes: Path | None = None,
    *,
    damping: float,
    tau_years: float,
    uniform: bool,
    relation_weight: Mapping[str, float],
    tell: Callable[[str], None] = lambda _line: None,
) -> Scored:
    """Influence and inflow of every work of an edge list.

    The teleport falls with age (exp(-age/τ), age counted from the youngest work) where anything is dated and
    `uniform` is false; an undated work counts as old as the oldest. Raises EdgeListError for a file that cannot
    be used and for a relation without a weight.
    """
    started = perf_counter()
    listed = read(edges, nodes, dated=not uniform)
    unknown = [name for name in listed.relations if name not in relation_weight]
    if unknown:
        raise EdgeListError(
            f"{edges}: relation {unknown[0]!r} has no weight; known: {', '.join(relation_weight)}. "
            f"Give one: --relation-weight {unknown[0]}=1"
        )
    loaded = perf_counter()
    tell(f"read {listed.counts.rows:,} rows in {loaded - started:.1f} s")
    teleport, how = _teleport(listed, tau_years, uniform)
    weights = tuple(relation_weight[name] for name in listed.relations) or UNTYPED
    try:
        listed, solution, present = _solve(listed, teleport, damping, weights, tell)
    except LinksError as error:
        raise EdgeListError(str(error)) from error
    seconds = {"load": loaded - started, "solve": perf_counter() - loaded}
    return Scored(listed, solution, present, teleport, how, seconds)


def write(scored: Scored, out: Path) -> None:
    """Write `id`, `influence`, `inflow`, one row a work, in the order of the identifiers; whole or not at all.

    (Beyond two million text identifiers: in an order of their hashes.) Raises EdgeListError for a name that ends
    neither in .parquet nor in .csv.
    """
    import pyarrow as pa

    ids = scored.edges.ids
    numbers = np.arange(scored.edges.links.n) if scored.present is None else np.flatnonzero(scored.present)
    columns: dict[str, Any] = {
        "id": numbers if ids is None else ids.to_arrow(),
        "influence": scored.solution.influence,
        "inflow": scored.solution.inflow,
    }
    if scored.present is not None and numbers.size < scored.edges.links.n:
        columns |= {name: columns[name][numbers] for name in ("influence", "inflow")}
    write_table(pa.table(columns), out)


def write_table(table: Any, out: Path) -> None:
    """An Arrow table as .parquet or .csv, by way of a temporary file in the same folder."""
    import pyarrow.csv as arrow_csv
    import pyarrow.parquet as pq

    if out.suffix.lower() not in {".parquet", ".csv"}:
        raise EdgeListError(f"{out}: the output is a .parquet or .csv file")
    temporary = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}")
    try:
        if out.suffix.lower() == ".csv":
            arrow_csv.write_csv(table, temporary)
        else:
            # Scores hardly compress, and a dictionary of them is larger than they are.
            pq.write_table(table, temporary, row_group_size=ROWS_A_GROUP, compression="snappy", use_dictionary=False)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)


def _teleport(listed: EdgeList, tau_years: float, uniform: bool) -> tuple[NDArray[np.float64], str]:
    n = listed.links.n
    born = listed.born
    if uniform or born is None or bool((born == UNDATED).all()):
        why = "as asked" if uniform else "nothing is dated"
        return np.broadcast_to(np.float64(1.0), (n,)), f"uniform ({why})"
    dated = born != UNDATED
    born = np.where(dated, born, born[dated].min())
    youngest = datetime.fromtimestamp(born.max() / 1e6, UTC).date()
    return recency(-born / MICROSECONDS_A_YEAR, tau_years), f"exp(-age / {tau_years:g} years), age on {youngest}"


def _solve(
    listed: EdgeList,
    teleport: NDArray[np.float64],
    damping: float,
    weights: tuple[float, ...],
    tell: Callable[[str], None],
) -> tuple[EdgeList, Solution, NDArray[np.bool_] | None]:
    """The list, as it lies now, its solution, and which numbers are works."""

    def told(sweep: int, residual: float) -> None:
        if sweep <= 3 or sweep % 25 == 0:
            tell(f"sweep {sweep}: residual {residual:.1e}")

    links = listed.links
    if not isinstance(links, Streamed):
        return listed, solve(links, teleport, damping, relation_weight=weights, tell=told), None
    if damping < LEAST_SEEN:
        present = named(links)
        return listed, solve(links, np.where(present, teleport, 0.0), damping, tell=told), _or_all(present)
    small = listed.counts.rows <= MOST_ROWS_KEPT
    if small:
        links = replace(links, keep=True)
    try:
        disorder = DISORDER if small else np.inf
        solution = solve(links, teleport, damping, give_up_above=disorder, only_named=True, tell=told)
        return listed, solution, _or_all(solution.named)
    except NotConverged:
        if not small:
            raise
    tell("the works are not numbered in order of time: putting them in order, in memory")
    present = named(links)
    held = in_memory(links)
    solution = solve(held, np.where(present, teleport, 0.0), damping, tell=told)
    return replace(listed, links=held), solution, _or_all(present)


def _or_all(present: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    return None if present.all() else present
