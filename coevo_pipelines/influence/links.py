"""Links between works 0..n-1, packed into 64 bits each and handed out in the order in which works are visited.

A link is `source << 34 | target << 5 | relation`: one sort orders links by source, target and relation, equal
neighbours are duplicates, and a run of links with one source is all that the source uses. Links lie in memory
(`Held`) or stay in a Parquet file whose row groups follow each other in order of source (`Streamed`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from coevo_pipelines.influence.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Packed = NDArray[np.int64]
    Floats = NDArray[np.float64]

WORK_BITS, RELATION_BITS = 29, 5  # 63 bits: positive as a signed integer
SOURCE_SHIFT = WORK_BITS + RELATION_BITS
MOST_WORKS = 1 << WORK_BITS
MOST_RELATIONS = 1 << RELATION_BITS
CHUNK = 1 << 22
"""Links handed out at a time: 32 MB."""
PIECE = 1 << 20
"""Links worked on at a time where several arrays are made of them."""
READERS = 2
"""Row groups decoded side by side, while the one before is being swept."""
MOST_MOVES = 64


class LinksError(ValueError):
    """A file of links cannot be read; the message names the file and the place."""


@dataclass(frozen=True)
class Dropped:
    """Links that do not count, by reason."""

    self_loops: int = 0
    duplicates: int = 0


@dataclass(frozen=True)
class Chunk:
    """Links of whole sources, sorted; walked from the end when `backwards`. `weight` is empty when all are 1."""

    packed: Packed
    weight: Floats
    backwards: bool


class Links(Protocol):
    """What the sweep needs to know of links, wherever they lie."""

    @property
    def n(self) -> int:
        """Number of works."""

    @property
    def position(self) -> Integers | None:
        """For each work, under which number it is in the chunks; None: its own."""

    @property
    def dropped(self) -> Dropped:
        """What was taken out before."""

    def chunks(self) -> Iterator[Chunk]:
        """All links once, the sources in visiting order."""


def pack(source: NDArray[Any], target: NDArray[Any], relation: NDArray[Any] | int = 0) -> Packed:
    """The links as sortable 64-bit words. Raises ValueError for a work number outside 0..2^29-1."""
    if source.size and not (min(source.min(), target.min()) >= 0 and max(source.max(), target.max()) < MOST_WORKS):
        raise ValueError(f"work numbers must lie in 0..{MOST_WORKS - 1}")
    packed = source.astype(np.int64)
    packed <<= WORK_BITS
    packed |= target.astype(np.int64, copy=False)
    packed <<= RELATION_BITS
    packed |= relation
    return packed


def unpack(packed: Packed) -> tuple[Integers, Integers, Integers]:
    """Source, target and relation number of each link."""
    return packed >> SOURCE_SHIFT, (packed >> RELATION_BITS) & (MOST_WORKS - 1), packed & (MOST_RELATIONS - 1)


@dataclass(frozen=True)
class Held:
    """Links in memory: 8 bytes each, 16 with weights. `position[i]` says when work i is visited."""

    n: int
    packed: Packed
    """Sorted, of *positions*; without duplicates and self-loops."""
    weight: Floats
    position: Integers | None = None
    """None: the works are visited from n-1 down to 0, and `packed` holds their own numbers."""
    dropped: Dropped = Dropped()

    def chunks(self) -> Iterator[Chunk]:
        if self.position is not None:
            bounds = _group_bounds(self.packed, range(0, self.packed.size, CHUNK))
        else:
            bounds = _group_bounds(self.packed, range(0, self.packed.size, CHUNK))[::-1]
        for start, end in bounds:
            weight = self.weight[start:end] if self.weight.size else self.weight
            yield Chunk(self.packed[start:end], weight, backwards=self.position is None)


def hold(n: int, packed: Packed, weight: Floats | None = None) -> Held:
    """Sort links, drop self-loops and duplicates (of which the heaviest stays), and find a visiting order.

    Works are visited from the newest (n-1) to the oldest when no link runs against that; else in an order in
    which only links inside a cycle do. The result does not depend on the order of the input. `packed` is used up
    when there are no weights.
    """
    weights = np.empty(0) if weight is None else weight
    if weights.size:
        order = np.lexsort((-weights, packed))
        packed, weights = packed[order], weights[order]
    else:
        packed.sort()
    keep = np.ones(packed.size, dtype=bool)
    np.not_equal(packed[1:], packed[:-1], out=keep[1:])
    duplicates = packed.size - int(keep.sum())
    loops = np.zeros(packed.size, dtype=bool)
    backward = 0
    for start in range(0, packed.size, PIECE):
        source, target, _ = unpack(packed[start : start + PIECE])
        np.equal(source, target, out=loops[start : start + PIECE])
        backward += int((target > source).sum())
    self_loops = int((loops & keep).sum())
    if duplicates or self_loops:
        keep &= ~loops
        packed = packed[keep]
        weights = weights[keep] if weights.size else weights
    dropped = Dropped(self_loops=self_loops, duplicates=duplicates)
    if backward == 0:
        return Held(n, packed, weights, dropped=dropped)
    return _reordered(n, packed, weights, dropped)


def _reordered(n: int, packed: Packed, weight: Floats, dropped: Dropped) -> Held:
    first = np.searchsorted(packed, np.arange(n + 1) << SOURCE_SHIFT)
    position = _users_first(first, packed >> RELATION_BITS & (MOST_WORKS - 1))
    for start in range(0, packed.size, PIECE):
        part = packed[start : start + PIECE]
        source, target, relation = unpack(part)
        part[:] = pack(position[source], position[target], relation)
    if weight.size:
        order = np.argsort(packed, kind="stable")
        return Held(n, packed[order], weight[order], position, dropped)
    packed.sort()
    return Held(n, packed, weight, position, dropped)


@kernel
def _users_first(first: Integers, target: Integers) -> Integers:
    """Position of each work in reverse postorder of a depth-first walk along the links, newest work first.

    Every link that is not inside a cycle then leads to a later position. `first[i]` is where the links of
    work i begin in `target`. Shape (n,).
    """
    n = first.size - 1
    position = np.full(n, -1, dtype=np.int64)
    place = n  # finished works are numbered from the end
    seen = np.zeros(n, dtype=np.bool_)
    following = first[:-1].copy()
    stack = np.empty(n, dtype=np.int64)
    # The newest work is started last, so that it stands as early as the links allow.
    for root in range(n):
        if seen[root]:
            continue
        depth = 0
        stack[0] = root
        seen[root] = True
        while depth >= 0:
            work = stack[depth]
            if following[work] < first[work + 1]:
                used = target[following[work]]
                following[work] += 1
                if not seen[used]:
                    seen[used] = True
                    depth += 1
                    stack[depth] = used
            else:
                place -= 1
                position[work] = place
                depth -= 1
    return position


@dataclass(frozen=True)
class Streamed:
    """Links in a Parquet file of dense work numbers whose row groups follow each other in order of source.

    Only a few row groups at a time are in memory, and what `kept` may keep for the sweeps after the first.
    Self-loops and duplicates are still in there.
    """

    n: int
    path: Path
    groups: tuple[int, ...]
    """Row groups in visiting order."""
    backwards: bool
    """True: from the highest source to the lowest."""
    against: float = 0.0
    """Share of links, in one row group, that lead to a source which is visited before."""
    keep: bool = False
    """Keep all chunks once they are read: 8 bytes a link."""
    position: None = None
    dropped: Dropped = Dropped()
    kept: list[Chunk] = field(default_factory=list)

    def chunks(self) -> Iterator[Chunk]:
        """As `Links.chunks`. Raises LinksError when the file is damaged, or is not what its statistics claim."""
        if self.kept:
            yield from self.kept
            return
        read = []
        for chunk in self._chunks():
            if self.keep:
                read.append(chunk)
            yield chunk
        self.kept.extend(read)

    def _chunks(self) -> Iterator[Chunk]:
        carried = np.empty(0, dtype=np.int64)  # the last source's links: it may go on in the next row group
        nothing = np.empty(0)
        first, last = (_split_high, _split_low) if self.backwards else (_split_low, _split_high)
        with ThreadPoolExecutor(READERS) as readers:
            ahead = deque(readers.submit(self._read, group) for group in self.groups[: READERS + 1])
            for place, group in enumerate(self.groups):
                packed = ahead.popleft().result()
                if place + READERS + 1 < len(self.groups):
                    ahead.append(readers.submit(self._read, self.groups[place + READERS + 1]))
                if not packed.size:
                    continue
                if carried.size:
                    begins, rest = first(packed)
                    if begins[0] >> SOURCE_SHIFT == carried[0] >> SOURCE_SHIFT:
                        carried = np.sort(np.concatenate([begins, carried]))
                        packed = rest
                    elif (begins[0] < carried[0]) != self.backwards:
                        raise LinksError(f"{self.path}: row group {group} is not in order of source")
                    if not packed.size:
                        continue
                    yield Chunk(carried, nothing, self.backwards)
                carried, ready = last(packed)
                yield Chunk(ready, nothing, self.backwards)
            yield Chunk(carried, nothing, self.backwards)

    def _read(self, group: int) -> Packed:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.path) as file:
                table = file.read_row_group(group, columns=["source", "target"], use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise LinksError(f"{self.path}: row group {group} is damaged or cut off ({error})") from error
        # Narrower integers would overflow when they are shifted.
        source, target = (table.column(name).to_numpy().astype(np.int64, copy=False) for name in ("source", "target"))
        packed = np.empty(source.size, dtype=np.int64)
        if not _packed_by_source(source, target, self.n, packed):
            if min(source.min(), target.min()) < 0 or max(source.max(), target.max()) >= self.n:
                raise LinksError(f"{self.path}: row group {group} holds other numbers than its statistics claim")
            packed = pack(source, target)
            packed.sort()
        return packed


def _split_low(packed: Packed) -> tuple[Packed, Packed]:
    """The links of the lowest source, and the others."""
    cut = int(np.searchsorted(packed, ((packed[0] >> SOURCE_SHIFT) + 1) << SOURCE_SHIFT))
    return packed[:cut], packed[cut:]


def _split_high(packed: Packed) -> tuple[Packed, Packed]:
    """The links of the highest source, and the others."""
    cut = int(np.searchsorted(packed, packed[-1] >> SOURCE_SHIFT << SOURCE_SHIFT))
    return packed[cut:], packed[:cut]


@kernel
def _packed_by_source(source: Integers, target: Integers, n: int, packed: Integers) -> bool:
    """Pack untyped links between works 0..n-1 in order of source, sorting those of each source as they come.

    False: a number is out of bounds, they are in another order, or a source has a long list in disorder, and they
    are better sorted as a whole.
    """
    start = 0
    for place in range(source.size):
        if not (0 <= source[place] < n and 0 <= target[place] < n):
            return False
        if place > 0 and source[place] != source[place - 1]:
            if source[place] < source[place - 1]:
                return False
            start = place
        word = (source[place] << WORK_BITS | target[place]) << RELATION_BITS
        free = place
        while free > start and packed[free - 1] > word:
            packed[free] = packed[free - 1]
            free -= 1
            if place - free > MOST_MOVES:
                return False
        packed[free] = word
    return True


def in_memory(links: Streamed) -> Held:
    """The same links, held, and no longer kept there as well."""
    packed = np.concatenate([chunk.packed for chunk in links.chunks()])
    links.kept.clear()
    return hold(links.n, packed)


def named(links: Streamed) -> NDArray[np.bool_]:
    """Which numbers a link names, self-loops included. Shape (n,)."""
    found = np.zeros(links.n, dtype=np.bool_)
    for chunk in links.chunks():
        source, target, _ = unpack(chunk.packed)
        found[source] = True
        found[target] = True
    return found


def _group_bounds(packed: Packed, starts: Sequence[int]) -> list[tuple[int, int]]:
    """(start, end) of pieces that begin at or before each of `starts` and never cut through a source's links."""
    cuts = [int(np.searchsorted(packed, packed[at] >> SOURCE_SHIFT << SOURCE_SHIFT)) for at in starts]
    cuts = sorted({*cuts, packed.size})
    return list(pairwise(cuts))
