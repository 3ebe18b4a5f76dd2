"""Uses: how often, how well, and what they teach; the same for any number of workers and chunks."""

from __future__ import annotations

import numpy as np
import pytest

from coevo_pipelines.swarm.config import Config
from coevo_pipelines.swarm.tick import outcomes
from coevo_pipelines.swarm.tick.outcomes import observe, simulate
from coevo_pipelines.swarm.tick.state import (
    BUSY,
    INHERITED,
    NEVER,
    PLUS,
    REFLEX,
    UNCERTAIN,
    WAITING,
    State,
    stream,
    theta,
)
from coevo_pipelines_tests.swarm.worlds import random_state, state, versions, weights_of

NOBODY = np.zeros((1, 1), dtype=bool)


def tried(found: State, successes: list[bool], tick: int = 7, config: Config | None = None) -> outcomes.Uses:
    """Organism 0 tries pattern 0 so often."""
    cells = np.array([[0, 0, int(each)] for each in successes], dtype=np.int64).reshape(-1, 3)
    return observe(found, cells, tick, config or Config())


@pytest.mark.parametrize(
    ("successes", "weight", "then"),
    [
        ([1, 1, 1], 0, 1),  # K8: 3/3 0.9375
        ([1, 1], 0, 0),  # 0.875
        ([1, 1, 0, 1, 1], 0, 0),  # K8: 4/5 0.8906
        ([1, 1, 0, 1, 1, 1], 0, 1),  # K8: 5/6 0.9375
        ([0, 0, 0], 1, -1),  # K8: 0/3 0.0625
        ([0, 0], 1, 1),
        ([1, 1, 1], -1, 1),
    ],
)
def test_k8_weights_follow_trials(successes: list[bool], weight: int, then: int) -> None:
    found = state([[weight]])
    found.put(INHERITED, 0, 0, True)
    done = tried(found, successes)
    assert weights_of(found) == [[then]]
    assert (found.n[0, 0], found.k[0, 0]) == (len(successes), sum(successes))
    assert found.verifications[0, 0] == found.verified[0] == sum(successes)
    assert (done.uses, done.successes) == (len(successes), sum(successes))
    rose = then == 1 and weight != 1
    assert found.discovered[0, 0] == (7 if rose else NEVER)
    assert found.is_set(INHERITED, 0, 0) == (not rose)


def test_counts_are_halved_before_they_reach_sixty() -> None:
    found = state([[1]])
    found.k[0, 0], found.n[0, 0], found.verifications[0, 0] = 50, 59, 200
    tried(found, [True])
    assert (found.k[0, 0], found.n[0, 0], found.verifications[0, 0]) == (25, 30, 201)


def test_an_open_decision_learns_but_keeps_its_weight() -> None:
    found = state([[0, 0]])
    found.put(BUSY, 0, 0, True)
    done = tried(found, [True, True, True])
    assert weights_of(found) == [[0, 0]]
    assert found.k[0, 0] == 3
    assert done.marked.tolist() == [[0, 0, 1]] * 3


def test_a_reflex_needs_a_hundred_verifications_and_eight_of_ten() -> None:
    found = state([[1]])
    found.k[0, 0], found.n[0, 0], found.verifications[0, 0] = 40, 49, 99
    tried(found, [True])
    assert found.is_set(REFLEX, 0, 0)
    assert tried(found, [True]).reflexes == 1
    found.k[0, 0], found.n[0, 0] = 39, 49
    tried(found, [False])
    assert not found.is_set(REFLEX, 0, 0)
    other = state([[1]])
    other.k[0, 0], other.n[0, 0], other.verifications[0, 0] = 48, 49, 98
    tried(other, [True])
    assert not other.is_set(REFLEX, 0, 0)


def test_uses_come_at_their_rates() -> None:
    config = Config()
    names = versions({f"p{n}": ("a",) for n in range(6)}, config, theta=0.7)
    count = 30_000
    found = state([[1, 0, -1, None, 0, 1]] * count)
    for place_pattern in ((UNCERTAIN, 4), (BUSY, 4), (WAITING, 5), (BUSY, 5)):
        found.put(place_pattern[0], np.arange(count), place_pattern[1], True)
    found.tier[:] = np.arange(count) % 4
    rng = stream(5, "outcomes")
    simulate(found, rng, np.array(names.theta), np.zeros((1, 6), dtype=bool), 1, config, 1)
    explore = np.mean([tier.explore for tier in config.tiers])
    rates: tuple[float, ...] = (0.05, 0.05, 0.05 * float(explore), 0, 0.15, 0)
    for pattern, rate in enumerate(rates):
        n, k = int(found.n[:, pattern].sum()), int(found.k[:, pattern].sum())
        assert n / count == pytest.approx(rate, abs=5 * (rate / count) ** 0.5)  # five standard deviations
        if n > 1000:
            assert k / n == pytest.approx(0.7, abs=0.03)


def test_what_is_used_at_every_tick_succeeds_no_more_often() -> None:
    config = Config(use_rate=0.5, uncertain_factor=3.0)  # thrice one half: every tick, not one and a half times
    found = state([[0]] * 4000)
    found.put(UNCERTAIN, np.arange(4000), 0, True)
    done = simulate(found, stream(1, "outcomes"), np.array([0.5]), NOBODY, 1, config, 1)
    assert done.uses == 4000 and done.successes == pytest.approx(2000, abs=5 * 32)


def test_where_something_was_observed_nothing_is_simulated() -> None:
    config = Config(use_rate=1.0)
    names = versions({"p": ("a",), "q": ("b",)}, config)
    found = state([[1, 1]] * 4, community=[0, 0, 1, -1])
    exposed = np.array([[True, False], [False, False], [False, False]])
    simulate(found, stream(1, "outcomes"), np.array(names.theta), exposed, 1, config, 1)
    assert found.n.tolist() == [[0, 1], [0, 1], [1, 1], [1, 1]]


@pytest.mark.parametrize(("workers", "draws"), [(1, 1 << 19), (2, 4096), (3, 1000), (1, 37)])
def test_chunks_and_workers_change_nothing(monkeypatch: pytest.MonkeyPatch, workers: int, draws: int) -> None:
    config = Config(use_rate=0.5)
    names = versions({f"p{n}": ("a", "b") for n in range(20)}, config)
    names.theta = [0.3, 0.8] * 20

    def run(workers: int, draws: int) -> tuple[object, ...]:
        monkeypatch.setattr(outcomes, "DRAWS", draws)
        found = random_state(3, 300, names)
        rng = stream(9, "outcomes")
        marked = [
            simulate(found, rng, np.array(names.theta), np.zeros((1, 20), dtype=bool), tick, config, workers)
            for tick in range(3)
        ]
        after = rng.random(2).tolist()
        return found.planes.tobytes(), found.k.tobytes(), found.verified.tobytes(), [m.uses for m in marked], after

    assert run(workers, draws) == run(1, 1 << 19)


def test_compiled_loops_do_the_same() -> None:
    config = Config(use_rate=0.5)
    names = versions({f"p{n}": ("a", "b") for n in range(40)}, config)
    names.theta = [0.3, 0.8] * 40
    large = random_state(3, 900, names)  # 36,000 cells: compiled
    small = random_state(3, 900, names)
    rng = stream(9, "outcomes")
    simulate(large, rng, np.array(names.theta), np.zeros((1, 40), dtype=bool), 1, config, 1)
    draws = stream(9, "outcomes").random(900 * 40).reshape(900, 40)
    for place in range(0, 900, 90):
        for p in range(40):
            weight = small.weight(place, p)
            rate = 0.5 if weight in {0, 1} else 0.5 * config.young.explore
            used = weight is not None and draws[place, p] < rate
            assert int(large.n[place, p]) == int(small.n[place, p]) + used
            succeeded = used and draws[place, p] < rate * names.theta[int(small.version[place, p])]
            assert int(large.k[place, p]) == int(small.k[place, p]) + succeeded


def test_the_chance_of_a_version_is_its_own() -> None:
    assert theta(1, "p", "v", 3, 1) == theta(1, "p", "v", 3, 1)
    assert len({theta(1, "p", "v", 0, 0), theta(2, "p", "v", 0, 0), theta(1, "q", "v", 0, 0)}) == 3
    drawn = [theta(1, "p", f"v{n}", 8, 2) for n in range(4000)]
    assert np.mean(drawn) == pytest.approx(9 / 12, abs=0.01)  # Beta(9, 3)
    assert np.var(drawn) == pytest.approx(9 * 3 / (12**2 * 13), rel=0.08)


def test_nobody_uses_nothing() -> None:
    done = simulate(state([]), stream(1, "outcomes"), np.zeros(0), np.zeros((1, 0), dtype=bool), 1, Config(), 4)
    assert (done.uses, len(done.marked)) == (0, 0)
    assert not state([[1]]).is_set(REFLEX, 0, 0) and state([[1]]).is_set(PLUS, 0, 0)
