"""Reward policies: what everybody's weight is, from merit on the days so far and from what was earned already.

The four names and what they favour are those that users of contribution ledgers know (SourceCred, "Grain
distribution"); here they divide a round's merit part. Weights are whole numbers, exactly proportional to the
definition (influence_and_rewards: Rewards 3); every sequence is in the order of the recipients' ids.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

from coevo_pipelines.rewards.apportion import largest_remainder


class Part(NamedTuple):
    """One policy of a mix: its share of the money, its weights, and the most that it may spend."""

    share: Fraction
    weights: Sequence[int]
    most: int | None = None


def immediate(merits: Sequence[Sequence[int]], days: int) -> list[int]:
    """IMMEDIATE: merit of the last `days` days. merits: one sequence a day, the latest first."""
    return [sum(each) for each in zip(*islice(merits, days), strict=True)] if days > 1 else list(merits[0])


def recent(merits: Sequence[Sequence[int]], discount: Fraction) -> list[int]:
    """RECENT: the sum of merit times (1 - discount)^n, n days back. merits: one sequence a day, the latest first.

    Raises ValueError for a discount outside [0, 1].
    """
    if not 0 <= discount <= 1:
        raise ValueError(f"the discount is {discount}: it must be from 0 to 1")
    kept, whole = (1 - discount).numerator, (1 - discount).denominator
    last = len(merits) - 1
    factors = [kept**n * whole ** (last - n) for n in range(last + 1)]
    return [sum(map(int.__mul__, factors, each)) for each in zip(*merits, strict=True)]


def balanced(merit: Sequence[int], earned: Sequence[int], paid: int, budget: int) -> list[int]:
    """BALANCED: max(0, (paid + budget) * share - earned): what is missing to everybody's share of all rounds together.

    merit: shares of it count; earned: minor units so far, each; paid: all of them, also of people not listed here.
    """
    whole = sum(merit)
    return [max(0, (paid + budget) * weight - had * whole) for weight, had in zip(merit, earned, strict=True)]


def special(recipients: int, place: int | None) -> list[int]:
    """SPECIAL: everything to the recipient at `place`; None when the recipient is not there."""
    return [int(each == place) for each in range(recipients)]


def mix(budget: int, parts: Sequence[Part]) -> tuple[list[int], int]:
    """Weights of a mix of policies, and how much of `budget` they divide.

    The budget is first divided among the policies by share (whole units, largest remainder). What a policy may not
    spend, or has nobody to give to, goes to the others in the same proportion; when there are none it is not divided.
    Raises ValueError when no share is positive or one is negative.
    """
    if not parts or min(part.share for part in parts) < 0 or not sum(part.share for part in parts):
        raise ValueError("the shares of the policies must be at least 0, and one of them above")
    scale = math.lcm(*(part.share.denominator for part in parts))
    shares = [int(part.share * scale) if any(part.weights) else 0 for part in parts]
    budgets = _within(budget, shares, [part.most for part in parts])
    alone = [part for part, given in zip(parts, budgets, strict=True) if given]
    if len(alone) == 1:
        return list(alone[0].weights), sum(budgets)
    sums = [sum(part.weights) for part in parts]
    whole = math.lcm(*(each for each in sums if each))
    factors = [given * whole // each if each else 0 for given, each in zip(budgets, sums, strict=True)]
    weights = [sum(map(int.__mul__, factors, each)) for each in zip(*(part.weights for part in parts), strict=True)]
    return weights, sum(budgets)


def _within(budget: int, shares: Sequence[int], most: Sequence[int | None]) -> list[int]:
    """The budget of each policy, none above the most that it may spend."""
    open_shares, left, given = list(shares), budget, [0] * len(shares)
    while True:
        tried = largest_remainder(left, open_shares)
        over = [at for at, limit in enumerate(most) if open_shares[at] and limit is not None and tried[at] > limit]
        if not over:
            return [held or more for held, more in zip(given, tried, strict=True)]
        for at in over:
            given[at], open_shares[at] = most[at] or 0, 0
            left -= given[at]
