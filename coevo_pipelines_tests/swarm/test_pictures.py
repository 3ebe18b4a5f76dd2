"""The pictures of a simulation, read back from the drawing: numbers, gaps, peaks, and no stranger's markup."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.swarm import pictures
from coevo_pipelines_tests.report.browser import HOSTILE, STACKED
from coevo_pipelines_tests.swarm.pictured import DAY, Tables, frame, none, predictions, swarm, tick

SVG = "{http://www.w3.org/2000/svg}"
HIGH = pictures._HIGH


def said(given: bytes) -> list[str]:
    return ["".join(each.itertext()) for each in ET.fromstring(given).iter(f"{SVG}text")]


def desc(given: bytes) -> str:
    return ET.fromstring(given).findtext(f"{SVG}desc") or ""


def paths(given: bytes, kind: str) -> list[str]:
    return [each.attrib["d"] for each in ET.fromstring(given).iter(f"{SVG}path")
            if kind in each.attrib["class"].split()]  # fmt: skip


def read(path: str) -> dict[int, tuple[int, int, int]]:
    """A path of steps as drawn: of each column the lowest, the highest and the last value, in units of the drawing."""
    found: dict[int, tuple[int, int, int]] = {}
    x = y = 0
    seen: list[int] = []
    for kind, numbers in re.findall(r"([MvhVz])([-\d ]*)", path):
        if kind == "M":
            x, y = map(int, numbers.split())
            seen = [] if y == HIGH else [HIGH - y]
        elif kind == "v":
            y += int(numbers)
            seen.append(HIGH - y)
        elif kind == "h":
            seen = seen or [HIGH - y]
            for column in range(x, x + int(numbers)):
                found[column] = (min(seen), max(seen), HIGH - y)
                seen = [HIGH - y]
            x, seen = x + int(numbers), []
    return found


def metrics(rows: Sequence[dict[str, object]]) -> Tables:
    return none() | {"swarm.metrics": frame("swarm.metrics", rows)}


def test_the_gradient_says_the_shares_at_the_phases() -> None:
    drawn = pictures.gradient(swarm(), "live")
    words = said(drawn)
    for t, phase, *shares in (
        ("0", "chaos", "15.0%", "79.0%", "6.0%"), ("100", "learning", "14.0%", "73.1%", "12.9%"),
        ("500", "stabilizing", "10.0%", "49.5%", "40.5%"), ("1,000", "mature", "5.0%", "20.0%", "75.0%"),
    ):  # fmt: skip
        at = words.index(phase)
        assert words[at + 1 : at + 5] == [t, *shares]
        assert f"t = {t} ({phase}): {' / '.join(shares)}" in desc(drawn)
    assert len(re.findall(r'<line class="mark"', drawn.decode())) == 4
    assert "newest" not in words
    assert "Simulated" in words and "Simulated, on the sample" in said(pictures.gradient(swarm(), "sample"))


def test_the_gradient_of_a_short_run_says_what_is_not_reached() -> None:
    words = said(pictures.gradient(swarm(ticks=3), ""))
    at = words.index("learning")
    assert words[at + 1 : at + 3] == ["100", "not reached"]
    assert words[words.index("newest") + 1] == "2"
    drawn = pictures.gradient(swarm(ticks=3), "")
    assert read(paths(drawn, "plus")[0]).keys() == {0, 1, 2}  # of 20 columns: a bar each, no wall
    assert b'viewBox="0 0 20 500"' in drawn


def test_areas_are_the_shares() -> None:
    drawn = pictures.gradient(swarm(ticks=11), "")
    for kind, first, more in (("plus", 60, 69), ("zero", 850, 10), ("minus", 1000, 0)):
        assert {x: last for x, (*_, last) in read(paths(drawn, kind)[0]).items()} == {
            t: (first + more * t) * HIGH // 1000 for t in range(11)
        }, kind


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, HIGH), min_size=1, max_size=300), st.sets(st.integers(1, 250), max_size=40),
    st.sampled_from([1, 7, 90]), st.booleans(),
)  # fmt: skip
def test_no_peak_and_no_gap_is_lost(heights: list[int], holes: set[int], stretch: int, closed: bool) -> None:
    """Of each column the lowest, highest and last value stand in the path; a column with a missing tick is marked."""
    kept = [n for n in range(len(heights)) if n not in holes or n in (0, len(heights) - 1)]
    ticks = np.array([5 + stretch * n for n in kept], dtype=np.int64)
    time = pictures._Time(int(ticks[0]), int(ticks[-1]))
    values = np.array([heights[n] for n in kept], dtype=np.int64)
    wanted: dict[int, list[int]] = {}
    for t, value in zip(ticks.tolist(), values.tolist(), strict=True):
        wanted.setdefault((t - 5) * time.columns // time.span, []).append(value)
    found = read(time.steps(ticks, values, closed=closed))
    assert found.keys() == wanted.keys()
    for column, each in wanted.items():
        low, high, last = found[column]
        assert last == each[-1]
        before = found[column - 1][2] if column - 1 in found else each[0]
        assert low == min(each) or low == before < min(each), column
        assert high == max(each) or high == before > max(each), column
    mark, missing = time.gaps(ticks)
    gone = set(range(time.first, time.last + 1)) - set(ticks.tolist())
    assert missing == len(gone)
    marked = {x for a, b in re.findall(r"M(\d+) 0H(\d+)", mark) for x in range(int(a), int(b))}
    assert marked == {(t - 5) * time.columns // time.span for t in gone}


def test_a_hundred_thousand_ticks_stay_small_and_keep_one_odd_tick() -> None:
    rows = swarm(ticks=2)["swarm.metrics"].head(1)
    t = np.arange(100_000)
    plus = np.where(t == 77_777, 990, 500 + t % 7)
    long = rows.drop("tick", "plus", "zero", "minus").join(
        pl.DataFrame({"tick": t, "plus": plus, "zero": 990 - plus, "minus": np.full(len(t), 10)}), how="cross"
    )
    tables = swarm() | {"swarm.metrics": long.filter(~pl.col("tick").is_between(20_000, 20_001))}
    drawn = pictures.draw_all(tables)
    assert max(map(len, drawn.values())) < 60_000
    highest = {x: high for x, (_, high, _) in read(paths(drawn["gradient"], "plus")[0]).items()}
    assert highest[77_777 * 400 // 100_000] == 990 * HIGH // 1000
    assert max(high for x, high in highest.items() if abs(x - 311) > 1) <= 506 * HIGH // 1000
    assert "250 ticks a column" in " ".join(said(drawn["gradient"]))
    assert "Marked: 2 ticks without a cell or row." in " ".join(said(drawn["gradient"]))
    assert len(paths(drawn["markers"], "gap")) == 2


def test_ticks_without_cells_are_marked() -> None:
    rows = [tick(t, 9) | ({"minus": 0, "zero": 0, "plus": 0} if t in (4, 5) else {}) for t in range(10)]
    drawn = pictures.gradient(metrics(rows), "")
    assert paths(drawn, "gap") == ["M4 0H6V500H4z"]
    nobody = pictures.gradient(metrics([tick(0, 9) | {"minus": 0, "zero": 0, "plus": 0}]), "")
    assert "Nobody holds a cell." in said(nobody)


def test_markers_open_and_settled() -> None:
    drawn = pictures.markers(swarm(ticks=201), "")
    words = said(drawn)
    assert "101 open" in words
    assert "opened 201, decided 100, given up 0" in " ".join(words)
    assert "from t = 0 to 200: opened 201, decided 100, given up 0. Nyx slept 19.9% of the ticks." in desc(drawn)
    scale = 200
    assert {x: last for x, (*_, last) in read(paths(drawn, "area")[0]).items()} == {
        t: (1 + t // 2) * HIGH // scale for t in range(201)
    }
    asleep = read(paths(drawn, "sleep")[0])
    assert {x for x, (*_, last) in asleep.items() if last} == {*range(40, 60), *range(140, 160)}
    opened, decided, void = (read(each) for each in paths(drawn, "line"))
    assert [each[200][2] for each in (opened, decided, void)] == [201 * HIGH // 400, 100 * HIGH // 400, 0]


def test_calibration_says_what_was_said_and_what_came_true() -> None:
    rows = [(0.55, True), (0.55, False), *[(0.9, True)] * 3, (0.98, False), (0.7, None), (0.8, None)]
    open_ = {"prediction_id": "open", "prediction_confidence": 0.6}
    # the same prediction the day before, when it was still open: it counts once
    before = {"prediction_id": "p0000", "prediction_confidence": 0.55}
    tables = none() | {
        "swarm.blend_predictions": pl.concat([predictions(rows), frame("swarm.blend_predictions", [before, open_])])
    }
    drawn = pictures.calibration(tables, "")
    words = said(drawn)
    assert "6 scored, 2 void, 1 still open" in words
    brier = (0.45**2 + 0.55**2 + 3 * 0.1**2 + 0.98**2) / 6
    error = (2 * 0.05 + 4 * abs(0.75 - (3 * 0.9 + 0.98) / 4)) / 6
    assert f"Brier {brier:.3f} · ECE {error:.3f} · log loss 0.500" in words
    at = words.index("95% interval")
    assert words[at + 1 : at + 4] == ["2", "55.0%", "50.0%"]
    assert words[at + 5 : at + 9] == ["4", "92.0%", "75.0%", "30.1%–95.4%"]  # Wilson for 3 of 4, as published
    dots = re.findall(r'<circle class="one" cx="([\d.]+)%" cy="([\d.]+)%" r="([\d.]+)"', drawn.decode())
    assert dots == [("10.0", "50.0", f"{3 + 8 * math.sqrt(0.5):.1f}"), ("84.0", "25.0", "11.0")]
    unscored = pictures.calibration(none() | {"swarm.blend_predictions": predictions([(0.7, None)])}, "")
    assert "0 scored, 1 void, 0 still open" in " ".join(said(unscored))


def test_lifeforce_by_account() -> None:
    drawn = pictures.lifeforce(swarm(), "")
    words = said(drawn)
    for what, amount in (
        ("organisms", "31.5k LF"), ("pattern versions", "2,500 LF"), ("Nyx", "500 LF"), ("minted in all", "34.5k LF"),
        ("burnt in all", "2,500 LF"),
    ):  # fmt: skip
        assert words[words.index(what) + 1] == amount
    at = words.index("accounts that hold most")
    assert words[at + 1 : at + 7] == ["Nyx", "500 LF", "ant 39", "158.5 LF", "ant 38", "157 LF"]
    assert "And 36 more with 4,332 LF." in words  # 33 organisms with 4,092 and 3 versions with 240
    nyx = read(paths(drawn, "area")[2])
    assert {nyx[x][2] for x in nyx} == {250, 450}  # 500 and 900 of 1,000 LF


@pytest.mark.parametrize(
    ("milli", "written"),
    [(0, "0"), (49, "0"), (50, "0.1"), (1_000, "1"), (1_234_500, "1,234.5"), (9_999_900, "9,999.9"),
     (10_000_000, "10k"), (12_345_678, "12.3k"), (10**12, "1,000M"), (123_456 * 10**9, "123.5G")],
)  # fmt: skip
def test_amounts(milli: int, written: str) -> None:
    assert pictures._lf(milli) == written


def test_few_organisms_are_named_in_pairs_and_many_by_community() -> None:
    rows = [
        {"tick": 4, "teacher_id": "o01", "student_id": "o02", "overwrites": 5, "upward": 2},
        {"tick": 9, "teacher_id": "o01", "student_id": "o02", "overwrites": 1},
        {"tick": 9, "teacher_id": "o02", "student_id": "o09"},
    ]
    few = pictures.teaching(swarm() | {"swarm.clasps": frame("swarm.clasps", rows)}, "")
    words = said(few)
    assert "8 cells in 3 clasps, t = 4 to 9" in words and "1 clasps taught nothing" in words
    at = words.index("teacher → student")
    assert words[at + 1 : at + 10] == ["cells", "ant 1", "→", "ant 2", "6", "ant 2", "→", "ant 1", "2"]
    assert "by community" not in words
    titles = [each.text for each in ET.fromstring(few).iter(f"{SVG}title")]
    assert {"adult → elder: 6 cells", "elder → adult: 2 cells"} <= set(titles)
    assert desc(few).endswith("1 clasps taught nothing; by tier: adult → elder 6, elder → adult 2.")
    many = pictures.teaching(swarm(), "")
    assert "teacher → student" not in said(many)
    flows = [int(each.replace(",", "")) for each in re.findall(r": ([\d,]+) cells</title>", many.decode())]
    taught = sum(n % 4 + n % 3 // 2 for n in range(120))
    assert sum(flows) == 2 * taught  # by community and by tier, each all of it
    assert "6 all others" in said(many)
    assert "5 no longer there" in said(many)  # o40 is in no row of swarm.organisms


def test_nothing_yet() -> None:
    drawn = pictures.draw_all(none(), "sample")
    assert drawn.keys() == pictures.PICTURES.keys() == {"gradient", "markers", "calibration", "lifeforce", "teaching"}
    for name, why in (("gradient", "No tick yet."), ("markers", "No tick yet."), ("lifeforce", "No tick yet."),
                      ("calibration", "No prediction yet."), ("teaching", "No clasp yet.")):  # fmt: skip
        assert why in said(drawn[name])
        assert why in desc(drawn[name])
    idle = frame("swarm.clasps", [{"tick": n, "teacher_id": f"o{n}", "student_id": f"o{n + 1}"} for n in range(20)])
    assert "nothing was taught" in said(pictures.teaching(swarm() | {"swarm.clasps": idle}, ""))


def test_same_rows_same_bytes_in_any_order_and_on_any_days() -> None:
    tables = swarm()
    mixed = {name: rows.sample(fraction=1, shuffle=True, seed=5) for name, rows in tables.items()}
    assert pictures.draw_all(mixed) == pictures.draw_all(tables)
    bare = {name: rows.drop("date") for name, rows in tables.items()}
    assert pictures.draw_all(bare) == pictures.draw_all(tables)
    old = {"date": DAY.replace(day=1), "organism_id": "o00", "label": "gone", "lf_milli": 10**12}
    more = tables | {"swarm.organisms": pl.concat([tables["swarm.organisms"], frame("swarm.organisms", [old])])}
    assert pictures.draw_all(more) == pictures.draw_all(tables)


@pytest.mark.parametrize("word", [HOSTILE, STACKED, "]]>", "\ufffe", "&#0;", "-->"])
def test_no_stranger_s_word_changes_the_elements(word: str) -> None:
    usual, hostile = pictures.draw_all(swarm()), pictures.draw_all(swarm(word=word))
    for name in pictures.PICTURES:
        tags = [[each.tag for each in ET.fromstring(drawn[name]).iter()] for drawn in (usual, hostile)]
        assert tags[0] == tags[1], name
        assert not re.search(rb"url\(|@import|https?://(?!www.w3.org/2000/svg\")", usual[name])
    if len(word) < 30:
        assert f"{pictures._label(word, 99)} 39" in hostile["lifeforce"].decode()


def test_what_is_missing_or_contradicts_itself_is_named() -> None:
    tables = swarm(ticks=3)
    with pytest.raises(ValueError, match=r"need swarm\.metrics, and it was not given; known: nothing"):
        pictures.gradient({}, "")
    with pytest.raises(ValueError, match=r"need swarm\.metrics\.plus, and there is no such column"):
        pictures.gradient({"swarm.metrics": tables["swarm.metrics"].drop("plus")}, "")
    twice = pl.concat([tables["swarm.metrics"], frame("swarm.metrics", [tick(1, 2) | {"plus": 1}])])
    with pytest.raises(ValueError, match=r"two different rows of tick 1\b"):
        pictures.gradient({"swarm.metrics": twice}, "")
    same = pl.concat([tables["swarm.metrics"], tables["swarm.metrics"]])
    assert pictures.gradient({"swarm.metrics": same}, "") == pictures.gradient(tables, "")
