"""The files beside the page hold the graph of the catalog, all of it, and give the same bytes each time."""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl
import pytest

from coevo_pipelines.lake.catalog import CATALOG, open_catalog
from coevo_pipelines.lake.schemas import RELATIONS
from coevo_pipelines.report.graph import data
from coevo_pipelines.report.page import About
from coevo_pipelines.report.pages.graph import PAGE
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.report.browser import HOSTILE, Reader
from coevo_pipelines_tests.report.graph.worlds import ABOUT, Frames, frames
from coevo_pipelines_tests.runs import DAYS


def asked(settings: Settings, day: Any) -> Frames:
    with open_catalog(settings.lake_root / CATALOG) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET VARIABLE day = DATE '{day}'")
        return {
            name: pl.DataFrame(pl.from_arrow(connection.execute(sql).to_arrow_table()))
            for name, sql in PAGE.queries.items()
        }


def joined(files: dict[str, Any]) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Columns of works and of links over all parts."""
    parts = [files[f"graph/{number}"] for number in range(files["graph/head"]["parts"])]
    works = {name: [value for part in parts for value in part[name]] for name in parts[0] if name != "links"}
    links = {name: [value for part in parts for value in part["links"][name]] for name in parts[0]["links"]}
    return works, links


@pytest.mark.parametrize("day", [DAYS[0], DAYS[-1]])
def test_every_work_and_every_link_of_the_catalog_is_there(sample: Settings, day: Any) -> None:
    files = dict(PAGE.data(asked(sample, day), About(day, "sample", (day,))))
    works, links = joined(files)
    with open_catalog(sample.lake_root / CATALOG) as connection:
        edges = connection.execute(
            f"""SELECT source, target, relation, weight, epoch(event_at) // 86400
            FROM citations.edges_as_of(DATE '{day}')"""
        ).fetchall()
        nodes = connection.execute(
            f"""SELECT node_id, is_stub, coalesce(inflow, 0) FROM citations.nodes_as_of(DATE '{day}')
            LEFT JOIN (FROM influence.scores WHERE date = DATE '{day}') USING (node_id)"""
        ).fetchall()
        chambers = connection.execute(
            f"SELECT node_id, chamber_id FROM influence.lattice WHERE date = DATE '{day}' AND chamber_id IS NOT NULL"
        ).fetchall()
    named = zip(links["s"], links["t"], links["r"], links["w"], links["d"], strict=True)
    told = sorted((works["id"][s], works["id"][t], RELATIONS[r], w, d) for s, t, r, w, d in named)
    assert told == sorted((*edge[:4], int(edge[4])) for edge in edges)
    assert dict(zip(works["id"], works["stub"], strict=True)) == {node: int(stub) for node, stub, _ in nodes}
    inflow = dict(zip(works["id"], works["inflow"], strict=True))
    assert inflow == pytest.approx({node: value for node, _, value in nodes}, rel=1e-3)
    ids = [each["id"] for each in files["graph/head"]["chambers"]]
    assert sorted((work, ids[c]) for work, c in zip(works["id"], works["chamber"], strict=True) if c >= 0) == sorted(
        chambers
    )


def test_parts_can_be_drawn_in_turn_and_are_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "PART", 500)
    given = frames(1200, 2000)
    files = dict(PAGE.data(given, ABOUT))
    assert files["graph/head"]["parts"] == 3
    seen = 0
    for number in range(3):
        part = files[f"graph/{number}"]
        seen += len(part["id"])
        assert {len(part[name]) for name in part if name not in ("map", "time", "links")} == {len(part["id"])}
        assert len(part["map"]) == len(part["time"]) == 2 * len(part["id"])
        assert max(part["links"]["s"] + part["links"]["t"]) < seen
    works, _ = joined(files)
    assert works["inflow"] == sorted(works["inflow"], reverse=True)
    again = dict(PAGE.data(given, ABOUT))
    assert orjson.dumps(files) == orjson.dumps(again)


def test_neighbouring_chambers_have_colours_of_their_own() -> None:
    head = dict(PAGE.data(frames(2000, 5000, communities=10), ABOUT))["graph/head"]
    assert len({each["colour"] for each in head["chambers"]}) == 10


@pytest.mark.parametrize(
    ("works", "links", "says"),
    [
        (0, 0, "There is no work in the graph yet on 2019-03-27"),
        (1, 0, "1 work and 0 links between them"),
        (40, 0, "No work is linked with another one yet"),
        (300, 400, "300 works and 400 links"),
    ],
)
def test_small_and_empty_graphs_are_said(works: int, links: int, says: str) -> None:
    given = frames(works, links)
    if links:
        says = says.replace("400", str(given["edges"].height))
    assert says in Reader(PAGE.body(given, ABOUT).encode()).text
    assert len(dict(PAGE.data(given, ABOUT))) == (2 if works else 0)


def test_strangers_titles_are_words_only() -> None:
    given = frames(30, 60, title=HOSTILE)
    page = Reader(PAGE.body(given, ABOUT).encode())
    assert not {name for name, _ in page.elements} & {"script", "img", "iframe", "style"}
    works, _ = joined(dict(PAGE.data(given, ABOUT)))
    assert not any("\u202e" in title or "\0" in title for title in works["title"])


def test_works_without_date_title_kind_or_score_are_there() -> None:
    given = frames(50, 80)
    bare = given["nodes"].with_columns(
        pl.lit(None, pl.Date).alias("created"), pl.lit(None, pl.String).alias("title"),
        pl.lit(None, pl.String).alias("kind"), pl.lit(None, pl.String).alias("chamber_id"), is_stub=pl.lit(True),
    )  # fmt: skip
    given |= {"nodes": bare, "chambers": given["chambers"].clear()}
    works, _ = joined(dict(PAGE.data(given, ABOUT)))
    assert works["kind"] == [-1] * 50
    assert works["created"] == [None] * 50
    assert "only named" in Reader(PAGE.body(given, ABOUT).encode()).text
