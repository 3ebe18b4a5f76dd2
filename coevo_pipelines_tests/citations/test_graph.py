"""The graph by its definitions, on worlds small enough to work out by hand."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.citations.assets import TABLES as CITATIONS
from coevo_pipelines.citations.assets import compute
from coevo_pipelines.lake.schemas import TABLES
from coevo_pipelines.lake.store import Lake

DAY = date(2026, 1, 5)
Row = dict[str, Any]


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 1, 5, hour, tzinfo=UTC) + timedelta(days=day)


def work(work_id: str, day: int, *, created: int | None = None, **more: Any) -> Row:
    return {
        "work_id": work_id,
        "source": "arxiv",
        "kind": "paper",
        "event": "created",
        "event_at": at(day),
        "title": work_id,
        "created_at": at(day if created is None else created),
        "status": "active",
        "fields": [],
        "tags": [],
        "topics": [],
    } | more


def reference(source_id: str, target_id: str, day: int, relation: str = "cites", **more: Any) -> Row:
    row = {"source_id": source_id, "target_id": target_id, "relation": relation, "event_at": at(day)}
    return row | {"evidence": "referenced_works[0]", "source": "arxiv"} | more


def identity(one: str, other: str, day: int, *, same: bool = True, evidence: str = "arxiv:doi") -> Row:
    left, right = sorted((one, other))
    row = {"left_id": left, "right_id": right, "same": same, "event_at": at(day)}
    return row | {"evidence": evidence, "source": "arxiv"}


def author(work_id: str, name: str, position: int, day: int, orcid: str | None = None) -> Row:
    row = {"work_id": work_id, "source": "arxiv", "role": "author", "position": position, "name": name}
    return row | {"orcid": orcid, "event_at": at(day)}


def frame(table: str, rows: Iterable[Row]) -> pl.DataFrame:
    common = {"observed_at": at(9), "raw_sha256": "ab"}
    return pl.DataFrame([common | row for row in rows], schema=TABLES[table].polars_schema())


def build(root: Path, days: Mapping[int, Mapping[str, list[Row]]], order: Iterable[int] = ()) -> Lake:
    """Write the facts of each day, then compute the citations of every day in order of date."""
    lake = Lake(root)
    for offset in order or days:
        for table in ("works", "references", "people", "identities"):
            rows = days[offset].get(table, [])
            lake.write(f"traces.{table}", DAY + timedelta(offset), frame(f"traces.{table}", rows))
    for offset in sorted(days):
        day = DAY + timedelta(offset)
        for table, result in compute(day, lake.snapshot()).items():
            lake.write(table, day, result.frame)
    return lake


def rows(lake: Lake, table: str, *columns: str, day: int | None = None) -> list[tuple[Any, ...]]:
    last = DAY + timedelta(30)
    lazy = lake.scan(table, upto=last) if day is None else lake.scan(table, on=DAY + timedelta(day))
    return lazy.select(columns).collect().rows()


def test_a_reference_resolves_across_sources(tmp_path: Path) -> None:
    """OpenAlex cites W2; W2 has a DOI; arXiv says that its paper has that DOI: the edge ends at the paper."""
    lake = build(
        tmp_path,
        {
            0: {
                "works": [
                    work("arxiv:2601.1", 0),
                    work("openalex:W1", 0, source="openalex"),
                    work("openalex:W2", 0, created=1, source="openalex"),
                ],
                "identities": [identity("arxiv:2601.1", "doi:10.1/x", 0), identity("openalex:W2", "doi:10.1/x", 0)],
                "references": [reference("openalex:W1", "openalex:W2", 0)],
            }
        },
    )
    assert rows(lake, "citations.edges", "source", "target", "weight") == [("openalex:W1", "arxiv:2601.1", 1)]
    assert rows(lake, "citations.nodes", "node_id", "is_stub") == [("arxiv:2601.1", False), ("openalex:W1", False)]


def test_a_stub_gets_its_work_on_a_later_day_and_the_change_is_a_row(tmp_path: Path) -> None:
    lake = build(
        tmp_path,
        {
            0: {"works": [work("arxiv:a", 0)], "references": [reference("arxiv:a", "doi:10.1/x", 0)]},
            1: {},
            2: {"works": [work("arxiv:b", 2)], "identities": [identity("arxiv:b", "doi:10.1/x", 2)]},
            3: {"works": [work("arxiv:c", 3)], "references": [reference("arxiv:c", "doi:10.1/x", 3)]},
        },
    )
    assert rows(lake, "citations.nodes", "node_id", "is_stub", day=0) == [("arxiv:a", False), ("doi:10.1/x", True)]
    assert rows(lake, "citations.edges", "target", "target_is_stub", day=0) == [("doi:10.1/x", True)]
    assert rows(lake, "citations.resolutions", "node_id", "resolved_id", "was_stub", "date") == [
        ("doi:10.1/x", "arxiv:b", True, DAY + timedelta(2))
    ]
    assert rows(lake, "citations.edges", "target", "target_is_stub", day=3) == [("arxiv:b", False)]


def test_a_stub_that_gets_a_work_of_its_own_name_is_resolved_to_itself(tmp_path: Path) -> None:
    mention = reference("arxiv:a", "github:o/r", 0, "mentions")
    lake = build(
        tmp_path,
        {
            0: {"works": [work("arxiv:a", 0)], "references": [mention]},
            1: {"works": [work("github:o/r", 1, kind="repository")]},
            2: {},
        },
    )
    resolved = rows(lake, "citations.resolutions", "node_id", "resolved_id", "was_stub", "date")
    assert resolved == [("github:o/r", "github:o/r", True, DAY + timedelta(1))]


def test_one_edge_for_a_link_however_often_it_is_said(tmp_path: Path) -> None:
    """Twice on one day, again on a later day, and under another name of the same work."""
    lake = build(
        tmp_path,
        {
            0: {
                "works": [work("arxiv:a", 0), work("arxiv:b", -9)],
                "identities": [identity("arxiv:b", "doi:10.1/b", 0)],
                "references": [
                    reference("arxiv:a", "arxiv:b", 0, evidence="z"),
                    reference("arxiv:a", "arxiv:b", 0, evidence="y"),
                ],
            },
            1: {"references": [reference("arxiv:a", "doi:10.1/b", 1), reference("arxiv:a", "arxiv:b", 1, "mentions")]},
        },
    )
    assert rows(lake, "citations.edges", "target", "relation", "evidence", "date") == [
        ("arxiv:b", "cites", "y", DAY),
        ("arxiv:b", "mentions", "referenced_works[0]", DAY + timedelta(1)),
    ]


def test_links_of_ones_own_weigh_nothing(tmp_path: Path) -> None:
    owned: Row = {"kind": "repository", "source": "github"}
    lake = build(
        tmp_path,
        {
            0: {
                "works": [
                    work("arxiv:a", 0),
                    work("arxiv:b", 0),
                    work("arxiv:c", 0),
                    work("github:o/1", 0, owner="github:o", **owned),
                    work("github:o/2", 0, owner="github:o", **owned),
                    work("github:p/1", 0, owner="github:p", **owned),
                ],
                "people": [
                    author("arxiv:a", "Ada Lovelace", 1, 0),
                    author("arxiv:a", "Grace Hopper", 2, 0),
                    author("arxiv:b", "grace hopper", 1, 0),
                    author("arxiv:b", "Ada Lovelace", 2, 0),
                    author("arxiv:c", "Ada Lovelace", 1, 0),
                ],
                "identities": [identity("arxiv:c", "doi:10.1/c", 0)],
                "references": [
                    reference("arxiv:a", "arxiv:b", 0),
                    reference("arxiv:a", "arxiv:c", 0),
                    reference("arxiv:c", "doi:10.1/c", 0),
                    reference("github:o/1", "github:o/2", 0, "depends_on"),
                    reference("github:o/1", "github:p/1", 0, "depends_on"),
                    reference("github:o/1", "pypi:numpy", 0, "depends_on"),
                ],
            }
        },
    )
    assert rows(lake, "citations.edges", "source", "target", "weight", "own") == [
        ("arxiv:a", "arxiv:b", 0, "same_authors"),
        ("arxiv:a", "arxiv:c", 1, None),
        ("arxiv:c", "arxiv:c", 0, "self_loop"),
        ("github:o/1", "github:o/2", 0, "same_owner"),
        ("github:o/1", "github:p/1", 1, None),
        ("github:o/1", "pypi:numpy", 1, None),
    ]


def test_the_latest_list_says_who_the_authors_are(tmp_path: Path) -> None:
    """A name that a later list writes otherwise is not a second author."""
    lake = build(
        tmp_path,
        {
            0: {
                "works": [work("arxiv:a", 0), work("arxiv:b", 0)],
                "people": [author("arxiv:a", "A. Lovelace", 1, 0), author("arxiv:b", "Ada Lovelace", 1, 0)],
                "references": [reference("arxiv:a", "arxiv:b", 0)],
            },
            1: {
                "people": [author("arxiv:a", "Ada Lovelace", 1, 1)],
                "references": [reference("arxiv:a", "arxiv:b", 1, "mentions")],
            },
        },
    )
    edges = rows(lake, "citations.edges", "relation", "weight", "own")
    assert edges == [("cites", 1, None), ("mentions", 0, "same_authors")]


@pytest.mark.parametrize(("newer_by", "kept"), [(-400, True), (30, True), (31, False)])
def test_a_target_newer_than_thirty_days_is_quarantined(tmp_path: Path, newer_by: int, kept: bool) -> None:
    """Such links come with an opening partition, which holds years of references at once."""
    lake = build(
        tmp_path,
        {
            0: {
                "works": [work("arxiv:a", 0, created=-100), work("arxiv:b", 0, created=-100 + newer_by)],
                "references": [reference("arxiv:a", "arxiv:b", -100)],
            }
        },
    )
    edges, held = rows(lake, "citations.edges", "target"), rows(lake, "citations.quarantine", "target", "reason")
    assert (len(edges), len(held)) == ((1, 0) if kept else (0, 1))
    assert kept or held == [("arxiv:b", "target_newer_than_source")]


def test_an_identity_that_is_taken_back_no_longer_joins(tmp_path: Path) -> None:
    lake = build(
        tmp_path,
        {
            0: {
                "works": [work("arxiv:a", 0), work("arxiv:b", 0, created=-1), work("arxiv:c", 0)],
                "identities": [identity("arxiv:a", "arxiv:b", 0)],
                "references": [reference("arxiv:c", "arxiv:a", 0)],
            },
            1: {"identities": [identity("arxiv:a", "arxiv:b", 1, same=False)]},
            2: {"references": [reference("arxiv:c", "arxiv:a", 2, "mentions")]},
        },
    )
    assert rows(lake, "citations.edges", "target", day=0) == [("arxiv:b",)]
    assert rows(lake, "citations.edges", "target", day=2) == [("arxiv:a",)]


def test_nodes_are_numbered_by_event_time_within_their_day(tmp_path: Path) -> None:
    lake = build(
        tmp_path,
        {
            0: {"works": [work("arxiv:z", 0, created=-50), work("arxiv:a", 0), work("arxiv:b", 0, created=-20)]},
            1: {"works": [work("arxiv:m", 1)]},
        },
    )
    numbers = dict(rows(lake, "citations.nodes", "node_id", "node"))
    assert sorted(numbers, key=numbers.__getitem__) == ["arxiv:z", "arxiv:b", "arxiv:a", "arxiv:m"]
    assert [numbers[name] % 2**32 for name in ("arxiv:z", "arxiv:b", "arxiv:a", "arxiv:m")] == [0, 1, 2, 0]
    assert numbers["arxiv:m"] >> 32 == (DAY + timedelta(1) - date(1970, 1, 1)).days


def test_an_edge_names_the_numbers_of_its_ends(tmp_path: Path) -> None:
    days = {
        0: {"works": [work("arxiv:a", 0)]},
        1: {"works": [work("arxiv:b", 1)], "references": [reference("arxiv:b", "arxiv:a", 1)]},
    }
    lake = build(tmp_path, days)
    numbers = dict(rows(lake, "citations.nodes", "node_id", "node"))
    (edge,) = rows(lake, "citations.edges", "source", "target", "source_node", "target_node")
    assert edge == ("arxiv:b", "arxiv:a", numbers["arxiv:b"], numbers["arxiv:a"])


def test_an_empty_world(tmp_path: Path) -> None:
    lake = build(tmp_path, {0: {}})
    assert all(lake.scan(table, on=DAY).collect().height == 0 for table in CITATIONS)


def test_no_look_ahead(tmp_path: Path) -> None:
    """The result of a day is the same whether or not later days are in the lake."""
    days: dict[int, dict[str, list[Row]]] = {
        0: {"works": [work("arxiv:a", 0)], "references": [reference("arxiv:a", "doi:10.1/x", 0)]},
        1: {"works": [work("arxiv:b", 1)], "identities": [identity("arxiv:b", "doi:10.1/x", 1)]},
    }
    cut, full = build(tmp_path / "cut", {0: days[0]}), build(tmp_path / "full", days)
    for table in CITATIONS:
        assert cut.path(table, DAY).read_bytes() == full.path(table, DAY).read_bytes()


IDS = ("arxiv:a", "arxiv:b", "doi:10.1/c", "openalex:W1", "openalex:W2", "github:o/r")


@settings(max_examples=4, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 2)), min_size=1, max_size=6, unique=True),
    st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS), st.integers(0, 2)), max_size=5),
    st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS), st.integers(0, 2)), max_size=8),
    st.randoms(use_true_random=False),
)
def test_input_order_is_irrelevant(
    works: list[tuple[str, int]],
    identities: list[tuple[str, str, int]],
    references: list[tuple[str, str, int]],
    random: Any,
) -> None:
    """Rows shuffled, days written in another order: the same bytes. Every edge's ends are nodes."""

    def world(shuffle: bool) -> dict[int, dict[str, list[Row]]]:
        days: dict[int, dict[str, list[Row]]] = {n: {"works": [], "identities": [], "references": []} for n in range(3)}
        for name, n in works:
            days[n]["works"].append(work(name, n))
        for left, right, n in dict.fromkeys((min(a, b), max(a, b), n) for a, b, n in identities if a != b):
            days[n]["identities"].append(identity(left, right, n))
        for one, other, n in dict.fromkeys(references):
            days[n]["references"].append(reference(one, other, n))
        if shuffle:
            for tables in days.values():
                for listed in tables.values():
                    random.shuffle(listed)
        return days

    with tempfile.TemporaryDirectory() as folder:
        plain = build(Path(folder) / "plain", world(False))
        other = build(Path(folder) / "other", world(True), order=(2, 0, 1))
        for table in CITATIONS:
            for n in range(3):
                day = DAY + timedelta(n)
                assert plain.path(table, day).read_bytes() == other.path(table, day).read_bytes()
        listed = [name for (name,) in rows(plain, "citations.nodes", "node_id")]
        assert len(listed) == len(set(listed))
        ends = {end for edge in rows(plain, "citations.edges", "source", "target") for end in edge}
        assert ends <= set(listed)
