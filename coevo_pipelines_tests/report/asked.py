"""A catalog of known rows in memory, and what a page makes of it: its questions are asked as in a real report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any

import duckdb
import polars as pl

from coevo_pipelines.lake import catalog, schemas
from coevo_pipelines.report import html
from coevo_pipelines.report.build import answers
from coevo_pipelines.report.page import About, Page
from coevo_pipelines_tests.report.browser import Reader

DAY = date(2026, 11, 20)
BEFORE, LATER = DAY - timedelta(days=1), DAY + timedelta(days=1)
Rows = Mapping[str, Sequence[Mapping[str, Any]]]

_PLAIN: Mapping[str, Any] = {
    "string": "", "int64": 1, "amount": 0, "bool": False, "float64": 0.5, "binary": b"",
    "timestamp": datetime(2026, 11, 1, tzinfo=UTC), "list[string]": [], "list[int32]": [], "list[bool]": [],
}  # fmt: skip


def catalog_of(rows: Rows) -> duckdb.DuckDBPyConnection:
    """All tables of the registry; rows without a date are of `DAY`, what a row lacks is null or something plain."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for stage in sorted({table.name.partition(".")[0] for table in schemas.TABLES.values()}):
        connection.execute(f"CREATE SCHEMA {stage}")
    for name, table in schemas.TABLES.items():
        columns = ", ".join(f'"{each.name}" {schemas.DUCKDB_TYPES[each.type]}' for each in table.columns)
        connection.execute(f"CREATE TABLE {table.in_sql} (date DATE, {columns})")
        if name in rows:
            plain = {each.name: None if each.nullable else each.enum[0] if each.enum else _PLAIN[each.type]
                     for each in table.columns}  # fmt: skip
            schema = {"date": pl.Date(), **table.polars_schema()}
            given = pl.DataFrame([{"date": DAY, **plain, **row} for row in rows[name]], schema=schema)
            connection.register("given", given.to_arrow())
            connection.execute(f"INSERT INTO {table.in_sql} BY NAME FROM given")
    connection.execute(catalog._MACROS)
    return connection


def page_of(page: Page, rows: Rows, world: str = "live", day: date = DAY) -> bytes:
    """The whole page of `day`."""
    return shown(page, catalog_of(rows), day, world)


def shown(page: Page, connection: duckdb.DuckDBPyConnection, day: date, world: str = "live") -> bytes:
    connection.execute(f"SET VARIABLE day = DATE '{day}'")
    about = About(day, world, (day - timedelta(days=1), day))
    return html.page(page, [page], about, page.body(answers(connection, page.queries), about))


def said(written: bytes) -> str:
    """Its text, with a space between elements, so that cells stay apart; the nesting is checked on the way."""
    Reader(written)
    bare = re.sub(r"<style.*?</style>|<[^>]*>", " ", written.decode(), flags=re.DOTALL)
    return re.sub(r" ([,.;:)])", r"\1", " ".join(unescape(bare).split()))


def tags(written: bytes) -> set[str]:
    return {tag for tag, _ in Reader(written).elements}


def links(written: bytes) -> set[str]:
    return {value for _, given in Reader(written).elements for key, value in given if key == "href" and value}
