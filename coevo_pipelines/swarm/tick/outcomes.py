"""Uses of cells and what they teach: trials, verifications, weights, reflexes."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.influence.kernel import kernel_by
from coevo_pipelines.swarm.config import Config
from coevo_pipelines.swarm.decisions.evidence import rule
from coevo_pipelines.swarm.tick.state import (
    BITS,
    BUSY,
    INHERITED,
    MINUS,
    NEVER,
    PLUS,
    PRESENT,
    REFLEX,
    UNCERTAIN,
    WAITING,
    State,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
DRAWS = 1 << 19
"""Cells looked at together. The result does not depend on it: each cell has its own place in the stream."""


@dataclass(frozen=True)
class Uses:
    """Uses of a tick in numbers, and those of cells with an open decision."""

    uses: int
    successes: int
    reflexes: int
    marked: Ints
    """(uses, 3): place, pattern, success; in order of place and pattern."""


def simulate(
    state: State, rng: np.random.Generator, theta: Floats, exposed: NDArray[np.bool_], tick: int,
    config: Config, workers: int,
) -> Uses:  # fmt: skip
    """Use cells by chance, and let the uses teach.

    theta: (versions,). exposed: (communities + 1, patterns), true where the day has observed trials instead; the last
    row is for organisms without a community. One uniform draw u a cell, at its own place of the stream, says both
    whether it is used (u < rate) and whether that succeeds (u < rate x theta): given a use, u / rate is uniform too. So
    the same numbers come out whatever the chunks and however many workers.
    """
    count, patterns = state.version.shape
    rate = np.array([[config.use_rate, config.use_rate * tier.explore] for tier in config.tiers])
    step = max(1, DRAWS // max(1, patterns))
    bounds = [(low, min(low + step, count)) for low in range(0, count, step)]
    before: Any = rng.bit_generator.state
    learned = _rule(config)

    def chunk(bound: tuple[int, int]) -> tuple[Ints, Ints]:
        low, high = bound
        bits = np.random.PCG64()
        bits.state = before
        bits.advance(low * patterns)
        draws = np.random.Generator(bits).random((high - low) * patterns)
        found = _used(
            draws, low, high, state.planes, state.version, state.tier, state.community, exposed, theta, rate,
            min(1.0, config.use_rate * config.uncertain_factor),
        )  # fmt: skip
        return _taught(state, found, tick, config, learned)

    if len(bounds) > 1 and workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            results = list(pool.map(chunk, bounds))
    else:
        results = [chunk(bound) for bound in bounds]
    ahead = np.random.PCG64()
    ahead.state = before
    ahead.advance(count * patterns)
    rng.bit_generator.state = ahead.state
    return _together(results)


def observe(state: State, cells: Ints, tick: int, config: Config) -> Uses:
    """Let observed trials teach: (trials, 3) of place, pattern and success, in order."""
    codes = ((cells[:, 0] * state.patterns + cells[:, 1]) << 1) | cells[:, 2]
    return _together([_taught(state, codes, tick, config, _rule(config))])


def _together(results: list[tuple[Ints, Ints]]) -> Uses:
    totals = np.sum([sums for sums, _ in results], axis=0) if results else np.zeros(3, dtype=np.int64)
    marked = np.concatenate([np.zeros((0, 3), dtype=np.int64), *(found for _, found in results)])
    return Uses(int(totals[0]), int(totals[1]), int(totals[2]), marked)


_learned = functools.lru_cache(maxsize=16)(rule)


def _rule(config: Config) -> NDArray[np.int8]:
    return _learned(config.most_trials, config.rise, config.fall)


@kernel_by(lambda draws, *_: draws.size // 2)  # most cells are passed over at once
def _used(
    draws: Floats,
    low: int,
    high: int,
    planes: Ints,
    version: NDArray[np.int32],
    tier: NDArray[np.int8],
    community: Ints,
    exposed: NDArray[np.bool_],
    theta: Floats,
    rate: Floats,
    uncertain: float,
) -> Ints:
    """Cell number x 2 + success of each use."""
    patterns = version.shape[1]
    found = np.empty(1024, dtype=np.int64)
    count = 0
    most = max(rate.max(), uncertain)
    for place in range(low, high):
        base = (place - low) * patterns
        mine = tier[place]
        home = community[place]
        for p in range(patterns):
            u = draws[base + p]
            if u >= most:
                continue
            word = p // BITS
            bit = p % BITS
            if not (planes[place, word, PRESENT] >> bit) & 1 or (planes[place, word, WAITING] >> bit) & 1:
                continue
            if exposed[home, p]:
                continue
            if (planes[place, word, UNCERTAIN] >> bit) & 1:
                chance = uncertain
            else:
                chance = rate[mine, (planes[place, word, MINUS] >> bit) & 1]
            if u < chance:
                if count == len(found):
                    larger = np.empty(2 * count, dtype=np.int64)
                    larger[:count] = found
                    found = larger
                success = 1 if u < chance * theta[version[place, p]] else 0
                found[count] = ((place * patterns + p) << 1) | success
                count += 1
    return found[:count]


def _taught(state: State, codes: Ints, tick: int, config: Config, learned: NDArray[np.int8]) -> tuple[Ints, Ints]:
    sums = np.zeros(3, dtype=np.int64)
    marked = _learn(
        codes, state.planes, state.k, state.n, state.verifications, state.verified, state.discovered, learned,
        config.most_trials, config.reflex_verifications, config.reflex_rate, tick, sums,
    )  # fmt: skip
    return sums, marked


@kernel_by(lambda codes, *_: codes.size)
def _learn(
    codes: Ints,
    planes: Ints,
    k: NDArray[np.uint8],
    n: NDArray[np.uint8],
    verifications: NDArray[np.int32],
    verified: Ints,
    discovered: NDArray[np.int32],
    learned: NDArray[np.int8],
    most: int,
    reflex_from: int,
    reflex_rate: float,
    tick: int,
    sums: Ints,
) -> Ints:
    """Counts, weights and reflexes after each use; returns (place, pattern, success) of cells with an open decision."""
    patterns = k.shape[1]
    marked = np.empty((16, 3), dtype=np.int64)
    kept = 0
    for code in codes:
        success = code & 1
        place = (code >> 1) // patterns
        p = (code >> 1) % patterns
        word = p // BITS
        bit = p % BITS
        mask = np.int64(1) << bit
        sums[0] += 1
        sums[1] += success
        sums[2] += (planes[place, word, REFLEX] >> bit) & 1
        own_n = np.int64(n[place, p]) + 1
        own_k = np.int64(k[place, p]) + success
        if own_n >= most:
            own_n //= 2
            own_k //= 2
        n[place, p] = own_n
        k[place, p] = own_k
        verifications[place, p] += success
        verified[place] += success
        if planes[place, word, BUSY] & mask:
            if kept == len(marked):
                larger = np.empty((2 * kept, 3), dtype=np.int64)
                larger[:kept] = marked
                marked = larger
            marked[kept, 0] = place
            marked[kept, 1] = p
            marked[kept, 2] = success
            kept += 1
        else:
            to = learned[own_n, own_k]
            if to > 0 and not planes[place, word, PLUS] & mask:
                planes[place, word, PLUS] |= mask
                planes[place, word, MINUS] &= ~mask
                planes[place, word, INHERITED] &= ~mask
                discovered[place, p] = tick
            elif to < 0 and not planes[place, word, MINUS] & mask:
                planes[place, word, MINUS] |= mask
                planes[place, word, PLUS] &= ~mask
                discovered[place, p] = NEVER
        if (
            planes[place, word, PLUS] & mask
            and verifications[place, p] >= reflex_from
            and own_n > 0
            and own_k >= reflex_rate * own_n
        ):
            planes[place, word, REFLEX] |= mask
        else:
            planes[place, word, REFLEX] &= ~mask
    return marked[:kept]
