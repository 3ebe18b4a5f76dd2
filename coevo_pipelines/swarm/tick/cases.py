"""What a mind is asked about an open decision, as things stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from coevo_pipelines.swarm.config import TIERS, Outcome
from coevo_pipelines.swarm.records import Case, Counts, Side
from coevo_pipelines.swarm.tick.events import Open, live_of, pair_of

if TYPE_CHECKING:
    from coevo_pipelines.swarm.tick.engine import Swarm


def case_of(swarm: Swarm, marker_id: str) -> Case:
    """What a mind is asked about a pending marker, as of now."""
    where = swarm.pending[marker_id]
    marker = where.marker
    past = swarm.precedents.get(pair_of(marker), [0.0] * 4)
    if marker.teacher_version > marker.student_version:
        past = past[2:] + past[:2]
    return Case(
        marker_id=marker_id,
        pattern=marker.pattern,
        importance=marker.importance,
        kind=marker.kind,
        teacher=side(swarm, where, where.teacher, marker.teacher_prior, marker.teacher_outcomes),
        student=side(swarm, where, where.student, marker.student_prior, marker.student_outcomes),
        past_teacher=Counts(past[0], past[1]),
        past_student=Counts(past[2], past[3]),
    )


def side(swarm: Swarm, where: Open, place: int, prior: Counts, outcomes: Sequence[Outcome]) -> Side:
    state = swarm.state
    live = live_of(outcomes)
    verifications = prior.verifications + int(live.k)
    if swarm.config.evidence == "live":
        counts = Counts(live.k, live.n, verifications)
    else:
        counts = Counts(prior.k + live.k, prior.n + live.n, verifications)
    return Side(
        organism_id=state.ids[place],
        version_id=swarm.versions.version_id[state.version[place, where.pattern]],
        weight=state.weight(place, where.pattern) or 0,
        counts=counts,
        live=live,
        age=int(state.age[place]),
        tier=TIERS[state.tier[place]],
        influence=float(state.influence[place]),
        consensus=consensus(swarm, place, where.pattern),
    )


def consensus(swarm: Swarm, place: int, pattern: int) -> float:
    """Share of the cells of a pattern in an organism's community that hold its version; 0 without others."""
    state = swarm.state
    home = int(state.community[place])
    if home < 0:
        return 0.0
    where = swarm.members()
    there = where.members[where.start[home] : where.start[home + 1]]
    held = state.version[there, pattern]
    holders = int((held >= 0).sum())
    return float((held == state.version[place, pattern]).sum()) / holders if holders else 0.0
