"""The page of proofs: every number's link picks out its row, the ledger's entry is the ledger's, down to the raw."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import duckdb
import pytest

from coevo_pipelines.lake import schemas
from coevo_pipelines.lake.catalog import CATALOG, open_catalog
from coevo_pipelines.lake.ledger import Index
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.report import records
from coevo_pipelines.report.build import folder_of
from coevo_pipelines.report.page import About
from coevo_pipelines.report.pages import proof
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.runs import DAYS

DAY = DAYS[-1]


@pytest.fixture(scope="module")
def folder(sample: Settings) -> Path:
    """The report of the sample's last day."""
    return folder_of(Lake(sample.lake_root), DAY)


@pytest.fixture(scope="module")
def connection(sample: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_catalog(sample.lake_root / CATALOG) as opened:
        opened.execute("SET TimeZone = 'UTC'")
        yield opened


@pytest.fixture(scope="module")
def index(sample: Settings) -> Index:
    return Lake(sample.lake_root).snapshot().index


def test_every_link_to_a_proof_picks_out_a_row(folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
    asked: dict[tuple[str, tuple[str, ...]], set[tuple[str, ...]]] = defaultdict(set)
    for page in sorted(folder.glob("*.html")):
        for query in re.findall(r'href="proof\.html\?([^"]*)"', page.read_text()):
            given = dict(parse_qsl(unescape(query), keep_blank_values=True))
            names = tuple(sorted(set(given) - {"table"}))
            asked[given["table"], names].add(tuple(given[name] for name in names))
    assert asked
    lost = []
    for (table, names), rows in sorted(asked.items()):
        schema = schemas.table(table)
        assert {"date"} <= set(names) <= {"date", *(column.name for column in schema.columns)}, (table, names)
        found = ", ".join(f"CAST({proof.in_sql(name)} AS VARCHAR)" for name in names)
        held = set(connection.execute(f"SELECT DISTINCT {found} FROM {schema.in_sql}").fetchall())
        lost += [(table, dict(zip(names, row, strict=True))) for row in sorted(rows - held)]
    # A whole day may be empty; a number's own row may not be missing.
    lost = [each for each in lost if set(each[1]) != {"date"}]
    assert not lost, f"{len(lost)} links lead nowhere: {lost[:5]}"


def test_every_name_is_one_for_duckdb_as_it_is_written(connection: duckdb.DuckDBPyConnection) -> None:
    held = [(name,) for (name,) in connection.execute("SELECT DISTINCT table_name FROM lake.commits").fetchall()]
    for schema in schemas.tables(*held):
        columns = [proof.in_sql(each.name) for each in schema.columns if each.name not in schema.not_in_catalog]
        table = f"{proof.in_sql(schema.stage)}.{proof.in_sql(schema.short_name)}"
        connection.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE {columns[0]} IS NULL LIMIT 0")


def test_the_data_files_hold_the_ledgers_entries(folder: Path, index: Index) -> None:
    for table in index.tables:
        _, held, _ = records.read(folder / "data" / "ledger" / f"{table}.js")
        commits = index.partitions(table)[::-1]
        assert [row[: len(proof.FIELDS)] for row in held["entries"]] == [
            [getattr(commit, field) for field in proof.FIELDS] for commit in commits
        ]
        _, sets, _ = records.read(folder / "data" / "inputs" / f"{table.partition('.')[0]}.js")
        for row, commit in zip(held["entries"], commits, strict=True):
            told = [(each.table, each.scope, each.date, each.partitions, each.sha256) for each in commit.inputs]
            assert [tuple(each) for each in sets.get(row[-1], [])] == told


def test_everything_goes_back_to_raw_answers(index: Index) -> None:
    states = proof.states_of(index)
    for table in ("rewards.receipts", "influence.scores", "swarm.cells", "corpora.sample", "genome.changes"):
        assert {"scrapes.arxiv", "traces.works"} <= set(proof.ancestors(states, table)), table
    assert proof.ancestors(states, "scrapes.arxiv") == []
    order = list(states)
    found = proof.ancestors(states, "rewards.receipts")
    assert found == sorted(found, key=order.index), "sources come first"


def test_a_lake_of_years_does_not_make_a_report_of_years(index: Index) -> None:
    commit = index.partitions("citations.edges")[-1]
    old = Index()
    for number in range(1000):
        old.apply(replace(commit, date=str(DAY - timedelta(days=number)), seq=1000 - number))
    held = dict(proof.data({}, About(DAY, "sample", (), old)))
    edges = held["ledger/citations.edges"]
    assert edges["partitions"] == 1000
    assert len(edges["entries"]) == proof.MOST_PARTITIONS and edges["entries"][0][0] == str(DAY)
    assert sum(bool(row[-1]) for row in edges["entries"]) == proof.MOST_WITH_INPUTS


def test_the_dictionary_has_every_table_and_column_and_strangers_names_are_text() -> None:
    index = Index()
    body = proof.body({}, About(date(2024, 1, 1), "sample", (), index))
    for schema in schemas.TABLES.values():
        assert f'id="{schema.name}"' in body
        assert all(f"<code>{column.name}</code>" in body for column in schema.columns)
    assert body.count("no partition yet") == len(schemas.TABLES)


def shown(browser: Any, folder: Path, **asked: str) -> Any:
    """The page of that question, when its script has done all it does; a script's error is one here."""
    page = browser.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(f"{(folder / 'proof.html').as_uri()}?{urlencode(asked)}")
    page.wait_for_selector("#proof:not([hidden])", timeout=10_000)
    return page


STRANGE = """it's "$(touch /tmp/x)" `id` \\ ! \u202e; DROP TABLE x --"""


@pytest.mark.parametrize(
    ("table", "key", "rows"),
    [
        ("influence.scores", {"node_id": "arxiv:1306.2257"}, 1),
        ("influence.scores", {"node_id": STRANGE}, 0),
        ("swarm.metrics", {"tick": "1"}, None),
        ("genome.files", {"path": "README.md"}, None),
        ("traces.references", {"relation": "cites"}, None),
    ],
)
def test_the_question_shown_is_the_row(
    browser: Any,
    folder: Path,
    connection: duckdb.DuckDBPyConnection,
    table: str,
    key: dict[str, str],
    rows: int | None,
) -> None:
    page = shown(browser, folder, table=table, date=str(DAY), **key)
    command, sql = (page.locator("#proof .copied code").nth(place).text_content() for place in (0, 1))
    (name, value), *_ = key.items()
    expected = connection.execute(
        f"FROM {schemas.table(table).in_sql} WHERE date = ? AND CAST({name} AS VARCHAR) = ?", [DAY, value]
    ).fetchall()
    assert connection.execute(sql).fetchall() == expected
    assert rows is None or len(expected) == rows
    words = shlex.split(command)
    assert words[:2] == ["coevo", "query"] and words[3:4] in ([], ["--lake"])
    assert f"{words[2]};" == sql, "the shell takes nothing out of it"
    page.close()


def test_the_chain_is_walked_by_links(browser: Any, folder: Path, sample: Settings, index: Index) -> None:
    page = shown(browser, folder, table="rewards.receipts", date=str(DAY))
    for table in ("influence.scores", "citations.nodes", "traces.works", "scrapes.arxiv"):
        page.locator(f'#proof ul.rows a[href*="table={table}&"]').first.click()
        page.wait_for_selector("#proof:not([hidden])")
        commit = index.get(table, str(DAY))
        assert commit is not None
        text = page.locator("#proof").inner_text()
        for part in (commit.sha256, commit.hash, commit.run_id, f"{commit.bytes:,}"):
            assert part in text, table
        file = page.locator(f'#proof a[href$="{commit.file}"]').get_attribute("href")
        assert (folder / file).resolve() == (sample.lake_root / commit.file).resolve()
    assert "the raw answers of the source" in text
    page.close()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"table": "nothing.here"}, "There is no such table"),
        ({"table": "../../x"}, "There is no such table"),
        ({"table": "traces.works", "date": "2001-01-01"}, "no partition of traces.works dated 2001-01-01"),
        ({"table": "traces.works", "date": "2999-01-01"}, "it knows of no later day"),
        ({"table": "traces.works", "wrong": "1"}, "the table has no such column or it cannot hold that: wrong"),
        ({"table": "swarm.metrics", "tick": "1 OR 1=1"}, "cannot hold that: tick"),
        ({"table": "scrapes.crossref"}, "no partition of scrapes.crossref"),
        ({"table": "traces.texts"}, "is in the Parquet file only"),
    ],
)
def test_what_cannot_be_shown_is_said(browser: Any, folder: Path, asked: dict[str, str], told: str) -> None:
    page = shown(browser, folder, **asked)
    assert told in page.locator("#proof").inner_text()
    page.close()
