"""Published payout tables: what is read of them, exactly or not at all, and what is found in them."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coevo_pipelines.rewards.audit import (
    KINDS,
    Finding,
    Table,
    audit,
    cap_of,
    read_table,
    table_of,
)
from coevo_pipelines.rewards.tables import TableError, exactly

Kinds = list[tuple[str, str | None, int | None]]


def brief(found: list[Finding]) -> Kinds:
    return [(each.kind, each.recipient, each.line) for each in found]


def table(*rows: tuple[str | None, str | None]) -> Table:
    return table_of("test", rows)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1000", "1000"), ("12.5", "12.5"), (" 7 ", "7"), ("+3", "3"), ("-0.5", "-0.5"), ("1e3", "1000"), ("5.", "5"),
        (".25", "0.25"), ("2.5E-2", "0.025"), ("1,000", "1000"), ("1,234,567.89", "1234567.89"), ("$5", "5"),
        ("1,000.50 €", "1000.50"), ("¥ 12", "12"), ("0.1", "0.1"),
        ("9" * 31 + "." + "9" * 30, "9" * 31 + "." + "9" * 30),
        ("", None), ("  ", None), ("NaN", None), ("inf", None), ("1,00", None), ("12,50", None), ("1.000,00", None),
        ("1 000", None), ("1_000", None), ("(5)", None), ("5 OP", None), ("0x10", None), ("٣", None),
        ("1e999999", None),
        ("--1", None), ("1/3", None), ("1e", None), (".", None), ("$", None), ("€$5", None), (",100", None),
    ],
)  # fmt: skip
def test_an_amount_is_read_exactly_or_not_at_all(text: str, value: str | None) -> None:
    assert exactly(text) == (None if value is None else Decimal(value))
    found = audit(table(("a", text)), Decimal(0 if value is None else value).copy_abs(), places=30)
    unreadable = [each for each in found if each.kind == "unreadable"]
    assert bool(unreadable) is (value is None), "the vectorised reading agrees"
    if value is not None:
        assert ("sum" in {each.kind for each in found}) is value.startswith("-")


@given(
    st.lists(st.decimals(min_value=-(10**12), max_value=10**12, places=6), max_size=8),
    st.integers(min_value=-3, max_value=3),
)
def test_the_sum_is_exact(amounts: list[Decimal], off: int) -> None:
    pool = sum((Fraction(each) for each in amounts), Fraction()) + Fraction(off, 10**6)
    if pool < 0:
        return
    exact = Decimal(int(pool * 10**6)).scaleb(-6)
    found = audit(table(*((str(n), f"{each:f}") for n, each in enumerate(amounts))), exact, places=6)
    assert ("sum" in {each.kind for each in found}) is (off != 0)
    if off:
        assert f"0.00000{abs(off)} too {'little' if off > 0 else 'much'}" in found[0].message


@pytest.mark.parametrize("text", ["1e-31", "1e31", "0." + "0" * 30 + "1", "1" * 32])
def test_more_digits_than_can_be_added_up(text: str) -> None:
    (found,) = audit(table(("a", text)), Decimal(0))
    assert found.kind == "unreadable"
    assert "has more than 31 digits before the point or 30 after it" in found.message


def test_a_sum_that_floats_cannot_tell() -> None:
    """0.1 + 0.2 is 0.3, and one unit in 10^30 is seen."""
    assert audit(table(("a", "0.1"), ("b", "0.2")), Decimal("0.3"), places=1) == []
    large = str(10**30 - 1)
    assert audit(table(("a", large), ("b", "1")), Decimal(10**30)) == []
    (found,) = audit(table(("a", large), ("b", "2")), Decimal(10**30))
    assert found.message.endswith(": 1 too much")


def test_everything_that_can_be_wrong_is_found() -> None:
    given = table(
        ("alice", "600"), ("Bob", "50"), ("bob ", "60"), ("carol", "-5"), ("dave", "0"), ("erin", "12.5"),
        ("frank", "much"), (" ", "10"), ("gina", "100"), ("gina", "101"), (None, None),
    )  # fmt: skip
    found = audit(given, Decimal(1000), Fraction(1, 5), Decimal(111), eligible={"ALICE", "bob", "gina", "erin"})
    assert brief(found) == [
        ("sum", None, None),
        ("over_cap", "alice", 1), ("over_cap", "gina", 9),
        ("below_minimum", "Bob", 2), ("below_minimum", "erin", 6),
        ("duplicate", "gina", 9),
        ("similar", "Bob", 2),
        ("negative", "carol", 4),
        ("zero", "dave", 5),
        ("not_minor_units", "erin", 6),
        ("unreadable", "frank", 7), ("unreadable", None, 11),
        ("no_recipient", " ", 8), ("no_recipient", None, 11),
    ]  # fmt: skip
    messages = [each.message for each in found]
    assert messages[0] == (
        "the amounts add up to 928.5, without 2 amounts that cannot be read; the pool is 1,000: 71.5 too little"
    )
    assert messages[1] == "gets 600: 400 above the cap of 200"
    assert messages[2] == "gets 201 in 2 rows: 1 above the cap of 200"
    assert messages[3] == "gets 110 in 2 rows: 1 below the minimum of 111"
    assert messages[5] == "gets 201 in 2 rows (lines 9, 10)"
    strangers = audit(table(("x", "5"), ("y", "0")), Decimal(5), eligible=set())
    assert brief(strangers) == [("ineligible", "x", 1), ("zero", "y", 2)]


def test_a_clean_table_has_nothing_to_find() -> None:
    rows = [("a", "450"), ("b", "275"), ("c", "275")]
    assert audit(table(*rows), Decimal(1000), Fraction("0.45"), Decimal(275), eligible={"a", "b", "c"}) == []
    assert audit(table(), Decimal(0)) == []


@pytest.mark.parametrize(
    ("amount", "pool", "cap", "places", "over"),
    [
        ("33", 999, Fraction(1, 30), 0, False),  # floor(33.3)
        ("34", 999, Fraction(1, 30), 0, True),
        ("33.30", 999, Fraction(1, 30), 2, False),
        ("33.31", 999, Fraction(1, 30), 2, True),
        ("65000.01", 1300000, Decimal(65000), 2, True),
        ("65000.00", 1300000, Decimal(65000), 2, False),
        (str(10**29 + 1), 10**30, Fraction(1, 10), 0, True),
        (str(10**29), 10**30, Fraction(1, 10), 0, False),
    ],
)
def test_the_cap_holds_to_the_minor_unit(
    amount: str, pool: int, cap: Fraction | Decimal, places: int, over: bool
) -> None:
    found = audit(table(("a", amount)), Decimal(pool), cap, places=places)
    assert ("over_cap" in {each.kind for each in found}) is over


@pytest.mark.parametrize(
    ("text", "cap"),
    [("5%", Fraction(1, 20)), (" 2.5 % ", Fraction(1, 40)), ("100%", Fraction(1)), ("5000", Decimal(5000)),
     ("1,000.50", Decimal("1000.5"))],
)  # fmt: skip
def test_caps(text: str, cap: Fraction | Decimal) -> None:
    assert cap_of(text) == cap
    assert type(cap_of(text)) is type(cap)


@pytest.mark.parametrize("text", ["", "%", "0", "0%", "-5%", "101%", "5%%", "five", "nan", "5 percent"])
def test_what_is_no_cap(text: str) -> None:
    with pytest.raises(ValueError, match="a cap is a share"):
        cap_of(text)


@pytest.mark.parametrize(
    "wrong",
    [{"pool": Decimal("0.5")}, {"pool": Decimal(-1)}, {"pool": Decimal("NaN")}, {"cap": Decimal("0.1")},
     {"minimum": Decimal("0.1")}, {"places": 31}],
)  # fmt: skip
def test_rules_that_no_round_can_have(wrong: dict[str, Decimal]) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(wrong))} must"):
        audit(table(), **{"pool": Decimal(1), **wrong})  # type: ignore[arg-type]


def test_all_are_counted_and_few_shown() -> None:
    rows = [(f"p{n}", "0") for n in range(1000)] + [("a", "x")] * 3
    found = audit(table(*rows), Decimal(0), show=5)
    assert Counter(each.kind for each in found) == {"zero": 6, "unreadable": 3, "duplicate": 1}
    last = [each for each in found if each.kind == "zero"][-1]
    assert (last.recipient, last.count, last.message) == (None, 995, "and 995 more of this kind")
    assert sum(each.count for each in found if each.kind == "zero") == 1000
    assert {each.kind for each in found} <= set(KINDS)


def written(folder: Path, content: bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_a_csv_file(tmp_path: Path, start: bytes, ending: bytes) -> None:
    lines = ["memo, Amount ,RECIPIENT", "x,1,José", "", '"two', 'lines","1,000",b', "short", "a,b,c,d", "y,2,d"]
    read = read_table(written(tmp_path, start + ending.join(line.encode() for line in lines)))
    assert read.rows.select("line", "recipient", "amount").rows() == [
        (2, "José", "1"), (4, "b", "1,000"), (6, None, None), (7, "c", None), (8, "d", "2"),
    ]  # fmt: skip
    found = audit(read, Decimal(1003))
    assert brief(found) == [("unreadable", None, 6), ("unreadable", "c", 7), ("no_recipient", None, 6)]
    assert found[0].message == "the row has 1 fields, the header 3"
    assert found[1].message == "the row has 4 fields, the header 3 (a number with a comma needs quotes)"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"table.csv line 1: there is no column 'recipient'; found: none"),
        (b"\nrecipient,sum\n", r"line 2: there is no column 'amount'; found: 'recipient', 'sum'"),
        (b"recipient;amount\na;1\n", r"found: 'recipient;amount' \(columns are separated by commas\)"),
        (b"recipient,amount,Amount\n", "there are two columns 'amount'"),
        ("recipient,amount\na,1\nJosé,2\n".encode("latin-1"), "line 3: not UTF-8; save it as CSV in UTF-8"),
        ("recipient,amount\na,1\n".encode("utf-16"), "line 1: this is UTF-16"),
        ("recipient,amount\n".encode("utf-16-le"), "line 1: this is UTF-16"),
        (b'recipient,amount\na,1\n"b,2\nc,3\n', "line 3: the row that begins here cannot be read"),
        (b'recipient,amount\n"a"b,1\n', "line 2: the row that begins here cannot be read"),
        (b'recipient,amount\n"' + b"x," * 100_000, "line 2: the row that begins here cannot be read"),
    ],
)
def test_a_csv_file_that_is_none(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_table(written(tmp_path, content))


@pytest.mark.parametrize(
    ("amounts", "texts"),
    [
        (pl.Series([1, None], dtype=pl.Int64), ["1", None]),
        (pl.Series([10**30, 2], dtype=pl.Int128), [str(10**30), "2"]),
        (pl.Series([Decimal("0.10"), Decimal("2.00")], dtype=pl.Decimal(38, 2)), ["0.10", "2.00"]),
        (pl.Series([0.1, float("nan")]), ["0.1", "NaN"]),
        (pl.Series(["1,000", " 5"]), ["1,000", " 5"]),
    ],
    ids=["integers", "wide integers", "decimals", "floats", "text"],
)
def test_a_parquet_file(tmp_path: Path, amounts: pl.Series, texts: list[str | None]) -> None:
    path = tmp_path / "table.parquet"
    pl.DataFrame({"Recipient ": ["a", "b"], "AMOUNT": amounts}).write_parquet(path)
    assert read_table(path).rows.rows() == [(1, "a", texts[0], None), (2, "b", texts[1], None)]


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "absent.parquet")
    with pytest.raises(TableError, match=r"give a \.csv or \.parquet file"):
        read_table(tmp_path / "table.xlsx")
    path = tmp_path / "cut.parquet"
    pl.DataFrame({"recipient": ["a"] * 100, "amount": ["1"] * 100}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TableError, match="not a Parquet file, or cut off"):
        read_table(path)
    other = tmp_path / "other.parquet"
    pl.DataFrame({"recipient": ["a"], "sum": ["1"]}).write_parquet(other)
    with pytest.raises(TableError, match="no column 'amount'; found: 'recipient', 'sum'"):
        read_table(other)


def test_many_rows(tmp_path: Path) -> None:
    """Batches are joined in order, and one wrong row of many is found with its line."""
    path = tmp_path / "table.csv"
    with path.open("w") as stream:
        stream.write("recipient,amount\n")
        stream.writelines(f"p{n},0.01\n" for n in range(200_000))
        stream.write("p7,0.015\n")
    found = audit(read_table(path), Decimal("2000.00"), places=2)
    assert brief(found) == [("sum", None, None), ("duplicate", "p7", 9), ("not_minor_units", "p7", 200_002)]
