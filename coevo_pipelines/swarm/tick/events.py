"""What a tick is given, what it counts, and what is kept of it until it is taken."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.swarm.config import Moment, Outcome
from coevo_pipelines.swarm.records import Counts, Marker, Prediction, Step
from coevo_pipelines.swarm.tick.clasps import Passed
from coevo_pipelines.swarm.tick.outcomes import Uses

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Trial:
    """A new work of a community that had to do with a pattern: one trial for every organism there that holds it."""

    work_id: str
    pattern: str
    community: str
    versions: frozenset[str]
    """Those that it adopts or cites: for their holders a success."""
    own: frozenset[str] = frozenset()
    """Organisms of those who made it: no trial for them."""


@dataclass(frozen=True)
class Clasps:
    """The clasps of a tick, arrays of one length."""

    tick: int
    teacher: Ints
    """Serial numbers (`Ledger.names`)."""
    student: Ints
    passed: Passed


@dataclass
class Open:
    """A pending marker and where its cells are."""

    marker: Marker
    teacher: int
    student: int
    """Places."""
    pattern: int


@dataclass
class Events:
    """What happened since it was last taken."""

    markers: dict[str, Marker] = field(default_factory=dict)
    """By id: all that were pending, opened, decided, given up or turned."""
    predictions: dict[str, Prediction] = field(default_factory=dict)
    steps: list[tuple[str, Moment, Step]] = field(default_factory=list)
    clasps: list[Clasps] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Tick:
    """What a tick counts while it runs."""

    passed: Passed | None = None
    clasps: int = 0
    skipped: int = 0
    hops: int = 0
    observed: int = 0
    uses: list[Uses] = field(default_factory=list)
    resolved: int = 0
    void: int = 0
    corrections: int = 0
    predictions: int = 0
    births: int = 0
    lead: tuple[int, int] = (0, 0)
    """The lead feature's record before the tick."""


def live_of(outcomes: Iterable[Outcome]) -> Counts:
    found = [each.success for each in outcomes]
    return Counts(float(sum(found)), float(len(found)))


def pair_of(marker: Marker) -> str:
    return json.dumps([marker.pattern, *sorted((marker.teacher_version, marker.student_version))])
