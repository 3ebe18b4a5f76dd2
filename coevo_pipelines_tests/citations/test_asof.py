"""The graph as of a day: what stands, what became one, and what is whose by then."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from coevo_pipelines.citations import asof
from coevo_pipelines.lake.catalog import CATALOG, open_catalog
from coevo_pipelines.lake.engine import Engine
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.citations.test_graph import DAY, at, author, build, identity, reference, rows, work
from coevo_pipelines_tests.runs import DAYS

OWNED: dict[str, Any] = {"kind": "repository", "source": "github"}


def standing(lake: Lake, day: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The works and edges of the day."""
    with Engine(lake.snapshot()) as engine:
        works, people, aliases, nodes, edges = (engine.table(name, upto=day) for name in asof.KNOWN)
        known = asof.Known(day, works, people, aliases, nodes, edges, engine)
        stand = engine.keep(asof.works(known))
        links = engine.frame(asof.edges(known, stand))
        return engine.frame(stand).sort("node_id"), links.sort("source", "target", "relation")


def on(lake: Lake, day: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    return standing(lake, DAY + timedelta(day))


def test_an_alias_is_a_row_on_the_day_on_which_it_changes(tmp_path: Path) -> None:
    """A DOI is joined to a paper, the pair to an earlier one, then let go again."""
    lake = build(
        tmp_path,
        {
            0: {"works": [work("arxiv:b", 0)], "identities": [identity("arxiv:b", "doi:10.1/x", 0)]},
            1: {},
            2: {"works": [work("arxiv:a", 2, created=-5)], "identities": [identity("arxiv:a", "doi:10.1/x", 2)]},
            3: {"identities": [identity("arxiv:a", "doi:10.1/x", 3, same=False)]},
            4: {"identities": [identity("arxiv:b", "doi:10.1/x", 4, same=False)]},
        },
    )
    assert rows(lake, "citations.aliases", "date", "id", "node_id") == [
        (DAY, "doi:10.1/x", "arxiv:b"),
        (DAY + timedelta(2), "arxiv:b", "arxiv:a"),
        (DAY + timedelta(2), "doi:10.1/x", "arxiv:a"),
        (DAY + timedelta(3), "arxiv:b", "arxiv:b"),
        (DAY + timedelta(3), "doi:10.1/x", "arxiv:b"),
        (DAY + timedelta(4), "doi:10.1/x", "doi:10.1/x"),
    ]


def test_a_stub_is_replaced_by_the_work_that_it_turned_out_to_be(tmp_path: Path) -> None:
    lake = build(
        tmp_path,
        {
            0: {"works": [work("arxiv:a", 0)], "references": [reference("arxiv:a", "doi:10.1/x", 0)]},
            1: {
                "works": [work("arxiv:b", 1, created=-3, fields=["cs.NE"], tags=["swarm"], topics=["ants"])],
                "people": [author("arxiv:b", "Ada Lovelace", 1, 1)],
                "identities": [identity("arxiv:b", "doi:10.1/x", 1)],
            },
        },
    )
    works, edges = on(lake, 0)
    assert works.select("node_id", "is_stub").rows() == [("arxiv:a", False), ("doi:10.1/x", True)]
    assert works.row(1, named=True) == {
        "node_id": "doi:10.1/x", "node": works["node"][1], "is_stub": True, "kind": None, "title": None, "owner": None,
        "created_at": None, "event_at": at(0), "fields": [], "tags": [], "topics": [], "authors": None,
        "status": None, "license": None,
    }  # fmt: skip
    assert edges["target"].to_list() == ["doi:10.1/x"]
    works, edges = on(lake, 1)
    assert works.row(1, named=True) == {
        "node_id": "arxiv:b", "node": works["node"][1], "is_stub": False, "kind": "paper", "title": "arxiv:b",
        "owner": None, "created_at": at(-3), "event_at": at(-3), "fields": ["cs.NE"], "tags": ["swarm"],
        "topics": ["ants"], "authors": "ada lovelace", "status": "active", "license": None,
    }  # fmt: skip
    assert works["node_id"].to_list() == ["arxiv:a", "arxiv:b"]
    assert edges.select("target", "target_node").rows() == [("arxiv:b", works["node"][1])]


def test_the_description_is_the_latest_one_by_the_day(tmp_path: Path) -> None:
    lake = build(
        tmp_path,
        {0: {"works": [work("arxiv:a", 0, title="One")]}, 1: {"works": [work("arxiv:a", 1, created=0, title="Two")]}},
    )
    assert [on(lake, day)[0]["title"].to_list() for day in (0, 1)] == [["One"], ["Two"]]


def test_a_link_weighs_nothing_once_it_is_known_to_be_of_ones_own(tmp_path: Path) -> None:
    """Three names, of which each turns out to be another's own: the same authors', the same work, the same owner's."""
    lake = build(
        tmp_path,
        {
            0: {
                "works": [
                    work("github:o/1", 0, owner="github:o", **OWNED),
                    work("arxiv:a", 0),
                ],
                "people": [author("arxiv:a", "Ada Lovelace", 1, 0)],
                "references": [
                    reference("github:o/1", "github:o/2", 0, "depends_on"),
                    reference("github:o/1", "doi:10.1/o", 0, "mentions"),
                    reference("arxiv:a", "doi:10.1/a", 0),
                ],
            },
            1: {
                "works": [work("github:o/2", 1, created=-9, owner="github:o", **OWNED), work("arxiv:c", 1, created=-9)],
                "people": [author("arxiv:c", "ADA LOVELACE", 1, 1)],
                "identities": [identity("github:o/1", "doi:10.1/o", 1), identity("arxiv:c", "doi:10.1/a", 1)],
            },
        },
    )
    assert on(lake, 0)[1]["weight"].to_list() == [1, 1, 1]
    assert on(lake, 1)[1].select("source", "target", "weight", "own").rows() == [
        ("arxiv:a", "arxiv:c", 0, "same_authors"),
        ("doi:10.1/o", "doi:10.1/o", 0, "self_loop"),
        ("doi:10.1/o", "github:o/2", 0, "same_owner"),
    ]


def test_links_that_became_one_are_one_dated_by_the_first(tmp_path: Path) -> None:
    lake = build(
        tmp_path,
        {
            0: {
                "works": [work("arxiv:a", 0), work("arxiv:b", 0, created=-2)],
                "references": [reference("arxiv:a", "doi:10.1/b", 0), reference("arxiv:a", "arxiv:b", 0, "mentions")],
            },
            1: {"references": [reference("arxiv:a", "arxiv:b", 1)]},
            2: {"identities": [identity("arxiv:b", "doi:10.1/b", 2)]},
        },
    )
    assert on(lake, 1)[1].height == 3
    assert on(lake, 2)[1].select("target", "relation", "event_at").rows() == [
        ("arxiv:b", "cites", at(0)),
        ("arxiv:b", "mentions", at(0)),
    ]


@pytest.mark.parametrize(("newer_by", "kept"), [(30, True), (31, False)])
def test_a_link_goes_once_its_target_turns_out_to_be_newer(tmp_path: Path, newer_by: int, kept: bool) -> None:
    lake = build(
        tmp_path,
        {
            0: {"works": [work("arxiv:a", 0)], "references": [reference("arxiv:a", "doi:10.1/x", 0)]},
            1: {
                "works": [work("arxiv:b", 1, created=newer_by)],
                "identities": [identity("arxiv:b", "doi:10.1/x", 1)],
            },
        },
    )
    assert [on(lake, day)[1].height for day in (0, 1)] == [1, int(kept)]


def test_works_that_are_let_go_again_stand_again(tmp_path: Path) -> None:
    lake = build(
        tmp_path,
        {
            0: {"works": [work("arxiv:a", 0), work("arxiv:b", 0, created=-1)]},
            1: {"identities": [identity("arxiv:a", "arxiv:b", 1)]},
            2: {"identities": [identity("arxiv:a", "arxiv:b", 2, same=False)]},
        },
    )
    assert [on(lake, day)[0]["node_id"].to_list() for day in range(3)] == [
        ["arxiv:a", "arxiv:b"],
        ["arxiv:b"],
        ["arxiv:a", "arxiv:b"],
    ]


def test_an_empty_world(tmp_path: Path) -> None:
    works, edges = on(build(tmp_path, {0: {}}), 0)
    assert (works.height, edges.height) == (0, 0)


@pytest.mark.parametrize("day", DAYS)
def test_the_catalog_says_the_same_of_the_sample(sample: Settings, day: date) -> None:
    works, edges = standing(Lake(sample.lake_root), day)
    assert edges.filter(pl.col("weight") == 0).height > 0
    assert works.height > 500
    columns = ["node_id", "node", "is_stub", "kind", "created_at"]
    # Not the weight: the catalog keeps that of the day on which a link was listed.
    link = ["source", "target", "relation", "event_at"]
    with open_catalog(sample.lake_root / CATALOG) as catalog:
        nodes = catalog.execute(f"SELECT {', '.join(columns)} FROM citations.nodes_as_of(?)", [day]).fetchall()
        links = catalog.execute(f"SELECT {', '.join(link)} FROM citations.edges_as_of(?)", [day]).fetchall()
    assert works.select(columns).rows() == sorted(nodes)
    assert edges.select(link).rows() == sorted(links)
