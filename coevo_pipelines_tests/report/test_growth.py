"""The page of the genome's growth: what it says, what no name can do to it, how a real browser shows it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from coevo_pipelines.genome.changes import compared
from coevo_pipelines.lake import schemas
from coevo_pipelines.report import growth
from coevo_pipelines.report.html import UNSEEN, top
from coevo_pipelines_tests.report.browser import HOSTILE, STACKED, Looks, Reader, looked

DAY = date(2026, 11, 20)
LONG = "a" * 350 + "/main.py"  # 358 bytes and no place to break


def frame(name: str, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of a table with its date; a column that a row lacks is null, 0, empty or a short word."""
    schema = {"date": pl.Date(), **schemas.table(name).polars_schema()}
    plain: dict[str, Any] = {
        each.name: None if each.nullable else {"int64": 0, "string": "x"}.get(each.type)
        for each in schemas.table(name).columns
    }
    return pl.DataFrame([{"date": DAY, **plain, **row} for row in rows], schema=schema)


def manifest(days: Mapping[date, tuple[int, int]]) -> pl.DataFrame:
    """Days with (text bytes, files)."""
    return frame(
        "genome.manifest",
        [
            {"date": day, "root": f"{files:064x}", "repositories": 3, "left_out": 1, "files": files,
             "packed": files - 2, "bytes": 2 * text, "text_bytes": text, "tokens": text // 4, "pack_bytes": text + 999,
             "tokenizer": "pieces", "reasons": json.dumps({"binary": 2, "packed": files - 2})}
            for day, (text, files) in days.items()
        ],
    )  # fmt: skip


def repository(place: int, repo: str, text: int, **more: Any) -> dict[str, Any]:
    return {"place": place, "repo": repo, "status": "packed", "commit": f"{place:040x}", "license": "MIT",
            "files": 12_345, "text_bytes": text} | more  # fmt: skip


def change(path: str, before: int | None, after: int | None, **more: Any) -> dict[str, Any]:
    kind = "added" if before is None else "removed" if after is None else "changed"
    return {"repo": "ants", "path": path, "change": kind, "before": before, "after": after} | more


Frames = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]


def usual(
    name: str = "swarm-lab/ants", path: str = "src/ant.py", why: str = "audit failed at level 3", days: int = 700
) -> Frames:
    """Growth over so many days, with two gaps; strangers' words where they can stand."""
    gaps = (3, *range(200, 230))
    sizes = {back: (9_876_543 - 12_000 * back, 2_000 - back) for back in range(days) if back not in gaps}
    diff = f"--- a/{path}\n+++ b/{path}\n@@ -1,2 +1,2 @@\n--- {name}\n+++ {path}\n \t{why}"
    compared = {"lines_added": 1_200, "lines_removed": 1, "diff": diff}
    return (
        manifest({DAY - timedelta(days=back): size for back, size in sizes.items()}),
        frame(
            "genome.repositories",
            [
                repository(1, name, 6_000_000, license=name, commit=name),
                repository(2, "tiny", 100, license=None),
                repository(3, "bees", 3_876_443),
                repository(4, name + "2", 0, status="left_out", why=why, commit=None),
            ],
        ),
        frame(
            "genome.changes",
            [
                change(path, 10_000, 8_000, **compared) | {"repo": name},
                change("new.md", None, 77_777, **compared),
                change("old.bin", 10, None) | {"date": DAY - timedelta(days=1)},
            ],
        ),
    )


def of_days(days: Mapping[date, tuple[int, int]]) -> Frames:
    return manifest(days), frame("genome.repositories", []), frame("genome.changes", [])


def of(frames: Frames, world: str = "live") -> bytes:
    return growth.page(*frames, world)


def steps(given: bytes, chart: int) -> tuple[dict[int, float], set[int], int]:
    """A chart read back: height of each day as a share of the scale, days marked as gaps, days in all."""
    box, grown, none = re.findall(
        r'viewBox="0 0 (\d+) 1000".*?class="grown" d="(.*?)".*?class="none" d="(.*?)"', given.decode()
    )[chart]
    heights: dict[int, float] = {}
    gaps: set[int] = set()
    for x, y, wide, back in re.findall(r"M(\d+) 1000v-(\d+)h(\d+)v(\d+)z", grown):
        assert y == back
        heights.update(dict.fromkeys(range(int(x), int(x) + int(wide)), int(y) / 1000))
    for x, wide, back in re.findall(r"M(\d+) 0h(\d+)v1000h-(\d+)z", none):
        assert wide == back
        gaps.update(range(int(x), int(x) + int(wide)))
    return heights, gaps, int(box)


def test_the_headline() -> None:
    said = Reader(of(usual())).text
    for each in (
        "As of 2026-11-20", "Repositories3", "Left out1", "Files2,000", "Text9.9 MB", "Tokens2,469,135", "Pack9.9 MB",
        f"Merkle root{2000:064x}", "packed 1,998; binary 2. 19.8 MB in all", "tokens are pieces of text",
    ):  # fmt: skip
        assert each in said, each


def test_only_the_sample_says_that_it_is_made_up() -> None:
    assert "made up" in Reader(of(usual(), "sample")).text
    assert "made up" not in Reader(of(usual(), "live")).text


def test_each_repository_of_the_newest_day_and_no_other() -> None:
    one, repositories, three = usual()
    old = repositories.with_columns(pl.lit(DAY - timedelta(days=1)).alias("date"), pl.lit("gone").alias("repo"))
    said = Reader(of((one, pl.concat([old, repositories]), three))).text
    start = said.index("3 in the genome of 2026-11-20")
    order = [said.index(each, start) for each in ("swarm-lab/ants", "bees0000000000MIT12,3453.9 MB39.2%", "tiny")]
    assert order == sorted(order)
    assert "tiny0000000000not certain12,345100 Bunder 0.1%" in said
    assert "1 not in it on 2026-11-20, and whyRepositoryWhy swarm-lab/ants2audit failed at level 3" in said
    assert "gone" not in said


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"), (10**9, "1.0 GB"),
     (2 * 10**12, "2.0 TB"), (1_234 * 10**15, "1,234.0 PB")],
)  # fmt: skip
def test_units(size: int, said: str) -> None:
    page = of(of_days({DAY: (size, 5)}))
    assert f"<dt>Text</dt><dd>{said}</dd>" in page.decode()


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(st.integers(0, 400), st.tuples(st.integers(0, 10**13), st.integers(0, 10**6)), min_size=1),
    st.integers(0, 5),
)
def test_the_charts_show_each_day_at_its_height_and_each_gap(days: dict[int, tuple[int, int]], late: int) -> None:
    """Read back from the drawing; `late` days after the last genome end with one on which nothing could be packed."""
    start = date(2025, 1, 1)
    last = max(days) + late
    out = repository(1, "ants", 0, status="left_out", why="damaged") | {"date": start + timedelta(days=last)}
    one, _, three = of_days({start + timedelta(days=x): of_day for x, of_day in days.items()})
    page = of((one, frame("genome.repositories", [out]), three))
    first = min(days)
    for chart in (0, 1):
        values = {x: of_day[chart] for x, of_day in days.items()}
        heights, gaps, span = steps(page, chart)
        assert span == max(14, last - first + 1)
        shift = span - 1 - last  # the newest day is the last of the chart
        assert gaps == {x + shift for x in range(first, last + 1) if x not in days}
        assert heights.keys() == {x + shift for x in days}
        end = top(max(values.values()))
        assert max(values.values()) <= end <= max(2, 2.5 * max(values.values()))
        assert all(0 <= value / end - heights[x + shift] < 0.001 for x, value in values.items())
    assert ("has no genome" in Reader(page).text) == bool(late)


def test_years_of_days_stay_a_small_page() -> None:
    days = {date(2020, 1, 1) + timedelta(days=back): (5_000 + back, 5 + back) for back in range(2_500)}
    page = of(of_days(days))
    assert len(page) < 200_000
    assert "And 2,440 more older days, not shown: see genome.manifest." in Reader(page).text


def test_ten_thousand_repositories() -> None:
    rows = [repository(n, f"r{n:05}", 1_000 * (20_000 - n)) for n in range(1, 10_001)]
    rows += [repository(n, f"o{n:05}", 0, status="left_out", why="gone") for n in range(10_001, 10_301)]
    page = of((usual()[0], frame("genome.repositories", rows), frame("genome.changes", [])))
    said = Reader(page).text
    assert len(re.findall(r"<bdi>r\d{5}</bdi>", page.decode())) == 500
    assert len(re.findall(r"<bdi>o\d{5}</bdi>", page.decode())) == 200
    hidden = sum(row["text_bytes"] for row in rows[500:])
    assert f"And 9,500 more repositories with {hidden / 1e9:.1f} GB of text, not shown" in said
    assert "And 100 more left out, not shown" in said
    assert "10,000 in the genome" in said
    assert "r00500" in said and "r00501" not in said


def test_no_day_and_a_day_without_a_genome() -> None:
    empty = of_days({})
    assert "No genome has been made yet." in Reader(of(empty)).text
    out = frame("genome.repositories", [repository(1, "ants", 0, status="left_out", why="damaged")])
    said = Reader(of((empty[0], out, empty[2]))).text
    assert "2026-11-20 has no genome" in said
    assert "antsdamaged" in said
    earlier = manifest({DAY - timedelta(days=1): (5_000, 7)})
    said = Reader(of((earlier, out, empty[2]))).text
    assert "2026-11-20 has no genome" in said
    assert "As of 2026-11-19" in said


def test_what_changed() -> None:
    said = Reader(of(usual())).text
    assert "2026-11-20101+75.8 kB" in said  # added, removed, changed: 77,777 - 2,000 bytes
    assert "2026-11-19010−10 B" in said
    assert "2026-11-18 (not compared: no genome the day before)" in said
    assert "2026-11-16 (nothing changed)" in said
    order = [said.index(each) for each in ("new.md2026-11-20added+1,200 −1+77.8 kB", "ant.py2026-11-20", "old.bin2026")]
    assert order == sorted(order)


def test_diffs_are_cut_and_the_rest_is_counted() -> None:
    head = "--- a/f\n+++ b/f\n@@ -1,90 +1,90 @@\n"
    diff = head + "-- dashes\n" + "".join(f"+line {n}\n" for n in range(88)) + "+" + "w" * 10_000 + "\n"
    rows = [change(f"f{n:02}", 5, 6, diff=diff, lines_added=90 - n, lines_removed=0) for n in range(25)]
    rows += [change("long", 5, 6, diff="@@\n+" + "w" * 1_000, lines_added=91, lines_removed=0)]
    page = of((usual()[0], frame("genome.repositories", []), frame("genome.changes", rows)))
    text, said = page.decode(), Reader(page).text
    assert text.count("<pre") == 10
    assert "And 16 more diffs of these days, not shown" in said
    assert "And 6 more smaller changes, not shown" in said
    assert said.count("And 33 more lines of this diff, not shown") == 9
    assert f"+{'w' * 399} … (601 more characters)" in said
    assert text.count("<del>-- dashes</del>") == 9  # a removed line that begins as a file's name does
    assert text.count("<ins>+line 55</ins>") == 9
    assert "+line 56" not in said


def test_a_diff_that_was_cut_before_and_one_of_nothing() -> None:
    """As `genome.changes` has them: of a long text, and of a file whose mode alone has changed."""
    diff = compared(None, "ant\n" * 1_500, "long.md")
    rows = [change("long.md", None, 6_000, diff=diff.text, lines_added=diff.added, lines_removed=diff.removed),
            change("run.sh", 5, 5, diff="", lines_added=0, lines_removed=0)]  # fmt: skip
    one, two, _ = of_days({DAY: (6_000, 5)})
    page = of((one, two, frame("genome.changes", rows)))
    assert page.decode().count("<pre") == 1
    assert "And 1,443 more lines of this diff, not shown" in Reader(page).text  # 1,500 and 3 of its head, less 60


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60) | st.sampled_from(
    ["<script>alert(1)</script>", "&lt;", "</bdi></table>", "]]>", "'\" onload=x", "\u202e", "\0"]
)


@settings(max_examples=60, deadline=None, phases=[Phase.generate])  # shrinking whole pages would take minutes
@given(words, words, words)
def test_no_name_path_or_reason_changes_the_page_s_elements(name: str, path: str, why: str) -> None:
    """The same elements with the same attributes whatever strangers write; and what they wrote can be read."""
    path, why = path.replace("\n", " "), why.replace("\n", " ")
    page = Reader(of(usual(name, path, why, days=5)))
    assert page.elements == Reader(of(usual(days=5))).elements
    seen = "".join(page.said)
    for each in (name, path, why):
        shown = "".join(part if not UNSEEN.match(part) else ascii(part)[1:-1] for part in each)
        assert shown in seen
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f\x00-\x08\x7f-\x9f\ufeff]", seen)


def test_same_rows_same_bytes() -> None:
    frames = usual()
    mixed = [each.sample(fraction=1, shuffle=True, seed=3) for each in frames]
    assert of((mixed[0], mixed[1], mixed[2])) == of(frames)
    assert of(frames).isascii() is False
    of(frames).decode("utf-8")


def test_the_page_forbids_itself_what_it_does_not_need() -> None:
    page = of(usual())
    elements = Reader(page).elements
    policy = next(
        dict(attrs)["content"] for tag, attrs in elements if ("http-equiv", "Content-Security-Policy") in attrs
    )
    assert policy == "default-src 'none';style-src 'unsafe-inline';img-src data:;base-uri 'none';form-action 'none'"
    assert ("html", [("lang", "en")]) in elements
    assert not {"script", "img", "iframe", "object", "form", "base", "a"} & {tag for tag, _ in elements}
    assert not re.search(rb"url\(|@import|https?:|//", page)
    tables = Counter(tag for tag, _ in elements)
    assert tables["table"] == tables["caption"] == 5
    assert tables["svg"] == tables["desc"] == 2
    assert tables["title"] == 3


WIDTHS = (320, 360, 720, 1400)
TALL = frame("genome.repositories", [repository(n, f"{n:04}" + "\u4e2d" * 90, 999_999_999) for n in range(1, 100)])


def looked_at() -> dict[str, bytes]:
    one, two, three = usual()
    return {
        "usual": of((one, two, three), "sample"),
        "hostile": of(usual(HOSTILE + STACKED, LONG, STACKED + HOSTILE), "sample"),
        "many": of((one, TALL, three.clear())),
        "none": of((one.clear(), two.clear(), three.clear())),
    }


VIEWS = [(name, width, dark) for name in looked_at() for width in WIDTHS for dark in (False, True)]


@pytest.fixture(scope="session")
def looks(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Looks:
    return looked(tmp_path_factory, worker_id, looked_at(), VIEWS)


def test_it_fits_any_screen_in_light_and_dark(looks: Looks) -> None:
    for (name, width, dark), seen in looks.seen.items():
        where = f"{name} at {width} px, dark {dark}"
        assert (seen["room"], seen["dark"]) == (width, dark), where
        assert seen["wide"] <= width, where
        assert seen["beyond"] == [], where
        assert seen["worst"] >= 4.5, where  # WCAG 2.2, 1.4.3 contrast (minimum), level AA
        assert seen["smallest"] >= 12, where


def test_the_browser_shows_headline_repositories_and_charts(looks: Looks) -> None:
    for width in WIDTHS:
        seen = looks.seen["usual", width, False]
        for each in (
            "As of 2026-11-20",
            "2,469,135",
            "swarm-lab/ants",
            "bees",
            "tiny",
            "audit failed at level 3",
            "new.md",
        ):
            assert each in seen["text"], (each, width)
        (wide, high), _ = seen["bars"]
        assert wide > 0.6 * min(width, 560) and high > 150, width
        assert ("Share of text: " in seen["text"]) is False  # generated, so not of the text


def test_a_hostile_name_is_read_and_not_run(looks: Looks) -> None:
    for width in WIDTHS:
        seen = looks.seen["hostile", width, True]
        assert seen["title"] == "The genome's growth"
        assert seen["tags"] == looks.seen["usual", width, True]["tags"]
        assert "<script>document.title='owned'</script>" in seen["text"]
        assert LONG in seen["text"]
        assert "\\u202egnp.exe" in seen["text"]


def test_no_request_leaves_the_page(looks: Looks) -> None:
    """The control page does ask for an image of the same strange host: the proxy sees such requests."""
    strange = {each for each in looks.asked if not each.startswith("http://page.test/")}
    assert "http://evil.example/control" in strange
    assert {each for each in strange if "evil.example" in each} == {"http://evil.example/control"}
    ours = {each for each in looks.asked if each.startswith("http://page.test/")}
    assert ours - {"http://page.test/favicon.ico"} == {f"http://page.test/{n}" for n in (*looked_at(), "control", "")}
