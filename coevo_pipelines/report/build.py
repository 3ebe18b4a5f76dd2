"""A day's report: ask the catalog, write the pages and what lies beside them into a new folder, put it in its place."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from coevo_pipelines.lake.catalog import CATALOG, open_catalog
from coevo_pipelines.report import html, records
from coevo_pipelines.report.page import About
from coevo_pipelines.report.site import PAGES, RECORDS

if TYPE_CHECKING:
    import duckdb

    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.report.page import Frames

FOLDER = "report/snapshot"
WEB = Path(__file__).parent / "web"


@dataclass(frozen=True)
class Built:
    """Where a report is and how large."""

    folder: Path
    files: int
    bytes: int


def build(lake: Lake, day: date) -> Built:
    """Make the report of `day` from the lake's catalog; an older one of that day is replaced as a whole."""
    target = lake.root / FOLDER / f"date={day}"
    target.parent.mkdir(parents=True, exist_ok=True)
    writing = target.with_name(f".writing-{uuid.uuid4().hex}")
    try:
        with open_catalog(lake.root / CATALOG) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"SET VARIABLE day = DATE '{day}'")
            write(writing, connection, lake.world, day)
        if target.exists():
            shutil.rmtree(target)
        writing.rename(target)
    finally:
        shutil.rmtree(writing, ignore_errors=True)
    files = [path for path in target.rglob("*") if path.is_file()]
    return Built(target, len(files), sum(path.stat().st_size for path in files))


def write(folder: Path, connection: duckdb.DuckDBPyConnection, world: str, day: date) -> None:
    """The files of a report; the connection knows its day."""
    days = connection.execute("SELECT DISTINCT date FROM lake.commits WHERE date <= getvariable('day') ORDER BY 1")
    about = About(day, world, tuple(row[0] for row in days.fetchall()))
    shutil.copytree(WEB, folder, ignore=shutil.ignore_patterns("*.md"))
    for page in PAGES:
        body = page.body(_answers(connection, page.queries), about)
        (folder / f"{page.name}.html").write_bytes(html.page(page, PAGES, about, body))
    shards = {
        each.kind: records.write(folder, each.kind, each.records(_answers(connection, each.queries), about))
        for each in RECORDS
    }
    known = {"day": day, "world": world, "days": about.days, "shards": shards}
    records.script(folder / "data" / "about.js", "about", known)


def _answers(connection: duckdb.DuckDBPyConnection, queries: Mapping[str, str]) -> Frames:
    import polars as pl

    return {
        name: pl.DataFrame(pl.from_arrow(connection.execute(sql).to_arrow_table())) for name, sql in queries.items()
    }
