"""The commit ledger: one hash-chained JSON line for each partition written, append-only.

An entry says what was written (table, date, rows, bytes, sha256, schema), by what (code version, run) and
from what: for each input the digest of the partitions read. The entry's `hash` covers all of it and the
previous entry's hash, so a changed line anywhere breaks the chain from there on.

Crash safety is a write-ahead note. Under the ledger's lock a writer (1) writes `pending.json` with the
complete entry, (2) moves the data file into place, (3) appends the entry, (4) removes the note. Whoever
takes the lock next finishes or discards what a killed writer left: if the data file is the announced one,
the entry is appended; if not, the note is void. So a reader never sees a file that no entry vouches for.
"""

from __future__ import annotations

import bisect
import datetime as dt
import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

GENESIS = "0" * 64


class LedgerError(RuntimeError):
    """The ledger itself does not add up; the message names the entry."""


@dataclass(frozen=True)
class Input:
    """Partitions of `table` that a result was computed from.

    scope `on`: the partition of `date`; `sha256` is its digest. scope `upto`: all partitions dated `date`
    or earlier; `sha256` chains their `<date> <sha256>` lines in order of date (see `Index.upto`), so one
    digest stands for any number of partitions. None: there was no partition.
    """

    table: str
    scope: Literal["on", "upto"]
    date: str
    partitions: int
    sha256: str | None


@dataclass(frozen=True)
class Commit:
    """One entry of the ledger."""

    seq: int
    table: str
    date: str
    file: str
    rows: int
    bytes: int
    sha256: str
    schema: str
    complete: bool
    observed_until: str | None
    vintage: str
    inputs: tuple[Input, ...]
    code_version: str
    run_id: str
    committed_at: str
    note: str = ""
    prev: str = GENESIS
    hash: str = field(default="", compare=False)

    @property
    def day(self) -> dt.date:
        return dt.date.fromisoformat(self.date)

    def content(self) -> tuple[Any, ...]:
        """What makes two commits of a partition the same result, whenever and by whom it was made."""
        return (self.sha256, self.schema, self.complete, self.observed_until, self.vintage, self.inputs, self.note)


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(record: dict[str, Any]) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8."""
    return _CANONICAL.encode(record).encode()


def seal(commit: Commit) -> Commit:
    """The commit with its hash: sha256 of the canonical JSON of all other fields."""
    record = asdict(commit)
    del record["hash"]
    return replace(commit, hash=hashlib.sha256(canonical(record)).hexdigest())


def parse_line(line: bytes, number: int) -> Commit:
    """One ledger line; LedgerError naming the line when it is damaged or its hash is wrong."""
    try:
        record = json.loads(line)
        found = record.pop("hash")
        expected = hashlib.sha256(canonical(record)).hexdigest()
        record["inputs"] = tuple(Input(**given) for given in record["inputs"])
        commit = Commit(**record, hash=found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LedgerError(f"ledger line {number}: not a ledger entry ({error})") from error
    if found != expected:
        raise LedgerError(
            f"ledger line {number} ({commit.table} date={commit.date}): hash expected {expected}, found {commit.hash}"
        )
    return commit


class Index:
    """The committed partitions as of some entry, and digests of their ranges."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, Commit]] = {}
        self._dates: dict[str, list[str]] = {}
        self._chains: dict[str, list[str]] = {}

    def apply(self, commit: Commit) -> None:
        partitions = self._tables.setdefault(commit.table, {})
        dates = self._dates.setdefault(commit.table, [])
        position = bisect.bisect_left(dates, commit.date)
        if commit.date not in partitions:
            dates.insert(position, commit.date)
        partitions[commit.date] = commit
        # Digests of later prefixes no longer hold; those of earlier ones do.
        del self._chains.setdefault(commit.table, [])[position:]

    def copy(self) -> Index:
        """A copy that later commits do not change."""
        twin = Index()
        twin._tables = {table: dict(partitions) for table, partitions in self._tables.items()}
        twin._dates = {table: list(dates) for table, dates in self._dates.items()}
        twin._chains = {table: list(chain) for table, chain in self._chains.items()}
        return twin

    def get(self, table: str, day: str) -> Commit | None:
        return self._tables.get(table, {}).get(day)

    def partitions(self, table: str) -> list[Commit]:
        """Committed partitions of `table` in order of date."""
        return [self._tables[table][day] for day in self._dates.get(table, ())]

    @property
    def tables(self) -> list[str]:
        return sorted(self._tables)

    def on(self, table: str, day: str) -> Input:
        """The partition of `day`, as an input."""
        commit = self.get(table, day)
        return Input(table, "on", day, int(commit is not None), commit.sha256 if commit else None)

    def upto(self, table: str, day: str) -> Input:
        """All partitions of `table` dated `day` or earlier, as an input."""
        count = bisect.bisect_right(self._dates.get(table, []), day)
        return Input(table, "upto", day, count, self._chain(table, count))

    def current(self, given: Input) -> Input:
        """What `given` would be if it were read now."""
        return (self.on if given.scope == "on" else self.upto)(given.table, given.date)

    def _chain(self, table: str, count: int) -> str | None:
        if not count:
            return None
        chain = self._chains.setdefault(table, [])
        dates, partitions = self._dates[table], self._tables[table]
        while len(chain) < count:
            day = dates[len(chain)]
            link = f"{chain[-1] if chain else GENESIS}\n{day} {partitions[day].sha256}\n"
            chain.append(hashlib.sha256(link.encode()).hexdigest())
        return chain[count - 1]


class Ledger:
    """The ledger file of one lake. Reading takes no lock; appending and recovery do."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "ledger"
        self.file = self.folder / "commits.jsonl"
        self.pending = self.folder / "pending.json"
        self._root = root
        self._lock = FileLock(self.folder / ".lock")
        self._index = Index()
        self._offset = 0
        self._seq = 0
        self._head = GENESIS

    def refresh(self) -> Index:
        """The index after reading what was appended since the last call. A cut-off last line is left alone:
        its writer is still writing it, or was killed and the next writer will repair it.

        Raises LedgerError when an entry is damaged, out of order or does not follow its predecessor.
        """
        if self.file.exists():
            with self.file.open("rb") as stream:
                stream.seek(self._offset)
                for line in stream:
                    if not line.endswith(b"\n"):
                        break
                    commit = parse_line(line, self._seq + 1)
                    if commit.seq != self._seq + 1 or commit.prev != self._head:
                        raise LedgerError(
                            f"ledger line {self._seq + 1} ({commit.table} date={commit.date}): "
                            f"previous hash expected {self._head}, found {commit.prev} (entry {commit.seq})"
                        )
                    self._index.apply(commit)
                    self._seq, self._head = commit.seq, commit.hash
                    self._offset += len(line)
        return self._index

    def entries(self) -> Iterator[Commit]:
        """All entries from the first, checked as `refresh` does, without touching this object's index."""
        if not self.file.exists():
            return
        head = GENESIS
        with self.file.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if not line.endswith(b"\n"):
                    time.sleep(0.2)  # a writer may be in the middle of it
                    line += stream.read()  # noqa: PLW2901
                if not line.endswith(b"\n"):
                    raise LedgerError(f"ledger line {number}: cut off after {len(line)} bytes")
                commit = parse_line(line, number)
                if commit.seq != number or commit.prev != head:
                    raise LedgerError(
                        f"ledger line {number} ({commit.table} date={commit.date}): "
                        f"previous hash expected {head}, found {commit.prev}"
                    )
                head = commit.hash
                yield commit

    @contextmanager
    def locked(self) -> Iterator[Index]:
        """Exclusive access over all processes; what a killed writer left is repaired first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            self._recover()
            yield self.refresh()

    def commit(self, commit: Commit, temporary: Path) -> Commit:
        """Move `temporary` to the entry's file and append the entry. Call inside `locked`."""
        sealed = seal(replace(commit, seq=self._seq + 1, prev=self._head))
        line = canonical(asdict(sealed)) + b"\n"
        write_durably(self.pending, line)
        target = self._root / sealed.file
        temporary.replace(target)
        sync_folder(target.parent)
        self._append(line)
        self.pending.unlink()
        self.refresh()
        return sealed

    def announced(self) -> Commit | None:
        """The entry that a writer announced and has not appended yet, if there is one."""
        try:
            line = self.pending.read_bytes()
        except FileNotFoundError:
            return None
        if not line.endswith(b"\n"):
            return None  # killed while writing the note: the data file was not touched yet
        return parse_line(line, 0)

    def _append(self, line: bytes) -> None:
        with self.file.open("ab") as stream:
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())

    def _recover(self) -> None:
        announced = self.announced()
        if announced is None:
            self.pending.unlink(missing_ok=True)
            return
        if self.file.exists():
            _cut_incomplete_line(self.file)
        self.refresh()
        target = self._root / announced.file
        moved = target.exists() and file_sha256(target) == announced.sha256
        if moved and announced.prev == self._head:
            self._append(canonical(asdict(announced)) + b"\n")
        self.pending.unlink()


def _cut_incomplete_line(path: Path) -> None:
    data_end = path.stat().st_size
    with path.open("r+b") as stream:
        while data_end:
            start = max(0, data_end - 65536)
            stream.seek(start)
            newline = stream.read(data_end - start).rfind(b"\n")
            if newline >= 0:
                data_end = start + newline + 1
                break
            data_end = start
        stream.truncate(data_end)


def file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_durably(path: Path, data: bytes) -> None:
    """Write and fsync; the file may be half-written only if the process dies inside this call."""
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A name in the same folder for what will be moved to `path`; whatever is still there at the end is removed."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, or leave what was there."""
    with beside(path) as draft:
        write_durably(draft, data)
        draft.replace(path)
        sync_folder(path.absolute().parent)


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut (not possible, nor needed, on Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
