"""Where relational expressions run: embedded DuckDB, or a Spark Connect server (Sail, Spark).

Both read the lake's Parquet files themselves, run the same Ibis expressions and give the same frames. What one
of them does its own way (types, temporary results, partition columns) is settled here and nowhere else.
"""

from __future__ import annotations

import re
import shutil
import socket
import sys
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, urlsplit

from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.store import LakeError, Snapshot, StaleInputs

if TYPE_CHECKING:
    import polars as pl

DUCKDB = "duckdb"
SCRATCH = "scratch"
"""Folder of the lake for what a Spark server computed once; one folder a computation, removed with it."""
CONNECT_TIMEOUT_S = 10.0
_ABANDONED_S = 2 * 24 * 3600
_FORM = "write duckdb, or spark://host:port, or spark://host:port?lake=<the lake's folder as the server sees it>"


class EngineError(LakeError):
    """The engine cannot be used; the message says which, why and the way out."""


@dataclass(frozen=True)
class Address:
    """A Spark Connect server, and the lake's folder as it sees it (None: by the same path as here)."""

    host: str
    port: int
    lake: str | None = None

    @property
    def place(self) -> str:
        """`host:port`, as in an address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"spark://{self.place}"


def address(where: str) -> Address | None:
    """The server that the setting `engine` names; None for DuckDB. EngineError when it is neither."""
    if where == DUCKDB:
        return None
    parts = urlsplit(where)
    with suppress(ValueError):  # a port that is no number, a query of another form
        asked = parse_qs(parts.query, keep_blank_values=True, strict_parsing=True) if parts.query else {}
        plain = parts.scheme == "spark" and parts.path in ("", "/") and not parts.fragment and "@" not in parts.netloc
        if plain and parts.hostname and parts.port and asked.keys() <= {"lake"} and asked.get("lake") != [""]:
            return Address(parts.hostname, parts.port, asked["lake"][0].rstrip("/") if asked else None)
    raise EngineError(f"engine = {where!r} names no engine: {_FORM}")


class Engine:
    """The lake's tables as Ibis tables, and what is made of them.

    One for each computation: it frees what it kept when it is closed. `where` is the setting `engine`. Raises
    EngineError when it cannot be used.
    """

    def __init__(self, snapshot: Snapshot, where: str = DUCKDB) -> None:
        self.snapshot = snapshot
        server = address(where)
        self._place: _Place = _DuckDB() if server is None else _Spark(server, snapshot.root)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self._place.close()

    def table(self, name: str, *, upto: date | None = None, on: date | None = None) -> Any:
        """Ibis table of the committed partitions, with the partition `date`.

        Raises StaleInputs when a server reads another number of rows than were committed.
        """
        import polars as pl

        files = self.snapshot.files(name, upto=upto, on=on)
        if files:
            rows = {commit.date: commit.rows for commit in self.snapshot.index.partitions(name)}
            return self._place.read(files, {day: rows[day] for day in map(_partition, files)})
        return self.put(schemas.table(name).empty().with_columns(date=pl.lit(None, dtype=pl.Date)))

    def put(self, frame: pl.DataFrame) -> Any:
        """The frame as a table of the engine."""
        return self._place.put(frame)

    def keep(self, expression: Any) -> Any:
        """The expression computed once, as a temporary table: for what several others build on."""
        return self._place.keep(expression)

    def frame(self, expression: Any) -> pl.DataFrame:
        """The rows of an expression, in no particular order."""
        import polars as pl

        return pl.DataFrame(pl.from_arrow(self._place.rows(expression)))

    def count(self, expression: Any) -> int:
        """How many rows an expression has."""
        return int(self._place.rows(expression.aggregate(rows=expression.count())).column("rows")[0].as_py())


class _Place(Protocol):
    """What `Engine` needs of a backend."""

    def read(self, files: list[Path], rows: dict[str, int]) -> Any:
        """One table's partition files, whose rows are known by date, as a table with `date`."""

    def put(self, frame: pl.DataFrame) -> Any: ...

    def keep(self, expression: Any) -> Any: ...

    def rows(self, expression: Any) -> Any:
        """As an Arrow table."""

    def close(self) -> None: ...


class _DuckDB:
    """Embedded, in memory."""

    def __init__(self) -> None:
        import ibis

        self.backend: Any = ibis.duckdb.connect()
        self.backend.raw_sql("SET TimeZone = 'UTC'")
        self._names = 0

    def read(self, files: list[Path], rows: dict[str, int]) -> Any:  # noqa: ARG002
        return self.backend.read_parquet([str(file) for file in files], hive_partitioning=True)

    def put(self, frame: pl.DataFrame) -> Any:
        import ibis

        return self.backend.create_table(self._name(), ibis.memtable(frame), temp=True)

    def keep(self, expression: Any) -> Any:
        name = self._name()
        self.backend.con.execute(f"CREATE TEMP TABLE {name} AS {self._query(expression)}")
        return self.backend.table(name)

    def rows(self, expression: Any) -> Any:
        # Straight from DuckDB: Ibis's own way imports pandas, 1.3 s measured.
        return self.backend.con.sql(self._query(expression)).to_arrow_table()

    def close(self) -> None:
        self.backend.disconnect()

    def _query(self, expression: Any) -> str:
        query: str = self.backend.compile(expression)
        # DuckDB sums into 128 bits where Ibis has 64: what does not fit is an error.
        casts = [f'CAST("{name}" AS BIGINT) AS "{name}"' for name in _int64(expression)]
        return f"SELECT * REPLACE ({', '.join(casts)}) FROM ({query})" if casts else query

    def _name(self) -> str:
        self._names += 1
        return f"kept_{self._names}"


class _Spark:
    """A server elsewhere that sees the lake's files."""

    def __init__(self, server: Address, root: Path) -> None:
        self.server = server
        self.session = _session(server)
        import ibis

        self.backend: Any = ibis.pyspark.connect(self.session)
        self._root = root
        self._seen = server.lake or root.as_uri()
        self._run = uuid.uuid4().hex
        self._names = 0
        _remove_abandoned(root / SCRATCH)

    def read(self, files: list[Path], rows: dict[str, int]) -> Any:
        import pyspark.sql.functions as f

        table = files[0].parent.parent.relative_to(self._root).as_posix()
        # By its folder, since only then is the date in the path a column; Sail makes text of it.
        found = self.session.read.parquet(f"{self._seen}/{table}")
        read = 0
        if "date" in found.columns:
            found = found.withColumn("date", f.col("date").cast("date"))
            found = found.filter(f.col("date").isin([date.fromisoformat(day) for day in rows]))
            read = found.count()
        # A folder that a server does not see is an empty one to Sail, and a copy may be behind.
        if read != (committed := sum(rows.values())):
            raise StaleInputs(
                f"{table}: {self.server} reads {read:,} rows of {self._seen}/{table}, {committed:,} are committed: it "
                "changed meanwhile, or the server sees another folder or copy (engine = spark://host:port?lake=...)"
            )
        return self._named(found)

    def put(self, frame: pl.DataFrame) -> Any:
        from pyspark.sql.pandas.types import from_arrow_schema

        rows = frame.to_arrow()
        # With the schema: from no rows the client makes none.
        return self._stored(self.session.createDataFrame(rows, from_arrow_schema(rows.schema)))

    def keep(self, expression: Any) -> Any:
        return self._stored(self._query(expression))

    def rows(self, expression: Any) -> Any:
        return self._query(expression).toArrow()

    def close(self) -> None:
        with suppress(Exception):  # a server that is gone has closed it; the error that closed it must come through
            self.session.stop()
        # Where the server sees the lake elsewhere, this is the same folder under its name here, if any.
        shutil.rmtree(self._root / SCRATCH / self._run, ignore_errors=True)
        with suppress(OSError):  # another computation's folder is in it
            (self._root / SCRATCH).rmdir()

    def _query(self, expression: Any) -> Any:
        rows = self.session.sql(self.backend.compile(expression))
        # Spark numbers rows in 32 bits where Ibis has 64.
        casts = {name: rows[name].cast("bigint") for name in _int64(expression)}
        return rows.withColumns(casts) if casts else rows

    def _stored(self, rows: Any) -> Any:
        """Written out and read back: a view would be computed again at each use, and Sail keeps no cache."""
        self._names += 1
        path = f"{self._seen}/{SCRATCH}/{self._run}/{self._names}"
        schema = rows.schema
        # Sail keeps the two widths of lists that files may have apart where Spark knows but one; a cast ends it.
        lists = {c.name: rows[c.name].cast(c.dataType) for c in schema if c.dataType.typeName() == "array"}
        (rows.withColumns(lists) if lists else rows).write.parquet(path)
        # With the schema: an empty result may leave no file to read it from.
        return self._named(self.session.read.schema(schema).parquet(path))

    def _named(self, rows: Any) -> Any:
        name = f"t_{uuid.uuid4().hex}"
        rows.createOrReplaceTempView(name)
        return self.backend.table(name)


def _session(server: Address) -> Any:
    """A session of its own on the server; EngineError when it does not answer or pyspark is missing."""
    try:
        with warnings.catch_warnings(), _main_with_a_file():
            # pyspark says of a pandas that is not used here that it is too new for it.
            warnings.simplefilter("ignore", FutureWarning)
            import grpc
            import ibis.backends.pyspark  # noqa: F401
            from pyspark.sql.connect.session import SparkSession
    except ImportError as error:
        raise EngineError(f'{server} needs what is not installed: pip install "coevo_pipelines[spark]"') from error
    try:
        # First bare connections: the client itself would go on trying for minutes.
        socket.create_connection((server.host, server.port), CONNECT_TIMEOUT_S).close()
        with grpc.insecure_channel(server.place) as channel:
            grpc.channel_ready_future(channel).result(timeout=CONNECT_TIMEOUT_S)
    except (OSError, grpc.FutureTimeoutError) as error:
        raise EngineError(
            f"{server} does not answer ({str(error) or f'silent for {CONNECT_TIMEOUT_S:g} s'}): start a server there "
            "(docs/how-to/cluster.md), or set engine = duckdb"
        ) from error
    return SparkSession.builder.remote(f"sc://{server.place}").create()


@contextmanager
def _main_with_a_file() -> Iterator[None]:
    """For the import of pyspark: it takes a main module without a file (`python -c`, and so the workers of other
    programs) for its own doctests, and exits the process when Spark's sources are not there (4.2)."""
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):
        yield
        return
    main.__file__ = "-c"
    try:
        yield
    finally:
        del main.__file__


def _int64(expression: Any) -> list[str]:
    return [name for name, dtype in expression.schema().items() if dtype.is_int64()]


def _partition(file: Path) -> str:
    return re.sub(r"^date=", "", file.parent.name)


def _remove_abandoned(folder: Path) -> None:
    """What computations left that were killed."""
    for left in folder.glob("*"):
        with suppress(OSError):
            if left.stat().st_mtime < time.time() - _ABANDONED_S:
                shutil.rmtree(left, ignore_errors=True)
