"""The DuckDB file: complete, commented, portable, and never in anyone's way."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import duckdb
import pytest

from coevo_pipelines.lake import catalog
from coevo_pipelines.lake.assets import wrong_row_counts
from coevo_pipelines.lake.schemas import TABLES, table
from coevo_pipelines.lake.store import Lake, Snapshot
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.runs import CORPORA


def test_rows_are_those_of_the_partitions(sample: Settings) -> None:
    lake = Lake(sample.lake_root)
    with catalog.open_catalog(sample.lake_root / catalog.CATALOG) as connection:
        assert wrong_row_counts(connection) == []
        rows = connection.execute("SELECT count(*) FROM traces.works").fetchall()[0][0]
    assert rows == lake.scan("traces.works", upto=date(2019, 3, 27)).collect().height > 150


def test_every_table_and_column_is_commented(sample: Settings) -> None:
    tables_sql = "SELECT schema_name || '.' || table_name, comment FROM duckdb_tables()"
    bare_sql = "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND comment IS NULL"
    with catalog.open_catalog(sample.lake_root / catalog.CATALOG) as connection:
        tables = dict(connection.execute(tables_sql).fetchall())
        bare = connection.execute(bare_sql).fetchall()
    assert set(tables) == {*TABLES, *CORPORA, "lake.commits", "lake.about"}
    assert all(tables.values())
    assert bare == []


def test_it_works_from_anywhere_without_the_lake(sample: Settings, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere.duckdb"
    shutil.copy(sample.lake_root / catalog.CATALOG, moved)
    with duckdb.connect(str(moved), read_only=True) as connection:
        edges = connection.execute("SELECT count(*) FROM citations.edges").fetchall()[0][0]
        as_of = connection.execute("SELECT count(*) FROM citations.edges_as_of(DATE '2019-03-27')").fetchall()[0][0]
    assert edges == as_of > 100


def test_a_stub_of_one_day_is_resolved_as_of_a_later_one(sample: Settings) -> None:
    dataset = "hf:dataset/coevo-sample/ant-trail-maps"
    question = f"SELECT target_is_stub FROM citations.edges_as_of(?) WHERE target = '{dataset}'"
    with catalog.open_catalog(sample.lake_root / catalog.CATALOG) as connection:
        before = connection.execute(question, [date(2019, 3, 26)]).fetchall()
        after = connection.execute(question, [date(2019, 3, 27)]).fetchall()
        kinds = "SELECT kind, is_stub FROM citations.nodes_as_of(?) WHERE node_id = ?"
        named = connection.execute(kinds, [date(2019, 3, 26), dataset]).fetchall()
        found = connection.execute(kinds, [date(2019, 3, 27), dataset]).fetchall()
    assert (before, after) == ([(True,)], [(False,)])
    assert (named, found) == ([(None, True)], [("dataset", False)])


def test_it_says_which_world_it_holds(sample: Settings) -> None:
    with catalog.open_catalog(sample.lake_root / catalog.CATALOG) as connection:
        assert connection.execute("SELECT world FROM lake.about").fetchall() == [("sample",)]


def test_the_table_of_a_blueprint_may_begin_with_a_digit(lake: Lake) -> None:
    lake.write("corpora.7b_chat", date(2026, 1, 5), table("corpora.7b_chat").empty())
    with catalog.open_catalog(catalog.build(lake)) as connection:
        assert wrong_row_counts(connection) == []
        assert connection.execute('SELECT count(*) FROM corpora."7b_chat"').fetchall() == [(0,)]


def test_a_reader_keeps_its_view_while_the_catalog_is_replaced(lake: Lake) -> None:
    day = date(2026, 1, 5)
    lake.write("traces.works", day, TABLES["traces.works"].empty())
    path = catalog.build(lake)
    with catalog.open_catalog(path) as reader:
        before = reader.execute("SELECT count(*) FROM lake.commits").fetchall()
        lake.write("traces.works", date(2026, 1, 6), TABLES["traces.works"].empty())
        catalog.build(lake)
        assert reader.execute("SELECT count(*) FROM lake.commits").fetchall() == before == [(1,)]
    # DuckDB gives one process one view of a path for as long as a connection is open: look anew.
    with catalog.open_catalog(path) as reader:
        assert reader.execute("SELECT count(*) FROM lake.commits").fetchall() == [(2,)]


def test_a_commit_during_the_build_gives_a_catalog_of_one_moment(
    sample: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "lake"
    shutil.copytree(sample.lake_root, root, ignore=shutil.ignore_patterns(".dagster"))
    lake, other, day = Lake(root), Lake(root), date(2019, 3, 26)
    metrics = lake.scan("traces.metrics", on=day).drop("date").collect()
    builds, original = [], catalog._build_file

    def disturbed(snapshot: Snapshot, path: Path, world: str, tell: catalog.Tell) -> None:
        builds.append(path)
        if len(builds) <= 2:
            other.write("traces.metrics", day, metrics.head(len(builds)))
        original(snapshot, path, world, tell)

    monkeypatch.setattr(catalog, "_build_file", disturbed)
    with catalog.open_catalog(catalog.build(lake)) as connection:
        assert wrong_row_counts(connection) == []
    assert len(builds) == 3


def test_leftovers_of_a_killed_build_are_removed(lake: Lake) -> None:
    lake.root.mkdir()
    (lake.root / f".{catalog.CATALOG}.dead").write_bytes(b"half")
    (lake.root / f".{catalog.CATALOG}.dead.wal").write_bytes(b"half")
    catalog.build(lake)
    assert [path.name for path in lake.root.glob(f".{catalog.CATALOG}*")] == []


def test_without_a_catalog_the_way_out_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="coevo run"):
        catalog.open_catalog(tmp_path / catalog.CATALOG)
