"""What counts say, against the specification's known answers, other formulas, scipy and chance itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from math import comb, exp, isclose, lgamma, log, nan

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from coevo_pipelines.swarm.config import Config, Importance, Winner
from coevo_pipelines.swarm.decisions.evidence import (
    chances,
    confidence,
    evidence_delta,
    fisher,
    g,
    posterior,
    rule,
    should_escalate,
    winner_of,
)
from coevo_pipelines.swarm.records import Counts

WORKED = Counts(12, 15), Counts(8, 14)


def counts(most: int) -> st.SearchStrategy[Counts]:
    return st.integers(0, most).flatmap(lambda n: st.integers(0, n).map(lambda k: Counts(k, n)))


def halves(most: int) -> st.SearchStrategy[Counts]:
    return counts(2 * most).map(lambda each: Counts(each.k / 2, each.n / 2))


# g and its rule


@pytest.mark.parametrize(
    ("k", "n", "expected", "turns"),
    [(3, 3, 0.9375, 1), (4, 5, 0.890625, 0), (5, 6, 0.9375, 1), (0, 3, 0.0625, -1), (0, 0, 0.5, 0)],
)
def test_g_known_answers(k: int, n: int, expected: float, turns: int) -> None:
    """K8."""
    assert g(k, n) == expected
    assert rule(60, 0.9, 0.1)[n, k] == turns


@pytest.mark.parametrize("n", [0, 1, 7, 60, 127])
def test_g_is_a_tail_of_coin_flips_and_of_a_beta(n: int) -> None:
    k = np.arange(n + 1)
    found = np.array([g(each, n) for each in k.tolist()])
    np.testing.assert_allclose(found, stats.binom.cdf(k, n + 1, 0.5), rtol=1e-11, atol=0)
    np.testing.assert_allclose(found, stats.beta.sf(0.5, 1 + k, 1 + n - k), rtol=1e-10, atol=0)
    np.testing.assert_allclose(found, 1 - found[::-1], atol=1e-15)


def test_g_of_many_trials() -> None:
    """Beyond the range of floats' powers of two."""
    assert g(2000, 4000) == 0.5
    assert g(2050, 4000) == pytest.approx(stats.beta.sf(0.5, 2051, 1951), rel=1e-9)
    assert (g(0, 4000), g(4000, 4000)) == (0, 1)


def test_rule_is_the_comparison_with_g() -> None:
    table = rule(127, 0.9, 0.1)
    assert table.dtype == np.int8
    for n in range(128):
        for k in range(128):
            expected = 0 if k > n else (g(k, n) >= 0.9) - (g(k, n) <= 0.1)
            assert table[n, k] == expected, (n, k)
    assert (table == -table_mirrored(table)).all()


def table_mirrored(table: np.ndarray) -> np.ndarray:
    """[n, n - k] at [n, k]."""
    found = np.zeros_like(table)
    for n in range(len(table)):
        found[n, : n + 1] = table[n, n::-1]
    return found


def test_rule_at_the_very_bound() -> None:
    """3 of 3 is 15/16, 0 of 3 is 1/16: at the bound it turns, a hair beyond it does not."""
    assert (rule(3, 0.9375, 0.0625)[3, 3], rule(3, 0.9375, 0.0625)[3, 0]) == (1, -1)
    assert (rule(3, 0.9375000000000001, 0.0624999999999999)[3, [0, 3]] == 0).all()


def test_a_run_of_failures_brings_plus_down() -> None:
    """The rule does both. After 9 of 10: P(Bin(14, ½) <= 9) is 0.910, P(Bin(15, ½) <= 9) 0.849,
    P(Bin(25, ½) <= 9) 0.115, P(Bin(26, ½) <= 9) 0.084."""
    table = rule(60, 0.9, 0.1)
    states = [int(table[10 + failures, 9]) for failures in range(20)]
    assert states == [1] * 4 + [0] * 11 + [-1] * 5


@pytest.mark.parametrize(("k", "n"), [(-1, 3), (4, 3), (0, -1)])
def test_g_refuses_what_cannot_be(k: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"{k} successes in {n} trials"):
        g(k, n)


# q


def test_worked_example() -> None:
    """K2."""
    q = posterior(*WORKED)
    assert q == pytest.approx(0.8994664, abs=5e-8)
    assert confidence(q) == pytest.approx(0.7989, abs=5e-5)
    assert winner_of(q, 15, 14, 0.05) == "teacher"
    delta = evidence_delta("teacher", *WORKED)
    assert delta == pytest.approx(0.8 - 4 / 7, abs=1e-15)
    assert f"{delta:.0%}" == "23%"
    assert fisher(*WORKED) == pytest.approx(0.245, abs=5e-4)
    kinds: tuple[Importance, ...] = ("critical", "standard", "experimental")
    assert not any(should_escalate(confidence(q), each, 2) for each in kinds)


@pytest.mark.parametrize(
    ("teacher", "student", "expected"),
    [
        (Counts(0, 0), Counts(0, 0), Fraction(1, 2)),
        (Counts(3, 3), Counts(0, 3), Fraction(69, 70)),
        (Counts(1, 1), Counts(0, 1), Fraction(5, 6)),
        (Counts(0, 0), Counts(0, 9), Fraction(10, 11)),
        (Counts(1, 2), Counts(500, 1000), Fraction(1, 2)),
    ],
)
def test_posterior_known_answers(teacher: Counts, student: Counts, expected: Fraction) -> None:
    """K2; an untried side: P(U > Y) = 1 - E[Y]; rates that are both symmetric about 1/2."""
    assert posterior(teacher, student) == round(float(expected), 12)


def exact(teacher: Counts, student: Counts) -> Fraction:
    """θ_t and θ_s are order statistics of n_t + 1 and n_s + 1 uniform numbers: of all these in order, the teacher's is
    the later one iff at most k_t of the first k_t + k_s + 1 are the teacher's."""
    (k, n), (j, m) = ((int(each.k), int(each.n) + 1) for each in (teacher, student))
    drawn = k + j + 1
    first = max(0, drawn - m)
    ways = total = comb(n, first) * comb(m, drawn - first)
    for x in range(first, k):
        ways = ways * ((n - x) * (drawn - x)) // ((x + 1) * (m - drawn + x + 1))
        total += ways
    return Fraction(total, comb(n + m, drawn))


def closed_form(teacher: Counts, student: Counts) -> float:
    """The sum that the specification gives (Evan Miller, "Formulas for Bayesian A/B testing")."""

    def beta(a: float, b: float) -> float:
        return lgamma(a) + lgamma(b) - lgamma(a + b)

    failed, other = 1 + teacher.n - teacher.k, 1 + student.n - student.k
    return sum(
        exp(
            beta(1 + student.k + i, other + failed) - log(failed + i) - beta(1 + i, failed) - beta(1 + student.k, other)
        )
        for i in range(int(teacher.k) + 1)
    )


@given(counts(80), counts(80))
def test_posterior_is_exact(teacher: Counts, student: Counts) -> None:
    q = posterior(teacher, student)
    assert abs(q - exact(teacher, student)) < 1e-12
    assert q == pytest.approx(closed_form(teacher, student), abs=1e-11)


@pytest.mark.parametrize("n", [500, 4000])
@pytest.mark.parametrize("m", [3, 700, 5000])
def test_posterior_of_thousands(n: int, m: int) -> None:
    for k in (0, n // 2, n):
        for j in (0, m // 2, m // 2 + m // 50, m):
            teacher, student = Counts(k, n), Counts(j, m)
            assert abs(posterior(teacher, student) - exact(teacher, student)) < 1e-12, (k, n, j, m)


def by_quadrature(teacher: Counts, student: Counts) -> float:
    """∫ density of the teacher's rate, P(student's rate is below)."""
    mine = stats.beta(teacher.k + 1, teacher.n - teacher.k + 1)
    theirs = stats.beta(student.k + 1, student.n - student.k + 1)
    points = [mine.mean(), theirs.mean()]
    found, _ = quad(lambda x: mine.pdf(x) * theirs.cdf(x), 0, 1, epsabs=1e-12, epsrel=1e-12, points=points, limit=200)
    return float(found)


@pytest.mark.parametrize(
    ("teacher", "student"),
    [
        (Counts(0.5, 0.5), Counts(0, 0.5)),
        (Counts(12.5, 15.5), Counts(8, 14.5)),
        (Counts(1.5, 40), Counts(2, 33.5)),
        (Counts(61.5, 100.5), Counts(150.5, 260)),
        (Counts(0.3, 1.1), Counts(7.77, 9.9)),  # precedents may weigh anything
    ],
)
def test_posterior_of_parts_of_counts(teacher: Counts, student: Counts) -> None:
    assert posterior(teacher, student) == pytest.approx(by_quadrature(teacher, student), abs=1e-10)


def test_posterior_with_one_whole_side_is_the_closed_form() -> None:
    """Which needs only the teacher's successes to be whole."""
    for k in range(9):
        teacher, student = Counts(k, k + 4.5), Counts(7.5, 12)
        assert posterior(teacher, student) == pytest.approx(closed_form(teacher, student), abs=1e-11)


@given(halves(60), halves(60))
def test_posterior_is_symmetric(teacher: Counts, student: Counts) -> None:
    """Who is asked first and what counts as a success do not matter; equal evidence is exactly a coin flip."""
    q = posterior(teacher, student)
    assert 0 <= q <= 1
    assert posterior(student, teacher) == pytest.approx(1 - q, abs=1e-12)
    failures = [Counts(each.n - each.k, each.n) for each in (student, teacher)]
    assert posterior(*failures) == pytest.approx(q, abs=1e-12)
    assert posterior(teacher, teacher) == 0.5


@given(halves(60), halves(60))
def test_posterior_follows_success(teacher: Counts, student: Counts) -> None:
    q = posterior(teacher, student)
    assert posterior(Counts(teacher.k + 1, teacher.n + 1), student) >= q
    assert posterior(Counts(teacher.k, teacher.n + 1), student) <= q


def test_posterior_is_what_chance_gives() -> None:
    chance = np.random.default_rng(1)
    mine, theirs = chance.beta(13, 4, 400_000), chance.beta(9, 7, 400_000)
    assert float((mine > theirs).mean()) == pytest.approx(posterior(*WORKED), abs=4 * 0.0005)


def test_posterior_far_out() -> None:
    """Where the terms leave the range of floats."""
    assert posterior(Counts(20_000, 20_000), Counts(0, 20_000)) == 1
    assert posterior(Counts(0, 20_000), Counts(20_000, 20_000)) == 0
    assert posterior(Counts(0, 20_000), Counts(0, 20_000)) == 0.5
    assert posterior(Counts(0, 0), Counts(0, 20_000)) == pytest.approx(1 - 1 / 20_002, abs=1e-12)


@pytest.mark.parametrize("bad", [Counts(4, 3), Counts(-1, 3), Counts(nan, 3), Counts(1, float("inf")), Counts(0, -1)])
@pytest.mark.parametrize("asked", [posterior, fisher, lambda mine, theirs: chances(mine, theirs, 3, 3)])
def test_counts_that_cannot_be(bad: Counts, asked: Callable[[Counts, Counts], object]) -> None:
    for sides in ((bad, Counts(0, 0)), (Counts(0, 0), bad)):
        with pytest.raises(ValueError, match=f"{bad.k} successes in {bad.n} trials"):
            asked(*sides)


def test_thousands_of_posteriors_are_quick() -> None:
    began = time.process_time()
    for k in range(2000):
        posterior(Counts(k % 60, 60), Counts(30, 60))
    assert time.process_time() - began < 1


# who wins, how sure, who decides


@pytest.mark.parametrize(
    ("q", "trials", "within", "expected"),
    [
        (0.55, (1, 1), 0.05, "teacher"),  # exactly so far apart is no hybrid, on either side: floats differ there
        (0.45, (1, 1), 0.05, "student"),
        (0.5499999, (1, 1), 0.05, "hybrid"),
        (0.4500001, (1, 1), 0.05, "hybrid"),
        (0.99, (0, 9), 0.05, "hybrid"),
        (0.01, (9, 0), 0.05, "hybrid"),
        (0.5, (9, 9), 0.0, "hybrid"),
        (0.501, (9, 9), 0.0, "teacher"),
        (0.499, (0.5, 0.5), 0.0, "student"),
    ],
)
def test_winner(q: float, trials: tuple[float, float], within: float, expected: str) -> None:
    assert winner_of(q, *trials, within) == expected


def test_confidence_spans_zero_to_one() -> None:
    """With max(q, 1 - q) alone, no confidence would be below 0.4."""
    assert [confidence(q) for q in (0, 0.05, 0.3, 0.5, 0.7, 0.9, 1)] == [1, 0.9, 0.4, 0, 0.4, 0.8, 1]


LADDER = (0.29, 0.3, 0.399, 0.4, 0.699, 0.7, 0.8, 0.81)


@pytest.mark.parametrize(
    ("importance", "strict", "expected"),
    [
        ("standard", False, "TTTFFFFF"),
        ("critical", False, "TTTTTFFF"),
        ("experimental", False, "TFFFFFFF"),
        ("standard", True, "TTTFFFFF"),
        ("critical", True, "TTTTTFFF"),
        ("experimental", True, "TTTFFFFF"),
    ],
)
def test_escalation(importance: Importance, strict: bool, expected: str) -> None:
    """K4."""
    for level in (2, 3, 4):
        found = [should_escalate(c, importance, level, strict_seed=strict) for c in LADDER]
        assert "".join("FT"[each] for each in found) == expected
    assert not any(should_escalate(c, importance, 5, strict_seed=strict) for c in (0.0, *LADDER))


@given(st.floats(0, 1), st.sampled_from(["critical", "standard", "experimental"]))
def test_strict_and_corrected_differ_only_there(c: float, importance: Importance) -> None:
    literal, corrected = (should_escalate(c, importance, 2, strict_seed=each) for each in (True, False))
    assert (literal != corrected) == (importance == "experimental" and 0.3 <= c < 0.4)


@pytest.mark.parametrize(
    ("winner", "teacher", "student", "expected"),
    [
        ("teacher", Counts(3, 4), Counts(1, 2), 0.25),
        ("student", Counts(3, 4), Counts(1, 2), -0.25),
        ("hybrid", Counts(3, 4), Counts(1, 2), None),
        ("teacher", Counts(0, 0), Counts(1, 2), None),
        ("student", Counts(3, 4), Counts(0, 0), None),
    ],
)
def test_evidence_delta(winner: Winner, teacher: Counts, student: Counts, expected: float | None) -> None:
    assert evidence_delta(winner, teacher, student) == expected


# Fisher


@given(counts(60), counts(60))
def test_fisher_is_scipys(teacher: Counts, student: Counts) -> None:
    table = [[each.k, each.n - each.k] for each in (teacher, student)]
    expected = stats.fisher_exact(np.array(table, dtype=int)).pvalue
    assert isclose(fisher(teacher, student), expected, rel_tol=1e-9)
    assert fisher(student, teacher) == fisher(teacher, student)


def test_fisher_published() -> None:
    """The lady tasting tea (Fisher 1935): 3 of 4 and 1 of 4; and one too large for floats' factorials."""
    assert fisher(Counts(3, 4), Counts(1, 4)) == 34 / 70
    assert fisher(Counts(4, 4), Counts(0, 4)) == 2 / 70
    assert fisher(Counts(0, 0), Counts(0, 4)) == 1
    large = stats.fisher_exact([[900, 1100], [1000, 1000]]).pvalue
    assert fisher(Counts(900, 2000), Counts(1000, 2000)) == pytest.approx(large, rel=1e-9)


def test_fisher_needs_whole_counts() -> None:
    with pytest.raises(ValueError, match=r"1\.5 successes in 4 trials.*whole"):
        fisher(Counts(1.5, 4), Counts(1, 4))


# what is to come


def test_leak() -> None:
    """12/15 against 8/14, ten more trials each: the favourite is ahead on all evidence with 0.984, on what comes
    later with 0.728, where 0.111 are ties on top: without them it is 0.819."""
    higher, lower, tie = chances(*WORKED, 10, 10)
    assert (round(higher, 3), round(lower, 3), round(tie, 3)) == (0.728, 0.161, 0.111)
    assert round(higher / (higher + lower), 3) == 0.819
    with_past = chances(*WORKED, 10, 10, with_past=True)
    assert (round(with_past[0], 3), with_past[2]) == (0.984, 0)
    by_q = sum(
        stats.betabinom.pmf(x, 10, 13, 4) * stats.betabinom.pmf(y, 10, 9, 7)
        for x in range(11)
        for y in range(11)
        if posterior(Counts(12 + x, 25), Counts(8 + y, 24)) > 0.5
    )
    assert by_q == pytest.approx(with_past[0], abs=1e-12)


@settings(max_examples=40)
@given(halves(40), halves(40), st.integers(0, 12), st.integers(0, 12), st.booleans())
def test_chances_add_up(teacher: Counts, student: Counts, n: int, m: int, with_past: bool) -> None:
    found = chances(teacher, student, n, m, with_past=with_past)
    mirrored = chances(student, teacher, m, n, with_past=with_past)
    assert mirrored[:2] == (found[1], found[0])
    past = (teacher, student) if with_past else (Counts(0, 0), Counts(0, 0))
    trials = [Fraction(past[0].n) + n, Fraction(past[1].n) + m]
    assume(all(trials))
    mine = stats.betabinom.pmf(np.arange(n + 1), n, teacher.k + 1, teacher.n - teacher.k + 1)
    theirs = stats.betabinom.pmf(np.arange(m + 1), m, student.k + 1, student.n - student.k + 1)
    expected = [0.0, 0.0, 0.0]
    for x in range(n + 1):
        for y in range(m + 1):
            rates = (Fraction(past[0].k) + x) / trials[0], (Fraction(past[1].k) + y) / trials[1]
            expected[0 if rates[0] > rates[1] else 1 if rates[0] < rates[1] else 2] += mine[x] * theirs[y]
    assert found == pytest.approx(expected, abs=1e-11)


def test_without_trials_nobody_is_ahead() -> None:
    assert chances(*WORKED, 0, 10) == chances(*WORKED, 10, 0) == (0, 0, 1)
    assert chances(Counts(0, 0), WORKED[1], 0, 10, with_past=True) == (0, 0, 1)
    assert chances(*WORKED, 0, 0, with_past=True) == (1, 0, 0)  # freeze: nothing can change
    with pytest.raises(ValueError, match="-1 trials to come"):
        chances(*WORKED, 5, -1)


def test_many_trials_to_come_are_the_posterior() -> None:
    """The law of large numbers: rates to come are then the true ones."""
    higher, lower, tie = chances(*WORKED, 3000, 3000)
    assert higher + tie / 2 == pytest.approx(posterior(*WORKED), abs=1e-3)
    assert higher + lower + tie == pytest.approx(1, abs=1e-12)


def test_the_defaults_of_the_configuration_are_the_specifications() -> None:
    config = Config()
    table = rule(config.most_trials, config.rise, config.fall)
    assert table.shape == (61, 61)
    assert [int(table[n, n]) for n in range(5)] == [0, 0, 0, 1, 1]
