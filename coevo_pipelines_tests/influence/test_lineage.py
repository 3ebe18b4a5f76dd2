"""Lineage credit: the known answer, exact conservation, circles, and a linear solve in floating point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.influence.lineage import RELATION_WEIGHTS, Columns, columns_of, lineage_credit, split

Triple = tuple[int, int, str]
M, B, D, P, L = range(5)
TYPED = [
    (M, B, "derives_from"), (M, D, "trained_on"), (M, P, "cites"), (M, L, "depends_on"), (B, P, "cites"),
    (L, P, "cites"),
]  # fmt: skip
HALF = Fraction(1, 2)


def test_known_answer() -> None:
    kept = lineage_credit(TYPED, {M: 1})
    assert kept == {M: HALF, B: Fraction(3, 32), D: Fraction(1, 8), L: Fraction(1, 16), P: Fraction(7, 32)}
    scale = [int(kept[work] * 32) for work in (M, B, D, L, P)]
    assert split(1000, scale) == [500, 94, 125, 62, 219]


def test_a_work_that_builds_on_nothing_keeps_all() -> None:
    assert lineage_credit([], {7: Fraction(5, 3)}) == {7: Fraction(5, 3)}
    assert lineage_credit(TYPED, {P: 2, D: Fraction(1, 3)}) == {D: Fraction(1, 3), P: 2}
    assert lineage_credit(TYPED, {}) == {}
    assert lineage_credit(TYPED, {M: 0}) == {}


def test_what_is_kept_can_be_set() -> None:
    assert lineage_credit(TYPED, {M: 1}, keep=Fraction(1)) == {M: 1}
    fifth = lineage_credit([(0, 1, "cites"), (1, 2, "cites")], {0: 1}, keep=Fraction(1, 5))
    assert fifth == {0: Fraction(1, 5), 1: Fraction(4, 25), 2: Fraction(16, 25)}


def test_five_hundred_dependencies_do_not_drown_one_fine_tune() -> None:
    many = [(0, n, "depends_on") for n in range(2, 502)]
    kept = lineage_credit([(0, 1, "derives_from"), *many], {0: 1})
    assert kept[1] == Fraction(3, 10)
    assert {kept[n] for n in range(2, 502)} == {Fraction(1, 5 * 500)}


def test_a_target_of_two_relations_gets_both_shares_and_duplicates_count_once() -> None:
    links = [(0, 1, "cites"), (0, 1, "depends_on"), (0, 2, "cites"), (0, 2, "cites"), (0, 0, "derives_from")]
    # cites ⅓ over two works, depends_on ⅔ for one: 5/6 and 1/6 of what is passed on, to a grain.
    kept = lineage_credit(links, {0: 12})
    assert kept[0] == 6
    assert abs(kept[1] - 5) <= Fraction(1, 10**30) and kept[1] + kept[2] == 6


def test_relations_without_weight_do_not_count() -> None:
    weights = {**RELATION_WEIGHTS, "cites": 0}
    assert lineage_credit([(0, 1, "cites"), (0, 2, "mentions")], {0: 1}, relation_weights=weights) == {
        0: HALF, 2: HALF,
    }  # fmt: skip
    assert lineage_credit([(0, 1, "cites")], {0: 1}, relation_weights=weights) == {0: 1}


def test_a_circle_of_two_shares_two_to_one() -> None:
    # Kept 1/2 + 1/8 + 1/32 … = 2/3 and 1/3, until no grain can be split.
    kept = lineage_credit([(0, 1, "cites"), (1, 0, "cites")], {0: 1})
    assert sum(kept.values()) == 1
    assert abs(kept[0] - Fraction(2, 3)) < Fraction(100, 10**30)


def test_a_slow_circle_ends_too() -> None:
    kept = lineage_credit([(0, 1, "cites"), (1, 0, "cites")], {0: 1}, keep=Fraction(1, 100))
    assert sum(kept.values()) == 1
    assert float(kept[0]) == pytest.approx(1 / 1.99)


def test_only_what_can_be_reached_is_in_the_answer() -> None:
    links = [(5, 4, "cites"), (9, 5, "cites"), (9, 8, "cites"), (3, 2, "cites")]
    assert set(lineage_credit(links, {5: 1})) == {4, 5}


def test_numbers_of_nodes_may_be_large() -> None:
    day = 20_000 << 32
    kept = lineage_credit([(day + 1, day, "cites"), (day, 3, "cites")], {day + 1: 1})
    assert kept == {day + 1: HALF, day: Fraction(1, 4), 3: Fraction(1, 4)}


def test_columns_serve_as_well_as_rows() -> None:
    columns = columns_of(TYPED)
    assert isinstance(columns, Columns) and columns.source.dtype == np.int64
    assert lineage_credit(columns, {M: 1, B: Fraction(1, 7)}) == lineage_credit(TYPED, {M: 1, B: Fraction(1, 7)})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"links": [(0, 1, "cities")]}, r"no weight for relation 'cities'; known: cites, depends_on"),
        ({"seeds": {0: 1, 4: -1}}, "seed of work 4 is negative"),
        ({"keep": Fraction(0)}, r"keep must lie in \(0, 1\], not 0"),
        ({"keep": Fraction(3, 2)}, "not 3/2"),
        ({"relation_weights": {**RELATION_WEIGHTS, "cites": -1}}, "must not be negative"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: Mapping[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        lineage_credit(**{"links": TYPED, "seeds": {M: 1}, **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [
        (25, [1500, 1500, 900, 500, 500, 200], [7, 7, 4, 3, 3, 1]),
        (26, [1500, 1500, 900, 500, 500, 200], [8, 8, 5, 2, 2, 1]),
        (100, [1, 1, 1], [34, 33, 33]),
        (1, [1, 1], [1, 0]),
        (0, [3, 1], [0, 0]),
    ],
)
def test_splits_go_to_the_largest_remainder(amount: int, weights: list[int], parts: list[int]) -> None:
    assert split(amount, weights) == parts


relations = st.sampled_from(sorted(RELATION_WEIGHTS))
graphs = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), relations), max_size=50)
amounts = st.dictionaries(
    st.integers(0, 11), st.integers(0, 10**6) | st.fractions(0, 10, max_denominator=60), min_size=1
)


@settings(deadline=None)
@given(graphs, amounts, st.fractions(Fraction(1, 10), 1, max_denominator=10))
def test_what_is_kept_is_what_was_given(links: list[Triple], seeds: dict[int, Fraction | int], keep: Fraction) -> None:
    kept = lineage_credit(links, seeds, keep=keep)
    assert sum(kept.values()) == sum(seeds.values())
    assert all(amount > 0 for amount in kept.values())
    assert list(kept) == sorted(kept)


@settings(deadline=None)
@given(graphs, amounts, st.randoms())
def test_order_is_irrelevant(links: list[Triple], seeds: dict[int, Fraction | int], random: Random) -> None:
    shuffled, turned = [*links, *links[:3]], list(seeds.items())
    random.shuffle(shuffled)
    random.shuffle(turned)
    assert list(lineage_credit(shuffled, dict(turned)).items()) == list(lineage_credit(links, seeds).items())


def solved(links: Sequence[Triple], seeds: Mapping[int, Fraction | int], keep: float, works: int) -> list[float]:
    """m = s + Tᵀ(1-σ)m by a dense solve."""
    share = np.zeros((works, works))
    for work in range(works):
        used = {(target, relation) for source, target, relation in links if source == work != target}
        present = {relation for _, relation in used}
        total = float(sum(RELATION_WEIGHTS[relation] for relation in present))
        for target, relation in used:
            size = sum(other == relation for _, other in used)
            share[work, target] += float(RELATION_WEIGHTS[relation]) / total / size
    given_ = np.array([float(seeds.get(work, 0)) for work in range(works)])
    mass = np.linalg.solve(np.eye(works) - (1 - keep) * share.T, given_)
    return list(np.where(share.any(axis=1), keep * mass, mass))


@settings(deadline=None)
@given(graphs, amounts, st.sampled_from([Fraction(1, 2), Fraction(1, 5), Fraction(9, 10)]))
def test_agrees_with_a_linear_solve(links: list[Triple], seeds: dict[int, Fraction | int], keep: Fraction) -> None:
    kept = lineage_credit(links, seeds, keep=keep)
    found = [float(kept.get(work, 0)) for work in range(12)]
    np.testing.assert_allclose(found, solved(links, seeds, float(keep), 12), rtol=1e-9, atol=1e-9)


def test_a_large_graph_in_order_of_time_and_one_with_circles() -> None:
    draw = np.random.default_rng(0)
    source = draw.integers(1, 3000, 12_000)
    target = (source * draw.random(source.size)).astype(np.int64)
    relation = draw.integers(0, 2, source.size)
    older = Columns(source, target, relation, ("cites", "derives_from"))
    seeds = {work: 1 for work in range(3000)}
    kept = lineage_credit(older, seeds)
    assert sum(kept.values()) == 3000
    back = draw.random(source.size) < 0.02
    circles = Columns(np.where(back, target, source), np.where(back, source, target), relation, older.relations)
    again = lineage_credit(circles, seeds)
    assert sum(again.values()) == 3000
    assert max(again.values()) < max(kept.values()) * 3
