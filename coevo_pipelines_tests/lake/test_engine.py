"""Where expressions run: the address, what comes of a server that is not there or sees something else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import ibis
import polars as pl
import pytest
from ibis import _
from polars.testing import assert_frame_equal

from coevo_pipelines.lake import engine as engines
from coevo_pipelines.lake.engine import DUCKDB, SCRATCH, Address, Engine, EngineError, address
from coevo_pipelines.lake.schemas import TABLES
from coevo_pipelines.lake.store import Lake, LakeError, StaleInputs
from coevo_pipelines_tests.citations.sail import sail

__all__ = ["sail"]

DAY = date(2026, 1, 5)
ALIASES = "citations.aliases"


@pytest.fixture(params=["duckdb", "sail"])
def where(request: pytest.FixtureRequest) -> str:
    return DUCKDB if request.param == "duckdb" else str(request.getfixturevalue("sail"))


def aliases(*ids: str) -> pl.DataFrame:
    return pl.DataFrame({"id": ids, "node_id": [f"node of {one}" for one in ids]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("duckdb", None),
        ("spark://localhost:50051", Address("localhost", 50051)),
        ("spark://10.0.0.7:15002/", Address("10.0.0.7", 15002)),
        ("spark://[::1]:15002", Address("::1", 15002)),
        ("spark://h:1?lake=s3://bucket/lake/", Address("h", 1, "s3://bucket/lake")),
    ],
)
def test_an_address(text: str, expected: Address | None) -> None:
    found = address(text)
    assert found == expected
    assert found is None or text.startswith(str(found))


@pytest.mark.parametrize(
    "text",
    [
        "", "spark", "DuckDB", "sc://localhost:1", "spark://", "spark://localhost", "spark://:1", "spark://h:port",
        "spark://h:70000", "spark://h:1/lake", "spark://h:1?lake", "spark://h:1?lake=", "spark://h:1?root=/x",
        "spark://h:1?lake=/x&token=t", "spark://user:secret@h:1", "spark://h:1#x",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(EngineError, match=r"names no engine: write duckdb, or spark://host:port"):
        address(text)


def test_nobody_answers(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that refuses, and one that takes the connection and stays silent."""
    monkeypatch.setattr(engines, "CONNECT_TIMEOUT_S", 0.5)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        for why in ("refused", r"silent for 0\.5 s"):
            started = time.monotonic()
            with pytest.raises(EngineError, match=rf"spark://127\.0\.0\.1:{port} does not answer \(.*{why}\)"):
                Engine(lake.snapshot(), f"spark://127.0.0.1:{port}")
            assert time.monotonic() - started < 10
            deaf.listen()


def test_without_the_extra_the_message_says_what_to_install(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ibis.backends.pyspark", None)
    with pytest.raises(LakeError, match=r'pip install "coevo_pipelines\[spark\]"'):
        Engine(lake.snapshot(), "spark://localhost:1")


def test_duckdb_imports_nothing_of_spark(tmp_path: Path) -> None:
    """Importing pyspark and pandas takes seconds."""
    code = (
        "import sys; from pathlib import Path; from coevo_pipelines.lake.engine import Engine;"
        "from coevo_pipelines.lake.store import Lake;"
        "engine = Engine(Lake(Path(sys.argv[1])).snapshot()).__enter__();"
        "engine.frame(engine.table('citations.aliases', upto=__import__('datetime').date(2026, 1, 1)));"
        "print([name for name in ('pyspark', 'grpc', 'pandas') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_table_is_its_committed_partitions(lake: Lake, where: str) -> None:
    for offset, names in enumerate([("a", "b"), (), ("c",)]):
        lake.write(ALIASES, DAY + timedelta(offset), aliases(*names))
    snapshot = lake.snapshot()
    lake.write(ALIASES, DAY + timedelta(3), aliases("later"))
    lake.path(ALIASES, DAY).with_name(".writing-1-x.parquet").write_bytes(b"half")
    with Engine(snapshot, where) as engine:
        upto, on = (engine.table(ALIASES, **{scope: DAY + timedelta(2)}) for scope in ("upto", "on"))
        rows = engine.frame(upto.select("date", "id")).sort("id").rows()
        assert rows == [(DAY, "a"), (DAY, "b"), (DAY + timedelta(2), "c")]
        assert engine.frame(on.select("id", "node_id")).rows() == [("c", "node of c")]
        assert engine.count(engine.table(ALIASES, upto=DAY + timedelta(9))) == 3
        empty = engine.frame(engine.table(ALIASES, upto=DAY - timedelta(1)))
        assert dict(empty.schema) == {**TABLES[ALIASES].polars_schema(), "date": pl.Date}
    assert {(given.table, given.scope) for given in snapshot.inputs} == {(ALIASES, "upto"), (ALIASES, "on")}


EVERY_TYPE = pl.DataFrame(
    {
        "text": ["é", "", None],
        "number": [2**62, -1, None],
        "flag": [True, False, None],
        "real": [0.1, -0.0, None],
        "at": [datetime(2026, 1, 5, 23, 59, 59, 999_999, tzinfo=UTC), datetime(1901, 1, 1, tzinfo=UTC), None],
        "bytes": [b"\x00\xff", b"", None],
        "list": [["b", "a"], [], None],
        "day": [DAY, date(1901, 1, 1), None],
    },
    schema_overrides={"at": pl.Datetime("us", "UTC"), "number": pl.Int64, "list": pl.List(pl.String)},
)


@pytest.mark.parametrize("rows", [3, 0])
def test_what_is_put_comes_back(lake: Lake, where: str, rows: int) -> None:
    given = EVERY_TYPE.head(rows)
    with Engine(lake.snapshot(), where) as engine:
        table = engine.put(given)
        for found in (table, engine.keep(table), engine.keep(engine.keep(table).filter(_.number.isnull() | True))):
            assert_frame_equal(engine.frame(found), given, check_row_order=False, check_exact=True)
            assert engine.count(found) == rows


def test_whole_numbers_have_sixty_four_bits(lake: Lake, where: str) -> None:
    """DuckDB adds in 128, Spark numbers rows in 32; kept or not, it comes out the same."""
    with Engine(lake.snapshot(), where) as engine:
        table = engine.put(pl.DataFrame({"key": ["a", "a", "b"], "n": [2**61, 2**61, 5]}))
        sums = table.group_by("key").agg(n=_.n.sum(), count=_.count())
        places = table.mutate(place=ibis.row_number().over(order_by=[_.key, _.n])).select("place")
        for sum_, place in ((sums, places), (engine.keep(sums), engine.keep(places))):
            frame = engine.frame(sum_).sort("key")
            assert frame.rows() == [("a", 2**62, 2), ("b", 5, 1)]
            assert frame.schema == {"key": pl.String, "n": pl.Int64, "count": pl.Int64}
            assert engine.frame(place).sort("place")["place"].to_list() == [0, 1, 2]
            assert engine.frame(place).schema == {"place": pl.Int64}


def test_a_sum_beyond_sixty_four_bits_is_an_error(lake: Lake) -> None:
    """On DuckDB. Spark says so too; Sail 0.7 starts again from below."""
    with Engine(lake.snapshot()) as engine:
        over = engine.put(pl.DataFrame({"n": [2**62, 2**62]}))
        with pytest.raises(Exception, match="out of range"):
            engine.frame(over.agg(n=_.n.sum()))


def test_what_is_kept_is_computed_once(lake: Lake, where: str) -> None:
    with Engine(lake.snapshot(), where) as engine:
        table = engine.put(pl.DataFrame({"n": range(100)}))
        drawn = engine.keep(table.mutate(random=ibis.random()))
        assert_frame_equal(engine.frame(drawn).sort("n"), engine.frame(drawn).sort("n"))


def test_nothing_is_left_in_the_lake(lake: Lake, sail: str) -> None:
    abandoned, others = lake.root / SCRATCH / "killed", lake.root / SCRATCH / "running"
    for folder in (abandoned, others):
        folder.mkdir(parents=True)
    os.utime(abandoned, (0, 0))
    with Engine(lake.snapshot(), sail) as engine:
        engine.keep(engine.put(pl.DataFrame({"n": [1]})))
        assert len(list((lake.root / SCRATCH).iterdir())) == 2  # its own and what runs beside it
    assert list((lake.root / SCRATCH).iterdir()) == [others]
    others.rmdir()
    with pytest.raises(ValueError, match="given up"), Engine(lake.snapshot(), sail) as engine:
        engine.put(pl.DataFrame({"n": [1]}))
        raise ValueError("given up")
    assert not (lake.root / SCRATCH).exists()


def test_a_server_that_sees_another_lake_is_found_out(lake: Lake, sail: str, tmp_path: Path) -> None:
    """Sail takes a folder that is not there for an empty one; a copy may be behind."""
    lake.write(ALIASES, DAY, aliases("a", "b"))
    snapshot = lake.snapshot()
    copy = Lake(tmp_path / "copy")
    with (
        Engine(snapshot, f"{sail}?lake={copy.root}") as engine,
        pytest.raises(StaleInputs, match=r"reads 0 rows of .*/citations/aliases, 2 are committed"),
    ):
        engine.table(ALIASES, upto=DAY)
    copy.write(ALIASES, DAY, aliases("a", "b"))
    with Engine(snapshot, f"{sail}?lake={copy.root}") as engine:
        assert engine.count(engine.keep(engine.table(ALIASES, upto=DAY))) == 2


def test_two_engines_at_once_do_not_meet(lake: Lake, sail: str) -> None:
    with Engine(lake.snapshot(), sail) as one, Engine(lake.snapshot(), sail) as other:
        first, second = one.put(pl.DataFrame({"n": [1]})), other.put(pl.DataFrame({"n": [2]}))
        assert (one.frame(first)["n"].to_list(), other.frame(second)["n"].to_list()) == ([1], [2])
