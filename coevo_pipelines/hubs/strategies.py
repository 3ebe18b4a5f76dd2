"""What worked: before and after a practice, over all hubs that tried it, with no more certainty than the data hold.

- A **case** is a row of `hubs.outcomes`; its effect is the logarithm of after over before (Hedges, Gurevitch & Curtis
  1999, https://doi.org/10.1890/0012-9658(1999)080[1150:TMAORR]2.0.CO;2) where both means are above 0 in every case,
  else after less before. Where zero is a convention (`NO_RATIO`) it is the difference too.
- Cases of one **hub** are not independent: they become one effect, their mean, as uncertain as if they went up and
  down together. A hundred cases of a hub tell less than five hubs. The same numbers published twice are one case.
- **Over hubs**, effects are random: the variance between hubs by Paule & Mandel (1982,
  https://doi.org/10.6028/jres.087.022), the interval by Hartung & Knapp (2001, https://doi.org/10.1002/sim.791) with
  Student's t, never narrower than hubs that do not differ at all would have it; where the effect of one more hub may
  lie: Higgins, Thompson & Spiegelhalter (2009, https://doi.org/10.1111/j.1467-985X.2008.00552.x).
- Where a hub gives no standard deviation, or one of fewer than `FEWEST_MEASUREMENTS`, nobody knows how sure it is.
  Then all hubs count alike, whoever gives them too, and the interval is of the spread between hubs.
- **Many are looked at**, so some would look good by chance: a practice works, or harms, only where its whole interval
  is on one side, and still is after the correction of Holm (1979, https://www.jstor.org/stable/4615733) over all pairs
  of practice and quantity that enough hubs tried.

Before and after are not compared with a place where nothing was done: `why` says so in every row. A measure is taken
as independent before and after; where the same plots are measured twice, the interval is rather too wide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from math import atan, cos, exp, expm1, fsum, hypot, isfinite, log, pi, sin, sqrt, tan
from operator import mul
from typing import Any

import polars as pl

NO_RATIO = ("K", "[pH]")
"""UCUM codes of scales on which twice as much means nothing to a person."""
FEWEST_MEASUREMENTS = 4
"""Of fewer a standard deviation is no more than a guess: with 2, intervals over 10 hubs that were weighed by them held
87 % of the time instead of 95 %, with 3 it was 93 %."""
SCHEMA: dict[str, Any] = {
    "practice": pl.String,
    "quantity": pl.String,
    "measure": pl.String,
    "better": pl.String,
    "unit": pl.String,
    "hubs": pl.Int64,
    "cases": pl.Int64,
    "hubs_better": pl.Int64,
    "hubs_worse": pl.Int64,
    "effect": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "level": pl.Float64,
    "tau": pl.Float64,
    "i2": pl.Float64,
    "prediction_low": pl.Float64,
    "prediction_high": pl.Float64,
    "comparable": pl.Float64,
    "verdict": pl.String,
    "why": pl.String,
    "hub_ids": pl.List(pl.String),
    "evidence": pl.List(pl.String),
}
SIDES: dict[str, Any] = {"practice": pl.String, "quantity": pl.String, "hub_id": pl.String, "side": pl.Int64}
_CONTEXT = ("soil", "climate", "method")
_SPREAD = ("sd_before", "sd_after", "n_before", "n_after")
_NUMBERS = ("before", "after", *_SPREAD, "people", "from_at", "until_at")
_TAKEN = ("better", "unit", "raw_sha256", *_NUMBERS, *_CONTEXT)
_CAUSES = "before and after without a control: other causes are not ruled out"
_DIGITS = 12
"""Significant ones that are kept: those beyond differ between machines."""
_SAME = 1e-9
"""A standard error smaller than this part of the effect says that nothing was measured but a rounded number."""
_PRECISE = 1e-14
"""Of a variance: a step that small is the last."""
_LEAST = 1e-12
"""Of the largest effect: no standard error is taken to be smaller."""

Row = Mapping[str, Any]


def strategies(outcomes: pl.DataFrame, fewest: int, level: float) -> pl.DataFrame:
    """`hubs.strategies`, columns `SCHEMA`, in order of practice and quantity.

    outcomes: rows of `hubs.outcomes`, of the last version of each hub. Of fewer than `fewest` hubs nothing is said;
    level: of intervals, and one less it of the correction for many. Raises ValueError for fewer than 2 hubs, which
    have no spread, and for a level that is not between 0 and 1.
    """
    if fewest < 2 or not 0 < level < 1:
        raise ValueError(f"fewest {fewest}, level {level}: give at least 2 hubs and a level between 0 and 1")
    pairs = list(_pairs(outcomes))
    found = [_pooled_of(pair, level) if len(pair.hubs) >= fewest else None for pair in pairs]
    chances = _holm([None if each is None else each.chance for each in found])
    asked = _Asked(fewest, level, sum(each is not None for each in chances))
    rows = [_row(pair, each, chance, asked) for pair, each, chance in zip(pairs, found, chances, strict=True)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def sides(outcomes: pl.DataFrame) -> pl.DataFrame:
    """Columns `SIDES`, one row a hub and pair of practice and quantity that it tried: side is 1 where it got better
    there, -1 where worse, else 0. The sums are `hubs_better` and `hubs_worse` of `strategies`."""
    pairs = _pairs(outcomes)
    rows = [(each.practice, each.quantity, hub.hub_id, each.side(hub.effect)) for each in pairs for hub in each.hubs]
    return pl.DataFrame(rows, schema=SIDES, orient="row")


@dataclass(frozen=True)
class Pooled:
    """One effect out of many, in the unit of these."""

    effect: float
    error: float
    """Standard error; the interval is Student's t of it."""
    low: float
    high: float
    chance: float
    """Of an effect at least as large where there is none: two-sided p."""
    tau: float | None = None
    """Standard deviation between hubs; None where it cannot be told from that within them."""
    i2: float | None = None
    prediction: tuple[float, float] | None = None


def pooled(effects: Sequence[float], errors: Sequence[float | None], level: float) -> Pooled | None:
    """The effect over hubs, two or more, independent of each other; errors: standard errors above 0, None: unknown.

    None where they do not differ at all and no error is known: then nothing says how sure they are.
    """
    scale = max(*map(abs, effects), *(error or 0.0 for error in errors)) or 1.0
    y = [each / scale for each in effects]
    known = [max(error / scale, _LEAST) ** 2 for error in errors if error is not None]
    found = _random(y, known, level) if len(known) == len(y) else _alike(y, known, level)
    if found is None:
        return None
    low, high = found.prediction or (0.0, 0.0)
    return replace(
        found,
        effect=found.effect * scale,
        error=found.error * scale,
        low=found.low * scale,
        high=found.high * scale,
        tau=None if found.tau is None else found.tau * scale,
        prediction=found.prediction and (low * scale, high * scale),
    )


def _random(y: Sequence[float], v: Sequence[float], level: float) -> Pooled:
    """Random effects with known variances."""
    tau2, k = between(y, v), len(y)
    mean, error = hartung_knapp(y, v, tau2)
    typical = _typical(v)
    prediction = None
    if k > 2:
        wide = t_quantile(level, k - 2) * sqrt(tau2 + error * error)
        prediction = mean - wide, mean + wide
    return _interval(mean, error, k - 1, level, sqrt(tau2), tau2 / (tau2 + typical), prediction)


def _alike(y: Sequence[float], known: Sequence[float], level: float) -> Pooled | None:
    """Every hub counts alike; never surer than those that say how sure they are allow."""
    k = len(y)
    mean = fsum(y) / k
    spread = fsum((each - mean) ** 2 for each in y) / (k - 1)
    error = sqrt(max(spread / k, fsum(known) / k / k))
    if error <= _SAME * abs(mean):
        return None
    wide = t_quantile(level, k - 1) * sqrt(max(spread, error * error * k) * (1 + 1 / k))
    return _interval(mean, error, k - 1, level, None, None, (mean - wide, mean + wide))


def _interval(
    mean: float,
    error: float,
    df: int,
    level: float,
    tau: float | None,
    i2: float | None,
    prediction: tuple[float, float] | None,
) -> Pooled:
    wide = t_quantile(level, df) * error
    chance = 1 - t_within(abs(mean) / error, df)
    return Pooled(mean, error, mean - wide, mean + wide, chance, tau, i2, prediction)


def between(effects: Sequence[float], variances: Sequence[float]) -> float:
    """The variance between hubs by Paule & Mandel: that by which their weighted squares sum to one less than there
    are; 0 where they differ less than their own variances let expect."""
    tau2 = 0.0
    while True:
        weights = [1 / (v + tau2) for v in variances]
        mean = _mean(effects, weights)
        squares = [w * (y - mean) ** 2 for w, y in zip(weights, effects, strict=True)]
        excess = fsum(squares) - (len(effects) - 1)
        if excess <= 0:
            return tau2
        # The sum falls, ever more slowly: squares over a line are convex in both, so their least over the mean is.
        # Newton's steps from 0 therefore never go too far.
        step = excess / fsum(map(mul, weights, squares))
        tau2 += step
        if step <= _PRECISE * tau2:
            return tau2


def hartung_knapp(effects: Sequence[float], variances: Sequence[float], tau2: float) -> tuple[float, float]:
    """The weighted mean and its standard error, which is never below that of the weights themselves."""
    weights = [1 / (v + tau2) for v in variances]
    mean = _mean(effects, weights)
    squares = fsum(w * (y - mean) ** 2 for w, y in zip(weights, effects, strict=True))
    return mean, sqrt(max(1.0, squares / (len(effects) - 1)) / fsum(weights))


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return fsum(map(mul, weights, values)) / fsum(weights)


def _typical(variances: Sequence[float]) -> float:
    """The variance within a typical hub, by which I² is told: Higgins & Thompson (2002,
    https://doi.org/10.1002/sim.1186), equation 9."""
    weights = [1 / v for v in variances]
    total = fsum(weights)
    # Of one precise hub among many vague ones the difference below is all rounding.
    rest = total * total - fsum(w * w for w in weights)
    return (len(weights) - 1) * total / rest if rest > 0 else max(variances)


# Student's t


def t_within(t: float, df: int) -> float:
    """P(|T| <= t) for Student's t of `df` (1, 2, …) degrees of freedom: the finite sums of Abramowitz & Stegun,
    Handbook of Mathematical Functions, 26.7.3 and 26.7.4."""
    return _within(atan(t / sqrt(df)), df)


@lru_cache(maxsize=1024)
def t_quantile(level: float, df: int) -> float:
    """The t with P(|T| <= t) = level."""
    low, high = 0.0, pi / 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _within(middle, df) < level else (low, middle)
    return sqrt(df) * tan(low)


def _within(angle: float, df: int) -> float:
    """P(|T| <= √df tan(angle))."""
    c2 = cos(angle) ** 2
    odd = df % 2
    term, terms = (cos(angle) if odd else 1.0), []
    for step in range(2 + odd, df + 1, 2):
        terms.append(term)
        term *= c2 * (step - 1) / step
    total = sin(angle) * fsum(terms)
    return min(1.0, 2 / pi * (angle + total) if odd else total)


def _holm(chances: Sequence[float | None]) -> list[float | None]:
    """Corrected for as many as there are; None stays None."""
    tested = sorted((chance, place) for place, chance in enumerate(chances) if chance is not None)
    corrected: list[float | None] = [None] * len(chances)
    last = 0.0
    for rank, (chance, place) in enumerate(tested):
        last = max(last, min(1.0, chance * (len(tested) - rank)))
        corrected[place] = last
    return corrected


# cases and hubs


@dataclass(frozen=True)
class _Hub:
    """What a hub says of a practice and quantity."""

    hub_id: str
    effect: float
    error: float | None
    """Standard error; None: unknown."""
    context: Mapping[str, str | None]
    """By `_CONTEXT`; None: not told."""


@dataclass(frozen=True)
class _Pair:
    """A practice and a quantity; hubs in order of id."""

    practice: str
    quantity: str
    measure: str
    better: str
    unit: str
    hubs: Sequence[_Hub]
    cases: int
    evidence: Sequence[str]
    left_out: Sequence[str]
    """What was not taken, in words."""

    def side(self, effect: float) -> int:
        """1: better, -1: worse."""
        towards = 1 if self.better == "up" else -1
        return towards * ((effect > 0) - (effect < 0))


def _pairs(outcomes: pl.DataFrame) -> Iterator[_Pair]:
    """In order of practice and quantity; those without a usable case are none."""
    chosen = outcomes.select("practice", "quantity", "event_at", "hub_id", "row", *_TAKEN)
    rows = chosen.sort("practice", "quantity", "event_at", "hub_id", "row").iter_rows(named=True)
    for (practice, quantity), own in groupby(rows, key=lambda row: (row["practice"], row["quantity"])):
        cases, left_out = _usable(list(own))
        if cases:
            yield _pair(practice, quantity, cases, left_out)


def _usable(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """The cases, and what else there was. rows: of one pair, in order of publication."""
    units = Counter(row["unit"] for row in rows)
    unit = max(sorted(units), key=units.__getitem__)
    left: Counter[str] = Counter()
    seen: set[tuple[Any, ...]] = set()
    cases = []
    for row in rows:
        # Round means alone may be the same by chance; with the spread and the dates they were copied.
        whose = row["hub_id"] if None in [row[name] for name in _SPREAD] else None
        numbers = (whose, *(row[name] for name in _NUMBERS))
        if not (isfinite(row["before"]) and isfinite(row["after"]) and isfinite(row["after"] - row["before"])):
            left["no number"] += 1
        elif row["unit"] != unit:
            left[f"not in {unit}"] += 1
        elif numbers in seen:
            left["published twice"] += 1
        else:
            seen.add(numbers)
            cases.append(row)
    return cases, [f"{count} {_plural('case', count)} left out: {why}" for why, count in sorted(left.items())]


def _pair(practice: str, quantity: str, cases: Sequence[Row], left_out: Sequence[str]) -> _Pair:
    last = cases[-1]
    is_ratio = last["unit"] not in NO_RATIO and all(row["before"] > 0 and row["after"] > 0 for row in cases)
    by_hub: dict[str, list[Row]] = {}
    for row in cases:
        by_hub.setdefault(row["hub_id"], []).append(row)
    return _Pair(
        practice=practice,
        quantity=quantity,
        measure="log_ratio" if is_ratio else "difference",
        better=last["better"],
        unit=last["unit"],
        hubs=[_hub(hub_id, by_hub[hub_id], is_ratio) for hub_id in sorted(by_hub)],
        cases=len(cases),
        evidence=sorted({row["raw_sha256"] for row in cases}),
        left_out=left_out,
    )


def _hub(hub_id: str, cases: Sequence[Row], is_ratio: bool) -> _Hub:
    effects = [_effect(row, is_ratio) for row in cases]
    errors = [_error(row, is_ratio) for row in cases]
    known = [each for each in errors if each is not None]
    return _Hub(
        hub_id,
        _sure(fsum(effects) / len(effects)),
        # Borenstein et al. (2009), Introduction to Meta-Analysis, chapter 24, for cases that correlate fully.
        fsum(known) / len(known) if len(known) == len(errors) else None,
        {name: _told(row[name] for row in cases) for name in _CONTEXT},
    )


def _effect(row: Row, is_ratio: bool) -> float:
    return log(row["after"]) - log(row["before"]) if is_ratio else float(row["after"] - row["before"])


def _error(row: Row, is_ratio: bool) -> float | None:
    """Standard error; None where it is not known, or is said to be none at all."""
    errors = []
    for when in ("before", "after"):
        mean, sd, n = row[when], row[f"sd_{when}"], row[f"n_{when}"]
        if sd is None or n is None or n < FEWEST_MEASUREMENTS or not 0 <= sd < float("inf"):
            return None
        errors.append((sd / mean if is_ratio else sd) / sqrt(n))
    found = hypot(*errors)
    return found if 0 < found < float("inf") else None


def _told(values: Iterable[str | None]) -> str | None:
    """What is said of all cases of a hub, in one spelling; None where of some nothing is."""
    plain = {" ".join((value or "").split()).casefold() for value in values}
    return None if "" in plain else "; ".join(sorted(plain))


def _alike_in(hubs: Sequence[_Hub]) -> dict[str, float]:
    """By `_CONTEXT`: of all pairs of two hubs the part that say the same; who says nothing is like nobody."""
    k = len(hubs)
    found = {}
    for name in _CONTEXT:
        counts = Counter(hub.context[name] for hub in hubs if hub.context[name] is not None)
        found[name] = sum(n * (n - 1) for n in counts.values()) / (k * (k - 1))
    return found


# rows


@dataclass(frozen=True)
class _Asked:
    fewest: int
    level: float
    tested: int
    """Pairs of practice and quantity that enough hubs tried."""


def _pooled_of(pair: _Pair, level: float) -> Pooled | None:
    return pooled([hub.effect for hub in pair.hubs], [hub.error for hub in pair.hubs], level)


def _row(pair: _Pair, found: Pooled | None, chance: float | None, asked: _Asked) -> tuple[Any, ...]:
    """One of `SCHEMA`. chance: corrected for all that were tested."""
    k = len(pair.hubs)
    verdict = _verdict(pair, found, chance, asked)
    # What is said of none is not told either: a mean without an interval reads as if it were sure.
    effect = None if found is None else found.effect
    low, high = (None, None) if found is None else (found.low, found.high)
    tau, i2, prediction = (None, None, None) if found is None else (found.tau, found.i2, found.prediction)
    alike = _alike_in(pair.hubs) if k > 1 else {}
    where = Counter(pair.side(hub.effect) for hub in pair.hubs)
    told = [f"{k} {_plural('hub', k)}, better in {where[1]}, worse in {where[-1]}"]
    told += _numbers(pair, found, chance, asked, verdict)
    if alike:
        told.append("pairs of hubs alike in " + ", ".join(f"{name} {100 * part:.0f} %" for name, part in alike.items()))
    numbers = (effect, low, high, asked.level, tau, i2, *(prediction or (None, None)))
    return (
        pair.practice,
        pair.quantity,
        pair.measure,
        pair.better,
        pair.unit,
        k,
        pair.cases,
        where[1],
        where[-1],
        *map(_rounded, numbers),
        _rounded(sum(alike.values()) / len(_CONTEXT)) if alike else None,
        verdict,
        "; ".join([*told, *pair.left_out, _CAUSES]),
        [hub.hub_id for hub in pair.hubs],
        list(pair.evidence),
    )


def _verdict(pair: _Pair, found: Pooled | None, chance: float | None, asked: _Asked) -> str:
    if len(pair.hubs) < asked.fewest:
        return "too_few"
    if found is None or chance is None or found.low <= 0 <= found.high or chance >= 1 - asked.level:
        return "unclear"
    return "works" if pair.side(found.effect) > 0 else "harms"


def _numbers(pair: _Pair, found: Pooled | None, chance: float | None, asked: _Asked, verdict: str) -> list[str]:
    """The numbers in words, and what they are worth."""
    if verdict == "too_few":
        return [f"of fewer than {asked.fewest} hubs nothing is said"]
    if found is None:
        each = _shown(pair.hubs[0].effect, pair)
        return [f"{each} in each of them: without any spread nobody can say how sure that is"]
    shown, low, high = (_shown(each, pair) for each in (found.effect, found.low, found.high))
    told = [f"{shown} ({100 * asked.level:.4g} % interval {low} to {high})"]
    many = f"of {asked.tested} practices and measures that were looked at"
    if found.low <= 0 <= found.high:
        told.append("which may be nothing, or the contrary")
    elif verdict == "unclear":
        told.append(f"{many} one may look so by chance (p {_p(chance)}, corrected for all)")
    elif asked.tested > 1:
        told.append(f"one {many} (p {_p(chance)}, corrected for all)")
    if found.prediction:
        low, high = (_shown(each, pair) for each in found.prediction)
        told.append(f"one more hub may see {low} to {high}")
    if found.i2 is None:
        unknown = sum(hub.error is None for hub in pair.hubs)
        told.append(
            f"{unknown} of {len(pair.hubs)} hubs give no standard deviation of {FEWEST_MEASUREMENTS} measurements or "
            "more, so all hubs count alike and the interval is of the spread between them"
        )
    else:
        told.append(f"{100 * found.i2:.0f} % of the spread is between hubs")
    return told


def _shown(effect: float, pair: _Pair) -> str:
    """With its sign: a percentage, a factor where that were thousands, or an amount."""
    if pair.measure == "difference":
        return f"{effect:+.3g} {pair.unit}"
    if effect > log(10):
        return f"a factor of {exp(min(effect, 700.0)):.3g}"
    return f"{100 * expm1(effect):+.3g} %"


def _p(chance: float | None) -> str:
    return "unknown" if chance is None else f"{chance:.2g}" if chance >= 0.001 else "below 0.001"


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def _rounded(value: float | None) -> float | None:
    return None if value is None else _sure(value)


def _sure(value: float) -> float:
    """To `_DIGITS`; no zero below zero."""
    return float(f"{value:.{_DIGITS}g}") + 0.0
