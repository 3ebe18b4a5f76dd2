"""Links: packed and back, cleaned, in an order that is not against them, and the same from a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.influence import links
from coevo_pipelines.influence.edgelist import stream
from coevo_pipelines.influence.links import (
    MOST_RELATIONS,
    MOST_WORKS,
    SOURCE_SHIFT,
    Dropped,
    Held,
    Links,
    LinksError,
    hold,
    in_memory,
    named,
    pack,
    unpack,
)
from coevo_pipelines.influence.pagerank import TOLERANCE, solve
from coevo_pipelines_tests.influence.reference import held

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

HIGHEST = MOST_WORKS - 1


# --- packing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64])
def test_a_link_comes_back_from_any_integers(kind: Any) -> None:
    source, target = np.array([0, 1, 100, 7], dtype=kind), np.array([100, 0, 99, 7], dtype=kind)
    back = unpack(pack(source, target, np.array([0, 31, 5, 1], dtype=np.int8)))
    assert [each.tolist() for each in back] == [source.tolist(), target.tolist(), [0, 31, 5, 1]]


def test_the_highest_numbers_fit() -> None:
    packed = pack(np.array([HIGHEST]), np.array([HIGHEST]), MOST_RELATIONS - 1)
    assert packed[0] == np.iinfo(np.int64).max
    assert [int(each[0]) for each in unpack(packed)] == [HIGHEST, HIGHEST, MOST_RELATIONS - 1]


@pytest.mark.parametrize(("source", "target"), [(-1, 0), (0, -1), (MOST_WORKS, 0), (0, MOST_WORKS)])
def test_a_number_that_does_not_fit_is_refused(source: int, target: int) -> None:
    with pytest.raises(ValueError, match="work numbers must lie in"):
        pack(np.array([0, source]), np.array([0, target]))


# --- holding --------------------------------------------------------------------------------------------------------


def own_numbers(graph: Held) -> list[tuple[int, int, int, float]]:
    """Its links by the works' own numbers."""
    source, target, relation = unpack(graph.packed)
    if graph.position is not None:
        work = np.argsort(graph.position)
        source, target = work[source], work[target]
    weight = graph.weight if graph.weight.size else np.ones(source.size)
    rows = zip(source.tolist(), target.tolist(), relation.tolist(), weight.tolist(), strict=True)
    return sorted(rows)


def test_what_is_dropped_is_counted() -> None:
    graph = held(3, [(2, 1), (2, 1), (2, 1), (1, 1), (1, 1), (2, 0, 1), (2, 0)])
    assert own_numbers(graph) == [(2, 0, 0, 1.0), (2, 0, 1, 1.0), (2, 1, 0, 1.0)]
    assert graph.dropped == Dropped(self_loops=1, duplicates=3)


def test_of_duplicates_the_heaviest_stays() -> None:
    graph = held(2, [(1, 0, 0, 2), (1, 0, 0, 9), (1, 0, 0, 5)], weighted=True)
    assert own_numbers(graph) == [(1, 0, 0, 9.0)]


def test_links_in_order_of_time_are_visited_from_the_newest() -> None:
    graph = held(4, [(3, 1), (2, 0), (3, 2)])
    assert graph.position is None
    (chunk,) = graph.chunks()
    assert chunk.backwards and chunk.packed.tolist() == sorted(chunk.packed.tolist())


rows = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 3), st.integers(1, 4)), max_size=40)


@settings(deadline=None)
@given(rows, st.booleans())
def test_every_link_is_held_once(given_: list[tuple[int, ...]], weighted: bool) -> None:
    graph = held(13, given_, weighted=weighted)
    heaviest: dict[tuple[int, ...], float] = {}
    for *link, weight in given_:
        heaviest[tuple(link)] = max(heaviest.get(tuple(link), 0.0), float(weight) if weighted else 1.0)
    clean = {link: weight for link, weight in heaviest.items() if link[0] != link[1]}
    assert own_numbers(graph) == sorted((*link, weight) for link, weight in clean.items())
    assert graph.dropped == Dropped(len(heaviest) - len(clean), len(given_) - len(heaviest))


@settings(deadline=None)
@given(rows, st.permutations(range(13)))
def test_without_cycles_no_link_runs_against_the_visit(given_: list[tuple[int, ...]], name: list[int]) -> None:
    """Whatever the works are called."""
    older = [(name[max(row[:2])], name[min(row[:2])], *row[2:]) for row in given_]
    graph = held(13, older)
    visited: set[int] = set()
    for source, target in visits(graph):
        assert target not in visited, "what was visited already is used again"
        visited.add(source)


def visits(graph: Links) -> list[tuple[int, int]]:
    """Source and target of each link as the sweep meets them."""
    found = []
    for chunk in graph.chunks():
        source, target, _ = unpack(chunk.packed)
        found += list(zip(source.tolist(), target.tolist(), strict=True))[:: -1 if chunk.backwards else 1]
    return found


@settings(deadline=None)
@given(rows, st.sampled_from([1, 2, 3, 7, 1000]))
def test_chunks_never_cut_through_a_works_links(given_: list[tuple[int, ...]], size: int) -> None:
    graph = held(13, given_)
    whole = visits(graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(links, "CHUNK", size)
        chunks = list(graph.chunks())
        assert visits(graph) == whole
    sources = [set((chunk.packed >> SOURCE_SHIFT).tolist()) for chunk in chunks]
    assert sum(map(len, sources)) == len(set().union(*sources))


@settings(deadline=None)
@given(rows)
def test_pieces_change_nothing(given_: list[tuple[int, ...]]) -> None:
    """Large graphs are cleaned and reordered a piece at a time."""
    whole = held(13, given_)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(links, "PIECE", 2)
        pieces = held(13, given_)
    assert whole.packed.tolist() == pieces.packed.tolist()
    assert whole.dropped == pieces.dropped
    assert (whole.position is None) == (pieces.position is None)


# --- streamed -------------------------------------------------------------------------------------------------------


def file_of(path: Path, source: Any, target: Any, groups: Sequence[int], kind: Any = None) -> Path:
    """A Parquet file with row groups of the given sizes."""
    table = pa.table({"source": pa.array(source, kind), "target": pa.array(target, kind)})
    with pq.ParquetWriter(path, table.schema) as writer:
        start = 0
        for size in groups:
            writer.write_table(table.slice(start, size))
            start += size
        assert start == table.num_rows
    return path


def citations(rng: np.random.Generator, n: int, size: int, feedback: float) -> tuple[Integers, Integers]:
    """Links from newer to older works, in order of source, with a share of any links among them."""
    source = np.sort(rng.integers(0, n, size))
    target = np.where(rng.random(size) < feedback, rng.integers(0, n, size), (source * rng.random(size)).astype(int))
    return source, target


def cut(rng: np.random.Generator, size: int, parts: int) -> list[int]:
    bounds = np.sort(rng.choice(np.arange(1, size), size=min(parts, size) - 1, replace=False))
    return [int(each) for each in np.diff([0, *bounds, size])]


@pytest.mark.parametrize("feedback", [0.0, 0.02, 0.5])
@pytest.mark.parametrize("newer_is_larger", [True, False])
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("parts", [1, 2, 20])
def test_a_file_is_the_same_graph_as_its_links_in_memory(
    feedback: float, newer_is_larger: bool, descending: bool, parts: int, tmp_path: Path
) -> None:
    """With duplicates across row groups, works whose links span groups, self-loops, targets in no order."""
    rng = np.random.default_rng([parts, descending, newer_is_larger, int(100 * feedback)])
    for _ in range(3):
        n, size = int(rng.integers(2, 40)), int(rng.integers(parts + 1, 200))
        source, target = citations(rng, n, size, feedback)
        if not newer_is_larger:
            source, target = (n - 1 - source)[::-1], (n - 1 - target)[::-1]
        if descending:
            source, target = source[::-1], target[::-1]
        path = file_of(tmp_path / "links.parquet", source, target, cut(rng, size, parts))
        streamed = stream(path)
        assert streamed is not None
        if feedback == 0.5:  # many sweeps
            streamed = replace(streamed, keep=True)
        works = np.zeros(streamed.n, dtype=np.bool_)
        works[source] = works[target] = True
        assert named(streamed).tolist() == works.tolist()
        reference = hold(streamed.n, pack(source, target))
        mine = solve(streamed, np.ones(streamed.n), 0.85, only_named=True)
        theirs = solve(reference, works.astype(np.float64), 0.85)
        assert max(mine.residual, theirs.residual) <= TOLERANCE
        within = 1e-15 if feedback == 0 else 1e-11
        for one, other in (
            (mine.influence, theirs.influence), (mine.inflow, theirs.inflow), (mine.traffic, theirs.traffic),
        ):  # fmt: skip
            np.testing.assert_allclose(one, other, rtol=0, atol=within)
        assert mine.flow == pytest.approx(theirs.flow, abs=1e-11)
        assert mine.named.tolist() == works.tolist()
        assert mine.dropped == reference.dropped
        assert not mine.influence[~works].any()
        again = in_memory(streamed)
        assert own_numbers(again) == own_numbers(reference) and again.dropped == reference.dropped


def test_a_file_is_visited_newest_first_whatever_its_order(tmp_path: Path) -> None:
    source = np.repeat(np.arange(1, 30), 2)
    target = source // 2
    for turn in (1, -1):
        path = file_of(tmp_path / "links.parquet", source[::turn], target[::turn], [10] * 5 + [8])
        streamed = stream(path)
        assert streamed is not None
        solution = solve(streamed, np.ones(streamed.n), 0.5)
        assert (solution.sweeps, solution.residual) == (1, 0.0)


def test_works_whose_links_span_many_row_groups(tmp_path: Path) -> None:
    """A star of which every row group holds a part, and a part of nothing else."""
    rng = np.random.default_rng(1)
    source = np.repeat([50, 60, 61], [5, 40, 15])
    target = np.concatenate([rng.integers(0, 50, 45), np.repeat(60, 15)])
    path = file_of(tmp_path / "links.parquet", source, target, [7, 1, 1, 20, 3, 28])
    streamed = stream(path)
    assert streamed is not None
    for chunk in streamed.chunks():
        assert np.all(chunk.packed[1:] >= chunk.packed[:-1])
    sources = [set((chunk.packed >> SOURCE_SHIFT).tolist()) for chunk in streamed.chunks()]
    assert sum(map(len, sources)) == 3
    reference = solve(hold(62, pack(source, target)), named(streamed).astype(float), 0.5)
    np.testing.assert_allclose(
        solve(streamed, np.ones(62), 0.5, only_named=True).influence, reference.influence, rtol=0, atol=1e-15
    )


@pytest.mark.parametrize("large", [0, 10**9])
@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64()]
)
def test_a_file_may_hold_any_integers(kind: Any, large: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coevo_pipelines.influence.kernel.LARGE", large)
    source, target = np.array([3, 5, 5, 90, 127]), np.array([1, 3, 1, 5, 90])
    streamed = stream(file_of(tmp_path / "links.parquet", source, target, [2, 3], kind))
    assert streamed is not None
    assert own_numbers(in_memory(streamed)) == own_numbers(hold(128, pack(source, target)))


def test_only_self_loops(tmp_path: Path) -> None:
    streamed = stream(file_of(tmp_path / "links.parquet", [1, 2, 2, 5], [1, 2, 2, 5], [4]))
    assert streamed is not None
    solution = solve(streamed, np.ones(6), 0.5, only_named=True)
    third = 1 / 3
    assert solution.influence.tolist() == [0.0, third, third, 0.0, 0.0, third]
    assert solution.dropped == Dropped(self_loops=3, duplicates=1)
    assert solution.flow == 0.0


def test_numbers_with_gaps_are_solved_as_exactly_as_those_without(tmp_path: Path) -> None:
    """The residual is one of the works alone, though a thousand numbers stand for none."""
    rng = np.random.default_rng(4)
    dense_source, dense_target = citations(rng, 30, 200, 0.2)
    place = np.sort(rng.choice(30_000, 30, replace=False))
    streamed = stream(file_of(tmp_path / "links.parquet", place[dense_source], place[dense_target], [100, 100]))
    assert streamed is not None
    sparse = solve(streamed, np.ones(streamed.n), 0.85, only_named=True)
    dense = solve(hold(30, pack(dense_source, dense_target)), np.ones(30), 0.85, tolerance=1e-16)
    assert np.abs(sparse.influence[place] - dense.influence).sum() <= 1e-12 / 0.15
    assert sparse.scale == pytest.approx(dense.scale, rel=1e-11)
    assert sparse.influence.sum() == pytest.approx(1, abs=1e-15)


def test_a_start_counts_what_is_dropped_once(tmp_path: Path) -> None:
    streamed = stream(file_of(tmp_path / "links.parquet", [1, 1, 2, 2], [0, 0, 2, 1], [4]))
    assert streamed is not None
    cold = solve(streamed, np.ones(3), 0.5)
    warm = solve(streamed, np.ones(3), 0.5, start=cold.traffic)
    assert warm.dropped == cold.dropped == Dropped(self_loops=1, duplicates=1)


def test_chunks_are_kept_if_asked(tmp_path: Path) -> None:
    path = file_of(tmp_path / "links.parquet", [1, 2, 3], [0, 1, 2], [1, 2])
    found = stream(path)
    assert found is not None
    keeping = replace(found, keep=True)
    first = [chunk.packed.tolist() for chunk in keeping.chunks()]
    path.unlink()
    assert [chunk.packed.tolist() for chunk in keeping.chunks()] == first
    assert in_memory(keeping).packed.size == 3
    assert not keeping.kept, "links that are held need not be kept as well"


# --- files that lie -------------------------------------------------------------------------------------------------


def test_a_file_that_changes_its_order_is_noticed(tmp_path: Path) -> None:
    path = file_of(tmp_path / "links.parquet", [1, 2, 3, 4], [0, 0, 0, 0], [2, 2])
    streamed = stream(path)
    assert streamed is not None
    file_of(path, [3, 4, 1, 2], [0, 0, 0, 0], [2, 2])
    with pytest.raises(LinksError, match=r"links\.parquet: row group \d is not in order of source"):
        list(streamed.chunks())


@pytest.mark.parametrize("large", [0, 10**9])
@pytest.mark.parametrize(("source", "target"), [([1, 2], [0, 77]), ([1, 77], [0, 0]), ([1, 2], [-1, 0])])
def test_numbers_beyond_what_the_file_claims_are_noticed(
    source: list[int], target: list[int], large: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled code would write into memory that is not its own."""
    monkeypatch.setattr("coevo_pipelines.influence.kernel.LARGE", large)
    path = file_of(tmp_path / "links.parquet", [1, 2], [0, 0], [2])
    streamed = stream(path)
    assert streamed is not None
    file_of(path, source, target, [2])
    with pytest.raises(LinksError, match="other numbers than its statistics claim"):
        solve(streamed, np.ones(streamed.n), 0.5)


def test_a_damaged_page_is_named(tmp_path: Path) -> None:
    path = file_of(tmp_path / "links.parquet", np.arange(1, 5000), np.arange(4999) // 2, [4999])
    streamed = stream(path)
    assert streamed is not None
    spoiled = bytearray(path.read_bytes())
    spoiled[100:2000] = b"\xff" * 1900
    path.write_bytes(spoiled)
    with pytest.raises(LinksError, match=r"links\.parquet: row group 0 is damaged or cut off"):
        list(streamed.chunks())
