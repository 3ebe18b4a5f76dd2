"""The influence solve beside the tools that people know, on synthetic citation graphs, in one run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from coevo_pipelines.bench.edges import edge_list

MOST_EDGES = {"networkx": 1_000_000, "igraph": 10_000_000}
"""Beyond these the contestant needs more memory or patience than a common machine has."""
SOLVERS = ("coevo", "scipy", "igraph", "networkx")
MAPPERS = ("map coevo", "map polars", "map duckdb")
RESOLVERS = ("resolve coevo", "resolve polars")
ALIASED = 10
"""One identifier in so many is another name of the next one."""
EDGES_A_WORK = 10
PATIENCE_S = 3600


@dataclass(frozen=True)
class Measured:
    """One contestant on one list of links."""

    edges: int
    name: str
    seconds: dict[str, float]
    peak_bytes: int
    difference: float | None
    """Largest absolute difference of a score from the first contestant's; None for that one itself."""
    failure: str = ""

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def run(
    sizes: Sequence[int],
    folder: Path,
    *,
    damping: float,
    seed: int,
    peers: bool,
    tell: Callable[[str], None],
) -> Iterator[Measured]:
    """Solve lists of `sizes` links; with `peers` each of them as well. Files are made in `folder` and kept there."""
    for edges in sizes:
        path = folder / f"links_{edges}_{seed}.parquet"
        if not path.exists():
            tell(f"making {edges:,} links between {edges // EDGES_A_WORK:,} works")
            edge_list(edges // EDGES_A_WORK, edges, seed, path)
        names = [name for name in SOLVERS if edges <= MOST_EDGES.get(name, edges)] if peers else ["coevo"]
        yield from _contest(names, path, edges, folder, damping, tell)


def mapping(edges: int, folder: Path, *, seed: int, tell: Callable[[str], None]) -> Iterator[Measured]:
    """Text identifiers of `edges` links between half as many works: to dense numbers, and to what stands for them."""
    path = folder / f"text_{edges}_{seed}.parquet"
    if not path.exists():
        tell(f"making {edges:,} links with text identifiers")
        edge_list(edges // 2, edges, seed, path, strings=True)
    _make_aliases(path)
    yield from _contest(MAPPERS, path, edges, folder, 0.5, tell)
    yield from _contest(RESOLVERS, path, edges, folder, 0.5, tell)


def _make_aliases(path: Path) -> None:
    """(id, canonical) of every identifier in the list, as `citations.aliases` has them."""
    import polars as pl

    frame = pl.scan_parquet(path)
    ids = pl.concat([frame.select(id="source"), frame.select(id="target")]).unique().sort("id")
    canonical = pl.when(pl.int_range(pl.len()) % ALIASED == 0).then(pl.col("id").shift(-1)).otherwise(pl.col("id"))
    known = ids.with_columns(canonical=pl.coalesce(canonical, "id"))
    known.sink_parquet(path.with_name(f"aliases_of_{path.name}"))


def _contest(
    names: Sequence[str], path: Path, edges: int, folder: Path, damping: float, tell: Callable[[str], None]
) -> Iterator[Measured]:
    first: Path | None = None
    for name in names:
        tell(f"{edges:,} links: {name}")
        out = folder / f"out_{name.replace(' ', '_')}.parquet"
        arguments = [sys.executable, "-m", "coevo_pipelines.bench.contestants", name, str(path), str(out), str(damping)]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
            yield Measured(edges, name, {}, 0, None, failure=lines[-1])
            continue
        said = json.loads(done.stdout.splitlines()[-1])
        difference = None if first is None else _difference(first, out)
        first = first or out
        yield Measured(edges, name, said["seconds"], said["peak_bytes"], difference)


def _difference(one: Path, other: Path) -> float:
    """Of the scores of works that both have. A peer also scores numbers between 0 and the last that nothing names."""
    import polars as pl

    mine = pl.scan_parquet(one).select("id", "influence")
    theirs = pl.scan_parquet(other).select("id", theirs="influence")
    # Numbers that nothing names take their share: compare shares among the works that both have.
    joined = mine.join(theirs, on="id").with_columns(
        pl.col("influence", "theirs") / pl.col("influence", "theirs").sum()
    )
    return float(joined.select((pl.col("influence") - pl.col("theirs")).abs().max()).collect().item() or 0.0)
