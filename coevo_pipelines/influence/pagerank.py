"""Influence: PageRank with dated teleport and typed links, solved in one sweep where the links have no cycle.

x = (1-d) p + d (Pᵀ x + (Σ x over dangling) p). Let y solve y = p + d Pᵀ y; then x = y / Σ y, because the
dangling works only add a multiple of p. A work is visited after all that use it: its y is then final, and it
hands d times that on to what it uses. On a graph without cycles one sweep over the links is exact; what is left
over inside cycles is the residual, and further sweeps carry it on until it is as small as asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coevo_pipelines.influence.kernel import kernel
from coevo_pipelines.influence.links import RELATION_BITS, SOURCE_SHIFT, Chunk, Dropped, Links

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Flags = NDArray[np.int8]

TOLERANCE = 1e-12
MOST_SWEEPS = 20_000
UNTYPED = (1.0,)
FAINT = 1e-3
"""Where less than this share of all influence arrives over links, it is added up link by link: as the difference
between what a work has and what started there it would lose too many digits."""

_NAMED, _USES = 1, 2
"""What is known of a work from its own links: only that it is there, or that it uses another."""
_RELATION_BITS, _SOURCE_SHIFT = RELATION_BITS, SOURCE_SHIFT
_WORK_MASK = (1 << (SOURCE_SHIFT - RELATION_BITS)) - 1
_RELATION_MASK = (1 << RELATION_BITS) - 1


class NotConverged(RuntimeError):
    """The residual asked for was not reached."""


@dataclass(frozen=True)
class Solution:
    """Scores of works 0..n-1; `influence` sums to 1, `inflow` to 1, or is all 0 where nothing flows."""

    influence: Floats
    inflow: Floats
    """What arrives over links, without the teleport: Σ d P_ji x_j, as a share of all that arrives."""
    flow: float
    """All that arrives over links, as a share of all influence."""
    residual: float
    """Bound of the L1 norm of x - ((1-d) p + d (Pᵀ x + …))."""
    sweeps: int
    scale: float
    """Σ y: y = influence x scale, CiteRank's traffic for a teleport that sums to 1."""
    named: NDArray[np.bool_]
    """Which works a link names (all links of weight 0 and those of damping 0 may be overlooked)."""
    dropped: Dropped
    """What was passed over on the way: links that were held in memory are clean already."""

    @property
    def traffic(self) -> Floats:
        """y: expected visits of readers who start at p and follow a link with probability d (CiteRank)."""
        return self.influence * self.scale


def solve(
    links: Links,
    teleport: Floats,
    damping: float,
    *,
    relation_weight: tuple[float, ...] = UNTYPED,
    start: Floats | None = None,
    tolerance: float = TOLERANCE,
    give_up_above: float = np.inf,
    only_named: bool = False,
    tell: Callable[[int, float], None] = lambda _sweep, _residual: None,
) -> Solution:
    """Influence of each work, to an L1 residual of at most `tolerance`.

    `teleport`: shape (n,), not negative, with a positive sum (it is normalised). `relation_weight[r]`: what a
    relation type r weighs where it is present; its part is split equally (or by link weight) inside the type.
    `start`: `traffic` of an earlier solution, to begin from. `only_named`: a number that no link names is no work:
    nobody starts there. `tell(sweep, residual)` is called after each sweep.

    Raises ValueError for a teleport or damping that is no distribution and for a relation type without a weight,
    NotConverged after 20,000 sweeps, or when one leaves more than `give_up_above`.
    """
    mass = _mass(links.n, teleport, damping)
    if links.n == 0:
        return Solution(teleport, teleport, 0.0, 0.0, 0, 0.0, np.zeros(0, dtype=np.bool_), Dropped())
    weights = np.array(relation_weight, dtype=np.float64)
    residual = _placed(links, teleport / mass)
    score = np.zeros(links.n)
    linked = np.zeros(links.n, dtype=np.int8)
    counts = np.zeros(2, dtype=np.int64)
    dropped = named = None
    if start is not None:
        score = _placed(links, np.array(start, dtype=np.float64))
        residual -= score
        for chunk in links.chunks():
            _push(*_of(chunk), damping, weights, score, residual, False, linked, score, counts)
        dropped = Dropped(self_loops=int(counts[0]), duplicates=int(counts[1]))
    for sweep in range(1, MOST_SWEEPS + 1):
        for chunk in links.chunks():
            _push(*_of(chunk), damping, weights, residual, residual, True, linked, score, counts)
        dropped = dropped or Dropped(self_loops=int(counts[0]), duplicates=int(counts[1]))
        _settle(residual, score, linked)
        if only_named and named is None:
            still = _placed(links, teleport / mass)
            still -= score
            named = np.logical_or(linked > 0, residual > still)  # something has arrived
            score[~named] = 0.0
        scale = total(score)
        left = float((norm(residual) + abs(total(residual))) / scale)
        tell(sweep, left)
        if left <= tolerance:
            break
        if sweep == MOST_SWEEPS or left > give_up_above:
            asked = f"asked for {tolerance:.1e}; less damping takes fewer"
            raise NotConverged(f"residual {left:.1e} after {sweep} sweep(s), {asked}")
    assert dropped is not None
    # Vectors are all the memory there is: the residual has served.
    at_first = _placed(links, np.divide(teleport, mass, out=residual))
    arrived, named, started = _arrived(score, at_first, linked, named)
    flow = total(arrived)
    if flow < FAINT * scale and damping > 0:
        arrived[:] = 0.0
        for chunk in links.chunks():
            _push(*_of(chunk), damping, weights, score, arrived, False, linked, score, counts)
        flow = total(arrived)
    score /= scale
    if flow > 0:
        arrived /= flow
    if links.position is not None:
        score, arrived, named = score[links.position], arrived[links.position], named[links.position]
    return Solution(score, arrived, flow / scale, left, sweep, scale / started, named, dropped)


def _mass(n: int, teleport: Floats, damping: float) -> float:
    """What the teleport sums to; 0 when there is no work."""
    if not 0 <= damping < 1:
        raise ValueError(f"damping must be at least 0 and below 1, not {damping}")
    if teleport.shape != (n,):
        raise ValueError(f"teleport has shape {teleport.shape}, there are {n} works")
    sensible = n == 0 or (teleport.min() >= 0 and teleport.max() < np.inf)
    mass = total(teleport) if sensible else np.nan
    if n and not (mass > 0 and np.isfinite(mass)):
        raise ValueError("teleport must be finite, not negative, and positive for at least one work")
    return mass


def _arrived(
    score: Floats, started: Floats, linked: Flags, named: NDArray[np.bool_] | None
) -> tuple[Floats, NDArray[np.bool_], float]:
    """What came to each work over links, which works a link names, and all that started at those that count.

    `named`: those that count; None: all. `started`, what started at each work, is used up.
    """
    if named is not None:
        started[~named] = 0.0
    all_started = 1.0 if named is None else total(started)
    arrived = np.subtract(score, started, out=started)
    np.maximum(arrived, 0.0, out=arrived)
    return arrived, np.logical_or(linked > 0, arrived > 0.0) if named is None else named, all_started


def recency(age: Floats, tau: float) -> Floats:
    """Teleport ∝ exp(-age/τ), ages and τ in the same unit (CiteRank, Walker et al. 2007); shape as `age`.

    Ages are taken from the youngest work's: only their differences matter, and nothing underflows before
    it has to. Raises ValueError for a τ that is not positive.
    """
    if not tau > 0:
        raise ValueError(f"tau must be positive, not {tau}")
    return np.exp((age.min() - age) / tau) if age.size else age


@kernel
def total(values: Floats) -> float:
    """Sum in order of index with Neumaier's correction: the same bits on every machine."""
    result = 0.0
    lost = 0.0
    for value in values:
        added = result + value
        if abs(result) >= abs(value):
            lost += (result - added) + value
        else:
            lost += (value - added) + result
        result = added
    return result + lost


@kernel
def norm(values: Floats) -> float:
    """Sum of absolute values, in order of index."""
    result = 0.0
    for value in values:
        result += abs(value)
    return result


def _of(chunk: Chunk) -> tuple[Integers, Floats, bool]:
    return chunk.packed, chunk.weight, chunk.backwards


def _placed(links: Links, values: Floats) -> Floats:
    """`values` by work, in visiting numbers."""
    if links.position is None:
        return values
    placed = np.empty_like(values)
    placed[links.position] = values
    return placed


@kernel
def _push(  # noqa: PLR0912, PLR0915 - a kernel calls no other function
    packed: Integers,
    weight: Floats,
    backwards: bool,
    damping: float,
    relation_weight: Floats,
    take: Floats,
    give: Floats,
    settling: bool,
    linked: Flags,
    score: Floats,
    counts: Integers,
) -> None:
    """Hand `damping` times what each source has in `take` to the targets in `give`, source by source.

    When `settling`, `take` and `give` are both the residual and this is a Gauss-Seidel step: what a source had
    goes into `score`, and targets visited later pass on what they got. Else it adds d Pᵀ take to `give`. `linked`
    says which works use another; `counts` takes up self-loops and duplicates.
    """
    size = packed.size
    relations = relation_weight.size
    mass = np.zeros(relations)
    factor = np.zeros(relations)
    step = -1 if backwards else 1
    at = size - 1 if backwards else 0
    while 0 <= at < size:
        source = packed[at] >> _SOURCE_SHIFT
        end = at
        while 0 <= end < size and packed[end] >> _SOURCE_SHIFT == source:
            end += step
        low = end + 1 if backwards else at
        high = at + 1 if backwards else end
        at = end
        value = take[source]
        if value == 0.0 and linked[source] == _USES:
            continue
        mass[:] = 0.0
        previous = np.int64(-1)
        for place in range(low, high):
            word = packed[place]
            if word == previous:
                counts[1] += 1
                continue
            previous = word
            if (word >> _RELATION_BITS) & _WORK_MASK == source:
                counts[0] += 1
                linked[source] = max(linked[source], _NAMED)
                continue
            kind = word & _RELATION_MASK
            if kind >= relations:
                raise ValueError("a link has a relation type without a weight")
            mass[kind] += weight[place] if weight.size else 1.0
        present = 0.0
        for relation in range(relations):
            if mass[relation] > 0.0:
                present += relation_weight[relation]
        if present == 0.0:
            continue
        linked[source] = _USES
        if settling:
            score[source] += value
            take[source] = 0.0
        for relation in range(relations):
            if mass[relation] > 0.0:
                factor[relation] = value * damping * relation_weight[relation] / present
                if not weight.size:
                    factor[relation] /= mass[relation]
        previous = np.int64(-1)
        for place in range(low, high):
            word = packed[place]
            target = (word >> _RELATION_BITS) & _WORK_MASK
            if word == previous or target == source:
                continue
            previous = word
            kind = word & _RELATION_MASK
            # Weights may be too small to be divided by.
            give[target] += factor[kind] * (weight[place] / mass[kind]) if weight.size else factor[kind]


@kernel
def _settle(residual: Floats, score: Floats, linked: Flags) -> None:
    """Works that use nothing keep what they have."""
    for work in range(residual.size):
        if linked[work] != _USES:
            score[work] += residual[work]
            residual[work] = 0.0
