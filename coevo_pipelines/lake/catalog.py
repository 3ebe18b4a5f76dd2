"""The DuckDB catalog: `coevo.duckdb`, a derived product of the committed partitions.

It is built in a temporary file, from the partitions of one moment, and swapped in with a rename, so that a
reader that holds the old file goes on reading it undisturbed and no reader ever sees half a catalog. The
rows are inside the file: it works from any directory, and it can be handed to someone else. Raw bodies stay
in Parquet.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.ledger import beside, sync_folder

if TYPE_CHECKING:
    import duckdb

    from coevo_pipelines.lake.store import Lake, Snapshot

CATALOG = "coevo.duckdb"
Tell = Callable[[int, int, str], None]
"""Tables done, of how many, the next one."""
UNLOCKED_TRIES = 4

COMMITS_COMMENTS = {
    "table_name": "table of the lake",
    "date": "partition",
    "rows": "rows in the partition",
    "bytes": "size of the Parquet file",
    "sha256": "sha256 of the Parquet file",
    "complete": "false: a source did not answer everything; the next run fills it",
    "vintage": "observed (all seen by the day's end plus the grace period) or reconstructed",
    "observed_until": "latest observation that went in",
    "code_version": "version of coevo_pipelines that wrote it",
    "run_id": "Dagster run that wrote it",
    "committed_at": "when it was committed",
    "note": "why it is incomplete, if it is",
    "seq": "entry in ledger/commits.jsonl",
    "file": "path inside the lake",
}

_WORLDS = {
    "sample": "the bundled sample, partly composed: not for citing",
    "live": "the live services",
    "synthetic": "made up for measuring: no work in it exists",
}

# The graph as it stands at the end of `day`: nodes that another one stands for are left out, the ends of edges
# replaced by what stands for them by then; links to targets that turned out to be more than 30 days newer are
# left out, and what became one link is counted once.
_MACROS = """
CREATE MACRO citations.resolved_as_of(day) AS TABLE
SELECT node_id, arg_max(resolved_id, date) AS resolved_id,
       arg_max(resolved_created_at, date) AS resolved_created_at,
       arg_max(kind, date) AS kind, arg_max(title, date) AS title
FROM citations.resolutions WHERE date <= day GROUP BY node_id;

CREATE MACRO citations.nodes_as_of(day) AS TABLE
SELECT n.node_id, n.node, n.is_stub AND r.resolved_created_at IS NULL AS is_stub,
       coalesce(r.kind, n.kind) AS kind, coalesce(r.title, n.title) AS title,
       coalesce(r.resolved_created_at, n.created_at) AS created_at
FROM citations.nodes n LEFT JOIN citations.resolved_as_of(day) r ON r.node_id = n.node_id
WHERE n.date <= day AND coalesce(r.resolved_id, n.node_id) = n.node_id;

CREATE MACRO citations.edges_as_of(day) AS TABLE
SELECT coalesce(s.resolved_id, e.source) AS source, coalesce(t.resolved_id, e.target) AS target, e.relation,
       -- A link within what became one work weighs 0; for owners and authors the day of listing counts.
       min(CASE WHEN coalesce(s.resolved_id, e.source) = coalesce(t.resolved_id, e.target) THEN 0 ELSE e.weight END)
           AS weight, min(e.event_at) AS event_at, min_by(e.evidence, e.event_at) AS evidence,
       bool_and(e.target_is_stub AND t.resolved_created_at IS NULL) AS target_is_stub
FROM citations.edges e
LEFT JOIN citations.resolved_as_of(day) s ON s.node_id = e.source
LEFT JOIN citations.resolved_as_of(day) t ON t.node_id = e.target
WHERE e.date <= day
  AND (t.resolved_created_at IS NULL OR t.resolved_created_at <= e.event_at + INTERVAL 30 DAY)
GROUP BY ALL;
"""


def build(lake: Lake, tell: Tell = lambda *_: None) -> Path:
    """Build the catalog from the lake as committed now and swap it in; returns its path.

    One build at a time over all processes; a reader never waits for it.
    """
    target = lake.root / CATALOG
    lake.root.mkdir(parents=True, exist_ok=True)
    with FileLock(lake.root / ".catalog.lock"):
        for leftover in lake.root.glob(f".{CATALOG}.*"):
            leftover.unlink()
        with beside(target) as temporary:
            _build_undisturbed(lake, temporary, tell)
            with temporary.open("rb") as stream:
                os.fsync(stream.fileno())
            temporary.replace(target)
            sync_folder(lake.root)
    return target


def open_catalog(path: Path) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the catalog; FileNotFoundError with the way out when there is none."""
    import duckdb

    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: run `coevo run` or `coevo catalog` first")
    return duckdb.connect(str(path), read_only=True)


def _build_undisturbed(lake: Lake, path: Path, tell: Tell) -> None:
    """Build until nothing was committed meanwhile; in the end, keep writers out while building."""
    import duckdb

    for _ in range(UNLOCKED_TRIES):
        path.unlink(missing_ok=True)
        snapshot = lake.snapshot()
        try:
            _build_file(snapshot, path, lake.world, tell)
        except duckdb.Error:
            if _same(snapshot, lake.snapshot()):
                raise
        else:
            if _same(snapshot, lake.snapshot()):
                return
    path.unlink(missing_ok=True)
    with lake.ledger.locked():
        _build_file(lake.snapshot(), path, lake.world, tell)


def _same(one: Snapshot, other: Snapshot) -> bool:
    """True when both list the same commits."""

    def hashes(snapshot: Snapshot) -> list[str]:
        return [commit.hash for table in snapshot.index.tables for commit in snapshot.index.partitions(table)]

    return hashes(one) == hashes(other)


def _build_file(snapshot: Snapshot, path: Path, world: str, tell: Tell) -> None:
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for stage in schemas.STAGES:
            connection.execute(f"CREATE SCHEMA {stage}")
        every = schemas.tables(snapshot.index.tables)
        for done, schema in enumerate(every):
            tell(done, len(every), schema.name)
            _build_table(connection, snapshot, schema)
        connection.execute(_MACROS)
        _build_commits(connection, snapshot)
        _build_about(connection, world)


def _build_table(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, schema: schemas.Table) -> None:
    kept = [column for column in schema.columns if column.name not in schema.not_in_catalog]
    name = schema.in_sql
    columns = ", ".join(f'"{c.name}" {schemas.DUCKDB_TYPES[c.type]}{"" if c.nullable else " NOT NULL"}' for c in kept)
    connection.execute(f"CREATE TABLE {name} (date DATE NOT NULL, {columns})")
    files = [str(snapshot.root / commit.file) for commit in snapshot.index.partitions(schema.name)]
    if files:
        names = ", ".join(f'"{c.name}"' for c in kept)
        connection.execute(
            f"INSERT INTO {name} BY NAME SELECT date, {names} "
            "FROM read_parquet($files, hive_partitioning = true, hive_types = {'date': DATE}) "
            f"ORDER BY date, {', '.join(schema.key)}",
            {"files": files},
        )
    connection.execute(f"COMMENT ON TABLE {name} IS {_text(schema.description)}")
    connection.execute(f"COMMENT ON COLUMN {name}.date IS 'partition: the UTC day of event_at'")
    for column in kept:
        connection.execute(f'COMMENT ON COLUMN {name}."{column.name}" IS {_text(column.description)}')


def _build_commits(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> None:
    connection.execute("CREATE SCHEMA lake")
    connection.execute(
        """CREATE TABLE lake.commits (table_name VARCHAR, date DATE, rows BIGINT, bytes BIGINT, sha256 VARCHAR,
        complete BOOLEAN, vintage VARCHAR, observed_until TIMESTAMPTZ, code_version VARCHAR, run_id VARCHAR,
        committed_at TIMESTAMPTZ, note VARCHAR, seq BIGINT, file VARCHAR)"""
    )
    rows = [
        (c.table, c.day, c.rows, c.bytes, c.sha256, c.complete, c.vintage, c.observed_until, c.code_version,
         c.run_id, c.committed_at, c.note, c.seq, c.file)
        for name in snapshot.index.tables
        for c in snapshot.index.partitions(name)
    ]  # fmt: skip
    if rows:
        connection.executemany(f"INSERT INTO lake.commits VALUES ({', '.join('?' * 14)})", rows)
    connection.execute("COMMENT ON TABLE lake.commits IS 'The current partition of each table and day.'")
    for name, comment in COMMITS_COMMENTS.items():
        connection.execute(f"COMMENT ON COLUMN lake.commits.{name} IS {_text(comment)}")


def _build_about(connection: duckdb.DuckDBPyConnection, world: str) -> None:
    """Whoever is handed the file must see what it holds."""
    note = _WORLDS.get(world, "unknown: nobody claimed the lake")
    connection.execute("CREATE TABLE lake.about (world VARCHAR, note VARCHAR)")
    connection.execute("INSERT INTO lake.about VALUES (?, ?)", [world, note])
    connection.execute("COMMENT ON TABLE lake.about IS 'Which world the lake holds.'")
    connection.execute("COMMENT ON COLUMN lake.about.world IS 'sample, live or synthetic'")
    connection.execute("COMMENT ON COLUMN lake.about.note IS 'what that means'")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
