"""What a matching is worth, in whole tenths of a point for each thousandth of a unit.

- A need's part weighs 1,000 points, and `priority` points more for each step of priority above 1.
- **Least served first**: a part weighs up to `fairness` points more the less of the need was met before it, what was
  received included: all of them at nothing, none at the whole, falling linearly. A need is cut into ten slices, each
  with the mean over its part of that line, so a small need and a large one are worth the same for each unit. Where a
  hub has several needs of one market, half of the fairness looks at the need, half at the hub's needs together: who
  writes one need as ten rows gains nothing.
- Fetching costs `km` points for each kilometre (great circle), sending costs `post` points, whatever the distance.

All are points for each unit of the item, not for each need: what is scarce goes to the least served, not to whoever
asks for little. Within a market units are the same; markets do not compete.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coevo_pipelines.hubs.matching.rows import Floats, Ints

SCALE = 10
"""A point in whole numbers. With a thousand the solver takes twice as long, for what is 5 m of way."""
WHOLE = 1_000
"""Points of a whole need of priority 1."""
SLICES = 10
"""Of a need, each with a weight of its own."""


@dataclass(frozen=True)
class Points:
    """What weighs how much: the settings of hubs."""

    farthest_km: float = 50.0
    """How far a thing goes where its row does not say."""
    priority: int = 200
    fairness: int = 500
    km: int = 2
    post: int = 100


@dataclass(frozen=True)
class Slices:
    """Parts of needs or of hubs, those of one after the other, the most worth first."""

    of: Ints
    """Whose, ascending."""
    amount: Ints
    """Thousandths of the unit; above 0."""
    worth: Ints
    """Tenths of a point for each; falls within one."""


def slices(amount: Ints, received: Ints, grain: Ints, base: Ints, fairness: Ints) -> Slices:
    """Cut what is still wanted where tenths of the amount end, rounded down to whole grains.

    All arrays have one element for each need (or hub): amounts in thousandths of the unit, worths in tenths of a
    point. The worth of a slice is base + fairness (1 - m), m the middle of the slice as a share of the amount.
    """
    part = np.arange(SLICES + 1, dtype=np.int64)
    # amount * part would leave 64 bits for the largest amounts
    ends = amount[:, None] // SLICES * part + amount[:, None] % SLICES * part // SLICES
    ends = ends // grain[:, None] * grain[:, None]
    ends[:, -1] = amount
    ends = np.maximum(ends, np.minimum(received, amount)[:, None])
    size = ends[:, 1:] - ends[:, :-1]
    share: Floats = ends / np.maximum(amount, 1)[:, None]
    middle = (share[:, 1:] + share[:, :-1]) / 2
    worth = base[:, None] + np.rint(fairness[:, None] * (1 - middle)).astype(np.int64)
    of = np.broadcast_to(np.arange(amount.size, dtype=np.int64)[:, None], size.shape)
    there = size > 0
    return Slices(of[there], size[there], worth[there])
