"""What Nyx expects of an open marker before slumber, why, and how it came out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from coevo_pipelines.swarm.config import TIERS
from coevo_pipelines.swarm.decisions.evidence import PLACES, chances
from coevo_pipelines.swarm.decisions.scoring import brier, gap, log_loss, rewards
from coevo_pipelines.swarm.records import Claim, Prediction

if TYPE_CHECKING:
    from coevo_pipelines.swarm.config import Config, Moment, Winner
    from coevo_pipelines.swarm.records import Case, Counts, Side

    Favourite = Literal["teacher", "student"]

FEATURES = ("posterior_rate", "verifications", "age", "tier", "influence", "consensus")
"""What a claim may be about; the first one leads. More of it speaks for a side."""
FEWEST_RECORD = 10
"""Markers that the lead feature must have been right about more often than not; fewer say nothing."""


def feature(name: str, side: Side, config: Config) -> float:
    """What a side has of a feature: (k + 1) / (n + 2); lifetime successes; ticks; teach rank; percentile; share.
    Raises ValueError for one that is not in `FEATURES`."""
    match name:
        case "posterior_rate":
            return (side.counts.k + 1) / (side.counts.n + 2)
        case "verifications":
            return side.counts.verifications
        case "age":
            return side.age
        case "tier":
            return config.tiers[TIERS.index(side.tier)].teach_rank
        case "influence":
            return side.influence
        case "consensus":
            return side.consensus
    raise ValueError(f"no feature {name!r}: there are {', '.join(FEATURES)}")


def claim(name: str, teacher: Side, student: Side, config: Config) -> Claim | None:
    """What a feature says of two sides; None where both have the same. Raises ValueError as `feature`."""
    mine, theirs = (float(feature(name, side, config)) for side in (teacher, student))
    return None if mine == theirs else Claim(name, mine, theirs, "teacher" if mine > theirs else "student")


def predict(case: Case, *, prediction_id: str, at: Moment, horizon: int, trials: int, config: Config) -> Prediction:
    """Who will have the higher success rate in the outcomes that score it, with what chance (ties left out), and why.

    `trials`: those expected of each side within `horizon` ticks. Where later outcomes decide, at least as many as
    scoring needs; where all evidence does, that so far is part of it. Of equal chances the teacher has the favour.
    """
    later = config.prediction_scored_on == "post_prediction"
    ahead = max(trials, config.fewest_outcomes) if later else trials
    found = chances(case.teacher.counts, case.student.counts, ahead, ahead, with_past=not later)
    mine, theirs = (round(each, PLACES) for each in found[:2])
    favourite: Favourite = "teacher" if mine >= theirs else "student"
    sure = round(max(mine, theirs) / (mine + theirs), PLACES) if mine + theirs else 0.5
    every = [claim(name, case.teacher, case.student, config) for name in FEATURES]
    lead, *others = every
    claims = tuple(each for each in (lead, *(each for each in others if each and each.favours == favourite)) if each)
    return Prediction(
        prediction_id=prediction_id,
        marker_id=case.marker_id,
        pattern=case.pattern,
        predicted_winner=favourite,
        confidence=sure,
        claims=claims,
        causal_reasoning=_told(case, favourite, sure, claims),
        teacher=case.teacher,
        student=case.student,
        predicted=at,
        horizon=horizon,
    )


def _told(case: Case, favourite: Favourite, sure: float, claims: tuple[Claim, ...]) -> str:
    sides = {"teacher": case.teacher, "student": case.student}
    names = [f"{side.version_id} ({role} {side.organism_id})" for role, side in sides.items()]
    if favourite == "student":
        names.reverse()
    reasons = []
    for each in claims:
        values = [_number(value) for value in (each.teacher_value, each.student_value)]
        if favourite == "student":
            values.reverse()
        against = "" if each.favours == favourite else " (speaks against it)"
        reasons.append(f"{each.feature.replace('_', ' ')} {values[0]} to {values[1]}{against}")
    why = "; ".join(reasons) or "nothing tells them apart"
    return f"{case.pattern}: {names[0]} over {names[1]}, confidence {sure:.3f}: {why}."


def _number(value: float) -> str:
    return f"{value:.3f}" if value % 1 else f"{value:.0f}"


def score(
    prediction: Prediction,
    teacher_later: Counts,
    student_later: Counts,
    resolved: Winner | None,
    hits: int,
    of: int,
    config: Config,
) -> None:
    """Write into a prediction how it came out and what it earns (all but `scored_tick`).

    The truth is who had the higher rate of later outcomes (`post_prediction`) or who won the marker (`all_evidence`).
    Void, with rewards 0: the marker was (`resolved` is None); too few later outcomes or a tie of their rates; a
    hybrid, where all evidence decides. `hits` of `of`: how often the side that the first claim's feature favours won,
    of the markers resolved before it was made.
    """
    prediction.scored_on = config.prediction_scored_on
    prediction.valid = _valid(prediction, hits, of, config)
    actual, void = _truth(teacher_later, student_later, resolved, config)
    prediction.actual_winner, prediction.void_reason = actual, void
    if void is not None:
        prediction.prediction_reward = prediction.calibration_reward = prediction.causal_reward = 0.0
        return
    c, correct = prediction.confidence, prediction.predicted_winner == actual
    prediction.correct, prediction.calibrated = correct, gap(c, correct) < 0.2
    prediction.prediction_reward, prediction.calibration_reward, prediction.causal_reward = rewards(
        c, correct, prediction.valid, config.rewards
    )
    prediction.brier, prediction.log_loss = brier(c, correct), log_loss(c, correct)


def _truth(
    teacher_later: Counts, student_later: Counts, resolved: Winner | None, config: Config
) -> tuple[Winner | None, str | None]:
    """Who was better, and why that cannot be scored."""
    if resolved is None:
        return None, "the marker was void"
    if config.prediction_scored_on == "all_evidence":
        return resolved, "the marker's outcome is a hybrid" if resolved == "hybrid" else None
    for side, counts in (("teacher", teacher_later), ("student", student_later)):
        if counts.n < config.fewest_outcomes:
            return None, f"{counts.n:.0f} later outcomes of the {side}, fewer than {config.fewest_outcomes}"
    mine, theirs = teacher_later.k * student_later.n, student_later.k * teacher_later.n
    if mine == theirs:
        return "hybrid", "both had the same rate in later outcomes"
    return ("teacher" if mine > theirs else "student"), None


def _valid(prediction: Prediction, hits: int, of: int, config: Config) -> bool:
    """Whether there are reasons, all are as the snapshot has them and for the favourite, and the first one's feature
    was no worse than a coin before."""
    return (
        bool(prediction.claims)
        and all(
            each.feature in FEATURES
            and each == claim(each.feature, prediction.teacher, prediction.student, config)
            and each.favours == prediction.predicted_winner
            for each in prediction.claims
        )
        and (of < FEWEST_RECORD or 2 * hits > of)
    )
