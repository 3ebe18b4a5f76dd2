"""`coevo influence score` and `explain` on lists of links, by the real command: files, words and exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coevo_pipelines import cli
from coevo_pipelines_tests.runs import coevo

Typed = Callable[..., tuple[int, str, str]]

LINKS = """source,target,relation,weight,event_at
paper,library,depends_on,1,2024-02-01
paper,model,derives_from,2,2024-02-01
paper,model,derives_from,1,2024-03-01
model,library,cites,1,2023-01-01
model,model,cites,1,2023-01-01
,library,cites,1,2023-01-01
paper,blog,mentions,much,2024-02-01
paper,blog,mentions,0,2024-02-01
talk,paper,mentions,1,soon
talk,paper
"""
WORKS = "id,event_at\npaper,2024\nlonely,2020\nlonely,2021\n,2022\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "links.csv").write_text(LINKS)
    (tmp_path / "works.csv").write_text(WORKS)
    return tmp_path


@pytest.fixture
def typed(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """The command in this process: (exit code, standard output, standard error)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["coevo", "influence", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


# --- score -----------------------------------------------------------------------------------------------------------


def test_a_list_in_a_bad_state_is_scored_and_everything_else_is_said(folder: Path) -> None:
    done = coevo("influence", "score", "links.csv", "--nodes", "works.csv", "--out", "scores.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    table = pl.read_csv(folder / "scores.csv")
    assert table["id"].to_list() == ["library", "lonely", "model", "paper", "talk"]
    assert table["influence"].sum() == pytest.approx(1)
    assert table["inflow"].sum() == pytest.approx(1)
    for words in (
        "5 works, 4 links from 10 rows",
        "1 self-loops dropped",
        "1 repeated links dropped",
        "1 works repeated in the list of works",
        "3 works are in links only, not in the list of works (they count)",
        "1 works without a date count as old as the oldest",
        "1 rows: no source or target",
        "1 rows: weight is not a number from 0 to 1e+100",
        "1 rows: weight 0",
        "1 rows: another number of fields",
        "1 rows: event_at cannot be read (the link counts, undated)",
        "1 rows: list of works: no id",
        "exp(-age / 2.6 years), age on 2024-",
        "Written: scores.csv, and scores.csv.rejects.csv",
    ):
        assert words in done.stdout
    assert "needs up to about" in done.stderr and "GB of memory" in done.stderr
    rejects = pl.read_csv(folder / "scores.csv.rejects.csv")
    assert rejects.rows() == [
        (6, None, "library", "no source or target"),
        (7, "paper", "blog", "weight is not a number from 0 to 1e+100"),
        (8, "paper", "blog", "weight 0"),
        (10, None, None, "has 2 fields instead of 5"),
    ]


def test_every_row_is_accounted_for(typed: Typed, folder: Path) -> None:
    code, out, err = typed("score", "links.csv", "--out", "scores.parquet", "--json")
    said = json.loads(out)
    assert (code, err) == (0, "")
    assert (said["rows"], said["works"], said["links"], said["self_loops"], said["duplicates"]) == (10, 4, 4, 1, 1)
    undated = said["rejected"].pop("event_at cannot be read (the link counts, undated)")
    assert said["links"] + said["self_loops"] + said["duplicates"] + sum(said["rejected"].values()) == said["rows"]
    assert (undated, said["works_listed"], said["works_not_in_list"]) == (1, None, None)
    assert said["residual"] <= 1e-12 and said["sweeps"] == 1 and said["out"] == "scores.parquet"
    assert pl.read_parquet(folder / "scores.parquet")["id"].to_list() == ["library", "model", "paper", "talk"]


def test_rejects_of_another_time_do_not_stay(typed: Typed, folder: Path) -> None:
    typed("score", "links.csv", "--out", "scores.csv")
    assert (folder / "scores.csv.rejects.csv").exists()
    (folder / "links.csv").write_text("source,target\na,b\n")
    code, out, _ = typed("score", "links.csv", "--out", "scores.csv")
    assert code == 0 and "rejects" not in out
    assert not (folder / "scores.csv.rejects.csv").exists()
    assert pl.read_csv(folder / "scores.csv")["id"].to_list() == ["a", "b"]


def test_textbook_pagerank_with_the_options_that_are_said(typed: Typed, folder: Path) -> None:
    pairs = "B,C C,B D,A D,B E,B E,D E,F F,B F,E G,B G,E H,B H,E I,B I,E J,E K,E"
    (folder / "links.csv").write_text("source,target\n" + pairs.replace(" ", "\n"))
    assert typed("score", "links.csv", "--damping", ".85", "--uniform", "--out", "scores.csv")[0] == 0
    table = pl.read_csv(folder / "scores.csv")
    expected = [19002201, 222822800, 198772220, 22657320, 46886400, 22657320, *[9372840] * 5]
    assert table["id"].to_list() == list("ABCDEFGHIJK")
    assert table["influence"].to_list() == pytest.approx([each / 579662461 for each in expected], abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--damping", "1"], "--damping is 1.0: give a number from 0 to below 1, such as .85"),
        (["--damping", "-.1"], "--damping is -0.1"),
        (["--damping", "nan"], "--damping is nan"),
        (["--tau", "0"], "--tau is 0.0: give a number of years above 0"),
        (["--tau", "inf"], "--tau is inf"),
        (["--out", "scores.txt"], "--out scores.txt: the name ends in .parquet or .csv"),
        (["--out", "."], "--out .: "),
        (["--out", "none/scores.csv"], "none/scores.csv: there is no folder"),
        (["--out", "links.csv"], "links.csv would be written and is what is to be read: give --out another name"),
        (["--nodes", "works.csv", "--out", "./works.csv"], "works.csv would be written and is what is to be read"),
        (["--nodes", "none.csv"], "none.csv: there is no such file"),
        (["--nodes", "links.csv"], "links.csv: there is no column 'id'; found: source, target"),
        (["--relation-weight", "cites"], "--relation-weight cites: write NAME=WEIGHT"),
        (["--relation-weight", "cites=much"], "--relation-weight cites=much: write NAME=WEIGHT"),
        (["--relation-weight", "cites=-1"], "with a weight of at least 0, such as cites=1"),
        (["--relation-weight", "cites=nan"], "with a weight of at least 0"),
        (["--relation-weight", "=1"], "write NAME=WEIGHT"),
    ],
)
def test_what_was_asked_wrongly_is_said_and_nothing_is_written(
    arguments: list[str], words: str, typed: Typed, folder: Path
) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    code, out, err = typed("score", "links.csv", "--out", "scores.csv", *arguments)
    assert (code, out) == (2, "")
    assert words in err and "Traceback" not in err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.csv", None, "none.csv: there is no such file"),
        ("links.json", b"{}", "links.json: give a .parquet or .csv file"),
        ("empty.csv", b"", "empty.csv: there is no column 'source'; found: none"),
        ("empty.parquet", b"", "empty.parquet: not a Parquet file, or cut off"),
        ("other.csv", b"from,to\na,b\n", "there is no column 'source'; found: from, to"),
        ("narrow.csv", "source,target\né,b\n".encode("latin-1"), "not a UTF-8 CSV file"),
        ("typed.csv", b"source,target,relation\na,b,extends\n", "Give one: --relation-weight extends=1"),
    ],
)
def test_a_file_that_cannot_be_used(name: str, content: bytes | None, words: str, typed: Typed, folder: Path) -> None:
    if content is not None:
        (folder / name).write_bytes(content)
    code, out, err = typed("score", name, "--out", "scores.csv")
    assert (code, out) == (2, "")
    assert words in err and "Traceback" not in err
    assert not list(folder.glob("*scores*"))


def test_the_way_out_works(typed: Typed, folder: Path) -> None:
    (folder / "links.csv").write_text("source,target,relation\na,b,extends\na,c,is a = b\n")
    weights = ["--relation-weight", "extends=1", "--relation-weight", "is a = b=3"]
    assert typed("score", "links.csv", "--out", "scores.csv", *weights)[0] == 0
    assert pl.read_csv(folder / "scores.csv")["inflow"].to_list() == pytest.approx([0, 0.25, 0.75])


def test_a_cut_off_file_ends_the_real_command_with_2_and_one_line(folder: Path) -> None:
    path = folder / "links.parquet"
    pq.write_table(pa.table({"source": np.arange(1, 5000), "target": np.zeros(4999, dtype=int)}), path)
    path.write_bytes(path.read_bytes()[:3000])
    done = coevo("influence", "score", "links.parquet", "--out", "scores.parquet", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith("error: links.parquet: not a Parquet file, or cut off")
    assert "Traceback" not in done.stderr and not (folder / "scores.parquet").exists()


def test_what_goes_wrong_on_the_way_ends_with_1(typed: Typed, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        code, _, err = typed("score", "links.csv", "--out", "scores.csv")
    assert code == 1 and "No space left on device" in err and "Traceback" not in err
    assert sorted(path.name for path in folder.iterdir()) == ["links.csv", "works.csv"]
    monkeypatch.setattr("coevo_pipelines.influence.pagerank.MOST_SWEEPS", 2)
    (folder / "links.csv").write_text("source,target\na,b\nb,a\na,c\nc,a\nb,c\n")
    code, _, err = typed("score", "links.csv", "--out", "other.csv", "--damping", ".99")
    assert code == 1 and "after 2 sweep(s), asked for 1.0e-12; less damping takes fewer" in err
    assert not (folder / "other.csv").exists()


def test_any_identifier_can_be_shown_in_a_narrow_locale(folder: Path) -> None:
    (folder / "links.csv").write_text('source,target\n"蜂群, ""swarm""","a [red]b[/]"\n')
    done = coevo(
        "influence", "score", "links.csv", "--out", "scores.csv", cwd=folder, LC_ALL="C", PYTHONIOENCODING="ascii",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "a [red]b[/]" in done.stdout
    assert pl.read_csv(folder / "scores.csv")["id"].to_list() == ["a [red]b[/]", '蜂群, "swarm"']


# --- explain ---------------------------------------------------------------------------------------------------------


def explained(typed: Typed, *arguments: str) -> Any:
    code, out, err = typed("explain", *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_an_explanation_adds_up_to_the_score(typed: Typed, folder: Path) -> None:
    options = ["--nodes", "works.csv", "--damping", ".7", "--tau", "5", "--relation-weight", "cites=4"]
    assert typed("score", "links.csv", "--out", "scores.csv", *options)[0] == 0
    scores = dict(pl.read_csv(folder / "scores.csv").select("id", "influence").iter_rows())
    for name, score in scores.items():
        answer = explained(typed, name, "--edges", "links.csv", *options)
        assert (answer["id"], answer["works"]) == (name, 5)
        assert answer["influence"] == pytest.approx(score, abs=1e-15)
        assert answer["started"] + sum(each["flow"] for each in answer["arrivals"]) == pytest.approx(score, abs=1e-15)
        assert answer["started"] + sum(each["flow"] for each in answer["paths"]) == pytest.approx(score, abs=1e-15)
        assert answer["rank"] == 1 + sum(other > score for other in scores.values())


def test_numbers_with_gaps_are_explained_too(typed: Typed, folder: Path) -> None:
    """A file that is streamed, with a cycle and with numbers that stand for no work."""
    source, target = [0, 10, 20, 20, 30, 30], [20, 0, 0, 10, 20, 40]
    pq.write_table(pa.table({"source": source, "target": target}), folder / "links.parquet")
    for name in ("0", "10", "20", "30", "40"):
        answer = explained(typed, name, "--edges", "links.parquet", "--damping", ".85")
        total = answer["started"] + sum(each["flow"] for each in answer["arrivals"])
        assert total == pytest.approx(answer["influence"], abs=1e-11)
        assert answer["works"] == 5
    code, _, err = typed("explain", "5", "--edges", "links.parquet")
    assert code == 2 and "there is no work '5' in links.parquet" in err


def test_an_explanation_in_words(folder: Path) -> None:
    done = coevo("influence", "explain", "library", "--edges", "links.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "library"
    assert lines[1].startswith("readers start: exp(-age / 2.6 years), age on 2024-02-01")
    assert "come over 2 links" in lines[2]
    assert any("depends_on" in line and "paper" in line for line in lines)
    assert any("paper -derives_from-> model -cites-> library" in line for line in lines)


def test_leading_zeros_count(typed: Typed, folder: Path) -> None:
    (folder / "links.csv").write_text("source,target\n007,x\n7,x\n7,y\n")
    arrivals = explained(typed, "x", "--edges", "links.csv")["arrivals"]
    assert [each["id"] for each in arrivals] == ["007", "7"]
    assert explained(typed, "007", "--edges", "links.csv")["id"] == "007"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["librry", "--edges", "links.csv"], "there is no work 'librry' in links.csv; did you mean library?"),
        (
            ["xxxxxxxx", "--edges", "links.csv"],
            "there is no work 'xxxxxxxx' in links.csv; works go by their identifiers, such as ",
        ),
        (["paper", "--edges", "none.csv"], "none.csv: there is no such file"),
        (["paper", "--edges", "links.csv", "--mode", "guarded"], "--date and --mode are about the lake"),
        (["paper", "--edges", "links.csv", "--date", "2019-03-25"], "--date and --mode are about the lake"),
        (["paper", "--edges", "links.csv", "--damping", "1"], "--damping is 1.0"),
        (["paper", "--edges", "links.csv", "--paths", "-1"], "--paths"),
    ],
)
def test_what_cannot_be_explained(arguments: list[str], words: str, typed: Typed) -> None:
    code, out, err = typed("explain", *arguments)
    assert (code, out) == (2, "")
    assert words in err and "Traceback" not in err
