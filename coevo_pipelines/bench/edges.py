"""Citation graphs as edge lists: for stages that work on integers, and for mapping text to integers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.bench.attachment import APPEAL, CHUNK, NEWER_REACH, REFERENCE_SPREAD, fill_targets, sources_of
from coevo_pipelines.bench.vectors import Ints, cumulative, scramble
from coevo_pipelines.bench.world.shape import GROWTH, HISTORY_MONTHS

if TYPE_CHECKING:
    import pyarrow as pa

ARXIV_SHARE = 0.5
"""Works of a string edge list that are named by arXiv; the rest is named by OpenAlex."""


def edge_list(works: int, edges: int, seed: int, path: Path, *, strings: bool = False) -> None:
    """Write a synthetic citation graph as Parquet with the columns `source` and `target`, and nothing else.

    Ids are dense int64 0..works-1 in order of event time (larger is newer), rows are sorted by source, the
    in-degree is a power law with ageing. No self loops; a few rows are double, a few targets are newer than
    their source. With `strings` the ids are `arxiv:…` and `openalex:W…` and the rows are in no order.

    One row group a million rows. Memory: 4 bytes an edge and 20 a work beside 250 MB; with strings, 8 an edge
    and 60 a work. The same arguments give the same bytes. Raises ValueError when there is no such graph.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if works < 2 or edges < 0 or edges > works * (works - 1) // 2:
        raise ValueError(f"no graph of {edges:,} references among {works:,} works")
    starts = _starts(works, edges, np.random.default_rng([seed, 1]))
    kind = pa.string() if strings else pa.int64()
    schema = pa.schema([("source", kind), ("target", kind)])
    # Ids hardly repeat within a row group: a dictionary would only cost time.
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, use_dictionary=False) as writer:
        chunks = _attached(starts, np.random.default_rng([seed, 2]))
        if strings:
            chunks = _scattered(starts, chunks, np.random.default_rng([seed, 3]))
        names = _edge_names(works) if strings else None
        for source, target in chunks:
            columns: list[Any] = [source, target] if names is None else [names.take(source), names.take(target)]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=CHUNK)


def _starts(works: int, edges: int, rng: np.random.Generator) -> Ints:
    """(works + 1,): row of the first reference of each work; the last is `edges`. Work 0 has none."""
    weight = rng.lognormal(0.0, REFERENCE_SPREAD, works)
    # The first works find little to refer to: their lists grow with what there is.
    ramp = min(works - 1, max(1, 20 * edges // works))
    weight[: ramp + 1] *= np.arange(ramp + 1) / ramp
    np.cumsum(weight, out=weight)
    weight *= edges / weight[-1]
    starts = np.zeros(works + 1, dtype=np.int64)
    starts[1:] = weight
    starts[-1] = edges
    return starts


def _attached(starts: Ints, rng: np.random.Generator) -> Iterator[tuple[Ints, NDArray[np.int32]]]:
    """(source, target) of the rows in order, a chunk at a time."""
    works, edges = starts.size - 1, int(starts[-1])
    appeal = rng.random(works, dtype=np.float32)
    appeal **= APPEAL
    targets = np.zeros(edges, dtype=np.int32)
    reach = max(1, int(NEWER_REACH * works))
    for first in range(0, edges, CHUNK):
        last = min(first + CHUNK, edges)
        source = sources_of(starts, first, last)
        how, where, least = (rng.random(last - first) for _ in range(3))
        fill_targets(targets, first, source, how, where, least, appeal, reach)
        yield source, targets[first:last]


def _scattered(
    starts: Ints, chunks: Iterator[tuple[Ints, NDArray[np.int32]]], rng: np.random.Generator
) -> Iterator[tuple[Ints, NDArray[np.int32]]]:
    """All rows in another order: strides through the whole list, each chunk shuffled. Needs no second copy."""
    edges = int(starts[-1])
    targets = np.empty(edges, dtype=np.int32)
    first = 0
    for source, target in chunks:
        targets[first : first + source.size] = target
        first += source.size
    stride = int(edges * 0.6180339887) | 1
    while edges and math.gcd(stride, edges) != 1:
        stride += 2
    for first in range(0, edges, CHUNK):
        rows = (np.arange(first, min(first + CHUNK, edges), dtype=np.int64) * stride) % edges
        rows.sort()  # looked up in order and shuffled after: a tenth of the time of looking up at random
        order = rng.permutation(rows.size)
        yield (np.searchsorted(starts, rows, "right") - 1)[order], targets[rows][order]


def _edge_names(works: int) -> pa.Array:
    """(works,) strings: the identifier of each work."""
    import polars as pl

    work = np.arange(works, dtype=np.int64)
    month, place = _months(works)
    named = (scramble(work) % 1000 < 1000 * ARXIV_SHARE) & (place < 100_000)
    written = pl.select(
        year=pl.Series(month // 12 + 11),
        month=pl.Series(month % 12 + 1),
        place=pl.Series(place),
        number=scramble(work),
    )
    arxiv = pl.format(
        "arxiv:{}{}.{}",
        pl.col("year"),
        pl.col("month").cast(pl.String).str.zfill(2),
        pl.col("place").cast(pl.String).str.zfill(5),
    )
    openalex = pl.format("openalex:W{}", pl.col("number") + 2_000_000_000)
    chosen = pl.when(pl.Series(named)).then(arxiv).otherwise(openalex)
    return written.select(id=chosen)["id"].to_arrow(compat_level=pl.CompatLevel.oldest())


def _months(works: int) -> tuple[Ints, Ints]:
    """(month from the start, place in the month) of each work, in order of event time."""
    ends = (cumulative(np.cumprod(np.full(HISTORY_MONTHS, GROWTH)).tolist()) * works).astype(np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    month = np.repeat(np.arange(HISTORY_MONTHS, dtype=np.int64), ends - starts)
    return month, np.arange(works, dtype=np.int64) - starts[month]
