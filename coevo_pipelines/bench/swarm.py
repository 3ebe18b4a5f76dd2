"""The swarm's two inner passes beside Mesa and a plain NumPy loop, beside the memory that they move, and a whole day.

Started as `python -m coevo_pipelines.bench.swarm [WHAT, ARGUMENTS…]` (JSON) it measures one thing in a process of
its own, so that peak memory is its own, and prints one JSON object. Imports and compiling are done before the clock
starts.

All contestants begin with the same cells and get the same pairs and the same random numbers, so they must end with the
same cells, which is checked. The passes: who teaches, the nine cells of the matrix with absent ones and versions, ties,
new decisions up to the cap and discoveries; then uses by chance, their success, counts, weights and reflexes.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol
from unittest.mock import patch

import numpy as np

from coevo_pipelines.bench.contestants import peak_bytes
from coevo_pipelines.bench.corpora import watched
from coevo_pipelines.influence.kernel import LARGE
from coevo_pipelines.swarm.config import Config, Moment
from coevo_pipelines.swarm.decisions.evidence import rule
from coevo_pipelines.swarm.tick import state as swarm
from coevo_pipelines.swarm.tick.clasps import clasp, communities_of, pairs, roles
from coevo_pipelines.swarm.tick.outcomes import simulate

NAMES = ("coevo", "coevo, one thread", "NumPy loop", "Mesa")
TICK = 100
"""At which the measured passes begin."""
ROUNDS = 3
MOST_CLASPS = 50_000
"""Of a round, for everyone: a loop over so many pairs takes seconds in Python."""
VERSIONS = 8
"""Of each pattern."""
COMMUNITY = 100
"""Organisms of one, on average."""
HELD = 0.7
"""Of the cells; the others are absent."""
SAMPLED = 1000
"""Organisms whose cells are compared."""
ABSENT = -2
COLUMNS = ("weight", "version", "k", "n", "verifications", "discovered", "inherited", "busy", "reflex")
"""What a cell is."""
PATIENCE_S = 3600


@dataclass(frozen=True)
class Raced:
    """One contestant on one size, `ROUNDS` rounds together."""

    name: str
    organisms: int
    patterns: int
    clasps: int = 0
    clasp_seconds: float = 0.0
    cells: int = 0
    """Gone over for a use, absent ones too."""
    uses: int = 0
    use_seconds: float = 0.0
    peak_bytes: int = 0
    agrees: bool | None = None
    """Ends with the cells, counts and decisions that the first one has; None for that one itself."""
    failure: str = ""

    @property
    def clasps_a_second(self) -> float:
        return self.clasps / self.clasp_seconds

    @property
    def cells_a_second(self) -> float:
        return self.cells / self.use_seconds


@dataclass(frozen=True)
class Moved:
    """The clasp pass on all organisms in pairs, beside the memory that it must move; seconds on one core, of the
    fastest of some."""

    organisms: int
    patterns: int
    pairs: int
    plane_bytes: int
    """Of all bit-planes."""
    copied: float
    """To copy them from front to back."""
    gathered: float
    """To read both organisms' planes and write the student's, in the order of the pairs."""
    rows: float
    """The same of all that a clasp may touch: planes, versions, counts, verifications, discoveries."""
    clasped: float
    """The clasp pass."""
    repeated: float
    """The same pairs again: the same ties, and nothing that is left to be taken over."""


@dataclass(frozen=True)
class Day:
    """A day of one tick, from the files of the day before to its own, with all bookkeeping; seconds by step."""

    organisms: int
    patterns: int
    seconds: dict[str, float]
    rows: dict[str, int]
    """Of the tables written."""
    written_bytes: int
    state_bytes: int
    """Of all arrays of the state."""
    peak_bytes: int
    own_bytes: int
    """Peak of memory that is no file's; 0 where the system does not tell."""

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def races(
    sizes: Sequence[int], patterns: int, *, seed: int, peers: bool, tell: Callable[[str], None]
) -> Iterator[Raced]:
    """Both passes by all contestants, a process each. A peer that fails is named and stops nobody."""
    for organisms in sizes:
        first = None
        for name in NAMES if peers else NAMES[:2]:
            tell(f"{organisms:,} organisms: {name}")
            if name == "Mesa" and not find_spec("mesa"):
                yield Raced(name, organisms, patterns, failure="not installed: pip install mesa")
                continue
            try:
                said = _child("race", name, organisms, patterns, seed)
            except RuntimeError as error:
                yield Raced(name, organisms, patterns, failure=str(error))
                continue
            digest = said.pop("digest")
            agrees = None if name == NAMES[0] else digest == first
            first = digest if name == NAMES[0] else first
            yield Raced(name, organisms, patterns, agrees=agrees, **said)


def movements(sizes: Sequence[int], patterns: int, *, seed: int, tell: Callable[[str], None]) -> Iterator[Moved]:
    """The clasp pass beside memory bandwidth. Raises RuntimeError where it fails, with its last words."""
    for organisms in sizes:
        tell(f"{organisms:,} organisms: memory")
        yield Moved(organisms, patterns, **_child("move", organisms, patterns, seed))


def days(sizes: Sequence[int], patterns: int, folder: Path, *, seed: int, tell: Callable[[str], None]) -> Iterator[Day]:
    """A whole day of each size; the day before is made in `folder` first, where it is not there. Raises RuntimeError
    where one fails, with its last words."""
    from coevo_pipelines.swarm.runs import standalone

    for organisms in sizes:
        tell(f"{organisms:,} organisms: a day")
        run = folder / f"swarm_{organisms}_{patterns}_{seed}"
        if not run.exists():
            standalone.run(run, standalone.Asked(organisms=organisms, patterns=patterns, ticks=0, seed=seed))
        yield Day(organisms, patterns, **_child("day", str(run), organisms, patterns))


def _child(*arguments: Any) -> dict[str, Any]:
    """What a process of its own says."""
    command = [sys.executable, "-m", "coevo_pipelines.bench.swarm", json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"ended with {done.returncode}, no word"])[-1])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def world(organisms: int, patterns: int, seed: int, config: Config) -> tuple[swarm.State, Any]:
    """A swarm at tick `TICK`, and theta (versions,): weights as the own trials of each cell would have made them."""
    draw = np.random.default_rng(seed)
    theta = np.sqrt(draw.random(patterns * VERSIONS))
    learned = rule(config.most_trials, config.rise, config.fall)
    state = swarm.empty_state(organisms, patterns)
    for pattern in range(patterns):
        there = draw.random(organisms) < HELD
        version = draw.integers(VERSIONS * pattern, VERSIONS * (pattern + 1), organisms)
        n = np.where(there, draw.integers(0, config.most_trials, organisms), 0)
        k = draw.binomial(n, theta[version])
        weight = learned[n, k]
        plus, inherited = there & (weight > 0), there & (draw.random(organisms) < 0.5)
        proven = plus & (draw.random(organisms) < 0.3)
        verifications = k + np.where(proven, draw.integers(0, 200, organisms), 0)
        found = plus & ~inherited
        reflex = plus & (verifications >= config.reflex_verifications) & (n > 0) & (k >= config.reflex_rate * n)
        state.version[:, pattern] = np.where(there, version, -1)
        state.k[:, pattern], state.n[:, pattern] = k, n
        state.verifications[:, pattern] = verifications
        state.discovered[:, pattern] = np.where(found, draw.integers(0, TICK, organisms), swarm.NEVER)
        for plane, bits in (
            (swarm.PRESENT, there),
            (swarm.PLUS, plus),
            (swarm.MINUS, there & (weight < 0)),
            (swarm.INHERITED, inherited),
            (swarm.REFLEX, reflex),
        ):
            state.put(plane, np.flatnonzero(bits), pattern, True)
    state.verified[:] = state.verifications.sum(axis=1)
    state.age[:] = draw.integers(0, 1000, organisms)
    state.blessed[:] = draw.random(organisms) < 0.01
    state.lf[:] = config.newborn_lf
    state.retier(config)
    homes = max(1, organisms // COMMUNITY)
    state.community[:] = draw.integers(0, homes, organisms)
    state.communities = [f"community {number}" for number in range(homes)]
    return state, theta


def cells_of(state: swarm.State, places: Any) -> Any:
    """What each cell is, (places, patterns, `COLUMNS`); ABSENT and zeros where there is none."""
    shifts = np.arange(state.patterns)

    def plane(number: int) -> Any:
        return (state.planes[places[:, None], (shifts // swarm.BITS)[None], number] >> (shifts % swarm.BITS)) & 1

    there = plane(swarm.PRESENT)
    found = np.stack(
        [
            plane(swarm.PLUS) - plane(swarm.MINUS), state.version[places], state.k[places], state.n[places],
            state.verifications[places], state.discovered[places], plane(swarm.INHERITED), plane(swarm.BUSY),
            plane(swarm.REFLEX),
        ],
        axis=2,
    ).astype(np.int64)  # fmt: skip
    found[there == 0] = [ABSENT, *[0] * (len(COLUMNS) - 1)]
    return found


class Contestant(Protocol):
    """Whoever takes part. Pairs are (pairs, 2) places and disjoint."""

    def clasp(self, met: Any, tick: int) -> None: ...

    def use(self, rng: np.random.Generator, tick: int) -> int:
        """Uses."""

    def cells(self, places: Any) -> Any:
        """See `cells_of`."""

    def told(self) -> list[int]:
        """Of all clasps: cells taken over, ties, those of one version, with a reflex and above the cap, new decisions,
        discoveries."""


def _blocks(count: int) -> Iterator[Any]:
    """All places, some at a time."""
    for low in range(0, count, SAMPLED):
        yield np.arange(low, min(low + SAMPLED, count))


class Ours:
    """This package."""

    def __init__(self, state: swarm.State, theta: Any, config: Config, workers: int) -> None:
        self.state, self.theta, self.config, self.workers = state, theta, config, workers
        self.rank = np.array([tier.teach_rank for tier in config.tiers])
        self.open = np.zeros(state.patterns, dtype=np.int64)
        self.spread = np.zeros(len(theta), dtype=np.int64)
        self.exposed = np.zeros((len(state.communities) + 1, state.patterns), dtype=np.bool_)
        self.sums = np.zeros(7, dtype=np.int64)

    def clasp(self, met: Any, tick: int) -> None:
        teachers, students = roles(self.state, met, self.rank)
        done = clasp(
            self.state, teachers, students, self.open, self.config.cap, self.spread,
            since=tick - self.config.discovery_ticks, identity=self.config.identity, full=False,
        )  # fmt: skip
        for pair, pattern in done.markers.tolist():
            for place in (int(teachers[pair]), int(students[pair])):
                if self.state.weight(place, pattern) == 0:
                    self.state.put(swarm.UNCERTAIN, place, pattern, True)
        self.sums += [
            done.overwrites.sum(), done.ties.sum(), done.same_version, done.reflex_ties, done.suppressed,
            len(done.markers), len(done.discoveries),
        ]  # fmt: skip

    def use(self, rng: np.random.Generator, tick: int) -> int:
        return simulate(self.state, rng, self.theta, self.exposed, tick, self.config, self.workers).uses

    def cells(self, places: Any) -> Any:
        return cells_of(self.state, places)

    def told(self) -> list[int]:
        return [int(each) for each in self.sums]


class Loop:
    """As one writes it in a notebook: a loop over the pairs, with operations on rows; uses of all cells at once."""

    def __init__(self, state: swarm.State, theta: Any, config: Config) -> None:
        kinds = (np.int8, np.int32, np.int16, np.int16, np.int32, np.int32, np.bool_, np.bool_, np.bool_)
        columns = [np.empty(state.version.shape, dtype=kind) for kind in kinds]
        for places in _blocks(len(state)):
            cells = cells_of(state, places)
            for number, column in enumerate(columns):
                column[places] = cells[:, :, number]
        self.weight, self.version, self.k, self.n, self.verifications, self.discovered = columns[:6]
        self.inherited, self.busy, self.reflex = columns[6:]
        self.theta, self.config, self.tier = theta, config, state.tier
        self.order, self.verified = state.order, state.verified
        self.learned = rule(config.most_trials, config.rise, config.fall)
        self.open = np.zeros(state.patterns, dtype=np.int64)
        self.sums = np.zeros(7, dtype=np.int64)

    def clasp(self, met: Any, tick: int) -> None:
        config = self.config
        rank = np.array([tier.teach_rank for tier in config.tiers])[self.tier]
        since = max(0, tick - config.discovery_ticks)
        for one, other in met.tolist():
            keys = [(rank[each], self.verified[each], -self.order[each]) for each in (one, other)]
            t, s = (one, other) if keys[0] > keys[1] else (other, one)
            teacher, student = self.weight[t], self.weight[s]
            free = ~(self.busy[t] | self.busy[s])
            taken = np.flatnonzero(free & (((teacher == 1) & (student < 1)) | ((teacher == 0) & (student == -1))))
            found = free & (student == 1) & (teacher == ABSENT) & ~self.inherited[s] & (self.discovered[s] >= since)
            tie = free & (teacher == student) & (teacher >= 0)
            calm = tie & (self.reflex[t] | self.reflex[s])
            same = tie & ~calm & (self.version[t] == self.version[s])
            opens = tie & ~calm & ~same
            new = np.flatnonzero(opens & (self.open < config.cap))
            self.verified[s] -= self.verifications[s, taken].sum()
            self.weight[s, taken] = teacher[taken]
            self.version[s, taken] = self.version[t, taken]
            self.k[s, taken] = self.n[s, taken] = self.verifications[s, taken] = 0
            self.discovered[s, taken], self.inherited[s, taken] = swarm.NEVER, True
            self.open[new] += 1
            self.busy[t, new] = self.busy[s, new] = True
            self.sums += [
                taken.size, tie.sum(), same.sum(), calm.sum(), opens.sum() - new.size, new.size, found.sum(),
            ]  # fmt: skip

    def use(self, rng: np.random.Generator, tick: int) -> int:
        config = self.config
        explore = np.array([config.use_rate * tier.explore for tier in config.tiers])[self.tier]
        rate = np.where(self.weight == -1, explore[:, None], config.use_rate)
        rate[self.busy & (self.weight == 0)] = config.use_rate * config.uncertain_factor
        rate[self.weight == ABSENT] = 0
        draws = rng.random(rate.shape)
        at = np.nonzero(draws < rate)
        success = draws[at] < rate[at] * self.theta[self.version[at]]
        k, n = self.k[at] + success, self.n[at] + 1
        full = n >= config.most_trials
        self.k[at], self.n[at] = k, n = np.where(full, k // 2, k), np.where(full, n // 2, n)
        self.verifications[at] += success
        np.add.at(self.verified, at[0], success)
        to, weight = np.where(self.busy[at], 0, self.learned[n, k]), self.weight[at]
        self.discovered[at] = np.where(
            (to == 1) & (weight < 1), tick, np.where((to == -1) & (weight > -1), swarm.NEVER, self.discovered[at])
        )
        self.inherited[at] &= ~((to == 1) & (weight < 1))
        self.weight[at] = np.where(to == 0, weight, to)
        self.reflex[at] = (
            (self.weight[at] == 1)
            & (self.verifications[at] >= config.reflex_verifications)
            & (n > 0)
            & (k >= config.reflex_rate * n)
        )
        return len(at[0])

    def cells(self, places: Any) -> Any:
        found = np.stack([getattr(self, name)[places] for name in COLUMNS], axis=2).astype(np.int64)
        found[found[:, :, 0] == ABSENT, 1:] = 0
        return found

    def told(self) -> list[int]:
        return [int(each) for each in self.sums]


def herd(state: swarm.State, theta: Any, config: Config) -> Contestant:
    """A Mesa model: an organism is an agent with a dictionary of its cells (rows of NumPy would take several times as
    long for a clasp) and draws the random numbers of its uses at once."""
    import mesa

    learned = rule(config.most_trials, config.rise, config.fall).tolist()
    chance = theta.tolist()
    rates = [(config.use_rate, config.use_rate, config.use_rate * tier.explore) for tier in config.tiers]
    """By weight."""
    uncertain = config.use_rate * config.uncertain_factor
    rank = [tier.teach_rank for tier in config.tiers]

    class Cell:
        __slots__ = COLUMNS

        def __init__(
            self, weight: int, version: int, k: int, n: int, verifications: int, discovered: int, inherited: int,
            busy: int, reflex: int,
        ) -> None:  # fmt: skip
            self.weight, self.version, self.k, self.n = weight, version, k, n
            self.verifications, self.discovered = verifications, discovered
            self.inherited, self.busy, self.reflex = bool(inherited), bool(busy), bool(reflex)

    class Organism(mesa.Agent):  # type: ignore[misc]
        def __init__(self, model: Any, order: int, tier: int, cells: dict[int, Cell]) -> None:
            super().__init__(model)
            self.order, self.tier, self.cells = order, tier, cells
            self.verified = sum([cell.verifications for cell in cells.values()])

        def teaches(self, other: Any) -> bool:
            return (rank[self.tier], self.verified, -self.order) > (rank[other.tier], other.verified, -other.order)

        def teach(self, student: Any, since: int) -> list[int]:  # noqa: PLR0912 - the whole matrix
            taken = ties = same = calm = above = new = found = 0
            theirs, is_open = student.cells, self.model.open
            for pattern, cell in theirs.items():
                if (
                    cell.discovered >= since
                    and cell.weight == 1
                    and not (cell.inherited or cell.busy)
                    and pattern not in self.cells
                ):
                    found += 1
            for pattern, own in self.cells.items():
                weight = own.weight
                if weight < 0 or own.busy:
                    continue
                cell = theirs.get(pattern)
                if cell is None:
                    if weight == 1:
                        theirs[pattern] = Cell(1, own.version, 0, 0, 0, swarm.NEVER, True, False, False)
                        taken += 1
                elif cell.busy:
                    continue
                elif cell.weight < weight:
                    student.verified -= cell.verifications
                    cell.weight, cell.version, cell.inherited, cell.discovered = weight, own.version, True, swarm.NEVER
                    cell.k = cell.n = cell.verifications = 0
                    taken += 1
                elif cell.weight == weight:
                    ties += 1
                    if own.reflex or cell.reflex:
                        calm += 1
                    elif own.version == cell.version:
                        same += 1
                    elif is_open[pattern] >= config.cap:
                        above += 1
                    else:
                        is_open[pattern] += 1
                        own.busy = cell.busy = True
                        new += 1
            return [taken, ties, same, calm, above, new, found]

        def use(self) -> None:
            model, rate = self.model, rates[self.tier]
            draws = model.rng.random(model.patterns).tolist()
            for pattern, cell in self.cells.items():
                own = uncertain if cell.busy and not cell.weight else rate[cell.weight]
                if draws[pattern] >= own:
                    continue
                model.uses += 1
                if draws[pattern] < own * chance[cell.version]:
                    cell.k += 1
                    cell.verifications += 1
                    self.verified += 1
                cell.n += 1
                if cell.n >= config.most_trials:
                    cell.n //= 2
                    cell.k //= 2
                to = 0 if cell.busy else learned[cell.n][cell.k]
                if to > 0 and cell.weight < 1:
                    cell.weight, cell.inherited, cell.discovered = 1, False, model.tick
                elif to < 0 and cell.weight > -1:
                    cell.weight, cell.discovered = -1, swarm.NEVER
                cell.reflex = (
                    cell.weight == 1
                    and cell.verifications >= config.reflex_verifications
                    and cell.k >= config.reflex_rate * cell.n > 0
                )

    class Herd(mesa.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(rng=0)
            self.patterns, self.open, self.sums = state.patterns, [0] * state.patterns, [0] * 7
            self.uses = self.tick = 0
            for places in _blocks(len(state)):
                for place, row in zip(places.tolist(), cells_of(state, places).tolist(), strict=True):
                    own = {pattern: Cell(*cell) for pattern, cell in enumerate(row) if cell[0] != ABSENT}
                    Organism(self, int(state.order[place]), int(state.tier[place]), own)
            self.organisms = list(self.agents)

        def clasp(self, met: Any, tick: int) -> None:
            since, organisms, sums = max(0, tick - config.discovery_ticks), self.organisms, self.sums
            for one, other in met.tolist():
                first, second = organisms[one], organisms[other]
                told = first.teach(second, since) if first.teaches(second) else second.teach(first, since)
                self.sums = sums = [a + b for a, b in zip(sums, told, strict=True)]

        def step(self) -> None:
            self.agents.do("use")

        def use(self, rng: np.random.Generator, tick: int) -> int:
            self.rng, self.tick, before = rng, tick, self.uses
            self.step()
            return self.uses - before

        def cells(self, places: Any) -> Any:
            found = np.zeros((len(places), self.patterns, len(COLUMNS)), dtype=np.int64)
            found[:, :, 0] = ABSENT
            for row, place in enumerate(places.tolist()):
                for pattern, cell in self.organisms[place].cells.items():
                    found[row, pattern] = [getattr(cell, name) for name in COLUMNS]
            return found

        def told(self) -> list[int]:
            return self.sums

    gc.disable()  # millions of objects that all stay: looking for cycles among them doubles the time to make them
    found: Contestant = Herd()
    gc.freeze()
    gc.enable()
    return found


def contestant(name: str, state: swarm.State, theta: Any, config: Config) -> Contestant:
    """One of `NAMES`, beginning with this state; ours works on it, others on a copy of their own."""
    if name == "Mesa":
        return herd(state, theta, config)
    if name == "NumPy loop":
        return Loop(state, theta, config)
    return Ours(state, theta, config, 1 if name == "coevo, one thread" else os.cpu_count() or 1)


def meetings(state: swarm.State, seed: int) -> list[Any]:
    """Disjoint pairs of each round, as the swarm draws them."""
    where, draw = communities_of(state.community), np.random.default_rng([seed, 1])
    return [pairs(draw, where, state.community, 1.0, Config().inside)[:MOST_CLASPS] for _ in range(ROUNDS)]


def rounds(who: Contestant, met: Sequence[Any], cells: int, seed: int) -> dict[str, Any]:
    """Both passes, once for each set of pairs."""
    outcomes = np.random.default_rng(seed)
    uses, clasped, used = 0, 0.0, 0.0
    for turn, own in enumerate(met):
        begun = perf_counter()
        who.clasp(own, TICK + turn)
        between = perf_counter()
        uses += who.use(outcomes, TICK + turn)
        clasped, used = clasped + between - begun, used + perf_counter() - between
    return {"clasps": sum(map(len, met)), "clasp_seconds": clasped, "cells": cells * len(met), "uses": uses,
            "use_seconds": used}  # fmt: skip


def _race(name: str, organisms: int, patterns: int, seed: int) -> dict[str, Any]:
    config = Config()
    for size in _sizes(organisms, patterns):
        state, theta = world(size, patterns, seed, config)
        who, met = contestant(name, state, theta, config), meetings(state, seed)
        said = rounds(who, met, size * patterns, seed)
    places = np.linspace(0, organisms - 1, min(SAMPLED, organisms)).astype(np.int64)
    cells = hashlib.sha256(who.cells(places).tobytes()).hexdigest()
    return said | {"peak_bytes": peak_bytes(), "digest": [cells, *who.told(), said["uses"]]}


def _sizes(organisms: int, patterns: int) -> tuple[int, int]:
    """Of a world that is just large enough for loops to be compiled as they will be, and of the measured one."""
    return min(LARGE // patterns + 2, organisms), organisms


def _move(organisms: int, patterns: int, seed: int) -> dict[str, Any]:
    import numba

    loops = numba.njit(_planes_only), numba.njit(_all_rows)
    for size in _sizes(organisms, patterns):
        said = _moved(size, patterns, seed, *loops)
    return said


def _moved(
    organisms: int, patterns: int, seed: int, planes_only: Callable[..., None], all_rows: Callable[..., None]
) -> dict[str, Any]:
    config = Config()
    state, theta = world(organisms, patterns, seed, config)
    ours = Ours(state, theta, config, 1)
    met = pairs(np.random.default_rng([seed, 1]), communities_of(state.community), state.community, 1.0, 0.0)
    teachers, students = roles(state, met, ours.rank)
    names = ("planes", "version", "k", "n", "verifications", "discovered", "verified")
    before = {name: getattr(state, name).copy() for name in names}

    def again() -> None:
        """As it was before the clasps."""
        for name, array in before.items():
            np.copyto(getattr(state, name), array)
        ours.open[:] = 0

    moved = [array.copy() for name, array in before.items() if name != "verified"]
    return {
        "pairs": len(met),
        "plane_bytes": state.planes.nbytes,
        "copied": _fastest(np.copyto, moved[0], state.planes),
        "gathered": _fastest(planes_only, teachers, students, moved[0]),
        "rows": _fastest(all_rows, teachers, students, *moved),
        "clasped": _fastest(ours.clasp, met, TICK, first=again),
        "repeated": _fastest(ours.clasp, met, TICK),
    }


def _planes_only(teachers: Any, students: Any, planes: Any) -> None:
    for pair in range(len(teachers)):
        t, s = teachers[pair], students[pair]
        for word in range(planes.shape[1]):
            for plane in range(planes.shape[2]):
                planes[s, word, plane] |= planes[t, word, plane]


def _all_rows(
    teachers: Any, students: Any, planes: Any, version: Any, k: Any, n: Any, verifications: Any, discovered: Any
) -> None:
    for pair in range(len(teachers)):
        t, s = teachers[pair], students[pair]
        for word in range(planes.shape[1]):
            for plane in range(planes.shape[2]):
                planes[s, word, plane] |= planes[t, word, plane]
        for pattern in range(version.shape[1]):
            version[s, pattern] = version[t, pattern]
            k[s, pattern] = 0
            n[s, pattern] = 0
            verifications[s, pattern] = 0
            discovered[s, pattern] = -1


def _fastest(what: Callable[..., Any], *arguments: Any, first: Callable[[], None] | None = None) -> float:
    """Seconds. first: done before each, without the clock."""
    moments = []
    for _ in range(5):
        if first:
            first()
        begun = perf_counter()
        what(*arguments)
        moments.append(perf_counter() - begun)
    return min(moments)


def _day(run: str, organisms: int, patterns: int) -> dict[str, Any]:
    """The next tick of a run in a folder, as `coevo swarm resume` makes it."""
    from coevo_pipelines.swarm.runs import standalone
    from coevo_pipelines.swarm.tick.engine import Swarm

    standalone.begin(min(LARGE + 2, organisms), patterns, 0).tick(standalone.moment(1))
    ticked, moments = Swarm.tick, list[float]()

    def timed(self: Swarm, at: Moment) -> None:
        moments.append(perf_counter())
        ticked(self, at)
        moments.append(perf_counter())

    moments.append(perf_counter())
    with patch.object(Swarm, "tick", timed), watched() as own:
        made = standalone.resume(Path(run), more=1, workers=os.cpu_count() or 1)
    begun, read, done = moments
    files = standalone.segments(Path(run))[-1].told["files"]
    return {
        "seconds": {"read": read - begun, "tick": done - read, "write": perf_counter() - done},
        "rows": {Path(name).stem: file["rows"] for name, file in files.items()},
        "written_bytes": sum(file["bytes"] for file in files.values()),
        "state_bytes": sum(each.nbytes for each in vars(made.state).values() if isinstance(each, np.ndarray)),
        "peak_bytes": peak_bytes(),
        "own_bytes": max(own, default=0),
    }


def main() -> None:
    """Measure one thing."""
    what, *arguments = json.loads(sys.argv[1])
    measures: dict[str, Callable[..., dict[str, Any]]] = {"race": _race, "move": _move, "day": _day}
    print(json.dumps(measures[what](*arguments)))


if __name__ == "__main__":
    main()
