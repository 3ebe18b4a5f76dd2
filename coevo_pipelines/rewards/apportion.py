"""Exact division of a pool: floor, merit, caps and a minimum by water-filling, whole units by largest remainder.

Everything is whole numbers or exact fractions of them, so pools up to 10^30 and weights of any size come out to the
unit, and multiplying all weights by one number changes nothing. The definition is in influence_and_rewards (Rewards
2 to 5); water-filling is the classical one: who would get more than the cap gets the cap, and what is left is
divided again among the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

LARGE = 2**62
"""Weights below can be sorted as int64."""


@dataclass(frozen=True)
class Allocation:
    """What everybody gets, in whole minor units, in the order of the weights."""

    amounts: list[int]
    reserve: int
    """What nobody may get: everybody is capped, or nobody is there."""
    capped: list[bool]
    """Held at the cap: without it the amount would be larger."""
    dropped: list[bool]
    """Below the minimum."""
    floor: int
    """Whole units of the floor in the amount of each member that was not dropped."""


def largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """`total` whole units in proportion to `weights` (not negative), by largest remainder, ties to the first
    (Hamilton's method). Zeros when there is no weight."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    quotients, remainders = zip(*(divmod(total * weight, whole) for weight in weights), strict=True)
    return _seated(list(quotients), list(remainders), total - sum(quotients))


def allocate(
    weights: Sequence[int],
    pool: int,
    *,
    cap: int | None = None,
    minimum: int = 0,
    floor: int = 0,
    members: Sequence[bool] | None = None,
    exempt: Sequence[bool] | None = None,
) -> Allocation:
    """Divide `pool` minor units: `floor` of them equally among the `members` (default: everybody), the rest by weight.

    weights: whole numbers of at least 0, in the order of the recipients' ids, which is the order in which ties are
    broken. Nobody gets more than `cap` in all, before rounding and after. Below `minimum` the smallest is dropped, one
    at a time (of equals who has the least weight, of those the last), and its share divided again. Whoever is
    `exempt` has neither cap nor minimum.
    Raises ValueError for negative numbers and for a floor above the pool.
    """
    _checked(weights, pool, cap, minimum, floor)
    everybody = _everybody(weights, members, exempt)
    waters = _Waters(everybody, pool, floor, cap, minimum)
    waters.settle()
    return waters.poured(len(weights))


def _checked(weights: Sequence[int], pool: int, cap: int | None, minimum: int, floor: int) -> None:
    for name, number in {"pool": pool, "cap": cap or 0, "minimum": minimum, "floor": floor}.items():
        if number < 0:
            raise ValueError(f"the {name} is {number}: it must be at least 0")
    if floor > pool:
        raise ValueError(f"the floor {floor} is above the pool {pool}")
    if len(weights) and min(weights) < 0:
        raise ValueError(f"weight {list(weights).index(min(weights))} is {min(weights)}: it must be at least 0")


@dataclass(eq=False)
class _Group:
    """Recipients under one rule, by falling weight. The first `capped` are at the cap, those from `end` on dropped."""

    places: list[int]
    weights: list[int]
    has_floor: bool
    is_exempt: bool
    capped: int = 0
    end: int = field(init=False)
    sums: list[int] = field(init=False)
    """Of the weights before each place."""

    def __post_init__(self) -> None:
        self.end = len(self.places)
        self.sums = [*accumulate(self.weights, initial=0)]

    def weight(self, begin: int, end: int) -> int:
        """Of the recipients from `begin` on, before `end`."""
        return self.sums[max(end, begin)] - self.sums[begin]


def _everybody(weights: Sequence[int], members: Sequence[bool] | None, exempt: Sequence[bool] | None) -> list[_Group]:
    number = len(weights)
    inside = np.ones(number, np.bool_) if members is None else np.array(members, np.bool_)
    free = np.zeros(number, np.bool_) if exempt is None else np.array(exempt, np.bool_)
    large = number > 0 and max(weights) >= LARGE
    held = np.array(weights, object if large else np.int64)
    there = inside | (held > 0).astype(np.bool_)
    found = []
    for is_exempt in (False, True):
        for has_floor in (False, True):
            places = np.flatnonzero(there & (inside == has_floor) & (free == is_exempt))
            if not places.size:
                continue
            # Stable, both: equals stay in order.
            if large:
                ordered = sorted(places.tolist(), key=weights.__getitem__, reverse=True)
            else:
                ordered = places[np.argsort(-held[places], kind="stable")].tolist()
            found.append(_Group(ordered, held[ordered].tolist(), has_floor, is_exempt))
    return found


class _Waters:
    """The state of water-filling. Amounts are multiplied by `scale`, the number of members, so that the floor of each
    is whole; an amount is then base + weight * level / weight of all who are neither capped nor dropped."""

    def __init__(self, groups: list[_Group], pool: int, floor: int, cap: int | None, minimum: int) -> None:
        self.groups, self.pool, self.floor, self.cap, self.minimum = groups, pool, floor, cap, minimum
        self.open_weight = sum(group.sums[-1] for group in groups)
        self._measure()

    def _measure(self) -> None:
        """What follows from who is left."""
        members = sum(group.end for group in self.groups if group.has_floor)
        self.scale = max(members, 1)
        limit = None if self.cap is None else self.cap * self.scale
        self.limit = limit
        self.level = (self.pool - self.floor) * self.scale
        self.base, self.room = [], list[int | None]()
        for group in self.groups:
            base = self.floor if group.has_floor else 0
            if limit is not None and not group.is_exempt:
                base = min(base, limit)
            room = None if limit is None or group.is_exempt else limit - base
            self.base.append(base)
            self.room.append(room)
            self.level -= group.capped * (room or 0)

    def settle(self) -> None:
        """Cap and drop until everybody is between minimum and cap. Each step can only raise what the others get, so
        whoever was capped stays so, and whoever reached the minimum keeps it."""
        self._cap()
        if self.cap is not None and self.cap < self.minimum:
            self._drop_all()
            return
        while low := [found for found in map(self._last, self.groups) if found and found[0] < self._least]:
            if len(low) == 1:
                self._drop(low[0][3], self._until(low[0][3]))
            else:
                self._drop(min(low, key=lambda found: found[:3])[3], 1)
            self._cap()

    @property
    def _least(self) -> int:
        """The minimum in the unit of amounts."""
        return self.minimum * self.scale * max(self.open_weight, 1)

    def _drop_all(self) -> None:
        for group in self.groups:
            if not group.is_exempt:
                self.open_weight -= group.weight(group.capped, group.end)
                group.capped = group.end = 0
        self._measure()

    def _drop(self, group: _Group, number: int) -> None:
        """Leave out the last `number`, of whom none is capped unless all are."""
        self.open_weight -= group.weight(max(group.end - number, group.capped), group.end)
        group.end -= number
        group.capped = min(group.capped, group.end)
        self._measure()

    def _until(self, group: _Group) -> int:
        """How many of one group have to go, one at a time, until its last reaches the minimum: found by halving, for
        there may be millions. The last one's amount grows with each that is left out."""
        before = [(each, each.capped, each.end) for each in self.groups], self.open_weight
        low, high = 1, max(group.end - group.capped, 1)
        while low < high:
            middle = (low + high) // 2
            self._drop(group, middle)
            self._cap()
            found = self._last(group)
            enough = found is None or found[0] >= self._least
            for each, capped, end in before[0]:
                each.capped, each.end = capped, end
            self.open_weight = before[1]
            self._measure()
            low, high = (low, middle) if enough else (middle + 1, high)
        return low

    def _cap(self) -> None:
        changed = True
        while changed:
            changed = False
            for group, room in zip(self.groups, self.room, strict=True):
                if room is None:
                    continue
                while group.capped < group.end and group.weights[group.capped] * self.level > room * self.open_weight:
                    self.open_weight -= group.weights[group.capped]
                    self.level -= room
                    group.capped += 1
                    changed = True

    def _last(self, group: _Group) -> tuple[int, int, int, _Group] | None:
        """Amount of a group's last (times scale and open weight), its weight, and what breaks ties: of equals the
        last goes first."""
        if group.is_exempt or not group.end:
            return None
        at = self.groups.index(group)
        base, room, weight = self.base[at], self.room[at] or 0, group.weights[group.end - 1]
        open_weight = max(self.open_weight, 1)
        gains = room * open_weight if group.capped == group.end else weight * self.level
        return base * open_weight + gains, weight, -group.places[group.end - 1], group

    def poured(self, recipients: int) -> Allocation:
        """Whole units for everybody."""
        amounts, remainders = [0] * recipients, [0] * recipients
        capped, dropped = [False] * recipients, [False] * recipients
        open_weight = max(self.open_weight, 1)
        level = self.level if self.open_weight else 0
        whole = self.scale * open_weight
        for group, base, room in zip(self.groups, self.base, self.room, strict=True):
            fixed = base * open_weight
            for place in group.places[: group.capped]:
                amounts[place], capped[place] = (base + (room or 0)) // self.scale, True
            for place in group.places[group.end :]:
                dropped[place] = True
            between = slice(group.capped, group.end)
            for place, weight in zip(group.places[between], group.weights[between], strict=True):
                amounts[place], remainders[place] = divmod(fixed + weight * level, whole)
        seats = sum(remainders) // whole
        amounts = _seated(amounts, remainders, seats)
        members = any(group.has_floor and group.end for group in self.groups)
        floor = min((base for group, base in zip(self.groups, self.base, strict=True) if group.has_floor), default=0)
        return Allocation(amounts, self.pool - sum(amounts), capped, dropped, floor // self.scale if members else 0)


def _seated(amounts: list[int], remainders: list[int], seats: int) -> list[int]:
    """One unit more for the `seats` largest remainders, ties to the first."""
    if not seats:
        return amounts
    # Rounding to floating point keeps the order but for equals: only those at the border are compared exactly.
    shift = max(max(remainders).bit_length() - 1000, 0)
    rough = np.array([each >> shift for each in remainders] if shift else remainders, np.float64)
    border = np.partition(rough, rough.size - seats)[rough.size - seats]
    above = np.flatnonzero(rough > border).tolist()
    equal = sorted(np.flatnonzero(rough == border).tolist(), key=remainders.__getitem__, reverse=True)
    for place in (*above, *equal[: seats - len(above)]):
        amounts[place] += 1
    return amounts
