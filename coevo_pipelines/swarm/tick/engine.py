"""The simulation, tick by tick.

    swarm = Swarm.begin(Config(), seed=1, state=state, versions=versions, at=moment)
    while swarm.now < 1000:
        swarm.tick(next_moment)

A tick: tiers and income; decisions that a person turned; clasps; uses; Nyx (decides, or sleeps); churn; ages. What
happened is kept in `events` until it is taken; the arrays are in `state`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from coevo_pipelines.swarm.config import Config, Moment
from coevo_pipelines.swarm.decisions.minds import Panel
from coevo_pipelines.swarm.records import Marker, Prediction, Record, ReviewItem
from coevo_pipelines.swarm.tick import attention as deciding
from coevo_pipelines.swarm.tick import correcting, living, measuring, meeting, using
from coevo_pipelines.swarm.tick.clasps import Communities, communities_of
from coevo_pipelines.swarm.tick.events import Events, Open, Tick, Trial
from coevo_pipelines.swarm.tick.ledger import NYX, Entries, Ledger
from coevo_pipelines.swarm.tick.nyx import Nyx
from coevo_pipelines.swarm.tick.state import STREAMS, State, Versions, joined, kept, stream

Ints = NDArray[np.int64]


class CheckpointError(ValueError):
    """A checkpoint cannot be gone on from; the message names what is wrong with it."""


class OtherRules(CheckpointError):
    """Nothing is wrong with it: it is of another simulation than the settings ask for."""


@dataclass
class Swarm:
    """The whole simulation; `checkpoint()` and the arrays are all that it needs to go on."""

    config: Config
    seed: int
    run_id: str
    state: State
    versions: Versions
    ledger: Ledger = field(default_factory=Ledger)
    nyx: Nyx = field(default_factory=Nyx)
    panel: Panel = field(default_factory=Panel)
    workers: int = 1
    now: int = 0
    """Ticks done."""
    markers: int = 0
    predictions: int = 0
    newborns: int = 0
    """Made so far: what the next ids are numbered by."""
    pending: dict[str, Open] = field(default_factory=dict)
    predicted: dict[str, Prediction] = field(default_factory=dict)
    """Open predictions by marker."""
    review_items: dict[str, ReviewItem] = field(default_factory=dict)
    reviewed: dict[str, Marker] = field(default_factory=dict)
    """Decided markers with a review item, by marker."""
    precedents: dict[str, list[float]] = field(default_factory=dict)
    """pattern, two versions in order (JSON) -> successes and trials of the first and of the second."""
    departed: list[str] = field(default_factory=list)
    """Those of the graph whose place a newborn took: they do not come back."""
    lead: list[int] = field(default_factory=lambda: [0, 0])
    """How often the better rate at mark time won, of how many markers."""
    events: Events = field(default_factory=Events)
    streams: dict[str, np.random.Generator] = field(default_factory=dict)
    where: Communities | None = None
    """Members of communities; None after somebody came, left or moved."""

    @classmethod
    def begin(
        cls,
        config: Config,
        seed: int,
        state: State,
        versions: Versions,
        at: Moment,
        *,
        run_id: str = "run",
        workers: int = 1,
        panel: Panel | None = None,
    ) -> Swarm:
        """Tick 0: everybody is there, and gets the lifeforce that stands in `state.lf`."""
        amounts = state.lf.copy()
        state.lf[:] = 0
        found = cls(config, seed, run_id, state, versions, workers=workers, panel=panel or Panel())
        found.streams = {name: stream(seed, name) for name in STREAMS}
        found._seat()
        found.ledger.mint_all(0, np.arange(len(state)), amounts, "opening")
        found.ledger.mint(0, NYX, config.nyx_start, "opening")
        state.retier(config)
        state.settle_reflexes(config)
        measuring.measure(found, at, Tick(births=len(state)))
        return found

    def tick(self, at: Moment, trials: Sequence[Trial] = (), records: Mapping[str, Record] | None = None) -> None:
        """One more tick. trials: observed on its day. records: persons' decisions by review_id.

        Raises ValueError where `at` is not the next tick, AssertionError where the ledger does not sum to zero.
        """
        if at.tick != self.now + 1:
            raise ValueError(f"tick {at.tick} does not follow tick {self.now}")
        self.now = at.tick
        known = records or {}
        self.panel.begin(at.partition)
        done = Tick(lead=(self.lead[0], self.lead[1]))
        self.state.retier(self.config)
        income = self._pay()
        correcting.take_up(self, at, known, done)
        meeting.meet(self, at, done)
        using.use(self, trials, done)
        deciding.attend(self, at, income, known, done)
        living.churn(self, at, done)
        self.state.age += 1
        measuring.measure(self, at, done)
        if total := self.ledger.total():
            raise AssertionError(f"tick {at.tick}: the lifeforce ledger sums to {total}, not to zero")

    def _pay(self) -> int:
        """Income of all; returns Nyx's."""
        count = len(self.state)
        amounts = np.array([tier.income for tier in self.config.tiers], dtype=np.int64)[self.state.tier]
        self.ledger.mint_all(self.now, np.arange(count), amounts, "income")
        income = self.config.nyx_income * count * (2 if self.nyx.mode == "SLUMBER" else 1)
        given = min(income, max(0, self.config.nyx_most - self.ledger.nyx))
        self.ledger.mint(self.now, NYX, given, "income")
        return income

    def members(self) -> Communities:
        """Who is in which community now."""
        if self.where is None:
            self.where = communities_of(self.state.community)
        return self.where

    def place_of(self, organism_id: str) -> int | None:
        """Where an organism is; None when it is not there."""
        try:
            return self.state.ids.index(organism_id)
        except ValueError:
            return None

    def admit(self, arrivals: State, *, at: Moment) -> None:
        """More organisms; each gets the lifeforce that stands in its `lf`. Their patterns and versions are in
        `versions` already, their communities by the numbers of `state.communities`."""
        amounts = arrivals.lf.copy()
        arrivals.lf[:] = 0
        first = len(self.state)
        patterns = len(self.versions.patterns)
        self.state = joined(self.state.widened(patterns), arrivals.widened(patterns))
        self.state.settle_reflexes(self.config)
        self._seat()
        self.ledger.mint_all(at.tick, np.arange(first, len(self.state)), amounts, "opening")

    def retire(self, organism_ids: Iterable[str], why: str) -> int:
        """Take organisms out for good: what they leave is burnt, their open decisions are void. Returns how many."""
        gone = {place for each in organism_ids if (place := self.place_of(each)) is not None}
        if not gone:
            return 0
        done = Tick()
        for where in list(self.pending.values()):
            if gone & {where.teacher, where.student}:
                deciding.void(self, where, why, done)
        if self.events.metrics:
            self.events.metrics[-1]["void"] += done.void
        self.ledger.bury(self.now, np.array(sorted(gone), dtype=np.int64))
        places = [place for place in range(len(self.state)) if place not in gone]
        moved = {place: number for number, place in enumerate(places)}
        self.state = kept(self.state, places)
        for where in self.pending.values():
            where.teacher, where.student = moved[where.teacher], moved[where.student]
        self._seat()
        return len(gone)

    def _seat(self) -> None:
        """The ledger keeps the balances of the state's own array; entries booked under earlier numbers keep their
        names."""
        names = self.ledger.names
        self.ledger.lf = self.state.lf
        self.ledger.serial = np.arange(len(self.state), dtype=np.int64) + len(names)
        self.ledger.names = names + list(self.state.ids)
        self.where = None

    def taken(self) -> tuple[Events, Entries]:
        """What happened since the last call, and the ledger's entries. Pending markers and open predictions go with
        the next ones too: they are told as they are whenever something is told."""
        events, entries = self.events, self.ledger.taken()
        self.events = Events(
            markers={each.marker.marker_id: each.marker for each in self.pending.values()},
            predictions={each.prediction_id: each for each in self.predicted.values()},
        )
        return events, entries

    def checkpoint(self) -> dict[str, Any]:
        """All that goes on beside the arrays, the versions and their accounts, as JSON knows it."""
        pending = [_OPEN.dump_python(each, mode="json") for each in self.pending.values()]
        return {
            "config": self.config.hash,
            "seed": self.seed,
            "run_id": self.run_id,
            "now": self.now,
            "markers": self.markers,
            "predictions": self.predictions,
            "newborns": self.newborns,
            "communities": list(self.state.communities),
            "streams": {name: _plain(each.bit_generator.state) for name, each in sorted(self.streams.items())},
            "nyx": _NYX.dump_python(self.nyx, mode="json"),
            "ledger": {
                "nyx": self.ledger.nyx,
                "source": self.ledger.source,
                "sink": self.ledger.sink,
                "entries": self.ledger.entries,
                "shortfall": self.ledger.shortfall,
            },
            "pending": pending,
            "predicted": [_PREDICTION.dump_python(each, mode="json") for each in self.predicted.values()],
            "review_items": [_ITEM.dump_python(each, mode="json") for each in self.review_items.values()],
            "reviewed": [_MARKER.dump_python(each, mode="json") for each in self.reviewed.values()],
            "precedents": self.precedents,
            "minds": self.panel.checkpoint(),
            "departed": self.departed,
            "lead": self.lead,
        }

    @classmethod
    def restore(
        cls,
        config: Config,
        state: State,
        versions: Versions,
        accounts: Mapping[int, int],
        told: Mapping[str, Any],
        *,
        workers: int = 1,
        panel: Panel | None = None,
    ) -> Swarm:
        """Go on from a checkpoint. accounts: balances of versions by number.

        Raises OtherRules where it is of another configuration, CheckpointError where it does not fit together.
        """
        if told["config"] != config.hash:
            raise OtherRules(
                f"the checkpoint was made with configuration {told['config'][:12]}… and the settings say "
                f"{config.hash[:12]}…: a simulation keeps its configuration; begin another one"
            )
        found = cls(config, told["seed"], told["run_id"], state, versions, workers=workers, panel=panel or Panel())
        found.now, found.markers, found.predictions, found.newborns = (
            told[name] for name in ("now", "markers", "predictions", "newborns")
        )
        for name in STREAMS:
            found.streams[name] = stream(found.seed, name)
            found.streams[name].bit_generator.state = told["streams"][name]
        found.nyx = _NYX.validate_python(told["nyx"])
        book = told["ledger"]
        found.ledger = Ledger(
            nyx=book["nyx"], source=book["source"], sink=book["sink"], versions=dict(accounts),
            entries=book["entries"], shortfall=book["shortfall"],
        )  # fmt: skip
        state.communities = list(told["communities"])
        found._seat()
        if found.ledger.total():
            raise CheckpointError(f"the checkpoint's lifeforce sums to {found.ledger.total()}, not to zero")
        found.pending = {each.marker.marker_id: each for each in map(_OPEN.validate_python, told["pending"])}
        found.predicted = {each.marker_id: each for each in map(_PREDICTION.validate_python, told["predicted"])}
        found.review_items = {each.review_id: each for each in map(_ITEM.validate_python, told["review_items"])}
        found.reviewed = {each.marker_id: each for each in map(_MARKER.validate_python, told["reviewed"])}
        found.precedents = {name: list(each) for name, each in told["precedents"].items()}
        found.panel.restore(told["minds"])
        found.departed = list(told["departed"])
        found.lead = list(told["lead"])
        found.taken()
        return found


_OPEN, _NYX, _MARKER = TypeAdapter(Open), TypeAdapter(Nyx), TypeAdapter(Marker)
_PREDICTION, _ITEM = TypeAdapter(Prediction), TypeAdapter(ReviewItem)


def _plain(value: Any) -> Any:
    """NumPy's numbers in a stream's state as Python's."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return value if isinstance(value, str) else int(value)
