"""The minimum-cost flow, and the prices that show that nothing is better.

The linear program, of offers i, needs j and groups h (the needs of one hub, where there are several):

    maximize  sum_jt a_jt y_jt + sum_ht b_ht z_ht - sum_ij c_ij x_ij
    where     sum_j x_ij <= s_i;  sum_i x_ij = sum_t y_jt;  sum_jt y_jt = sum_t z_ht over j in h;  y, z within slices

It is a network, so amounts come out whole. OR-Tools solves it by cost scaling (Goldberg 1997, An efficient
implementation of a scaling minimum-cost flow algorithm) for some of the pairs; prices u, pi, rho of offers, needs and
groups are the shortest paths of its residual graph. By weak duality no matching of any pairs is worth more than

    sum_i s_i u_i + sum_jt max(0, a_jt + rho_h - pi_j) |jt| + sum_ht max(0, b_ht - rho_h) |ht|

once u_i >= pi_j - c_ij holds for all pairs: those that break it are added until there are none (Dantzig and Wolfe
1960). Then bound and worth are equal, and that is the proof.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coevo_pipelines.hubs.matching import loops
from coevo_pipelines.hubs.matching.pairs import NEAREST, Pairs, Search
from coevo_pipelines.hubs.matching.points import SCALE, WHOLE, Points, Slices, slices
from coevo_pipelines.hubs.matching.rows import RING, Flags, Ints, World

ROUNDS = 100
"""Of adding pairs at most; the bound holds whenever it ends."""
TIES = 10_000
"""What the farthest on the ring costs when ties are broken."""
AT_FIRST = 2
"""Times the largest gain: what arcs of the residual network may cost at first."""
WIDE = 1_000_000
"""What exceeds this is worth as much as all."""
TOGETHER = 5_000
"""Arcs that are solved at once at least."""
FEW = 8
"""Equally good pairs of a need that are looked at then."""


@dataclass(frozen=True)
class Network:
    """What of the problem does not depend on pairs."""

    world: World
    supply: Ints
    wanted: Ints
    """By need, no more than its market offers."""
    group: Ints
    """By need, -1 where its hub has no other in the market."""
    market_of_group: Ints
    of_need: Slices
    of_group: Slices


@dataclass(frozen=True)
class Flow:
    """Amounts by pair, and what proves that they are the best."""

    pairs: Pairs
    amount: Ints
    objective: list[int]
    """By market, in thousandths of a point for thousandths of a unit."""
    bound: list[int]
    possible: Ints
    """Pairs by need, of all."""
    next: Ints
    """By need, what its next part would be worth; 0 for what is met."""
    rounds: int
    held: int
    """Pairs that were held."""


def network(world: World, points: Points) -> Network:
    """Slices of needs and of hubs; `points.py` says what they are worth."""
    needs = world.needs
    hubs = 1 + int(needs.hub.max(initial=0))
    _, code, several = np.unique(needs.market * hubs + needs.hub, return_inverse=True, return_counts=True)
    _, group = np.unique(np.where(several[code] > 1, code, -1), return_inverse=True)
    if several.size and (several == 1).any():
        group = group - 1
    groups = int(group.max(initial=-1)) + 1
    inside = np.flatnonzero(group >= 0)
    amount, received = np.zeros(groups, dtype=np.int64), np.zeros(groups, dtype=np.int64)
    np.add.at(amount, group[inside], needs.amount[inside])
    np.add.at(received, group[inside], needs.received[inside])
    market = np.zeros(groups, dtype=np.int64)
    market[group[inside]] = needs.market[inside]
    fairness = points.fairness * SCALE
    half = fairness // 2
    base = (WHOLE + points.priority * (needs.priority - 1)) * SCALE
    return Network(
        world,
        world.offers.amount,
        world.wanted,
        group,
        market,
        slices(needs.amount, needs.received, world.grain[needs.market], base,
               np.where(group >= 0, half, fairness)),
        slices(amount, received, world.grain[market], np.zeros(groups, dtype=np.int64),
               np.full(groups, fairness - half)),
    )  # fmt: skip


def solve(world: World, points: Points, settle: bool = True) -> Flow:
    """The best matching of all pairs, and its proof. `settle`: break ties so that few change from day to day."""
    net = network(world, points)
    top = _at(net.of_need, np.zeros(world.needs.size, dtype=np.int64))[0]
    first_of_group = _at(net.of_group, np.zeros(net.market_of_group.size, dtype=np.int64))[0]
    inside = net.group >= 0
    top[inside] += np.maximum(first_of_group, 0)[net.group[inside]]
    top = np.maximum(top, 0)
    search = Search(world, points, top)
    walked, counts, partly = search.near()
    possible = search.sent_count()
    sendable = search.sendable(possible)
    possible = possible + counts[:, 0] - counts[:, 1]
    walkable = np.flatnonzero((counts[:, 0] > NEAREST) & partly)
    pairs = Pairs.joined([walked, search.sent_first(sendable)])
    amount = np.zeros(pairs.need.size, dtype=np.int64)
    markets = world.markets.height
    u = np.zeros(world.offers.size, dtype=np.int64)
    pi = np.zeros(world.needs.size, dtype=np.int64)
    rho = np.zeros(net.market_of_group.size, dtype=np.int64)
    gain = np.zeros(world.needs.size, dtype=np.int64)
    active = np.ones(markets, dtype=np.bool_)
    rounds, exact = 0, True
    while rounds < ROUNDS and active.any():
        rounds += 1
        if rounds == 1:
            amount = _best(net, pairs, amount, active)
            exact = _priced(net, pairs, amount, active, u, pi, rho) < 0
        else:
            limit = np.zeros(markets, dtype=np.int64)
            np.maximum.at(limit, world.needs.market, AT_FIRST * gain)
            amount, sure = _improved(net, pairs, amount, active, u, pi, rho, limit)
            exact &= sure
        mine = active[world.needs.market]
        more, gained = search.better(u, pi, sendable[mine[sendable]], walkable[mine[walkable]])
        gain = np.where(mine, gained, gain)
        merged = Pairs.joined([pairs, more])
        if merged.need.size == pairs.need.size:
            break
        old = np.zeros(merged.need.size, dtype=np.int64)
        place = _keys(merged, world).searchsorted(_keys(pairs, world))
        old[place] = amount
        new = np.ones(merged.need.size, dtype=np.bool_)
        new[place] = False
        active = np.zeros(markets, dtype=np.bool_)
        active[world.needs.market[merged.need[new]]] = True
        pairs, amount = merged, old
    # Prices that still leave a gain prove nothing; values lowered by it do.
    bound = _bound(net, u, pi - gain, rho)
    if settle and exact and not gain.any():
        pairs, amount = _settled(net, search, pairs, amount, u, pi, rho, sendable)
    objective, after = _worth(net, pairs, amount)
    return Flow(pairs, amount, objective, bound, possible, after, rounds, pairs.need.size)


def _keys(pairs: Pairs, world: World) -> Ints:
    return (pairs.need * max(world.offers.size, 1) + pairs.offer) * 2 + pairs.sent


def _best(net: Network, pairs: Pairs, amount: Ints, active: Flags) -> Ints:
    """Solve the markets that are active, by these pairs; the amounts of others stay as they are."""
    market = net.world.needs.market
    mine = np.flatnonzero(active[market[pairs.need]])
    node = _Nodes(net)
    offer, need = pairs.offer[mine], pairs.need[mine]
    gives, asks = np.zeros(net.supply.size, dtype=np.bool_), np.zeros(net.group.size, dtype=np.bool_)
    gives[offer], asks[need] = True, True
    giving = np.flatnonzero(gives)
    of, of_group = net.of_need, net.of_group
    part = np.flatnonzero(asks[of.of])
    meets = np.zeros(net.market_of_group.size, dtype=np.bool_)
    meets[net.group[(net.group >= 0) & asks]] = True
    whole = np.flatnonzero(meets[of_group.of])
    supply = np.zeros(node.sink + 1, dtype=np.int64)
    supply[giving] = net.supply[giving]
    supply[node.sink] = -net.supply[giving].sum()
    flow = _min_cost(
        np.concatenate([offer, node.need[of.of[part]], node.group[of_group.of[whole]], giving]),
        np.concatenate(
            [node.need[need], node.after_need[of.of[part]], np.full(whole.size + giving.size, node.sink)]
        ),
        np.concatenate(
            [np.minimum(net.supply[offer], net.wanted[need]), of.amount[part], of_group.amount[whole],
             net.supply[giving]]
        ),
        np.concatenate(
            [pairs.cost[mine], -of.worth[part], -of_group.worth[whole], np.zeros(giving.size, dtype=np.int64)]
        ),
        supply,
    )  # fmt: skip
    if flow is None:
        raise RuntimeError("matching: the solver found no flow where giving nothing is one")
    done = amount.copy()
    done[mine] = flow[: mine.size]
    return done


def _improved(
    net: Network, pairs: Pairs, amount: Ints, active: Flags, u: Ints, pi: Ints, rho: Ints, limit: Ints
) -> tuple[Ints, bool]:
    """The same from amounts and prices that were the best of fewer pairs: a flow in the residual network.

    By these prices only new pairs cost less than nothing there. What costs more than `limit` (by market) will hardly
    be of use to make up for that and is left out; new prices, put in place of the old ones, show whether it was not.
    Else it is done again with more. Returns False where amounts are not the best of these pairs even so.
    """
    done, again = amount, active
    while True:
        done = _changed(net, pairs, amount, again, u, pi, rho, limit, done)
        new = u.copy(), pi.copy(), rho.copy()
        worse = _priced(net, pairs, done, active, *new)
        if worse < 0 or limit[worse] >= loops.FAR:
            u[:], pi[:], rho[:] = new
            return done, worse < 0
        again = np.arange(limit.size) == worse
        limit[worse] = loops.FAR if limit[worse] > WIDE else 16 * limit[worse] + 1


def _changed(
    net: Network,
    pairs: Pairs,
    amount: Ints,
    active: Flags,
    u: Ints,
    pi: Ints,
    rho: Ints,
    limit: Ints,
    done: Ints,
) -> Ints:
    """`done`, where the markets that are active became better than `amount`."""
    node = _Nodes(net)
    market = net.world.needs.market
    got, together = _sums(net, pairs, amount)
    given = np.zeros(net.supply.size, dtype=np.int64)
    np.add.at(given, pairs.offer, amount)
    mine = np.flatnonzero(active[market[pairs.need]])
    offer, need, held = pairs.offer[mine], pairs.need[mine], amount[mine]
    of, of_group = net.of_need, net.of_group
    part = np.flatnonzero(active[market[of.of]])
    whole = np.flatnonzero(active[net.market_of_group[of_group.of]])
    giving = np.flatnonzero(active[net.world.offers.market])
    potential = np.concatenate([u, pi, rho, [0]])
    tails = np.concatenate([offer, node.need[of.of[part]], node.group[of_group.of[whole]], giving])
    heads = np.concatenate(
        [node.need[need], node.after_need[of.of[part]], np.full(whole.size + giving.size, node.sink)]
    )
    cost = np.concatenate(
        [pairs.cost[mine], -of.worth[part], -of_group.worth[whole], np.zeros(giving.size, dtype=np.int64)]
    )
    cost += potential[tails] - potential[heads]
    filled, filled_group = _filled(of, got)[part], _filled(of_group, together)[whole]
    used = np.concatenate([held, filled, filled_group, (net.supply - given)[giving]])
    room = np.concatenate(
        [np.minimum(net.supply[offer], net.wanted[need]), of.amount[part], of_group.amount[whole],
         net.supply[giving]]
    ) - used  # fmt: skip
    limits = np.concatenate(
        [limit[market[need]], limit[market[of.of[part]]], limit[net.market_of_group[of_group.of[whole]]],
         limit[net.world.offers.market[giving]]]
    )  # fmt: skip
    ahead, back = np.flatnonzero((room > 0) & (cost <= limits)), np.flatnonzero((used > 0) & (cost >= -limits))
    flow = _min_cost(
        np.concatenate([tails[ahead], heads[back]]),
        np.concatenate([heads[ahead], tails[back]]),
        np.concatenate([room[ahead], used[back]]),
        np.concatenate([cost[ahead], -cost[back]]),
        np.zeros(node.sink + 1, dtype=np.int64),
    )
    if flow is None:
        raise RuntimeError("matching: the solver found no flow where giving no more is one")
    change = np.zeros(tails.size, dtype=np.int64)
    change[ahead] += flow[: ahead.size]
    change[back] -= flow[ahead.size :]
    done = done.copy()
    done[mine] = held + change[: mine.size]
    return done


class _Nodes:
    """Numbers of nodes: offers, needs, groups, and the sink."""

    def __init__(self, net: Network) -> None:
        offers, needs, groups = net.supply.size, net.group.size, net.market_of_group.size
        self.need = offers + np.arange(needs)
        self.group = offers + needs + np.arange(groups)
        self.sink = offers + needs + groups
        self.after_need = np.where(net.group >= 0, offers + needs + net.group, self.sink)


def _min_cost(tails: Ints, heads: Ints, room: Ints, cost: Ints, supply: Ints) -> Ints | None:
    """Amounts on the arcs; None where there is no flow. The last node is the sink, which takes what is left over.

    Parts of the network that only the sink joins are solved on their own: one solve of all takes twice as long.
    """
    sink = supply.size - 1
    root = np.zeros(supply.size, dtype=np.int64)
    loops.components(tails, heads, sink, root)
    part = root[np.where(tails == sink, heads, tails)]
    order = np.argsort(part, kind="stable")
    begins = np.flatnonzero(np.diff(part[order], prepend=-1))
    amount = np.zeros(tails.size, dtype=np.int64)
    first = 0
    for last in [*begins[1:].tolist(), tails.size]:
        if last - first < TOGETHER and last < tails.size:
            continue
        some = order[first:last]
        first = last
        found = _solved(tails[some], heads[some], room[some], cost[some], supply)
        if found is None:
            return None
        amount[some] = found
    return amount


def _solved(tails: Ints, heads: Ints, room: Ints, cost: Ints, supply: Ints) -> Ints | None:
    from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

    if not supply.any() and cost.min(initial=0) >= 0:
        return np.zeros(tails.size, dtype=np.int64)
    nodes, number = np.unique(np.concatenate([tails, heads]), return_inverse=True)
    number = number.astype(np.int32)
    supplies = supply[nodes]
    if nodes[-1] == supply.size - 1:
        supplies[-1] -= supplies.sum()
    solver = SimpleMinCostFlow()
    arcs = solver.add_arcs_with_capacity_and_unit_cost(number[: tails.size], number[tails.size :], room, cost)
    solver.set_nodes_supplies(np.arange(nodes.size, dtype=np.int32), supplies)
    status = solver.solve()
    if status in (solver.INFEASIBLE, solver.UNBALANCED):
        return None
    if status != solver.OPTIMAL:
        # Costs times nodes and sums of amounts have to stay within 64 bits: they do, for settings within their limits
        # and as many rows as fit into memory.
        raise RuntimeError(f"matching: the solver ended with {status} ({tails.size:,} arcs, {nodes.size:,} nodes)")
    return np.asarray(solver.flows(arcs), dtype=np.int64)


def _at(parts: Slices, done: Ints) -> tuple[Ints, Ints]:
    """What the next part is worth (-FAR: none is left) and what the last one was (FAR: none), `done` being filled."""
    following = np.full(done.size, -loops.FAR, dtype=np.int64)
    last = np.full(done.size, loops.FAR, dtype=np.int64)
    end = np.cumsum(parts.amount)
    first = np.searchsorted(parts.of, np.arange(done.size), "left")
    before = np.concatenate([[0], end])[first][parts.of] if parts.of.size else end
    upper = end - before
    lower = upper - parts.amount
    filled = done[parts.of]
    partly = (lower <= filled) & (filled < upper)
    following[parts.of[partly]] = parts.worth[partly]
    touched = (lower < filled) & (filled <= upper)
    last[parts.of[touched]] = parts.worth[touched]
    return following, last


def _sums(net: Network, pairs: Pairs, amount: Ints) -> tuple[Ints, Ints]:
    """What needs and groups get."""
    got = np.zeros(net.group.size, dtype=np.int64)
    np.add.at(got, pairs.need, amount)
    together = np.zeros(net.market_of_group.size, dtype=np.int64)
    inside = np.flatnonzero(net.group >= 0)
    np.add.at(together, net.group[inside], got[inside])
    return got, together


def _priced(net: Network, pairs: Pairs, amount: Ints, active: Flags, u: Ints, pi: Ints, rho: Ints) -> int:
    """Prices of the active markets, in place. Returns -1, or a market where the amounts are not the best of these
    pairs."""
    mine = active[net.world.needs.market[pairs.need]]
    offer, need = pairs.offer[mine], pairs.need[mine]
    got, together = _sums(net, pairs, amount)
    following, last = _at(net.of_need, got)
    of_group, _ = _at(net.of_group, together)
    new = [np.zeros(of.size, dtype=np.int64) for of in (u, pi, rho)]
    nodes = sum(of.size for of in new)
    most = int(net.of_need.worth.max(initial=0) + net.of_group.worth.max(initial=0))
    failed = loops.prices(
        offer, need, pairs.cost[mine], amount[mine], *_by(need, pi.size), *_by(offer, u.size), net.group,
        *_by(np.where(net.group >= 0, net.group, rho.size), rho.size), following, last, of_group, most, new[0], new[1],
        new[2],
        np.zeros(nodes, dtype=np.int64), np.zeros(nodes, dtype=np.bool_),
    )  # fmt: skip
    for old, found, market in zip(
        (u, pi, rho), new, (net.world.offers.market, net.world.needs.market, net.market_of_group), strict=True
    ):
        # a need that is met for nothing, or of which nothing is wanted, asks for nothing at 0
        old[:] = np.where(active[market], np.maximum(found, 0), old)
    return int(net.world.needs.market[failed]) if failed >= 0 else -1


def _by(of: Ints, size: int) -> tuple[Ints, Ints]:
    """Places in the order of what they are of, and where each begins in it."""
    order = np.argsort(of, kind="stable")
    return order, np.searchsorted(of[order], np.arange(size + 1))


def _products(amount: Ints, worth: Ints, market: Ints, markets: int) -> list[int]:
    """Sums of amount * worth by market, of any size: an amount is cut into what 64 bits can hold the products of."""
    total = [0] * markets
    for shift in (0, 24, 48):
        part = (amount >> shift) & 0xFFFFFF if shift < 48 else amount >> shift
        if not part.any():
            continue
        # below 2^24 * 2^31 for each: 256 of them fit, so halves are added on their own
        for half, back in (((part * (worth & 0xFFFF)), 0), ((part * (worth >> 16)), 16)):
            sums = np.zeros(markets, dtype=np.int64)
            np.add.at(sums, market, half)
            for place in np.flatnonzero(sums):
                total[place] += int(sums[place]) << (shift + back)
    return total


def _added(*sums: list[int]) -> list[int]:
    return [sum(each) for each in zip(*sums, strict=True)]


def _bound(net: Network, u: Ints, pi: Ints, rho: Ints) -> list[int]:
    world = net.world
    markets = world.markets.height
    of_need, of_group = net.of_need, net.of_group
    inside = net.group[of_need.of]
    extra = np.where(inside >= 0, rho[inside] if rho.size else 0, 0)
    need = np.maximum(of_need.worth + extra - pi[of_need.of], 0)
    group = np.maximum(of_group.worth - rho[of_group.of], 0)
    return _added(
        _products(net.supply, u, world.offers.market, markets),
        _products(of_need.amount, need, world.needs.market[of_need.of], markets),
        _products(of_group.amount, group, net.market_of_group[of_group.of], markets),
    )


def _filled(parts: Slices, done: Ints) -> Ints:
    """How much of each slice."""
    end = np.cumsum(parts.amount)
    first = np.searchsorted(parts.of, np.arange(done.size), "left")
    before = np.concatenate([[0], end])[first][parts.of] if parts.of.size else end
    lower = end - before - parts.amount
    return np.clip(done[parts.of] - lower, 0, parts.amount)


def _worth(net: Network, pairs: Pairs, amount: Ints) -> tuple[list[int], Ints]:
    """Points of these amounts by market; and what the next part of each need would be worth."""
    world = net.world
    markets = world.markets.height
    got, together = _sums(net, pairs, amount)
    of_need, of_group = net.of_need, net.of_group
    gained = _added(
        _products(_filled(of_need, got), of_need.worth, world.needs.market[of_need.of], markets),
        _products(_filled(of_group, together), of_group.worth, net.market_of_group[of_group.of], markets),
    )
    costs = _products(amount, pairs.cost, world.needs.market[pairs.need], markets)
    following = np.maximum(_at(of_need, got)[0], 0)
    group = np.maximum(_at(of_group, together)[0], 0)
    inside = (net.group >= 0) & (following > 0)
    following[inside] += group[net.group[inside]]
    return [gain - cost for gain, cost in zip(gained, costs, strict=True)], following


def _settled(
    net: Network, search: Search, pairs: Pairs, amount: Ints, u: Ints, pi: Ints, rho: Ints, sendable: Ints
) -> tuple[Pairs, Ints]:
    """Of all matchings that are worth as much, nearly the one whose pairs are nearest on the ring.

    Which pair and which need gets what decides a number made of their ids alone, so that a row that comes or goes
    changes little else. Only what the prices leave open moves, so the worth stays the same.
    """
    more = search.sent_near_on_ring(sendable, u, pi - search.post_cost, FEW)
    merged = Pairs.joined([pairs, more])
    old = np.zeros(merged.need.size, dtype=np.int64)
    old[_keys(merged, net.world).searchsorted(_keys(pairs, net.world))] = amount
    pairs, amount = merged, old
    tight = (u[pairs.offer] == pi[pairs.need] - pairs.cost) | (amount > 0)
    pairs = Pairs(pairs.need[tight], pairs.offer[tight], pairs.cost[tight], pairs.sent[tight])
    amount = amount[tight]
    needs, offers = net.world.needs, net.world.offers
    away = (needs.ring[pairs.need] - offers.ring[pairs.offer]) & 0xFFFFFFFF
    away = np.minimum(away, (1 << 32) - away)
    # The root is concave: rather one pair that is far than many that are moved by one (a chain of changes).
    cost = 1 + np.rint(TIES * np.sqrt(away / 2.0**31)).astype(np.int64)
    return pairs, _cheapest_again(net, pairs, amount, cost, u, pi, rho)


def _cheapest_again(net: Network, pairs: Pairs, amount: Ints, cost: Ints, u: Ints, pi: Ints, rho: Ints) -> Ints:
    """The cheapest by `cost` of the flows that these prices allow: what is worth more than its price is filled, what
    is worth less stays empty, an offer that has a price is given."""
    node = _Nodes(net)
    of, of_group = net.of_need, net.of_group
    inside = net.group[of.of]
    left = of.worth - pi[of.of] + (np.where(inside >= 0, rho[inside], 0) if rho.size else 0)
    left_group = of_group.worth - rho[of_group.of]
    got, _ = _sums(net, pairs, amount)
    asks = got > 0
    asks[pairs.need] = True
    open_, open_group = np.flatnonzero((left == 0) & asks[of.of]), np.flatnonzero(left_group == 0)
    full, full_group = np.flatnonzero((left > 0) & asks[of.of]), np.flatnonzero(left_group > 0)
    gives = np.zeros(net.supply.size, dtype=np.bool_)
    gives[pairs.offer] = True
    giving, spare = np.flatnonzero(gives), np.flatnonzero(gives & (u == 0))
    supply = np.zeros(node.sink + 1, dtype=np.int64)
    supply[giving] = net.supply[giving]
    np.add.at(supply, node.need[of.of[full]], -of.amount[full])
    np.add.at(supply, node.after_need[of.of[full]], of.amount[full])
    np.add.at(supply, node.group[of_group.of[full_group]], -of_group.amount[full_group])
    np.add.at(supply, np.full(full_group.size, node.sink), of_group.amount[full_group])
    supply[node.sink] -= supply.sum()
    world = net.world
    flow = _min_cost(
        np.concatenate([pairs.offer, node.need[of.of[open_]], node.group[of_group.of[open_group]], spare]),
        np.concatenate(
            [node.need[pairs.need], node.after_need[of.of[open_]], np.full(open_group.size + spare.size, node.sink)]
        ),
        np.concatenate(
            [np.minimum(net.supply[pairs.offer], net.wanted[pairs.need]), of.amount[open_],
             of_group.amount[open_group], net.supply[spare]]
        ),
        np.concatenate(
            [cost, world.needs.ring[of.of[open_]] * TIES // RING, np.zeros(open_group.size, dtype=np.int64),
             world.offers.ring[spare] * TIES // RING]
        ),
        supply,
    )  # fmt: skip
    return amount if flow is None else flow[: pairs.need.size]
