"""A budget divided among stages: by hand, and beside a slow search of the same."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.corpora.sequences.curriculum import by_weight, shares


@pytest.mark.parametrize(
    ("budget", "weights", "capacities", "least", "wanted"),
    [
        (100, [1], [1000], 1, [100]),
        (100, [1, 3], [1000, 1000], 1, [25, 75]),
        (100, [1, 1, 1], [1000] * 3, 1, [34, 33, 33]),
        (10, [0.1, 0.2, 0.7], [1000] * 3, 1, [1, 2, 7]),
        # The first ends at 10: its 15 others go to the rest, by weight.
        (100, [1, 1, 2], [10, 1000, 1000], 1, [10, 30, 60]),
        # And again: what the second then cannot take goes to the third.
        (100, [1, 1, 2], [10, 28, 1000], 1, [10, 28, 62]),
        # Too little material: all of it.
        (100, [1, 1], [10, 20], 1, [10, 20]),
        (100, [1, 1], [0, 20], 1, [0, 20]),
        (100, [1, 1], [0, 0], 1, [0, 0]),
        # By weight the first would get 1, less than it can use.
        (100, [1, 99], [50, 1000], 8, [8, 92]),
        # Bounds on both sides: 5 at least, 60 at most.
        (100, [1, 50, 49], [50, 20, 60], 5, [20, 20, 60]),
        # Not enough for the least of both: those with the most material.
        (9, [1, 9], [60, 50], 8, [9, 0]),
        (9, [1, 9], [50, 50], 8, [0, 9]),
        (9, [1, 1], [50, 50], 8, [9, 0]),
        (7, [1, 1], [50, 50], 8, [0, 0]),
        # 15 tokens are a sequence in neither stage alone, and less than a sequence in each.
        (15, [1, 1], [9, 10], 8, [0, 10]),
        (2**48, [1e-300, 1e8], [2**48, 2**48], 3, [3, 2**48 - 3]),
    ],
)
def test_known_answers(budget: int, weights: list[float], capacities: list[int], least: int, wanted: list[int]) -> None:
    assert shares(budget, weights, capacities, least) == wanted


def test_by_weight() -> None:
    assert by_weight(10, [0.5, 0.25, 0.25]) == [5, 3, 2]
    assert by_weight(0, [1.5]) == [0]


@settings(max_examples=120)
@given(st.data(), st.integers(1, 9))
def test_the_budget_is_met_wherever_it_can_be(data: st.DataObject, least: int) -> None:
    number = data.draw(st.integers(1, 5))
    capacities = data.draw(st.lists(st.just(0) | st.integers(least, 60), min_size=number, max_size=number))
    weights = data.draw(st.lists(st.floats(1e-3, 1e3), min_size=number, max_size=number))
    budget = data.draw(st.integers(1, 200))
    found = shares(budget, weights, capacities, least)
    assert all(share == 0 or least <= share <= most for share, most in zip(found, capacities, strict=True))
    with_material = [most for most in capacities if most]
    best = max(
        min(budget, sum(chosen))
        for size in range(len(with_material) + 1)
        for chosen in combinations(with_material, size)
        if size * least <= budget
    )
    assert sum(found) == best
    if len(with_material) * least <= budget:
        # Nobody who could have had more has less than another by weight, but for rounding and the least.
        rates = [share / weight for share, weight in zip(found, weights, strict=True)]
        for n, share in enumerate(found):
            if share < capacities[n]:
                for other, rate in enumerate(rates):
                    if found[other] > least:
                        assert (share + 1) / weights[n] >= rate - 1 / weights[other] - 1e-9
