"""Betweenness against a known answer and networkx; the estimate against the exact values."""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx
import numpy as np
import pytest

from coevo_pipelines.influence.betweenness import LEAST_PIVOTS, VISITS, Betweenness, betweenness, pivot_numbers

Links = Sequence[tuple[int, int]]
TRIANGLES = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (2, 3)]


def of(works: int, links: Links, **more: int) -> Betweenness:
    source, target = np.array(links, np.int64).reshape(-1, 2).T
    return betweenness(works, source, target, **more)


def by_networkx(works: int, links: Links) -> list[float]:
    graph = nx.Graph()
    graph.add_nodes_from(range(works))
    graph.add_edges_from(links)
    found = nx.betweenness_centrality(graph, normalized=False)
    return [found[work] for work in range(works)]


def random_links(seed: int, works: int, links: int) -> list[tuple[int, int]]:
    draw = np.random.default_rng(seed)
    pairs = draw.integers(0, works, (links, 2)).tolist()
    return [(one, other) for one, other in pairs if one != other]


def test_two_triangles_joined_by_a_link() -> None:
    found = of(6, TRIANGLES)
    assert (found.values.tolist(), found.exact, found.pivots) == ([0, 0, 6, 6, 0, 0], True, 6)


def test_direction_number_and_order_of_links_are_irrelevant() -> None:
    turned = [(b, a) for a, b in reversed(TRIANGLES)] + TRIANGLES + [(1, 1)]
    assert of(6, turned).values.tolist() == [0, 0, 6, 6, 0, 0]


def test_works_without_links_are_zero_and_count_for_nothing() -> None:
    apart = [(a + 2, b + 2) for a, b in TRIANGLES]
    found = of(10, apart, exact_nodes=6)
    assert found.values.tolist() == [0, 0, 0, 0, 6, 6, 0, 0, 0, 0]
    assert (found.exact, found.pivots) == (True, 6)
    empty = of(4, [])
    assert (empty.values.tolist(), empty.exact, empty.pivots) == ([0] * 4, True, 0)
    assert of(0, []).values.size == 0


@pytest.mark.parametrize("seed", range(5))
def test_exact_values_agree_with_networkx(seed: int) -> None:
    links = random_links(seed, 80, 40 * (seed + 1))
    found = of(80, links)
    assert found.exact
    np.testing.assert_allclose(found.values, by_networkx(80, links), atol=1e-9)


def test_pivots_everywhere_are_the_exact_answer() -> None:
    links = random_links(7, 120, 200)
    found, exact = of(120, links, exact_nodes=0), of(120, links)
    assert found.exact and found.pivots == exact.pivots
    np.testing.assert_allclose(found.values, exact.values, atol=1e-9)


def test_the_estimate_is_unbiased_and_closer_with_more_pivots() -> None:
    links = random_links(3, 400, 1200)
    exact = of(400, links).values

    def errors(visits: int) -> tuple[float, float]:
        """(relative error of the mean of 30 estimates, mean relative error of one)."""
        found = [of(400, links, exact_nodes=0, visits=visits, seed=seed) for seed in range(30)]
        assert not any(each.exact for each in found)
        values = np.array([each.values for each in found])
        scale = np.linalg.norm(exact)
        return (
            float(np.linalg.norm(values.mean(axis=0) - exact) / scale),
            float(np.linalg.norm(values - exact, axis=1).mean() / scale),
        )

    few, many = errors(0), errors(100 * 1600)
    # Without replacement the error goes as √(1/k - 1/n): 16 and about 100 pivots of 400 make 2.8 times less.
    assert few[1] < 0.8 and many[1] < few[1] / 2.3
    assert few[0] < few[1] / 4 and many[0] < many[1] / 4


def test_an_estimate_is_the_same_for_a_seed_and_another_for_another() -> None:
    links = random_links(3, 400, 1200)
    one = of(400, links, exact_nodes=0, visits=0, seed=1)
    again = of(400, [(b, a) for a, b in reversed(links)], exact_nodes=0, visits=0, seed=1)
    other = of(400, links, exact_nodes=0, visits=0, seed=2)
    assert one.values.tobytes() == again.values.tobytes()
    assert one.pivots == LEAST_PIVOTS and not one.exact
    assert (one.values != other.values).any()
    assert (of(400, links, exact_nodes=0, visits=0, seed=-1).values != one.values).any()


def test_small_components_stay_exact_beside_a_large_one() -> None:
    large = [(a + 6, b + 6) for a, b in random_links(3, 400, 1200)]
    found = of(406, [*TRIANGLES, *large], exact_nodes=400, visits=400_000)
    assert found.values[:6].tolist() == [0, 0, 6, 6, 0, 0]
    assert not found.exact and 6 + LEAST_PIVOTS < found.pivots < 400


@pytest.mark.parametrize(
    ("sizes", "edges", "visits", "pivots"),
    [
        ([1_000_000], [10_000_000], VISITS, [LEAST_PIVOTS]),
        ([100_000], [900_000], VISITS, [40]),
        ([5, 10_000], [5, 90_000], VISITS, [5, 399]),
        ([1000, 1000], [9000, 9000], 20_000_001, [1000, 1000]),
        ([1000, 1000], [9000, 9000], 20_000_000, [1000, 1000]),
        ([1000, 1000], [9000, 9001], 2_000_000, [99, 99]),
        ([10, 1000], [9, 9000], 0, [10, 16]),
    ],
)
def test_the_budget_decides_how_many_pivots(sizes: list[int], edges: list[int], visits: int, pivots: list[int]) -> None:
    found = pivot_numbers(np.array(sizes, np.int64), np.array(edges, np.int64), visits)
    assert found.tolist() == pivots


def test_work_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.\.5, found"):
        of(6, [(0, 6)])
