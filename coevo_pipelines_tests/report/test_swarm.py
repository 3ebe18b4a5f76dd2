"""The page of the swarm: what it says, what no name can do to it, how a real browser shows it and its pictures."""

from __future__ import annotations

import re
from datetime import timedelta

import polars as pl
import pytest

from coevo_pipelines.report import swarm as report
from coevo_pipelines.report.html import UNSEEN
from coevo_pipelines.swarm.pictures import PICTURES, draw_all
from coevo_pipelines_tests.report.browser import HOSTILE, STACKED, Looks, Reader, looked
from coevo_pipelines_tests.swarm.pictured import DAY, Tables, frame, none, review, swarm, tick

DECIDE = "coevo review decide 0123456789abcdef --winner teacher|student|hybrid --reviewer NAME --note TEXT"


def of(tables: Tables, world: str = "live") -> bytes:
    return report.page(tables, world)


def said(tables: Tables, world: str = "live") -> str:
    return Reader(of(tables, world)).text


def test_the_headline() -> None:
    words = said(swarm())
    for each in (
        "As of 2026-11-20, tick 1,000", "Organisms300", "Cells at −1 / 0 / +150 / 200 / 750", "Decisions open501",
        "Decided500", "Clasps6,006", "Outcomes observed3,003 of 20,020", "Nyxawake, 500.0 LF", "seed 0",
    ):  # fmt: skip
        assert each in words, each
    assert "The configuration changed" not in words
    rows = [tick(0, 1), tick(1, 1) | {"config_hash": "another", "mode": "SLUMBER"}]
    words = said(swarm() | {"swarm.metrics": frame("swarm.metrics", rows)})
    assert "The configuration changed on the way: 2 are in these rows." in words
    assert "Nyxasleep" in words


def test_it_says_that_it_is_simulated_and_whether_it_is_the_sample() -> None:
    assert "Simulated: nothing here happened." in said(swarm())
    assert "Simulated: nothing here happened." in said(none())
    assert "bundled sample" in said(swarm(), "sample")
    assert "sample" not in said(swarm())


def test_what_waits_for_a_person_and_how_to_answer() -> None:
    rows = [review("bee"), review("wasp", review_id="fedcba9876543210", level=5, standin_decision=None),
            review("old", status="decided"), review("late", status="expired")]  # fmt: skip
    yesterday = review("past") | {"date": DAY - timedelta(days=1)}
    words = said(swarm() | {"swarm.review_queue": frame("swarm.review_queue", [*rows, yesterday])})
    start = words.index("2 open, highest level first")
    assert words.index("wasp or not wasp?5 councilt = 7, 2026-11-01nothing yet", start) < words.index("bee or not bee?")
    assert "bee?4 dafitt = 7, 2026-11-01studentcoevo review show 0123456789abcdef" + DECIDE in words
    assert not any(each in words for each in ("old or", "late or", "past or"))
    assert "Waiting for a person Nothing." in said(swarm() | {"swarm.review_queue": none()["swarm.review_queue"]})


def test_open_and_last_decisions() -> None:
    words = said(swarm())
    assert "1 open, oldest first" in words
    assert (
        "ant PSO critical, blendant w1ant w2t = 3, 2026-11-012 and 0, 25% observedlevel 3 cannot be paid ant" in words
    )
    order = [
        words.index(each)
        for each in (
            "3 of the last 30 days", "ant PSOteacher: ant w12 nyx0.799, q 0.89950%t = 1,000, 2026-11-20",
            "ant PSOhybrid: both keep theirs4 dafit, a person; turned at t = 1,0001.000, q 0.500",
            "given up: ant is no more",
        )
    ]  # fmt: skip
    assert order == sorted(order)
    assert said(swarm() | {"swarm.decision_markers": none()["swarm.decision_markers"]}).count(" None. ") == 2


def test_a_decision_of_two_days_counts_as_on_the_later() -> None:
    tables = swarm()
    now = tables["swarm.decision_markers"]
    before = now.with_columns(
        pl.lit(DAY - timedelta(days=1)).alias("date"),
        pl.lit("pending").alias("status"),
        pl.lit("past").alias("pattern"),
    )
    assert of(tables | {"swarm.decision_markers": pl.concat([now, before])}) == of(tables)


def test_answers_that_did_not_count_are_listed() -> None:
    words = said(swarm())
    assert "2unknownantantthere is no item ant" in words
    used = {"swarm.decisions": frame("swarm.decisions", [{"line": 1, "status": "used"}])}
    assert "Answers that did not count" not in said(swarm() | used)


def test_what_is_left_out_for_length_is_counted() -> None:
    many = {
        "swarm.review_queue": frame("swarm.review_queue", [review("x", review_id=f"{n:016x}") for n in range(57)]),
        "swarm.decision_markers": frame(
            "swarm.decision_markers",
            [{"marker_id": f"m{n}", "status": "pending" if n < 60 else "void"} for n in range(130)],
        ),
    }
    words = said(swarm() | many)
    assert "And 47 more open questions, not shown: see swarm.review_queue or coevo review list." in words
    assert "And 10 more open decisions, not shown: see swarm.decision_markers." in words
    assert "And 20 more decisions, not shown: see swarm.decision_markers." in words


def test_the_pictures_stand_in_the_page() -> None:
    tables = swarm()
    page = of(tables, "sample").decode()
    for each in draw_all(tables, "sample").values():
        assert each.decode() in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) == 2 * len(PICTURES)
    assert len(page) < 100_000


def test_no_day() -> None:
    words = said(none())
    assert "No day has been simulated yet." in words
    assert "As of" not in words


@pytest.mark.parametrize("word", [HOSTILE, STACKED, "]]>", "</bdi></table>", "'\" onload=x", "\u202e", "\0"])
def test_no_name_changes_the_page_s_elements(word: str) -> None:
    page = Reader(of(swarm(word=word)))
    usual = Reader(of(swarm()))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in usual.elements]
    assert [attrs for _, attrs in page.elements] == [attrs for _, attrs in usual.elements]
    shown = UNSEEN.sub(lambda found: ascii(found[0])[1:-1], word)
    assert f"Which is better, {shown} or not" in "".join(page.said)
    assert not UNSEEN.search("".join(page.said).replace("\n", ""))


def test_same_rows_same_bytes() -> None:
    tables = swarm()
    mixed = {name: rows.sample(fraction=1, shuffle=True, seed=3) for name, rows in tables.items()}
    assert of(mixed) == of(tables)


def test_the_page_forbids_itself_what_it_does_not_need() -> None:
    page = of(swarm())
    elements = Reader(page).elements
    assert b"default-src 'none';style-src 'unsafe-inline';img-src data:;base-uri 'none';form-action 'none'" in page
    assert not {"script", "img", "iframe", "object", "form", "base", "a", "use"} & {tag for tag, _ in elements}
    assert not re.search(rb"url\(|@import|https?:|//", page.replace(b'xmlns="http://www.w3.org/2000/svg"', b""))


def looked_at() -> dict[str, bytes]:
    return {
        "usual": of(swarm(), "sample"),
        "hostile": of(swarm(word=HOSTILE + STACKED), "sample"),
        "few": of(swarm(ticks=3, organisms=5, word="a very long name of a repository that goes on and on " * 3)),
        "none": of(none()),
    }


WIDTHS = (320, 720, 1400)
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


def test_the_lettering_of_each_picture_can_be_read(looks: Looks) -> None:
    """At its own size on any screen, nothing over anything else, nothing cut off, with contrast."""
    for (name, width, dark), seen in looks.seen.items():
        assert len(seen["pictures"]) == (0 if name == "none" else len(PICTURES))
        for each in seen["pictures"]:
            where = f"{each['title']} of {name} at {width} px, dark {dark}"
            assert each["over"] == [], where
            assert each["out"] == [], where
            assert each["smallest"] >= 12, where
            assert each["worst"] >= 4.5, where
            assert each["wide"] >= min(560, width - 40) - 100, where


def test_the_browser_shows_what_waits_and_a_hostile_name_is_not_run(looks: Looks) -> None:
    for width in WIDTHS:
        seen = looks.seen["usual", width, False]
        for each in (DECIDE, "As of 2026-11-20, tick 1,000", "there is no item ant"):
            assert each in seen["text"], (each, width)
        hostile = looks.seen["hostile", width, True]
        assert hostile["title"] == "The swarm"
        assert hostile["tags"] == looks.seen["usual", width, True]["tags"]
        assert "<script>document.title='owned'</script>" in hostile["text"]


def test_no_request_leaves_the_page(looks: Looks) -> None:
    """The control page does ask for an image of the same strange host: the proxy sees such requests."""
    strange = {each for each in looks.asked if "evil.example" in each}
    assert strange == {"http://evil.example/control"}
