"""Every way in which a built report may not open is found, and a whole one has nothing to be found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from coevo_pipelines.report import records
from coevo_pipelines.report.opening import unopened

PAGE = """<!doctype html><title>t</title><link rel="stylesheet" href="report.css"><script src="report.js"></script>
<h1 id="top">Works</h1><a href="index.html#top">up</a><a href="work.html?id=arxiv:1">one</a><a href="#top">here</a>
<a href="../date=2019-03-26/index.html">the day before</a><a href="https://arxiv.org/abs/1">arXiv</a>
<a href="index.html#show=all">all</a><img src="data:image/svg+xml;base64,AAAA" alt="">"""


@pytest.fixture
def report(tmp_path: Path) -> Path:
    folder = tmp_path / "date=2019-03-27"
    folder.mkdir()
    for name in ("index.html", "work.html"):
        (folder / name).write_text(PAGE)
    for name in ("report.css", "report.js"):
        (folder / name).write_text("")
    shards = records.write(folder, "work", [("arxiv:1", {"title": "one"})], "made")
    records.script(folder / "data" / "about.js", "about", {"shards": {"work": shards}}, "made")
    return folder


def test_a_whole_report_opens(report: Path) -> None:
    assert unopened(report) == []


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def adding(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "work.html").write_text(PAGE + text)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (without("index.html"), "date=2019-03-27: index.html is not there"),
        (without("report.css"), "work.html: report.css is named and not there"),
        (without("work.html"), "index.html: work.html is named and not there"),
        (without("data/work/0.js"), "data/work/0.js is not there: pages of that kind stay empty"),
        (without("data/about.js"), "data/about.js cannot be read: "),
        (lambda folder: (folder / "work.html").write_text(""), "work.html: no heading: the page is empty or cut off"),
        (lambda folder: (folder / "data/work/0.js").write_text("x"), "data/work/0.js cannot be read"),
        (
            lambda folder: records.script(folder / "data/work/0.js", "work/0", {}, "another"),
            "data/work/0.js is of another report",
        ),
        (
            lambda folder: records.script(folder / "data/work/0.js", "work/1", {}, "made"),
            "data/work/0.js hands over 'work/1' instead",
        ),
        (adding("<a href='#below'>x</a>"), "work.html: #below names a place that is not in the page"),
        (adding("<a href='index.html#x'>x</a>"), "work.html: index.html#x names a place that is not in the page"),
        (adding("<img src='a%20b.png'>"), "work.html: a b.png is named and not there"),
        (
            adding("<script src='https://cdn.example/a.js'></script>"),
            "work.html: <script> is fetched from elsewhere: https://cdn.example/a.js",
        ),
        (
            adding("<link rel='icon' href='//cdn.example/a.png'>"),
            "work.html: <link> is fetched from elsewhere: //cdn.example/a.png",
        ),
    ],
)
def test_what_will_not_open_is_named(report: Path, harm: Callable[[Path], object], told: str) -> None:
    harm(report)
    assert any(line.startswith(told) for line in unopened(report)), unopened(report)
