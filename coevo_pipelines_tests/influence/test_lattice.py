"""The lattice: core numbers beside networkx, persistence and crystalline works by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.influence.lattice import core_numbers, crystalline, link_persistence, work_persistence
from coevo_pipelines_tests.scrapes.recordings import recordings

nx = pytest.importorskip("networkx")

NAN = float("nan")


class TestCoreNumbers:
    def test_by_hand(self) -> None:
        # a clique of four, a tail 3-4-5, an isolated work, doubled and reversed links and a loop, which count once
        source = np.array([0, 0, 0, 1, 1, 2, 3, 4, 5, 5, 6])
        target = np.array([1, 2, 3, 2, 3, 3, 4, 5, 4, 4, 6])
        found = core_numbers(8, source, target)
        assert found.tolist() == [3, 3, 3, 3, 1, 1, 0, 0]
        assert found.dtype == np.int64

    @pytest.mark.parametrize("n", [0, 3])
    def test_without_links(self, n: int) -> None:
        assert core_numbers(n, np.array([]), np.array([])).tolist() == [0] * n

    @settings(deadline=None, max_examples=60)
    @given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), pairs_of(n))))
    def test_agrees_with_networkx(self, case: tuple[int, list[tuple[int, int]]]) -> None:
        n, pairs = case
        array = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        assert core_numbers(n, array[:, 0], array[:, 1]).tolist() == peers(n, array)

    def test_agrees_with_networkx_on_a_large_graph(self) -> None:
        array = np.random.default_rng(1).integers(0, 4000, (30_000, 2))
        assert core_numbers(4000, array[:, 0], array[:, 1]).tolist() == peers(4000, array)

    def test_agrees_with_networkx_on_physics_papers(self) -> None:
        cited = np.loadtxt(recordings() / "citation_graphs/snap_cit_hepph_subset/cit-HepPh.txt", dtype=np.int64)
        works, ends = np.unique(cited, return_inverse=True)
        array = ends.reshape(-1, 2)
        found = core_numbers(works.size, array[:, 0], array[:, 1])
        assert found.tolist() == peers(works.size, array)
        assert found.max() == 29


def pairs_of(n: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    return st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=40)


def peers(n: int, array: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> list[int]:
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from((a, b) for a, b in array.tolist() if a != b)
    cores = nx.core_number(graph)
    return [cores[work] for work in range(n)]


class TestPersistence:
    def test_by_hand(self) -> None:
        #                        0   1   2   3
        memberships = np.array([[0, 0, 1, -1], [5, 5, 5, -1], [2, 2, 1, -1], [1, 1, 0, 0]])
        held = link_persistence(np.array([1, 0, 2, 3, 3]), np.array([0, 1, 0, 2, 3]), memberships)
        assert (held.low.tolist(), held.high.tolist()) == ([0, 0, 2], [1, 2, 3])
        assert (held.together.tolist(), held.days) == ([4, 1, 1], 4)
        assert held.share.tolist() == [1, 0.25, 0.25]
        assert work_persistence(5, held).tolist()[:4] == [0.625, 1, 0.25, 0.25]
        assert np.isnan(work_persistence(5, held)[4])

    def test_only_the_window_counts(self) -> None:
        memberships = [np.array([0, 0])] * 5 + [np.array([0, 1])] * 28 + [np.array([3, 3])] * 2
        held = link_persistence(np.array([0]), np.array([1]), memberships)
        assert (held.together.tolist(), held.days) == ([2], 30)
        assert link_persistence(np.array([0]), np.array([1]), memberships, window=2).share.tolist() == [1]

    def test_the_days_before_the_opening_do_not_count(self) -> None:
        assert link_persistence(np.array([0]), np.array([1]), [np.array([0, 0])]).share.tolist() == [1]

    def test_in_no_chamber_is_not_together(self) -> None:
        assert link_persistence(np.array([0]), np.array([1]), [np.array([-1, -1])]).share.tolist() == [0]

    @settings(deadline=None, max_examples=60)
    @given(st.data())
    def test_is_the_plain_definition(self, data: st.DataObject) -> None:
        n, days, window = (data.draw(st.integers(1, 8)) for _ in range(3))
        links = np.array(data.draw(pairs_of(n)), dtype=np.int64).reshape(-1, 2)
        code = st.integers(-1, 2)
        memberships = np.array([[data.draw(code) for _ in range(n)] for _ in range(days)])
        held = link_persistence(links[:, 0], links[:, 1], memberships, window=window)
        expected = {
            (min(a, b), max(a, b)): sum(day[a] == day[b] != -1 for day in memberships[-window:].tolist())
            for a, b in links.tolist()
            if a != b
        }
        found = zip(zip(held.low.tolist(), held.high.tolist(), strict=True), held.together.tolist(), strict=True)
        assert list(found) == sorted(expected.items())
        assert held.days == min(days, window)
        for work, mean in enumerate(work_persistence(n, held).tolist()):
            own = [count / held.days for pair, count in expected.items() if work in pair]
            assert mean == pytest.approx(sum(own) / len(own)) if own else np.isnan(mean)

    def test_refuses(self) -> None:
        one = np.array([0])
        with pytest.raises(ValueError, match="partition"):
            link_persistence(one, one, [])
        with pytest.raises(ValueError, match="same 2 works"):
            link_persistence(one, one, [one, np.array([0, 0])])
        with pytest.raises(ValueError, match="window"):
            link_persistence(one, one, [one], window=0)


class TestCrystalline:
    def test_by_hand(self) -> None:
        # stays, core dips once, persistence dips once, younger than the window, without links today
        cores = np.array([[3, 3, 3, -1, 3], [3, 2, 3, 3, 3], [4, 3, 3, 3, 0]])
        held = np.array([[0.5, 0.9, 0.9, NAN, 0.9], [0.7, 0.9, 0.4, 1, 0.9], [0.5, 0.9, 0.9, 1, NAN]])
        found = crystalline(cores, held, minimum_days=3)
        assert found.tolist() == [True, False, False, False, False]
        assert found.dtype == np.bool_

    def test_a_window_forgets(self) -> None:
        cores, held = np.array([[0], [3], [3]]), np.array([[0.1], [0.6], [0.6]])
        assert crystalline(cores, held, minimum_days=2).tolist() == [False]
        assert crystalline(cores, held, window=2, minimum_days=2).tolist() == [True]

    def test_a_young_lake_has_none(self) -> None:
        cores, held = [np.array([9])] * 7, [np.array([1.0])] * 7
        assert crystalline(cores[:6], held[:6]).tolist() == [False]
        assert crystalline(cores, held).tolist() == [True]

    def test_thresholds_of_nothing_still_ask_for_presence(self) -> None:
        cores, held = np.array([[-1, 0, 0]]), np.array([[0.0, NAN, 0.0]])
        found = crystalline(cores, held, core_at_least=0, persistence_at_least=0, minimum_days=1)
        assert found.tolist() == [False, False, True]

    def test_refuses(self) -> None:
        one = np.array([[1]])
        with pytest.raises(ValueError, match="1 partitions of core numbers and 2 of persistence"):
            crystalline(one, np.array([[1.0], [1.0]]))
        with pytest.raises(ValueError, match="0 partitions"):
            crystalline([], [])
        with pytest.raises(ValueError, match="same works"):
            crystalline([np.array([1])], [np.array([1.0, 1.0])])
        with pytest.raises(ValueError, match="not negative"):
            crystalline(one, one.astype(float), persistence_at_least=NAN)
