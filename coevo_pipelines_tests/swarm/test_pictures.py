"""The pictures of a simulation: what is drawn is read back from the charts, what is said from their words."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from coevo_pipelines.swarm import pictures
from coevo_pipelines_tests.report.browser import HOSTILE, STACKED
from coevo_pipelines_tests.swarm.pictured import DAY, Tables, frame, none, predictions, swarm, tick


def drawn(picture: pictures.Picture, width: int = 528) -> list[list[dict[str, Any]]]:
    """The rows of each layer."""
    assert picture.draw is not None
    spec = picture.draw(width).to_dict()
    return [
        spec["datasets"][layer.get("data", panel.get("data"))["name"]]
        for panel in spec.get("vconcat", [spec])
        for layer in panel["layer"]
    ]


def by_tick(rows: Sequence[dict[str, Any]], series: str) -> dict[int, float]:
    """The value of a series from each tick on, as far as a step reaches."""
    own = [row for row in rows if row["series"] == series]
    return {row["tick"]: row["value"] for row in own}


def metrics(rows: Sequence[dict[str, object]]) -> Tables:
    return none() | {"swarm.metrics": frame("swarm.metrics", rows)}


def test_the_gradient_says_the_shares_at_the_phases() -> None:
    found = pictures.gradient(swarm())
    assert found.rows == [
        ("chaos", "0", "15.0%", "79.0%", "6.0%"), ("learning", "100", "14.0%", "73.1%", "12.9%"),
        ("stabilizing", "500", "10.0%", "49.5%", "40.5%"), ("mature", "1,000", "5.0%", "20.0%", "75.0%"),
    ]  # fmt: skip
    assert "At t = 1,000: −1 5.0%, 0 20.0%, +1 75.0%." in found.told
    assert [row["tick"] for row in drawn(found)[2]] == [100, 500, 1000]


def test_the_gradient_of_a_short_run_says_what_is_not_reached() -> None:
    found = pictures.gradient(swarm(ticks=3))
    assert found.rows[1] == ("learning", "100", "", "", "not reached")
    assert found.rows[-1][:2] == ("newest", "2")
    assert found.draw is not None
    assert found.draw(528).to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"] == [0, 20], "a bar each, no wall"


def test_areas_are_the_shares() -> None:
    rows = drawn(pictures.gradient(swarm(ticks=11)))[0]
    for series, first, more in (("+1 verified", 60, 69), ("0 uncertain", 850, 10), ("−1 failed", 1000, 0)):
        ends = {t: (first + more * t) / 1000 for t in range(11)}
        assert by_tick(rows, series) == pytest.approx(ends | {11: ends[10]}), series
    assert rows[0]["series"] == "−1 failed", "the largest below the others"


def test_a_hundred_thousand_ticks_stay_small_and_keep_one_odd_tick() -> None:
    rows = swarm(ticks=2)["swarm.metrics"].head(1)
    t = np.arange(100_000)
    plus = np.where(t == 77_777, 990, 500 + t % 7)
    long = rows.drop("tick", "plus", "zero", "minus").join(
        pl.DataFrame({"tick": t, "plus": plus, "zero": 990 - plus, "minus": np.full(len(t), 10)}), how="cross"
    )
    tables = swarm() | {"swarm.metrics": long.filter(~pl.col("tick").is_between(20_000, 20_001))}
    found = pictures.gradient(tables)
    assert "Marked: 2 ticks without a cell or row." in found.told
    areas, gaps, _ = drawn(found)
    assert by_tick(areas, "+1 verified")[77_777] == 0.99
    assert gaps == [{"tick": 20_000, "end": 20_002}]
    assert "Marked: 2 ticks without a row." in pictures.markers(tables).told
    assert max(map(len, pictures.draw_all(tables).values())) < 60_000


def test_ticks_without_cells_are_marked() -> None:
    rows = [tick(t, 9) | ({"minus": 0, "zero": 0, "plus": 0} if t in (4, 5) else {}) for t in range(10)]
    assert drawn(pictures.gradient(metrics(rows)))[1] == [{"tick": 4, "end": 6}]
    nobody = pictures.gradient(metrics([tick(0, 9) | {"minus": 0, "zero": 0, "plus": 0}]))
    assert (nobody.told, nobody.draw) == ("Nobody holds a cell.", None)


def test_markers_open_and_settled() -> None:
    found = pictures.markers(swarm(ticks=201))
    assert found.told == (
        "101 open; from t = 0 to 200: opened 201, decided 100, given up 0. Nyx slept 19.9% of the ticks (shaded)."
    )
    asleep, lines, gaps = drawn(found, 4 * 201)
    assert asleep == [{"tick": 40, "end": 60}, {"tick": 140, "end": 160}]
    assert gaps == []
    ends = {t: 1 + t // 2 for t in range(201)}
    assert by_tick(lines, "open now") == ends | {201: ends[200]}
    assert [by_tick(lines, each)[200] for each in ("opened", "decided", "given up")] == [201, 100, 0]


def test_calibration_says_what_was_said_and_what_came_true() -> None:
    rows = [(0.55, True), (0.55, False), *[(0.9, True)] * 3, (0.98, False), (0.7, None), (0.8, None)]
    open_ = {"prediction_id": "open", "prediction_confidence": 0.6}
    # the same prediction the day before, when it was still open: it counts once
    before = {"prediction_id": "p0000", "prediction_confidence": 0.55}
    tables = none() | {
        "swarm.blend_predictions": pl.concat([predictions(rows), frame("swarm.blend_predictions", [before, open_])])
    }
    found = pictures.calibration(tables)
    brier = (0.45**2 + 0.55**2 + 3 * 0.1**2 + 0.98**2) / 6
    error = (2 * 0.05 + 4 * abs(0.75 - (3 * 0.9 + 0.98) / 4)) / 6
    assert found.told.startswith(
        f"6 scored, 2 void, 1 still open. Brier {brier:.3f}, ECE {error:.3f}, log loss 0.500. "
    )
    assert [tuple(row[:3]) for row in found.rows] == [("2", "55.0%", "50.0%"), ("4", "92.0%", "75.0%")]
    assert found.rows[1][3] == "30.1%–95.4%"  # Wilson for 3 of 4, as published
    dots = drawn(found)[2]
    assert [(each["said"], each["true"], each["number"]) for each in dots] == [
        (pytest.approx(0.55), 0.5, 2), (pytest.approx(0.92), 0.75, 4)
    ]  # fmt: skip
    unscored = pictures.calibration(none() | {"swarm.blend_predictions": predictions([(0.7, None)])})
    assert "0 scored, 1 void, 0 still open" in unscored.told and unscored.draw is None


def test_lifeforce_by_tick() -> None:
    found = pictures.lifeforce(swarm())
    assert found.told.startswith(
        "At t = 1,000: organisms 31.5k LF, pattern versions 2,500 LF, Nyx 500 LF, minted in all 34.5k LF, burnt in all "
        "2,500 LF."
    )
    nyx = drawn(found)[4]
    assert {row["series"] for row in nyx} == {"Nyx"}
    assert {row["value"] for row in nyx} == {500, 900}


def test_who_holds_most_lifeforce() -> None:
    found = pictures.accounts(swarm())
    assert list(found.rows[:3]) == [("Nyx", "500 LF"), ("ant 39", "158.5 LF"), ("ant 38", "157 LF")]
    assert "And 36 more with 4,332 LF." in found.told  # 33 organisms with 4,092 and 3 versions with 240
    bars = drawn(found)[0]
    assert [row["amount"] for row in bars[:2]] == [500_000, 158_500]
    assert pictures.holders(swarm()).height == 44


@pytest.mark.parametrize(
    ("milli", "written"),
    [(0, "0"), (49, "0"), (50, "0.1"), (1_000, "1"), (1_234_500, "1,234.5"), (9_999_900, "9,999.9"),
     (10_000_000, "10k"), (12_345_678, "12.3k"), (10**12, "1,000M"), (123_456 * 10**9, "123.5G")],
)  # fmt: skip
def test_amounts(milli: int, written: str) -> None:
    assert pictures.lf(milli) == written


def test_few_organisms_are_named_in_pairs_and_many_by_community() -> None:
    rows = [
        {"tick": 4, "teacher_id": "o01", "student_id": "o02", "overwrites": 5, "upward": 2},
        {"tick": 9, "teacher_id": "o01", "student_id": "o02", "overwrites": 1},
        {"tick": 9, "teacher_id": "o02", "student_id": "o09"},
    ]
    tables = swarm() | {"swarm.clasps": frame("swarm.clasps", rows)}
    few = pictures.teaching(tables)
    assert few.told == "8 cells in 3 clasps, t = 4 to 9; 1 clasps taught nothing."
    assert few.rows == [("ant 1", "ant 2", "6"), ("ant 2", "ant 1", "2")]
    assert [row["name"] for row in drawn(few)[0]] == ["ant 1 → ant 2", "ant 2 → ant 1"]
    assert pictures.tiers(tables).rows == [("2 adult", "3 elder", "6"), ("3 elder", "2 adult", "2")]
    many, by_tier = pictures.teaching(swarm()), pictures.tiers(swarm())
    taught = sum(n % 4 + n % 3 // 2 for n in range(120))
    for each in (many, by_tier):
        assert sum(int(row[2].replace(",", "")) for row in each.rows) == taught, "all of it"
        assert sum(row["cells"] for row in drawn(each)[0]) == taught
    assert "6 all others" in {row[0] for row in many.rows}
    assert "5 no longer there" in {row[0] for row in by_tier.rows}  # o40 is in no row of swarm.organisms


def test_nothing_yet() -> None:
    for name, why in (("gradient", "No tick yet."), ("markers", "No tick yet."), ("lifeforce", "No tick yet."),
                      ("calibration", "No prediction yet."), ("teaching", "No clasp yet."),
                      ("tiers", "Nothing was taught yet."), ("accounts", "Nobody holds any.")):  # fmt: skip
        found = pictures.PICTURES[name](none())
        assert (found.told, found.draw) == (why, None)
    assert all(f"Simulated, on the sample. {pictures.PICTURES[name](none()).told}" in svg.decode()
               for name, svg in pictures.draw_all(none(), "sample").items())  # fmt: skip
    idle = frame("swarm.clasps", [{"tick": n, "teacher_id": f"o{n}", "student_id": f"o{n + 1}"} for n in range(20)])
    assert "20 clasps taught nothing" in pictures.teaching(swarm() | {"swarm.clasps": idle}).told


def test_same_rows_same_bytes_in_any_order_and_on_any_days() -> None:
    tables = swarm(ticks=30)
    usual = pictures.draw_all(tables)
    mixed = {name: rows.sample(fraction=1, shuffle=True, seed=5) for name, rows in tables.items()}
    assert pictures.draw_all(mixed) == usual
    assert pictures.draw_all({name: rows.drop("date") for name, rows in tables.items()}) == usual
    old = {"date": DAY.replace(day=1), "organism_id": "o00", "label": "gone", "lf_milli": 10**12}
    more = tables | {"swarm.organisms": pl.concat([tables["swarm.organisms"], frame("swarm.organisms", [old])])}
    assert pictures.draw_all(more) == usual


def test_no_stranger_s_word_is_more_than_a_word() -> None:
    usual, hostile = (pictures.draw_all(swarm(5, word=each)) for each in ("ant", f"]]>\ufffe{HOSTILE}{STACKED}"))
    for name, picture in hostile.items():
        assert {each.tag for each in ET.fromstring(picture).iter()} == {
            each.tag for each in ET.fromstring(usual[name]).iter()
        }, name
        assert not re.search(rb" href=|@import [^<]*<|url\((?!#)[^<]*\"", picture), name


def test_what_is_missing_or_contradicts_itself_is_named() -> None:
    tables = swarm(ticks=3)
    with pytest.raises(ValueError, match=r"need swarm\.metrics, and it was not given; known: nothing"):
        pictures.gradient({})
    with pytest.raises(ValueError, match=r"need swarm\.metrics\.plus, and there is no such column"):
        pictures.gradient({"swarm.metrics": tables["swarm.metrics"].drop("plus")})
    twice = pl.concat([tables["swarm.metrics"], frame("swarm.metrics", [tick(1, 2) | {"plus": 1}])])
    with pytest.raises(ValueError, match=r"two different rows of tick 1\b"):
        pictures.gradient({"swarm.metrics": twice})
    same = pl.concat([tables["swarm.metrics"], tables["swarm.metrics"]])
    assert pictures.gradient({"swarm.metrics": same}).rows == pictures.gradient(tables).rows
