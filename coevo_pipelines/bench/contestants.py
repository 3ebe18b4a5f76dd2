"""One contestant in one process: read an edge list, score it, write the scores, say how long each step took.

Started as `python -m coevo_pipelines.bench.contestants NAME EDGES OUT DAMPING`; prints one JSON object. A process for
each, so that peak memory is its own. Compiling and imports are done before the clock starts, for every
contestant: what is measured is work on the data.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

RESIDUAL = 1e-12


class Clock:
    """Seconds by step; `tick` tells the time."""

    def __init__(self, tick: Callable[[], float] = perf_counter) -> None:
        self.seconds: dict[str, float] = {}
        self._tick = tick
        self._last = tick()

    def lap(self, step: str) -> None:
        """What went by since the last lap was `step`."""
        now = self._tick()
        self.seconds[step] = now - self._last
        self._last = now


def coevo(edges: Path, out: Path, damping: float) -> Clock:
    """This package, by the way that `coevo influence score --uniform` takes."""
    from coevo_pipelines.influence.standalone import write

    _warm(out)
    clock = Clock()
    scored = _score(edges, damping)
    clock.seconds |= scored.seconds
    clock.lap("read and solve")
    del clock.seconds["read and solve"]
    write(scored, out)
    clock.lap("write")
    return clock


def scipy(edges: Path, out: Path, damping: float) -> Clock:
    """Power iteration on a sparse matrix, to the same residual."""
    from scipy.sparse import csr_array

    clock = Clock()
    source, target = _read(edges)
    clock.lap("load")
    n = 1 + int(max(source.max(), target.max()))
    matrix = csr_array((np.ones(source.size), (target, source)), shape=(n, n))
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    used = np.asarray(matrix.sum(axis=0)).ravel()
    dangling = used == 0
    matrix.data *= np.divide(1.0, used, out=np.zeros(n), where=~dangling)[matrix.indices]
    clock.lap("build")
    x = np.full(n, 1.0 / n)
    while True:
        following = damping * (matrix @ x)
        following += (1.0 - damping + damping * x[dangling].sum()) / n
        moved = np.abs(following - x).sum()
        x = following
        if moved <= RESIDUAL:
            break
    clock.lap("solve")
    _write(out, np.arange(n), x)
    clock.lap("write")
    return clock


def igraph(edges: Path, out: Path, damping: float) -> Clock:
    """igraph's own PageRank (PRPACK)."""
    import igraph as ig

    clock = Clock()
    source, target = _read(edges)
    clock.lap("load")
    graph = ig.Graph(n=1 + int(max(source.max(), target.max())), edges=np.column_stack([source, target]), directed=True)
    graph.simplify()
    clock.lap("build")
    x = np.array(graph.pagerank(damping=damping))
    clock.lap("solve")
    _write(out, np.arange(x.size), x)
    clock.lap("write")
    return clock


def networkx(edges: Path, out: Path, damping: float) -> Clock:
    """networkx, which hands the solve to scipy."""
    import networkx as nx

    clock = Clock()
    source, target = _read(edges)
    clock.lap("load")
    graph = nx.DiGraph()
    graph.add_nodes_from(range(1 + int(max(source.max(), target.max()))))
    graph.add_edges_from(zip(source.tolist(), target.tolist(), strict=True))
    clock.lap("build")
    ranks = nx.pagerank(graph, alpha=damping, tol=RESIDUAL / graph.number_of_nodes(), max_iter=1000)
    clock.lap("solve")
    _write(out, np.array(list(ranks)), np.array(list(ranks.values())))
    clock.lap("write")
    return clock


def map_coevo(edges: Path, out: Path, _damping: float) -> Clock:
    """Text identifiers to dense numbers as `coevo influence score` does it: reading included, numbers in order."""
    import polars as pl
    import pyarrow.parquet as pq

    from coevo_pipelines.influence.numbering import Numbering

    _warm(out)
    clock = Clock()
    numbering = Numbering(pl.String())
    numbers = []
    with pq.ParquetFile(edges) as file:
        for batch in file.iter_batches(1 << 20, columns=["source", "target"]):
            frame = pl.DataFrame(pl.from_arrow(batch))
            numbers.append([numbering.add(frame[name]).astype(np.int32) for name in ("source", "target")])
    _ids, final = numbering.finish()
    mapped = [[final[part] for part in parts] for parts in numbers]
    clock.lap("map")
    _write(out, np.array([sum(part.size for part, _ in mapped)]), np.array([float(final.size)]))
    return clock


def map_polars(edges: Path, out: Path, _damping: float) -> Clock:
    """Polars: distinct identifiers numbered, both columns joined to them."""
    import polars as pl

    clock = Clock()
    frame = pl.read_parquet(edges)
    ids = pl.concat([frame["source"], frame["target"].alias("source")]).unique().to_frame("id").with_row_index("number")
    mapped = frame.select(
        frame.join(ids, left_on=name, right_on="id", how="left", maintain_order="left")["number"].alias(name)
        for name in ("source", "target")
    )
    clock.lap("map")
    _write(out, np.array([mapped.height]), np.array([float(ids.height)]))
    return clock


def map_duckdb(edges: Path, out: Path, _damping: float) -> Clock:
    """DuckDB: distinct identifiers numbered, both columns joined to them."""
    import duckdb

    clock = Clock()
    connection = duckdb.connect()
    file = str(edges).replace("'", "''")
    connection.execute(
        f"""CREATE TABLE ids AS SELECT id, row_number() OVER () - 1 AS number
        FROM (SELECT source AS id FROM '{file}' UNION SELECT target FROM '{file}')"""
    ).fetchall()
    connection.execute(
        f"""CREATE TABLE mapped AS SELECT s.number AS source, t.number AS target FROM '{file}' e
        JOIN ids s ON e.source = s.id JOIN ids t ON e.target = t.id"""
    ).fetchall()
    rows, works = connection.execute("SELECT (SELECT count(*) FROM mapped), (SELECT count(*) FROM ids)").fetchall()[0]
    clock.lap("map")
    _write(out, np.array([rows]), np.array([float(works)]))
    return clock


def resolve_coevo(edges: Path, out: Path, _damping: float) -> Clock:
    """Raw references to what stands for their ends, by the expression that the citations stage uses."""
    import ibis

    from coevo_pipelines.citations.graph import with_canonical

    clock = Clock()
    backend = ibis.duckdb.connect()
    references, known = backend.read_parquet(edges), backend.read_parquet(_aliases(edges))
    resolved = with_canonical(with_canonical(references, known, "source", "citing"), known, "target", "cited")
    backend.con.execute(f"CREATE TABLE resolved AS {backend.compile(resolved.select('citing', 'cited'))}").fetchall()
    clock.lap("resolve")
    _write_resolved(out, backend.con.execute("SELECT count(*), count(DISTINCT cited) FROM resolved").fetchall()[0])
    return clock


def resolve_polars(edges: Path, out: Path, _damping: float) -> Clock:
    """The same by Polars' joins, streaming."""
    import polars as pl

    clock = Clock()
    known = pl.scan_parquet(_aliases(edges))
    rows = pl.scan_parquet(edges)
    for name, end in (("citing", "source"), ("cited", "target")):
        rows = rows.join(known.rename({"canonical": name}), left_on=end, right_on="id", how="left")
        rows = rows.with_columns(pl.coalesce(name, end).alias(name))
    resolved = rows.select("citing", "cited").collect(engine="streaming")
    clock.lap("resolve")
    _write_resolved(out, (resolved.height, resolved["cited"].n_unique()))
    return clock


def _aliases(edges: Path) -> Path:
    return edges.with_name(f"aliases_of_{edges.name}")


def _write_resolved(out: Path, counted: tuple[int, int]) -> None:
    _write(out, np.array([counted[0]]), np.array([float(counted[1])]))


CONTESTANTS: Mapping[str, Callable[[Path, Path, float], Clock]] = {
    "coevo": coevo,
    "scipy": scipy,
    "igraph": igraph,
    "networkx": networkx,
    "map coevo": map_coevo,
    "map polars": map_polars,
    "map duckdb": map_duckdb,
    "resolve coevo": resolve_coevo,
    "resolve polars": resolve_polars,
}


def main(name: str, edges: str, out: str, damping: str) -> None:
    """Run one contestant and print seconds by step and peak memory."""
    import pyarrow.parquet  # every contestant reads and writes with it

    pyarrow.chunked_array([[0]]).to_numpy()  # imports pandas at its first use
    clock = CONTESTANTS[name](Path(edges), Path(out), float(damping))
    print(json.dumps({"seconds": clock.seconds, "peak_bytes": peak_bytes()}))


def peak_bytes() -> int:
    """Most memory that this process has held. (getrusage would also tell what its parent held when it was forked.)"""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _score(edges: Path, damping: float) -> Any:
    from coevo_pipelines.influence.standalone import score

    return score(edges, damping=damping, tau_years=1.0, uniform=True, relation_weight={})


def _warm(out: Path) -> None:
    """Compile what will run, on a list large enough to be compiled for: two row groups, cycles, duplicates."""
    import polars as pl
    import pyarrow.parquet as pq

    from coevo_pipelines.influence.kernel import LARGE
    from coevo_pipelines.influence.numbering import Numbering

    source = np.repeat(np.arange(2 * LARGE), 2)
    target = np.where(source % 100 == 0, (source + 7) % (2 * LARGE), source // 2)
    small = out.with_name("warm.parquet")
    pq.write_table(pl.DataFrame({"source": source, "target": target}).to_arrow(), small, row_group_size=2 * LARGE)
    _score(small, 0.5)
    numbering = Numbering(pl.String())
    numbering.add(pl.Series(np.arange(4 * LARGE)).cast(pl.String))
    small.unlink()


def _read(edges: Path) -> tuple[Any, Any]:
    import pyarrow.parquet as pq

    table = pq.read_table(edges, columns=["source", "target"])
    return table.column("source").to_numpy(), table.column("target").to_numpy()


def _write(out: Path, ids: Any, scores: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": ids, "influence": scores}), out, compression="snappy", use_dictionary=False)


if __name__ == "__main__":
    main(*sys.argv[1:5])
