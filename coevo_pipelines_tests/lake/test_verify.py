"""Verification: it accepts what is right and names what is not."""

from __future__ import annotations

import shutil
import threading
from datetime import date
from pathlib import Path

import pytest

from coevo_pipelines.lake.store import Lake
from coevo_pipelines.lake.verify import verify
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.runs import MADE

DAY = date(2019, 3, 26)


@pytest.fixture
def copy(sample: Settings, tmp_path: Path) -> Path:
    """A copy of the sample's lake that a test may damage."""
    target = tmp_path / "lake"
    shutil.copytree(sample.lake_root, target, ignore=shutil.ignore_patterns(".dagster"))
    return target


def test_a_sound_lake(sample: Settings) -> None:
    seen: list[tuple[int, int, int]] = []
    report = verify(sample.lake_root, lambda *progress: seen.append(progress))
    assert report.findings == ()
    assert report.partitions == 3 * len(MADE)
    assert seen[-1] == (report.partitions, report.partitions, report.bytes)


@pytest.mark.parametrize("table", sorted(MADE))
@pytest.mark.parametrize("place", [0, 0.37, 0.5, 0.99, 1])
def test_any_flipped_byte_of_any_partition_is_named(copy: Path, table: str, place: float) -> None:
    path = Lake(copy).path(table, DAY)
    data = bytearray(path.read_bytes())
    data[round(place * (len(data) - 1))] ^= 1
    path.write_bytes(data)
    (finding,) = verify(copy).findings
    assert (finding.table, finding.date, finding.what) == (table, "2019-03-26", "sha256")
    assert finding.file == path.relative_to(copy).as_posix()
    assert finding.expected != finding.found


def test_a_shortened_and_a_missing_file(copy: Path) -> None:
    lake = Lake(copy)
    short, gone = lake.path("traces.works", DAY), lake.path("traces.people", DAY)
    short.write_bytes(short.read_bytes()[:-1])
    gone.unlink()
    found = {finding.table: finding for finding in verify(copy).findings}
    assert found["traces.works"].what == "length"
    assert found["traces.people"].found == "No such file or directory"


def test_a_file_that_nobody_committed(copy: Path) -> None:
    stranger = Lake(copy).path("traces.works", date(2019, 4, 1))
    stranger.parent.mkdir()
    shutil.copy(Lake(copy).path("traces.works", DAY), stranger)
    (finding,) = verify(copy).findings
    assert finding.expected == "an entry in the ledger"
    assert finding.date == "2019-04-01"


@pytest.mark.parametrize("line", [0, 7, -1])
def test_a_changed_ledger_line(copy: Path, line: int) -> None:
    file = copy / "ledger" / "commits.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b'"complete":true', b'"complete":false')
    file.write_bytes(b"".join(lines))
    first = verify(copy).findings[0]
    assert first.table == "ledger"
    assert f"line {line % len(lines) + 1} " in first.what


def test_a_cut_off_ledger(copy: Path) -> None:
    file = copy / "ledger" / "commits.jsonl"
    file.write_bytes(file.read_bytes()[:-10])
    assert "cut off" in verify(copy).findings[0].what


def test_a_forgotten_tail_of_the_ledger(copy: Path) -> None:
    """Removing whole last lines leaves a valid chain; the files then have no entry."""
    file = copy / "ledger" / "commits.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-4]))
    assert {finding.expected for finding in verify(copy).findings} == {"an entry in the ledger"}


def test_a_consistent_forgery_of_an_input_is_found(copy: Path) -> None:
    """Someone rewrites a partition and its own entry, hash and all: the results made from it disagree."""
    lake = Lake(copy)
    works = lake.scan("traces.works", on=DAY).drop("date").collect()
    lake.write("traces.works", DAY, works.head(1))
    file = copy / "ledger" / "commits.jsonl"
    entries = list(lake.ledger.entries())
    forged = _rechained([*entries[:-1]], replacement=entries[-1])
    file.write_bytes(forged)
    findings = verify(copy).findings
    assert findings
    assert "input traces.works" in findings[0].what


def _rechained(entries: list, replacement) -> bytes:  # type: ignore[no-untyped-def,type-arg]
    from dataclasses import asdict, replace

    from coevo_pipelines.lake.ledger import GENESIS, canonical, seal

    lines, head = [], GENESIS
    for entry in entries:
        chosen = entry
        if (entry.table, entry.date) == (replacement.table, replacement.date):
            chosen = replace(replacement, seq=entry.seq)
        sealed = seal(replace(chosen, prev=head))
        head = sealed.hash
        lines.append(canonical(asdict(sealed)) + b"\n")
    return b"".join(lines)


def test_a_run_that_writes_meanwhile_is_no_finding(copy: Path) -> None:
    """A partition replaced between reading the ledger and reading the file is held against its newer entry."""
    lake = Lake(copy)
    metrics = lake.scan("traces.metrics", on=DAY).drop("date").collect()
    stop, reports = threading.Event(), []

    def write() -> None:
        rows = 0
        while not stop.is_set():
            rows = 1 - rows
            lake.write("traces.metrics", DAY, metrics.head(rows + 1))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        reports = [verify(copy) for _ in range(12)]
    finally:
        stop.set()
        writer.join()
    assert [str(finding) for report in reports for finding in report.findings] == []


def test_a_lake_without_partitions_is_sound(tmp_path: Path) -> None:
    report = verify(tmp_path)
    assert (report.commits, report.partitions, report.findings) == (0, 0, ())
