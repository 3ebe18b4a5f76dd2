"""What Nyx expects of open decisions before she sleeps, and what she is paid for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coevo_pipelines.swarm.config import MILLI, Moment
from coevo_pipelines.swarm.decisions.predictions import predict, score
from coevo_pipelines.swarm.records import Marker
from coevo_pipelines.swarm.tick.cases import case_of
from coevo_pipelines.swarm.tick.events import Tick, live_of
from coevo_pipelines.swarm.tick.ledger import NYX

if TYPE_CHECKING:
    from coevo_pipelines.swarm.tick.engine import Swarm


def foresee(swarm: Swarm, at: Moment, done: Tick) -> None:
    """A prediction for every pending marker that has none, from what is known now."""
    for where in sorted(swarm.pending.values(), key=lambda each: each.marker.number):
        marker = where.marker
        if marker.marker_id in swarm.predicted:
            continue
        swarm.predictions += 1
        factor = swarm.config.uncertain_factor if marker.kind == "uncertain" else 1
        rate = min(1.0, swarm.config.use_rate * factor)
        found = predict(
            case_of(swarm, marker.marker_id),
            prediction_id=f"predict_{swarm.run_id}_{swarm.predictions}",
            at=at,
            horizon=swarm.config.horizon,
            trials=max(swarm.config.fewest_outcomes, round(rate * swarm.config.horizon)),
            config=swarm.config,
        )
        found.lead_hits, found.lead_of = done.lead
        swarm.predicted[marker.marker_id] = found
        swarm.events.predictions[found.prediction_id] = found
        done.predictions += 1


def settle_prediction(swarm: Swarm, marker: Marker) -> None:
    """Hold a prediction against what came, and pay for it."""
    found = swarm.predicted.pop(marker.marker_id, None)
    if found is None:
        return
    swarm.events.predictions[found.prediction_id] = found
    since = found.predicted.tick
    score(
        found,
        live_of(each for each in marker.teacher_outcomes if each.tick > since),
        live_of(each for each in marker.student_outcomes if each.tick > since),
        marker.winner,
        found.lead_hits,
        found.lead_of,
        swarm.config,
    )
    found.scored_tick = swarm.now
    for kind, amount in (
        ("prediction", found.prediction_reward),
        ("calibration", found.calibration_reward),
        ("causal", found.causal_reward),
    ):
        milli = round((amount or 0.0) * MILLI)
        if milli > 0:
            swarm.ledger.reward(swarm.now, NYX, milli, kind, found.prediction_id, swarm.config.nyx_most)
        elif milli < 0:
            swarm.ledger.penalize(swarm.now, NYX, -milli, kind, found.prediction_id)
