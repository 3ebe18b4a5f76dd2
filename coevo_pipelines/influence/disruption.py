"""The CD index: do later works cite a work instead of what it builds on, or along with it?

Source: R. J. Funk and J. Owen-Smith 2017, "A Dynamic Network Measure of Technological Change"
(doi:10.1287/mnsc.2015.2366), with the window of five years of Park, Leahey and Funk 2023. Shown, never paid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coevo_pipelines.influence.integration import checked, distinct_pairs
from coevo_pipelines.influence.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]

FIVE_YEARS = 157_788_000_000_000
"""5 · 365.25 days in microseconds."""
UNDATED = int(np.iinfo(np.int64).min)
"""`created_at` of a work that is only named; also what numpy makes of a missing time."""


class Disruption(NamedTuple):
    """Per work, each (works,). cd: float64 from -1 to 1, nan where undefined. n_i, n_j, n_k: int64 counts."""

    cd: Floats
    n_i: Integers
    n_j: Integers
    n_k: Integers


def disruption(source: Integers, target: Integers, created_at: Integers, *, window: int = FIVE_YEARS) -> Disruption:
    """CD = (n_i - n_j) / (n_i + n_j + n_k) of each work.

    Counted are the works created after the focal work, by at most `window`: n_i cite it and none of its references,
    n_j cite it and at least one of them, n_k cite at least one of them but not it. The focal work itself is not
    counted. nan without references, without a date, or where nothing is counted. While the window lasts, the index
    is that of the works so far.

    source, target: (links,) work numbers, the user and the work used; several links of one pair count once.
    created_at, window: microseconds; UNDATED works are referred to, but count for nobody. Takes time in proportion
    to the sum of squared citation numbers. Raises ValueError for a work number out of range.
    """
    works = created_at.size
    # Works are renamed by age: a window becomes a range of numbers, and a work's citers lie in order of time.
    order = np.argsort(created_at, kind="stable")
    age = np.empty(works, np.int64)
    age[order] = np.arange(works)
    citing, cited = distinct_pairs(works, age[checked("work", works, source)], age[checked("work", works, target)])
    used, users = distinct_pairs(works, cited, citing)
    dates = created_at[order]
    dated = dates != UNDATED
    opens = np.searchsorted(dates, dates, side="right")
    closes = np.where(dated, np.searchsorted(dates, np.where(dated, dates + window, dates), side="right"), opens)
    bounds = np.arange(works + 1)
    counts = np.zeros((3, works), np.int64)
    _count(
        np.searchsorted(citing, bounds), cited, np.searchsorted(used, bounds), users, opens, closes,
        np.full(works, -1), np.full(works, -1), counts,
    )  # fmt: skip
    n_i, n_j, n_k = counts[:, age]
    seen = (n_i + n_j + n_k) * (np.bincount(citing, minlength=works)[age] > 0)
    cd = np.divide(n_i - n_j, seen, out=np.full(works, np.nan), where=seen > 0)
    return Disruption(cd, n_i, n_j, n_k)


@kernel
def _count(
    reference_starts: Integers,
    references: Integers,
    user_starts: Integers,
    users: Integers,
    opens: Integers,
    closes: Integers,
    uses_focal: Integers,
    uses_reference: Integers,
    counts: Integers,
) -> None:
    """n_i, n_j, n_k of each work into the rows of `counts`.

    The two `uses_*` arrays hold for each work the focal work for which it was last seen: they are never cleared.
    """
    for focal in range(opens.size):
        low = opens[focal]
        high = closes[focal]
        if low >= high:
            continue
        start = user_starts[focal]
        end = user_starts[focal + 1]
        for at in range(start + np.searchsorted(users[start:end], low), end):
            if users[at] >= high:
                break
            uses_focal[users[at]] = focal
            counts[0, focal] += 1
        for place in range(reference_starts[focal], reference_starts[focal + 1]):
            start = user_starts[references[place]]
            end = user_starts[references[place] + 1]
            for at in range(start + np.searchsorted(users[start:end], low), end):
                user = users[at]
                if user >= high:
                    break
                if uses_reference[user] == focal:
                    continue
                uses_reference[user] = focal
                if uses_focal[user] == focal:
                    counts[0, focal] -= 1
                    counts[1, focal] += 1
                else:
                    counts[2, focal] += 1
