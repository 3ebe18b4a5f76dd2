"""What predictions earn: the specification's known answers, what pays best, and calibration."""

from __future__ import annotations

from math import log
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coevo_pipelines.swarm.config import Config
from coevo_pipelines.swarm.decisions.scoring import brier, ece, gap, log_loss, reliability, rewards

Mode = Literal["seed", "proper"]
GRID = [step / 100 for step in range(101)]
ODDS = [step / 20 for step in range(10, 21)]


@pytest.mark.parametrize(
    ("c", "correct", "valid", "expected"),
    [
        (0.7, True, True, (3.5, 0, 8)),
        (0.7, False, True, (-3.5, -3, 3)),
        (0.8, True, True, (4, 0, 8)),  # in floats, 1 - 0.8 < 0.2
        (0.9, True, True, (4.5, 3, 8)),
        (0.5, False, False, (-2.5, 0, -5)),
        (0.1, False, True, (-0.5, 3, 3)),
        (1, True, True, (5, 3, 8)),
        (1, False, False, (-5, -3, -5)),
        (0.2, False, True, (-1, 0, 3)),
        (0.5, True, True, (2.5, 0, 8)),
        (0.49, True, True, (2.45, -3, 8)),
    ],
)
def test_seed_rewards(c: float, correct: bool, valid: bool, expected: tuple[float, float, float]) -> None:
    """K3."""
    assert rewards(c, correct, valid, "seed") == pytest.approx(expected, abs=1e-12)


def test_seed_extremes() -> None:
    assert sum(rewards(1, True, True, "seed")) == 16
    assert sum(rewards(1, False, False, "seed")) == -13


@pytest.mark.parametrize(
    ("c", "correct", "expected"),
    [(1, True, (5, 3)), (1, False, (-5, -9)), (0.5, True, (5, 0)), (0.5, False, (-5, 0)), (0, False, (-5, 3))],
)
def test_proper_rewards(c: float, correct: bool, expected: tuple[float, float]) -> None:
    assert rewards(c, correct, True, "proper")[:2] == expected


def test_no_reward_is_a_negative_zero() -> None:
    """It would be written as -0.0."""
    assert str(rewards(0, False, True, "seed")[0]) == "0.0"


def expected_reward(p: float, c: float, mode: Mode) -> float:
    """Of prediction and calibration, when right with chance p."""
    right, wrong = (sum(rewards(c, each, True, mode)[:2]) for each in (True, False))
    return p * right + (1 - p) * wrong


def best(p: float, mode: Mode) -> list[float]:
    found = [expected_reward(p, c, mode) for c in GRID]
    return [c for c, each in zip(GRID, found, strict=True) if each > max(found) - 1e-9]


@pytest.mark.parametrize("p", ODDS)
def test_what_pays_best(p: float) -> None:
    """S6: honesty in proper mode, a bluff in seed mode; for a coin flip the bluff is one of several."""
    assert best(p, "proper") == [p]
    if p > 0.5:
        assert best(p, "seed") == [1]
        assert expected_reward(p, 1, "seed") == pytest.approx(8 * (2 * p - 1), abs=1e-12)
    else:
        found = best(p, "seed")
        assert 1 in found and len(found) > 1


@pytest.mark.parametrize(
    ("p", "honest", "half", "bluff"), [(0.6, -0.6, 0.5, 1.6), (0.7, 0.5, 1.0, 3.2), (0.9, 6.0, 2.0, 6.4)]
)
def test_seed_expectations(p: float, honest: float, half: float, bluff: float) -> None:
    """Section 8."""
    found = [expected_reward(p, c, "seed") for c in (p, 0.5, 1)]
    assert found == pytest.approx([honest, half, bluff], abs=1e-9)


@pytest.mark.parametrize(("p", "expected"), [(0.5, 0), (0.6, 1.12), (0.7, 2.48), (0.9, 5.92)])
def test_proper_expectations(p: float, expected: float) -> None:
    """Section 8."""
    assert expected_reward(p, p, "proper") == pytest.approx(expected, abs=1e-9)


def test_honesty_costs_below_two_thirds() -> None:
    """10p² - 2p - 3 on (1/2, 0.8] in seed mode: negative for p < 0.6568."""
    for p in (0.51, 0.6, 0.656, 0.657, 0.7, 0.8):
        assert expected_reward(p, p, "seed") == pytest.approx(10 * p * p - 2 * p - 3, abs=1e-9)
    assert expected_reward(0.6567, 0.6567, "seed") < 0 < expected_reward(0.6569, 0.6569, "seed")


def test_calibration_term_of_the_seed() -> None:
    """Its expectation in the five ranges of c, section 8."""
    for p in ODDS:
        for c in GRID:
            right, wrong = (rewards(c, each, True, "seed")[1] for each in (True, False))
            expected = (
                3 - 6 * p if c < 0.2 else
                -3 * p if c < 0.5 else
                0 if c == 0.5 else
                -3 * (1 - p) if c <= 0.8 else
                6 * p - 3
            )  # fmt: skip
            assert p * right + (1 - p) * wrong == pytest.approx(expected, abs=1e-9), (p, c)


def test_free_reasons_mint_lifeforce() -> None:
    """A coin flip whose reasons always count as valid earns 5.5 LF a marker; why a record is asked for."""
    assert (rewards(0.5, True, True, "seed")[2] + rewards(0.5, False, True, "seed")[2]) / 2 == 5.5


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_confidence_out_of_range(bad: float) -> None:
    for asked in (
        lambda: rewards(bad, True, True, "seed"),
        lambda: brier(bad, True),
        lambda: log_loss(bad, True),
        lambda: ece([bad], [True]),
    ):
        with pytest.raises(ValueError, match=f"confidence {bad}: it must be from 0 to 1"):
            asked()


def test_brier_and_log_loss() -> None:
    assert [brier(0.7, True), brier(0.7, False)] == pytest.approx([0.09, 0.49])
    assert [log_loss(0.7, True), log_loss(0.7, False)] == pytest.approx([-log(0.7), -log(0.3)])
    assert log_loss(1, False) == log_loss(0, True) == pytest.approx(52 * log(2))
    assert str(log_loss(1, True)) == "0.0"
    assert gap(0.8, True) == 0.2


@given(st.floats(0, 1), st.booleans())
def test_proper_calibration_is_the_brier_score(c: float, y: bool) -> None:
    assert rewards(c, y, True, "proper")[1] == pytest.approx(3 - 12 * brier(c, y), abs=1e-12)


def test_reliability_by_hand() -> None:
    """0.55, 0.5 in one bin, 0.6 and 0.7 in the bins that they begin, 1 in the last."""
    found = reliability([0.55, 0.6, 0.5, 1, 0.95, 0.7], [True, False, False, True, True, True])
    assert found == [
        (pytest.approx(0.525), 0.5, 2),
        (0.6, 0, 1),
        (0.7, 1, 1),
        (pytest.approx(0.975), 1, 2),
    ]
    expected = (2 * 0.025 + 0.6 + 0.3 + 2 * 0.025) / 6
    assert ece([0.55, 0.6, 0.5, 1, 0.95, 0.7], [True, False, False, True, True, True]) == pytest.approx(expected)


@pytest.mark.parametrize("edge", range(10))
def test_a_bin_holds_its_lower_edge(edge: int) -> None:
    """Also where the decimal is a little less or more as a float."""
    assert len(reliability([edge / 10, edge / 10 + 0.09], [True, True])) == 1
    assert len(reliability([edge / 10, max(edge / 10 - 0.01, 0)], [True, True])) == (2 if edge else 1)
    assert len(reliability([0.29, 0.295], [True, True], bins=100)) == 1  # 0.29 * 100 is below 29 in floats


def test_ece_extremes() -> None:
    assert ece([1, 1], [True, True]) == 0
    assert ece([1, 1], [False, False]) == 1
    assert (ece([], []), reliability([], [])) == (None, [])
    assert ece([0.9, 0.1], [True, True], bins=1) == 0.5


def test_honest_confidences_are_calibrated() -> None:
    chance = np.random.default_rng(2)
    p = chance.uniform(0.5, 1, 20_000)
    happened = chance.random(p.size) < p
    honest, bluff = ece(p.tolist(), happened.tolist()), ece([1.0] * p.size, happened.tolist())
    assert honest is not None and honest < 0.015
    assert bluff == pytest.approx(0.25, abs=0.015)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1), st.integers(1, 20))
def test_bins_hold_everything(pairs: list[tuple[float, bool]], bins: int) -> None:
    confidences, corrects = [c for c, _ in pairs], [y for _, y in pairs]
    found = reliability(confidences, corrects, bins)
    assert sum(count for _, _, count in found) == len(pairs)
    assert sum(mean * count for mean, _, count in found) == pytest.approx(sum(confidences))
    assert sum(right * count for _, right, count in found) == pytest.approx(sum(corrects))
    error = ece(confidences, corrects, bins)
    assert error is not None and 0 <= error <= 1


def test_bad_lists() -> None:
    with pytest.raises(ValueError, match="1 confidences but 2 results"):
        reliability([0.5], [True, False])
    with pytest.raises(ValueError, match="0 bins"):
        ece([0.5], [True], bins=0)


def test_costs_of_the_specification() -> None:
    """K5: one seeded love child at 20 LF that is passed on in nine clasps, 24.5, against ten taught apart, 200; a
    broadcast is as dear as 40 hops. K6: the ladder from 2 to 5."""
    config = Config()
    clasp = 2 * config.clasp_cost
    assert (20_000 + 9 * clasp, 10 * 20_000) == (24_500, 200_000)
    assert config.broadcast_cost == 40 * clasp
    assert sum(config.level_costs) == 175_000
