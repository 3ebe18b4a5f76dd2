"""What counts of successes say: when a weight turns, whose version is better and how sure that is, who must decide.

Only additions, multiplications and divisions, in a fixed order: the same numbers on every machine.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from math import comb, fsum, inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from coevo_pipelines.swarm.config import Importance, Winner
    from coevo_pipelines.swarm.records import Counts

PLACES = 12
"""Digits of a probability that are kept: those beyond are noise, and equal evidence is exactly 1/2."""
_HUGE = 1e290
_NOTHING = 1e-16


def g(k: int, n: int) -> float:
    """Chance that the success rate is above 1/2 after k successes in n trials, from a flat prior: P(θ > 1/2) for
    θ ~ Beta(1 + k, 1 + n - k), which is P(Bin(n + 1, 1/2) <= k). Raises ValueError unless 0 <= k <= n."""
    if not 0 <= k <= n:
        raise ValueError(f"{k} successes in {n} trials: successes must be from 0 to the number of trials")
    below = ways = 1
    for i in range(k):
        ways = ways * (n + 1 - i) // (i + 1)
        below += ways
    return below / (1 << n + 1)


def rule(most_trials: int, rise: float, fall: float) -> NDArray[np.int8]:
    """What a cell's weight becomes: (most_trials + 1, most_trials + 1) int8 by [n, k]. +1 where g >= rise, -1 where
    g <= fall, 0: stays as it is (and where k > n). Exact: both bounds are taken as the decimals that they are written
    as."""
    import numpy as np

    high, low = Fraction(str(rise)), Fraction(str(fall))
    table = np.zeros((most_trials + 1, most_trials + 1), np.int8)
    for n in range(most_trials + 1):
        for k, below in enumerate(accumulate(comb(n + 1, i) for i in range(n + 1))):
            chance = Fraction(below, 1 << n + 1)
            table[n, k] = (chance >= high) - (chance <= low)
    return table


def posterior(teacher: Counts, student: Counts) -> float:
    """q: the chance that the teacher's success rate is the higher one, from flat priors, rounded to `PLACES`.

    With X ~ Beta(a, b) and Y ~ Beta(c, d), a step of a or d raises P(X > Y) by h/a or h/d, where
    h = B(a + c, b + d) / (B(a, b) B(c, d)) (J. D. Cook, "Exact calculation of beta inequalities", 2005). Steps of both
    without end lead to certainty, so they sum to 1 - q; steps of b and c sum to q. Both sums begin at the same h,
    which their quotient does not need: no gamma function, no difference, and counts need not be whole. Time grows
    with the counts: some 50 µs for a few trials, 1 ms for 5,000. Raises ValueError for counts that cannot be.
    """
    _check(teacher)
    _check(student)
    a, b = teacher.k + 1.0, teacher.n - teacher.k + 1.0
    c, d = student.k + 1.0, student.n - student.k + 1.0
    return round(1 / (1 + _steps(a, b, c, d) / _steps(c, d, a, b)), PLACES)


def _steps(a: float, b: float, c: float, d: float) -> float:
    """(1 - P(X > Y)) / h for X ~ Beta(a, b), Y ~ Beta(c, d), all at least 1; infinite where it is beyond floats."""
    total, h, whole = 0.0, 1.0, a + b + c + d
    while total < _HUGE:
        total += h / a
        h *= (a + c) * (a + b) / (a * whole)
        a += 1
        whole += 1
        total += h / d
        h *= (b + d) * (c + d) / (d * whole)
        d += 1
        whole += 1
        # What two steps multiply h by crosses 1 at most once, downwards (its numerator less its denominator has one
        # change of sign among its coefficients), and nears 1/4: once small, the rest stays small.
        if h * (a + d) < _NOTHING * total * a * d:
            return total
    return inf


def _check(counts: Counts) -> None:
    if not 0 <= counts.k <= counts.n < inf:
        raise ValueError(
            f"{counts.k} successes in {counts.n} trials: successes must be from 0 to the number of trials, and finite"
        )


def confidence(q: float) -> float:
    """2 max(q, 1 - q) - 1: 0 for a coin flip, 1 for certainty."""
    return round(abs(2 * q - 1), PLACES)


def winner_of(q: float, teacher_trials: float, student_trials: float, within: float) -> Winner:
    """Who is more likely better; hybrid where |q - 1/2| < within, where q is 1/2, and where a side was never tried."""
    apart = round(abs(q - 0.5), PLACES)
    if not (teacher_trials and student_trials and apart) or apart < within:
        return "hybrid"
    return "teacher" if q > 0.5 else "student"


def should_escalate(c: float, importance: Importance, level: int, *, strict_seed: bool = False) -> bool:
    """Whether a decision with confidence c goes a level up. `strict_seed`: the literal order of the seed, where what
    is experimental escalates below 0.4 like everything else, not below 0.3."""
    if level >= 5:  # nobody above the council
        return False
    if importance == "experimental" and not strict_seed:
        return c < 0.3
    return c < 0.4 or (importance == "critical" and c < 0.7)


def evidence_delta(winner: Winner, teacher_live: Counts, student_live: Counts) -> float | None:
    """Success rate of the winner less that of the other, of the outcomes while the marker was open; negative where
    history decided against them. None for a hybrid, and where a side has no outcomes."""
    if winner == "hybrid" or not (teacher_live.n and student_live.n):
        return None
    delta = teacher_live.k / teacher_live.n - student_live.k / student_live.n
    return delta if winner == "teacher" else 0.0 - delta  # not -0.0


def fisher(teacher: Counts, student: Counts) -> float:
    """Fisher's exact test, two-sided: chance of counts as unlikely as these or more if both rates are the same and
    the totals are given (Agresti 1992, method b). Exact: whole numbers until the last division. Raises ValueError for
    counts that cannot be or are not whole."""
    for counts in (teacher, student):
        _check(counts)
        if counts.k % 1 or counts.n % 1:
            raise ValueError(f"{counts.k} successes in {counts.n} trials: the exact test needs whole numbers")
    mine, others, successes = int(teacher.n), int(student.n), int(teacher.k + student.k)
    first = max(0, successes - others)
    ways = [comb(mine, first) * comb(others, successes - first)]
    for x in range(first, min(mine, successes)):
        ways.append(ways[-1] * ((mine - x) * (successes - x)) // ((x + 1) * (others - successes + x + 1)))
    found = ways[int(teacher.k) - first]
    return sum(each for each in ways if each <= found) / comb(mine + others, successes)


def chances(
    teacher: Counts, student: Counts, teacher_trials: int, student_trials: int, *, with_past: bool = False
) -> tuple[float, float, float]:
    """Chances that the teacher's rate is higher in so many further trials a side, that the student's is, and that
    both are the same: successes to come are Beta-binomial given those so far and a flat prior. `with_past`: rates of
    the trials so far and those to come together. A side without trials ties. Raises ValueError for counts that cannot
    be."""
    _check(teacher)
    _check(student)
    if teacher_trials < 0 or student_trials < 0:
        raise ValueError(f"{min(teacher_trials, student_trials)} trials to come: a number from 0 is needed")
    sides = ((teacher, teacher_trials), (student, student_trials))
    mine, theirs = (_successes(counts, trials) for counts, trials in sides)
    (k, n), (j, m) = ((counts.k, counts.n + trials) if with_past else (0.0, trials) for counts, trials in sides)
    if not (n and m):
        return 0.0, 0.0, 1.0
    # Rates times both numbers of trials: to compare them needs no division.
    reached, other = [(k + x) * m for x in range(len(mine))], [(j + y) * n for y in range(len(theirs))]
    ties = dict(zip(other, theirs, strict=True))
    tie = fsum(chance * ties.get(value, 0.0) for chance, value in zip(mine, reached, strict=True))
    return _ahead(mine, reached, theirs, other), _ahead(theirs, other, mine, reached), tie


def _successes(counts: Counts, trials: int) -> list[float]:
    """Chances of 0, 1, … `trials` successes to come."""
    a, b = counts.k + 1.0, counts.n - counts.k + 1.0
    chance = [0.0] * (trials + 1)
    middle = int(trials * a / (a + b))  # near the highest: from there nothing overflows
    chance[middle] = 1.0
    for x in range(middle, trials):
        chance[x + 1] = chance[x] * ((trials - x) * (a + x)) / ((x + 1) * (b + trials - x - 1))
    for x in range(middle, 0, -1):
        chance[x - 1] = chance[x] * (x * (b + trials - x)) / ((trials - x + 1) * (a + x - 1))
    total = fsum(chance)
    return [each / total for each in chance]


def _ahead(mine: list[float], reached: list[float], theirs: list[float], other: list[float]) -> float:
    """Chance that what one reaches is more than what the other does; both ascend."""
    total, below, y = 0.0, 0.0, 0
    for chance, value in zip(mine, reached, strict=True):
        while y < len(other) and other[y] < value:
            below += theirs[y]
            y += 1
        total += chance * below
    return total
