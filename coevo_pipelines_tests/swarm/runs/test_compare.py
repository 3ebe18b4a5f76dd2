from __future__ import annotations

import math
from typing import Any

import pytest
from scipy import stats

from coevo_pipelines.swarm.config import Config
from coevo_pipelines.swarm.runs.compare import (
    Bench,
    Share,
    Variant,
    _differences,
    compare,
    critical,
    paired,
    variants,
    within,
)
from coevo_pipelines.swarm.runs.standalone import MadeUp, Setup, SwarmError, begin, moment

BOTH = variants(("freeze", "mark_continue"))
TINY = Bench(organisms=12, patterns=2, ticks=30, at=(10, 500))


@pytest.mark.parametrize(
    ("freedom", "value"), [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (29, 2.045), (120, 1.980)]
)
def test_critical_values_are_those_of_the_tables(freedom: int, value: float) -> None:
    assert critical(freedom) == pytest.approx(value, abs=5e-4)


@pytest.mark.parametrize("freedom", [1, 2, 3, 9, 10, 31, 200])
def test_students_t_agrees_with_another_program(freedom: int) -> None:
    assert critical(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-10)
    assert critical(freedom, 0.5) == pytest.approx(stats.t.ppf(0.75, freedom), rel=1e-10)
    for t in (0.0, 0.1, 1.0, 5.0, 60.0):
        assert within(t, freedom) == pytest.approx(1 - 2 * stats.t.sf(t, freedom), abs=1e-12)


def test_a_paired_mean_by_hand() -> None:
    # Deviations from 2: -1, 0, 1; variance 1.
    mean, se = paired([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert se == pytest.approx(math.sqrt(1 / 3))
    assert paired([0.25]) == (0.25, None)


def test_differences_are_paired_by_seed() -> None:
    base, other = BOTH
    shares = [
        *(Share(base.name, seed, 9, share) for seed, share in ((1, 0.1), (2, 0.5), (3, 0.9))),
        *(Share(other.name, seed, 9, share) for seed, share in ((3, 0.9), (1, 0.2), (2, 0.7))),
    ]
    (found,) = _differences(shares, (9,), BOTH)
    assert (found.variant, found.baseline, found.tick, found.seeds, found.ahead) == (other.name, base.name, 9, 3, 2)
    answer = stats.ttest_rel([0.2, 0.7, 0.9], [0.1, 0.5, 0.9])
    interval = answer.confidence_interval(0.95)
    assert found.mean == pytest.approx(0.1)
    assert found.low == pytest.approx(interval.low)
    assert found.high == pytest.approx(interval.high)
    assert found.se == pytest.approx(found.mean / answer.statistic)


def test_shares_are_what_the_simulation_says() -> None:
    found = compare(TINY, BOTH, [4])
    swarm = begin(12, 2, 4, Config(protocol="freeze"))
    expected = {}
    for tick in range(1, 31):
        swarm.tick(moment(tick))
        state, best = swarm.state, swarm.versions.best()
        expected[tick] = sum(state.version[o, p] == best[p] for o in range(12) for p in range(2)) / 24
    assert [(each.tick, each.share) for each in found.shares if each.variant == BOTH[0].name] == [
        (10, expected[10]), (30, expected[30])]  # fmt: skip
    assert found.mean(BOTH[0].name, 10) == expected[10]
    assert {(each.se, each.low, each.high) for each in found.differences} == {(None, None, None)}


def test_the_same_for_any_number_of_workers() -> None:
    seeds = range(1, 3)
    seen: list[tuple[int, int]] = []
    one = compare(TINY, BOTH, seeds, tell=lambda done, of: seen.append((done, of)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert compare(TINY, BOTH, seeds, workers=2) == one


def test_a_variant_against_itself_differs_in_nothing() -> None:
    same = Variant("mark_continue", "hist_live")
    found = compare(TINY, (same, same), range(3))
    assert [(each.mean, each.se, each.ahead) for each in found.differences] == [(0.0, 0.0, 0)] * 2


def test_variants() -> None:
    found = variants(("freeze", "mark_continue", "freeze"), ("live", "hist_live"))
    assert [each.name for each in found] == [
        "freeze live", "freeze hist_live", "mark_continue live", "mark_continue hist_live"]  # fmt: skip


@pytest.mark.parametrize(
    ("protocols", "evidence", "message"),
    [
        (("frozen", "freeze"), ("live",), "there is no protocol 'frozen': choose from mark_continue, freeze"),
        (("freeze",), ("live", "dead"), "there is no evidence 'dead': choose from hist_live, live, verifications"),
        (("freeze",), ("live",), "nothing to compare"),
        ((), (), "nothing to compare"),
    ],
)
def test_variants_that_there_are_not(protocols: Any, evidence: Any, message: str) -> None:
    with pytest.raises(SwarmError) as found:
        variants(protocols, evidence)
    assert message in str(found.value)


@pytest.mark.parametrize(
    "bench",
    [Bench(organisms=0), Bench(patterns=0), Bench(3, 1, 5, setup=Setup(world=MadeUp(absent=1.0)))],
)
def test_nothing_to_look_at(bench: Bench) -> None:
    with pytest.raises(SwarmError, match="a comparison needs"):
        compare(bench, BOTH, [1])


@pytest.mark.parametrize(("ticks", "marks"), [(0, (0,)), (500, (500,)), (501, (500, 501)), (1000, (500, 1000))])
def test_marks(ticks: int, marks: tuple[int, ...]) -> None:
    assert Bench(ticks=ticks).marks == marks


def test_marking_with_history_finds_better_versions_than_freezing() -> None:
    """S5 of the specification, on the smallest size where it is stable: at 40 organisms, 4 patterns and 150 ticks the
    difference is 8 standard errors. (At 300, 16, 1,000 with seeds 1 to 10: +.035, SE .017.)"""
    found = compare(Bench(40, 4, 150, at=()), BOTH, range(1, 11)).differences[-1]
    assert found.seeds == 10
    assert found.low is not None
    assert found.low > 0
