"""What worked: published answers, properties, how often intervals hold, and what hubs really send."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from math import exp, inf, log, nan, pi, sqrt, tan
from statistics import fmean, stdev
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.hubs.strategies import (
    SCHEMA,
    SIDES,
    between,
    hartung_knapp,
    pooled,
    sides,
    strategies,
    t_quantile,
    t_within,
)
from coevo_pipelines.lake.schemas import TABLES

Row = dict[str, Any]
START = datetime(2018, 3, 1, tzinfo=UTC)
OUTCOMES = TABLES["hubs.outcomes"].polars_schema()


def case(hub: str, before: float, after: float, *, row: int = 1, **more: Any) -> Row:
    """A row of `hubs.outcomes`: compost and soil carbon, with a spread, unless said otherwise."""
    told: Row = {
        "hub_id": f"hub:{hub}", "event_at": START + timedelta(365), "row": row, "practice": "compost",
        "quantity": "soil_organic_carbon", "better": "up", "before": before, "after": after, "unit": "kg/kg",
        "given_unit": "g/kg", "sd_before": 0.1, "sd_after": 0.1, "n_before": 10, "n_after": 10, "people": None,
        "from_at": START, "until_at": START + timedelta(300), "method": "dry combustion", "soil": "loam",
        "climate": "Cfb", "observed_at": START + timedelta(366), "raw_sha256": f"{hub}{row}",
    }  # fmt: skip
    assert not set(more) - set(told)
    return told | more


def vague(hub: str, before: float, after: float, **more: Any) -> Row:
    """One that says nothing of its spread."""
    return case(hub, before, after, **{"sd_before": None, "sd_after": None, "n_before": None, "n_after": None} | more)


def frame(rows: Iterable[Row]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=OUTCOMES)


def one(rows: Iterable[Row], fewest: int = 4, level: float = 0.95) -> Row:
    (row,) = strategies(frame(rows), fewest, level).iter_rows(named=True)
    return row


WORKED = [case(hub, 1.0, after) for hub, after in zip("abcde", (1.30, 1.21, 1.28, 1.19, 1.25), strict=True)]

# Tuberculosis among the vaccinated and others, as Colditz et al. (1994, https://doi.org/10.1001/jama.271.9.698) list
# it: ill and healthy of the one, ill and healthy of the other; logarithms of the ratio of risks.
BCG = [
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
    (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600),
    (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
]  # fmt: skip
EFFECTS = [log(a / (a + b)) - log(c / (c + d)) for a, b, c, d in BCG]
VARIANCES = [1 / a - 1 / (a + b) + 1 / c - 1 / (c + d) for a, b, c, d in BCG]


class TestKnownAnswers:
    def test_bcg_as_published_for_other_programs(self) -> None:
        """Of the R package metafor, https://wviechtb.github.io/metafor: with its REML variance 0.3132 the interval of
        Knapp & Hartung is -1.1084 to -0.3206 around -0.7145, standard error 0.1808; the empirical Bayes variance, which
        is that of Paule & Mandel, is 0.3181; without heterogeneity the mean is -0.4303."""
        mean, error = hartung_knapp(EFFECTS, VARIANCES, 0.3132)
        assert [mean, error] == pytest.approx([-0.7145, 0.1808], abs=5e-5)
        wide = t_quantile(0.95, 12) * error
        assert [mean - wide, mean + wide] == pytest.approx([-1.1084, -0.3206], abs=2e-4)
        assert between(EFFECTS, VARIANCES) == pytest.approx(0.3181, abs=5e-5)
        found = pooled(EFFECTS, [sqrt(v) for v in VARIANCES], 0.95)
        assert found and found.tau and found.i2 and found.prediction
        assert found.i2 == pytest.approx(0.9222, abs=0.002)  # 92.22 % with REML
        half = t_quantile(0.95, 11) * sqrt(found.tau**2 + found.error**2)  # Higgins et al.: two degrees less
        assert list(found.prediction) == pytest.approx([found.effect - half, found.effect + half])

    def test_the_variance_between_is_the_one_by_which_squares_are_as_expected(self) -> None:
        tau2 = between(EFFECTS, VARIANCES)
        weights = 1 / (np.array(VARIANCES) + tau2)
        mean = np.average(EFFECTS, weights=weights)
        assert (weights * (np.array(EFFECTS) - mean) ** 2).sum() == pytest.approx(12, rel=1e-12)
        assert between([0.1, 0.11, 0.09], [0.5, 0.5, 0.5]) == 0.0

    @pytest.mark.parametrize(
        ("df", "expected"),
        [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (9, 2.262), (10, 2.228), (30, 2.042),
         (120, 1.980), (20_000, 1.960)],
    )  # fmt: skip
    def test_student_s_t_as_tables_have_it(self, df: int, expected: float) -> None:
        assert t_quantile(0.95, df) == pytest.approx(expected, abs=5e-4)
        assert t_within(t_quantile(0.95, df), df) == pytest.approx(0.95, abs=1e-12)

    @pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95, 0.99, 0.999])
    def test_student_s_t_in_closed_form(self, level: float) -> None:
        assert t_quantile(level, 1) == pytest.approx(tan(pi * level / 2), rel=1e-9)
        assert t_quantile(level, 2) == pytest.approx(level * sqrt(2 / (1 - level**2)), rel=1e-9)

    def test_one_case_by_hand(self) -> None:
        """Two hubs alike in everything: no variance between, so the standard error is that of the two."""
        found = one([case("a", 2, 3, sd_before=0.4, sd_after=0.9, n_before=4, n_after=9), case("b", 4, 6)], fewest=2)
        assert found["measure"] == "log_ratio"
        assert found["effect"] == pytest.approx(log(1.5))
        a = 0.4**2 / (4 * 2**2) + 0.9**2 / (9 * 3**2)
        b = 0.1**2 / (10 * 4**2) + 0.1**2 / (10 * 6**2)
        half = 12.7062047 / sqrt(1 / a + 1 / b)
        assert found["high"] - found["effect"] == pytest.approx(half, rel=1e-6)
        assert (found["tau"], found["i2"], found["prediction_low"]) == (0, 0, None)  # of two hubs no third is foretold

    def test_without_spread_it_is_the_t_interval_of_the_hubs(self) -> None:
        after = (1.3, 1.2, 1.25, 1.4, 1.1)
        found = one(vague(hub, 1, each) for hub, each in zip("abcde", after, strict=True))
        logs = [log(each) for each in after]
        half = 2.776445105 * stdev(logs) / sqrt(5)
        assert found["effect"] == pytest.approx(fmean(logs))
        assert (found["low"], found["high"]) == (pytest.approx(fmean(logs) - half), pytest.approx(fmean(logs) + half))
        assert (found["tau"], found["i2"]) == (None, None)
        assert found["prediction_high"] == pytest.approx(fmean(logs) + half * sqrt(6))
        assert "5 of 5 hubs give no standard deviation" in found["why"]

    def test_differences_where_a_mean_is_zero_or_a_ratio_says_nothing(self) -> None:
        birds = [
            case(hub, before, before + 2 + place / 10)
            for place, (hub, before) in enumerate(zip("abcd", range(4), strict=True))
        ]
        found = one(birds)
        assert (found["measure"], found["effect"]) == ("difference", pytest.approx(2.15))
        assert "+2.15 kg/kg" in found["why"]
        warm = [
            case(hub, 290, 290 + step, unit="K", better="down")
            for hub, step in zip("abcd", (-1, -1.1, -0.9, -1.05), strict=True)
        ]
        cool = one(warm)
        assert (cool["measure"], cool["verdict"]) == ("difference", "works")
        assert one(case(hub, -1 - place, 1) for place, hub in enumerate("abcd"))["measure"] == "difference"


class TestVerdicts:
    def test_works_and_says_with_what_reserve(self) -> None:
        found = one(WORKED)
        assert (found["verdict"], found["hubs"], found["hubs_better"], found["hubs_worse"]) == ("works", 5, 5, 0)
        assert found["why"].startswith("5 hubs, better in 5, worse in 0; +24.")
        assert "95 % interval +" in found["why"]
        assert found["why"].endswith("before and after without a control: other causes are not ruled out")
        assert found["hub_ids"] == [f"hub:{each}" for each in "abcde"]
        assert found["evidence"] == ["a1", "b1", "c1", "d1", "e1"]

    def test_less_is_better_where_less_is_wanted(self) -> None:
        found = one(row | {"better": "down"} for row in WORKED)
        assert (found["verdict"], found["hubs_better"], found["hubs_worse"]) == ("harms", 0, 5)
        assert found["effect"] == one(WORKED)["effect"], "the sign is of after over before, whatever is wanted"

    def test_of_too_few_nothing_is_said(self) -> None:
        found = one(WORKED[:3])
        assert (found["verdict"], found["hubs"], found["hubs_better"]) == ("too_few", 3, 3)
        numbers = ("effect", "low", "high", "tau", "i2", "prediction_low", "prediction_high")
        assert [found[name] for name in numbers] == [None] * 7
        assert "of fewer than 4 hubs nothing is said" in found["why"]

    def test_an_interval_on_both_sides_is_unclear(self) -> None:
        found = one(case(hub, 1, after) for hub, after in zip("abcd", (1.5, 0.7, 1.2, 0.9), strict=True))
        assert found["verdict"] == "unclear" and found["low"] < 0 < found["high"]
        assert (found["hubs_better"], found["hubs_worse"]) == (2, 2)
        assert "which may be nothing" in found["why"]

    def test_where_many_are_looked_at_one_looks_good_by_chance(self) -> None:
        """Holm: of m the smallest p counts m-fold. Alone, the practice works; among 30 that do nothing it does not."""
        good = [vague(hub, 1, after) for hub, after in zip("abcd", (1.5, 1.2, 1.4, 1.1), strict=True)]
        assert one(good)["verdict"] == "works"
        after = (1.1, 0.9, 1.05, 0.97)
        idle = [
            vague(hub, 1, each, practice=f"p{number}")
            for number in range(30)
            for hub, each in zip("abcd", after, strict=True)
        ]
        found = {row["practice"]: row for row in strategies(frame([*good, *idle]), 4, 0.95).iter_rows(named=True)}
        lost = found["compost"]
        assert lost["low"] > 0 and lost["verdict"] == "unclear"
        assert "of 31 practices and measures that were looked at one may look so by chance" in lost["why"]
        few = [vague("a", 1, 2, practice=f"q{number}") for number in range(1000)]
        rest = strategies(frame([*good, *few]), 4, 0.95).filter(pl.col("practice") == "compost")
        assert rest["verdict"].item() == "works", "what too few tried was not tested, and takes nothing from others"

    def test_correction_by_hand(self) -> None:
        """Three practices, p of 0.0011, 0.028 and 0.031: times 3, 2 and 1, and never less than the one before."""

        def rows(practice: str, center: float) -> list[Row]:
            logs = (center - 0.1, center - 0.02, center + 0.03, center + 0.09)
            return [vague(hub, 1, exp(each), practice=practice) for hub, each in zip("abcd", logs, strict=True)]

        alone = [strategies(frame(rows("p", center)), 4, 0.95)["verdict"].item() for center in (0.5, 0.16, 0.155)]
        assert alone == ["works"] * 3
        all_three = [*rows("p", 0.5), *rows("q", 0.16), *rows("r", 0.155)]
        found = strategies(frame(all_three), 4, 0.95)
        assert found["verdict"].to_list() == ["works", "unclear", "unclear"]
        assert ["p 0.0034" in found["why"][0], *("p 0.057" in why for why in found["why"][1:])] == [True] * 3

    def test_hubs_that_agree_to_the_last_digit_prove_nothing(self) -> None:
        """Four rounded 10 -> 11 without a spread: an interval of no width would be certainty out of nothing."""
        found = one(vague(hub, 10, 11) for hub in "abcd")
        assert (found["verdict"], found["effect"], found["low"], found["hubs_better"]) == ("unclear", None, None, 4)
        assert "+10 % in each of them: without any spread" in found["why"]
        still = one(vague(hub, 10, 10) for hub in "abcd")
        assert (still["verdict"], still["hubs_better"], still["hubs_worse"]) == ("unclear", 0, 0)

    @pytest.mark.parametrize(("fewest", "level"), [(1, 0.95), (4, 1.0), (4, 0.0), (4, nan)])
    def test_questions_that_have_no_answer(self, fewest: int, level: float) -> None:
        with pytest.raises(ValueError, match="give at least 2 hubs and a level between 0 and 1"):
            strategies(frame(WORKED), fewest, level)


class TestWeights:
    def test_a_hundred_cases_of_a_hub_are_no_surer_than_one(self) -> None:
        """They correlate, nobody knows how much: at worst fully."""
        many = [case("a", 1.0 + n / 1e9, 1.3, row=n) for n in range(1, 101)]
        found, single = one([*many, *WORKED[1:]]), one(WORKED)
        assert (found["cases"], found["hubs"]) == (104, 5)
        for name in ("effect", "low", "high"):
            assert found[name] == pytest.approx(single[name], abs=1e-6)

    def test_who_does_not_say_how_sure_never_counts_more(self) -> None:
        wild = vague("z", 1, 9)
        found = one([*WORKED, wild])
        parts = [log(row["after"]) for row in WORKED]
        assert found["effect"] == pytest.approx((sum(parts) + log(9)) / 6), "all count alike"
        assert found["verdict"] == "unclear" and found["tau"] is None
        assert "1 of 6 hubs give no standard deviation" in found["why"]

    def test_the_known_spread_is_not_forgotten_where_others_give_none(self) -> None:
        """Hubs that agree by luck, though one says that its number is worth little."""
        rough = [case("a", 1, 1.2, sd_before=0.9, sd_after=0.9), *(vague(hub, 1, 1.2001) for hub in "bcd")]
        variance = (0.9**2 + (0.9 / 1.2) ** 2) / 10
        found = one(rough)
        assert found["high"] - found["effect"] == pytest.approx(t_quantile(0.95, 3) * sqrt(variance) / 4, rel=1e-6)
        assert found["verdict"] == "unclear"

    def test_never_narrower_than_if_hubs_did_not_differ(self) -> None:
        """Effects that agree better than their own variances let expect: Hartung & Knapp alone would be too sure."""
        effects, errors = [0.2, 0.2001, 0.1999, 0.2], [0.1, 0.2, 0.1, 0.2]
        found = pooled(effects, errors, 0.95)
        assert found and found.error == pytest.approx(1 / sqrt(sum(1 / each**2 for each in errors)))

    @pytest.mark.parametrize(
        "odd", [{"n_after": 1}, {"n_after": 3}, {"n_before": None}, {"sd_after": None}, {"sd_before": nan},
                {"sd_before": inf}, {"sd_before": 0.0, "sd_after": 0.0}],
    )  # fmt: skip
    def test_a_spread_that_cannot_be_is_unknown(self, odd: Row) -> None:
        found = one([WORKED[0] | odd, *WORKED[1:]])
        assert found["tau"] is None and "1 of 5 hubs give no standard deviation" in found["why"]
        assert found["effect"] == pytest.approx(fmean(log(row["after"]) for row in WORKED))

    def test_one_side_without_spread_leaves_that_of_the_other(self) -> None:
        found = one([WORKED[0] | {"sd_before": 0.0}, *WORKED[1:]])
        assert found["tau"] is not None


class TestWhatHubsSend:
    def test_the_frame_is_the_table(self) -> None:
        assert TABLES["hubs.strategies"].polars_schema() == SCHEMA
        assert strategies(frame([]), 4, 0.95).schema == SCHEMA
        assert sides(frame([])).schema == SIDES
        assert strategies(frame(WORKED), 4, 0.95).schema == SCHEMA

    def test_numbers_published_twice_are_one_case(self) -> None:
        again = one([*WORKED, WORKED[0] | {"row": 2}, WORKED[1] | {"hub_id": "hub:copy", "raw_sha256": "copy"}])
        alone = one(WORKED)
        assert (again["cases"], again["hubs"]) == (5, 5)
        assert again["effect"] == alone["effect"]
        assert "2 cases left out: published twice" in again["why"]
        rounded = one([*(vague(hub, 10, after) for hub, after in zip("abcd", (11, 12, 11, 12), strict=True))])
        assert rounded["hubs"] == 4, "round means alone may be the same by chance"

    def test_what_is_no_number_is_left_out_and_told(self) -> None:
        odd = [case("x", nan, 1), case("y", 1, inf), case("z", -1.7e308, 1.7e308), case("w", 1, 2, unit="g", row=3)]
        found = one([*(row | {"event_at": START + timedelta(400)} for row in odd), *WORKED])
        assert found["hubs"] == 5 and found["verdict"] == "works"
        assert "3 cases left out: no number" in found["why"]
        assert "1 case left out: not in kg/kg" in found["why"]
        assert strategies(frame(odd[:1]), 4, 0.95).height == 0

    @pytest.mark.parametrize("scale", [1e-300, 1e-12, 1.0, 1e12, 1e300])
    def test_any_magnitude(self, scale: float) -> None:
        rows = [
            row | {name: row[name] * scale for name in ("before", "after", "sd_before", "sd_after")} for row in WORKED
        ]
        found = one(rows)
        assert found["effect"] == pytest.approx(one(WORKED)["effect"])
        moved = one(row | {"before": row["before"] - scale} for row in rows)
        assert moved["measure"] == "difference" and moved["effect"] == pytest.approx(1.2456 * scale, rel=0.01)
        assert 0 < moved["high"] < inf and moved["verdict"] == "works"

    def test_ratios_beyond_all_measure_are_told_as_factors(self) -> None:
        found = one(vague(hub, 1e-300, after) for hub, after in zip("abcd", (1e300, 1e299, 1e300, 2e299), strict=True))
        assert found["verdict"] == "works" and "a factor of" in found["why"]

    def test_alike_is_by_pairs_of_hubs_and_silence_is_like_nobody(self) -> None:
        rows = [
            case("a", 1, 1.2, soil="Loam", climate="Cfb", method=" dry  combustion"),
            case("b", 1, 1.3, soil="loam ", climate="Cfb"),
            case("c", 1, 1.25, soil="sand", climate=None),
            case("d", 1, 1.21, soil=None, climate=None, method="wet"),
        ]
        found = one(rows)
        assert found["comparable"] == pytest.approx((1 / 6 + 1 / 6 + 3 / 6) / 3)
        assert "alike in soil 17 %, climate 17 %, method 50 %" in found["why"]
        assert one(rows[:1])["comparable"] is None
        assert one(WORKED)["comparable"] == 1.0

    def test_a_hub_is_better_by_the_mean_of_its_cases(self) -> None:
        rows = [case("a", 1, 1.5), case("a", 1, 0.9, row=2), case("b", 1, 0.5), case("c", 2, 2), case("c", 1, 2, row=2),
                case("c", 2, 1, row=3), case("c", 4, 4, row=4)]  # fmt: skip
        assert dict(sides(frame(rows)).select("hub_id", "side").rows()) == {"hub:a": 1, "hub:b": -1, "hub:c": 0}
        found = one(rows)
        assert (found["hubs"], found["hubs_better"], found["hubs_worse"]) == (3, 1, 1)

    def test_order_of_practices(self) -> None:
        rows = [case("a", 1, 2, practice=p, quantity=q) for p, q in (("b", "x"), ("a", "y"), ("b", "w"))]
        found = strategies(frame(rows), 4, 0.95)
        assert found.select("practice", "quantity").rows() == [("a", "y"), ("b", "w"), ("b", "x")]


means = st.floats(0.1, 10)
spreads = st.none() | st.tuples(st.floats(0.01, 2), st.integers(2, 30))


@st.composite
def many_cases(draw: st.DrawFn) -> list[Row]:
    rows = []
    for number in range(draw(st.integers(1, 12))):
        spread = draw(spreads)
        sd, n = spread or (None, None)
        rows.append(
            case(draw(st.sampled_from("abcdef")), draw(means), draw(means), row=number + 1, sd_before=sd, sd_after=sd,
                 n_before=n, n_after=n, practice=draw(st.sampled_from(["compost", "mulch"])))
        )  # fmt: skip
    return rows


@settings(max_examples=60, deadline=None)
@given(many_cases(), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(rows: list[Row], random: Any) -> None:
    expected = strategies(frame(rows), 3, 0.9)
    mixed = list(rows)
    random.shuffle(mixed)
    assert strategies(frame(mixed), 3, 0.9).equals(expected)


@settings(max_examples=60, deadline=None)
@given(many_cases())
def test_swapping_before_and_after_turns_the_sign(rows: list[Row]) -> None:
    swap = {"before": "after", "after": "before", "sd_before": "sd_after", "sd_after": "sd_before"}
    swapped = [{swap.get(name, name): value for name, value in row.items()} for row in rows]
    there, back = (strategies(frame(each), 3, 0.9) for each in (rows, swapped))
    turned = {"works": "harms", "harms": "works"}
    for one_way, other in zip(there.iter_rows(named=True), back.iter_rows(named=True), strict=True):
        assert turned.get(one_way["verdict"], one_way["verdict"]) == other["verdict"]
        assert (one_way["hubs_better"], one_way["hubs_worse"]) == (other["hubs_worse"], other["hubs_better"])
        if one_way["effect"] is not None:
            assert one_way["effect"] == pytest.approx(-other["effect"], rel=1e-9, abs=1e-12)
            assert one_way["low"] == pytest.approx(-other["high"], rel=1e-9, abs=1e-12)
            assert one_way["low"] <= one_way["effect"] <= one_way["high"]


@settings(max_examples=60, deadline=None)
@given(many_cases())
def test_verdicts_are_never_bolder_than_intervals(rows: list[Row]) -> None:
    for row in strategies(frame(rows), 3, 0.9).iter_rows(named=True):
        if row["verdict"] in ("works", "harms"):
            assert row["hubs"] >= 3 and not row["low"] <= 0 <= row["high"]
        assert row["hubs_better"] + row["hubs_worse"] <= row["hubs"] <= row["cases"]
        assert (row["verdict"] == "too_few") == (row["hubs"] < 3)


@pytest.mark.parametrize(("tau", "measured"), [(0.0, 4), (0.1, 4), (0.1, 10), (0.3, 10), (0.1, None)])
def test_intervals_over_five_hubs_hold_as_often_as_they_say(tau: float, measured: int | None) -> None:
    """1,000 worlds of five hubs whose spread is estimated from so few measurements; None: nobody tells it."""
    random = np.random.default_rng(7)
    truth, worlds, held, foretold = 0.1, 1_000, 0, 0
    for _ in range(worlds):
        effects, errors = [], []
        for each in random.normal(truth, tau, 5):
            n = measured or 4
            before, after = random.normal(1, 0.2, n), exp(each) * random.normal(1, 0.2, n)
            effects.append(log(after.mean() / before.mean()))
            within = before.var(ddof=1) / n / before.mean() ** 2 + after.var(ddof=1) / n / after.mean() ** 2
            errors.append(sqrt(within) if measured else None)
        found = pooled(effects, errors, 0.95)
        assert found and found.prediction
        held += found.low <= truth <= found.high
        foretold += found.prediction[0] <= random.normal(truth, tau) <= found.prediction[1]
    # Three standard errors of a share of 1,000 are 0.021; without variance between hubs the guard makes it wider.
    assert 0.93 <= held / worlds <= (0.999 if measured else 0.971)
    assert foretold / worlds >= 0.88


def test_ten_thousand_hubs_take_no_minute() -> None:
    random = np.random.default_rng(3)
    logs = random.normal(0.1, 0.1, 10_000)
    found = one(case(f"{number:05}", 1, exp(each)) for number, each in enumerate(logs))
    assert found["verdict"] == "works" and found["tau"] == pytest.approx(0.09, abs=0.01)
