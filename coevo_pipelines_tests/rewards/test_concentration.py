"""Gini, largest shares and Lorenz curve against published values, and the picture of them."""

from __future__ import annotations

import random
from fractions import Fraction
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coevo_pipelines.rewards.concentration import concentration, lorenz, picture

INCOMES = [541, 1463, 2445, 3438, 4437, 5401, 6392, 8304, 11904, 22261]
"""The example of R's package ineq (Zeileis); package acid 1.1 prints Gini 0.4620911 for it in its manual."""


def test_published_values() -> None:
    gini = concentration(INCOMES).gini
    assert gini is not None
    assert float(gini) == pytest.approx(0.4620911, abs=5e-8)
    # R's package phylotools, manual of gini(): 0.3076923
    assert concentration([1, 3, 2, 1, 1, 1, 4]).gini == Fraction(4, 13)
    # pabutools, tests/test_utils.py: one of five has all
    assert concentration([0, 0, 0, 0, 100]).gini == Fraction(4, 5)
    # VaRA-Tool-Suite, tests/data/test_metrics.py: the Lorenz curve of 1 to 5
    curve = [share for _, share in concentration([3, 1, 5, 2, 4]).lorenz]
    assert curve == [0, Fraction(1, 15), Fraction(3, 15), Fraction(6, 15), Fraction(10, 15), 1]


@pytest.mark.parametrize("n", [1, 2, 7, 100, 101, 1000])
def test_closed_forms(n: int) -> None:
    """All equal: 0. One has all: (n-1)/n. 1 to n: (n-1)/3n."""
    assert concentration([7] * n).gini == 0
    assert concentration([0] * (n - 1) + [10**30]).gini == Fraction(n - 1, n)
    assert concentration(range(1, n + 1)).gini == Fraction(n - 1, 3 * n)


amounts = st.lists(st.integers(min_value=0, max_value=10**30) | st.integers(min_value=0, max_value=9), min_size=1)


@given(amounts)
def test_gini_is_the_mean_difference_over_twice_the_mean(given: list[int]) -> None:
    total, n = sum(given), len(given)
    found = concentration(given)
    if not total:
        assert (found.gini, found.top_10, found.top_tenth, found.lorenz) == (None, None, None, [])
        return
    assert found.gini == Fraction(sum(abs(one - other) for one in given for other in given), 2 * n * total)
    assert found.top_10 == Fraction(sum(sorted(given)[::-1][:10]), total)


@given(amounts.filter(any), st.integers(min_value=1, max_value=10**30), st.randoms())
def test_order_and_unit_do_not_matter(given: list[int], factor: int, chance: random.Random) -> None:
    mixed = [factor * each for each in given]
    chance.shuffle(mixed)
    one, other = concentration(given), concentration(mixed)
    assert (one.gini, one.top_10, one.top_tenth, one.lorenz) == (
        other.gini,
        other.top_10,
        other.top_tenth,
        other.lorenz,
    )


@pytest.mark.parametrize("scale", [1, 10**9, 10**12], ids=["in 64 bits", "at their end", "beyond"])
def test_many_recipients(scale: int) -> None:
    """300,000 amounts, on the way in 64 bits and on that in whole numbers of any size."""
    n = 300_000
    given = [(place * 7919 % n + 1) * scale for place in range(n)]  # 1 to n, mixed
    found = concentration(given)
    assert found.gini == Fraction(n - 1, 3 * n)
    assert found.top_tenth == Fraction(sum(range(n - n // 10 + 1, n + 1)), n * (n + 1) // 2)
    assert len(found.lorenz) == 101
    assert found.lorenz[50] == (Fraction(1, 2), Fraction(sum(range(n // 2 + 1)), n * (n + 1) // 2))


def test_the_curve_is_exact_at_each_step() -> None:
    """Of 150 recipients a step may fall between two of them; then the point is that of the one below."""
    given = list(range(150))
    found = concentration(given)
    assert len(found.lorenz) == 101
    assert [sum(found.lorenz[end]) for end in (0, -1)] == [0, 2]
    assert found.lorenz[1] == (Fraction(1, 150), Fraction(0))
    assert found.lorenz[3] == (Fraction(4, 150), Fraction(0 + 1 + 2 + 3, sum(given)))
    assert [round(100 * share) for share, _ in found.lorenz][::10] == list(range(0, 101, 10))


def test_a_tenth_is_rounded_up() -> None:
    assert concentration([1] * 11).top_tenth == Fraction(2, 11)
    assert concentration([1] * 10).top_tenth == Fraction(1, 10)
    assert concentration([5]).top_tenth == 1


def test_a_negative_amount() -> None:
    with pytest.raises(ValueError, match=r"an amount is negative \(-1\)"):
        concentration([3, -1, 2])
    with pytest.raises(ValueError, match="an amount is negative"):
        picture([10**40, -(10**40)], "round")


def texts(image: bytes) -> str:
    root = ElementTree.fromstring(image)
    assert (root.tag, root.get("role")) == ("{http://www.w3.org/2000/svg}svg", "img")
    return " ".join("".join(each.itertext()) for each in root.iter() if each.tag.endswith(("title", "desc", "text")))


def test_the_picture() -> None:
    image = picture(INCOMES, "Round 7 <of> A & B")
    said = texts(image)
    assert "Round 7 <of> A & B" in said
    assert "10 recipients, Gini 0.462, top 10: 100.0%, top 10%: 33.4%." in said
    assert "recipients, least paid first" in said and "share of the sum" in said
    assert b"prefers-color-scheme:dark" in image
    assert image == picture(INCOMES[::-1], "Round 7 <of> A & B")


def test_the_curve_goes_through_its_points() -> None:
    spec = lorenz(concentration(INCOMES), 300).to_dict()
    curve = spec["datasets"][spec["layer"][0]["data"]["name"]]
    assert curve[0] == {"people": 0, "sum": 0} and curve[-1] == {"people": 1, "sum": 1}
    assert curve[1] == {"people": 0.1, "sum": pytest.approx(541 / 66_586)}


@pytest.mark.parametrize(
    "given",
    [[], [0, 0], [1], [10**30] * 9, [place**5 for place in range(5000)]],
    ids=["nobody", "nothing", "one", "large", "many"],
)
def test_every_picture_is_small_and_well_formed(given: list[int]) -> None:
    image = picture(given, "\x00\x1b]<&>" + "é" * 9999)
    assert len(image) < 6000
    assert ("nothing was paid" in texts(image)) is (sum(given) == 0)
    assert f"{len(given):,} recipients" in texts(image)
