"""Needs and offers of made-up hubs: how long the matching takes, what proves it, what one row changes, and HiGHS.

Hubs lie in clusters as towns do; few items are asked for often, many seldom (Zipf); windows of a week to four months
in a season, three in ten posts can be sent.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter, process_time
from typing import Any

import numpy as np
import polars as pl

from coevo_pipelines.hubs.matching.flow import network
from coevo_pipelines.hubs.matching.match import Matching, match
from coevo_pipelines.hubs.matching.points import SCALE, Points
from coevo_pipelines.hubs.matching.rows import Ints, chord, kilometres, world
from coevo_pipelines.hubs.matching.stability import stability
from coevo_pipelines.lake.schemas import HUB_KINDS

TOWNS = 40
SENT = 0.3
REACH = (5.0, 20.0, 50.0, 100.0, 300.0)
UNITS = ("kg", "{meal}", "h")
PEER = 2_000
"""Needs that HiGHS is given at most; it takes minutes for more."""


@dataclass(frozen=True)
class Stable:
    """What one row changes, on average over `trials` of them."""

    trials: int
    share: float
    """Of what is matched in the row's market."""
    pairs: float
    unsettled_share: float
    """The same where ties are left to the solver."""
    unsettled_pairs: float


@dataclass(frozen=True)
class Peer:
    """HiGHS on all pairs of a smaller world, beside ours."""

    needs: int
    offers: int
    pairs: int
    own_seconds: float
    seconds: float
    difference: float
    """Of its objective from ours, relative."""


@dataclass(frozen=True)
class Measured:
    """One world."""

    hubs: int
    needs: int
    offers: int
    markets: int
    seconds: float
    cpu_seconds: float
    """Of the processor, whatever else the machine does."""
    peak_bytes: int
    pairs: int
    """That are possible."""
    rounds: int
    matches: int
    matched: float
    """Share of what is wanted, over markets."""
    objective: int
    bound: int
    reasons: dict[str, int]
    stable: Stable | None
    peer: Peer | None

    @property
    def gap(self) -> float:
        """Of the bound, what is not reached."""
        return 1 - self.objective / self.bound if self.bound else 0.0


def made(hubs: int, needs: int, offers: int, items: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Needs and offers with the columns of hubs.posts that matter. The same seed makes the same."""
    random = np.random.default_rng(seed)
    towns = np.column_stack([random.uniform(36, 60, TOWNS), random.uniform(-9, 30, TOWNS)])
    sizes = 1 / np.arange(1, TOWNS + 1)
    town = random.choice(TOWNS, hubs, p=sizes / sizes.sum())
    place = towns[town] + random.normal(0, (0.5, 0.7), (hubs, 2))
    asked = 1 / np.arange(1, items + 1)
    start = datetime(2019, 1, 1, tzinfo=UTC)

    def side(count: int, what: str) -> pl.DataFrame:
        hub, item = random.integers(0, hubs, count), random.choice(items, count, p=asked / asked.sum())
        first, days = random.integers(0, 120, count), random.integers(7, 120, count)
        amount = random.integers(1, 200, count) * 1000
        received = np.where(random.random(count) < 0.2, amount // 3000 * 1000, 0) * (what == "need")
        return pl.DataFrame(
            {
                "hub_id": [f"hub:h{number}" for number in hub],
                "side": [what] * count,
                "post_id": [f"{what}-{number}" for number in range(count)],
                "kind": [HUB_KINDS[number % len(HUB_KINDS)] for number in item],
                "item": [f"item {number}" for number in item],
                "amount": amount,
                "received": received,
                "unit": [UNITS[number % len(UNITS)] for number in item],
                "latitude": place[hub, 0],
                "longitude": place[hub, 1],
                "most_km": np.where(random.random(count) < 0.5, np.nan, random.choice(REACH, count)),
                "by_post": random.random(count) < SENT,
                "priority": random.integers(1, 6, count) if what == "need" else np.full(count, 3),
            }
        ).with_columns(
            pl.col("most_km").fill_nan(None),
            (pl.lit(start) + pl.duration(days=pl.lit(pl.Series(first)))).alias("from_at"),
            (pl.lit(start) + pl.duration(days=pl.lit(pl.Series(first + days)))).alias("until_at"),
        )

    return side(needs, "need"), side(offers, "offer")


def run(
    hubs: int, needs: int, offers: int, items: int, seed: int, trials: int, peers: bool, tell: Callable[[str], Any]
) -> Measured:
    """Measure one world; HiGHS gets one of at most PEER needs."""
    points = Points()
    tell("compile")
    match(*made(200, 2_000, 2_000, 5, seed), points)
    tell(f"{hubs:,} hubs, {needs:,} needs, {offers:,} offers")
    asked, given = made(hubs, needs, offers, items, seed)
    before, before_cpu = perf_counter(), process_time()
    done = match(asked, given, points)
    seconds, cpu = perf_counter() - before, process_time() - before_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    markets = done.markets
    tell(f"{seconds:.1f} s; now what one row changes")
    return Measured(
        hubs, needs, offers, markets.height, seconds, cpu, peak, int(markets["pairs"].sum()), done.rounds,
        done.matches.height, _share(done), int(markets["objective"].sum()), int(markets["bound"].sum()),
        dict(done.unmatched["reason"].value_counts(sort=True).rows()),
        _stable(hubs, needs, offers, items, seed, trials) if trials else None,
        _peer(hubs, needs, offers, items, seed, tell) if peers else None,
    )  # fmt: skip


def _share(done: Matching) -> float:
    parts = done.markets.filter(pl.col("wanted") > 0).select(pl.col("matched") / pl.col("wanted")).to_series()
    return float(np.mean(parts.to_numpy())) if parts.len() else 0.0


def _smaller(hubs: int, needs: int, offers: int, items: int, most: int) -> tuple[int, int, int, int]:
    """The same hubs an item, posts a hub, at no more than `most` needs: fewer items, then fewer of all."""
    part = min(1.0, most / max(needs, 1))
    return max(int(hubs * part), 2), max(int(needs * part), 1), max(int(offers * part), 1), max(int(items * part), 2)


def _stable(hubs: int, needs: int, offers: int, items: int, seed: int, trials: int) -> Stable:
    asked, given = made(*_smaller(hubs, needs, offers, items, 5_000), seed)
    settled, left = (stability(asked, given, Points(), trials, seed, settle=settle) for settle in (True, False))

    def mean(values: list[float]) -> float:
        return float(np.mean(values)) if values else 0.0

    return Stable(
        trials,
        mean([each.share for each in settled]),
        mean([float(each.pairs) for each in settled]),
        mean([each.share for each in left]),
        mean([float(each.pairs) for each in left]),
    )


def _peer(hubs: int, needs: int, offers: int, items: int, seed: int, tell: Callable[[str], Any]) -> Peer:
    size = _smaller(hubs, needs, offers, items, PEER)
    asked, given = made(*size, seed)
    tell(f"HiGHS: {size[1]:,} needs, {size[2]:,} offers, all pairs")
    before = process_time()
    own = match(asked, given, Points())
    own_seconds = process_time() - before
    before = process_time()
    pairs, objective = highs(asked, given, Points())
    found = int(own.markets["objective"].sum())
    return Peer(size[1], size[2], pairs, own_seconds, process_time() - before, abs(objective - found) / max(found, 1))


def highs(needs: pl.DataFrame, offers: pl.DataFrame, points: Points) -> tuple[int, float]:
    """The linear program of all pairs, found by comparing each need with each offer, by scipy's HiGHS.

    Returns how many pairs there are, and the objective.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    rows = world(needs, offers, points.farthest_km)
    net = network(rows, points)
    need, offer, cost = _all_pairs(rows.needs, rows.offers, points)
    count, of, group = need.size, net.of_need, net.of_group
    first_need, first_group = rows.offers.size, rows.offers.size + rows.needs.size
    inside = np.flatnonzero(net.group[of.of] >= 0)
    at_need, at_group = count + np.arange(of.of.size), count + of.of.size + np.arange(group.of.size)
    row = [offer, first_need + need, first_need + of.of, first_group + net.group[of.of[inside]], first_group + group.of]
    column = [np.arange(count), np.arange(count), at_need, at_need[inside], at_group]
    factor = [1.0, 1.0, -1.0, 1.0, -1.0]
    height = first_group + net.market_of_group.size
    table = coo_array(
        (
            np.concatenate([np.full(part.size, value) for part, value in zip(row, factor, strict=True)]),
            (np.concatenate(row), np.concatenate(column)),
        ),
        shape=(height, count + of.of.size + group.of.size),
    ).tocsr()
    upper = np.concatenate([np.full(count, np.inf), of.amount / 1000, group.amount / 1000])
    solved = linprog(
        np.concatenate([cost, -of.worth, -group.worth]) / SCALE,
        A_ub=table[:first_need],
        b_ub=net.supply / 1000,
        A_eq=table[first_need:],
        b_eq=np.zeros(height - first_need),
        bounds=np.column_stack([np.zeros(upper.size), upper]),
        method="highs",
    )
    if solved.status != 0:
        raise RuntimeError(f"HiGHS: {solved.message}")
    return count, -float(solved.fun) * SCALE * 1000


def _all_pairs(needs: Any, offers: Any, points: Points) -> tuple[Ints, Ints, Ints]:
    found: list[tuple[Ints, Ints, Ints]] = [(np.zeros(0, dtype=np.int64),) * 3]
    for number in np.intersect1d(needs.market, offers.market):
        mine, theirs = np.flatnonzero(needs.market == number), np.flatnonzero(offers.market == number)
        apart = ((needs.xyz[mine][:, None] - offers.xyz[theirs][None]) ** 2).sum(axis=2)
        reach = np.minimum(chord(needs.most_km[mine])[:, None], chord(offers.most_km[theirs])[None])
        meet = needs.hub[mine][:, None] != offers.hub[theirs][None]
        meet &= np.maximum(needs.start[mine][:, None], offers.start[theirs]) < np.minimum(
            needs.end[mine][:, None], offers.end[theirs]
        )
        near = apart <= reach
        sent = needs.post[mine][:, None] & offers.post[theirs]
        way = np.rint(points.km * SCALE * kilometres(apart)).astype(np.int64)
        by_post = points.post * SCALE
        cost = np.where(near, np.where(sent, np.minimum(way, by_post), way), by_post)
        j, i = np.nonzero(meet & (near | sent))
        found.append((mine[j], theirs[i], cost[j, i]))
    need, offer, price = (np.concatenate([part[at] for part in found]) for at in range(3))
    return need, offer, price
