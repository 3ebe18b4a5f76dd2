"""Lineage credit: the known answer, exact conservation, circles, and a linear solve in floating point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.influence.lineage import MOST_GRAINS, Columns, lineage_credit
from coevo_pipelines.influence.weights import RELATION_WEIGHT
from coevo_pipelines.rewards.apportion import largest_remainder

Triple = tuple[int, int, str]
M, B, D, P, L = range(5)
TYPED = [
    (M, B, "derives_from"), (M, D, "trained_on"), (M, P, "cites"), (M, L, "depends_on"), (B, P, "cites"),
    (L, P, "cites"),
]  # fmt: skip
UNIT = 10**15
HALF = UNIT // 2


def columns(links: Sequence[Triple]) -> Columns:
    relations = sorted({relation for _, _, relation in links})
    rows = np.array([(source, target, relations.index(r)) for source, target, r in links], np.int64).reshape(-1, 3)
    return Columns(rows[:, 0], rows[:, 1], rows[:, 2], relations)


def credit(links: Sequence[Triple], seeds: Mapping[int, int], works: int = 12, **options: object) -> dict[int, int]:
    """What works keep, by number, without those that keep nothing."""
    given_ = np.zeros(works, np.int64)
    for work, amount in seeds.items():
        given_[work] = amount
    kept = lineage_credit(columns(links), given_, **options)  # type: ignore[arg-type]
    return {work: int(amount) for work, amount in enumerate(kept) if amount}


def test_known_answer() -> None:
    kept = credit(TYPED, {M: 32 * UNIT})
    assert kept == {M: 16 * UNIT, B: 3 * UNIT, D: 4 * UNIT, L: 2 * UNIT, P: 7 * UNIT}
    assert largest_remainder(1000, [kept[work] for work in (M, B, D, L, P)]) == [500, 94, 125, 62, 219]


def test_a_work_that_builds_on_nothing_keeps_all() -> None:
    assert credit([], {7: 5}) == {7: 5}
    assert credit(TYPED, {P: 2, D: 1}) == {D: 1, P: 2}
    assert credit(TYPED, {}) == {}
    assert credit([], {}, works=0) == {}


def test_what_is_kept_can_be_set() -> None:
    assert credit(TYPED, {M: UNIT}, keep=Fraction(1)) == {M: UNIT}
    fifth = credit([(0, 1, "cites"), (1, 2, "cites")], {0: 25 * UNIT}, keep=Fraction(1, 5))
    assert fifth == {0: 5 * UNIT, 1: 4 * UNIT, 2: 16 * UNIT}


def test_five_hundred_dependencies_do_not_drown_one_fine_tune() -> None:
    many = [(0, n, "depends_on") for n in range(2, 502)]
    kept = credit([(0, 1, "derives_from"), *many], {0: 500 * UNIT}, works=502)
    assert kept[1] == 150 * UNIT
    assert {kept[n] for n in range(2, 502)} == {UNIT // 5}


def test_a_target_of_two_relations_gets_both_shares_and_duplicates_count_once() -> None:
    links = [(0, 1, "cites"), (0, 1, "depends_on"), (0, 2, "cites"), (0, 2, "cites"), (0, 0, "derives_from")]
    # cites a third over two works, depends_on two thirds for one: 5/6 and 1/6 of what is passed on.
    assert credit(links, {0: 12 * UNIT}) == {0: 6 * UNIT, 1: 5 * UNIT, 2: UNIT}


def test_odd_grains_go_to_the_largest_remainder_then_to_the_first() -> None:
    # 101 of 202 are passed on: cites 33.67, depends_on 67.33; the 34 over three targets.
    links = [(0, 1, "cites"), (0, 2, "cites"), (0, 3, "cites"), (0, 4, "depends_on")]
    assert credit(links, {0: 202}) == {0: 101, 1: 12, 2: 11, 3: 11, 4: 67}


def test_relations_without_weight_do_not_count() -> None:
    weights = {**RELATION_WEIGHT, "cites": 0}
    both = credit([(0, 1, "cites"), (0, 2, "mentions")], {0: UNIT}, relation_weight=weights)
    assert both == {0: HALF, 2: HALF}
    assert credit([(0, 1, "cites")], {0: UNIT}, relation_weight=weights) == {0: UNIT}


def test_a_circle_of_two_shares_two_to_one() -> None:
    kept = credit([(0, 1, "cites"), (1, 0, "cites")], {0: UNIT})
    assert sum(kept.values()) == UNIT
    assert abs(kept[0] - 2 * UNIT // 3) < 100


def test_a_slow_circle_ends_too() -> None:
    kept = credit([(0, 1, "cites"), (1, 0, "cites")], {0: UNIT}, keep=Fraction(1, 100))
    assert sum(kept.values()) == UNIT
    assert kept[0] / UNIT == pytest.approx(1 / 1.99)


def test_a_long_chain_against_time_takes_no_longer() -> None:
    number = 2000
    kept = credit([(n, n + 1, "cites") for n in range(number)], {0: 4 * UNIT}, works=number + 1)
    assert kept[0] == 2 * UNIT and kept[1] == UNIT and sum(kept.values()) == 4 * UNIT


def test_all_that_there_can_be() -> None:
    kept = credit(TYPED, {M: MOST_GRAINS})
    assert sum(kept.values()) == MOST_GRAINS and kept[P] == MOST_GRAINS * 7 // 32


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"links": [(0, 1, "cities")]}, r"no weight for relation 'cities'; known: cites, depends_on"),
        ({"seeds": {0: 1, 4: -1}}, "seed of work 4 is negative"),
        ({"seeds": {0: MOST_GRAINS, 4: 1}}, "the seeds are more than 1000000000000000000 grains"),
        ({"seeds": {n: 2 * 10**18 for n in range(9)}}, "the seeds are more than"),
        ({"keep": Fraction(0)}, r"keep must lie in \(0, 1\], not 0"),
        ({"keep": Fraction(3, 2)}, "not 3/2"),
        ({"relation_weight": {**RELATION_WEIGHT, "cites": -1}}, "must not be negative"),
        ({"relation_weight": {**RELATION_WEIGHT, "cites": 1e-12}}, "differ by too many digits"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: Mapping[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        credit(**{"links": TYPED, "seeds": {M: 1}, **arguments})  # type: ignore[arg-type]


relations = st.sampled_from(sorted(RELATION_WEIGHT))
graphs = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), relations), max_size=50)
amounts = st.dictionaries(st.integers(0, 11), st.integers(0, 8 * 10**16), min_size=1)


@settings(deadline=None)
@given(graphs, amounts, st.fractions(Fraction(1, 10), 1, max_denominator=10))
def test_what_is_kept_is_what_was_given(links: list[Triple], seeds: dict[int, int], keep: Fraction) -> None:
    kept = credit(links, seeds, keep=keep)
    assert sum(kept.values()) == sum(seeds.values())
    assert all(amount > 0 for amount in kept.values())


@settings(deadline=None)
@given(graphs, amounts, st.randoms())
def test_order_is_irrelevant(links: list[Triple], seeds: dict[int, int], random: Random) -> None:
    shuffled = [*links, *links[:3]]
    random.shuffle(shuffled)
    assert credit(shuffled, seeds) == credit(links, seeds)


def solved(links: Sequence[Triple], seeds: Mapping[int, int], keep: float, works: int) -> list[float]:
    """m = s + Tᵀ(1-σ)m by a dense solve."""
    share = np.zeros((works, works))
    for work in range(works):
        used = {(target, relation) for source, target, relation in links if source == work != target}
        present = {relation for _, relation in used}
        total = sum(RELATION_WEIGHT[relation] for relation in present)
        for target, relation in used:
            size = sum(other == relation for _, other in used)
            share[work, target] += RELATION_WEIGHT[relation] / total / size
    given_ = np.array([float(seeds.get(work, 0)) for work in range(works)])
    mass = np.linalg.solve(np.eye(works) - (1 - keep) * share.T, given_)
    return list(np.where(share.any(axis=1), keep * mass, mass))


@settings(deadline=None)
@given(graphs, amounts, st.sampled_from([Fraction(1, 2), Fraction(1, 5), Fraction(9, 10)]))
def test_agrees_with_a_linear_solve(links: list[Triple], seeds: dict[int, int], keep: Fraction) -> None:
    kept = credit(links, seeds, keep=keep)
    found = [float(kept.get(work, 0)) for work in range(12)]
    np.testing.assert_allclose(found, solved(links, seeds, float(keep), 12), rtol=1e-9, atol=20_000)


def test_a_large_graph_in_order_of_time_and_one_with_circles() -> None:
    draw = np.random.default_rng(0)
    number, links = 40_000, 120_000  # large enough to be compiled
    source = draw.integers(1, number, links)
    target = (source * draw.random(links)).astype(np.int64)
    relation = draw.integers(0, 2, links)
    older = Columns(source, target, relation, ("cites", "derives_from"))
    seeds = np.full(number, 10**12, np.int64)
    kept = lineage_credit(older, seeds)
    assert kept.sum() == seeds.sum()
    back = draw.random(links) < 0.02
    circles = Columns(np.where(back, target, source), np.where(back, source, target), relation, older.relations)
    again = lineage_credit(circles, seeds)
    assert again.sum() == seeds.sum()
    assert again.max() < kept.max() * 3
