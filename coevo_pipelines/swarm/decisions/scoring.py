"""What a prediction is paid, and how good the confidences of many are."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import floor, fsum, log
from typing import Literal

PLACES = 9
"""To which |c - y| is rounded: in floats 1 - 0.8 is below 0.2."""


def gap(c: float, y: bool) -> float:
    """|c - y|, rounded."""
    return round(abs(c - y), PLACES)


def rewards(c: float, correct: bool, valid: bool, mode: Literal["seed", "proper"]) -> tuple[float, float, float]:
    """Prediction, calibration and causal reward in LF of one that was made with confidence c.

    seed: ±5c; +3 if |c - y| < 0.2, -3 if > 0.5. Not a proper scoring rule: whoever is right more often than not gains
    most with c = 1. proper: ±5; 3 (1 - 4 (c - y)^2), an affine Brier score (Brier 1950): best is the honest c.
    Reasoning, in both: +8 valid and right, +3 valid and wrong, -5 invalid. Raises ValueError unless 0 <= c <= 1.
    """
    _check(c)
    e, causal = gap(c, correct), -5.0 if not valid else 8.0 if correct else 3.0
    if mode == "proper":
        return (5.0 if correct else -5.0), 3 * (1 - 4 * e**2), causal
    stake = 5 * c
    return (stake if correct else 0.0 - stake), (3.0 if e < 0.2 else -3.0 if e > 0.5 else 0.0), causal


def brier(c: float, y: bool) -> float:
    """(c - y)^2 (Brier 1950). Raises ValueError unless 0 <= c <= 1."""
    _check(c)
    return gap(c, y) ** 2


def log_loss(c: float, y: bool) -> float:
    """-ln of the chance that was given to what happened, in nats; at most 36.04, which certainty in what did not
    happen gets. Raises ValueError unless 0 <= c <= 1."""
    _check(c)
    return 0.0 - log(max(c if y else 1 - c, sys.float_info.epsilon))


def reliability(
    confidences: Sequence[float], corrects: Sequence[bool], bins: int = 10
) -> list[tuple[float, float, int]]:
    """Mean confidence, share that was right and number, of each bin of equal width that holds any, lowest first. A
    bin holds its lower edge, the last one also 1. Raises ValueError for confidences outside [0, 1], for no bins, and
    unless both have the same length."""
    if bins < 1:
        raise ValueError(f"{bins} bins: at least 1 is needed")
    if len(confidences) != len(corrects):
        raise ValueError(f"{len(confidences)} confidences but {len(corrects)} results: each needs its own")
    held: dict[int, list[tuple[float, bool]]] = {}
    for c, y in zip(confidences, corrects, strict=True):
        _check(c)
        held.setdefault(min(floor(round(c * bins, PLACES)), bins - 1), []).append((c, y))
    return [
        (fsum(c for c, _ in held[each]) / len(held[each]), sum(y for _, y in held[each]) / len(held[each]),
         len(held[each])) for each in sorted(held)
    ]  # fmt: skip


def ece(confidences: Sequence[float], corrects: Sequence[bool], bins: int = 10) -> float | None:
    """Expected calibration error: |share right - mean confidence| of the bins, weighted by what they hold (Naeini et
    al. 2015; Guo et al. 2017). None of nothing. Raises ValueError as `reliability`."""
    found = reliability(confidences, corrects, bins)
    return fsum(count * abs(right - mean) for mean, right, count in found) / len(confidences) if found else None


def _check(c: float) -> None:
    if not 0 <= c <= 1:
        raise ValueError(f"confidence {c}: it must be from 0 to 1")
