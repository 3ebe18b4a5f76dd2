"""What the simulation writes down one by one: markers, predictions, steps of the ladder, review items."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from coevo_pipelines.swarm.config import Distribution, Importance, Moment, Outcome, Protocol, Winner

Decider = Literal["nyx", "chrysalis", "dafit_standin", "dafit_human", "council_standin", "council_human"]


@dataclass(frozen=True)
class Counts:
    """Successes k of n trials; `verifications`: lifetime successes with the version."""

    k: float
    n: float
    verifications: int = 0


@dataclass(frozen=True)
class Side:
    """One of the two whose versions are compared, as it is when asked."""

    organism_id: str
    version_id: str
    weight: int
    counts: Counts
    """What decides, as `Config.evidence` says."""
    live: Counts
    """Outcomes since the marker was opened."""
    age: int
    tier: str
    influence: float
    consensus: float
    """Share of the cells of the pattern in its community that hold its version."""


@dataclass(frozen=True)
class Case:
    """What a mind is asked to decide."""

    marker_id: str
    pattern: str
    importance: Importance
    kind: Literal["blend", "uncertain"]
    teacher: Side
    student: Side
    past_teacher: Counts = Counts(0, 0)
    past_student: Counts = Counts(0, 0)
    """Sums over resolved markers of the same pattern and pair of versions, for the version of that side."""


@dataclass
class Marker:
    """A decision: `DecisionMarker` of the specification."""

    marker_id: str
    number: int
    pattern: str
    importance: Importance
    kind: Literal["blend", "uncertain"]
    protocol: Protocol
    teacher_id: str
    student_id: str
    teacher_version: str
    student_version: str
    teacher_weight: int
    student_weight: int
    marked: Moment
    teacher_prior: Counts
    student_prior: Counts
    teacher_outcomes: list[Outcome] = field(default_factory=list)
    student_outcomes: list[Outcome] = field(default_factory=list)
    resolved: Moment | None = None
    status: Literal["pending", "resolved", "void"] = "pending"
    winner: Winner | None = None
    distribution: Distribution | None = None
    evidence_delta: float | None = None
    q: float | None = None
    confidence: float | None = None
    fisher_p: float | None = None
    level: int | None = None
    decided_by: Decider | None = None
    review_id: str | None = None
    corrected_tick: int | None = None
    why: str | None = None
    broadcast_paid: bool = False
    """Once is enough, however often a person turns the decision."""

    @property
    def fraction_observed(self) -> float:
        """Share of its outcomes that happened; 0 without any."""
        found = self.teacher_outcomes + self.student_outcomes
        return sum(each.source == "observed" for each in found) / len(found) if found else 0.0


@dataclass(frozen=True)
class Step:
    """One level of the ladder: asked, told, or overruled."""

    level: int
    event: Literal["entered", "informed", "correction"]
    cost: int
    """Thousandths of one LF."""
    q: float | None
    confidence: float | None
    winner: Winner | None
    is_final: bool
    decided_by: Decider | None
    mind: Literal["rule", "endpoint", "human", "own"] | None = None
    reason: str | None = None
    prompt: str | None = None
    answer: str | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class Climb:
    """A way up the ladder, to the level that decided or to the one that could not be paid."""

    steps: tuple[Step, ...]
    """Levels entered, in order; then those that are told. None where nothing could be paid."""
    cost: int
    """Of all levels entered; where `refused`, what would have been needed so far."""
    winner: Winner | None
    q: float
    confidence: float
    level: int
    decided_by: Decider | None
    distribution: Distribution | None = None
    """What a person's record asks for."""
    refused: int | None = None
    """Level whose cost is above the purse: nothing is decided, nothing charged."""


@dataclass(frozen=True)
class Claim:
    """One reason: a feature, what each side has of it, and whom that speaks for."""

    feature: str
    teacher_value: float
    student_value: float
    favours: Literal["teacher", "student"]


@dataclass
class Prediction:
    """`BlendPrediction` of the specification."""

    prediction_id: str
    marker_id: str
    pattern: str
    predicted_winner: Literal["teacher", "student"]
    confidence: float
    claims: tuple[Claim, ...]
    causal_reasoning: str
    teacher: Side
    student: Side
    """As they were when it was made."""
    predicted: Moment
    horizon: int
    lead_hits: int = 0
    lead_of: int = 0
    """How often the lead feature was right over markers resolved before, and of how many."""
    scored_tick: int | None = None
    scored_on: Literal["all_evidence", "post_prediction"] | None = None
    actual_winner: Winner | None = None
    correct: bool | None = None
    calibrated: bool | None = None
    valid: bool | None = None
    prediction_reward: float | None = None
    calibration_reward: float | None = None
    causal_reward: float | None = None
    brier: float | None = None
    log_loss: float | None = None
    void_reason: str | None = None


@dataclass(frozen=True)
class Record:
    """A person's decision, as it stands in the file of decisions."""

    review_id: str
    decision: Winner
    distribution: Distribution | None
    reviewer: str
    decided_at: datetime
    note: str


@dataclass
class ReviewItem:
    """What a person is asked: a decision at level 4 or 5."""

    review_id: str
    marker_id: str
    opened: Moment
    pattern: str
    level: int
    question: str
    evidence: str
    """Canonical JSON."""
    standin_decision: Winner | None
    status: Literal["open", "decided", "expired"] = "open"
    record: Record | None = None
