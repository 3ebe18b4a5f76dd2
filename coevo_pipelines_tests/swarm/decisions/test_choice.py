"""S4: how often evidence picks the better of two versions that are both truly good.

A closed simulation of its own: both versions succeed more often than not, each organism has used its own for a time
that differs hundredfold, the cell remembers its last few trials, and both go on during a wait. Directions and bands,
not the specification's decimals: its prototype is not this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray

from coevo_pipelines.swarm.decisions.evidence import posterior, rule
from coevo_pipelines.swarm.records import Counts

BLENDS = 4_000
MOST_HISTORY = 18
USES = 0.3
"""A tick."""
WAITS = (5, 15, 47, 100)

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Blends:
    """(2, blends) each: teacher, student."""

    theta: NDArray[np.float64]
    verifications: Integers
    k: Integers
    n: Integers


@pytest.fixture(scope="module")
def blends() -> Blends:
    """Pairs of cells at +1 by their own trials, with success rates above 1/2."""
    chance = np.random.default_rng(7)
    size = 6 * BLENDS
    theta = chance.uniform(0.5, 1, size)
    lifetime = np.exp(chance.uniform(np.log(10), np.log(1000), size)).astype(np.int64)
    n = np.minimum(lifetime, chance.integers(3, MOST_HISTORY + 1, size))
    k = chance.binomial(n, theta)
    verifications = k + chance.binomial(lifetime - n, theta)
    at_plus = np.flatnonzero(rule(MOST_HISTORY, 0.9, 0.1)[n, k] == 1)[: 2 * BLENDS]
    assert at_plus.size == 2 * BLENDS
    at_plus = at_plus.reshape(2, -1)
    return Blends(theta[at_plus], verifications[at_plus], k[at_plus], n[at_plus])


def right(blends: Blends, mine: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Share of the blends where the larger of two scores is the better version's; a tie counts half."""
    better = blends.theta[0] > blends.theta[1]
    return float(np.where(mine == theirs, 0.5, (mine > theirs) == better).mean())


def by_posterior(blends: Blends, k: Integers, n: Integers) -> float:
    """The same where q decides."""
    rows, of = np.unique(np.stack([k[0], n[0], k[1], n[1]], axis=1), axis=0, return_inverse=True)
    q = np.array([posterior(Counts(*row[:2]), Counts(*row[2:])) for row in rows.tolist()])[of]
    return right(blends, q, 1 - q)


@pytest.fixture(scope="module")
def history(blends: Blends) -> float:
    return by_posterior(blends, blends.k, blends.n)


@pytest.fixture(scope="module")
def waits(blends: Blends) -> dict[int, tuple[float, float]]:
    """By ticks of waiting: by live outcomes only, by all."""
    chance = np.random.default_rng(8)
    found = {}
    for ticks in WAITS:
        n = chance.binomial(ticks, USES, blends.n.shape)
        k = chance.binomial(n, blends.theta)
        found[ticks] = by_posterior(blends, k, n), by_posterior(blends, blends.k + k, blends.n + n)
    return found


def test_number_of_verifications_is_a_coin_flip(blends: Blends, history: float) -> None:
    """It measures age."""
    found = right(blends, *blends.verifications.astype(np.float64))
    assert found == pytest.approx(0.5, abs=0.06)
    assert history > found + 0.1


def test_history_is_right_three_times_in_four(blends: Blends, history: float) -> None:
    assert history == pytest.approx(0.725, abs=0.06)
    assert right(blends, *(blends.k / blends.n)) == pytest.approx(history, abs=0.04)


def test_live_outcomes_alone_are_worse_than_history_at_first(
    history: float, waits: dict[int, tuple[float, float]]
) -> None:
    """Below some ten trials a side, which is a wait of 33 ticks."""
    live = [each for each, _ in waits.values()]
    assert live == sorted(live)
    assert live[0] < history - 0.05
    assert live[1] < history
    assert live[3] > history
    assert live == pytest.approx([0.597, 0.671, 0.767, 0.823], abs=0.07)


def test_only_both_together_are_best_at_every_wait(history: float, waits: dict[int, tuple[float, float]]) -> None:
    every = [each for _, each in waits.values()]
    assert every == sorted(every)
    assert every[0] > history
    assert all(each > live for live, each in waits.values())
    assert waits[5][1] - waits[5][0] > 0.08 > waits[100][1] - waits[100][0]
    assert every == pytest.approx([0.736, 0.765, 0.810, 0.843], abs=0.06)


def test_worked_rates_are_told_apart() -> None:
    """True rates of 0.8 and 4/7, 15 and 14 trials: evidence picks the better one with 92.6 %, by the exact sum over
    all that can happen."""

    def chance(k: int, n: int, rate: float) -> float:
        return comb(n, k) * rate**k * (1 - rate) ** (n - k)

    found = sum(
        chance(k, 15, 0.8) * chance(j, 14, 4 / 7)
        for k in range(16)
        for j in range(15)
        if posterior(Counts(k, 15), Counts(j, 14)) > 0.5
    )
    assert found == pytest.approx(0.926, abs=5e-4)
