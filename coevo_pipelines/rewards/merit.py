"""What a work has merit for, and what of it the people behind the work get: whole grains, exactly divided.

Merit is (1 - lambda) of influence plus lambda of influence times integrative potential, each as a share of all
works that count (influence_and_rewards: Rewards 3); lineage credit moves a part of it to what a work stands on; the
people behind a work then divide what it keeps.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from coevo_pipelines.influence.kernel import kernel
from coevo_pipelines.influence.scores import UNITS
from coevo_pipelines.rewards.apportion import allocate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]

GRAINS = 10**18
"""All merit together, but for what rounding down takes: at most two grains a work."""
MOST_SHARES = 3 * 10**9
"""Shares in one work, together: above, a product of two of them does not fit 64 bits."""
_DIGIT = 10**6


def merit(inflow: Floats, integrative_potential: Floats, counts: NDArray[np.bool_], weight: Fraction) -> Integers:
    """Merit of each work in grains, (works,) int64.

    inflow: `influence.scores.guarded_inflow`, (works,); integrative_potential: (works,), nan where there is none: it
    counts as 0. counts: works outside have no merit. weight: lambda. Where no work has a potential, influence takes
    all. Scores are taken as round(x * 10^12), so that money does not depend on their last bits.
    """
    flow = np.where(counts, np.rint(inflow * UNITS), 0.0).astype(np.int64)
    bridging = np.where(counts, np.rint(inflow * np.nan_to_num(integrative_potential) * UNITS), 0.0).astype(np.int64)
    if not bridging.any():
        weight = Fraction(0)
    return _part(_share(flow), 1 - weight) + _part(_share(bridging), weight)


def _share(amounts: Integers) -> Integers:
    """floor(GRAINS * amount / sum of all), by long division: the product does not fit 64 bits."""
    whole = max(int(amounts.sum()), 1)
    if whole * _DIGIT >= 2**63:
        raise ValueError(f"the scores sum to {whole / UNITS:g}: inflow is a share of all that arrives, at most 1")
    result, rest = np.divmod(amounts, whole)
    for _ in range(3):
        digit, rest = np.divmod(rest * _DIGIT, whole)
        result = result * _DIGIT + digit
    return result


def _part(amounts: Integers, share: Fraction) -> Integers:
    """floor(amount * share) of each; the denominator is at most 10^6, so nothing leaves 64 bits."""
    up, down = share.numerator, share.denominator
    return amounts // down * up + amounts % down * up // down


def limited(amounts: Integers, owner: Integers, owners: int, cap: Fraction | None, minimum: Fraction) -> Integers:
    """The merit of works when none of the `owners` may have more than `cap` of it all, nor less than `minimum`.

    owner: (works,) int64 below `owners`, -1 for a work that nobody holds: it has no limit. Water-filling, as among
    people; what no owner can be given is left out.
    """
    held = owner >= 0
    loose = int(amounts[~held].sum())
    whole = int(amounts.sum())
    sums = np.zeros(owners, np.int64)
    np.add.at(sums, owner[held], amounts[held])
    weights = [*sums.tolist(), loose]
    most = None if cap is None else int(whole * cap)
    done = allocate(
        weights, whole, cap=most, minimum=int(whole * minimum), members=[False] * len(weights),
        exempt=[*[False] * owners, True],
    )  # fmt: skip
    result = amounts.copy()
    changed = np.array([given != had for given, had in zip(done.amounts, weights, strict=True)])
    for at in np.flatnonzero(changed[owner]).tolist():
        place = int(owner[at])
        result[at] = int(amounts[at]) * done.amounts[place] // weights[place]
    return result


def divided(amounts: Integers, starts: Integers, shares: Integers) -> Integers:
    """What each of the people behind each work gets, (credits,) int64, with exactly the sum of the `amounts`.

    amounts: (works,) int64; the people of work i are the credits starts[i] to starts[i + 1], in the order of the
    list, with `shares` (int64, at least 0, one of each work's above, at most `MOST_SHARES` together). Largest
    remainder, ties to the first in the list: fractional counting where all shares are one (Waltman & van Eck 2015,
    https://doi.org/10.1016/j.joi.2015.08.001). A work without people gives nothing.
    """
    parts = np.zeros(shares.size, np.int64)
    _divide(amounts, starts, shares, parts, np.zeros(shares.size, np.int64))
    return parts


@kernel
def _divide(amounts: Integers, starts: Integers, shares: Integers, parts: Integers, rests: Integers) -> None:
    for work in range(amounts.size):
        begin, end, amount = starts[work], starts[work + 1], amounts[work]
        whole = 0
        for at in range(begin, end):
            whole += shares[at]
        if amount <= 0 or whole <= 0:
            continue
        left = amount
        for at in range(begin, end):
            rest = amount % whole * shares[at]
            parts[at] = amount // whole * shares[at] + rest // whole
            rests[at] = rest % whole
            left -= parts[at]
        while left > 0:
            most = begin
            for at in range(begin, end):
                if rests[at] > rests[most]:
                    most = at
            parts[most] += 1
            rests[most] = -1
            left -= 1
