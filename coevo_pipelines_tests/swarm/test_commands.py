from __future__ import annotations

import csv
import json
import resource
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from coevo_pipelines.cli import app
from coevo_pipelines.swarm.config import Config
from coevo_pipelines.swarm.runs.standalone import segments, setup_of
from coevo_pipelines_tests.runs import coevo, command, environment

ROOM = 32_000
"""Bytes: more than any file has at the beginning, less than the book of 20 ticks."""
SIZE = ("--organisms", "30", "--patterns", "3", "--ticks", "50", "--seed", "5", "--every", "25")


def asked(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["swarm", *arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("run") / "one"
    answer = asked("run", *SIZE, "--out", str(found))
    assert answer.exit_code == 0, answer.output
    (found.parent / "said").write_text(answer.output)
    return found


def test_run_says_what_it_came_to(folder: Path) -> None:
    said = (folder.parent / "said").read_text()
    for line in ("Ternary gradient", "Decisions: ", "decided by", "Predictions: ", "all accounts sum to 0.000 LF",
                 f"Done: {folder}", f"coevo swarm resume {folder} --ticks 100"):  # fmt: skip
        assert line in said
    assert sorted(path.name for path in (folder / "pictures").iterdir()) == [
        "accounts.svg", "calibration.svg", "gradient.svg", "lifeforce.svg", "markers.svg", "teaching.svg",
        "tiers.svg"]  # fmt: skip


def test_resume_and_json(folder: Path) -> None:
    told = json.loads(asked("resume", str(folder), "--json").output)
    assert (told["run"]["done"], told["lifeforce_milli"]["sum"]) == (50, 0)
    assert [row["tick"] for row in told["gradient"]] == [0, 50]


def test_a_damaged_segment_is_told(folder: Path) -> None:
    victim = segments(folder)[-1].folder / "versions.parquet"
    victim.write_bytes(victim.read_bytes()[:-1])
    found = asked("resume", str(folder))
    assert found.exit_code == 0
    assert f"{victim} is not as it was written" in found.stderr
    assert "going on from tick 25" in found.stderr


def test_nothing_to_go_on_from(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "run")
    for each in segments(tmp_path / "run"):
        (each.folder / "cells.parquet").unlink(missing_ok=True)
    found = coevo("swarm", "resume", str(tmp_path / "run"))
    assert found.returncode == 1
    assert "can be gone on from" in found.stderr
    assert "Traceback" not in found.stderr


def test_explain_of_a_run(folder: Path) -> None:
    marker = f"blend_{json.loads((folder / 'run.json').read_bytes())['run_id']}_1"
    said = asked("explain", marker, "--run", str(folder))
    assert said.exit_code == 0, said.output
    assert marker in said.output
    assert "organism:00000" in said.output
    told = json.loads(asked("explain", marker, "--run", str(folder), "--json").output)
    assert told["marker"]["marker_id"] == marker
    assert told["teacher"]["simulated"][1] == len(told["marker"]["teacher_outcomes"])
    wrong = asked("explain", f"{marker}000", "--run", str(folder))
    assert f"did you mean {marker}" in str(wrong.exception)


def test_picture_of_a_run(folder: Path, tmp_path: Path) -> None:
    found = asked("picture", "--run", str(folder), "--out", str(tmp_path / "svg"))
    assert found.output.splitlines() == [str(tmp_path / "svg" / f"{name}.svg") for name in (
        "gradient", "markers", "calibration", "lifeforce", "accounts", "teaching", "tiers")]  # fmt: skip
    assert (tmp_path / "svg" / "gradient.svg").read_bytes() == (folder / "pictures" / "gradient.svg").read_bytes()


def test_compare_shows_and_writes(tmp_path: Path) -> None:
    size = ("--organisms", "12", "--patterns", "2", "--ticks", "20", "--at", "10", "--seeds", "3", "--workers", "1")
    said = asked("compare", *size, "--out", str(tmp_path / "shares.csv"))
    assert said.exit_code == 0, said.output
    assert "mark_continue hist_live - freeze hist_live" in said.output
    rows = list(csv.DictReader((tmp_path / "shares.csv").read_text().splitlines()))
    assert [(row["variant"], row["seed"], row["tick"]) for row in rows[:3]] == [
        ("freeze hist_live", "1", "10"),
        ("freeze hist_live", "1", "20"),
        ("mark_continue hist_live", "1", "10"),
    ]
    told = json.loads(asked("compare", *size, "--json").output)
    assert [row["share"] for row in told["shares"]] == [float(row["share"]) for row in rows]
    assert {row["seeds"] for row in told["differences"]} == {3}


def test_config_is_a_file_of_the_same_parameters(tmp_path: Path) -> None:
    file = tmp_path / "all.toml"
    file.write_text(asked("config").output)
    assert setup_of(file).config == Config()
    assert f"# hash {Config().hash}" in file.read_text()
    changed = tmp_path / "some.toml"
    changed.write_text('churn = 0.5\n[importance]\n"p1" = "critical"\n[minds.council]\nmodel = "m"\n'
                       'base_url = "http://127.0.0.1:1/v1"\n')  # fmt: skip
    file.write_text(asked("config", str(changed)).output)
    assert setup_of(file) == setup_of(changed)
    assert tomllib.loads(file.read_text())["minds"]["council"]["model"] == "m"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--out", "{file}"), "is a file: --out names a folder"),
        (("run", "--out", "{there}"), "holds another run"),
        (("run", "--out", "{new}", "--config", "{bad}"), "there is no setting 'chrun'; the nearest is 'churn'"),
        (("run", "--out", "{new}", "--ticks", "3000000"), "years end with 9999"),
        (("resume", "{new}"), "holds no run"),
        (("picture", "--run", "{new}"), "holds no run"),
        (("explain", "m", "--run", "{new}"), "holds no run"),
        (("explain", "m", "--run", "{there}", "--date", "2000-01-01"), "--date is about the lake"),
        (("explain", "m", "--lake", "{new}"), "is not a lake"),
        (("compare", "--protocol", "freeze"), "nothing to compare"),
        (("compare", "--protocol", "freeze,melt"), "there is no protocol 'melt'"),
        (("compare", "--at", "9", "--ticks", "5"), "--at 9 is after the last tick 5"),
        (("compare", "--out", "{new}.txt"), "ends in .csv or .parquet"),
        (("compare", "--organisms", "0"), "at least one organism"),
        (("config", "{bad}"), "there is no setting 'chrun'"),
    ],
)
def test_asked_wrongly(folder: Path, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "bad.toml").write_text("chrun = 1")
    names = {"file": tmp_path / "file", "bad": tmp_path / "bad.toml", "new": tmp_path / "new", "there": folder}
    found = asked(*(each.format(**names) for each in arguments))
    assert type(found.exception).__name__ in {"UsageError", "SwarmError"}, found.output
    assert message in str(found.exception)
    assert not (tmp_path / "new").exists()


def test_a_full_disk_leaves_whole_segments(folder: Path, tmp_path: Path) -> None:
    """The largest file that a process may write stands for the room on a disk."""
    assert folder.is_dir()  # kernels are compiled: their files would be too large, too
    out = tmp_path / "run"
    size = ("--organisms", "500", "--patterns", "3", "--ticks", "40", "--every", "20")
    answer = subprocess.run(
        command("swarm", "run", *size, "--out", str(out)),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM)),
    )
    assert answer.returncode == 1, answer.stderr
    assert answer.stderr.startswith("error: ")
    assert f"go on by `coevo swarm resume {out}`" in answer.stderr
    assert [path.name for path in (out / "segments").iterdir()] == ["tick=00000000"]
    assert asked("resume", str(out)).exit_code == 0
    assert [each.tick for each in segments(out)] == [0, 20, 40]
