"""Nyx's tick: awake she pays and decides, asleep she may wake; what a decision does to the two and to the book."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from coevo_pipelines.swarm.config import Distribution, Moment, Winner
from coevo_pipelines.swarm.decisions import evidence, reviews
from coevo_pipelines.swarm.decisions.ladder import DAFIT, climb
from coevo_pipelines.swarm.records import Record
from coevo_pipelines.swarm.tick.cases import case_of
from coevo_pipelines.swarm.tick.correcting import ask
from coevo_pipelines.swarm.tick.events import Open, Tick, live_of, pair_of
from coevo_pipelines.swarm.tick.foreseeing import foresee, settle_prediction
from coevo_pipelines.swarm.tick.ledger import NYX, version_account
from coevo_pipelines.swarm.tick.spreading import spread, usual_cost, winner_of
from coevo_pipelines.swarm.tick.state import BUSY, UNCERTAIN, WAITING

if TYPE_CHECKING:
    from coevo_pipelines.swarm.tick.engine import Swarm

Won = tuple[Open, Distribution, int, int]
"""A decision, how its winner spreads, and the winner's version and weight."""


def attend(swarm: Swarm, at: Moment, income: int, known: Mapping[str, Record], done: Tick) -> None:
    """Awake: pay, decide, perhaps fall asleep. Asleep: perhaps wake, and then decide what was predicted."""
    config, nyx, ledger = swarm.config, swarm.nyx, swarm.ledger
    won: list[Won] = []
    requested = 0
    if nyx.mode == "AWAKE":
        requested = config.nyx_upkeep
        if ledger.nyx >= config.nyx_upkeep:
            ledger.charge(swarm.now, NYX, config.nyx_upkeep, "upkeep")
        budget = config.attention_budget
        for each in ripe(swarm):
            forced = swarm.now - each.marker.marked.tick >= config.max_wait
            if not forced and budget <= 0:
                break
            budget -= 1
            if not forced and ledger.nyx < config.decide_from:
                requested += config.level_costs[0] + usual_cost(swarm, each.marker)
                continue
            requested += decide(swarm, at, each, known, won, done)
    elif nyx.wakes(ledger.nyx, urgent(swarm), swarm.now, config):
        nyx.mode, nyx.asleep_since = "AWAKE", None
        for each in ripe(swarm):
            if each.marker.marker_id in swarm.predicted:
                requested += decide(swarm, at, each, known, won, done)
    for number, (where, how, version, weight) in enumerate(won):
        # What was decided for those whose turn is still to come is not undone before it.
        later = [each for each, *_ in won[number:] if each.pattern == where.pattern]
        but = [place for each in later for place in (each.teacher, each.student)]
        requested += spread(swarm, where.marker, how, where.pattern, version, weight, but)
    nyx.note(income, requested, config.ema_span)
    if nyx.mode == "AWAKE" and nyx.tires(ledger.nyx, urgent(swarm), config):
        foresee(swarm, at, done)
        nyx.mode, nyx.asleep_since = "SLUMBER", swarm.now


def ripe(swarm: Swarm) -> list[Open]:
    """Markers that may be decided, oldest first."""
    ripe = [each for each in swarm.pending.values() if swarm.now - each.marker.marked.tick >= swarm.config.min_wait]
    return sorted(ripe, key=lambda each: each.marker.number)


def urgent(swarm: Swarm) -> bool:
    """A critical marker is older than it may be."""
    return any(
        each.marker.importance == "critical" and swarm.now - each.marker.marked.tick > swarm.config.max_wait
        for each in swarm.pending.values()
    )


def decide(
    swarm: Swarm,
    at: Moment,
    where: Open,
    known: Mapping[str, Record],
    won: list[Won],
    done: Tick,
) -> int:
    """Send a marker up the ladder; what that costs, or would have cost with the usual distribution."""
    marker = where.marker
    case = case_of(swarm, marker.marker_id)
    review = reviews.review_id(
        at.partition, marker.pattern, (marker.teacher_version, marker.student_version),
        (marker.teacher_id, marker.student_id),
    )  # fmt: skip
    found = climb(case, swarm.config, swarm.panel, known.get(review), swarm.ledger.nyx)
    if found.refused is not None or found.winner is None:
        marker.why = f"level {found.refused} could not be paid at tick {swarm.now}"
        return found.cost + usual_cost(swarm, marker)
    for step in found.steps:
        if step.cost:
            swarm.ledger.charge(swarm.now, NYX, step.cost, f"level_{step.level}", marker.marker_id)
        swarm.events.steps.append((marker.marker_id, at, step))
    remember(swarm, where, found.winner)
    marker.why = None
    marker.resolved, marker.status = at, "resolved"
    marker.winner, marker.q, marker.confidence = found.winner, found.q, found.confidence
    marker.level, marker.decided_by = found.level, found.decided_by
    live = live_of(marker.teacher_outcomes), live_of(marker.student_outcomes)
    marker.evidence_delta = evidence.evidence_delta(found.winner, *live)
    marker.fisher_p = evidence.fisher(case.teacher.counts, case.student.counts)
    settle(swarm, where, found.winner)
    if found.winner != "hybrid":
        how = found.distribution or swarm.config.distribution[marker.importance]
        won.append((where, how, *winner_of(swarm, where)))  # now: another one may reach its cell before it is told
    if found.level >= DAFIT:
        ask(swarm, at, marker, case, found, review, known.get(review))
    settle_prediction(swarm, marker)
    del swarm.pending[marker.marker_id]
    done.resolved += 1
    return found.cost


def remember(swarm: Swarm, where: Open, winner: Winner) -> None:
    """Precedents for level 3, and whether the better rate at mark time won."""
    marker = where.marker
    sides = [
        (marker.teacher_version, marker.teacher_prior, live_of(marker.teacher_outcomes)),
        (marker.student_version, marker.student_prior, live_of(marker.student_outcomes)),
    ]
    found = swarm.precedents.setdefault(pair_of(marker), [0.0] * 4)
    for place, (_, prior, live) in enumerate(sorted(sides, key=lambda side: side[0])):
        found[2 * place] += prior.k + live.k
        found[2 * place + 1] += prior.n + live.n
    rates = [(1 + prior.k) / (2 + prior.n) for _, prior, _ in sides]
    if winner != "hybrid" and rates[0] != rates[1]:
        swarm.lead[0] += (rates[0] > rates[1]) == (winner == "teacher")
        swarm.lead[1] += 1


def settle(swarm: Swarm, where: Open, winner: Winner) -> None:
    """The loser's cell gets the winner's version and weight; both work on."""
    marker, state, pattern = where.marker, swarm.state, where.pattern
    release(swarm, where)
    if winner == "hybrid":
        return
    best, other = (where.teacher, where.student) if winner == "teacher" else (where.student, where.teacher)
    version = int(state.version[best, pattern])
    state.take(np.array([other]), pattern, version, state.weight(best, pattern) or 0)
    swarm.versions.chosen_by[version] = marker.marker_id
    swarm.ledger.mint(
        swarm.now, version_account(version), swarm.config.resolution_reward, "resolution", marker.marker_id
    )


def release(swarm: Swarm, where: Open) -> None:
    """No decision is open on the two cells any more; frozen weights are as they were."""
    marker, state = where.marker, swarm.state
    for place, weight in ((where.teacher, marker.teacher_weight), (where.student, marker.student_weight)):
        if state.is_set(WAITING, place, where.pattern):
            state.set_weight(place, where.pattern, weight)
        for plane in (BUSY, WAITING, UNCERTAIN):
            state.put(plane, place, where.pattern, False)


def void(swarm: Swarm, where: Open, why: str, done: Tick) -> None:
    """Give a marker up: no winner, no rewards."""
    release(swarm, where)
    where.marker.status, where.marker.why = "void", why
    settle_prediction(swarm, where.marker)
    del swarm.pending[where.marker.marker_id]
    done.void += 1
