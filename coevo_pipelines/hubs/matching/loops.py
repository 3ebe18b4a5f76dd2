"""The loops that must be loops: near pairs, the cheapest that can be sent, prices, the nearest miss.

Offers come twice: sorted by latitude (a band of it holds all that is near, poles and the date line included) and, of
those that can be sent, by price. Two may meet where they are of different hubs, open at the same time, and near
enough for both. Of pairs that are equally good the one nearest on the ring is taken first: with each need at another
place of it, not all go for the same offer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from coevo_pipelines.influence.kernel import kernel_by

NOWHERE = -1
FAR = 1 << 62


@kernel_by(lambda low, high, *_: int((high - low).sum()))
def near(
    low: Any,
    high: Any,
    order: Any,
    xyz: Any,
    reach: Any,
    hub: Any,
    start: Any,
    end: Any,
    post: Any,
    ring: Any,
    xyz_o: Any,
    reach_o: Any,
    hub_o: Any,
    start_o: Any,
    end_o: Any,
    post_o: Any,
    ring_o: Any,
    place: Any,
    room: Any,
    found: Any,
    squared: Any,
    counts: Any,
) -> None:
    """For each need j the pairs with offers order[low[j]:high[j]] that are near enough, at the same time.

    `counts` (n, 2) becomes how many there are and for how many both could be sent. At place[j] room[j] of them are
    left, the nearest: the offer in `found`, the squared chord in `squared`.
    """
    for j in range(low.size):
        x, y, z = xyz[j, 0], xyz[j, 1], xyz[j, 2]
        first, left = place[j], room[j]
        kept = 0
        many = 0
        sendable = 0
        for k in range(low[j], high[j]):
            i = order[k]
            d = (x - xyz_o[i, 0]) ** 2 + (y - xyz_o[i, 1]) ** 2 + (z - xyz_o[i, 2]) ** 2
            if d > reach[j] or d > reach_o[i] or hub[j] == hub_o[i]:
                continue
            if max(start[j], start_o[i]) >= min(end[j], end_o[i]):
                continue
            many += 1
            if post[j] and post_o[i]:
                sendable += 1
            if left == 0:
                continue
            if kept < left:
                found[first + kept] = i
                squared[first + kept] = d
                kept += 1
                continue
            worst = first
            for slot in range(first + 1, first + left):
                if squared[slot] > squared[worst] or (
                    squared[slot] == squared[worst]
                    and (ring_o[found[slot]] - ring[j]) % 4294967296 > (ring_o[found[worst]] - ring[j]) % 4294967296
                ):
                    worst = slot
            if d < squared[worst] or (
                d == squared[worst]
                and (ring_o[i] - ring[j]) % 4294967296 < (ring_o[found[worst]] - ring[j]) % 4294967296
            ):
                found[worst] = i
                squared[worst] = d
        counts[j, 0] = many
        counts[j, 1] = sendable


@kernel_by(lambda which, low, high, *_: int((high - low)[which].sum()))
def near_better(  # noqa: PLR0912 - a kernel calls no other function
    which: Any,
    low: Any,
    high: Any,
    order: Any,
    xyz: Any,
    reach: Any,
    hub: Any,
    start: Any,
    end: Any,
    ring: Any,
    xyz_o: Any,
    reach_o: Any,
    hub_o: Any,
    start_o: Any,
    end_o: Any,
    ring_o: Any,
    value: Any,
    price: Any,
    metre: Any,
    room: Any,
    found: Any,
    squared: Any,
    best: Any,
) -> None:
    """Of needs `which`, near pairs where value[j] exceeds price[i] and the costs of the way.

    By how much at most comes into best[j]; into found[j] up to `room` of those that come to half of that at least.
    `metre` is the cost of 1 km, in the units of value and price.
    """
    for at in range(which.size):
        j = which[at]
        x, y, z = xyz[j, 0], xyz[j, 1], xyz[j, 2]
        most = 0
        for turn in range(2):
            kept = 0
            for k in range(low[j], high[j]):
                i = order[k]
                if value[j] - price[i] <= 0 or (turn == 1 and 2 * (value[j] - price[i]) < most):
                    continue
                d = (x - xyz_o[i, 0]) ** 2 + (y - xyz_o[i, 1]) ** 2 + (z - xyz_o[i, 2]) ** 2
                if d > reach[j] or d > reach_o[i] or hub[j] == hub_o[i]:
                    continue
                if max(start[j], start_o[i]) >= min(end[j], end_o[i]):
                    continue
                gain = value[j] - price[i] - int(np.rint(metre * (12742.0176 * np.arcsin(min(np.sqrt(d) / 2, 1.0)))))
                if turn == 0:
                    most = max(most, gain)
                    continue
                if gain <= 0 or 2 * gain < most:
                    continue
                if kept < room:
                    found[j, kept] = i
                    squared[j, kept] = d
                    kept += 1
                    continue
                worst = 0
                for slot in range(1, room):
                    if (ring_o[found[j, slot]] - ring[j]) % 4294967296 > (
                        ring_o[found[j, worst]] - ring[j]
                    ) % 4294967296:
                        worst = slot
                if (ring_o[i] - ring[j]) % 4294967296 < (ring_o[found[j, worst]] - ring[j]) % 4294967296:
                    found[j, worst] = i
                    squared[j, worst] = d
            if most == 0:
                break
        best[j] = most


@kernel_by(lambda which, *_: 16 * which.size)
def sent_better(
    which: Any,
    low: Any,
    high: Any,
    order: Any,
    price: Any,
    value: Any,
    hub: Any,
    start: Any,
    end: Any,
    ring: Any,
    hub_o: Any,
    start_o: Any,
    end_o: Any,
    room: Any,
    found: Any,
    best: Any,
) -> None:
    """Of needs `which`, offers order[low[j]:high[j]] (those that can be sent, by rising price) below value[j].

    By how much at most comes into best[j]; into found[j] up to `room` of those that come to half of that at least,
    from a place on that differs from need to need.
    """
    for at in range(which.size):
        j = which[at]
        most = 0
        for k in range(low[j], high[j]):
            i = order[k]
            if price[i] >= value[j]:
                break
            if hub[j] != hub_o[i] and max(start[j], start_o[i]) < min(end[j], end_o[i]):
                most = value[j] - price[i]
                break
        best[j] = most
        if most == 0:
            continue
        first, last = low[j], high[j]
        while first < last:
            middle = (first + last) // 2
            if 2 * (value[j] - price[order[middle]]) >= most:
                first = middle + 1
            else:
                last = middle
        size = first - low[j]
        begin = (ring[j] * size) >> 32
        kept = 0
        for step in range(size):
            i = order[low[j] + (begin + step) % size]
            if hub[j] != hub_o[i] and max(start[j], start_o[i]) < min(end[j], end_o[i]):
                found[j, kept] = i
                kept += 1
                if kept == room:
                    break


@kernel_by(lambda which, *_: 64 * which.size)
def sent_around(
    which: Any,
    low: Any,
    high: Any,
    order: Any,
    price: Any,
    limit: Any,
    patience: Any,
    middle: Any,
    hub: Any,
    start: Any,
    end: Any,
    hub_o: Any,
    start_o: Any,
    end_o: Any,
    room: Any,
    found: Any,
) -> None:
    """Of needs `which`, offers that can be sent at a price of limit[j] at most: the nearest on the ring.

    `order` is by place on the ring here, and middle[j] where the need stands in it. At most `patience` are looked at.
    """
    for at in range(which.size):
        j = which[at]
        size = high[j] - low[j]
        kept = 0
        for step in range(min(size, patience)):
            half = (step + 1) // 2
            shift = half if step % 2 == 1 else -half
            i = order[low[j] + (middle[j] - low[j] + shift) % size]
            if price[i] <= limit[j] and hub[j] != hub_o[i] and max(start[j], start_o[i]) < min(end[j], end_o[i]):
                found[j, kept] = i
                kept += 1
                if kept == room:
                    break


@kernel_by(lambda offer, *_: 4 * offer.size)
def prices(  # noqa: PLR0912, PLR0915 - a kernel calls no other function
    offer: Any,
    need: Any,
    cost: Any,
    flow: Any,
    by_need: Any,
    at_need: Any,
    by_offer: Any,
    at_offer: Any,
    group: Any,
    by_group: Any,
    at_group: Any,
    next_: Any,
    now: Any,
    next_group: Any,
    most: int,
    u: Any,
    pi: Any,
    rho: Any,
    queue: Any,
    waits: Any,
) -> int:
    """The lowest prices under which no one would do otherwise: Bellman-Ford with a queue on the residual graph.

    Pairs (offer, need, cost, flow) are reached by `by_need` from at_need[j] on, and so on. `next_` and `now` are what
    the next and the last part of a need are worth (-FAR and FAR where there is none), `next_group` those of a group
    of needs. Filled are u (offers), pi (needs), rho (groups); group -1 has none. Returns -1, or a need of
    those whose prices exceed `most`, which nothing is worth: then the flow was not the best.
    """
    offers, needs, groups = u.size, pi.size, rho.size
    total = offers + needs + groups
    for i in range(offers):
        u[i] = 0
    for h in range(groups):
        rho[h] = max(next_group[h], 0)
    for j in range(needs):
        pi[j] = next_[j]
        if group[j] >= 0 and next_[j] > -FAR:
            pi[j] = next_[j] + rho[group[j]]
    head = 0
    count = total
    for node in range(total):
        queue[node] = node
        waits[node] = True
    while count > 0:
        node = queue[head]
        head = head + 1 if head + 1 < total else 0
        count -= 1
        waits[node] = False
        if node < offers:
            for k in range(at_offer[node], at_offer[node + 1]):
                arc = by_offer[k]
                j = need[arc]
                if flow[arc] > 0 and u[node] + cost[arc] > pi[j]:
                    pi[j] = u[node] + cost[arc]
                    if pi[j] > most:
                        return int(j)
                    if not waits[offers + j]:
                        waits[offers + j] = True
                        queue[(head + count) % total] = offers + j
                        count += 1
        elif node < offers + needs:
            j = node - offers
            if pi[j] <= -FAR:
                continue
            for k in range(at_need[j], at_need[j + 1]):
                arc = by_need[k]
                i = offer[arc]
                if pi[j] - cost[arc] > u[i]:
                    u[i] = pi[j] - cost[arc]
                    if not waits[i]:
                        waits[i] = True
                        queue[(head + count) % total] = i
                        count += 1
            h = group[j]
            if h >= 0 and now[j] < FAR and pi[j] - now[j] > rho[h]:
                rho[h] = pi[j] - now[j]
                if rho[h] > most:
                    return int(j)
                if not waits[offers + needs + h]:
                    waits[offers + needs + h] = True
                    queue[(head + count) % total] = offers + needs + h
                    count += 1
        else:
            h = node - offers - needs
            for k in range(at_group[h], at_group[h + 1]):
                j = by_group[k]
                if next_[j] > -FAR and next_[j] + rho[h] > pi[j]:
                    pi[j] = next_[j] + rho[h]
                    if not waits[offers + j]:
                        waits[offers + j] = True
                        queue[(head + count) % total] = offers + j
                        count += 1
    return -1


@kernel_by(lambda tails, *_: 2 * tails.size)
def components(tails: Any, heads: Any, sink: Any, root: Any) -> None:
    """The smallest node of each node's component into `root`, where arcs into `sink` join nothing."""
    for node in range(root.size):
        root[node] = node
    for arc in range(tails.size):
        a, b = tails[arc], heads[arc]
        if sink in (a, b):
            continue
        while root[a] != a:
            root[a] = root[root[a]]
            a = root[a]
        while root[b] != b:
            root[b] = root[root[b]]
            b = root[b]
        if a < b:
            root[b] = a
        else:
            root[a] = b
    for node in range(root.size):
        # parents are smaller, so theirs are done
        root[node] = root[root[node]]


@kernel_by(lambda which, low, high, *_: int((high - low)[which].sum()))
def reachable(
    which: Any,
    low: Any,
    high: Any,
    order: Any,
    xyz: Any,
    reach: Any,
    hub: Any,
    start: Any,
    end: Any,
    xyz_o: Any,
    reach_o: Any,
    hub_o: Any,
    start_o: Any,
    end_o: Any,
    out: Any,
    squared: Any,
) -> None:
    """Of needs `which`, what is near enough: out[j] becomes how many whatever their time, how many at the same time,
    the nearest of the latter, and the last that ends before the need begins, the first that begins after it ends.

    squared[j] is the squared chord of that nearest.
    """
    for at in range(which.size):
        j = which[at]
        x, y, z = xyz[j, 0], xyz[j, 1], xyz[j, 2]
        many = 0
        meet = 0
        best = NOWHERE
        before = NOWHERE
        after = NOWHERE
        least = 5.0
        for k in range(low[j], high[j]):
            i = order[k]
            d = (x - xyz_o[i, 0]) ** 2 + (y - xyz_o[i, 1]) ** 2 + (z - xyz_o[i, 2]) ** 2
            if d > reach[j] or d > reach_o[i] or hub[j] == hub_o[i]:
                continue
            many += 1
            if max(start[j], start_o[i]) < min(end[j], end_o[i]):
                meet += 1
                if d < least or (d == least and i < best):
                    least = d
                    best = i
            elif end_o[i] <= start[j]:
                if before < 0 or end_o[i] > end_o[before] or (end_o[i] == end_o[before] and i < before):
                    before = i
            elif start_o[i] >= end[j] and (
                after < 0 or start_o[i] < start_o[after] or (start_o[i] == start_o[after] and i < after)
            ):
                after = i
        out[j, 0] = many
        out[j, 1] = meet
        out[j, 2] = best
        out[j, 3] = before
        out[j, 4] = after
        squared[j] = least


@kernel_by(lambda which, *_: 100 * which.size)
def nearest(
    which: Any,
    low: Any,
    high: Any,
    middle: Any,
    order: Any,
    xyz: Any,
    hub: Any,
    xyz_o: Any,
    hub_o: Any,
    found: Any,
    squared: Any,
) -> None:
    """Of needs `which`, the nearest offer of another hub among order[low[j]:high[j]], outward from middle[j]."""
    for at in range(which.size):
        j = which[at]
        x, y, z = xyz[j, 0], xyz[j, 1], xyz[j, 2]
        down, up = middle[j] - 1, middle[j]
        least = 5.0
        best = NOWHERE
        while down >= low[j] or up < high[j]:
            below = abs(z - xyz_o[order[down], 2]) if down >= low[j] else 9.0
            above = abs(z - xyz_o[order[up], 2]) if up < high[j] else 9.0
            gap = min(below, above)
            if gap * gap > least:
                break
            if below <= above:
                i = order[down]
                down -= 1
            else:
                i = order[up]
                up += 1
            if hub[j] == hub_o[i]:
                continue
            d = (x - xyz_o[i, 0]) ** 2 + (y - xyz_o[i, 1]) ** 2 + (z - xyz_o[i, 2]) ** 2
            if d < least or (d == least and i < best):
                least = d
                best = i
        found[j] = best
        squared[j] = least
