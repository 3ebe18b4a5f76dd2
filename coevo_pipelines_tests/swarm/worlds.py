"""Small worlds made by hand: who is there, what each holds, and a swarm that does nothing by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from coevo_pipelines.swarm.config import Config, Moment, Tier
from coevo_pipelines.swarm.tick.engine import Swarm
from coevo_pipelines.swarm.tick.state import MINUS, PLUS, PRESENT, State, Versions, empty_state

STILL: Mapping[str, Any] = {
    "clasp_rate": 0.0,
    "use_rate": 0.0,
    "churn": 0.0,
    "nyx_income": 0,
    "nyx_upkeep": 0,
    **{
        name: Tier(income=0, teach_rank=rank, consider=consider, explore=explore)
        for name, rank, consider, explore in (
            ("young", 0, 0.9, 0.1), ("adult", 1, 0.5, 0.05), ("elder", 3, 0.2, 0.02), ("love_child", 2, 0.8, 0.1),
        )
    },
}  # fmt: skip
"""A configuration in which nothing moves unless a test says so."""
START = datetime(2000, 1, 1, tzinfo=UTC)
ABSENT = None


def still(**changed: Any) -> Config:
    return Config(**{**STILL, **changed})


def at(tick: int) -> Moment:
    day = START + timedelta(days=tick)
    return Moment(tick=tick, at=day, partition=day.date().isoformat())


def versions(names: Mapping[str, Sequence[str]], config: Config, theta: float = 0.5) -> Versions:
    """Patterns and their versions; numbers count up in this order."""
    found = Versions()
    for pattern, own in names.items():
        number = found.pattern_number(pattern, config)
        for name in own:
            found.add(number, name, theta=theta)
    return found


def state(
    weights: Sequence[Sequence[int | None]],
    version: Sequence[Sequence[int]] | None = None,
    *,
    lf: int = 100_000,
    community: Sequence[int] | None = None,
    ids: Sequence[str] | None = None,
) -> State:
    """Organisms by their rows of weights (None: absent) and version numbers (by default each pattern's number)."""
    count, patterns = len(weights), len(weights[0]) if weights else 0
    found = empty_state(count, patterns)
    found.ids = list(ids or (f"o{place:04d}" for place in range(count)))
    found.__post_init__()
    found.lf[:] = lf
    if community is not None:
        found.community[:] = community
        found.communities = [f"c{number}" for number in range(max(community, default=-1) + 1)]
    for place, row in enumerate(weights):
        for pattern, weight in enumerate(row):
            if weight is not None:
                found.put(PRESENT, place, pattern, True)
                found.put(PLUS, place, pattern, weight > 0)
                found.put(MINUS, place, pattern, weight < 0)
                found.version[place, pattern] = version[place][pattern] if version else pattern
    return found


def weights_of(found: State) -> list[list[int | None]]:
    return [[found.weight(place, pattern) for pattern in range(found.patterns)] for place in range(len(found))]


def begin(config: Config, found: State, names: Versions, **more: Any) -> Swarm:
    return Swarm.begin(config, 1, found, names, at(0), **more)


def random_state(seed: int, organisms: int, names: Versions, *, absent: float = 0.2) -> State:
    """Cells of all kinds, with counts that could have come about."""
    draws = np.random.default_rng(seed)
    patterns = len(names.patterns)
    kinds = draws.random((organisms, patterns))
    weights = [[None if each < absent else int(draws.integers(-1, 2)) for each in row] for row in kinds]
    version = [[int(draws.choice(names.of(pattern))) for pattern in range(patterns)] for _ in range(organisms)]
    found = state(weights, version)
    there = np.array([[each is not None for each in row] for row in weights], dtype=bool).reshape(organisms, patterns)
    found.n[there] = draws.integers(0, 50, int(there.sum()))
    found.k[there] = (found.n[there] * draws.random(int(there.sum()))).astype(np.uint8)
    found.verifications[there] = found.k[there]
    found.verified[:] = found.verifications.sum(axis=1)
    return found
