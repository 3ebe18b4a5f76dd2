"""Places of works on a map: each chamber is a disc, linked chambers lie near each other, parts without any link between
them lie side by side, and works without links stand in rings around it all.

The unit is the room of one work: a group of n works has a disc of about area 1.5 n. All is a function of its
arguments: igraph's random numbers are seeded, and its answer does not depend on threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.influence.chambers import Projection, project, seeded
from coevo_pipelines.influence.kernel import kernel_by

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

SEED = 20260101
ROUNDS = 400
"""Of the force-directed layout inside a group."""
EXACT = 400
"""Most works of a group in which every work pushes every other one; above, only those in reach: the time then grows
with the works and not with their square."""
ROOM = 1.25
"""Radius of a disc for that of the area of its works."""
GAP = 1.2
"""Room between two groups."""
GOLDEN = np.pi * (3 - np.sqrt(5))


@dataclass(frozen=True)
class Places:
    """Where n works stand; `xy` has shape (n, 2), (0, 0) is in the middle of the box around the discs.

    `group` is the disc of each work, 0.. by falling size; -1 for a work without links. `centre` (k, 2) and `radius`
    (k,) are the discs. `linked` (low x, low y, high x, high y) is the box around the discs, `whole` the radius around
    (0, 0) that holds the rings too.
    """

    xy: Floats
    group: Integers
    centre: Floats
    radius: Floats
    linked: tuple[float, float, float, float]
    whole: float


def place(n: int, source: NDArray[Any], target: NDArray[Any], chamber: NDArray[Any], order: NDArray[Any]) -> Places:
    """Places of works 0..n-1.

    `chamber`, shape (n,): label of the chamber, -1 for none. `order`, shape (n,): rank of each work in the rings of
    those without links, clockwise from the top. ValueError: lengths differ or a work is not in 0..n-1.
    """
    chamber, order = np.asarray(chamber, dtype=np.int64), np.asarray(order)
    if not len(chamber) == len(order) == n:
        raise ValueError(f"{n} works, {len(chamber)} chambers, {len(order)} ranks")
    graph = project(n, source, target)
    group = groups(graph, chamber)
    sizes = np.bincount(group[group >= 0])
    radius = ROOM * np.sqrt(sizes / np.pi) + 0.5
    centre = _arrange(graph, group, radius)
    if centre.size:
        centre -= ((centre - radius[:, None]).min(axis=0) + (centre + radius[:, None]).max(axis=0)) / 2
    xy = np.zeros((n, 2))
    members = np.argsort(group, kind="stable")[np.count_nonzero(group < 0) :]
    ends = np.cumsum(sizes)
    inner = group[graph.low] == group[graph.high]
    by_group = np.argsort(group[graph.low][inner], kind="stable")
    low, high = graph.low[inner][by_group], graph.high[inner][by_group]
    from_group = np.searchsorted(group[low], np.arange(sizes.size + 1))
    within = np.zeros(n, dtype=np.int64)
    for number, end in enumerate(ends):
        mine = members[end - sizes[number] : end]
        within[mine] = np.arange(mine.size)
        links = slice(from_group[number], from_group[number + 1])
        pairs = np.column_stack((within[low[links]], within[high[links]]))
        xy[mine] = _disc(mine.size, pairs) * radius[number]
    _turn(graph, group, centre, xy)
    xy[members] += centre[group[members]]
    reach = float((np.hypot(*centre.T) + radius).max(initial=0.0))
    corner, other = (centre - radius[:, None]).min(axis=0, initial=0), (centre + radius[:, None]).max(axis=0, initial=0)
    alone = np.flatnonzero(group < 0)
    rings, whole = _rings(alone.size, reach + GAP if reach else 0.0)
    xy[alone[np.argsort(order[alone], kind="stable")]] = rings
    box = (float(corner[0]), float(corner[1]), float(other[0]), float(other[1]))
    return Places(xy, group, centre, radius, box, max(whole, reach))


def groups(graph: Projection, chamber: Integers) -> Integers:
    """The disc of each work, numbered by falling size, then smallest work; -1 for works without links.

    A chamber is one. A linked work without a chamber (its links weigh nothing) is in that of a neighbour, or in a group
    with the others that it is connected with. What is not connected is never one group.
    """
    import igraph

    labels = chamber.copy()
    for _ in range(2):  # neighbours of neighbours; what is farther out forms a group of its own
        for one, other in ((graph.low, graph.high), (graph.high, graph.low)):
            lone = (labels[one] < 0) & (labels[other] >= 0)
            labels[one[lone][::-1]] = labels[other[lone][::-1]]  # the first link counts
    same = labels[graph.low] == labels[graph.high]
    kept = igraph.Graph(n=graph.n, edges=np.column_stack((graph.low, graph.high))[same])
    found = np.asarray(kept.connected_components().membership, dtype=np.int64)
    linked = np.zeros(graph.n, dtype=np.bool_)
    linked[graph.low] = linked[graph.high] = True
    if not linked.any():
        return np.full(graph.n, -1, dtype=np.int64)
    _, first, inverse, counts = np.unique(found[linked], return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(first.size, dtype=np.int64)
    rank[np.lexsort((first, -counts))] = np.arange(first.size)
    out = np.full(graph.n, -1, dtype=np.int64)
    out[linked] = rank[inverse]
    return out


def _arrange(graph: Projection, group: Integers, radius: Floats) -> Floats:
    """Middles of the discs, shape (k, 2)."""
    import igraph

    k = radius.size
    across = group[graph.low] != group[graph.high]
    bonds = project(k, group[graph.low][across], group[graph.high][across])
    quotient = igraph.Graph(n=k, edges=np.column_stack((bonds.low, bonds.high)))
    part = np.asarray(quotient.connected_components().membership, dtype=np.int64)
    bond_part = part[bonds.low]
    within = np.zeros(k, dtype=np.int64)
    parts, shapes = [], []
    for number in range(int(part.max(initial=-1)) + 1):
        mine = np.flatnonzero(part == number)
        within[mine] = np.arange(mine.size)
        own = bond_part == number
        parts.append(mine)
        shapes.append(
            _discs(within[bonds.low[own]], within[bonds.high[own]], bonds.weight[own], radius[mine])
            if mine.size > 1
            else np.zeros((1, 2))
        )
    return _spread(parts, shapes, radius)


def _discs(low: Integers, high: Integers, weight: Floats, radius: Floats) -> Floats:
    """Connected discs: those with the most links between them, for their sizes, lie nearest, and none on another."""
    k = radius.size
    start = _forces(k, np.column_stack((low, high)), np.log1p(weight))
    at = start * (np.sqrt((radius**2).sum()) / max(np.abs(start).max(), 1e-9))
    pull = weight / np.sqrt(radius[low] * radius[high])
    one, other = np.concatenate((low, high)), np.concatenate((high, low))
    pull = np.concatenate((pull, pull)) / np.maximum(np.bincount(one, np.concatenate((pull, pull)), k), 1e-9)[one]
    steps = 240 if k <= 1000 else max(24, 240_000 // k)  # of thousands of discs nobody sees the last bit of order
    for step in range(steps):
        strength = 0.08 * (1 - step / steps)
        drawn = np.column_stack([np.bincount(one, pull * at[other, axis], k) for axis in (0, 1)])
        at += strength * (drawn - at) - 0.5 * strength * at
        at = _apart(at, radius, 4)
    at = _apart(at, radius, 120)
    middle = (at * radius[:, None] ** 2).sum(axis=0) / (radius**2).sum()
    return np.asarray(at - middle)


def _apart(at: Floats, radius: Floats, rounds: int) -> Floats:
    """Discs pushed away from those that they lie on; the smaller one gives way more."""
    x, y = at[:, 0].copy(), at[:, 1].copy()
    for _ in range(rounds):
        if not _push(x, y, radius, np.argsort(x, kind="stable")):
            break
    return np.column_stack((x, y))


@kernel_by(lambda x, *_: x.size**2)
def _push(x: Floats, y: Floats, radius: Floats, order: Integers) -> bool:
    """One round, in place; false when no disc lies on another by more than a hundredth. `order` sorts x.

    Each disc looks for those that are not larger, as far to both sides as such a one could reach: a small one does not
    look far, and the large ones are few.
    """
    k = x.size
    right, up = np.zeros(k), np.zeros(k)
    moved = False
    for looked in range(2 * k):
        start = looked // 2
        step = 1 if looked % 2 else -1
        i = order[start]
        place = start + step
        while 0 <= place < k:
            j = order[place]
            place += step
            dx, dy = x[i] - x[j], y[i] - y[j]
            if abs(dx) >= 2 * radius[i] + GAP:
                break
            if radius[j] > radius[i] or (radius[j] == radius[i] and j < i):
                continue
            distance = np.sqrt(dx * dx + dy * dy)
            lacking = radius[i] + radius[j] + GAP - distance
            if lacking <= 0:
                continue
            if lacking >= 0.01:
                moved = True
            own, its = radius[i] * radius[i], radius[j] * radius[j]
            push = 0.5 * lacking / max(distance, 1e-6) / (own + its)
            right[i] += push * its * dx
            up[i] += push * its * dy
            right[j] -= push * own * dx
            up[j] -= push * own * dy
    if moved:
        for i in range(k):
            x[i] += right[i]
            y[i] += up[i]
    return moved


def _spread(parts: list[Integers], shapes: list[Floats], radius: Floats) -> Floats:
    """Middles of all discs, shape (k, 2), with the parts side by side: the largest in the middle, each next one at the
    first free place of a spiral. `parts`: the discs of each; `shapes`: their middles about the middle of the part."""
    out = np.zeros((radius.size, 2))
    room = np.array([(radius[mine] ** 2).sum() for mine in parts])
    placed, radii = np.zeros((0, 2)), np.zeros(0)
    turn, before = 0, np.inf
    for number in np.argsort(-room, kind="stable"):
        mine, shape, size = parts[number], shapes[number], np.sqrt(room[number])
        if size < 0.8 * before:
            turn, before = 0, size  # what is smaller may fit further in
        while True:
            # Golden angle: successive tries are far apart, so that all sides fill alike.
            away = 0.5 * size * np.sqrt(turn)
            at = shape + away * np.array((np.sin(turn * GOLDEN), -np.cos(turn * GOLDEN)))
            gaps = np.hypot(at[:, None, 0] - placed[:, 0], at[:, None, 1] - placed[:, 1]) - radii
            if not gaps.size or (gaps - radius[mine][:, None]).min() >= GAP:
                break
            turn += 1
        out[mine] = at
        placed, radii = np.concatenate((placed, at)), np.concatenate((radii, radius[mine]))
    return out


def _disc(n: int, pairs: Integers) -> Floats:
    """n connected works in the unit disc, shape (n, 2)."""
    if n <= 2:
        return np.array([[0.0, 0.0]] if n == 1 else [[-0.5, 0.0], [0.5, 0.0]])
    at = _forces(n, pairs, None)
    angle, distance = np.arctan2(at[:, 1], at[:, 0]), np.hypot(at[:, 0], at[:, 1])
    rank = np.empty(n)
    rank[np.argsort(distance, kind="stable")] = np.arange(n)
    # Forces crowd the middle and throw single works far out: half way to equal room for all keeps who is near whom.
    away = 0.35 * distance / max(distance.max(), 1e-9) + 0.65 * np.sqrt((rank + 0.5) / n)
    return np.asarray(np.column_stack((away * np.cos(angle), away * np.sin(angle))) * (1 - 0.5 / np.sqrt(n)))


def _forces(n: int, pairs: Integers, weight: Floats | None) -> Floats:
    """Fruchterman & Reingold (1991) from a sunflower, around the middle; shape (n, 2)."""
    import igraph

    number = np.arange(n)
    away = np.sqrt(number + 0.5)
    sunflower = np.column_stack((away * np.cos(number * GOLDEN), away * np.sin(number * GOLDEN)))
    graph = igraph.Graph(n=n, edges=pairs)
    with seeded(SEED):
        found = graph.layout_fruchterman_reingold(
            weights=None if weight is None else weight.tolist(), niter=ROUNDS, seed=sunflower.tolist(),
            grid=n > EXACT, start_temp=max(float(np.sqrt(n)), 1.0),
        )  # fmt: skip
    at = np.asarray(found.coords, dtype=np.float64).reshape(n, 2)
    return np.asarray(at - at.mean(axis=0))


def _turn(graph: Projection, group: Integers, centre: Floats, xy: Floats) -> None:
    """Turn each disc about its middle so that its works face those that they are linked with elsewhere."""
    inside = xy[:, 0] + 1j * xy[:, 1]
    middle = centre[:, 0] + 1j * centre[:, 1]
    one, other = np.concatenate((graph.low, graph.high)), np.concatenate((graph.high, graph.low))
    across = group[one] != group[other]
    one, other = one[across], other[across]
    facing = np.conj(inside[one]) * (middle[group[other]] - middle[group[one]])
    wanted = np.bincount(group[one], facing.real, centre.shape[0]) + 1j * np.bincount(
        group[one], facing.imag, centre.shape[0]
    )
    held = group >= 0
    turned = inside[held] * np.where(np.abs(wanted) > 1e-9, np.exp(1j * np.angle(wanted)), 1)[group[held]]
    xy[held] = np.column_stack((turned.real, turned.imag))


def _rings(n: int, inner: float) -> tuple[Floats, float]:
    """n places in rings one unit apart, filled clockwise from the top, the ring at `inner` first; their outer radius.

    The rings are filled together, so that the angle alone says the order."""
    if not n:
        return np.zeros((0, 2)), 0.0
    radii: list[float] = []
    room = 0
    while room < n:
        radii.append(inner + 1.2 * (len(radii) + 1))
        room += int(2 * np.pi * radii[-1] / 1.2)
    # Place number i of n has angle (i + 0.5) / n; the rings take turns in proportion to their length.
    lengths = np.cumsum(radii) / np.sum(radii)
    number = np.arange(n)
    ring = np.minimum(np.searchsorted(lengths, (number * (GOLDEN / np.pi)) % 1.0, side="right"), len(radii) - 1)
    angle = 2 * np.pi * (number + 0.5) / n
    away = np.asarray(radii)[ring]
    return np.column_stack((away * np.sin(angle), away * np.cos(angle))), radii[-1] + 1.0
