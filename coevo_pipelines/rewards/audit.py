"""Anyone's published payout table, checked: does it add up, does everybody stay within the rules of the round?

Columns `recipient` and `amount`, from CSV or Parquet. Amounts are read exactly or not at all: no float is ever made
of one. All sums are integers, so what is found is in the table and not in the arithmetic.
"""

from __future__ import annotations

import decimal
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl

from coevo_pipelines.rewards.tables import exactly, minor_units, one_spelling, read_rows

MOST_DIGITS = 31
"""Digits before the point that an amount may have: 10 million such amounts still add up in 128 bits."""
MOST_DECIMALS = 30
_ONE = 10**MOST_DECIMALS
_WIDE = pl.Int128()
_PRECISE = decimal.Context(prec=4 * MOST_DIGITS)
_PLAIN = rf"^[+-]?[0-9]{{1,{MOST_DIGITS}}}(?:\.[0-9]{{0,{MOST_DECIMALS}}})?$"
_WANTED = ("recipient", "amount")
_ROWS = pl.Schema({"line": pl.Int64(), "recipient": pl.String(), "amount": pl.String(), "problem": pl.String()})


@dataclass(frozen=True)
class Table:
    """A payout table as it was written."""

    name: str
    """Where it is from, for messages."""
    rows: pl.DataFrame
    """line, recipient, amount (text; null: there is none), problem (what is wrong with the row's form, or null).

    line: of the file, where the row begins; of a Parquet file the number of the row, from 1.
    """


@dataclass(frozen=True)
class Finding:
    """Something in a table that should not be."""

    kind: str
    """sum, over_cap, below_minimum, ineligible, duplicate, similar, negative, zero, not_minor_units, unreadable or
    no_recipient."""
    recipient: str | None
    line: int | None
    message: str
    count: int = 1
    """How many of its kind this stands for: above 1 only in the last one of a kind, for those not shown."""


def table_of(name: str, rows: Iterable[tuple[str | None, str | None]]) -> Table:
    """A table from (recipient, amount as text) pairs."""
    numbered = [(line, recipient, amount, None) for line, (recipient, amount) in enumerate(rows, start=1)]
    return Table(name, pl.DataFrame(numbered, schema=_ROWS, orient="row"))


def read_table(path: Path) -> Table:
    """Read a .csv or .parquet file as `tables.read_rows` does; a row of another length has no amount that is read."""
    return Table(str(path), read_rows(path, _WANTED))


def cap_of(text: str) -> Fraction | Decimal:
    """`5%` -> a share of the pool, `5000` -> an amount. Raises ValueError for anything else, and for 0 or less."""
    bare = text.strip()
    value = exactly(bare.removesuffix("%"))
    is_share = bare.endswith("%")
    if value is None or value <= 0 or (is_share and value > 100):
        raise ValueError(
            f"a cap is a share of the pool such as 5% (up to 100%) or an amount such as 5000, not {text!r}"
        )
    return Fraction(value) / 100 if is_share else value


def audit(
    table: Table,
    pool: Decimal,
    cap: Fraction | Decimal | None = None,
    minimum: Decimal | None = None,
    *,
    places: int = 0,
    eligible: Set[str] | None = None,
    show: int = 20,
) -> list[Finding]:
    """What is wrong with a table of payouts, in order of kind, at most `show` of each kind and then their count.

    pool, cap and minimum are in the table's own unit, which has `places` decimals; a cap that is a Fraction is a
    share of the pool and floor(share·pool) minor units. Who is named in several rows, also in other case or with
    other spaces, is held to cap and minimum with all of them together. Rows whose amount cannot be read are left out
    of the sum. Raises ValueError for a pool, cap or minimum that is no whole number of minor units.
    """
    if not 0 <= places <= MOST_DECIMALS:
        raise ValueError(f"places must lie in 0 to {MOST_DECIMALS}, not {places}")
    most = 10 ** (MOST_DIGITS + places) - 1
    minor_units(pool, places, most, "pool")
    if isinstance(cap, Fraction):
        cap = Decimal(int(cap * Fraction(pool) * 10**places // 1)).scaleb(-places, _PRECISE)
    elif cap is not None:
        minor_units(cap, places, most, "cap")
    if minimum is not None:
        minor_units(minimum, places, most, "minimum")
    rows = _parsed(table.rows)
    found = [
        *_of_the_sum(rows, pool, places),
        *_of_payees(rows, cap, minimum, places, eligible, show),
        *_of_rows(rows, places, show),
    ]
    order = {kind: place for place, kind in enumerate(KINDS)}
    return sorted(found, key=lambda each: order[each.kind])


KINDS = (
    "sum", "over_cap", "below_minimum", "ineligible", "duplicate", "similar", "negative", "zero", "not_minor_units",
    "unreadable", "no_recipient",
)  # fmt: skip


def _parsed(rows: pl.DataFrame) -> pl.DataFrame:
    """With whole and part: the amount is whole + part/10^30, both with its sign, both null where it is unreadable.

    And `who`: the recipient in one spelling.
    """
    text = pl.col("amount").str.strip_chars()
    plain = rows.select(
        "line",
        "recipient",
        "amount",
        "problem",
        who=one_spelling(pl.col("recipient")),
        plain=pl.when(text.str.contains(_PLAIN)).then(text.str.strip_prefix("+")),
    )
    digits = pl.col("plain").str.extract(r"\.([0-9]*)$").fill_null("").str.pad_end(MOST_DECIMALS, "0")
    sign = pl.when(pl.col("plain").str.starts_with("-")).then(pl.lit("-")).otherwise(pl.lit(""))
    read = plain.with_row_index("row").with_columns(
        whole=pl.col("plain").str.extract(r"^(-?[0-9]+)").cast(_WIDE),
        part=pl.when(pl.col("plain").is_not_null()).then(pl.concat_str(sign, digits)).cast(_WIDE),
    )
    rest = read.filter(pl.col("plain").is_null() & pl.col("amount").is_not_null())
    values = [_halves(text) for text in rest.get_column("amount")]
    others = pl.DataFrame(
        {
            "row": rest.get_column("row"),
            "other_whole": pl.Series([whole for whole, _ in values], dtype=_WIDE),
            "other_part": pl.Series([part for _, part in values], dtype=_WIDE),
        }
    )
    joined = read.join(others, on="row", how="left", maintain_order="left")
    return joined.select(
        "line", "recipient", "amount", "problem", "who",
        whole=pl.coalesce("whole", "other_whole"), part=pl.coalesce("part", "other_part"),
    )  # fmt: skip


def _halves(text: str) -> tuple[int | None, int | None]:
    value = exactly(text)
    if value is None:
        return None, None
    scaled = Fraction(value) * _ONE
    if scaled.denominator != 1 or abs(scaled) >= 10**MOST_DIGITS * _ONE:
        return None, None
    whole, part = divmod(abs(int(scaled)), _ONE)
    return (whole, part) if scaled >= 0 else (-whole, -part)


def _wide(value: int) -> pl.Expr:
    return pl.lit(value, dtype=_WIDE)


def _split(value: Decimal) -> tuple[int, int]:
    scaled = int(Fraction(value) * _ONE)
    return scaled // _ONE, scaled % _ONE


def _above(value: Decimal) -> pl.Expr:
    """Whether whole + part/10^30 is above the value; part in [0, 10^30)."""
    whole, part = _split(value)
    return (pl.col("whole") > _wide(whole)) | ((pl.col("whole") == _wide(whole)) & (pl.col("part") > _wide(part)))


def _below(value: Decimal) -> pl.Expr:
    whole, part = _split(value)
    return (pl.col("whole") < _wide(whole)) | ((pl.col("whole") == _wide(whole)) & (pl.col("part") < _wide(part)))


def _of_the_sum(rows: pl.DataFrame, pool: Decimal, places: int) -> Iterator[Finding]:
    total = _total(rows)
    if total == Fraction(pool):
        return
    unread = rows.get_column("whole").null_count()
    left_out = f", without {unread:,} amounts that cannot be read" if unread else ""
    difference = total - Fraction(pool)
    yield Finding(
        "sum", None, None,
        f"the amounts add up to {shown(total, places)}{left_out}; the pool is {shown(Fraction(pool), places)}: "
        f"{shown(abs(difference), places)} too {'much' if difference > 0 else 'little'}",
    )  # fmt: skip


def _total(rows: pl.DataFrame) -> Fraction:
    return int(rows.get_column("whole").sum()) + Fraction(int(rows.get_column("part").sum()), _ONE)


def shown(value: Fraction, places: int) -> str:
    """Exact, with `places` decimals or as many as it takes; thousands separated."""
    # What was read has at most 30 decimals, and so has every sum of it.
    whole, part = divmod(abs(int(value * _ONE)), _ONE)
    decimals = str(part).zfill(MOST_DECIMALS)
    kept = decimals[:places] + decimals[places:].rstrip("0")
    return ("-" if value < 0 else "") + f"{whole:,}" + (f".{kept}" if kept else "")


def _of_payees(
    rows: pl.DataFrame, cap: Decimal | None, minimum: Decimal | None, places: int, eligible: Set[str] | None, show: int
) -> Iterator[Finding]:
    """What is wrong with somebody's rows together."""
    named = rows.filter(pl.col("who").is_not_null())
    payees = named.group_by("who", maintain_order=True).agg(
        pl.col("recipient").first(),
        pl.col("line").first(),
        pl.col("whole").sum(),
        pl.col("part").sum(),
        rows=pl.len(),
        spellings=pl.col("recipient").str.strip_chars().n_unique(),
    )
    carry = pl.col("part") // _wide(_ONE)
    payees = payees.with_columns(whole=pl.col("whole") + carry, part=pl.col("part") % _wide(_ONE))

    def told(row: Mapping[str, Any]) -> str:
        return f"{shown(_value(row), places)}" + (f" in {row['rows']:,} rows" if row["rows"] > 1 else "")

    if cap is not None:
        limit = Fraction(cap)
        yield from _details(payees.filter(_above(cap)), "over_cap", show, lambda row: (
            f"gets {told(row)}: {shown(_value(row) - limit, places)} above the cap of {shown(limit, places)}"
        ))  # fmt: skip
    if minimum is not None:
        least = Fraction(minimum)
        yield from _details(payees.filter(_above(Decimal(0)) & _below(minimum)), "below_minimum", show, lambda row: (
            f"gets {told(row)}: {shown(least - _value(row), places)} below the minimum of {shown(least, places)}"
        ))  # fmt: skip
    if eligible is not None:
        allowed = pl.DataFrame({"who": sorted(eligible)}, schema={"who": pl.String()})
        paid = payees.filter(_above(Decimal(0)))
        strangers = paid.join(
            allowed.select(who=one_spelling(pl.col("who"))), on="who", how="anti", maintain_order="left"
        )
        yield from _details(strangers, "ineligible", show, lambda row: f"gets {told(row)} and is not eligible")
    repeated = named.join(payees.filter(pl.col("rows") > 1).select("who"), on="who", how="semi")
    yield from _duplicates(repeated, payees, told, show)


def _duplicates(repeated: pl.DataFrame, payees: pl.DataFrame, told: Any, show: int) -> Iterator[Finding]:
    lines = dict(
        repeated.group_by("who").agg(pl.col("line").sort().head(6)).iter_rows()
    ) if repeated.height else {}  # fmt: skip

    def where(row: Mapping[str, Any]) -> str:
        return ", ".join(str(line) for line in lines[row["who"]][:5]) + (" …" if len(lines[row["who"]]) > 5 else "")

    several = payees.filter(pl.col("rows") > 1)
    same = several.filter(pl.col("spellings") < pl.col("rows"))
    yield from _details(same, "duplicate", show, lambda row: f"gets {told(row)} (lines {where(row)})")
    spelled = several.filter(pl.col("spellings") > 1)
    yield from _details(spelled, "similar", show, lambda row: (
        f"is spelled in {row['spellings']:,} ways that differ in case, spaces or form, and gets {told(row)} "
        f"(lines {where(row)})"
    ))  # fmt: skip


def _of_rows(rows: pl.DataFrame, places: int, show: int) -> Iterator[Finding]:
    """What is wrong with a row alone."""
    negative = (pl.col("whole") < 0) | (pl.col("part") < 0)
    zero = (pl.col("whole") == 0) & (pl.col("part") == 0)
    broken = (pl.col("part") % _wide(10 ** (MOST_DECIMALS - places))) != 0
    is_unreadable = pl.col("whole").is_null()

    def said(row: Mapping[str, Any]) -> str:
        return f"the amount is {shown(_value(row), places)}"

    yield from _details(rows.filter(negative), "negative", show, said)
    yield from _details(rows.filter(zero), "zero", show, said)
    yield from _details(rows.filter(broken), "not_minor_units", show, lambda row: (
        f"{said(row)}, which is no whole number of minor units ({places} decimals)"
    ))  # fmt: skip
    yield from _details(rows.filter(is_unreadable), "unreadable", show, _why_unreadable)
    yield from _details(rows.filter(pl.col("who").is_null()), "no_recipient", show, lambda row: (
        f"nobody is named to get {(row['amount'] or '').strip() or 'nothing'}"
    ))  # fmt: skip


def _why_unreadable(row: Mapping[str, Any]) -> str:
    if row["problem"] is not None:
        return str(row["problem"])
    text = row["amount"]
    if text is None or not text.strip():
        return "there is no amount"
    short = text if len(text) <= 40 else text[:40] + "…"
    if exactly(text) is not None:
        return f"the amount {short!r} has more than {MOST_DIGITS} digits before the point or {MOST_DECIMALS} after it"
    return f"the amount {short!r} is no plain number (digits, with a point before decimals)"


def _value(row: Mapping[str, Any]) -> Fraction:
    return int(row["whole"]) + Fraction(int(row["part"]), _ONE)


def _details(rows: pl.DataFrame, kind: str, show: int, message: Any) -> Iterator[Finding]:
    """A finding a row for the first `show`, and one for all others."""
    for row in rows.head(show).iter_rows(named=True):
        yield Finding(kind, row["recipient"], row["line"], message(row))
    if rows.height > show:
        yield Finding(kind, None, None, f"and {rows.height - show:,} more of this kind", rows.height - show)
