"""Rows of posts as arrays: sorted, numbered, on the unit sphere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MARKET = ("kind", "item", "unit")
EARTH_KM = 6371.0088
"""Mean radius of the Earth (IUGG)."""
RING = 1 << 32
"""Places on the ring that ties are broken by."""
COUNTED = 1_000
"""A whole of what is counted, such as {bed}: thousandths are of use for measured amounts only."""
_COLUMNS = (
    "hub_id", "post_id", "kind", "item", "unit", "amount", "received", "from_at", "until_at", "latitude", "longitude",
    "most_km", "by_post", "priority",
)  # fmt: skip


@dataclass(frozen=True)
class Side:
    """Needs or offers, in the order of market, hub and id, whatever order they came in."""

    frame: pl.DataFrame
    market: Ints
    hub: Ints
    amount: Ints
    received: Ints
    """0 for offers."""
    start: Ints
    """Ranks among all times, so that they are small."""
    end: Ints
    latitude: Floats
    xyz: Floats
    """(n, 3), on the unit sphere."""
    most_km: Floats
    post: Flags
    priority: Ints

    @property
    def size(self) -> int:
        return self.market.size

    @cached_property
    def open(self) -> Flags:
        """It has a time window at all."""
        return np.asarray(self.start < self.end)

    @cached_property
    def reach(self) -> Floats:
        """`most_km` as a squared chord of the unit sphere."""
        return chord(self.most_km)

    @cached_property
    def ring(self) -> Ints:
        """A place in [0, 2^32) by hub and id alone."""
        texts = zip(self.frame["hub_id"].to_list(), self.frame["post_id"].to_list(), strict=True)
        digests = b"".join(hashlib.blake2b(f"{hub}/{post}".encode(), digest_size=4).digest() for hub, post in texts)
        places: Ints = np.frombuffer(digests, dtype="<u4").astype(np.int64)
        return places

    def names(self, at: Ints) -> list[str]:
        """hub:x/p-3 for each."""
        some = self.frame.select("hub_id", "post_id")[at]
        return [f"{hub}/{post}" for hub, post in some.rows()]


@dataclass(frozen=True)
class World:
    """All that is open on a day."""

    markets: pl.DataFrame
    """kind, item, unit in order; the number of a market is its row."""
    needs: Side
    """Those of which something is still wanted come as all others; see `wanted`."""
    offers: Side
    grain: Ints
    """By market: what amounts are whole multiples of, a thousand at most; 1 for what is measured."""

    @cached_property
    def wanted(self) -> Ints:
        """By need."""
        return np.asarray(np.maximum(self.needs.amount - self.needs.received, 0))


def chord(km: Floats) -> Floats:
    """Squared chord of a great circle's arc: (2 sin(d / 2R))^2."""
    half = np.minimum(km / (2 * EARTH_KM), np.pi / 2)
    return np.asarray(4 * np.sin(half) ** 2)


def kilometres(squared: Floats) -> Floats:
    """Great-circle distance of a squared chord."""
    return np.asarray(2 * EARTH_KM * np.arcsin(np.minimum(np.sqrt(squared) / 2, 1)))


def world(needs: pl.DataFrame, offers: pl.DataFrame, farthest_km: float) -> World:
    """Number the rows. Raises ValueError where a column is missing or an id stands twice."""
    sides = [_sorted(frame, what) for frame, what in ((needs, "need"), (offers, "offer"))]
    markets = pl.concat([side.select(MARKET) for side in sides]).unique().sort(MARKET)
    hubs = pl.concat([side.select("hub_id") for side in sides]).unique().sort("hub_id")
    stamps = [side[column].to_physical().to_numpy() for side in sides for column in ("from_at", "until_at")]
    times = np.unique(np.concatenate(stamps)) if stamps else np.empty(0, dtype=np.int64)
    # Sums over all rows have to stay below 2^62, whatever is written; with 200,000 rows that is 23 thousand million.
    largest = 2**62 // max(sum(side.height for side in sides), 1)
    asked, given = (_side(side, markets, hubs, times, farthest_km, largest) for side in sides)
    return World(markets, asked, given, _grain(markets, asked, given))


def _sorted(frame: pl.DataFrame, what: str) -> pl.DataFrame:
    missing = [name for name in _COLUMNS if name not in frame.columns]
    if missing:
        raise ValueError(f"{what}s to match: column {missing[0]!r} is missing (they have those of hubs.posts)")
    some = (
        frame.select(_COLUMNS)
        .with_columns(pl.col("from_at", "until_at").dt.cast_time_unit("us"))
        .sort(*MARKET, "hub_id", "post_id")
    )
    twice = some.filter(pl.struct("hub_id", "post_id").is_duplicated())
    if twice.height:
        hub, post = twice.select("hub_id", "post_id").row(0)
        raise ValueError(f"{what} {hub}/{post} stands twice: give one row for each {what} of a hub")
    return some


def _side(
    frame: pl.DataFrame, markets: pl.DataFrame, hubs: pl.DataFrame, times: Ints, farthest_km: float, largest: int
) -> Side:
    numbered = frame.join(
        markets.with_row_index("market_"), on=MARKET, how="left", maintain_order="left", nulls_equal=True
    ).join(hubs.with_row_index("hub_"), on="hub_id", how="left", maintain_order="left")
    latitude = np.radians(frame["latitude"].cast(pl.Float64).to_numpy())
    longitude = np.radians(frame["longitude"].cast(pl.Float64).to_numpy())
    level = np.cos(latitude)
    amount = frame["amount"].cast(pl.Int64).clip(0, largest).to_numpy()
    return Side(
        frame=frame,
        market=numbered["market_"].cast(pl.Int64).to_numpy(),
        hub=numbered["hub_"].cast(pl.Int64).to_numpy(),
        amount=amount,
        received=np.minimum(frame["received"].fill_null(0).cast(pl.Int64).clip(0).to_numpy(), amount),
        start=np.searchsorted(times, frame["from_at"].to_physical().to_numpy()),
        end=np.searchsorted(times, frame["until_at"].to_physical().to_numpy()),
        latitude=np.degrees(latitude),
        xyz=np.ascontiguousarray(
            np.column_stack([level * np.cos(longitude), level * np.sin(longitude), np.sin(latitude)])
        ),
        most_km=frame["most_km"].cast(pl.Float64).fill_nan(None).fill_null(farthest_km).to_numpy(),
        post=frame["by_post"].fill_null(False).to_numpy(),
        priority=frame["priority"].fill_null(3).cast(pl.Int64).to_numpy(),
    )


def _grain(markets: pl.DataFrame, needs: Side, offers: Side) -> Ints:
    grain = np.full(markets.height, COUNTED, dtype=np.int64)
    for side, amounts in ((needs, needs.amount), (needs, needs.received), (offers, offers.amount)):
        np.gcd.at(grain, side.market, amounts)
    counted = markets["unit"].str.starts_with("{").fill_null(False).to_numpy()
    return np.where(counted, grain, 1)
