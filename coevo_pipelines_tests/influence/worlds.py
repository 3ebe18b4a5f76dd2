"""Small worlds for the tests of the stage: the graph of a day as frames, and lakes that a few facts made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from coevo_pipelines.citations.assets import compute as citations_of
from coevo_pipelines.influence.assets import compute as scores_of_lake
from coevo_pipelines.influence.day import Known
from coevo_pipelines.lake.schemas import TABLES
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.settings import Influence, Settings, load_settings
from coevo_pipelines_tests.citations.test_graph import DAY, Row, at, frame

INFLUENCE = tuple(name for name in TABLES if name.startswith("influence."))
CITATIONS = tuple(name for name in TABLES if name.startswith("citations."))
TRACES = ("traces.works", "traces.references", "traces.people", "traces.identities")

_NODES = pl.Schema(
    {
        "node_id": pl.String(), "node": pl.Int64(), "is_stub": pl.Boolean(), "kind": pl.String(), "title": pl.String(),
        "owner": pl.String(), "status": pl.String(), "license": pl.String(),
        "created_at": pl.Datetime("us", "UTC"), "event_at": pl.Datetime("us", "UTC"),
        "fields": pl.List(pl.String()), "tags": pl.List(pl.String()), "topics": pl.List(pl.String()),
        "authors": pl.String(),
    }
)  # fmt: skip
_LINKS = pl.Schema(
    {
        "source": pl.String(), "target": pl.String(), "source_node": pl.Int64(), "target_node": pl.Int64(),
        "relation": pl.String(), "weight": pl.Int64(), "own": pl.String(), "event_at": pl.Datetime("us", "UTC"),
    }
)  # fmt: skip


def node(name: str, days: float = 0, **more: Any) -> Row:
    """A work that appeared `days` after DAY, described."""
    moment = at(0) + timedelta(days=days)
    row = {"node_id": name, "is_stub": False, "kind": "paper", "title": name, "created_at": moment, "event_at": moment}
    return row | {"fields": [], "tags": [], "topics": []} | more


def stub(name: str, days: float = 0) -> Row:
    """A work that is only named."""
    return node(name, days, is_stub=True, kind=None, title=None, created_at=None)


def link(source: str, target: str, relation: str = "cites", days: float = 0, weight: int = 1) -> Row:
    row = {"source": source, "target": target, "relation": relation, "event_at": at(0) + timedelta(days=days)}
    return row | {"weight": weight, "own": None if weight else "same_owner"}


def cites(text: str) -> list[Row]:
    """`A>B C>B`: links of one relation."""
    pairs = (pair.split(">") for pair in text.split())
    return [link(source, target) for source, target in pairs]


def frames(nodes: Iterable[Row | str], links: Iterable[Row] = ()) -> tuple[pl.DataFrame, pl.DataFrame]:
    """As `citations.asof.works` and `.edges` give them; works are numbered as they come."""
    given = [node(each) if isinstance(each, str) else each for each in nodes]
    rows = [{"node": number * 10, **each} for number, each in enumerate(given)]
    numbers = {row["node_id"]: row["node"] for row in rows}
    ends = [{**each, "source_node": numbers[each["source"]], "target_node": numbers[each["target"]]} for each in links]
    return pl.DataFrame(rows, schema=_NODES), pl.DataFrame(ends, schema=_LINKS)


NO_CLAIMS = TABLES["traces.claims"].empty()


def names(pairs: Mapping[str, str] | None = None) -> pl.DataFrame:
    """What stands for identifiers: (id, canonical)."""
    given = pairs or {}
    return pl.DataFrame(
        {"id": list(given), "canonical": list(given.values())}, schema={"id": pl.String, "canonical": pl.String}
    )


def known(
    nodes: Iterable[Row | str],
    links: Iterable[Row] = (),
    *,
    day: date = DAY,
    aliases: Mapping[str, str] | None = None,
    before: Sequence[pl.DataFrame] = (),
) -> Known:
    """A day's graph; the month began with the same."""
    graph = frames(nodes, links)
    return Known(day, *graph, names(aliases), NO_CLAIMS, graph, before)


def settings_with(**influence: Any) -> Settings:
    """The sample's settings, with others for influence."""
    return load_settings().model_copy(update={"influence": Influence(**influence)})


def trace(lake: Lake, offset: int, facts: Mapping[str, list[Row]]) -> None:
    """Commit a day's facts."""
    for table in TRACES:
        rows = facts.get(table.partition(".")[2], [])
        lake.write(table, DAY + timedelta(offset), frame(table, rows))


def link_up(lake: Lake, offset: int) -> None:
    """Compute and commit the graph of a day."""
    day = DAY + timedelta(offset)
    for table, result in citations_of(day, lake.snapshot()).items():
        lake.write(table, day, result.frame)


def score(lake: Lake, offset: int, settings: Settings | None = None) -> Mapping[str, Any]:
    """Compute and commit the influence of a day; the metadata by table."""
    day = DAY + timedelta(offset)
    snapshot = lake.snapshot()
    results = scores_of_lake(settings or load_settings(), day, snapshot)
    for table, result in results.items():
        lake.write(table, day, result.frame, inputs=snapshot.inputs)
    return {table: result.metadata for table, result in results.items()}


def lake_of(root: Path, days: Mapping[int, Mapping[str, list[Row]]], settings: Settings | None = None) -> Lake:
    """A lake with the facts of these days, through all stages, in order of date."""
    lake = Lake(root)
    for offset in sorted(days):
        trace(lake, offset, days[offset])
        link_up(lake, offset)
        score(lake, offset, settings)
    return lake


def put_graph(
    lake: Lake,
    offset: int,
    nodes: Iterable[Row | str] = (),
    links: Iterable[Row] = (),
    aliases: Mapping[str, str] | None = None,
    numbered: Mapping[str, int] | None = None,
    described: Iterable[Row] = (),
) -> dict[str, int]:
    """Commit a day's new nodes and links without asking where they came from; the numbers of all nodes so far.

    `numbered`: what the call for the day before returned. `described`: works that were only named before.
    """
    day = DAY + timedelta(offset)
    given = [node(each, offset) if isinstance(each, str) else each for each in nodes]
    start = (day - date(1970, 1, 1)).days << 32
    numbers = {**(numbered or {}), **{row["node_id"]: start + place for place, row in enumerate(given)}}
    common = {"source": "arxiv", "event": "created", "event_at": at(offset), "status": "active", "topics": []}
    works = [
        common | {"work_id": row["node_id"], "owner": row.get("owner")}
        | {name: row[name] for name in ("kind", "title", "created_at", "fields", "tags")}
        for row in (*given, *described)
        if not row["is_stub"]
    ]  # fmt: skip
    listed = [{name: row.get(name) for name in TABLES["citations.nodes"].polars_schema()} for row in given]
    edges = [
        {
            **{name: each[name] for name in ("source", "target", "relation", "weight", "own")},
            "source_node": numbers[each["source"]], "target_node": numbers[each["target"]],
            "event_at": at(offset), "target_is_stub": False, "evidence": "",
        }
        for each in links
    ]  # fmt: skip
    trace(lake, offset, {"works": works})
    rows: dict[str, list[Row]] = {
        "citations.nodes": [{**row, "node": numbers[row["node_id"]]} for row in listed],
        "citations.aliases": [{"id": name, "node_id": stands} for name, stands in (aliases or {}).items()],
        "citations.edges": edges,
    }
    for table, each in rows.items():
        schema = TABLES[table].polars_schema()
        seen = {"observed_at": datetime(2026, 1, 9, tzinfo=UTC), "raw_sha256": "ab"}
        lake.write(table, day, pl.DataFrame([seen | row for row in each], schema=schema))
    return numbers


def scores(lake: Lake, offset: int, column: str = "influence") -> dict[str, Any]:
    """One score by work."""
    rows = lake.scan("influence.scores", on=DAY + timedelta(offset)).select("node_id", column).collect()
    return dict(rows.iter_rows())


def digests(lake: Lake, offset: int, tables: Sequence[str] = INFLUENCE) -> dict[str, str]:
    """sha256 of a day's files by table."""
    found = {table: lake.committed(table, DAY + timedelta(offset)) for table in tables}
    return {table: commit.sha256 for table, commit in found.items() if commit}
