"""The page of the swarm: what it says, where its numbers lead, and what no name can do to it."""

from __future__ import annotations

import re
from datetime import timedelta

import polars as pl
import pytest

from coevo_pipelines.report import html
from coevo_pipelines.report.html import UNSEEN
from coevo_pipelines.report.page import About
from coevo_pipelines.report.pages.swarm import DAYS, PAGE
from coevo_pipelines_tests.report import asked
from coevo_pipelines_tests.report.browser import HOSTILE, STACKED, Reader
from coevo_pipelines_tests.swarm.pictured import DAY, Tables, frame, none, review, swarm, tick

DECIDE = "coevo review decide ID --winner teacher|student|hybrid --reviewer NAME --note TEXT"


def of(tables: Tables, world: str = "live") -> bytes:
    about = About(DAY, world, (DAY,))
    return html.page(PAGE, [PAGE], about, PAGE.body(tables, about))


def said(tables: Tables, world: str = "live") -> str:
    return asked.said(of(tables, world))


def test_the_headline() -> None:
    words = said(swarm())
    for each in (
        "As of 2026-11-20, tick 1,000", "Organisms 300", "Cells at −1 / 0 / +1 50 / 200 / 750", "Decisions open 501",
        "Decided 500", "Clasps 6,006", "Outcomes observed 3,003 of 20,020", "Nyx awake, 500.0 LF", "seed 0",
    ):  # fmt: skip
        assert each in words, each
    assert "The configuration changed" not in words
    rows = [tick(0, 1), tick(1, 1) | {"config_hash": "another", "mode": "SLUMBER"}]
    words = said(swarm(ticks=2) | {"swarm.metrics": frame("swarm.metrics", rows)})
    assert "The configuration changed on the way: 2 are in these rows." in words
    assert "Nyx asleep" in words


def test_numbers_lead_to_their_rows_and_organisms_to_the_works_that_they_stand_for() -> None:
    tables = swarm(ticks=3, organisms=3)
    people = [
        {"organism_id": "github:lab/ants", "works": ["github:lab/ants"], "label": "lab/ants", "lf_milli": 9_000_000},
        {"organism_id": "person:ann", "works": ["arxiv:1"], "label": "Ann", "lf_milli": 8_000_000},
        {"organism_id": "arxiv:1#2", "works": [], "label": "Bob", "lf_milli": 7_000_000},
    ]
    decided = tables["swarm.decision_markers"].with_columns(teacher_version=pl.lit("arxiv:1"))
    found = asked.links(
        of(tables | {"swarm.organisms": frame("swarm.organisms", people), "swarm.decision_markers": decided})
    )
    for each in (
        "work.html?id=github:lab/ants", "person.html?id=person:ann", "work.html?id=arxiv:1",
        "proof.html?table=swarm.metrics&date=2026-11-20&tick=2",
        "proof.html?table=swarm.organisms&date=2026-11-20&organism_id=arxiv%3A1%232",
        "proof.html?table=swarm.decision_markers&date=2026-11-20&marker_id=m2",
        "proof.html?table=swarm.review_queue&date=2026-11-20&review_id=0123456789abcdef",
    ):  # fmt: skip
        assert each in found, each
    assert not [each for each in found if "id=arxiv:1#2" in each], "nobody has a page of that name"


def test_it_says_that_it_is_simulated() -> None:
    assert "Simulated: nothing here happened." in said(swarm(ticks=2))
    assert "Simulated: nothing here happened." in said(none())


def test_what_waits_for_a_person_and_how_to_answer() -> None:
    rows = [review("bee"), review("wasp", review_id="fedcba9876543210", level=5, standin_decision=None),
            review("old", status="decided"), review("late", status="expired")]  # fmt: skip
    yesterday = review("past") | {"date": DAY - timedelta(days=1)}
    tables = swarm(ticks=2)
    words = said(tables | {"swarm.review_queue": frame("swarm.review_queue", [*rows, yesterday])})
    start = words.index("2 open, highest level first")
    wasp = "wasp or not wasp? 5 council t = 7, 2026-11-01 nothing yet fedcba9876543210"
    assert words.index(wasp, start) < words.index("bee? 4 dafit t = 7, 2026-11-01 student 0123456789abcdef", start)
    assert f"coevo review show ID {DECIDE}" in words
    assert not any(each in words for each in ("old or", "late or", "past or"))
    assert "Waiting for a person Nothing." in said(tables | {"swarm.review_queue": none()["swarm.review_queue"]})


def test_open_and_last_decisions_and_who_won() -> None:
    words = said(swarm())
    assert "1 open, oldest first" in words
    assert (
        "ant PSO critical, blend ant w1 ant w2 t = 3, 2026-11-01 2 and 0, 25% observed level 3 cannot be paid ant"
        in words
    )
    order = [
        words.index(each)
        for each in (
            f"3 of the last {DAYS} days", "ant PSO teacher: ant w1 2 nyx 0.799, q 0.899 50% t = 1,000, 2026-11-20",
            "ant PSO hybrid: both keep theirs 4 dafit, a person; turned at t = 1,000 1.000, q 0.500",
            "given up: ant is no more",
        )
    ]  # fmt: skip
    assert order == sorted(order)
    assert "Teacher won 1 of 2 Student won 0 of 2 Both kept theirs 1 of 2" in words
    assert "by who decided: level 2 nyx 1; level 4 dafit, a person 1." in words
    nothing = said(swarm(ticks=2) | {"swarm.decision_markers": none()["swarm.decision_markers"]})
    assert nothing.count(" None. ") == 2 and "Teacher won" not in nothing


def test_a_decision_of_two_days_counts_as_on_the_later() -> None:
    tables = swarm(ticks=2)
    now = tables["swarm.decision_markers"]
    before = now.with_columns(
        pl.lit(DAY - timedelta(days=1)).alias("date"),
        pl.lit("pending").alias("status"),
        pl.lit("past").alias("pattern"),
    )
    assert of(tables | {"swarm.decision_markers": pl.concat([now, before])}) == of(tables)


def test_answers_that_did_not_count_are_listed() -> None:
    tables = swarm(ticks=2)
    assert "2 unknown ant ant there is no item ant" in said(tables)
    used = {"swarm.decisions": frame("swarm.decisions", [{"line": 1, "status": "used"}])}
    assert "Answers that did not count" not in said(tables | used)


def test_what_is_left_out_for_length_is_counted() -> None:
    many = {
        "swarm.review_queue": frame("swarm.review_queue", [review("x", review_id=f"{n:016x}") for n in range(57)]),
        "swarm.decision_markers": frame(
            "swarm.decision_markers",
            [{"marker_id": f"m{n}", "status": "pending" if n < 60 else "void"} for n in range(130)],
        ),
    }
    words = said(swarm(ticks=2) | many)
    assert "And 47 more open questions, not shown: see swarm.review_queue or coevo review list." in words
    assert "And 10 more open decisions, not shown: see swarm.decision_markers." in words
    assert "And 20 more decisions, not shown: see swarm.decision_markers." in words


def test_each_picture_stands_in_the_page_with_its_numbers() -> None:
    page = of(swarm())
    words = asked.said(page)
    for each in ("Ternary gradient", "Decisions, open and settled", "Calibration of predictions", "Lifeforce",
                 "Who teaches whom, by community", "Who teaches whom, by tier"):  # fmt: skip
        assert each in words
    assert "Brier 0.103" in words and "mature 1,000 5.0% 20.0% 75.0%" in words
    ids = re.findall(r' id="([^"]+)"', page.decode())
    assert len(ids) == len(set(ids))
    assert len(page) < 250_000


def test_no_day() -> None:
    words = said(none())
    assert "No day has been simulated yet" in words
    assert "As of" not in words and "<svg role" not in words


def test_only_days_up_to_the_report_s_are_asked_for() -> None:
    """The state is that of the last simulated day; of decisions and clasps the last days are asked for."""
    metrics = [tick(n, 2) | {"date": DAY + timedelta(days=n - 1)} for n in range(3)]
    people = [
        {"organism_id": f"o{n}", "label": f"of day {n}", "lf_milli": 5_000 + n, "date": DAY + timedelta(days=n - 1)}
        for n in range(3)
    ]
    words = asked.said(asked.page_of(PAGE, {"swarm.metrics": metrics, "swarm.organisms": people}))
    assert "As of 2026-11-20, tick 1" in words
    assert "of day 1" in words and "of day 0" not in words and "of day 2" not in words


@pytest.mark.parametrize("word", [HOSTILE + STACKED, "]]></bdi></table>'\" onload=x\u202e\0"])
def test_no_name_changes_the_page_s_elements(word: str) -> None:
    page, usual = Reader(of(swarm(ticks=2, word=word))), Reader(of(swarm(ticks=2)))
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in usual.elements}
    assert {(tag, key) for tag, attrs in page.elements for key, _ in attrs} == {
        (tag, key) for tag, attrs in usual.elements for key, _ in attrs
    }
    shown = UNSEEN.sub(lambda found: ascii(found[0])[1:-1], word)
    assert f"Which is better, {shown} or not" in "".join(page.said)
    assert not UNSEEN.search("".join(page.said).replace("\n", ""))


def test_same_rows_same_bytes() -> None:
    tables = swarm(ticks=5)
    mixed = {name: rows.sample(fraction=1, shuffle=True, seed=3) for name, rows in tables.items()}
    assert of(mixed) == of(tables)
