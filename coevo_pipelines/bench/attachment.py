"""Who is referred to: preferential attachment with ageing, for edge lists and for worlds.

The constants of the kernel stand beside it: compiled code is cached by the file that it is in.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.bench.vectors import Floats, Ints
from coevo_pipelines.influence.kernel import kernel

CHUNK = 1_000_000
"""Rows drawn, or written as one row group, at a time."""

COPIED = 0.65
"""Share of references that are found in somebody else's reference list. Copying the target of a random earlier
reference *is* preferential attachment. With appeal and ageing it gives what citation counts are measured to have:
a tail exponent near 3, a quarter of all citations on one work in a hundred, four works in ten never cited."""

APPEAL = 2
"""The appeal of a work is a uniform number to this power: most works have little."""

NEWER = 0.002
"""Share of references to a work that is a little newer (revised preprints cite each other): without them a
citation graph has no cycles, and a solver that only works on acyclic graphs would look right."""

NEWER_REACH = 0.003
"""How far ahead those point, as a share of all works: about two weeks at the growth of papers
(`GROWTH` in `world/shape.py`)."""

REFERENCE_SPREAD = 0.9
"""Sigma of the lognormal lengths of reference lists."""


def sources_of(starts: Ints, first: int, last: int) -> Ints:
    """(last - first,): the source of each of the rows first..last-1."""
    low = int(np.searchsorted(starts, first, "right")) - 1
    high = int(np.searchsorted(starts, last, "left"))
    bounds = np.clip(starts[low : high + 1], first, last)
    return np.repeat(np.arange(low, high, dtype=np.int64), np.diff(bounds))


@kernel
def fill_targets(
    targets: NDArray[np.int32],
    first: int,
    sources: Ints,
    how: Floats,
    where: Floats,
    least: Floats,
    appeal: NDArray[np.float32],
    reach: int,
) -> None:
    """Fill `targets` from row `first` on. `how`, `where` and `least` are uniform in [0, 1).

    A reference copies the target of an earlier row, or takes the next older work that appeals enough. The
    roots are the ageing: where output grows exponentially, id x u^(1/4) says that lags in time are exponential,
    with a mean of a quarter of the time in which output grows e-fold (1.8 years here), and a copy goes back twice
    as far. And the square root is the one root that every machine rounds alike.
    """
    for k in range(sources.size):
        row = first + k
        source = sources[k]
        root = math.sqrt(where[k])
        target = source
        if how[k] < COPIED:
            target = targets[int(row * root)]
        elif how[k] >= 1.0 - NEWER:
            target = source + 1 + int(where[k] * reach)
            if target < appeal.size:
                targets[row] = target
                continue
        if target >= source:  # nothing to copy yet, a target newer than the source, or a fresh find
            target = min(int(source * math.sqrt(root)), source - 1)
            while target > 0 and appeal[target] < least[k]:
                target -= 1
        targets[row] = target
