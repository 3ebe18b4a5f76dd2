"""The page of the chambers: what it says of known rows, that it adds up, and that no name can do anything to it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from coevo_pipelines.influence.asked import compare_days
from coevo_pipelines.lake.catalog import CATALOG, open_catalog
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.report.pages.chambers import MAPPED, MOST, PAGE
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.report.asked import BEFORE, DAY, LATER, links, page_of, said, shown, tags
from coevo_pipelines_tests.report.browser import HOSTILE
from coevo_pipelines_tests.runs import DAYS

TITLES = {"a": "Ant trails", "b": "Bee dances", "c": "Cat maps", "d": "Dune walks", "e": "Eel fields", "f": None}


def lattice(seats: dict[str, str | None], **more: Any) -> list[dict[str, Any]]:
    return [{"node_id": work, "chamber_id": seat, **more} for work, seat in seats.items()]


def chamber(name: str, size: int, terms: list[str], **more: Any) -> dict[str, Any]:
    return {"chamber_id": name, "size": size, "leading_terms": terms, "leading_works": ["a"], "density": 0.25,
            "conductance": 0.125, "event": "continued"} | more  # fmt: skip


def world(**more: Any) -> dict[str, list[dict[str, Any]]]:
    """Yesterday ants {a, b, c} and old {d, e}; today ants {a, b} with the new f, and cats {c, d, e}."""
    ants, cats, old = "2026-11-01-0001", "2026-11-20-0001", "2026-11-01-0002"
    influence = {"a": 0.4, "b": 0.1, "c": 0.2, "d": 0.1, "e": 0.1, "f": 0.1}
    return {
        "influence.chambers": [
            chamber(ants, 3, ["ants"], date=BEFORE),
            chamber(old, 2, ["old"], date=BEFORE),
            chamber(ants, 3, ["ants", "trails"], origins=[ants]),
            chamber(cats, 3, ["cats"], event="merged", origins=[old], leading_works=["c", "d"]),
        ],
        "influence.lattice": [
            *lattice({"a": ants, "b": ants, "c": ants, "d": old, "e": old}, date=BEFORE),
            *lattice({"a": ants, "b": ants, "f": ants, "c": cats, "d": cats, "e": cats}),
        ],
        "influence.scores": [
            {"node_id": work, "influence": score, "integrative_potential": 0.75 if work == "c" else None,
             "fields_in": 2.0, "fields_out": None}
            for work, score in influence.items()
        ],
        "citations.nodes": [
            {"node_id": work, "kind": "paper" if title else None, "title": title, "date": BEFORE}
            for work, title in TITLES.items()
        ],
        "influence.bonds": [
            {"work_id": one, "other_id": other, "together": together, "days": 2}
            for one, other, together in (("a", "b", 2), ("a", "f", 1), ("b", "c", 1), ("a", "c", 1), ("d", "e", 2))
        ],
    } | more  # fmt: skip


def test_what_it_says() -> None:
    written = page_of(PAGE, world())
    words = said(written)
    for each in (
        "Chambers 2 Works in a chamber 6 Works in none 0 The largest holds 3 works",
        "1. ants, trails 2 papers, 1 only named 3 60.0% 25.0% 12.5%",
        "2. cats 3 papers · merged 3 40.0%",
        "Since 2026-11-19: 1 chamber went on, 0 appeared, 0 split off, 1 merged, 1 ended. 1 work is new in the graph, "
        "1 of them in a chamber; 3 works changed places.",
        "cats took in others from 2026-11-01-0002 (3 works)",
        "2026-11-01-0002 ended; most of it is in cats",
        "2026-11-01-0002 cats 2 Dune walks Eel fields",
        "ants, trails cats 1 Cat maps",
        "new in the graph ants, trails 1 f",
        "ants, trails and cats: 2 pairs",
        "Cat maps 0.75 – → 2.0 1 ants, trails (2)",
        "Of 5 bonds, 2 (40.0%) had both ends in one chamber on all of the last 2 days, 0 (0.0%) on none.",
    ):
        assert each in words, each
    assert {"work.html?id=c", "chamber.html?id=2026-11-20-0001"} <= links(written)
    assert "chamber.html?id=2026-11-01-0002" not in links(written), "of a chamber that is gone there is no page"
    assert written.count(b'<figure class="chart">') == 3


def test_nothing_moved() -> None:
    still = world()
    seats = [row for row in still["influence.lattice"] if "date" not in row]
    still["influence.lattice"] = [*seats, *({**row, "date": BEFORE} for row in seats)]
    words = said(page_of(PAGE, still))
    assert "No chamber appeared, split, merged or ended since 2026-11-19." in words
    assert "No work came or changed its chamber since 2026-11-19." in words


def test_the_first_day_has_nothing_to_compare_with() -> None:
    rows = world()
    only = {name: [row for row in held if row.get("date") != BEFORE or name == "citations.nodes"]
            for name, held in rows.items()}  # fmt: skip
    words = said(page_of(PAGE, only))
    assert "is the first day with chambers: there is nothing to compare it with yet." in words
    assert "Sizes of the largest chambers" not in words


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({}, "There is no chamber on 2026-11-20: no influence was computed for it."),
        ({"influence.lattice": lattice({"a": None})}, "the graph has no links between works yet."),
        (world(**{"influence.bonds": []}), "No two works are linked on 2026-11-20, so there is no bond."),
        (world(**{"influence.scores": []}), "No work joins several fields on 2026-11-20."),
        (world(**{"influence.chambers": [chamber("x", 2, [])]}), "There is one chamber only"),
    ],
)
def test_where_there_is_nothing_a_sentence_says_so(rows: dict[str, Any], told: str) -> None:
    assert told in said(page_of(PAGE, rows))


def test_a_work_that_was_renamed_has_not_moved() -> None:
    rows = world()
    rows["influence.lattice"] = [
        {**row, "node_id": "arxiv:a"} if row["node_id"] == "a" and row.get("date") == BEFORE else row
        for row in rows["influence.lattice"]
    ]
    rows["citations.aliases"] = [{"id": "arxiv:a", "node_id": "a"}]
    assert "1 work is new in the graph" in said(page_of(PAGE, rows))
    rows["citations.aliases"] = [{"id": "arxiv:a", "node_id": "a", "date": LATER}]
    assert "2 works are new in the graph" in said(page_of(PAGE, rows)), "that was learned later"


def test_later_days_change_no_byte() -> None:
    rows = world()
    later = {name: [*held, *({**row, "date": LATER} for row in held)] for name, held in rows.items()}
    later["influence.chambers"].append(chamber("LATER", 9, ["LATER"], date=LATER))
    assert page_of(PAGE, rows) == page_of(PAGE, later)


def test_strangers_words_do_nothing() -> None:
    rows = world()
    for row in rows["citations.nodes"]:
        row["title"] = HOSTILE
    for row in rows["influence.chambers"]:
        row["leading_terms"] = [HOSTILE, "z"]
    written = page_of(PAGE, rows)
    assert not {"iframe", "img"} & tags(written)
    assert written.count(b"<script") == page_of(PAGE, world()).count(b"<script")
    assert "\u202e" not in written.decode() and "</title></desc></svg>" in said(written)


def test_many_chambers_are_counted_where_they_are_not_shown() -> None:
    number = MOST + 5
    rows = world(**{
        "influence.chambers": [chamber(f"c{each:04}", number + 1 - each, [f"term{each}"]) for each in range(number)],
        "influence.lattice": [],
    })  # fmt: skip
    written = page_of(PAGE, rows)
    words = said(written)
    assert "And 5 more chambers, not shown: see influence.chambers." in words
    assert f"{MOST}. term{MOST - 1}" in words and f"term{MOST}" not in words
    assert f"between the {MAPPED} largest chambers" in words


@pytest.fixture(scope="module")
def page(sample: Settings) -> bytes:
    with open_catalog(sample.lake_root / CATALOG) as connection:
        return shown(PAGE, connection, DAYS[-1], "sample")


def test_the_sample_says_what_the_tables_say(sample: Settings, page: bytes) -> None:
    words = said(page)
    with open_catalog(sample.lake_root / CATALOG) as connection:
        connection.execute(f"SET VARIABLE day = DATE '{DAYS[-1]}'")
        chambers = connection.execute(
            "SELECT chamber_id, size, links FROM influence.chambers WHERE date = getvariable('day')"
        ).fetchall()
        seated, works, pairs = connection.execute(
            """SELECT (SELECT count(chamber_id) FROM influence.lattice WHERE date = getvariable('day')),
                (SELECT count(*) FROM influence.lattice WHERE date = getvariable('day')),
                (SELECT count(*) FROM influence.bonds WHERE date = getvariable('day'))"""
        ).fetchall()[0]
    assert f"Chambers {len(chambers)} Works in a chamber {seated} Works in none {works - seated}" in words
    assert f"The largest holds {max(size for _, size, _ in chambers)} works" in words
    assert f"Of {pairs} bonds," in words
    assert sum(size for _, size, _ in chambers) == seated
    assert {f"chamber.html?id={name}" for name, *_ in chambers} <= links(page)
    # The map's diagonal is what the table of chambers says of links inside.
    drawn = re.search(r'aria-label="Who is linked with whom".*?</svg>', page.decode(), re.DOTALL)
    assert drawn is not None
    numbers = [int(each) for each in re.findall(r">(\d+)</text>", drawn[0])]
    largest = sorted(chambers, key=lambda each: -each[1])[:5]
    assert all(inside in numbers for _, _, inside in largest)


def test_the_sample_moves_as_the_command_says(sample: Settings, page: bytes) -> None:
    found = compare_days(Lake(sample.lake_root).snapshot(), DAYS[-2], DAYS[-1], "influence", "duckdb")
    events = dict(found.chambers["event"].value_counts().iter_rows())
    counts = [events.get(each, 0) for each in ("continued", "appeared", "split", "merged")]
    went, *others = (f"{each:,}" for each in counts)
    told = f"{went} chambers went on, {others[0]} appeared, {others[1]} split off, {others[2]} merged, "
    assert told + f"{len(found.ended)} ended. {found.appeared} works are new in the graph" in said(page)


def test_the_same_rows_give_the_same_bytes() -> None:
    assert page_of(PAGE, world()) == page_of(PAGE, {name: rows[::-1] for name, rows in world().items()})
    assert DAY.isoformat() in said(page_of(PAGE, world()))
