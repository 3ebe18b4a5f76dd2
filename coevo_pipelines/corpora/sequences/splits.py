"""Train, validation and test, by work: what belongs to one work is in one split, whatever else there is.

A work's place is the first eight bytes (big-endian) of the SHA-256 of `<seed>:<id>` in UTF-8, over 2^64: a number from
0 up to 1. Below `validation` it is validation, from 1 - `test` on it is test, and train between. So no work moves when
others come, nor between train and one of the two when the size of the other is changed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from coevo_pipelines.corpora.blueprints import Split, Splitting

WHOLE = 2**64


def split_of(work_ids: pl.Series, splitting: Splitting) -> pl.Series:
    """The split of each work. ValueError for a null: what belongs to no work cannot be kept apart."""
    import polars as pl

    if work_ids.null_count():
        raise ValueError(f"splits: row {work_ids.is_null().arg_max()} has no work_id")
    unique = work_ids.unique()
    splits = pl.Series([_split(each, splitting) for each in unique], dtype=pl.String)
    return work_ids.replace_strict(unique, splits, return_dtype=pl.String).alias("split")


def _split(work_id: str, splitting: Splitting) -> Split:
    digest = hashlib.sha256(f"{splitting.seed}:{work_id}".encode()).digest()
    place = int.from_bytes(digest[:8], "big")
    if place < splitting.validation * WHOLE:
        return "validation"
    return "test" if place >= (1 - splitting.test) * WHOLE else "train"
