"""The CD index: the published example, its edges, and the definition applied naively."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from coevo_pipelines.influence.disruption import FIVE_YEARS, UNDATED, Disruption, disruption

YEAR = 31_557_600_000_000
Links = Sequence[tuple[int, int]]


def of(links: Links, created_at: Sequence[int], **more: int) -> Disruption:
    source, target = np.array(links, np.int64).reshape(-1, 2).T
    return disruption(source, target, np.array(created_at, np.int64), **more)


# Works 0 and 1 are the references of the focal work 2. Of the six later ones, 3 to 5 cite it alone, 6 and 7 along with
# a reference, 8 a reference alone.
EXAMPLE = [(2, 0), (2, 1), (3, 2), (4, 2), (5, 2), (6, 2), (6, 0), (7, 2), (7, 0), (7, 1), (8, 1)]
DATES = [0, 0, 10 * YEAR, *[11 * YEAR] * 6]


def test_published_example() -> None:
    found = of(EXAMPLE, DATES)
    assert (found.n_i[2], found.n_j[2], found.n_k[2]) == (3, 2, 1)
    assert found.cd[2] == 1 / 6
    # What has no references has no index, nor has what nobody came after.
    assert np.isnan(found.cd[[0, 1, 3, 4, 5, 6, 7, 8]]).all()


@pytest.mark.parametrize(
    ("when", "counted"),
    [(10 * YEAR, False), (10 * YEAR + 1, True), (10 * YEAR + FIVE_YEARS, True), (10 * YEAR + FIVE_YEARS + 1, False),
     (UNDATED, False), (0, False)],
)  # fmt: skip
def test_the_window_is_open_at_the_work_and_closed_after_five_years(when: int, counted: bool) -> None:
    for place, name in ((3, "n_i"), (6, "n_j"), (8, "n_k")):
        dates = [*DATES]
        dates[place] = when
        found = of(EXAMPLE, dates)
        before = of(EXAMPLE, DATES)
        assert getattr(found, name)[2] == getattr(before, name)[2] - (not counted)


def test_the_window_is_five_years_and_can_be_set() -> None:
    assert pytest.approx(5 * 365.25 * 86_400 * 1_000_000) == FIVE_YEARS
    assert np.isnan(of(EXAMPLE, DATES, window=YEAR - 1).cd[2])
    assert of(EXAMPLE, DATES, window=YEAR).cd[2] == 1 / 6


def test_extremes() -> None:
    assert of([(1, 0), (2, 1), (3, 1)], [0, 1, 2, 3]).cd[1] == 1
    assert of([(1, 0), (2, 1), (3, 1), (2, 0), (3, 0)], [0, 1, 2, 3]).cd[1] == -1
    assert of([(1, 0), (2, 0)], [0, 1, 2]).cd[1] == 0


def test_several_links_of_a_pair_count_once_and_references_need_no_date() -> None:
    dates = [UNDATED, UNDATED, *DATES[2:]]
    found = of([*EXAMPLE, *EXAMPLE], dates)
    assert found.cd[2] == 1 / 6
    undated = of(EXAMPLE, [0, 0, UNDATED, *DATES[3:]])
    assert np.isnan(undated.cd[2]) and undated.n_i[2] == undated.n_k[2] == 0


def test_nothing() -> None:
    assert [each.size for each in of([], [])] == [0, 0, 0, 0]
    assert np.isnan(of([], [1, 2]).cd).all()


def test_work_numbers_out_of_range_are_refused() -> None:
    for link in ((3, 0), (0, -1)):
        with pytest.raises(ValueError, match=r"work numbers must lie in 0\.\.2, found"):
            of([link], [1, 2, 3])


def naive(links: Links, created_at: Sequence[int]) -> list[tuple[float, int, int, int]]:
    """The definition, with sets."""
    works = range(len(created_at))
    uses = {work: {target for source, target in links if source == work} for work in works}
    found = []
    for focal in works:
        start = created_at[focal]
        later = [
            work for work in works
            if UNDATED not in (start, created_at[work]) and start < created_at[work] <= start + FIVE_YEARS
        ]  # fmt: skip
        n_i = sum(focal in uses[work] and not uses[work] & uses[focal] for work in later)
        n_j = sum(focal in uses[work] and bool(uses[work] & uses[focal]) for work in later)
        n_k = sum(focal not in uses[work] and bool(uses[work] & uses[focal]) for work in later)
        seen = n_i + n_j + n_k
        found.append(((n_i - n_j) / seen if seen and uses[focal] else math.nan, n_i, n_j, n_k))
    return found


def random_world(seed: int, works: int, links: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Mostly newer to older; some dates missing, many equal."""
    draw = np.random.default_rng(seed)
    dates = np.sort(draw.integers(0, 12, works)) * YEAR
    dates[draw.random(works) < 0.1] = UNDATED
    source, target = draw.integers(0, works, (2, links))
    back = draw.random(links) < 0.9
    source, target = (
        np.where(back, np.maximum(source, target), source),
        np.where(back, np.minimum(source, target), target),
    )
    pairs = zip(source.tolist(), target.tolist(), strict=True)
    return [(one, other) for one, other in pairs if one != other], dates.tolist()


@pytest.mark.parametrize("seed", range(8))
def test_random_worlds_agree_with_the_definition(seed: int) -> None:
    links, dates = random_world(seed, 60, 60 * (seed + 1))
    found = of(links, dates)
    cd, *counts = zip(*naive(links, dates), strict=True)
    np.testing.assert_array_equal(found.cd, cd)
    np.testing.assert_array_equal(found[1:], counts)


def test_neither_order_nor_compilation_changes_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    links, dates = random_world(1, 500, 4000)
    plain, reverse = of(links, dates), of(links[::-1], dates)
    monkeypatch.setattr("coevo_pipelines.influence.kernel.LARGE", -1)
    compiled = of(links, dates)
    for one, two, three in zip(plain, reverse, compiled, strict=True):
        assert one.tobytes() == two.tobytes() == three.tobytes()
