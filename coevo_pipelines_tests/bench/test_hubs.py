"""`coevo bench hubs`: the measurement runs, the proof is complete, and HiGHS finds the same."""

from __future__ import annotations

import json

import pytest

from coevo_pipelines.bench.hubs import highs, made
from coevo_pipelines.hubs.matching.match import match
from coevo_pipelines.hubs.matching.points import Points
from coevo_pipelines_tests.runs import coevo

SMALL = ("--hubs", "150", "--offers", "900", "--needs", "700", "--items", "6")


def test_it_is_measured_and_proved() -> None:
    found = json.loads(coevo("bench", "hubs", *SMALL, "--trials", "4", "--json").stdout)
    assert found["gap"] == 0 and found["objective"] == found["bound"] > 0
    assert found["peer"]["difference"] < 1e-9 and found["peer"]["pairs"] == found["pairs"]
    assert found["stable"]["trials"] == 4 and 0 < found["stable"]["share"] < 0.2
    assert sum(found["reasons"].values()) > 0 and 0 < found["matched"] < 1


def test_it_is_told() -> None:
    told = coevo("bench", "hubs", *SMALL, "--trials", "0", "--no-peers").stdout
    assert "gap to the bound" in told and "HiGHS" not in told


@pytest.mark.parametrize(("needs", "offers"), [(1_500, 700), (700, 1_500)])
def test_the_bound_is_that_of_highs(needs: int, offers: int) -> None:
    world = made(200, needs, offers, 4, seed=2)
    markets = match(*world, Points()).markets
    pairs, objective = highs(*world, Points())
    assert int(markets["pairs"].sum()) == pairs
    assert float(markets["bound"].sum()) == pytest.approx(objective, rel=1e-9)


def test_the_same_seed_makes_the_same_world() -> None:
    first, again, other = (made(20, 50, 60, 3, seed) for seed in (1, 1, 2))
    assert first[0].equals(again[0]) and first[1].equals(again[1])
    assert not first[0].equals(other[0])
