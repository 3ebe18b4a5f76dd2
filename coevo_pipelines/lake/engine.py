"""Where relational expressions run: embedded DuckDB, in memory, reading the lake's Parquet files."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.store import Snapshot

if TYPE_CHECKING:
    import polars as pl


class Engine:
    """An Ibis backend with the lake's tables. One for each computation: close it to free its memory."""

    def __init__(self, snapshot: Snapshot) -> None:
        import ibis

        self.snapshot = snapshot
        self.backend: Any = ibis.duckdb.connect()
        self.backend.raw_sql("SET TimeZone = 'UTC'")
        self._names = 0

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.backend.disconnect()

    def table(self, name: str, *, upto: date | None = None, on: date | None = None) -> Any:
        """Ibis table of the committed partitions, with the partition `date`."""
        files = self.snapshot.files(name, upto=upto, on=on)
        if files:
            return self.backend.read_parquet([str(file) for file in files], hive_partitioning=True)
        import polars as pl

        return self.put(schemas.table(name).empty().with_columns(date=pl.lit(None, dtype=pl.Date)))

    def put(self, frame: pl.DataFrame) -> Any:
        """The frame as a table of the engine."""
        import ibis

        return self.keep(ibis.memtable(frame))

    def keep(self, expression: Any) -> Any:
        """The expression computed once, as a temporary table: for what several others build on."""
        self._names += 1
        return self.backend.create_table(f"kept_{self._names}", expression, temp=True)

    def frame(self, expression: Any) -> pl.DataFrame:
        """The rows of an expression. Straight from DuckDB: Ibis's own way imports pandas, 1.3 s measured."""
        import polars as pl

        rows = self.backend.con.sql(self.backend.compile(expression)).to_arrow_table()
        frame = pl.DataFrame(pl.from_arrow(rows))
        # DuckDB sums into 128 bits, which Ibis holds for 64: what does not fit in those is an error here.
        whole = [name for name, dtype in expression.schema().items() if dtype.is_int64()]
        return frame.with_columns(pl.col(whole).cast(pl.Int64))

    def count(self, expression: Any) -> int:
        """How many rows an expression has."""
        return int(self.backend.raw_sql(self.backend.compile(expression.count())).fetchall()[0][0])
