"""Clasps of a tick: who meets, what passes, which ties become decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.swarm.config import Moment
from coevo_pipelines.swarm.records import Counts, Marker
from coevo_pipelines.swarm.tick.clasps import Passed, clasp, pairs, roles
from coevo_pipelines.swarm.tick.events import Clasps, Open, Tick
from coevo_pipelines.swarm.tick.state import UNCERTAIN, WAITING

if TYPE_CHECKING:
    from coevo_pipelines.swarm.tick.engine import Swarm


Ints = NDArray[np.int64]


def meet(swarm: Swarm, at: Moment, done: Tick) -> None:
    config, state = swarm.config, swarm.state
    met = pairs(swarm.streams["pairing"], swarm.members(), state.community, config.clasp_rate, config.inside)
    able = (state.lf[met] >= max(config.clasp_cost, config.dormant_below)).all(axis=1)
    done.skipped = int((~able).sum())
    teachers, students = roles(state, met[able], np.array([tier.teach_rank for tier in config.tiers]))
    swarm.ledger.charge_all(swarm.now, np.stack([teachers, students], axis=1).ravel(), config.clasp_cost, "clasp")
    counts = np.zeros(state.patterns, dtype=np.int64)
    for each in swarm.pending.values():
        counts[each.pattern] += 1
    spread = np.zeros(len(swarm.versions), dtype=np.int64)
    passed = clasp(
        state, teachers, students, counts, config.cap, spread,
        since=swarm.now - config.discovery_ticks, identity=config.identity, full=config.upward == "full",
    )  # fmt: skip
    for version in np.flatnonzero(spread):
        if swarm.versions.chosen_by[version] is not None:
            swarm.versions.hops[version] += int(spread[version])
            done.hops += int(spread[version])
    for pair, pattern in passed.markers:
        open_marker(swarm, at, int(teachers[pair]), int(students[pair]), int(pattern))
    consider(swarm, teachers, students, passed)
    done.passed = passed
    done.clasps = len(teachers)
    if len(teachers):
        serial = swarm.ledger.serial
        swarm.events.clasps.append(Clasps(swarm.now, serial[teachers], serial[students], passed))


def consider(swarm: Swarm, teachers: Ints, students: Ints, passed: Passed) -> None:
    """Teachers take up, or not, what their students discovered and they lack: as uncertain, not yet tried."""
    found = passed.discoveries
    if not len(found):
        return
    state = swarm.state
    consider = np.array([tier.consider for tier in swarm.config.tiers])
    own = np.minimum(1.0, consider[state.tier[teachers[found[:, 0]]]] + swarm.config.novelty_bonus)
    for pair, pattern in found[swarm.streams["stand_ins"].random(len(found)) < own]:
        teacher, student = int(teachers[pair]), int(students[pair])
        state.take(np.array([teacher]), int(pattern), int(state.version[student, pattern]), 0)
        passed.upward[pair] += 1


def open_marker(swarm: Swarm, at: Moment, teacher: int, student: int, pattern: int) -> None:
    """A marker on a tie whose cells are BUSY already."""
    state, versions = swarm.state, swarm.versions
    swarm.markers += 1
    weight = state.weight(teacher, pattern) or 0
    marker = Marker(
        marker_id=f"blend_{swarm.run_id}_{swarm.markers}",
        number=swarm.markers,
        pattern=versions.patterns[pattern],
        importance=versions.importance[pattern],
        kind="blend" if weight > 0 else "uncertain",
        protocol=swarm.config.protocol,
        teacher_id=state.ids[teacher],
        student_id=state.ids[student],
        teacher_version=versions.version_id[state.version[teacher, pattern]],
        student_version=versions.version_id[state.version[student, pattern]],
        teacher_weight=weight,
        student_weight=weight,
        marked=at,
        teacher_prior=counts_of(swarm, teacher, pattern),
        student_prior=counts_of(swarm, student, pattern),
    )
    for place in (teacher, student):
        if swarm.config.protocol == "freeze":
            state.put(WAITING, place, pattern, True)
            state.set_weight(place, pattern, 0)
        elif weight == 0:
            state.put(UNCERTAIN, place, pattern, True)
    swarm.pending[marker.marker_id] = Open(marker, teacher, student, pattern)
    swarm.events.markers[marker.marker_id] = marker


def counts_of(swarm: Swarm, place: int, pattern: int) -> Counts:
    state = swarm.state
    return Counts(
        float(state.k[place, pattern]), float(state.n[place, pattern]), int(state.verifications[place, pattern])
    )
