"""Lineage credit: what is given to a work is shared with the works it stands on, and with what those stand on.

A work keeps a share of what reaches it and passes the rest on, split over the types of relation that it has by
weight, then equally inside a type; a work that builds on nothing keeps all. m = s + Tᵀ(1-σ)m, kept = σm, and the
sum of what is kept is the sum of what was given, exactly: amounts are whole grains, of which the giver of `seeds`
says how many make a unit. The definition is ours (influence_and_rewards: Influence).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coevo_pipelines.influence.kernel import kernel
from coevo_pipelines.influence.weights import RELATION_WEIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

MOST_GRAINS = 10**18
"""All seeds together: what 64 bits hold with room for a product with a small weight."""
MOST_WEIGHT = 10**9


class Columns(NamedTuple):
    """Links as columns: source, target, relation, each (links,) int64; a relation is a place in `relations`."""

    source: Integers
    target: Integers
    relation: Integers
    relations: Sequence[str]


def lineage_credit(
    links: Columns,
    seeds: Integers,
    *,
    keep: Fraction = Fraction(1, 2),
    relation_weight: Mapping[str, float] = RELATION_WEIGHT,
) -> Integers:
    """What each work keeps of the `seeds`, (works,) int64 grains, with exactly their sum.

    links: from the user of a work to the work used; works are numbered 0 to n - 1, best in order of time: then one
    sweep from the latest to the earliest does it. seeds: (works,) int64 grains, at most `MOST_GRAINS` in all; a
    share that is no whole grain is rounded, so give many. Self-loops, duplicates and relations of weight 0 do not
    count. In a circle of works credit goes round until every grain has been kept. The result does not depend on the
    order of links. Raises ValueError for a relation without a weight, a negative or too fine weight, a negative
    seed, too many grains, and a `keep` outside (0, 1].
    """
    if not 0 < keep <= 1:
        raise ValueError(f"keep must lie in (0, 1], not {keep}")
    if seeds.size and seeds.min() < 0:
        raise ValueError(f"the seed of work {int(np.argmin(seeds))} is negative")
    if float(seeds.sum(dtype=np.float64)) > 2.0 * MOST_GRAINS or int(seeds.sum()) > MOST_GRAINS:
        raise ValueError(f"the seeds are more than {MOST_GRAINS} grains")
    weights = _whole_weights(links.relations, relation_weight)
    starts, target, relation = _rows(links, weights, seeds.size)
    held, kept = seeds.astype(np.int64, copy=True), np.zeros(seeds.size, np.int64)
    _flow(starts, target, relation, weights, held, kept, keep.denominator - keep.numerator, keep.denominator)
    return kept


def _whole_weights(relations: Sequence[str], relation_weight: Mapping[str, float]) -> Integers:
    """The weights as whole numbers in the same proportion, one each of `relations`."""
    if missing := sorted(set(relations) - set(relation_weight)):
        raise ValueError(f"no weight for relation {missing[0]!r}; known: {', '.join(sorted(relation_weight))}")
    weights = [Fraction(str(relation_weight[relation])) for relation in relations]
    if min(weights, default=Fraction(0)) < 0:
        raise ValueError("relation weights must not be negative")
    scale = math.lcm(*(weight.denominator for weight in weights))
    whole = [int(weight * scale) for weight in weights]
    if max(whole, default=0) > MOST_WEIGHT:
        raise ValueError(f"relation weights {', '.join(map(str, map(float, weights)))} differ by too many digits")
    return np.array(whole, np.int64)


def _rows(links: Columns, weights: Integers, works: int) -> tuple[Integers, Integers, Integers]:
    """The links that count, by source, relation and target: where each source's begin, targets, relations."""
    counts = (weights[links.relation] > 0) & (links.source != links.target)
    source, target, relation = (column[counts] for column in links[:3])
    kinds = max(weights.size, 1)
    packed = np.sort((source * kinds + relation) * works + target)
    packed = packed[np.flatnonzero(np.diff(packed, prepend=packed[:1] - 1))]
    rest, target = np.divmod(packed, max(works, 1))
    source, relation = np.divmod(rest, kinds)
    return np.searchsorted(source, np.arange(works + 1)), target, relation


@kernel
def _flow(  # noqa: PLR0912, PLR0915  (a kernel may not call another)
    starts: Integers,
    targets: Integers,
    relations: Integers,
    weights: Integers,
    held: Integers,
    kept: Integers,
    passed: int,
    whole: int,
) -> None:
    """Let what is `held` flow until all is `kept`. Between `low` and `high` lies what still holds something."""
    shares, rests = np.zeros(weights.size, np.int64), np.zeros(weights.size, np.int64)
    low, high = 0, held.size - 1
    while low <= high:
        next_low, next_high = held.size, -1
        at = high
        while at >= low:
            amount = held[at]
            begin, end = starts[at], starts[at + 1]
            if amount > 0:
                held[at] = 0
                onward = 0
                if end > begin:
                    # Rounded down, so each turn keeps a grain at least: credit in a circle comes to an end.
                    onward = amount // whole * passed + amount % whole * passed // whole
                kept[at] += amount - onward
                if onward > 0:
                    total = 0
                    for link in range(begin, end):
                        if link == begin or relations[link] != relations[link - 1]:
                            total += weights[relations[link]]
                    left = onward
                    for link in range(begin, end):
                        kind = relations[link]
                        if link == begin or kind != relations[link - 1]:
                            rest = onward % total * weights[kind]
                            shares[kind] = onward // total * weights[kind] + rest // total
                            rests[kind] = rest % total
                            left -= shares[kind]
                    while left > 0:  # one grain each to the largest remainders, ties to the first
                        most = relations[begin]
                        for link in range(begin, end):
                            if rests[relations[link]] > rests[most]:
                                most = relations[link]
                        shares[most] += 1
                        rests[most] = -1
                        left -= 1
                    link = begin
                    while link < end:
                        kind = relations[link]
                        last = link
                        while last < end and relations[last] == kind:
                            last += 1
                        each, more = shares[kind] // (last - link), shares[kind] % (last - link)
                        for place in range(link, last):
                            part = each + (1 if place - link < more else 0)
                            if part > 0:
                                target = targets[place]
                                held[target] += part
                                if target < low and target < at:
                                    low = target  # still ahead in this sweep
                                if target > at:
                                    next_low, next_high = min(next_low, target), max(next_high, target)
                        link = last
            at -= 1
        low, high = next_low, next_high
