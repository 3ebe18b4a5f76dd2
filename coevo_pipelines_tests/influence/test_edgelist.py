"""Anyone's list of links: what is read, what is counted instead, and what is refused with a way out."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coevo_pipelines.influence import edgelist, links
from coevo_pipelines.influence.edgelist import UNDATED, UNREADABLE_DATE, EdgeList, EdgeListError, memory, read, stream
from coevo_pipelines.influence.links import Dropped, Held, Streamed, unpack

WRONG_WEIGHT = "weight is not a number from 0 to 1e+100"


class Files:
    """Writes lists of links and of works."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def text(self, content: str | bytes, name: str = "links.csv") -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def csv(self, header: str, rows: Sequence[Sequence[Any]], name: str = "links.csv") -> Path:
        path = self.folder / name
        with path.open("w", newline="") as stream_:
            writer = csv.writer(stream_)
            writer.writerow(header.split())
            writer.writerows(rows)
        return path

    def parquet(self, columns: Mapping[str, Any], name: str = "links.parquet", **options: Any) -> Path:
        path = self.folder / name
        pq.write_table(pa.table(dict(columns)), path, **options)
        return path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture(params=["csv", "parquet"])
def either(request: pytest.FixtureRequest, files: Files) -> Any:
    """Writes text columns as a file of the one kind or the other."""

    def write(header: str, rows: Sequence[Sequence[Any]]) -> Path:
        if request.param == "csv":
            return files.csv(header, rows)
        columns = zip(*rows, strict=True) if rows else [[] for _ in header.split()]
        named = zip(header.split(), columns, strict=True)
        return files.parquet({name: pa.array(list(column), pa.string()) for name, column in named})

    return write


def ids_of(found: EdgeList) -> list[Any]:
    return list(range(found.links.n)) if found.ids is None else found.ids.to_list()


def links_of(found: EdgeList) -> list[tuple[Any, ...]]:
    """(source, target, relation, weight) by identifiers; no relation or weight where there are none."""
    assert isinstance(found.links, Held)
    source, target, relation = unpack(found.links.packed)
    if found.links.position is not None:
        work = np.argsort(found.links.position)
        source, target = work[source], work[target]
    ids = ids_of(found)
    rows: list[tuple[Any, ...]] = []
    for place in range(source.size):
        row: tuple[Any, ...] = (ids[source[place]], ids[target[place]])
        row += (found.relations[relation[place]],) if found.relations else ()
        row += (float(found.links.weight[place]),) if found.links.weight.size else ()
        rows.append(row)
    return sorted(rows)


def born_of(found: EdgeList) -> dict[Any, str | None]:
    """First known day of each work."""
    assert found.born is not None
    return {
        name: None if day == UNDATED else datetime.fromtimestamp(day / 1e6, UTC).isoformat()[:19]
        for name, day in zip(ids_of(found), found.born.tolist(), strict=True)
    }


# --- identifiers -----------------------------------------------------------------------------------------------------

STRANGE = [
    'a "quoted" one',
    "a,comma",
    "a\nnew line",
    "a\r\nnew line",
    "ünïcödé 蜂群 🐝",
    " spaces ",
    "'",
    "a\tb",
    "NA",
    "null",
]


def test_any_text_is_an_identifier(either: Any) -> None:
    found = read(either("source target", [(name, "x") for name in STRANGE]))
    assert ids_of(found) == sorted([*STRANGE, "x"])
    assert links_of(found) == sorted((name, "x") for name in STRANGE)
    assert not found.counts.rejected


def test_text_that_looks_like_a_number_stays_text(either: Any) -> None:
    found = read(either("source target", [("007", "7"), ("07", "7"), ("7.0", "7"), ("+7", "7"), ("-0", "7")]))
    assert ids_of(found) == sorted(["007", "07", "7", "7.0", "+7", "-0"])


def test_a_csv_file_of_plain_integers_has_integers(files: Files) -> None:
    """In their order, not in that of their digits."""
    found = read(files.text("source,target\n10,9\n9,-2\n100,10\n"))
    assert ids_of(found) == [-2, 9, 10, 100]
    assert links_of(found) == [(9, -2), (10, 9), (100, 10)]
    beyond = read(files.text(f"source,target\n{2**63},1\n"))
    assert ids_of(beyond) == ["1", str(2**63)]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ([5, -3, 10**12], [-3, 10**12, 7]),
        ([-(2**63), 2**63 - 1, 0], [0, -1, 1]),
        ([3, 2, 1], [2_000_000_000, 1, 2]),
    ],
)
def test_any_64_bit_integer_is_an_identifier(source: list[int], target: list[int], files: Files) -> None:
    found = read(files.parquet({"source": source, "target": target}))
    assert ids_of(found) == sorted({*source, *target})
    assert links_of(found) == sorted(zip(source, target, strict=True))


@pytest.mark.parametrize("index", [pa.int8(), pa.int32()])
def test_categories_are_text(index: Any, files: Files) -> None:
    kind = pa.dictionary(index, pa.string())
    names = pa.array(["b", "a", "b"]).cast(kind)
    found = read(files.parquet({"source": names, "target": pa.array(["a", "c", "a"]).cast(kind)}))
    assert (ids_of(found), links_of(found)) == (["a", "b", "c"], [("a", "c"), ("b", "a")])


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_any_kind_of_text_column(kind: Any, files: Files) -> None:
    long = "longer than a view holds inline"
    found = read(files.parquet({"source": pa.array(["a", long], kind), "target": pa.array([long, "b"], kind)}))
    assert ids_of(found) == ["a", "b", long]


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ([1.0, 2.0], [2.0, 3.0], "column 'source' is Float64; identifiers are text or integers"),
        ([1, 2], [2.0, 3.0], "column 'target' is Float64"),
        ([True], [False], "column 'source' is Boolean"),
        ([date(2020, 1, 1)], [date(2020, 1, 1)], "column 'source' is Date"),
        ([b"\xff"], [b"\xfe"], "column 'source' is not UTF-8 text"),
        ([[1]], [[2]], "column 'source' is List"),
        ([2**63], [1], r"column 'source' has integers beyond 2\^63 - 1; give them as text"),
        (["1"], [1], "column 'target' is Int64 where other identifiers are String; give all of them as text or all"),
        ([1], ["1"], "column 'target' is String where other identifiers are Int64"),
    ],
)
def test_other_identifiers_are_refused(source: Any, target: Any, words: str, files: Files) -> None:
    kind = pa.uint64() if source == [2**63] else None
    with pytest.raises(EdgeListError, match=rf"links\.parquet: {words}"):
        read(files.parquet({"source": pa.array(source, kind), "target": target}))


def test_rows_without_an_identifier_are_counted_and_kept(either: Any) -> None:
    found = read(either("source target", [("a", "b"), (None, "c"), ("d", None), ("", "e"), (None, None), ("f", "b")]))
    assert ids_of(found) == ["a", "b", "f"]
    assert found.counts.rejected == {"no source or target": 4}
    assert (found.counts.rows, found.counts.links) == (6, 2)
    assert found.rejects["row"].to_list() == [2, 3, 4, 5]
    assert found.rejects["target"].to_list() == ["c", None, "e", None]


@pytest.mark.parametrize("first", [pa.nulls(3), pa.nulls(3, pa.string()), pa.nulls(3, pa.int64())])
def test_a_column_of_nothing(first: Any, files: Files) -> None:
    found = read(files.parquet({"source": first, "target": [1, 2, 3]}))
    assert (found.links.n, found.counts.rejected) == (0, {"no source or target": 3})


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        ("", "links.csv", "there is no column 'source'; found: none"),
        ("", "links.parquet", "not a Parquet file, or cut off"),
        ("source,target\na,b\n", "links.parquet", "not a Parquet file, or cut off"),
        ("source,target\na,b\n", "links.txt", r"give a \.parquet or \.csv file"),
        ("source,target\na,b\n", "links", r"give a \.parquet or \.csv file"),
        ("from,to\na,b\n", "links.csv", "there is no column 'source'; found: from, to"),
        ("source;target\na;b\n", "links.csv", "there is no column 'source'; found: source;target"),
        ("source\na\n", "links.csv", "there is no column 'target'"),
        ("source,target,source\na,b,c\n", "links.csv", "there are two columns 'source'"),
        ("source,target,weight,weight\na,b,1,2\n", "links.csv", "there are two columns 'weight'"),
        ("source,target\né,b\n".encode("latin-1"), "links.csv", "not a UTF-8 CSV file"),
        ("source,target\na,b\n".encode("utf-16"), "links.csv", "not a UTF-8 CSV file"),
        (b"source,target\n" + 100_000 * b"a,b\n" + b"\xff,b\n", "links.csv", "UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used(content: str | bytes, name: str, words: str, files: Files) -> None:
    path = files.text(content, name)
    for asked in (read, memory):
        if asked is memory and "UTF-8" in words:
            continue  # only the header is looked at
        with pytest.raises(EdgeListError, match=rf"{name}: .*{words}"):
            asked(path)


def test_no_file_at_all(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(EdgeListError, match="there is no such file"):
            read(path)


def test_a_parquet_file_with_a_column_twice(files: Files) -> None:
    path = files.folder / "links.parquet"
    pq.write_table(pa.table([pa.array([1]), pa.array([2]), pa.array([3])], names=["source", "source", "target"]), path)
    with pytest.raises(EdgeListError, match="there are two columns 'source'"):
        read(path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_parquet_file_that_is_cut_off(part: float, files: Files) -> None:
    whole = files.parquet({"source": range(1, 5000), "target": range(4999)}).read_bytes()
    with pytest.raises(EdgeListError, match=r"cut\.parquet: not a Parquet file, or cut off"):
        read(files.text(whole[: int(part * len(whole))], "cut.parquet"))


@pytest.mark.parametrize("kind", ["int64", "string"])
def test_a_parquet_file_that_is_damaged(kind: str, files: Files) -> None:
    rng = np.random.default_rng(0)
    columns = {name: pa.array(rng.integers(0, 9999, 20_000)).cast(kind) for name in ("source", "target")}
    spoiled = bytearray(files.parquet(columns, use_dictionary=False).read_bytes())
    spoiled[500:9000] = b"\xff" * 8500
    with pytest.raises(EdgeListError, match=r"bad\.parquet: .*damaged or cut off"):
        read(files.text(bytes(spoiled), "bad.parquet"))


@pytest.mark.parametrize(
    "content",
    ["source,target", "source,target\n", "source,target\r\n\r\n", "\ufeffsource,target\n\n", "\n\nsource,target"],
)
def test_a_header_alone_is_an_empty_list(content: str, files: Files) -> None:
    found = read(files.text(content))
    assert (found.links.n, found.counts.rows, ids_of(found)) == (0, 0, [])


@pytest.mark.parametrize("kind", ["int64", "string"])
def test_a_parquet_file_without_rows_is_an_empty_list(kind: str, files: Files) -> None:
    found = read(files.parquet({"source": pa.array([], kind), "target": pa.array([], kind)}))
    assert (found.links.n, found.counts.rows, ids_of(found)) == (0, 0, [])


@pytest.mark.parametrize(
    "content",
    [
        "source,target\na,b\nc,d\n",
        "source,target\na,b\nc,d",
        "\ufeffsource,target\r\na,b\r\nc,d\r\n",
        '"source","target"\n"a","b"\n\n\n"c","d"\n',
        "note,target,other,source\nsome text,b,,a\n,d,3,c\n",
    ],
)
def test_csv_as_programs_write_it(content: str, files: Files) -> None:
    assert links_of(read(files.text(content))) == [("a", "b"), ("c", "d")]


def test_ragged_rows_are_counted_and_every_row_keeps_its_number(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the file is read in blocks, ahead of what is numbered."""
    lines, expected = ["source,target"], list[tuple[Any, ...]]()
    for row in range(1, 3001):
        what = {7: "alone", 8: "one,two,three", 9: ",nobody", 10: '"line\nbreak",b'}.get(row % 11, f"a{row},b{row}")
        lines += [what, ""] if row % 5 == 0 else [what]
        if row % 11 in (7, 8):
            expected.append((row, None, None, f"has {1 if row % 11 == 7 else 3} fields instead of 2"))
        elif row % 11 == 9:
            expected.append((row, None, "nobody", "no source or target"))
    path = files.text("\n".join(lines) + "\n")
    for block in (1 << 24, 1 << 10):
        monkeypatch.setattr(edgelist, "CSV_BLOCK", block)
        found = read(path)
        assert found.rejects.rows() == expected
        assert found.counts.rejected == {"another number of fields": 546, "no source or target": 272}
        assert (found.counts.rows, found.counts.links) == (3000, 3000 - 546 - 272)


def test_batches_change_nothing(either: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    rows = [
        (f"work {a}", f"work {b}" if c else None, ["cites", "uses", "mentions"][c], str(d), f"20{10 + c}")
        for a, b, c, d in zip(*(rng.integers(0, high, 400) for high in (40, 40, 3, 5)), strict=True)
    ]
    path = either("source target relation weight event_at", rows)
    whole = read(path)
    monkeypatch.setattr(edgelist, "BATCH", 7)
    monkeypatch.setattr(edgelist, "CSV_BLOCK", 1 << 8)
    parts = read(path)
    assert ids_of(parts) == ids_of(whole) and parts.relations == whole.relations
    assert links_of(parts) == links_of(whole)
    assert parts.born is not None and whole.born is not None
    assert parts.born.tolist() == whole.born.tolist()
    assert parts.counts == whole.counts
    assert parts.rejects.equals(whole.rejects)


def test_relations_are_numbered_by_name_and_not_as_they_come(either: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums over relations are then made in the same order."""
    monkeypatch.setattr(edgelist, "BATCH", 1)
    rows = [("a", "b", "mentions"), ("a", "c", "cites"), ("b", "c", "extends")]
    first, second = read(either("source target relation", rows)), read(either("source target relation", rows[::-1]))
    assert first.relations == second.relations == ("cites", "extends", "mentions")
    assert links_of(first) == links_of(second) == sorted(rows)


# --- relation and weight ---------------------------------------------------------------------------------------------


def test_a_link_needs_a_relation_where_others_have_one(either: Any) -> None:
    found = read(
        either("source target relation", [("a", "b", "cites"), ("a", "c", None), ("a", "d", ""), ("b", "a", "x")])
    )
    assert links_of(found) == [("a", "b", "cites"), ("b", "a", "x")]
    assert found.counts.rejected == {"no relation": 2}
    assert found.rejects["row"].to_list() == [2, 3]


def test_no_link_has_a_relation(either: Any) -> None:
    found = read(either("source target relation weight", [("a", "b", None, "1"), ("c", "d", "", "2")]))
    assert (found.links.n, found.relations, found.counts.rejected) == (0, (), {"no relation": 2})


def test_more_relations_than_fit_are_refused(either: Any) -> None:
    rows = [("a", "b", f"relation {place}") for place in range(33)]
    assert len(read(either("source target relation", rows[:32])).relations) == 32
    with pytest.raises(EdgeListError, match="more than 32 different relations"):
        read(either("source target relation", rows))


def test_the_same_link_by_two_relations_is_two_links(either: Any) -> None:
    found = read(either("source target relation", [("a", "b", "cites"), ("a", "b", "uses"), ("a", "b", "cites")]))
    assert links_of(found) == [("a", "b", "cites"), ("a", "b", "uses")]
    assert found.links.dropped == Dropped(duplicates=1)


@pytest.mark.parametrize(
    ("weight", "taken"),
    [
        ("1", 1.0), ("0.5", 0.5), ("1e3", 1000.0), ("1e100", 1e100), ("5e-324", 5e-324), ("-1", WRONG_WEIGHT),
        ("nan", WRONG_WEIGHT), ("inf", WRONG_WEIGHT), ("1e101", WRONG_WEIGHT), ("heavy", WRONG_WEIGHT),
        ("1,5", WRONG_WEIGHT), (None, WRONG_WEIGHT), ("0", "weight 0"), ("-0.0", "weight 0"),
    ],
)  # fmt: skip
def test_weights(weight: str | None, taken: float | str, either: Any) -> None:
    found = read(either("source target weight", [("a", "b", weight), ("c", "d", "2")]))
    if isinstance(taken, float):
        assert links_of(found) == [("a", "b", taken), ("c", "d", 2.0)]
    else:
        assert links_of(found) == [("c", "d", 2.0)]
        assert found.counts.rejected == {taken: 1}
        assert found.rejects.rows() == [(1, "a", "b", taken)]


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.float32(), pa.float64(), pa.decimal128(9, 2)])
def test_weights_of_any_type_of_number(kind: Any, files: Files) -> None:
    weight = pa.array(["2", "0", None]).cast(kind)
    found = read(files.parquet({"source": ["a", "b", "c"], "target": ["x", "x", "x"], "weight": weight}))
    assert links_of(found) == [("a", "x", 2.0)]
    assert found.counts.rejected == {"weight 0": 1, WRONG_WEIGHT: 1}


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("weight", [[1.0]], "column 'weight' is List.*; give numbers"),
        ("weight", [date(2020, 1, 1)], "column 'weight' is Date; give numbers"),
        ("relation", [3], "column 'relation' is Int64; give text"),
        ("relation", [["cites"]], "column 'relation' is List.*; give text"),
        ("event_at", [2020.0], "column 'event_at' is Float64; give dates, timestamps, ISO text or years"),
        ("event_at", [True], "column 'event_at' is Boolean"),
    ],
)
def test_a_column_of_another_type_is_refused(column: str, values: list[Any], words: str, files: Files) -> None:
    with pytest.raises(EdgeListError, match=words):
        read(files.parquet({"source": ["a"], "target": ["b"], column: values}))


# --- dates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020", "2020-01-01T00:00:00"),
        (" 2020 ", "2020-01-01T00:00:00"),
        ("2020-03", "2020-03-01T00:00:00"),
        ("2020-03-04", "2020-03-04T00:00:00"),
        ("2020-03-04T05:06", "2020-03-04T05:06:00"),
        ("2020-03-04T05:06:07", "2020-03-04T05:06:07"),
        ("2020-03-04 05:06:07.123456", "2020-03-04T05:06:07"),
        ("2020-03-04T05:06:07Z", "2020-03-04T05:06:07"),
        ("2020-03-04T05:06Z", "2020-03-04T05:06:00"),
        ("2020-03-04T05:06:07+00:00", "2020-03-04T05:06:07"),
        ("2020-03-04T05:06:07+0530", "2020-03-03T23:36:07"),
        ("2020-03-04T20:06:07-08:00", "2020-03-05T04:06:07"),
        ("1066-10-14", "1066-10-14T00:00:00"),
        ("9999-12-31", "9999-12-31T00:00:00"),
        *[(text, None) for text in ("2020-13-01", "2020-02-30", "20200304", "4.3.2020", "soon", "0000", "99999", "-1")],
    ],
)
def test_dates_as_text(text: str, moment: str | None, either: Any) -> None:
    found = read(either("source target event_at", [("a", "b", text)]))
    assert born_of(found) == {"a": moment, "b": moment}
    assert links_of(found) == [("a", "b")], "a link counts without a date"
    assert found.counts.rejected == ({} if moment else {UNREADABLE_DATE: 1})
    assert (found.counts.links, found.counts.undated) == (1, 0 if moment else 2)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([date(2020, 3, 4)]),
        pa.array([date(2020, 3, 4)], pa.date64()),
        pa.array([date(2020, 3, 4)]).cast(pa.timestamp("s")),
        pa.array([date(2020, 3, 4)]).cast(pa.timestamp("ns")),
        pa.array([datetime(2020, 3, 4, tzinfo=UTC)], pa.timestamp("us", "Pacific/Auckland")),
        pa.array(["2020-03-04"]).dictionary_encode(),
    ],
)
def test_dates_of_any_type(values: Any, files: Files) -> None:
    found = read(files.parquet({"source": ["a"], "target": ["b"], "event_at": values}))
    assert born_of(found) == {"a": "2020-03-04T00:00:00", "b": "2020-03-04T00:00:00"}


def test_years_as_integers(files: Files) -> None:
    years = [2020, 1, 0, -5, 20200304, None]
    columns = {"source": [f"a{place}" for place in range(6)], "target": ["b"] * 6, "event_at": years}
    found = read(files.parquet(columns))
    assert list(born_of(found).values())[:6] == ["2020-01-01T00:00:00", "0001-01-01T00:00:00", *[None] * 4]
    assert found.counts.rejected == {UNREADABLE_DATE: 3}


def test_a_work_is_as_old_as_its_own_first_link(either: Any) -> None:
    """Also where it was named before; only a work that uses nothing is as old as the first link to it."""
    rows = [
        ("f", "b", "2011"),
        ("a", "b", "2020"),
        ("a", "c", "2019"),
        ("b", "c", "2018"),
        ("d", "c", None),
        ("e", "d", "2017"),
    ]
    born = born_of(read(either("source target event_at", rows)))
    assert {name: day and day[:4] for name, day in born.items()} == {
        "a": "2019", "b": "2018", "c": "2018", "d": "2017", "e": "2017", "f": "2011",
    }  # fmt: skip


def test_dates_are_left_unread_if_asked(either: Any) -> None:
    path = either("source target event_at", [("a", "b", "rubbish")])
    found = read(path, dated=False)
    assert (found.born, found.counts.rejected) == (None, {})


# --- list of works ---------------------------------------------------------------------------------------------------


def test_a_list_of_works(either: Any, files: Files) -> None:
    links_ = either("source target", [("a", "b"), ("c", "b")])
    works = files.text("id,event_at\na,2020\nlonely,2019\na,2018\n,2017\nb,rubbish\nlonely,\nx,y,z\n", "works.csv")
    found = read(links_, works)
    assert ids_of(found) == ["a", "b", "c", "lonely"]
    assert {name: day and day[:4] for name, day in born_of(found).items()} == {
        "a": "2018", "b": None, "c": None, "lonely": "2019",
    }  # fmt: skip
    counts = found.counts
    assert (counts.rows, counts.links, counts.listed, counts.repeated, counts.unknown, counts.undated) == (
        2,
        2,
        3,
        2,
        1,
        2,
    )
    assert counts.rejected == {
        "list of works: no id": 1, "list of works: event_at cannot be read": 1,
        "list of works: another number of fields": 1,
    }  # fmt: skip
    assert found.rejects.rows() == [(7, None, None, "list of works: has 3 fields instead of 2")]


def test_the_date_in_the_list_is_the_work_s_own(either: Any, files: Files) -> None:
    links_ = either("source target event_at", [("a", "b", "2020"), ("c", "b", "2019")])
    born = born_of(read(links_, files.csv("id event_at", [("a", 2021), ("b", 2001)], "works.csv")))
    assert {name: day and day[:4] for name, day in born.items()} == {"a": "2021", "b": "2001", "c": "2019"}


@pytest.mark.parametrize("ids", [["1", "2", "9"], [1, 2, 9]])
def test_a_list_as_csv_and_links_as_parquet_or_the_other_way(ids: list[Any], files: Files) -> None:
    """A CSV file does not say whether its 7 is a number: it is what it is in the other file."""
    numbers = files.parquet({"source": [1, 2], "target": [2, 3]})
    works = files.csv("id", [(name,) for name in ids], "works.csv")
    assert ids_of(read(numbers, works)) == [1, 2, 3, 9]
    text = files.text("source,target\n1,2\n2,3\n")
    assert ids_of(read(text, files.parquet({"id": [1, 2, 9]}, "works.parquet"))) == [1, 2, 3, 9]


@pytest.mark.parametrize("name", ["007", "7.0", "seven", " 7", str(2**63)])
def test_a_text_among_integers_is_refused(name: str, files: Files) -> None:
    numbers = files.parquet({"source": [1, 2], "target": [2, 3]})
    with pytest.raises(EdgeListError, match=rf"works\.csv: id '{name}' is no integer, as other identifiers are"):
        read(numbers, files.text(f"id\n1\n{name}\n", "works.csv"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name\na\n", "there is no column 'id'; found: name"),
        ("id,id\na,b\n", "there are two columns 'id'"),
        ("id,event_at,event_at\na,1,1\n", "there are two columns 'event_at'"),
        ("", "there is no column 'id'; found: none"),
    ],
)
def test_a_list_that_cannot_be_used(content: str, words: str, files: Files) -> None:
    with pytest.raises(EdgeListError, match=rf"works\.csv: {words}"):
        read(files.text("source,target\na,b\n"), files.text(content, "works.csv"))


@pytest.mark.parametrize(("ids", "words"), [([1.0], "Float64; identifiers are"), ([1], "Int64 where other .* String")])
def test_a_list_of_other_identifiers(ids: list[Any], words: str, files: Files) -> None:
    with pytest.raises(EdgeListError, match=rf"works\.parquet: column 'id' is {words}"):
        read(files.parquet({"source": ["a"], "target": ["b"]}), files.parquet({"id": ids}, "works.parquet"))


def test_works_and_no_links(files: Files) -> None:
    empty = files.text("source,target\n")
    assert ids_of(read(empty, files.text("id\nonly\n", "works.csv"))) == ["only"]
    assert ids_of(read(empty, files.parquet({"id": [9, 3]}, "works.parquet"))) == [3, 9]
    assert ids_of(read(empty, files.text("id\n", "works.csv"))) == []


def test_more_works_than_fit_are_refused(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edgelist, "MOST_WORKS", 3)
    assert read(files.text("source,target\na,b\nb,c\n")).links.n == 3
    with pytest.raises(EdgeListError, match="4 works; at most 3 fit"):
        read(files.text("source,target\na,b\nc,d\n"))


# --- what is streamed ------------------------------------------------------------------------------------------------


def test_a_sorted_file_of_dense_integers_stays_on_disk(files: Files) -> None:
    path = files.parquet({"source": [1, 2, 2], "target": [0, 1, 0]})
    found = read(path)
    assert isinstance(found.links, Streamed)
    assert (found.ids, found.counts.rows, found.counts.links) == (None, 3, 3)


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        ({"source": [1, 2], "target": [0, 1]}, {"write_statistics": False}),
        ({"source": [1, None], "target": [0, 1]}, {}),
        ({"source": [1, 2], "target": [None, 1]}, {}),
        ({"source": [1, 2], "target": [-1, 1]}, {}),
        ({"source": [1, 2], "target": [0, 10**9]}, {}),  # numbers with large gaps
        ({"source": [1, 3, 2, 4], "target": [0, 0, 0, 0]}, {"row_group_size": 2}),  # row groups overlap
        ({"source": ["1", "2"], "target": ["0", "1"]}, {}),
        ({"source": [1, 2], "target": [0, 1], "relation": ["cites", "cites"]}, {}),
        ({"source": [1, 2], "target": [0, 1], "weight": [1.0, 2.0]}, {}),
        ({"source": [1, 2], "target": [0, 1], "event_at": [2020, 2021]}, {}),
        ({"source": pa.array([], pa.int64()), "target": pa.array([], pa.int64())}, {}),
    ],
)
def test_everything_else_is_read_into_memory(columns: Any, options: Any, files: Files) -> None:
    assert isinstance(read(files.parquet(columns, **options)).links, Held)


def test_a_list_of_works_dates_and_large_row_groups_are_read_too(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    path = files.parquet({"source": [1, 2], "target": [0, 1], "event_at": [2020, 2021]})
    assert isinstance(read(path, dated=False).links, Streamed)
    assert isinstance(read(path, files.parquet({"id": [1]}, "works.parquet"), dated=False).links, Held)
    monkeypatch.setattr(edgelist, "LARGEST_GROUP", 1)
    assert isinstance(read(path, dated=False).links, Held)


def test_how_far_a_file_is_against_time_is_seen(files: Files) -> None:
    newer = stream(files.parquet({"source": [1, 2, 3, 4], "target": [0, 1, 2, 5]}))
    assert newer is not None and (newer.backwards, newer.against) == (True, 0.25)
    older = stream(files.parquet({"source": [1, 2, 3, 4], "target": [4, 5, 6, 6]}))
    assert older is not None and (older.backwards, older.against) == (False, 0.0)


def test_works_at_the_edge_of_what_fits(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many works as fit are streamed; one more is read, and numbered anew."""
    monkeypatch.setattr(edgelist, "MOST_WORKS", 100)
    monkeypatch.setattr(links, "MOST_WORKS", 1 << 29)
    assert isinstance(read(files.parquet({"source": [99], "target": [0]})).links, Streamed)
    found = read(files.parquet({"source": [100], "target": [0]}))
    assert isinstance(found.links, Held) and ids_of(found) == [0, 100]


def test_rejects_can_be_joined_to_the_file(files: Files) -> None:
    """Row numbers are those of the data: row 1 is the first one below the header."""
    path = files.parquet({"source": ["a", None, "b", None], "target": ["x", "y", "z", "w"]})
    rows = pl.read_parquet(path).with_row_index("row", offset=1).with_columns(pl.col("row").cast(pl.Int64))
    joined = read(path).rejects.join(rows, on="row")
    assert joined["target"].to_list() == joined["target_right"].to_list() == ["y", "w"]
