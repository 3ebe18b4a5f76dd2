"""Identifiers -> dense numbers, batch by batch, holding nothing but the table and one copy of each identifier.

Strings are compared by two 64-bit hashes with different seeds. The first places an identifier in the table, the
second checks that what lies there is the same one; two identifiers that agree in both are expected once in
10^25 worlds of five million works, and where only the first agrees the next slot is taken. Integers are their
own hashes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from coevo_pipelines.influence.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

FIRST_SLOTS = 1 << 12
SORTED_UP_TO = 2_000_000
"""More identifiers than this are numbered in order of hash: sorting them would take longer than the solve."""


@dataclass
class Numbering:
    """A growing table of identifiers of one type (`String` or `Int64`)."""

    dtype: pl.DataType
    table: Integers = field(default_factory=lambda: _empty(FIRST_SLOTS))
    """Shape (slots, 3): first hash, second hash, number + 1 or 0."""
    size: int = 0
    parts: list[pl.Series] = field(default_factory=list)

    def add(self, identifiers: pl.Series) -> Integers:
        """The number of each identifier, new ones numbered as they come. Shape (len,); no nulls allowed."""
        first, second = _hashes(identifiers)
        numbers = np.empty(first.size, dtype=np.int64)
        fresh = np.empty(first.size, dtype=np.int64)
        done = 0
        found = 0
        while done < first.size:
            if 2 * self.size >= self.table.shape[0]:
                self.table = _moved(self.table, _empty(2 * self.table.shape[0]))
            done, known = _number(first, second, done, self.size, self.table, numbers, fresh, found)
            found += known - self.size
            self.size = known
        if found:
            # By way of Arrow: what Polars gathers keeps all of the text alive that it was gathered from.
            self.parts.append(pl.Series(identifiers.gather(pl.Series(fresh[:found])).to_arrow()))
        return numbers

    def finish(self) -> tuple[pl.Series, Integers]:
        """The identifiers in their final order, and for each number given so far its final one.

        The order depends on the identifiers alone, not on how they came: sorted, or by hash when there are
        more than two million strings.
        """
        if not self.parts:
            return pl.Series("id", [], dtype=self.dtype), np.empty(0, dtype=np.int64)
        identifiers = pl.concat(self.parts, rechunk=True).rename("id")
        self.parts.clear()
        self.table = _empty(FIRST_SLOTS)
        if self.dtype == pl.String and self.size > SORTED_UP_TO:
            first, second = _hashes(identifiers)
            order = np.lexsort((second, first))
        else:
            order = identifiers.arg_sort().to_numpy().astype(np.int64)
        final = np.empty(self.size, dtype=np.int64)
        final[order] = np.arange(self.size)
        return identifiers.gather(pl.Series(order)), final


def _hashes(identifiers: pl.Series) -> tuple[Integers, Integers]:
    if identifiers.dtype == pl.String:
        return identifiers.hash(1).to_numpy().view(np.int64), identifiers.hash(2).to_numpy().view(np.int64)
    numbers = identifiers.to_numpy()
    # Neighbouring integers would fill neighbouring slots; an odd factor is a bijection that spreads them.
    return numbers * np.int64(-7046029254386353131), numbers


def _empty(slots: int) -> Integers:
    return np.zeros((slots, 3), dtype=np.int64)


@kernel
def _number(
    first: Integers,
    second: Integers,
    start: int,
    size: int,
    table: Integers,
    numbers: Integers,
    fresh: Integers,
    found: int,
) -> tuple[int, int]:
    """Number identifiers from `start` on until the table is half full; (where it stopped, size then)."""
    mask = table.shape[0] - 1
    for place in range(start, first.size):
        if 2 * size >= table.shape[0]:
            return place, size
        slot = (first[place] >> 20) & mask
        while True:
            number = table[slot, 2]
            if number == 0:
                table[slot, 0] = first[place]
                table[slot, 1] = second[place]
                size += 1
                table[slot, 2] = size
                numbers[place] = size - 1
                fresh[found] = place
                found += 1
                break
            if table[slot, 0] == first[place] and table[slot, 1] == second[place]:
                numbers[place] = number - 1
                break
            slot = (slot + 1) & mask
    return first.size, size


@kernel
def _moved(table: Integers, larger: Integers) -> Integers:
    """`larger` with the entries of `table`."""
    mask = larger.shape[0] - 1
    for old in range(table.shape[0]):
        if table[old, 2] == 0:
            continue
        slot = (table[old, 0] >> 20) & mask
        while larger[slot, 2] != 0:
            slot = (slot + 1) & mask
        for column in range(3):
            larger[slot, column] = table[old, column]
    return larger
