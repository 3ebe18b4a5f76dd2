"""Influence: the spec's known answers, exact fractions, other people's solvers, and what must never change a score."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.influence.links import Held, hold, pack
from coevo_pipelines.influence.pagerank import NotConverged, Solution, norm, recency, solve, total
from coevo_pipelines.influence.scores import TOLERANCE, rounded
from coevo_pipelines_tests.influence.reference import exact, held, links_of, random_rows, step
from coevo_pipelines_tests.scrapes.recordings import recordings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

HALF = Fraction(1, 2)
DERIVES, TRAINED, DEPENDS, CITES, MENTIONS = range(5)
WEIGHTS = (3.0, 2.0, 2.0, 1.0, 0.5)
M, B, D, P, L, Q = range(6)
TYPED = [(M, B, DERIVES), (M, D, TRAINED), (M, P, CITES), (M, L, DEPENDS), (B, P, CITES), (L, P, CITES)]


def pairs(text: str) -> list[tuple[int, int]]:
    """`B>C C>B`: links between letters, A is 0."""
    return [(ord(source) - 65, ord(target) - 65) for source, target in (pair.split(">") for pair in text.split())]


def over(denominator: int, *numerators: int) -> list[Fraction]:
    return [Fraction(each, denominator) for each in numerators]


def assert_exactly(found: Floats, expected: Sequence[Fraction]) -> None:
    """As published: the nearest multiple of 1e-12."""
    assert [round(float(each) * 10**12) for each in found] == [round(each * 10**12) for each in expected]


# --- known answers -----------------------------------------------------------------------------------------------


def test_textbook_pagerank() -> None:
    links = pairs("B>C C>B D>A D>B E>B E>D E>F F>B F>E G>B G>E H>B H>E I>B I>E J>E K>E")
    expected = over(
        579662461, 19002201, 222822800, 198772220, 22657320, 46886400, 22657320, *[9372840] * 5
    )  # fmt: skip
    assert exact(11, links, Fraction(85, 100))[0] == expected
    assert_exactly(solve(held(11, links), np.ones(11), 0.85, tolerance=TOLERANCE).influence, expected)


@pytest.mark.parametrize(
    ("links", "influence", "inflow"),
    [
        (TYPED, over(213, 32, 38, 36, 71, 36), over(53, 0, 6, 4, 39, 4)),
        ([*TYPED, (M, Q, DEPENDS), (Q, L, DEPENDS)], over(539, 64, 76, 72, 157, 102, 68), None),
    ],
)
def test_typed_influence(
    links: list[tuple[int, int, int]], influence: list[Fraction], inflow: list[Fraction] | None
) -> None:
    n = len(influence)
    by_definition = exact(n, links, HALF, relation_weight=[Fraction(weight) for weight in WEIGHTS])
    assert by_definition[0] == influence
    solution = solve(held(n, links), np.ones(n), 0.5, relation_weight=WEIGHTS, tolerance=TOLERANCE)
    assert_exactly(solution.influence, influence)
    assert_exactly(solution.inflow, by_definition[1])
    assert inflow is None or by_definition[1] == inflow


def test_citerank_traffic() -> None:
    c, b, a = range(3)
    teleport = recency(np.array([0.0, 1.0, 2.0]), tau=1.0)
    traffic = solve(held(3, [(c, b), (b, a)]), teleport, 0.5).traffic
    assert traffic == pytest.approx([0.6652409558, 0.5773489489, 0.3787050476], abs=5e-11)


def test_five_hundred_dependencies_do_not_drown_one_fine_tune() -> None:
    links = [(0, 1, DERIVES), *((0, other, DEPENDS) for other in range(2, 502))]
    solution = solve(held(502, links), np.ones(502), 0.5, relation_weight=WEIGHTS)
    assert solution.inflow[1] == pytest.approx(3 / 5)
    assert solution.inflow[2:] == pytest.approx(np.full(500, 2 / 5 / 500))


def test_empty_works_leave_the_inflow_shares_exactly_equal() -> None:
    alone = solve(held(5, TYPED), np.ones(5), 0.5, relation_weight=WEIGHTS, tolerance=TOLERANCE)
    crowded = solve(held(12, TYPED), np.ones(12), 0.5, relation_weight=WEIGHTS, tolerance=TOLERANCE)
    assert rounded(crowded.inflow).tolist() == [*rounded(alone.inflow), *[0.0] * 7]
    assert crowded.flow < alone.flow


def test_three_foreign_works_that_cite_a_work_move_its_share() -> None:
    """In open mode; what guarded mode makes of it is in test_guard.py."""
    links = [*TYPED, *((puppet, D, CITES) for puppet in (5, 6, 7))]
    inflow = exact(8, links, HALF, relation_weight=[Fraction(weight) for weight in WEIGHTS])[1]
    assert inflow[D] == Fraction(52, 101)
    solution = solve(held(8, links), np.ones(8), 0.5, relation_weight=WEIGHTS, tolerance=TOLERANCE)
    assert_exactly(solution.inflow, inflow)


def test_works_without_links_share_everything() -> None:
    solution = solve(held(4, []), np.array([1.0, 1.0, 2.0, 0.0]), 0.5)
    assert solution.influence.tolist() == [0.25, 0.25, 0.5, 0.0]
    assert solution.inflow.tolist() == [0.0] * 4
    assert (solution.flow, solution.residual) == (0.0, 0.0)


def test_no_works_at_all() -> None:
    solution = solve(held(0, []), np.empty(0), 0.5)
    assert solution.influence.size == solution.inflow.size == 0


def test_a_relation_of_weight_0_brings_nothing() -> None:
    links = [(0, 1, 0), (0, 2, 1), (3, 2, 1)]
    solution = solve(held(4, links), np.ones(4), 0.5, relation_weight=(1.0, 0.0))
    assert solution.inflow.tolist() == [0.0, 1.0, 0.0, 0.0]
    assert_exactly(solution.influence, exact(4, links, HALF, relation_weight=(1, 0))[0])


def test_weights_split_inside_a_relation() -> None:
    links = [(0, 1, 0, 1), (0, 2, 0, 3), (0, 3, 1, 7), (0, 2, 0, 2)]
    solution = solve(held(4, links, weighted=True), np.ones(4), 0.5, relation_weight=(1.0, 1.0))
    assert solution.inflow == pytest.approx([0, 1 / 8, 3 / 8, 1 / 2])


@pytest.mark.parametrize("unit", [5e-324, 1e-300, 1.0, 1e100])
def test_only_the_proportions_of_weights_count(unit: float) -> None:
    source, target = np.array([0, 0, 0]), np.array([1, 2, 3])
    solution = solve(hold(4, pack(source, target), np.array([1, 2, 1]) * unit), np.ones(4), 0.5)
    assert solution.inflow == pytest.approx([0, 1 / 4, 1 / 2, 1 / 4])


def test_age_counts_from_the_youngest() -> None:
    assert recency(np.array([2.6, 0.0, 5.2]), 2.6) == pytest.approx(np.exp([-1.0, 0.0, -2.0]))
    assert recency(np.array([1e6, 1e6 + 2.6]), 2.6) == pytest.approx([1.0, np.exp(-1)])
    assert recency(np.empty(0), 1.0).size == 0


@pytest.mark.parametrize("damping", [HALF, Fraction(1, 10**5), Fraction(1, 10**9)])
@pytest.mark.parametrize("old", [1, Fraction(1, 10**6), Fraction(1, 10**12)])
def test_what_arrives_is_known_exactly_where_next_to_nothing_does(damping: Fraction, old: Fraction | int) -> None:
    """Old works use young ones: what they hand on disappears beside what starts there."""
    links, teleport = [(0, 2), (0, 3), (1, 3), (3, 4)], [old, old, 1, old, 1]
    _, inflow = exact(5, links, damping, teleport)
    solution = solve(held(5, links), np.array(teleport, dtype=np.float64), float(damping), tolerance=TOLERANCE)
    assert solution.inflow == pytest.approx([float(each) for each in inflow], abs=1e-12)


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("teleport", "damping", "words"),
    [
        ([1.0, 1.0, 1.0], 1.0, "damping must be at least 0 and below 1"),
        ([1.0, 1.0, 1.0], -0.1, "damping"),
        ([1.0, 1.0, 1.0], float("nan"), "damping"),
        ([1.0, 1.0], 0.5, r"shape \(2,\), there are 3 works"),
        ([0.0, 0.0, 0.0], 0.5, "positive for at least one work"),
        ([1.0, -1.0, 1.0], 0.5, "not negative"),
        ([1.0, float("nan"), 1.0], 0.5, "finite"),
        ([1.0, float("inf"), 1.0], 0.5, "finite"),
    ],
)
def test_what_is_no_distribution_is_refused(teleport: list[float], damping: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        solve(held(3, [(1, 0)]), np.array(teleport), damping)


@pytest.mark.parametrize("large", [0, 10**9])
def test_a_relation_without_a_weight_is_refused(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled code checks no bounds by itself."""
    monkeypatch.setattr("coevo_pipelines.influence.kernel.LARGE", large)
    with pytest.raises(ValueError, match="relation type without a weight"):
        solve(held(3, [(1, 0, 1)]), np.ones(3), 0.5)


def test_a_tau_that_is_not_positive_is_refused() -> None:
    for tau in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="tau must be positive"):
            recency(np.zeros(2), tau)


def test_giving_up_says_how_far_it_came() -> None:
    with pytest.raises(NotConverged, match=r"residual .* after 1 sweep"):
        solve(held(2, [(0, 1), (1, 0)]), np.ones(2), 0.9, give_up_above=1e-3)


# --- the definition, on any graph --------------------------------------------------------------------------------

rows = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 2), st.integers(1, 5)), max_size=25
)  # fmt: skip
teleports = st.lists(st.integers(0, 9), min_size=7, max_size=7).filter(any)
dampings = st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(85, 100), Fraction(99, 100)])
relation_weights = st.lists(st.sampled_from([0, HALF, 1, 2, 3]), min_size=3, max_size=3)


@settings(deadline=None, max_examples=150)
@given(rows, teleports, dampings, relation_weights)
def test_it_is_the_solution_of_the_definition(
    links: list[tuple[int, ...]], teleport: list[int], damping: Fraction, relation_weight: list[Fraction | int]
) -> None:
    x, inflow = exact(7, links, damping, teleport, relation_weight)
    solution = solve(
        held(7, links, weighted=True), np.array(teleport, dtype=np.float64), float(damping),
        relation_weight=tuple(map(float, relation_weight)), tolerance=TOLERANCE,
    )  # fmt: skip
    assert solution.influence == pytest.approx([float(each) for each in x], abs=1e-14)
    assert total(solution.influence) == pytest.approx(1, abs=1e-15)
    assert total(solution.inflow) == pytest.approx(1 if any(inflow) else 0, abs=1e-15)
    assert solution.inflow == pytest.approx([float(each) for each in inflow], abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from([0.3, 0.5, 0.85]))
def test_the_residual_is_what_it_says(seed: int, damping: float) -> None:
    """Recomputed from x alone, with a dense matrix."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30))
    links = random_rows(rng, n, int(rng.integers(0, 4 * n)), relations=5)
    teleport = rng.random(n)
    relation_weight = [Fraction(weight) for weight in WEIGHTS]
    for tolerance in (1e-3, 1e-12):
        solution = solve(held(n, links), teleport, damping, relation_weight=WEIGHTS, tolerance=tolerance)
        off = np.abs(step(solution.influence, links, damping, teleport, relation_weight) - solution.influence).sum()
        assert off <= solution.residual + 1e-15 <= tolerance + 1e-15


# --- what must not change a score ----------------------------------------------------------------------------------


def same(one: Solution, other: Solution) -> bool:
    return one.influence.tobytes() == other.influence.tobytes() and one.inflow.tobytes() == other.inflow.tobytes()


@settings(deadline=None, max_examples=60)
@given(rows, teleports, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_no_bit(
    links: list[tuple[int, ...]], teleport: list[int], random: Random
) -> None:
    shuffled = [*links, *links[:3]]
    random.shuffle(shuffled)
    given_, weights = np.array(teleport, dtype=np.float64), (1.0, 0.7, 0.1)
    solutions = [
        solve(held(7, each, weighted=True), given_, 0.5, relation_weight=weights) for each in (links, shuffled)
    ]
    assert same(*solutions)


@settings(deadline=None, max_examples=60)
@given(rows, teleports, st.sampled_from([2.0**-60, 0.5, 8.0, 2.0**90]))
def test_scaling_the_teleport_changes_no_bit(links: list[tuple[int, ...]], teleport: list[int], factor: float) -> None:
    given_ = np.array(teleport, dtype=np.float64)
    graph = held(7, links)
    weights = (1.0, 1.0, 1.0)
    scaled = solve(graph, given_ * factor, 0.5, relation_weight=weights)
    assert same(scaled, solve(graph, given_, 0.5, relation_weight=weights))


def test_scaling_the_teleport_by_anything_changes_no_published_digit() -> None:
    rng = np.random.default_rng(5)
    links, teleport = held(40, random_rows(rng, 40, 120)), rng.random(40)
    once, thrice = (solve(links, teleport * factor, 0.5, tolerance=TOLERANCE) for factor in (1.0, 3e7))
    assert rounded(once.influence).tolist() == rounded(thrice.influence).tolist()


@pytest.mark.parametrize("seed", range(20))
def test_compiled_and_plain_give_the_same_bits(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 60))
    links = random_rows(rng, n, 4 * n, relations=5, heaviest=9)
    teleport = rng.random(n)
    solutions = []
    for large in (0, 10**9):
        monkeypatch.setattr("coevo_pipelines.influence.kernel.LARGE", large)
        graph = held(n, links, weighted=bool(seed % 2))
        solutions.append(solve(graph, teleport, 0.85, relation_weight=WEIGHTS))
    assert same(*solutions)
    assert solutions[0].sweeps == solutions[1].sweeps and solutions[0].residual == solutions[1].residual


@pytest.mark.parametrize("damping", [0.5, 0.85])
def test_a_start_from_yesterday_leads_to_the_same_place(damping: float) -> None:
    """To rounding: a last digit published may differ where the true value lies between two of them."""
    rng = np.random.default_rng(11)
    agreed = published = 0
    for _ in range(60):
        n = int(rng.integers(2, 40))
        today = random_rows(rng, n, int(rng.integers(1, 5 * n)), relations=5)
        yesterday = [row for row in today if max(row[:2]) < n - n // 5]
        teleport = rng.random(n)
        earlier = solve(held(n, yesterday), teleport, damping, relation_weight=WEIGHTS)
        cold, warm = (
            solve(held(n, today), teleport, damping, relation_weight=WEIGHTS, tolerance=TOLERANCE, start=start)
            for start in (None, earlier.traffic)
        )
        np.testing.assert_allclose(warm.influence, cold.influence, rtol=0, atol=5e-16)
        np.testing.assert_allclose(warm.inflow, cold.inflow, rtol=0, atol=5e-15)
        assert warm.dropped == cold.dropped
        agreed += int((rounded(warm.influence) == rounded(cold.influence)).sum())
        agreed += int((rounded(warm.inflow) == rounded(cold.inflow)).sum())
        published += 2 * n
    assert agreed == published


def test_a_start_that_is_the_solution_needs_one_sweep() -> None:
    rng = np.random.default_rng(2)
    links = held(50, random_rows(rng, 50, 300))
    first = solve(links, np.ones(50), 0.85)
    assert first.sweeps > 10
    assert solve(links, np.ones(50), 0.85, start=first.traffic).sweeps == 1


def test_a_graph_without_cycles_takes_one_sweep() -> None:
    rng = np.random.default_rng(3)
    name = rng.permutation(2000)  # of no help: the numbers say nothing about time
    source = rng.integers(1, 2000, 8000)
    target = (source * rng.random(8000)).astype(np.int64)
    solution = solve(hold(2000, pack(name[source], name[target])), np.ones(2000), 0.85, tolerance=0.0)
    assert (solution.sweeps, solution.residual) == (1, 0.0)


# --- sums -----------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.floats(-1e15, 1e15), max_size=60))
def test_sums_are_as_good_as_exact_ones(values: list[float]) -> None:
    array = np.array(values, dtype=np.float64)
    true = sum(map(Fraction, values), Fraction(0))
    scale = float(sum(map(abs, map(Fraction, values)), Fraction(0)))
    assert abs(Fraction(float(total(array))) - true) <= abs(true) * Fraction(2) ** -52 + Fraction(scale) / 2**98
    assert norm(array) == pytest.approx(scale)


def test_a_sum_keeps_what_naive_addition_loses() -> None:
    assert total(np.array([1.0, 1e100, 1.0, -1e100])) == 2.0


# --- other people's solvers -----------------------------------------------------------------------------------------


def graph_of(n: int, links: list[tuple[int, ...]]) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    for source, target, _, weight in links_of(links):
        if source != target:
            before = graph.get_edge_data(source, target, {"weight": 0})["weight"]
            graph.add_edge(source, target, weight=max(weight, before))
    return graph


@pytest.mark.parametrize("damping", [0.5, 0.85, 0.95])
def test_agrees_with_networkx(damping: float) -> None:
    rng = np.random.default_rng(int(100 * damping))
    for _ in range(100):
        n = int(rng.integers(1, 25))
        links = random_rows(rng, n, int(rng.integers(0, 4 * n)), heaviest=5)
        teleport = rng.random(n) * (rng.random(n) < 0.8) + 1e-3
        start = dict(enumerate(teleport))
        theirs = nx.pagerank(
            graph_of(n, links), damping, personalization=start, dangling=start, tol=1e-14, max_iter=10_000
        )
        mine = solve(held(n, links, weighted=True), teleport, damping, tolerance=TOLERANCE).influence
        np.testing.assert_allclose(mine, [theirs[work] for work in range(n)], rtol=0, atol=1e-12 / (1 - damping))


def assert_agrees_with_igraph(
    n: int, source: NDArray[np.int64], target: NDArray[np.int64], damping: float, *, within: float
) -> None:
    import igraph

    graph = igraph.Graph(n=n, edges=np.column_stack([source, target]), directed=True)
    graph.simplify()
    theirs = np.array(graph.pagerank(damping=damping))
    links: Held = hold(n, pack(source, target))
    exactly = solve(links, np.ones(n), damping, tolerance=TOLERANCE)
    np.testing.assert_allclose(exactly.influence, theirs, rtol=0, atol=within)
    as_asked = solve(links, np.ones(n), damping)
    assert as_asked.residual <= 1e-12
    assert np.abs(as_asked.influence - exactly.influence).sum() <= as_asked.residual / (1 - damping) + 1e-15


def test_agrees_with_igraph_on_a_large_graph() -> None:
    rng = np.random.default_rng(8)
    n, links = 100_000, 1_000_000
    source = rng.integers(0, n * 9 // 10, links)  # a tenth uses nothing
    target = (n * rng.random(links) ** 3).astype(np.int64)
    assert_agrees_with_igraph(n, source, target, 0.85, within=1e-14)


@pytest.mark.parametrize(
    "name",
    [
        "planetoid_text/cora.cites", "planetoid_text/citeseer.cites", "planetoid_text/pubmed.cites",
        "snap_cit_hepph_subset/cit-HepPh.txt",
    ],
)  # fmt: skip
@pytest.mark.parametrize("damping", [0.5, 0.85])
def test_agrees_with_igraph_on_real_citations(name: str, damping: float) -> None:
    columns = np.loadtxt(recordings() / "citation_graphs" / name, dtype=np.int64)
    # The planetoid files say who is cited first.
    target, source = columns.T if name.endswith(".cites") else columns.T[::-1]
    ids, numbers = np.unique([source, target], return_inverse=True)
    source, target = numbers.reshape(2, -1)
    assert_agrees_with_igraph(ids.size, source, target, damping, within=1e-13)
