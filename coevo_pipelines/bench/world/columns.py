"""Vectors of numbers to columns of tables: text, moments, nulls, and the registry's order and types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.bench.vectors import Flags, Ints
from coevo_pipelines.lake import schemas

if TYPE_CHECKING:
    import polars as pl

Tables = Iterator[tuple[str, "pl.DataFrame"]]
"""Tables by name, each made when it is asked for."""


def words_at(words: Sequence[Any], index: NDArray[Any]) -> pl.Series:
    """words[index], as text (or lists of texts)."""
    import polars as pl

    listed = any(isinstance(word, tuple) for word in words)
    kind = pl.List(pl.String()) if listed else pl.String()
    return pl.Series([list(word) if listed else word for word in words], dtype=kind).gather(index)


def formatted(form: str, *parts: NDArray[Any] | pl.Series) -> pl.Series:
    """`form` with each {} replaced by the parts, row by row; null where a part is."""
    import polars as pl

    columns = [pl.Series(f"p{n}", part) for n, part in enumerate(parts)]
    return pl.DataFrame(columns).select(text=pl.format(form, *(column.name for column in columns)))["text"]


def padded(number: NDArray[Any], width: int) -> pl.Series:
    """The numbers as text, with zeros in front up to the width."""
    import polars as pl

    return pl.Series(number).cast(pl.String).str.zfill(width)


def series(values: NDArray[Any]) -> pl.Series:
    """The numbers as they are."""
    import polars as pl

    return pl.Series(values)


def masked(mask: Flags, values: pl.Series | NDArray[Any], others: pl.Series | None = None) -> pl.Series:
    """values where the mask is true, else others, or null."""
    import polars as pl

    there = pl.when(pl.Series(mask)).then(pl.lit(pl.Series(values)))
    return pl.select(value=there.otherwise(pl.lit(others) if others is not None else None))["value"]


def timestamps(micros: Ints) -> pl.Series:
    """Moments in UTC, of microseconds since 1970."""
    import polars as pl

    return pl.Series(micros, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))


def assembled(size: int, parts: Sequence[tuple[NDArray[Any], Callable[[Ints], pl.Series]]]) -> pl.Series:
    """(size,) texts out of parts: each a mask and what makes the texts of its rows."""
    import polars as pl

    rows = [np.flatnonzero(mask) for mask, _ in parts]
    made = [make(where) for where, (_, make) in zip(rows, parts, strict=True) if where.size]
    place = np.empty(size, dtype=np.int64)
    place[np.concatenate(rows)] = np.arange(size)
    return pl.concat(made).gather(place) if made else pl.Series([], dtype=pl.String)


def framed(table: str, columns: Mapping[str, pl.Series]) -> pl.DataFrame:
    """The columns in the registry's order and types."""
    import polars as pl

    return pl.DataFrame(
        [columns[name].alias(name).cast(kind) for name, kind in schemas.table(table).polars_schema().items()]
    )
