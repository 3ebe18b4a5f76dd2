"""The swarm's arrays: organisms, their cells as bit-planes and columns, versions of patterns.

A cell has four states, so three bits: present, plus, minus; present with neither is 0. One organism's planes lie side
by side, 64 patterns a word: with up to 64 patterns a clasp reads one cache line of each of the two.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.swarm.config import Config, Importance

Ints = NDArray[np.int64]

BITS = 64
PLUS, MINUS, PRESENT, BUSY, WAITING, UNCERTAIN, REFLEX, INHERITED = range(8)
"""Planes. BUSY: a decision is open; of these, WAITING: frozen; UNCERTAIN: marked at 0."""
PLANES = 8
NEVER = -1
"""discovered_tick of a cell that never reached +1 by own trials."""
KINDS = ("repo", "model", "author_cluster", "hub")
YOUNG, ADULT, ELDER, LOVE_CHILD = range(4)
STREAMS = ("pairing", "outcomes", "churn", "stand_ins")
_THETA = len(STREAMS)
"""Spawn key of the chances of success, beside those of the streams."""


def stream(seed: int, name: str) -> np.random.Generator:
    """One of the independent streams of random numbers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(STREAMS.index(name),))))


def theta(seed: int, pattern: str, version_id: str, evidence_for: int, evidence_against: int) -> float:
    """Chance of success of a version, Beta(1 + e+, 1 + e-): its own draw, whatever else is drawn, and when."""
    own = int.from_bytes(hashlib.sha256(f"{pattern}\n{version_id}".encode()).digest()[:8])
    draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(_THETA, own))))
    return float(draws.beta(1 + evidence_for, 1 + evidence_against))


@dataclass
class Versions:
    """Patterns, and the variants of each. A version is known by its number, in order of its being met."""

    patterns: list[str] = field(default_factory=list)
    importance: list[Importance] = field(default_factory=list)
    pattern: list[int] = field(default_factory=list)
    version_id: list[str] = field(default_factory=list)
    title: list[str | None] = field(default_factory=list)
    withdrawn: list[bool] = field(default_factory=list)
    evidence_for: list[int] = field(default_factory=list)
    evidence_against: list[int] = field(default_factory=list)
    theta: list[float] = field(default_factory=list)
    hops: list[int] = field(default_factory=list)
    chosen_by: list[str | None] = field(default_factory=list)
    """Marker whose winner it last was."""
    _numbers: dict[tuple[int, str], int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.version_id)

    def pattern_number(self, pattern: str, config: Config) -> int:
        """Its number; a new one for a pattern not met before."""
        if pattern not in self.patterns:
            self.patterns.append(pattern)
            self.importance.append(config.importance_of(pattern))
        return self.patterns.index(pattern)

    def number(self, pattern: int, version_id: str) -> int | None:
        return self._numbers.get((pattern, version_id))

    def add(
        self,
        pattern: int,
        version_id: str,
        *,
        theta: float,
        title: str | None = None,
        withdrawn: bool = False,
        evidence_for: int = 0,
        evidence_against: int = 0,
    ) -> int:
        """A version not met before; returns its number."""
        number = len(self)
        self._numbers[pattern, version_id] = number
        self.pattern.append(pattern)
        self.version_id.append(version_id)
        self.title.append(title)
        self.withdrawn.append(withdrawn)
        self.evidence_for.append(evidence_for)
        self.evidence_against.append(evidence_against)
        self.theta.append(theta)
        self.hops.append(0)
        self.chosen_by.append(None)
        return number

    def of(self, pattern: int) -> list[int]:
        """Numbers of the versions of a pattern."""
        return [number for number, each in enumerate(self.pattern) if each == pattern]

    def best(self) -> Ints:
        """Number of the version with the largest theta of each pattern, (patterns,); -1 without any."""
        found = np.full(len(self.patterns), -1, dtype=np.int64)
        for number, pattern in enumerate(self.pattern):
            if found[pattern] < 0 or self.theta[number] > self.theta[found[pattern]]:
                found[pattern] = number
        return found


@dataclass
class State:
    """Organisms (rows) and their cells. `place` is a row: a newborn takes the place of whom it replaces."""

    ids: list[str]
    kind: NDArray[np.int8]
    label: list[str | None]
    works: list[tuple[str, ...]]
    community: Ints
    """Number of the community; -1: none. Names are in `communities`."""
    communities: list[str]
    replaces: list[str | None]
    born_tick: Ints
    age: Ints
    blessed: NDArray[np.bool_]
    lf: Ints
    """Thousandths of one LF."""
    influence: NDArray[np.float64]
    tier: NDArray[np.int8]
    verified: Ints
    """Verifications of all its cells."""
    planes: NDArray[np.int64]
    """(organisms, words, PLANES)."""
    version: NDArray[np.int32]
    """(organisms, patterns) numbers of versions; of absent cells -1. So are the next four."""
    k: NDArray[np.uint8]
    n: NDArray[np.uint8]
    verifications: NDArray[np.int32]
    discovered: NDArray[np.int32]
    order: Ints = field(init=False)
    """Rank of the ids: the lower one teaches where all else is equal."""

    def __post_init__(self) -> None:
        self.order = ranks(self.ids)
        self._last = len(self.ids) - 1

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def patterns(self) -> int:
        return int(self.version.shape[1])

    def plane(self, plane: int, pattern: int) -> NDArray[np.bool_]:
        """One plane of one pattern, (organisms,)."""
        word, bit = divmod(pattern, BITS)
        return ((self.planes[:, word, plane] >> bit) & 1).astype(np.bool_)

    def is_set(self, plane: int, place: int, pattern: int) -> bool:
        word, bit = divmod(pattern, BITS)
        return bool((int(self.planes[place, word, plane]) >> bit) & 1)

    def put(self, plane: int, place: int | Ints, pattern: int, value: bool) -> None:
        """Set or clear a bit of one organism or of many."""
        word, bit = divmod(pattern, BITS)
        mask = np.int64(np.uint64(1 << bit).view(np.int64))
        if value:
            self.planes[place, word, plane] |= mask
        else:
            self.planes[place, word, plane] &= ~mask

    def weight(self, place: int, pattern: int) -> int | None:
        """-1, 0 or +1; None where the cell is absent."""
        if not self.is_set(PRESENT, place, pattern):
            return None
        return int(self.is_set(PLUS, place, pattern)) - int(self.is_set(MINUS, place, pattern))

    def set_weight(self, place: int | Ints, pattern: int, weight: int) -> None:
        self.put(PLUS, place, pattern, weight > 0)
        self.put(MINUS, place, pattern, weight < 0)

    def take(self, places: Ints, pattern: int, version: int, weight: int) -> None:
        """The cells get a version and weight from elsewhere: no trials of their own, inherited."""
        self.verified[places] -= self.verifications[places, pattern]
        self.put(PRESENT, places, pattern, True)
        self.set_weight(places, pattern, weight)
        self.put(INHERITED, places, pattern, True)
        self.put(REFLEX, places, pattern, False)
        self.version[places, pattern] = version
        self.k[places, pattern] = 0
        self.n[places, pattern] = 0
        self.verifications[places, pattern] = 0
        self.discovered[places, pattern] = NEVER

    def rename(self, place: int, organism_id: str) -> None:
        """Another organism in a place; its id must come after all others'."""
        self.ids[place] = organism_id
        self._last += 1
        self.order[place] = self._last

    def retier(self, config: Config) -> None:
        """Tiers of all organisms, the first rule that holds: blessed, old and verified, grown, young."""
        if not len(self):
            return
        enough = max(float(config.elder_verifications), float(np.percentile(self.verified, config.elder_percentile)))
        self.tier[:] = np.where(
            self.blessed,
            LOVE_CHILD,
            np.where(
                (self.age >= config.elder_age) & (self.verified >= enough),
                ELDER,
                np.where(self.age >= config.adult_age, ADULT, YOUNG),
            ),
        )

    def proven(self, pattern: int, config: Config) -> NDArray[np.bool_]:
        """Where weight and counts of a cell make it a reflex, (organisms,)."""
        k, n = self.k[:, pattern], self.n[:, pattern]
        enough = (self.verifications[:, pattern] >= config.reflex_verifications) & (n > 0)
        found: NDArray[np.bool_] = self.plane(PLUS, pattern) & enough & (k >= config.reflex_rate * n)
        return found

    def settle_reflexes(self, config: Config) -> None:
        """Make reflexes of all cells that are, and of no others: after cells were filled or changed from outside."""
        for pattern in range(self.patterns):
            proven, there = self.proven(pattern, config), self.plane(REFLEX, pattern)
            self.put(REFLEX, np.flatnonzero(proven & ~there), pattern, True)
            self.put(REFLEX, np.flatnonzero(there & ~proven), pattern, False)

    def widened(self, patterns: int) -> State:
        """With room for more patterns; itself where there is enough."""
        more = patterns - self.patterns
        if more <= 0:
            return self
        words = -(-patterns // BITS) - self.planes.shape[1]
        self.planes = np.pad(self.planes, ((0, 0), (0, words), (0, 0)))
        self.version = np.pad(self.version, ((0, 0), (0, more)), constant_values=-1)
        self.k, self.n = (np.pad(each, ((0, 0), (0, more))) for each in (self.k, self.n))
        self.verifications = np.pad(self.verifications, ((0, 0), (0, more)))
        self.discovered = np.pad(self.discovered, ((0, 0), (0, more)), constant_values=NEVER)
        return self


def ranks(ids: Sequence[str]) -> Ints:
    """Rank of each id among all, from 0. ValueError for an id that is there twice."""
    if len(set(ids)) != len(ids):
        ordered = sorted(ids)
        twice = next(a for a, b in itertools.pairwise(ordered) if a == b)
        raise ValueError(f"organism {twice!r} is there twice")
    found = np.empty(len(ids), dtype=np.int64)
    found[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids))
    return found


def empty_state(organisms: int = 0, patterns: int = 0) -> State:
    """Organisms without a name and cells that are all absent."""
    cells = (organisms, patterns)
    return State(
        ids=[str(place) for place in range(organisms)],
        kind=np.zeros(organisms, dtype=np.int8),
        label=[None] * organisms,
        works=[()] * organisms,
        community=np.full(organisms, -1, dtype=np.int64),
        communities=[],
        replaces=[None] * organisms,
        born_tick=np.zeros(organisms, dtype=np.int64),
        age=np.zeros(organisms, dtype=np.int64),
        blessed=np.zeros(organisms, dtype=np.bool_),
        lf=np.zeros(organisms, dtype=np.int64),
        influence=np.zeros(organisms, dtype=np.float64),
        tier=np.zeros(organisms, dtype=np.int8),
        verified=np.zeros(organisms, dtype=np.int64),
        planes=np.zeros((organisms, -(-patterns // BITS), PLANES), dtype=np.int64),
        version=np.full(cells, -1, dtype=np.int32),
        k=np.zeros(cells, dtype=np.uint8),
        n=np.zeros(cells, dtype=np.uint8),
        verifications=np.zeros(cells, dtype=np.int32),
        discovered=np.full(cells, NEVER, dtype=np.int32),
    )


def opening_lifeforce(allocations: Sequence[int], mean: int) -> Ints:
    """Lifeforce of organisms that arrive together: half of it alike, half by what rewards allot; (organisms,).

    mean: thousandths of one LF; the sum is mean x organisms exactly (largest remainders, then order), whatever is
    allotted; without allocations all get the mean.
    """
    count, total = len(allocations), sum(allocations)
    if not total:
        return np.full(count, mean, dtype=np.int64)
    pool, whole = mean * count, 2 * count * total
    shares = [pool * (total + count * each) for each in allocations]
    found = np.array([share // whole for share in shares], dtype=np.int64)
    left = pool - int(found.sum())
    for place in sorted(range(count), key=lambda place: (-(shares[place] % whole), place))[:left]:
        found[place] += 1
    return found


_ARRAYS = (
    "kind", "community", "born_tick", "age", "blessed", "lf", "influence", "tier", "verified", "planes", "version", "k",
    "n", "verifications", "discovered",
)  # fmt: skip
"""Fields of `State` with a row for each organism."""


def kept(state: State, places: Iterable[int]) -> State:
    """Only the organisms in these places, in this order."""
    index = np.fromiter(places, dtype=np.int64)
    return State(
        ids=[state.ids[place] for place in index],
        label=[state.label[place] for place in index],
        works=[state.works[place] for place in index],
        communities=state.communities,
        replaces=[state.replaces[place] for place in index],
        **{name: getattr(state, name)[index] for name in _ARRAYS},
    )


def joined(first: State, second: State) -> State:
    """Both, in this order, with the first one's names of communities; both have room for as many patterns."""
    return State(
        ids=first.ids + second.ids,
        label=first.label + second.label,
        works=first.works + second.works,
        communities=first.communities,
        replaces=first.replaces + second.replaces,
        **{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in _ARRAYS},
    )
