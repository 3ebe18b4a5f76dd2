"""A tick in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from coevo_pipelines.swarm.config import TIERS, Moment
from coevo_pipelines.swarm.tick.events import Tick
from coevo_pipelines.swarm.tick.state import MINUS, PLUS, PRESENT

if TYPE_CHECKING:
    from coevo_pipelines.swarm.tick.engine import Swarm


def measure(swarm: Swarm, at: Moment, done: Tick) -> None:
    """The tick's row of numbers."""
    passed = done.passed
    swarm.events.metrics.append(
        {
            "tick": at.tick,
            "at": at.at,
            **standing(swarm),
            "clasps": done.clasps,
            "skipped": done.skipped,
            "overwrites": int(passed.overwrites.sum()) if passed else 0,
            "hops": done.hops,
            "upward": int(passed.upward.sum()) if passed else 0,
            "ties": int(passed.ties.sum()) if passed else 0,
            "same_version": passed.same_version if passed else 0,
            "reflex_ties": passed.reflex_ties if passed else 0,
            "suppressed": passed.suppressed if passed else 0,
            "opened": len(passed.markers) if passed else 0,
            "uses": sum(each.uses for each in done.uses),
            "successes": sum(each.successes for each in done.uses),
            "observed": done.observed,
            "reflexes": sum(each.reflexes for each in done.uses),
            "resolved": done.resolved,
            "void": done.void,
            "corrections": done.corrections,
            "predictions": done.predictions,
            "births": done.births,
        }
    )


def standing(swarm: Swarm) -> dict[str, Any]:
    """What is there now, in numbers."""
    state, ledger = swarm.state, swarm.ledger
    planes = state.planes.view(np.uint64)
    cells, plus, minus = (int(np.bitwise_count(planes[:, :, plane]).sum()) for plane in (PRESENT, PLUS, MINUS))
    best = swarm.versions.best()
    tiers = np.bincount(state.tier, minlength=len(TIERS))
    ratio = swarm.nyx.ratio
    return {
        "organisms": len(state),
        **{name.lower(): int(count) for name, count in zip(TIERS, tiers, strict=True)},
        "dormant": int((state.lf < swarm.config.dormant_below).sum()),
        "cells": cells,
        "minus": minus,
        "zero": cells - plus - minus,
        "plus": plus,
        "best": int(((state.version == best[None, :]) & (state.version >= 0)).sum()) if len(best) else 0,
        "pending": len(swarm.pending),
        "mode": swarm.nyx.mode,
        "lambda": ratio if np.isfinite(ratio) else None,
        "nyx_milli": ledger.nyx,
        "organisms_milli": int(state.lf.sum()),
        "patterns_milli": sum(ledger.versions.values()),
        "minted_milli": ledger.minted,
        "burnt_milli": ledger.burnt,
        "shortfall_milli": ledger.shortfall,
    }


def remeasure(swarm: Swarm, arrived: int) -> None:
    """The last tick's row again, after what was changed from outside; arrived: organisms that were admitted."""
    last = swarm.events.metrics[-1]
    last |= standing(swarm)
    last["births"] += arrived
