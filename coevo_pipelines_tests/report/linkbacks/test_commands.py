"""`coevo export linkbacks` on the sample: what is in the lists, what is not, what is wrong to ask."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb
import pytest

from coevo_pipelines.lake.catalog import CATALOG
from coevo_pipelines.report.linkbacks import works
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.runs import DAYS, coevo

TOPIC = "swarm-intelligence"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_topic_gets_every_format(sample: Settings, tmp_path: Path) -> None:
    ended = coevo("export", "linkbacks", "--lake", str(sample.lake_root), "--out", str(tmp_path), "--json")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert [Path(each["file"]).name for each in told] == [
        "works.md", "works.csv", "works.json", "works.yaml", "works.bib", "CITATION.cff",
    ]  # fmt: skip
    assert {(each["topic"], each["works"]) for each in told} == {(TOPIC, 100)}
    assert all(Path(each["file"]).stat().st_size > 1000 for each in told)


def test_the_works_are_those_of_the_graph_by_inflow(sample: Settings, tmp_path: Path) -> None:
    ended = coevo("export", "linkbacks", "--most", "0", "--format", "csv", "--out", str(tmp_path), "--lake",
                  str(sample.lake_root))  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    found = rows(tmp_path / TOPIC / "works.csv")
    with duckdb.connect(str(sample.lake_root / CATALOG), read_only=True) as catalog:
        known = catalog.execute(
            f"""SELECT n.node_id, n.kind, s.inflow FROM citations.nodes_as_of(DATE '{DAYS[-1]}') n
            JOIN influence.scores s ON s.node_id = n.node_id AND s.date = DATE '{DAYS[-1]}' WHERE NOT n.is_stub
            AND n.kind <> 'hub_dataset' ORDER BY s.inflow DESC, n.node_id"""
        ).fetchall()
    # All works of the sample are of its one topic, but for what hubs publish.
    assert [(each["id"], each["kind"], float(each["inflow"])) for each in found] == known
    assert [int(each["rank"]) for each in found] == list(range(1, len(known) + 1))


def test_one_kind_keeps_its_rank_among_all(sample: Settings, tmp_path: Path) -> None:
    ended = coevo("export", "linkbacks", "--kind", "model", "--format", "csv", "--format", "csv", "--out",
                  str(tmp_path), "--lake", str(sample.lake_root))  # fmt: skip
    assert ended.stdout.count("works.csv") == 1
    found = rows(tmp_path / TOPIC / "works.csv")
    assert {each["kind"] for each in found} == {"model"}
    assert len(found) == 7
    assert int(found[-1]["rank"]) > 7


def test_an_earlier_day_knows_nothing_later(sample: Settings, tmp_path: Path) -> None:
    ended = coevo("export", "linkbacks", "--date", str(DAYS[0]), "--most", "0", "--format", "csv", "--out",
                  str(tmp_path), "--lake", str(sample.lake_root))  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    found = rows(tmp_path / TOPIC / "works.csv")
    assert max(each["published"] for each in found) == str(DAYS[0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--topic", "bees"), "no work was found under the topic 'bees'; there are swarm-intelligence"),
        (("--kind", "book"), "no kind 'book'"),
        (("--date", "2019-03-28"), "2019-03-28 is not in the lake; it has 2019-03-25 to 2019-03-27"),
        (("--date", "yesterday"), "is not a date"),
        (("--format", "word"), "'word' is not one of"),
    ],
)
def test_asked_wrongly(sample: Settings, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    out = tmp_path / "out"
    ended = coevo("export", "linkbacks", *arguments, "--out", str(out), "--lake", str(sample.lake_root))
    assert ended.returncode == 2
    assert said in " ".join(ended.stderr.split())
    assert not out.exists()


def test_without_a_lake(tmp_path: Path) -> None:
    ended = coevo("export", "linkbacks", "--lake", str(tmp_path / "none"), cwd=tmp_path)
    assert ended.returncode == 2
    assert "is not a lake" in ended.stderr
    assert not (tmp_path / "linkbacks").exists()


SCHEMAS = """
CREATE SCHEMA traces; CREATE SCHEMA citations; CREATE SCHEMA influence;
CREATE TABLE traces.works (date DATE, work_id VARCHAR, source VARCHAR, kind VARCHAR, title VARCHAR, url VARCHAR,
    license VARCHAR, owner VARCHAR, status VARCHAR, created_at TIMESTAMPTZ, event_at TIMESTAMPTZ, topics VARCHAR[]);
CREATE TABLE traces.people (date DATE, work_id VARCHAR, source VARCHAR, role VARCHAR, position BIGINT, name VARCHAR);
CREATE TABLE traces.optouts (date DATE, scope VARCHAR, subject VARCHAR);
CREATE TABLE citations.aliases (date DATE, id VARCHAR, node_id VARCHAR);
CREATE TABLE influence.scores (date DATE, node_id VARCHAR, inflow DOUBLE);
CREATE MACRO citations.resolved_as_of(day) AS TABLE SELECT '' AS node_id, '' AS resolved_id WHERE false;
SET TimeZone = 'UTC'; SET VARIABLE day = DATE '2019-03-25';
"""


def world(*rows: tuple[str, str, str, str | None]) -> duckdb.DuckDBPyConnection:
    """A catalog of works: id, source, status, owner."""
    connection = duckdb.connect()
    connection.execute(SCHEMAS)
    for number, (work, source, status, owner) in enumerate(rows):
        connection.execute(
            """INSERT INTO traces.works VALUES (DATE '2019-03-25', ?, ?, 'paper', ?, NULL, NULL, ?, ?,
            TIMESTAMPTZ '2019-03-25 00:00:00+00', TIMESTAMPTZ '2019-03-25 00:00:00+00' + to_hours(?), ['ants'])""",
            [work, source, f"title of {work}", owner, status, number],
        )
    return connection


def names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [work.id for work in works.works_of(connection, "live", DAYS[0], "ants", ("paper",), None).works]


@pytest.mark.parametrize("status", ["gone", "withdrawn", "blocked", "private"])
def test_what_is_not_public_any_more_is_in_no_list(status: str) -> None:
    connection = world(
        ("a:1", "arxiv", "active", None), ("b:1", "arxiv", "active", None), ("b:1", "arxiv", status, None)
    )
    assert names(connection) == ["a:1"]


@pytest.mark.parametrize(
    ("scope", "subject", "left"),
    [
        ("work", "a:1", ["b:1"]),
        ("work", "alias:a", ["b:1"]),
        ("owner", "github:ada", ["a:1"]),
        ("person", "x", ["a:1", "b:1"]),
    ],
)
def test_who_opted_out_is_in_no_list(scope: str, subject: str, left: list[str]) -> None:
    connection = world(("a:1", "arxiv", "active", None), ("b:1", "github", "active", "github:Ada"))
    connection.execute("INSERT INTO citations.aliases VALUES (DATE '2019-03-25', 'alias:a', 'a:1')")
    connection.execute("INSERT INTO traces.optouts VALUES (DATE '2019-03-25', ?, ?)", [scope, subject])
    assert names(connection) == left


def test_a_work_of_two_names_is_one_line_with_one_sources_authors() -> None:
    connection = world(("doi:10.1/a", "crossref", "active", None), ("arxiv:1", "arxiv", "active", None))
    connection.execute("INSERT INTO citations.aliases VALUES (DATE '2019-03-25', 'doi:10.1/a', 'arxiv:1')")
    for work, source, name in (("doi:10.1/a", "crossref", "A. Byron"), ("arxiv:1", "arxiv", "Ada Byron")):
        connection.execute(
            "INSERT INTO traces.people VALUES (DATE '2019-03-25', ?, ?, 'author', 1, ?)", [work, source, name]
        )
    (found,) = works.works_of(connection, "live", DAYS[0], "ants", ("paper",), None).works
    assert (found.id, found.title, found.authors, found.doi) == (
        "arxiv:1",
        "title of arxiv:1",
        ("Ada Byron",),
        "10.1/a",
    )
