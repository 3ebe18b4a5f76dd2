"""Predictions: whom they favour, how surely, why, and how they come out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.swarm.config import Config, Moment, Winner
from coevo_pipelines.swarm.decisions.evidence import chances
from coevo_pipelines.swarm.decisions.predictions import FEATURES, claim, feature, predict, score
from coevo_pipelines.swarm.decisions.scoring import ece
from coevo_pipelines.swarm.records import Case, Claim, Counts, Prediction, Side

PROPER, SEED = Config(), Config(rewards="seed")
NOON = Moment(tick=7, at=datetime(2026, 11, 20, 12, tzinfo=UTC), partition="2026-11-20")
SIDE = Side("repo:a", "v1", 1, Counts(12, 15, 40), Counts(0, 0), 700, "ELDER", 0.75, 0.5)
OTHER = Side("repo:b", "v2", 1, Counts(8, 14, 8), Counts(0, 0), 20, "YOUNG", 0.75, 0.6)
NONE = Counts(0, 0)


def case(teacher: Side = SIDE, student: Side = OTHER) -> Case:
    return Case("blend_1_1", "PSO", "standard", "blend", teacher, student)


def asked(of: Case, config: Config = PROPER, trials: int = 10) -> Prediction:
    return predict(of, prediction_id="predict_1_1", at=NOON, horizon=50, trials=trials, config=config)


def scored(
    config: Config, later: tuple[Counts, Counts] = (NONE, NONE), resolved: Winner | None = "teacher", **fields: object
) -> Prediction:
    found = replace(asked(case(), config), **fields)  # type: ignore[arg-type]
    score(found, *later, resolved, 0, 0, config)
    return found


def test_worked_prediction() -> None:
    """12/15 against 8/14, ten more trials each: 0.728 / (0.728 + 0.161) on later outcomes; on all evidence 0.984."""
    found = asked(case())
    assert (found.prediction_id, found.marker_id, found.pattern) == ("predict_1_1", "blend_1_1", "PSO")
    assert (found.predicted, found.horizon, found.teacher, found.student) == (NOON, 50, SIDE, OTHER)
    assert (found.predicted_winner, round(found.confidence, 3)) == ("teacher", 0.819)
    assert round(asked(case(), SEED).confidence, 3) == 0.984
    assert found.claims == (
        Claim("posterior_rate", 13 / 17, 9 / 16, "teacher"),
        Claim("verifications", 40, 8, "teacher"),
        Claim("age", 700, 20, "teacher"),
        Claim("tier", 3, 0, "teacher"),
    )  # influence is the same, consensus is for the other
    assert found.causal_reasoning == (
        "PSO: v1 (teacher repo:a) over v2 (student repo:b), confidence 0.819: posterior rate 0.765 to 0.562; "
        "verifications 40 to 8; age 700 to 20; tier 3 to 0."
    )
    assert (found.scored_on, found.valid, found.correct, found.prediction_reward) == (None, None, None, None)


def test_the_student_may_be_the_favourite() -> None:
    mirrored, found = asked(case()), asked(case(OTHER, SIDE))
    assert (found.predicted_winner, found.confidence) == ("student", mirrored.confidence)
    assert [each.feature for each in found.claims] == [each.feature for each in mirrored.claims]
    assert found.causal_reasoning.startswith("PSO: v1 (student repo:a) over v2 (teacher repo:b), confidence 0.819: po")
    assert "verifications 40 to 8;" in found.causal_reasoning


@pytest.mark.parametrize(
    ("name", "expected"),
    [("posterior_rate", 13 / 17), ("verifications", 40), ("age", 700), ("influence", 0.75), ("consensus", 0.5)],
)
def test_features(name: str, expected: float) -> None:
    assert feature(name, SIDE, PROPER) == expected


def test_teach_ranks_are_the_configurations() -> None:
    tiers = ("YOUNG", "ADULT", "LOVE_CHILD", "ELDER")
    assert [feature("tier", replace(SIDE, tier=each), PROPER) for each in tiers] == [0, 1, 2, 3]
    assert FEATURES == ("posterior_rate", "verifications", "age", "tier", "influence", "consensus")
    with pytest.raises(ValueError, match="no feature 'charm': there are posterior_rate, verifications"):
        feature("charm", SIDE, PROPER)


def test_nothing_tells_equals_apart() -> None:
    found = asked(case(SIDE, replace(SIDE, organism_id="repo:b", version_id="v2")))
    assert (found.predicted_winner, found.confidence, found.claims) == ("teacher", 0.5, ())
    assert found.causal_reasoning.endswith("confidence 0.500: nothing tells them apart.")
    score(found, Counts(3, 3), Counts(0, 3), "teacher", 0, 0, PROPER)
    assert (found.correct, found.valid, found.causal_reward) == (True, False, -5)  # no reason is no valid reason


def test_equal_rates_leave_the_lead_to_the_next() -> None:
    """1/2 and 5/10 both promise 1/2, and chances that mirror each other: the floats' noise chooses nobody."""
    mine, theirs = replace(SIDE, counts=Counts(1, 2, 1)), replace(OTHER, counts=Counts(5, 10, 5))
    found = asked(case(mine, theirs))
    assert (found.predicted_winner, found.confidence) == ("teacher", 0.5)
    assert [each.feature for each in found.claims] == ["age", "tier"]


def test_the_lead_may_speak_against() -> None:
    """Frozen, 1 of 1 stays the higher rate; its mean from a flat prior is the lower. That is said, and is not valid."""
    found = asked(case(replace(SIDE, counts=Counts(1, 1, 1)), replace(OTHER, counts=Counts(50, 60, 50))), SEED, 0)
    assert (found.predicted_winner, found.confidence) == ("teacher", 1)
    assert found.claims[0] == Claim("posterior_rate", 2 / 3, 51 / 62, "student")
    assert [each.feature for each in found.claims[1:]] == ["age", "tier"]
    assert ": posterior rate 0.667 to 0.823 (speaks against it); age 700 to 20;" in found.causal_reasoning
    score(found, NONE, NONE, "teacher", 0, 0, SEED)
    assert (found.correct, found.valid, found.causal_reward) == (True, False, -5)


def test_frozen_sides_are_certain_on_all_evidence() -> None:
    """Nothing can change; where later outcomes decide, it is asked what happens if there are enough to score."""
    assert asked(case(), SEED, trials=0).confidence == 1
    least = chances(SIDE.counts, OTHER.counts, 3, 3)
    assert asked(case(), PROPER, trials=0).confidence == pytest.approx(least[0] / (least[0] + least[1]), abs=1e-12)
    untried = case(replace(SIDE, counts=NONE), replace(OTHER, counts=NONE))
    assert asked(untried, SEED, trials=0).confidence == 0.5


@settings(max_examples=50)
@given(*[st.integers(0, 60)] * 4, st.integers(0, 30), st.sampled_from([PROPER, SEED]))
def test_predictions_are_sound(k: int, failed: int, j: int, lost: int, trials: int, config: Config) -> None:
    teacher = replace(SIDE, counts=Counts(k, k + failed, k))
    student = replace(OTHER, counts=Counts(j, j + lost, j))
    found = asked(case(teacher, student), config, trials)
    assert 0.5 <= found.confidence <= 1
    assert found == asked(case(teacher, student), config, trials)
    assert {each.favours for each in found.claims[1:]} <= {found.predicted_winner}
    mirrored = asked(case(student, teacher), config, trials)
    assert mirrored.confidence == found.confidence
    if found.confidence > 0.5:
        assert mirrored.predicted_winner != found.predicted_winner


def test_later_outcomes_decide_in_proper_mode() -> None:
    """c = 0.819 and right: Brier (0.181)²; the resolution does not matter."""
    found = scored(PROPER, (Counts(3, 4), Counts(2, 4)), "student")
    assert (found.scored_on, found.actual_winner, found.correct, found.calibrated) == (
        "post_prediction", "teacher", True, True,
    )  # fmt: skip
    gap = 1 - found.confidence
    assert found.brier == pytest.approx(gap**2)
    assert found.log_loss == pytest.approx(-log(found.confidence))
    assert found.calibration_reward == pytest.approx(3 - 12 * gap**2)
    assert (found.prediction_reward, found.causal_reward, found.valid, found.void_reason) == (5, 8, True, None)
    wrong = scored(PROPER, (Counts(2, 4), Counts(3, 4)), "teacher")
    assert (wrong.actual_winner, wrong.correct, wrong.calibrated) == ("student", False, False)
    assert (wrong.prediction_reward, wrong.causal_reward) == (-5, 3)


def test_the_resolution_decides_in_seed_mode() -> None:
    found = scored(SEED, (Counts(0, 9), Counts(9, 9)), "teacher", confidence=0.7)
    assert (found.scored_on, found.actual_winner, found.correct) == ("all_evidence", "teacher", True)
    assert (found.prediction_reward, found.calibration_reward, found.causal_reward) == (3.5, 0, 8)
    found = scored(SEED, resolved="student", confidence=0.7)
    assert (found.prediction_reward, found.calibration_reward, found.causal_reward) == (-3.5, -3, 3)


@pytest.mark.parametrize(("c", "calibrated"), [(0.8, False), (0.81, True), (0.8000001, True), (1.0, True)])
def test_calibrated_is_rounded(c: float, calibrated: bool) -> None:
    """K3: in floats 1 - 0.8 < 0.2."""
    found = scored(SEED, confidence=c)
    assert (found.calibrated, found.calibration_reward) == (calibrated, 3 if calibrated else 0)


@pytest.mark.parametrize("rewards", ["seed", "proper"])
@pytest.mark.parametrize("on", ["all_evidence", "post_prediction"])
def test_either_truth_goes_with_either_reward(rewards: str, on: str) -> None:
    config = Config.model_validate({"rewards": rewards, "scored_on": on})
    found = scored(config, (Counts(0, 3), Counts(3, 3)), "teacher")
    assert (found.scored_on, found.correct) == (on, on == "all_evidence")
    assert found.prediction_reward is not None
    stake = 5 if rewards == "proper" else 5 * found.confidence
    assert abs(found.prediction_reward) == pytest.approx(stake)


@pytest.mark.parametrize(
    ("config", "later", "resolved", "actual", "why"),
    [
        (PROPER, (Counts(2, 2), Counts(0, 3)), "teacher", None, "2 later outcomes of the teacher, fewer than 3"),
        (PROPER, (Counts(3, 3), Counts(0, 0)), "teacher", None, "0 later outcomes of the student, fewer than 3"),
        (PROPER, (Counts(2, 4), Counts(3, 6)), "teacher", "hybrid", "both had the same rate in later outcomes"),
        (PROPER, (Counts(3, 3), Counts(0, 3)), None, None, "the marker was void"),
        (SEED, (Counts(3, 3), Counts(0, 3)), None, None, "the marker was void"),
        (SEED, (Counts(3, 3), Counts(0, 3)), "hybrid", "hybrid", "the marker's outcome is a hybrid"),
    ],
)
def test_void(
    config: Config, later: tuple[Counts, Counts], resolved: Winner | None, actual: Winner | None, why: str
) -> None:
    found = scored(config, later, resolved)
    assert (found.actual_winner, found.void_reason) == (actual, why)
    assert (found.prediction_reward, found.calibration_reward, found.causal_reward) == (0, 0, 0)
    assert found.correct is found.calibrated is found.brier is found.log_loss is None
    assert found.scored_on == config.prediction_scored_on


@pytest.mark.parametrize(
    ("hits", "of", "valid"),
    [(0, 0, True), (0, 9, True), (5, 10, False), (6, 10, True), (0, 10, False), (10, 20, False), (11, 20, True)],
)
def test_record_of_the_lead_feature(hits: int, of: int, valid: bool) -> None:
    """More often right than not, asked from ten markers on."""
    found = asked(case())
    score(found, Counts(3, 3), Counts(0, 3), "teacher", hits, of, PROPER)
    assert (found.valid, found.causal_reward) == (valid, 8 if valid else -5)


@pytest.mark.parametrize(
    "claims",
    [
        (),
        (Claim("posterior_rate", 0.9, 9 / 16, "teacher"),),  # not what the snapshot says
        (Claim("posterior_rate", 13 / 17, 9 / 16, "student"),),  # not what the values say
        (Claim("posterior_rate", 13 / 17, 9 / 16, "teacher"), Claim("consensus", 0.5, 0.6, "student")),
        (Claim("influence", 0.75, 0.75, "teacher"),),  # a tie is no reason
        (Claim("charm", 1, 0, "teacher"),),
    ],
)
def test_invalid_reasons(claims: tuple[Claim, ...]) -> None:
    found = scored(PROPER, (Counts(3, 3), Counts(0, 3)), claims=claims)
    assert (found.valid, found.correct, found.causal_reward) == (False, True, -5)


def test_claim_of_a_tie_is_none() -> None:
    assert claim("influence", SIDE, OTHER, PROPER) is None
    assert claim("consensus", SIDE, OTHER, PROPER) == Claim("consensus", 0.5, 0.6, "student")


def test_confidences_mean_what_they_say() -> None:
    """Rates drawn from the prior, counts from them, later outcomes too: predictions with confidence c are right with
    chance c, on later outcomes and on all evidence."""
    chance = np.random.default_rng(3)
    for config in (PROPER, SEED):
        sure, right = [], []
        for theta in chance.random((1500, 2)):
            n = chance.integers(0, 20, 2)
            k, later = chance.binomial(n, theta), chance.binomial(8, theta)
            before = [Counts(int(each), int(tried)) for each, tried in zip(k, n, strict=True)]
            found = asked(case(replace(SIDE, counts=before[0]), replace(OTHER, counts=before[1])), config, trials=8)
            rates = later / 8 if config is PROPER else (k + later) / (n + 8)
            if rates[0] == rates[1]:
                continue
            resolved: Winner = "teacher" if rates[0] > rates[1] else "student"
            score(found, Counts(int(later[0]), 8), Counts(int(later[1]), 8), resolved, 0, 0, config)
            assert found.correct is not None
            sure.append(found.confidence)
            right.append(found.correct)
        error = ece(sure, right)
        assert error is not None and error < 0.05
        assert np.mean(right) == pytest.approx(np.mean(sure), abs=0.03)
