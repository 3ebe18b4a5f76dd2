"""Anyone's edge list -> works 0..n-1 and links between them.

Columns: `source` (the user) and `target` (the work used), strings or integers; optional `relation`, `weight`
(not negative) and `event_at` (date, timestamp, ISO text or a year). Optional list of works: `id`, optional
`event_at`. What cannot be read is counted by reason and kept with its row number; nothing is dropped silently.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from coevo_pipelines.influence.kernel import kernel
from coevo_pipelines.influence.links import MOST_RELATIONS, MOST_WORKS, PIECE, Links, Streamed, hold, pack
from coevo_pipelines.influence.numbering import Numbering

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Packed = NDArray[np.int64]

BATCH = 1 << 18
LARGEST_GROUP = 1 << 24
"""Rows of a row group up to which a file is streamed: four groups are in memory at a time."""
MOST_ROWS_KEPT = 100_000_000
"""Up to here (0.8 GB) a streamed file is kept in memory for the sweeps after the first."""
SMALL_FILE = 50_000
"""Bytes up to which nothing is compiled: the compiler takes memory too."""
AGAINST_TIME = 0.005
"""With a larger share of links against the numbers' order, a streamed file may have to be put in order first."""
CSV_BLOCK = 1 << 24
HEAVIEST = 1e100
"""Weights up to here can be added up without overflow."""
UNREADABLE_DATE = "event_at cannot be read (the link counts, undated)"
OF_THE_LIST = "list of works: "
"""Begins every reason that is about the list of works and not about a link."""
UNDATED = np.iinfo(np.int64).max
_OPTIONAL = ("relation", "weight", "event_at")
_TEXT = (pl.String, pl.Categorical, pl.Enum, pl.Binary, pl.Null)
_ISO = (
    r"^(?<year>\d{4})(?:-(?<month>\d{2})(?:-(?<day>\d{2})"
    r"(?:[T ](?<minute>\d{2}:\d{2})(?::(?<second>\d{2}(?:\.\d+)?))?(?:Z|(?<offset>[+-]\d{2}:?\d{2}))?)?)?)?$"
)


class EdgeListError(ValueError):
    """A file cannot be used as an edge list; the message names file, column and the way out."""


@dataclass
class Counts:
    """What was read and what of it does not count."""

    rows: int = 0
    """Of the edge list."""
    links: int = 0
    """Rows that are links, self-loops and repeated ones among them."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Rows by reason, of either file."""
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
    """(row, source, target, reason); rows from 1, without header and blank lines."""


def read(edges: Path, nodes: Path | None = None, *, dated: bool = True) -> EdgeList:
    """Read a Parquet or CSV edge list, and a list of works if given. `dated=False` leaves dates unread.

    A Parquet file of dense integers in order of source stays on disk and is streamed; everything else is held
    in memory (see `memory`). Raises EdgeListError, or OSError for a file that cannot be opened.
    """
    used = _used(edges, dated)
    if nodes is None and not used and (streamed := stream(edges)):
        rows = sum(_group_rows(_footer(edges)))
        return EdgeList(None, streamed, None, (), Counts(rows=rows, links=rows), _no_rejects())
    return _Reader(edges, nodes, used, dated).read()


def memory(edges: Path, nodes: Path | None = None, *, dated: bool = True) -> int:
    """About how many bytes `read` and a solve take at most, from the files' sizes and row counts.

    The factors are measured, with something to spare. Raises EdgeListError as `read` does.
    """
    used = _used(edges, dated)
    if nodes is None and not used and (streamed := stream(edges)) is not None:
        rows = _group_rows(_footer(edges))
        together = sum(sorted(rows)[-4:])  # in memory at once: one is swept, one waits, two are decoded
        needed = 40 * streamed.n + 22 * together + 8 * min(sum(rows), MOST_ROWS_KEPT)
        if streamed.against > AGAINST_TIME and sum(rows) <= MOST_ROWS_KEPT:
            needed += 60 * min(sum(rows), PIECE) + 30 * sum(rows)  # to put it in order
    else:
        needed = _held_memory(edges, ["source", "target"], used)
        if nodes is not None:
            _columns(nodes, ("id",))
            needed += _held_memory(nodes, ["id"], [])
    return needed + (200_000_000 if edges.stat().st_size <= SMALL_FILE else 450_000_000)


def _held_memory(path: Path, names: list[str], used: list[str]) -> int:
    """Of links, or of a list of works, if half of all identifiers in links are new ones."""
    if path.suffix.lower() == ".csv":
        size = path.stat().st_size
        with path.open("rb") as stream:
            start = stream.read(1 << 20)
        rows = size * start.count(b"\n") // max(len(start), 1)
        works = 60 * rows + 5 * size // len(names) + min(6 * size, 100_000_000)
    else:
        footer = _footer(path)
        rows = footer.num_rows
        if _integers(footer, names):
            works = 120 * min(rows, _span(footer, names))
        else:
            works = 60 * rows + 5 * _text_bytes(footer, names) // len(names)
    return int(rows * (45 + 30 * len(used)) + works)


def _text_bytes(footer: Any, names: list[str]) -> int:
    columns = [footer.row_group(group).column(place) for group, place in np.ndindex(*_shape(footer))]
    return sum(column.total_uncompressed_size for column in columns if column.path_in_schema in names)


def _span(footer: Any, names: list[str]) -> int:
    """How many integers lie between the least and the greatest; the most there are if that is not known."""
    columns = [footer.row_group(group).column(place) for group, place in np.ndindex(*_shape(footer))]
    found = [column.statistics for column in columns if column.path_in_schema in names]
    if not found or any(each is None or not each.has_min_max for each in found):
        return 1 << 64
    return int(max(each.max for each in found) - min(each.min for each in found)) + 1


def _shape(footer: Any) -> tuple[int, int]:
    return footer.num_row_groups, footer.num_columns


def _used(edges: Path, dated: bool) -> list[str]:
    """Columns that are read beside source and target. Raises EdgeListError when one of those is not there."""
    columns = _columns(edges, ("source", "target"))
    return [name for name in _OPTIONAL if name in columns and (dated or name != "event_at")]


def stream(edges: Path) -> Streamed | None:
    """The links of a Parquet file that can be swept where they lie; None for any other.

    Needed: integers from 0 without large gaps, no nulls, row groups in order of source, of at most 16 million
    rows: all of that is read from the file's own statistics.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if edges.suffix.lower() != ".parquet" or not _integers(footer := _footer(edges), ["source", "target"]):
        return None
    bounds = _bounds(footer)
    if not bounds:
        return None
    n = 1 + max(max(high, most) for _, high, _, most in bounds)
    if min(min(low, least) for low, _, least, _ in bounds) < 0 or n > min(MOST_WORKS, 1_000_000 + 4 * footer.num_rows):
        return None
    ascending = all(one[1] <= two[0] for one, two in pairwise(bounds))
    descending = all(one[0] >= two[1] for one, two in pairwise(bounds))
    if not (ascending or descending):
        return None
    try:
        with pq.ParquetFile(edges) as file:
            older = _to_older(file, len(bounds) // 2)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(edges, error) from error
    backwards = older >= 0.5
    groups = range(len(bounds)) if ascending != backwards else range(len(bounds))[::-1]
    return Streamed(n, edges, tuple(groups), backwards, min(older, 1 - older))


def _footer(path: Path) -> Any:
    """Metadata of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise EdgeListError(f"{path}: not a Parquet file, or cut off ({error})") from error


def _damaged(path: Path, error: Exception) -> EdgeListError:
    return EdgeListError(f"{path}: the Parquet file is damaged or cut off ({error})")


def _integers(footer: Any, names: list[str]) -> bool:
    import pyarrow as pa

    schema = footer.schema.to_arrow_schema()
    return all(pa.types.is_integer(schema.field(name).type) for name in names)


def _group_rows(footer: Any) -> list[int]:
    return [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]


def _bounds(footer: Any) -> list[tuple[int, int, int, int]] | None:
    """(least source, greatest source, least target, greatest target) of each row group, None if unknown."""
    names = [footer.schema.column(place).path for place in range(footer.num_columns)]
    bounds = []
    for group in range(footer.num_row_groups):
        row_group = footer.row_group(group)
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


def _to_older(file: Any, group: int) -> float:
    """The share of a row group's links that lead from a higher number to a lower one."""
    table = file.read_row_group(group, columns=["source", "target"])
    return float((table.column("target").to_numpy() <= table.column("source").to_numpy()).mean())


def _columns(path: Path, needed: tuple[str, ...]) -> list[str]:
    """Names of the columns of a .parquet or .csv file."""
    if not path.is_file():
        raise EdgeListError(f"{path}: there is no such file")
    if path.suffix.lower() not in {".parquet", ".csv"}:
        raise EdgeListError(f"{path}: give a .parquet or .csv file")
    if path.suffix.lower() == ".parquet":
        columns = list(_footer(path).schema.to_arrow_schema().names)
    else:
        columns = _CsvBatches(path).columns()
    for name in needed:
        if name not in columns:
            raise EdgeListError(f"{path}: there is no column {name!r}; found: {', '.join(columns) or 'none'}")
    for name in (*needed, *_OPTIONAL):
        if columns.count(name) > 1:
            raise EdgeListError(f"{path}: there are two columns {name!r}")
    return columns


class _CsvBatches:
    """Batches of a CSV file, all columns as text; rows of another length are kept aside."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bad_rows: list[tuple[int, str]] = []

    def columns(self) -> list[str]:
        return next((row for row in self._rows() if row), [])

    def _rows(self) -> Iterator[list[str]]:
        import csv

        csv.field_size_limit(1 << 30)  # 128 kB without this, which an identifier may exceed
        with self.path.open(encoding="utf-8-sig", newline="") as stream:
            try:
                yield from csv.reader(stream)
            except (UnicodeDecodeError, csv.Error) as error:
                raise EdgeListError(f"{self.path}: not a UTF-8 CSV file ({error})") from error

    def numbered(self, taken: Integers) -> Integers:
        """Row numbers of the rows that were not kept aside, from their count."""
        aside = np.array([row - 1 for row, _ in self.bad_rows], dtype=np.int64)  # the header is the first
        return taken + np.searchsorted(aside - np.arange(aside.size), taken, side="right")

    def batches(self, wanted: list[str]) -> Iterator[pl.DataFrame]:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        def keep_aside(row: Any) -> str:
            self.bad_rows.append((row.number, f"has {row.actual_columns} fields instead of {row.expected_columns}"))
            return "skip"

        if sum(1 for _ in islice(filter(None, self._rows()), 2)) < 2:
            return  # Arrow takes a header alone for no CSV at all.
        try:
            with arrow_csv.open_csv(
                self.path,
                # One thread, because only then rows are numbered for the handler.
                read_options=arrow_csv.ReadOptions(use_threads=False, block_size=CSV_BLOCK),
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
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


class _Reader:
    """One reading of an edge list into memory."""

    def __init__(self, edges: Path, nodes: Path | None, used: list[str], dated: bool) -> None:
        self.edges, self.nodes, self.used, self.dated = edges, nodes, used, dated
        self.csv = _CsvBatches(edges) if edges.suffix.lower() == ".csv" else None
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
        self.counts.links = sum(part.size for part in self.sources)
        if self.csv:
            self.counts.rows += len(self.csv.bad_rows)
            self._reject_fields(self.csv.bad_rows)
        listed, listed_dates = self._list_of_works()
        numbering = self.numbering or Numbering(pl.String())
        known = numbering.size
        if known > MOST_WORKS:
            raise EdgeListError(f"{self.edges}: {known:,} works; at most {MOST_WORKS:,} fit")
        born = self._born(known, listed, listed_dates)
        ids, final = numbering.finish()
        if self.csv and ids.dtype == pl.String:
            ids, final = _as_integers(ids, final)
        if born is not None:
            ordered = np.empty_like(born)
            ordered[final] = born
            born = ordered
            self.counts.undated = int((born == UNDATED).sum())
        # Relations too are numbered by their names alone, not in the order in which they came.
        relations = tuple(sorted(self.relations))
        packed = self._packed(final, np.array([relations.index(name) for name in self.relations], dtype=np.int64))
        weight = np.concatenate(self.weights) if self.weights else None
        self.weights.clear()
        if listed is not None:
            self.counts.listed = int(np.unique(listed).size)
            self.counts.repeated = listed.size - self.counts.listed
            self.counts.unknown = known - self.counts.listed
        rejects = pl.concat(self.rejects).sort("row", "reason") if self.rejects else _no_rejects()
        links = hold(known, packed, weight)
        return EdgeList(ids, links, born, relations, self.counts, rejects)

    def _packed(self, final: Integers, final_kind: Integers) -> Packed:
        """The links by final numbers; what was read of them is used up."""
        packed = np.empty(self.counts.links, dtype=np.int64)
        end = packed.size
        while self.sources:
            source, target = self.sources.pop(), self.targets.pop()
            kind = final_kind[self.kinds.pop()] if self.kinds else 0
            packed[end - source.size : end] = pack(final[source], final[target], kind)
            end -= source.size
        return packed

    def _take(self, batch: pl.DataFrame) -> None:
        rows = np.arange(self.counts.rows + 1, self.counts.rows + 1 + batch.height)
        self.counts.rows += batch.height
        source = self._identifiers(batch["source"], self.csv is not None)
        target = self._identifiers(batch["target"], self.csv is not None)
        numbers = self.csv.numbered(rows) if self.csv else rows
        batch = batch.with_columns(pl.Series("row", numbers), source, target)
        batch = self._without(batch, pl.col("source").is_null() | pl.col("target").is_null(), "no source or target")
        if "relation" in self.used:
            batch = batch.with_columns(_text(batch["relation"], str(self.edges)))
            batch = self._without(batch, pl.col("relation").is_null(), "no relation")
        if "weight" in self.used:
            batch = batch.with_columns(_numbers(batch["weight"], str(self.edges)))
            bad = pl.col("weight").is_null() | pl.col("weight").is_nan() | ~pl.col("weight").is_between(0, HEAVIEST)
            batch = self._without(batch, bad, f"weight is not a number from 0 to {HEAVIEST:g}")
            batch = self._without(batch, pl.col("weight") == 0, "weight 0")
        # From here on every row is a link.
        if "weight" in self.used:
            self.weights.append(batch["weight"].to_numpy())
        if "relation" in self.used:
            self.kinds.append(self._kinds(batch["relation"]))
        if "event_at" in self.used:
            self.dates.append(self._dates(batch["event_at"], str(self.edges), UNREADABLE_DATE))
        for parts, name in ((self.sources, "source"), (self.targets, "target")):
            numbers = self.numbering.add(batch[name]) if self.numbering else np.empty(0, dtype=np.int64)
            parts.append(numbers.astype(np.int32))

    def _identifiers(self, column: pl.Series, from_text: bool) -> pl.Series:
        """As text or 64-bit integers, of the same type as all before; the empty text is no identifier."""
        place = str(self.edges if column.name != "id" else self.nodes)
        column = _identifiers(column, place)
        if column.null_count() == column.len():
            return column.cast(self.numbering.dtype if self.numbering else pl.String)
        if self.numbering is None:
            self.numbering = Numbering(column.dtype)
        if column.dtype == self.numbering.dtype:
            return column
        # A CSV file does not say whether its 7 is text: there it is what it is elsewhere.
        if from_text and self.numbering.dtype == pl.Int64:
            numbers = column.cast(pl.Int64, strict=False)
            other = column.filter(numbers.cast(pl.String).ne_missing(column))
            if other.len():
                raise EdgeListError(f"{place}: {column.name} {other[0]!r} is no integer, as other identifiers are")
            return numbers
        if self.csv:
            return column.cast(pl.String)
        raise EdgeListError(
            f"{place}: column {column.name!r} is {column.dtype} where other identifiers are {self.numbering.dtype}; "
            "give all of them as text or all as integers"
        )

    def _dates(self, column: pl.Series, place: str, unreadable: str) -> Integers:
        dates = _dates(column, place)
        if lost := dates.null_count() - column.null_count():
            self.counts.rejected[unreadable] += lost
        return dates.fill_null(UNDATED).to_numpy()

    def _kinds(self, relation: pl.Series) -> Integers:
        for name in relation.unique().sort():
            self.relations.setdefault(name, len(self.relations))
        if len(self.relations) > MOST_RELATIONS:
            raise EdgeListError(f"{self.edges}: more than {MOST_RELATIONS} different relations")
        return relation.replace_strict(self.relations, return_dtype=pl.Int64).to_numpy().astype(np.int8)

    def _without(self, batch: pl.DataFrame, bad: pl.Expr, reason: str) -> pl.DataFrame:
        found = batch.filter(bad)
        if not found.height:
            return batch
        self.counts.rejected[reason] += found.height
        text = [pl.col(name).cast(pl.String) for name in ("source", "target")]
        self.rejects.append(found.select(pl.col("row").cast(pl.Int64), *text, reason=pl.lit(reason)))
        return batch.filter(~bad)

    def _reject_fields(self, rows: list[tuple[int, str]], prefix: str = "") -> None:
        if not rows:
            return
        self.counts.rejected[f"{prefix}another number of fields"] += len(rows)
        lines = {"row": [row - 1 for row, _ in rows], "reason": [prefix + reason for _, reason in rows]}
        self.rejects.append(pl.DataFrame(lines).select(row="row", source=None, target=None, reason="reason"))

    def _list_of_works(self) -> tuple[Integers | None, Integers | None]:
        """Numbers and dates of the works that the list of works names."""
        if self.nodes is None:
            return None, None
        columns = _columns(self.nodes, ("id",))
        wanted = ["id", *(["event_at"] if self.dated and "event_at" in columns else [])]
        csv = _CsvBatches(self.nodes) if self.nodes.suffix.lower() == ".csv" else None
        numbers, dates = [], []
        for batch in csv.batches(wanted) if csv else _parquet_batches(self.nodes, wanted):
            identifiers = self._identifiers(batch["id"], csv is not None)
            if missing := identifiers.null_count():
                self.counts.rejected[f"{OF_THE_LIST}no id"] += missing
            if self.numbering is not None:
                numbers.append(self.numbering.add(identifiers.drop_nulls()))
            if "event_at" in wanted:
                given = batch["event_at"].filter(identifiers.is_not_null())
                dates.append(self._dates(given, str(self.nodes), f"{OF_THE_LIST}event_at cannot be read"))
        if csv:
            self._reject_fields(csv.bad_rows, OF_THE_LIST)
        return _concatenated(numbers), _concatenated(dates) if dates else None

    def _born(self, n: int, listed: Integers | None, listed_dates: Integers | None) -> Integers | None:
        if listed_dates is None and not self.dates:
            return None
        # A work is as old as its own first link, or, where it uses nothing, as the first link to it.
        own, named, given = (np.full(n, UNDATED, dtype=np.int64) for _ in range(3))
        while self.dates:
            date = self.dates.pop()
            _earliest(own, self.sources[len(self.dates)], date)
            _earliest(named, self.targets[len(self.dates)], date)
        born = np.where(own == UNDATED, named, own)
        if listed is not None and listed_dates is not None:
            _earliest(given, listed, listed_dates)
            born = np.where(given == UNDATED, born, given)
        return born


@kernel
def _earliest(earliest: Integers, work: Integers, date: Integers) -> None:
    for place in range(work.size):
        earliest[work[place]] = min(earliest[work[place]], date[place])


def _concatenated(parts: list[Integers]) -> Integers:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _identifiers(column: pl.Series, place: str) -> pl.Series:
    if column.dtype.is_integer():
        try:
            return column.cast(pl.Int64)
        except pl.exceptions.InvalidOperationError as error:
            raise EdgeListError(
                f"{place}: column {column.name!r} has integers beyond 2^63 - 1; give them as text"
            ) from error
    if column.dtype in _TEXT:
        return _text(column, place)
    raise EdgeListError(f"{place}: column {column.name!r} is {column.dtype}; identifiers are text or integers")


def _text(column: pl.Series, place: str) -> pl.Series:
    """Text, null where it is empty."""
    if column.dtype not in _TEXT:
        raise EdgeListError(f"{place}: column {column.name!r} is {column.dtype}; give text")
    try:
        column = column.cast(pl.String)  # also of binary columns: some writers do not say that they hold text
    except pl.exceptions.PolarsError as error:
        raise EdgeListError(f"{place}: column {column.name!r} is not UTF-8 text ({error})") from error
    return column.set(column == "", None)


def _numbers(column: pl.Series, place: str) -> pl.Series:
    if not (column.dtype.is_numeric() or column.dtype in _TEXT):
        raise EdgeListError(f"{place}: column {column.name!r} is {column.dtype}; give numbers")
    return column.cast(pl.Float64, strict=False)


def _dates(column: pl.Series, place: str) -> pl.Series:
    """µs since 1970; null where a text is no date. Raises EdgeListError for another type."""
    kind = column.dtype
    if kind in _TEXT:
        return _moments(column.cast(pl.String)).cast(pl.Int64)
    if kind.is_integer():
        return _new_year(column.cast(pl.Int64)).cast(pl.Int64)
    if isinstance(kind, pl.Date):
        return column.cast(pl.Datetime("us")).cast(pl.Int64)
    if isinstance(kind, pl.Datetime):
        moments = column.dt.convert_time_zone("UTC") if kind.time_zone else column
        return moments.dt.replace_time_zone(None).cast(pl.Datetime("us")).cast(pl.Int64)
    raise EdgeListError(f"{place}: column 'event_at' is {kind}; give dates, timestamps, ISO text or years")


def _moments(text: pl.Series) -> pl.Series:
    """ISO 8601 as UTC: a year, a month, a day, or a moment, with Z or an offset or without (then it is UTC)."""
    of = {name: pl.col("text").struct.field(name) for name in ("year", "month", "day", "minute", "second", "offset")}
    parts = pl.DataFrame({"text": text.str.strip_chars().str.extract_groups(_ISO)})
    moment = pl.format(
        "{}-{}-{}T{}:{}",
        of["year"],
        of["month"].fill_null("01"),
        of["day"].fill_null("01"),
        of["minute"].fill_null("00:00"),
        of["second"].fill_null("00"),
    )
    hours, minutes = (of["offset"].str.slice(*part).cast(pl.Int64) for part in ((1, 2), (-2, 2)))
    west = of["offset"].str.starts_with("-")
    ahead = pl.duration(minutes=(hours * 60 + minutes) * pl.when(west).then(-1).otherwise(1)).fill_null(pl.duration())
    when = moment.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
    sensible = pl.when(of["year"] != "0000").then(when - ahead)
    return parts.select(sensible).to_series()


def _new_year(year: pl.Series) -> pl.Series:
    frame = pl.DataFrame({"year": year})
    sensible = pl.col("year").is_between(1, 9999)
    return frame.select(pl.when(sensible).then(pl.datetime(pl.col("year").clip(1, 9999), 1, 1))).to_series()


def _as_integers(ids: pl.Series, final: Integers) -> tuple[pl.Series, Integers]:
    """Identifiers of a CSV file as integers in order where every one is the plain form of an integer."""
    numbers = ids.cast(pl.Int64, strict=False)
    if not ids.len() or numbers.null_count() or not bool((numbers.cast(pl.String) == ids).all()):
        return ids, final
    order = numbers.arg_sort().to_numpy()
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    return numbers.gather(pl.Series(order)), place[final]


def _no_rejects() -> pl.DataFrame:
    return pl.DataFrame(schema={"row": pl.Int64, "source": pl.String, "target": pl.String, "reason": pl.String})
