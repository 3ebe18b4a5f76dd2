"""Synthetic worlds: what is promised about their shape, and that they are the same every time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from coevo_pipelines.bench import world


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def gini(counts: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """0 when all are equal, 1 when one has everything."""
    ordered = np.sort(counts)
    return float(1 - 2 * (ordered.cumsum() / ordered.sum()).mean())


WORKS, EDGES = 20_000, 200_000


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("edges") / "edges.parquet"
    world.edge_list(WORKS, EDGES, 7, path)
    return path


def test_an_edge_list_is_what_it_says(listed: Path) -> None:
    edges = pl.read_parquet(listed)
    assert dict(edges.schema) == {"source": pl.Int64(), "target": pl.Int64()}
    assert edges.height == EDGES
    assert edges["source"].is_sorted()
    assert edges.min().row(0) >= (0, 0)
    assert max(edges.max().row(0)) < WORKS
    assert edges.filter(pl.col("source") == pl.col("target")).is_empty()
    newer = edges.select((pl.col("target") > pl.col("source")).mean()).item()
    assert newer == pytest.approx(world.NEWER, rel=0.5)
    assert 0 < EDGES - edges.n_unique() < EDGES / 50


def test_an_edge_list_has_few_famous_works_and_many_unknown_ones(listed: Path) -> None:
    """The bounds leave out an evenly spread graph (Gini 0.2, top hundredth 2 %) and a star (0.99, 100 %)."""
    edges = pl.read_parquet(listed)
    cited = np.bincount(edges["target"].to_numpy(), minlength=WORKS).astype(np.float64)
    top = np.sort(cited)[-WORKS // 100 :].sum() / cited.sum()
    assert 0.7 < gini(cited) < 0.93
    assert 0.15 < top < 0.45
    assert 0.25 < (cited == 0).mean() < 0.6


def test_an_edge_list_ages(listed: Path) -> None:
    """Drawn evenly, less than a tenth of what the newest works refer to would be from the last fifth."""
    late = pl.read_parquet(listed).filter(pl.col("source") > WORKS * 9 // 10)
    fresh = late.filter(pl.col("target") > WORKS * 8 // 10).height / late.height
    assert 0.14 < fresh < 0.5


def test_an_edge_list_is_the_same_each_time(listed: Path, tmp_path: Path) -> None:
    world.edge_list(WORKS, EDGES, 7, tmp_path / "again")
    world.edge_list(WORKS, EDGES, 8, tmp_path / "other")
    assert digest(tmp_path / "again") == digest(listed)
    assert digest(tmp_path / "other") != digest(listed)


def test_an_edge_list_does_not_depend_on_being_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small list is made by plain Python, a large one by compiled code: they must agree."""
    world.edge_list(500, 4_000, 7, tmp_path / "plain")
    monkeypatch.setattr("coevo_pipelines.influence.kernel.LARGE", 0)
    world.edge_list(500, 4_000, 7, tmp_path / "compiled")
    assert digest(tmp_path / "plain") == digest(tmp_path / "compiled")


def test_chunks_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "CHUNK", 1_000)
    for strings in (False, True):
        world.edge_list(900, 4_500, 7, tmp_path / "edges", strings=strings)
        file = pq.ParquetFile(tmp_path / "edges")
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        assert sizes == [1_000, 1_000, 1_000, 1_000, 500]
    monkeypatch.undo()
    whole = world._starts(900, 4_500, np.random.default_rng(1))
    parts = [world._sources(whole, first, min(first + 700, 4_500)) for first in range(0, 4_500, 700)]
    assert np.array_equal(np.concatenate(parts), world._sources(whole, 0, 4_500))
    assert np.array_equal(np.bincount(np.concatenate(parts), minlength=900), np.diff(whole))


def test_a_list_of_strings_is_the_same_graph_in_another_order(listed: Path, tmp_path: Path) -> None:
    world.edge_list(WORKS, EDGES, 7, tmp_path / "strings", strings=True)
    named = pl.read_parquet(tmp_path / "strings")
    numbered = pl.read_parquet(listed)
    names = pl.Series("name", world._names(WORKS))
    assert names.n_unique() == WORKS
    assert names.str.contains(r"^(arxiv:\d{4}\.\d{5}|openalex:W\d{10})$").all()
    assert names.str.starts_with("arxiv:").mean() == pytest.approx(world.ARXIV_SHARE, abs=0.02)
    back = {column: names.gather(numbered[column]) for column in numbered.columns}
    assert pl.DataFrame(back).sort("source", "target").equals(named.sort("source", "target"))
    assert not named["source"].is_sorted()
    near = (named["source"] == named["source"].shift(1)).mean()
    assert isinstance(near, float)
    assert near < 0.01


@pytest.mark.parametrize(("works", "edges"), [(1, 0), (10, 46), (10, -1)])
def test_an_impossible_edge_list_is_refused(works: int, edges: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no graph of"):
        world.edge_list(works, edges, 1, tmp_path / "edges")
    assert not (tmp_path / "edges").exists()


def test_a_graph_without_references(tmp_path: Path) -> None:
    world.edge_list(10, 0, 1, tmp_path / "edges")
    assert pl.read_parquet(tmp_path / "edges").height == 0
