"""Protocols compared on the same made-up worlds: each seed is a pair.

found = compare(Bench(organisms=100, patterns=8, ticks=300), variants(("freeze", "mark_continue")), seeds=range(1, 11))
found.differences[-1].mean  # of the last variant less the first one, at the end
"""

from __future__ import annotations

import functools
import math
import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Literal, get_args

from coevo_pipelines.swarm.config import Protocol
from coevo_pipelines.swarm.runs.standalone import Setup, SwarmError, begin, moment

Evidence = Literal["hist_live", "live", "verifications"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
EVIDENCE: tuple[Evidence, ...] = get_args(Evidence)
DRAINED = 100
"""Ticks after which what happened is let go: only the shares are wanted."""


@dataclass(frozen=True)
class Variant:
    """What is set for one side of a comparison; all else is alike."""

    protocol: Protocol
    evidence: Evidence

    @property
    def name(self) -> str:
        return f"{self.protocol} {self.evidence}"


@dataclass(frozen=True)
class Bench:
    """The worlds that all variants are run on."""

    organisms: int = 300
    patterns: int = 16
    ticks: int = 1000
    at: tuple[int, ...] = (500,)
    """Ticks to look at, beside the last."""
    setup: Setup = field(default_factory=Setup)

    @property
    def marks(self) -> tuple[int, ...]:
        """In order; those that are beyond the end are not there."""
        return tuple(sorted({each for each in self.at if each < self.ticks} | {self.ticks}))


@dataclass(frozen=True)
class Share:
    """Share of the cells that hold their pattern's best version by theta."""

    variant: str
    seed: int
    tick: int
    share: float


@dataclass(frozen=True)
class Difference:
    """A variant less the first one, over seeds."""

    variant: str
    baseline: str
    tick: int
    seeds: int
    mean: float
    se: float | None
    """Standard error of the mean; None for a single seed, as are the next two."""
    low: float | None
    """95 % confidence interval by Student's t."""
    high: float | None
    ahead: int
    """Seeds where the variant has the larger share."""


@dataclass(frozen=True)
class Compared:
    """Shares by variant, seed and tick, and what they say."""

    shares: tuple[Share, ...]
    differences: tuple[Difference, ...]

    def mean(self, variant: str, tick: int) -> float:
        found = [each.share for each in self.shares if (each.variant, each.tick) == (variant, tick)]
        return sum(found) / len(found)


def variants(protocols: Sequence[str], evidence: Sequence[str] = ("hist_live",)) -> tuple[Variant, ...]:
    """Every protocol with every kind of evidence, the first one is what the others are held against.

    Raises SwarmError for a name that there is not, and where there is nothing to compare.
    """
    for name, given, names in (("protocol", protocols, PROTOCOLS), ("evidence", evidence, EVIDENCE)):
        for each in given:
            if each not in names:
                raise SwarmError(f"there is no {name} {each!r}: choose from {', '.join(names)}")
    known = {f"{one} {kind}": Variant(one, kind) for one in PROTOCOLS for kind in EVIDENCE}
    found = tuple(dict.fromkeys(known[f"{one} {kind}"] for one in protocols for kind in evidence))
    if len(found) < 2:
        raise SwarmError("nothing to compare: name two protocols, or two kinds of evidence, with a comma between them")
    return found


def compare(
    bench: Bench,
    asked: Sequence[Variant],
    seeds: Iterable[int],
    *,
    workers: int = 1,
    tell: Callable[[int, int], None] | None = None,
) -> Compared:
    """Run every variant on every seed's world. The result is the same for any number of workers (processes).

    tell: runs done, of how many. Raises SwarmError where there is no cell to look at.
    """
    if not (bench.organisms and bench.patterns):
        raise SwarmError("a comparison needs at least one organism and one pattern")
    moment(bench.ticks)
    runs = [(variant, seed) for seed in seeds for variant in asked]
    one = functools.partial(_shares, bench)
    found: list[Share] = []
    if workers > 1 and len(runs) > 1:
        # Not forked: threads of numerical libraries do not survive that.
        with ProcessPoolExecutor(min(workers, len(runs)), mp_context=multiprocessing.get_context("spawn")) as pool:
            for shares in pool.map(one, runs):
                _take(found, shares, bench, runs, tell)
    else:
        for each in runs:
            _take(found, one(each), bench, runs, tell)
    return Compared(tuple(found), tuple(_differences(found, bench.marks, asked)))


def _take(
    found: list[Share],
    shares: Sequence[Share],
    bench: Bench,
    runs: Sequence[tuple[Variant, int]],
    tell: Callable[[int, int], None] | None,
) -> None:
    found.extend(shares)
    if tell:
        tell(len(found) // len(bench.marks), len(runs))


def _shares(bench: Bench, run: tuple[Variant, int]) -> list[Share]:
    variant, seed = run
    config = bench.setup.config.model_copy(update={"protocol": variant.protocol, "evidence": variant.evidence})
    swarm = begin(bench.organisms, bench.patterns, seed, config, bench.setup.world)
    found = []
    for tick in range(bench.ticks + 1):
        if tick:
            swarm.tick(moment(tick))
        if tick in bench.marks:
            told = swarm.events.metrics[-1]
            if not told["cells"]:
                raise SwarmError(f"no cell is there at tick {tick} of seed {seed}: a comparison needs some")
            found.append(Share(variant.name, seed, tick, told["best"] / told["cells"]))
        if tick % DRAINED == 0:
            swarm.taken()
    return found


def _differences(shares: Sequence[Share], marks: Sequence[int], asked: Sequence[Variant]) -> Iterable[Difference]:
    by_run = {(each.variant, each.seed, each.tick): each.share for each in shares}
    seeds = sorted({each.seed for each in shares})
    base = asked[0].name
    for tick in marks:
        for variant in asked[1:]:
            pairs = [by_run[variant.name, seed, tick] - by_run[base, seed, tick] for seed in seeds]
            mean, se = paired(pairs)
            wide = None if se is None else critical(len(pairs) - 1) * se
            yield Difference(
                variant=variant.name,
                baseline=base,
                tick=tick,
                seeds=len(pairs),
                mean=mean,
                se=se,
                low=None if wide is None else mean - wide,
                high=None if wide is None else mean + wide,
                ahead=sum(each > 0 for each in pairs),
            )


def paired(differences: Sequence[float]) -> tuple[float, float | None]:
    """Mean and its standard error; None for fewer than two."""
    count = len(differences)
    mean = math.fsum(differences) / count
    if count < 2:
        return mean, None
    return mean, math.sqrt(math.fsum((each - mean) ** 2 for each in differences) / (count - 1) / count)


def critical(freedom: int, level: float = 0.95) -> float:
    """t with P(|T| < t) = level for Student's t with so many degrees of freedom, by bisection of `within`."""
    low, high = 0.0, 1.0
    while within(high, freedom) < level:
        high *= 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, freedom) < level else (low, middle)
    return (low + high) / 2


def within(t: float, freedom: int) -> float:
    """P(|T| < t) for Student's t: the finite sums of Abramowitz and Stegun, Handbook of Mathematical Functions (1964),
    26.7.3 (odd degrees of freedom) and 26.7.4 (even)."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for step in range(freedom // 2):
        total += term
        term *= square * ((2 * step + 2) / (2 * step + 3) if odd else (2 * step + 1) / (2 * step + 2))
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
