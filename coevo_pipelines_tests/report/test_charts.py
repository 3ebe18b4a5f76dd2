"""Charts: what stands in the SVG and what does not, the same bytes anywhere, nothing cut or over anything else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.report import charts
from coevo_pipelines.swarm import pictures
from coevo_pipelines_tests.report.browser import HOSTILE, STACKED, Reader
from coevo_pipelines_tests.swarm.pictured import swarm

DAY = date(2026, 11, 20)
LONG = "a very long name of a repository that goes on and on " * 3


def bars(width: int, word: str = "ant", values: tuple[float, ...] = (1500, 20_000_000)) -> charts.Chart:
    frame = pl.DataFrame({"name": [f"{word} {n}" for n in range(len(values))], "value": values})
    y = alt.Y("name:N", title=None)
    chart: alt.Chart = alt.Chart(frame).mark_bar(clip=True).encode(x="value:Q", y=y, color="name:N")
    return chart.properties(width=width)


def daily(width: int, length: int = 3) -> charts.Chart:
    frame = pl.DataFrame({"day": [DAY - timedelta(days=back) for back in range(length)], "value": range(length)})
    first = DAY - timedelta(days=length - 1)
    chart: alt.Chart = alt.Chart(frame).mark_area(interpolate="step-after")
    drawn: alt.Chart = chart.encode(x=charts.days(first, DAY, width), y="value:Q").properties(width=width, height=100)
    return drawn


def words(svg: str | bytes) -> list[str]:
    return ["".join(each.itertext()) for each in ET.fromstring(svg).iter() if each.tag.endswith("text")]


def test_a_figure_is_drawn_wide_and_narrow_and_says_what_it_shows() -> None:
    drawn = charts.figure("Ants & <bees>", "more ants", bars)
    elements = Reader(drawn.encode()).elements
    assert [dict(given)["class"] for tag, given in elements if tag == "div"] == ["wide", "narrow"]
    pictures = [dict(given) for tag, given in elements if tag == "svg"]
    assert [each["width"] for each in pictures] == [str(charts.WIDE), str(charts.NARROW)]
    assert all((each["role"], each["aria-label"]) == ("img", "Ants & <bees>") for each in pictures)
    assert "<figcaption><b>Ants &amp; &lt;bees&gt;</b> <span>more ants</span></figcaption>" in drawn
    others = [name for tag, given in elements if tag not in {"svg", "figure"} for name, _ in given]
    assert not [name for name in others if name == "role" or name.startswith("aria")]
    ids = re.findall(r' id="([^"]+)"', drawn)
    assert len(ids) == len(set(ids)) == 2, "a clip path in each"
    assert all(f"url(#{each})" in drawn for each in ids)


def test_numbers_are_short_and_small_pictures_too() -> None:
    drawn = charts.svg(bars(charts.WIDE), "x")
    assert {"0", "4M", "20M"} <= set(words(drawn))
    assert len(drawn) < 5_000
    assert not re.search(r"\d\.\d\d", drawn), "tenths of a px are enough"
    sizes = bars(charts.WIDE).encode(x=alt.X("value:Q", axis=alt.Axis(labelExpr=charts.SIZES)))
    assert {"0 B", "4 MB", "20 MB"} <= set(words(charts.svg(sizes, "x")))
    small = bars(charts.WIDE, values=(0.1, 0.9)).encode(x=alt.X("value:Q", axis=alt.Axis(format=charts.SHARES)))
    assert {"0%", "80%"} <= set(words(charts.svg(small, "x")))


@pytest.mark.parametrize("word", [HOSTILE, STACKED, "]]>", "\ufffe\0\x1b", "&#0;", "-->", "url(#clip0)"])
def test_no_stranger_s_word_changes_the_elements(word: str) -> None:
    usual, hostile = (charts.svg(bars(charts.WIDE, each), each) for each in ("ant", word))
    tags = [{each.tag for each in ET.fromstring(drawn).iter()} for drawn in (usual, hostile)]
    assert tags[0] == tags[1]
    assert not re.search(r"<a\b|href|@import|https?://(?!www.w3.org/2000/svg\")", usual)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\0\x1b\ufffe]|[\u0334\u0351]{3}", hostile)


def test_the_same_bytes_in_any_time_zone() -> None:
    code = (
        "from coevo_pipelines_tests.report.test_charts import *\n"
        "import sys; sys.stdout.write(charts.svg(daily(528, 300), 'x') + charts.svg(bars(300), 'x'))"
    )
    environment = {**os.environ, "TZ": "America/New_York", "PYTHONHASHSEED": "2"}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == charts.svg(daily(528, 300), "x") + charts.svg(bars(300), "x")


@pytest.mark.parametrize(
    ("length", "width", "shown"),
    [(1, charts.WIDE, ["14 Nov", "16 Nov", "18 Nov", "20 Nov", "2026"]),
     (3, charts.NARROW, ["14 Nov", "17 Nov", "20 Nov", "2026"]),
     (400, charts.WIDE, ["17 Oct 2025", "27 Feb 2026", "10 Jul 2026", "20 Nov 2026"]),
     (2_500, charts.NARROW, ["Jun 2023", "Nov 2026"])],
)  # fmt: skip
def test_days_have_few_ticks_and_the_last_is_one(length: int, width: int, shown: list[str]) -> None:
    told = words(charts.svg(daily(width, length), "x"))
    assert set(shown) <= set(told), told
    assert sum("20" in each for each in told) <= 6


def stepped(drawn: pl.DataFrame, x: str) -> dict[int, float]:
    """The value that a line with interpolation step-after has at each x."""
    found: dict[int, float] = {}
    for rows in drawn.partition_by("run", maintain_order=True):
        points = list(rows.select(x, "value").iter_rows())
        for (a, value), (b, _) in pairwise(points):
            found.update(dict.fromkeys(range(a, b), value))
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=300), st.sets(st.integers(1, 250), max_size=40),
    st.sampled_from([1, 10, 90, 400]),
)  # fmt: skip
def test_no_peak_and_no_gap_of_a_long_series_is_lost(values: list[int], holes: set[int], columns: int) -> None:
    kept = [n for n in range(len(values)) if n not in holes]
    frame = pl.DataFrame({"x": [5 + n for n in kept], "value": [values[n] for n in kept]})
    drawn, gaps = charts.runs(frame, "x", columns)
    truth, span = {5 + n: values[n] for n in kept}, kept[-1] + 1
    assert set(stepped(drawn, "x")) == set(truth), "each x that is there has its place, and no other"
    marked = {x for a, b in gaps.select("x", "end").iter_rows() for x in range(a, b)}
    assert marked == set(range(5, 5 + span)) - set(truth)
    by_column: dict[int, list[int]] = {}
    for x, value in truth.items():
        by_column.setdefault((x - 5) * min(columns, span) // span, []).append(value)
    points = {(x, value) for x, value in drawn.select("x", "value").iter_rows()}
    reached: dict[int, list[int]] = {}
    for x, value in points & set(truth.items()):
        reached.setdefault((x - 5) * min(columns, span) // span, []).append(value)
    for column, each in by_column.items():
        assert (min(reached[column]), max(reached[column])) == (min(each), max(each))
        assert each[0] in reached[column] and each[-1] in reached[column]
    if columns >= span:
        assert stepped(drawn, "x") == truth


def test_a_long_series_stays_small() -> None:
    frame = pl.DataFrame({"x": range(100_000)}).with_columns(
        value=pl.when(pl.col("x") == 77_777).then(990).otherwise(500 + pl.col("x") % 7)
    )
    drawn, gaps = charts.runs(frame.filter(~pl.col("x").is_between(20_000, 20_001)), "x", 100)
    assert drawn.height <= 4 * 101 + 2
    assert (77_777, 990) in set(drawn.select("x", "value").iter_rows())
    assert gaps.rows() == [(20_000, 20_002)]


def test_a_file_that_stands_alone_is_light_or_dark_and_says_its_words() -> None:
    drawn = charts.standalone(bars(charts.WIDE), "Ants\u202e & <bees>", "It says\nmore. " + "word " * 40)
    root = ET.fromstring(drawn)
    title, desc, style, paper = list(root)[:4]
    assert (title.text, root.get("role")) == ("Ants\\u202e & <bees>", "img")
    assert (desc.text or "").startswith("It says\nmore. word")
    light, dark = charts.theme()
    assert light.keys() == dark.keys() == {"c1", "c2", "c3", "c4", "c5", "c6", "ink", "soft", "line", "paper", "gap"}
    assert f"--c1:{light['c1']};" in (style.text or "") and f"--c1:{dark['c1']};" in (style.text or "")
    assert "prefers-color-scheme:dark" in (style.text or "")
    assert light["paper"] != dark["paper"] and paper.get("fill") == "var(--paper)"
    assert re.findall(r"var\(--(\w+)\)", drawn.decode())
    assert set(re.findall(r"var\(--(\w+)\)", drawn.decode())) <= light.keys()
    assert any("It saysmore. word" in each for each in words(drawn)), "in lines"
    alone = charts.standalone(None, "Ants", "No ant yet.")
    assert "No ant yet." in words(alone) and len(alone) < 1_500


def test_a_picture_for_markdown_is_a_few_kb() -> None:
    told = charts.markdown_image(bars(charts.NARROW), "Ants](x) <b>", "more")
    found = re.fullmatch(r"!\[([^\]]*)\]\(data:image/svg\+xml;base64,([\w+/=]+)\)", told)
    assert found and "<" not in found[1]
    assert len(told) < 7_000
    ET.fromstring(b64decode(found[2]))


@pytest.mark.parametrize(
    ("values", "path"),
    [([1, 3, 2], "M0 22h.01L50 2L100 12"), ([1, None, 3, 3], "M0 22h.01M66.67 2h.01L100 2"), ([5], "M0 12h.01"),
     ([5, 5], "M0 12h.01L100 12"), ([], ""), ([None, None], "")],
)  # fmt: skip
def test_sparkline(values: list[float | None], path: str) -> None:
    drawn = charts.sparkline(values, 'stars "<b>"')
    assert f'd="{path}"' in drawn
    assert 'aria-label="stars &quot;&lt;b&gt;&quot;"' in drawn
    ET.fromstring(drawn)


_LETTERING = """svg => {
  const edge = svg.getBoundingClientRect(), boxes = [...svg.querySelectorAll('text')].map(e =>
    ({said: e.textContent, size: parseFloat(getComputedStyle(e).fontSize), box: e.getBoundingClientRect()}));
  const over = [];
  boxes.forEach(({said, box: a}, i) => boxes.slice(i + 1).forEach(({said: other, box: b}) => {
    if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
        Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4) over.push(said + ' | ' + other)}));
  const out = boxes.filter(({box: b}) => b.right > edge.right + 1 || b.left < edge.left - 1 ||
    b.bottom > edge.bottom + 1 || b.top < edge.top - 1).map(each => each.said);
  return {over, out, smallest: Math.min(...boxes.map(each => each.size)), wide: edge.width};
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("no chromium here: apt-get install --no-install-recommends chromium")
    web = Path(charts.__file__).parent / "web"
    folder = tmp_path_factory.mktemp("charts")
    for sheet in ("report.css", "dark.css"):
        (folder / sheet).write_bytes((web / sheet).read_bytes())
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])

        def show(body: str, width: int) -> Any:
            head = '<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="report.css"><main>'
            (folder / "page.html").write_text(f'{head}<div class="charts">{body}</div></main>', "utf-8")
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.goto((folder / "page.html").as_uri())
            return page

        yield show
        browser.close()


@pytest.mark.parametrize("word", ["ant", LONG, HOSTILE + STACKED], ids=["short", "long", "hostile"])
def test_lettering_is_whole_and_apart_in_a_real_browser(pages: Any, word: str) -> None:
    drawn = [charts.figure("Bars", "told", lambda w: bars(w, word)), charts.figure("Days", "told", daily)]
    for picture in pictures.PICTURES.values():
        found = picture(swarm(ticks=120, organisms=8 if word == LONG else 40, word=word))
        assert found.draw is not None
        drawn.append(charts.figure(found.title, found.told, found.draw))
    for width in (320, 390, 1440):
        page = pages("".join(drawn), width)
        seen = [each.evaluate(_LETTERING) for each in page.query_selector_all("svg") if each.is_visible()]
        assert len(seen) == len(drawn)
        assert [each for each in seen if each["over"] or each["out"]] == [], width
        assert min(each["smallest"] for each in seen) >= 12
        assert min(each["wide"] for each in seen) > 250
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.close()


@pytest.mark.parametrize("zone", [UTC, None])
def test_times_of_a_chart_are_utc(zone: timezone | None) -> None:
    at = [datetime(2026, 11, 20, hour, tzinfo=zone) for hour in (0, 12)]
    chart = alt.Chart(pl.DataFrame({"at": at, "value": [1, 2]})).mark_point()
    drawn = chart.encode(x=alt.X("at:T", axis=alt.Axis(format="%H:%M")), y="value:Q").properties(width=charts.WIDE)
    assert {"00:00", "12:00"} <= set(words(charts.svg(drawn, "x")))
