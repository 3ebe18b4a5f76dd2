"""From a list of links to a file of scores: the same scores by every way of giving the links, whole files or none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coevo_pipelines.influence import edgelist
from coevo_pipelines.influence.edgelist import EdgeListError, memory
from coevo_pipelines.influence.links import Dropped, Held, Streamed, hold, pack
from coevo_pipelines.influence.pagerank import NotConverged, solve
from coevo_pipelines.influence.standalone import Scored, score, write
from coevo_pipelines.influence.weights import RELATION_WEIGHT
from coevo_pipelines_tests.influence.reference import exact
from coevo_pipelines_tests.runs import environment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

HALF = Fraction(1, 2)


def scored(edges: Path, nodes: Path | None = None, damping: float = 0.5, **more: Any) -> Scored:
    options: dict[str, Any] = {"tau_years": 2.6, "uniform": False, "relation_weight": RELATION_WEIGHT} | more
    return score(edges, nodes, damping=damping, **options)


def by_id(found: Scored) -> dict[str, tuple[float, float]]:
    """Influence and inflow by identifier."""
    return {name: (influence, inflow) for name, influence, inflow in found.top(10**9)}


def parquet(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def text(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


# --- what comes out --------------------------------------------------------------------------------------------------


def test_the_spec_s_typed_example(tmp_path: Path) -> None:
    rows = "M,B,derives_from\nM,D,trained_on\nM,P,cites\nM,L,depends_on\nB,P,cites\nL,P,cites\n"
    found = by_id(scored(text(tmp_path / "links.csv", "source,target,relation\n" + rows)))
    for name, influence, inflow in [("M", 32, 0), ("B", 38, 6), ("D", 36, 4), ("P", 71, 39), ("L", 36, 4)]:
        assert found[name] == pytest.approx((influence / 213, inflow / 53), abs=1e-15)


def test_newer_works_are_where_readers_start(tmp_path: Path) -> None:
    """CiteRank's chain, as shares."""
    rows = "source,target,event_at\nC,B,2022-01-01\nB,A,2021-01-01\n"
    nodes = text(tmp_path / "works.csv", "id,event_at\nC,2022-01-01\nB,2021-01-01\nA,2020-01-02\n")
    found = scored(text(tmp_path / "links.csv", rows), nodes, tau_years=365 / 365.25)
    assert found.edges.ids is not None
    traffic = dict(zip(found.edges.ids, found.solution.traffic, strict=True))
    assert found.starts.startswith("exp(-age / ") and found.starts.endswith("age on 2022-01-01")
    assert traffic == pytest.approx({"A": 0.37870504762, "B": 0.57734894891, "C": 0.66524095581}, abs=1e-9)


@pytest.mark.parametrize(
    ("rows", "uniform", "starts"),
    [
        ("a,b,2020\n", True, "uniform (as asked)"),
        ("a,b,\n", False, "uniform (nothing is dated)"),
        ("a,b,rubbish\n", False, "uniform (nothing is dated)"),
        ("a,b,2020\nc,d,\n", False, "exp(-age / 2.6 years), age on 2020-01-01"),
    ],
)
def test_where_readers_start_is_said(rows: str, uniform: bool, starts: str, tmp_path: Path) -> None:
    path = text(tmp_path / "links.csv", "source,target,event_at\n" + rows)
    assert scored(path, uniform=uniform).starts == starts


def test_an_undated_work_counts_as_old_as_the_oldest(tmp_path: Path) -> None:
    rows = "source,target,event_at\na,x,2020\nb,x,2010\nc,x,\n"
    found = by_id(scored(text(tmp_path / "links.csv", rows)))
    assert found["c"] == found["b"] < found["a"]


def test_a_relation_without_a_weight_names_the_way_out(tmp_path: Path) -> None:
    path = text(tmp_path / "links.csv", "source,target,relation\na,b,cites\na,c,extends\n")
    with pytest.raises(
        EdgeListError, match=r"relation 'extends' has no weight; known: derives_from.*--relation-weight"
    ):
        scored(path)
    found = by_id(scored(path, relation_weight={"cites": 1, "extends": 3}))
    assert (found["b"][1], found["c"][1]) == pytest.approx((0.25, 0.75))


def test_a_relation_of_weight_0_leaves_its_works_there(tmp_path: Path) -> None:
    path = text(tmp_path / "links.csv", "source,target,relation\na,b,cites\na,c,mentions\n")
    found = by_id(scored(path, relation_weight={"cites": 1, "mentions": 0}))
    assert [found[name][1] for name in "abc"] == [0.0, 1.0, 0.0]


def test_the_best_are_ordered_and_ties_go_by_number(tmp_path: Path) -> None:
    star = parquet(tmp_path / "links.parquet", {"source": np.arange(1, 1000), "target": np.zeros(999, dtype=np.int64)})
    found = scored(star)
    assert [name for name, _, _ in found.top(4)] == ["0", "1", "2", "3"]
    assert [name for name, _, _ in found.top(10**6)] == [str(place) for place in range(1000)]
    assert found.top(0) == []


def test_numbers_that_no_link_names_are_no_works(tmp_path: Path) -> None:
    """Neither in what is shown nor in what is written, nor do they take part in the scores."""
    found = scored(parquet(tmp_path / "links.parquet", {"source": [10, 20, 20, 77], "target": [0, 0, 10, 77]}))
    assert isinstance(found.edges.links, Streamed)
    assert found.works == 4
    x, inflow = exact(4, [(1, 0), (2, 0), (2, 1)], HALF)
    assert [name for name, _, _ in found.top(10)] == ["0", "10", "20", "77"]
    assert [one for _, one, _ in found.top(10)] == pytest.approx([float(each) for each in x], abs=1e-15)
    write(found, tmp_path / "scores.parquet")
    table = pl.read_parquet(tmp_path / "scores.parquet")
    assert table["id"].to_list() == [0, 10, 20, 77]
    assert table["inflow"].to_list() == pytest.approx([float(each) for each in inflow], abs=1e-15)


@pytest.mark.parametrize("damping", [0.0, 1e-300, 1e-9, 0.5, 0.999])
def test_any_damping(damping: float, tmp_path: Path) -> None:
    columns = {"source": [1, 2, 2, 9, 9, 3], "target": [0, 0, 1, 3, 9, 9]}
    streamed = by_id(scored(parquet(tmp_path / "links.parquet", columns), damping=damping))
    held = by_id(scored(parquet(tmp_path / "n.parquet", columns, write_statistics=False), damping=damping))
    number = {0: 0, 1: 1, 2: 2, 3: 3, 9: 4}
    rows = [(number[a], number[b]) for a, b in zip(columns["source"], columns["target"], strict=True)]
    x, _ = exact(5, rows, Fraction(damping))
    for found in (streamed, held):
        assert [found[str(name)][0] for name in number] == pytest.approx([float(each) for each in x], abs=1e-9)
    assert set(streamed) == {"0", "1", "2", "3", "9"}


def test_all_self_loops(tmp_path: Path) -> None:
    for path in (
        parquet(tmp_path / "links.parquet", {"source": [1, 2, 2], "target": [1, 2, 2]}),
        text(tmp_path / "links.csv", "source,target\n1,1\n2,2\n2,2\n"),
    ):
        found = scored(path)
        assert by_id(found) == {"1": (0.5, 0.0), "2": (0.5, 0.0)}
        assert found.dropped == Dropped(self_loops=2, duplicates=1)


def test_one_work_and_a_million_that_nobody_uses(tmp_path: Path) -> None:
    nodes = parquet(tmp_path / "works.parquet", {"id": np.arange(1_000_000)})
    links = parquet(tmp_path / "links.parquet", {"source": [5, 7], "target": [3, 3]})
    found = scored(links, nodes)
    assert (found.works, found.edges.counts.unknown) == (1_000_000, 0)
    assert [name for name, _, _ in found.top(3)] == ["3", "0", "1"]
    assert found.top(1)[0][2] == 1.0
    assert found.solution.influence.sum() == pytest.approx(1, abs=1e-12)
    alone = scored(text(tmp_path / "none.csv", "source,target\n"), text(tmp_path / "one.csv", "id\nonly\n"))
    assert by_id(alone) == {"only": (1.0, 0.0)}


def test_nothing_at_all(tmp_path: Path) -> None:
    found = scored(text(tmp_path / "links.csv", "source,target\n"))
    assert (found.works, found.top(10)) == (0, [])
    write(found, tmp_path / "scores.parquet")
    assert pl.read_parquet(tmp_path / "scores.parquet").height == 0


# --- the same by every way -------------------------------------------------------------------------------------------


def some_links(seed: int = 0, n: int = 60, size: int = 400) -> tuple[Integers, Integers]:
    """With cycles, self-loops and duplicates."""
    rng = np.random.default_rng(seed)
    source = np.sort(rng.integers(0, n, size))
    target = np.where(rng.random(size) < 0.1, rng.integers(0, n, size), (source * rng.random(size)).astype(int))
    return source, target


def test_shuffled_rows_give_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte for byte, as CSV and as Parquet, with every optional column, read in one piece or in many."""
    rng = np.random.default_rng(7)
    source, target = some_links(7)
    columns: dict[str, Any] = {
        "source": [f"work {each}" for each in source],
        "target": [f"work {each}" for each in target],
        "relation": [list(RELATION_WEIGHT)[each] for each in rng.integers(0, 5, source.size)],
        "weight": rng.integers(1, 5, source.size).astype(float),
        "event_at": [f"20{each}-01-01" for each in rng.integers(10, 25, source.size)],
    }
    weights = {"derives_from": 0.3, "trained_on": 0.7, "depends_on": 0.1, "cites": 0.9, "mentions": 1 / 3}
    written: dict[str, set[bytes]] = {".csv": set(), ".parquet": set()}
    for turn in range(4):
        order = rng.permutation(source.size) if turn else np.arange(source.size)
        frame = pl.DataFrame(columns)[order]
        monkeypatch.setattr(edgelist, "BATCH", 1 << 18 if turn < 2 else 13)
        for name, save in (("links.csv", frame.write_csv), ("links.parquet", frame.write_parquet)):
            save(tmp_path / name)
            found = scored(tmp_path / name, relation_weight=weights)
            assert found.solution.residual <= 1e-12
            for suffix, contents in written.items():
                out = tmp_path / f"scores{suffix}"
                write(found, out)
                contents.add(out.read_bytes())
    assert {suffix: len(contents) for suffix, contents in written.items()} == {".csv": 1, ".parquet": 1}


def ways() -> dict[str, Callable[[Path, Integers, Integers], Path]]:
    def integers(path: Path, source: Integers, target: Integers, **options: Any) -> Path:
        return parquet(path / "links.parquet", {"source": source, "target": target}, **options)

    def csv(path: Path, source: Integers, target: Integers) -> Path:
        pl.DataFrame({"source": source, "target": target}).write_csv(path / "links.csv")
        return path / "links.csv"

    def shuffled(path: Path, source: Integers, target: Integers) -> Path:
        order = np.random.default_rng(1).permutation(source.size)
        return integers(path, source[order], target[order], row_group_size=50)

    return {
        "sorted, streamed": integers,
        "in many row groups": lambda path, s, t: integers(path, s, t, row_group_size=7),
        "turned round": lambda path, s, t: integers(path, s[::-1], t[::-1], row_group_size=50),
        "32 bits": lambda path, s, t: integers(path, s.astype(np.int32), t.astype(np.int32), row_group_size=90),
        "without statistics": lambda path, s, t: integers(path, s, t, write_statistics=False),
        "shuffled": shuffled,
        "csv": csv,
    }


@pytest.mark.parametrize("way", ways())
def test_every_way_of_giving_the_links_gives_the_same_scores(way: str, tmp_path: Path) -> None:
    source, target = some_links()
    used = np.unique([source, target])
    reference = solve(
        hold(int(used[-1]) + 1, pack(source, target)), np.isin(np.arange(used[-1] + 1), used).astype(float), 0.85,
        tolerance=1e-16,
    )  # fmt: skip
    found = scored(ways()[way](tmp_path, source, target), damping=0.85)
    write(found, tmp_path / "scores.parquet")
    table = pl.read_parquet(tmp_path / "scores.parquet").sort("id")
    assert table["id"].to_list() == used.tolist(), "numbers are those of the file"
    np.testing.assert_allclose(table["influence"].to_numpy(), reference.influence[used], rtol=0, atol=1e-11)
    np.testing.assert_allclose(table["inflow"].to_numpy(), reference.inflow[used], rtol=0, atol=1e-10)
    clean = hold(100, pack(source, target))
    assert found.dropped == clean.dropped
    assert found.edges.counts.links == source.size


def test_a_file_in_no_order_of_time_is_put_in_order(tmp_path: Path) -> None:
    """Its self-loops and gaps are not forgotten over it."""
    rng = np.random.default_rng(5)
    n = 3000
    name = rng.permutation(2 * n)[:n]  # numbers that say nothing about time, every second one missing
    source = rng.integers(1, n, 9000)
    target = (source * rng.random(9000)).astype(np.int64)
    source, target = np.append(name[source], 2 * n), np.append(name[target], 2 * n)  # and a work that uses itself
    order = np.argsort(source, kind="stable")
    told: list[str] = []
    path = parquet(tmp_path / "links.parquet", {"source": source[order], "target": target[order]}, row_group_size=800)
    found = scored(path, damping=0.85, tell=told.append)
    assert any("putting them in order" in line for line in told)
    assert isinstance(found.edges.links, Held) and found.solution.sweeps == 1
    used = np.unique([source, target])
    assert found.works == used.size and found.dropped.self_loops >= 1
    present = np.isin(np.arange(2 * n + 1), used).astype(float)
    reference = solve(hold(2 * n + 1, pack(source, target)), present, 0.85, tolerance=1e-16)
    np.testing.assert_allclose(found.solution.influence, reference.influence, rtol=0, atol=1e-12)
    assert found.present is not None and found.present.tolist() == (present > 0).tolist()


def test_a_file_that_is_damaged_inside_is_refused(tmp_path: Path) -> None:
    columns = {"source": np.arange(1, 5000), "target": np.arange(4999) // 2}
    path = parquet(tmp_path / "links.parquet", columns, row_group_size=1000, use_dictionary=False)
    spoiled = bytearray(path.read_bytes())
    spoiled[200:1500] = b"\xff" * 1300
    path.write_bytes(spoiled)
    with pytest.raises(EdgeListError, match=r"links\.parquet: .*damaged or cut off"):
        scored(path)


def test_a_solve_that_does_not_end_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coevo_pipelines.influence.pagerank.MOST_SWEEPS", 10)
    source, target = some_links()
    with pytest.raises(NotConverged, match=r"after 10 sweep.*less damping takes fewer"):
        scored(parquet(tmp_path / "links.parquet", {"source": source, "target": target}), damping=0.99)


# --- writing ---------------------------------------------------------------------------------------------------------

STRANGE = ['a "quoted" one', "a,comma", "a\nnew line", "ünïcödé 蜂群 🐝", "007", "7", "NA", " x "]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_identifiers_come_back_as_they_were(suffix: str, tmp_path: Path) -> None:
    path = parquet(tmp_path / "links.parquet", {"source": STRANGE, "target": ["target"] * len(STRANGE)})
    out = tmp_path / f"scores{suffix}"
    write(scored(path), out)
    types = {"id": pl.String}
    table = pl.read_parquet(out) if suffix == ".parquet" else pl.read_csv(out, schema_overrides=types, null_values=[])
    assert table.columns == ["id", "influence", "inflow"]
    assert table["id"].to_list() == sorted([*STRANGE, "target"])
    assert table["influence"].sum() == pytest.approx(1)
    found = by_id(scored(path))
    assert table.rows() == [(name, *found[name]) for name in table["id"]], "no digit is lost"


def test_scores_can_be_joined_to_the_links(tmp_path: Path) -> None:
    """Integers stay integers."""
    for path in (
        parquet(tmp_path / "links.parquet", {"source": [3, 9], "target": [1, 3]}),
        parquet(tmp_path / "sparse.parquet", {"source": [3, 9], "target": [-1, 3]}),
        text(tmp_path / "links.csv", "source,target\n3,1\n9,3\n"),
    ):
        write(scored(path), tmp_path / "scores.parquet")
        assert pl.read_parquet_schema(tmp_path / "scores.parquet")["id"] == pl.Int64


@pytest.fixture
def small(tmp_path: Path) -> Scored:
    return scored(text(tmp_path / "links.csv", "source,target\na,b\n"))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_failing_write_leaves_what_was_there(
    suffix: str, small: Scored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full at the last moment."""
    folder = tmp_path / "out"
    folder.mkdir()
    out = folder / f"scores{suffix}"
    out.write_text("what was there")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(small, out)
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [(out.name, "what was there")]
    monkeypatch.undo()
    write(small, out)
    assert [path.name for path in folder.iterdir()] == [out.name]


def test_a_write_that_breaks_off_leaves_nothing(small: Scored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_table: Any, where: Path, **_options: Any) -> None:
        where.write_bytes(b"half")
        raise KeyboardInterrupt

    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.setattr(pq, "write_table", breaks)
    with pytest.raises(KeyboardInterrupt):
        write(small, folder / "scores.parquet")
    assert list(folder.iterdir()) == []


def test_where_nothing_can_be_written(small: Scored, tmp_path: Path) -> None:
    with pytest.raises(EdgeListError, match=r"scores\.txt: the output is a \.parquet or \.csv file"):
        write(small, tmp_path / "scores.txt")
    with pytest.raises(FileNotFoundError):
        write(small, tmp_path / "none" / "scores.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OSError):
        write(small, tmp_path / "folder.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.csv", "links.csv"]


# --- memory ----------------------------------------------------------------------------------------------------------

ROWS = 2_000_000
PEAK = """
import re, sys
from pathlib import Path
from coevo_pipelines.influence.standalone import score, write
found = score(Path(sys.argv[1]), damping=.5, tau_years=2.6, uniform=False, relation_weight={"cites": 1, "uses": 2})
write(found, Path(sys.argv[2]))
# Not ru_maxrss: that one begins at what the process had that started this one.
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def large(kind: str) -> dict[str, Any]:
    rng = np.random.default_rng(2)
    works = ROWS // 10
    source = np.sort(rng.integers(1, works, ROWS))
    target = (source * rng.random(ROWS)).astype(np.int64)
    if kind == "in order":
        return {"source": source, "target": target}
    if kind == "in no order of time":
        return {"source": source, "target": rng.integers(0, works, ROWS)}
    order = rng.permutation(ROWS)
    source, target = source[order], target[order]
    if kind == "shuffled":
        return {"source": source, "target": target}
    names = pa.array([f"https://example.org/works/{place:012d}" for place in range(works)])
    columns = {"source": names.take(pa.array(source)), "target": names.take(pa.array(target))}
    if kind == "text":
        return columns
    relations = pa.array(["cites", "uses"]).take(pa.array(source % 2))
    return columns | {"relation": relations, "weight": rng.random(ROWS), "event_at": 1990 + source % 30}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize("kind", ["in order", "in no order of time", "shuffled", "text", "text with all columns"])
def test_the_memory_it_says_is_enough_and_not_far_too_much(kind: str, tmp_path: Path) -> None:
    path = parquet(tmp_path / "links.parquet", large(kind), row_group_size=1 << 18)
    said = memory(path)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path), str(tmp_path / "scores.parquet")], capture_output=True, text=True,
        check=True, env=environment(),
    )  # fmt: skip
    peak = int(done.stdout) * 1024
    assert peak <= said <= 3 * peak  # peaks of the same work differ by half from machine to machine


def test_a_list_of_works_and_columns_beside_the_links_take_memory_too(tmp_path: Path) -> None:
    source = np.arange(1, 100_000)
    target = source // 2
    dated = parquet(tmp_path / "dated.parquet", {"source": source, "target": target, "event_at": source})
    nodes = parquet(tmp_path / "works.parquet", {"id": np.arange(1_000_000)})
    assert memory(dated, dated=False) < memory(dated)
    assert memory(dated, nodes) > memory(dated) + 50_000_000
    with pytest.raises(EdgeListError, match="there is no such file"):
        memory(dated, tmp_path / "none.csv")
