"""People: review items, and decisions that a person turned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from coevo_pipelines.swarm.config import DISTRIBUTIONS, Distribution, Moment, Winner
from coevo_pipelines.swarm.decisions import evidence, reviews
from coevo_pipelines.swarm.decisions.ladder import COUNCIL, DAFIT, standin
from coevo_pipelines.swarm.records import Case, Climb, Marker, Record, Step
from coevo_pipelines.swarm.tick.events import Tick, live_of
from coevo_pipelines.swarm.tick.ledger import version_account
from coevo_pipelines.swarm.tick.spreading import spread
from coevo_pipelines.swarm.tick.state import BUSY, PRESENT

if TYPE_CHECKING:
    from coevo_pipelines.swarm.tick.engine import Swarm


def ask(swarm: Swarm, at: Moment, marker: Marker, case: Case, found: Climb, review: str, record: Record | None) -> None:
    """A review item for a decision at level 4 or 5."""
    marker.review_id = review
    swarm.review_items[review] = reviews.open_item(review, case, found, at, standin(case, swarm.config), record)
    swarm.reviewed[marker.marker_id] = marker


def take_up(swarm: Swarm, at: Moment, known: Mapping[str, Record], done: Tick) -> None:
    """Take up persons' records on decided markers; give up on items that are too old."""
    for review, item in swarm.review_items.items():
        record = known.get(review)
        marker = swarm.reviewed[item.marker_id]
        if record is not None and record != item.record:
            item.record, item.status = record, "decided"
            if marker.winner != record.decision or wider(record.distribution, marker.distribution):
                correct(swarm, at, marker, record)
                done.corrections += 1
        elif item.status == "open" and swarm.now - item.opened.tick >= swarm.config.review_ticks:
            item.status = "expired"


def wider(asked: Distribution | None, was: Distribution | None) -> bool:
    """Whether a person wants a winner to reach more than it did."""
    return asked is not None and was is not None and DISTRIBUTIONS.index(asked) < DISTRIBUTIONS.index(was)


def correct(swarm: Swarm, at: Moment, marker: Marker, record: Record) -> None:
    """A person turns a decision: winner and loser change places, and everybody is told. Or agrees, and has more told
    than were. Nothing is charged that was charged for this marker before."""
    pattern = swarm.versions.patterns.index(marker.pattern)
    places = participants(swarm, marker, pattern)
    weights = {"teacher": marker.teacher_weight, "student": marker.student_weight}
    if marker.winner != record.decision:
        turn(swarm, marker, record.decision, pattern, places)
    marker.distribution, marker.why = None, None
    chosen = version_of_side(swarm, marker, record.decision)
    if chosen is not None:
        swarm.versions.chosen_by[chosen] = marker.marker_id
        how = record.distribution or "broadcast"
        spread(swarm, marker, how, pattern, chosen, weights[record.decision], places.values())
    marker.corrected_tick = swarm.now
    marker.decided_by = "council_human" if marker.level == COUNCIL else "dafit_human"
    swarm.events.markers[marker.marker_id] = marker
    step = Step(
        level=marker.level or DAFIT,
        event="correction",
        cost=0,
        q=marker.q,
        confidence=1.0,
        winner=record.decision,
        is_final=True,
        decided_by=marker.decided_by,
        mind="human",
        reason=f"{record.reviewer}: {record.note}" if record.note else record.reviewer,
    )
    swarm.events.steps.append((marker.marker_id, at, step))


def turn(swarm: Swarm, marker: Marker, winner: Winner, pattern: int, places: Mapping[str, int]) -> None:
    """Reward and cells of the participants follow the other winner."""
    before = version_of_side(swarm, marker, marker.winner)
    move_reward(swarm, marker, before, version_of_side(swarm, marker, winner))
    if before is not None and swarm.versions.chosen_by[before] == marker.marker_id:
        swarm.versions.chosen_by[before] = None
    marker.winner = winner
    weights = {"teacher": marker.teacher_weight, "student": marker.student_weight}
    for side, place in places.items():
        holds = side if winner == "hybrid" else winner
        version = version_of_side(swarm, marker, holds)
        if version is not None:
            swarm.state.take(np.array([place]), pattern, version, weights[holds])
    live = live_of(marker.teacher_outcomes), live_of(marker.student_outcomes)
    marker.evidence_delta = evidence.evidence_delta(winner, *live)


def move_reward(swarm: Swarm, marker: Marker, before: int | None, after: int | None) -> None:
    """What a version won goes to the one that a person chose instead; None: hybrid, which wins nothing."""
    ledger, reward, ref = swarm.ledger, swarm.config.resolution_reward, marker.marker_id
    if before is None and after is not None:
        ledger.mint(swarm.now, version_account(after), reward, "resolution", ref)
    elif before is not None and after is None:
        ledger.penalize(swarm.now, version_account(before), reward, "correction", ref)
    elif before is not None and after is not None:
        ledger.transfer(swarm.now, version_account(before), version_account(after), reward, "correction", ref)


def version_of_side(swarm: Swarm, marker: Marker, side: str | None) -> int | None:
    """Number of the version of a side; None for hybrid."""
    if side not in {"teacher", "student"}:
        return None
    name = marker.teacher_version if side == "teacher" else marker.student_version
    return swarm.versions.number(swarm.versions.patterns.index(marker.pattern), name)


def participants(swarm: Swarm, marker: Marker, pattern: int) -> dict[str, int]:
    """Places of those of the two that still are there, hold the pattern and have no decision open on it."""
    found = {}
    for side, organism in (("teacher", marker.teacher_id), ("student", marker.student_id)):
        place = swarm.place_of(organism)
        if (
            place is not None
            and swarm.state.is_set(PRESENT, place, pattern)
            and not swarm.state.is_set(BUSY, place, pattern)
        ):
            found[side] = place
    return found
