"""The way in, data_lake/report/index.html: the days that have a report, and addresses that lead to the newest one.

`index.html?page=work&id=…` forwards to that page of the newest day (web/forward.js). days.js beside it tells the pages
of each day which other days there are: a day's own folder cannot know of later ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coevo_pipelines.lake.ledger import write_whole
from coevo_pipelines.report import html, records
from coevo_pipelines.sample.label import SAMPLE_NOTE

if TYPE_CHECKING:
    import duckdb

STATE = """
SELECT date, coalesce(sum(rows) FILTER (table_name = 'traces.works'), 0)::BIGINT AS works,
       bool_and(complete) AS complete, bool_and(vintage = 'observed' OR observed_until IS NULL) AS observed
FROM lake.commits GROUP BY date ORDER BY date
"""
"""Of each day: works that appeared or changed, and whether all of it came, and in time."""


def write(folder: Path, days: Sequence[date], catalog: duckdb.DuckDBPyConnection) -> None:
    """index.html and days.js in `folder`, whole; only where something changed."""
    state = {day: tuple(rest) for day, *rest in catalog.execute(STATE).fetchall()}
    world = catalog.execute("SELECT world FROM lake.about").fetchone()
    newest_first = sorted(days, reverse=True)
    _put(folder / "days.js", records.text("days", newest_first))
    _put(folder / "index.html", page(newest_first, state, str(world[0]) if world else ""))


def _put(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        write_whole(path, content)


def page(days: Sequence[date], state: Mapping[date, tuple[Any, ...]], world: str) -> bytes:
    """The HTML, for days newest first."""
    sample = f'<p class="note">{html.text(SAMPLE_NOTE)}</p>\n' if world == "sample" else ""
    head = told = ""
    if days:
        newest = f"snapshot/date={days[0]}"
        head = (
            f'<link rel="stylesheet" href="{newest}/report.css">'
            f'<link rel="stylesheet" href="{newest}/dark.css" media="(prefers-color-scheme: dark)">'
            f'<script defer src="{newest}/report.js"></script><script defer src="days.js"></script>'
            f'<script defer src="{newest}/forward.js"></script>'
        )
        told = "One report a day. A day's report is made from that day's partitions and those before it."
    else:
        told = "No day has a report yet: run <code>coevo run --date YYYY-MM-DD</code>."
    months = "".join(
        f"<h2>{month}</h2>\n{_table(list(group), state)}"
        for month, group in groupby(days, key=lambda day: html.long(day).partition(" ")[2])
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{html.POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f'<link rel="icon" href="data:,"><title>Snapshots of open research</title>{head}</head><body>'
        f'<main id="main">\n<h1>Snapshots of open research</h1>\n<p class="lead">{told}</p>\n{sample}{months}'
        "</main></body></html>\n"
    ).encode()


def _table(days: Sequence[date], state: Mapping[date, tuple[Any, ...]]) -> str:
    return html.table(
        "Newest first",
        ("day", "works new or changed#", "sources", "seen"),
        ([_link(day), *_cells(*state.get(day, (0, True, True)))] for day in days),
    )


def _link(day: date) -> str:
    return f'<a href="snapshot/date={day}/index.html">{html.long(day)}</a>'


def _cells(works: int, complete: bool, observed: bool) -> tuple[str, str, str]:
    return (
        f"{works:,}",
        '<span class="state good">complete</span>' if complete else '<span class="state warn">incomplete</span>',
        "in time" if observed else "later: reconstructed",
    )
