"""Recompute every sha256, the chain, the schemas and the inputs of every commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.ledger import Commit, Index, Ledger, LedgerError, file_sha256
from coevo_pipelines.lake.store import PART

LOOKS = 10
THREADS = 4  # sha256 and reading both release the interpreter; more threads only wait for the disk


@dataclass(frozen=True)
class Finding:
    """One thing that is not as the ledger says."""

    table: str
    date: str
    file: str
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        place = f"{self.table} date={self.date}" if self.date else self.table
        return f"{place}: {self.what}: expected {self.expected}, found {self.found} ({self.file})"


@dataclass(frozen=True)
class Report:
    """What was checked and everything that differs, first difference first."""

    commits: int
    partitions: int
    bytes: int
    findings: tuple[Finding, ...]


def verify(root: Path, progress: Callable[[int, int, int], None] = lambda *_: None) -> Report:
    """Check the lake at `root`; `progress(done, of, bytes)` is called after each partition.

    Checked: each ledger entry's hash and its link to the one before; that each entry's inputs were the
    committed partitions of that moment; each current file's length, sha256, row count and schema; that no
    partition file lies in the lake that no entry vouches for. A commit that a killed writer announced and
    did not finish is accepted as finished.
    """
    ledger = Ledger(root)
    index = Index()
    findings: list[Finding] = []
    commits = 0
    try:
        for commit in _entries(ledger):
            findings.extend(_wrong_inputs(index, commit))
            index.apply(commit)
            commits += 1
    except LedgerError as error:
        place = ledger.file.relative_to(root).as_posix()
        findings.append(Finding("ledger", "", place, str(error), "an unbroken chain", "a broken one"))
    current = {(c.table, c.date): c for table in index.tables for c in index.partitions(table)}
    checked_bytes = 0
    wrong: dict[tuple[str, str], list[Finding]] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        checked = pool.map(lambda c: (c, *_check_file(root, c)), list(current.values()))
        for done, (commit, size, found) in enumerate(checked, start=1):
            checked_bytes += size
            if found:
                wrong[commit.table, commit.date] = found
            progress(done, len(current), checked_bytes)
    strangers = list(_strangers(root, {commit.file for commit in current.values()}))
    if not findings and (wrong or strangers):
        wrong, strangers = _look_again(root, current, wrong, strangers)
    findings.extend(finding for found in wrong.values() for finding in found)
    findings.extend(strangers)
    return Report(commits, len(current), checked_bytes, tuple(findings))


Place = tuple[str, str]


def _look_again(
    root: Path, seen: dict[Place, Commit], wrong: dict[Place, list[Finding]], strangers: list[Finding]
) -> tuple[dict[Place, list[Finding]], list[Finding]]:
    """What a run that writes while we read has replaced in the meantime is no finding: hold it against its
    newer entry. A file that stays different from an entry that stays the same is one."""
    for _ in range(LOOKS):
        now = Index()
        for commit in _entries(Ledger(root)):
            now.apply(commit)
        newer = {place: now.get(*place) for place in wrong}
        moved = {place: commit for place, commit in newer.items() if commit is not None and commit != seen[place]}
        for place, commit in moved.items():
            seen[place] = commit
            _, found = _check_file(root, commit)
            if found:
                wrong[place] = found
            else:
                del wrong[place]
        strangers = [stranger for stranger in strangers if now.get(stranger.table, stranger.date) is None]
        if not moved:
            break
    return wrong, strangers


def _entries(ledger: Ledger) -> Iterator[Commit]:
    """The ledger's entries; plus the announced one if its file is already in place."""
    announced = ledger.announced()
    last: Commit | None = None
    try:
        for last in ledger.entries():
            yield last
    except LedgerError as error:
        # Half a last line beside an announcement is a killed append, not damage.
        if announced is None or "cut off" not in str(error):
            raise
    if announced is not None and (last is None or announced.seq == last.seq + 1):
        target = ledger.folder.parent / announced.file
        if target.exists() and file_sha256(target) == announced.sha256:
            yield announced


def _wrong_inputs(index: Index, commit: Commit) -> Iterator[Finding]:
    for given in commit.inputs:
        then = index.current(given)
        if then != given:
            yield Finding(
                commit.table,
                commit.date,
                commit.file,
                f"input {given.table} {given.scope} {given.date} of ledger entry {commit.seq}",
                f"{given.partitions} partition(s) {given.sha256}",
                f"{then.partitions} partition(s) {then.sha256}",
            )


def _check_file(root: Path, commit: Commit) -> tuple[int, list[Finding]]:
    import pyarrow.parquet as pq

    def finding(what: str, expected: object, found: object) -> Finding:
        return Finding(commit.table, commit.date, commit.file, what, str(expected), str(found))

    path = root / commit.file
    try:
        size, digest = path.stat().st_size, file_sha256(path)
    except OSError as error:
        return 0, [finding("file", f"{commit.bytes} bytes", error.strerror or "unreadable")]
    if size != commit.bytes:
        return size, [finding("length", f"{commit.bytes} bytes", f"{size} bytes")]
    if digest != commit.sha256:
        return size, [finding("sha256", commit.sha256, digest)]
    found: list[Finding] = []
    metadata = pq.read_metadata(path)
    if metadata.num_rows != commit.rows:
        found.append(finding("rows", commit.rows, metadata.num_rows))
    try:
        schema = schemas.table(commit.table)
    except schemas.SchemaError:
        return size, [*found, finding("table", "a table of the registry", commit.table)]
    if schema.fingerprint != commit.schema:
        found.append(finding("schema (materialize the day again)", schema.fingerprint, commit.schema))
    elif metadata.schema.to_arrow_schema().names != [column.name for column in schema.columns]:
        found.append(finding("columns", list(schema.polars_schema()), metadata.schema.to_arrow_schema().names))
    return size, found


def _strangers(root: Path, known: set[str]) -> Iterator[Finding]:
    corpora = [f"corpora.{path.name}" for path in (root / "corpora").glob("*")]
    for schema in schemas.tables(corpora):
        for path in sorted((root / schema.stage / schema.short_name).glob(f"date=*/{PART}")):
            file = path.relative_to(root).as_posix()
            if file not in known:
                day = path.parent.name.removeprefix("date=")
                yield Finding(schema.name, day, file, "partition file", "an entry in the ledger", "none")
