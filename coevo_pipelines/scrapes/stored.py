"""Stored exchanges, read back a few at a time: a day of them may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from coevo_pipelines.scrapes.exchange import Exchange

AT_ONCE = 8
_BUFFER = 1 << 20


def read(files: Iterable[Path]) -> Iterator[Exchange]:
    """The exchanges of Parquet files of `scrapes.*` tables, in their order."""
    import pyarrow.parquet as pq

    for path in files:
        with pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as stored:
            for batch in stored.iter_batches(AT_ONCE):
                yield from map(Exchange.from_row, batch.to_pylist())
