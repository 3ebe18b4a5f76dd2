"""Which offers could meet which needs: near pairs once, what can be sent as it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from coevo_pipelines.hubs.matching import loops
from coevo_pipelines.hubs.matching.points import SCALE, Points
from coevo_pipelines.hubs.matching.rows import EARTH_KM, RING, Flags, Ints, World, kilometres

MOST = 4_000_000
"""Near pairs that are all held at once; of more, each need's nearest, and the others by price."""
NEAREST = 24
"""Of each need, where there are more than that."""
AROUND = 24
"""Offers that can be sent a need starts with; as many of them near on the ring as anywhere."""
ROOM = 16
"""Pairs that a need gets more in a round."""
PATIENCE = 512


@dataclass(frozen=True)
class Pairs:
    """Need, offer, cost of each unit in thousandths of a point, and whether it is sent."""

    need: Ints
    offer: Ints
    cost: Ints
    sent: Flags

    @staticmethod
    def joined(parts: list[Pairs]) -> Pairs:
        """All of them, by need, offer and way; each once."""
        need, offer, cost, sent = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("need", "offer", "cost", "sent")
        )
        order = np.lexsort((sent, offer, need))
        need, offer, cost, sent = need[order], offer[order], cost[order], sent[order]
        new = np.ones(need.size, dtype=np.bool_)
        new[1:] = (need[1:] != need[:-1]) | (offer[1:] != offer[:-1]) | (sent[1:] != sent[:-1])
        return Pairs(need[new], offer[new], cost[new], sent[new])


class Search:
    """Everything that may be asked about pairs of one world."""

    def __init__(self, world: World, points: Points, top: Ints) -> None:
        """`top`: what the first part of each need is worth, 0 where nothing is wanted: no pair may cost as much."""
        self.world, self.points, self.top = world, points, top
        self.post_cost = points.post * SCALE
        self.metre = points.km * SCALE
        needs, offers = world.needs, world.offers
        self.by_latitude = np.lexsort((offers.latitude, offers.market))
        self.band = self._band()
        self.sends = np.flatnonzero(offers.post & offers.open)
        asks = needs.post & needs.open & (world.wanted > 0)
        self.asks = np.flatnonzero(asks)
        """Needs to which something can be sent, whatever that costs."""

    def _band(self) -> tuple[Ints, Ints]:
        needs, offers = self.world.needs, self.world.offers
        furthest = np.zeros(self.world.markets.height)
        np.maximum.at(furthest, offers.market, offers.most_km)
        # A degree of latitude is one of the great circle at least; a little more for rounding.
        wide = np.degrees(np.minimum(needs.most_km, furthest[needs.market]) / EARTH_KM) + 1e-6
        key = offers.market[self.by_latitude] * 1000.0 + np.nan_to_num(offers.latitude[self.by_latitude])
        at, base = np.nan_to_num(needs.latitude), needs.market * 1000.0
        low = np.searchsorted(key, base + np.maximum(at - wide, -91), "left")
        high = np.searchsorted(key, base + np.minimum(at + wide, 91), "right")
        idle = self.world.wanted == 0
        return np.where(idle, 0, low), np.where(idle, 0, high)

    def near(self) -> tuple[Pairs, Ints, bool]:
        """Near pairs that may be worth their way; how many there are by need, (all, those to be sent too); and
        whether some were left out."""
        needs, offers = self.world.needs, self.world.offers
        low, high = self.band
        counts = np.zeros((needs.size, 2), dtype=np.int64)
        none = np.zeros(0, dtype=np.int64)
        fixed = (
            low, high, self.by_latitude, needs.xyz, needs.reach, needs.hub, needs.start, needs.end, needs.post,
            needs.ring, offers.xyz, offers.reach, offers.hub, offers.start, offers.end, offers.post, offers.ring,
        )  # fmt: skip
        nothing = np.zeros(needs.size, dtype=np.int64)
        loops.near(*fixed, nothing, nothing, none, none.astype(np.float64), counts)
        partly = int(counts[:, 0].sum()) > MOST
        room = np.minimum(counts[:, 0], NEAREST) if partly else counts[:, 0].copy()
        place = np.cumsum(room) - room
        found = np.zeros(int(room.sum()), dtype=np.int64)
        squared = np.zeros(found.size)
        loops.near(*fixed, place, room, found, squared, counts)
        need = np.repeat(np.arange(needs.size), room)
        return self._walked(need, found, squared), counts, partly

    def _walked(self, need: Ints, offer: Ints, squared: np.ndarray) -> Pairs:
        needs, offers = self.world.needs, self.world.offers
        cost = np.rint(self.metre * kilometres(squared)).astype(np.int64)
        limit = np.where(needs.post[need] & offers.post[offer], np.minimum(self.post_cost + 1, self.top[need]),
                         self.top[need])  # fmt: skip
        keep = cost < limit
        return Pairs(need[keep], offer[keep], cost[keep], np.zeros(int(keep.sum()), dtype=np.bool_))

    def _sent(self, which: Ints, found: Ints) -> Pairs:
        there = found[which] >= 0
        need = np.broadcast_to(which[:, None], there.shape)[there]
        offer = found[which][there]
        return Pairs(need, offer, np.full(need.size, self.post_cost), np.ones(need.size, dtype=np.bool_))

    def sent_count(self) -> Ints:
        """By need, to how many offers of others it could be sent at the same time."""
        needs, offers = self.world.needs, self.world.offers
        counts = np.zeros(needs.size, dtype=np.int64)
        hubs = 1 + int(max(needs.hub.max(initial=0), offers.hub.max(initial=0)))
        for group_n, group_o, sign in (
            (needs.market, offers.market, 1),
            (needs.market * hubs + needs.hub, offers.market * hubs + offers.hub, -1),
        ):
            at, of = self.asks, self.sends
            numbers, codes = np.unique(np.concatenate([group_n[at], group_o[of]]), return_inverse=True)
            mine, theirs = codes[: at.size], codes[at.size :]
            times = 1 + int(max(offers.end[of].max(initial=0), needs.end[at].max(initial=0)))
            starts, ends = np.sort(theirs * times + offers.start[of]), np.sort(theirs * times + offers.end[of])
            sizes = np.bincount(theirs, minlength=numbers.size)
            before = np.cumsum(sizes) - sizes
            over = np.searchsorted(ends, mine * times + needs.start[at], "right") - before[mine]
            later = (before + sizes)[mine] - np.searchsorted(starts, mine * times + needs.end[at], "left")
            counts[at] += sign * (sizes[mine] - over - later)
        return counts

    @cached_property
    def _of_market(self) -> tuple[Ints, Ints]:
        """By need, where its market is among `sends` in any order that begins with the market."""
        markets = self.world.offers.market[self.sends]
        at = self.world.needs.market
        return np.searchsorted(markets, at, "left"), np.searchsorted(markets, at, "right")

    @cached_property
    def _on_ring(self) -> tuple[Ints, Ints]:
        """`sends` by market and place on the ring; by need, where it stands in that."""
        offers, needs = self.world.offers, self.world.needs
        key = offers.market[self.sends] * RING + offers.ring[self.sends]
        order = np.argsort(key, kind="stable")
        return self.sends[order], np.searchsorted(key[order], needs.market * RING + needs.ring)

    def sendable(self, some: Ints) -> Ints:
        """Needs to which something might be sent at a gain."""
        return self.asks[(self.top[self.asks] > self.post_cost) & (some[self.asks] > 0)]

    def sent_first(self, which: Ints) -> Pairs:
        """Pairs to start with."""
        free = np.zeros(self.world.offers.size, dtype=np.int64)
        anywhere, _ = self._cheapest(which, free, np.ones(self.world.needs.size, dtype=np.int64), AROUND)
        limit = np.zeros(self.world.needs.size, dtype=np.int64)
        return Pairs.joined([self.sent_near_on_ring(which, free, limit, AROUND), self._sent(which, anywhere)])

    def sent_near_on_ring(self, which: Ints, price: Ints, limit: Ints, room: int) -> Pairs:
        """Up to `room` pairs of each need with the nearest on the ring of those that cost limit[j] at most."""
        needs, offers = self.world.needs, self.world.offers
        order, middle = self._on_ring
        found = np.full((needs.size, room), loops.NOWHERE, dtype=np.int64)
        loops.sent_around(
            which, *self._of_market, order, price, limit, PATIENCE, middle, needs.hub, needs.start, needs.end,
            offers.hub, offers.start, offers.end, room, found,
        )  # fmt: skip
        return self._sent(which, found)

    def _cheapest(self, which: Ints, price: Ints, value: Ints, room: int) -> tuple[Ints, Ints]:
        needs, offers = self.world.needs, self.world.offers
        order = self.sends[np.lexsort((offers.ring[self.sends], price[self.sends], offers.market[self.sends]))]
        found = np.full((needs.size, room), loops.NOWHERE, dtype=np.int64)
        best = np.zeros(needs.size, dtype=np.int64)
        loops.sent_better(
            which, *self._of_market, order, price, value, needs.hub, needs.start, needs.end, needs.ring,
            offers.hub, offers.start, offers.end, room, found, best,
        )  # fmt: skip
        return found, best

    def better(self, price: Ints, value: Ints, sendable: Ints, walkable: Ints) -> tuple[Pairs, Ints]:
        """Pairs that these prices of offers and values of needs leave a gain to, and the largest gain by need.

        Looked for among all that can be sent to needs `sendable`, and all near ones of needs `walkable`.
        """
        needs, offers = self.world.needs, self.world.offers
        found, gain = self._cheapest(sendable, price, value - self.post_cost, ROOM)
        parts = [self._sent(sendable, found)]
        if walkable.size:
            found = np.full((needs.size, ROOM), loops.NOWHERE, dtype=np.int64)
            squared = np.zeros(found.shape)
            more = np.zeros(needs.size, dtype=np.int64)
            loops.near_better(
                walkable, *self.band, self.by_latitude, needs.xyz, needs.reach, needs.hub, needs.start, needs.end,
                needs.ring, offers.xyz, offers.reach, offers.hub, offers.start, offers.end, offers.ring,
                value, price, self.metre, ROOM, found, squared, more,
            )  # fmt: skip
            gain = np.maximum(gain, more)
            there = found[walkable] >= 0
            need = np.broadcast_to(walkable[:, None], there.shape)[there]
            parts.append(self._walked(need, found[walkable][there], squared[walkable][there]))
        return Pairs.joined(parts), gain
