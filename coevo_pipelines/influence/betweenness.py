"""Betweenness: how many shortest paths between other works lead through a work?

Links are taken without direction, relation or weight. Sources: U. Brandes 2001, "A faster algorithm for betweenness
centrality" (doi:10.1080/0022250X.2001.9990249); for large graphs U. Brandes and C. Pich 2007, "Centrality
estimation in large networks" (doi:10.1142/S0218127407018403). igraph counts the paths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coevo_pipelines.influence.integration import distinct_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]

EXACT_NODES = 5_000
VISITS = 40_000_000
"""Work budget: nodes and edges looked at, over all pivots. igraph 1.0 takes 75 ns a visit on 10^5 edges and 200 to
400 ns on 10^7, where memory is the limit. Betweenness is shown beside the scores, never paid: it must not
take longer than all the rest of a day."""
LEAST_PIVOTS = 16
"""Pivots in a component whatever the budget: fewer say nothing. 10^7 edges spend the whole budget on these."""


class Betweenness(NamedTuple):
    """values: (works,) float64, unnormalised, each unordered pair counted once; 0 for works without links.

    exact: False when any value is estimated from pivots. pivots: works from which paths were counted.
    """

    values: Floats
    exact: bool
    pivots: int


def betweenness(
    works: int,
    source: Integers,
    target: Integers,
    *,
    exact_nodes: int = EXACT_NODES,
    visits: int = VISITS,
    seed: int = 0,
) -> Betweenness:
    """Betweenness of works 0..works-1 on the undirected simple graph of the links.

    Exact with at most `exact_nodes` works that have links (a graph so small may exceed `visits`), and for each
    component that half of `visits` suffices for, the cheapest first. In the others paths are counted from k pivots
    only, drawn without replacement, and scaled by nodes/k: an unbiased estimate. The order of links is irrelevant.
    Raises ValueError for a work number out of range.
    """
    one, other = distinct_pairs(works, np.minimum(source, target), np.maximum(source, target))
    one, other = one[one != other], other[one != other]
    values = np.zeros(works)
    # Works without links are left out: igraph looks at every node for every pivot.
    linked = np.flatnonzero(np.bincount(np.concatenate([one, other]), minlength=works))
    if not linked.size:
        return Betweenness(values, True, 0)
    edges = np.column_stack([np.searchsorted(linked, one), np.searchsorted(linked, other)])
    values[linked], exact, pivots = _of_connected(linked, edges, exact_nodes, visits, seed)
    return Betweenness(values, exact, pivots)


def _of_connected(
    linked: Integers, edges: Integers, exact_nodes: int, visits: int, seed: int
) -> tuple[Floats, bool, int]:
    """(values, exact, number of pivots) of the nodes; `linked` are the work numbers, for the draw alone."""
    import igraph

    graph = igraph.Graph(linked.size, edges)
    if linked.size <= exact_nodes:
        return np.asarray(graph.betweenness(directed=False)), True, linked.size
    component = np.asarray(graph.connected_components().membership, np.int64)
    sizes = np.bincount(component)
    wanted = pivot_numbers(sizes, np.bincount(component[edges[:, 0]], minlength=sizes.size), visits)
    pivots = _drawn(linked, component, wanted, seed)
    # igraph halves the sum over the sources that it is given, as it does over all: only the scale is left to do.
    # Components share no path, so one call serves all of them.
    summed = np.asarray(graph.betweenness(directed=False, sources=pivots.tolist()))
    return summed * (sizes / wanted)[component], bool((wanted == sizes).all()), pivots.size


def pivot_numbers(sizes: Integers, edges: Integers, visits: int) -> Integers:
    """(components,) how many pivots each component gets, given how many nodes and edges it has."""
    once = sizes + edges
    whole = sizes * once
    cheapest = np.argsort(whole, kind="stable")
    exact = np.zeros(sizes.size, np.bool_)
    exact[cheapest] = np.cumsum(whole[cheapest]) <= visits // 2
    left = visits - int(whole[exact].sum())
    pivots = max(LEAST_PIVOTS, left // max(int(once[~exact].sum()), 1))
    return np.where(exact, sizes, np.minimum(sizes, pivots))


def _drawn(linked: Integers, component: Integers, wanted: Integers, seed: int) -> Integers:
    """The places of the `wanted` nodes of each component whose mixed numbers are smallest, in order."""
    # A hash and not numpy's generator, whose draws may change between versions; nothing else may decide a result.
    mixed = _mix(_mix(np.array([seed % 2**64], np.uint64)) ^ linked.astype(np.uint64))
    order = np.lexsort([mixed, component])
    sizes = np.bincount(component)
    rank = np.arange(order.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(order[rank < np.repeat(wanted, sizes)])


def _mix(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64 (S. Vigna), a bijection of 64-bit numbers that leaves no pattern."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
