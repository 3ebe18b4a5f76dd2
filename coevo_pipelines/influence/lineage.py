"""Lineage credit: what is given to a work is shared with the works it stands on, and with what those stand on.

A work keeps a share of what reaches it and passes the rest on, split over the types of relation that it has by
weight, then equally inside a type; a work that builds on nothing keeps all. m = s + Tᵀ(1-σ)m, kept = σm, and the
sum of what is kept is the sum of what was given, exactly: amounts are whole grains, 10^30 of them to the unit.
The definition is ours (influence_and_rewards: Influence).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import islice, pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coevo_pipelines.influence.weights import RELATION_WEIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

GRAINS = 10**30
"""Grains to the unit. A power of ten holds halves, eighths and percents exactly; thirds are a grain off at most."""
RELATION_WEIGHTS: Mapping[str, Fraction | int] = {name: Fraction(weight) for name, weight in RELATION_WEIGHT.items()}


class Columns(NamedTuple):
    """Links as columns: source, target, relation, each (links,) int64; a relation is a place in `relations`."""

    source: Integers
    target: Integers
    relation: Integers
    relations: Sequence[str]


def lineage_credit(
    links: Iterable[tuple[int, int, str]] | Columns,
    seeds: Mapping[int, Fraction | int],
    *,
    keep: Fraction = Fraction(1, 2),
    relation_weights: Mapping[str, Fraction | int] = RELATION_WEIGHTS,
) -> dict[int, Fraction]:
    """What each work keeps of the `seeds`, by work number; works that keep nothing are left out.

    links: (source, target, relation), from the user of a work to the work used; any whole numbers may number works.
    Self-loops, duplicates and relations of weight 0 do not count. Only what can be reached from the seeds is looked
    at. In a circle of works credit goes round until every grain has been kept. The result does not depend on the
    order of links or seeds. Raises ValueError for a relation without a weight, a negative weight or seed, and a
    `keep` outside (0, 1].
    """
    if not 0 < keep <= 1:
        raise ValueError(f"keep must lie in (0, 1], not {keep}")
    if negative := [work for work, amount in seeds.items() if amount < 0]:
        raise ValueError(f"the seed of work {min(negative)} is negative")
    columns = links if isinstance(links, Columns) else columns_of(links)
    weights = _whole_weights(columns, relation_weights)
    grains = GRAINS * math.lcm(*(Fraction(amount).denominator for amount in seeds.values()))
    graph = _reached(columns, weights, seeds)
    held = [0] * len(graph.works)
    for place, work in enumerate(graph.works):
        held[place] = int(seeds.get(work, 0) * grains)
    kept = _flow(graph, weights, held, Fraction(keep))
    return {work: Fraction(amount, grains) for work, amount in zip(graph.works, kept, strict=True) if amount}


def columns_of(links: Iterable[tuple[int, int, str]]) -> Columns:
    """The links as columns."""
    rows = list(links)
    relations = sorted({relation for _, _, relation in rows})
    place = {relation: number for number, relation in enumerate(relations)}
    numbers = np.array([(source, target, place[relation]) for source, target, relation in rows], np.int64)
    source, target, relation = numbers.reshape(-1, 3).T
    return Columns(source, target, relation, relations)


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """`amount` in whole parts in proportion to the weights, by largest remainder, ties to the first; sums exactly.

    At least one weight must be positive, none negative.
    """
    total = sum(weights)
    parts, remainders = zip(*(divmod(amount * weight, total) for weight in weights), strict=True)
    left = amount - sum(parts)
    order = sorted(range(len(weights)), key=lambda place: -remainders[place])  # stable: ties stay in order
    more = set(islice(order, left))
    return [part + (place in more) for place, part in enumerate(parts)]


class _Graph(NamedTuple):
    """What can be reached: work numbers in order, and for place p the links starts[p]:starts[p + 1]."""

    works: list[int]
    starts: list[int]
    targets: list[int]
    relations: list[int]
    groups: list[list[int]]
    """Places that can reach each other, every group before those that it leads to."""


def _whole_weights(links: Columns, relation_weights: Mapping[str, Fraction | int]) -> list[int]:
    """The weight of each relation of the links, as whole numbers in the same proportions."""
    if missing := sorted(set(links.relations) - set(relation_weights)):
        raise ValueError(f"no weight for relation {missing[0]!r}; known: {', '.join(sorted(relation_weights))}")
    weights = [Fraction(relation_weights[relation]) for relation in links.relations]
    if min(weights, default=Fraction(0)) < 0:
        raise ValueError("relation weights must not be negative")
    scale = math.lcm(*(weight.denominator for weight in weights))
    return [int(weight * scale) for weight in weights]


def _reached(links: Columns, weights: Sequence[int], seeds: Mapping[int, Fraction | int]) -> _Graph:
    """The part of the graph that credit can flow through."""
    counts = (np.array(weights, object) > 0)[links.relation] if len(weights) else np.zeros(0, np.bool_)
    counts = counts.astype(np.bool_) & (links.source != links.target)
    source, target, relation = (column[counts] for column in links[:3])
    seeded = np.array(sorted(seeds), np.int64)
    works = _distinct(np.concatenate([source, target, seeded]))
    source, target, seeded = (np.searchsorted(works, numbers) for numbers in (source, target, seeded))
    kinds = max(len(weights), 1)
    packed = _distinct((source * kinds + relation) * works.size + target)
    rest, target = np.divmod(packed, max(works.size, 1))
    source, relation = np.divmod(rest, kinds)
    reached = _reachable(np.searchsorted(source, np.arange(works.size + 1)), target, seeded)
    within = reached[source]
    place = np.cumsum(reached) - 1
    source, target, relation = place[source[within]], place[target[within]], relation[within]
    number = int(reached.sum())
    starts = np.searchsorted(source, np.arange(number + 1))
    groups = _groups(number, source, target)
    return _Graph(works[reached].tolist(), starts.tolist(), target.tolist(), relation.tolist(), groups)


def _reachable(starts: Integers, targets: Integers, first: Integers) -> NDArray[np.bool_]:
    """Which places can be reached from the `first`, themselves included: breadth first, a level at a time."""
    reached = np.zeros(starts.size - 1, np.bool_)
    reached[first] = True
    level = first
    while level.size:
        lengths = starts[level + 1] - starts[level]
        offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        found = targets[np.repeat(starts[level], lengths) + offsets]
        level = _distinct(found[~reached[found]])
        reached[level] = True
    return reached


def _groups(number: int, source: Integers, target: Integers) -> list[list[int]]:
    """Strongly connected groups of places, each before those that it leads to; inside one the latest work first."""
    if (source > target).all():
        # Works are numbered in order of time, so most graphs have no circle and are in order already.
        return [[place] for place in range(number - 1, -1, -1)]
    import igraph

    graph = igraph.Graph(number, np.column_stack([source, target]), directed=True)
    group = np.asarray(graph.connected_components(mode="strong").membership, np.int64)
    groups = int(group.max()) + 1
    across = group[source] != group[target]
    between = igraph.Graph(groups, np.column_stack([group[source], group[target]])[across], directed=True)
    members: list[list[int]] = [[] for _ in range(groups)]
    for place in range(number - 1, -1, -1):
        members[group[place]].append(place)
    return [members[each] for each in between.topological_sorting()]


def _flow(graph: _Graph, weights: Sequence[int], held: list[int], keep: Fraction) -> list[int]:
    """What each place keeps of what the places hold at first. `held` ends as zeros."""
    kept = [0] * len(held)
    passed, whole = keep.denominator - keep.numerator, keep.denominator
    for group in graph.groups:
        shares = dict(_shares(graph, weights, group))
        while any(held[place] for place in group):
            for place in group:
                amount, held[place] = held[place], 0
                targets, parts = shares[place]
                # Rounded down, so each turn keeps a grain at least: credit in a circle comes to an end.
                onward = amount * passed // whole if targets else 0
                kept[place] += amount - onward
                if onward:
                    for target, part in zip(targets, split(onward, parts), strict=True):
                        held[target] += part
    return kept


def _shares(
    graph: _Graph, weights: Sequence[int], places: Iterable[int]
) -> Iterator[tuple[int, tuple[list[int], list[int]]]]:
    """For each place its targets in order, and in which proportions it passes on."""
    for place in places:
        low, high = graph.starts[place], graph.starts[place + 1]
        relations, targets = graph.relations[low:high], graph.targets[low:high]
        borders = [at for at in range(len(relations)) if not at or relations[at] != relations[at - 1]]
        runs = list(pairwise([*borders, len(relations)]))
        each = math.lcm(*(end - start for start, end in runs))
        total: dict[int, int] = {}
        for start, end in runs:
            part = weights[relations[start]] * each // (end - start)
            for target in targets[start:end]:
                total[target] = total.get(target, 0) + part
        ordered = sorted(total)
        yield place, (ordered, [total[target] for target in ordered])


def _distinct(values: Integers) -> Integers:
    """The distinct values in order; np.unique takes twenty times as long on ten million (numpy 2.4)."""
    ordered = np.sort(values)
    return ordered[np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))]
