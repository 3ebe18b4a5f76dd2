from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.swarm import frames
from coevo_pipelines.swarm.config import IMPORTANCES, Config
from coevo_pipelines.swarm.runs.standalone import (
    Asked,
    MadeUp,
    Setup,
    SwarmError,
    asked_of,
    begin,
    moment,
    read,
    resume,
    run,
    segments,
    setup_of,
    summary,
    world,
)
from coevo_pipelines.swarm.tick import outcomes
from coevo_pipelines.swarm.tick.clasps import clasp, communities_of, pairs, roles
from coevo_pipelines.swarm.tick.engine import CheckpointError, Swarm
from coevo_pipelines.swarm.tick.state import BUSY, MINUS, PLUS, PRESENT, STREAMS, stream, theta
from coevo_pipelines_tests.runs import command, environment

SMALL = Asked(organisms=30, patterns=3, ticks=60, seed=5, every=20)
MARKS = (0, 100, 500, 1000)


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file of a run, by its path."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(folder, SMALL)
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


# the world


def test_a_made_up_world_is_what_was_asked_for() -> None:
    state, versions = world(4000, 8, 1, MadeUp(absent=0.25))
    there = np.stack([state.plane(PRESENT, pattern) for pattern in range(8)], axis=1)
    plus = np.stack([state.plane(PLUS, pattern) for pattern in range(8)], axis=1)
    minus = np.stack([state.plane(MINUS, pattern) for pattern in range(8)], axis=1)
    # Of 32,000 draws the standard deviation is below 0.003.
    assert there.mean() == pytest.approx(0.75, abs=0.012)
    assert plus[there].mean() == pytest.approx(0.06, abs=0.012)
    assert minus[there].mean() == pytest.approx(0.15, abs=0.012)
    assert not (plus & minus).any()
    assert not ((plus | minus) & ~there).any()
    assert set(zip(state.k[plus].tolist(), state.n[plus].tolist(), strict=True)) == {(3, 3)}
    assert set(zip(state.k[minus].tolist(), state.n[minus].tolist(), strict=True)) == {(0, 3)}
    assert not state.n[there & ~plus & ~minus].any()
    assert (state.version[~there] == -1).all()
    for pattern in range(8):
        held = np.bincount(state.version[:, pattern][there[:, pattern]] - 3 * pattern, minlength=3)
        assert held.min() > 0.28 * held.sum()
    assert state.ids[0] == "organism:0000001"
    assert state.ids == sorted(state.ids)
    sizes = np.bincount(state.community)
    assert (len(sizes), sizes.min(), sizes.max()) == (160, 25, 25)
    assert state.blessed.sum() == 40
    assert set(state.lf.tolist()) == {100_000}
    assert np.quantile(state.influence, [0.25, 0.75]) == pytest.approx([0.25, 0.75], abs=0.03)
    assert not state.age.any()
    assert [versions.importance.count(each) for each in IMPORTANCES] == [2, 4, 2]
    assert versions.theta == [theta(1, versions.patterns[p], v, 0, 0)
                              for p, v in zip(versions.pattern, versions.version_id, strict=True)]  # fmt: skip


def test_a_world_is_drawn_from_a_stream_of_its_own() -> None:
    state, _ = world(50, 2, 7)
    again, _ = world(50, 2, 7, config=Config(clasp_rate=0.5))
    other, _ = world(50, 2, 8)
    assert np.array_equal(state.influence, again.influence)
    assert np.array_equal(state.planes, again.planes)
    assert not np.array_equal(state.influence, other.influence)
    for name in STREAMS:
        assert not np.array_equal(stream(7, name).random(50), state.influence)


def test_importance_that_is_configured_counts_more() -> None:
    _, versions = world(1, 4, 1, config=Config(importance={"p1": "experimental"}))
    assert versions.importance == ["experimental", "standard", "standard", "experimental"]


@pytest.mark.parametrize(("tick", "day"), [(0, "2000-01-01"), (366, "2001-01-01"), (2_921_939, "9999-12-31")])
def test_a_tick_is_a_day(tick: int, day: str) -> None:
    assert moment(tick).partition == day
    assert moment(tick).at.isoformat() == f"{day}T00:00:00+00:00"


def test_after_the_last_day() -> None:
    with pytest.raises(SwarmError, match="after the year 9999"):
        moment(2_921_940)


# S2: the same bytes


def state_of(swarm: Swarm, ticks: int) -> pl.DataFrame:
    for _ in range(ticks):
        swarm.tick(moment(swarm.now + 1))
    return frames.checkpoint(swarm, frames.provenance(swarm.run_id, swarm.config, swarm.seed))


def test_the_same_for_any_number_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    one = state_of(begin(30, 3, 2), 25)
    assert not one.equals(state_of(begin(30, 3, 3), 25))
    monkeypatch.setattr(outcomes, "DRAWS", 12)  # four organisms at a time: eight chunks
    for workers in (1, 2, 3):
        assert state_of(begin(30, 3, 2, workers=workers), 25).equals(one)


def test_the_same_files_for_any_number_of_workers(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "DRAWS", 12)
    run(tmp_path / "again", SMALL, workers=3)
    assert digests(tmp_path / "again") == digests(whole)


# S3


def passed_down(t: int | None, s: int | None) -> int | None:
    """The matrix of the specification: a student's weight after a clasp; None is absent."""
    return 1 if t == 1 and s != 1 else 0 if (t, s) == (0, -1) else s


def passed_up(t: int | None, s: int | None, *, full: bool) -> int | None:
    """A teacher's; but for the option `full` it stays."""
    return 1 if full and s == 1 and t in {0, -1} else t


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 9), st.integers(1, 70), st.integers(0, 2**32 - 1), st.floats(0, 0.6), st.booleans(), st.booleans()
)
def test_weights_only_rise_by_transfer_and_keep_changes_nothing(
    organisms: int, patterns: int, seed: int, absent: float, identity: bool, full: bool
) -> None:
    state, versions = world(organisms, patterns, seed, MadeUp(absent=absent, minus=0.4, plus=0.3))
    rng = np.random.default_rng(seed)
    for pattern in range(patterns):
        state.put(BUSY, np.flatnonzero((rng.random(organisms) < 0.1) & state.plane(PRESENT, pattern)), pattern, True)
    every = [(place, pattern) for place in range(organisms) for pattern in range(patterns)]

    def cells() -> dict[tuple[int, int], tuple[int | None, list[int]]]:
        columns = (state.version, state.k, state.n, state.verifications)
        return {each: (state.weight(*each), [int(column[each]) for column in columns]) for each in every}

    before = cells()
    met = pairs(rng, communities_of(state.community), state.community, 1.0, 0.5)
    teachers, students = roles(state, met, np.array([0, 1, 3, 2]))
    clasp(
        state, teachers, students, np.zeros(patterns, np.int64), 0, np.zeros(len(versions), np.int64),
        since=-5, identity=identity, full=full,
    )  # fmt: skip
    after = cells()
    expected = {each: weight for each, (weight, _) in before.items()}
    for teacher, student in zip(teachers.tolist(), students.tolist(), strict=True):
        for pattern in range(patterns):
            t, s = before[teacher, pattern][0], before[student, pattern][0]
            if not any(state.is_set(BUSY, place, pattern) for place in (teacher, student)):
                expected[student, pattern] = passed_down(t, s)
                expected[teacher, pattern] = passed_up(t, s, full=full)
    for each in every:
        (was, columns), (now, later) = before[each], after[each]
        assert now == expected[each]
        if now == was:
            assert columns == later
        else:
            assert was is None or (now is not None and now > was)
            assert later[1:] == [0, 0, 0]


# S7


@pytest.mark.parametrize("churn", [0.001, 0.0])
def test_phases_have_the_directions_of_the_prototype(churn: float) -> None:
    swarm = begin(60, 4, 1, Config(churn=churn))
    found = []
    for tick in range(MARKS[-1] + 1):
        if tick:
            swarm.tick(moment(tick))
        if tick in MARKS:
            told = swarm.events.metrics[-1]
            found.append([told[name] / told["cells"] for name in ("minus", "zero", "plus")])
        assert swarm.ledger.total() == 0
        if tick % 50 == 0:
            swarm.taken()
    minus, zero, plus = zip(*found, strict=True)
    assert plus[0] < plus[1] < plus[2]
    assert minus[0] > minus[1] > minus[2]
    if churn:
        assert zero[-1] > 0.02
    else:
        assert zero[-1] < 0.01


# a run in a folder


def test_a_run_can_be_read(whole: Path) -> None:
    assert [each.tick for each in segments(whole)] == [0, 20, 40, 60]
    metrics = read(whole, "metrics").collect()
    assert metrics["tick"].to_list() == list(range(61))
    book = read(whole, "lifeforce_ledger").collect()
    assert book["entry_id"].to_list() == list(range(1, book.height + 1))
    told = summary(whole)
    assert told["lifeforce_milli"]["sum"] == 0
    assert [row["tick"] for row in told["gradient"]] == [0, 60]
    assert (
        told["markers"]["opened"] == told["markers"]["resolved"] + told["markers"]["void"] + told["markers"]["pending"]
    )
    assert sum(row["count"] for row in told["decisions"]) == told["markers"]["resolved"] > 0
    swarm = begin(30, 3, 5)
    for tick in range(1, 61):
        swarm.tick(moment(tick))
    assert swarm.events.metrics[-1]["plus"] == metrics["plus"][-1]
    assert read(whole, "organisms").collect().sort("place")["lf_milli"].to_list() == swarm.state.lf.tolist()


def test_cells_of_old_segments_are_dropped_and_nothing_else(whole: Path) -> None:
    there = [(each.folder / "cells.parquet").exists() for each in segments(whole)]
    assert there == [False, False, True, True]
    names = {path.name for path in segments(whole)[0].folder.iterdir()} | {"cells.parquet"}
    assert names == {path.name for path in segments(whole)[-1].folder.iterdir()}
    assert len(names) == 12


def test_resume_of_a_shorter_run_equals_the_longer_one(whole: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", SMALL.model_copy(update={"ticks": 27}))
    assert [each.tick for each in segments(tmp_path / "run")] == [0, 20, 27]
    resume(tmp_path / "run", more=33, workers=2)
    assert digests(tmp_path / "run") == digests(whole)
    resume(tmp_path / "run")
    assert digests(tmp_path / "run") == digests(whole)


def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    asked = SMALL.model_copy(update={"ticks": 60, "every": 15})
    options = ("--organisms", "30", "--patterns", "3", "--ticks", "60", "--seed", "5", "--every", "15")
    folder = tmp_path / "killed"
    process = subprocess.Popen(command("swarm", "run", *options, "--out", str(folder)), env=environment())
    try:
        while not (folder / "segments" / "tick=00000015").exists():
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = segments(folder)[-1].tick
    assert 15 <= done < 60
    assert not (folder / "pictures").exists()
    resume(folder)
    run(tmp_path / "whole", asked)
    assert digests(folder) == digests(tmp_path / "whole")
    assert not list((folder / "segments").glob(".*"))


def test_half_a_segment_is_not_taken_for_one(copy: Path, whole: Path) -> None:
    newest = segments(copy)[-1].folder
    newest.rename(newest.with_name(".tick=next"))
    (newest.with_name(".tick=next") / "cells.parquet").write_bytes(b"PAR1")
    resume(copy)
    assert digests(copy) == digests(whole)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: flip(folder / "cells.parquet"), "cells.parquet is not as it was written"),
        (lambda folder: flip(folder / "lifeforce_ledger.parquet"), "lifeforce_ledger.parquet is not as it was written"),
        (lambda folder: (folder / "checkpoints.parquet").write_bytes(b""), "checkpoints.parquet is not as it was"),
        (lambda folder: (folder / "cells.parquet").unlink(), "cells.parquet is missing"),
        (lambda folder: (folder / "segment.json").write_text('{"tick": 60, "fi'), "segment.json cannot be read"),
        (lambda folder: (folder / "segment.json").write_text("[]"), "segment.json cannot be read"),
        (lambda folder: (folder / "segment.json").unlink(), "segment.json cannot be read"),
    ],
)
def test_a_damaged_segment_is_named_and_put_aside(copy: Path, whole: Path, damage: Any, message: str) -> None:
    damage(segments(copy)[-1].folder)
    notes: list[str] = []
    resume(copy, note=notes.append)
    assert len(notes) == 1
    assert message in notes[0]
    assert "tick=00000060" in notes[0]
    assert notes[0].endswith("put aside as tick=00000060.damaged; going on from tick 40")
    aside = copy / "segments" / "tick=00000060.damaged"
    assert aside.is_dir()
    shutil.rmtree(aside)
    found = digests(copy)
    # The cells of tick 20 were gone when it went on from tick 40, and those of 40 and 60 are there.
    assert found == digests(whole)


def test_all_segments_damaged(copy: Path) -> None:
    for each in segments(copy)[-2:]:
        flip(each.folder / "organisms.parquet")
    before = digests(copy)
    with pytest.raises(CheckpointError) as found:
        resume(copy)
    assert "no segment of" in str(found.value)
    assert "organisms.parquet is not as it was written" in str(found.value)
    assert "begin again in another folder by `coevo swarm run`" in str(found.value)
    assert digests(copy) == before


def test_a_run_killed_before_its_first_segment_begins_anew(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    shutil.copy(whole / "run.json", tmp_path / "run")
    resume(tmp_path / "run")
    assert digests(tmp_path / "run") == digests(whole)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda told: told["asked"].update(seed=6), "hashes are not those"),
        (lambda told: told["asked"]["setup"]["config"].update(cap=9), "hashes are not those"),
        (lambda told: told["asked"].pop("organisms"), "organisms"),
        (lambda told: told.pop("asked"), "asked"),
    ],
)
def test_a_changed_run_json_is_named(copy: Path, change: Any, message: str) -> None:
    told = json.loads((copy / "run.json").read_bytes())
    change(told)
    (copy / "run.json").write_text(json.dumps(told))
    with pytest.raises(CheckpointError) as found:
        resume(copy)
    assert f"{copy / 'run.json'} is damaged" in str(found.value)
    assert message in str(found.value)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (SMALL, "holds this run already: go on with it by `coevo swarm resume"),
        (SMALL.model_copy(update={"ticks": 99}), "holds this run already"),
        (SMALL.model_copy(update={"seed": 6}), "holds another run"),
        (SMALL.model_copy(update={"setup": Setup(config=Config(cap=3))}), "holds another run"),
    ],
)
def test_a_folder_of_a_run_is_not_written_over(whole: Path, asked: Asked, message: str) -> None:
    before = digests(whole)
    with pytest.raises(SwarmError) as found:
        run(whole, asked)
    assert message in str(found.value)
    assert digests(whole) == before


def test_other_folders(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SwarmError, match="is a file"):
        run(tmp_path / "file", SMALL)
    with pytest.raises(SwarmError, match="is not empty"):
        run(tmp_path, SMALL)
    with pytest.raises(SwarmError, match="holds no run"):
        asked_of(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_two_processes_do_not_write_one_run(copy: Path) -> None:
    with FileLock(copy / ".lock"), pytest.raises(SwarmError, match="another process works in"):
        resume(copy, more=1)


@pytest.mark.parametrize(("organisms", "patterns", "ticks"), [(0, 3, 5), (1, 3, 5), (5, 0, 5), (5, 2, 0), (0, 0, 0)])
def test_the_smallest_runs(tmp_path: Path, organisms: int, patterns: int, ticks: int) -> None:
    asked = Asked(organisms=organisms, patterns=patterns, ticks=ticks, seed=0, every=3)
    run(tmp_path / "run", asked)
    told = summary(tmp_path / "run")
    assert told["run"]["done"] == ticks
    assert told["lifeforce_milli"]["sum"] == 0
    assert told["gradient"][0]["cells"] == organisms * patterns
    resume(tmp_path / "run", more=2)
    assert summary(tmp_path / "run")["run"]["done"] == ticks + 2


# a configuration file


def test_a_configuration_file(tmp_path: Path) -> None:
    file = tmp_path / "swarm.toml"
    file.write_text(
        'churn = 0\nimportance = {p1 = "critical"}\n[world]\nversions = 5\n[elder]\nincome = 1\n[distribution]\n'
        'standard = "organic"\n'
    )
    found = setup_of(file)
    assert (found.config.churn, found.config.importance, found.world.versions) == (0, {"p1": "critical"}, 5)
    assert found.config.elder == Config().elder.model_copy(update={"income": 1})
    assert found.config.distribution == {**Config().distribution, "standard": "organic"}
    assert setup_of(None) == Setup()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("newborn_lf = 9_000_000_000_000", ": Input should be less than or equal to 1000000000"),
        ("chrun = 0", "there is no setting 'chrun'; the nearest is 'churn'"),
        ("[world]\nversion = 3", "there is no setting 'world.version'; the nearest is 'world.versions'"),
        ("[elder]\nincom = 3", "there is no setting 'elder.incom'; the nearest is 'elder.income'"),
        ("zzzz = 0", "there is no setting 'zzzz'; `coevo swarm config` lists them all"),
        ("churn = 2", "churn = 2: Input should be less than or equal to 1"),
        ('cap = "many"', "cap = 'many': Input should be a valid integer"),
        ("max_wait = 3", "max_wait 3 is below min_wait 15"),
        ("nyx_start = 2000000", "nyx_start 2000000 is above nyx_most 1000000"),
        ("[world]\nminus = 0.7\nplus = 0.7", "minus and plus are more than the whole together"),
        ("churn = ", "is not TOML"),
        ("[minds.chrysalis]\nmodel = 'm'", "minds.chrysalis.base_url is missing"),
        ("elder = 3", "elder = 3"),
    ],
)
def test_a_bad_configuration_file(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "swarm.toml"
    file.write_text(text)
    with pytest.raises(SwarmError) as found:
        setup_of(file)
    assert str(file) in str(found.value)
    assert message in str(found.value)


def test_no_configuration_file(tmp_path: Path) -> None:
    with pytest.raises(SwarmError, match="No such file"):
        setup_of(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(SwarmError, match="is not TOML"):
        setup_of(tmp_path / "latin.toml")
