"""Partition files: checked atomic writes and consistent scans."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from filelock import FileLock

from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.ledger import Commit, Index, Input, Ledger, canonical, file_sha256, sync_folder, write_durably
from coevo_pipelines.version import code_version

if TYPE_CHECKING:
    import polars as pl

ROW_GROUP = 122_880
RAW_ROW_GROUP = 64
"""Of raw exchanges, which hold whole bodies: whoever reads them holds one group at a time."""
PART = "part.parquet"
TEMPORARY = ".writing-"


class StaleInputs(RuntimeError):
    """Between reading and writing, another process committed a partition that this result depends on."""


class LakeError(RuntimeError):
    """The lake cannot take or give what was asked; the message names the thing and the way out."""


@dataclass(frozen=True)
class Snapshot:
    """Which partitions were committed at one moment, and the files to read for them.

    The files themselves may be replaced by a later commit of the same day: whoever computes from them gives
    `inputs` to `Lake.write`, which refuses the result when that has happened.

    Each `scan` and `files` call is remembered, so that `inputs` says exactly what a result was read from.
    """

    root: Path
    index: Index
    _read: dict[tuple[str, str, str], Input] = field(default_factory=dict)

    def files(self, table: str, *, upto: date | None = None, on: date | None = None) -> list[Path]:
        """Parquet files of the committed partitions, in order of date; exactly one of `upto`, `on`."""
        schemas.table(table)
        if (upto is None) == (on is None):
            raise ValueError("give either upto or on")
        day = (upto or on or date.min).isoformat()
        given = self.index.on(table, day) if on else self.index.upto(table, day)
        self._read[(given.table, given.scope, given.date)] = given
        return [self.root / commit.file for commit in self._covered(given)]

    def scan(self, table: str, *, upto: date | None = None, on: date | None = None) -> pl.LazyFrame:
        """The rows of those partitions, lazily, with the partition `date` as first column."""
        import polars as pl

        files = self.files(table, upto=upto, on=on)
        if not files:
            empty = schemas.table(table).empty().lazy()
            return empty.select(pl.lit(None, dtype=pl.Date).alias("date"), pl.all())
        rows = pl.scan_parquet(files, hive_partitioning=True, hive_schema={"date": pl.Date})
        return rows.select("date", pl.exclude("date"))

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What was read through this snapshot so far."""
        return tuple(self._read[key] for key in sorted(self._read))

    def observed_until(self) -> datetime | None:
        """The latest observation among the partitions read; None when nothing was read."""
        moments = [c.observed_until for given in self.inputs for c in self._covered(given) if c.observed_until]
        return datetime.fromisoformat(max(moments)) if moments else None

    def complete(self) -> bool:
        """True when every partition read says it is complete."""
        return all(c.complete for given in self.inputs for c in self._covered(given))

    def _covered(self, given: Input) -> Iterable[Commit]:
        for commit in self.index.partitions(given.table):
            if commit.date == given.date or (given.scope == "upto" and commit.date < given.date):
                yield commit


@dataclass(frozen=True)
class Written:
    """A partition after `Lake.write`: its ledger entry, and whether this call changed anything."""

    commit: Commit
    changed: bool


class Lake:
    """One lake on disk. Any number of processes may read and write it at the same time."""

    def __init__(self, root: Path, *, grace: timedelta = timedelta(hours=48), run_id: str = "") -> None:
        self.root = root
        self.grace = grace
        self.run_id = run_id
        self.ledger = Ledger(root)
        self._claim_file = root / "lake.json"

    @property
    def world(self) -> str:
        """`sample` or `live`; empty for a lake that nobody claimed."""
        return str(self._claimed().get("world", ""))

    def claim(self, **identity: str) -> None:
        """Fix what a lake may never change: its world, its first day, how far back that reaches.

        The first caller writes it; LakeError, naming what differs and the way out, for a later one that says
        otherwise. Sample and live must not mix, and a moved opening would hold the same facts twice.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with FileLock(self.root / ".claim.lock"):
            held = self._claimed()
            if not held:
                write_durably(self._claim_file, canonical(dict(identity)) + b"\n")
                return
        for name, value in identity.items():
            if held.get(name) != value:
                raise LakeError(
                    f"{self.root} was made with {name} = {held.get(name)} and the settings say {value}: "
                    "choose another folder with --lake or COEVO_LAKE"
                )

    def _claimed(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._claim_file.read_bytes()))
        except FileNotFoundError:
            return {}

    def path(self, table: str, day: date) -> Path:
        """Where the partition lies: `<root>/<stage>/<table>/date=YYYY-MM-DD/part.parquet`."""
        schema = schemas.table(table)
        return self.root / schema.stage / schema.short_name / f"date={day.isoformat()}" / PART

    def snapshot(self) -> Snapshot:
        """What is committed now. Later commits do not change the list."""
        return Snapshot(root=self.root, index=self.ledger.refresh().copy())

    def scan(self, table: str, *, upto: date | None = None, on: date | None = None) -> pl.LazyFrame:
        """`snapshot().scan(...)`, for readers that need one table only."""
        return self.snapshot().scan(table, upto=upto, on=on)

    def committed(self, table: str, day: date) -> Commit | None:
        """The ledger's latest entry for the partition, or None."""
        return self.ledger.refresh().get(table, day.isoformat())

    def is_current(self, commit: Commit) -> bool:
        """True when every input of `commit` is still what it was computed from."""
        index = self.ledger.refresh()
        return all(index.current(given) == given for given in commit.inputs)

    def write(
        self,
        table: str,
        day: date,
        frame: pl.DataFrame,
        *,
        inputs: Sequence[Input] = (),
        observed_until: datetime | None = None,
        complete: bool = True,
        note: str = "",
        replaces: Commit | Literal[False] | None = False,
    ) -> Written:
        """Check `frame` against the table's schema and commit it as the partition of `day`.

        The same bytes from the same inputs change nothing, but make a file whole again that was damaged since.
        `replaces` (for append-only tables) is the entry that the caller read and extended: another one by now raises
        StaleInputs, as does any of `inputs` that is no longer current; read again and retry then. Raises SchemaError
        for a frame that does not fit. After any error or a kill the old partition is still there, whole.
        """
        schema = schemas.table(table)
        frame = schemas.conform(schema, frame, f"date={day}")
        target = self.path(table, day)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"{TEMPORARY}{os.getpid()}-{uuid.uuid4().hex[:8]}.parquet")
        try:
            _write_parquet(frame, temporary, RAW_ROW_GROUP if schema.stage == "scrapes" else ROW_GROUP)
            draft = Commit(
                seq=0,
                table=table,
                date=day.isoformat(),
                file=target.relative_to(self.root).as_posix(),
                rows=frame.height,
                bytes=temporary.stat().st_size,
                sha256=file_sha256(temporary),
                schema=schema.fingerprint,
                complete=complete,
                observed_until=observed_until.isoformat() if observed_until else None,
                vintage=vintage(day, observed_until, self.grace),
                inputs=tuple(inputs),
                code_version=code_version(),
                run_id=self.run_id,
                committed_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                note=note,
            )
            with self.ledger.locked() as index:
                present = index.get(table, draft.date)
                if replaces is not False and present != replaces:
                    raise StaleInputs(f"{table} date={day}: changed while it was being extended")
                for given in inputs:
                    if index.current(given) != given:
                        raise StaleInputs(f"{table} date={day}: {given.table} changed while it was being read")
                if present is not None and present.content() == draft.content():
                    if not _is_whole(target, present):
                        temporary.replace(target)
                        sync_folder(target.parent)
                    return Written(present, changed=False)
                return Written(self.ledger.commit(draft, temporary), changed=True)
        finally:
            temporary.unlink(missing_ok=True)

    def repair(self) -> int:
        """Finish what a killed writer announced; remove temporary files of processes that are gone.

        Returns the number of files removed.
        """
        with self.ledger.locked():
            pass
        removed = 0
        for stage in schemas.STAGES:
            for leftover in (self.root / stage).glob(f"*/date=*/{TEMPORARY}*"):
                process = leftover.name.removeprefix(TEMPORARY).partition("-")[0]
                if not (process.isdigit() and _is_running(int(process))):
                    leftover.unlink(missing_ok=True)
                    removed += 1
        return removed


def vintage(day: date, observed_until: datetime | None, grace: timedelta) -> str:
    """`observed`: everything was seen by the day's end plus the grace period; else `reconstructed`."""
    if observed_until is None:
        return "reconstructed"
    end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    return "observed" if observed_until <= end + grace else "reconstructed"


def _is_whole(path: Path, commit: Commit) -> bool:
    return path.is_file() and path.stat().st_size == commit.bytes and file_sha256(path) == commit.sha256


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _write_parquet(frame: pl.DataFrame, path: Path, row_group: int) -> None:
    # Fixed compression and row groups: the bytes must depend on nothing but the rows.
    frame.write_parquet(path, compression="zstd", compression_level=3, row_group_size=row_group, statistics=True)
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
