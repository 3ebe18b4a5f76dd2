"""Who meets whom, and what passes: the matrix, cell by cell and in planes of 64."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.swarm.config import Config
from coevo_pipelines.swarm.tick.clasps import Passed, clasp, communities_of, pairs, roles
from coevo_pipelines.swarm.tick.state import BUSY, INHERITED, PRESENT, REFLEX, State, Versions
from coevo_pipelines_tests.swarm.worlds import ABSENT, random_state, state, versions, weights_of

TWO = {"p": ("a", "b")}


def passed(
    found: State, names: Versions, *, cap: int = 10**6, full: bool = False, identity: bool = True, since: int = 0
) -> Passed:
    """A clasp of organism 0, who teaches, with organism 1; and so on in pairs."""
    one = np.arange(0, len(found), 2)
    return clasp(
        found, one, one + 1, np.zeros(found.patterns, dtype=np.int64), cap, np.zeros(len(names), dtype=np.int64),
        since=since, identity=identity, full=full,
    )  # fmt: skip


def test_k1_the_nine_cells() -> None:
    teacher, student = [1, 1, 1, 0, 0, 0, -1, -1, -1], [-1, 0, 1, -1, 0, 1, -1, 0, 1]
    names = versions({f"p{n}": ("a", "b") for n in range(9)}, Config())
    found = state([teacher, student], [[2 * n for n in range(9)], [2 * n + 1 for n in range(9)]])
    done = passed(found, names)
    assert weights_of(found)[1] == [1, 1, 1, 0, 0, 1, -1, 0, 1]
    assert [int(pattern) for _, pattern in done.markers] == [2, 4]
    assert weights_of(found)[0] == teacher
    assert [int(each) for each in found.version[1]] == [0, 2, 5, 6, 9, 11, 13, 15, 17]


@pytest.mark.parametrize("teacher", [ABSENT, -1, 0, 1])
@pytest.mark.parametrize("student", [ABSENT, -1, 0, 1])
def test_absent_is_a_fourth_state(teacher: int | None, student: int | None) -> None:
    names = versions(TWO, Config())
    found = state([[teacher], [student]], [[0], [1]])
    done = passed(found, names)
    changes: dict[tuple[int | None, int | None], int] = {(1, ABSENT): 1, (1, -1): 1, (1, 0): 1, (0, -1): 0}
    expected = changes.get((teacher, student), student)
    assert weights_of(found)[1] == [expected]
    assert len(done.markers) == ((teacher, student) in {(1, 1), (0, 0)})
    taken = expected != student or (teacher, student) == (1, ABSENT)
    assert int(done.overwrites[0]) == taken
    if expected is not None:
        assert int(found.version[1, 0]) == (0 if taken else 1)


def test_what_is_taken_over_has_no_trials_of_its_own() -> None:
    names = versions(TWO, Config())
    found = state([[1], [0]], [[0], [1]])
    found.k[:], found.n[:], found.verifications[:], found.verified[:] = 5, 9, 7, 7
    found.discovered[:] = 3
    passed(found, names)
    assert (found.k[1, 0], found.n[1, 0], found.verifications[1, 0], found.verified[1]) == (0, 0, 0, 0)
    assert found.is_set(INHERITED, 1, 0) and found.discovered[1, 0] == -1
    assert (found.k[0, 0], found.n[0, 0], found.verifications[0, 0], found.verified[0]) == (5, 9, 7, 7)


def test_one_version_is_no_tie_unless_the_seed_is_taken_at_its_word() -> None:
    names = versions(TWO, Config())
    for identity, markers in ((True, 0), (False, 1)):
        found = state([[1], [1]], [[0], [0]])
        done = passed(found, names, identity=identity)
        assert len(done.markers) == markers
        assert done.same_version == 1 - markers
        assert int(done.ties[0]) == 1


def test_an_open_decision_neither_gives_nor_takes() -> None:
    names = versions(TWO, Config())
    for busy, (teacher, student) in product((0, 1), ((1, -1), (1, 1), (0, 0), (0, -1))):
        found = state([[teacher], [student]], [[0], [1]])
        found.put(BUSY, busy, 0, True)
        done = passed(found, names)
        assert weights_of(found) == [[teacher], [student]]
        assert not len(done.markers) and not done.ties.any() and not done.overwrites.any()


def test_a_reflex_is_in_no_tie_but_teaches() -> None:
    names = versions(TWO, Config())
    for reflex in (0, 1):
        found = state([[1], [1]], [[0], [1]])
        found.put(REFLEX, reflex, 0, True)
        done = passed(found, names)
        assert (len(done.markers), done.reflex_ties) == (0, 1)
    found = state([[1], [0]], [[0], [1]])
    found.put(REFLEX, 0, 0, True)
    passed(found, names)
    assert weights_of(found)[1] == [1] and not found.is_set(REFLEX, 1, 0)


def test_no_more_open_decisions_of_a_pattern_than_the_cap() -> None:
    found = state([[1, 1]] * 12, [[0, 2], [1, 3]] * 6)
    open_markers = np.array([1, 0], dtype=np.int64)
    one = np.arange(0, 12, 2)
    done = clasp(found, one, one + 1, open_markers, 4, np.zeros(4, dtype=np.int64), since=0, identity=True, full=False)
    assert np.bincount(done.markers[:, 1]).tolist() == [3, 4]
    assert open_markers.tolist() == [4, 4]
    assert done.suppressed == 12 - 7
    assert int(done.ties.sum()) == 12
    assert all(found.is_set(BUSY, place, int(p)) for pair, p in done.markers for place in (2 * pair, 2 * pair + 1))


def test_upward_passes_recent_discoveries_that_the_teacher_lacks() -> None:
    names = versions({f"p{n}": ("a",) for n in range(5)}, Config())
    found = state([[ABSENT, ABSENT, ABSENT, 0, ABSENT], [1, 1, 1, 1, 0]])
    found.discovered[1] = [50, 49, 50, 50, 50]
    found.put(INHERITED, 1, 2, True)
    done = passed(found, names, since=50)
    assert done.discoveries.tolist() == [[0, 0]]  # too old, inherited, there already, not at +1


def test_full_upward_lets_a_student_overwrite_its_teacher() -> None:
    names = versions({f"p{n}": ("a", "b") for n in range(4)}, Config())
    found = state([[0, -1, 1, ABSENT], [1, 1, 0, 1]], [[0, 2, 4, 6], [1, 3, 5, 7]])
    done = passed(found, names, full=True)
    assert weights_of(found) == [[1, 1, 1, None], [1, 1, 1, 1]]
    assert found.version[0].tolist()[:3] == [1, 3, 4]
    assert int(done.upward[0]) == 2


def slowly(found: State, one: int, other: int) -> None:
    """The matrix of the specification, cell by cell."""
    for p in range(found.patterns):
        t, s = found.weight(one, p), found.weight(other, p)
        if t is None or found.is_set(BUSY, one, p) or found.is_set(BUSY, other, p):
            continue
        if (t == 1 and s != 1) or (t == 0 and s == -1):
            found.take(np.array([other]), p, int(found.version[one, p]), t)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), patterns=st.sampled_from([1, 2, 63, 64, 65, 130]), pairs_=st.integers(1, 4))
def test_planes_do_what_the_matrix_says(seed: int, patterns: int, pairs_: int) -> None:
    names = versions({f"p{n}": ("a", "b", "c") for n in range(patterns)}, Config())
    fast, slow = (random_state(seed, 2 * pairs_, names) for _ in range(2))
    draws = np.random.default_rng(seed)
    for place, p in zip(draws.integers(0, 2 * pairs_, 5), draws.integers(0, patterns, 5), strict=True):
        for each in (fast, slow):
            each.put(BUSY, int(place), int(p), True)
    before = weights_of(fast)
    done = passed(fast, names, cap=0)
    for pair in range(pairs_):
        slowly(slow, 2 * pair, 2 * pair + 1)
    assert weights_of(fast) == weights_of(slow)
    for name in ("version", "k", "n", "verifications", "verified", "discovered"):
        there = slow.version >= 0
        mine, other = getattr(fast, name), getattr(slow, name)
        assert np.array_equal(mine if mine.ndim == 1 else mine[there], other if other.ndim == 1 else other[there]), name
    # S3: weights only rise by transfer, and teachers keep theirs
    assert all(
        old is None or (new is not None and new >= old)
        for was, now in zip(before, weights_of(fast), strict=True)
        for old, new in zip(was, now, strict=True)
    )
    assert weights_of(fast)[::2] == before[::2]
    assert not len(done.markers)


def test_pairs_are_disjoint_and_mostly_inside_their_community() -> None:
    community = np.repeat(np.arange(40), 25)
    where = communities_of(community)
    rng = np.random.default_rng(0)
    inside = everybody = 0
    for _ in range(40):
        met = pairs(rng, where, community, 0.4, 0.9)
        assert len(np.unique(met)) == met.size
        everybody += len(met)
        inside += int((community[met[:, 0]] == community[met[:, 1]]).sum())
    assert everybody / (40 * 500) == pytest.approx(0.4, abs=0.01)
    # 0.9 by choice, and 24 of 999 of the others by chance; a community may be used up
    assert inside / everybody == pytest.approx(0.9 + 0.1 * 24 / 999, abs=0.02)


def test_everybody_meets_alike_without_communities() -> None:
    community = np.full(7, -1)
    where = communities_of(community)
    rng = np.random.default_rng(3)
    seen = np.zeros((7, 7))
    for _ in range(6000):
        for one, other in pairs(rng, where, community, 1.0, 0.9):
            seen[one, other] += 1
            seen[other, one] += 1
    assert seen.sum() == 6000 * 3 * 2
    off = seen[~np.eye(7, dtype=bool)]
    assert off.min() > 0.9 * off.mean() and off.max() < 1.1 * off.mean()
    assert not np.diag(seen).any()


@pytest.mark.parametrize(
    ("organisms", "rate", "most"), [(0, 1.0, 0), (1, 1.0, 0), (2, 1.0, 1), (5, 1.0, 2), (9, 0.0, 0)]
)
def test_so_many_pairs_as_there_can_be(organisms: int, rate: float, most: int) -> None:
    community = np.zeros(organisms, dtype=np.int64)
    assert len(pairs(np.random.default_rng(1), communities_of(community), community, rate, 0.9)) == most


def test_the_teacher_has_the_higher_rank_then_more_verifications_then_the_lower_id() -> None:
    names = versions({"p": ("a",)}, Config())
    found = state([[0]] * 6, ids=["f", "e", "d", "c", "b", "a"])
    assert len(names) == 1
    found.tier[:] = [0, 2, 1, 1, 1, 1]
    found.verified[:] = [99, 0, 5, 7, 5, 5]
    met = np.array([[0, 1], [2, 3], [4, 5]])
    teachers, students = roles(found, met, np.array([0, 1, 3, 2]))
    assert teachers.tolist() == [1, 3, 5]
    assert students.tolist() == [0, 2, 4]


def test_planes_hold_any_number_of_patterns() -> None:
    found = state([[0] * 130])
    assert found.planes.shape == (1, 3, 8)
    for pattern in (0, 63, 64, 127, 128, 129):
        found.set_weight(0, pattern, 1)
        assert found.weight(0, pattern) == 1
        found.set_weight(0, pattern, -1)
        assert found.weight(0, pattern) == -1
    assert sum(found.is_set(PRESENT, 0, pattern) for pattern in range(130)) == 130
