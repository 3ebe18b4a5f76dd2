"""Writes: atomic, checked, reproducible, and safe with several processes."""

from __future__ import annotations

import multiprocessing
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from coevo_pipelines.lake.schemas import TABLES, SchemaError
from coevo_pipelines.lake.store import Lake, StaleInputs, Written, vintage
from coevo_pipelines.lake.verify import verify

DAY = date(2026, 1, 5)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def references(*targets: str) -> pl.DataFrame:
    rows = [
        {
            "source_id": "arxiv:2601.00001",
            "target_id": target,
            "relation": "cites",
            "event_at": NOON,
            "evidence": "referenced_works[0]",
            "source": "openalex",
            "observed_at": NOON,
            "raw_sha256": "ab",
        }
        for target in targets
    ]
    return pl.DataFrame(rows, schema=TABLES["traces.references"].polars_schema())


def test_a_partition_lies_where_every_engine_finds_it(lake: Lake) -> None:
    lake.write("traces.references", DAY, references("doi:10.1/b", "doi:10.1/a"))
    path = lake.root / "traces" / "references" / "date=2026-01-05" / "part.parquet"
    assert pl.read_parquet(path, hive_partitioning=False)["target_id"].to_list() == ["doi:10.1/a", "doi:10.1/b"]
    assert [p.name for p in path.parent.iterdir()] == ["part.parquet"]


def test_the_same_rows_in_any_order_give_the_same_bytes_and_no_new_commit(lake: Lake) -> None:
    first = lake.write("traces.references", DAY, references("doi:10.1/a", "doi:10.1/b"))
    again = lake.write("traces.references", DAY, references("doi:10.1/b", "doi:10.1/a"))
    assert first.changed
    assert not again.changed
    assert again.commit == first.commit


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_what_is_written_again_is_whole_again(lake: Lake, damage: str) -> None:
    first = lake.write("traces.references", DAY, references("doi:10.1/a"))
    path = lake.path("traces.references", DAY)
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[:-9] if damage == "cut" else whole[:50] + bytes([whole[50] ^ 1]) + whole[51:])
    assert lake.write("traces.references", DAY, references("doi:10.1/a")) == Written(first.commit, changed=False)
    assert path.read_bytes() == whole
    assert not verify(lake.root).findings


def test_an_empty_day_is_an_empty_file(lake: Lake) -> None:
    lake.write("traces.references", DAY, references())
    assert lake.path("traces.references", DAY).exists()
    assert lake.scan("traces.references", on=DAY).collect().height == 0


def test_scans_give_the_partition_date_and_stop_at_it(lake: Lake) -> None:
    for offset in (2, 0, 1):
        lake.write("traces.references", DAY + timedelta(offset), references(f"doi:10.1/{offset}"))
    upto = lake.scan("traces.references", upto=DAY + timedelta(1)).collect()
    assert upto.select("date", "target_id").rows() == [
        (DAY, "doi:10.1/0"),
        (DAY + timedelta(1), "doi:10.1/1"),
    ]
    assert lake.scan("traces.references", on=DAY).collect()["target_id"].to_list() == ["doi:10.1/0"]
    empty = lake.scan("traces.references", upto=DAY - timedelta(1)).collect()
    assert empty.schema == upto.schema
    assert empty.height == 0


def test_a_frame_that_does_not_fit_leaves_the_old_partition(lake: Lake) -> None:
    lake.write("traces.references", DAY, references("doi:10.1/a"))
    with pytest.raises(SchemaError):
        lake.write("traces.references", DAY, references("doi:10.1/a", "doi:10.1/a"))
    assert lake.scan("traces.references", on=DAY).collect().height == 1
    assert verify(lake.root).findings == ()


def test_a_full_disk_leaves_the_old_partition(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.write("traces.references", DAY, references("doi:10.1/a"))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        lake.write("traces.references", DAY, references("doi:10.1/b"))
    monkeypatch.undo()
    assert lake.scan("traces.references", on=DAY).collect()["target_id"].to_list() == ["doi:10.1/a"]
    assert verify(lake.root).findings == ()
    folder = lake.path("traces.references", DAY).parent
    assert [path.name for path in folder.iterdir()] == ["part.parquet"]


def test_a_result_from_inputs_that_changed_meanwhile_is_refused(lake: Lake) -> None:
    lake.write("traces.references", DAY, references("doi:10.1/a"))
    snapshot = lake.snapshot()
    snapshot.scan("traces.references", upto=DAY).collect()
    Lake(lake.root).write("traces.references", DAY - timedelta(3), references("doi:10.1/earlier"))
    with pytest.raises(StaleInputs, match=r"traces\.references changed"):
        lake.write("citations.nodes", DAY, TABLES["citations.nodes"].empty(), inputs=snapshot.inputs)
    assert lake.committed("citations.nodes", DAY) is None


def test_a_later_partition_does_not_make_a_result_stale(lake: Lake) -> None:
    lake.write("traces.references", DAY, references("doi:10.1/a"))
    snapshot = lake.snapshot()
    snapshot.scan("traces.references", upto=DAY).collect()
    lake.write("traces.references", DAY + timedelta(1), references("doi:10.1/later"))
    written = lake.write("citations.nodes", DAY, TABLES["citations.nodes"].empty(), inputs=snapshot.inputs)
    assert lake.is_current(written.commit)
    lake.write("traces.references", DAY, references("doi:10.1/b"))
    assert not lake.is_current(written.commit)


def test_a_snapshot_does_not_change(lake: Lake) -> None:
    lake.write("traces.references", DAY, references("doi:10.1/a"))
    snapshot = lake.snapshot()
    lake.write("traces.references", DAY + timedelta(1), references("doi:10.1/b"))
    assert len(snapshot.files("traces.references", upto=DAY + timedelta(9))) == 1


def test_vintage_is_observed_until_the_grace_period_ends(lake: Lake) -> None:
    end = datetime(2026, 1, 6, tzinfo=UTC)
    assert vintage(DAY, end + timedelta(hours=48), lake.grace) == "observed"
    assert vintage(DAY, end + timedelta(hours=48, seconds=1), lake.grace) == "reconstructed"
    assert vintage(DAY, None, lake.grace) == "reconstructed"


def _write_days(root: str, first: int) -> None:
    lake = Lake(Path(root))
    for offset in range(15):
        lake.write("traces.references", DAY + timedelta(first + offset), references(f"doi:10.1/{first + offset}"))


def test_several_processes_write_one_chain(lake: Lake) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_days, args=(str(lake.root), 100 * n)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    report = verify(lake.root)
    assert report.findings == ()
    assert report.commits == report.partitions == 45


def test_repair_removes_what_a_dead_process_left_and_nothing_else(lake: Lake) -> None:
    lake.write("traces.references", DAY, references("doi:10.1/a"))
    folder = lake.path("traces.references", DAY).parent
    dead, alive = folder / ".writing-999999999-aa.parquet", folder / f".writing-{os.getpid()}-bb.parquet"
    dead.write_bytes(b"half")
    alive.write_bytes(b"half")
    assert lake.repair() == 1
    assert not dead.exists()
    assert alive.exists()
