"""Synthetic worlds of any size: for measuring, never for citing.

`edge_list` writes a bare citation graph, for stages that work on integers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.influence.kernel import kernel

if TYPE_CHECKING:
    import pyarrow as pa

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

COPIED = 0.65
"""Share of references that are found in somebody else's reference list. Copying the target of a random earlier
reference *is* preferential attachment. With appeal and ageing it gives what citation counts are measured to have:
a tail exponent near 3, a quarter of all citations on one work in a hundred, four works in ten never cited."""

APPEAL = 2
"""The appeal of a work is a uniform number to this power: most works have little."""

NEWER = 0.002
"""Share of references to a work that is a little newer (revised preprints cite each other): without them a
citation graph has no cycles, and a solver that only works on acyclic graphs would look right."""

NEWER_REACH = 0.003
"""How far ahead those point, as a share of all works: about two weeks at the growth below."""

REFERENCE_SPREAD = 0.9
"""Sigma of the lognormal lengths of reference lists."""

CHUNK = 1_000_000
"""Rows made and written at a time: one row group."""

ARXIV_SHARE = 0.5
"""Works of a string edge list that are named by arXiv; the rest is named by OpenAlex."""

MONTHS = 180
DOUBLINGS = 3.0
"""Fifteen years, in which the yearly output doubles every five (arXiv: 2011 to 2026)."""


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
        names = _names(works) if strings else None
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


def _sources(starts: Ints, first: int, last: int) -> Ints:
    """(last - first,): the source of each of the rows first..last-1."""
    low = int(np.searchsorted(starts, first, "right")) - 1
    high = int(np.searchsorted(starts, last, "left"))
    bounds = np.clip(starts[low : high + 1], first, last)
    return np.repeat(np.arange(low, high, dtype=np.int64), np.diff(bounds))


def _attached(starts: Ints, rng: np.random.Generator) -> Iterator[tuple[Ints, NDArray[np.int32]]]:
    """(source, target) of the rows in order, a chunk at a time."""
    works, edges = starts.size - 1, int(starts[-1])
    appeal = rng.random(works, dtype=np.float32)
    appeal **= APPEAL
    targets = np.zeros(edges, dtype=np.int32)
    reach = max(1, int(NEWER_REACH * works))
    for first in range(0, edges, CHUNK):
        last = min(first + CHUNK, edges)
        source = _sources(starts, first, last)
        how, where, least = (rng.random(last - first) for _ in range(3))
        _attach(targets, first, source, how, where, least, appeal, reach)
        yield source, targets[first:last]


@kernel
def _attach(
    targets: NDArray[np.int32],
    first: int,
    sources: Ints,
    how: Floats,
    where: Floats,
    least: Floats,
    appeal: NDArray[np.float32],
    reach: int,
) -> None:
    """Fill `targets` from row `first` on. `how`, `where` and `least` are uniform in [0, 1).

    A reference copies the target of an earlier row, or takes the next older work that appeals enough. The
    roots are the ageing: where output grows exponentially, id x u^(1/4) says that lags in time are exponential,
    with a mean of a quarter of the time in which output grows e-fold (1.8 years here), and a copy goes back twice
    as far. And the square root is the one root that every machine rounds alike.
    """
    for k in range(sources.size):
        row = first + k
        source = sources[k]
        root = math.sqrt(where[k])
        target = source
        if how[k] < COPIED:
            target = targets[int(row * root)]
        elif how[k] >= 1.0 - NEWER:
            target = source + 1 + int(where[k] * reach)
            if target < appeal.size:
                targets[row] = target
                continue
        if target >= source:  # nothing to copy yet, a target newer than the source, or a fresh find
            target = min(int(source * math.sqrt(root)), source - 1)
            while target > 0 and appeal[target] < least[k]:
                target -= 1
        targets[row] = target


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


def _names(works: int) -> pa.Array:
    """(works,) strings: the identifier of each work."""
    import polars as pl

    work = np.arange(works, dtype=np.int64)
    month, place = _months(works)
    named = (_scramble(work) % 1000 < 1000 * ARXIV_SHARE) & (place < 100_000)
    written = pl.select(
        year=pl.Series(month // 12 + 11),
        month=pl.Series(month % 12 + 1),
        place=pl.Series(place),
        number=_scramble(work),
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
    share = (2.0 ** (DOUBLINGS * np.arange(1, MONTHS + 1) / MONTHS) - 1) / (2.0**DOUBLINGS - 1)
    ends = (share * works).astype(np.int64)
    ends[-1] = works
    starts = np.concatenate([[0], ends[:-1]])
    month = np.repeat(np.arange(MONTHS, dtype=np.int64), ends - starts)
    return month, np.arange(works, dtype=np.int64) - starts[month]


def _scramble(number: Ints) -> Ints:
    """Another number below 2^31 - 1 for each, never the same twice (for numbers below that prime)."""
    return number * 16_807 % 2_147_483_647
