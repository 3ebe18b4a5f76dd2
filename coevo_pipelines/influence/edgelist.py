"""Anyone's edge list -> works 0..n-1 and links between them.

Columns: `source` (the user) and `target` (the work used), strings or integers; optional `relation`, `weight`
(not negative) and `event_at` (date, timestamp, ISO text or a year). Optional list of works: `id`, optional
`event_at`. What cannot be read is counted by reason and kept with its row number; nothing is dropped silently.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from coevo_pipelines.influence.kernel import kernel
from coevo_pipelines.influence.links import MOST_RELATIONS, MOST_WORKS, Links, Streamed, hold, pack
from coevo_pipelines.influence.numbering import Numbering

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

BATCH = 1 << 20
LARGEST_GROUP = 1 << 24
"""Rows of a row group up to which a file is streamed: two groups are in memory at a time."""
MOST_ROWS_KEPT = 100_000_000
"""Up to here (0.8 GB) a streamed file is kept in memory for the sweeps after the first."""
UNREADABLE_DATE = "event_at cannot be read (the link counts, undated)"
UNDATED = np.iinfo(np.int64).max
_OPTIONAL = ("relation", "weight", "event_at")


class EdgeListError(ValueError):
    """A file cannot be used as an edge list; the message names file, column and the way out."""


@dataclass
class Counts:
    """What was read and what of it does not count."""

    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """Rows by reason."""
    listed: int | None = None
    """Works in the list of works; None: there is no list."""
    unknown: int = 0
    """Works that links name and the list does not."""
    repeated: int = 0
    """Rows of the list of works that name a work again."""
    undated: int = 0
    """Works without a date, where others have one."""


@dataclass(frozen=True)
class EdgeList:
    """Works 0..n-1 and their links."""

    ids: pl.Series | None
    """Identifier of each work; None: its number."""
    links: Links
    born: Integers | None
    """First known date of each work, µs since 1970; UNDATED where unknown; None: nothing is dated."""
    relations: tuple[str, ...]
    counts: Counts
    rejects: pl.DataFrame
    """(row, source, target, reason), row numbers from 1."""


def read(edges: Path, nodes: Path | None = None, *, dated: bool = True) -> EdgeList:
    """Read a Parquet or CSV edge list, and a list of works if given. `dated=False` leaves dates unread.

    A Parquet file of dense integers in order of source stays on disk and is streamed; everything else is held
    in memory (see `memory`). Raises EdgeListError, or OSError for a file that cannot be opened.
    """
    columns = _columns(edges)
    for name in ("source", "target"):
        if name not in columns:
            raise EdgeListError(f"{edges}: there is no column {name!r}; found: {', '.join(columns) or 'none'}")
    used = [name for name in _OPTIONAL if name in columns and (dated or name != "event_at")]
    if nodes is None and not used and (streamed := stream(edges)):
        counts = Counts(rows=sum(_group_rows(edges)))
        return EdgeList(None, streamed, None, (), counts, _no_rejects())
    return _Reader(edges, nodes, used, dated).read()


def memory(edges: Path) -> int:
    """About how many bytes `read` and a solve take at most for this file (from its size and row count)."""
    if edges.suffix != ".parquet":
        return 300_000_000 + 6 * edges.stat().st_size
    rows = sum(_group_rows(edges))
    if (streamed := stream(edges)) is not None:
        return 300_000_000 + 40 * streamed.n + 60 * max(_group_rows(edges), default=0) + 8 * min(rows, MOST_ROWS_KEPT)
    strings = not _integers(edges)
    return 350_000_000 + rows * (190 if strings else 110)


def stream(edges: Path) -> Streamed | None:
    """The links of a Parquet file that can be swept where they lie; None for any other.

    Needed: integers from 0 without large gaps, no nulls, row groups in order of source, of at most 16 million
    rows: all of that is read from the file's own statistics.
    """
    import pyarrow.parquet as pq

    if edges.suffix != ".parquet" or not _integers(edges):
        return None
    with pq.ParquetFile(edges) as file:
        bounds = _bounds(file.metadata)
        if bounds is None or not bounds:
            return None
        n = 1 + max(max(high, most) for _, high, _, most in bounds)
        rows = file.metadata.num_rows
        if min(min(low, least) for low, _, least, _ in bounds) < 0 or n > min(MOST_WORKS, 1_000_000 + 4 * rows):
            return None
        ascending = all(one[1] <= two[0] for one, two in pairwise(bounds))
        descending = all(one[0] >= two[1] for one, two in pairwise(bounds))
        if not (ascending or descending):
            return None
        backwards = _newer_use_older(file, len(bounds) // 2)
        groups = range(len(bounds)) if ascending != backwards else range(len(bounds))[::-1]
        return Streamed(n, edges, tuple(groups), backwards)


def _integers(edges: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(edges)
    return all(name in schema.names and pa.types.is_integer(schema.field(name).type) for name in ("source", "target"))


def _group_rows(edges: Path) -> list[int]:
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(edges)
    return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]


def _bounds(metadata: Any) -> list[tuple[int, int, int, int]] | None:
    """(least source, greatest source, least target, greatest target) of each row group, None if unknown."""
    names = [metadata.schema.column(place).path for place in range(metadata.num_columns)]
    bounds = []
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        if row_group.num_rows > LARGEST_GROUP:
            return None
        found: list[int] = []
        for name in ("source", "target"):
            statistics = row_group.column(names.index(name)).statistics
            if statistics is None or not statistics.has_min_max or statistics.null_count != 0:
                return None
            found += [statistics.min, statistics.max]
        bounds.append((found[0], found[1], found[2], found[3]))
    return bounds


def _newer_use_older(file: Any, group: int) -> bool:
    """True when most links of a row group lead from a higher number to a lower one."""
    table = file.read_row_group(group, columns=["source", "target"])
    return bool((table.column("target").to_numpy() <= table.column("source").to_numpy()).mean() >= 0.5)


def _columns(edges: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not edges.is_file():
        raise EdgeListError(f"{edges}: there is no such file")
    if edges.suffix == ".parquet":
        try:
            return list(pq.read_schema(edges).names)
        except pa.ArrowInvalid as error:
            raise EdgeListError(f"{edges}: not a Parquet file, or cut off ({error})") from error
    if edges.suffix == ".csv":
        return _CsvBatches(edges).columns()
    raise EdgeListError(f"{edges}: give a .parquet or .csv file")


class _CsvBatches:
    """Batches of a CSV file, all columns as text; rows of another length are kept aside."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bad_rows: list[tuple[int | None, str]] = []

    def columns(self) -> list[str]:
        import csv

        with self.path.open(encoding="utf-8-sig", newline="") as stream:
            try:
                return next(csv.reader(stream), [])
            except (UnicodeDecodeError, csv.Error) as error:
                raise EdgeListError(f"{self.path}: not a UTF-8 CSV file ({error})") from error

    def batches(self, wanted: list[str]) -> Iterator[pl.DataFrame]:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        def keep_aside(row: Any) -> str:
            self.bad_rows.append((row.number, f"has {row.actual_columns} fields instead of {row.expected_columns}"))
            return "skip"

        names = self.columns()
        doubled = [name for name in wanted if names.count(name) > 1]
        if doubled:
            raise EdgeListError(f"{self.path}: there are two columns {doubled[0]!r}")
        try:
            with arrow_csv.open_csv(
                self.path,
                # One thread, because only then rows are numbered for the handler.
                read_options=arrow_csv.ReadOptions(use_threads=False, block_size=1 << 24),
                parse_options=arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep_aside),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=wanted,
                    column_types=dict.fromkeys(wanted, pa.string()),
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    null_values=[""],
                ),
            ) as reader:
                for batch in reader:
                    yield pl.DataFrame(pl.from_arrow(batch))
        except pa.ArrowInvalid as error:
            raise EdgeListError(f"{self.path}: not a CSV file in UTF-8, or cut off ({error})") from error


def _parquet_batches(path: Path, wanted: list[str]) -> Iterator[pl.DataFrame]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH, columns=wanted):
                yield pl.DataFrame(pl.from_arrow(batch))
    except (pa.ArrowInvalid, OSError) as error:
        raise EdgeListError(f"{path}: the Parquet file is damaged or cut off ({error})") from error


class _Reader:
    """One reading of an edge list into memory."""

    def __init__(self, edges: Path, nodes: Path | None, used: list[str], dated: bool) -> None:
        self.edges, self.nodes, self.used, self.dated = edges, nodes, used, dated
        self.csv = _CsvBatches(edges) if edges.suffix == ".csv" else None
        self.counts = Counts()
        self.numbering: Numbering | None = None
        self.relations: dict[str, int] = {}
        self.sources: list[Integers] = []
        self.targets: list[Integers] = []
        self.kinds: list[Integers] = []
        self.weights: list[NDArray[np.float64]] = []
        self.dates: list[Integers] = []
        self.rejects: list[pl.DataFrame] = []

    def read(self) -> EdgeList:
        wanted = ["source", "target", *self.used]
        batches = self.csv.batches(wanted) if self.csv else _parquet_batches(self.edges, wanted)
        for batch in batches:
            self._take(batch)
        if self.csv and self.csv.bad_rows:
            self._reject_fields(self.csv.bad_rows)
        listed, listed_dates = self._list_of_works()
        numbering = self.numbering or Numbering(pl.String())
        known = numbering.size
        if known > MOST_WORKS:
            raise EdgeListError(f"{self.edges}: {known:,} works; at most {MOST_WORKS:,} fit")
        ids, final = numbering.finish()
        source, target = (_concatenated(parts) for parts in (self.sources, self.targets))
        born = self._born(known, source, target, listed, listed_dates)
        if born is not None:
            ordered = np.empty_like(born)
            ordered[final] = born
            born = ordered
            self.counts.undated = int((born == UNDATED).sum())
        relation: Integers | int = _concatenated(self.kinds) if self.kinds else 0
        weight = np.concatenate(self.weights) if self.weights else None
        packed = pack(final[source], final[target], relation)
        for parts in (self.sources, self.targets, self.kinds, self.dates, self.weights):
            parts.clear()
        del source, target, relation
        if listed is not None:
            self.counts.listed = int(np.unique(listed).size)
            self.counts.repeated = listed.size - self.counts.listed
            self.counts.unknown = known - self.counts.listed
        rejects = pl.concat(self.rejects).sort("row", "reason") if self.rejects else _no_rejects()
        links = hold(known, packed, weight)
        return EdgeList(
            _as_integers(ids) if self.csv else ids, links, born, tuple(self.relations), self.counts, rejects
        )

    def _take(self, batch: pl.DataFrame) -> None:
        rows = pl.Series("row", np.arange(self.counts.rows + 1, self.counts.rows + 1 + batch.height))
        self.counts.rows += batch.height
        batch = batch.with_columns(rows, *(self._identifiers(batch[name]) for name in ("source", "target")))
        batch = self._without(batch, pl.col("source").is_null() | pl.col("target").is_null(), "no source or target")
        if "relation" in self.used:
            batch = self._with_kinds(batch)
        if "weight" in self.used:
            batch = batch.with_columns(_numbers(batch["weight"]))
            bad = pl.col("weight").is_null() | ~pl.col("weight").is_finite() | (pl.col("weight") < 0)
            batch = self._without(batch, bad, "weight is not a number of at least 0")
            batch = self._without(batch, pl.col("weight") == 0, "weight 0")
            self.weights.append(batch["weight"].to_numpy())
        if "event_at" in self.used:
            before = batch["event_at"].null_count()
            dates = _dates(batch["event_at"], str(self.edges))
            self.counts.rejected[UNREADABLE_DATE] += dates.null_count() - before
            self.dates.append(dates.fill_null(UNDATED).to_numpy())
        if self.numbering is None:
            self.numbering = Numbering(batch["source"].dtype)
        self.sources.append(self.numbering.add(batch["source"]).astype(np.int32))
        self.targets.append(self.numbering.add(batch["target"]).astype(np.int32))

    def _identifiers(self, column: pl.Series) -> pl.Series:
        """As text or 64-bit integers, of the same type as all before; the empty text is no identifier."""
        return _identifiers(column, str(self.edges), self.numbering.dtype if self.numbering else None)

    def _with_kinds(self, batch: pl.DataFrame) -> pl.DataFrame:
        batch = batch.with_columns(pl.col("relation").cast(pl.String))
        batch = self._without(batch, pl.col("relation").is_null(), "no relation")
        for name in batch["relation"].unique().sort():
            self.relations.setdefault(name, len(self.relations))
        if len(self.relations) > MOST_RELATIONS:
            raise EdgeListError(f"{self.edges}: more than {MOST_RELATIONS} different relations")
        codes = batch["relation"].replace_strict(self.relations, return_dtype=pl.Int64)
        self.kinds.append(codes.to_numpy().astype(np.int8))
        return batch

    def _without(self, batch: pl.DataFrame, bad: pl.Expr, reason: str) -> pl.DataFrame:
        found = batch.filter(bad)
        if not found.height:
            return batch
        self.counts.rejected[reason] += found.height
        text = [pl.col(name).cast(pl.String) for name in ("source", "target")]
        self.rejects.append(found.select(pl.col("row").cast(pl.Int64), *text, reason=pl.lit(reason)))
        return batch.filter(~bad)

    def _reject_fields(self, rows: list[tuple[int | None, str]]) -> None:
        self.counts.rows += len(rows)
        self.counts.rejected["another number of fields"] += len(rows)
        for number, reason in rows:
            row = None if number is None else number - 1  # the header is the first
            self.rejects.append(_reject(row, reason))

    def _list_of_works(self) -> tuple[Integers | None, Integers | None]:
        """Numbers and dates of the works that the list of works names."""
        if self.nodes is None:
            return None, None
        columns = _columns(self.nodes)
        if "id" not in columns:
            raise EdgeListError(f"{self.nodes}: there is no column 'id'; found: {', '.join(columns) or 'none'}")
        wanted = ["id", *(["event_at"] if self.dated and "event_at" in columns else [])]
        csv = _CsvBatches(self.nodes) if self.nodes.suffix == ".csv" else None
        numbers, dates = [], []
        for batch in csv.batches(wanted) if csv else _parquet_batches(self.nodes, wanted):
            kind = self.numbering.dtype if self.numbering else None
            identifiers = _identifiers(batch["id"], str(self.nodes), kind)
            missing = identifiers.null_count()
            if missing:
                self.counts.rejected["work without id"] += missing
            if self.numbering is None:
                self.numbering = Numbering(identifiers.dtype)
            numbers.append(self.numbering.add(identifiers.drop_nulls()))
            if "event_at" in wanted:
                given = _dates(batch["event_at"], str(self.nodes)).filter(identifiers.is_not_null())
                dates.append(given.fill_null(UNDATED).to_numpy())
        if csv and csv.bad_rows:
            self._reject_fields(csv.bad_rows)
        return _concatenated(numbers), _concatenated(dates) if dates else None

    def _born(
        self, n: int, source: Integers, target: Integers, listed: Integers | None, listed_dates: Integers | None
    ) -> Integers | None:
        if listed_dates is None and not self.dates:
            return None
        born = np.full(n, UNDATED, dtype=np.int64)
        if self.dates:
            # A work is as old as its own first link, or, where it uses nothing, as the first link to it.
            _earliest(born, source, _concatenated(self.dates))
            named = np.full(n, UNDATED, dtype=np.int64)
            _earliest(named, target, _concatenated(self.dates))
            born = np.where(born == UNDATED, named, born)
        if listed is not None and listed_dates is not None:
            given = np.full(n, UNDATED, dtype=np.int64)
            _earliest(given, listed, listed_dates)
            born = np.where(given == UNDATED, born, given)
        return born


@kernel
def _earliest(earliest: Integers, work: Integers, date: Integers) -> None:
    for place in range(work.size):
        earliest[work[place]] = min(earliest[work[place]], date[place])


def _concatenated(parts: list[Integers]) -> Integers:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _identifiers(column: pl.Series, place: str, as_before: pl.DataType | None) -> pl.Series:
    kind = column.dtype
    if kind in (pl.Categorical, pl.Enum) or kind == pl.Null:
        column, kind = column.cast(pl.String), pl.String()
    if kind.is_integer():
        try:
            column = column.cast(pl.Int64)
        except pl.exceptions.InvalidOperationError as error:
            raise EdgeListError(
                f"{place}: column {column.name!r} has integers beyond 64 bits; give them as text"
            ) from error
    elif kind != pl.String:
        raise EdgeListError(f"{place}: column {column.name!r} is {kind}; identifiers are text or integers")
    if as_before is not None and column.dtype != as_before and column.null_count() < column.len():
        raise EdgeListError(
            f"{place}: column {column.name!r} is {column.dtype} where other identifiers are {as_before}; "
            "give all of them as text or all as integers"
        )
    if column.dtype == pl.String:
        return column.set(column == "", None)
    return column


def _numbers(column: pl.Series) -> pl.Series:
    return column.cast(pl.Float64, strict=False)


def _dates(column: pl.Series, place: str) -> pl.Series:
    """µs since 1970; null where a text is no date. Raises EdgeListError for another type."""
    kind = column.dtype
    if kind == pl.Null:
        return column.cast(pl.Int64)
    if kind == pl.String:
        year = column.str.extract(r"^\s*(\d{4})\s*$", 1).cast(pl.Int64, strict=False)
        text = column.str.strip_chars().str.replace(r"^(\d{4}-\d{2}-\d{2})$", "${1}T00:00:00")
        text = text.str.replace(r"(Z|[+-]00:?00)$", "")
        moments = text.str.replace(" ", "T").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
        return moments.fill_null(_new_year(year)).cast(pl.Int64)
    if kind.is_integer():
        return _new_year(column.cast(pl.Int64)).cast(pl.Int64)
    if isinstance(kind, pl.Date):
        return column.cast(pl.Datetime("us")).cast(pl.Int64)
    if isinstance(kind, pl.Datetime):
        moments = column.dt.convert_time_zone("UTC") if kind.time_zone else column
        return moments.dt.replace_time_zone(None).cast(pl.Datetime("us")).cast(pl.Int64)
    raise EdgeListError(f"{place}: column 'event_at' is {kind}; give dates, timestamps, ISO text or years")


def _new_year(year: pl.Series) -> pl.Series:
    frame = pl.DataFrame({"year": year})
    sensible = pl.col("year").is_between(1, 9999)
    return frame.select(pl.when(sensible).then(pl.datetime(pl.col("year").clip(1, 9999), 1, 1))).to_series()


def _as_integers(ids: pl.Series) -> pl.Series:
    """Identifiers of a CSV file as integers where every one is the plain form of an integer."""
    numbers = ids.cast(pl.Int64, strict=False)
    plain = numbers.null_count() == 0 and bool((numbers.cast(pl.String) == ids).all())
    return numbers if plain else ids


def _reject(row: int | None, reason: str) -> pl.DataFrame:
    line = {"row": [row], "source": [None], "target": [None], "reason": [reason]}
    return pl.DataFrame(line, schema=_no_rejects().schema)


def _no_rejects() -> pl.DataFrame:
    return pl.DataFrame(schema={"row": pl.Int64, "source": pl.String, "target": pl.String, "reason": pl.String})
