"""Why a need got nothing, or not all: the first reason that holds, and in words the nearest miss.

- `no_such_offer`: no other hub offers the item; - `other_unit`: only in units that cannot be compared;
- `too_far`: none that is near enough for both, nor one that both would send; - `other_time`: none of those is open
  at the same time; - `taken`: what could meet it, and would be worth its way, is given to others;
- `not_worth_it`: the way costs more points than the next part of the need is worth.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from coevo_pipelines.hubs.matching import loops
from coevo_pipelines.hubs.matching.flow import Flow
from coevo_pipelines.hubs.matching.pairs import Search
from coevo_pipelines.hubs.matching.points import SCALE, Points
from coevo_pipelines.hubs.matching.rows import MARKET, Floats, Ints, Side, World, kilometres

_NO, _UNIT, _FAR, _TIME, _TAKEN, _WORTH = range(6)
_REASONS = ("no_such_offer", "other_unit", "too_far", "other_time", "taken", "not_worth_it")


def unmatched(rows: World, flow: Flow, points: Points, missing: Ints) -> pl.DataFrame:
    """hubs.unmatched: one row for each need of which something is missing."""
    which = np.flatnonzero(missing > 0)
    reasons = _Reasons(rows, flow, points, which)
    frame = rows.needs.frame[which]
    codes = reasons.codes[which]
    return frame.select(
        "hub_id",
        pl.col("post_id").alias("need_id"),
        *MARKET,
        pl.Series("wanted", rows.wanted[which], dtype=pl.Int64),
        pl.Series("missing", missing[which], dtype=pl.Int64),
        pl.Series("reason", [_REASONS[code] for code in codes], dtype=pl.String),
        pl.Series("why", reasons.words(), dtype=pl.String),
        "until_at",
        pl.col("priority").cast(pl.Int64),
    ).sort("hub_id", "need_id")


class _Reasons:
    def __init__(self, rows: World, flow: Flow, points: Points, which: Ints) -> None:
        self.rows, self.points, self.which, self.flow = rows, points, which, flow
        needs, offers = rows.needs, rows.offers
        search = Search(rows, points, np.zeros(needs.size, dtype=np.int64))
        own_market = _same_hub(needs, offers, needs.market, offers.market)
        others = np.bincount(offers.market, minlength=rows.markets.height)[needs.market] - own_market
        self.near = np.full((needs.size, 5), loops.NOWHERE, dtype=np.int64)
        self.squared = np.zeros(needs.size)
        loops.reachable(
            which, *search.band, search.by_latitude, needs.xyz, needs.reach, needs.hub, needs.start, needs.end,
            offers.xyz, offers.reach, offers.hub, offers.start, offers.end, self.near, self.squared,
        )  # fmt: skip
        sends = np.flatnonzero(offers.post)
        sent = np.bincount(offers.market[sends], minlength=rows.markets.height)[needs.market]
        sent -= _same_hub(needs, offers, needs.market, offers.market, sends)
        self.sent = np.where(needs.post, sent, 0)
        self.sends = sends
        self.possible = flow.possible
        reached = (self.near[:, 0] > 0) | (self.sent > 0)
        # What the next part is worth beside the cheapest way: by post, or from the nearest that is open then.
        way = np.rint(search.metre * kilometres(self.squared)).astype(np.int64)
        way = np.where(self.near[:, 1] > 0, way, loops.FAR)
        by_post = self.possible > np.maximum(self.near[:, 1], 0)
        by_post |= needs.post & self._near_is_sent()
        self.way = np.where(by_post, np.minimum(way, search.post_cost), way)
        self.sendable = by_post & (search.post_cost < way)
        codes = np.where(self.way < flow.next, _TAKEN, _WORTH)
        codes = np.where(self.possible > 0, codes, _TIME)
        codes = np.where(reached, codes, _FAR)
        self.codes = np.where(others > 0, codes, np.where(self._other_units() > 0, _UNIT, _NO))

    def _near_is_sent(self) -> np.ndarray:
        """By need, whether the nearest that is open then could be sent as well."""
        at = self.near[:, 2]
        post = self.rows.offers.post
        return (at >= 0) & (post[at] if post.size else False)

    def _other_units(self) -> Ints:
        """By need, offers of other hubs of the same kind and item, in any unit."""
        rows = self.rows
        things = rows.markets.select(pl.struct("kind", "item").rank("dense").cast(pl.Int64) - 1).to_series().to_numpy()
        needs, offers = rows.needs, rows.offers
        count = int(things.max(initial=-1)) + 1
        mine, theirs = things[needs.market], things[offers.market]
        everyone = np.bincount(theirs, minlength=count)[mine] if count else mine
        return np.asarray(everyone - _same_hub(needs, offers, mine, theirs))

    def words(self) -> list[str]:
        made = np.full(self.rows.needs.size, "", dtype=object)
        for code, say in enumerate((self._no, self._unit, self._far, self._time, self._taken, self._worth)):
            some = self.which[self.codes[self.which] == code]
            if some.size:
                made[some] = say(some)
        return [str(words) for words in made[self.which]]

    def _items(self, some: Ints) -> list[str]:
        return self.rows.needs.frame["item"][some].to_list()

    def _no(self, some: Ints) -> list[str]:
        rows = self.rows
        own = _same_hub(rows.needs, rows.offers, rows.needs.market, rows.offers.market)
        elsewhere: dict[str, set[str]] = {}
        for kind, item in rows.offers.frame.select("kind", "item").unique().rows():
            elsewhere.setdefault(item, set()).add(kind)
        said = []
        for at, item, kind in zip(some, self._items(some), rows.needs.frame["kind"][some], strict=True):
            kinds = sorted(elsewhere.get(item, set()) - {kind})
            if own[at]:
                said.append(f"only the hub itself offers {item}")
            elif kinds:
                said.append(f"no one offers {item} as {kind}; it is offered as {' and '.join(kinds)}")
            else:
                said.append(f"no one offers {item}")
        return said

    def _unit(self, some: Ints) -> list[str]:
        rows = self.rows
        offered: dict[tuple[str, str], dict[str, list[tuple[str, str]]]] = {}
        for kind, item, unit, hub, post in rows.offers.frame.select(*MARKET, "hub_id", "post_id").rows():
            posts = offered.setdefault((kind, item), {}).setdefault(unit, [])
            if len(posts) < 2 and hub not in {other for other, _ in posts}:
                posts.append((hub, post))
        said = []
        for hub, kind, item, unit in rows.needs.frame.select("hub_id", *MARKET)[some].rows():
            found = [
                (other, next(f"{theirs}/{post}" for theirs, post in posts if theirs != hub))
                for other, posts in sorted(offered[kind, item].items())
                if other != unit and any(theirs != hub for theirs, _ in posts)
            ]
            units = " and ".join(other for other, _ in found)
            said.append(f"{item} is offered in {units}, not in {unit}: {found[0][1]}")
        return said

    def _far(self, some: Ints) -> list[str]:
        needs, offers = self.rows.needs, self.rows.offers
        order = np.lexsort((offers.latitude, offers.market))
        key = offers.market[order] * 1000.0 + offers.latitude[order]
        low = np.searchsorted(offers.market[order], needs.market, "left")
        high = np.searchsorted(offers.market[order], needs.market, "right")
        middle = np.clip(np.searchsorted(key, needs.market * 1000.0 + needs.latitude), low, high)
        found = np.full(needs.size, loops.NOWHERE, dtype=np.int64)
        squared = np.zeros(needs.size)
        loops.nearest(some, low, high, middle, order, needs.xyz, needs.hub, offers.xyz, offers.hub, found, squared)
        at = found[some]
        apart = kilometres(squared[some])
        goes, comes = offers.most_km[at], needs.most_km[some]
        short = _rows(goes <= comes, "it goes {} km at most", goes, "it is fetched from {} km at most", comes)
        return [
            f"the nearest offer of {item} is {_km(far)} km away, {limit}: {name}"
            for item, far, limit, name in zip(self._items(some), apart, short, offers.names(at), strict=True)
        ]

    def _time(self, some: Ints) -> list[str]:
        needs, offers = self.rows.needs, self.rows.offers
        before, after = self.near[some, 3], self.near[some, 4]
        before, after = self._sent_gap(some, before, after)
        starts = needs.frame["from_at"][some].to_list()
        ends = needs.frame["until_at"][some].to_list()
        opens, closes = offers.frame["from_at"], offers.frame["until_at"]
        said: list[str] = []
        which = []
        for item, first, last, early, late in zip(self._items(some), starts, ends, before, after, strict=True):
            gaps = []
            if early >= 0:
                closed = closes[int(early)]
                gaps.append((first - closed, int(early), f"ends on {closed:%Y-%m-%d}, before {first:%Y-%m-%d}"))
            if late >= 0:
                begun = opens[int(late)]
                gaps.append((begun - last, int(late), f"begins on {begun:%Y-%m-%d}, after {last:%Y-%m-%d}"))
            if gaps:
                _, at, words = min(gaps)
                said.append(f"the offer of {item} that is nearest in time {words}: ")
            else:
                at = loops.NOWHERE
                said.append(
                    f"{item} is {'needed' if first >= last else 'offered'} for no time at all: it ends as it begins"
                )
            which.append(at)
        places = np.array(which, dtype=np.int64)
        names = offers.names(np.maximum(places, 0))
        return [words + (name if place >= 0 else "") for words, name, place in zip(said, names, which, strict=True)]

    def _sent_gap(self, some: Ints, before: Ints, after: Ints) -> tuple[Ints, Ints]:
        """The same among what could be sent: the last that ends before, the first that begins after."""
        needs, offers = self.rows.needs, self.rows.offers
        asks = np.flatnonzero(self.sent[some] > 0)
        before, after = before.copy(), after.copy()
        for into, time, limit, step in (
            (before, offers.end, needs.start, -1),
            (after, offers.start, needs.end, 1),
        ):
            order = self.sends[np.lexsort((time[self.sends], offers.market[self.sends]))]
            span = 1 + int(max(offers.end.max(initial=0), needs.end.max(initial=0), offers.start.max(initial=0)))
            key = offers.market[order] * span + time[order]
            sought = needs.market[some] * span + limit[some]
            place = np.searchsorted(key, sought, "right") - 1 if step < 0 else np.searchsorted(key, sought, "left")
            for at in asks:
                j, k = some[at], int(place[at])
                while 0 <= k < order.size and offers.market[order[k]] == needs.market[j]:
                    i = order[k]
                    if offers.hub[i] != needs.hub[j]:
                        held = into[at]
                        if held < 0 or (time[i] - time[held]) * step < 0:
                            into[at] = i
                        break
                    k += step
        return before, after

    def _taken(self, some: Ints) -> list[str]:
        return [
            f"{_offers(count)} of {item} that could meet it {'is' if count == 1 else 'are'} given to others{nearest}"
            for count, item, nearest in zip(self.possible[some], self._items(some), self._nearest(some), strict=True)
        ]

    def _worth(self, some: Ints) -> list[str]:
        costs = np.round(self.way[some] / SCALE).astype(np.int64)
        worth = np.round(self.flow.next[some] / SCALE).astype(np.int64)
        return [
            f"{_offers(count)} of {item} could meet it, but the way costs {cost:,} points at least, "
            f"and the need is worth {value:,}{nearest}"
            for count, item, cost, value, nearest in zip(
                self.possible[some], self._items(some), costs, worth, self._nearest(some), strict=True
            )
        ]

    def _nearest(self, some: Ints) -> list[str]:
        """… by name and distance; nothing where it would be sent."""
        at = self.near[some, 2]
        names = self.rows.offers.names(np.maximum(at, 0)) if self.rows.offers.size else [""] * some.size
        apart = kilometres(self.squared[some])
        return [
            "; all of them by post" if place < 0 else f"; the nearest is {_km(far)} km away: {name}"
            for place, far, name in zip(at, apart, names, strict=True)
        ]


def _same_hub(needs: Side, offers: Side, group_n: Ints, group_o: Ints, of: Ints | None = None) -> Ints:
    """By need, offers (those at `of`) of its own hub in its group."""
    hubs = 1 + int(max(needs.hub.max(initial=0), offers.hub.max(initial=0)))
    some = np.arange(offers.size) if of is None else of
    theirs = np.sort(group_o[some] * hubs + offers.hub[some])
    mine = group_n * hubs + needs.hub
    return np.searchsorted(theirs, mine, "right") - np.searchsorted(theirs, mine, "left")


def _rows(first: np.ndarray, one: str, ones: Floats, other: str, others: Floats) -> list[str]:
    return [
        one.format(_km(a)) if is_first else other.format(_km(b))
        for is_first, a, b in zip(first, ones, others, strict=True)
    ]


def _km(distance: float) -> str:
    return f"{distance:.1f}" if distance < 10 else f"{distance:,.0f}"


def _offers(count: int) -> str:
    return "the one offer" if count == 1 else f"the {count:,} offers"
