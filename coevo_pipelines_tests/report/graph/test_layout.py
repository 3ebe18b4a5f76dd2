"""Where works stand: everywhere a number, inside what is told, the same each time, and linked ones near each other."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from coevo_pipelines.report.graph import layout, timeline

Integers = NDArray[np.int64]


def world(n: int, m: int, chambers: int) -> tuple[int, Integers, Integers, Integers, Integers]:
    draw = np.random.default_rng(3)
    source, target = draw.integers(0, n, m), draw.integers(0, n, m)
    same = draw.random(m) < 0.9
    target[same] -= (target[same] - source[same]) % chambers
    linked = np.zeros(n, dtype=np.bool_)
    target = np.clip(target, 0, n - 1)
    linked[source[source != target]] = linked[target[source != target]] = True
    return n, source, target, np.where(linked, np.arange(n) % chambers, -1), draw.permutation(n)


NONE = np.zeros(0, dtype=np.int64)
WORLDS = {
    "no work": (0, NONE, NONE, NONE, NONE),
    "one work": (1, NONE, NONE, np.array([-1]), np.array([0])),
    "a loop only": (1, np.array([0]), np.array([0]), np.array([-1]), np.array([0])),
    "only works without links": (300, NONE, NONE, np.full(300, -1), np.arange(300)),
    "a pair": (2, np.array([1]), np.array([0]), np.array([0, 0]), np.array([0, 1])),
    "linked, in no chamber": (4, np.array([1, 2]), np.array([0, 1]), np.full(4, -1), np.arange(4)),
    "a chamber in two parts": (4, np.array([1, 3]), np.array([0, 2]), np.zeros(4, dtype=np.int64), np.arange(4)),
    "some": world(600, 700, 9),
    "many": world(5000, 15000, 30),
}


@pytest.mark.parametrize("name", WORLDS)
def test_every_work_has_a_place_inside_the_bounds(name: str) -> None:
    n, source, target, chamber, order = WORLDS[name]
    found = layout.place(n, source, target, chamber, order)
    assert found.xy.shape == (n, 2)
    assert np.isfinite(found.xy).all()
    assert (np.hypot(*found.xy.T) <= found.whole + 1e-9).all()
    linked = np.isin(np.arange(n), np.concatenate((source, target))[np.tile(source != target, 2)])
    assert ((found.group >= 0) == linked).all()
    left, low, right, high = found.linked
    x, y = found.xy[linked].T
    assert ((x >= left) & (x <= right) & (y >= low) & (y <= high)).all()
    assert np.unique(found.xy.round(6), axis=0).shape[0] == n


@pytest.mark.parametrize("name", WORLDS)
def test_the_same_graph_is_the_same_map_however_its_links_are_ordered(name: str) -> None:
    n, source, target, chamber, order = WORLDS[name]
    first = layout.place(n, source, target, chamber, order)
    turn = np.random.default_rng(0).permutation(len(source))
    second = layout.place(n, source[turn], target[turn], chamber, order)
    assert first.xy.tobytes() == second.xy.tobytes()


def test_no_disc_lies_on_another() -> None:
    n, source, target, chamber, order = WORLDS["some"]
    found = layout.place(n, source, target, chamber, order)
    gaps = np.hypot(*(found.centre[:, None] - found.centre[None]).transpose(2, 0, 1))
    gaps -= found.radius[:, None] + found.radius[None]
    np.fill_diagonal(gaps, 1)
    assert gaps.min() > -0.1


def test_what_is_not_connected_is_not_one_group() -> None:
    n, source, target, chamber, order = WORLDS["a chamber in two parts"]
    group = layout.place(n, source, target, chamber, order).group
    assert group.tolist() == [0, 0, 1, 1]


def test_linked_works_are_nearer_than_others() -> None:
    n, source, target, chamber, order = WORLDS["many"]
    xy = layout.place(n, source, target, chamber, order).xy
    linked = np.median(np.hypot(*(xy[source] - xy[target]).T))
    other = np.random.default_rng(1).permutation(target)
    assert linked < 0.5 * np.median(np.hypot(*(xy[source] - xy[other]).T))


def test_works_without_links_go_round_by_their_order() -> None:
    order = np.arange(300)[::-1].copy()
    xy = layout.place(300, NONE, NONE, np.full(300, -1), order).xy[np.argsort(order)]
    angle = np.arctan2(xy[:, 0], xy[:, 1]) % (2 * np.pi)
    assert (np.diff(angle) > 0).all()


def test_a_work_that_is_none_and_columns_of_other_lengths_are_errors() -> None:
    with pytest.raises(ValueError, match="works must be in"):
        layout.place(2, np.array([0]), np.array([2]), np.zeros(2, dtype=np.int64), np.arange(2))
    with pytest.raises(ValueError, match="2 works, 3 chambers"):
        layout.place(2, NONE, NONE, np.zeros(3, dtype=np.int64), np.arange(2))
    with pytest.raises(ValueError, match="2 days and 1 groups"):
        timeline.place(np.zeros(2), np.zeros(1))


def test_a_large_graph_takes_little_time(capsys: pytest.CaptureFixture[str]) -> None:
    began = time.process_time()
    found = layout.place(*world(20_000, 60_000, 60))
    with capsys.disabled():
        print(f"\n20,000 works, 60,000 links: {time.process_time() - began:.1f} s of CPU")
    assert np.isfinite(found.xy).all()


DAYS = {
    "none": np.zeros(0, dtype=np.int64),
    "one": np.array([17000]),
    "all on one day": np.full(50, 17000),
    "before 1970": np.array([-9000, 0, 17000]),
    "many": np.random.default_rng(2).integers(3000, 18000, 3000),
}


@pytest.mark.parametrize("name", DAYS)
def test_time_runs_to_the_right_and_lanes_do_not_mix(name: str) -> None:
    day = DAYS[name]
    group = np.arange(day.size) % 4 - 1
    found = timeline.place(day, group)
    assert found.xy.shape == (day.size, 2)
    assert np.isfinite(found.xy).all()
    x, y = found.xy.T
    assert ((x >= 0) & (x <= found.width) & (y <= 0) & (y >= -found.height - 1e-9)).all()
    order = np.argsort(day, kind="stable")
    assert (np.diff(x[order]) >= 0).all()
    for number in range(int(group.max(initial=-1)) + 1):
        inside = y[group == number]
        assert ((inside <= found.top[number]) & (inside >= found.bottom[number])).all()
    assert [at for _, at in found.ticks] == sorted(at for _, at in found.ticks)
    assert found.xy.tobytes() == timeline.place(day, group).xy.tobytes()
