"""Exact division: known answers, a slow reading of the definition in fractions, and what must always hold."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from coevo_pipelines.rewards.apportion import Allocation, allocate, largest_remainder

SEATS = [1500, 1500, 900, 500, 500, 200]


@pytest.mark.parametrize(
    ("total", "weights", "expected"),
    [
        (25, SEATS, [7, 7, 4, 3, 3, 1]),
        (26, SEATS, [8, 8, 5, 2, 2, 1]),
        (100, [1, 1, 1], [34, 33, 33]),
        (1000, [16, 3, 4, 2, 7], [500, 94, 125, 62, 219]),
        (0, [1, 2], [0, 0]),
        (5, [], []),
        (5, [0, 0], [0, 0]),
        (10**30, [1, 2], [333333333333333333333333333333, 666666666666666666666666666667]),
    ],
)
def test_largest_remainder(total: int, weights: list[int], expected: list[int]) -> None:
    assert largest_remainder(total, weights) == expected


def test_cap_and_minimum() -> None:
    done = allocate([50, 30, 15, 5], 1000, cap=400, minimum=100)
    assert (done.amounts, done.reserve) == ([400, 400, 200, 0], 0)
    assert done.dropped == [False, False, False, True]
    assert done.capped == [True, False, False, False]  # the second is at the cap, not held by it


def test_all_capped() -> None:
    done = allocate([1, 1], 1000, cap=50)
    assert (done.amounts, done.reserve, done.capped) == ([50, 50], 900, [True, True])


def test_floor() -> None:
    done = allocate([2, 1, 1], 1000, floor=300)
    assert (done.amounts, done.floor) == ([450, 275, 275], 100)


def test_floor_is_for_members_only() -> None:
    done = allocate([0, 1, 0], 1000, floor=300, members=[True, False, False])
    assert done.amounts == [300, 700, 0]


def test_a_floor_above_the_cap_leaves_a_reserve() -> None:
    done = allocate([1, 3], 1000, cap=100, floor=500)
    assert (done.amounts, done.reserve) == ([100, 100], 800)


def test_a_floor_without_members_and_merit_without_weight_are_reserve() -> None:
    assert allocate([1, 1], 1000, floor=300, members=[False, False]).reserve == 300
    assert allocate([0, 0], 1000, floor=300).amounts == [150, 150]
    assert allocate([], 1000, floor=300).reserve == 1000


def test_the_minimum_drops_one_at_a_time() -> None:
    # All three are below 300 of 800; without the last the others are not.
    assert allocate([3, 3, 2], 800, minimum=301).amounts == [400, 400, 0]


def test_of_equals_the_last_is_dropped_and_the_first_gets_the_odd_unit() -> None:
    assert allocate([1, 1, 1], 100, minimum=40).amounts == [50, 50, 0]
    assert allocate([1, 1, 1], 101).amounts == [34, 34, 33]


def test_whoever_is_exempt_has_neither_cap_nor_minimum() -> None:
    done = allocate([90, 10, 1], 1000, cap=300, minimum=50, exempt=[True, False, True])
    assert (sum(done.amounts), done.capped, done.dropped) == (1000, [False] * 3, [False] * 3)
    assert allocate([10, 90], 1000, cap=300, exempt=[True, False]).amounts == [700, 300]


@pytest.mark.parametrize(
    ("weights", "pool", "options", "message"),
    [
        ([1], -1, {}, "the pool is -1"),
        ([1], 10, {"floor": 11}, "the floor 11 is above the pool 10"),
        ([1, -2], 10, {}, "weight 1 is -2"),
        ([1], 10, {"cap": -1}, "the cap is -1"),
    ],
)
def test_what_cannot_be_divided(weights: list[int], pool: int, options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        allocate(weights, pool, **options)  # type: ignore[arg-type]


def read_slowly(
    weights: list[int], pool: int, cap: int | None, minimum: int, floor: int, members: list[bool]
) -> tuple[list[int], int]:
    """The definition word by word, in fractions: cap the largest, divide again, drop the smallest, repeat."""
    there = [place for place, weight in enumerate(weights) if weight or members[place]]
    while True:
        inside = [place for place in there if members[place]]
        base = {p: Fraction(floor, len(inside)) if members[p] else Fraction(0) for p in there}
        if cap is not None:
            base = {place: min(share, Fraction(cap)) for place, share in base.items()}
        merit, held = Fraction(pool - floor), dict[int, Fraction]()
        while True:
            free = [place for place in there if place not in held]
            left, whole = merit - sum(held.values()), sum(weights[place] for place in free)
            tried = {place: left * weights[place] / whole if whole else Fraction(0) for place in free}
            over = [p for p in free if cap is not None and base[p] + tried[p] > cap]
            if not over:
                break
            assert cap is not None
            held |= {place: cap - base[place] for place in over}
        amounts = {place: base[place] + (held | tried)[place] for place in there}
        if not there or min(amounts.values()) >= minimum:
            break
        there.remove(min(there, key=lambda place: (amounts[place], weights[place], -place)))
    exact = [amounts.get(place, Fraction(0)) if there else Fraction(0) for place in range(len(weights))]
    whole_units = [int(amount) for amount in exact]
    seats = int(sum(exact) - sum(whole_units))
    for place in sorted(range(len(weights)), key=lambda p: (whole_units[p] - exact[p], p))[:seats]:
        whole_units[place] += 1
    return whole_units, pool - sum(whole_units)


small = st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=7)


@settings(max_examples=600, deadline=None)
@given(small, st.integers(0, 300), st.none() | st.integers(0, 120), st.integers(0, 90), st.integers(0, 100))
@example([(3, True), (0, True), (5, False)], 100, 20, 10, 50)
def test_it_is_the_definition(
    people: list[tuple[int, bool]], pool: int, cap: int | None, minimum: int, percent: int
) -> None:
    weights, members = [weight for weight, _ in people], [member for _, member in people]
    floor = pool * percent // 100
    done = allocate(weights, pool, cap=cap, minimum=minimum, floor=floor, members=members)
    assert (done.amounts, done.reserve) == read_slowly(weights, pool, cap, minimum, floor, members)


scores = st.lists(
    st.decimals(min_value="1e-18", max_value="1e18", allow_nan=False, allow_infinity=False, places=18), max_size=60
).map(lambda given: [int(score * 10**18) for score in given])
pools = st.integers(0, 10**30)
shares = st.integers(0, 100)


def divided(weights: list[int], pool: int, cap: int, minimum: int, floor: int) -> Allocation:
    return allocate(weights, pool, cap=pool * cap // 100, minimum=pool * minimum // 10_000, floor=pool * floor // 100)


@settings(max_examples=300, deadline=None)
@given(scores, pools, shares, shares, shares)
def test_nothing_is_lost_and_no_cap_or_minimum_broken(
    weights: list[int], pool: int, cap: int, minimum: int, floor: int
) -> None:
    done = divided(weights, pool, cap, minimum, floor)
    assert sum(done.amounts) + done.reserve == pool
    assert done.reserve >= 0
    assert max(done.amounts, default=0) <= pool * cap // 100
    assert all(
        amount >= pool * minimum // 10_000 for amount, out in zip(done.amounts, done.dropped, strict=True) if not out
    )
    assert all(amount == 0 for amount, out in zip(done.amounts, done.dropped, strict=True) if out)


@settings(max_examples=200, deadline=None)
@given(scores, pools, shares, shares, shares, st.integers(1, 10**40))
def test_scaling_all_scores_changes_no_cent(
    weights: list[int], pool: int, cap: int, minimum: int, floor: int, factor: int
) -> None:
    scaled = divided([weight * factor for weight in weights], pool, cap, minimum, floor)
    assert scaled == divided(weights, pool, cap, minimum, floor)


@settings(max_examples=200, deadline=None)
@given(scores, pools, shares, shares)
def test_more_merit_never_brings_less(weights: list[int], pool: int, cap: int, floor: int) -> None:
    assume(pool * floor // 100 < pool)  # of equals the first gets the odd unit
    done = divided(weights, pool, cap, 0, floor)
    ranked = sorted(range(len(weights)), key=lambda place: (-weights[place], place))
    amounts = [done.amounts[place] for place in ranked]
    assert amounts == sorted(amounts, reverse=True)


@pytest.mark.parametrize("bits", [0, 60, 1_100])
def test_remainders_that_no_float_tells_apart(bits: int) -> None:
    """Weights of which the largest remainders differ in the last of many digits; of equals the first gets the unit."""
    large = 3 << bits
    weights = [large, large + 1, large, large + 2]
    total = sum(weights)
    shares = [Fraction(5 * weight, total) for weight in weights]
    whole = [int(share) for share in shares]
    left = sorted(range(4), key=lambda n: (whole[n] - shares[n], n))[: 5 - sum(whole)]
    assert largest_remainder(5, weights) == [amount + (n in left) for n, amount in enumerate(whole)]
    assert allocate(weights, 5).amounts == largest_remainder(5, weights)
