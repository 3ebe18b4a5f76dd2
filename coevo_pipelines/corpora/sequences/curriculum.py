"""How the token budget is divided among the stages of a curriculum: by weight, as far as each has material.

Water-filling between bounds: a stage that ends before its share leaves what is left to the others, by weight, again
and again; a stage with material gets at least what opens a sequence and one token. Each round freezes those on the side
on which the bounds cut off more, as CSS resolves flexible lengths (CSS Flexible Box Layout Module Level 1, 9.7). Whole
tokens by largest remainder.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from coevo_pipelines.rewards.apportion import largest_remainder


def shares(budget: int, weights: Sequence[float], capacities: Sequence[int], least: int = 1) -> list[int]:
    """Tokens of each stage.

    weights: above 0. capacities: tokens of its material, repeats and all that opens sequences included; 0, or at least
    `least`, which is the smallest share that can be used. The sum is `budget`, or that of the capacities if that is
    less. Where the budget does not give every stage its least, those with the least material go without, and only then
    can the sum be less than both.
    """
    exact = _exact(weights)
    # Of few stages those with the most material: if any choice of stages can use up the budget, this one can.
    by_size = sorted((n for n, most in enumerate(capacities) if most), key=lambda n: (-capacities[n], -exact[n], n))
    free = set(by_size[: budget // least])
    found = [0] * len(weights)
    while free:
        left = budget - sum(found)
        whole = sum(exact[n] for n in free)
        wanted = {n: left * exact[n] / whole for n in sorted(free)}
        above = {n: share - capacities[n] for n, share in wanted.items() if share > capacities[n]}
        below = {n: least - share for n, share in wanted.items() if share < least}
        if not above and not below:
            for n, tokens in zip(wanted, by_weight(left, [weights[n] for n in wanted]), strict=True):
                found[n] = tokens
            break
        too_much = sum(above.values(), Fraction()) >= sum(below.values(), Fraction())
        for n in above if too_much else below:
            found[n] = capacities[n] if too_much else least
            free.remove(n)
    return found


def by_weight(budget: int, weights: Sequence[float]) -> list[int]:
    """Whole tokens in proportion to the weights, which are above 0."""
    exact = _exact(weights)
    common = math.lcm(*(each.denominator for each in exact))
    return largest_remainder(budget, [int(each * common) for each in exact])


def _exact(weights: Sequence[float]) -> list[Fraction]:
    """As they are written: 0.1 is a tenth."""
    return [Fraction(repr(float(weight))) for weight in weights]
