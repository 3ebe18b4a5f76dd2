"""The ledger's chain, its digests of ranges, and its recovery from a writer killed at any instant."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coevo_pipelines.lake import ledger as ledger_module
from coevo_pipelines.lake.ledger import Commit, Index, Ledger, LedgerError, canonical, parse_line, seal
from coevo_pipelines.lake.schemas import TABLES
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.lake.verify import verify

EMPTY = TABLES["traces.works"].empty()


def commit(day: str, sha256: str, table: str = "traces.works") -> Commit:
    return Commit(
        seq=1,
        table=table,
        date=day,
        file=f"traces/works/date={day}/part.parquet",
        rows=0,
        bytes=1,
        sha256=sha256,
        schema="s",
        complete=True,
        observed_until=None,
        vintage="observed",
        inputs=(),
        code_version="1",
        run_id="",
        committed_at="2026-11-21T00:00:00+00:00",
    )


def test_a_sealed_commit_reads_back_and_any_change_shows() -> None:
    sealed = seal(commit("2026-01-01", "aa"))
    assert parse_line(canonical(asdict(sealed)), 1) == sealed
    forged = canonical(asdict(sealed) | {"rows": 7})
    with pytest.raises(LedgerError, match="hash expected"):
        parse_line(forged, 1)


@given(st.lists(st.tuples(st.integers(1, 28), st.sampled_from(["aa", "bb", "cc"])), max_size=30), st.integers(1, 28))
def test_range_digests_depend_on_the_current_partitions_alone(writes: list[tuple[int, str]], upto: int) -> None:
    """However the partitions came to be, in whatever order and however often: same partitions, same digest."""
    index, latest = Index(), {}
    for day, sha256 in writes:
        index.apply(commit(f"2026-01-{day:02}", sha256))
        index.upto("traces.works", "2026-01-15")  # fills the cache, which a later write must invalidate
        latest[day] = sha256
    fresh = Index()
    for day, sha256 in sorted(latest.items()):
        fresh.apply(commit(f"2026-01-{day:02}", sha256))
    last = f"2026-01-{upto:02}"
    assert index.upto("traces.works", last) == fresh.upto("traces.works", last)
    assert index.upto("traces.works", last).partitions == sum(d <= upto for d in latest)


def test_a_copied_index_does_not_see_later_commits() -> None:
    index = Index()
    index.apply(commit("2026-01-01", "aa"))
    twin = index.copy()
    index.apply(commit("2026-01-02", "bb"))
    assert [c.date for c in twin.partitions("traces.works")] == ["2026-01-01"]


def test_damage_in_the_middle_names_the_line(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for day in (1, 2, 3):
        lake.write("traces.works", date(2026, 1, day), EMPTY)
    lines = lake.ledger.file.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"rows":0', b'"rows":1')
    lake.ledger.file.write_bytes(b"".join(lines))
    with pytest.raises(LedgerError, match=r"ledger line 2 \(traces.works date=2026-01-02\)"):
        Ledger(tmp_path).refresh()


def test_a_removed_line_breaks_the_chain(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for day in (1, 2, 3):
        lake.write("traces.works", date(2026, 1, day), EMPTY)
    lines = lake.ledger.file.read_bytes().splitlines(keepends=True)
    lake.ledger.file.write_bytes(lines[0] + lines[2])
    with pytest.raises(LedgerError, match="previous hash expected"):
        Ledger(tmp_path).refresh()


class Killed(BaseException):
    """Stands for SIGKILL: nothing may catch it and clean up."""


STEPS = ("announce", "half_announce", "move", "append", "half_append", "forget")


@pytest.mark.parametrize("step", STEPS)
def test_killed_between_any_two_steps(tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lake is verifiable right after the kill, and the next writer completes or discards the write."""
    lake = Lake(tmp_path)
    first = date(2026, 1, 1)
    lake.write("traces.works", first, EMPTY)
    changed = EMPTY  # the same bytes under another note: a new commit of an unchanged file
    kill_at(step, monkeypatch)
    with pytest.raises(Killed):
        lake.write("traces.works", first, changed, note="second")
    monkeypatch.undo()
    report = verify(tmp_path)
    assert report.findings == ()
    later = Lake(tmp_path)
    later.write("traces.works", date(2026, 1, 2), EMPTY)
    assert verify(tmp_path).findings == ()
    assert not later.ledger.pending.exists()
    present = later.committed("traces.works", first)
    assert present is not None
    assert later.write("traces.works", first, changed, note="second").commit.note == "second"
    assert verify(tmp_path).findings == ()


def kill_at(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise Killed

    def half_then_die(path: Path, data: bytes) -> None:
        path.write_bytes(data[: len(data) // 2])
        raise Killed

    def append_half(self: Ledger, line: bytes) -> None:
        with self.file.open("ab") as stream:
            stream.write(line[: len(line) // 2])
        raise Killed

    original_unlink = Path.unlink

    def unlink(self: Path, missing_ok: bool = False) -> None:
        if self.name == "pending.json":
            raise Killed
        original_unlink(self, missing_ok)

    if step == "announce":
        monkeypatch.setattr(ledger_module, "write_durably", die)
    elif step == "half_announce":
        monkeypatch.setattr(ledger_module, "write_durably", half_then_die)
    elif step == "move":
        monkeypatch.setattr(Path, "replace", die)
    elif step == "append":
        monkeypatch.setattr(Ledger, "_append", die)
    elif step == "half_append":
        monkeypatch.setattr(Ledger, "_append", append_half)
    else:
        monkeypatch.setattr(Path, "unlink", unlink)


def test_the_ledger_is_plain_json_lines(tmp_path: Path) -> None:
    lake = Lake(tmp_path, run_id="run-1")
    written = lake.write("traces.works", date(2026, 1, 1), EMPTY)
    record = json.loads(lake.ledger.file.read_text())
    assert record["table"] == "traces.works"
    assert record["run_id"] == "run-1"
    assert record["hash"] == written.commit.hash == seal(replace(written.commit, hash="")).hash
