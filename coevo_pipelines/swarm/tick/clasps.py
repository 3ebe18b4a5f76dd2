"""Clasps: who meets whom, and what passes between two organisms, 64 patterns at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coevo_pipelines.influence.kernel import kernel_by
from coevo_pipelines.swarm.tick.state import (
    BITS,
    BUSY,
    INHERITED,
    MINUS,
    NEVER,
    PLUS,
    PRESENT,
    REFLEX,
    State,
)

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Communities:
    """Members of each community, for drawing partners: fixed as long as nobody moves."""

    members: Ints
    """Places, by community; those without one are not there."""
    start: Ints
    """(communities + 1,): where each begins."""
    seat: Ints
    """(organisms,): where in `members` each stands; -1 without a community."""


@dataclass(frozen=True)
class Passed:
    """What the clasps of a tick did; the first four for each pair."""

    overwrites: Ints
    ties: Ints
    opened: Ints
    upward: Ints
    same_version: int
    reflex_ties: int
    suppressed: int
    markers: Ints
    """(markers, 2): pair and pattern of each tie that becomes a decision; both cells are BUSY now."""
    discoveries: Ints
    """(candidates, 2): pair and pattern that the teacher lacks and the student discovered."""


def communities_of(community: Ints) -> Communities:
    """From the community of each organism, -1 for none."""
    count = int(community.max(initial=-1)) + 1
    order = np.argsort(community, kind="stable").astype(np.int64)
    members = order[int((community < 0).sum()) :]
    start = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(community[community >= 0], minlength=count), out=start[1:])
    seat = np.full(len(community), -1, dtype=np.int64)
    seat[members] = np.arange(len(members))
    return Communities(members, start, seat)


def pairs(rng: np.random.Generator, where: Communities, community: Ints, rate: float, inside: float) -> Ints:
    """h ~ Binomial(organisms // 2, rate) disjoint pairs, (h, 2): the first of each is drawn from all that are free; its
    partner from those of its community with chance `inside`, else, or where none of them is free, from all."""
    count = len(community)
    wanted = int(rng.binomial(count // 2, rate)) if count > 1 else 0
    draws = rng.random(3 * wanted)
    found: Ints = _paired(draws, where.members.copy(), where.start, where.seat.copy(), community, inside)
    return found


@kernel_by(lambda draws, *_: draws.size)
def _paired(draws: NDArray[np.float64], members: Ints, start: Ints, seat: Ints, community: Ints, inside: float) -> Ints:
    count = len(community)
    free = np.arange(count)
    at = np.arange(count)  # where in `free` each stands
    left = count
    there = start[1:] - start[:-1]  # members still free, of each community
    found = np.empty((len(draws) // 3, 2), dtype=np.int64)
    for pair in range(len(found)):
        one = free[min(int(draws[3 * pair] * left), left - 1)]
        for turn in range(2):
            if turn == 1:
                home = community[found[pair, 0]]
                if home >= 0 and draws[3 * pair + 1] < inside and there[home] > 0:
                    pick = min(int(draws[3 * pair + 2] * there[home]), there[home] - 1)
                    one = members[start[home] + pick]
                else:
                    one = free[min(int(draws[3 * pair + 2] * left), left - 1)]
            found[pair, turn] = one
            last = free[left - 1]
            free[at[one]] = last
            at[last] = at[one]
            left -= 1
            home = community[one]
            if home >= 0:
                end = start[home] + there[home] - 1
                last = members[end]
                members[seat[one]] = last
                seat[last] = seat[one]
                there[home] -= 1
    return found


def roles(state: State, met: Ints, teach_rank: NDArray[np.int64]) -> tuple[Ints, Ints]:
    """Teachers and students of pairs: the larger (teach rank, verifications) teaches, else the lower organism_id.

    teach_rank: by tier.
    """
    one, other = met[:, 0], met[:, 1]
    first, second = teach_rank[state.tier[one]], teach_rank[state.tier[other]]
    taught, given = state.verified[one], state.verified[other]
    teaches = (first > second) | (
        (first == second) & ((taught > given) | ((taught == given) & (state.order[one] < state.order[other])))
    )
    return np.where(teaches, one, other), np.where(teaches, other, one)


def clasp(
    state: State,
    teachers: Ints,
    students: Ints,
    open_markers: Ints,
    cap: int,
    spread: Ints,
    *,
    since: int,
    identity: bool,
    full: bool,
) -> Passed:
    """Pass cells from teachers to students, in order; pairs must be disjoint.

    s' = max(t, s) where t is present (an absent student's cell takes a +1 only); equal weights above -1 are a tie. A
    cell with an open decision neither gives nor takes; a reflex (level 0) is in no tie. A tie of distinct versions
    becomes a decision while its pattern has fewer than `cap` open ones: `open_markers` (patterns,) is counted up,
    `spread` (versions,) counts cells taken over. since: tick from which on a discovery is recent. identity False: equal
    versions are a tie too (the literal seed). full: a student's +1 also overwrites its teacher's 0 and -1.
    """
    count = len(teachers)
    totals = np.zeros((4, count), dtype=np.int64)
    sums = np.zeros(3, dtype=np.int64)
    room = int(np.maximum(0, cap - open_markers).sum())
    markers = np.empty((min(room, count * state.patterns), 2), dtype=np.int64)
    made, found = _passed(
        teachers, students, state.planes, state.version, state.k, state.n, state.verifications, state.discovered,
        state.verified, open_markers, cap, spread, since, identity, full, totals, sums, markers,
    )  # fmt: skip
    return Passed(
        overwrites=totals[0],
        ties=totals[1],
        opened=totals[2],
        upward=totals[3],
        same_version=int(sums[0]),
        reflex_ties=int(sums[1]),
        suppressed=int(sums[2]),
        markers=markers[:made],
        discoveries=found,
    )


@kernel_by(lambda *given: given[0].size * given[3].shape[1])  # pairs x patterns
def _passed(  # noqa: PLR0912, PLR0915 - a kernel calls no other function
    teachers: Ints,
    students: Ints,
    planes: Ints,
    version: NDArray[np.int32],
    k: NDArray[np.uint8],
    n: NDArray[np.uint8],
    verifications: NDArray[np.int32],
    discovered: NDArray[np.int32],
    verified: Ints,
    open_markers: Ints,
    cap: int,
    spread: Ints,
    since: int,
    identity: bool,
    full: bool,
    totals: Ints,
    sums: Ints,
    markers: Ints,
) -> tuple[int, Ints]:
    patterns = version.shape[1]
    made = 0
    kept = 0
    candidates = np.empty((16, 2), dtype=np.int64)
    for pair in range(len(teachers)):
        t = teachers[pair]
        s = students[pair]
        for word in range(planes.shape[1]):
            t_there = planes[t, word, PRESENT]
            t_plus = planes[t, word, PLUS]
            t_minus = planes[t, word, MINUS]
            s_there = planes[s, word, PRESENT]
            s_plus = planes[s, word, PLUS]
            s_minus = planes[s, word, MINUS]
            free = ~(planes[t, word, BUSY] | planes[s, word, BUSY])
            t_zero = t_there & ~t_plus & ~t_minus
            to_plus = t_plus & ~s_plus & free
            taken = to_plus | (t_zero & s_minus & free)
            tie = ((t_plus & s_plus) | (t_zero & s_there & ~s_plus & ~s_minus)) & free
            calm = tie & (planes[t, word, REFLEX] | planes[s, word, REFLEX])
            young = s_plus & ~planes[s, word, INHERITED] & ~t_there & free
            back = (s_plus & t_there & ~t_plus & free) if full else 0
            last = min(BITS, patterns - word * BITS)
            if taken != 0:
                planes[s, word, PLUS] = (s_plus & ~taken) | to_plus
                planes[s, word, MINUS] = s_minus & ~taken
                planes[s, word, PRESENT] = s_there | taken
                planes[s, word, INHERITED] |= taken
            if back != 0:
                planes[t, word, PLUS] |= back
                planes[t, word, MINUS] &= ~back
                planes[t, word, INHERITED] |= back
            for row, giver, taker, mask in ((0, t, s, taken), (3, s, t, back)):
                for bit in range(last if mask != 0 else 0):
                    if (mask >> bit) & 1:
                        p = word * BITS + bit
                        version[taker, p] = version[giver, p]
                        verified[taker] -= verifications[taker, p]
                        k[taker, p] = 0
                        n[taker, p] = 0
                        verifications[taker, p] = 0
                        discovered[taker, p] = NEVER
                        spread[version[giver, p]] += 1
                        totals[row, pair] += 1
            if tie != 0:
                for bit in range(last):
                    if (tie >> bit) & 1:
                        p = word * BITS + bit
                        totals[1, pair] += 1
                        if (calm >> bit) & 1:
                            sums[1] += 1
                        elif identity and version[t, p] == version[s, p]:
                            sums[0] += 1
                        elif open_markers[p] >= cap:
                            sums[2] += 1
                        else:
                            open_markers[p] += 1
                            planes[t, word, BUSY] |= np.int64(1) << bit
                            planes[s, word, BUSY] |= np.int64(1) << bit
                            markers[made, 0] = pair
                            markers[made, 1] = p
                            made += 1
                            totals[2, pair] += 1
            if young != 0:
                for bit in range(last):
                    p = word * BITS + bit
                    if (young >> bit) & 1 and discovered[s, p] >= since and discovered[s, p] != NEVER:
                        if kept == len(candidates):
                            larger = np.empty((2 * kept, 2), dtype=np.int64)
                            larger[:kept] = candidates
                            candidates = larger
                        candidates[kept, 0] = pair
                        candidates[kept, 1] = p
                        kept += 1
    return made, candidates[:kept]
