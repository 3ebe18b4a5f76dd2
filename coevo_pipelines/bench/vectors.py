"""Arrays of numbers, and numbers for them that look random and are the same each time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Small = NDArray[np.int32]
Bytes = NDArray[np.int8]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


def chances(of: NDArray[Any], salt: str) -> Floats:
    """A number in [0, 1) for each of `of`: the upper 53 bits of `hashed`."""
    uniform: Floats = (hashed(of, salt) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniform


def hashed(of: NDArray[Any], salt: str) -> NDArray[np.uint64]:
    """splitmix64 of each number, salted."""
    start = np.uint64(int.from_bytes(hashlib.sha256(salt.encode()).digest()[:8], "big"))
    mixed = of.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + start
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def scramble(number: Ints) -> Ints:
    """Another number below 2^31 - 1 for each, never the same twice (for numbers below that prime)."""
    return number * 16_807 % 2_147_483_647


def cumulative(shares: Sequence[float]) -> Floats:
    """Upper ends of the shares, scaled so that the last is 1."""
    ends: Floats = np.cumsum(np.asarray(shares, dtype=np.float64))
    ends /= ends[-1]
    return ends


def choose(shares: Sequence[float], uniform: Floats) -> Bytes:
    """The index of the share that each number in [0, 1) falls into."""
    return np.searchsorted(cumulative(shares), uniform, "right").astype(np.int8)


def ranges(starts: Ints, counts: Ints) -> Ints:
    """start, start + 1, … (count of them) for each row, one after the other."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if ends.size else 0
    return np.arange(total, dtype=np.int64) + np.repeat(starts - ends + counts, counts)
