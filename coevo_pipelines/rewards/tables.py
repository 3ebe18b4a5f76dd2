"""Reading anyone's tables of amounts and scores, .csv or .parquet, and writing tables: whole or not at all.

Numbers stay text until `exactly` reads them: no float is ever made of one.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from pathlib import Path

import polars as pl

from coevo_pipelines.lake.ledger import write_whole

BATCH = 1 << 17
LONGEST_EXPONENT = 100
_GROUPED = r"^([+-]?)([0-9]{1,3}(?:,[0-9]{3})+)(\.[0-9]+)?$"


class TableError(ValueError):
    """A file cannot be read as the table that was asked for; the message names file, line and the way out."""


def read_rows(path: Path, wanted: Sequence[str], optional: Sequence[str] = ()) -> pl.DataFrame:
    """The columns of a .csv (UTF-8, with a header) or .parquet file by name, as text.

    Columns: line (where the row begins; of a Parquet file the number of the row, from 1), those `wanted`, those
    `optional` that are there, and problem (what is wrong with the row's form, or null). Other columns are left out.
    A header may be in any case and have spaces around it. A CSV row of another length than the header is kept with
    the first wanted column alone. A float of a Parquet file is taken for the shortest decimal that reads back as it.
    Raises TableError, or OSError for a file that cannot be opened.
    """
    match path.suffix.lower():
        case ".csv":
            return _read_csv(path, wanted, optional)
        case ".parquet":
            return _read_parquet(path, wanted, optional)
    raise TableError(f"{path}: give a .csv or .parquet file")


def exactly(text: str) -> Decimal | None:
    """The number that a text says, or None where it says none or may say two.

    Read: digits with an optional sign, point and exponent; commas between groups of three digits before the point;
    spaces or one currency sign (€, $, ¥, …) around it. Not read: a decimal comma, brackets, names of currencies.
    """
    bare = text.strip()
    for at_end in (False, True):
        ending = bare[-1:] if at_end else bare[:1]
        if ending and unicodedata.category(ending) == "Sc":
            bare = (bare[:-1] if at_end else bare[1:]).strip()
            break
    if grouped := re.match(_GROUPED, bare, re.ASCII):
        bare = grouped[1] + grouped[2].replace(",", "") + (grouped[3] or "")
    if not bare.isascii() or not re.match(r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?$", bare):
        return None
    value = Decimal(bare)
    return value if not value or abs(value.adjusted()) <= LONGEST_EXPONENT else None


def minor_units(value: Decimal, places: int, most: int, what: str) -> int:
    """An amount in its smallest units, 10^-places. ValueError when it is no whole number of them from 0 to `most`."""
    scaled = Fraction(value) * 10**places if value.is_finite() else None
    if scaled is None or scaled.denominator != 1 or not 0 <= scaled <= most:
        raise ValueError(f"the {what} must be a whole number of minor units ({places} decimals), not {value}")
    return int(scaled)


def one_spelling(recipient: pl.Expr) -> pl.Expr:
    """In lower case, single spaces; null where nothing is left."""
    bare = recipient.str.normalize("NFKC").str.replace_all(r"\s+", " ").str.strip_chars().str.to_lowercase()
    return pl.when(bare != "").then(bare)


def in_decimals(amount: int, places: int) -> str:
    """Minor units as a number with `places` decimals: 1230 with 2 is 12.30."""
    whole, part = divmod(amount, 10**places)
    return f"{whole}.{part:0{places}d}" if places else str(whole)


def write_rows(frame: pl.DataFrame, path: Path) -> None:
    """Write a .csv or .parquet file by way of a temporary one in the same folder."""
    buffer = io.BytesIO()
    if path.suffix.lower() == ".csv":
        frame.write_csv(buffer)
    else:
        frame.write_parquet(buffer)
    write_whole(path, buffer.getvalue())


def _read_csv(path: Path, wanted: Sequence[str], optional: Sequence[str]) -> pl.DataFrame:
    rows = _csv_rows(path)
    line, header = next(rows, (1, []))
    places = _places(path, header, f" line {line}", wanted, optional)
    schema = _schema(places)
    batches = [pl.DataFrame(schema=schema)]
    while batch := list(islice(rows, BATCH)):
        given = [_csv_row(line, row, len(header), list(places.values())) for line, row in batch]
        columns = dict(zip(schema, zip(*given, strict=True), strict=True))
        batches.append(pl.DataFrame(columns, schema=schema))
    return pl.concat(batches)


def _schema(names: Mapping[str, int]) -> pl.Schema:
    texts = {name: pl.String() for name in (*names, "problem")}
    return pl.Schema({"line": pl.Int64(), **texts})


def _csv_row(line: int, row: list[str], length: int, places: list[int]) -> tuple[int | str | None, ...]:
    if len(row) == length:
        return line, *[row[place] for place in places], None
    first = row[places[0]] if places[0] < len(row) else None
    hint = " (a number with a comma needs quotes)" if len(row) > length else ""
    others = [None] * (len(places) - 1)
    return line, first, *others, f"the row has {len(row)} fields, the header {length}{hint}"


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line where it begins, fields) of each row that is not blank."""
    with path.open("rb") as stream:
        start = stream.read(4)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in start:
        raise TableError(f"{path} line 1: this is UTF-16 or no text at all; save it as CSV in UTF-8")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        begins = 1
        try:
            for row in reader:
                if row:
                    yield begins, row
                begins = reader.line_num + 1
        except UnicodeDecodeError as error:
            raise TableError(f"{path} line {_undecodable(path)}: not UTF-8; save it as CSV in UTF-8") from error
        except csv.Error as error:
            raise TableError(
                f"{path} line {begins}: the row that begins here cannot be read ({error}): a quote is not closed or "
                "does not end its field, or the file is cut off"
            ) from error


def _undecodable(path: Path) -> int:
    """Number of the first line that is not UTF-8."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1


def _places(
    path: Path, header: Sequence[str], where: str, wanted: Sequence[str], optional: Sequence[str]
) -> dict[str, int]:
    """Where the columns are in the header."""
    names = [name.strip().casefold() for name in header]
    for name in (*wanted, *optional):
        count = names.count(name)
        if count > 1 or (not count and name in wanted):
            fault = "there are two columns" if count else "there is no column"
            found = ", ".join(repr(each) for each in header) or "none"
            hint = " (columns are separated by commas)" if len(header) == 1 and name in names[0] else ""
            raise TableError(f"{path}{where}: {fault} {name!r}; found: {found}{hint}")
    return {name: names.index(name) for name in (*wanted, *optional) if name in names}


def _read_parquet(path: Path, wanted: Sequence[str], optional: Sequence[str]) -> pl.DataFrame:
    try:
        columns = list(pl.read_parquet_schema(path))
        places = _places(path, columns, "", wanted, optional)
        frame = pl.read_parquet(path, columns=[columns[place] for place in places.values()])
        texts = {name: frame.get_column(columns[place]).cast(pl.String) for name, place in places.items()}
    except (pl.exceptions.PolarsError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise TableError(
            f"{path}: not a Parquet file, or cut off, or a column is no text or number ({error})"
        ) from error
    lines = pl.int_range(1, frame.height + 1, eager=True)
    return pl.DataFrame({"line": lines, **texts}).with_columns(problem=pl.lit(None, pl.String))
