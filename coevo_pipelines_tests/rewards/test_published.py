"""Splits and policies that other systems and books publish, computed with ours.

Where another system gives away what is left over in another order, ours differs by a unit, and the table says both.
"""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from coevo_pipelines.rewards.apportion import allocate, largest_remainder
from coevo_pipelines.rewards.policies import balanced, immediate, recent, special
from coevo_pipelines_tests.scrapes.recordings import recordings

CENSUS_1790 = {
    "Virginia": 630560, "Massachusetts": 475327, "Pennsylvania": 432879, "North Carolina": 353523, "New York": 331589,
    "Maryland": 278514, "Connecticut": 236841, "South Carolina": 206236, "New Jersey": 179570,
    "New Hampshire": 141822, "Vermont": 85533, "Georgia": 70835, "Kentucky": 68705, "Rhode Island": 68446,
    "Delaware": 55540,
}  # fmt: skip


@pytest.mark.parametrize(
    ("votes", "seats", "expected"),
    [
        # The bill of 1792 for 120 seats, the first that a president of the United States vetoed: U.S. National
        # Archives, "The 1790 Census and the First Veto" (2022); the quotas are in COMAP, "For All Practical Purposes".
        pytest.param(
            list(CENSUS_1790.values()),
            120,
            [21, 16, 14, 12, 11, 9, 8, 7, 6, 5, 3, 2, 2, 2, 2],
            id="vetoed bill of 1792",
        ),
        # Balinski & Young, The quota method of apportionment (1975); as in martinlackner/apportionment,
        # tests/test_methods.py
        pytest.param([5117, 4400, 162, 161, 160], 100, [51, 44, 2, 2, 1], id="Balinski and Young 1"),
        pytest.param([9061, 7179, 5259, 3319, 1182], 26, [9, 7, 5, 4, 1], id="Balinski and Young 2"),
        pytest.param([2, 1, 1, 2, 2], 2, [1, 0, 0, 1, 0], id="ties to the first"),
        pytest.param([10, 9, 8, 8, 11, 12], 3, [1, 0, 0, 0, 1, 1], id="fewer seats than parties"),
        pytest.param([0, 14, 28, 0, 0], 6, [0, 2, 4, 0, 0], id="parties without votes"),
        # R's package proporz, tests of largest_remainder_method
        pytest.param([216, 310, 22, 32], 60, [23, 32, 2, 3], id="Hare and Niemeyer"),
        pytest.param([47000, 16000, 15800, 12000, 6100, 3100], 10, [5, 2, 1, 1, 1, 0], id="largest remainder"),
        pytest.param([720257, 323524, 257466, 213138, 144392, 88315], 31, [13, 6, 5, 4, 2, 1], id="a German council"),
        # census.gov, Methods of apportionment (Hamilton/Vinton)
        pytest.param([2560, 3315, 995, 5012], 20, [4, 6, 2, 8], id="census.gov"),
        # The Alabama paradox: a seat more, and one party has one less (electowiki; Wikipedia; M. Parker's shapes)
        pytest.param([567, 385, 42, 6], 323, [183, 124, 14, 2], id="Alabama paradox, 323"),
        pytest.param([567, 385, 42, 6], 324, [184, 125, 13, 2], id="Alabama paradox, 324"),
        pytest.param([6, 6, 2], 10, [4, 4, 2], id="Alabama paradox, 10"),
        pytest.param([6, 6, 2], 11, [5, 5, 1], id="Alabama paradox, 11"),
        pytest.param([21878, 9713, 4167, 3252, 1065], 43, [24, 10, 4, 4, 1], id="shapes, 43"),
        pytest.param([21878, 9713, 4167, 3252, 1065], 44, [24, 11, 5, 3, 1], id="shapes, 44"),
    ],
)
def test_seats_of_parliaments(votes: list[int], seats: int, expected: list[int]) -> None:
    assert allocate(votes, seats).amounts == expected
    assert largest_remainder(seats, votes) == expected


# SourceCred: packages/sourcecred/src/core/credrank/testUtils.js, the two participants of credGraph2; oldest first.
THIRD = (0.740419825600136, 0.13066230628165218)
FOURTH = (0.2128917958122319, 1.9160254971783794)


def scores(*people: tuple[float, ...]) -> list[list[int]]:
    """Merits as whole numbers, the latest interval first, exactly in proportion to floats."""
    exact = [[Fraction(each) for each in person] for person in people]
    scale = max(each.denominator for person in exact for each in person)  # powers of two
    return [[int(each * scale) for each in interval] for interval in zip(*exact, strict=True)][::-1]


def cred(*people: tuple[float, ...]) -> list[int]:
    """Everybody's merit of all intervals."""
    return immediate(scores(*people), len(people[0]))


@pytest.mark.parametrize(
    ("weights", "budget", "official", "ours"),
    [
        # grainAllocation.test.js, "immediate policy": splitBudget(1000, cred of the last interval); it rounds the
        # first down and gives the last what is left.
        pytest.param(immediate(scores(THIRD, FOURTH), 1), 1000, (63, 937), (64, 936), id="IMMEDIATE, 1 interval"),
        pytest.param(immediate(scores(THIRD, FOURTH), 2), 1000, (290, 710), (290, 710), id="IMMEDIATE, 2 intervals"),
        pytest.param(immediate(scores(THIRD, FOURTH), 50), 1000, (290, 710), (290, 710), id="IMMEDIATE, all there are"),
        pytest.param(immediate(scores(THIRD, FOURTH), 1), 0, (0, 0), (0, 0), id="IMMEDIATE, nothing"),
        # "recent policy"
        pytest.param(
            recent(scores((0, 0, 100), (100, 0, 0), (100, 0, 0)), Fraction(1, 10)),
            100, (38, 31, 31), (38, 31, 31), id="RECENT, discounted",
        ),
        pytest.param(
            recent(scores((100, 100, 100), (100, 100, 100)), Fraction(1, 10)), 100, (50, 50), (50, 50),
            id="RECENT, not by what was paid",
        ),
        pytest.param(
            recent(scores((0, 50, 0), (0, 10, 100)), Fraction(1)), 100, (0, 100), (0, 100), id="RECENT, full discount"
        ),
        pytest.param(
            recent(scores((100, 50, 10), (0, 10, 100)), Fraction(1, 10)), 0, (0, 0), (0, 0), id="RECENT, nothing"
        ),
        # "balanced policy": its targets are rounded down to whole grains before they are compared, so with so few
        # grains it loses a unit or two that exact fractions do not.
        pytest.param(
            balanced(cred(THIRD, FOURTH), [0, 0], 0, 100), 100, (28, 72), (29, 71), id="BALANCED, nothing paid yet"
        ),
        pytest.param(
            balanced(cred(THIRD, FOURTH), [100, 10], 110, 3000), 3000, (802, 2198), (803, 2197), id="BALANCED, 110 paid"
        ),
        pytest.param(
            balanced(immediate(scores(THIRD, FOURTH), 1), [100, 10], 110, 2000), 2000, (34, 1966), (35, 1965),
            id="BALANCED, last interval",
        ),
        pytest.param(balanced(cred(THIRD, FOURTH), [100, 10], 110, 0), 0, (0, 0), (0, 0), id="BALANCED, nothing"),
        # "special policy"
        pytest.param(special(1, 0), 100, (100,), (100,), id="SPECIAL"),
        # grain.test.js, "splitBudget": what is too small to divide goes to the last there, to the first here.
        pytest.param([1, 1], 2, (1, 1), (1, 1), id="split evenly"),
        pytest.param([1, 1], 1, (0, 1), (1, 0), id="split one among two"),
        pytest.param([1, 1, 1, 1], 3, (0, 1, 1, 1), (1, 1, 1, 0), id="split three among four"),
        pytest.param([1, 2], 0, (0, 0), (0, 0), id="split nothing"),
    ],
)  # fmt: skip
def test_sourcecred_policies(weights: list[int], budget: int, official: tuple[int, ...], ours: tuple[int, ...]) -> None:
    """sourcecred/sourcecred, packages/sourcecred/src/core/ledger/{grainAllocation,grain}.test.js, in whole grains."""
    assert allocate(weights, budget).amounts == list(ours)
    assert sum(official) == sum(ours) == budget
    assert max(abs(one - other) for one, other in zip(official, ours, strict=True)) <= 1


@pytest.mark.parametrize(
    "merits",
    [
        pytest.param([1] * 997, id="many equal"),
        pytest.param([1, 10**100], id="very uneven"),
        pytest.param([n * n for n in range(100)], id="highly unequal"),
        pytest.param([2**n for n in range(100)], id="extravagantly unequal"),
        pytest.param([10**n for n in range(100)], id="late"),
        pytest.param([each for n in range(50) for each in (2 ** (50 - n), 2**50 * 7**n)], id="small and huge"),
    ],
)
@pytest.mark.parametrize("step", [1, -1])
def test_sourcecred_stress(merits: list[int], step: int) -> None:
    """grain.test.js, "stress testing": there 10^18 atto-grains come out within 10 decimals; here to the last unit."""
    grain = 10**18
    given = allocate(merits[::step], grain).amounts
    assert sum(given) == grain
    whole = sum(merits)
    assert all(abs(amount * whole - grain * merit) < whole for amount, merit in zip(given, merits[::step], strict=True))


def test_sourcecred_balanced_catches_up() -> None:
    """policies/balanced.js: whoever got more than their share of everything gets nothing until the others have it."""
    weights = balanced([1, 1, 2], [900, 100, 0], 1000, 200)
    assert weights == [0, 4 * 200, 4 * 600]
    assert allocate(weights, 200).amounts == [0, 50, 150]
    assert special(3, None) == [0, 0, 0], "grainAllocation.test.js: an error there, the reserve here"
    assert allocate(special(3, None), 100).reserve == 100


@pytest.mark.parametrize(
    ("name", "distributions", "allocations"),
    [("Braid", 0, 0), ("DeFiOptions", 46, 0), ("lobby3", 0, 0)],
)
def test_sourcecred_ledgers(name: str, distributions: int, allocations: int) -> None:
    """Real ledgers: what each allocation gives adds up to its budget, nobody twice. These three gave nothing yet: 46
    weeks of DeFiOptions were closed without an allocation."""
    lines = (recordings() / "funding" / "sourcecred" / f"{name}_ledger.jsonl").read_text().splitlines()
    actions = [json.loads(line)["action"] for line in lines]
    rounds = [action["distribution"] for action in actions if action["type"] == "DISTRIBUTE_GRAIN"]
    given = [each for one in rounds for each in one["allocations"]]
    assert (len(rounds), len(given)) == (distributions, allocations)
    assert [wrong for each in given for wrong in allocation_faults(each)] == []


def test_an_allocation_that_does_not_add_up_is_seen() -> None:
    """grainAllocation.test.js, "errors if the receipts don't match the budget": of 5 none was distributed."""
    assert allocation_faults({"policy": {"budget": "5"}, "receipts": []}) == ["gives 0 of 5"]
    twice = [{"id": "a", "amount": "2"}, {"id": "a", "amount": "3"}]
    assert allocation_faults({"policy": {"budget": "5"}, "receipts": twice}) == ["names somebody twice"]
    assert allocation_faults({"policy": {"budget": "5"}, "receipts": [*twice[1:], {"id": "b", "amount": "2"}]}) == []


def allocation_faults(allocation: dict[str, Any]) -> list[str]:
    receipts, budget = allocation["receipts"], int(allocation["policy"]["budget"])
    total = sum(int(each["amount"]) for each in receipts)
    faults = [f"gives {total} of {budget}"] if total != budget else []
    return faults + ["names somebody twice"] * (len({each["id"] for each in receipts}) < len(receipts))


@pytest.mark.parametrize(
    ("parts", "amount", "official", "ours"),
    [
        pytest.param([100_000], 30, [3, 27], [3, 27], id="a tenth of 30"),
        pytest.param([100_000], 100, [10, 90], [10, 90], id="a tenth of 100"),
        pytest.param([1_000_000], 10, [10, 0], [10, 0], id="all is passed on"),
        pytest.param([250_000, 500_000], 10, [2, 5, 3], [3, 5, 2], id="a quarter and a half of 10"),
    ],
)
def test_drips_splits(parts: list[int], amount: int, official: list[int], ours: list[int]) -> None:
    """drips-network/contracts, test/Splits.t.sol; parts of 1,000,000, the last amount is what the owner keeps.

    Drips rounds down the sum of what each and all before it get, and the owner keeps the rest; ours gives what is
    left over to the largest remainder, of equals to the first.
    """
    kept = 1_000_000 - sum(parts)
    assert allocate([*parts, kept], amount).amounts == ours
    ends = [amount * sum(parts[:place]) // 1_000_000 for place in range(len(parts) + 1)]
    drips = [after - before for before, after in pairwise(ends)]
    assert [*drips, amount - ends[-1]] == official
    assert max(abs(one - other) for one, other in zip(official, ours, strict=True)) <= 1
