"""Why a number is what it is: what arrives adds up, and the strongest paths are the strongest there are."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.influence import explain
from coevo_pipelines.influence.explain import Explanation, Flows, Path
from coevo_pipelines.influence.links import hold, pack
from coevo_pipelines.influence.pagerank import TOLERANCE, solve
from coevo_pipelines_tests.influence.reference import held, random_rows, shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WEIGHTS = (3.0, 2.0, 2.0, 1.0, 0.5)
M, B, D, P, L = range(5)
TYPED = [(M, B, 0), (M, D, 1), (M, P, 3), (M, L, 2), (B, P, 3), (L, P, 3)]


def flows(
    n: int, rows: Iterable[tuple[int, ...]], damping: float = 0.5, teleport: Floats | None = None, **more: Any
) -> Flows:
    graph = held(n, rows, weighted=more.pop("weighted", False))
    start = np.ones(n) if teleport is None else teleport
    weights = more.pop("relation_weight", WEIGHTS)
    solution = solve(graph, start, damping, relation_weight=weights, tolerance=1e-16)
    return Flows(graph, solution, start, damping, weights)


def by_hand(found: Flows, rows: list[tuple[int, ...]], work: int, longest: int) -> dict[tuple[Any, ...], float]:
    """Flow by (works, relations) of every path of at most so many links, from the definition."""
    n = found.links.n
    only = {relation: shares(n, [row for row in rows if row[2] == relation], [1] * 5) for relation in range(5)}
    present = [
        sum(Fraction(WEIGHTS[relation]) for relation in range(5) if any(only[relation][source])) for source in range(n)
    ]
    start = found.teleport / found.teleport.sum() / found.solution.scale
    paths: dict[tuple[Any, ...], float] = {}
    ahead: list[tuple[tuple[int, ...], tuple[int, ...], float]] = [((work,), (), 1.0)]
    for _ in range(longest):
        longer = []
        for works, relations, passed_on in ahead:
            for relation in range(5):
                for source in range(n):
                    part = only[relation][source][works[0]]
                    if part:
                        share = float(part * Fraction(WEIGHTS[relation]) / present[source])
                        longer.append(((source, *works), (relation, *relations), passed_on * found.damping * share))
        for works, relations, passed_on in longer:
            paths[works, relations] = passed_on * float(start[works[0]])
        ahead = longer
    return paths


def test_the_spec_s_example() -> None:
    """Of P's 71/213, 30 start there; M hands it 32/2/8, B and L hand on 38/2 and 36/2."""
    answer = flows(5, TYPED).explain(P)
    unit = answer.influence / 71
    assert answer.started / unit == pytest.approx(32)
    assert [(each.source, each.relation, round(each.flow / unit, 9)) for each in answer.arrivals] == [
        (B, 3, 19), (L, 3, 18), (M, 3, 2),
    ]  # fmt: skip
    assert [(path.works, path.relations, round(path.flow / unit, 9)) for path in answer.paths] == [
        ((B, P), (3,), 16), ((L, P), (3,), 16), ((M, B, P), (0, 3), 3), ((M, P), (3,), 2), ((M, L, P), (2, 3), 2),
    ]  # fmt: skip
    assert answer.complete


def test_a_work_that_nobody_uses_started_with_all_it_has() -> None:
    answer = flows(5, TYPED).explain(M)
    assert (answer.arrivals, answer.paths, answer.complete) == ([], [], True)
    assert answer.started == pytest.approx(answer.influence, abs=1e-16)


def test_a_work_that_is_not_there() -> None:
    for work in (-1, 5):
        with pytest.raises(IndexError, match=f"there is no work {work}: there are 5"):
            flows(5, TYPED).explain(work)


def total(answer: Explanation) -> float:
    return answer.started + sum(each.flow for each in answer.arrivals)


rows = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 4), st.integers(1, 4)), max_size=24)
starts = st.lists(st.integers(0, 5), min_size=8, max_size=8).filter(any)


@settings(deadline=None)
@given(rows, starts, st.booleans(), st.sampled_from([0.0, 0.5, 0.85]))
def test_what_started_and_what_arrives_is_all_there_is(
    links: list[tuple[int, ...]], start: list[int], weighted: bool, damping: float
) -> None:
    """With cycles too, in an order of visits of its own, typed and weighted."""
    found = flows(8, links, damping, np.array(start, dtype=np.float64), weighted=weighted)
    for work in range(8):
        answer = found.explain(work, paths=3)
        assert total(answer) == pytest.approx(answer.influence, abs=1e-14)
        assert [each.flow for each in answer.arrivals] == sorted((each.flow for each in answer.arrivals), reverse=True)


def older(links: list[tuple[int, ...]], name: list[int]) -> list[tuple[int, ...]]:
    """Links without a cycle, under names that say nothing about time."""
    return [
        (name[max(row[:2])], name[min(row[:2])], *row[2:]) for row in links if row[0] != row[1]
    ]  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(rows, starts, st.permutations(range(8)), st.booleans())
def test_without_cycles_all_paths_add_up(
    links: list[tuple[int, ...]], start: list[int], name: list[int], weighted: bool
) -> None:
    found = flows(8, older(links, name), 0.5, np.array(start, dtype=np.float64), weighted=weighted)
    for work in range(8):
        answer = found.explain(work, paths=10**6)
        assert answer.complete
        assert answer.started + sum(path.flow for path in answer.paths) == pytest.approx(answer.influence, abs=1e-14)
        assert_in_order(answer.paths)


def assert_in_order(paths: Any) -> None:
    assert all(one.flow >= other.flow * (1 - 1e-12) for one, other in pairwise(paths))


@pytest.mark.parametrize("seed", range(12))
def test_the_strongest_paths_are_those_found_by_trying_all(seed: int) -> None:
    """Cycles among them: paths that go round twice are paths."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 7))
    links = random_rows(rng, n, int(1.5 * n), relations=5, heaviest=3)
    found = flows(n, links, 0.5, rng.random(n), weighted=True)
    for work in range(n):
        every = by_hand(found, links, work, longest=9)
        answer = found.explain(work, paths=8)
        if not every:
            assert answer.paths == []
            continue
        assert len({(path.works, path.relations) for path in answer.paths}) == len(answer.paths)
        for path in answer.paths:
            assert path.flow == pytest.approx(every[path.works, path.relations], rel=1e-9)
        best = sorted(every.values(), reverse=True)[: len(answer.paths)]
        assert [path.flow for path in answer.paths] == pytest.approx(best, rel=1e-9)
        if len(answer.paths) < 8:
            assert len(every) == len(answer.paths)


def test_paths_are_as_many_as_asked() -> None:
    found = flows(5, TYPED)
    assert [len(found.explain(P, paths=each).paths) for each in (0, 1, 3, 5, 50)] == [0, 1, 3, 5, 5]


def test_a_relation_of_weight_0_brings_nothing_and_is_no_path() -> None:
    found = flows(3, [(0, 2, 0), (1, 2, 1)], relation_weight=(1.0, 0.0))
    answer = found.explain(2)
    assert [(each.source, each.flow > 0) for each in answer.arrivals] == [(0, True), (1, False)]
    assert [path.works for path in answer.paths] == [(0, 2)]


def test_works_that_nobody_starts_at_begin_no_path() -> None:
    found = flows(4, [(3, 2), (2, 1), (0, 1)], 0.5, np.array([0.0, 1.0, 0.0, 1.0]))
    assert [path.works for path in found.explain(1).paths] == [(3, 2, 1)]


def test_a_cycle_has_endlessly_many_paths_and_the_search_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain, "MOST_STEPS", 100)
    answer = flows(2, [(0, 1), (1, 0)], 0.9).explain(0, paths=1000)
    assert not answer.complete
    assert 10 < len(answer.paths) < 100
    assert [path.works for path in answer.paths[:2]] == [(1, 0), (0, 1, 0)]
    assert_in_order(answer.paths)


def test_a_cycle_that_holds_readers_long_is_no_trouble() -> None:
    """Thousands of rounds come before the first path is known to be the strongest."""
    answer = flows(2, [(0, 1), (1, 0)], 0.999).explain(0, paths=5)
    assert answer.complete
    assert [len(path.works) for path in answer.paths] == [2, 3, 4, 5, 6]


def test_a_star_is_explained_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a hundred thousand links into a work only the next strongest one waits."""
    monkeypatch.setattr(explain, "MOST_STEPS", 50)
    leaves = np.arange(1, 100_001)
    graph = hold(100_001, pack(leaves, np.zeros(100_000, dtype=np.int64)))
    start = np.ones(100_001)
    found = Flows(graph, solve(graph, start, 0.5), start, 0.5)
    answer = found.explain(0, paths=10)
    assert answer.complete and len(answer.arrivals) == 100_000
    assert [path.works for path in answer.paths] == [(leaf, 0) for leaf in range(1, 11)]
    assert total(answer) == pytest.approx(answer.influence, abs=TOLERANCE)


def test_a_long_chain_is_explained() -> None:
    """Paths are not copied at every step: they may be thousands of links long."""
    n = 3000
    found = flows(n, [(work + 1, work) for work in range(n - 1)], 0.999)
    answer = found.explain(0, paths=3)
    assert [path.works for path in answer.paths] == [(1, 0), (2, 1, 0), (3, 2, 1, 0)]
    last = flows(n, [(work + 1, work) for work in range(n - 1)], 0.999, np.eye(n)[-1]).explain(0)
    assert [len(path.works) for path in last.paths] == [n]
    assert last.paths[0].flow == pytest.approx(last.influence, rel=1e-9)


def test_the_order_of_visits_does_not_show() -> None:
    """A graph whose works are visited in another order than that of their numbers."""
    rng = np.random.default_rng(9)
    links = random_rows(rng, 30, 60)
    found = flows(30, links)
    assert found.links.position is not None
    used = {(source, target) for source, target, *_ in links if source != target}
    for work in range(30):
        answer = found.explain(work, paths=2)
        assert {each.source for each in answer.arrivals} == {source for source, target in used if target == work}
        for path in answer.paths:
            assert isinstance(path, Path) and path.works[-1] == work and set(pairwise(path.works)) <= used
