"""The simulation, tick by tick.

    swarm = Swarm.begin(Config(), seed=1, state=state, versions=versions, at=moment)
    while swarm.now < 1000:
        swarm.tick(next_moment)

A tick: tiers and income; decisions that a person turned; clasps; uses; Nyx (decides, or sleeps); churn; ages. What
happened is kept in `events` until it is taken; the arrays are in `state`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from coevo_pipelines.lake.ledger import canonical
from coevo_pipelines.swarm import evidence, reviews
from coevo_pipelines.swarm.clasps import Communities, Passed, clasp, communities_of, pairs, roles
from coevo_pipelines.swarm.config import MILLI, TIERS, Config, Distribution, Moment, Outcome, Winner
from coevo_pipelines.swarm.ladder import COUNCIL, DAFIT, climb, standin
from coevo_pipelines.swarm.ledger import NYX, Entries, Ledger, version_account
from coevo_pipelines.swarm.minds import Panel
from coevo_pipelines.swarm.nyx import Nyx
from coevo_pipelines.swarm.outcomes import Uses, observe, simulate
from coevo_pipelines.swarm.predictions import predict, score
from coevo_pipelines.swarm.records import Case, Climb, Counts, Marker, Prediction, Record, ReviewItem, Side, Step
from coevo_pipelines.swarm.state import (
    BUSY,
    INHERITED,
    LOVE_CHILD,
    MINUS,
    NEVER,
    PLUS,
    PRESENT,
    REFLEX,
    STREAMS,
    UNCERTAIN,
    WAITING,
    YOUNG,
    State,
    Versions,
    joined,
    kept,
    stream,
)

Ints = NDArray[np.int64]


class CheckpointError(ValueError):
    """A checkpoint cannot be gone on from; the message names what is wrong with it."""


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
    _streams: dict[str, np.random.Generator] = field(default_factory=dict)
    _where: Communities | None = None

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
        found._streams = {name: stream(seed, name) for name in STREAMS}
        found._seat()
        found.ledger.mint_all(0, np.arange(len(state)), amounts, "opening")
        found.ledger.mint(0, NYX, config.nyx_start, "opening")
        state.retier(config)
        found._measure(at, _Tick(births=len(state)))
        return found

    # a tick

    def tick(self, at: Moment, trials: Sequence[Trial] = (), records: Mapping[str, Record] | None = None) -> None:
        """One more tick. trials: observed on its day. records: persons' decisions by review_id.

        Raises ValueError where `at` is not the next tick, AssertionError where the ledger does not sum to zero.
        """
        if at.tick != self.now + 1:
            raise ValueError(f"tick {at.tick} does not follow tick {self.now}")
        self.now = at.tick
        known = records or {}
        self.panel.begin(at.partition)
        done = _Tick(lead=(self.lead[0], self.lead[1]))
        self.state.retier(self.config)
        income = self._pay()
        self._review(at, known, done)
        self._clasp(at, done)
        self._use(trials, done)
        self._attend(at, income, known, done)
        self._churn(at, done)
        self.state.age += 1
        self._measure(at, done)
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

    def _clasp(self, at: Moment, done: _Tick) -> None:
        config, state = self.config, self.state
        if self._where is None:
            self._where = communities_of(state.community)
        met = pairs(self._streams["pairing"], self._where, state.community, config.clasp_rate, config.inside)
        able = (state.lf[met] >= max(config.clasp_cost, config.dormant_below)).all(axis=1)
        done.skipped = int((~able).sum())
        teachers, students = roles(state, met[able], np.array([tier.teach_rank for tier in config.tiers]))
        self.ledger.charge_all(self.now, np.stack([teachers, students], axis=1).ravel(), config.clasp_cost, "clasp")
        counts = np.zeros(state.patterns, dtype=np.int64)
        for each in self.pending.values():
            counts[each.pattern] += 1
        spread = np.zeros(len(self.versions), dtype=np.int64)
        passed = clasp(
            state, teachers, students, counts, config.cap, spread,
            since=self.now - config.discovery_ticks, identity=config.identity, full=config.upward == "full",
        )  # fmt: skip
        for version in np.flatnonzero(spread):
            if self.versions.chosen_by[version] is not None:
                self.versions.hops[version] += int(spread[version])
                done.hops += int(spread[version])
        for pair, pattern in passed.markers:
            self._open(at, int(teachers[pair]), int(students[pair]), int(pattern))
        self._consider(teachers, students, passed)
        done.passed = passed
        done.clasps = len(teachers)
        if len(teachers):
            serial = self.ledger.serial
            self.events.clasps.append(Clasps(self.now, serial[teachers], serial[students], passed))

    def _consider(self, teachers: Ints, students: Ints, passed: Passed) -> None:
        """Teachers take up, or not, what their students discovered and they lack: as uncertain, not yet tried."""
        found = passed.discoveries
        if not len(found):
            return
        state = self.state
        consider = np.array([tier.consider for tier in self.config.tiers])
        own = np.minimum(1.0, consider[state.tier[teachers[found[:, 0]]]] + self.config.novelty_bonus)
        for pair, pattern in found[self._streams["stand_ins"].random(len(found)) < own]:
            teacher, student = int(teachers[pair]), int(students[pair])
            state.take(np.array([teacher]), int(pattern), int(state.version[student, pattern]), 0)
            passed.upward[pair] += 1

    def _open(self, at: Moment, teacher: int, student: int, pattern: int) -> None:
        """A marker on a tie whose cells are BUSY already."""
        state, versions = self.state, self.versions
        self.markers += 1
        weight = state.weight(teacher, pattern) or 0
        marker = Marker(
            marker_id=f"blend_{self.run_id}_{self.markers}",
            number=self.markers,
            pattern=versions.patterns[pattern],
            importance=versions.importance[pattern],
            kind="blend" if weight > 0 else "uncertain",
            protocol=self.config.protocol,
            teacher_id=state.ids[teacher],
            student_id=state.ids[student],
            teacher_version=versions.version_id[state.version[teacher, pattern]],
            student_version=versions.version_id[state.version[student, pattern]],
            teacher_weight=weight,
            student_weight=weight,
            marked=at,
            teacher_prior=self._counts(teacher, pattern),
            student_prior=self._counts(student, pattern),
        )
        for place in (teacher, student):
            if self.config.protocol == "freeze":
                state.put(WAITING, place, pattern, True)
                state.set_weight(place, pattern, 0)
            elif weight == 0:
                state.put(UNCERTAIN, place, pattern, True)
        self.pending[marker.marker_id] = Open(marker, teacher, student, pattern)
        self.events.markers[marker.marker_id] = marker

    def _counts(self, place: int, pattern: int) -> Counts:
        state = self.state
        return Counts(
            float(state.k[place, pattern]), float(state.n[place, pattern]), int(state.verifications[place, pattern])
        )

    # uses

    def _use(self, trials: Sequence[Trial], done: _Tick) -> None:
        state, versions = self.state, self.versions
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
            there[[place for each in trial.own if (place := self.place_of(each)) is not None]] = False
            places = np.flatnonzero(there)
            adopted = [versions.number(pattern, each) for each in sorted(trial.versions)]
            success = np.isin(state.version[places, pattern], [each for each in adopted if each is not None])
            cells.append(np.stack([places, np.full(len(places), pattern), success.astype(np.int64)], axis=1))
            works += [trial.work_id] * len(places)
        seen = np.concatenate(cells) if cells else np.zeros((0, 3), dtype=np.int64)
        if len(seen):
            found = observe(state, seen, self.now, self.config)
            busy = [work for work, (place, pattern, _) in zip(works, seen, strict=True)
                    if state.is_set(BUSY, int(place), int(pattern))]  # fmt: skip
            self._note(found.marked, [{"work": work} for work in busy])
            done.observed = len(seen)
            done.uses.append(found)
        theta = np.array(versions.theta, dtype=np.float64)
        found = simulate(state, self._streams["outcomes"], theta, exposed, self.now, self.config, self.workers)
        self._note(found.marked)
        done.uses.append(found)

    def _note(self, marked: Ints, contexts: Sequence[Mapping[str, str]] = ()) -> None:
        """Outcomes of cells with an open decision go to its marker; a success pays. contexts: of observed ones."""
        if not len(marked):
            return
        sides = {}
        for each in self.pending.values():
            sides[each.teacher, each.pattern] = each.marker.teacher_outcomes
            sides[each.student, each.pattern] = each.marker.student_outcomes
        state = self.state
        for number, (place, pattern, success) in enumerate(marked.tolist()):
            community = int(state.community[place])
            context = {
                "tier": TIERS[state.tier[place]],
                **({"community": state.communities[community]} if community >= 0 else {}),
                **(contexts[number] if contexts else {}),
            }
            outcome = Outcome(
                tick=self.now,
                organism_id=state.ids[place],
                success=bool(success),
                context=canonical(context).decode(),
                source="observed" if contexts else "simulated",
            )
            sides[place, pattern].append(outcome)
        succeeded = marked[marked[:, 2] == 1, 0]
        amounts = np.full(len(succeeded), self.config.success_reward, dtype=np.int64)
        self.ledger.mint_all(self.now, succeeded, amounts, "wait")

    # Nyx

    def _attend(self, at: Moment, income: int, known: Mapping[str, Record], done: _Tick) -> None:
        """Awake: pay, decide, perhaps fall asleep. Asleep: perhaps wake, and then decide what was predicted."""
        config, nyx, ledger = self.config, self.nyx, self.ledger
        spread: list[tuple[Open, Distribution]] = []
        requested = 0
        if nyx.mode == "AWAKE":
            requested = config.nyx_upkeep
            if ledger.nyx >= config.nyx_upkeep:
                ledger.charge(self.now, NYX, config.nyx_upkeep, "upkeep")
            budget = config.attention_budget
            for each in self._ripe():
                forced = self.now - each.marker.marked.tick >= config.max_wait
                if not forced and budget <= 0:
                    break
                budget -= 1
                if not forced and ledger.nyx < config.decide_from:
                    requested += config.level_costs[0] + self._distribution_cost(each.marker)
                    continue
                cost = self._decide(at, each, known, spread, done)
                requested += cost + self._distribution_cost(each.marker)
        elif nyx.wakes(ledger.nyx, self._urgent(), self.now, config):
            nyx.mode, nyx.asleep_since = "AWAKE", None
            for each in self._ripe():
                if each.marker.marker_id in self.predicted:
                    self._decide(at, each, known, spread, done)
        for where, how in spread:
            self._distribute(where, how)
        nyx.note(income, requested, config.ema_span)
        if nyx.mode == "AWAKE" and nyx.tires(ledger.nyx, self._urgent(), config):
            self._foresee(at, done)
            nyx.mode, nyx.asleep_since = "SLUMBER", self.now

    def _ripe(self) -> list[Open]:
        """Markers that may be decided, oldest first."""
        ripe = [each for each in self.pending.values() if self.now - each.marker.marked.tick >= self.config.min_wait]
        return sorted(ripe, key=lambda each: each.marker.number)

    def _urgent(self) -> bool:
        """A critical marker is older than it may be."""
        return any(
            each.marker.importance == "critical" and self.now - each.marker.marked.tick > self.config.max_wait
            for each in self.pending.values()
        )

    def _decide(
        self,
        at: Moment,
        where: Open,
        known: Mapping[str, Record],
        spread: list[tuple[Open, Distribution]],
        done: _Tick,
    ) -> int:
        """Send a marker up the ladder; what that costs, or would have cost."""
        marker = where.marker
        case = self.case(marker.marker_id)
        review = reviews.review_id(
            at.partition, marker.pattern, (marker.teacher_version, marker.student_version),
            (marker.teacher_id, marker.student_id),
        )  # fmt: skip
        found = climb(case, self.config, self.panel, known.get(review), self.ledger.nyx)
        if found.refused is not None or found.winner is None:
            marker.why = f"level {found.refused} could not be paid at tick {self.now}"
            return found.cost
        for step in found.steps:
            if step.cost:
                self.ledger.charge(self.now, NYX, step.cost, f"level_{step.level}", marker.marker_id)
            self.events.steps.append((marker.marker_id, at, step))
        self._remember(where, found.winner)
        marker.why = None
        marker.resolved, marker.status = at, "resolved"
        marker.winner, marker.q, marker.confidence = found.winner, found.q, found.confidence
        marker.level, marker.decided_by = found.level, found.decided_by
        live = _live(marker.teacher_outcomes), _live(marker.student_outcomes)
        marker.evidence_delta = evidence.evidence_delta(found.winner, *live)
        marker.fisher_p = evidence.fisher(case.teacher.counts, case.student.counts)
        self._settle(where, found.winner)
        if found.winner != "hybrid":
            spread.append((where, found.distribution or self.config.distribution[marker.importance]))
        if found.level >= DAFIT:
            self._ask(at, marker, case, found, review, known.get(review))
        self._score(marker)
        del self.pending[marker.marker_id]
        done.resolved += 1
        return found.cost

    def case(self, marker_id: str) -> Case:
        """What a mind is asked about a pending marker, as of now."""
        where = self.pending[marker_id]
        marker = where.marker
        past = self.precedents.get(_pair(marker), [0.0] * 4)
        if marker.teacher_version > marker.student_version:
            past = past[2:] + past[:2]
        return Case(
            marker_id=marker_id,
            pattern=marker.pattern,
            importance=marker.importance,
            kind=marker.kind,
            teacher=self._side(where, where.teacher, marker.teacher_prior, marker.teacher_outcomes),
            student=self._side(where, where.student, marker.student_prior, marker.student_outcomes),
            past_teacher=Counts(past[0], past[1]),
            past_student=Counts(past[2], past[3]),
        )

    def _side(self, where: Open, place: int, prior: Counts, outcomes: Sequence[Outcome]) -> Side:
        state = self.state
        live = _live(outcomes)
        verifications = prior.verifications + int(live.k)
        if self.config.evidence == "live":
            counts = Counts(live.k, live.n, verifications)
        else:
            counts = Counts(prior.k + live.k, prior.n + live.n, verifications)
        return Side(
            organism_id=state.ids[place],
            version_id=self.versions.version_id[state.version[place, where.pattern]],
            weight=state.weight(place, where.pattern) or 0,
            counts=counts,
            live=live,
            age=int(state.age[place]),
            tier=TIERS[state.tier[place]],
            influence=float(state.influence[place]),
            consensus=self._consensus(place, where.pattern),
        )

    def _consensus(self, place: int, pattern: int) -> float:
        """Share of the cells of a pattern in an organism's community that hold its version; 0 without others."""
        state = self.state
        if self._where is None:
            self._where = communities_of(state.community)
        home = int(state.community[place])
        if home < 0:
            return 0.0
        there = self._where.members[self._where.start[home] : self._where.start[home + 1]]
        held = state.version[there, pattern]
        holders = int((held >= 0).sum())
        return float((held == state.version[place, pattern]).sum()) / holders if holders else 0.0

    def _remember(self, where: Open, winner: Winner) -> None:
        """Precedents for level 3, and whether the better rate at mark time won."""
        marker = where.marker
        sides = [
            (marker.teacher_version, marker.teacher_prior, _live(marker.teacher_outcomes)),
            (marker.student_version, marker.student_prior, _live(marker.student_outcomes)),
        ]
        found = self.precedents.setdefault(_pair(marker), [0.0] * 4)
        for place, (_, prior, live) in enumerate(sorted(sides, key=lambda side: side[0])):
            found[2 * place] += prior.k + live.k
            found[2 * place + 1] += prior.n + live.n
        rates = [(1 + prior.k) / (2 + prior.n) for _, prior, _ in sides]
        if winner != "hybrid" and rates[0] != rates[1]:
            self.lead[0] += (rates[0] > rates[1]) == (winner == "teacher")
            self.lead[1] += 1

    def _settle(self, where: Open, winner: Winner) -> None:
        """The loser's cell gets the winner's version and weight; both work on."""
        marker, state, pattern = where.marker, self.state, where.pattern
        self._release(where)
        if winner == "hybrid":
            return
        best, other = (where.teacher, where.student) if winner == "teacher" else (where.student, where.teacher)
        version = int(state.version[best, pattern])
        state.take(np.array([other]), pattern, version, state.weight(best, pattern) or 0)
        self.versions.chosen_by[version] = marker.marker_id
        self.ledger.mint(
            self.now, version_account(version), self.config.resolution_reward, "resolution", marker.marker_id
        )

    def _release(self, where: Open) -> None:
        """No decision is open on the two cells any more; frozen weights are as they were."""
        marker, state = where.marker, self.state
        for place, weight in ((where.teacher, marker.teacher_weight), (where.student, marker.student_weight)):
            if state.is_set(WAITING, place, where.pattern):
                state.set_weight(place, where.pattern, weight)
            for plane in (BUSY, WAITING, UNCERTAIN):
                state.put(plane, place, where.pattern, False)

    def _void(self, where: Open, why: str, done: _Tick) -> None:
        """Give a marker up: no winner, no rewards."""
        self._release(where)
        where.marker.status, where.marker.why = "void", why
        self._score(where.marker)
        del self.pending[where.marker.marker_id]
        done.void += 1

    # spreading

    def _distribution_cost(self, marker: Marker) -> int:
        """What the usual distribution would cost."""
        how = marker.distribution or self.config.distribution[marker.importance]
        if how == "broadcast":
            return self.config.broadcast_cost
        return self.config.seed_cost * int(self.state.blessed.sum()) if how == "lovechild" else 0

    def _distribute(self, where: Open, how: Distribution) -> None:
        """Carry the winner of a decision to the others, as far as Nyx can pay."""
        place = where.teacher if where.marker.winner == "teacher" else where.student
        version, weight = int(self.state.version[place, where.pattern]), self.state.weight(place, where.pattern) or 0
        self._spread(where.marker, how, where.pattern, version, weight, (where.teacher, where.student))

    def _spread(
        self,
        marker: Marker,
        how: Distribution,
        pattern: int,
        version: int,
        weight: int,
        participants: Iterable[int],
        *,
        paid: bool = False,
    ) -> None:
        """`paid`: a broadcast for this marker was paid before."""
        marker.distribution = how
        if how == "lovechild":
            self._seed(marker, pattern, version, weight, participants)
        elif how == "broadcast":
            cost = 0 if paid else self.config.broadcast_cost
            if self.ledger.nyx < cost:
                marker.distribution, marker.why = "organic", "the broadcast could not be paid"
                return
            self.ledger.charge(self.now, NYX, cost, "broadcast", marker.marker_id)
            self._everywhere(pattern, version, weight, participants)

    def _everywhere(self, pattern: int, version: int, weight: int, participants: Iterable[int]) -> None:
        """Every cell of the pattern without an open decision, reflexes included; cells that have it already stay."""
        state = self.state
        places = np.flatnonzero(state.plane(PRESENT, pattern) & ~state.plane(BUSY, pattern))
        places = places[~np.isin(places, list(participants))]
        state.take(places[self._differs(places, pattern, version, weight)], pattern, version, weight)

    def _seed(self, marker: Marker, pattern: int, version: int, weight: int, participants: Iterable[int]) -> None:
        """Each love child that has it not yet, for a fee each, in order of id."""
        state = self.state
        places = np.flatnonzero((state.tier == LOVE_CHILD) & ~state.plane(BUSY, pattern))
        places = places[~np.isin(places, list(participants))]
        places = places[self._differs(places, pattern, version, weight)]
        places = places[np.argsort(state.order[places])]
        fee = self.config.seed_cost
        payable = len(places) if not fee else min(len(places), self.ledger.nyx // fee)
        if payable < len(places):
            marker.why = f"{len(places) - payable} love children could not be paid for"
        if payable:
            self.ledger.charge(self.now, NYX, fee * payable, "seed", marker.marker_id)
            state.take(places[:payable], pattern, version, weight)

    def _differs(self, places: Ints, pattern: int, version: int, weight: int) -> NDArray[np.bool_]:
        state = self.state
        plus, minus = state.plane(PLUS, pattern)[places], state.plane(MINUS, pattern)[places]
        found: NDArray[np.bool_] = (state.version[places, pattern] != version) | (
            plus.astype(np.int64) - minus.astype(np.int64) != weight
        )
        return found

    # predictions

    def _foresee(self, at: Moment, done: _Tick) -> None:
        """A prediction for every pending marker that has none, from what is known now."""
        for where in sorted(self.pending.values(), key=lambda each: each.marker.number):
            marker = where.marker
            if marker.marker_id in self.predicted:
                continue
            self.predictions += 1
            rate = self.config.use_rate * (self.config.uncertain_factor if marker.kind == "uncertain" else 1)
            found = predict(
                self.case(marker.marker_id),
                prediction_id=f"predict_{self.run_id}_{self.predictions}",
                at=at,
                horizon=self.config.horizon,
                trials=max(self.config.fewest_outcomes, round(rate * self.config.horizon)),
                config=self.config,
            )
            found.lead_hits, found.lead_of = done.lead
            self.predicted[marker.marker_id] = found
            self.events.predictions[found.prediction_id] = found
            done.predictions += 1

    def _score(self, marker: Marker) -> None:
        """Hold a prediction against what came, and pay for it."""
        found = self.predicted.pop(marker.marker_id, None)
        if found is None:
            return
        self.events.predictions[found.prediction_id] = found
        since = found.predicted.tick
        score(
            found,
            _live(each for each in marker.teacher_outcomes if each.tick > since),
            _live(each for each in marker.student_outcomes if each.tick > since),
            marker.winner,
            found.lead_hits,
            found.lead_of,
            self.config,
        )
        found.scored_tick = self.now
        for kind, amount in (
            ("prediction", found.prediction_reward),
            ("calibration", found.calibration_reward),
            ("causal", found.causal_reward),
        ):
            milli = round((amount or 0.0) * MILLI)
            if milli > 0:
                self.ledger.reward(self.now, NYX, milli, kind, found.prediction_id, self.config.nyx_most)
            elif milli < 0:
                self.ledger.penalize(self.now, NYX, -milli, kind, found.prediction_id)

    # people

    def _ask(self, at: Moment, marker: Marker, case: Case, found: Climb, review: str, record: Record | None) -> None:
        """A review item for a decision at level 4 or 5."""
        marker.review_id = review
        self.review_items[review] = reviews.open_item(review, case, found, at, standin(case, self.config), record)
        self.reviewed[marker.marker_id] = marker

    def _review(self, at: Moment, known: Mapping[str, Record], done: _Tick) -> None:
        """Take up persons' records on decided markers; give up on items that are too old."""
        for review, item in self.review_items.items():
            record = known.get(review)
            marker = self.reviewed[item.marker_id]
            if record is not None and record != item.record:
                item.record, item.status = record, "decided"
                if marker.winner != record.decision:
                    self._correct(at, marker, record)
                    done.corrections += 1
            elif item.status == "open" and self.now - item.opened.tick >= self.config.review_ticks:
                item.status = "expired"

    def _correct(self, at: Moment, marker: Marker, record: Record) -> None:
        """A person turns a decision: winner and loser change places, and everybody is told. Nothing is charged that
        was charged for this marker before."""
        paid = marker.distribution == "broadcast"
        self._move_reward(marker, self._version(marker, marker.winner), self._version(marker, record.decision))
        marker.winner, marker.distribution, marker.why = record.decision, None, None
        pattern = self.versions.patterns.index(marker.pattern)
        places = self._participants(marker, pattern)
        weights = {"teacher": marker.teacher_weight, "student": marker.student_weight}
        for side, place in places.items():
            holds = side if record.decision == "hybrid" else record.decision
            version = self._version(marker, holds)
            if version is not None:
                self.state.take(np.array([place]), pattern, version, weights[holds])
        chosen = self._version(marker, record.decision)
        if chosen is not None:
            self.versions.chosen_by[chosen] = marker.marker_id
            how = record.distribution or "broadcast"
            self._spread(marker, how, pattern, chosen, weights[record.decision], places.values(), paid=paid)
        marker.corrected_tick = self.now
        marker.decided_by = "council_human" if marker.level == COUNCIL else "dafit_human"
        live = _live(marker.teacher_outcomes), _live(marker.student_outcomes)
        marker.evidence_delta = evidence.evidence_delta(record.decision, *live)
        self.events.markers[marker.marker_id] = marker
        step = Step(
            level=marker.level or DAFIT,
            event="correction",
            cost=0,
            q=marker.q,
            confidence=1.0,
            winner=record.decision,
            is_final=True,
            decided_by=marker.decided_by,
            mind="human",
            reason=f"{record.reviewer}: {record.note}" if record.note else record.reviewer,
        )
        self.events.steps.append((marker.marker_id, at, step))

    def _move_reward(self, marker: Marker, before: int | None, after: int | None) -> None:
        """What a version won goes to the one that a person chose instead; None: hybrid, which wins nothing."""
        ledger, reward, ref = self.ledger, self.config.resolution_reward, marker.marker_id
        if before is None and after is not None:
            ledger.mint(self.now, version_account(after), reward, "resolution", ref)
        elif before is not None and after is None:
            ledger.penalize(self.now, version_account(before), reward, "correction", ref)
        elif before is not None and after is not None:
            ledger.transfer(self.now, version_account(before), version_account(after), reward, "correction", ref)

    def _version(self, marker: Marker, side: str | None) -> int | None:
        """Number of the version of a side; None for hybrid."""
        if side not in {"teacher", "student"}:
            return None
        name = marker.teacher_version if side == "teacher" else marker.student_version
        return self.versions.number(self.versions.patterns.index(marker.pattern), name)

    def _participants(self, marker: Marker, pattern: int) -> dict[str, int]:
        """Places of those of the two that still are there, hold the pattern and have no decision open on it."""
        found = {}
        for side, organism in (("teacher", marker.teacher_id), ("student", marker.student_id)):
            place = self.place_of(organism)
            if (
                place is not None
                and self.state.is_set(PRESENT, place, pattern)
                and not self.state.is_set(BUSY, place, pattern)
            ):
                found[side] = place
        return found

    def place_of(self, organism_id: str) -> int | None:
        """Where an organism is; None when it is not there."""
        try:
            return self.state.ids.index(organism_id)
        except ValueError:
            return None

    # life and death

    def _churn(self, at: Moment, done: _Tick) -> None:
        """Some of those without an open decision and not blessed make place for a newborn."""
        state = self.state
        busy = (state.planes[:, :, BUSY] != 0).any(axis=1)
        leaving = self._streams["churn"].random(len(state)) < self.config.churn
        places = np.flatnonzero(leaving & ~busy & ~state.blessed)
        if not len(places):
            return
        self.ledger.bury(self.now, places)
        draws = self._streams["churn"].random((len(places), state.patterns))
        for place in places.tolist():
            self.newborns += 1
            if not state.ids[place].startswith("~"):
                self.departed.append(state.ids[place])
            newborn = f"~newborn:{self.newborns:012d}"
            state.replaces[place], state.label[place], state.works[place] = state.ids[place], None, ()
            state.rename(place, newborn)
            self.ledger.arrive(place, newborn)
        state.planes[places[:, None, None], np.arange(state.planes.shape[1])[None, :, None],
                     np.array([PLUS, MINUS, REFLEX, INHERITED])[None, None, :]] = 0  # fmt: skip
        for pattern in range(state.patterns):
            choice = np.array(self.versions.of(pattern), dtype=np.int32)
            own = places[state.plane(PRESENT, pattern)[places]]
            if len(own):
                drawn = draws[state.plane(PRESENT, pattern)[places], pattern]
                state.version[own, pattern] = choice[(drawn * len(choice)).astype(np.int64)]
        state.k[places], state.n[places], state.verifications[places], state.discovered[places] = 0, 0, 0, NEVER
        state.verified[places], state.age[places], state.born_tick[places] = 0, -1, at.tick  # 0 at the tick's end
        state.influence[places], state.tier[places] = 0.0, YOUNG
        newborn_lf = np.full(len(places), self.config.newborn_lf, dtype=np.int64)
        self.ledger.mint_all(self.now, places, newborn_lf, "opening")
        done.births += len(places)

    def admit(self, arrivals: State, *, at: Moment) -> None:
        """More organisms; each gets the lifeforce that stands in its `lf`. Their patterns and versions are in
        `versions` already, their communities by the numbers of `state.communities`."""
        amounts = arrivals.lf.copy()
        arrivals.lf[:] = 0
        first = len(self.state)
        patterns = len(self.versions.patterns)
        self.state = joined(self.state.widened(patterns), arrivals.widened(patterns))
        self._seat()
        self.ledger.mint_all(at.tick, np.arange(first, len(self.state)), amounts, "opening")

    def retire(self, organism_ids: Iterable[str], why: str) -> int:
        """Take organisms out for good: what they leave is burnt, their open decisions are void. Returns how many."""
        gone = {place for each in organism_ids if (place := self.place_of(each)) is not None}
        if not gone:
            return 0
        done = _Tick()
        for where in list(self.pending.values()):
            if gone & {where.teacher, where.student}:
                self._void(where, why, done)
        self.ledger.bury(self.now, np.array(sorted(gone), dtype=np.int64))
        places = [place for place in range(len(self.state)) if place not in gone]
        moved = {place: number for number, place in enumerate(places)}
        self.state = kept(self.state, places)
        for where in self.pending.values():
            where.teacher, where.student = moved[where.teacher], moved[where.student]
        self._seat()
        return len(gone)

    def moved(self) -> None:
        """To be called after communities were changed."""
        self._where = None

    def _seat(self) -> None:
        """The ledger keeps the balances of the state's own array; entries booked under earlier numbers keep their
        names."""
        names = self.ledger.names
        self.ledger.lf = self.state.lf
        self.ledger.serial = np.arange(len(self.state), dtype=np.int64) + len(names)
        self.ledger.names = names + list(self.state.ids)
        self._where = None

    # what is told

    def _measure(self, at: Moment, done: _Tick) -> None:
        """The tick's row of numbers."""
        passed = done.passed
        self.events.metrics.append(
            {
                "tick": at.tick,
                "at": at.at,
                **self._standing(),
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

    def _standing(self) -> dict[str, Any]:
        """What is there now, in numbers."""
        state, ledger = self.state, self.ledger
        planes = state.planes.view(np.uint64)
        cells, plus, minus = (int(np.bitwise_count(planes[:, :, plane]).sum()) for plane in (PRESENT, PLUS, MINUS))
        best = self.versions.best()
        tiers = np.bincount(state.tier, minlength=len(TIERS))
        ratio = self.nyx.ratio
        return {
            "organisms": len(state),
            **{name.lower(): int(count) for name, count in zip(TIERS, tiers, strict=True)},
            "dormant": int((state.lf < self.config.dormant_below).sum()),
            "cells": cells,
            "minus": minus,
            "zero": cells - plus - minus,
            "plus": plus,
            "best": int(((state.version == best[None, :]) & (state.version >= 0)).sum()) if len(best) else 0,
            "pending": len(self.pending),
            "mode": self.nyx.mode,
            "lambda": ratio if np.isfinite(ratio) else None,
            "nyx_milli": ledger.nyx,
            "organisms_milli": int(state.lf.sum()),
            "patterns_milli": sum(ledger.versions.values()),
            "minted_milli": ledger.minted,
            "burnt_milli": ledger.burnt,
            "shortfall_milli": ledger.shortfall,
        }

    def remeasure(self, arrived: int) -> None:
        """The last tick's row again, after what was changed from outside; arrived: organisms that were admitted."""
        last = self.events.metrics[-1]
        last |= self._standing()
        last["births"] += arrived

    def taken(self) -> tuple[Events, Entries]:
        """What happened since the last call, and the ledger's entries. Pending markers and open predictions go with
        the next ones too: they are told as they are whenever something is told."""
        events, entries = self.events, self.ledger.taken()
        self.events = Events(
            markers={each.marker.marker_id: each.marker for each in self.pending.values()},
            predictions={each.prediction_id: each for each in self.predicted.values()},
        )
        return events, entries

    # checkpoints

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
            "streams": {name: _plain(each.bit_generator.state) for name, each in sorted(self._streams.items())},
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

        Raises CheckpointError where it is of another configuration, or does not fit together.
        """
        if told["config"] != config.hash:
            raise CheckpointError(
                f"the checkpoint was made with configuration {told['config'][:12]}… and the settings say "
                f"{config.hash[:12]}…: a simulation keeps its configuration; begin another one"
            )
        found = cls(config, told["seed"], told["run_id"], state, versions, workers=workers, panel=panel or Panel())
        found.now, found.markers, found.predictions, found.newborns = (
            told[name] for name in ("now", "markers", "predictions", "newborns")
        )
        for name in STREAMS:
            found._streams[name] = stream(found.seed, name)
            found._streams[name].bit_generator.state = told["streams"][name]
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


@dataclass
class _Tick:
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


_OPEN, _NYX, _MARKER = TypeAdapter(Open), TypeAdapter(Nyx), TypeAdapter(Marker)
_PREDICTION, _ITEM = TypeAdapter(Prediction), TypeAdapter(ReviewItem)


def _live(outcomes: Iterable[Outcome]) -> Counts:
    found = [each.success for each in outcomes]
    return Counts(float(sum(found)), float(len(found)))


def _pair(marker: Marker) -> str:
    return json.dumps([marker.pattern, *sorted((marker.teacher_version, marker.student_version))])


def _plain(value: Any) -> Any:
    """NumPy's numbers in a stream's state as Python's."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return value if isinstance(value, str) else int(value)
