"""One day of the swarm: the day before goes on through the day's ticks, then takes in who is there by its end.

State is what is known up to the end of a day; outcomes are what happened on later days. So the works that are new on a
day are trials for the swarm as the day before left it, and only then become organisms, versions and evidence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from coevo_pipelines.lake.ledger import Input, canonical
from coevo_pipelines.swarm.config import Config, Moment
from coevo_pipelines.swarm.decisions.minds import Panel
from coevo_pipelines.swarm.records import Record
from coevo_pipelines.swarm.seeding.world import Rules, World
from coevo_pipelines.swarm.tick.engine import Swarm
from coevo_pipelines.swarm.tick.events import Trial
from coevo_pipelines.swarm.tick.measuring import remeasure
from coevo_pipelines.swarm.tick.state import (
    BUSY,
    KINDS,
    PRESENT,
    State,
    Versions,
    empty_state,
    opening_lifeforce,
    theta,
)


def run_id_of(config: Config, seed: int, ticks: int, rules: Rules) -> str:
    """Names a simulation: hash of its configuration, its seed, the length of its days and what makes a pattern."""
    vocabulary = [sorted(each.items()) for each in (rules.methods.phrases, rules.methods.tags)]
    told = {"config": config.hash, "seed": seed, "ticks": ticks, "holders": rules.min_holders, "methods": vocabulary}
    return hashlib.sha256(canonical(told)).hexdigest()[:12]


def inputs_of(read: Iterable[Input], beside: Mapping[str, Any]) -> str:
    """SHA-256 over the data versions that a day was made from, and what else it goes by, hex."""
    told = [[each.table, each.scope, each.date, each.sha256] for each in read]
    return hashlib.sha256(canonical({"inputs": told, **beside})).hexdigest()


def moments(day: date, before: int, ticks: int) -> list[Moment]:
    """The day's ticks, numbered on from `before`: evenly over the day, the last at its end."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return [
        Moment(tick=before + each, at=start + timedelta(days=1) * each / ticks, partition=day.isoformat())
        for each in range(1, ticks + 1)
    ]


def trials(frame: pl.DataFrame, organisms: pl.DataFrame, aliases: pl.DataFrame) -> list[Trial]:
    """`seeding.trials_of` as the engine takes them; organisms: `World.organisms`; aliases: (id, canonical).

    A version that the swarm met under an identifier which another stands for by now is meant too.
    """
    adopted = frame.select(canonical=pl.col("versions").explode()).drop_nulls().unique()
    former: dict[str, list[str]] = {}
    for name, canonical_name in aliases.join(adopted, "canonical", how="semi").select("id", "canonical").iter_rows():
        former.setdefault(canonical_name, []).append(name)
    of = {cluster: frozenset(ids) for cluster, ids in organisms.group_by("cluster").agg("organism_id").iter_rows()}
    return [
        Trial(
            work_id=row["work_id"],
            pattern=row["pattern"],
            community=row["community"],
            versions=frozenset(name for each in row["versions"] for name in (each, *former.get(each, ()))),
            own=of.get(row["cluster"], frozenset()),
        )
        for row in frame.iter_rows(named=True)
    ]


def begin(world: World, day: date, config: Config, seed: int, run_id: str, panel: Panel, workers: int = 1) -> Swarm:
    """Tick 0: the swarm as it is at the end of its first day."""
    versions = Versions()
    _meet(versions, world, config, seed)
    communities = _communities(world)
    state = _arrivals(world.organisms, world.cells, versions, communities, 0, config)
    state.communities = communities
    at = Moment(tick=0, at=datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1), partition=str(day))
    return Swarm.begin(config, seed, state, versions, at, run_id=run_id, workers=workers, panel=panel)


def advance(
    swarm: Swarm, world: World, seen: Sequence[Trial], day: date, ticks: int, records: Mapping[str, Record]
) -> None:
    """Through the day's ticks, then to what is known by its end. The trials are of the first tick."""
    for number, at in enumerate(moments(day, swarm.now, ticks)):
        swarm.tick(at, seen if number == 0 else (), records)
        last = at
    _take_in(swarm, world, last)


def _take_in(swarm: Swarm, world: World, at: Moment) -> None:
    """Who is there, what they hold and where they belong, as of the end of the day."""
    config = swarm.config
    _meet(swarm.versions, world, config, swarm.seed)
    known = set(world.organisms["organism_id"])
    gone = [each for each in swarm.state.ids if each not in known and not each.startswith("~")]
    swarm.retire(gone, "a participant is no more in the graph")
    communities = _communities(world, swarm.state)
    _settle(swarm.state, communities, world.organisms)
    there = {each: place for place, each in enumerate(swarm.state.ids)}
    swarm.state.widened(len(swarm.versions.patterns))
    _grow(swarm.state, swarm.versions, world.cells, there)
    _withdraw(swarm.state, swarm.versions)
    new = known - set(there) - set(swarm.departed)
    mine = pl.col("organism_id").is_in(sorted(new))
    arrivals = _arrivals(
        world.organisms.filter(mine), world.cells.filter(mine), swarm.versions, communities, at.tick, config
    )
    swarm.admit(arrivals, at=at)
    swarm.state.retier(config)
    remeasure(swarm, len(arrivals))


def _meet(versions: Versions, world: World, config: Config, seed: int) -> None:
    """New versions get a number and a theta; of those known, what speaks for them is renewed."""
    for row in world.versions.iter_rows(named=True):
        pattern = versions.pattern_number(row["pattern"], config)
        number = versions.number(pattern, row["version_id"])
        counts = row["evidence_for"], row["evidence_against"]
        if number is None:
            chance = theta(seed, row["pattern"], row["version_id"], *counts)
            number = versions.add(pattern, row["version_id"], theta=chance)
        versions.title[number], versions.withdrawn[number] = row["title"], row["is_withdrawn"]
        versions.evidence_for[number], versions.evidence_against[number] = counts


def _communities(world: World, state: State | None = None) -> list[str]:
    """Names of all communities in use, in order."""
    own: Iterable[str] = ()
    if state is not None:
        own = {state.communities[each] for each in set(state.community.tolist()) if each >= 0}
    return sorted({*world.organisms["community"].drop_nulls(), *own})


def _settle(state: State, communities: list[str], organisms: pl.DataFrame) -> None:
    """Communities, influence and what is shown of organisms, as of the day; newborns stay where they were born."""
    numbers = {name: number for number, name in enumerate(communities)}
    renamed = np.array([*(numbers.get(name, -1) for name in state.communities), -1], dtype=np.int64)
    state.community[:] = renamed[state.community]  # -1, no community, is the last
    state.communities = communities
    rows = {row["organism_id"]: row for row in organisms.iter_rows(named=True)}
    for place, name in enumerate(state.ids):
        row = rows.get(name)
        if row is not None:
            state.community[place] = numbers.get(row["community"], -1)
            state.influence[place] = row["influence"]
            state.blessed[place] = row["blessed"]
            state.label[place], state.works[place] = row["label"], tuple(row["works"])


def _grow(state: State, versions: Versions, cells: pl.DataFrame, there: Mapping[str, int]) -> None:
    """Cells that organisms have got since: with the evidence of the graph. Others keep what the simulation made."""
    numbers = {name: number for number, name in enumerate(versions.patterns)}
    for row in cells.iter_rows(named=True):
        place, pattern = there.get(row["organism_id"]), numbers[row["pattern"]]
        if place is not None and not state.is_set(PRESENT, place, pattern):
            _put(state, versions, place, pattern, row)


def _put(state: State, versions: Versions, place: int, pattern: int, row: Mapping[str, Any]) -> None:
    version = versions.number(pattern, row["version_id"])
    assert version is not None, f"{row['version_id']} was met"
    state.put(PRESENT, place, pattern, True)
    state.set_weight(place, pattern, row["weight"])
    state.version[place, pattern] = version
    state.k[place, pattern], state.n[place, pattern] = row["k"], row["n"]
    state.verifications[place, pattern] = row["verifications"]
    state.verified[place] += row["verifications"]


def _withdraw(state: State, versions: Versions) -> None:
    """A version whose work was withdrawn has failed, wherever no decision on it is open."""
    for number, withdrawn in enumerate(versions.withdrawn):
        if withdrawn:
            pattern = versions.pattern[number]
            held = (state.version[:, pattern] == number) & ~state.plane(BUSY, pattern)
            state.set_weight(np.flatnonzero(held), pattern, -1)


def _arrivals(
    organisms: pl.DataFrame, cells: pl.DataFrame, versions: Versions, communities: list[str], tick: int, config: Config
) -> State:
    """Organisms that were not there, in order of id, and their cells."""
    rows = organisms.sort("organism_id").to_dicts()
    found = empty_state(len(rows), len(versions.patterns))
    found.ids = [row["organism_id"] for row in rows]
    found.__post_init__()
    numbers = {name: number for number, name in enumerate(communities)}
    for place, row in enumerate(rows):
        found.kind[place] = KINDS.index(row["kind"])
        found.label[place], found.works[place] = row["label"], tuple(row["works"])
        found.community[place] = numbers.get(row["community"], -1)
        found.age[place], found.born_tick[place] = row["age"], tick
        found.blessed[place], found.influence[place] = row["blessed"], row["influence"]
    found.lf[:] = opening_lifeforce([row["allocation"] for row in rows], config.newborn_lf)
    _grow(found, versions, cells, {name: place for place, name in enumerate(found.ids)})
    _withdraw(found, versions)
    return found
