"""How the winner of a decision reaches the others, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.swarm.config import Distribution
from coevo_pipelines.swarm.records import Marker
from coevo_pipelines.swarm.tick.events import Open
from coevo_pipelines.swarm.tick.ledger import NYX
from coevo_pipelines.swarm.tick.state import BUSY, LOVE_CHILD, MINUS, PLUS, PRESENT

if TYPE_CHECKING:
    from coevo_pipelines.swarm.tick.engine import Swarm


Ints = NDArray[np.int64]


def usual_cost(swarm: Swarm, marker: Marker) -> int:
    """What the usual distribution would cost."""
    how = swarm.config.distribution[marker.importance]
    if how == "broadcast":
        return swarm.config.broadcast_cost
    return swarm.config.seed_cost * int(swarm.state.blessed.sum()) if how == "lovechild" else 0


def winner_of(swarm: Swarm, where: Open) -> tuple[int, int]:
    """Version and weight that won a decision, as long as nothing else has touched the winner's cell."""
    place = where.teacher if where.marker.winner == "teacher" else where.student
    return int(swarm.state.version[place, where.pattern]), swarm.state.weight(place, where.pattern) or 0


def spread(
    swarm: Swarm,
    marker: Marker,
    how: Distribution,
    pattern: int,
    version: int,
    weight: int,
    but: Iterable[int],
) -> int:
    """Carry the winner of a decision to all but some places, as far as Nyx can pay; what was asked of her. A second
    broadcast for the same decision is free."""
    marker.distribution = how
    if how == "lovechild":
        return seed(swarm, marker, pattern, version, weight, but)
    if how == "organic":
        return 0
    cost = 0 if marker.broadcast_paid else swarm.config.broadcast_cost
    if swarm.ledger.nyx < cost:
        marker.distribution, marker.why = "organic", "the broadcast could not be paid"
    else:
        swarm.ledger.charge(swarm.now, NYX, cost, "broadcast", marker.marker_id)
        marker.broadcast_paid = True
        everywhere(swarm, pattern, version, weight, but)
    return cost


def everywhere(swarm: Swarm, pattern: int, version: int, weight: int, but: Iterable[int]) -> None:
    """Every cell of the pattern without an open decision, reflexes included; cells that have it already stay."""
    state = swarm.state
    places = np.flatnonzero(state.plane(PRESENT, pattern) & ~state.plane(BUSY, pattern))
    places = places[~np.isin(places, list(but))]
    state.take(places[differs(swarm, places, pattern, version, weight)], pattern, version, weight)


def seed(swarm: Swarm, marker: Marker, pattern: int, version: int, weight: int, but: Iterable[int]) -> int:
    """Each love child that has it not yet, for a fee each, in order of id; the fees of all."""
    state = swarm.state
    places = np.flatnonzero((state.tier == LOVE_CHILD) & ~state.plane(BUSY, pattern))
    places = places[~np.isin(places, list(but))]
    places = places[differs(swarm, places, pattern, version, weight)]
    places = places[np.argsort(state.order[places])]
    fee = swarm.config.seed_cost
    payable = len(places) if not fee else min(len(places), swarm.ledger.nyx // fee)
    if payable < len(places):
        marker.why = f"{len(places) - payable} love children could not be paid for"
    if payable:
        swarm.ledger.charge(swarm.now, NYX, fee * payable, "seed", marker.marker_id)
        state.take(places[:payable], pattern, version, weight)
    return fee * len(places)


def differs(swarm: Swarm, places: Ints, pattern: int, version: int, weight: int) -> NDArray[np.bool_]:
    state = swarm.state
    plus, minus = state.plane(PLUS, pattern)[places], state.plane(MINUS, pattern)[places]
    found: NDArray[np.bool_] = (state.version[places, pattern] != version) | (
        plus.astype(np.int64) - minus.astype(np.int64) != weight
    )
    return found
