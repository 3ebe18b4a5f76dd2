"""Match needs with offers: frames in, frames out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from coevo_pipelines.hubs.matching.flow import Flow, solve
from coevo_pipelines.hubs.matching.points import Points
from coevo_pipelines.hubs.matching.reasons import unmatched
from coevo_pipelines.hubs.matching.rows import MARKET, Ints, World, kilometres, world

_MOST = 2**63 - 1


@dataclass(frozen=True)
class Matching:
    """Frames with the columns of the tables of these names in `hubs`."""

    markets: pl.DataFrame
    matches: pl.DataFrame
    unmatched: pl.DataFrame
    rounds: int = 0
    """Solves that it took."""
    held: int = 0
    """Pairs that were looked at one by one."""


def match(needs: pl.DataFrame, offers: pl.DataFrame, points: Points, *, settle: bool = True) -> Matching:
    """The best matching of needs with offers; `points.py` says what is good, `flow.py` how that is proved.

    Both have the columns of hubs.posts; only rows that are open on the day belong here. An offer meets a need of
    another hub, of the same kind, item and unit, that is open at the same time, where it is near enough for both
    (great circle), or both can be sent; it is sent where that is cheaper or the only way. The order of rows does not
    matter. Among equally good matchings the choice is by ids, so that little changes from day to day; `settle=False`
    leaves it to the solver. Raises ValueError for a missing column or an id that a hub uses twice.
    """
    rows = world(needs, offers, points.farthest_km)
    flow = solve(rows, points, settle)
    matches = _matches(rows, flow)
    _conserved(rows, matches)
    missing = rows.wanted.copy()
    np.subtract.at(missing, flow.pairs.need, flow.amount)
    return Matching(
        markets=_markets(rows, flow, missing),
        matches=matches,
        unmatched=unmatched(rows, flow, points, missing),
        rounds=flow.rounds,
        held=flow.held,
    )


def _matches(rows: World, flow: Flow) -> pl.DataFrame:
    used = np.flatnonzero(flow.amount > 0)
    need, offer = flow.pairs.need[used], flow.pairs.offer[used]
    needs, offers = rows.needs.frame[need], rows.offers.frame[offer]
    apart = ((rows.needs.xyz[need] - rows.offers.xyz[offer]) ** 2).sum(axis=1)
    return (
        needs.select(
            pl.col("hub_id").alias("need_hub"),
            pl.col("post_id").alias("need_id"),
            offers["hub_id"].alias("offer_hub"),
            offers["post_id"].alias("offer_id"),
            *MARKET,
            pl.Series("amount", flow.amount[used], dtype=pl.Int64),
            pl.Series("distance_km", np.round(kilometres(apart), 3), dtype=pl.Float64),
            pl.Series("by_post", flow.pairs.sent[used], dtype=pl.Boolean),
            pl.max_horizontal("from_at", offers["from_at"].alias("_from")).alias("from_at"),
            pl.min_horizontal("until_at", offers["until_at"].alias("_until")).alias("until_at"),
            pl.col("priority").cast(pl.Int64),
        )
        # fetched and sent may cost the same
        .group_by("need_hub", "need_id", "offer_hub", "offer_id", *MARKET, "distance_km", "from_at", "until_at",
                  "priority")
        .agg(pl.col("amount").sum(), pl.col("by_post").all())
        .select("need_hub", "need_id", "offer_hub", "offer_id", *MARKET, "amount", "distance_km", "by_post",
                "from_at", "until_at", "priority")
        .sort("need_hub", "need_id", "offer_hub", "offer_id")
    )  # fmt: skip


def _conserved(rows: World, matches: pl.DataFrame) -> None:
    """Nothing is matched twice: checked on what is handed out. Raises RuntimeError."""
    for side, wide, hub, post in (
        (rows.needs.frame, rows.wanted, "need_hub", "need_id"),
        (rows.offers.frame, rows.offers.amount, "offer_hub", "offer_id"),
    ):
        over = (
            matches.group_by(hub, post)
            .agg(pl.col("amount").sum())
            .join(
                side.select(pl.col("hub_id").alias(hub), pl.col("post_id").alias(post), pl.Series("most", wide)),
                on=[hub, post],
                how="left",
            )
            .filter(pl.col("most").is_null() | (pl.col("amount") > pl.col("most")))
        )
        if over.height:
            first = over.sort(hub, post).row(0, named=True)
            raise RuntimeError(
                f"matching: {first[hub]}/{first[post]} got {first['amount']} of {first['most']} thousandths: "
                "the flow does not add up"
            )


def _markets(rows: World, flow: Flow, missing: Ints) -> pl.DataFrame:
    count = rows.markets.height
    needs, offers = rows.needs, rows.offers

    def total(of: Ints, by: Ints) -> Ints:
        made = np.zeros(count, dtype=np.int64)
        np.add.at(made, by, of)
        return made

    pairs = total(flow.possible, needs.market)
    wanted = total(rows.wanted, needs.market)
    return rows.markets.with_columns(
        pl.Series("needs", np.bincount(needs.market, minlength=count), dtype=pl.Int64),
        pl.Series("offers", np.bincount(offers.market, minlength=count), dtype=pl.Int64),
        pl.Series("wanted", wanted, dtype=pl.Int64),
        pl.Series("offered", total(offers.amount, offers.market), dtype=pl.Int64),
        pl.Series("matched", wanted - total(missing, needs.market), dtype=pl.Int64),
        pl.Series("pairs", pairs, dtype=pl.Int64),
        pl.Series("objective", flow.objective, dtype=pl.Decimal(38, 0)),
        pl.Series("bound", flow.bound, dtype=pl.Decimal(38, 0)),
        pl.Series("gini", _gini(rows, missing), dtype=pl.Float64),
    )


def _gini(rows: World, missing: Ints) -> list[float | None]:
    """By market, of the parts that hubs have of what they need: mean absolute difference over twice the mean (Gini
    1912), without a correction for small samples; 0 where nobody has anything."""
    needs = rows.needs
    hubs = 1 + int(needs.hub.max(initial=0))
    codes, code = np.unique(needs.market * hubs + needs.hub, return_inverse=True)
    whole = np.bincount(code, needs.amount, codes.size)
    has = np.bincount(code, needs.amount - missing, codes.size)
    share = np.divide(has, whole, out=np.zeros(codes.size), where=whole > 0)
    found: list[float | None] = [None] * rows.markets.height
    market = codes // hubs
    order = np.lexsort((share, market))
    starts = np.searchsorted(market, np.arange(rows.markets.height + 1))
    for at in np.flatnonzero(np.diff(starts) > 1):
        some = share[order[starts[at] : starts[at + 1]]]
        rank = np.arange(1, some.size + 1)
        total = float(some.sum())
        found[at] = float(((2 * rank - some.size - 1) * some).sum() / (some.size * total)) if total else 0.0
    return [None if value is None else min(max(value, 0.0), 1.0) for value in found]
