"""`coevo bench`: the measurements run, measure the same thing, and agree."""

from __future__ import annotations

import json
from pathlib import Path

from coevo_pipelines_tests.runs import coevo


def test_every_solver_runs_and_agrees_with_the_first(tmp_path: Path) -> None:
    arguments = ("--edges", "20000", "--text", "20000", "--folder", str(tmp_path), "--json")
    measured = json.loads(coevo("bench", "influence", *arguments).stdout)
    by_name = {each["name"]: each for each in measured}
    assert not any(each["failure"] for each in measured), measured
    mappers = ["map coevo", "map polars", "map duckdb", "resolve coevo", "resolve polars"]
    assert list(by_name) == ["coevo", "scipy", "igraph", "networkx", *mappers]
    for name in ("scipy", "igraph", "networkx"):
        assert by_name[name]["difference"] < 1e-12
    for name in ("map polars", "map duckdb", "resolve polars"):
        assert by_name[name]["difference"] == 0
    assert set(by_name["coevo"]["seconds"]) == {"load", "solve", "write"}
    assert all(each["peak_bytes"] > 50e6 for each in measured)


def test_a_failed_contestant_is_named_and_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "links_2000_1.parquet").write_bytes(b"no Parquet")
    measured = json.loads(
        coevo("bench", "influence", "--edges", "2000", "--text", "0", "--folder", str(tmp_path), "--json").stdout
    )
    assert [each["name"] for each in measured] == ["coevo", "scipy", "igraph", "networkx"]
    assert all(each["failure"] for each in measured)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = coevo("bench", "influence", "--folder", str(tmp_path / "absent"))
    assert done.returncode == 2
    assert "absent: there is no such folder" in done.stderr


def test_a_world_is_a_lake_that_verifies(tmp_path: Path) -> None:
    lake = str(tmp_path / "world")
    made = coevo("bench", "world", "--works", "500", "--edges", "3000", "--days", "2", "--lake", lake)
    assert "Done" in made.stdout
    timed = json.loads(coevo("bench", "stages", "--lake", lake, "--json").stdout)
    assert [each["stage"] for each in timed] == ["influence", "influence", "rewards", "rewards"]
    assert all(each["rows"]["influence.scores"] > 400 for each in timed if each["stage"] == "influence")
    assert "all agree" in coevo("verify", "--lake", lake).stdout
    again = coevo("bench", "world", "--works", "500", "--edges", "3000", "--lake", lake)
    assert again.returncode != 0
    assert lake in again.stderr


def test_normalization_is_measured_beside_the_loop(tmp_path: Path) -> None:
    arguments = ("--works", "1200", "--folder", str(tmp_path), "--json")
    measured = json.loads(coevo("bench", "normalize", *arguments).stdout)
    assert [each["sources"] for each in measured] == [
        ["arxiv"], ["openalex"], ["github"], ["huggingface"], ["arxiv", "openalex", "github", "huggingface"],
    ]  # fmt: skip
    *alone, together = measured
    assert [each["works"] for each in alone] == [300] * 4 and together["works"] == 1200
    for one in ("received", "stored", "rows"):
        assert together[one] == sum(each[one] for each in alone)
    assert 0 < together["stored"] < together["received"] / 2
    assert all(each["loop_s"] > 0 and set(each["seconds"]) == {"parse", "one row a key", "write"} for each in measured)
