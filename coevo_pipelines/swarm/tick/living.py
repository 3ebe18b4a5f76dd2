"""Churn: who makes place for a newborn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coevo_pipelines.swarm.config import Moment
from coevo_pipelines.swarm.tick.events import Tick
from coevo_pipelines.swarm.tick.state import BUSY, INHERITED, MINUS, NEVER, PLUS, PRESENT, REFLEX, YOUNG

if TYPE_CHECKING:
    from coevo_pipelines.swarm.tick.engine import Swarm


def churn(swarm: Swarm, at: Moment, done: Tick) -> None:
    """Some of those without an open decision and not blessed make place for a newborn."""
    state = swarm.state
    busy = (state.planes[:, :, BUSY] != 0).any(axis=1)
    leaving = swarm.streams["churn"].random(len(state)) < swarm.config.churn
    places = np.flatnonzero(leaving & ~busy & ~state.blessed)
    if not len(places):
        return
    swarm.ledger.bury(swarm.now, places)
    draws = swarm.streams["churn"].random((len(places), state.patterns))
    for place in places.tolist():
        swarm.newborns += 1
        if not state.ids[place].startswith("~"):
            swarm.departed.append(state.ids[place])
        newborn = f"~newborn:{swarm.newborns:012d}"
        state.replaces[place], state.label[place], state.works[place] = state.ids[place], None, ()
        state.rename(place, newborn)
        swarm.ledger.arrive(place, newborn)
    state.planes[places[:, None, None], np.arange(state.planes.shape[1])[None, :, None],
                 np.array([PLUS, MINUS, REFLEX, INHERITED])[None, None, :]] = 0  # fmt: skip
    for pattern in range(state.patterns):
        choice = np.array(swarm.versions.of(pattern), dtype=np.int32)
        own = places[state.plane(PRESENT, pattern)[places]]
        if len(own):
            drawn = draws[state.plane(PRESENT, pattern)[places], pattern]
            state.version[own, pattern] = choice[(drawn * len(choice)).astype(np.int64)]
    state.k[places], state.n[places], state.verifications[places], state.discovered[places] = 0, 0, 0, NEVER
    state.verified[places], state.age[places], state.born_tick[places] = 0, -1, at.tick  # 0 at the tick's end
    state.influence[places], state.tier[places] = 0.0, YOUNG
    newborn_lf = np.full(len(places), swarm.config.newborn_lf, dtype=np.int64)
    swarm.ledger.mint_all(swarm.now, places, newborn_lf, "opening")
    done.births += len(places)
