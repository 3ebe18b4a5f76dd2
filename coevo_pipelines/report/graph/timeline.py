"""Places of works by date: time runs from left to right, each chamber has a lane of its own.

Years with many works get more room: half of the width goes by the calendar, half by the number of works, so that a lane
is neither empty on the left nor a wall on the right. Where each year begins is said beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

ASPECT = 1.9
"""Width of the picture for its height."""
GAPS = 0.16
"""Part of the height that is left free between lanes."""


@dataclass(frozen=True)
class Timeline:
    """Where works stand in time: `xy` (n, 2), x from 0 to `width`, y from 0 (the first lane's upper edge) down to
    -`height`; the last lane, of works in no group,
    begins at -`linked`. `top` and `bottom` (k,) are the edges of each group's lane.
    `ticks`: a year, and the x of its first day."""

    xy: Floats
    top: Floats
    bottom: Floats
    ticks: tuple[tuple[int, float], ...]
    width: float
    height: float
    linked: float


def place(day: NDArray[Any], group: NDArray[Any]) -> Timeline:
    """Places of works: `day` days since 1970, shape (n,); `group` their lane 0..k-1 from the top, -1 for the last lane.

    ValueError: lengths differ."""
    day, group = np.asarray(day, dtype=np.int64), np.asarray(group, dtype=np.int64)
    if day.shape != group.shape:
        raise ValueError(f"{day.size} days and {group.size} groups")
    n, k = day.size, int(group.max(initial=-1)) + 1
    width = ASPECT * np.sqrt(max(n, 1) / ASPECT) * 1.6
    lane = np.where(group < 0, k, group)
    sizes = np.bincount(lane, minlength=k + 1)
    # Room by the square root of the size: small chambers stay visible beside large ones.
    room = np.where(sizes > 0, 1.0 + np.sqrt(sizes), 0.0)
    tall = width / ASPECT
    room *= (1 - GAPS) * tall / max(room[:k].sum() or room.sum(), 1e-9)
    starts = np.concatenate(([0.0], np.cumsum(room + GAPS * tall / max(np.count_nonzero(sizes), 1) * (sizes > 0))))
    top, bottom = -starts[:-1], -(starts[:-1] + room)
    scale = _scale(day, width)
    x = scale(day)
    y = np.zeros(n)
    for number in np.flatnonzero(sizes):
        mine = np.flatnonzero(lane == number)
        y[mine] = (top[number] + bottom[number]) / 2 + room[number] * 0.46 * _swarm(x[mine], width)
    height = float(-bottom[np.flatnonzero(sizes)].min(initial=0.0))
    linked = float(-bottom[np.flatnonzero(sizes[:k])].min(initial=0.0))
    return Timeline(np.column_stack((x, y)), top[:k], bottom[:k], _ticks(day, scale), float(width), height, linked)


def _scale(day: Integers, width: float) -> Any:
    """A function of days: 0 to `width`, never falling."""
    if not day.size:
        return lambda at: np.zeros(np.shape(at))
    first, last = int(day.min()), int(day.max())
    known, counts = np.unique(day, return_counts=True)
    before = (np.cumsum(counts) - counts / 2) / day.size
    span = max(last - first, 1)

    def at(days: NDArray[Any]) -> Floats:
        days = np.clip(days, first, last)
        return np.asarray(width * (0.5 * (days - first) / span + 0.5 * np.interp(days, known, before)))

    return at


def _swarm(x: Floats, width: float) -> Floats:
    """Heights in [-1, 1] for works of one lane: the more works stand at about the same x, the farther they spread.

    The sequence of van der Corput: neighbours in time are apart in height, without chance."""
    order = np.argsort(x, kind="stable")
    number = np.arange(x.size)
    height = np.zeros(x.size)
    share, left = 0.5, number + 1
    while left.any():
        height += share * (left & 1)
        left >>= 1
        share /= 2
    near = width / 60
    ordered = x[order]
    crowd = np.searchsorted(ordered, ordered + near, "right") - np.searchsorted(ordered, ordered - near, "left")
    spread = np.sqrt(crowd / max(crowd.max(initial=1), 1))
    out = np.zeros(x.size)
    out[order] = (2 * height - 1) * spread if x.size > 1 else 0.0
    return out


def _ticks(day: Integers, scale: Any) -> tuple[tuple[int, float], ...]:
    """First days of the years from the first to the last of `day`."""
    if not day.size:
        return ()
    years = day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    every = range(int(years.min()), int(years.max()) + 1)
    starts = np.array([np.datetime64(f"{year:04d}-01-01", "D") for year in every]).astype(np.int64)
    return tuple((year, round(float(x), 2)) for year, x in zip(every, scale(starts), strict=True))
