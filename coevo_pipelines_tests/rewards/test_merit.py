"""Merit of works in grains, limits by owner, and the division among people."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from coevo_pipelines.rewards.apportion import largest_remainder
from coevo_pipelines.rewards.merit import GRAINS, divided, limited, merit

QUARTER = Fraction(1, 4)


def floats(*values: float) -> NDArray[Any]:
    return np.array(values, np.float64)


def whole(*values: int) -> NDArray[Any]:
    return np.array(values, np.int64)


def all_of(values: NDArray[Any]) -> NDArray[Any]:
    return np.ones(values.size, np.bool_)


def test_a_quarter_goes_by_influence_times_potential() -> None:
    inflow = floats(0.5, 0.3, 0.2)
    found = merit(inflow, floats(np.nan, 0.5, 0.25), all_of(inflow), QUARTER)
    # ¾ of the inflow, and ¼ by 0, .15 and .05
    assert found.tolist() == [3 * GRAINS // 8, (Fraction(9, 40) + Fraction(3, 16)) * GRAINS, Fraction(17, 80) * GRAINS]


def test_without_any_potential_influence_takes_all() -> None:
    inflow = floats(0.25, 0.75)
    assert merit(inflow, floats(np.nan, np.nan), all_of(inflow), QUARTER).tolist() == [GRAINS // 4, GRAINS * 3 // 4]


def test_only_what_counts_has_merit() -> None:
    inflow = floats(0.25, 0.75, 0)
    found = merit(inflow, floats(np.nan, np.nan, np.nan), np.array([True, False, True]), QUARTER)
    assert found.tolist() == [GRAINS, 0, 0]
    assert merit(inflow, inflow, np.zeros(3, np.bool_), QUARTER).tolist() == [0, 0, 0]


def test_scores_that_are_no_shares_are_refused() -> None:
    with pytest.raises(ValueError, match="the scores sum to 20"):
        merit(floats(10, 10), floats(0, 0), all_of(floats(1, 1)), QUARTER)


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=30), st.fractions(0, 1, max_denominator=1000))
def test_it_is_the_formula_to_a_grain_or_two(units: list[int], weight: Fraction) -> None:
    total = sum(units)
    inflow = floats(*(unit / 10**12 / max(total / 10**12, 1) for unit in units))
    counted = [round(x * 10**12) for x in inflow.tolist()]
    potential = floats(*(index % 5 / 7 for index in range(len(units))))
    bridging = [round(x * p * 10**12) for x, p in zip(inflow.tolist(), potential.tolist(), strict=True)]
    found = merit(inflow, potential, all_of(inflow), weight).tolist()
    used = weight if sum(bridging) else Fraction(0)
    for each, u, b in zip(found, counted, bridging, strict=True):
        exact = (1 - used) * Fraction(u, max(sum(counted), 1)) + used * Fraction(b, max(sum(bridging), 1))
        assert 0 <= exact * GRAINS - each < 4


def test_an_owner_above_the_cap_leaves_the_rest_to_others() -> None:
    amounts, owner = whole(60, 20, 10, 10), whole(0, 0, 1, -1)
    found = limited(amounts, owner, 2, Fraction(1, 2), Fraction(0))
    assert found.tolist() == [37, 12, 25, 25]  # rounded down inside an owner


def test_an_owner_below_the_minimum_gets_nothing_and_unowned_works_have_no_limit() -> None:
    found = limited(whole(90, 5, 5), whole(0, 1, -1), 2, None, Fraction(1, 10))
    assert found.tolist() == [95, 0, 5]
    found = limited(whole(50, 50), whole(0, 1), 2, Fraction(1, 4), Fraction(0))
    assert found.tolist() == [25, 25]


def test_the_people_of_a_work_divide_all_of_it() -> None:
    parts = divided(whole(100, 7, 9, 0), whole(0, 3, 3, 5, 6), whole(1, 1, 1, 1, 3, 1))
    assert parts.tolist() == [34, 33, 33, 2, 7, 0]


rows = st.lists(
    st.tuples(st.integers(0, 10**15), st.lists(st.integers(0, 10**6), min_size=1, max_size=8)), min_size=1, max_size=12
)


@settings(deadline=None)
@given(rows)
def test_division_is_by_largest_remainder(works: list[tuple[int, list[int]]]) -> None:
    starts = np.cumsum([0, *(len(shares) for _, shares in works)])
    shares = whole(*(share for _, each in works for share in each))
    found = divided(whole(*(amount for amount, _ in works)), starts, shares).tolist()
    expected = [part for amount, each in works for part in largest_remainder(amount, each)]
    assert found == expected
