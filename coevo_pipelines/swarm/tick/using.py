"""Uses of a tick: observed trials first, the rest by chance; those of open decisions go to their markers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.lake.ledger import canonical
from coevo_pipelines.swarm.config import TIERS, Outcome
from coevo_pipelines.swarm.tick.events import Tick, Trial
from coevo_pipelines.swarm.tick.outcomes import observe, simulate
from coevo_pipelines.swarm.tick.state import BUSY, PRESENT, WAITING

if TYPE_CHECKING:
    from coevo_pipelines.swarm.tick.engine import Swarm


Ints = NDArray[np.int64]


def use(swarm: Swarm, trials: Sequence[Trial], done: Tick) -> None:
    state, versions = swarm.state, swarm.versions
    exposed = np.zeros((len(state.communities) + 1, state.patterns), dtype=np.bool_)
    names = {name: number for number, name in enumerate(state.communities)}
    known = {name: number for number, name in enumerate(versions.patterns)}
    cells: list[Ints] = []
    works: list[str] = []
    for trial in trials:
        community, pattern = names.get(trial.community, -1), known.get(trial.pattern, -1)
        if community < 0 or pattern < 0:
            continue  # nobody there holds it
        exposed[community, pattern] = True
        there = (state.community == community) & state.plane(PRESENT, pattern) & ~state.plane(WAITING, pattern)
        there[[place for each in trial.own if (place := swarm.place_of(each)) is not None]] = False
        places = np.flatnonzero(there)
        adopted = [versions.number(pattern, each) for each in sorted(trial.versions)]
        success = np.isin(state.version[places, pattern], [each for each in adopted if each is not None])
        cells.append(np.stack([places, np.full(len(places), pattern), success.astype(np.int64)], axis=1))
        works += [trial.work_id] * len(places)
    seen = np.concatenate(cells) if cells else np.zeros((0, 3), dtype=np.int64)
    if len(seen):
        found = observe(state, seen, swarm.now, swarm.config)
        busy = [work for work, (place, pattern, _) in zip(works, seen, strict=True)
                if state.is_set(BUSY, int(place), int(pattern))]  # fmt: skip
        note(swarm, found.marked, [{"work": work} for work in busy])
        done.observed = len(seen)
        done.uses.append(found)
    theta = np.array(versions.theta, dtype=np.float64)
    found = simulate(state, swarm.streams["outcomes"], theta, exposed, swarm.now, swarm.config, swarm.workers)
    note(swarm, found.marked)
    done.uses.append(found)


def note(swarm: Swarm, marked: Ints, contexts: Sequence[Mapping[str, str]] = ()) -> None:
    """Outcomes of cells with an open decision go to its marker; a success pays. contexts: of observed ones."""
    if not len(marked):
        return
    sides = {}
    for each in swarm.pending.values():
        sides[each.teacher, each.pattern] = each.marker.teacher_outcomes
        sides[each.student, each.pattern] = each.marker.student_outcomes
    state = swarm.state
    for number, (place, pattern, success) in enumerate(marked.tolist()):
        community = int(state.community[place])
        context = {
            "tier": TIERS[state.tier[place]],
            **({"community": state.communities[community]} if community >= 0 else {}),
            **(contexts[number] if contexts else {}),
        }
        outcome = Outcome(
            tick=swarm.now,
            organism_id=state.ids[place],
            success=bool(success),
            context=canonical(context).decode(),
            source="observed" if contexts else "simulated",
        )
        sides[place, pattern].append(outcome)
    succeeded = marked[marked[:, 2] == 1, 0]
    amounts = np.full(len(succeeded), swarm.config.success_reward, dtype=np.int64)
    swarm.ledger.mint_all(swarm.now, succeeded, amounts, "wait")
